// When is a world at rest: both daemons run and hear each other, every group has exactly one owner, everything of it
// is up there and nothing of it elsewhere. What faults begin from, and what rule L1 demands after they have ended.

import { attentionOfStorage } from '../../daemon/control/attention-storage.ts';
import { factsOf, peerInMaintenance } from '../../daemon/core/facts.ts';
import type { GroupPolicy, ResourceId, ResourcePolicy } from '../../daemon/core/policy.ts';
import { type GroupState, peerReport, type State } from '../../daemon/core/state.ts';
import { otherSide, type Side, sides } from '../../daemon/sim/action.ts';
import type { Trace } from '../../daemon/sim/trace.ts';
import type { World } from '../../daemon/sim/world.ts';

/** The first thing that keeps a world from being calm; null: nothing. */
export type Unrest = (typeof unrests)[number] | null;

const unrests = [
  'a daemon does not run',
  'a node does not hear the other',
  'a node may not run anything',
  'a node is in maintenance',
  'a ledger is not on disk',
  'a host is being powered off',
  'a group has no owner',
  'a group is not at rest on the node that does not own it',
  'a group runs without a generation',
  'an operation is under way',
  'a resource is not up',
  'a resource is not down where it should be',
  'a disk is not mirrored',
  'a disk may be primary on both nodes',
  'the witness takes a copy for older than it is',
  'a node takes a copy for older than it is',
] as const;

export function unrest(world: World, groups: readonly GroupPolicy[]): Unrest {
  const ofNodes = unrestOfNodes(world);
  if (ofNodes !== null) return ofNodes;
  for (const policy of groups) {
    const reason = unrestOf(world, policy);
    if (reason !== null) return reason;
  }
  return null;
}

function unrestOfNodes(world: World): Unrest {
  for (const side of sides) {
    const state = world.state(side);
    if (state === null || !world.powered(side)) return 'a daemon does not run';
    if (state.verdict.kind !== 'alive') return 'a node does not hear the other';
    if (state.standby || state.leavingSince !== null) return 'a node may not run anything';
    if (state.maintenanceUntil !== null || peerInMaintenance(state)) return 'a node is in maintenance';
    if (state.persistedRevision < state.ledgerRevision) return 'a ledger is not on disk';
    if (state.fence.operation !== null) return 'a host is being powered off';
  }
  return null;
}

function groupOf(world: World, side: Side, name: string): GroupState | undefined {
  return world.state(side)?.groups.find(({ policy }) => policy.name === name);
}

function unrestOf(world: World, policy: GroupPolicy): Unrest {
  const owned = ownedIn(world, policy);
  if (typeof owned === 'string') return owned;
  for (const resource of policy.resources) {
    const reason = unrestOfResource(world, owned, resource);
    if (reason !== null) return reason;
  }
  // The nodes have it taken off once the copies are the same; until then a takeover would wait for a person.
  if (isMarked(world, policy)) return 'the witness takes a copy for older than it is';
  if (isNews(world, policy)) return 'a node takes a copy for older than it is';
  return null;
}

/** Every copy of the group is whole by its kernel. */
const isWhole = (world: World, { resources }: GroupPolicy) =>
  resources.every(
    ({ id, kind }) =>
      kind !== 'drbd' || sides.every((side) => world.storage(side, id)?.disk === 'up-to-date'),
  );

/** A daemon has not seen yet, or has not heard from the other one, that its copies are the same again. */
function isNews(world: World, policy: GroupPolicy): boolean {
  return (
    isWhole(world, policy) &&
    sides.some((side) => {
      const state = world.state(side);
      const group = groupOf(world, side, policy.name);
      const isSeen = group?.resources.every(({ storage }) => storage?.connection !== 'connecting');
      return !isSeen || (state !== null && peerReport(state, policy.name)?.alone === true);
    })
  );
}

/** A copy on a disk that has failed is older indeed. */
function isMarked(world: World, policy: GroupPolicy): boolean {
  return sides.some((side) => world.leaseMarks(side).includes(policy.name)) && isWhole(world, policy);
}

interface Owned {
  readonly owner: Side;
  readonly own: GroupState;
  readonly other: GroupState;
}

function ownedIn(world: World, { name }: GroupPolicy): Owned | NonNullable<Unrest> {
  const owner = sides.find((side) => groupOf(world, side, name)?.phase.kind === 'active');
  if (owner === undefined) return 'a group has no owner';
  const other = groupOf(world, otherSide(owner), name);
  const own = groupOf(world, owner, name);
  if (other?.phase.kind !== 'stopped') return 'a group is not at rest on the node that does not own it';
  if (own?.phase.kind !== 'active' || own.phase.generation === 0) return 'a group runs without a generation';
  return { owner, own, other };
}

