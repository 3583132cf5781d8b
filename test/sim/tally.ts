// What many schedules came to, as plain data that workers send and that adds up: counts, promised rules that were
// broken, and how often and for how long the rules that are only measured were.

import type { Rule } from './checkers.ts';
import { isPromised, type Result } from './run.ts';
import type { Variant } from './schedule.ts';

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
  /** Two copies have parted, and a person was told how to choose between them. */
  parted: number;
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
  readonly variants: Partial<Record<Variant, VariantTally>>;
  readonly found: Found[];
}

export const emptyTally = (): Tally => ({ schedules: 0, simulatedMs: 0, steps: 0, variants: {}, found: [] });

function variantTally(tally: Tally, variant: Variant): VariantTally {
  tally.variants[variant] ??= {
    schedules: 0,
    broken: 0,
    parted: 0,
    takeovers: 0,
    longestTakeoverMs: 0,
    longestConvergenceMs: 0,
    measured: {},
  };
  return tally.variants[variant];
}

export function addResult(tally: Tally, result: Result): void {
  const { seed, variant, violations } = result;
  const mine = variantTally(tally, variant);
  tally.schedules += 1;
  tally.simulatedMs += result.simulatedMs;
  tally.steps += result.steps;
  mine.schedules += 1;
  if (result.isParted) mine.parted += 1;
  mine.takeovers += result.takeoversMs.length;
  mine.longestTakeoverMs = Math.max(mine.longestTakeoverMs, ...result.takeoversMs);
  mine.longestConvergenceMs = Math.max(mine.longestConvergenceMs, result.convergedMs ?? 0);
  const promised = violations.filter(({ rule }) => isPromised(rule, variant));
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
  for (const [variant, part] of Object.entries(more.variants) as Array<[Variant, VariantTally]>) {
    const mine = variantTally(sum, variant);
    mine.schedules += part.schedules;
    mine.broken += part.broken;
    mine.parted += part.parted;
    mine.takeovers += part.takeovers;
    mine.longestTakeoverMs = Math.max(mine.longestTakeoverMs, part.longestTakeoverMs);
    mine.longestConvergenceMs = Math.max(mine.longestConvergenceMs, part.longestConvergenceMs);
    for (const [rule, measured] of Object.entries(part.measured) as Array<[Rule, Measured]>) {
      addMeasured(mine, rule, measured);
    }
  }
}
