// Runs searches, and tells the first broken promise. Loaded only after a defect has been planted, if one is.

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

export function searchIn(setup: Setup, bound: Bound): Report {
  const explored = explore(setup, bound);
  const { breach } = explored;
  // What breaks before the search begins is looked for from the very start, so that it can be told.
  if (breach?.way.length === 0 && setup.beginning === 'steady')
    return searchIn({ ...setup, beginning: 'cold' }, bound);
  const story = breach === null ? [] : tellWay(setup, breach.way, `${breach.rule}: ${breach.message}`);
  return { ...explored, what: setup.what, story };
}
