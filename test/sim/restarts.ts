// Rule S14: a guest is not ended only to be started again where it was. What was frozen goes on after a heal, and what a
// daemon finds running stays: neither boots.

import type { Ledger } from '../../daemon/core/events.ts';
import type { GroupReport } from '../../daemon/core/heartbeat.ts';
import type { GroupName } from '../../daemon/core/policy.ts';
import { leaseIsValid } from '../../daemon/core/safeguards.ts';
import { type GroupState, ledgerGroup, peerReport, type State } from '../../daemon/core/state.ts';
import { otherSide, type Side } from '../../daemon/sim/action.ts';
import type { Checker, Context, TraceOf } from './checkers.ts';
import { forgive, has, isThere, type Part, partsOf, spare, stillSince } from './parts.ts';

const ends: ReadonlySet<string> = new Set(['stop', 'save', 'destroy']);

/** The witness says that nobody else has had the lease since it was this node's, before it froze. */
const isUnbroken = (state: State) => leaseIsValid(state) && state.lease.unbroken;

/** Only the peer could say whether it has run what is frozen here, and it is away. */
const isAway = ({ verdict }: State) =>
  verdict.kind === 'departed' || verdict.kind === 'fenced' || verdict.kind === 'dead';

type Both<T> = Readonly<Record<Side, T>>;

/** What is known of both hosts; the states and the runs are those of their daemons. */
interface Known {
  readonly context: Context;
  readonly parts: Both<ReadonlyMap<GroupName, Part>>;
  readonly states: Record<Side, State | null>;
  readonly runs: Record<Side, number>;
}

/** The rules by which what is frozen is ended. */
const givesUpFrozen: ReadonlySet<string> = new Set(['discard', 'discard-when-fenced']);

const generationOf = (ledger: Ledger | undefined, name: GroupName) =>
  ledger === undefined ? 0 : ledgerGroup(ledger, name).generation;

/** The other host had it, or may have had it, since it last acted here. */
function isElsewhere(known: Known, at: number, side: Side, part: Part, group: GroupState): boolean {
  const { phase, rule } = group;
  const { parts, states, runs } = known;
  const { policy, ledgerOnDisk } = known.context;
  const other = otherSide(side);
  const theirs = parts[other].get(part.name);
  const since = stillSince(part, at, policy.timings.deadtimeMs);
  if (theirs !== undefined && (has(theirs) || theirs.hadAt >= since)) return true;
  // By the record of the other node, which may not be on disk yet.
  const records = [ledgerOnDisk(other), states[other]?.ledger].map((one) => generationOf(one, part.name));
  const own = 'generation' in phase ? phase.generation : 0;
  const record = ledgerOnDisk(side);
  const newest = Math.max(own, generationOf(record, part.name));
  if (Math.max(...records) > newest) return true;
  const state = states[side];
  if (state === null) return false;
  const report = peerReport(state, part.name);
  if (
    isWithoutRight(state, report, group, record) ||
    saysMore(report, newest, group, other) ||
    state.lease.peerAlone.includes(part.name)
  )
    return true;
  // It may be found frozen and be given up in the same step.
  const wasFrozen = part.phase === 'frozen' || (part.phase === 'observing' && givesUpFrozen.has(rule ?? ''));
  if (!wasFrozen || isUnbroken(state)) return false;
  // This node has lost its record of it.
  if (part.isRecordLost && own === 0 && (report?.generation ?? 0) > 0) return true;
  return isAway(state) || (policy.witness !== null && !part.isMirrored && part.heardRun !== runs[other]);
}

/** It was found here while the record named the other node as its owner, and that one says whose it is. */
function isWithoutRight(
  state: State,
  report: GroupReport | null,
  { phase, policy }: GroupState,
  known: Ledger | undefined,
) {
  const isOwn = !('generation' in phase) || phase.generation > 0;
  if (isOwn || known === undefined || state.verdict.kind !== 'alive') return false;
  return ledgerGroup(known, policy.name).owner === state.policy.peer && (report?.generation ?? 0) > 0;
}

/** The other node has said that it has a better right, if only in a packet that came late. */
function saysMore(report: GroupReport | null, newest: number, { policy, rule }: GroupState, other: Side) {
  if (report === null) return false;
  const runsThere = report.phase === 'starting' || report.phase === 'active';
  const isFirst = rule === 'yield' && runsThere && policy.preferred === other;
  return report.generation > newest || (isFirst && report.generation === newest);
}

/** Why it is ended here excuses that it is started here again. */
function isDue(known: Known, at: number, side: Side, part: Part, group: GroupState): boolean {
  return isGivenUp(known.states[side], group) || isElsewhere(known, at, side, part, group);
}

