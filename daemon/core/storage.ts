// A DRBD device as the core sees it, and what may be done with its data. Nothing but up-to-date data is used
// without a person saying so.

import type { Disk, OutdatingAnswer, ResourceAction, ResourceStatus, StorageStatus } from './events.ts';
import type { Facts } from './facts.ts';
import { contactAgeMs } from './membership.ts';
import { isMarked, loneMarkStands, writesAlone } from './mirror.ts';
import type { MonotonicMs } from './policy.ts';
import { isReadFromPeer, type ResourceState } from './resource.ts';
import { leaseHasSettled } from './safeguards.ts';
import type { GroupState, State } from './state.ts';
import { ledgerGroup, peerReport } from './state.ts';

const statusOf: Readonly<Record<StorageStatus['role'], (storage: StorageStatus) => ResourceStatus>> = {
  primary: ({ suspended }) => ({ kind: suspended === 'user' ? 'paused' : 'up' }),
  secondary: () => ({ kind: 'down' }),
  unknown: () => ({ kind: 'unknown', message: 'DRBD does not say which role it has' }),
};

/** What a device is as a resource of its group: promoted is up, and held back by us is paused. */
export function storageAsResource(storage: StorageStatus): ResourceStatus {
  return statusOf[storage.role](storage);
}

/** Devices of the group that are not connected to their mirror. */
const unmirrored = (group: GroupState) =>
  group.resources.filter(({ storage }) => storage !== null && storage.connection !== 'connected');

export function isUnmirrored(group: GroupState): boolean {
  return unmirrored(group).length > 0;
}

/** Every device that is not connected is marked here as the older copy. */
export function isOutdated(group: GroupState): boolean {
  const apart = unmirrored(group);
  return apart.length > 0 && apart.every(({ storage }) => storage !== null && isOlder(storage.disk));
}

const isOlder = (disk: Disk) => disk === 'outdated' || disk === 'inconsistent' || disk === 'diskless';

/** May the device be promoted here, with the data that it has; or might it, if the peer were proven off? */
export function isPromotable(
  state: State,
  group: GroupState,
  resource: ResourceState,
  ifPeerWereOff = false,
): boolean {
  const { storage, inSync } = resource;
  if (storage === null) return false;
  if (group.dataAccepted) return storage.disk !== 'diskless' && storage.disk !== 'unknown';
  const isNewest = wroteLast(state, group) && isCorroborated(state, group, resource);
  switch (storage.disk) {
    case 'up-to-date':
      return isNewest || (inSync && !isMarked(state, group));
    case 'consistent':
      return isNewest && (ifPeerWereOff || peerCannotWrite(state, group));
    default:
      return false;
  }
}

/** Its disk has failed while a part of its group is promoted: DRBD goes on with the peer's copy, as it does for that part. */
export function goesOnByPeer({ resources }: GroupState, resource: ResourceState): boolean {
  return resources.some(({ storage }) => storage?.role === 'primary') && isReadFromPeer(resource);
}

/**
 * Does anything but the two nodes' records say that this one wrote last? The peer's may be an old one. While it lives, its
 * daemon marks its copy as the older one. Once it is away, it must have been connected since this daemon started, or
 * have been away ever since this node owns the group. A witness knows who wrote alone.
 */
function isCorroborated(state: State, group: GroupState, { inSync }: ResourceState): boolean {
  const { policy, verdict, ledger } = state;
  const isAway = verdict.kind !== 'listening' && verdict.kind !== 'alive' && verdict.kind !== 'late';
  if (!isAway || policy.witness !== null) return true;
  return inSync || ledgerGroup(ledger, group.policy.name).sole;
}

function wroteLast(state: State, group: GroupState): boolean {
  const { writer } = ledgerGroup(state.ledger, group.policy.name);
  return writer === state.policy.self && !state.lease.peerAlone.includes(group.policy.name);
}

function peerCannotWrite(state: State, group: GroupState): boolean {
  const { verdict } = state;
  if (verdict.kind === 'alive') return peerReport(state, group.policy.name)?.outdated === true;
  if (verdict.kind === 'fenced' && verdict.by !== 'lease') return true;
  // What a peer without the lease has written alone, the witness would say.
  return (verdict.kind === 'fenced' || verdict.kind === 'dead') && leaseHasSettled(state);
}

/**
 * DRBD holds its IO back, or would, until it is told of the peer's copy; it may have asked while no daemon ran. Without a
 * disk of its own it would have nothing to go on with: the peer's copy is all there is. Nor is it known to have one before
 * it was looked at, and its handler may ask first.
 */
export function isHeldBack({ outdatings, storage }: ResourceState): boolean {
  if (storage === null || storage.disk === 'diskless') return false;
  return outdatings.length > 0 || storage.suspended === 'fencing';
}

/** This node has the newest data and cannot use them before the peer's copy is marked as the older one. */
export function wantsPeerOutdated(state: State, group: GroupState): boolean {
  return group.resources.some(isHeldBack) || hasOnlyConsistent(state, group);
}

/**
 * Does the group write without its mirror, once that is safe? Also what is given away, so that its guests can end, while
 * the peer is there to say that its copy is the older one. What is frozen, or loses, is to write nothing more.
 */
