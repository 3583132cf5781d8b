// Every folder of test/sim/scenarios is a failover story: it must go as its expected.log says, and keep every promise.

import test from 'ava';
import { isPromised } from '../sim/run.ts';
import {
  formatCommands,
  parseCommands,
  readmeOf,
  readScenario,
  scenarioNames,
  tellScenario,
} from '../sim/scenario.ts';
import { makeSchedule } from '../sim/schedule.ts';

for (const name of scenarioNames()) {
  test(`scenario: ${name}`, (t) => {
    const scenario = readScenario(name);
    t.regex(
      scenario.readme,
      /^# .+\n[\s\S]*Must hold: /,
      'README.md has a title, a story and what must hold',
    );
    const { expected } = scenario;
    if (expected === null) {
      t.fail(`there is no expected.log; read the story of \`npm run sim -- --accept ${name}\` and keep it`);
      return;
    }
    const { log, violations } = tellScenario(scenario);
    const { variant } = scenario.schedule;
    t.deepEqual(
      violations.filter(({ rule }) => isPromised(rule, variant)),
      [],
    );
    const measured = violations.filter(({ rule }) => !isPromised(rule, variant));
    for (const { rule } of measured)
      t.regex(scenario.readme, new RegExp(`Shows what is not promised: .*\\b${rule}\\b`));
    t.is(/not promised/.test(scenario.readme), measured.length > 0, 'README.md says what is only measured');
    t.is(log, expected);
  });
}

test('there are scenarios', (t) => {
  t.true(scenarioNames().length >= 8);
});

test('a schedule in words is the same schedule', (t) => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const schedule = makeSchedule(seed);
    t.deepEqual(parseCommands(formatCommands(schedule)), schedule, `seed ${seed}`);
  }
});

test('the README of a schedule that was made small says whether its rule is promised', (t) => {
  const schedule = makeSchedule(1);
  const violation = {
    rule: 'S1',
    at: 0,
    side: null,
    message: 'guest:mail runs twice',
    lastedMs: 40.2,
  } as const;
  const promised = readmeOf('twice', { ...schedule, variant: 'fenced-device' }, 'S1', [violation]);
  t.regex(
    promised,
    /^# twice\n\nFound by seed 1 \(fenced-device\) and made small: guest:mail runs twice\.\n/,
  );
  t.regex(promised, /\nMust hold: S1, no guest runs on two hosts at once\.\n$/);
  for (const variant of ['evidence-many', 'lying'] as const) {
    const measured = readmeOf('twice', { ...schedule, variant }, 'S1', [violation]);
    t.regex(measured, /\nShows what is not promised: S1 \(no guest .* at once\) is broken for 40 ms\. Where/);
    t.notRegex(measured, /Must hold: S1/);
  }
  const late = readmeOf('late', { ...schedule, variant: 'lying' }, 'L1', [violation]);
  t.regex(late, /\nShows what is not promised: S1 [\s\S]*\nMust hold: L1, /);
});

test('words that are not understood say so', (t) => {
  const lines = (line: string) => `variant evidence\n${line}\neverything is mended @5s\n`;
  t.throws(() => parseCommands(lines('setup speed 3')), { message: /no setup "speed"/ });
  t.throws(() => parseCommands(lines('setup drbd maybe')), { message: /one of/ });
  t.throws(() => parseCommands(lines('setup loss a-lot')), { message: /is a number/ });
  t.throws(() => parseCommands(lines('seed soon')), { message: /the seed is a whole number, not "soon"/ });
  t.throws(() => parseCommands(lines('explode primary @1s')), { message: /no action "explode"/ });
  t.throws(() => parseCommands('variant evidence\n'), { message: /everything is mended/ });
  t.throws(() => parseCommands(lines('setup deadtimeMs -3')), {
    message: /^line \d, "setup deadtimeMs -3": .*0 or more/,
  });
  const late = 'power-loss primary @9s\npower-on primary @3s';
  t.throws(() => parseCommands(lines(late)), {
    message: /"power-on primary @3s": it is earlier than the line before/,
  });
  const twice = 'everything is mended @1s\neverything is mended @2s\n';
  t.throws(() => parseCommands(twice), { message: /^line 2, .*nothing comes after/ });
});
