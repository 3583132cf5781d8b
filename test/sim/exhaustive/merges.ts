// Looks for worlds that were merged wrongly. A world that was taken to be a known one must behave as that one does: the
// known one is made again from the beginning, and both then go the same way, chosen by chance, and are compared at
// every move. A difference that shows only seconds later is found so, too.

import { type Chance, chanceOf } from '../../../daemon/sim/engine.ts';
import { hashWorld } from './canon.ts';
import type { Move } from './codes.ts';
import type { Play } from './effects.ts';
import { moved } from './fields.ts';
import type { World } from './model.ts';
import { apply, movesOf } from './moves.ts';
import type { Hash } from './row.ts';

const followedMoves = 120;

const one: Hash = { low: 0, high: 0 };
const other: Hash = { low: 0, high: 0 };

export interface Merge {
  /** Where the search begins. */
  readonly first: World;
  /** To the known world. */
  readonly way: readonly Move[];
  readonly taken: World;
  readonly seed: number;
}

/** Throws when a field moves that fields.ts takes to stand still. */
export function isRight(play: Play, { first, way, taken, seed }: Merge): boolean {
  for (const { state } of taken.hosts) {
    const [field] = state === null ? [] : moved(state);
    if (field !== undefined) throw new Error(`${field} was to stand still in the small worlds (fields.ts)`);
  }
  const known = way.reduce((world, move) => apply(play, world, move), first);
  return goAlike(play, known, taken, chanceOf(seed, 'merges'));
}

function goAlike(play: Play, known: World, taken: World, chance: Chance): boolean {
  let [a, b] = [known, taken];
  for (let count = 0; count < followedMoves; count += 1) {
    const moves = movesOf(a, play.setup);
    if (!isSame(moves, movesOf(b, play.setup))) return false;
    const move = moves[Math.floor(chance() * moves.length)];
    if (move === undefined) return true;
    const [afterA, afterB] = [attempt(play, a, move), attempt(play, b, move)];
    if (afterA === null || afterB === null) return afterA === afterB;
    [a, b] = [afterA, afterB];
    hashWorld(a, one);
    hashWorld(b, other);
    if (one.low !== other.low || one.high !== other.high) return false;
  }
  return true;
}

const isSame = (some: readonly Move[], others: readonly Move[]): boolean =>
  some.length === others.length && some.every((move, at) => move === others[at]);

/** Null: the core threw, which the search itself finds. */
function attempt(play: Play, world: World, move: Move): World | null {
  try {
    return apply(play, world, move);
  } catch {
    return null;
  }
}
