// Are the two copies of a group's disks the same? By what both nodes show and say, and by what the witness has on record.

import { isUnwritten } from './migration.ts';
import type { GroupName, MonotonicMs } from './policy.ts';
import type { ResourceState } from './resource.ts';
import { leaseIsValid } from './safeguards.ts';
import type { GroupState, State } from './state.ts';
import { peerReport, putGroup } from './state.ts';

/**
 * A copy counts as the same as the peer's while they are connected, and after that until somebody writes alone. That
 * the peer does, or did, its last words say, unless they were connected after those words.
 */
export function noteLoneWrites(state: State): State {
  let next = state;
  for (const group of state.groups) {
    if (!group.resources.some(({ storage }) => storage !== null)) continue;
    const { name } = group.policy;
    const isPeerAlone = peerReport(state, name)?.alone === true;
    const resources = group.resources.map((resource) => {
      const inSync = isInSync(state, resource, isPeerAlone);
      const aheadSince = resource.aheadSince ?? (goesAheadNow(group, resource) ? state.now : null);
      const isNews = inSync !== resource.inSync || aheadSince !== resource.aheadSince;
      return isNews ? { ...resource, inSync, aheadSince } : resource;
    });
    const seen = { ...group, resources };
    const isNews = resources.some((resource, index) => resource !== group.resources[index]);
    if (isNews) next = putGroup(next, seen);
    if (areKnownInStep(next, seen)) next = withoutMark(next, name);
  }
  return next;
}

/** For so long after a stall of ours, what DRBD showed may be of before it, milliseconds. */
const shownAnewMs = 5000;

/** Somebody has begun to write to a device that nobody did when it was parted from its mirror. */
function goesAheadNow(group: GroupState, resource: ResourceState): boolean {
  const { storage } = resource;
  if (!resource.paired || storage?.role !== 'primary' || storage.connection === 'connected') return false;
  return !isUnwritten(group, resource);
}

/** Two that hear each other, and whose copies are the same, know better than the witness did when it was asked last. */
export function areKnownInStep(state: State, group: GroupState): boolean {
  return state.verdict.kind === 'alive' && bothShowMirror(state, group) && drbdIsInSync(group);
}

/**
 * By what the peer said last and by what is shown here the devices are connected: DRBD itself knows which copy is newer.
 * What only one of the two shows may be of before a cut.
 */
function bothShowMirror(state: State, group: GroupState): boolean {
  const isShownAnew = state.now - (state.stalls.lastAt ?? -Infinity) >= shownAnewMs;
  return isShownAnew && peerReport(state, group.policy.name)?.apart === false && !isApart(group);
}

/** Not every device of the group is shown to be connected. */
export function isApart({ policy, resources }: GroupState): boolean {
  return policy.resources.some(({ id, kind }) => {
    if (kind !== 'drbd') return false;
    const resource = resources.find((other) => other.id === id);
    return resource?.storage?.connection !== 'connected' || resource.aheadSince !== null;
  });
}

function withoutMark(state: State, name: GroupName): State {
  if (!state.lease.peerAlone.includes(name)) return state;
  const peerAlone = state.lease.peerAlone.filter((other) => other !== name);
  return { ...state, lease: { ...state.lease, peerAlone } };
}

function isInSync(
  state: State,
  { inSync, connectedAt, storage }: ResourceState,
  isPeerAlone: boolean,
): boolean {
  if (storage === null) return false;
  if (connectedAt !== null) return !isPeerAlone || connectedAt > (state.peer.lastHeardAt ?? -Infinity);
  return inSync && !isPeerAlone && storage.connection !== 'connected';
}

/**
 * By what the witness said last, the peer has written alone. The goodbye of one that was connected is newer than what was
 * read before it.
 */
export function isMarked(state: State, group: GroupState): boolean {
  const { lease, peer } = state;
  const isOld = (lease.readAt ?? -Infinity) < (peer.lastHeardAt ?? -Infinity);
  return lease.peerAlone.includes(group.policy.name) && !(isOld && hasLeftConnected(state, group));
}

