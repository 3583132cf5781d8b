// Runs searches and says what they found. Loaded only after a defect has been planted, if one is.

import type { Setup } from './model.ts';
import { type Bound, type Explored, explore } from './search.ts';
import { largeSetups, smallSetups } from './setups.ts';
import { tellWay } from './story.ts';

export const sizes = ['small', 'large'] as const;
export type Size = (typeof sizes)[number];

/** For one set-up. The small ones are made so that they end by themselves. */
export const bounds: Readonly<Record<Size, Bound>> = {
  small: { states: 1_000_000, seconds: 120 },
  large: { states: 5_000_000, seconds: 60 },
};

export interface Report extends Explored {
  readonly what: string;
  /** Of the first broken promise. */
  readonly story: readonly string[];
}

export const worldsOf: Readonly<Record<Size, readonly Setup[]>> = { small: smallSetups, large: largeSetups };

/** All worlds of a size, or the one of that name. */
function chosenWorlds(size: Size, only: string | undefined): readonly Setup[] {
  const worlds = worldsOf[size];
  if (only === undefined) return worlds;
  const chosen = worlds.filter(({ name }) => name === only);
  const names = worlds.map(({ name }) => name).join(', ');
  if (chosen.length === 0) throw new Error(`--only names one of the ${size} worlds: ${names}`);
  return chosen;
}

export function searchIn(setup: Setup, bound: Bound): Report {
  const explored = explore(setup, bound);
  const { breach } = explored;
  // What breaks before the search begins is looked for from the very start, so that it can be told.
  if (breach?.way.length === 0 && setup.beginning === 'steady')
    return searchIn({ ...setup, beginning: 'cold' }, bound);
  const story = breach === null ? [] : tellWay(setup, breach.way, `${breach.rule}: ${breach.message}`);
  return { ...explored, what: setup.what, story };
}

function describeReport(report: Report): readonly string[] {
  const { name, what, states, transitions, depth, isComplete, breach, seconds } = report;
  const extent =
    breach === null
      ? isComplete
        ? 'complete'
        : `BOUNDED: all states up to ${depth} moves, and some beyond`
      : 'ended at the first broken promise';
  const found = breach === null ? 'nothing broken' : `BROKEN ${breach.rule}: ${breach.message}`;
  return [
    `${name}: ${what}`,
    `  ${states} states, ${transitions} transitions, ${depth} moves deep, ${extent}; ${found}; ${seconds.toFixed(1)} s`,
    `  ${report.mergesChecked} merged states examined again, ${report.mergesWrong} of them wrongly merged`,
    ...report.story.map((line) => `  ${line}`),
  ];
}

const isSound = ({ breach, mergesWrong }: Report): boolean => breach === null && mergesWrong === 0;

export interface SearchOptions {
  readonly size: Size;
  /** The name of one world. */
  readonly only: string | undefined;
  readonly isJson: boolean;
  readonly print: (text: string) => void;
}

/** Is nothing broken, and were no worlds merged that differ? */
export function searchWorlds({ size, only, isJson, print }: SearchOptions): boolean {
  const reports = chosenWorlds(size, only).map((setup) => {
    const report = searchIn(setup, bounds[size]);
    if (!isJson) for (const line of describeReport(report)) print(line);
    return report;
  });
  if (isJson) print(JSON.stringify({ bound: size, worlds: reports }));
  else describeSum(reports).forEach(print);
  return reports.every(isSound);
}

function describeSum(reports: readonly Report[]): readonly string[] {
  if (reports.length < 2) return [];
  const sum = (one: (report: Report) => number) => reports.reduce((all, report) => all + one(report), 0);
  const complete = reports.filter(({ isComplete }) => isComplete).length;
  return [
    `${sum(({ states }) => states)} states, ${sum(({ transitions }) => transitions)} transitions in ` +
      `${reports.length} worlds, ${complete} of them complete; ${sum(({ seconds }) => seconds).toFixed(1)} s`,
  ];
}
