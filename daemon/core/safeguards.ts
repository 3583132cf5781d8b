// What proves that a silent peer runs nothing, and what stops this node when it can no longer know that it may run:
// a device that powers the peer off, the lease of a witness, and the watchdog of this host. Their states, and what
// follows from them; docs/decisions/0007-fencing-lease-watchdog.md has the argument.

import type { LeaseAnswer, LoneMarks } from './events.ts';
import type { GroupName, MonotonicMs, Policy } from './policy.ts';
import { isInUse, ofKinds } from './resource.ts';
import type { GroupState, State } from './state.ts';

/** Powering the peer off. */
export interface FenceState {
  readonly operation: number | null;
  readonly askedAt: MonotonicMs | null;
  /** When the device said that the peer is off; null: it did not, or the peer was heard since. */
  readonly succeededAt: MonotonicMs | null;
  /** The peer's incarnation at that time; null: unknown, or it was heard since. */
  readonly offRun: number | null;
  /** Failed attempts in a row, and when the next one is due. */
  readonly failures: number;
  readonly retryAt: MonotonicMs | null;
  readonly lastError: string | null;
}

/** The lease of the witness. It is ours until `validUntil`, which is counted from when it was asked for. */
export interface LeaseState {
  readonly operation: number | null;
  readonly askedAt: MonotonicMs;
  /** When the request was made that the witness answered last; null: none in this run. */
  readonly readAt: MonotonicMs | null;
  /** The same where the answer was that the peer holds it; null: it was another one. */
  readonly refusedAt: MonotonicMs | null;
  /** When the request was made that got no answer; null: the last one got one. */
  readonly failedAt: MonotonicMs | null;
  readonly nextAt: MonotonicMs;
  readonly validUntil: MonotonicMs | null;
  /** Since when held without a gap. */
  readonly heldSince: MonotonicMs | null;
  /** The term in which it was last ours; while the witness still names it, nobody else has had it since. */
  readonly heldTerm: number | null;
  /** Nobody else has had it since it was last ours while this node was not frozen. */
  readonly unbroken: boolean;
  /** The groups that the peer, by the witness's record, has written to without their mirror. */
  readonly peerAlone: readonly GroupName[];
  /** The groups of which the witness has recorded the same of this node. */
  readonly ownAlone: readonly GroupName[];
  /** What the request under way, or the last one, said of that. */
  readonly asked: LoneMarks;
  /** Why it is not ours, as the witness said last; null: it is, or it was not asked. */
  readonly lastError: string | null;
}

/** The watchdog that resets this host. */
export interface WatchdogState {
  /** A daemon before this one has left it running. */
  readonly leftRunning: boolean;
  readonly armed: boolean;
  readonly operation: number | null;
  readonly petAt: MonotonicMs;
  readonly retryAt: MonotonicMs | null;
  readonly lastError: string | null;
}

export const noFence: FenceState = {
  operation: null,
  askedAt: null,
  succeededAt: null,
  offRun: null,
  failures: 0,
  retryAt: null,
  lastError: null,
};

export const noLease: LeaseState = {
  operation: null,
  askedAt: 0,
  readAt: null,
  refusedAt: null,
  failedAt: null,
  nextAt: 0,
  validUntil: null,
  heldSince: null,
  heldTerm: null,
  unbroken: false,
  peerAlone: [],
  ownAlone: [],
  asked: { alone: [], same: [] },
  lastError: null,
};

export const noWatchdog: WatchdogState = {
  leftRunning: false,
  armed: false,
  operation: null,
  petAt: 0,
  retryAt: null,
  lastError: null,
};

/** The lease counts as over a tenth before its time, since clocks differ. */
const leaseShare = 0.9;

/** How much longer than the watchdog's time is waited, since clocks differ. */
export const watchdogShare = 1.05;

export function leaseIsValid(state: State): boolean {
  return state.lease.validUntil !== null && state.now < state.lease.validUntil;
}

/** This node is back after a goodbye, and the peer, which runs everything since, has not read of it yet. */
export function isLeftToPeer({ ledger, leavingSince }: State): boolean {
  return ledger.left && leavingSince === null;
}

/**
 * By the witness the peer has the lease, and not still from about when it was last heard: whoever vouched for it being
 * away, it is back.
 */
