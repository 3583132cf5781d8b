// Applies the transition table to the groups until nothing changes any more.

import { updateGrant, updateOffer, updateWishes } from './claims.ts';
import type { Effect } from './events.ts';
import type { Facts } from './facts.ts';
import { factsOf } from './facts.ts';
import { isHarmless } from './fencing.ts';
import type { PhaseKind } from './heartbeat.ts';
import { isKnownAhead, writesAlone } from './mirror.ts';
import { note } from './notes.ts';
import { explainObstacle } from './obstacles.ts';
import type { MonotonicMs } from './policy.ts';
import { pausingMs } from './safeguards.ts';
import type { GroupState, Obstacle, Phase, State } from './state.ts';
import { ledgerGroup, peerReport, putGroup } from './state.ts';
import type { Transition } from './transitions.ts';
import { transitions } from './transitions.ts';
import { noteDetours } from './ways.ts';

type Emit = (effect: Effect) => void;

/** More rounds than any chain of transitions needs; running out of them is a defect of the table. */
const maxRounds = 12;

export function runMachine(state: State, emit: Emit): State {
  let next = state;
  for (const { policy } of state.groups) {
    let rounds = 0;
    while (true) {
      const group = next.groups.find((other) => other.policy.name === policy.name);
      if (group === undefined) throw new Error(`group ${policy.name} is gone`);
      const moved = runOnce(next, group, emit);
      if (moved === null) break;
      next = moved;
      rounds += 1;
      if (rounds > maxRounds)
        throw new Error(`group ${policy.name} does not settle, last rule ${group.rule}`);
    }
  }
  return next;
}

function runOnce(state: State, group: GroupState, emit: Emit): State | null {
  const wished = updateWishes(state, group);
  if (wished !== group) {
    if (isForgotten(group, wished)) {
      const { kind } = state.verdict;
      const isHeard = kind === 'alive' || kind === 'late';
      const why = isHeard
        ? 'was not carried out within a minute'
        : `needs ${state.policy.peer}, which is not heard,`;
      emit(note('warning', 'request-expired', group, `the operator's wish ${why} and is forgotten`));
    }
    return putGroup(state, wished);
  }
  const facts = factsOf(state, group);
  if (hasFrozenInTime(state, group, facts)) return putGroup(state, { ...group, frozenInTime: true });
  const granted = updateGrant(state, group, facts);
  if (granted !== group) return putGroup(state, granted);
  const offered = updateOffer(state, group, facts);
  if (offered !== group) {
    if (offered.offer !== null) {
      emit(
        note('info', 'offered', group, `offered to ${state.policy.peer}: ${offerText[offered.offer.reason]}`),
      );
    }
    return putGroup(state, offered);
  }
  const row = matching(group.phase.kind, facts);
  if (row !== null) return apply(state, group, facts, row, emit);
  if (group.phase.kind === 'blocked' && facts.obstacle !== null && facts.obstacle !== group.phase.obstacle) {
    emit(blockedNote(state, group, facts.obstacle));
    return putGroup(state, { ...group, phase: { kind: 'blocked', obstacle: facts.obstacle } });
  }
  return null;
}

function blockedNote(state: State, group: GroupState, obstacle: Obstacle): Effect {
  const { why, next } = explainObstacle(obstacle, state, group);
  return note('alarm', 'block', group, `not started here: ${why}`, null, next);
}

/**
 * All that the group has here stood still before the peer could have started it, and what was written here without
 * the mirror is of the time since the peer last had news of us: it could take over without a person saying so.
 */
function hasFrozenInTime(state: State, group: GroupState, facts: Facts): boolean {
  if (group.frozenInTime || !isHarmless(group) || isKnownAhead(state, group)) return false;
  // A stop in order is one by right: it would have become one at once.
  if (facts.stopsInOrder) return !facts.mustFreeze && writesAlone(group);
  if (group.phase.kind !== 'frozen' && group.rule !== 'stop-at-once') return false;
  const { timings } = state.policy;
  // What was renewed after the freeze says nothing of when the right to run had ended.
  const before = (at: MonotonicMs | null) => (at !== null && at <= group.since ? at : -Infinity);
  const contactEnds = before(state.peer.contactAt) + timings.freezeAfterMs;
  const rightEnded = Math.max(contactEnds, before(state.lease.validUntil));
  return state.now < rightEnded + pausingMs(state.policy);
}

/** Not fulfilled, but too old. */
function isForgotten(before: GroupState, after: GroupState): boolean {
  const holds = before.phase.kind === 'starting' || before.phase.kind === 'active';
  return (after.pullSince !== before.pullSince && !holds) || (after.pushSince !== before.pushSince && holds);
}

const offerText = {
  operator: 'the operator wants it moved',
  standby: 'this node is in standby',
  leave: 'the daemon here is stopping',
  failback: 'the preferred node is back',
  'no-lan': 'this node has lost the LAN, the other one has not',
  'no-disk': 'the disk here has failed',
  outside: 'the other node reaches more gateways, and has for a while',
} as const;

