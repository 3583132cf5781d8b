// Runs stories with several seeds and sums up what they came to. The same situation, durations and seeds give the same
// report.

import { tierOf } from '../core/policy.ts';
import type { Side } from '../sim/action.ts';
import { formatTimedAction } from '../sim/action-text.ts';
import { type Durations, median } from './durations.ts';
import { beginningOf, type GroupEnd, groupEnds, newNotices, noticesOf, type ResourceEnd } from './outcome.ts';
import type {
  Ending,
  GroupOutcome,
  Notice,
  Range,
  ResourceOutcome,
  ScenarioReport,
  TimelineEntry,
  WhatIfReport,
} from './report.ts';
import { runToRest } from './rest.ts';
import type { Scenario } from './scenarios.ts';
import type { Situation } from './situation.ts';
import { setStage } from './stage.ts';
import { shortVerdictOf, verdictOf } from './words.ts';

export interface Question {
  readonly situation: Situation;
  readonly durations: Durations;
  readonly seeds: readonly number[];
  readonly scenarios: readonly Scenario[];
  /** What needs a person already now. */
  readonly notices: readonly Notice[];
}

interface Run {
  readonly groups: readonly GroupEnd[];
  readonly notices: readonly Notice[];
  readonly atRest: boolean;
  readonly timeline: readonly TimelineEntry[];
  readonly differences: readonly string[];
  /** What comes of it when `host`, which has it by then, loses its power. */
  readonly second: { readonly host: Side; readonly groups: readonly GroupEnd[] } | null;
}

/** Short waits between two events that are asked for at the same time. */
const marginMs = 10;

export function explore(question: Question): WhatIfReport {
  const { situation, durations, seeds, notices } = question;
  const told = question.scenarios.map((scenario) => {
    const runs = seeds.map((seed) => runOnce(situation, durations, scenario, seed));
    return {
      report: reportOf(situation, scenario, runs),
      differences: runs.flatMap((run) => run.differences),
    };
  });
  const { names, self, holders } = situation;
  const nameOf = (side: Side | null) => (side === null ? null : names[side]);
  return {
    basis: {
      kind: situation.kind,
      seeds,
      durations: durations.sources,
      assumptions: situation.assumptions,
      differences: [...new Set(told.flatMap(({ differences }) => differences))],
    },
    nodes: [names.primary, names.secondary],
    self: nameOf(self),
    now: {
      summary: summaryOf(situation),
      groups: holders.map(({ name, on }) => ({ name, on: nameOf(on) })),
      notices,
    },
    scenarios: told.map(({ report }) => report),
  };
}

function summaryOf({ names, holders, lost, expected }: Situation): string {
  const frozen = expected.flatMap(({ groups }) => groups.filter(({ phase }) => phase === 'frozen'));
  const isPaused = (name: string) => frozen.some((group) => group.name === name);
  const where = holders.map(({ name, on }) =>
    on === null
      ? `${name} runs nowhere`
      : on === lost?.side
        ? lastKnown(name, names[on])
        : `${name} is ${isPaused(name) ? 'paused ' : ''}on ${names[on]}`,
  );
  const peer = lost === null ? 'both nodes are heard' : `${names[lost.side]} ${lostWords[lost.how]}`;
  return `${where.join(', ')}; ${peer}`;
}

const lastKnown = (name: string, node: string) => `${name} was last on ${node}`;

const lostWords = {
  power: 'is gone',
  daemon: 'is silent, but its host answers',
  left: 'has stopped its daemon',
  'cut-off': 'cannot be judged, since this node is cut off',
} as const;

function runOnce(situation: Situation, durations: Durations, scenario: Scenario, seed: number): Run {
  const stage = setStage(situation, durations, seed);
  const { world, recording, differences } = stage;
  const beginning = beginningOf(situation, stage);
  const { atMs } = beginning;
  const measuredMs = atMs + (scenario.measuredFrom?.atMs ?? scenario.faults[0]?.atMs ?? 0);
  for (const { atMs: laterMs, action } of scenario.faults) world.at(atMs + laterMs, action);
  world.run(Math.max(0, ...scenario.faults.map((fault) => fault.atMs)) + marginMs);
  const atRest = runToRest(stage, situation);
  const groups = groupEnds(situation, stage, beginning, measuredMs);
  const notices = newNotices(noticesOf(situation, world), beginning.notices);
  const timeline = recording.entries(atMs).map((entry) => ({ ...entry, atMs: entry.atMs - atMs }));
  let second: Run['second'] = null;
  const between = beginningOf(situation, stage);
  const holder = between.groups.find(({ on }) => on !== null)?.on ?? null;
  if (scenario.isDegrading && holder !== null) {
    world.apply({ kind: 'power-loss', host: holder });
    runToRest(stage, situation);
    second = { host: holder, groups: groupEnds(situation, stage, between, between.atMs) };
  }
  return { groups, notices, atRest, timeline, differences, second };
}

