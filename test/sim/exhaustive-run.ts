// Runs searches and says what they found. Loaded only after a defect has been planted, if one is.

import type { Setup } from './exhaustive-model.ts';
import { type Bound, type Explored, explore } from './exhaustive-search.ts';
import { largeSetups, smallSetups } from './exhaustive-setups.ts';
import { tellWay } from './exhaustive-story.ts';

export type Size = 'small' | 'large';

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

export const setupsOf = (size: Size): readonly Setup[] => (size === 'small' ? smallSetups : largeSetups);

export function searchIn(setup: Setup, bound: Bound): Report {
  const explored = explore(setup, bound);
  const { breach } = explored;
  // What breaks before the search begins is looked for from the very start, so that it can be told.
  if (breach?.way.length === 0 && setup.beginning === 'steady')
    return searchIn({ ...setup, beginning: 'cold' }, bound);
  const story = breach === null ? [] : tellWay(setup, breach.way, `${breach.rule}: ${breach.message}`);
  return { ...explored, what: setup.what, story };
}

export function describeReport(report: Report): readonly string[] {
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

export const isSound = ({ breach, mergesWrong }: Report): boolean => breach === null && mergesWrong === 0;
