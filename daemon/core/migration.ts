// Guests that go to the peer while they run. For that their device is primary on both nodes for a while, which the giver
// invites to and DRBD is told to allow only then; docs/decisions/0015-live-migration.md has the argument.

import type { ResourceAction, StorageStatus } from './events.ts';
import type { Facts } from './facts.ts';
import { withoutMemory } from './guests.ts';
import type { GroupPolicy, ResourceId, ResourcePolicy } from './policy.ts';
import { isDown, isReadFromPeer, type ResourceState } from './resource.ts';
import type { GroupState, State } from './state.ts';
import { ledgerGroup, peerReport } from './state.ts';
import { wayOf } from './ways.ts';

/** How long the giver waits for its peer to promote the devices, before the guests go another way. */
const invitationMs = 10_000;

const usersOf = (group: GroupPolicy, id: ResourceId) =>
  group.resources.filter(({ needs }) => needs.includes(id));

const isDevice = (group: GroupPolicy, id: ResourceId) =>
  group.resources.some((one) => one.id === id && one.kind === 'drbd');

/** Those that nobody else stands on. What two share would be written to on both nodes. */
const ownDevices = (group: GroupPolicy, { needs }: ResourcePolicy) =>
  needs.filter((id) => isDevice(group, id) && usersOf(group, id).length === 1);

/**
 * It could go while it runs, whether or not it is to: its disks are devices of its own. A file system that it stands on,
 * with what is under that, is for its saved memory.
 */
function isLive(group: GroupPolicy, policy: ResourcePolicy): boolean {
  const { guest, needs } = policy;
  if (guest === undefined || guest.migrateMs === null) return false;
  const own = ownDevices(group, policy);
  const isUnderMount = (id: ResourceId) => usersOf(group, id).some(({ kind }) => kind === 'filesystem');
  return own.length > 0 && needs.every((id) => own.includes(id) || !isDevice(group, id) || isUnderMount(id));
}

/** The guest that the device is all for, where that could go while it runs. */
function liveGuestOn(group: GroupPolicy, id: ResourceId): ResourcePolicy | null {
  const [user, ...others] = usersOf(group, id);
  return user !== undefined && others.length === 0 && isLive(group, user) ? user : null;
}

/** Of a device: may it ever be primary on both nodes? */
export function isPairable(group: GroupPolicy, id: ResourceId): boolean {
  return isDevice(group, id) && liveGuestOn(group, id) !== null;
}

const seen = ({ resources }: GroupState, id: ResourceId) => resources.find((resource) => resource.id === id);

const devicesOf = (group: GroupState, guest: ResourcePolicy) =>
  ownDevices(group.policy, guest).flatMap((id) => seen(group, id) ?? []);

const isMirrored = (storage: StorageStatus | null) =>
  storage !== null &&
  storage.connection === 'connected' &&
  storage.disk === 'up-to-date' &&
  storage.peerDisk === 'up-to-date';

/** The verdict that was reached by words of the peer, or is about to be again. */
const isHeard = ({ verdict }: State) => verdict.kind === 'alive' || verdict.kind === 'late';

const isGivenAway = ({ phase }: GroupState) => phase.kind === 'stopping' && phase.reason === 'handover';

/** The peer has taken what it was granted, or may not have read of it yet; or is it not coming for it any more? */
function isTaken(state: State, group: GroupState): boolean {
  return group.grant !== null || peerReport(state, group.policy.name)?.phase === 'starting';
}

/**
 * Does the guest go to the peer while it runs? `waits`: its devices are not primary there yet. `never`: it is not to, or
 * cannot, or that has failed: it goes another way.
 */
function passage(state: State, group: GroupState, policy: ResourcePolicy): 'goes' | 'waits' | 'never' {
  const guest = seen(group, policy.id);
  if (guest === undefined || !isGivenAway(group) || !isLive(group.policy, policy)) return 'never';
  if (wayOf(policy.guest, group.handoverBy).mode !== 'live') return 'never';
  if (guest.operation?.action === 'migrate') return 'goes';
  if (guest.status?.kind !== 'up' || guest.operation !== null || guest.migrationFailed || guest.failures > 0)
    return 'never';
  const devices = devicesOf(group, policy);
  const canPair = devices.every(
    ({ storage, failures }) => storage?.role === 'primary' && isMirrored(storage) && failures === 0,
  );
  if (!canPair || !isHeard(state) || !isTaken(state, group)) return 'never';
  const isAwaited = devices.every(({ storage }) => storage?.peerRole === 'primary');
  if (isAwaited) return 'goes';
  return state.now - group.since < invitationMs ? 'waits' : 'never';
}

const travellers = (state: State, group: GroupState) =>
  isGivenAway(group)
    ? group.policy.resources.filter((policy) => passage(state, group, policy) !== 'never')
    : [];

/** To the peer: promote these devices, their guests come in. Not before DRBD allows that here. */
export function invitedTo(state: State, group: GroupState): readonly ResourceId[] {
  const devices = travellers(state, group).flatMap((guest) => devicesOf(group, guest));
  const isReady = ({ paired, operation }: ResourceState) => paired && operation === null;
  return devices.filter(isReady).map(({ id }) => id);
}

/**
 * A guest of the group is going to the peer or has gone: whoever has its devices next must have what was written there.
 */
export function isPeerWriting(state: State, group: GroupState): boolean {
  return travellers(state, group).some((policy) => passage(state, group, policy) === 'goes');
}

