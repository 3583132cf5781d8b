// How fast may the timings be? The shortest deadtime with which nothing happens for ten minutes although four busy loops
// want both processors: the address stays where it is the whole time. Shorter ones are given up at the first alarm.

import { monotonicMs } from '../support.ts';
import type { Progress } from './failover.ts';
import { figure, type Section } from './figures.ts';
import { loops, spinning } from './load.ts';
import { type BattitoTimings, battitoWith } from './peers/battito.ts';
import { Stage } from './peers/stage.ts';

/** Each is accepted by the check of a configuration; the first one is about the shortest that is. */
export const ladder: readonly BattitoTimings[] = [
  { keepaliveMs: 10, warntimeMs: 20, deadtimeMs: 57 },
  { keepaliveMs: 20, warntimeMs: 40, deadtimeMs: 100 },
  { keepaliveMs: 30, warntimeMs: 60, deadtimeMs: 150 },
  { keepaliveMs: 50, warntimeMs: 100, deadtimeMs: 200 },
  { keepaliveMs: 50, warntimeMs: 100, deadtimeMs: 285 },
  { keepaliveMs: 100, warntimeMs: 200, deadtimeMs: 500 },
  { keepaliveMs: 200, warntimeMs: 400, deadtimeMs: 1000 },
];

interface Trial {
  readonly timings: BattitoTimings;
  readonly underLoadMs: number;
  /** How often who has the address changed; null: it did not even come to rest without load. */
  readonly changes: number | null;
}

const lookEveryMs = 1000;

export async function measureFast(seconds: number, progress: Progress): Promise<Section> {
  const trials: Trial[] = [];
  for (const timings of ladder) {
    progress(
      `deadtime ${timings.deadtimeMs} ms under ${loops} busy loops, for ${seconds} s or until an alarm`,
    );
    const trial = await tryOne(timings, seconds * 1000, progress);
    trials.push(trial);
    if (trial.changes === 0) break;
  }
  const last = trials.at(-1);
  const shortest = last?.changes === 0 ? last.timings.deadtimeMs : null;
  return {
    id: 'fast',
    title: `The fast profile: the shortest deadtime with no false alarm in ${seconds} s of ${loops} busy loops`,
    figures: [figure('deadtime-ms', 'shortest deadtime', 'ms', [shortest])],
    table: {
      heads: ['keepalive ms', 'warntime ms', 'deadtime ms', 'seconds under load', 'changes of the address'],
      rows: trials.map(({ timings, underLoadMs, changes }) => [
        ...[timings.keepaliveMs, timings.warntimeMs, timings.deadtimeMs],
        ...[Math.round(underLoadMs / 1000), changes ?? 'never at rest'],
      ]),
    },
  };
}

async function tryOne(timings: BattitoTimings, durationMs: number, progress: Progress): Promise<Trial> {
  const { peer, configuration } = battitoWith(timings);
  const stage = await Stage.open(peer, configuration, null);
  try {
    const isAtRest = await stage.begin().then(
      () => true,
      (error: unknown) => {
        progress(error instanceof Error ? error.message : String(error));
        return false;
      },
    );
    if (!isAtRest) return { timings, underLoadMs: 0, changes: null };
    const fromMs = Date.now();
    const startedMs = monotonicMs();
    const changes = async () => (await stage.watch.history()).filter(({ atMs }) => atMs >= fromMs).length;
    const alarm = new AbortController();
    const looking = setInterval(() => {
      const look = async () => (await changes()) > 0 && alarm.abort();
      void look().catch(() => {}); // Whoever looks at the end says why it cannot.
    }, lookEveryMs);
    try {
      await spinning(durationMs, alarm.signal);
    } finally {
      clearInterval(looking);
    }
    return { timings, underLoadMs: monotonicMs() - startedMs, changes: await changes() };
  } finally {
    await stage.close();
  }
}
