// What `npm run sim` does with fault schedules: runs them, tells one, looks for planted defects, makes one small. Each
// command prints what it found; its answer is the exit code.

import { randomInt } from 'node:crypto';
import { defectNamed, rememberSeeds } from './defects.ts';
import { huntAll } from './hunt.ts';
import { plantedDefects } from './planted.ts';
import { runInWorkers } from './pool.ts';
import { describeHunted, describeTally } from './report.ts';
import { runSchedule } from './run.ts';
import { writeScenario } from './scenario.ts';
import { makeSchedule, type Variant, variantShare, variants } from './schedule.ts';
import { shrink } from './shrink.ts';
import { tell } from './story.ts';

export interface Options {
  /** Undefined: a fresh one. */
  readonly seed: number | undefined;
  readonly schedules: number | undefined;
  readonly workers: number;
  readonly isJson: boolean;
}

const print = (text: string) => void process.stdout.write(`${text}\n`);

/** The seed, which is said first. A fresh one has room for a million seeds after it. */
function announced({ seed, isJson }: Pick<Options, 'seed' | 'isJson'>): number {
  const chosen = seed ?? randomInt(2 ** 31);
  if (!isJson) print(`seed ${chosen}`);
  return chosen;
}

/** `variant`: of this kind only. */
export async function simulate(options: Options & { readonly variant: string | undefined }): Promise<number> {
  const { workers, isJson } = options;
  const variant = variants.find((one) => one === options.variant) ?? null;
  if (options.variant !== undefined && variant === null)
    throw new Error(`the variants are ${variants.join(', ')}`);
  const seed = announced(options);
  const schedules = options.schedules ?? 1000;
  const only: readonly Variant[] | null = variant === null ? null : [variant];
  const seeds = variant === null ? schedules : Math.ceil(schedules / variantShare(variant));
  const from = performance.now();
  const tally = await runInWorkers({
    seedFrom: seed,
    count: seeds,
    variants: only,
    workers,
    stopsAtFirst: false,
  });
  const wallMs = performance.now() - from;
  if (isJson) {
    print(
      JSON.stringify({
        seed,
        schedules: tally.schedules,
        simulatedHours: tally.simulatedMs / 3_600_000,
        violations: tally.found,
        variants: tally.variants,
        workers,
        wallSeconds: wallMs / 1000,
      }),
    );
  } else {
    for (const line of describeTally(tally, wallMs, workers)) print(line);
  }
  return tally.found.length === 0 ? 0 : 1;
}

export function tellStory(seed: number | undefined, detailed: boolean): number {
  const schedule = makeSchedule(announced({ seed, isJson: false }));
  print(`${schedule.variant} ${JSON.stringify(schedule.setup)}`);
  for (const line of tell(schedule, { detailed }).lines) print(line);
  return 0;
}

/** `remember`: write down in which seeds they were found. */
export async function findDefects(
  names: readonly string[],
  options: Options & { readonly remember: boolean },
): Promise<number> {
  const { workers, isJson, remember } = options;
  const wanted = names.length === 0 ? plantedDefects : names.map(defectNamed);
  const seed = announced(options);
  const limit = options.schedules ?? 20_000;
  const from = performance.now();
  const hunted = await huntAll(wanted, {
    seedFrom: seed,
    limit,
    workers,
    onHunted: (one) => {
      if (!isJson) print(describeHunted(one));
    },
  });
  if (remember) {
    const found = hunted.flatMap(({ defect, catch: caught }) =>
      caught === null ? [] : [[defect.name, caught.seed]],
    );
    rememberSeeds(Object.fromEntries(found));
  }
  const missed = hunted.filter((one) => one.catch === null).length;
  const wallSeconds = (performance.now() - from) / 1000;
  if (isJson) {
    const table = hunted.map(({ defect, catch: caught }) => ({
      defect: defect.name,
      what: defect.what,
      ...caught,
    }));
    print(JSON.stringify({ seed, limit, defects: table, missed, wallSeconds }));
  } else
    print(
      `${hunted.length - missed} of ${hunted.length} planted defects found in ${wallSeconds.toFixed(1)} s`,
    );
  return missed === 0 ? 0 : 1;
}

/** Writes a failing schedule as a short story; `rule`: which of the promises that it breaks. */
export function shrinkSeed(seed: number, wanted: { readonly rule?: string; readonly name?: string }): number {
  const schedule = makeSchedule(seed);
  const broken = runSchedule(schedule).violations;
  const violation = broken.find(({ rule }) => wanted.rule === undefined || rule === wanted.rule);
  if (violation === undefined) {
    print(`seed ${seed} breaks ${wanted.rule ?? 'no rule'}`);
    return 1;
  }
  const { rule, message } = violation;
  const { schedule: small, tries } = shrink(schedule, rule);
  print(
    `${rule}: ${message}: from ${schedule.steps.length} steps to ${small.steps.length} in ${tries} tries`,
  );
  const words = message.split(/[^a-z0-9]+/i).slice(0, 6);
  const name = wanted.name ?? [rule, ...words, seed].join('-').toLowerCase();
  print(`written to ${writeScenario(name, small, violation)}`);
  return 0;
}