/** The peer has said goodbye, and the devices were connected then by its own word. */
function hasLeftConnected(state: State, { policy }: GroupState): boolean {
  return state.verdict.kind === 'departed' && peerReport(state, policy.name)?.apart === false;
}

/** And just now: a later run of the peer, which nobody here has heard, has had no time to write alone. */
function hasJustLeftInStep(state: State, group: GroupState): boolean {
  const leftMs = state.now - (state.peer.lastHeardAt ?? -Infinity);
  return leftMs < state.policy.timings.deadtimeMs && hasLeftConnected(state, group) && drbdIsInSync(group);
}

const drbdIsInSync = ({ resources }: GroupState) =>
  resources.every(({ storage, inSync }) => storage === null || inSync);

/** Written to here without the mirror, now or since they were last connected. */
export function writesAlone(group: GroupState): boolean {
  return group.resources.some(({ aheadSince }) => aheadSince !== null);
}

/** The peer, or the witness, may know that there are writes here that the peer does not have. */
export function isKnownAhead({ peer, lease }: State, { policy, resources }: GroupState): boolean {
  if (lease.ownAlone.includes(policy.name)) return true;
  return resources.some(
    ({ aheadSince }) => aheadSince !== null && aheadSince <= (peer.contactAt ?? -Infinity),
  );
}

/** DRBD was told that it may write without its mirror; its drivers may not say so themselves. */
export function goesAhead(resource: ResourceState, now: MonotonicMs): ResourceState {
  const { outdatings, aheadSince } = resource;
  return outdatings.length === 0 ? resource : { ...resource, outdatings: [], aheadSince: aheadSince ?? now };
}

/**
 * With a witness, a peer that we do not hear may have gone on alone; the witness says so to whoever has the lease. So
 * without the lease a copy may be the older one for all we know; also one that was last seen connected. A peer that is
 * heard again, and was restarted, may have lost its record of that: unless both show the connection, the witness is
 * asked once.
 */
export function isUnknownToWitness(state: State, group: GroupState): boolean {
  if (state.policy.witness === null || group.dataAccepted || isToldByWitness(state, group)) return false;
  return group.resources.some(({ storage, status }) => storage !== null && status?.kind === 'down');
}

function isToldByWitness(state: State, group: GroupState): boolean {
  switch (state.verdict.kind) {
    case 'alive':
      return bothShowMirror(state, group) || isReadOfPeerRun(state);
    case 'departed':
      return leaseIsValid(state) || hasJustLeftInStep(state, group);
    default:
      return leaseIsValid(state);
  }
}

/** Its start waits for the witness, or for a mirror that both show. */
export function startAwaitsWitness(state: State, group: GroupState): boolean {
  return group.phase.kind === 'starting' && isUnknownToWitness(state, group);
}

/** So it does beside a peer that lives, and the witness has been asked in vain. */
export function isStartHeldUp(state: State, group: GroupState): boolean {
  const { verdict, lease, peer } = state;
  const isAskedInVain = lease.failedAt !== null && lease.failedAt >= peer.runSince;
  return verdict.kind === 'alive' && isAskedInVain && startAwaitsWitness(state, group);
}

/** A peer says what its present run knows; what an earlier one did, it may have lost its record of. */
export function isReadOfPeerRun({ lease, peer }: State): boolean {
  return lease.readAt !== null && lease.readAt >= peer.runSince;
}

/** Can the peer not come to write without hearing first that this node did? Else the witness has to know it. */
export function isVouchedFor({ verdict }: State): boolean {
  const isOff = verdict.kind === 'fenced' && verdict.by !== 'lease';
  return isOff || verdict.kind === 'alive' || verdict.kind === 'departed';
}

/** The witness has recorded that we write alone, and we have the lease: the peer learns it before it can take over. */
export function loneMarkStands(state: State, group: GroupState): boolean {
  return leaseIsValid(state) && state.lease.ownAlone.includes(group.policy.name);
}
