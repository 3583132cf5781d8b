// The command line of the simulation: what is understood, and what is refused, with what is possible.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import test from 'ava';
import { BattitoError } from '../../daemon/errors.ts';
import { knownSearches } from '../sim/defects.ts';
import { hintFor } from '../sim/exhaustive/command.ts';
import { worldsOf } from '../sim/exhaustive/run.ts';
import { shownIn } from '../sim/exhaustive/shown.ts';
import { describeHunted } from '../sim/find-defects.ts';
import { huntAll } from '../sim/hunt.ts';
import { readCommandLine } from '../sim/options.ts';
import { plantedDefects } from '../sim/planted.ts';

const root = resolve(import.meta.dirname, '../..');
const scenarios = join(root, 'test/sim/scenarios');

const sim = (...args: readonly string[]) =>
  spawnSync(process.execPath, [join(root, 'test/sim/main.ts'), ...args], { encoding: 'utf8' });

test('options are read into numbers, flags and texts', (t) => {
  const line = readCommandLine(['--defects', 'sole-for-ever', '--seed=7', '--schedules', '20', '--json']);
  t.like(line, { command: 'defects', names: ['sole-for-ever'], seed: 7, schedules: 20 });
  t.true(line.flags.has('json'));
  t.is(readCommandLine(['--shrink', '12', '--rule', 'S1']).seed, 12);
  t.is(readCommandLine([]).command, 'schedules');
  t.is(readCommandLine(['-h', '--story']).command, 'help');
});

const misread: readonly (readonly [words: string, message: RegExp, next: RegExp])[] = [
  ['--schedules -5', /^--schedules is a whole number from 1 on, not "-5"$/, /--schedules 1000/],
  ['--schedules 0', /^--schedules is a whole number from 1 on, not "0"$/, /--schedules 1000/],
  ['--schedules 1.5', /not "1.5"/, /--schedules 1000/],
  ['--seed 1e3', /^--seed is a whole number from 0 on, not "1e3"$/, /--seed 1000/],
  ['--seed 99999999999999999999', /^--seed is a whole number from 0 to [0-9]+, not "9+"$/, /--seed 1000/],
  ['--seed --json', /^--seed needs a value$/, /^say --seed S$/],
  ['--seed=', /^--seed needs a value$/, /^say --seed S$/],
  ['--seed', /^--seed needs a value$/, /^say --seed S$/],
  ['--seed 1 --seed 2', /^--seed is said twice$/, /once/],
  ['--workers 1000', /^--workers is a whole number from 1 to 64, not "1000"$/, /--workers 64/],
  ['--json=yes', /^--json takes no value/, /--help/],
  ['--schedule 5', /^there is no option --schedule$/, /did you mean --schedules\?/],
  ['-x', /^there is no option -x$/, /--help/],
  ['story', /word "story"/, /did you mean --story\?/],
  ['--story --accept x', /do not go together/, /one of them/],
  ['--remember', /^--remember needs --defects$/, /--help/],
  [
    '--shrink 3 --json',
    /^--json means nothing with --shrink$/,
    /goes with .*--defects.*; --shrink with --rule, --name, --patient$/,
  ],
  ['--accept one --seed 3', /^--seed means nothing with --accept$/, /--accept alone$/],
  ['--shrink x', /^--shrink is a whole number from 0 on, not "x"$/, /--shrink 1000/],
];

for (const [words, message, next] of misread) {
  test(`refused before anything runs: ${words}`, (t) => {
    const error = t.throws(() => readCommandLine(words.split(' ')), { instanceOf: BattitoError });
    t.regex(error.message, message);
    t.regex(error.next ?? '', next);
  });
}

const refused: readonly (readonly [words: string, message: RegExp, next: RegExp])[] = [
  ['--variant moon', /no variant "moon"/, /evidence-many/],
  ['--shrink 5 --rule Z9', /^sim: there is no rule "Z9"$/m, /the rules are S1, S2/],
  ['--shrink 5 --name ../../x', /"..\/..\/x" cannot be the name/, /small letters/],
  ['--shrink 5 --name fencing-device-lies', /there is a scenario fencing-device-lies already/, /--name/],
  ['--shrink 1', /seed 1 does not break any rule/, /names seeds/],
  ['--accept nope', /^sim: there is no scenario nope$/m, /the scenarios are .*fencing-device-lies/],
  ['--accept ../scenarios/fencing-device-lies', /cannot be the name/, /hyphens/],
  ['--defects none-such', /no planted defect "none-such"/, /takeover-without-proof/],
  ['--exhaustive --defect none-such', /no planted defect "none-such"/, /takeover-without-proof/],
  ['--exhaustive --only lease-back', /one of the small worlds/, /--bound large/],
];

for (const [words, message, next] of refused) {
  test(`refused in two lines: ${words}`, (t) => {
    const { stdout, stderr, status } = sim(...words.split(' '));
    t.deepEqual([stdout, status], ['', 2]);
    t.regex(stderr, message);
    t.regex(stderr, next);
    t.is(stderr.trimEnd().split('\n').length, 2, stderr);
  });
}

test('with --json the seed is said first, aside and as the first figure', (t) => {
  const { stdout, stderr, status } = sim('--schedules', '20', '--seed', '5', '--workers', '1', '--json');
  t.is(status, 0);
  t.is(stderr, 'seed 5\n');
  const figures = JSON.parse(stdout) as Record<string, unknown>;
  const first = ['seed', 'schedules', 'simulatedHours', 'violations', 'wallSeconds'];
  t.deepEqual(Object.keys(figures).slice(0, 5), first);
  t.like(figures, { seed: 5, schedules: 20, violations: [] });
});