export function peerHoldsLease({ lease, peer, policy }: State): boolean {
  const ttlMs = policy.witness?.ttlMs ?? 0;
  const oldUntil = (peer.lastHeardAt ?? -Infinity) + ttlMs + policy.timings.deadtimeMs;
  return lease.refusedAt !== null && lease.refusedAt > oldUntil;
}

/**
 * A guest that runs already was found here, with no record of its group: to end it would get nothing on record, and it may be
 * the only one that can run. Without a watchdog it may not run on, since the peer counts on that.
 */
export function cannotStart(
  { ledgerFailing, persistedRevision, watchdog }: State,
  group: GroupState,
): boolean {
  const isUnwritten = ledgerFailing !== null && group.needsRevision > persistedRevision && !runsGuest(group);
  return isUnwritten || (watchdog.lastError !== null && !watchdog.armed);
}

const runsGuest = (group: GroupState) =>
  ofKinds(group, ['guest']).some(({ status }) => isInUse(status?.kind));

/** Time for pausing guests, milliseconds: what lies between a freeze and the other node's takeover. */
export function pausingMs({ timings }: Policy): number {
  return timings.takeoverAfterMs - timings.freezeAfterMs;
}

/**
 * From when on our lease proves that the peer runs nothing: it may not run without contact or lease, and its watchdog
 * has reset it if it could not stop. Null: no such proof. A peer whose last word was maintenance does not feed one, and
 * one to which this node has left everything needs neither.
 */
export function leaseProvesAt(state: State): MonotonicMs | null {
  const { witness, watchdog, timings } = state.policy;
  const { heldSince } = state.lease;
  if (witness === null || watchdog === null || heldSince === null || !leaseIsValid(state)) return null;
  if ((state.peer.content?.maintenanceMinutes ?? 0) > 0 || isLeftToPeer(state)) return null;
  const peerMs = peerWatchdogMs(state);
  if (peerMs === null) return null;
  const freezeAfterMs = Math.max(timings.freezeAfterMs, state.peer.content?.freezeAfterMs ?? 0);
  const contactEnds = (state.peer.lastHeardAt ?? state.startedAt) + freezeAfterMs;
  const watchdogMs = Math.max(watchdog.timeoutMs, peerMs);
  return Math.max(contactEnds, heldSince) + watchdogMs * watchdogShare + pausingMs(state.policy);
}

/**
 * The time of the peer's watchdog, as it says itself; null: it has none, or its version does not say. One that has not
 * been heard in this run is taken to have what this node has.
 */
export function peerWatchdogMs({ peer, policy }: State): number | null {
  const { content } = peer;
  return content === null ? (policy.watchdog?.timeoutMs ?? null) : (content.watchdogMs ?? null);
}

/** Has the lease been ours for long enough that a peer without watchdog has paused its guests? */
export function leaseHasSettled(state: State): boolean {
  const { heldSince } = state.lease;
  return leaseIsValid(state) && heldSince !== null && state.now - heldSince >= pausingMs(state.policy);
}

/** The lease after an answer. Another node's term in between means that it may have run what is frozen here. */
export function leaseAfter(state: State, answer: LeaseAnswer, isFrozen: boolean): LeaseState {
  const { lease, now, policy } = state;
  const ttlMs = policy.witness?.ttlMs ?? 0;
  const ended = { ...lease, operation: null, failedAt: null };
  const lost = { validUntil: null, heldSince: null };
  switch (answer.kind) {
    case 'unreachable':
      return { ...ended, failedAt: lease.askedAt, nextAt: now + ttlMs / 6, lastError: answer.message };
    case 'refused': {
      const lastError = `${answer.holder} holds it`;
      const { peerAlone } = answer;
      const readAt = lease.askedAt;
      return { ...ended, ...lost, readAt, refusedAt: readAt, peerAlone, nextAt: now + ttlMs / 6, lastError };
    }
    case 'held':
      return {
        ...ended,
        readAt: lease.askedAt,
        refusedAt: null,
        peerAlone: answer.peerAlone,
        ownAlone: lease.asked.alone,
        heldTerm: answer.term,
        unbroken: answer.term === lease.heldTerm && (lease.unbroken || !isFrozen),
        validUntil: lease.askedAt + ttlMs * leaseShare,
        heldSince: leaseIsValid(state) ? lease.heldSince : now,
        nextAt: lease.askedAt + ttlMs / 3,
        lastError: null,
      };
  }
}
