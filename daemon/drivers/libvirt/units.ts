// Which systemd unit serves a libvirt connection, and bringing it back when it is dead.
// Guarantees: a unit that is masked or unknown is not touched; a libvirt that is there but silent is never restarted.

import { access } from 'node:fs/promises';
import type { Logger } from 'pino';
import { describeFailure, runCommand } from '../command.ts';
import type { VirshResult } from './virsh.ts';

export type LibvirtHealth =
  | { readonly kind: 'answers' }
  /** `message`: what is wrong and what a person can do. */
  | { readonly kind: 'down' | 'silent' | 'refuses'; readonly message: string };

/** One unit as `systemctl show` tells it. */
export interface UnitFacts {
  readonly name: string;
  /** `loaded`, `not-found`, `masked`, ... */
  readonly load: string;
  /** `active`, `inactive`, `failed`, ... */
  readonly active: string;
  /** `enabled`, `disabled`, `static`, `masked`, ... */
  readonly file: string;
}

const systemctlTimeoutMs = 10_000;
/** libvirt looks for the QEMUs that run, and for all that they can do, before it answers. */
const startTimeoutMs = 60_000;
const monolithic = 'libvirtd';

/** The daemons that can serve the connection, the modular one first; empty when the URI is not of this host's own. */
export function servingDaemons(uri: string): readonly string[] {
  return /^qemu(\+unix)?:\/\/\/system($|\?(?!.*\bsocket=))/.test(uri) ? ['virtqemud', monolithic] : [];
}

/**
 * The service that serves it: the daemon whose socket or service is active, else enabled, else installed. `modular`
 * hosts often have both installed, of which one is meant. Undefined: none is known.
 */
export function chooseUnit(daemons: readonly string[], units: readonly UnitFacts[]): string | undefined {
  const factsOf = (daemon: string) =>
    units.filter(({ name, load }) => name.startsWith(`${daemon}.`) && load === 'loaded');
  const ways: readonly ((unit: UnitFacts) => boolean)[] = [
    ({ active }) => active === 'active' || active === 'activating',
    ({ file }) => file === 'enabled' || file === 'enabled-runtime',
    ({ name }) => name.endsWith('.service'),
  ];
  for (const way of ways) {
    const found = daemons.find((daemon) => factsOf(daemon).some(way));
    if (found !== undefined) return `${found}.service`;
  }
  return undefined;
}

/** Of `systemctl show --property=Id,LoadState,ActiveState,UnitFileState UNIT...`: blocks with an empty line between. */
export function parseUnits(stdout: string): readonly UnitFacts[] {
  return stdout.split(/\n\s*\n/).flatMap((block) => {
    const value = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(block)?.[1] ?? '';
    const name = value('Id');
    if (name === '') return [];
    return [{ name, load: value('LoadState'), active: value('ActiveState'), file: value('UnitFileState') }];
  });
}

/** The systemd unit that serves the connection, and whether it may be started. Undefined without systemd or unit. */
export async function libvirtUnits(
  uri: string,
  systemdDirectory = '/run/systemd/system',
): Promise<{ readonly unit: string; readonly masked: boolean } | undefined> {
  const daemons = servingDaemons(uri);
  if (daemons.length === 0 || !(await isThere(systemdDirectory))) return undefined;
  const names = daemons.flatMap((daemon) => [`${daemon}.service`, `${daemon}.socket`]);
  const argv = ['systemctl', 'show', '--property=Id,LoadState,ActiveState,UnitFileState', ...names];
  const result = await runCommand(argv, { timeoutMs: systemctlTimeoutMs, env: { LC_ALL: 'C' } });
  if (result.exitCode !== 0) return undefined;
  const units = parseUnits(result.stdout);
  const unit = chooseUnit(daemons, units);
  if (unit !== undefined) return { unit, masked: false };
  const masked = units.find(({ name, load }) => name.endsWith('.service') && load === 'masked');
  return masked === undefined ? undefined : { unit: masked.name, masked: true };
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

/** `ask` makes one short call that concerns no domain. `systemdDirectory` is there where systemd runs (sd_booted(3)). */
export async function ensureLibvirt(
  uri: string,
  means: {
    readonly ask: () => Promise<VirshResult>;
    readonly logger: Logger;
    readonly systemdDirectory?: string;
  },
): Promise<LibvirtHealth> {
  const health = judgeAnswer(await means.ask(), undefined);
  if (health.kind !== 'down') return health;
  const found = await libvirtUnits(uri, means.systemdDirectory);
  if (found === undefined) return health;
  const { unit, masked } = found;
  if (masked) {
    return { kind: 'down', message: `${health.message}; ${unit} is masked: systemctl unmask --now ${unit}` };
  }
  means.logger.warn({ unit }, 'libvirt is not there; its unit is started');
  const argv = ['systemctl', 'start', unit];
  const result = await runCommand(argv, { timeoutMs: startTimeoutMs });
  if (result.exitCode !== 0) {
    return { kind: 'down', message: `${describeFailure(argv, result)}; see: journalctl -u ${unit}` };
  }
  return judgeAnswer(await means.ask(), unit);
}

function judgeAnswer(answer: VirshResult, unit: string | undefined): LibvirtHealth {
  if (answer.kind === 'done') return { kind: 'answers' };
  const service = unit ?? 'the libvirt service';
  switch (answer.code) {
    case 'libvirt-silent':
    case 'libvirt-aborted':
      return {
        kind: 'silent',
        message:
          'libvirt is there but does not answer; it is not restarted, since it may be waiting for storage: see what it ' +
          'waits for (systemctl status libvirtd virtqemud; dmesg), then restart it; guests that run are not touched by that',
      };
    case 'libvirt-down':
      return { kind: 'down', message: `nobody answers for libvirt (${answer.message}); start ${service}` };
    default:
      return { kind: 'refuses', message: answer.message };
  }
}
