// What libvirt means by the states of domains, as `virsh domstate --reason` and `virsh domstats --state` tell them. Pure.

import type { ResourceStatus } from '../driver.ts';
import { shellQuote } from '../shell.ts';

/** As virsh says it, e.g. `paused` and `I/O error`; `reason` is empty where it says none. */
export interface DomainState {
  readonly state: string;
  readonly reason: string;
}

/**
 * What lies behind a status. healthy: it runs, was paused on purpose, or is off. passing: libvirt is at it, look again.
 * io-error, crashed, asleep: it is there and of no use, until a person or a destroy ends it. riddle: libvirt said
 * something that this version does not know.
 */
export type Condition = 'healthy' | 'passing' | 'io-error' | 'crashed' | 'asleep' | 'riddle';

export interface Reading {
  readonly status: ResourceStatus;
  readonly condition: Condition;
}

/** `running (booted)`, `shut off (destroyed)`, `paused (I/O error)`; undefined for anything else. */
export function parseDomainState(stdout: string): DomainState | undefined {
  const [, state, reason = ''] = /^([a-z ]+?)(?: \((.*)\))?$/.exec(stdout.trim()) ?? [];
  return state === undefined ? undefined : { state, reason };
}

/** `states`: null where none is told. `uuids`: of the domains that are listed besides. By name. */
export interface AllStates {
  readonly states: ReadonlyMap<string, DomainState | null>;
  readonly uuids: ReadonlyMap<string, string>;
}

/**
 * Of `list --all --uuid --name` and `domstats --state --raw`: lines `UUID NAME`; and for each domain `Domain: 'NAME'`, with
 * the numbers of its state and of the reason on lines of their own below.
 */
export function parseAllStates(stdout: string): AllStates {
  const states = new Map<string, DomainState | null>();
  const uuids = new Map<string, string>();
  let name: string | undefined;
  let state: number | undefined;
  for (const line of stdout.split('\n')) {
    const [, uuid, listed] = /^([\da-f-]{36}) +(.+)$/.exec(line) ?? [];
    if (uuid !== undefined && listed !== undefined) uuids.set(listed, uuid);
    const [, told] = /^Domain: '(.*)'$/.exec(line) ?? [];
    if (told !== undefined) {
      [name, state] = [told, undefined];
      states.set(name, null);
    }
    const [, key, number] = /^ +state\.(state|reason)=(\d+)$/.exec(line) ?? [];
    if (key === undefined || name === undefined) continue;
    if (key === 'state') state = Number(number);
    else if (state !== undefined) states.set(name, stateOf(state, Number(number)));
  }
  return { states, uuids };
}

/** virDomainState and the reasons of each (libvirt-domain.h), in virsh's words for them. */
const numbered: readonly (readonly [state: string, ...reasons: readonly string[]])[] = [
  ['no state', 'unknown'],
  [
    'running',
    ...['unknown', 'booted', 'migrated', 'restored', 'from snapshot', 'unpaused', 'migration canceled'],
    ...['save canceled', 'event wakeup', 'crashed', 'post-copy', 'post-copy failed'],
  ],
  ['idle', 'unknown'],
  [
    'paused',
    ...['unknown', 'user', 'migrating', 'saving', 'dumping', 'I/O error', 'watchdog', 'from snapshot'],
    ...['shutting down', 'creating snapshot', 'crashed', 'starting up', 'post-copy', 'post-copy failed'],
    'api error',
  ],
  ['in shutdown', 'unknown', 'user'],
  [
    'shut off',
    ...['unknown', 'shutdown', 'destroyed', 'crashed', 'migrated', 'saved', 'failed', 'from snapshot'],
    'daemon',
  ],
  ['crashed', 'unknown', 'panicked'],
  ['pmsuspended', 'unknown'],
];

/** A number that is newer than this version keeps it, so that it is taken for nothing that is known. */
function stateOf(state: number, reason: number): DomainState {
  const [word, ...reasons] = numbered[state] ?? [`state ${state}`];
  return { state: word, reason: reasons[reason] ?? `reason ${reason}` };
}

export function describeState({ state, reason }: DomainState): string {
  return reason === '' ? state : `${state} (${reason})`;
}

export function readState(name: string, domain: DomainState): Reading {
  switch (domain.state) {
    case 'running':
    case 'idle':
      return { status: { kind: 'up' }, condition: 'healthy' };
    case 'shut off':
      return { status: { kind: 'down' }, condition: 'healthy' };
    case 'paused':
      return readPaused(name, domain);
    case 'in shutdown':
      return unknown('passing', `${name} is shutting down`);
    case 'crashed':
      return unknown('crashed', crashed(name, domain));
    case 'pmsuspended':
      return unknown(
        'asleep',
        `${name} has put itself to sleep; wake it: virsh dompmwakeup ${shellQuote(name)}`,
      );
    default:
      return unknown('riddle', `libvirt says of ${name}: ${describeState(domain)}`);
  }
}

function readPaused(name: string, domain: DomainState): Reading {
  switch (domain.reason) {
    case 'user':
    case 'unknown':
    case 'from snapshot':
    case '':
      return { status: { kind: 'paused' }, condition: 'healthy' };
    case 'starting up':
      return unknown('passing', `${name} is being started by libvirt`);
    case 'migrating':
    case 'post-copy':
      return unknown('passing', `${name} is being migrated`);
    case 'saving':
    case 'dumping':
    case 'shutting down':
    case 'creating snapshot':
      return unknown('passing', `${name} is paused for a moment (${domain.reason})`);
    case 'I/O error':
      return unknown(
        'io-error',
        `${name} is paused since its disk gave an error; see virsh domblkerror ${shellQuote(name)}, mend the storage, ` +
          `then: virsh resume ${shellQuote(name)}`,
      );
    case 'crashed':
    case 'watchdog':
      return unknown('crashed', crashed(name, domain));
    case 'post-copy failed':
    case 'api error':
      return unknown(
        'crashed',
        `${name} is ${describeState(domain)} and cannot go on; switch it off: virsh destroy ${shellQuote(name)}`,
      );
    default:
      return unknown('riddle', `libvirt says of ${name}: ${describeState(domain)}`);
  }
}

function crashed(name: string, domain: DomainState): string {
  return `${name} is ${describeState(domain)}; look at its console, then switch it off: virsh destroy ${shellQuote(name)}`;
}

function unknown(condition: Condition, message: string): Reading {
  return { status: { kind: 'unknown', message }, condition };
}
