// `npm run sim`: runs schedules and says what they found. See usage below; exit 1 when a promise was broken.

import { randomInt } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { defectNamed, rememberSeeds } from './defects.ts';
import { explorations, explore } from './exhaustive.ts';
import { huntAll } from './hunt.ts';
import { plantedDefects } from './planted.ts';
import { runInWorkers } from './pool.ts';
import { describeExplored, describeHunted, describeTally } from './report.ts';
import { runSchedule } from './run.ts';
import { acceptScenario, writeScenario } from './scenario.ts';
import { makeSchedule, type Variant, variantShare, variants } from './schedule.ts';
import { shrink } from './shrink.ts';
import { tell } from './story.ts';

const usage = `npm run sim -- [--schedules N] [--seed S] [--variant X] [--workers N] [--json]
npm run sim -- --story --seed S [--verbose]
npm run sim -- --defects [NAME...] [--schedules N] [--remember]
npm run sim -- --shrink SEED [--rule R] [--name NAME]
npm run sim -- --accept SCENARIO
npm run sim -- --exhaustive [--bigger] [--json]
variants: ${variants.join(', ')}`;

const print = (text: string) => void process.stdout.write(`${text}\n`);

/** Room for a million seeds after it. */
const freshSeed = () => randomInt(2 ** 31);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    schedules: { type: 'string' },
    seed: { type: 'string' },
    variant: { type: 'string' },
    workers: { type: 'string' },
    json: { type: 'boolean', default: false },
    story: { type: 'boolean', default: false },
    defects: { type: 'boolean', default: false },
    remember: { type: 'boolean', default: false },
    shrink: { type: 'string' },
    rule: { type: 'string' },
    name: { type: 'string' },
    accept: { type: 'string' },
    exhaustive: { type: 'boolean', default: false },
    bigger: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

function count(text: string, what: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${what} is a whole number`);
  return value;
}

const workers = values.workers === undefined ? availableParallelism() : count(values.workers, 'workers');

async function findDefects(seed: number): Promise<number> {
  const wanted = positionals.length === 0 ? plantedDefects : positionals.map(defectNamed);
  const limit = count(values.schedules ?? '20000', 'schedules');
  const from = performance.now();
  const hunted = await huntAll(wanted, {
    seedFrom: seed,
    limit,
    workers,
    onHunted: (one) => {
      if (!values.json) print(describeHunted(one));
    },
  });
  if (values.remember) {
    const found = hunted.flatMap(({ defect, catch: caught }) =>
      caught === null ? [] : [[defect.name, caught.seed]],
    );
    rememberSeeds(Object.fromEntries(found));
  }
  const missed = hunted.filter((one) => one.catch === null).length;
  const wallSeconds = (performance.now() - from) / 1000;
  if (values.json) {
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

async function simulate(seed: number): Promise<number> {
  const variant = variants.find((one) => one === values.variant) ?? null;
  if (values.variant !== undefined && variant === null)
    throw new Error(`the variants are ${variants.join(', ')}`);
  const schedules = count(values.schedules ?? '1000', 'schedules');
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
  if (values.json) {
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

/** The bigger ones hold their states in memory: about 1.5 kB each. */
const bounds = {
  suite: { states: 400_000, wallMs: 300_000 },
  bigger: { states: 2_000_000, wallMs: 1_800_000 },
};

function exploreAll(): number {
  const bound = values.bigger ? bounds.bigger : bounds.suite;
  const explored = explorations
    .filter(({ isBigger }) => isBigger === values.bigger)
    .map((one) => {
      const result = explore(one, bound, () => performance.now());
      if (!values.json) for (const line of describeExplored(result)) print(line);
      return { ...result, what: one.what, rules: one.rules };
    });
  if (values.json) print(JSON.stringify({ bound, explored }));
  else print(`bound: ${bound.states} states, ${bound.wallMs / 1000} s each`);
  return explored.some(({ broken }) => broken !== null) ? 1 : 0;
}

function shrinkSeed(seed: number): number {
  const schedule = makeSchedule(seed);
  const broken = runSchedule(schedule).violations;
  const violation = broken.find(({ rule }) => values.rule === undefined || rule === values.rule);
  if (violation === undefined) {
    print(`seed ${seed} breaks ${values.rule ?? 'no rule'}`);
    return 1;
  }
  const { rule, message } = violation;
  const { schedule: small, tries } = shrink(schedule, rule);
  print(
    `${rule}: ${message}: from ${schedule.steps.length} steps to ${small.steps.length} in ${tries} tries`,
  );
  const words = message.split(/[^a-z0-9]+/i).slice(0, 6);
  const name = values.name ?? [rule, ...words, seed].join('-').toLowerCase();
  print(`written to ${writeScenario(name, small, violation)}`);
  return 0;
}

async function main(): Promise<number> {
  if (values.help) {
    print(usage);
    return 0;
  }
  if (values.shrink !== undefined) return shrinkSeed(count(values.shrink, 'shrink'));
  if (values.accept !== undefined) {
    acceptScenario(values.accept);
    return 0;
  }
  if (values.exhaustive) return exploreAll();
  const seed = values.seed === undefined ? freshSeed() : count(values.seed, 'seed');
  if (!values.json) print(`seed ${seed}`);
  if (values.story) {
    const schedule = makeSchedule(seed);
    print(`${schedule.variant} ${JSON.stringify(schedule.setup)}`);
    for (const line of tell(schedule, { detailed: values.verbose }).lines) print(line);
    return 0;
  }
  return values.defects ? await findDefects(seed) : await simulate(seed);
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`sim: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 2;
}
