// Does a daemon grow while it lives? The real cores of both nodes in one long life of the modelled world, whose links flap
// without end; what one of them sees goes through the real journal, history and record of gaps. After a collection its
// heap is looked at, and how large the states of the cores are, every so many events.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { serialize, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { pino } from 'pino';
import { createGaps, type Gaps } from '../../daemon/runtime/heartbeat/gaps.ts';
import { type History, openHistory } from '../../daemon/runtime/records/history.ts';
import { type Journal, openJournal } from '../../daemon/runtime/records/journal.ts';
import { act } from '../../daemon/sim/acting.ts';
import { type Segment, type Side, sides } from '../../daemon/sim/action.ts';
import { createModel } from '../../daemon/sim/create.ts';
import type { Model } from '../../daemon/sim/model.ts';
import type { Trace } from '../../daemon/sim/trace.ts';
import { namePrefix } from '../leftovers.ts';
import { mulberry32, protectedPolicy } from '../sim/example.ts';
import type { Progress } from './failover.ts';

export interface Look {
  /** Of both cores, so far. */
  readonly events: number;
  /** With both cores, what records one of them, the model, and this program. */
  readonly heapBytes: number;
  /** Of the two cores' states, as they would be written. */
  readonly stateBytes: number;
}

export interface SimulatedLife {
  readonly looks: readonly Look[];
  /** What the flapping has come to: the notes of the recorded node, by code. */
  readonly notes: ReadonlyMap<string, number>;
  /** Events that the journal could not take in time. */
  readonly dropped: number;
  /** Days of the modelled world. */
  readonly days: number;
}

export interface LifeOptions {
  readonly events: number;
  /** After the first one. */
  readonly looks?: number;
  /** Before the first look: what is bounded fills up, such as the history's notes. */
  readonly warmupEvents?: number;
  readonly progress?: Progress;
  /** For a test of this: sees what happens, and may keep it. */
  readonly listen?: (trace: Trace) => void;
}

const looksDefault = 20;
const warmupDefault = 500_000;
const recorded: Side = 'secondary';
const segments: readonly Segment[] = ['dedicated', 'lan'];
const logger = pino({ enabled: false });
const dayMs = 24 * 3_600_000;

export async function simulateLife(options: LifeOptions): Promise<SimulatedLife> {
  const stateDir = await mkdtemp(join(tmpdir(), namePrefix()));
  const journal = await openJournal({ stateDir, cluster: 'office', logger, flushMs: 1 });
  const history = await openHistory(stateDir, logger);
  const notes = new Map<string, number>();
  const record = recorder({ journal, history, gaps: createGaps(null, () => Date.now()), notes });
  const trace = (each: Trace) => {
    record(each);
    options.listen?.(each);
  };
  try {
    const policy = (side: Side) => protectedPolicy(side, { disk: true, mounted: true });
    const model = createModel({ seed: 1, policy, trace });
    const looks = await live(model, options, history);
    return { looks, notes, dropped: journal.dropped(), days: model.agenda.now() / dayMs };
  } finally {
    await Promise.all([journal.close(), history.close()]);
    await rm(stateDir, { recursive: true, force: true });
  }
}

async function live(model: Model, options: LifeOptions, history: History): Promise<Look[]> {
  const { events, looks = looksDefault, warmupEvents = warmupDefault, progress } = options;
  const collect = collector();
  const chance = mulberry32(1);
  for (const host of sides) act(model, { kind: 'start-daemon', host });
  run(model, 30_000);
  const until = async (steps: number) => {
    while (model.steps < steps) {
      flap(model, chance);
      forgetStory(model);
      // Hours go by in a second here, which no disk keeps up with: what is to be written is waited for.
      await Promise.all([history.close(), sleep(1)]);
    }
  };
  await until(warmupEvents);
  for (let times = 0; times < 10; times += 1) collect(); // Code that has been idle goes only after several.
  const first = model.steps;
  const seen: Look[] = [];
  for (let look = 0; look <= looks; look += 1) {
    await until(first + (events * look) / looks);
    collect();
    const heapBytes = process.memoryUsage().heapUsed;
    const stateBytes = sides.reduce((sum, side) => sum + serialize(model.hosts[side].state).length, 0);
    seen.push({ events: model.steps - first, heapBytes, stateBytes });
    progress?.(`${model.steps - first} events, heap ${(heapBytes / 2 ** 20).toFixed(2)} MB`);
  }
  return seen;
}

/** The runtime's own, with and without --expose-gc; twice, for what the first time lets go of. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  return () => {
    collect();
    collect();
  };
}

const run = ({ agenda }: Model, ms: number): void => void agenda.run(agenda.now() + ms, null);

/** One link, now and then all of them, is cut on one host, for a moment or for longer than deadtime, and comes back. */
function flap(model: Model, chance: () => number): void {
  const host = sides[chance() < 0.5 ? 0 : 1];
  const all = chance() < 0.2;
  const cut = all ? segments : [segments[chance() < 0.5 ? 0 : 1] ?? 'lan'];
  for (const segment of cut) act(model, { kind: 'cut', host, segment, direction: 'both' });
  run(model, 200 + chance() * 4000);
  for (const segment of cut) act(model, { kind: 'mend', host, segment });
  run(model, 1000 + chance() * 7000);
}

/** What the model keeps and a daemon does not: notes, and fence-peer handlers that go without an answer. */
function forgetStory({ hosts }: Model): void {
  for (const { notes, handlers, state } of sides.map((side) => hosts[side])) {
    notes.length = 0;
    const resources = state?.groups.flatMap((group) => group.resources) ?? [];
    const waiting = new Set(resources.flatMap(({ outdatings }) => outdatings));
    const newest = Math.max(...handlers.keys()); // It may not have asked yet.
    for (const id of handlers.keys()) if (id < newest && !waiting.has(id)) handlers.delete(id);
  }
}

interface Records {
  readonly journal: Journal;
  readonly history: History;
  readonly gaps: Gaps;
  readonly notes: Map<string, number>;
}

/** What a daemon's loop does with an event beside the step. */
function recorder({ journal, history, gaps, notes }: Records): (trace: Trace) => void {
  return (trace) => {
    if (trace.kind !== 'stepped' || trace.side !== recorded) return;
    const { event, before, effects } = trace;
    journal.record(event, before);
    journal.recordEffects(effects);
    if (event.kind === 'heartbeat-received') {
      const { deadtimeMs } = before.policy.timings;
      const { count: stalls, lastMs: lastStallMs, lastAt: stalledAt } = before.stalls;
      const heard = { link: String(event.link), incarnation: event.incarnation, atMs: event.at };
      gaps.heard(heard, { deadtimeMs, stalls, lastStallMs, stalledAt, lateMs: 0 });
    }
    for (const effect of effects) {
      if (effect.kind !== 'note') continue;
      history.add(effect.note, event.at);
      notes.set(effect.note.code, (notes.get(effect.note.code) ?? 0) + 1);
    }
  };
}
