// What is true of a group right now, in the words that the transition table uses. Derived, never stored.

import { dataProven, dataUsable, isEligible, lanUsable } from './eligibility.ts';
import type { ClaimReason, GroupReport } from './heartbeat.ts';
import { contactAgeMs, echoIsFresh, isUnheard, silenceMs } from './membership.ts';
import { hasUserAhead } from './migration.ts';
import { isUnknownToWitness } from './mirror.ts';
import { isStuck } from './operations.ts';
import { isSettled } from './outcomes.ts';
import type { NodeName } from './policy.ts';
import { tierOf } from './policy.ts';
import { isDown, isInUse, isPartDown, ofKinds } from './resource.ts';
import { isSuperseded, ownClaim } from './resumption.ts';
import { cannotStart, isLeftToPeer, leaseHasSettled, leaseIsValid } from './safeguards.ts';
import type { GroupState, Obstacle, State, VerdictKind } from './state.ts';
import { ledgerGroup, peerReport, stopsAtOnce } from './state.ts';
import { isCutOff, mayMissReturn } from './verdict.ts';

export interface Facts {
  readonly verdict: VerdictKind;
  /** What the peer last said of this group; null: never heard. */
  readonly report: GroupReport | null;
  readonly peerMayHoldAddresses: boolean;
  readonly peerMayHoldRest: boolean;
  /** The peer, alive, has it frozen. */
  readonly peerFrozen: boolean;
  /** Nothing of the group can be in use at the peer, and the peer cannot start it: it is gone. */
  readonly peerGone: boolean;
  /** The peer, alive, holds the group with a better right than ours. */
  readonly outranked: boolean;
  /** Frozen here, and the peer, alive, knows of a later generation, or the witness that it ran or may have run there since. */
  readonly superseded: boolean;
  /** This node may run the group, as far as it is concerned itself. */
  readonly eligible: boolean;
  readonly inMaintenance: boolean;
  /** Of two living nodes, this one should run a group that nobody runs. */
  readonly chosen: boolean;
  /** The peer has granted our present claim, and lately. */
  readonly granted: boolean;
  /** What this node would ask for the group for. */
  readonly claimReason: ClaimReason;
  /** It is asking for another reason. */
  readonly claimIsStale: boolean;
  /** We have granted the peer a claim that it still holds. */
  readonly grantOutstanding: boolean;
  readonly offeredToUs: boolean;
  readonly pulled: boolean;
  readonly mustFreeze: boolean;
  /** The daemon is to stop, and the peer cannot take the group. */
  readonly mustLeaveAlone: boolean;
  /** It was to be handed over, and this node / the peer, alive, cannot let go of it. */
  readonly stuck: boolean;
  readonly peerStuck: boolean;
  /** The peer has promoted its disks since this node did. */
  readonly peerWrote: boolean;
  /** Nothing but addresses has been brought up here. */
  readonly restDown: boolean;
  /** Stopping, and in no hurry: a handover, or a daemon that leaves. */
  readonly stopsInOrder: boolean;
  /** The generation that it needs on disk before a guest starts could not be written, or the watchdog not be armed. */
  readonly cannotStart: boolean;
  /** A device that the group needs may not be promoted here with the data it has, and nothing of it is. */
  readonly dataUnusable: boolean;
  /** Somebody vouches for the peer being off: itself, an operator, a device, a lease. */
  readonly peerProvenOff: boolean;
  /** The lease is ours again, and nobody else has had it since this node froze. */
  readonly leaseRegained: boolean;
  /** Frozen by a node that counted on its peer being away, and the witness, which knows better, has not answered since. */
  readonly leaseUnread: boolean;
  /** Running here, but by no right that the ledger knows. */
  readonly unowned: boolean;
  /** Why nobody may start the group here although the peer does not run it as far as we know. */
  readonly obstacle: Obstacle | null;
  /** Of each it was told whether it runs. */
  readonly allObserved: boolean;
  /** Of each something was told, if only that it cannot be told whether it runs. */
  readonly allLookedAt: boolean;
  readonly anyUp: boolean;
  /** At the daemon's start: a guest or a disk of the group is in use here; of a group of addresses, an address. */
  readonly isRunning: boolean;
  readonly anyPaused: boolean;
  readonly allDown: boolean;
  /** Every resource is up, or given up, or keeps failing and is tried again for ever. */
  readonly settled: boolean;
  readonly ledgerFrozen: boolean;
}

