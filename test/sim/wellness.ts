// Rule S10: a host that is well is not powered off. A lost host costs its guests a boot, so what only looks like a loss
// from here, a stall of our own above all, must not cost one.

import {
  type Action,
  type Direction,
  otherSide,
  type Segment,
  type Side,
  sides,
} from '../../daemon/sim/action.ts';
import type { Checker, Context } from './checkers.ts';

const segments: readonly Segment[] = ['dedicated', 'lan'];
const ways = ['in', 'out'] as const;

/** What is wrong between the hosts or with a host, and until when something was. */
function troubles() {
  const cuts = new Map<string, ReadonlySet<'in' | 'out'>>();
  const lossy = new Set<Segment>();
  let isParted = false;
  const cutsOf = (direction: Direction) =>
    new Set(ways.filter((way) => direction === 'both' || way === direction));
  return {
    /** Whether the network was touched. */
    see(action: Action): boolean {
      switch (action.kind) {
        case 'cut':
          cuts.set(`${action.host} ${action.segment}`, cutsOf(action.direction));
          return true;
        case 'mend':
          return cuts.delete(`${action.host} ${action.segment}`);
        case 'partition':
        case 'heal':
          isParted = action.kind === 'partition';
          return true;
        case 'network':
          if (action.loss > 0) lossy.add(action.segment);
          else lossy.delete(action.segment);
          return true;
        default:
          return false;
      }
    },
    /** Do packets of either host reach the other one, on some segment? */
    isWhole: () =>
      !isParted &&
      segments.some(
        (segment) => !lossy.has(segment) && sides.every((side) => !cuts.has(`${side} ${segment}`)),
      ),
  };
}

/**
 * S10. Nobody has the other host powered off, which has had power, stood still at no time, and had a daemon that ran, on a
 * network that was whole, for the deadtime and a little longer; where the asker itself stood still, for as long before
 * that, too. Where packets are lost by chance nothing is judged.
 */
export function nobodyWellPoweredOff({ policy, isLossy, report }: Context): Checker {
  if (policy.fencing === null || isLossy) return { rule: 'S10' };
  const wellMs = policy.timings.deadtimeMs + 2 * policy.timings.keepaliveMs;
  const network = troubles();
  /** When this was no longer so last: the network whole; the host up, its daemon running. */
  let netTroubleAt = -Infinity;
  const troubleAt: Record<Side, number> = { primary: 0, secondary: 0 };
  const stalled: Record<Side, { from: number; until: number }> = {
    primary: { from: -Infinity, until: -Infinity },
    secondary: { from: -Infinity, until: -Infinity },
  };
  const runs: Record<Side, boolean> = { primary: false, secondary: false };
  const isWell = (side: Side, at: number) => {
    const own = stalled[otherSide(side)];
    const since = (at - own.until < wellMs ? own.from : at) - wellMs;
    const theirs = Math.max(troubleAt[side], stalled[side].until);
    return runs[side] && network.isWhole() && Math.max(netTroubleAt, theirs) <= since;
  };
  return {
    rule: 'S10',
    action({ at, action }) {
      if (network.see(action)) netTroubleAt = at;
      if (action.kind !== 'pause-daemon' && action.kind !== 'pause-host') return;
      const { from, until } = stalled[action.host];
      stalled[action.host] = { from: at < until ? from : at, until: Math.max(until, at + action.ms) };
    },
    daemon({ at, side, runs: now }) {
      runs[side] = now;
      troubleAt[side] = at;
    },
    powered({ at, side }) {
      troubleAt[side] = at;
    },
    stepped({ at, side, effects }) {
      if (!effects.some(({ kind }) => kind === 'fence-peer')) return;
      const other = otherSide(side);
      if (isWell(other, at)) report('S10', at, side, `${other} is to be powered off, and is well`);
    },
  };
}
