// Readiness and what is done by schedule, a line each. Pure. A daemon that an upgrade has not restarted yet says neither.

import type { Status } from '../../control/api.ts';
import type { TaskView } from '../../control/schedule.ts';
import { formatTime } from '../time.ts';

/** Null: nothing is known. */
export function readinessWords({ readiness }: Partial<Pick<Status, 'readiness'>>): string | null {
  if (readiness == null) return null;
  const { score, ready, at, nodes, losses } = readiness;
  const whose = nodes.length === 1 ? `, ${nodes[0]} alone` : '';
  const worst = losses[0];
  const why = worst === undefined ? '' : `; most: ${worst.area}: ${worst.message}`;
  return `${score} of 100, ${ready ? 'ready' : 'NOT READY'}, checked ${minuteOf(at)}${whose}${why}   # battito check`;
}

/** `2026-03-01 03:12`, local time. */
export const minuteOf = (iso: string) => formatTime(iso).slice(0, 16);

/** What runs, what was made last, and what comes next; null: nothing is done by schedule. */
export function scheduleWords({ schedule = [] }: Partial<Pick<Status, 'schedule'>>): string | null {
  if (schedule.length === 0) return null;
  const running = schedule.flatMap(({ name, running: now }) =>
    now === null ? [] : [`${name} is under way${now.progress === null ? '' : ` (${now.progress})`}`],
  );
  const last = schedule
    .filter(({ made }) => made !== null)
    .toSorted((a, b) => ((a.made?.at ?? '') < (b.made?.at ?? '') ? 1 : -1))[0];
  const next = schedule
    .filter(({ next: at }) => at !== null)
    .toSorted((a, b) => ((a.next ?? '') < (b.next ?? '') ? -1 : 1))[0];
  return [
    ...running,
    ...(last?.made == null
      ? []
      : [`last ${last.name} ${minuteOf(last.made.at)}: ${runWord(last.made.result)}`]),
    ...(next?.next == null ? [] : [`next ${next.name} ${minuteOf(next.next)}`]),
    'battito schedule',
  ].join('; ');
}

const runWords = {
  done: 'done',
  failed: 'FAILED',
  'left-out': 'left out',
  missed: 'missed',
  interrupted: 'gave way',
} as const;

export const runWord = (result: NonNullable<TaskView['last']>['result']): string =>
  runWords[result] ?? result;
