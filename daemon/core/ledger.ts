// What must survive a restart: who owned each group last, at which generation. Written before it is acted on.

import type { Effect, Ledger, LedgerGroup } from './events.ts';
import type { Facts } from './facts.ts';
import type { GroupReport } from './heartbeat.ts';
import { silenceMs } from './membership.ts';
import { isBeside, isPeerWriting } from './migration.ts';
import { writesAlone } from './mirror.ts';
import { isSame } from './same.ts';
import type { GroupState, State } from './state.ts';
import { ledgerGroup } from './state.ts';

const retryMs = 1000;

/** The ledger's record of a group as it should be now. */
function recordOf(state: State, group: GroupState, facts: Facts): LedgerGroup {
  const { phase, discards, frozenInTime: inTime } = group;
  const known = ledgerGroup(state.ledger, group.policy.name);
  const staysFrozen = known.frozen && (phase.kind === 'observing' || phase.kind === 'stopping');
  const frozen = phase.kind === 'frozen' || staysFrozen;
  return { ...ownershipOf(state, group, facts, known), alone: writesAlone(group), frozen, inTime, discards };
}

/** Whose it is, and at which generation. */
function ownershipOf(state: State, group: GroupState, facts: Facts, known: LedgerGroup): LedgerGroup {
  const { self, peer } = state.policy;
  const { phase } = group;
  const { report } = facts;
  if (phase.kind === 'stopping' && phase.reason === 'decline') {
    return { ...known, generation: phase.generation, owner: peer, sole: false };
  }
  const isOwner =
    (phase.kind === 'starting' || phase.kind === 'active' || phase.kind === 'frozen') && phase.generation > 0;
  if (isOwner && phase.generation >= known.generation) {
    const { generation } = phase;
    const isKnown = known.owner === self && known.generation === generation;
    const sole = isKnown ? isSole(state, known, facts) : cannotReturn(state, facts);
    const writer = hasPromoted(group) && !isBeside(facts) ? self : known.writer;
    return { ...known, generation, owner: self, writer, sole };
  }
  const isHeard = state.verdict.kind === 'alive' || state.verdict.kind === 'departed';
  if (isHeard && report !== null && isNewer(state, report, known)) {
    const { generation, owner } = report;
    const writer = generation === known.generation && known.writer === peer ? peer : report.writer;
    return { ...known, generation, owner, writer, sole: false };
  }
  const writer = isPeerWriting(state, group) ? peer : known.writer;
  return { ...known, writer, sole: known.sole && state.verdict.kind !== 'alive' };
}

function hasPromoted({ resources }: GroupState): boolean {
  return resources.some(
    ({ storage, status }) => storage !== null && (status?.kind === 'up' || status?.kind === 'paused'),
  );
}

/** The peer knows of a later generation; or, as its owner, that it has promoted its disks, or declined it. */
function isNewer(state: State, report: GroupReport, known: LedgerGroup): boolean {
  if (report.generation !== known.generation) return report.generation > known.generation;
  const isChanged = report.owner !== known.owner || report.writer !== known.writer;
  return known.owner === state.policy.peer && isChanged;
}

function isSole(state: State, known: LedgerGroup, facts: Facts): boolean {
  if (state.verdict.kind === 'alive') return false;
  if (known.sole || state.verdict.kind !== 'dead') return known.sole || cannotReturn(state, facts);
  return cannotReturn(state, facts) && silenceMs(state) >= state.policy.timings.soleAfterMs;
}

/**
 * Gone, and not to take the group over later without having met this node again. A peer that is only kept from running by
 * the lease may have it next.
 */
function cannotReturn({ policy, verdict }: State, { peerGone }: Facts): boolean {
  const isByLease =
    policy.witness !== null &&
    (verdict.kind === 'dead' || (verdict.kind === 'fenced' && verdict.by === 'lease'));
  return peerGone && !isByLease;
}

/** Written down when the peer starts anew and when it falls silent; while it is heard its number changes too often. */
function newestPacket(state: State): Ledger['peer'] {
  const { incarnation, newestRun, lastSequence, proven } = state.peer;
  if (incarnation === null || newestRun === null || !proven) return state.ledger.peer;
  const isSilent = state.verdict.kind !== 'alive' && state.verdict.kind !== 'late';
  if (state.ledger.peer?.incarnation === incarnation && !isSilent) return state.ledger.peer;
  return { incarnation, sequence: lastSequence, newestRun };
}

/**
 * Whoever hears the goodbye runs everything alone from then on, and does not freeze when it is cut off: so this is on
 * record before it is said, until the peer has read of the return.
 */
function hasLeft({ ledger, leavingSince, maintenanceUntil, verdict, peer }: State): boolean {
  if (leavingSince === null || maintenanceUntil !== null) return ledger.left && peer.contactAt === null;
  return ledger.left || verdict.kind === 'alive' || verdict.kind === 'late';
}

/** Brings the ledger up to date and asks for it to be written when it has changed, or was not written last time. */
export function syncLedger(state: State, facts: readonly Facts[], emit: (effect: Effect) => void): State {
  const groups: LedgerGroup[] = [];
  facts.forEach((known, index) => {
    const group = state.groups[index];
    if (group !== undefined) groups.push(recordOf(state, group, known));
  });
  const { standby, maintenanceUntil } = state;
  const left = hasLeft(state);
  const ledger = { groups, peer: newestPacket(state), standby, left, maintenanceUntil };
  const isDue = state.persistRetryAt !== null && state.now >= state.persistRetryAt;
  if (!isDue && isSame(ledger, state.ledger)) return state;
  const ledgerRevision = state.ledgerRevision + 1;
  emit({ kind: 'persist-ledger', revision: ledgerRevision, ledger });
  const marked = state.groups.map((group) => {
    const was = ledgerGroup(state.ledger, group.policy.name);
    const is = ledgerGroup(ledger, group.policy.name);
    const isOurs = is.owner === state.policy.self;
    // Its disks were promoted here: no guest writes before that is on record.
    const isNews = was.owner !== is.owner || was.generation !== is.generation || was.writer !== is.writer;
    const becameOurs = isOurs && isNews;
    return {
      ...group,
      needsRevision: becameOurs ? ledgerRevision : group.needsRevision,
      soleUntil: was.sole && !is.sole ? ledgerRevision : group.soleUntil,
    };
  });
  const leftFrom = !left ? 0 : state.leftFrom || ledgerRevision;
  return { ...state, groups: marked, ledger, ledgerRevision, leftFrom, persistRetryAt: null };
}

export function ledgerWriteFailed(state: State, message: string): State {
  return { ...state, ledgerFailing: message, persistRetryAt: state.now + retryMs };
}
