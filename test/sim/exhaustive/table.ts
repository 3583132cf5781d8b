// The states that a search has met: 64 bits of hash each, and the move that led there, so that the way can be told.

import type { Move } from './codes.ts';
import type { Hash } from './row.ts';

export interface Table {
  /** The state's number; a new one has the next number, which is `count` before the call. */
  readonly add: (hash: Hash, parent: number, move: Move) => number;
  readonly count: () => number;
  readonly wayTo: (id: number) => readonly Move[];
}

export function createTable(most: number): Table {
  const slots = new Int32Array(2 ** Math.ceil(Math.log2(most * 1.6))).fill(-1);
  const mask = slots.length - 1;
  const lows = new Uint32Array(most);
  const highs = new Uint32Array(most);
  const parents = new Int32Array(most);
  const moves = new Uint16Array(most);
  let count = 0;
  return {
    add({ low, high }, parent, move) {
      let slot = low & mask;
      for (let id = slots[slot] as number; id >= 0; id = slots[slot] as number) {
        if (lows[id] === low && highs[id] === high) return id;
        slot = (slot + 1) & mask;
      }
      slots[slot] = count;
      lows[count] = low;
      highs[count] = high;
      parents[count] = parent;
      moves[count] = move;
      count += 1;
      return count - 1;
    },
    count: () => count,
    wayTo(id) {
      const way: Move[] = [];
      for (let at = id; at > 0; at = parents[at] as number) way.unshift(moves[at] as Move);
      return way;
    },
  };
}
