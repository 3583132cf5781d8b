// What has happened: notes since the start of the daemon as counters; the last moves and drills, which the history keeps
// over restarts, as times and durations. What never happened, or is no longer kept, has no sample.

import type { HistoryEntry } from '../../control/api.ts';
import { transitions } from '../../core/transitions.ts';
import { counter, type Family, gauge, type Point, seconds } from '../family.ts';
import type { MetricsSource } from '../metrics.ts';
import { severities } from './attention.ts';

/** What begins and ends a move here, by the ids of the transition table. */
const moves = { takeover: 'take-over', start: 'started', stop: 'stopped', freeze: 'freeze' } as const;
const timed: readonly string[] = ['start', 'stop'];

const drills = ['fence', 'handover', 'takeover'] as const;
type Drill = (typeof drills)[number];
type Result = 'success' | 'failure';

export function historyFamilies({ status, history, noteCounts }: MetricsSource): readonly Family[] {
  const groups = status.groups.map(({ name }) => name);
  const lastMoves = groups.flatMap((group) =>
    Object.entries(moves).flatMap(([move, code]) => {
      const note = history.findLast((each) => each.group === group && each.code === code);
      return note === undefined ? [] : [{ labels: { group, move }, note }];
    }),
  );
  const lastDrills = drills.flatMap((drill) =>
    (['success', 'failure'] as const).flatMap((result) => {
      const note = history.findLast((each) => drillOf(each) === drill && resultOf(each) === result);
      return note === undefined ? [] : [{ labels: { drill, result }, note }];
    }),
  );
  return [
    counter('battito_notes_total', 'Notes in the history since the daemon started, by severity.', [
      ...severities.map(
        (severity) => [{ severity }, sum(noteCounts.filter((each) => each.severity === severity))] as const,
      ),
    ]),
    counter(
      'battito_group_transitions_total',
      'Changes of phase of the group on this node since the daemon started, by the rule that made them.',
      groups.flatMap((group) =>
        rules.map(
          (rule): Point => [
            { group, rule },
            sum(noteCounts.filter((each) => each.group === group && each.code === rule)),
          ],
        ),
      ),
    ),
    counter(
      'battito_operations_total',
      'Operations on parts of the group that ended on this node since the daemon started.',
      groups.flatMap((group) =>
        ['done', 'failed'].map(
          (result): Point => [
            { group, result },
            sum(noteCounts.filter((each) => each.group === group && each.code === `operation-${result}`)),
          ],
        ),
      ),
    ),
    gauge(
      'battito_group_last_move_timestamp_seconds',
      'When the group was last taken over from a peer that was gone, started, stopped or frozen here.',
      lastMoves.map(({ labels, note }) => [labels, timeOf(note)]),
    ),
    gauge(
      'battito_group_last_move_duration_seconds',
      'How long the last start and the last stop here took, from the first step to the last.',
      lastMoves
        .filter(({ labels }) => timed.includes(labels.move))
        .map(({ labels, note }) => [labels, seconds(note.tookMs)]),
    ),
    gauge(
      'battito_drill_last_timestamp_seconds',
      'When a drill last ended so on this node.',
      lastDrills.map(({ labels, note }) => [labels, timeOf(note)]),
    ),
    gauge(
      'battito_drill_last_duration_seconds',
      'How long that drill took.',
      lastDrills.map(({ labels, note }) => [labels, seconds(note.tookMs)]),
    ),
  ];
}

/** A group that is blocked is noted by what blocks it, not by the rule. */
const rules = transitions.map(({ id }) => id).filter((id) => id !== 'block');

const sum = (counts: readonly { readonly count: number }[]) =>
  counts.reduce((total, { count }) => total + count, 0);

const timeOf = ({ time }: HistoryEntry) => Date.parse(time) / 1000;

/** A scheduled drill says its kind in its message, one that was made by hand in its code. */
function drillOf({ code, message }: HistoryEntry): Drill | null {
  const scheduled = code === 'drill-done' || code === 'drill-failed';
  const said = scheduled ? /\((\w+)\)/.exec(message)?.[1] : /^(\w+)-drill$/.exec(code)?.[1];
  return drills.find((drill) => drill === said) ?? null;
}

/** Null: it was only begun. */
function resultOf({ code, severity, message, tookMs }: HistoryEntry): Result | null {
  if (code === 'drill-failed' || message.includes('drill failed')) return 'failure';
  if (code === 'drill-done' || tookMs !== null) return 'success';
  return code === 'fence-drill' ? (severity === 'info' ? 'success' : 'failure') : null;
}
