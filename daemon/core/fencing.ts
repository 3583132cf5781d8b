// Asks for what protects: powers a silent peer off, keeps the lease, feeds the watchdog. When to ask is decided here;
// what an answer proves is said in verdict.ts and safeguards.ts.

import { isEligible } from './eligibility.ts';
import type { Effect, LoneMarks, Outcome } from './events.ts';
import type { Facts } from './facts.ts';
import { hasRight, peerInMaintenance } from './facts.ts';
import { patienceMs, silenceMs } from './membership.ts';
import { areKnownInStep, isVouchedFor, startAwaitsWitness, writesAlone } from './mirror.ts';
import { note } from './notes.ts';
import { isStorage } from './policy.ts';
import { isComingUp, isDown, isMounted, type ResourceState } from './resource.ts';
import { leaseAfter, leaseIsValid } from './safeguards.ts';
import type { GroupState, Obstacle, State } from './state.ts';
import { peerReport } from './state.ts';
import { isHeldBack } from './storage.ts';
import { fenceIsBelied, isSwitchedOn } from './verdict.ts';

type Emit = (effect: Effect) => void;
type FactsOf = (group: GroupState) => Facts;

const watchdogRetryMs = 5000;
const fenceRetryMsMax = 60_000;

/** Does this node run, or may it come to run, anything? */
export function holdsAnything(state: State): boolean {
  return state.groups.some(({ phase }) => holdingPhases.has(phase.kind));
}

const holdingPhases = new Set(['starting', 'active', 'frozen', 'stopping']);

export function reliesOnWatchdog({ policy }: State): boolean {
  return policy.witness !== null && policy.watchdog !== null;
}

export function tendSafeguards(state: State, factsOf: FactsOf, emit: Emit): State {
  return tendWatchdog(tendLease(tendFence(state, factsOf, emit), factsOf, emit), emit);
}

const proofObstacles = new Set<Obstacle>(['not-fenced', 'no-lease', 'unknown-data']);

/** The group waits for nothing but proof that the peer is off. */
function awaitsProof(state: State, group: GroupState, facts: Facts): boolean {
  const { kind } = group.phase;
  const waitsForRelease = facts.peerMayHoldAddresses || facts.peerMayHoldRest;
  if (kind === 'starting' && waitsForRelease) return true;
  if (kind === 'starting' || kind === 'active') return group.resources.some(isHeldBack);
  const isIdle = kind === 'stopped' || kind === 'blocked';
  const { obstacle } = facts;
  const isOnlyProof = obstacle === null || proofObstacles.has(obstacle);
  return isIdle && facts.allDown && isOnlyProof && isEligible(state, group, state.policy.fencing !== null);
}

function isSilent({ verdict }: State): boolean {
  return verdict.kind === 'dead' || verdict.kind === 'unresponsive';
}

/** A node that holds nothing lets the other one shoot first; of two alike the preferred one is first. */
function fenceDelayMs(state: State): number {
  const content = state.peer.content;
  const peerHolds = content === null || content.groups.some(({ holdsRest }) => holdsRest);
  const isPreferred = state.groups[0]?.policy.preferred === state.policy.self;
  const isFirst = holdsAnything(state) === peerHolds ? isPreferred : holdsAnything(state);
  return isFirst ? 0 : (state.policy.fencing?.delayMs ?? 0);
}

function tendFence(before: State, factsOf: FactsOf, emit: Emit): State {
  const { fencing, peer } = before.policy;
  if (fencing === null) return before;
  const state = fenceIsBelied(before) ? fenceEnded(before, emit) : before;
  const { fence } = state;
  if (fence.operation !== null || fence.succeededAt !== null || !isSilent(state)) return state;
  if (peerInMaintenance(state) || (fence.retryAt !== null && state.now < fence.retryAt)) return state;
  if (silenceMs(state) < patienceMs(state) + fenceDelayMs(state)) return state;
  if (!state.groups.some((group) => awaitsProof(state, group, factsOf(group)))) return state;
  const operation = state.nextOperation;
  emit({ kind: 'fence-peer', operation, deadlineMs: fencing.deadlineMs });
  const message = `${peer} is powered off, so that it cannot run what it is to lose`;
  const next = `wait until it is off; then see with \`battito history\` why ${peer} was silent`;
  emit(note('alarm', 'fencing', null, message, null, next));
  return {
    ...state,
    nextOperation: operation + 1,
    fence: { ...fence, operation, askedAt: state.now, retryAt: null },
  };
}

/** It answers: what the device has said proves nothing any more. */
function fenceEnded(state: State, emit: Emit): State {
  const { peer } = state.policy;
  if (isSwitchedOn(state)) {
    const message = `${peer} answers again: it was switched on after its device had switched it off, or it never was off`;
    const next = `if nobody has switched ${peer} on, look at it at once: what was started here may run there too`;
    emit(note('warning', 'fence-ended', null, message, null, next));
    return fenceFailed(state, null);
  }
  const message = `the fencing device says that ${peer} is off, but it still answers`;
  emit(note('alarm', 'fence-belied', null, message, null, `check the device; power ${peer} off by hand`));
  return fenceFailed(state, message);
}