/** The peer, from which this node is to take the group, still has some of it. */
export function isBeside({ report, peerMayHoldRest }: Facts): boolean {
  return peerMayHoldRest && report?.phase === 'stopping';
}

/** The giver wants these devices to be primary here, too; as far as is known now. */
const isInvited = (state: State, facts: Facts, ids: readonly ResourceId[]) =>
  isBeside(facts) && isHeard(state) && ids.every((id) => facts.report?.inviting.includes(id));

/** May this device be promoted here while the peer has it? DRBD itself refuses where the peer does not allow it. */
export function mayStandBeside(state: State, group: GroupState, id: ResourceId, facts: Facts): boolean {
  const device = seen(group, id);
  return (
    facts.verdict === 'alive' &&
    isInvited(state, facts, [id]) &&
    isPairable(group.policy, id) &&
    device?.paired === true &&
    isMirrored(device.storage)
  );
}

/** The guest of a device that may be primary here only for it. */
function awaitedOn(group: GroupState, { id, paired }: ResourceState): ResourceState | undefined {
  const guest = paired ? liveGuestOn(group.policy, id) : null;
  return guest === null ? undefined : seen(group, guest.id);
}

/** Primary here only for a guest that has not come, or that has gone: nobody has it open. */
function standsIdle(group: GroupState, device: ResourceState): boolean {
  const guest = awaitedOn(group, device);
  return guest !== undefined && isDown(guest);
}

/** Nor has one written to it that stands still on its way. */
export function isUnwritten(group: GroupState, device: ResourceState): boolean {
  return standsIdle(group, device) || awaitedOn(group, device)?.status?.kind === 'incoming';
}

/** A guest that came while it ran goes on here, on this device; those that have not come wait for their data. */
export function hasUserAhead(group: GroupState, id: ResourceId): boolean {
  const guest = liveGuestOn(group.policy, id);
  const device = seen(group, id);
  if (guest === null || device === undefined || device.storage === null) return false;
  const hasData = device.storage.disk !== 'diskless' || isReadFromPeer(device);
  return hasData && seen(group, guest.id)?.status?.kind === 'up';
}

type Wanted = 'up' | 'down' | 'destroyed' | 'frozen' | 'as-it-is';

/** What live migration asks for; null: that nothing be done for now; undefined: it has no part in this. */
export function migrationAction(
  state: State,
  group: GroupState,
  resource: ResourceState,
  policy: ResourcePolicy,
  wanted: Wanted,
  facts: Facts,
): ResourceAction | null | undefined {
  if (policy.kind === 'guest') return guestAction(state, group, resource, policy, wanted, facts);
  // What is allowed is forbidden again, also when the guest on it has become another one meanwhile.
  if (policy.kind !== 'drbd' || !(resource.paired || isPairable(group.policy, policy.id))) return undefined;
  return deviceAction(state, group, resource, wanted, facts);
}

function guestAction(
  state: State,
  group: GroupState,
  resource: ResourceState,
  policy: ResourcePolicy,
  wanted: Wanted,
  facts: Facts,
): ResourceAction | null | undefined {
  if (resource.status?.kind === 'incoming') {
    if (wanted === 'down' || wanted === 'destroyed') return 'destroy';
    const own = ownDevices(group.policy, policy);
    return wanted === 'as-it-is' || isInvited(state, facts, own) ? null : 'reject';
  }
  if (wanted !== 'down') return undefined;
  switch (passage(state, group, policy)) {
    case 'never':
      return undefined;
    case 'waits':
      return null;
    case 'goes':
      return isItsTurn(state, group) ? 'migrate' : null;
  }
}

/** One after the other, since they share a cable; and only once it is on record that the peer writes from now on. */
function isItsTurn(state: State, group: GroupState): boolean {
  const { owner, writer } = ledgerGroup(state.ledger, group.policy.name);
  const { peer } = state.policy;
  const isRecorded = owner === peer && writer === peer && state.persistedRevision >= state.ledgerRevision;
  const isUnderWay = [group, ...state.groups].some(({ resources }) =>
    resources.some(({ operation }) => operation?.action === 'migrate'),
  );
  return isRecorded && !isUnderWay && state.verdict.kind === 'alive';
}

/** Is there memory for the guest that is to come to this device? */
function hasRoom(state: State, { policy }: GroupState, id: ResourceId): boolean {
  const guest = liveGuestOn(policy, id);
  return guest !== null && !withoutMemory(state).has(guest.id);
}

function deviceAction(
  state: State,
  group: GroupState,
  resource: ResourceState,
  wanted: Wanted,
  facts: Facts,
): ResourceAction | null | undefined {
  const { status, storage, paired, failures } = resource;
  const gives = travellers(state, group).some(({ needs }) => needs.includes(resource.id));
  const takes =
    wanted === 'up' &&
    isInvited(state, facts, [resource.id]) &&
    isMirrored(storage) &&
    hasRoom(state, group, resource.id);
  const isKept = wanted === 'up' || wanted === 'frozen';
  if (isKept && isBeside(facts) && !takes && status?.kind === 'up' && standsIdle(group, resource))
    return 'stop';
  if (gives || takes) return paired ? undefined : 'allow-two';
  const areBoth = storage?.role !== 'secondary' && storage?.peerRole === 'primary';
  const isSeen = storage !== null && storage.role !== 'unknown';
  // Where DRBD does not do as it is told, the group starts all the same.
  const isNext = failures === 0 || wanted !== 'up' || status?.kind === 'up';
  return paired && isSeen && !areBoth && isNext ? 'forbid-two' : undefined;
}