/** To the other node: it is granted or declined; or this one leaves. */
const isGivenUp = (state: State | null, { grant, phase }: GroupState) =>
  grant !== null ||
  (state?.leavingSince ?? null) !== null ||
  (phase.kind === 'stopping' && phase.reason === 'decline');

/** It may come up at any time, since nobody knows what came of a start of it: so it is ended to be still. */
const isInDoubt = ({ resources }: GroupState, resource: string) =>
  resources.some(({ id, inDoubt }) => id === resource && inDoubt);

/**
 * S14. A guest that runs or is paused is not ended by its node and then started again on the same host, unless the other
 * one had the group since it last acted here, or was granted it, or knows of a later generation, or said so, or that it
 * runs it with a better right; or it was found here without one; or this node has lost its record of what is frozen
 * here, and the other one has one; or the witness says that it wrote; or it was declined here, or may come up at any
 * time; or its node leaves, or loses its power; or nobody can say that what is frozen here is not older than what ran
 * since.
 */
export function notRestarted(context: Context): Checker {
  const { policy, report } = context;
  const parts = { primary: partsOf(policy), secondary: partsOf(policy) };
  const states: Known['states'] = { primary: null, secondary: null };
  const runs = { primary: 0, secondary: 0 };
  const known: Known = { context, parts, states, runs };
  const byHand = { at: -1, side: '', id: '' };
  const hadIt = (at: number, side: Side, part: Part) => {
    part.hadAt = at;
    const theirs = parts[otherSide(side)].get(part.name);
    if (theirs !== undefined) forgive(theirs);
  };
  const listen = (at: number, side: Side, part: Part, group: GroupState) => {
    const had = has(part);
    const { phase } = group;
    if (isGivenUp(states[side], group)) forgive(part);
    if (phase.kind !== part.phase) {
      const runsIt = phase.kind === 'starting' || phase.kind === 'active';
      if (runsIt && phase.generation > 0) part.isRecordLost = false;
      if (phase.kind === 'stopping') part.isStopDue = isDue(known, at, side, part, group);
      part.phase = phase.kind;
      part.phaseSince = at;
      part.heardRun = phase.kind === 'frozen' ? phase.peerRun : null;
    }
    if (had || has(part)) hadIt(at, side, part);
  };
  return {
    rule: 'S14',
    daemon({ side, incarnation }) {
      states[side] = null;
      runs[side] = incarnation;
      for (const part of parts[side].values()) part.phase = null;
    },
    powered({ side }) {
      for (const part of parts[side].values()) forgive(part);
    },
    stepped({ at, side, before, after }) {
      states[side] = after;
      const isLeaving = after.leavingSince !== before.leavingSince;
      if (before.groups === after.groups && !isLeaving) return;
      for (const [index, group] of after.groups.entries()) {
        const part = parts[side].get(group.policy.name);
        if (part !== undefined && (isLeaving || group !== before.groups[index]))
          listen(at, side, part, group);
      }
    },
    operation({ at, side, group: name, resource, action, outcome }: TraceOf<'operation'>) {
      const part = parts[side].get(name);
      const copy = part?.copies.get(resource);
      const group = states[side]?.groups.find((one) => one.policy.name === name);
      if (part === undefined || copy === undefined || group === undefined) return;
      if (outcome !== 'started' || !ends.has(action) || copy.isStray || !isThere(copy.running)) return;
      if (isInDoubt(group, resource)) return;
      const isMeant = part.phase === 'stopping' ? part.isStopDue : isDue(known, at, side, part, group);
      if (!isMeant) copy.endedBy = group.rule;
    },
    action({ at, action }) {
      const { kind } = action;
      if (kind === 'state-file') for (const part of parts[action.host].values()) part.isRecordLost = true;
      if (kind === 'start-by-hand') Object.assign(byHand, { at, side: action.host, id: action.resource });
      if (kind !== 'stop-by-hand' && kind !== 'guest-dies') return;
      const id = kind === 'guest-dies' ? action.guest : action.resource;
      for (const { copies } of parts[action.host].values()) spare(copies.get(id));
    },
    running({ at, side, group, resource, running }) {
      const part = parts[side].get(group);
      const copy = part?.copies.get(resource);
      if (part === undefined || copy === undefined) return;
      const { running: was, endedBy } = copy;
      copy.running = running;
      if (was === 'up' || running === 'up') copy.actedAt = at;
      if (running === 'failed') spare(copy);
      hadIt(at, side, part);
      if (was !== 'down') return;
      const isByHand = byHand.at === at && byHand.side === side && byHand.id === resource;
      copy.isStray = isByHand || (part.phase !== 'starting' && part.phase !== 'active');
      spare(copy);
      if (endedBy !== null && !isByHand)
        report('S14', at, side, `${resource} was ended by ${endedBy}, and is started again where it was`);
    },
  };
}