const rowsOf = (phase: PhaseKind) => transitions.filter(({ from }) => from === phase);

const rowsFrom: Readonly<Record<PhaseKind, readonly Transition[]>> = {
  observing: rowsOf('observing'),
  stopped: rowsOf('stopped'),
  blocked: rowsOf('blocked'),
  claiming: rowsOf('claiming'),
  starting: rowsOf('starting'),
  active: rowsOf('active'),
  frozen: rowsOf('frozen'),
  stopping: rowsOf('stopping'),
};

/** The one row that fits; two rows that fit at once are a defect of the table. */
export function matching(phase: Phase['kind'], facts: Facts): Transition | null {
  const rows = rowsFrom[phase].filter((row) => row.when(facts));
  if (rows.length > 1) throw new Error(`rules overlap: ${rows.map(({ id }) => id).join(', ')}`);
  return rows[0] ?? null;
}

function apply(state: State, group: GroupState, facts: Facts, row: Transition, emit: Emit): State {
  const phase = phaseAfter(state, group, facts, row);
  const tookMs = row.id === 'started' || row.id === 'stopped' ? state.now - group.since : null;
  if (phase.kind === 'blocked') emit(blockedNote(state, group, phase.obstacle));
  else {
    const message = `${group.phase.kind} -> ${phase.kind}: ${row.reason}`;
    emit(note(row.severity, row.id, group, message, tookMs, row.next ?? null));
  }
  if (row.stop === 'handover') noteDetours(group, emit);
  const settles = phase.kind === 'active' || phase.kind === 'stopped' || phase.kind === 'blocked';
  const isNewGeneration = phase.kind === 'starting' && !phase.resuming;
  const resources = group.resources.map((resource) => ({
    ...resource,
    reconnects: 0,
    ...(settles ? {} : { failures: 0, retryAt: null, migrationFailed: false }),
    ...(isNewGeneration ? { starts: [], quarantined: null, leftOut: false, lastError: null } : {}),
  }));
  const moved: GroupState = {
    ...group,
    phase,
    since: state.now,
    rule: row.id,
    resources,
    takenBack:
      row.id === 'take-back' ? whatIsStuck(group) : phase.kind === 'stopped' ? null : group.takenBack,
    handoverBy: group.phase.kind === 'stopping' ? null : group.handoverBy,
    dataAccepted: group.dataAccepted && phase.kind !== 'active' && phase.kind !== 'frozen',
    frozenInTime: group.frozenInTime && phase.kind !== 'starting' && phase.kind !== 'active',
    discards: group.discards && phase.kind !== 'starting',
  };
  const usesClaim = phase.kind === 'claiming' || phase.kind === 'frozen';
  return putGroup({ ...state, nextClaim: state.nextClaim + (usesClaim ? 1 : 0) }, moved);
}

function whatIsStuck({ resources }: GroupState): string {
  const errors = resources.filter(({ failures }) => failures > 0).map(({ lastError }) => lastError);
  return errors.filter((error) => error !== null).join('; ');
}

function phaseAfter(state: State, group: GroupState, facts: Facts, row: Transition): Phase {
  const generation = 'generation' in group.phase ? group.phase.generation : 0;
  const known = ledgerGroup(state.ledger, group.policy.name);
  switch (row.to) {
    case 'starting':
      if (row.id === 'resume' || row.id === 'resume-by-lease')
        return { kind: 'starting', generation: generation || nextGeneration(state, group), resuming: true };
      return { kind: 'starting', generation: nextGeneration(state, group), resuming: false };
    case 'active':
      if (group.phase.kind !== 'observing') return { kind: 'active', generation };
      return { kind: 'active', generation: known.owner === state.policy.self ? known.generation : 0 };
    case 'claiming':
      return { kind: 'claiming', claim: { id: state.nextClaim, reason: facts.claimReason } };
    case 'frozen': {
      const isOurs = known.owner === state.policy.self;
      const found = isOurs ? known.generation : 0;
      const isFound = group.phase.kind === 'observing';
      const claim = { id: state.nextClaim, reason: 'resume' } as const;
      const peerRun = isFound ? null : state.peer.incarnation;
      return { kind: 'frozen', generation: isFound ? found : generation, claim, peerRun };
    }
    case 'stopping':
      return { kind: 'stopping', generation, reason: row.stop ?? 'leave' };
    case 'blocked':
      return { kind: 'blocked', obstacle: facts.obstacle ?? 'peer-unresponsive' };
    default:
      return { kind: row.to };
  }
}

/** So many generations of the peer's, which this node has not heard of, a person's word for the data here overrules. */
const overruled = 1000;

/** Above every generation that either node is known to have had. */
function nextGeneration(state: State, group: GroupState): number {
  const { name } = group.policy;
  const reported = peerReport(state, name)?.generation ?? 0;
  const known = Math.max(ledgerGroup(state.ledger, name).generation, reported);
  return known + (group.dataAccepted ? overruled : 1);
}
