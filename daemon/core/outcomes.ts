// What a resource is after an operation on it has ended, as far as its outcome tells.

import type { Outcome, ResourceAction, ResourceStatus } from './events.ts';
import type { MonotonicMs, ResourcePolicy } from './policy.ts';
import { bringsUp, isGoingDown, keepsRole, type ResourceState, withStatus } from './resource.ts';
import type { GroupState } from './state.ts';

/** A guest that fails to start this many times in a row is waited for no longer; and given up, if that is known. */
export const maxStartFailures = 3;
const unseenRetryMs = 1000;
const notSeenYet = 'it has been ended, unless its giver had let go of it';
const notSeenSince = 'it has not been seen since it was demoted';

/** Nobody waits for it any longer: it is given up, left out, or has failed again and again. */
export function isPassedOver({ quarantined, leftOut, failures }: ResourceState): boolean {
  return quarantined !== null || leftOut || failures >= maxStartFailures;
}

/** Of a device that was demoted, only what is seen afterwards tells whether it had its mirror to the end. */
function statusAfter(
  { storage }: ResourceState,
  policy: ResourcePolicy,
  action: ResourceAction,
): ResourceStatus {
  if (bringsUp(action)) return { kind: 'up' };
  if (action === 'freeze') return { kind: 'paused' };
  if (action === 'reject') return { kind: 'unknown', message: notSeenYet };
  const isSeen = policy.kind !== 'drbd' || storage?.role === 'secondary';
  return isSeen ? { kind: 'down' } : { kind: 'unknown', message: notSeenSince };
}

/** What a resource is after an operation has ended. */
export function finishOperation(
  resource: ResourceState,
  policy: ResourcePolicy,
  outcome: Outcome,
  now: MonotonicMs,
): ResourceState {
  const action = resource.operation?.action;
  const standaloneSince = resource.standaloneSince === null ? null : now;
  const ended = { ...resource, operation: null, standaloneSince };
  if (action === undefined) return resource;
  const isInVain = action === 'connect' && ended.storage?.connection !== 'connected';
  const reconnects = ended.reconnects + (isInVain ? 1 : 0);
  if (action === 'allow-two' || action === 'forbid-two') return afterPairing(ended, action, outcome, now);
  if (keepsRole(action) && outcome.kind === 'done') {
    return { ...ended, reconnects, failures: 0, retryAt: now + unseenRetryMs, lastError: null };
  }
  if (outcome.kind === 'done') {
    const status = statusAfter(resource, policy, action);
    return {
      ...withStatus(ended, status, now),
      asserted: bringsUp(action),
      inDoubt: action === 'freeze' && ended.inDoubt,
      failures: 0,
      retryAt: status.kind === 'unknown' ? now + unseenRetryMs : null,
      lastError: null,
    };
  }
  const cancelled = resource.operation?.cancelled === true;
  const isInPassing = action === 'migrate' || action === 'reject';
  const failures = cancelled || isInPassing ? resource.failures : resource.failures + 1;
  const status =
    outcome.kind === 'unknown' && !keepsRole(action)
      ? { kind: 'unknown' as const, message: outcome.message }
      : ended.status;
  const isKnown = action === 'start' && policy.kind === 'guest' && outcome.kind === 'failed';
  const isLast = isKnown && failures >= maxStartFailures;
  return {
    ...withStatus(ended, status, now),
    inDoubt: ended.inDoubt || (bringsUp(action) && outcome.kind === 'unknown'),
    migrationFailed: ended.migrationFailed || action === 'migrate',
    failures,
    lastError: cancelled ? resource.lastError : outcome.message,
    retryAt: cancelled ? null : now + Math.min(30_000, 500 * 2 ** failures),
    quarantined: isLast ? outcome.message : ended.quarantined,
  };
}

/** Until it is known to be forbidden, DRBD may allow it. */
function afterPairing(
  ended: ResourceState,
  action: 'allow-two' | 'forbid-two',
  outcome: Outcome,
  now: MonotonicMs,
): ResourceState {
  if (outcome.kind === 'done') {
    return { ...ended, paired: action === 'allow-two', failures: 0, retryAt: null, lastError: null };
  }
  const failures = ended.failures + 1;
  return { ...ended, failures, lastError: outcome.message, retryAt: now + unseenRetryMs };
}

/** Up, or given up, or failing again and again; so is what stands on something that is not up for such a reason. */
export function isSettled(group: GroupState, resource: ResourceState): boolean {
  if (hasSettled(resource)) return true;
  const needs = group.policy.resources.find(({ id }) => id === resource.id)?.needs ?? [];
  return group.resources.some(
    (other) => needs.includes(other.id) && other.status?.kind !== 'up' && hasSettled(other),
  );
}

function hasSettled(resource: ResourceState): boolean {
  const { status, operation } = resource;
  return (status?.kind === 'up' && !isGoingDown(operation)) || isPassedOver(resource);
}
