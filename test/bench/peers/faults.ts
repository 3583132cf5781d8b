// The faults, the same for every peer: done to `primary`, which has the address, and seen by the client and the kernels.

import { setTimeout as sleep } from 'node:timers/promises';
import { formatValue } from '../figures.ts';
import { bothMs, takings } from './outcome.ts';
import type { Stage } from './stage.ts';

export const faultNames = ['segment-cut', 'handover', 'killed', 'frozen', 'power-loss'] as const;
export type FaultName = (typeof faultNames)[number];

export interface FaultOutcome {
  /** The longest time without an answer at the client. */
  readonly gapMs: number;
  /** Both hosts had the address, and a client could reach both. */
  readonly bothMs: number;
  /** The address went to a host that did not have it, so often. */
  readonly takings: number;
  /** For how long it was watched. */
  readonly watchedMs: number;
  /** The longest time between two of the client's datagrams, beyond the 5 ms. */
  readonly clientLateMs: number;
}

const intervalMs = 5;
const takeoverTimeoutMs = 60_000;
/** After the first answer of the other: a second gap belongs to the fault. */
const afterwardsMs = 1000;

/** Long enough for a slow verdict, and what follows from it. */
export function watchedFor(windowMs: number): number {
  return 2 * windowMs + 2500;
}

type Fault = (stage: Stage, windowMs: number) => Promise<void>;

const faults: Readonly<Record<FaultName, Fault>> = {
  async 'segment-cut'({ network }, windowMs) {
    await network.cut('primary', 'heartbeat');
    await sleep(watchedFor(windowMs));
    await network.mend('primary', 'heartbeat');
    await sleep(windowMs + afterwardsMs);
  },
  async handover(stage) {
    await stage.handOver('primary');
    await stage.client.waitForAnswerFrom('secondary', takeoverTimeoutMs);
    await sleep(afterwardsMs);
  },
  async killed(stage, windowMs) {
    await stage.signal('primary', 'SIGKILL');
    await sleep(watchedFor(windowMs));
  },
  async frozen(stage, windowMs) {
    await stage.signal('primary', 'SIGSTOP');
    await sleep(watchedFor(windowMs));
  },
  async 'power-loss'(stage) {
    await stage.powerLoss('primary');
    await stage.client.waitForAnswerFrom('secondary', takeoverTimeoutMs);
    await sleep(afterwardsMs);
  },
};

/** On a stage that is at rest; leaves it as the fault did. */
export async function suffer(stage: Stage, name: FaultName): Promise<FaultOutcome> {
  const { windowMs } = stage.configuration;
  await stage.client.reset();
  // Spread over the period of the heartbeats, as a real fault is.
  await sleep(100 + Math.random() * Math.min(windowMs, 1000));
  const fromMs = Date.now();
  await faults[name](stage, windowMs);
  const { longestGapMs, longestOwnStallMs } = await stage.client.report();
  const untilMs = Date.now();
  const history = await stage.watch.history();
  return {
    gapMs: longestGapMs,
    bothMs: bothMs(history, { fromMs, untilMs }),
    takings: takings(history, { fromMs, untilMs }),
    watchedMs: untilMs - fromMs,
    clientLateMs: Math.max(0, longestOwnStallMs - intervalMs),
  };
}

/** A line of progress. */
export function describeOutcome({ gapMs, bothMs: both, takings: moves }: FaultOutcome): string {
  const onBoth = both > 0 ? `, on both hosts for ${formatValue(both, 'ms')}` : '';
  return `${formatValue(gapMs, 'ms')} without an answer, taken ${moves} times${onBoth}`;
}