/** Not before the peer has frozen by its own times, which may differ from ours while a change is under way. */
function takeoverAfter(state: State): number {
  const { takeoverAfterMs, keepaliveMs, deadtimeMs } = state.policy.timings;
  const peerFreezesMs = state.peer.content?.freezeAfterMs ?? 0;
  return Math.max(takeoverAfterMs, peerFreezesMs + keepaliveMs + deadtimeMs / 20);
}

/** The peer has shown, or somebody has vouched, or all evidence says for long enough, that it runs nothing. */
function isPeerGone(state: State): boolean {
  const { kind } = state.verdict;
  if (kind === 'departed' || kind === 'fenced') return true;
  if (kind !== 'dead' || isLeftToPeer(state) || peerInMaintenance(state) || tierOf(state.policy) === 'fenced')
    return false;
  if (state.policy.witness !== null && !leaseHasSettled(state)) return false;
  const takeoverAfterMs = takeoverAfter(state);
  const isolatedAt = state.peer.isolatedAt ?? -Infinity;
  return silenceMs(state) >= takeoverAfterMs && state.now - isolatedAt >= takeoverAfterMs;
}

export function peerInMaintenance(state: State): boolean {
  return state.peerMaintenanceUntil !== null && state.now < state.peerMaintenanceUntil;
}

/** Whoever held it last by the later record; else the preferred node. Same answer on both nodes. */
function lastOwner(state: State, group: GroupState, report: GroupReport): NodeName {
  const own = ledgerGroup(state.ledger, group.policy.name);
  const { preferred } = group.policy;
  if (own.generation !== report.generation) {
    return (own.generation > report.generation ? own.owner : report.owner) ?? preferred;
  }
  if (own.owner === null || report.owner === null) return own.owner ?? report.owner ?? preferred;
  return own.owner === report.owner ? own.owner : preferred;
}

function isChosen(state: State, group: GroupState, report: GroupReport): boolean {
  if (!report.willing) return true;
  const { self, peer } = state.policy;
  const owner = lastOwner(state, group, report);
  return owner === self || (owner !== peer && group.policy.preferred === self);
}

/** Who runs it goes before who is frozen, unless it is known to be older. */
function isOutranked(state: State, group: GroupState, report: GroupReport | null): boolean {
  if (report === null || !('generation' in group.phase) || state.verdict.kind !== 'alive') return false;
  const own = group.phase.generation;
  if (report.phase === 'frozen') {
    return own > 0 ? report.generation > own : isOlderThanFrozen(state, group);
  }
  if (report.phase !== 'starting' && report.phase !== 'active') return false;
  const isFirst = group.phase.kind !== 'frozen' && group.policy.preferred === state.policy.self;
  return report.generation > own || (report.generation === own && !isFirst);
}

/**
 * What runs here without a right is the older one where our own record names the peer as the owner. With a witness it is
 * not gone by the record, which may be an old one: the witness tells the frozen node of later writes. But disks that are
 * left promoted, of which nobody here makes use, are no reason to discard what is only frozen there.
 */
function isOlderThanFrozen({ policy, ledger }: State, group: GroupState): boolean {
  if (policy.witness !== null) return !hasUsers(group);
  return ledgerGroup(ledger, group.policy.name).owner === policy.peer;
}

/** Does anything here work with the disks of the group? Of a group of disks and addresses alone nobody can tell. */
function hasUsers(group: GroupState): boolean {
  const users = ofKinds(group, ['guest', 'filesystem']);
  return users.length === 0 || users.some(({ status }) => isInUse(status?.kind));
}

function findObstacle(state: State, group: GroupState): Obstacle | null {
  const { kind } = state.verdict;
  if (kind === 'late' || kind === 'listening') return null;
  if (kind === 'alive') return neitherCanRun(state, group) ? ownObstacle(state, group) : null;
  if (peerInMaintenance(state) && kind !== 'fenced' && kind !== 'departed') return 'peer-in-maintenance';
  if (kind === 'isolated') return 'isolated';
  const isFencedTier = tierOf(state.policy) === 'fenced';
  if (kind === 'dead' && isLeftToPeer(state) && state.policy.fencing === null) return 'left-to-peer';
  if (kind === 'unresponsive' && !isFencedTier) return 'peer-unresponsive';
  if (kind === 'dead' && state.peer.lostWhileIsolated && !isFencedTier) return 'isolated';
  const own = ownObstacle(state, group);
  if (own !== null) return own;
  const isAway = kind === 'fenced' || kind === 'departed';
  if (isAway && isUnknowable(state, group)) return 'unknown-data';
  return unprovenOff(state);
}

