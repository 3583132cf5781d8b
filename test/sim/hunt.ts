// Looks for a planted defect: runs schedules with it until one breaks a promise that the core without it keeps.

import type { Rule } from './checkers.ts';
import { type Defect, type FirstSearch, type FirstSearches, patched, sourceOf } from './defects.ts';
import { startWorker } from './pool.ts';
import { runSchedule } from './run.ts';
import { readScenario } from './scenario.ts';
import { makeSchedule, type Schedule } from './schedule.ts';
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
  /** Each step at the time that was drawn for it. */
  readonly isPatient?: boolean;
}

const chunk = 200;

/** Null: not found within the limit. */
export async function hunt(
  defect: Defect,
  { seedFrom, limit, isPatient = false }: HuntOptions,
): Promise<Catch | null> {
  const worker = startWorker(defect.name);
  const variants = defect.variants.length === 0 ? null : defect.variants;
  let schedules = 0;
  let seed = seedFrom;
  try {
    while (schedules < limit) {
      const count = Math.min(chunk, limit - schedules);
      const tally = await worker.run({ seedFrom: seed, count, variants, stopsAtFirst: true, isPatient });
      schedules += tally.schedules;
      const found = newlyBroken(tally, (broken) => makeSchedule(broken, isPatient));
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
function newlyBroken(
  { found }: Tally,
  scheduleOf: (seed: number) => Schedule,
): { readonly rule: Rule; readonly seed: number } | null {
  const [first] = found;
  if (first === undefined) return null;
  const sound = runSchedule(scheduleOf(first.seed));
  const isNew = found.find(({ rule }) => sound.violations.every((violation) => violation.rule !== rule));
  return isNew === undefined ? null : { rule: isNew.rule, seed: isNew.seed };
}

export interface Hunted {
  readonly defect: Defect;
  /** Where it shows; null: it was not found. */
  readonly catch: Pick<Catch, 'rule' | 'seed'> | null;
  /** Was it found where it had been found before? */
  readonly isAgain: boolean;
  /** What the search cost that found it first; null: none did. */
  readonly first: FirstSearch | null;
  /** How many schedules were to be searched anew; null: that was not necessary. */
  readonly anew: number | null;
}

export interface HuntAllOptions extends HuntOptions {
  /** The searches that have found them before: there it is looked first. */
  readonly known: FirstSearches;
  /** Also where it was found before, search from the beginning, and if need be on up to so many schedules. */
  readonly anewUpTo: number | null;
  readonly workers: number;
  readonly onHunted?: (hunted: Hunted) => void;
}

async function huntAgain(defect: Defect, first: FirstSearch | undefined): Promise<Hunted | null> {
  if (first === undefined) return null;
  const isPatient = first.patient === true;
  const { scenario } = first;
  const caught =
    scenario === undefined
      ? await hunt(defect, { seedFrom: first.seed, limit: 1, isPatient })
      : await huntIn(defect, scenario);
  return caught?.seed === first.seed ? { defect, catch: caught, isAgain: true, first, anew: null } : null;
}

async function huntIn(defect: Defect, scenario: string): Promise<Pick<Catch, 'rule' | 'seed'> | null> {
  const worker = startWorker(defect.name);
  const job = { seedFrom: 0, count: 1, variants: null, stopsAtFirst: true, isPatient: true, scenario };
  try {
    return newlyBroken(await worker.run(job), () => readScenario(scenario).schedule);
  } finally {
    worker.end();
  }
}

async function huntAnew(defect: Defect, { seedFrom, limit, anewUpTo }: HuntAllOptions): Promise<Hunted> {
  const anew = Math.max(limit, anewUpTo ?? 0);
  const caught = await hunt(defect, { seedFrom, limit: anew });
  const first = caught && { seed: caught.seed, from: seedFrom, schedules: caught.schedules };
  return { defect, catch: caught, isAgain: false, first, anew };
}

async function huntOne(defect: Defect, options: HuntAllOptions): Promise<Hunted> {
  const known = options.known[defect.name];
  if (options.anewUpTo === null) return (await huntAgain(defect, known)) ?? (await huntAnew(defect, options));
  const hunted = await huntAnew(defect, options);
  const again = hunted.catch === null ? await huntAgain(defect, known) : null;
  return again === null ? hunted : { ...again, anew: hunted.anew };
}

/** All of them, a few at a time, in the order of the list. */
export async function huntAll(
  defects: readonly Defect[],
  options: HuntAllOptions,
): Promise<readonly Hunted[]> {
  for (const defect of defects) patched(sourceOf(defect), defect); // All at once, before the first long hunt.
  const results: Hunted[] = [];
  let next = 0;
  const work = async () => {
    for (let index = next++; index < defects.length; index = next++) {
      const hunted = await huntOne(defects[index] as Defect, options);
      results[index] = hunted;
      options.onHunted?.(hunted);
    }
  };
  await Promise.all(Array.from({ length: options.workers }, work));
  return results;
}
