// Knows the QEMU process of a libvirt domain, for the time when libvirt itself does not answer.
// Guarantees: one that has the domain's UUID or its name is seen; a signal goes only to one that has its UUID, or, as
// long as that is not known, to the only one that has its name and was started by libvirt.

import path from 'node:path';
import {
  findGuestProcess,
  type GuestIdentity,
  type GuestProcess,
  type GuestSignal,
  processState,
  scanGuestProcesses,
  signalGuest,
} from '../guest-process.ts';

export type { GuestProcess } from '../guest-process.ts';
export { processAgeMs, processState, waitForState } from '../guest-process.ts';

/** Where libvirt's system daemons, monolithic or modular, write the pids of QEMU. */
const defaultPidDirectory = '/run/libvirt/qemu';

export interface DomainProcess {
  /** The last one seen, until it is seen to be gone. While a process ends its command line is already empty. */
  known(): GuestProcess | undefined;
  /** `scan`: also when its pid file does not lead to it; reads every process's command line, some milliseconds. */
  find(options: { readonly scan: boolean }): Promise<GuestProcess | undefined>;
  /** False: not every process of the domain could be given the signal, or there is none. */
  signal(name: GuestSignal): Promise<boolean>;
  learnUuid(uuid: string): void;
}

export function createDomainProcess(name: string, pidDirectory: string = defaultPidDirectory): DomainProcess {
  let uuid: string | undefined;
  let known: GuestProcess | undefined;
  const pidFile = path.join(pidDirectory, `${name}.pid`);
  const seen: GuestIdentity = { pidFile, matches: (argv) => isDomain(argv, { name, uuid }) };
  const certain: GuestIdentity = {
    pidFile,
    matches: (argv) => isDomain(argv, uuid === undefined ? { name } : { uuid }),
  };

  async function find(options: { readonly scan: boolean }): Promise<GuestProcess | undefined> {
    if (known !== undefined && (await processState(known)) !== 'gone') return known;
    known = await findGuestProcess(seen, options);
    return known;
  }

  return {
    known: () => known,
    find,
    async signal(signalName) {
      const all = await scanGuestProcesses(certain);
      if (all.length === 0 || (uuid === undefined && all.length > 1)) return false;
      const sent = await Promise.all(all.map((one) => signalGuest(one, certain, signalName)));
      known = all[0];
      return sent.every((one) => one);
    },
    learnUuid(value) {
      uuid = value.toLowerCase();
    },
  };
}

/**
 * Whether this is a QEMU that libvirt started and that has the UUID or the name. libvirt gives it `-uuid` and
 * `-name guest=NAME,...`, in which a comma is doubled.
 */
export function isDomain(
  argv: readonly string[],
  domain: { readonly name?: string; readonly uuid?: string | undefined },
): boolean {
  const uuid = optionOf(argv, '-uuid')?.toLowerCase();
  if (uuid === undefined) return false;
  if (uuid === domain.uuid) return true;
  const [, guest] = /^(?:guest=)?((?:[^,]|,,)*)(?:,[^,]|$)/.exec(optionOf(argv, '-name') ?? '') ?? [];
  return domain.name !== undefined && guest?.replaceAll(',,', ',') === domain.name;
}

function optionOf(argv: readonly string[], option: string): string | undefined {
  const at = argv.indexOf(option);
  return at === -1 ? undefined : argv[at + 1];
}
