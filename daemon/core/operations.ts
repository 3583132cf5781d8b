// From the phase of a group to operations on its resources. Each resource is brought towards what the phase
// wants, one operation at a time, as its needs and the peer allow; so a plan is never stored, and adoption,
// repair and interruption are the same thing as a start.

import type { Effect, ResourceAction } from './events.ts';
import type { Facts } from './facts.ts';
import { reliesOnWatchdog } from './fencing.ts';
import { awaitedGuests, leftOutNote, withoutMemory } from './guests.ts';
import { mayStandBeside, migrationAction } from './migration.ts';
import { isUnknownToWitness, isVouchedFor, loneMarkStands } from './mirror.ts';
import { quarantineNote } from './notes.ts';
import { maxStartFailures } from './outcomes.ts';
import { isStorage, type MonotonicMs, type ResourceId, type ResourcePolicy } from './policy.ts';
import { bringsUp, isComingUp, isDown, isGoingDown, isMounted, type ResourceState } from './resource.ts';
import { pausingMs } from './safeguards.ts';
import type { GroupState, State } from './state.ts';
import { putGroup, putResource, stopsAtOnce } from './state.ts';
import { goesOnByPeer, isPromotable, storageAction } from './storage.ts';
import { mayBeSaved } from './ways.ts';

const maxStartsPerHour = 5;
const hourMs = 3_600_000;
const destroyDeadlineMs = 10_000;
const freezeDeadlineMs = 5000;

type Wanted = 'up' | 'down' | 'destroyed' | 'frozen' | 'as-it-is';

function wantedOf(group: GroupState): Wanted {
  const { phase } = group;
  switch (phase.kind) {
    case 'starting':
    case 'active':
      return 'up';
    case 'stopping':
      return stopsAtOnce[phase.reason] ? 'destroyed' : 'down';
    case 'frozen':
      return 'frozen';
    default:
      return 'as-it-is';
  }
}

/** What must be done next to bring the resource there; null: nothing. */
function actionFor(
  resource: ResourceState,
  policy: ResourcePolicy,
  wanted: Wanted,
  group: GroupState,
): ResourceAction | null {
  const status = resource.status?.kind;
  // What a frozen disk holds back is kept, whatever is under way on it: its guests may go on.
  const isHeldBack = wanted === 'frozen' && isStorage(policy.kind);
  if (resource.inDoubt && wanted !== 'up' && wanted !== 'as-it-is' && status !== 'up' && !isHeldBack)
    return 'destroy';
  switch (wanted) {
    case 'up':
      if (status === 'paused') return 'resume';
      if (status === 'failed') return 'destroy';
      return startsFrom(resource, policy) ? 'start' : null;
    case 'down':
      if (status === 'down') return null;
      if (resource.failures > 1 || status === 'paused' || status === 'failed') return 'destroy';
      return resource.failures === 0 && isSaved(policy, group) ? 'save' : 'stop';
    case 'destroyed':
      return status === 'down' ? null : 'destroy';
    case 'frozen':
      if (status === 'down' || status === 'paused') return null;
      if (status === 'failed') return 'destroy';
      if (policy.kind === 'filesystem') return null; // Its guests are paused, and the IO under it is held back.
      return policy.kind === 'address' ? 'destroy' : 'freeze';
    case 'as-it-is':
      return null;
  }
}

/** Only where the peer takes it at once: nobody else goes on from it. */
const isSaved = ({ guest }: ResourcePolicy, { phase, handoverBy }: GroupState) =>
  phase.kind === 'stopping' && phase.reason === 'handover' && mayBeSaved(guest, handoverBy);

function startsFrom({ status, asserted, quarantined }: ResourceState, policy: ResourcePolicy): boolean {
  if (status?.kind === 'up') return policy.kind === 'address' && !asserted;
  return status?.kind === 'down' && quarantined === null;
}

function mayBringUp(state: State, group: GroupState, policy: ResourcePolicy, facts: Facts): boolean {
  if (group.needsRevision > state.persistedRevision || facts.unowned) return false;
  if (reliesOnWatchdog(state) && !state.watchdog.armed) return false;
  const resource = group.resources.find(({ id }) => id === policy.id);
  if (policy.kind === 'drbd' && resource?.status?.kind === 'down') {
    if (!isPromotable(state, group, resource) && !goesOnByPeer(group, resource)) return false;
  }
  if (policy.kind === 'drbd' && isUnknownToWitness(state, group)) return false;
  if (isAboutToConnect(state, group, resource)) return false;
  if (policy.kind === 'drbd' && mustMarkFirst(state, group)) return false;
  const isHeld = policy.kind === 'address' ? facts.peerMayHoldAddresses : facts.peerMayHoldRest;
  if (isHeld && !mayStandBeside(state, group, policy.id, facts)) return false;
  const isUp = ({ status, operation }: ResourceState) => status?.kind === 'up' && !isGoingDown(operation);
  const needed = group.resources.filter(({ id }) => policy.needs.includes(id));
  if (!needed.every(isUp)) return false;
  const isDown = resource?.status?.kind === 'down';
  if (isDown && awaitedGuests(state, group, policy).length > 0) return false;
  return policy.kind !== 'guest' || guestsStarting(group) < state.policy.parallelStarts;
}

