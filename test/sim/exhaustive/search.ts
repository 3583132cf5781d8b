// An explicit-state search through the small world, breadth first: every order in which things can happen, with the
// real core on both hosts. The first broken promise is the one with the fewest moves.

import { hashWorld } from './canon.ts';
import type { Move } from './codes.ts';
import { guestRunsTwice, type Play, replayChanges } from './effects.ts';
import { beginning } from './lead-in.ts';
import { isRight } from './merges.ts';
import { hostIndexes, names, type Setup, type World } from './model.ts';
import { apply, movesOf } from './moves.ts';
import type { Hash } from './row.ts';
import { createTable, type Table } from './table.ts';

export interface Bound {
  readonly states: number;
  /** Of computing, for one set-up. */
  readonly seconds: number;
}

export interface Broken {
  readonly rule: 'S1' | 'S5' | 'S6' | 'crash';
  readonly message: string;
}

export interface Breach extends Broken {
  /** From the beginning. */
  readonly way: readonly Move[];
}

export interface Explored {
  readonly name: string;
  readonly states: number;
  readonly transitions: number;
  /** Moves from the beginning to the farthest states all of whose successors are known. */
  readonly depth: number;
  /** Nothing is left to explore. */
  readonly isComplete: boolean;
  readonly breach: Breach | null;
  /** Pairs taken to be the same that were examined again, and how many of them were not. */
  readonly mergesChecked: number;
  readonly mergesWrong: number;
  readonly seconds: number;
}

interface Search {
  readonly play: Play;
  readonly table: Table;
  readonly bound: Bound;
  readonly from: number;
  /** Where it begins; null: not there yet. */
  first: World | null;
  transitions: number;
  breach: Breach | null;
  merges: number;
  checked: number;
  wrong: number;
}

interface Layer {
  readonly worlds: World[];
  readonly ids: number[];
}

const hash: Hash = { low: 0, high: 0 };
/** Of the worlds that are taken to be a known state, one in so many is examined again (merges.ts). */
const checkedEvery = 256;

export function explore(setup: Setup, bound: Bound): Explored {
  const search = newSearch({ setup, listen: null }, bound);
  let layer = firstLayer(search);
  let depth = 0;
  while (layer.worlds.length > 0 && !isOver(search)) {
    const next = expandLayer(search, layer);
    if (next === null) break;
    depth += 1;
    layer = next;
  }
  return {
    name: setup.name,
    states: search.table.count(),
    transitions: search.transitions,
    depth,
    isComplete: search.breach === null && layer.worlds.length === 0,
    breach: search.breach,
    mergesChecked: search.checked,
    mergesWrong: search.wrong,
    seconds: (performance.now() - search.from) / 1000,
  };
}

/** The way to the beginning may be broken already. */
function firstLayer(search: Search): Layer {
  try {
    const first = beginning(search.play.setup);
    search.first = first;
    hashWorld(first, hash);
    search.table.add(hash, 0, 0);
    return { worlds: [first], ids: [0] };
  } catch (error) {
    search.breach = { ...asBroken(error), way: [] };
    return { worlds: [], ids: [] };
  }
}

function newSearch(play: Play, bound: Bound): Search {
  return {
    play,
    table: createTable(bound.states + 1000),
    bound,
    from: performance.now(),
    first: null,
    transitions: 0,
    breach: null,
    merges: 0,
    checked: 0,
    wrong: 0,
  };
}

function isOver({ breach, table, bound, from }: Search): boolean {
  if (breach !== null || table.count() >= bound.states) return true;
  return performance.now() - from >= bound.seconds * 1000;
}

/** Null: given up in the middle. */
function expandLayer(search: Search, { worlds, ids }: Layer): Layer | null {
  const next: Layer = { worlds: [], ids: [] };
  const copies = worlds as Array<World | undefined>;
  for (let at = 0; at < worlds.length; at += 1) {
    if ((at & 255) === 0 ? isOver(search) : search.table.count() >= search.bound.states) return null;
    expand(search, worlds[at] as World, ids[at] as number, next);
    if (search.breach !== null) return null;
    copies[at] = undefined;
  }
  return next;
}

function expand(search: Search, world: World, id: number, next: Layer): void {
  const { table, play } = search;
  for (const move of movesOf(world, play.setup)) {
    search.transitions += 1;
    const after = attempt(search, world, id, move);
    if (after === null) return;
    hashWorld(after, hash);
    const known = table.count();
    const found = table.add(hash, id, move);
    if (found < known) {
      search.merges += 1;
      if (search.merges % checkedEvery === 0) checkMerge(search, after, found);
      continue;
    }
    const broken = brokenIn(world, after);
    if (broken !== null) {
      search.breach = { ...broken, way: table.wayTo(found) };
      return;
    }
    next.worlds.push(after);
    next.ids.push(found);
  }
}

/** Null: the core threw, or asked for what it may not ask for. */
function attempt(search: Search, world: World, id: number, move: Move): World | null {
  try {
    return apply(search.play, world, move);
  } catch (error) {
    search.breach = { ...asBroken(error), way: [...search.table.wayTo(id), move] };
    return null;
  }
}

export function asBroken(error: unknown): Broken {
  const message = error instanceof Error ? error.message : String(error);
  const rule = (['S5', 'S6'] as const).find((one) => message.startsWith(`${one}: `));
  return rule === undefined ? { rule: 'crash', message } : { rule, message: message.slice(4) };
}

/** What is wrong in this state and was not looked for in the one before. */
export function brokenIn(before: World, after: World): Broken | null {
  if (guestRunsTwice(after)) return { rule: 'S1', message: 'the guest runs on both hosts' };
  for (const index of hostIndexes) {
    if (before.hosts[index] === after.hosts[index] || !replayChanges(after, index)) continue;
    return { rule: 'S6', message: `a packet delivered twice to ${names[index]} changes something` };
  }
  return null;
}

function checkMerge(search: Search, taken: World, id: number): void {
  const { first, play, table, merges } = search;
  if (first === null) return;
  search.checked += 1;
  if (!isRight(play, { first, way: table.wayTo(id), taken, seed: merges })) search.wrong += 1;
}
