// The rule about how guests go in a handover (S11): as the operator wants it, where he says so.

import type { OperatorRequest } from '../../daemon/core/events.ts';
import type { GroupName, HandoverMode } from '../../daemon/core/policy.ts';
import type { State } from '../../daemon/core/state.ts';
import { type Side, sides } from '../../daemon/sim/action.ts';
import type { Checker, Context, TraceOf } from './checkers.ts';

/** What the word forbids: a guest that cannot go as it is to goes by one that comes later, never by one before. */
const forbidden: Readonly<Record<HandoverMode, readonly string[]>> = {
  live: [],
  save: ['migrate'],
  shutdown: ['migrate', 'save'],
};

/** With these the handover that was asked for is over, or will not come. */
const endings: ReadonlySet<string> = new Set(['stopped', 'take-back', 'request-expired']);

/**
 * S11. A guest is not moved while it runs, nor saved, in a handover for which the operator has said that it should not be.
 * Judged from his word, which the daemon has accepted for a group that it runs, until the group has gone, the daemon has, or
 * the peer falls silent.
 */
export function wishesHeeded({ report }: Context): Checker {
  const wishes: Record<Side, Map<GroupName, HandoverMode>> = { primary: new Map(), secondary: new Map() };
  const forget = () => {
    for (const side of sides) wishes[side].clear();
  };
  return {
    rule: 'S11',
    hostsChanged: forget,
    daemon({ side }) {
      wishes[side].clear();
    },
    stepped({ side, event, before, effects }) {
      if (event.kind !== 'operator-requested') return;
      const isAccepted = effects.some(
        (effect) => effect.kind === 'answer-request' && effect.answer.kind === 'accepted',
      );
      if (isAccepted) hear(wishes[side], event.request, before);
    },
    note({ side, note: { code, group } }) {
      if (group !== null && endings.has(code)) wishes[side].delete(group);
      if (code.startsWith('peer-') && code !== 'peer-alive') wishes[side].clear();
    },
    operation({ at, side, group, resource, action, outcome }: TraceOf<'operation'>) {
      const wish = wishes[side].get(group);
      if (outcome !== 'started' || wish === undefined || !forbidden[wish].includes(action)) return;
      report('S11', at, side, `${action} ${resource}, though the operator wants ${wish}`);
    },
  };
}

function hear(
  wishes: Map<GroupName, HandoverMode>,
  request: OperatorRequest,
  { groups, standby }: State,
): void {
  if (request.kind !== 'handover' && request.kind !== 'standby') return;
  if (request.kind === 'standby' && request.on === standby) return;
  for (const { policy, phase } of groups) {
    const { name } = policy;
    if (request.kind === 'handover' && request.groups.length > 0 && !request.groups.includes(name)) continue;
    const holds = phase.kind === 'active' || phase.kind === 'starting';
    if (request.kind === 'handover' && !holds) continue;
    if (holds && request.guests !== undefined) wishes.set(name, request.guests);
    else wishes.delete(name);
  }
}