/** The run that was heard before the device said off is heard again: the peer has never been off. */
export function noteNeverOff({ policy, fence }: State, heardRun: number, emit: Emit): void {
  if (heardRun !== fence.offRun) return;
  const { peer } = policy;
  const message = `the fencing device said that ${peer} is off, but its daemon has gone on: it never was off`;
  const next = `see with \`battito status\` on ${peer} what runs there; then mend the device, and try it: battito drill fence`;
  emit(note('alarm', 'fence-belied', null, message, null, next));
}

function fenceFailed(state: State, message: string | null): State {
  const failures = state.fence.failures + 1;
  const retryAt = state.now + Math.min(fenceRetryMsMax, 500 * 2 ** failures);
  return {
    ...state,
    fence: { ...state.fence, operation: null, succeededAt: null, failures, retryAt, lastError: message },
  };
}

export function fenceFinished(state: State, outcome: Outcome, emit: Emit): State {
  const { peer } = state.policy;
  const tookMs = state.now - (state.fence.askedAt ?? state.now);
  if (outcome.kind === 'done') {
    emit(note('warning', 'fenced', null, `${peer} is powered off, the fencing device says`, tookMs));
    return {
      ...state,
      fence: {
        ...state.fence,
        operation: null,
        succeededAt: state.now,
        offRun: state.peer.incarnation,
        failures: 0,
        lastError: null,
      },
    };
  }
  const message = `${peer} could not be powered off: ${outcome.message}`;
  const next = `power ${peer} off by hand, then run \`battito fence confirm ${peer}\``;
  emit(note('alarm', 'fence-failed', null, message, tookMs, next));
  return fenceFailed(state, outcome.message);
}

/** An idle node asks once the peer is silent and a group waits for nothing else. */
function wantsLease(state: State, factsOf: FactsOf): boolean {
  const { lease } = state;
  const silent = isSilent(state) || state.verdict.kind === 'fenced' || state.verdict.kind === 'departed';
  return state.groups.some((group) => {
    if (holdingPhases.has(group.phase.kind)) return true;
    if (!silent) return false;
    const facts = factsOf(group);
    const allDown = facts.allDown || (lease.validUntil !== null && isDownAsLastRead(state, group));
    return awaitsProof(state, group, { ...facts, allDown });
  });
}

/**
 * All of it is down but for what cannot be read for a moment. To give the lease back for that would begin the proof anew
 * each time; to keep it for long would keep the peer from running what this node does not.
 */
function isDownAsLastRead({ now, policy }: State, { resources }: GroupState): boolean {
  return resources.every((resource) => {
    const { status, statusSince, inDoubt } = resource;
    if (isDown(resource)) return true;
    const isUnread = status?.kind === 'unknown' && !inDoubt && !isComingUp(resource);
    return isUnread && now - statusSince < policy.timings.deadtimeMs;
  });
}

/** About to be written to without its mirror, for all that is known: what DRBD showed may be of before the peer fell silent. */
function isToWriteAlone(state: State, { phase, resources }: GroupState): boolean {
  const isApart = ({ storage }: ResourceState) =>
    storage !== null && (storage.connection !== 'connected' || !isVouchedFor(state));
  return phase.kind === 'starting' && resources.some(isApart);
}

/** What the witness is to record: whoever takes over later must know that we wrote without it. */
function loneMarks(state: State): LoneMarks {
  const namesOf = (chosen: (group: GroupState) => boolean) =>
    state.groups.filter(chosen).map(({ policy }) => policy.name);
  return {
    alone: namesOf((group) => writesAlone(group) || isToWriteAlone(state, group)),
    same: namesOf((group) => isMirrored(state, group)),
  };
}

/** Both live, and the copies are the same by what both say. */
function isMirrored(state: State, group: GroupState): boolean {
  return peerReport(state, group.policy.name)?.alone === false && areKnownInStep(state, group);
}

function tendLease(state: State, factsOf: FactsOf, emit: Emit): State {
  const { witness } = state.policy;
  const { lease } = state;
  if (witness === null || lease.operation !== null) return state;
  const wants = wantsLease(state, factsOf);
  if (!wants && lease.validUntil === null) return state;
  if (!wants) return releaseLease(state, emit);
  const asked = loneMarks(state);
  const isNews = lease.lastError === null && !asked.alone.every((name) => lease.asked.alone.includes(name));
  const isAwaited =
    lease.askedAt < state.peer.runSince && state.groups.some((group) => startAwaitsWitness(state, group));
  if (state.now < lease.nextAt && !isNews && !isAwaited) return state;
  const operation = state.nextOperation;
  emit({ kind: 'request-lease', operation, marks: asked, deadlineMs: witness.ttlMs / 3 });
  // What is to be taken off may be gone, whether or not an answer comes.
  const ownAlone = lease.ownAlone.filter((name) => !asked.same.includes(name));
  return {
    ...state,
    nextOperation: operation + 1,
    lease: { ...lease, operation, askedAt: state.now, asked, ownAlone },
  };
}

