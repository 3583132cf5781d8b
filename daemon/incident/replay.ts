// Runs what a journal has recorded through the core again and compares what comes out: the effects of every event,
// byte for byte, and the state wherever a segment goes on from the one before.

import type { Effect } from '../core/events.ts';
import { countRefusal } from '../core/membership.ts';
import type { State } from '../core/state.ts';
import { step } from '../core/step.ts';
import { type Visitor, wallMs } from './read.ts';

/** The first thing that came out otherwise. */
export interface Difference {
  readonly what: 'effects' | 'state' | 'exception';
  /** Number of the event in the journal, from 1. */
  readonly event: number;
  readonly eventKind: string;
  readonly time: string;
  readonly monotonicMs: number;
  /** Where in the effects or the state, e.g. `[0].content.standby`. */
  readonly path: string;
  /** JSON, of what is at `path`. */
  readonly expected: string;
  readonly got: string;
}

export interface ReplayResult {
  readonly events: number;
  /** Packets that were refused and only counted. */
  readonly refusals: number;
  /** Events whose effects were compared, and the effects that these had. */
  readonly compared: number;
  readonly effects: number;
  /** Ends of segments at which the whole state was compared. */
  readonly states: number;
  readonly segments: number;
  readonly nodes: readonly string[];
  /** Versions that wrote it. */
  readonly software: readonly string[];
  readonly firstTime: string | null;
  readonly lastTime: string | null;
  readonly difference: Difference | null;
}

export interface Replayer extends Visitor {
  readonly result: () => ReplayResult;
}

/** After the first difference nothing more is run: what follows it would differ, too. */
export function createReplayer(): Replayer {
  const nodes = new Set<string>();
  const software = new Set<string>();
  const count = { events: 0, refusals: 0, compared: 0, effects: 0, states: 0, segments: 0 };
  let state: State | null = null;
  let incarnation: number | null = null;
  /** What the core asked for at the last event; null: it is compared already, or nothing was run. */
  let got: readonly Effect[] | null = null;
  let last = { kind: '', at: 0, time: '' };
  let firstTime: string | null = null;
  let difference: Difference | null = null;

  const differ = (what: Difference['what'], found: Found) => {
    const { kind: eventKind, time, at: monotonicMs } = last;
    difference = { what, event: count.events, eventKind, time, monotonicMs, ...found };
  };

  const compare = (what: 'effects' | 'state', expected: unknown, actual: unknown) => {
    const found = findDifference(expected, actual);
    if (found !== null) differ(what, found);
  };

  const settle = (expected: readonly Effect[]) => {
    if (got === null || difference !== null) return;
    compare('effects', expected, got);
    count.compared += 1;
    count.effects += expected.length;
    got = null;
  };

  return {
    segment({ header }) {
      nodes.add(header.node);
      software.add(header.software);
      count.segments += 1;
      firstTime ??= header.time;
      if (difference !== null) return;
      const goesOn = header.because === 'full' && header.state.incarnation === incarnation;
      if (goesOn) settle([]);
      if (goesOn && state !== null && difference === null) {
        compare('state', header.state, state);
        count.states += 1;
      }
      got = null; // The last event before a gap may have had effects that were not written any more.
      state = header.state;
      incarnation = header.state.incarnation;
    },
    event(event, place) {
      settle([]);
      count.events += 1;
      if (difference !== null || state === null) return;
      last = { kind: event.kind, at: event.at, time: new Date(wallMs(place, event.at)).toISOString() };
      try {
        const draft = step(state, event);
        state = draft.state;
        got = draft.effects;
      } catch (error) {
        differ('exception', { path: '', expected: 'no exception', got: String(error) });
      }
    },
    effects(effects) {
      if (state !== null) got ??= []; // Effects after an event that has had its own already.
      settle(effects);
    },
    refused({ link, reason, count: packets }) {
      settle([]);
      count.refusals += packets;
      if (state === null || difference !== null) return;
      for (let packet = 0; packet < packets; packet += 1) state = countRefusal(state, link, reason);
    },
    damaged() {
      got = null;
      state = null;
    },
    result: () => ({
      ...count,
      nodes: [...nodes],
      software: [...software],
      firstTime,
      lastTime: last.time === '' ? null : last.time,
      difference,
    }),
  };
}

type Found = Pick<Difference, 'path' | 'expected' | 'got'>;

/** The first difference of what becomes of two values in JSON, their keys' order included; null: there is none. */
function findDifference(expected: unknown, actual: unknown): Found | null {
  if (JSON.stringify(expected) === JSON.stringify(actual)) return null;
  return (
    search(plain(expected), plain(actual), '') ?? { path: '', expected: 'this order of keys', got: 'another' }
  );
}

function search(expected: unknown, actual: unknown, path: string): Found | undefined {
  if (Object.is(expected, actual)) return undefined;
  if (!isNested(expected) || !isNested(actual) || Array.isArray(expected) !== Array.isArray(actual)) {
    return { path, expected: shown(expected), got: shown(actual) };
  }
  for (const key of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
    const inner = Array.isArray(expected) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`;
    const found = search(expected[key], actual[key], inner);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isNested(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** As it comes out of JSON: without what JSON leaves out. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value) ?? 'null');
}

const shownCharactersMax = 400;

function shown(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > shownCharactersMax ? `${text.slice(0, shownCharactersMax)}…` : text;
}
