// Every folder of test/sim/scenarios is a failover story: it must go as its expected.log says, and keep every promise.

import test from 'ava';
import { isPromised } from '../sim/run.ts';
import { formatCommands, parseCommands, readScenario, scenarioNames, tellScenario } from '../sim/scenario.ts';
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

test('words that are not understood say so', (t) => {
  const lines = (line: string) => `variant evidence\n${line}\neverything is mended @5s\n`;
  t.throws(() => parseCommands(lines('setup speed 3')), { message: /no setup "speed"/ });
  t.throws(() => parseCommands(lines('setup drbd maybe')), { message: /one of/ });
  t.throws(() => parseCommands(lines('setup loss a-lot')), { message: /is a number/ });
  t.throws(() => parseCommands(lines('explode primary @1s')), { message: /no action "explode"/ });
  t.throws(() => parseCommands('variant evidence\n'), { message: /everything is mended/ });
});
