// How long the peer was silent between two heartbeats, link by link and day by day: what a deadtime has to bear.
// Guarantees: bounded, whatever arrives; silence that was a stall of our own counts as that and as nothing else. What was
// longer than deadtime is no jitter, and is counted apart. No rule reads any of this.

import * as z from 'zod';
import type { GapsView } from '../../control/api.ts';
import { createHistogram, type Histogram, type HistogramReading } from '../../metrics/histogram.ts';

/** Upper bounds of the classes: from 10 ms on, two for each doubling; the last one takes all that is longer. */
const firstBoundMs = 10;
const classes = 30;
const boundMs = (index: number) => firstBoundMs * 2 ** (index / 2);
const classOf = (gapMs: number) =>
  Math.min(classes - 1, Math.max(0, Math.ceil(2 * Math.log2(gapMs / firstBoundMs))));

/** How many days are looked at: the newest that there is anything of, whatever date a clock gave them. */
const daysKept = 7;
const dayMs = 24 * 3_600_000;
/** More links than the configuration has are those of an earlier one. */
const linksMax = 32;

/** Of this run alone, seconds: what a chart reads. */
const histogramBounds = [
  ...[0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8],
  ...[1, 1.5, 2, 3, 5, 10, 30, 60],
];

const count = z.int().nonnegative();
const spell = z.object({ count, longestMs: z.number().nonnegative() });
const linkDay = z.object({
  /** By class, as far as there are any. */
  counts: z.array(count).max(classes),
  largestMs: z.number().nonnegative(),
  /** Silent for longer than deadtime. */
  cuts: spell,
});
const dayRecord = z.object({
  /** Days since 1970, UTC. */
  day: z.int(),
  links: z.record(z.string(), linkDay),
  /** The same on all links at once, while the peer went on. */
  silences: spell,
  stalls: spell,
});
/** What is kept over restarts. */
export const gapRecord = z.object({ format: z.literal(1), days: z.array(dayRecord) });
export type GapRecord = z.infer<typeof gapRecord>;
type Spell = z.infer<typeof spell>;

/** A heartbeat as it arrives, before the core has it. */
export interface HeardPacket {
  readonly link: string;
  readonly incarnation: number;
  readonly atMs: number;
}

/** What the core knew of itself until then. */
export interface OwnPace {
  readonly deadtimeMs: number;
  /** When the last stall that it has measured ended; null: none. */
  readonly stalledAt: number | null;
  readonly stalls: number;
  readonly lastStallMs: number;
  /** How much later than it wished to it runs now, where that is a stall; 0: it is none. */
  readonly lateMs: number;
}

export interface Gaps {
  /** A heartbeat that is newer than all before it on its link. @returns its gap; null: it is not the peer's */
  heard(packet: HeardPacket, own: OwnPace): number | null;
  view(): GapsView;
  /** Of this run, by link, all gaps: also what was longer than deadtime. */
  histograms(): ReadonlyMap<string, HistogramReading>;
  record(): GapRecord;
}

const noSpell: Spell = { count: 0, longestMs: 0 };
const with1 = (before: Spell, ms: number): Spell => ({
  count: before.count + 1,
  longestMs: Math.max(before.longestMs, Math.round(ms)),
});
const sum = (all: readonly Spell[]): Spell => ({
  count: all.reduce((total, one) => total + one.count, 0),
  longestMs: Math.max(0, ...all.map(({ longestMs }) => longestMs)),
});

/** `known`: of earlier runs. */
export function createGaps(known: GapRecord | null, wallMs: () => number): Gaps {
  const today = () => Math.floor(wallMs() / dayMs);
  /** In the order in which they began: a day of a clock that was ahead goes like any other, and takes none with it. */
  let days = (known?.days ?? []).slice(-daysKept);
  const last = new Map<string, { readonly incarnation: number; readonly atMs: number }>();
  let lastOnAny: { readonly incarnation: number; readonly atMs: number } | undefined;
  let stallsSeen = 0;
  const histograms = new Map<string, Histogram>();

  const histogramOf = (link: string) => {
    const found = histograms.get(link);
    if (found !== undefined) return found;
    const made = createHistogram(histogramBounds);
    if (histograms.size < linksMax) histograms.set(link, made);
    return made;
  };

  const current = () => {
    const day = today();
    const found = days.find((one) => one.day === day);
    if (found !== undefined) return found;
    const made = { day, links: {}, silences: noSpell, stalls: noSpell };
    days = [...days, made].slice(-daysKept);
    return made;
  };

  const linkOf = (record: GapRecord['days'][number], name: string) => {
    const found = record.links[name];
    if (found !== undefined) return found;
    const made = { counts: [], largestMs: 0, cuts: noSpell };
    if (Object.keys(record.links).length < linksMax) record.links[name] = made;
    return made;
  };

  return {
    heard({ link, incarnation, atMs }, own) {
      const before = last.get(link);
      const beforeOnAny = lastOnAny;
      lastOnAny = { incarnation, atMs };
      last.set(link, lastOnAny);
      if (own.stalls > stallsSeen) {
        const record = current();
        record.stalls = {
          ...with1(record.stalls, own.lastStallMs),
          count: record.stalls.count + own.stalls - stallsSeen,
        };
        stallsSeen = own.stalls;
      }
      const stalledAt = own.lateMs > 0 ? atMs : (own.stalledAt ?? -Infinity);
      // Another run of the peer: it was away, which no deadtime is to bear.
      if (before?.incarnation !== incarnation || stalledAt > before.atMs) return null;
      const record = current();
      const gapMs = atMs - before.atMs;
      histogramOf(link).observe(gapMs / 1000);
      const counted = linkOf(record, link);
      if (gapMs >= own.deadtimeMs) counted.cuts = with1(counted.cuts, gapMs);
      else {
        const index = classOf(gapMs);
        while (counted.counts.length <= index) counted.counts.push(0);
        counted.counts[index] = (counted.counts[index] ?? 0) + 1;
        counted.largestMs = Math.max(counted.largestMs, Math.round(gapMs));
      }
      const silentMs = beforeOnAny?.incarnation === incarnation ? atMs - beforeOnAny.atMs : 0;
      if (silentMs >= own.deadtimeMs) record.silences = with1(record.silences, silentMs);
      return gapMs;
    },
    view() {
      const names = [...new Set(days.flatMap(({ links }) => Object.keys(links)))];
      return {
        days: days.length,
        links: names.map((name) => ({ name, ...linkView(days.flatMap(({ links }) => links[name] ?? [])) })),
        silences: sum(days.map(({ silences }) => silences)),
        stalls: sum(days.map(({ stalls }) => stalls)),
      };
    },
    histograms: () => new Map([...histograms].map(([link, histogram]) => [link, histogram.read()])),
    record: () => ({ format: 1, days }),
  };
}

function linkView(days: readonly z.infer<typeof linkDay>[]): Omit<GapsView['links'][number], 'name'> {
  const counts = Array.from({ length: classes }, (_, index) =>
    days.reduce((total, day) => total + (day.counts[index] ?? 0), 0),
  );
  const all = counts.reduce((total, one) => total + one, 0);
  const largestMs = Math.max(0, ...days.map((day) => day.largestMs));
  let within = 0;
  const usual = counts.findIndex((one) => {
    within += one;
    return within >= all * 0.999;
  });
  return {
    count: all,
    largestMs,
    usualMs: all === 0 ? 0 : Math.min(largestMs, Math.round(boundMs(usual))),
    cuts: sum(days.map(({ cuts }) => cuts)),
  };
}
