// What many schedules came to, as plain data that workers send and that adds up: counts, promised rules that were
// broken, and how often and for how long the rules that are only measured were.

import type { Rule } from './checkers.ts';
import { isPromised, type Result } from './run.ts';
import type { Variant } from './schedule.ts';

/** `evidence-one`: drawn as evidence-many, but no more than one fault was carried out, and that is promised. */
export type Row = Variant | 'evidence-one';

export interface Found {
  readonly seed: number;
  readonly variant: Variant;
  readonly rule: Rule;
  /** Milliseconds of the world's time. */
  readonly at: number;
  readonly message: string;
}

export interface Measured {
  schedules: number;
  shortestMs: number;
  longestMs: number;
  firstSeed: number;
}

export interface VariantTally {
  schedules: number;
  broken: number;
  /** Left to a person: two copies have parted and he was told how to choose, or he had data accepted to end it. */
  parted: number;
  /** Of them: he accepted data, and the world came to rest with it. */
  accepted: number;
  /** Steps that were not carried out: the world did not come to rest before them, or they would have been lies. */
  dropped: number;
  /** How often rule L2 was judged, and how often a loss or a departure left no room for that. */
  checks: number;
  skippedChecks: number;
  /** Takeovers after the loss of the owner's power, and the longest of them, milliseconds. */
  takeovers: number;
  longestTakeoverMs: number;
  longestConvergenceMs: number;
  readonly measured: Partial<Record<Rule, Measured>>;
}

export interface Tally {
  schedules: number;
  simulatedMs: number;
  steps: number;
  readonly variants: Partial<Record<Row, VariantTally>>;
  readonly found: Found[];
}

export const emptyTally = (): Tally => ({ schedules: 0, simulatedMs: 0, steps: 0, variants: {}, found: [] });

function variantTally(tally: Tally, variant: Row): VariantTally {
  tally.variants[variant] ??= {
    schedules: 0,
    broken: 0,
    parted: 0,
    accepted: 0,
    dropped: 0,
    checks: 0,
    skippedChecks: 0,
    takeovers: 0,
    longestTakeoverMs: 0,
    longestConvergenceMs: 0,
    measured: {},
  };
  return tally.variants[variant];
}

export function addResult(tally: Tally, result: Result): void {
  const { seed, variant, violations, isSingle } = result;
  const mine = variantTally(tally, isSingle ? 'evidence-one' : variant);
  tally.schedules += 1;
  tally.simulatedMs += result.simulatedMs;
  tally.steps += result.steps;
  mine.schedules += 1;
  if (result.isParted || result.accepted > 0) mine.parted += 1;
  if (result.accepted > 0) mine.accepted += 1;
  mine.dropped += result.dropped;
  mine.checks += result.takeoverChecks.done;
  mine.skippedChecks += result.takeoverChecks.skipped;
  mine.takeovers += result.takeoversMs.length;
  mine.longestTakeoverMs = Math.max(mine.longestTakeoverMs, ...result.takeoversMs);
  mine.longestConvergenceMs = Math.max(mine.longestConvergenceMs, result.convergedMs ?? 0);
  const promised = violations.filter(({ rule }) => isSingle || isPromised(rule, variant));
  if (promised.length > 0) mine.broken += 1;
  for (const { rule, at, message } of promised) tally.found.push({ seed, variant, rule, at, message });
  const others = new Set(violations.filter((one) => !promised.includes(one)).map(({ rule }) => rule));
  for (const rule of others) {
    const lasted = violations.filter((one) => one.rule === rule).map(({ lastedMs }) => lastedMs ?? 0);
    addMeasured(mine, rule, {
      schedules: 1,
      shortestMs: Math.min(...lasted),
      longestMs: Math.max(...lasted),
      firstSeed: seed,
    });
  }
}

function addMeasured({ measured }: VariantTally, rule: Rule, more: Measured): void {
  const before = measured[rule];
  measured[rule] =
    before === undefined
      ? more
      : {
          schedules: before.schedules + more.schedules,
          shortestMs: Math.min(before.shortestMs, more.shortestMs),
          longestMs: Math.max(before.longestMs, more.longestMs),
          firstSeed: Math.min(before.firstSeed, more.firstSeed),
        };
}

export function addTally(sum: Tally, more: Tally): void {
  sum.schedules += more.schedules;
  sum.simulatedMs += more.simulatedMs;
  sum.steps += more.steps;
  sum.found.push(...more.found);
  for (const [variant, part] of Object.entries(more.variants) as Array<[Row, VariantTally]>) {
    const mine = variantTally(sum, variant);
    mine.schedules += part.schedules;
    mine.broken += part.broken;
    mine.parted += part.parted;
    mine.accepted += part.accepted;
    mine.dropped += part.dropped;
    mine.checks += part.checks;
    mine.skippedChecks += part.skippedChecks;
    mine.takeovers += part.takeovers;
    mine.longestTakeoverMs = Math.max(mine.longestTakeoverMs, part.longestTakeoverMs);
    mine.longestConvergenceMs = Math.max(mine.longestConvergenceMs, part.longestConvergenceMs);
    for (const [rule, measured] of Object.entries(part.measured) as Array<[Rule, Measured]>) {
      addMeasured(mine, rule, measured);
    }
  }
}

/** A line for each row: what was really judged, and what was left to people. */
export function describeCounts({ variants }: Pick<Tally, 'variants'>): string[] {
  const lines = (Object.entries(variants) as Array<[Row, VariantTally]>).map(
    ([row, { checks, skippedChecks, accepted, dropped }]) =>
      `${row.padEnd(17)}${`${checks}`.padStart(9)}${`${skippedChecks}`.padStart(11)}` +
      `${`${accepted}`.padStart(15)}${`${dropped}`.padStart(15)}`,
  );
  return ['                 L2 judged  no room  data accepted  steps dropped', ...lines];
}
