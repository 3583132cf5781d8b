// The schedule as text: what each is, when it comes, how it went. Pure.

import type { Status } from '../../control/api.ts';
import type { TaskRun, TaskView } from '../../control/schedule.ts';
import { type Colour, harmless, type Look, paint } from '../output.ts';
import { hanging } from '../status/picture.ts';
import { minuteOf, readinessWords, runWord } from '../status/schedule.ts';
import { formatSpan, formatTook } from '../time.ts';

const nameColumns = 13;

const colours: Readonly<Record<TaskRun['result'], Colour | null>> = {
  done: 'green',
  failed: 'red',
  'left-out': 'yellow',
  missed: 'yellow',
  interrupted: 'yellow',
};

export function renderSchedule(status: Pick<Status, 'schedule' | 'readiness'>, look: Look): string {
  const ready = readinessWords(status);
  return [
    ...status.schedule.flatMap((task) => renderTask(task, look)),
    ...(ready === null ? [] : ['', ...hanging('readiness of both nodes: ', harmless(ready), look.columns)]),
  ].join('\n');
}

function renderTask({ name, schedule, next, running, last, made }: TaskView, look: Look): string[] {
  const when = schedule === null ? 'off' : `next ${next === null ? 'never' : minuteOf(next)}   (${schedule})`;
  const indent = ' '.repeat(nameColumns);
  const progress = running?.progress == null ? '' : `, ${running.progress}`;
  const isOther = last !== null && last.at !== made?.at;
  return [
    `${paint(look, 'bold', name.padEnd(nameColumns))}${when}`,
    ...(running === null
      ? []
      : [paint(look, 'cyan', `${indent}under way for ${formatSpan(running.forMs)}${harmless(progress)}`)]),
    ...(made === null ? [] : renderRun(made, look)),
    ...(isOther ? renderRun(last, look) : []),
    ...(made === null && last === null && running === null ? [`${indent}not yet`] : []),
  ];
}

function renderRun({ at, result, message, next, tookMs }: TaskRun, look: Look): string[] {
  const indent = ' '.repeat(nameColumns);
  const took = tookMs === null ? '' : `, took ${formatTook(tookMs)}`;
  const what = message === '' ? '' : `: ${harmless(message)}`;
  const lines = hanging(`${indent}${minuteOf(at)}  `, `${runWord(result)}${took}${what}`, look.columns);
  const toDo =
    next === null || result === 'done' ? [] : hanging(`${indent}next: `, harmless(next), look.columns);
  return [...lines.map((line) => paint(look, colours[result], line)), ...toDo];
}
