// The simulator as a killer: random faults on two cores, seed by seed. What a schedule's variant promises, and is then
// broken, kills; so does a crash, or a world that does not come to rest.

import { isPromised, runSchedule } from '../sim/run.ts';
import { makeSchedule } from '../sim/schedule.ts';
import { scheduleKillers } from './killer.ts';

function violationsOf(seed: number): readonly string[] {
  const { violations, variant } = runSchedule(makeSchedule(seed));
  return violations
    .filter(({ rule }) => isPromised(rule, variant))
    .map(({ rule, message }) => `${rule} ${message}`);
}

export const killers = scheduleKillers(violationsOf, {
  name: 'schedules',
  firstSeed: 1,
  count: 300,
  batch: 10,
});
