// Rules of the timings: their order, and the room between them. What tells a dead peer from a cut cable is asked for between
// warntime and the verdict, and each question and answer takes its time. How often the core asks, for how long it lets an
// answer count and when it freezes is taken from the core itself, so that a change there is a change here.

import { deriveTimings } from '../core/policy.ts';
import { outsideWindowMs, urgentProbeMs } from '../core/verdict.ts';
import { at, itemsAt } from './claims.ts';
import type { Finding } from './document.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { defaultTimings } from './schema.ts';

interface Timing {
  readonly name: keyof typeof defaultTimings;
  /** It stands in the file. */
  readonly given: boolean;
  /** Undefined: it is no duration. */
  readonly durationMs: number | undefined;
}

/** Every finding about the timings, in no particular order. */
export function checkTimings(file: unknown): Finding[] {
  const timing = (name: Timing['name']): Timing => {
    const given = at(file, 'heartbeat', name);
    const durationMs = parseDuration(
      typeof given === 'string' ? given : given === undefined ? defaultTimings[name] : '',
    );
    return { name, given: given !== undefined, durationMs };
  };
  const timings = {
    keepalive: timing('keepalive'),
    warntime: timing('warntime'),
    deadtime: timing('deadtime'),
    initdead: timing('initdead'),
  };
  return [
    ...checkOrder(Object.values(timings)),
    ...checkRoom(timings, itemsAt(file, 'connectivity', 'ping').length > 0),
  ];
}

interface Order {
  readonly isKept: (shorterMs: number, longerMs: number) => boolean;
  /** How the longer one stands to the shorter one, and the other way round. */
  readonly above: string;
  readonly below: string;
}

const strictly: Order = {
  isKept: (shorter, longer) => shorter < longer,
  above: 'more than',
  below: 'less than',
};

/**
 * By the longer of two neighbours. What the peer has last echoed may be two keepalives old while all is well: sent just
 * after a packet of the peer's, and echoed by its next but one. That must not pass for being late.
 */
const orders: Partial<Readonly<Record<Timing['name'], Order>>> = {
  warntime: {
    isKept: (shorter, longer) => 2 * shorter <= longer,
    above: 'at least twice',
    below: 'at most half of',
  },
  initdead: {
    isKept: (shorter, longer) => shorter <= longer,
    above: 'at least',
    below: 'at most',
  },
};

function checkOrder(chain: readonly Timing[]): Finding[] {
  return chain.flatMap((longer, index): Finding[] => {
    const shorter = chain[index - 1];
    if (shorter?.durationMs === undefined || longer.durationMs === undefined) {
      return [];
    }
    const { isKept, above, below } = orders[longer.name] ?? strictly;
    if (isKept(shorter.durationMs, longer.durationMs) || !(shorter.given || longer.given)) {
      return [];
    }
    const [self, other, relation] = longer.given ? [longer, shorter, above] : [shorter, longer, below];
    const byDefault = other.given ? '' : ' by default';
    const expected = `${relation} ${other.name}, which is ${formatDuration(other.durationMs ?? 0)}${byDefault}`;
    const message = `expected ${expected}, found ${formatDuration(self.durationMs ?? 0)}`;
    return [{ path: ['heartbeat', self.name], message, expected }];
  });
}

/** As the file says, or by default. */
export interface GivenTimings {
  readonly keepaliveMs: number;
  readonly warntimeMs: number;
  readonly deadtimeMs: number;
  readonly initdeadMs: number;
}

export interface Room {
  /** How late an answer, or this daemon, may come before it does harm; 0 or less: too late always. */
  readonly ms: number;
  /** Between two questions, at the fastest that the core asks. */
  readonly askedEveryMs: number;
}

/** `asksOutside`: addresses to ping are configured, and one that answers tells a node that it is not cut off. */
export function roomFor(given: GivenTimings, asksOutside: boolean): Room {
  const timings = deriveTimings(given);
  const { warntimeMs, deadtimeMs, freezeAfterMs } = timings;
  const askedEveryMs = urgentProbeMs(timings);
  // Each question has one interval to be answered. Whoever takes over has to have asked the peer once in vain.
  const untilVerdict = deadtimeMs - warntimeMs - askedEveryMs;
  if (!asksOutside) return { ms: untilVerdict, askedEveryMs };
  // Whoever has the group has to have an answer before it freezes, and always one that still counts.
  const untilFreeze = freezeAfterMs - warntimeMs - askedEveryMs;
  const untilNext = Math.ceil(outsideWindowMs(timings)) - askedEveryMs;
  return { ms: Math.min(untilVerdict, untilFreeze, untilNext), askedEveryMs };
}

function checkRoom(
  { keepalive, warntime, deadtime, initdead }: Readonly<Record<Timing['name'], Timing>>,
  asksOutside: boolean,
): Finding[] {
  const [keepaliveMs, warntimeMs, deadtimeMs] = [
    keepalive.durationMs,
    warntime.durationMs,
    deadtime.durationMs,
  ];
  if (keepaliveMs === undefined || warntimeMs === undefined || deadtimeMs === undefined) return [];
  if (!(2 * keepaliveMs <= warntimeMs && warntimeMs < deadtimeMs)) return [];
  const given = { keepaliveMs, warntimeMs, deadtimeMs, initdeadMs: initdead.durationMs ?? deadtimeMs };
  const { ms, askedEveryMs } = roomFor(given, asksOutside);
  if (ms > 0) return [];
  const works = (other: Partial<GivenTimings>) => roomFor({ ...given, ...other }, asksOutside).ms > 0;
  const longer = leastThat(deadtimeMs + 1, (value) => works({ deadtimeMs: value }));
  const shorter = warntimeMs - leastThat(1, (less) => works({ warntimeMs: warntimeMs - less }));
  const raised = `deadtime of at least ${formatDuration(longer)}`;
  const lowered = `warntime of at most ${formatDuration(shorter)}`;
  const values = shorter >= 2 * keepaliveMs ? `a ${raised}, or a ${lowered}` : `a ${raised}`;
  const why = `between warntime and deadtime ${asksOutside ? 'the outside and the peer are' : 'the peer is'} asked every ${formatDuration(askedEveryMs)}, and the answers would come too late`;
  const key = deadtime.given ? 'deadtime' : 'warntime';
  const found = formatDuration(key === 'deadtime' ? deadtimeMs : warntimeMs);
  return [
    {
      path: ['heartbeat', key],
      message: `expected ${values}: ${why}; found ${found}`,
      expected: values,
      found,
    },
  ];
}

/** The shortest deadtime, not shorter than the given one, that leaves at least `roomMs`. */
export function deadtimeWithRoom(given: GivenTimings, asksOutside: boolean, roomMs: number): number {
  const hasRoom = (deadtimeMs: number) => roomFor({ ...given, deadtimeMs }, asksOutside).ms >= roomMs;
  return leastThat(given.deadtimeMs, hasRoom);
}

const searchMs = 10_000;

/** The least value, from `fromMs` on, that will do. More than a few dozen are never tried. */
function leastThat(fromMs: number, works: (valueMs: number) => boolean): number {
  for (let valueMs = fromMs; valueMs < fromMs + searchMs; valueMs += 1) if (works(valueMs)) return valueMs;
  return Infinity;
}
