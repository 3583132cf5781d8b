// Whether this host has the memory for all guests of all groups: that is what it needs when the other one is lost.

import type { Config } from '../../config/config.ts';
import { withoutRoom } from '../../core/guests.ts';
import { shellQuote } from '../../drivers/shell.ts';
import { BattitoError } from '../../errors.ts';
import { readGuestMemoryMiB } from '../../runtime/host-memory.ts';
import type { GuestsByGroup } from '../../runtime/known-guests.ts';
import { type Finding, reporter } from './finding.ts';

interface Wanted {
  readonly name: string;
  readonly driver: 'libvirt' | 'qemu';
  readonly priority: number;
  readonly memoryMiB: number;
}

/** Never rejects for what is wrong with the host or the configuration. `read`: MiB; a test gives its own. */
export async function checkGuestMemory(
  { start }: Config,
  known: GuestsByGroup,
  node: string,
  read = readGuestMemoryMiB,
): Promise<readonly Finding[]> {
  const report = reporter('memory');
  const wanted = [...known.values()]
    .flat()
    .map(
      ({ config: { name, driver, priority }, memoryMiB }): Wanted => ({ name, driver, priority, memoryMiB }),
    );
  if (wanted.length === 0) return report.findings;
  let freeMiB: number;
  try {
    freeMiB = await read({ reserveMiB: start.memoryReserveMiB });
  } catch (error) {
    if (!(error instanceof BattitoError)) throw error;
    report.problem(error.code, error.message, error.next ?? 'correct start.memory-reserve');
    return report.findings;
  }
  const allMiB = wanted.reduce((sum, { memoryMiB }) => sum + memoryMiB, 0);
  // As a start does it. The names of guests are each given once.
  const leftOut = withoutRoom(
    wanted.map(({ name, ...guest }) => ({ id: name, guest })),
    freeMiB,
  );
  const left = [...leftOut].flatMap((id) => wanted.filter(({ name }) => name === id));
  if (left.length === 0) {
    report.ok(`all ${wanted.length} guests take ${allMiB} MiB of the ${freeMiB} MiB for guests on ${node}`);
  } else {
    const names = left.map((one) => `${one.name} (${one.memoryMiB} MiB, priority ${one.priority})`);
    const domain = left.find(({ driver }) => driver === 'libvirt');
    const less =
      domain === undefined
        ? 'less `memory` for some of them in the configuration'
        : `virsh setmaxmem ${shellQuote(domain.name)} SIZE --config`;
    report.problem(
      'memory-short',
      `all guests together take ${allMiB} MiB, and ${node} has ${freeMiB} MiB for guests: if it has to run them all it leaves out ${names.join(', ')}`,
      `${less}   # or \`priority\` for what must run, or a smaller start.memory-reserve`,
    );
  }
  const unknown = wanted.filter(({ memoryMiB }) => memoryMiB === 0).map(({ name }) => name);
  if (unknown.length > 0)
    report.info(`what ${unknown.join(', ')} takes of it is not known: there is no definition here`);
  return report.findings;
}
