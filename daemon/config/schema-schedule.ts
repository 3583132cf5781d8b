// The key `schedule`: the daemon's own housekeeping, and when. Every `error` here says what is EXPECTED.

import type * as z from 'zod';
import type { ScheduleConfig } from './config.ts';
import { crontabOrOff } from './schema-crontab.ts';
import { mapping, wholeNumber } from './schema-parts.ts';

/** When the file does not say. Minutes that differ, so that not all begins at once; nothing at midnight. */
export const defaultSchedule = {
  readiness: '17 */6 * * *',
  definitions: '43 5 * * *',
  verify: '0 1 * * 6',
  summary: '0 7 * * 1',
  prune: '23 5 * * *',
} as const;
const defaultKeepDays = 400;

const keepDays = 'a whole number from 7 to 3650';

export const schedule = mapping({
  readiness: crontabOrOff
    .prefault(defaultSchedule.readiness)
    .describe('When both nodes are checked, as `battito check` does.'),
  definitions: crontabOrOff
    .prefault(defaultSchedule.definitions)
    .describe('When the definitions of the guests are compared as a whole, beside every change at once.'),
  verify: crontabOrOff
    .prefault(defaultSchedule.verify)
    .describe(
      "When both copies of each DRBD resource are compared (drbdadm verify), which reads all of both disks; wants verify-alg in DRBD's files.",
    ),
  summary: crontabOrOff
    .prefault(defaultSchedule.summary)
    .describe('When a summary of the week goes to those who are notified.'),
  prune: crontabOrOff
    .prefault(defaultSchedule.prune)
    .describe('When what is older than keep-days is removed from history and journal.'),
  'keep-days': wholeNumber(keepDays, 7, 3650)
    .default(defaultKeepDays)
    .describe('How many days history and journal go back at most; their size is bounded in any case.'),
}).describe(
  'What the daemon does by itself at times, in the local time of the host, as crontab(5) writes them; off switches one off.',
);

/** What the file says, as the rest of the program sees it. */
export function toSchedule({ 'keep-days': keptDays, ...times }: z.output<typeof schedule>): ScheduleConfig {
  return { ...times, keepDays: keptDays };
}

export function isDefaultSchedule({ keepDays: kept, ...times }: ScheduleConfig): boolean {
  const names = Object.keys(defaultSchedule) as (keyof typeof defaultSchedule)[];
  return kept === defaultKeepDays && names.every((name) => times[name] === defaultSchedule[name]);
}