function guestsStarting({ policy, resources }: GroupState): number {
  const starting = resources.filter(({ operation }) => operation?.action === 'start');
  return starting.filter(({ id }) => policy.resources.find((one) => one.id === id)?.kind === 'guest').length;
}

const connectPatienceMs = 2000;

/** With a peer that lives, its mirror is waited for a little, so that it need not be marked as outdated first. */
function isAboutToConnect(state: State, group: GroupState, resource: ResourceState | undefined): boolean {
  if (state.verdict.kind !== 'alive' || resource?.storage?.connection !== 'connecting') return false;
  return group.phase.kind === 'starting' && state.now - group.since < connectPatienceMs;
}

/** With a witness, whoever takes over later must be able to learn that this node wrote without its mirror. */
function mustMarkFirst(state: State, group: GroupState): boolean {
  return state.policy.witness !== null && !isVouchedFor(state) && !loneMarkStands(state, group);
}

/** What waits for others to be down; what is done at once does not wait for it. */
const inOrder: ReadonlySet<ResourceAction> = new Set(['stop', 'save', 'migrate']);

/** In order, addresses are let go first, and what others need is let go last; at once, everything together. */
function mayTakeDown(
  state: State,
  group: GroupState,
  policy: ResourcePolicy,
  action: ResourceAction,
): boolean {
  if (action === 'freeze' && policy.kind === 'drbd') return mustHoldBack(state, group, policy.id);
  if (action === 'destroy' && isStorage(policy.kind)) {
    return dependentsAreDown(group, policy.id) || holdsUpIO(group, policy.id);
  }
  if (!inOrder.has(action) || group.phase.kind !== 'stopping') return true;
  const notDown = group.resources.filter(({ status }) => status?.kind !== 'down').map(({ id }) => id);
  const waitsFor = group.policy.resources.filter(
    (other) =>
      (other.kind === 'address' && policy.kind !== 'address' && !stuck(group, other.id)) ||
      other.needs.includes(policy.id),
  );
  return !waitsFor.some(({ id }) => notDown.includes(id));
}

/**
 * Pausing a guest ends its writes by itself, and waits for those under way. So the IO under it is held back only where
 * that takes too long, or once its guests stand still and a file system is left, which writes for itself.
 */
function mustHoldBack(state: State, group: GroupState, id: string): boolean {
  const users = group.policy.resources.filter(({ needs }) => needs.includes(id));
  const seen = (of: ResourcePolicy) => group.resources.find((resource) => resource.id === of.id);
  const guests = users.filter(({ kind }) => kind === 'guest').flatMap((of) => seen(of) ?? []);
  if (guests.some((guest) => lingers(state, guest))) return true;
  return isMounted(group, id) && guests.every((guest) => isStill(guest) && !isComingUp(guest));
}

const isStill = ({ status }: ResourceState) =>
  status?.kind === 'down' || status?.kind === 'paused' || status?.kind === 'failed';

function lingers(state: State, guest: ResourceState): boolean {
  if (isStill(guest) && !isComingUp(guest)) return false;
  const sinceMs = state.now - (guest.operation?.since ?? state.now);
  return guest.failures > 0 || sinceMs >= pausingMs(state.policy) / 2;
}

/** A device that is still open cannot be demoted; one whose guests cannot be ended is tried all the same. */
function dependentsAreDown(group: GroupState, id: string): boolean {
  return group.policy.resources.every(
    (other) =>
      !other.needs.includes(id) ||
      group.resources.find((resource) => resource.id === other.id)?.status?.kind === 'down' ||
      stuck(group, other.id),
  );
}

/** Whoever waits for IO that is held back cannot be ended: it fails first. */
function holdsUpIO({ resources }: GroupState, id: string): boolean {
  const storage = resources.find((resource) => resource.id === id)?.storage ?? null;
  return storage !== null && storage.suspended !== 'no';
}

function stuck(group: GroupState, id: string): boolean {
  return (group.resources.find((resource) => resource.id === id)?.failures ?? 0) > 1;
}

/**
 * What the peer is to take cannot be let go of, neither in order nor by force. Not where there is nothing to go on with
 * here either: a device whose held-back IO was thrown away has neither disk nor mirror.
 */
