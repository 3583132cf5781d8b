// What a domain is seen to be: by libvirt, and by its QEMU process when libvirt does not answer.
// Guarantees: `down` only when libvirt said so and no process contradicts it, or when nobody listens at libvirt's
// socket and no QEMU of the domain is on this host. A silence is `unknown`.

import { readFile, rm, writeFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import type { LibvirtGuestConfig } from '../../config/config.ts';
import type { Outcome, ResourceStatus } from '../driver.ts';
import { readArrival } from './arrival.ts';
import type { Libvirt } from './connection.ts';
import type { Passage } from './migrate.ts';
import { type DomainProcess, type GuestProcess, processState, waitForState } from './process.ts';
import { askState, type StateAnswer } from './rounds.ts';
import { type Condition, describeState, readState } from './state.ts';
import { domainOption, isUsableName, type VirshCall, type VirshFailure } from './virsh.ts';

/** Who knows the definition that a domain is to be started with. */
export interface DefinitionSource {
  /**
   * Where libvirt has another definition, or none, `define` is given the right one; it resolves to what libvirt has
   * then, null: it could not be told. `isDefined`: what libvirt has said of it, null: nothing; its word goes before what is
   * on record. `current`: there was nothing to do. `none`: nobody has a definition.
   */
  adopt(
    define: (xml: string) => Promise<string | null>,
    isDefined: boolean | null,
  ): Promise<'adopted' | 'current' | 'none' | 'failed'>;
  /** Was the guest of this UUID removed, by a person, on the node that had it? Absent: nobody knows. */
  isRemoved?(uuid: string): boolean;
}

/** Everything an operation on one domain needs. */
export interface Domain {
  readonly config: LibvirtGuestConfig;
  readonly libvirt: Libvirt;
  readonly process: DomainProcess;
  readonly logger: Logger;
  /** Names the process that was frozen by SIGSTOP, since a stopped process alone does not tell by whom. */
  readonly frozenFile: string;
  readonly saveDirectory: string | null;
  readonly definitions: DefinitionSource;
  /** How it gets to the other node while it runs; null: not at all. */
  readonly passage: Passage | null;
  /** Says that it comes in, or has come, from the other node, which has not let go of it. */
  readonly arrivalFile: string;
  /** A start was asked for and its end was not seen: libvirt may still be at it. */
  startUnderWay: boolean;
  /** What was killed of it since libvirt did not answer, and libvirt has not been heard since. */
  killed: GuestProcess | null;
  uuidKnown: boolean;
}

/**
 * `said`: what libvirt answered, e.g. `paused (user)`; null when it did not. `defined`: false when libvirt does not
 * know the domain, null when that is not known.
 */
export interface Look {
  readonly status: ResourceStatus;
  readonly condition: Condition;
  readonly said: string | null;
  readonly defined: boolean | null;
  readonly process: GuestProcess | undefined;
  /** Why libvirt gave no state. */
  readonly failure?: VirshFailure;
}

/** QEMU has this long to end after libvirt has said that the domain is off. */
const exitGraceMs = 1000;

/**
 * Rejects only when `signal` aborts. `scan`: looks for the process among all of the host also when libvirt says that
 * the domain is off or unknown. `direct`: asks also while libvirt is known to be silent.
 */
export async function lookAtDomain(
  domain: Domain,
  options: {
    readonly scan: boolean;
    readonly direct?: boolean;
    readonly timeoutMs?: number;
    readonly signal?: AbortSignal;
  },
): Promise<Look> {
  const { signal } = options;
  const { name } = domain.config;
  signal?.throwIfAborted();
  if (!isUsableName(name)) {
    const message = `libvirt cannot be asked for a domain called ${name}: virsh takes that for an id; rename it`;
    return of({ kind: 'unknown', message }, 'riddle');
  }
  const call: Partial<VirshCall> = signal === undefined ? {} : { signal };
  const answer =
    options.direct === true ? await askDirectly(domain, options) : await domain.libvirt.state(name, call);
  signal?.throwIfAborted();
  if (answer.kind === 'failed') return await lookWithoutState(domain, answer, options.scan, signal);

  const { state } = answer;
  if (state === null) {
    const message = `virsh domstate said of ${name}: ${JSON.stringify(answer.said.slice(0, 200))}`;
    return of({ kind: 'unknown', message }, 'riddle');
  }
  if (answer.uuid === null) await learnUuid(domain, signal);
  else knowUuid(domain, answer.uuid);
  const reading = await readArrival(domain, readState(name, state), state);
  const said = describeState(state);
  if (reading.status.kind === 'down') return await lookAtEnded(domain, said, options.scan, signal);
  const process = domain.libvirt.local ? await domain.process.find({ scan: true }) : undefined;
  const stopped = process === undefined ? undefined : await stoppedStatus(domain, process);
  return {
    status: stopped ?? reading.status,
    condition: reading.condition,
    said,
    defined: true,
    process,
  };
}

const directTimeoutMs = 10_000;

function askDirectly(
  { config, libvirt }: Domain,
  { timeoutMs = directTimeoutMs, signal }: { readonly timeoutMs?: number; readonly signal?: AbortSignal },
): Promise<StateAnswer> {
  const call = { timeoutMs, ...(signal === undefined ? {} : { signal }) };
  return askState((args) => libvirt.run(args, call), config.name, call);
}

function of(status: ResourceStatus, condition: Condition, more: Partial<Look> = {}): Look {
  return { status, condition, said: null, defined: null, process: undefined, ...more };
}

/** libvirt's word that it is off holds unless its process is seen to live on. */
async function lookAtEnded(
  domain: Domain,
  said: string,
  scan: boolean,
  signal: AbortSignal | undefined,
): Promise<Look> {
  const process = domain.libvirt.local ? await lastingProcess(domain, scan, signal) : undefined;
  if (process === undefined) return of({ kind: 'down' }, 'healthy', { said, defined: true });
  const message = `libvirt says that ${domain.config.name} is ${said}, but its QEMU (pid ${process.pid}) lives`;
  return of({ kind: 'unknown', message }, 'riddle', { said, defined: true, process });
}

async function lookWithoutState(
  domain: Domain,
  failure: VirshFailure,
  scan: boolean,
  signal: AbortSignal | undefined,
): Promise<Look> {
  const { name } = domain.config;
  const { local } = domain.libvirt;
  if (failure.code === 'libvirt-no-domain') {
    domain.uuidKnown = false; // It may come back with another one.
    const process = local ? await lastingProcess(domain, scan, signal) : undefined;
    const more = { defined: false, failure, process };
    if (process === undefined) return of({ kind: 'down' }, 'healthy', more);
    const message = `libvirt does not know ${name}, but a QEMU of it (pid ${process.pid}) lives`;
    return of({ kind: 'unknown', message }, 'riddle', more);
  }
  // Of a dead libvirtd the guest may be just ending as well.
  const look = failure.code === 'libvirt-down' ? lastingProcess : findProcess;
  const process = local ? await look(domain, true, signal) : undefined;
  if (process !== undefined) {
    const stopped = await stoppedStatus(domain, process);
    const message = `${why(failure)}; QEMU (pid ${process.pid}) lives`;
    return of(stopped ?? { kind: 'unknown', message }, 'riddle', { failure, process });
  }
  if (failure.code === 'libvirt-down' && local) return of({ kind: 'down' }, 'healthy', { failure });
  const seen = local ? '; no QEMU of it is seen' : '';
  return of({ kind: 'unknown', message: `${why(failure)}${seen}` }, 'riddle', { failure });
}

function why(failure: VirshFailure): string {
  switch (failure.code) {
    case 'libvirt-down':
      return `libvirtd is not there (${failure.message})`;
    default:
      return failure.message;
  }
}

function findProcess(domain: Domain, scan: boolean): Promise<GuestProcess | undefined> {
  return domain.process.find({ scan });
}

/** One that is just ending is waited for. */
async function lastingProcess(
  domain: Domain,
  scan: boolean,
  signal: AbortSignal | undefined,
): Promise<GuestProcess | undefined> {
  const process = await domain.process.find({ scan });
  if (process === undefined) return undefined;
  return (await waitForState(process, 'gone', exitGraceMs, signal)) ? undefined : process;
}

/** Of a process that a signal has stopped; libvirt does not notice that. */
async function stoppedStatus(domain: Domain, process: GuestProcess): Promise<ResourceStatus | undefined> {
  if ((await processState(process)) !== 'stopped') return undefined;
  if (await wasFrozenByUs(domain, process)) return { kind: 'paused' };
  const message = `QEMU (pid ${process.pid}) was stopped by a signal that was not ours`;
  return { kind: 'unknown', message };
}

/** Asked once: it is how the process is known when libvirt is silent. */
async function learnUuid(domain: Domain, signal: AbortSignal | undefined): Promise<void> {
  if (domain.uuidKnown || !domain.libvirt.local) return;
  const args = ['domuuid', domainOption(domain.config.name)];
  const answer = await domain.libvirt.look(args, signal === undefined ? {} : { signal });
  if (answer.kind !== 'done' || !/^[\da-f-]{36}$/.test(answer.stdout.trim())) return;
  knowUuid(domain, answer.stdout.trim());
}

export function knowUuid(domain: Domain, uuid: string): void {
  domain.process.learnUuid(uuid);
  domain.uuidKnown = true;
}

/** Written before the signal: a mark without a stopped process means nothing, the reverse would be a riddle. */
export async function markFrozen(domain: Domain, process: GuestProcess): Promise<void> {
  await writeFile(domain.frozenFile, `${process.pid} ${process.startTicks}\n`, { mode: 0o600 });
}

export async function unmarkFrozen(domain: Domain): Promise<void> {
  await rm(domain.frozenFile, { force: true });
}

async function wasFrozenByUs(domain: Domain, process: GuestProcess): Promise<boolean> {
  const mark = await readFile(domain.frozenFile, 'utf8').catch(() => '');
  return mark.trim() === `${process.pid} ${process.startTicks}`;
}

/** What an operation answers that could not be done since libvirt did not. */
export function outcomeOf(domain: Domain, failure: VirshFailure): Outcome {
  const message = `guest ${domain.config.name}: ${failure.message}`;
  const unsure = ['libvirt-silent', 'libvirt-aborted', 'libvirt-down'].includes(failure.code);
  return unsure ? { kind: 'unknown', message } : { kind: 'failed', code: failure.code, message };
}
