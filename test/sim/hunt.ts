// Looks for a planted defect: runs schedules with it until one breaks a promise that the core without it keeps.

import type { Rule } from './checkers.ts';
import { type Defect, knownSeeds, patched, sourceOf } from './defects.ts';
import { startWorker } from './pool.ts';
import { runSchedule } from './run.ts';
import { makeSchedule } from './schedule.ts';
import type { Tally } from './tally.ts';

export interface Catch {
  readonly rule: Rule;
  readonly seed: number;
  /** Schedules that were run until then. */
  readonly schedules: number;
}

export interface HuntOptions {
  readonly seedFrom: number;
  /** Schedules at the most. */
  readonly limit: number;
}

const chunk = 200;

/** Null: not found within the limit. */
export async function hunt(defect: Defect, { seedFrom, limit }: HuntOptions): Promise<Catch | null> {
  const worker = startWorker(defect.name);
  const variants = defect.variants.length === 0 ? null : defect.variants;
  let schedules = 0;
  let seed = seedFrom;
  try {
    while (schedules < limit) {
      const count = Math.min(chunk, limit);
      const tally = await worker.run({ seedFrom: seed, count, variants, stopsAtFirst: true });
      schedules += tally.schedules;
      const found = newlyBroken(tally);
      if (found !== null) return { ...found, schedules };
      const stoppedAt = tally.found[0]?.seed;
      seed = stoppedAt === undefined ? seed + count : stoppedAt + 1;
    }
    return null;
  } finally {
    worker.end();
  }
}

/** Without the defect this schedule keeps the rule. */
function newlyBroken({ found }: Tally): { readonly rule: Rule; readonly seed: number } | null {
  const [first] = found;
  if (first === undefined) return null;
  const sound = runSchedule(makeSchedule(first.seed));
  const isNew = found.find(({ rule }) => sound.violations.every((violation) => violation.rule !== rule));
  return isNew === undefined ? null : { rule: isNew.rule, seed: isNew.seed };
}

export interface Hunted {
  readonly defect: Defect;
  readonly catch: Catch | null;
}

/** First where it was found before, then from the beginning. */
async function huntFrom(
  defect: Defect,
  known: number | undefined,
  options: HuntOptions,
): Promise<Catch | null> {
  const again = known === undefined ? null : await hunt(defect, { seedFrom: known, limit: 1 });
  return again ?? (await hunt(defect, options));
}

/** All of them, a few at a time, in the order of the list. */
export async function huntAll(
  defects: readonly Defect[],
  options: HuntOptions & { readonly workers: number; readonly onHunted?: (hunted: Hunted) => void },
): Promise<readonly Hunted[]> {
  for (const defect of defects) patched(sourceOf(defect), defect); // All at once, before the first long hunt.
  const known = knownSeeds();
  const results: Hunted[] = [];
  let next = 0;
  const work = async () => {
    for (let index = next++; index < defects.length; index = next++) {
      const defect = defects[index] as Defect;
      const hunted = { defect, catch: await huntFrom(defect, known[defect.name], options) };
      results[index] = hunted;
      options.onHunted?.(hunted);
    }
  };
  await Promise.all(Array.from({ length: options.workers }, work));
  return results;
}
