// Agreement between two living nodes about who runs a group: a claim, and the other's grant of exactly that
// claim. Whoever has granted cannot start until it sees that the claim is gone; so two cannot start at once.

import { gatewayAnswers, isPeerNoWorse, peerReachesMore } from './connectivity.ts';
import { lanUsable } from './eligibility.ts';
import type { Facts } from './facts.ts';
import type { Claim, GroupReport } from './heartbeat.ts';
import { writesAlone } from './mirror.ts';
import { isReadFromPeer } from './resource.ts';
import { awaitsWitness } from './resumption.ts';
import type { GroupState, State } from './state.ts';
import { ledgerGroup, peerReport } from './state.ts';
import { isUnmirrored } from './storage.ts';

/** Why the peer is wished to take a group. */
export type OfferReason = 'operator' | 'standby' | 'leave' | 'failback' | 'no-lan' | 'no-disk' | 'outside';

/** An operator's push or pull that was not carried out in this time is forgotten, and said so. */
export const requestPatienceMs = 60_000;

/** The group with its grant renewed, given or ended. */
export function updateGrant(state: State, group: GroupState, facts: Facts): GroupState {
  if (facts.peerGone) return group.grant === null ? group : { ...group, grant: null };
  if (state.verdict.kind !== 'alive' || state.peer.incarnation === null) return group;
  const claim = facts.report?.claim ?? null;
  if (group.grant !== null) {
    const stands = claim?.id === group.grant.claim && state.peer.incarnation === group.grant.incarnation;
    return stands ? group : { ...group, grant: null };
  }
  if (claim === null || !mayGrant(state, group, facts, claim)) return group;
  return { ...group, grant: { incarnation: state.peer.incarnation, claim: claim.id } };
}

function mayGrant(state: State, group: GroupState, facts: Facts, claim: Claim): boolean {
  switch (group.phase.kind) {
    case 'stopped':
    case 'blocked':
      return facts.allDown && !isOld(state, group, facts, claim);
    case 'claiming':
      return facts.allDown && !facts.granted && losesTo(state, group, group.phase.claim, claim);
    case 'active':
      if (facts.inMaintenance || facts.unowned || writesAlone(group)) return false;
      return group.offer !== null || claim.reason === 'operator';
    case 'frozen':
      return (claim.reason === 'operator' && !facts.granted) || bothFroze(group, facts, claim, state);
    default:
      return false;
  }
}

/** Both froze it in the same generation: the preferred node goes on, unless it cannot tell whether it may. */
function bothFroze(group: GroupState, { report }: Facts, claim: Claim, state: State): boolean {
  const { phase } = group;
  const isSameGeneration = phase.kind === 'frozen' && report?.generation === phase.generation;
  const isFirst = group.policy.preferred === state.policy.self && !awaitsWitness(state, group);
  return claim.reason === 'resume' && isSameGeneration && !isFirst;
}

/** What was frozen at the peer is older than what ran here since. */
function isOld(state: State, group: GroupState, { report }: Facts, claim: Claim): boolean {
  const known = ledgerGroup(state.ledger, group.policy.name).generation;
  return claim.reason === 'resume' && report !== null && report.generation < known;
}

/** Of two claims made at once an operator's goes first, then the preferred node's. */
function losesTo(state: State, group: GroupState, own: Claim, other: Claim): boolean {
  const ownIsOperators = own.reason === 'operator';
  const otherIsOperators = other.reason === 'operator';
  if (ownIsOperators !== otherIsOperators) return otherIsOperators;
  return group.policy.preferred !== state.policy.self;
}

/** The group with its offer to the peer made, kept or withdrawn. */
export function updateOffer(state: State, group: GroupState, facts: Facts): GroupState {
  const reason = offerReason(state, group, facts);
  if (reason === null) return group.offer === null ? group : { ...group, offer: null };
  if (group.offer !== null) return group;
  return { ...group, offer: { reason, since: state.now } };
}

function offerReason(state: State, group: GroupState, facts: Facts): OfferReason | null {
  if (group.phase.kind !== 'active' || state.verdict.kind !== 'alive' || facts.inMaintenance) return null;
  const report = peerReport(state, group.policy.name);
  if (report === null || !report.willing || facts.unowned || writesAlone(group)) return null;
  if (state.leavingSince !== null) return 'leave';
  if (group.pushSince !== null) return 'operator';
  const wasUndone = group.takenBack !== null;
  if (wasUndone && state.now - group.since < undonePauseMs) return null;
  if (state.peer.content?.lan === true && lanLostForLong(state, group)) return 'no-lan';
  if (group.resources.some(isReadFromPeer)) return 'no-disk';
  const isWorse = peerReachesMore(state) && state.now - group.since >= gatewayMovePauseMs;
  if (wasUndone) return isWorse && !gatewayAnswers(state) ? 'outside' : null;
  if (state.standby) return 'standby';
  if (isWorse) return 'outside';
  return failbackIsDue(state, group, report) ? 'failback' : null;
}

