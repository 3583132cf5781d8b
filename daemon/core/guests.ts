// How guests start beside each other: who waits for whom, and who is left out where there is no memory for all. No
// guest is waited for for ever, so that one that is bad does not cost the others their start.

import type { Effect } from './events.ts';
import { note } from './notes.ts';
import { isPassedOver } from './outcomes.ts';
import type { GroupPolicy, GuestPolicy, MonotonicMs, ResourceId, ResourcePolicy } from './policy.ts';
import { freshResource, isDown, type ResourceState } from './resource.ts';
import type { GroupState, State } from './state.ts';

/** Until when the guests after it wait for it; Infinity: until something becomes of it. */
function awaitedUntil(resource: ResourceState, { guest, startMs }: ResourcePolicy): MonotonicMs {
  const { status, statusSince, readyAt } = resource;
  if (status === null || status.kind === 'down') return isPassedOver(resource) ? -Infinity : Infinity;
  if (status.kind !== 'up') return statusSince + startMs;
  const readyMs = guest?.readyMs ?? null;
  const isReadyAt = readyMs === null ? statusSince : readyAt;
  return isReadyAt === null ? statusSince + (readyMs ?? 0) : isReadyAt + (guest?.startDelayMs ?? 0);
}

function comesBefore(other: ResourcePolicy, { after, priority }: GuestPolicy): boolean {
  return other.kind === 'guest' && (after.includes(other.id) || (other.guest?.priority ?? 0) > priority);
}

/** The guests of its group that this one waits for before it starts. */
export function awaitedGuests(
  { now }: State,
  { policy, resources }: GroupState,
  { id, guest }: ResourcePolicy,
): readonly ResourceId[] {
  if (guest === undefined) return [];
  const isAwaited = (other: ResourcePolicy, index: number) => {
    if (other.id === id || !comesBefore(other, guest)) return false;
    const resource = resources[index];
    return resource !== undefined && now < awaitedUntil(resource, other);
  };
  return policy.resources.filter(isAwaited).map((other) => other.id);
}

interface WantedGuest {
  readonly id: ResourceId;
  readonly guest: Pick<GuestPolicy, 'priority' | 'memoryMiB'>;
}

/** Of the guests that are wanted those that do not fit into the memory. Those of higher priority go first. */
export function withoutRoom(wanted: readonly WantedGuest[], memoryMiB: number): ReadonlySet<ResourceId> {
  const leftOut = new Set<ResourceId>();
  let freeMiB = memoryMiB;
  for (const { id, guest } of wanted.toSorted((a, b) => b.guest.priority - a.guest.priority)) {
    if (guest.memoryMiB <= freeMiB) freeMiB -= guest.memoryMiB;
    else leftOut.add(id);
  }
  return leftOut;
}

/**
 * The guests that are wanted here and that there is no memory for. What runs is not ended for another one's sake; what may
 * have been started has its memory, and is not started again once somebody else has taken that.
 */
export function withoutMemory({ policy, groups }: State): ReadonlySet<ResourceId> {
  if (policy.guestMemoryMiB === null) return new Set();
  let freeMiB = policy.guestMemoryMiB;
  const wanted: WantedGuest[] = [];
  const startedAgain: ResourceId[] = [];
  for (const { phase, policy: group, resources } of groups) {
    const isWanted = phase.kind === 'starting' || phase.kind === 'active';
    for (const [index, { id, guest }] of group.resources.entries()) {
      const resource = resources[index];
      if (guest === undefined || resource === undefined) continue;
      if (!isDown(resource)) {
        freeMiB -= guest.memoryMiB;
        if (resource.status?.kind === 'down') startedAgain.push(id);
      } else if (isWanted && resource.quarantined === null) wanted.push({ id, guest });
    }
  }
  return new Set([...withoutRoom(wanted, freeMiB), ...(freeMiB < 0 ? startedAgain : [])]);
}

/** Why a guest is left out, and what a person can do. */
export function explainLeftOut({ policy }: State, group: GroupState, id: ResourceId) {
  const needsMiB = group.policy.resources.find((one) => one.id === id)?.guest?.memoryMiB ?? 0;
  return {
    what: `${id} is left out: it needs ${needsMiB} MiB, more than is left of the ${policy.guestMemoryMiB} MiB for guests on ${policy.self}`,
    next: `it starts by itself once there is memory: bring ${policy.peer} back and hand a group over, or shut another guest down`,
  };
}

export function leftOutNote(state: State, group: GroupState, id: ResourceId): Effect {
  const { what, next } = explainLeftOut(state, group, id);
  return note('alarm', 'guest-left-out', group, what, null, next);
}

/** Says of which guests the others have stopped waiting, since they run and do not answer. */
export function noteLateGuests(before: State, after: State, emit: (effect: Effect) => void): void {
  for (const group of after.groups) {
    for (const [index, { id, guest }] of group.policy.resources.entries()) {
      const resource = group.resources[index];
      const readyMs = guest?.readyMs ?? null;
      if (readyMs === null || resource?.status?.kind !== 'up' || resource.readyAt !== null) continue;
      const lateAt = resource.statusSince + readyMs;
      if (before.now >= lateAt || after.now < lateAt) continue;
      const message = `${id} runs, but has not become ready within ${readyMs / 1000} s; the guests after it start all the same`;
      const next = 'see on its console what it is doing; `battito status` says what was asked of it';
      emit(note('warning', 'guest-not-ready', group, message, null, next));
    }
  }
}

const withdrawn = 'it is none of its group any more';

/** A guest that is no longer named is not started again, and is forgotten once it is not in use here. */
export function withGuestsOf(group: GroupState, policy: GroupPolicy): GroupState {
  const known = new Map(group.resources.map((resource) => [resource.id, resource]));
  const isNamed = ({ id }: { readonly id: ResourceId }) => policy.resources.some((one) => one.id === id);
  const kept = group.policy.resources.filter((one) => {
    const resource = known.get(one.id);
    return resource !== undefined && !isDown(resource) && !isNamed(one);
  });
  const stateOf = (one: ResourcePolicy): ResourceState => {
    const resource = known.get(one.id) ?? freshResource(one, null);
    if (!isNamed(one)) return { ...resource, quarantined: withdrawn };
    return resource.quarantined === withdrawn ? { ...resource, quarantined: null } : resource;
  };
  const resources = [...policy.resources, ...kept];
  return { ...group, policy: { ...policy, resources }, resources: resources.map(stateOf) };
}
