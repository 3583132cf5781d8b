// Incidents, timelines and replays as lines of text. Pure.

import type { Incident } from '../../incident/list.ts';
import type { Reading } from '../../incident/read.ts';
import type { ReplayResult } from '../../incident/replay.ts';
import type { Clocks, Timeline } from '../../incident/timeline.ts';
import { lengthOf, marks, oneLine, relative, storyOf } from '../../incident/words.ts';
import { severityColours } from '../notes.ts';
import { type Look, padTo, paint } from '../output.ts';
import { formatTime } from '../time.ts';

/** One line each: number, local time, mark, kind, how long, what it was. */
export function renderIncidents(incidents: readonly Incident[], look: Look): readonly string[] {
  if (incidents.length === 0) return ['no incidents: no warning and no alarm since the journal began'];
  const numbers = String(incidents.length).length;
  const lengths = incidents.map(lengthOf);
  const lengthColumns = Math.max(...lengths.map(({ length }) => length));
  const kindColumns = Math.max(...incidents.map(({ kind }) => kind.length));
  return incidents.map(({ number, startedAt, severity, kind, summary }, index) => {
    const what = `${marks[severity]} ${padTo(kind, kindColumns)}  ${padTo(lengths[index] ?? '', lengthColumns)}`;
    const story = paint(look, severityColours[severity], `${what}  ${oneLine(summary)}`);
    return `${String(number).padStart(numbers)}  ${formatTime(startedAt)} ${story}`;
  });
}

/** What of the journal is behind a listing, and what of it could not be read. */
export function renderReading({ first, ...reading }: Reading): readonly string[] {
  return [
    '',
    `the journal of ${first.node} goes back to ${formatTime(first.time)}; \`battito incident show N\` tells one`,
    ...renderDamage(reading),
  ];
}

function renderDamage({ torn, skipped, foreign }: Omit<Reading, 'first'>): readonly string[] {
  return [
    ...(torn > 0 ? [`cut off in the middle of a line, as by a power loss: ${times(torn)}`] : []),
    ...(skipped > 0 ? [`damaged: ${skipped} lines behind an unreadable one were passed over`] : []),
    ...(foreign.length > 0 ? [`not read: what ${foreign.join(', ')} wrote in another format`] : []),
  ];
}

const times = (count: number) => (count === 1 ? 'once' : `${count} times`);

/** Heading, how the clocks were compared, and a line for each entry. */
export function renderTimeline(timeline: Timeline, count: number, look: Look): readonly string[] {
  const { incident, entries, node, peer } = timeline;
  const nodeColumns = Math.max(...entries.map((entry) => entry.node.length), 0);
  const groupColumns = Math.max(...entries.map(({ group }) => group?.length ?? 1), 1);
  const times = entries.map(({ atMs }) => relative(atMs));
  const timeColumns = Math.max(...times.map(({ length }) => length), 0);
  return [
    `incident ${incident.number} of ${count}: ${incident.kind}, ${formatTime(incident.startedAt)}, ${lengthOf(incident)}`,
    oneLine(incident.summary),
    clocksLine(timeline.clocks, node, peer),
    '',
    ...entries.map((entry, index) => {
      const who = padTo(entry.node, nodeColumns);
      const text = `${marks[entry.severity]} ${padTo(entry.group ?? '-', groupColumns)}  ${storyOf(entry)}`;
      const time = (times[index] ?? '').padStart(timeColumns);
      return `${time}  ${who} ${paint(look, severityColours[entry.severity], text)}`;
    }),
  ];
}

function clocksLine(clocks: Clocks, node: string, peer: string): string {
  switch (clocks.kind) {
    case 'own':
      return `as ${node} saw it; \`battito incident export FILE\` on ${peer}, and --peer FILE here, show both`;
    case 'packets':
      return `times of ${node}; clocks aligned within ±${precise(clocks.withinMs)} ms by ${clocks.packets} packets`;
    case 'wall-clocks':
      return `times of ${node}; ${peer} by its wall clock, which may differ: no packets in both journals tell more`;
    case 'no-record':
      return `times of ${node}; ${peer} recorded nothing around that time`;
  }
}

/** Never more places than mean something. */
function precise(ms: number): string {
  return ms < 10 ? (Math.ceil(ms * 100) / 100).toFixed(2) : String(Math.ceil(ms));
}

/** What was run and compared, and the first difference or `identical`. */
export function renderReplay(result: ReplayResult, reading: Reading, version: string): readonly string[] {
  const { difference, software } = result;
  const others = software.filter((name) => name !== version);
  const span =
    result.firstTime === null || result.lastTime === null
      ? ''
      : `, ${formatTime(result.firstTime)} to ${formatTime(result.lastTime)}`;
  const rows: readonly (readonly [string, string])[] = [
    ['journal', `${result.nodes.join(', ')} of cluster ${reading.first.cluster}${span}`],
    ['segments', `${result.segments}; ${comparedStates(result.states)}`],
    ['events', `${result.events}; ${result.refusals} refused packets`],
    ['effects', `${result.effects}, of ${result.compared} events`],
    ['written by', `battito ${software.join(', ')}`],
  ];
  return [
    ...rows.map(([name, value]) => `${padTo(name, 10)}  ${oneLine(value)}`),
    ...renderDamage(reading).map((line) => oneLine(line)),
    ...(others.length > 0
      ? [
          `this is battito ${version}: where it decides otherwise than ${others.join(', ')}, that is no defect in itself`,
        ]
      : []),
    ...renderDifference(difference, reading.skipped),
  ];
}

/** Between two segments the whole state is compared: what a single one lacks without a trace goes unseen. */
function comparedStates(states: number): string {
  return states === 0
    ? 'no whole state to compare: an event that is missing shows only if effects followed from it'
    : `the state compared at the end of ${states}`;
}

function renderDifference(difference: ReplayResult['difference'], skipped: number): readonly string[] {
  if (difference === null) return [skipped === 0 ? 'identical' : 'identical as far as it can be read'];
  const { what, event, eventKind, time, path, expected, got } = difference;
  const where = path === '' ? what : `${what}, at ${path}`;
  return [
    `different from event ${event} on (${eventKind}, ${formatTime(time)}): ${where}`,
    `  expected  ${oneLine(expected)}`,
    `  got       ${oneLine(got)}`,
  ];
}