/** A handover that was undone is tried again by itself only for want of LAN or disk, and not before this is over. */
const undonePauseMs = 300_000;

/** A group does not follow a gateway that comes and goes more often than this. */
const gatewayMovePauseMs = 30_000;

function lanLostForLong(state: State, group: GroupState): boolean {
  if (lanUsable(state, group)) return false;
  const lost = group.policy.interfaces.map((name) => state.carriers[name]).filter((carrier) => !carrier?.up);
  const { warntimeMs } = state.policy.timings;
  return lost.every((carrier) => carrier === undefined || state.now - carrier.since >= warntimeMs);
}

function failbackIsDue(state: State, group: GroupState, report: GroupReport): boolean {
  const { failback, preferred, failbackDelayMs } = group.policy;
  if (failback !== 'automatic' || preferred !== state.policy.peer || report.phase !== 'stopped') return false;
  if (state.peer.content?.lan === false || !isPeerNoWorse(state, failbackDelayMs)) return false;
  return state.peer.aliveSince !== null && state.now - state.peer.aliveSince >= failbackDelayMs;
}

/** A person's word that older data may be used is void once the peer can use its own. */
function peerCanRun(state: State, group: GroupState): boolean {
  const report = peerReport(state, group.policy.name);
  return report === null || report.willing || report.holdsRest;
}

/** The peer has taken over since, and nothing had been moving here any more: what was written here is given up. */
function mayDiscard(state: State, group: GroupState): boolean {
  const isOver = group.phase.kind === 'stopped' && state.verdict.kind === 'alive' && group.frozenInTime;
  return isOver && ledgerGroup(state.ledger, group.policy.name).owner === state.policy.peer;
}

/** What DRBD shows just after a cut may be older than the cut. */
const mirroredAgainMs = 5000;

function isMirroredAgain(state: State, group: GroupState): boolean {
  if (group.phase.kind !== 'stopped' || state.now - group.since < mirroredAgainMs) return false;
  return group.resources.every(({ storage, connectedAt }) => storage === null || connectedAt !== null);
}

/** For so long it is tried to give up what was written here; if DRBD still refuses, a person must look at it. */
const discardPatienceMs = 30_000;

function discardsInVain(state: State, group: GroupState): boolean {
  const { aliveSince } = state.peer;
  if (!group.discards || aliveSince === null || !isUnmirrored(group)) return false;
  return state.now - Math.max(group.discardsSince, aliveSince) > discardPatienceMs;
}

/** By the word of an operator, that is. */
function isStillToGo({ standby }: State, { phase }: GroupState, pushSince: number | null): boolean {
  if (phase.kind === 'stopping') return phase.reason === 'handover';
  return pushSince !== null || (standby && phase.kind !== 'stopped');
}

/** An operator's wish ends when it is fulfilled, too old, or when the node that was to take the group falls silent. */
export function updateWishes(state: State, group: GroupState): GroupState {
  const tooOld = (since: number | null) => since !== null && state.now - since > requestPatienceMs;
  const holds = group.phase.kind === 'starting' || group.phase.kind === 'active';
  const gaveAway = group.phase.kind === 'stopping';
  const pullSince = holds || tooOld(group.pullSince) ? null : group.pullSince;
  const isHeard = state.verdict.kind === 'alive' || state.verdict.kind === 'late';
  const pushSince = gaveAway || !isHeard || tooOld(group.pushSince) ? null : group.pushSince;
  const handoverBy = isStillToGo(state, group, pushSince) ? group.handoverBy : null;
  const dataAccepted = group.dataAccepted && !(state.verdict.kind === 'alive' && peerCanRun(state, group));
  const isMirrored = isMirroredAgain(state, group);
  const isOver = isMirrored || discardsInVain(state, group);
  const discards = !isOver && (group.discards || mayDiscard(state, group));
  const frozenInTime = group.frozenInTime && !isOver;
  const isSame =
    pullSince === group.pullSince &&
    pushSince === group.pushSince &&
    handoverBy === group.handoverBy &&
    dataAccepted === group.dataAccepted &&
    discards === group.discards &&
    frozenInTime === group.frozenInTime;
  if (isSame) return group;
  const discardsSince = discards && !group.discards ? state.now : group.discardsSince;
  const wishes = { pullSince, pushSince, handoverBy, dataAccepted };
  return { ...group, ...wishes, discards, discardsSince, frozenInTime };
}
