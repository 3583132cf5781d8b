// How ready both nodes were for a takeover when they were checked last, and what this one does by itself at times.

import type { TaskRun } from '../../control/schedule.ts';
import { every, type Family, gauge, oneOf, seconds } from '../family.ts';
import type { MetricsSource } from '../metrics.ts';

const results = every<TaskRun['result']>({
  done: true,
  failed: true,
  'left-out': true,
  missed: true,
  interrupted: true,
});

const timeOf = (text: string | null | undefined) => (text == null ? null : Date.parse(text) / 1000);

export function scheduleFamilies({ status: { readiness, schedule } }: MetricsSource): readonly Family[] {
  return [
    gauge('battito_readiness_score_ratio', 'How ready both nodes were when they were checked last, 0 to 1.', [
      [{}, readiness === null ? null : readiness.score / 100],
    ]),
    gauge('battito_readiness_ready', 'Whether nothing was found then by which a takeover would fail.', [
      [{}, readiness?.ready ?? null],
    ]),
    gauge('battito_readiness_timestamp_seconds', 'When that was, seconds since 1970.', [
      [{}, timeOf(readiness?.at)],
    ]),
    gauge(
      'battito_task_next_timestamp_seconds',
      'When what is done by schedule is due next on this node, seconds since 1970.',
      schedule.map(({ name, next }) => [{ task: name }, timeOf(next)]),
    ),
    gauge(
      'battito_task_last_timestamp_seconds',
      'When it was due, or wanted, last.',
      schedule.map(({ name, last }) => [{ task: name }, timeOf(last?.at)]),
    ),
    gauge(
      'battito_task_last_result',
      'What came of it then: 1 for that.',
      schedule.flatMap(({ name, last }) =>
        last === null ? [] : oneOf('result', results, last.result, { task: name }),
      ),
    ),
    gauge(
      'battito_task_last_duration_seconds',
      'How long it took when it was last done.',
      schedule.map(({ name, made }) => [{ task: name }, seconds(made?.tookMs ?? null)]),
    ),
    gauge(
      'battito_task_running_seconds',
      'For how long it has been under way; what is at rest has no sample.',
      schedule.map(({ name, running }) => [{ task: name }, seconds(running?.forMs ?? null)]),
    ),
  ];
}
