// What the core remembers of one resource of a group.

import type { ResourceAction, ResourceStatus, StorageStatus } from './events.ts';
import type { MonotonicMs, ResourceId, ResourceKind, ResourcePolicy } from './policy.ts';

export interface ResourceState {
  readonly id: ResourceId;
  readonly status: ResourceStatus | null;
  /** Since when its status has been of this kind. */
  readonly statusSince: MonotonicMs;
  /** Of a guest that runs: since when it has been ready, as far as anybody waits for that; null: it is not, or not known to be. */
  readonly readyAt: MonotonicMs | null;
  /** Of a guest that is wanted: there is no memory for it here. */
  readonly leftOut: boolean;
  /** Of a DRBD device: what was last seen; null: nothing yet. */
  readonly storage: StorageStatus | null;
  /** Since when it has been seen connected, its copy the same as the peer's. */
  readonly connectedAt: MonotonicMs | null;
  /** Was its copy the same as the peer's when they were last connected in this run, and has nobody written since? */
  readonly inSync: boolean;
  /** Since when it is written to here without its mirror, as of the last connection; null: it is not. */
  readonly aheadSince: MonotonicMs | null;
  /** Since when it has stood alone with nothing under way here that could be the reason. */
  readonly standaloneSince: MonotonicMs | null;
  /** How often it has been connected again in vain since it was last connected, or its group's phase changed. */
  readonly reconnects: number;
  /** A person has been told of it, since they were last connected. */
  readonly splitTold: boolean;
  /** What is wrong with the disk under it, while it is in use; null: nothing is known to be. */
  readonly diskTrouble: string | null;
  /** Questions of DRBD's fence-peer handler that are not answered yet. */
  readonly outdatings: readonly number[];
  /** Brought up by this run of the daemon; an adopted address must be started once to be announced. */
  readonly asserted: boolean;
  readonly operation: {
    readonly id: number;
    readonly action: ResourceAction;
    readonly since: MonotonicMs;
    readonly cancelled: boolean;
  } | null;
  /** It was to be brought up and nobody knows what came of it: it may still come up, until it has been taken down. */
  readonly inDoubt: boolean;
  /** Of a guest that was to go to the peer while it runs: that has failed, and it goes another way. */
  readonly migrationFailed: boolean;
  /** Of a DRBD device: DRBD may allow it to be primary on both nodes. */
  readonly paired: boolean;
  /** Failed attempts in a row. */
  readonly failures: number;
  readonly retryAt: MonotonicMs | null;
  /** Starts in the last hour, newest last; caps restarts of a guest that keeps dying. */
  readonly starts: readonly MonotonicMs[];
  readonly quarantined: string | null;
  readonly lastError: string | null;
}

export function freshResource(policy: ResourcePolicy, aheadSince: MonotonicMs | null): ResourceState {
  return {
    id: policy.id,
    status: null,
    statusSince: 0,
    readyAt: null,
    leftOut: false,
    storage: null,
    connectedAt: null,
    inSync: false,
    aheadSince: policy.kind === 'drbd' ? aheadSince : null,
    standaloneSince: null,
    reconnects: 0,
    splitTold: false,
    diskTrouble: null,
    outdatings: [],
    asserted: false,
    operation: null,
    inDoubt: false,
    migrationFailed: false,
    paired: false,
    failures: 0,
    retryAt: null,
    starts: [],
    quarantined: null,
    lastError: null,
  };
}

/** It is seen to be so now. */
export function withStatus(
  resource: ResourceState,
  status: ResourceStatus | null,
  now: MonotonicMs,
): ResourceState {
  if (status === null || status.kind === resource.status?.kind) return { ...resource, status };
  return { ...resource, status, statusSince: now, readyAt: null, leftOut: false };
}

export const bringsUp = (action: ResourceAction) => action === 'start' || action === 'resume';

/** `operation`: what is under way. */
export function isGoingDown(operation: ResourceState['operation']): boolean {
  return operation !== null && takesDown.has(operation.action);
}

const takesDown: ReadonlySet<ResourceAction> = new Set([
  'stop',
  'save',
  'migrate',
  'reject',
  'destroy',
  'freeze',
]);

/** Something is under way that may bring it up at any moment. */
export function isComingUp({ operation }: ResourceState): boolean {
  return operation !== null && bringsUp(operation.action);
}

/** What DRBD calls it: `r0` of `drbd:r0`. */
export const drbdNameOf = (id: ResourceId): string => id.replace('drbd:', '');

/** What its configuration calls it: `mail` of `guest:mail`. */
export const guestNameOf = (id: ResourceId): string => id.replace('guest:', '');

interface Parts {
  readonly policy: { readonly resources: readonly ResourcePolicy[] };
  readonly resources: readonly ResourceState[];
}

/** Those of a group that are of these kinds. */
export function ofKinds(
  { policy, resources }: Parts,
  kinds: readonly ResourceKind[],
): readonly ResourceState[] {
  const ids = new Set(policy.resources.filter(({ kind }) => kinds.includes(kind)).map(({ id }) => id));
  return resources.filter(({ id }) => ids.has(id));
}

/** A file system stands on the device, and is mounted, or may be. */
export function isMounted({ policy, resources }: Parts, device: ResourceId): boolean {
  const mounts = policy.resources.filter(
    ({ kind, needs }) => kind === 'filesystem' && needs.includes(device),
  );
  return mounts.some((mount) => resources.find(({ id }) => id === mount.id)?.status?.kind !== 'down');
}

export const isInUse = (kind: ResourceStatus['kind'] | undefined): boolean =>
  kind === 'up' || kind === 'paused' || kind === 'incoming' || kind === 'failed';

/** Is that so of all addresses of a group, or of all the rest? */
export function isPartDown({ policy, resources }: Parts, part: 'address' | 'rest'): boolean {
  const isMember = ({ kind }: ResourcePolicy) => (kind === 'address') === (part === 'address');
  const isOfPart = ({ id }: ResourceState) => policy.resources.some((one) => one.id === id && isMember(one));
  return resources.every((resource) => isDown(resource) || !isOfPart(resource));
}

const rolekeepers: ReadonlySet<ResourceAction> = new Set([
  'outdate',
  'connect',
  'discard',
  'allow-two',
  'forbid-two',
]);

/** Of a device that is done while it stays in the role that it has. */
export const keepsRole = (action: ResourceAction) => rolekeepers.has(action);

const idleWork: ReadonlySet<ResourceAction> = new Set(['outdate', 'allow-two', 'forbid-two']);

/**
 * Nothing of it is in use, nor can come into use without a new operation. What marks a copy as the older one, or says how
 * it may be used, does not use it.
 */
export function isDown({ status, operation, inDoubt }: ResourceState): boolean {
  const isLeftAlone = operation === null || idleWork.has(operation.action);
  return status?.kind === 'down' && isLeftAlone && !inDoubt;
}

/** The disk here has failed, and DRBD reads the peer's, which is whole. */
export function isReadFromPeer({ storage }: ResourceState): boolean {
  return (
    storage?.disk === 'diskless' && storage.connection === 'connected' && storage.peerDisk === 'up-to-date'
  );
}
