// The only clock that decides anything: CLOCK_BOOTTIME, comparable between processes of one host. Unlike CLOCK_MONOTONIC
// it goes on while the host sleeps, so who wakes up knows that it stood still, and that its lease is over.
// Guarantees: never goes back; a step of the wall clock has no effect.

import { uptime } from 'node:os';

export interface ClockSources {
  /** CLOCK_MONOTONIC, ms. */
  readonly awakeMs: () => number;
  /** CLOCK_REALTIME, ms. */
  readonly wallMs: () => number;
  /** CLOCK_BOOTTIME, ms, in steps of 10 ms (proc_uptime(5)), and too dear to be read each time. */
  readonly bootMs: () => number;
}

const hostClocks: ClockSources = {
  awakeMs: () => Number(process.hrtime.bigint() / 1000n) / 1000,
  wallMs: Date.now,
  bootMs: () => uptime() * 1000,
};

/** The wall clock moves apart from the monotonic one by this when the host has slept, or somebody has set it. */
const apartMs = 20;
/** Less is how coarse one of them is, not sleep. */
const sleepMsMin = 100;

export function createClock({ awakeMs, wallMs, bootMs }: ClockSources): () => number {
  let aheadMs = Number.NaN;
  let sleptMs = 0;
  return () => {
    const nowMs = awakeMs();
    const wallAheadMs = wallMs() - nowMs;
    if (!(Math.abs(wallAheadMs - aheadMs) < apartMs)) {
      aheadMs = wallAheadMs;
      // In this order: waiting for a processor in between must not look like sleep.
      const apart = bootMs() - awakeMs();
      if (apart - sleptMs >= sleepMsMin) sleptMs = apart;
    }
    return nowMs + sleptMs;
  };
}

/** Milliseconds since the host was booted, with fractions. */
export const monotonicMs = createClock(hostClocks);

/** What systemd calls MONOTONIC_USEC (sd_notify(3)), in milliseconds. */
export const awakeMs = hostClocks.awakeMs;