export function isStuck({ leavingSince }: State, { phase, resources }: GroupState): boolean {
  const isGivenAway = phase.kind === 'stopping' && (phase.reason === 'handover' || phase.reason === 'yield');
  if (!isGivenAway || leavingSince !== null || resources.some(hasLostAll)) return false;
  return resources.some((resource) => resource.failures > 2 && !isDown(resource));
}

function hasLostAll({ storage }: ResourceState): boolean {
  return storage !== null && storage.disk === 'diskless' && storage.connection !== 'connected';
}

/** How long it may take before it is broken off, milliseconds. */
export function deadlineFor(policy: ResourcePolicy, action: ResourceAction): number {
  switch (action) {
    case 'stop':
      return policy.stopMs;
    case 'save':
      return policy.guest?.saveMs ?? policy.stopMs;
    case 'migrate':
      return policy.guest?.migrateMs ?? policy.stopMs;
    case 'freeze':
      return freezeDeadlineMs;
    case 'destroy':
    case 'reject':
      return destroyDeadlineMs;
    default:
      return policy.startMs;
  }
}

/** Asks for, or takes back, the operations that bring a group to what its phase wants. */
export function reconcile(
  state: State,
  group: GroupState,
  facts: Facts,
  emit: (effect: Effect) => void,
): State {
  const wanted = wantedOf(group);
  let next = state;
  let current = group;
  let shortage: ReadonlySet<ResourceId> | null = null;
  for (const policy of group.policy.resources) {
    const resource = current.resources.find(({ id }) => id === policy.id);
    if (resource === undefined) continue;
    const passing = migrationAction(next, current, resource, policy, wanted, facts);
    const moving = actionFor(resource, policy, wanted, group);
    const isWaiting =
      (moving === 'stop' && !mayTakeDown(next, current, policy, moving)) ||
      (moving === 'start' && policy.kind === 'drbd' && !mayBringUp(next, current, policy, facts));
    const action =
      passing !== undefined
        ? passing
        : ((isWaiting ? null : moving) ?? storageAction(state, group, resource, facts));
    if (resource.operation !== null) {
      const { operation } = resource;
      const isOpposed = bringsUp(operation.action) && wanted !== 'up';
      const isInOrder = inOrder.has(operation.action);
      const isTooGentle = isInOrder && wanted === 'destroyed';
      if ((isOpposed || isTooGentle) && wanted !== 'as-it-is' && !operation.cancelled) {
        emit({ kind: 'cancel-operation', operation: operation.id });
        current = putResource(current, { ...resource, operation: { ...operation, cancelled: true } });
      }
      continue;
    }
    if (action === null || facts.inMaintenance) continue;
    if (resource.retryAt !== null && state.now < resource.retryAt) continue;
    if (action === 'start' && policy.guest !== undefined) {
      shortage ??= withoutMemory(state);
      if (shortage.has(policy.id)) {
        if (!resource.leftOut) emit(leftOutNote(state, group, policy.id));
        current = putResource(current, { ...resource, leftOut: true });
        continue;
      }
      if (resource.leftOut) current = putResource(current, { ...resource, leftOut: false });
    }
    const isAllowed = bringsUp(action)
      ? mayBringUp(next, current, policy, facts)
      : mayTakeDown(next, current, policy, action) && !(wanted === 'up' && facts.unowned);
    if (!isAllowed) continue;
    const quarantine =
      action === 'start' && policy.kind === 'guest' ? tooManyStarts(resource, state.now) : null;
    if (quarantine !== null) {
      emit(quarantineNote(group, policy.id, quarantine));
      current = putResource(current, { ...resource, quarantined: quarantine });
      continue;
    }
    const id = next.nextOperation;
    next = { ...next, nextOperation: id + 1 };
    emit({
      kind: 'start-operation',
      operation: id,
      group: group.policy.name,
      resource: policy.id,
      action,
      forced: policy.kind === 'drbd' && action === 'start' && group.dataAccepted,
      deadlineMs: deadlineFor(policy, action),
    });
    current = putResource(current, {
      ...resource,
      leftOut: false,
      paired: resource.paired || action === 'allow-two',
      operation: { id, action, since: state.now, cancelled: false },
      retryAt: null,
      starts: action === 'start' ? [...recent(resource.starts, state.now), state.now] : resource.starts,
    });
  }
  return current === group ? next : putGroup(next, current);
}

function recent(starts: readonly MonotonicMs[], now: MonotonicMs): readonly MonotonicMs[] {
  return starts.filter((at) => now - at < hourMs);
}

function tooManyStarts(resource: ResourceState, now: MonotonicMs): string | null {
  return recent(resource.starts, now).length < maxStartsPerHour + maxStartFailures
    ? null
    : `it was started ${maxStartsPerHour + maxStartFailures} times within an hour and did not stay up`;
}