function unrestOfResource(world: World, { owner, own, other }: Owned, { id, kind }: ResourcePolicy): Unrest {
  const resource = own.resources.find((one) => one.id === id);
  if (resource?.operation !== null || other.resources.some(({ operation }) => operation !== null))
    return 'an operation is under way';
  const isUp = resource.status?.kind === 'up' && world.running(owner, id) === 'up';
  if (!isUp && !(resource.leftOut && lacksMemory(world, owner, id))) return 'a resource is not up';
  if (world.running(otherSide(owner), id) !== 'down') return 'a resource is not down where it should be';
  if (kind === 'drbd' && !isMirrored(world, owner, id)) return 'a disk is not mirrored';
  if (sides.some((side) => world.allowsTwo(side, id))) return 'a disk may be primary on both nodes';
  return null;
}

/** By what both kernels show. A disk that has failed stays so until a person replaces it: the other one does without. */
function isMirrored(world: World, owner: Side, id: string): boolean {
  const own = world.storage(owner, id);
  const other = world.storage(otherSide(owner), id);
  if (own === null || other === null || own.suspended !== 'no') return false;
  if (own.disk === 'diskless' || other.disk === 'diskless') {
    return own.disk === 'up-to-date' || own.connection === 'connected';
  }
  return [own, other].every(
    ({ connection, disk, peerDisk }) =>
      connection === 'connected' && disk === 'up-to-date' && peerDisk === 'up-to-date',
  );
}

/** Since when a side's kernel has given the connection of a device up (StandAlone), and has not had one again. */
export interface Partings {
  readonly see: (trace: Trace) => void;
  /** Milliseconds of the world's time; null: it has not. */
  readonly since: (side: Side, resource: ResourceId) => number | null;
}

export function createPartings(): Partings {
  const since = new Map<string, number>();
  return {
    see(trace) {
      if (trace.kind !== 'device') return;
      const key = `${trace.side} ${trace.resource}`;
      if (trace.connection === 'standalone') since.set(key, since.get(key) ?? trace.at);
      else if (trace.connection !== 'connecting') since.delete(key);
    },
    since: (side, resource) => since.get(`${side} ${resource}`) ?? null,
  };
}

/**
 * Each group is at rest, or waits for a person to choose between two copies that have parted; and at least one does.
 * Until then DRBD may hold the IO of what stands on them back. That must have been said, with what to do, since it is so.
 */
export function waitsForDecision(world: World, groups: readonly GroupPolicy[], partings: Partings): boolean {
  if (unrestOfNodes(world) !== null) return false;
  const restless = groups.filter((policy) => unrestOf(world, policy) !== null);
  return restless.length > 0 && restless.every((policy) => groupWaits(world, policy, partings));
}

function groupWaits(world: World, policy: GroupPolicy, partings: Partings): boolean {
  const owned = ownedIn(world, policy);
  const parted = policy.resources.filter(({ id }) => sides.some((side) => partings.since(side, id) !== null));
  if (owned === 'a group runs without a generation') return isHalfMoved(world, policy, parted, partings);
  if (owned === 'a group has no owner') {
    const lost = policy.resources.filter((resource) => hasNoWholeCopy(world, resource));
    const isSaid = ({ id }: ResourcePolicy) => hasSaidParted(world, policy.name, id, partings);
    const isTold = (one: ResourcePolicy) =>
      (parted.includes(one) && isSaid(one)) || isToldLost(world, policy, one.id);
    return lost.length > 0 && [...lost, ...parted].every(isTold);
  }
  if (typeof owned === 'string') return false;
  const isHeld = ({ id, needs }: ResourcePolicy) =>
    parted.some((device) => device.id === id || needs.includes(device.id));
  return (
    parted.every(({ id }) => hasSaidParted(world, policy.name, id, partings)) &&
    policy.resources.every((resource) => {
      const reason = unrestOfResource(world, owned, resource);
      const isOfIt = reason === 'a disk is not mirrored' || reason === 'a resource is not up';
      const isTriedAgain =
        reason === 'an operation is under way' && onlyTriesAgain(world, policy, owned, parted);
      return reason === null || isTriedAgain || (isOfIt && isHeld(resource));
    })
  );
}

/**
 * Of a disk: one copy has failed, and the other one was being copied from it, or lacks what DRBD has written since, so that
 * DRBD does not go on with it.
 */
function hasNoWholeCopy(world: World, { id, kind }: ResourcePolicy): boolean {
  if (kind !== 'drbd') return false;
  const isRefused = (side: Side) => {
    const shown = world.storage(side, id);
    return shown?.role === 'primary' && shown.disk === 'diskless' && shown.connection === 'standalone';
  };
  return (
    sides.some(isRefused) ||
    sides.every((side) => ['inconsistent', 'diskless'].includes(world.storage(side, id)?.disk ?? ''))
  );
}

/** `battito status` names the disk, of which neither copy is whole, and what to do about it. */
function isToldLost(world: World, { name }: GroupPolicy, id: ResourceId): boolean {
  return sides.some((side) => {
    const state = world.state(side);
    const disk = groupOf(world, side, name)?.resources.filter((one) => one.id === id) ?? [];
    const told = state === null ? [] : disk.flatMap((one) => attentionOfStorage(state, one, undefined));
    return told.some(({ code }) => code === 'no-whole-copy');
  });
}

