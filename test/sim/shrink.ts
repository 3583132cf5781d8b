// Makes a failing schedule small: fewer steps, plainer setup, rounder times, while the same rule stays broken.
// What is left is what a person can read.

import type { Rule } from './checkers.ts';
import { runSchedule } from './run.ts';
import { type Schedule, type Step, singleVariants } from './schedule.ts';
import { plainSetup, type Setup } from './setups.ts';

export interface Shrunk {
  readonly schedule: Schedule;
  /** Schedules that were run for it. */
  readonly tries: number;
}

export function shrink(schedule: Schedule, rule: Rule): Shrunk {
  let tries = 0;
  const breaks = (candidate: Schedule) => {
    tries += 1;
    return runSchedule(candidate).violations.some((violation) => violation.rule === rule);
  };
  if (!breaks(schedule)) throw new Error(`the schedule of seed ${schedule.seed} does not break ${rule}`);
  const asRun = inItsTime(schedule);
  let best = breaks(asRun) ? asRun : schedule;
  for (let round = 0; round < 3; round += 1) {
    const before = best;
    best = dropSteps(best, breaks);
    best = simplifySetup(best, breaks);
    if (!singleVariants.has(best.variant)) best = dropWaits(best, breaks);
    best = roundTimes(best, breaks);
    if (best === before) break;
  }
  return { schedule: best, tries };
}

/** Each step, and the mending, at the time at which it was done: nothing comes forward any more. */
function inItsTime(schedule: Schedule): Schedule {
  const { reachedMs } = runSchedule(schedule);
  const lastMs = reachedMs.at(-1) ?? 0;
  const steps = schedule.steps.map(({ restMs: _, ...step }, index) => ({
    ...step,
    atMs: reachedMs[index] ?? lastMs,
  }));
  const { healRestMs: _, ...rest } = schedule;
  return { ...rest, steps, healAtMs: lastMs };
}

type Breaks = (candidate: Schedule) => boolean;

/** Delta debugging: leaves out halves, then quarters, down to single steps. */
function dropSteps(schedule: Schedule, breaks: Breaks): Schedule {
  let best = schedule;
  for (let size = Math.ceil(best.steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < best.steps.length; ) {
      const steps = best.steps.filter((_, index) => index < from || index >= from + size);
      const candidate = { ...best, steps };
      if (breaks(candidate)) best = candidate;
      else from += size;
    }
  }
  return best;
}

function simplifySetup(schedule: Schedule, breaks: Breaks): Schedule {
  let best = schedule;
  const attempt = (setup: Setup) => {
    const candidate = { ...best, setup };
    if (breaks(candidate)) best = candidate;
  };
  attempt({ ...best.setup, loss: 0, duplicate: 0, late: 0, delayMs: 0 });
  attempt({ ...best.setup, primaryPpm: 0, secondaryPpm: 0 });
  for (const key of [
    'groups',
    'guests',
    'drbd',
    'failback',
    'bootMs',
    'startMs',
    'stopMs',
    'initdeadMs',
  ] as const) {
    if (best.setup[key] !== plainSetup[key]) attempt({ ...best.setup, [key]: plainSetup[key] });
  }
  const { keepaliveMs, warntimeMs, deadtimeMs } = plainSetup;
  attempt({ ...best.setup, keepaliveMs, warntimeMs, deadtimeMs });
  return best;
}

/** Where faults come one at a time, the waits are what keeps them apart. */
function dropWaits(schedule: Schedule, breaks: Breaks): Schedule {
  let best = schedule;
  best.steps.forEach((_, index) => {
    const steps = best.steps.map((step, at): Step => {
      const { whenCalm: _waits, ...plain } = step;
      return at === index ? plain : step;
    });
    const candidate = { ...best, steps };
    if (schedule.steps[index]?.whenCalm === true && breaks(candidate)) best = candidate;
  });
  return best;
}

const roundTo = (value: number, unit: number) => Math.round(value / unit) * unit;

/** The coarsest unit for all that still does it, then for each step alone. */
function roundTimes(schedule: Schedule, breaks: Breaks): Schedule {
  let best = schedule;
  for (const unit of [1000, 500, 100, 50]) {
    const steps = best.steps.map((step) => ({ ...step, atMs: roundTo(step.atMs, unit) }));
    const candidate = { ...best, steps, healAtMs: roundTo(best.healAtMs, unit) };
    if (!breaks(candidate)) continue;
    best = candidate;
    break;
  }
  for (let index = 0; index < best.steps.length; index += 1) {
    for (const unit of [1000, 500, 100]) {
      const steps = best.steps.map((step, at) =>
        at === index ? { ...step, atMs: roundTo(step.atMs, unit) } : step,
      );
      if (steps[index]?.atMs === best.steps[index]?.atMs) break;
      const isInOrder = steps.every(({ atMs }, at) => at === 0 || atMs >= (steps[at - 1]?.atMs ?? 0));
      const candidate = { ...best, steps };
      if (!isInOrder || !breaks(candidate)) continue;
      best = candidate;
      break;
    }
  }
  return best;
}
