// The simulation as a test: thousands of fault schedules with the real cores, fixed and fresh ones, and every planted
// defect found. `npm run sim -- --seed S --story` tells what happened in a seed that a failure names.

import { randomInt } from 'node:crypto';
import { availableParallelism } from 'node:os';
import test from 'ava';
import { knownSearches, patched, sourceOf } from '../sim/defects.ts';
import { describeHunted } from '../sim/find-defects.ts';
import { huntAll } from '../sim/hunt.ts';
import { plantedDefects } from '../sim/planted.ts';
import { runInWorkers } from '../sim/pool.ts';
import { describeTally } from '../sim/report.ts';
import { runSchedule } from '../sim/run.ts';
import { makeSchedule, type Schedule, variantOf, variants } from '../sim/schedule.ts';
import { shrink } from '../sim/shrink.ts';
import { tell } from '../sim/story.ts';
import type { Tally } from '../sim/tally.ts';

const workers = availableParallelism();

const run = (seedFrom: number, count: number): Promise<Tally> =>
  runInWorkers({ seedFrom, count, variants: null, workers, stopsAtFirst: false, isPatient: false });

test.serial('30,000 schedules of fixed seeds break no promise', async (t) => {
  t.timeout(600_000);
  const from = performance.now();
  const tally = await run(1, 30_000);
  for (const line of describeTally(tally, performance.now() - from, workers)) t.log(line);
  t.is(tally.schedules, 30_000);
  t.deepEqual(tally.found.slice(0, 5), []);
});

test.serial('5,000 schedules of fresh seeds break no promise', async (t) => {
  t.timeout(600_000);
  const seed = randomInt(2 ** 31);
  t.log(`seed ${seed}`);
  const tally = await run(seed, 5000);
  t.deepEqual(tally.found.slice(0, 5), [], `seed ${seed}`);
});

test.serial('every planted defect is found', async (t) => {
  t.timeout(900_000);
  t.true(plantedDefects.length >= 25);
  const asked = { seed: 1, limit: 40_000 };
  const hunted = await huntAll(plantedDefects, {
    seedFrom: asked.seed,
    limit: asked.limit,
    anewUpTo: null,
    known: knownSearches(),
    workers,
  });
  t.is(hunted.length, plantedDefects.length);
  for (const one of hunted) {
    t.log(describeHunted(one, asked));
    t.not(one.catch, null, `${one.defect.name}: ${one.defect.what}`);
  }
});

test('the list of planted defects fits the core, and no two are the same', (t) => {
  for (const defect of plantedDefects) {
    t.notThrows(() => patched(sourceOf(defect), defect));
    t.regex(defect.name, /^[a-z]+(-[a-z]+)*$/);
  }
  t.is(new Set(plantedDefects.map(({ name }) => name)).size, plantedDefects.length);
  t.is(
    new Set(plantedDefects.map(({ file, find, replace }) => file + find + replace)).size,
    plantedDefects.length,
  );
});

test('a patch that does not fit once is refused', (t) => {
  const [defect] = plantedDefects;
  if (defect === undefined) throw new Error('no defect');
  t.throws(() => patched('nothing of it', defect), { message: /stale: its text occurs 0 times/ });
  t.throws(() => patched(defect.find + defect.find, defect), { message: /occurs 2 times/ });
});

test('the same seed tells the same story, line by line', (t) => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const options = { detailed: true };
    t.deepEqual(tell(makeSchedule(seed), options), tell(makeSchedule(seed), options), `seed ${seed}`);
  }
});

test('every variant occurs, about as often as it should', (t) => {
  const counts = new Map(variants.map((variant) => [variant, 0]));
  for (let seed = 1; seed <= 2000; seed += 1)
    counts.set(variantOf(seed), (counts.get(variantOf(seed)) ?? 0) + 1);
  for (const [variant, count] of counts) t.true(count >= 40, `${variant}: ${count}`);
});

/** A schedule of several faults that runs a guest twice: the evidence tier does not promise otherwise. */
function doubleRun(): Schedule {
  for (let seed = 1; seed < 5000; seed += 1) {
    if (variantOf(seed) !== 'evidence-many') continue;
    const schedule = makeSchedule(seed);
    const isLong = schedule.steps.length >= 8;
    if (isLong && runSchedule(schedule).violations.some(({ rule }) => rule === 'S1')) return schedule;
  }
  throw new Error('no schedule runs a guest twice');
}

test('a schedule is made small and still breaks the same rule', (t) => {
  const schedule = doubleRun();
  const small = shrink(schedule, 'S1').schedule;
  t.true(
    small.steps.length < schedule.steps.length,
    `${schedule.steps.length} to ${small.steps.length} steps`,
  );
  t.true(runSchedule(small).violations.some(({ rule }) => rule === 'S1'));
  t.throws(() => shrink(small, 'S6'), { message: /does not break S6/ });
});
