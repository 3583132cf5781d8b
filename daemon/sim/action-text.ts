// Actions as a person writes them, `power-loss primary @10s`, and back: parse and format are inverse to each other.
// Pure; knows the words of the actions and nothing of what they do.

import type { OperatorRequest } from '../core/events.ts';
import { type HandoverMode, handoverModes } from '../core/policy.ts';
import { BattitoError, exitCodes } from '../errors.ts';
import type { Action, ActionKind, ActionOf, Side, TimedAction } from './action.ts';
import { sides } from './action.ts';

/** What the two hosts are called. */
export type HostNames = Readonly<Record<Side, string>>;

const plainNames: HostNames = { primary: 'primary', secondary: 'secondary' };

interface Codec<T> {
  /** Takes its words off the front; undefined: they are not understood. */
  readonly read: (words: string[], names: HostNames) => T | undefined;
  /** Empty: it goes without saying. */
  readonly write: (value: T, names: HostNames) => string;
  readonly possible: (names: HostNames) => string;
}

type Fields<K extends ActionKind> = {
  readonly [F in Exclude<keyof ActionOf<K>, 'kind'>]: Codec<ActionOf<K>[F]>;
};

/** Milliseconds as `10s`, `1500ms`, `2m`; undefined: not a duration. */
export function readDuration(text: string): number | undefined {
  const [, digits, unit] = /^([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m)$/.exec(text) ?? [];
  if (digits === undefined || unit === undefined) return undefined;
  const unitMs = unit === 'ms' ? 1 : unit === 's' ? 1000 : 60_000;
  return Math.round(Number(digits) * unitMs * 1000) / 1000;
}

export function writeDuration(ms: number): string {
  if (ms > 0 && ms % 60_000 === 0) return `${ms / 60_000}m`;
  return ms > 0 && ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

const host: Codec<Side> = {
  read: (words, names) => {
    const word = words.shift();
    return sides.find((side) => names[side] === word);
  },
  write: (value, names) => names[value],
  possible: (names) => `${names.primary} or ${names.secondary}`,
};

/** One of a few words; with `fallback`, none means that one. */
function oneOf<const W extends string>(values: readonly W[], fallback?: W): Codec<W> {
  return {
    read: (words) => {
      if (words.length === 0) return fallback;
      const word = words.shift();
      return values.find((value) => value === word);
    },
    write: (value) => (value === fallback ? '' : value),
    possible: () => values.join(', '),
  };
}

const duration: Codec<number> = {
  read: (words) => readDuration(words.shift() ?? ''),
  write: writeDuration,
  possible: () => 'a duration such as 1500ms, 2s or 5m',
};

function number(pattern: RegExp, unit: string, possible: string): Codec<number> {
  return {
    read: (words) => {
      const word = words.shift() ?? '';
      const digits = word.endsWith(unit) ? word.slice(0, word.length - unit.length) : word;
      return pattern.test(digits) ? Number(digits) : undefined;
    },
    write: (value) => `${value}${unit}`,
    possible: () => possible,
  };
}

/** A duration forward or back, `+90s` or `-60m`. */
const signedDuration: Codec<number> = {
  read: (words) => {
    const [, sign, text = ''] = /^([+-])(.*)$/.exec(words.shift() ?? '') ?? [];
    const ms = readDuration(text);
    if (sign === undefined || ms === undefined) return undefined;
    return sign === '-' ? -ms : ms;
  },
  write: (ms) => `${ms < 0 ? '-' : '+'}${writeDuration(Math.abs(ms))}`,
  possible: () => 'a duration with its sign such as +90s or -60m',
};

const count = number(/^[1-9][0-9]{0,5}$/, '', 'a whole number from 1');

/** `name=value`, anywhere in the rest; 0 when it is not there. */
function named(name: string, codec: Codec<number>): Codec<number> {
  return {
    read: (words, names) => {
      const index = words.findIndex((word) => word.startsWith(`${name}=`));
      if (index < 0) return 0;
      const [word = ''] = words.splice(index, 1);
      return codec.read([word.slice(name.length + 1)], names);
    },
    write: (value, names) => (value === 0 ? '' : `${name}=${codec.write(value, names)}`),
    possible: (names) => `${name}= and ${codec.possible(names)}, or nothing of it`,
  };
}

const chance = number(/^(0(\.[0-9]+)?|1)$/, '', 'a chance from 0 to 1');

const word: Codec<string> = {
  read: (words) => words.shift(),
  write: (value) => value,
  possible: () => 'a name such as guest:mail',
};

/** A configuration's are known as `gateway 192.168.1.254`; the word is the address. */
const gateway: Codec<string> = {
  read: (words) => words.shift(),
  write: (value) => value.replace(/^gateway /, ''),
  possible: () => 'the address of a gateway such as 192.168.1.254',
};

const staysDown: Codec<boolean> = {
  read: (words) => {
    if (words.length === 0) return false;
    return words.shift() === 'stays-down' ? true : undefined;
  },
  write: (value) => (value ? 'stays-down' : ''),
  possible: () => 'nothing, or stays-down',
};

const request: Codec<OperatorRequest> = {
  read: readRequest,
  write: writeRequest,
  possible: (names) =>
    'takeover, handover, accept-data, discard-data or retry [GROUP...], with handover guests=live|save|shutdown, ' +
    'standby on|off [guests=live|save|shutdown], maintenance DURATION|off, ' +
    `or confirm-peer-off ${names.primary}|${names.secondary} [force]`,
};

/** `guests=live`, anywhere in the rest; undefined: that is no way to go. */
function readGuests(words: string[]): { readonly guests?: HandoverMode } | undefined {
  const index = words.findIndex((one) => one.startsWith('guests='));
  if (index < 0) return {};
  const [given = ''] = words.splice(index, 1);
  const guests = handoverModes.find((mode) => given === `guests=${mode}`);
  return guests === undefined ? undefined : { guests };
}

const guestsWords = ({ guests }: { readonly guests?: HandoverMode }) =>
  guests === undefined ? [] : [`guests=${guests}`];

function readRequest(words: string[], names: HostNames): OperatorRequest | undefined {
  const kind = words.shift();
  switch (kind) {
    case 'takeover':
    case 'accept-data':
    case 'discard-data':
    case 'retry':
      return { kind, groups: words.splice(0) };
    case 'handover': {
      const guests = readGuests(words);
      return guests === undefined ? undefined : { kind, groups: words.splice(0), ...guests };
    }
    case 'standby': {
      const on = words.shift();
      const guests = readGuests(words);
      if (guests === undefined || (on !== 'on' && on !== 'off')) return undefined;
      return { kind, on: on === 'on', ...guests };
    }
    case 'maintenance': {
      const text = words.shift() ?? '';
      const durationMs = text === 'off' ? 0 : readDuration(text);
      return durationMs === undefined ? undefined : { kind, durationMs };
    }
    case 'confirm-peer-off': {
      const side = host.read(words, names);
      const force = words[0] === 'force';
      if (force) words.shift();
      return side === undefined ? undefined : { kind, node: names[side], force };
    }
    default:
      return undefined;
  }
}

function writeRequest(value: OperatorRequest): string {
  switch (value.kind) {
    case 'takeover':
    case 'accept-data':
    case 'discard-data':
    case 'retry':
      return [value.kind, ...value.groups].join(' ');
    case 'handover':
      return [value.kind, ...value.groups, ...guestsWords(value)].join(' ');
    case 'standby':
      return [value.kind, value.on ? 'on' : 'off', ...guestsWords(value)].join(' ');
    case 'maintenance':
      return `maintenance ${value.durationMs === 0 ? 'off' : writeDuration(value.durationMs)}`;
    case 'confirm-peer-off':
      return `confirm-peer-off ${value.node}${value.force ? ' force' : ''}`;
  }
}

const segment = oneOf(['dedicated', 'lan']);

/** The words of each action, in their order. */
const grammar: { readonly [K in ActionKind]: Fields<K> } = {
  'power-loss': { host },
  'power-on': { host },
  'kill-daemon': { host, staysDown },
  'start-daemon': { host },
  'stop-daemon': { host },
  'pause-daemon': { host, ms: duration },
  'pause-host': { host, ms: duration },
  'crash-at-effect': { host, count },
  'power-loss-at-effect': { host, count },
  cut: { host, segment, direction: oneOf(['both', 'out', 'in'], 'both') },
  mend: { host, segment },
  partition: {},
  heal: {},
  network: {
    segment,
    loss: named('loss', chance),
    duplicate: named('duplicate', chance),
    late: named('late', chance),
    delayMs: named('delay', duration),
  },
  gateway: { condition: oneOf(['on', 'off']) },
  'way-out': { host, gateway, condition: oneOf(['open', 'shut']) },
  witness: { condition: oneOf(['up', 'down', 'answers-lost']) },
  'fence-device': { host, condition: oneOf(['ok', 'slow', 'failing', 'lying', 'dead-with-host']) },
  'step-clock': { host, ms: signedDuration },
  'clock-drift': { host, ppm: number(/^-?[0-9]{1,4}$/, 'ppm', 'parts per million such as -500ppm') },
  'state-file': { host, condition: oneOf(['lost', 'old']) },
  'state-disk': { host, condition: oneOf(['full', 'ok']) },
  break: { host, resource: word, how: oneOf(['ok', 'fails', 'hangs', 'late', 'stuck']) },
  drivers: { host, condition: oneOf(['silent', 'unsure', 'ok']) },
  'guest-dies': { host, guest: word },
  'crash-guest': { host, guest: word },
  'start-by-hand': { host, resource: word },
  'stop-by-hand': { host, resource: word },
  'disk-failure': { host },
  'replace-disk': { host },
  replay: { host },
  'deliver-late': { host },
  forge: { host },
  operator: { host, request },
};

type AnyFields = Readonly<Record<string, Codec<unknown>>>;

export function formatAction(action: Action, names: HostNames = plainNames): string {
  const values = action as unknown as Readonly<Record<string, unknown>>;
  const words = Object.entries(grammar[action.kind] as AnyFields).map(([field, codec]) =>
    codec.write(values[field], names),
  );
  return [action.kind, ...words].filter((text) => text !== '').join(' ');
}

/** Throws BattitoError `fault-not-understood`. */
export function parseAction(text: string, names: HostNames = plainNames): Action {
  const words = text.trim().split(/\s+/);
  const kind = words.shift() ?? '';
  if (!Object.hasOwn(grammar, kind)) {
    const known = Object.keys(grammar).join(', ');
    throw notUnderstood(text, `there is no action ${JSON.stringify(kind)}`, `it can be one of ${known}`);
  }
  const action: Record<string, unknown> = { kind };
  for (const [field, codec] of Object.entries(grammar[kind as ActionKind] as AnyFields)) {
    const given = [...words];
    const value = codec.read(words, names);
    if (value === undefined) {
      const read = given.filter((one) => !words.includes(one)).join(' ');
      const problem = read === '' ? `${kind} needs more words` : `${JSON.stringify(read)} does not fit`;
      throw notUnderstood(text, problem, `here it takes ${codec.possible(names)}`);
    }
    action[field] = value;
  }
  if (words.length > 0) {
    throw notUnderstood(text, `${JSON.stringify(words.join(' '))} is too much`, `${kind} ends before it`);
  }
  return action as unknown as Action;
}

/** `power-loss primary @10s`. Throws BattitoError `fault-not-understood`. */
export function parseTimedAction(text: string, names: HostNames = plainNames): TimedAction {
  const [, what = text, when] = /^(.*?)\s*@\s*(\S*)\s*$/.exec(text) ?? [];
  const atMs = readDuration(when ?? '');
  if (atMs === undefined) {
    const problem = when ? `${JSON.stringify(when)} is not a time` : 'it does not say when';
    throw notUnderstood(
      text,
      problem,
      'end it with the time in milliseconds, seconds or minutes, such as @1500ms, @10s or @2m',
    );
  }
  return { atMs, action: parseAction(what, names) };
}

export function formatTimedAction({ atMs, action }: TimedAction, names: HostNames = plainNames): string {
  return `${formatAction(action, names)} @${writeDuration(atMs)}`;
}

function notUnderstood(text: string, problem: string, next: string): BattitoError {
  return new BattitoError('fault-not-understood', `cannot do ${JSON.stringify(text)}: ${problem}`, {
    exitCode: exitCodes.usage,
    next,
  });
}