test('of one variant just as many schedules are run as were asked for', (t) => {
  const { stdout, status } = sim('--schedules', '2', '--variant', 'lying', '--seed', '1', '--workers', '1');
  t.is(status, 0);
  t.regex(stdout, /^seed 1\n2 schedules, /);
  t.regex(stdout, /^lying +2 /m);
});

test('the cost of the first search is stored for every planted defect, and for nothing else', (t) => {
  const known = knownSearches();
  t.deepEqual(
    Object.keys(known),
    plantedDefects.map(({ name }) => name),
  );
  for (const [name, { seed, from, schedules }] of Object.entries(known)) {
    if (from === null || schedules === null) {
      t.deepEqual([from, schedules], [null, null], name);
    } else {
      t.true(schedules >= 1 && schedules <= seed - from + 1, name);
      t.true(schedules > 1 || from === 1, `${name}: a seed that was known is no search of one schedule`);
    }
  }
});

const options = { seedFrom: 1, limit: 20_000, anewUpTo: null, workers: 1, known: knownSearches() };
const taken = plantedDefects.filter(({ name }) => name === 'takeover-without-proof');
const [defect] = taken;

test('a defect is looked for where it was found before, and what the first search took is said', async (t) => {
  const known = { 'takeover-without-proof': { seed: 21, from: 1, schedules: 4711 } };
  const [hunted] = await huntAll(taken, { ...options, known });
  t.like(hunted, { isAgain: true, first: { schedules: 4711 } });
  if (hunted === undefined) return;
  const said = describeHunted(hunted, { seed: 1, limit: 20_000 });
  t.regex(said, /S1 +found again in seed 21; the first search took 4711 schedules from seed 1 on$/);
  t.regex(
    describeHunted(hunted, { seed: 1, limit: 4000 }),
    /; not found within 4000 schedules from seed 1 on, found in a larger search of 4711$/,
  );
});

test('of a seed that was known from elsewhere no search is said to have been counted', async (t) => {
  const known = { 'takeover-without-proof': { seed: 21, from: null, schedules: null } };
  const [hunted] = await huntAll(taken, { ...options, known });
  if (hunted === undefined) return t.fail();
  t.regex(
    describeHunted(hunted, { seed: 1, limit: 20_000 }),
    /S1 +found again in seed 21; known from seed 21; no search was counted$/,
  );
});

test('a defect that no longer shows where it was found is searched for, and counted honestly', async (t) => {
  const known = { 'takeover-without-proof': { seed: 1, from: 1, schedules: 1 } };
  const [hunted] = await huntAll(taken, { ...options, known });
  t.false(hunted?.isAgain);
  const [anew] = await huntAll(taken, { ...options, known: {}, limit: 1, anewUpTo: 1000 });
  t.deepEqual(anew?.first, hunted?.first);
  if (hunted === undefined || anew === undefined) return;
  t.regex(describeHunted(hunted, { seed: 1, limit: 20_000 }), /found in seed 21, after \d+ schedules$/);
  t.regex(
    describeHunted(anew, { seed: 1, limit: 1 }),
    /found in seed 21; not found within 1 schedule from seed 1 on, found in a larger search of \d+$/,
  );
});

test('a defect that is not found says so, with how far it was looked for', async (t) => {
  const [hunted] = await huntAll(taken, { ...options, known: {}, limit: 1 });
  t.is(hunted?.catch, null);
  if (hunted !== undefined) {
    t.regex(describeHunted(hunted, { seed: 1, limit: 1 }), /NOT FOUND within 1 schedule from seed 1 on$/);
  }
});

test('a defect that is found only where it was known is not said to be found anew', async (t) => {
  const known = { 'takeover-without-proof': { seed: 21, from: 1, schedules: 3 } };
  const [hunted] = await huntAll(taken, { ...options, known, limit: 1, anewUpTo: 2 });
  t.like(hunted, { isAgain: true, anew: 2, first: { schedules: 3 } });
  if (hunted === undefined) return;
  const said = describeHunted(hunted, { seed: 1, limit: 4 });
  t.regex(
    said,
    /again in seed 21, not found anew within 2 schedules from seed 1 on; the first search took 3 /,
  );
});

test('an exhaustive search that sees nothing of a planted defect says where it shows', (t) => {
  t.truthy(defect);
  const names = worldsOf.small.map(({ name }) => name);
  for (const [name, worlds] of Object.entries(shownIn)) {
    t.true(
      plantedDefects.some((one) => one.name === name),
      name,
    );
    t.true(worlds.length > 0 && worlds.every((world) => names.includes(world)), name);
  }
  t.regex(
    hintFor('takeover-without-proof', [{ name: 'evidence' }]),
    /not seen here; it shows in device, lease, lease-cut: `.*--defect takeover-without-proof --only device`$/,
  );
  t.regex(
    hintFor('older-copy-used', []),
    /no small world is known to show it, .*--defects older-copy-used`$/,
  );
});

test('a failing schedule of a measured variant says that it shows what is not promised', (t) => {
  const text = readFileSync(join(scenarios, 'fencing-device-lies/README.md'), 'utf8');
  t.regex(text, /not promised/);
  t.false(existsSync(join(root, 'x')));
});