/** What keeps this node itself from running the group, if nobody wants that. */
function ownObstacle(state: State, group: GroupState): Obstacle | null {
  const wouldRun = !state.standby && state.leavingSince === null && state.maintenanceUntil === null;
  if (wouldRun && !lanUsable(state, group)) return 'no-lan';
  if (wouldRun && state.watchdog.lastError !== null) return 'no-watchdog';
  if (state.verdict.kind !== 'alive' && !dataProven(state, group)) return 'unproven-data';
  const canBePoweredOff = state.policy.fencing !== null && state.verdict.kind !== 'alive';
  return dataUsable(state, group, canBePoweredOff) ? null : 'outdated-data';
}

/** Both live, nobody runs it, and the peer cannot either. */
function neitherCanRun(state: State, group: GroupState): boolean {
  const report = peerReport(state, group.policy.name);
  return report !== null && !report.willing && !report.holdsRest && !report.holdsAddresses;
}

/** A silent peer that is not proven off: said only once it has been tried. */
function unprovenOff({ verdict, fence, lease, policy }: State): Obstacle | null {
  if (verdict.kind === 'fenced' || verdict.kind === 'departed') return null;
  if (policy.fencing !== null) return fence.lastError === null ? null : 'not-fenced';
  return lease.lastError === null ? null : 'no-lease';
}

function mustFreeze(state: State, group: GroupState): boolean {
  const { witness } = state.policy;
  if (witness !== null) return !hasRight(state) && contactAgeMs(state) >= state.policy.timings.warntimeMs;
  if (tierOf(state.policy) === 'fenced') return false; // Who is to take over powers this node off first.
  const { kind } = state.verdict;
  if (kind === 'fenced' || kind === 'departed') return false;
  if (ledgerGroup(state.ledger, group.policy.name).sole) return false;
  return isUnheard(state) && isCutOff(state);
}

/**
 * With a witness: may this node run anything at this moment? While the peer has news of us it will not take over;
 * nor while the lease is ours; nor when somebody vouches for it being off, and its return would be seen.
 */
export function hasRight(state: State): boolean {
  const { verdict, peer, policy } = state;
  if (leaseIsValid(state)) return true;
  if (verdict.kind === 'fenced' && verdict.by === 'operator') return true;
  const isAway = verdict.kind === 'departed' || (verdict.kind === 'fenced' && verdict.by === 'device');
  if (isAway && !mayMissReturn(state)) return true;
  return peer.contactAt !== null && contactAgeMs(state) < policy.timings.freezeAfterMs;
}

/** How long a departing node waits for a willing peer to take a group it is offered. */
const offerPatienceMs = 10_000;

function mustLeaveAlone(state: State, group: GroupState, report: GroupReport | null): boolean {
  const { kind } = state.verdict;
  if (state.leavingSince === null || kind === 'late' || kind === 'listening') return false;
  const taker = kind === 'alive' && report?.willing === true;
  // What is frozen is not offered: it goes on first, if the peer agrees.
  if (taker && group.phase.kind === 'frozen') return state.now - state.leavingSince > offerPatienceMs;
  return !taker || (group.offer !== null && state.now - group.offer.since > offerPatienceMs);
}

/** In maintenance nothing is touched; but the peer must have read that, or it may take over from a node cut off. */
function handsOff(state: State, freezes: boolean): boolean {
  return state.maintenanceUntil !== null && (!freezes || isLeftAlone(state));
}

/**
 * The peer has read that this node is in maintenance, or cannot act. With a witness a peer that is away may come back
 * unseen and be lent the lease, so only an operator's word for it being off is enough.
 */
export function isLeftAlone(state: State): boolean {
  const { echo } = state.peer;
  const isRead =
    state.maintenanceSequence !== null &&
    echo?.incarnation === state.incarnation &&
    echo.sequence >= state.maintenanceSequence;
  return isRead || cannotAct(state);
}

/** The peer is away, and stays so as far as anybody can tell. */
export function cannotAct({ verdict, policy }: State): boolean {
  if (verdict.kind !== 'departed' && verdict.kind !== 'fenced') return false;
  return policy.witness === null || (verdict.kind === 'fenced' && verdict.by === 'operator');
}

function isUnreadSince({ policy, lease, verdictSince }: State, { phase, since }: GroupState): boolean {
  const wasVouchedFor = verdictSince <= since;
  return (
    policy.witness !== null && phase.kind === 'frozen' && wasVouchedFor && (lease.readAt ?? -Infinity) < since
  );
}