export function goesOnAlone({ verdict }: State, { phase }: GroupState): boolean {
  if (phase.kind === 'stopping') return phase.reason === 'handover' && verdict.kind === 'alive';
  return phase.kind === 'starting' || phase.kind === 'active';
}

/** What DRBD may be told of the peer's copy; null: nothing is proven, its IO stays frozen. */
export function outdatingAnswer(state: State, group: GroupState, peerGone: boolean): OutdatingAnswer | null {
  const { verdict } = state;
  switch (verdict.kind) {
    case 'listening':
    case 'late':
      return null;
    case 'alive': {
      const isNews = contactAgeMs(state) < state.policy.timings.warntimeMs;
      return isNews && peerReport(state, group.policy.name)?.outdated === true ? 'outdated' : null;
    }
    case 'departed':
      return 'unreachable';
    case 'fenced':
      return verdict.by === 'lease' ? answerByLease(state, group) : 'fenced';
    case 'dead':
      return state.policy.witness === null && peerGone ? 'unreachable' : answerByLease(state, group);
    default:
      return loneMarkStands(state, group) ? 'unreachable' : null;
  }
}

function answerByLease(state: State, group: GroupState): OutdatingAnswer | null {
  if (!loneMarkStands(state, group)) return null;
  return hasOnlyConsistent(state, group) ? 'fenced' : 'unreachable';
}

/** The newest data, in a copy that DRBD takes for usable only when its peer is known to be off. */
function hasOnlyConsistent(state: State, group: GroupState): boolean {
  return wroteLast(state, group) && unmirrored(group).some(({ storage }) => storage?.disk === 'consistent');
}

/** What is to be done to a device besides bringing it to what its group's phase wants; null: nothing. */
export function storageAction(
  state: State,
  group: GroupState,
  resource: ResourceState,
  facts: Facts,
): ResourceAction | null {
  const { storage, status, outdatings } = resource;
  if (storage === null || storage.connection === 'connected') return null;
  const { phase } = group;
  const isWanted = facts.report?.discarding === true || isReconnectDue(resource, state.now);
  const reconnects = storage.connection === 'standalone' && isWanted;
  const mayConnect = facts.verdict === 'alive' && reconnects;
  if (phase.kind === 'active' || phase.kind === 'starting') {
    const isUnasked = phase.kind === 'active' && storage.suspended === 'fencing' && outdatings.length === 0;
    if (isUnasked && outdatingAnswer(state, group, facts.peerGone) !== null) return 'resume';
    // Also one that cannot be promoted yet: it waits for what the peer wrote to it.
    return mayConnect && (status?.kind === 'up' || status?.kind === 'down') ? 'connect' : null;
  }
  // What its guests wait for before they can end: a handover goes on with a mirror again.
  if (phase.kind === 'stopping') return mayConnect && status?.kind === 'up' ? 'connect' : null;
  const isIdle = phase.kind === 'stopped' || phase.kind === 'blocked' || phase.kind === 'claiming';
  if (!isIdle || status?.kind !== 'down' || facts.verdict !== 'alive') return null;
  const isUsable = storage.disk === 'up-to-date' || storage.disk === 'consistent';
  const wants = facts.report?.wantsOutdated === true && isUsable;
  if (wants && (group.discards || mayBeOutdated(state, group))) return 'outdate';
  if (group.discards) return 'discard';
  return reconnects ? 'connect' : null;
}

/** The peer has the newest data, or owns the group now and has all that was written here. */
function mayBeOutdated(state: State, group: GroupState): boolean {
  const { owner, writer } = ledgerGroup(state.ledger, group.policy.name);
  return !writesAlone(group) && (writer === state.policy.peer || owner === state.policy.peer);
}

const standalonePatienceMs = 1000;
/** A connection that was given up for no lasting reason comes back; where copies have parted DRBD refuses again. */
const reconnectAfterMs = 20_000;
const reconnectAfterMsMax = 600_000;

function isReconnectDue({ standaloneSince, reconnects }: ResourceState, now: MonotonicMs): boolean {
  const afterMs = Math.min(reconnectAfterMs * 2 ** reconnects, reconnectAfterMsMax);
  return standaloneSince !== null && now - standaloneSince >= afterMs;
}

/** DRBD has given the connection up, and not because of something that is under way here. */
export function isSplit({ standaloneSince, operation }: ResourceState, now: MonotonicMs): boolean {
  return standaloneSince !== null && operation === null && now - standaloneSince >= standalonePatienceMs;
}

/** The state once a device has been seen, and the discarding of its changes has come to its end. */
export function observeStorage(
  resource: ResourceState,
  storage: StorageStatus,
  now: MonotonicMs,
  isIdle: boolean,
): ResourceState {
  const isHeard = storage.connection === 'connected';
  const isSame = isHeard && storage.disk === 'up-to-date';
  const isPrimary = !isIdle && (storage.role === 'primary' || resource.storage?.role === 'primary');
  return {
    ...resource,
    storage,
    connectedAt: isSame ? (resource.connectedAt ?? now) : null,
    aheadSince: isHeard ? null : (resource.aheadSince ?? (isPrimary ? now : null)),
    standaloneSince: storage.connection === 'standalone' ? (resource.standaloneSince ?? now) : null,
    reconnects: isHeard ? 0 : resource.reconnects,
    splitTold: resource.splitTold && !isHeard,
    outdatings: isHeard ? [] : resource.outdatings,
  };
}
