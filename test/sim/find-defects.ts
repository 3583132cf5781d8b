// What `npm run sim -- --defects` does: looks for planted defects, says where each shows and what it cost to find it.

import { defectNamed, type FirstSearch, knownSearches, rememberSearches } from './defects.ts';
import { type Hunted, huntAll } from './hunt.ts';
import type { CommandLine } from './options.ts';
import { plantedDefects } from './planted.ts';
import { asideOf, print } from './printing.ts';

/** A search that is remembered goes on for so many times the limit. */
const largerTimes = 20;

export async function findDefects(line: CommandLine): Promise<number> {
  const { names, seed = 1, schedules: limit = 20_000, workers, flags } = line;
  const isJson = flags.has('json');
  const remember = flags.has('remember');
  const wanted = names.length === 0 ? plantedDefects : [...new Set(names)].map(defectNamed);
  const say = asideOf(isJson);
  say(`seed ${seed}`);
  const startedAt = performance.now();
  const hunted = await huntAll(wanted, {
    seedFrom: seed,
    limit,
    anewUpTo: remember ? limit * largerTimes : null,
    known: knownSearches(),
    workers,
    onHunted: (one) => {
      say(describeHunted(one, { seed, limit }));
    },
  });
  if (remember) {
    rememberSearches(
      Object.fromEntries(
        hunted.flatMap(({ defect, first }) => (first === null ? [] : [[defect.name, first]])),
      ),
    );
  }
  const missed = hunted.filter((one) => one.catch === null).length;
  const wallSeconds = (performance.now() - startedAt) / 1000;
  if (isJson) print(JSON.stringify({ seed, limit, defects: hunted.map(toJson), missed, wallSeconds }));
  else
    print(
      `${hunted.length - missed} of ${hunted.length} planted defects found in ${wallSeconds.toFixed(1)} s`,
    );
  return missed === 0 ? 0 : 1;
}

function toJson({ defect, catch: caught, isAgain, first }: Hunted) {
  const { name, what } = defect;
  return { defect: name, what, rule: caught?.rule ?? null, seed: caught?.seed ?? null, isAgain, first };
}

/** What was asked for: where the search was to begin, and how many schedules it was to run at the most. */
export interface Asked {
  readonly seed: number;
  readonly limit: number;
}

export function describeHunted(hunted: Hunted, { seed, limit }: Asked): string {
  const { defect, catch: caught, isAgain, first, anew } = hunted;
  const name = defect.name.padEnd(32);
  const within = (count: number, from: number) => `within ${schedulesOf(count)} from seed ${from} on`;
  if (caught === null || first === null) return `${name} NOT FOUND ${within(anew ?? limit, seed)}`;
  const found = `${name} ${caught.rule.padEnd(5)} found`;
  const { from, schedules } = first;
  const larger =
    from !== null && schedules !== null && schedules > limit
      ? `not found ${within(limit, from)}, found in a larger search of ${schedules}`
      : null;
  if (isAgain) {
    const inVain = anew === null ? '' : `, not found anew ${within(anew, seed)}`;
    const where =
      first.scenario === undefined ? `in seed ${caught.seed}` : `in the scenario ${first.scenario}`;
    return `${found} again ${where}${inVain}; ${larger ?? costOf(first)}`;
  }
  const cost = larger === null ? `, after ${schedulesOf(schedules ?? 1)}` : `; ${larger}`;
  return `${found} in seed ${caught.seed}${cost}`;
}

const schedulesOf = (count: number) => (count === 1 ? '1 schedule' : `${count} schedules`);

const costOf = ({ seed, from, schedules }: FirstSearch) =>
  from === null || schedules === null
    ? `known from seed ${seed}; no search was counted`
    : `the first search took ${schedulesOf(schedules)} from seed ${from} on`;
