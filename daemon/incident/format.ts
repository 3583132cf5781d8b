// The lines of the journal, written and read: JSON, one a line. The journal's writer and its readers share this file,
// so that what one leaves out the other can put back. What repeats is not written again:
//
//   {"kind":"segment-started",…,"state":{…}}   all that is needed to go on from here; see SegmentHeader
//   ["t",at]                                    time-passed
//   ["h",at,link,sequence,echoed]               heartbeat-received that says what the last one on its link said
//   {"kind":…,…,"at":at}                        any other event
//   ["s",[sequence,echoed],kind,…]              effects: a heartbeat that says what the last one said; one that is no
//                                               more than its kind
//   {"effects":[…]}                             any other effects of the event above; no line: it had none
//   ["r",link,reason,count]                     packets that were refused since the last event
//   {"kind":"clock","time":…,"monotonicMs":…}   the wall clock was set; see SegmentHeader

import type { Effect, Event } from '../core/events.ts';
import type { RefusalReason, State } from '../core/state.ts';

/** Grows when lines change their meaning. */
export const journalFormat = 2;

/** A moment by both clocks. */
export interface ClockPair {
  /** Wall clock, ISO 8601, UTC. */
  readonly time: string;
  readonly monotonicMs: number;
}

/** The first line of a segment: what a reader must know of the lines that follow it. */
export interface SegmentHeader extends ClockPair {
  readonly kind: 'segment-started';
  /** `start`: of the daemon. `full`: it goes on from the segment before. `gap`: events are missing before it. */
  readonly because: 'start' | 'full' | 'gap';
  readonly format: number;
  readonly software: string;
  readonly cluster: string;
  readonly node: string;
  readonly peer: string;
  /** Of the boot in which `monotonicMs` counts. */
  readonly boot: string;
  /** Events missing before it. */
  readonly lost: number;
  /** What the next event met. */
  readonly state: State;
}

export type Item =
  | { readonly kind: 'segment'; readonly header: SegmentHeader }
  /** A segment of a format that this version does not read. */
  | { readonly kind: 'foreign-segment'; readonly format: number | null; readonly software: string | null }
  | { readonly kind: 'event'; readonly event: Event }
  | { readonly kind: 'effects'; readonly effects: readonly Effect[] }
  | {
      readonly kind: 'refused';
      readonly link: number;
      readonly reason: RefusalReason;
      readonly count: number;
    }
  | { readonly kind: 'clock'; readonly clock: ClockPair }
  /** Not a line of a journal: cut off by a power loss, or damaged. What follows has nothing to go on from. */
  | { readonly kind: 'damaged' };

type HeartbeatEvent = Extract<Event, { readonly kind: 'heartbeat-received' }>;
type HeartbeatEffect = Extract<Effect, { readonly kind: 'send-heartbeat' }>;
type Heartbeat = HeartbeatEvent | HeartbeatEffect;

export interface LineEncoder {
  segment(header: SegmentHeader): string;
  event(event: Event): string;
  /** null: nothing to write. */
  effects(effects: readonly Effect[]): string | null;
}

/** Lines without their line ends. */
export function createLineEncoder(): LineEncoder {
  let heard: HeartbeatEvent[] = [];
  let sent: HeartbeatEffect | null = null;
  const shortened = (effect: Effect): unknown => {
    if (effect.kind !== 'send-heartbeat') return effect;
    const isSame = effect.content === sent?.content;
    sent = effect;
    return isSame ? { ...effect, content: '=' } : effect;
  };
  return {
    segment(header) {
      heard = [];
      sent = null;
      return JSON.stringify(header);
    },
    event(event) {
      if (event.kind === 'time-passed') return `["t",${event.at}]`;
      if (event.kind !== 'heartbeat-received') return JSON.stringify(event);
      const last = heard[event.link];
      heard[event.link] = event;
      if (last !== undefined && repeats(last, event)) {
        return `["h",${event.at},${event.link},${event.sequence},${event.echo?.sequence ?? null}]`;
      }
      return JSON.stringify(event.content === last?.content ? { ...event, content: '=' } : event);
    },
    effects(effects) {
      if (effects.length === 0) return null;
      const known = sent;
      const parts: unknown[] = [];
      for (const effect of effects) {
        if (effect.kind === 'send-heartbeat' && sent !== null && repeats(sent, effect)) {
          parts.push([effect.sequence, effect.echo?.sequence ?? null]);
          sent = effect;
        } else if (Object.keys(effect).length === 1) parts.push(effect.kind);
      }
      if (parts.length === effects.length) return JSON.stringify(['s', ...parts]);
      sent = known;
      return `{"effects":${JSON.stringify(effects.map(shortened))}}`;
    },
  };
}

/** Do they differ in nothing but time and sequences? By identity, which is cheap, and never says so wrongly. */
function repeats(last: Heartbeat, next: Heartbeat): boolean {
  if (last.echo === null || next.echo === null) return last.echo === next.echo && isLike(last, next, 'echo');
  return isLike(last, next, 'echo') && isLike(last.echo, next.echo, null);
}

