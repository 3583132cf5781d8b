// What the kernels' notifications say about a stretch of time: for how long both hosts had the address where a client
// could reach it, and how often it went to a host that did not have it. Pure; wall clock, milliseconds.

import type { Holding } from '../../netns/support/address-watch.ts';

export interface Stretch {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Milliseconds within the stretch in which both connected hosts had the address. */
export function bothMs(history: readonly Holding[], { fromMs, untilMs }: Stretch): number {
  return history.reduce((sum, { atMs, reachable }, index) => {
    if (reachable.length < 2) return sum;
    const endMs = Math.min(history[index + 1]?.atMs ?? Infinity, untilMs);
    return sum + Math.max(0, endMs - Math.max(atMs, fromMs));
  }, 0);
}

/** How often, within the stretch, a host took the address that it did not have. */
export function takings(history: readonly Holding[], { fromMs, untilMs }: Stretch): number {
  return history.reduce((sum, { atMs, holders }, index) => {
    if (atMs < fromMs || atMs >= untilMs) return sum;
    const before = history[index - 1]?.holders ?? [];
    return sum + holders.filter((host) => !before.includes(host)).length;
  }, 0);
}