function reportOf(situation: Situation, scenario: Scenario, runs: readonly Run[]): ScenarioReport {
  const byEnd = Map.groupBy(runs, (run) => signatureOf(run.groups));
  const endings = [...byEnd.values()]
    .toSorted((a, b) => b.length - a.length)
    .map((alike) => endingOf(situation, alike));
  const [ending, ...otherEndings] = endings;
  if (ending === undefined) throw new Error('a scenario needs at least one run');
  const seconds = runs.flatMap(({ second }) => (second === null ? [] : [second]));
  return {
    id: scenario.id,
    title: scenario.title,
    faults: scenario.faults.map((fault) => formatTimedAction(fault, situation.names)),
    measuredFrom: scenario.measuredFrom?.what ?? (scenario.faults.length > 1 ? 'the first of them' : null),
    ending,
    otherEndings,
    secondFault: secondOf(situation, seconds),
    timeline: runs[0]?.timeline ?? [],
  };
}

function secondOf(
  { names, policies }: Situation,
  seconds: readonly NonNullable<Run['second']>[],
): ScenarioReport['secondFault'] {
  const alike = Map.groupBy(seconds, ({ host, groups }) => host + signatureOf(groups));
  const [most] = [...alike.values()].toSorted((a, b) => b.length - a.length);
  const host = most?.[0]?.host;
  if (most === undefined || host === undefined) return null;
  const verdict = shortVerdictOf(mergeGroups(most.map(({ groups }) => groups)), tierOf(policies.primary));
  return { title: `if ${names[host]} then loses power`, verdict };
}

/** Runs that differ in nothing but times have the same. */
function signatureOf(groups: readonly GroupEnd[]): string {
  return JSON.stringify(
    groups.map(({ fate, from, to, addresses, guests, hindrances, doubledMs, overlapMs }) => [
      [fate, from, to, doubledMs > 0, overlapMs > 0],
      [...addresses, ...guests].map(({ isUp, untouched }) => [isUp, untouched]),
      hindrances.map(({ node, code }) => [node, code]),
    ]),
  );
}

function endingOf({ policies }: Situation, runs: readonly Run[]): Ending {
  const groups = mergeGroups(runs.map((run) => run.groups));
  return {
    verdict: verdictOf(groups, tierOf(policies.primary)),
    groups,
    notices: runs[0]?.notices ?? [],
    runs: runs.length,
    atRest: runs.every(({ atRest }) => atRest),
  };
}

function mergeGroups(runs: readonly (readonly GroupEnd[])[]): readonly GroupOutcome[] {
  const [first = []] = runs;
  return first.map((group, index) => {
    const all = runs.flatMap((groups) => groups[index] ?? []);
    const { takenAfterMs: _time, doubledMs: _doubled, overlapMs: _overlap, ...rest } = group;
    const positive = (ms: number) => (ms > 0 ? ms : null);
    return {
      ...rest,
      doubledFor: rangeOf(all.map(({ doubledMs }) => positive(doubledMs))),
      overlapFor: rangeOf(all.map(({ overlapMs }) => positive(overlapMs))),
      takenAfter: rangeOf(all.map(({ takenAfterMs }) => takenAfterMs)),
      addresses: mergeResources(all.map(({ addresses }) => addresses)),
      guests: mergeResources(all.map(({ guests }) => guests)),
    };
  });
}

function mergeResources(runs: readonly (readonly ResourceEnd[])[]): readonly ResourceOutcome[] {
  const [first = []] = runs;
  return first.map(({ backAfterMs: _time, ...rest }, index) => ({
    ...rest,
    backAfter: rangeOf(runs.map((ends) => ends[index]?.backAfterMs ?? null)),
  }));
}

function rangeOf(values: readonly (number | null)[]): Range | null {
  const known = values.flatMap((value) => (value === null ? [] : [Math.round(value)]));
  if (known.length === 0) return null;
  return { lowMs: Math.min(...known), middleMs: Math.round(median(known)), highMs: Math.max(...known) };
}