function isLike(last: object, next: object, except: string | null): boolean {
  const lastKeys = Object.keys(last);
  const keys = Object.keys(next);
  return (
    keys.length === lastKeys.length &&
    keys.every(
      (key, index) =>
        key === lastKeys[index] &&
        (key === 'at' ||
          key === 'sequence' ||
          key === except ||
          (last as Record<string, unknown>)[key] === (next as Record<string, unknown>)[key]),
    )
  );
}

/** The line for refused packets. */
export function refusedLine(link: number, reason: RefusalReason, count: number): string {
  return JSON.stringify(['r', link, reason, count]);
}

/** The line for a wall clock that was set. */
export function clockLine({ time, monotonicMs }: ClockPair): string {
  return JSON.stringify({ kind: 'clock', time, monotonicMs });
}

/** Reads lines in their order; what cannot be read is `damaged`, and never an exception. */
export function createLineDecoder(): (line: string) => Item {
  let heard: HeartbeatEvent[] = [];
  let sent: HeartbeatEffect | null = null;
  const restored = (effect: Effect): Effect => {
    if (effect.kind !== 'send-heartbeat') return effect;
    sent = (effect.content as unknown) === '=' && sent ? { ...effect, content: sent.content } : effect;
    return sent;
  };

  const decodeEffects = (parts: readonly unknown[]): Item => {
    const effects: Effect[] = [];
    for (const part of parts) {
      if (typeof part === 'string') effects.push({ kind: part } as Effect);
      else if (sent !== null && Array.isArray(part)) {
        sent = followed(sent, part as readonly (number | null)[]);
        effects.push(sent);
      } else return { kind: 'damaged' };
    }
    return { kind: 'effects', effects };
  };

  const decodeShort = (value: readonly unknown[]): Item => {
    if (value[0] === 's') return decodeEffects(value.slice(1));
    const [, first, second, third, fourth] = value as readonly (number | null | undefined)[];
    if (typeof first !== 'number') return { kind: 'damaged' };
    switch (value[0]) {
      case 'r':
        return { kind: 'refused', link: first, reason: value[2] as RefusalReason, count: third ?? 0 };
      case 't':
        return { kind: 'event', event: { kind: 'time-passed', at: first } };
      case 'h': {
        const last = heard[second ?? -1];
        if (last === undefined || typeof third !== 'number') return { kind: 'damaged' };
        const event = { ...followed(last, [third, fourth ?? null]), at: first };
        heard[event.link] = event;
        return { kind: 'event', event };
      }
      default:
        return { kind: 'damaged' };
    }
  };

  const decodeEvent = (event: Event): Item => {
    if (event.kind !== 'heartbeat-received') return { kind: 'event', event };
    const last = heard[event.link];
    const whole =
      (event.content as unknown) === '=' && last !== undefined ? { ...event, content: last.content } : event;
    heard[event.link] = whole;
    return { kind: 'event', event: whole };
  };

  return (line) => {
    const value = parse(line);
    if (Array.isArray(value)) return decodeShort(value);
    if (!isRecord(value)) return { kind: 'damaged' };
    if (Array.isArray(value['effects'])) {
      return { kind: 'effects', effects: (value['effects'] as readonly Effect[]).map(restored) };
    }
    if (value['kind'] === 'clock') {
      return isClockPair(value) ? { kind: 'clock', clock: value } : { kind: 'damaged' };
    }
    if (value['kind'] === 'segment-started') {
      heard = [];
      sent = null;
      return decodeHeader(value);
    }
    const isEvent = typeof value['kind'] === 'string' && typeof value['at'] === 'number';
    return isEvent ? decodeEvent(value as unknown as Event) : { kind: 'damaged' };
  };
}

/** The heartbeat that says what `last` says, with its own sequences. */
function followed<H extends Heartbeat>(last: H, [sequence, echoed]: readonly (number | null)[]): H {
  const echo = last.echo === null || echoed == null ? null : { ...last.echo, sequence: echoed };
  return { ...last, sequence: sequence ?? 0, echo };
}

function decodeHeader(value: Readonly<Record<string, unknown>>): Item {
  const { format, software, state, node, peer } = value;
  if (format !== journalFormat) {
    return {
      kind: 'foreign-segment',
      format: typeof format === 'number' ? format : null,
      software: typeof software === 'string' ? software : null,
    };
  }
  const isWhole =
    isClockPair(value) &&
    typeof node === 'string' &&
    typeof peer === 'string' &&
    isRecord(state) &&
    isRecord(state['policy']) &&
    isRecord(state['policy']['timings']) &&
    Array.isArray(state['groups']);
  return isWhole ? { kind: 'segment', header: value as unknown as SegmentHeader } : { kind: 'damaged' };
}

function isClockPair(value: object): value is ClockPair {
  const { time, monotonicMs } = value as Partial<ClockPair>;
  return typeof monotonicMs === 'number' && typeof time === 'string' && !Number.isNaN(Date.parse(time));
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