function isRunning(group: GroupState): boolean {
  const others = ofKinds(group, ['guest', 'filesystem', 'drbd']);
  const counted = others.length === 0 ? group.resources : others;
  return counted.some(({ status }) => isInUse(status?.kind));
}

function hasPeerWritten({ policy, ledger }: State, group: GroupState, report: GroupReport | null): boolean {
  return ledgerGroup(ledger, group.policy.name).writer === policy.peer || report?.writer === policy.peer;
}

/** A promotion under way cannot be taken back, so it is carried through. */
function isDataUnusable(state: State, group: GroupState): boolean {
  if (group.resources.some(({ storage, operation }) => storage !== null && operation !== null)) return false;
  if (hasGuestAhead(group)) return false;
  // A peer that lives would ask in vain, too.
  const isHeard = state.verdict.kind === 'alive' || state.verdict.kind === 'late';
  return (!isHeard && isUnknowable(state, group)) || !dataUsable(state, group);
}

/** Only the witness could say whether the data here are the newest, and has not lent its lease. */
function isUnknowable(state: State, group: GroupState): boolean {
  return isUnknownToWitness(state, group) && state.lease.lastError !== null;
}

/** A guest that came while it ran is here already; those that have not come wait for their data. */
const hasGuestAhead = (group: GroupState) =>
  group.resources.some(({ id, status }) => status?.kind === 'up' && hasUserAhead(group, id));

export function factsOf(state: State, group: GroupState): Facts {
  const report = peerReport(state, group.policy.name);
  const peerGone = isPeerGone(state);
  const { wasOff } = state.peer;
  const eligible = isEligible(state, group);
  const freezes = mustFreeze(state, group);
  const alive = state.verdict.kind === 'alive';
  const claim = ownClaim(state, group);
  const statuses = group.resources.map(({ status }) => status?.kind);
  const offeredToUs = alive && report?.offer === true;
  const pulled = group.pullSince !== null;
  const claimReason = pulled ? 'operator' : offeredToUs ? 'offered' : 'nobody-runs-it';
  return {
    verdict: state.verdict.kind,
    report,
    peerMayHoldAddresses: !peerGone && !wasOff && (report === null || report.holdsAddresses),
    peerMayHoldRest: !peerGone && !wasOff && (report === null || report.holdsRest),
    peerGone,
    outranked: isOutranked(state, group, report),
    eligible,
    inMaintenance: handsOff(state, freezes),
    chosen: alive && report !== null && isChosen(state, group, report),
    granted:
      alive &&
      claim !== null &&
      report?.grant?.incarnation === state.incarnation &&
      report.grant.claim === claim.id &&
      echoIsFresh(state),
    grantOutstanding: group.grant !== null,
    superseded: alive && isSuperseded(state, group, report),
    offeredToUs,
    pulled,
    claimReason,
    claimIsStale: group.phase.kind === 'claiming' && group.phase.claim.reason !== claimReason,
    mustFreeze: freezes,
    mustLeaveAlone: mustLeaveAlone(state, group, report),
    stuck: isStuck(state, group),
    peerStuck: alive && report?.stuck === true,
    peerWrote: hasPeerWritten(state, group, report),
    restDown: isPartDown(group, 'rest'),
    stopsInOrder: group.phase.kind === 'stopping' && !stopsAtOnce[group.phase.reason],
    cannotStart: cannotStart(state, group),
    dataUnusable: group.phase.kind === 'starting' && isDataUnusable(state, group),
    leaseRegained: group.phase.kind === 'frozen' && leaseIsValid(state) && state.lease.unbroken,
    leaseUnread: isUnreadSince(state, group),
    peerProvenOff: peerGone && (state.verdict.kind !== 'dead' || state.policy.witness !== null),
    unowned: group.phase.kind === 'active' && group.phase.generation === 0,
    obstacle: findObstacle(state, group),
    allObserved: statuses.every((kind) => kind !== undefined && kind !== 'unknown'),
    anyUp: statuses.some(isInUse),
    peerFrozen: alive && report?.phase === 'frozen',
    allLookedAt: statuses.every((kind) => kind !== undefined),
    isRunning: group.phase.kind === 'observing' && isRunning(group),
    anyPaused: statuses.includes('paused'),
    allDown: group.resources.every(isDown),
    settled: group.resources.every((resource) => isSettled(group, resource)),
    ledgerFrozen: ledgerGroup(state.ledger, group.policy.name).frozen,
  };
}
