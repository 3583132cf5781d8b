// The longest silence of the peer in each of the last minutes, link by link, for pictures. In memory alone.
// Guarantees: bounded, whatever arrives. No rule reads any of this.

import type { LinkMinutes } from '../../control/web.ts';

export const minutesKept = 60;
const minuteMs = 60_000;

export interface GapMinutes {
  /** A heartbeat came, after a gap; null: the gap is not the peer's. */
  heard(link: string, gapMs: number | null, atMs: number): void;
  /** Up to now. */
  view(nowMs: number): readonly LinkMinutes[];
}

export function createGapMinutes(): GapMinutes {
  /** The links of the configuration, which are few. */
  const byLink = new Map<string, Map<number, number>>();
  const minuteOf = (ms: number) => Math.floor(ms / minuteMs);
  return {
    heard(link, gapMs, atMs) {
      const minutes = byLink.get(link) ?? new Map<number, number>();
      byLink.set(link, minutes);
      const minute = minuteOf(atMs);
      if (!minutes.has(minute)) {
        for (const old of minutes.keys()) if (old <= minute - minutesKept) minutes.delete(old);
      }
      minutes.set(minute, Math.max(minutes.get(minute) ?? 0, gapMs ?? 0));
    },
    view(nowMs) {
      const first = minuteOf(nowMs) - minutesKept + 1;
      return [...byLink].map(([name, minutes]) => ({
        name,
        longestMs: Array.from({ length: minutesKept }, (_, index) => minutes.get(first + index) ?? null),
      }));
    },
  };
}
