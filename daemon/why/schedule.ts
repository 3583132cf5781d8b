// What runs by schedule, and the comparison of two copies of a disk.

import { type Explanation, explained } from './explanation.ts';

const titles = {
  readiness: 'The check of both nodes',
  definitions: "The comparison of the guests' definitions",
  verify: 'The comparison of the two copies of each disk',
  drill: 'The drill',
  summary: 'The weekly summary',
  prune: 'The pruning of old records',
} as const;

type TaskName = keyof typeof titles;

type What = 'begins' | 'done' | 'failed' | 'left-out' | 'missed' | 'interrupted';

const ofTask = (name: TaskName): Readonly<Record<What, Explanation>> => ({
  begins: explained(`${titles[name]} begins.`, '`schedule` or `drill` in the configuration', 'Nothing.'),
  done: explained(`${titles[name]} has succeeded.`, 'It ran by schedule, or by hand.', 'Nothing.'),
  failed: explained(
    `${titles[name]} has failed.`,
    'The message says what went wrong, and at which step.',
    `Do what stands behind \`next:\`; then \`battito schedule run ${name}\`. The warning stays until it succeeds.`,
  ),
  'left-out': explained(
    `${titles[name]} was left out.`,
    'The nodes were not in order, in standby or in maintenance, or something was on its way.',
    `Do what stands behind \`next:\`, or run it by hand: \`battito schedule run ${name}\`.`,
  ),
  missed: explained(
    `${titles[name]} was missed.`,
    'The daemon did not run when it was due.',
    `It comes again by schedule; at once: \`battito schedule run ${name}\`.`,
  ),
  interrupted: explained(
    `${titles[name]} gave way before its end.`,
    'Something more important began: a takeover, a handover, a resync.',
    `It comes again by schedule; at once: \`battito schedule run ${name}\`.`,
  ),
});

type TaskCode = `${TaskName}-${What}`;

const ofTasks = Object.fromEntries(
  (Object.keys(titles) as TaskName[]).flatMap((name) =>
    Object.entries(ofTask(name)).map(([what, explanation]) => [`${name}-${what}`, explanation]),
  ),
) as Readonly<Record<TaskCode, Explanation>>;

export const ofSchedule = {
  ...ofTasks,
  'not-ready': explained(
    'A takeover would fail, or not be tried, as things were at the last check of both nodes.',
    'The message names the first thing that the check has found.',
    '`battito check` has all of them, each with what mends it; it counts anew when it has run.',
  ),
  'schedule-failed': explained(
    'What was to run now has failed.',
    'The message says what went wrong.',
    'Do what stands behind `next:`, then run it again.',
  ),
  'schedule-interrupted': explained(
    'What was to run now gave way before its end.',
    'Something more important began: a takeover, a handover, a resync.',
    'Run it again when `battito status` is calm.',
  ),
  'schedule-left-out': explained(
    'What was to run now cannot run now.',
    'The message says what is in its way.',
    'Do what stands behind `next:`, then run it again.',
  ),
  'schedule-missed': explained(
    'What was to run now was missed.',
    'The daemon was stopped meanwhile.',
    'Run it again.',
  ),
  'schedule-refused': explained(
    'What was to run now is refused.',
    'It runs already, there is nothing for it to do, or the nodes are not in order.',
    'Do what stands behind `next:`; `battito schedule` shows what runs.',
  ),
  'schedule-lost': explained(
    'What was begun has ended with the daemon that began it.',
    'The daemon was restarted meanwhile.',
    'Run it again: `battito schedule run verify`, or whichever it was.',
  ),
  interrupted: explained(
    'The command ends, and what it began goes on in the daemon (exit code 75).',
    'Ctrl-C was pressed.',
    '`battito schedule` shows how it goes.',
  ),
  'drbd-out-of-sync': explained(
    'The two copies of a disk differ although both count as up to date.',
    'A disk, a controller or the memory of one node has lost or changed data, or something has written past DRBD.',
    'Find out which disk is ill (smartctl, the log of the kernel), then what stands behind `next:` copies what differs from the good one.',
  ),
  'drbd-no-verify-alg': explained(
    'DRBD was not told how to compare the two copies of a disk, so nobody compares them.',
    'The resource has no `verify-alg`.',
    'Set `net { verify-alg crc32c; }` in its file on both nodes, then: `drbdadm adjust NAME`.',
  ),
  'drbd-not-connected': explained(
    'A disk cannot be compared: it is not seen connected to its mirror.',
    'The other node is away, or DRBD has given the connection up.',
    '`battito status` says which.',
  ),
  'drbd-verify-cut': explained(
    'The comparison of a disk ended before its end.',
    'The connection to the mirror was lost.',
    'When both copies are in step again: `battito schedule run verify`.',
  ),
  'drbd-verify-unread': explained(
    'A disk was compared, but how much differs cannot be read.',
    'DRBD does not say it in words that are understood.',
    '`drbdsetup status --statistics NAME`, with DRBD 8.4 `cat /proc/drbd`: out-of-sync, or oos, is to be 0.',
  ),
  'drbd-verify-refused': explained(
    'The comparison of a disk could not begin.',
    'DRBD has refused the command that the message names.',
    'Run that command by hand: it says why.',
  ),
} as const satisfies Readonly<Record<string, Explanation>>;
