// The gaps between heartbeats over restarts: one small file in the state directory, written seldom. What is lost with it
// is advice, so a file that cannot be read is begun anew, and one that cannot be written is said once.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { State } from '../core/state.ts';
import { monotonicMs } from './clock.ts';
import { writeDurably } from './durable-file.ts';
import { createGapMinutes, type GapMinutes } from './gap-minutes.ts';
import { createGaps, type GapRecord, type Gaps, gapRecord } from './gaps.ts';

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
  const path = join(stateDir, 'gaps.json');
  const minutes = createGapMinutes();
  const gaps = createGaps(await readRecord(path), Date.now);
  let written = '';
  let isTold = false;
  let writing: Promise<void> = Promise.resolve();
  const write = async () => {
    const text = `${JSON.stringify(gaps.record())}\n`;
    if (text === written) return;
    await writeDurably(path, text).then(
      () => {
        written = text;
      },
      (error: unknown) => {
        if (!isTold) logger.warn({ err: error }, 'the gaps between heartbeats cannot be written');
        isTold = true;
      },
    );
  };
  // One after the other: on a disk that hangs there is one at most.
  const timer = setInterval(() => {
    writing = writing.then(write);
  }, writeEveryMs);
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
      writing = writing.then(write);
      await writing;
    },
  };
}

async function readRecord(path: string): Promise<GapRecord | null> {
  try {
    return gapRecord.safeParse(JSON.parse(await readFile(path, 'utf8'))).data ?? null;
  } catch {
    return null;
  }
}