/**
 * DRBD is told to connect again from time to time; and where the owner has neither copy to read, what stands on it is
 * started in vain whenever somebody has it tried again.
 */
function onlyTriesAgain(
  world: World,
  { resources }: GroupPolicy,
  { owner, own, other }: Owned,
  parted: readonly ResourcePolicy[],
): boolean {
  const isParted = (id: ResourceId) => parted.some((device) => device.id === id);
  const isUnreadable = (id: ResourceId) => isParted(id) && world.storage(owner, id)?.disk === 'diskless';
  const isInVain = (id: ResourceId) => resources.some((one) => one.id === id && one.needs.some(isUnreadable));
  const isHarmless = ({ id, operation }: GroupState['resources'][number]) =>
    operation === null ||
    (operation.action === 'connect' && isParted(id)) ||
    (operation.action === 'start' && isInVain(id));
  return (
    own.resources.every(isHarmless) &&
    other.resources.every(
      (resource) =>
        resource.operation === null || (resource.operation.action === 'connect' && isParted(resource.id)),
    )
  );
}

/**
 * Some of its guests had gone to the peer while they ran when the peer's copy was lost: what is left here runs on, and is
 * owned again once a person has chosen between the copies of what had gone.
 */
function isHalfMoved(
  world: World,
  policy: GroupPolicy,
  parted: readonly ResourcePolicy[],
  partings: Partings,
): boolean {
  const here = sides.find((side) => groupOf(world, side, policy.name)?.phase.kind === 'active');
  const state = here === undefined ? null : world.state(here);
  const group = here === undefined ? undefined : groupOf(world, here, policy.name);
  if (state === null || group === undefined || parted.length === 0) return false;
  const live = policy.resources.filter(({ guest }) => guest !== undefined && guest.migrateMs !== null);
  return (
    live.length > 1 &&
    factsOf(state, group).obstacle === 'outdated-data' &&
    parted.every(({ id }) => hasSaidParted(world, policy.name, id, partings))
  );
}

function hasSaidParted(world: World, name: string, id: ResourceId, partings: Partings): boolean {
  const began = sides.map((side) => partings.since(side, id)).filter((at) => at !== null);
  const from = Math.min(...began);
  return sides.some((side) =>
    world
      .notes(side)
      .some(
        ({ at, code, group, message, next }) =>
          at >= from &&
          code === 'storage-standalone' &&
          group === name &&
          message.includes(id) &&
          next !== null,
      ),
  );
}

/** It does not run there, and with what does there is really no memory for it. */
function lacksMemory(world: World, side: Side, id: ResourceId): boolean {
  const policy = world.policy(side);
  if (policy.guestMemoryMiB === null || world.running(side, id) !== 'down') return false;
  let usedMiB = 0;
  for (const { resources } of policy.groups) {
    for (const one of resources) {
      const counts = one.id === id || world.running(side, one.id) !== 'down';
      if (counts) usedMiB += one.guest?.memoryMiB ?? 0;
    }
  }
  return usedMiB > policy.guestMemoryMiB;
}

/** Who owns the group, by the truth of its guests, and of what else it has where there is no memory for one; null: nobody, or not clear. */
export function ownerOf(world: World, { resources }: GroupPolicy): Side | null {
  const guests = resources.filter(({ kind }) => kind === 'guest');
  const owners = sides.filter(
    (side) =>
      resources.some(({ id }) => world.running(side, id) === 'up') &&
      guests.every(({ id }) => world.running(side, id) === 'up' || lacksMemory(world, side, id)),
  );
  return owners.length === 1 ? (owners[0] ?? null) : null;
}

/** For a report: what each node says of itself. */
export function describe(world: World, groups: readonly GroupPolicy[]): string {
  const words = sides.map((side) => {
    const state = world.state(side);
    if (state === null) return `${side}: no daemon`;
    const phases = groups.map(({ name }) => describeGroup(world, state, side, name));
    return `${side}: ${state.verdict.kind}, ${phases.join(', ')}`;
  });
  return `${unrest(world, groups) ?? 'calm'} (${words.join('; ')})`;
}

function describeGroup(world: World, state: State, side: Side, name: string): string {
  const group = state.groups.find(({ policy }) => policy.name === name);
  if (group === undefined) return `${name} unknown`;
  const { phase } = group;
  const detail = phase.kind === 'blocked' ? ` (${phase.obstacle})` : '';
  const disks = group.policy.resources
    .filter(({ kind }) => kind === 'drbd')
    .map(({ id }) => {
      const storage = world.storage(side, id);
      return ` ${storage?.role}/${storage?.disk}/${storage?.connection}`;
    });
  return `${name} ${phase.kind}${detail}${disks.join('')}`;
}
