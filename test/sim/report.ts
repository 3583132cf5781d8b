// The figures of a run in words.

import { type Rule, rules } from './checkers.ts';
import type { Variant } from './schedule.ts';
import { describeCounts, type Found, type Tally, type VariantTally } from './tally.ts';

export function describeTally(tally: Tally, wallMs: number, workers: number): string[] {
  const hours = tally.simulatedMs / 3_600_000;
  const perMinute = (tally.schedules / wallMs) * 60_000;
  const lines = [
    `${tally.schedules} schedules, ${hours.toFixed(1)} hours of the world, ${tally.steps} events in ${(wallMs / 1000).toFixed(1)} s` +
      ` (${Math.round(perMinute)} schedules a minute, ${Math.round(perMinute / workers)} a worker)`,
    '',
    'variant          schedules  broken  left to a person  takeovers  longest  longest to rest',
  ];
  for (const [variant, part] of Object.entries(tally.variants) as Array<[Variant, VariantTally]>) {
    lines.push(
      `${variant.padEnd(17)}${`${part.schedules}`.padStart(9)}${`${part.broken}`.padStart(8)}` +
        `${`${part.parted}`.padStart(18)}${`${part.takeovers}`.padStart(11)}${`${Math.round(part.longestTakeoverMs)} ms`.padStart(9)}` +
        `${`${Math.round(part.longestConvergenceMs)} ms`.padStart(17)}`,
    );
  }
  lines.push('', ...describeCounts(tally), '', ...describeMeasured(tally));
  lines.push(...describeBroken(tally));
  const broken = new Set(tally.found.map(({ seed }) => seed)).size;
  lines.push(broken === 0 ? 'no promise was broken' : `a promise was broken in ${broken} schedules`);
  return lines;
}

/** `evidence-many: 13 of 4000 schedules broke S1 (no guest runs on two hosts at once) for 14 to 220 ms`. */
function describeMeasured({ variants }: Tally): string[] {
  const lines = (Object.entries(variants) as Array<[Variant, VariantTally]>).flatMap(([variant, part]) =>
    (Object.entries(part.measured) as Array<[Rule, NonNullable<VariantTally['measured'][Rule]>]>).map(
      ([rule, { schedules, shortestMs, longestMs, firstSeed }]) =>
        `${variant}, not promised: ${schedules} of ${part.schedules} schedules broke ${rule} (${rules[rule]})` +
        ` for ${Math.round(shortestMs)} to ${Math.round(longestMs)} ms, first seed ${firstSeed}`,
    ),
  );
  return lines.length === 0 ? [] : [...lines.toSorted(), ''];
}

const shownSeeds = 5;

/** For each rule and variant: how often, and the first seeds. */
function describeBroken({ found }: Tally): string[] {
  const kinds = Map.groupBy(found, ({ rule, variant }) => `${rule} ${variant}`);
  return [...kinds.values()].flatMap((same) => {
    const [first] = same;
    if (first === undefined) return [];
    const seeds = [...new Set(same.map(({ seed }) => seed))];
    const more = seeds.slice(1, 1 + shownSeeds).join(', ');
    const others = seeds.length === 1 ? '' : `\n  and ${seeds.length - 1} more seeds: ${more}`;
    return [describeFound(first) + others];
  });
}

function describeFound({ seed, variant, rule, at, message }: Found): string {
  return `BROKEN ${rule} (${rules[rule]}): seed ${seed}, ${variant}, at ${(at / 1000).toFixed(3)} s: ${message}`;
}
