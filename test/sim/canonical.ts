// One text for all states of the small world that the search may take for the same: times relative to now, numbers of
// packets, operations, claims and revisions relative to the newest, and what no decision of the core looks at left out.
// Two states with one text behave alike, up to the length of the times that are cut off; a time that is cut too short
// could hide a state, and never invent one.

import type { State } from '../../daemon/core/state.ts';

/** Longer than every time of the core in the small world: `soleAfterMs` is 2440 ms there. */
const longestMs = 2500;
/** For what is only looked at while it is younger than deadtime less warntime. */
const shortMs = 300;
/** How far a number may be behind the newest one of its kind and still matter. */
const farthest = 4;

/** Shown, counted or for orders of magnitude longer than the search looks ahead. */
const ignored = new Set([
  'policy',
  'verdictSince',
  'aliveSince',
  'stalls',
  'refused',
  'rule',
  'lastError',
  'askedAt',
  'message',
  'software',
  'configDigest',
  'lease',
  'watchdog',
  'startedAt',
  'nextOperation',
  'nextClaim',
  'ledgerRevision',
  'starts',
]);

const isTime = (key: string) => key.endsWith('At') || key.endsWith('Since') || key.endsWith('Until');

/** What numbers are relative to. */
export interface Origin {
  readonly now: number;
  /** Of the node whose state it is, and of its peer: null, if its daemon does not run. */
  readonly own: Run;
  readonly peer: Run;
  /** The lowest generation that any record names. */
  readonly generation: number;
}

export interface Run {
  readonly incarnation: number;
  readonly sequence: number;
  readonly nextClaim: number;
  readonly persistedRevision: number;
}

export function runOf(state: State | null, incarnation: number): Run {
  if (state === null) return { incarnation, sequence: 0, nextClaim: 0, persistedRevision: 0 };
  const { sequence, nextClaim, persistedRevision } = state;
  return { incarnation, sequence, nextClaim, persistedRevision };
}

const clamp = (value: number, limit: number) => Math.max(-limit, Math.min(limit, Math.round(value)));

function time(value: number, key: string, { now }: Origin): string {
  const isShort = key.startsWith('last') && key !== 'lastHeardAt';
  return `${clamp(value - now, isShort ? shortMs : longestMs)}`;
}

/** A packet's number, by whom it was sent. */
function packet(incarnation: number, sequence: number, sender: Run): string {
  if (incarnation !== sender.incarnation) return 'old';
  return `${clamp(sequence - sender.sequence, farthest)}`;
}

export function canonical(value: unknown, origin: Origin, key = ''): string {
  if (value === null || value === undefined) return '-';
  if (typeof value === 'number') return number(value, key, origin);
  if (typeof value !== 'object') return `${value}`;
  if (Array.isArray(value)) return list(value, key, origin);
  const record = value as Readonly<Record<string, unknown>>;
  if (key === 'echo')
    return packet(record['incarnation'] as number, record['sequence'] as number, origin.own);
  if (key === 'claim') return claim(record['id'] as number, origin.own) + record['reason'];
  if (key === 'grant')
    return `${record['incarnation'] === origin.peer.incarnation}${claim(record['claim'] as number, origin.peer)}`;
  if (key === 'peer' && Object.hasOwn(record, 'proven')) return peer(record, origin);
  if (key === 'peer')
    return packet(record['incarnation'] as number, record['sequence'] as number, origin.peer);
  if (key === 'content')
    return canonical({ groups: record['groups'], leaving: record['leaving'] }, contentOrigin(origin));
  let text = '';
  for (const [name, part] of Object.entries(record)) {
    if (!ignored.has(name)) text += `${name}${canonical(part, origin, name)},`;
  }
  return text;
}

/** What a peer says of itself is counted as the peer counts. */
const contentOrigin = ({ own, peer: other, ...rest }: Origin): Origin => ({ ...rest, own: other, peer: own });

const claim = (id: number, { nextClaim }: Run) => `${clamp(id - nextClaim, farthest)}`;

function peer(record: Readonly<Record<string, unknown>>, origin: Origin): string {
  const { incarnation, lastSequence, ...rest } = record;
  const newest = packet(incarnation as number, lastSequence as number, origin.peer);
  return `${newest};${canonical(rest, origin)}`;
}

function number(value: number, key: string, origin: Origin): string {
  if (key !== 'soleUntil' && isTime(key)) return time(value, key, origin);
  switch (key) {
    case 'now':
    case 'incarnation':
    case 'sequence':
    case 'id':
      return '';
    case 'since':
      return `${clamp(value - origin.now, shortMs)}`;
    case 'lastSequence':
      return `${clamp(value - origin.peer.sequence, farthest)}`;
    case 'generation':
      return `${value === 0 ? 0 : value - origin.generation + 1}`;
    case 'needsRevision':
    case 'soleUntil':
      return `${Math.max(0, value - origin.own.persistedRevision)}`;
    case 'persistedRevision':
      return '';
    default:
      return `${value}`;
  }
}

function list(values: readonly unknown[], key: string, origin: Origin): string {
  if (key === 'sent') {
    return values
      .map((one) => one as { readonly sequence: number; readonly at: number })
      .filter(({ at }) => origin.now - at <= shortMs)
      .map(({ sequence, at }) => `${sequence - origin.own.sequence}@${at - origin.now}`)
      .join(' ');
  }
  return `[${values.map((one) => canonical(one, origin)).join('|')}]`;
}

/** 64 bits of a text, as a key: FNV-1a twice with different starts. */
export function digest(text: string): string {
  let a = 0x811c9dc5;
  let b = 0x01000193;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x85ebca6b) ^ (b >>> 13);
  }
  return `${(a >>> 0).toString(36)}.${(b >>> 0).toString(36)}`;
}
