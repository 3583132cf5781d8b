// May this node run a group, as far as it is concerned itself: its network, its data, its state file, its watchdog.

import type { GroupState, State } from './state.ts';
import { ledgerGroup } from './state.ts';
import { isPromotable } from './storage.ts';
import { hasCarrier } from './verdict.ts';

/** Carrier on every interface that the group needs. A gateway is evidence, and a reason to move, but no condition. */
export function lanUsable(state: State, group: GroupState): boolean {
  return hasCarrier(state, group.policy.interfaces);
}

export function isEligible(state: State, group: GroupState, ifPeerWereOff = false): boolean {
  const isWilling = !state.standby && state.leavingSince === null && state.maintenanceUntil === null;
  return isWilling && canRun(state) && lanUsable(state, group) && dataUsable(state, group, ifPeerWereOff);
}

/** Can every device of the group be promoted here with the data it has, or is it already? */
export function dataUsable(state: State, group: GroupState, ifPeerWereOff = false): boolean {
  return group.policy.resources.every(({ id, kind }) => {
    if (kind !== 'drbd') return true;
    const resource = group.resources.find((other) => other.id === id);
    return (
      resource !== undefined &&
      (resource.status?.kind !== 'down' || isPromotable(state, group, resource, ifPeerWereOff))
    );
  });
}

/**
 * A node that has not met its peer since it started goes by its ledger: it may start a group that it owned while the
 * peer was known to be gone. Otherwise the peer may have written later; also when there is no record at all.
 */
export function dataProven(state: State, group: GroupState): boolean {
  if (state.peer.met || group.dataAccepted) return true;
  const { owner, sole } = ledgerGroup(state.ledger, group.policy.name);
  return owner === state.policy.self && sole;
}

function canRun({ ledgerFailing, watchdog }: State): boolean {
  return ledgerFailing === null && watchdog.lastError === null;
}
