// What this node says of itself in its heartbeats.

import { gatewayAnswers, gatewaysToCompare } from './connectivity.ts';
import { isEligible, lanUsable } from './eligibility.ts';
import { reliesOnWatchdog } from './fencing.ts';
import type { GroupReport, HeartbeatContent } from './heartbeat.ts';
import { invitedTo } from './migration.ts';
import { isApart, writesAlone } from './mirror.ts';
import { isStuck } from './operations.ts';
import { isPartDown } from './resource.ts';
import { ownClaim } from './resumption.ts';
import type { GroupState, State } from './state.ts';
import { ledgerGroup } from './state.ts';
import { isOutdated, wantsPeerOutdated } from './storage.ts';

export function ownContent(state: State): HeartbeatContent {
  const remainingMs = state.maintenanceUntil === null ? 0 : Math.max(0, state.maintenanceUntil - state.now);
  return {
    software: state.policy.software,
    configDigest: state.policy.configDigest,
    hears: state.links.map(({ fresh }) => fresh),
    freezeAfterMs: state.policy.timings.freezeAfterMs,
    watchdogMs: reliesOnWatchdog(state) ? (state.policy.watchdog?.timeoutMs ?? null) : null,
    leaving: saysGoodbye(state),
    standby: state.standby,
    maintenanceMinutes: Math.ceil(remainingMs / 60_000),
    lan: gatewayAnswers(state) && state.groups.every((group) => lanUsable(state, group)),
    gateways: gatewaysToCompare(state),
    groups: state.groups.map((group) => reportOf(state, group)),
  };
}

/** Only to a peer that was there, and not before it is on record. */
function saysGoodbye({ leavingSince, maintenanceUntil, leftFrom, persistedRevision }: State): boolean {
  return leavingSince !== null && maintenanceUntil === null && leftFrom > 0 && persistedRevision >= leftFrom;
}

function reportOf(state: State, group: GroupState): GroupReport {
  const { phase } = group;
  const known = ledgerGroup(state.ledger, group.policy.name);
  return {
    name: group.policy.name,
    phase: phase.kind,
    generation: 'generation' in phase ? phase.generation : known.generation,
    owner: known.owner,
    writer: known.writer,
    holdsAddresses: holds(group, 'address'),
    holdsRest: holds(group, 'rest'),
    claim: group.grant === null ? ownClaim(state, group) : null,
    grant: group.grant,
    offer: group.offer !== null,
    willing: isEligible(state, group),
    alone: writesAlone(group),
    apart: isApart(group),
    outdated: isOutdated(group),
    wantsOutdated: wantsPeerOutdated(state, group),
    discarding: group.discards,
    stuck: isStuck(state, group),
    inviting: invitedTo(state, group),
    sole: known.sole || group.soleUntil > state.persistedRevision,
    up: group.resources.filter(({ status }) => status?.kind === 'up').length,
    total: group.resources.length,
    quarantined: group.resources.filter(({ quarantined }) => quarantined !== null).length,
  };
}

/** May a resource of this kind be in use here, or come into use without the peer being asked? */
function holds(group: GroupState, kind: 'address' | 'rest'): boolean {
  const { phase } = group;
  if (phase.kind === 'observing' || phase.kind === 'starting' || phase.kind === 'active') return true;
  if (phase.kind === 'frozen' && kind !== 'address') return true;
  return !isPartDown(group, kind);
}