function releaseLease(state: State, emit: Emit): State {
  emit({ kind: 'release-lease' });
  return { ...state, lease: { ...state.lease, validUntil: null, heldSince: null, heldTerm: null } };
}

export function leaseAnswered(
  state: State,
  operation: number,
  answer: Parameters<typeof leaseAfter>[1],
  emit: Emit,
): State {
  if (state.lease.operation !== operation) return state;
  const isFrozen = state.groups.some(({ phase }) => phase.kind === 'frozen');
  const lease = leaseAfter(state, answer, isFrozen);
  const was = state.lease.lastError;
  if (lease.lastError !== was) {
    emit(
      lease.lastError === null
        ? note('info', 'lease-held', null, 'the lease of the witness is ours')
        : note('warning', 'lease-not-held', null, `the lease of the witness is not ours: ${lease.lastError}`),
    );
  }
  return { ...state, lease };
}

/** Fed only while this node may run, or while all that it has is frozen; so what cannot be stopped ends with it. */
function mayFeed(state: State): boolean {
  return hasRight(state) || state.groups.every(isHarmless);
}

/**
 * Nothing of the group answers or writes here: a disk whose guests are paused is not written to, one with a file system,
 * which writes for itself, only when it is held back; what is beneath one without a mirror cannot be.
 */
export function isHarmless(group: GroupState): boolean {
  const { resources, policy } = group;
  return resources.every((resource) => {
    const { id, status, inDoubt, storage } = resource;
    const { kind, needs = [] } = policy.resources.find((other) => other.id === id) ?? {};
    if (kind === 'filesystem' && needs.length === 0) return status?.kind === 'down';
    if (kind !== undefined && isStorage(kind)) {
      const isSuspended = storage !== null && storage.suspended !== 'no';
      return isSuspended || status?.kind === 'paused' || status?.kind === 'down' || !isMounted(group, id);
    }
    if (isComingUp(resource)) return false;
    return (status?.kind === 'down' && !inDoubt) || status?.kind === 'paused';
  });
}

function holdsNothingAtAll(state: State): boolean {
  return !holdsAnything(state) && state.groups.every(({ resources }) => resources.every(isDown));
}

function tendWatchdog(state: State, emit: Emit): State {
  if (!reliesOnWatchdog(state)) return state;
  const { watchdog } = state;
  if (watchdog.operation !== null) return state;
  if (!watchdog.armed) {
    const isDue = watchdog.retryAt === null || state.now >= watchdog.retryAt;
    const isTriedAgain = watchdog.lastError !== null && !holdsAnything(state);
    const isNeeded = holdsAnything(state) && hasRight(state);
    // To stop it, it has to be opened, which feeds it: only where nothing is left here that it is to end.
    const isLeftOver = watchdog.leftRunning && hasRight(state) && holdsNothingAtAll(state);
    if (!isDue || (!isNeeded && !isTriedAgain && !isLeftOver)) return state;
    const operation = state.nextOperation;
    emit({ kind: 'arm-watchdog', operation });
    return { ...state, nextOperation: operation + 1, watchdog: { ...watchdog, operation } };
  }
  if (holdsNothingAtAll(state)) {
    emit({ kind: 'disarm-watchdog' });
    return { ...state, watchdog: { ...watchdog, armed: false } };
  }
  if (state.now < watchdog.petAt || !mayFeed(state)) return state;
  emit({ kind: 'pet-watchdog' });
  return { ...state, watchdog: { ...watchdog, petAt: state.now + state.policy.timings.keepaliveMs } };
}

export function watchdogFinished(state: State, outcome: Outcome, emit: Emit): State {
  const ended = { ...state.watchdog, operation: null, leftRunning: false };
  if (outcome.kind === 'done') {
    return {
      ...state,
      watchdog: { ...ended, armed: true, petAt: state.now, retryAt: null, lastError: null },
    };
  }
  const next = 'load its driver (`modprobe softdog`) or mend it; nothing is started here without it';
  emit(
    note('alarm', 'watchdog-failed', null, `the watchdog cannot be armed: ${outcome.message}`, null, next),
  );
  return {
    ...state,
    watchdog: { ...ended, retryAt: state.now + watchdogRetryMs, lastError: outcome.message },
  };
}

/** A daemon that ends disarms the watchdog only when nothing here needs one, or the peer knows to leave it alone. */
export function letGoOfSafeguards(state: State, isSafe: boolean, emit: Emit): void {
  if (state.watchdog.armed && isSafe) emit({ kind: 'disarm-watchdog' });
  if (leaseIsValid(state) && !holdsAnything(state)) emit({ kind: 'release-lease' });
}
