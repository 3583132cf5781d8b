// One mail a week: how long groups were up, what happened, and how well the next failure would be met. Pure.

import type { Attention, GapsView, HistoryEntry } from '../control/api.ts';
import type { Readiness, TaskRun } from '../control/schedule.ts';
import { transitions } from '../core/transitions.ts';
import { formatSpan, formatTime } from '../incident/time.ts';
import { marks, oneLine } from '../incident/words.ts';
import type { Message } from './message.ts';
import { facts, plain, render, section, type Teller, whatNow } from './story.ts';

export interface WeekFacts {
  readonly nowMs: number;
  readonly groups: readonly {
    readonly name: string;
    readonly runsOn: string | null;
    readonly upMs: number;
    readonly downMs: number;
    readonly outages: number;
    readonly longestMs: number;
  }[];
  /** Oldest first. */
  readonly history: readonly HistoryEntry[];
  /** How tasks went last, by what they are called. */
  readonly tasks: readonly { readonly name: string; readonly made: TaskRun | null }[];
  readonly readiness: Readiness | null;
  readonly gaps: GapsView;
  readonly deadtimeMs: number;
  readonly attention: readonly Attention[];
}

const weekMs = 7 * 24 * 3_600_000;
const listedMax = 10;

const takeovers: ReadonlySet<string> = new Set(
  transitions.filter(({ from, to }) => from === 'stopped' && to === 'starting').map(({ id }) => id),
);

export function tellSummary(teller: Teller, id: string, week: WeekFacts): Message {
  const from = week.nowMs - weekMs;
  const entries = week.history.filter(({ time }) => Date.parse(time) >= from);
  const moved = entries.filter(({ code, severity }) => takeovers.has(code) && severity !== 'info');
  const alarms = entries.filter(({ severity }) => severity === 'alarm');
  const warnings = entries.filter(({ severity }) => severity === 'warning').length;
  const up = week.groups.map((group) => `${group.name} ${percentOf(group)}`).join(', ');
  const ready = readyWords(week.readiness);
  const summary = `the week: ${up}; ${countOf(moved.length, 'takeover')}, ${countOf(alarms.length, 'alarm')}; ${ready}`;
  const since = new Date(from).toISOString();
  const oldest = week.history[0];
  const isWhole = oldest === undefined || Date.parse(oldest.time) <= from || week.history.length < 1000;
  const text = [
    summary,
    '',
    ...facts(teller, [
      ['from', formatTime(since)],
      ['to', formatTime(new Date(week.nowMs).toISOString())],
      ['warnings', String(warnings)],
      ...(isWhole
        ? []
        : ([['notes', `only since ${formatTime(oldest.time)}: there were too many`]] as const)),
    ]),
    ...indented('Groups', week.groups.map(groupLine)),
    ...indented(`Takeovers by ${teller.node} (${moved.length})`, listed(moved)),
    ...indented(`Alarms (${alarms.length})`, listed(alarms)),
    ...indented('Tested', week.tasks.map(taskLine)),
    ...indented(`Readiness (${ready})`, lossLines(week.readiness)),
    ...indented('Deadtime', gapLines(week)),
    ...whatNow(week.attention),
    '',
    `On ${teller.node}: battito status; battito schedule`,
  ];
  return {
    ...plain(teller, id, 'summary', '', summary, []),
    // For those who hear of warnings, too: nobody is woken by it.
    rank: 'warning',
    startedAt: since,
    durationMs: weekMs,
    text: render(text),
    attention: [...week.attention],
  };
}

const indented = (title: string, lines: readonly string[]) =>
  section(
    title,
    lines.map((line) => `  ${line}`),
  );

const countOf = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;

function percentOf({ upMs, downMs }: WeekFacts['groups'][number]): string {
  const seenMs = upMs + downMs;
  if (seenMs === 0) return 'not seen';
  if (downMs === 0) return '100 %';
  // Never rounded up to all of it.
  return `${(Math.floor((upMs / seenMs) * 100_000) / 1000).toFixed(3)} %`;
}

function groupLine(group: WeekFacts['groups'][number]): string {
  const { name, runsOn, upMs, downMs, outages, longestMs } = group;
  const where = runsOn === null ? 'runs nowhere now' : `on ${runsOn} now`;
  const seen = formatSpan(upMs + downMs);
  const spells = `down for ${formatSpan(downMs)} in all, ${countOf(outages, 'time')}, the longest ${formatSpan(longestMs)}`;
  // A host that boots finds its group down: that is no outage that anybody saw begin.
  const atStart = `not up for ${formatSpan(downMs)} when its daemon had started`;
  const down = downMs === 0 ? 'never down' : outages === 0 ? atStart : spells;
  return `${name}: up ${percentOf(group)} of the ${seen} that were watched; ${down}; ${where}`;
}

function listed(entries: readonly HistoryEntry[]): readonly string[] {
  const shown = entries.slice(-listedMax);
  const left = entries.length - shown.length;
  return [
    ...(left > 0 ? [`(${left} earlier ones: battito history --limit 1000)`] : []),
    ...shown.map(
      ({ time, severity, group, message }) =>
        `${formatTime(time).slice(0, 19)}  ${marks[severity]} ${group === null ? '' : `${group}: `}${oneLine(message)}`,
    ),
  ];
}

function taskLine({ name, made }: WeekFacts['tasks'][number]): string {
  if (made === null) return `${name}: never yet`;
  const next = made.result === 'failed' && made.next !== null ? `; next: ${oneLine(made.next)}` : '';
  const what = made.message === '' ? made.result : `${made.result}, ${oneLine(made.message)}`;
  return `${name}: ${formatTime(made.at).slice(0, 16)}, ${what}${next}`;
}

function readyWords(readiness: Readiness | null): string {
  if (readiness === null) return 'readiness was not checked yet';
  return `${readiness.ready ? 'ready' : 'NOT READY'} for a takeover, ${readiness.score} of 100`;
}

function lossLines(readiness: Readiness | null): readonly string[] {
  if (readiness === null) return ['battito check'];
  if (readiness.losses.length === 0) return ['nothing was found'];
  return readiness.losses
    .slice(0, listedMax)
    .map(
      ({ node, area, message, mend, points }) =>
        `-${points}  ${node === null ? '' : `${node}: `}${area}: ${oneLine(message)}${mend === null ? '' : `; mend: ${oneLine(mend)}`}`,
    );
}

function gapLines({ gaps, deadtimeMs }: WeekFacts): readonly string[] {
  const heard = gaps.links.filter(({ count }) => count > 0);
  if (heard.length === 0) return ['too few heartbeats were heard to say whether it fits'];
  return heard.map(({ name, largestMs }) => {
    const times = (deadtimeMs / Math.max(1, largestMs)).toFixed(1);
    return `${name}: the longest gap was ${largestMs} ms; deadtime ${formatSpan(deadtimeMs)} is ${times} times that`;
  });
}
