// Which of the two nodes does what one alone has to do: the one that runs the first group by name, as both see it. Pure.

import type { Status } from '../control/api.ts';
import type { Turn } from './task.ts';

const firstOf = ({ groups }: Status) => groups.toSorted((a, b) => (a.name < b.name ? -1 : 1))[0];

/** Null: it is ours. With nobody running anything, both do it: better twice than never. */
export function leftToPeer(status: Status): { readonly message: string; readonly next: string } | null {
  const first = firstOf(status);
  const { peer } = status;
  if (first === undefined || first.runsOn !== peer.name) return null;
  return {
    message: `left to ${peer.name}, which runs ${first.name}`,
    next: `on ${peer.name}: battito schedule`,
  };
}

export function leadTurn(status: Status): Turn {
  const left = leftToPeer(status);
  return left === null ? { mine: true, obstacle: null } : { mine: false, ...left };
}
