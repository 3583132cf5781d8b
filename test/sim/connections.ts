// Rule S12: a group that is moved because the other node reaches more gateways.

import type { GroupName } from '../../daemon/core/policy.ts';
import type { GroupState } from '../../daemon/core/state.ts';
import type { Side } from '../../daemon/sim/action.ts';
import type { Checker, Context } from './checkers.ts';

/** Deadtimes for which the other node must have said that it reaches more, without a gap. */
const steadyDeadtimes = 10;
/** The same of a node that reaches none at all, milliseconds: as long as either may be behind the other with the news. */
const noneMs = 8000;
/** Between two such moves of one group, milliseconds. */
const pauseMs = 25_000;

const isOffered = (group: GroupState | undefined) => group?.offer?.reason === 'outside';

/** By what each node says of itself, and hears of the other one. */
export function movesSeldom({ policy, report }: Context): Checker {
  const betterSince: Record<Side, number | null> = { primary: null, secondary: null };
  const goneAt = new Map<GroupName, number>();
  const steadyMs = steadyDeadtimes * policy.timings.deadtimeMs;
  return {
    rule: 'S12',
    stepped({ at, side, before, after }) {
      const [own, other] = [after.sentContent?.gateways ?? null, after.peer.content?.gateways ?? null];
      const isBetter = own !== null && other !== null && other > own;
      betterSince[side] = isBetter ? (betterSince[side] ?? at) : null;
      if (before.groups === after.groups) return;
      after.groups.forEach((group, index) => {
        const { name } = group.policy;
        const was = before.groups[index];
        const hasGone = group.phase.kind === 'stopping' && was?.phase.kind === 'active' && isOffered(was);
        if (hasGone) goneAt.set(name, at);
        if (!isOffered(group) || isOffered(was)) return;
        const betterMs = at - (betterSince[side] ?? at);
        if (betterMs < (own === 0 ? Math.min(noneMs, steadyMs) : steadyMs))
          report('S12', at, side, `${name} is offered after ${Math.round(betterMs)} ms of fewer gateways`);
        const lastMs = at - (goneAt.get(name) ?? -Infinity);
        if (lastMs < pauseMs)
          report('S12', at, side, `${name} is offered again after ${Math.round(lastMs)} ms`);
      });
    },
  };
}
