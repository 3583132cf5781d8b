// The gaps between heartbeats over restarts. They are written seldom: what is lost with them is advice.

import type { Logger } from 'pino';
import type { State } from '../../core/state.ts';
import { monotonicMs } from '../clock.ts';
import { openKeptFile } from '../records/kept-file.ts';
import { createGapMinutes, type GapMinutes } from './gap-minutes.ts';
import { createGaps, type Gaps, gapRecord } from './gaps.ts';

const writeEveryMs = 10 * 60_000;

export interface GapsFile {
  /** An admitted heartbeat, before the core has it. */
  heard(packet: { readonly link: number; readonly incarnation: number }, state: State): void;
  view: Gaps['view'];
  histograms: Gaps['histograms'];
  /** Of the last hour. */
  minutes(): ReturnType<GapMinutes['view']>;
  close(): Promise<void>;
}

export async function openGaps(stateDir: string, logger: Logger): Promise<GapsFile> {
  const file = await openKeptFile({
    ...{ stateDir, name: 'gaps.json', schema: gapRecord, logger },
    what: 'the record of gaps between heartbeats',
  });
  const minutes = createGapMinutes();
  const gaps = createGaps(file.known, Date.now);
  const save = () => file.save(gaps.record);
  const timer = setInterval(save, writeEveryMs);
  timer.unref();
  return {
    heard({ link, incarnation }, state) {
      const { peer, policy, stalls, wakeAt } = state;
      // A run that has not shown that it reads us may be played by whoever recorded it.
      if (!peer.proven || peer.incarnation !== incarnation) return;
      const atMs = monotonicMs();
      const lateMs = atMs - wakeAt;
      const name = policy.links[link] ?? `link ${link + 1}`;
      const gapMs = gaps.heard(
        { link: name, incarnation, atMs },
        {
          deadtimeMs: policy.timings.deadtimeMs,
          stalledAt: stalls.lastAt,
          stalls: stalls.count,
          lastStallMs: stalls.lastMs,
          lateMs: lateMs > policy.timings.keepaliveMs ? lateMs : 0,
        },
      );
      minutes.heard(name, gapMs, atMs);
    },
    view: gaps.view,
    histograms: gaps.histograms,
    minutes: () => minutes.view(monotonicMs()),
    async close() {
      clearInterval(timer);
      await save();
    },
  };
}
