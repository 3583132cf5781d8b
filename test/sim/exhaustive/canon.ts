// Two worlds are the same for the search when nothing that can happen from now on tells them apart. Here a world is
// written down as a row of small numbers in which that is so, and hashed (64 bits).
//
// Times become ages in steps of the grid, no older than the oldest that any rule asks about; what is yet to come is
// rounded up to the step in which it is noticed. Sequence numbers, runs, revisions and claims are only ever compared,
// and a new one is above all others of its sender's run: they become ranks. Generations are compared and counted up
// from the highest known: they are shifted down together, 0 stays 0.
//
// What is dropped, field by field, is in fields.ts. Of what is there in part:
// - sentContent but for `lan`: it is what the state says of itself at its last step. `gateways`: there is one, so `lan`
//   says it. outside.peerFewerAt: only automatic failback reads it. An operation is told by its
//   resource. aliveSince but for null: only automatic failback reads it. startedAt: once it is not asked for any more.
// - resource.starts: matters at eight within an hour (the search throws at six). lastError: whether there is one.
// - group.since and group.rule but for what reads them (`sinceOf`, `inTimeOf`).
// - pace intervals: a daemon here asks at every step whatever it is to ask. stalls: the model throws at one.
// A sample of all pairs taken to be the same is examined again (merges.ts).

import type { Ledger } from '../../../daemon/core/events.ts';
import type { Claim, Echo, GroupReport, HeartbeatContent } from '../../../daemon/core/heartbeat.ts';
import { peerHoldsLease, watchdogShare } from '../../../daemon/core/safeguards.ts';
import type { GroupState, State } from '../../../daemon/core/state.ts';
import {
  cutKinds,
  gridMs,
  type Host,
  type HostIndex,
  hostIndexes,
  timings,
  type World,
  watchdogMs,
} from './model.ts';
import { rank, rankOf } from './ranks.ts';
import { age, beginRow, due, flag, generation, type Hash, hashRow, put, side, until } from './row.ts';
import {
  actions,
  claimReasons,
  leaseAnswers,
  obstacles,
  offers,
  phases,
  statuses,
  stopReasons,
  verdicts,
  vouchers,
} from './words.ts';

function claimOf(claim: Claim | null, owner: HostIndex): void {
  put(claim === null ? -1 : rankOf.claim(owner, claim.id));
  put(claim === null ? -1 : claimReasons[claim.reason]);
}

function echoOf(echo: Echo | null, sender: HostIndex): void {
  put(echo === null ? -1 : rankOf.run(sender, echo.incarnation));
  put(echo === null ? -1 : rankOf.packet(sender, echo.incarnation, echo.sequence));
}

function grantOf(grant: GroupState['grant'], claimer: HostIndex): void {
  put(grant === null ? -1 : rankOf.run(claimer, grant.incarnation));
  put(grant === null ? -1 : rankOf.claim(claimer, grant.claim));
}

function reportOf(report: GroupReport, self: HostIndex): void {
  const peer = self === 0 ? 1 : 0;
  put(phases[report.phase]);
  generation(report.generation);
  side(report.owner);
  flag(report.holdsAddresses);
  flag(report.holdsRest);
  claimOf(report.claim, self);
  grantOf(report.grant, peer);
  flag(report.offer);
  flag(report.willing);
  flag(report.discarding);
  flag(report.sole);
}

function contentOf(content: HeartbeatContent | null, self: HostIndex): void {
  if (content === null) {
    put(-1);
    return;
  }
  flag(content.hears[0] === true);
  flag(content.leaving);
  flag(content.lan);
  for (const report of content.groups) reportOf(report, self);
}

function ledgerOf(ledger: Ledger, self: HostIndex): void {
  const [group] = ledger.groups;
  put(ledger.groups.length);
  if (group !== undefined) {
    generation(group.generation);
    side(group.owner);
    flag(group.sole);
    flag(group.frozen);
    flag(group.inTime);
    flag(group.discards);
  }
  flag(ledger.left);
  echoOf(ledger.peer, self === 0 ? 1 : 0);
}

/** The oldest that a rule asks about: `sole` for silence, and these. */
const contactMs = timings.takeoverAfterMs + timings.keepaliveMs;
const windowMs = timings.deadtimeMs - timings.warntimeMs;
const gatewayMs = Math.max(timings.deadtimeMs * 2, 5000);
const gatewayMovePauseMs = 30_000;
const mirroredAgainMs = 5000;
const requestMs = 60_000;
const offerMs = 10_000;
const unknownMs = 5000;
/** Until then a lease proves that the peer's watchdog has done what it is there for. */
const heldMs = watchdogMs * watchdogShare + timings.takeoverAfterMs - timings.freezeAfterMs;
const pausingSteps = 4;

/** Was this node's gateway silent when it was last asked, or may it be? */
function mayMissGateway({ cut, gatewayUp, budget, hosts }: World, self: HostIndex): boolean {
  const isToFail = budget.faults > 0 && (budget.gateways > 0 || budget.cuts > 0);
  if (isToFail || cut.kind !== 'none' || !gatewayUp) return true;
  return hosts[self].state?.probes[0]?.last !== 'answered';
}

function sinceOf({ phase, since, discards }: GroupState, world: World, self: HostIndex): void {
  if (phase.kind === 'active' && mayMissGateway(world, self)) age(since, gatewayMovePauseMs);
  else if (phase.kind === 'stopped' && discards) age(since, mirroredAgainMs);
  else put(-1);
}

/** What says whether all of it stood still in time; judged until it has. */
function inTimeOf({ phase, rule, since, frozenInTime }: GroupState, { peer, lease }: State): void {
  const isJudged = !frozenInTime && (phase.kind === 'frozen' || rule === 'stop-at-once');
  flag(isJudged && peer.contactAt !== null && peer.contactAt <= since);
  flag(isJudged && lease.validUntil !== null && lease.validUntil <= since);
  flag(isJudged);
}

function groupOf(group: GroupState, state: State, world: World, self: HostIndex): void {
  const { phase } = group;
  put(phases[phase.kind]);
  sinceOf(group, world, self);
  inTimeOf(group, state);
  generation('generation' in phase ? phase.generation : 0);
  claimOf('claim' in phase ? phase.claim : null, self);
  put(phase.kind === 'starting' && phase.resuming ? 1 : 0);
  put(phase.kind === 'frozen' ? rankOf.run(self === 0 ? 1 : 0, phase.peerRun ?? 0) : -1);
  put(phase.kind === 'stopping' ? stopReasons[phase.reason] : -1);
  put(phase.kind === 'blocked' ? obstacles[phase.obstacle] : -1);
  put(rankOf.revision(self, group.needsRevision));
  put(rankOf.revision(self, group.soleUntil));
  grantOf(group.grant, self === 0 ? 1 : 0);
  put(group.offer === null ? -1 : offers[group.offer.reason]);
  if (group.offer !== null && state.leavingSince !== null) age(group.offer.since, offerMs);
  age(group.pullSince, requestMs);
  age(group.pushSince, requestMs);
  flag(state.verdictSince <= group.since);
  flag((state.lease.readAt ?? -Infinity) < group.since);
  flag(group.dataAccepted);
  flag(group.frozenInTime);
  flag(group.discards);
  for (const resource of group.resources) {
    if (resource.starts.length > 6) throw new Error('the search reached the cap on starts');
    put(resource.status === null ? -1 : statuses[resource.status.kind]);
    put(resource.operation === null ? -1 : actions[resource.operation.action]);
    flag(resource.operation?.cancelled === true);
    flag(resource.asserted);
    flag(resource.inDoubt);
    put(Math.min(resource.failures, 7));
    due(resource.retryAt);
    flag(resource.quarantined !== null);
  }
}

function peerOf({ peer, startedAt, probes, fence, policy }: State, self: HostIndex): void {
  const other = self === 0 ? 1 : 0;
  put(peer.incarnation === null ? -1 : rankOf.run(other, peer.incarnation));
  flag(peer.proven);
  const leaseMs = policy.witness === null ? 0 : timings.freezeAfterMs + heldMs;
  age(peer.lastHeardAt, Math.max(timings.soleAfterMs, leaseMs));
  age(peer.unprovenHeardAt, windowMs);
  // Whether it has come back after its goodbye: of two old times only the order matters.
  if (peer.content?.leaving) flag((peer.unprovenHeardAt ?? -Infinity) > (peer.lastHeardAt ?? -Infinity));
  flag(peer.aliveSince !== null);
  put(rankOf.packet(other, peer.incarnation ?? 0, peer.lastSequence));
  contentOf(peer.content, other);
  echoOf(peer.echo, self);
  echoOf(peer.stranger, other);
  flag(peer.met);
  flag(peer.lostWhileIsolated);
  flag(peer.wasOff);
  age(peer.isolatedAt, contactMs);
  flag(peer.confirmedOff);
  age(peer.contactAt, contactMs);
  const isStartAsked =
    peer.lastHeardAt === null ||
    peer.contactAt === null ||
    probes.some((probe) => probe.lastAnsweredAt === null);
  if (isStartAsked) age(startedAt, timings.soleAfterMs);
  flag(fence.succeededAt !== null && (peer.unprovenHeardAt ?? -Infinity) > fence.succeededAt);
}

function probesOf({ probes, paces, fence }: State): void {
  for (const probe of probes) {
    const isGateway = probe.target === 'gateway';
    age(probe.lastAnsweredAt, isGateway ? gatewayMs : windowMs);
    age(probe.lastUnansweredAt, isGateway ? gatewayMs : windowMs);
    const offAt = fence.succeededAt ?? Infinity;
    flag((probe.lastAnsweredAt ?? -Infinity) > offAt);
    flag((probe.lastReportAt ?? -Infinity) > offAt);
    flag(paces.some(({ target }) => target === probe.target));
  }
}

function safeguardsOf(state: State, { witness }: World): void {
  const { fence, lease, watchdog, peer } = state;
  flag((lease.readAt ?? -Infinity) < peer.runSince);
  flag(lease.askedAt < peer.runSince);
  flag(fence.operation !== null);
  age(fence.succeededAt, 0);
  put(Math.min(fence.failures, 8));
  due(fence.retryAt);
  flag(fence.lastError !== null);
  flag(lease.operation !== null);
  if (lease.operation !== null) age(lease.askedAt, heldMs);
  due(lease.nextAt);
  const { validUntil } = lease;
  until(validUntil, -pausingSteps);
  age(lease.heldSince, heldMs);
  flag(peerHoldsLease(state));
  put(lease.heldTerm === null ? -1 : lease.heldTerm === witness.term ? 1 : 0);
  flag(lease.unbroken);
  flag(lease.lastError !== null);
  flag(watchdog.armed);
  flag(watchdog.leftRunning);
  flag(watchdog.operation !== null);
  due(watchdog.petAt);
  due(watchdog.retryAt);
  flag(watchdog.lastError !== null);
}

function stateOf(state: State, world: World, self: HostIndex): void {
  put(verdicts[state.verdict.kind]);
  put(state.verdict.kind === 'fenced' ? vouchers[state.verdict.by] : -1);
  due(state.nextHeartbeatAt);
  until(state.wakeAt, -4);
  flag(state.sentContent?.lan === true);
  age(state.outside.fewerSince, 2 * gatewayMs);
  for (const link of state.links) {
    flag(link.fresh);
    put(rankOf.packet(self === 0 ? 1 : 0, state.peer.incarnation ?? 0, link.lastSequence));
  }
  peerOf(state, self);
  probesOf(state);
  safeguardsOf(state, world);
  for (const group of state.groups) groupOf(group, state, world, self);
  age(state.leavingSince, unknownMs);
  put(state.goodbyes);
  ledgerOf(state.ledger, self);
  put(rankOf.revision(self, state.leftFrom));
  put(rankOf.revision(self, state.persistedRevision));
  due(state.persistRetryAt);
  flag(state.ledgerFailing !== null);
}

function hostOf(host: Host, world: World, self: HostIndex): void {
  flag(host.powered);
  put(rankOf.run(self, host.incarnation));
  flag(host.incarnation > 0);
  age(host.ranAt, gridMs);
  for (const kind of host.running) put(statuses[kind]);
  put(host.operations.length);
  for (const { resource, since } of host.operations) {
    put(resource);
    age(since, requestMs);
  }
  put(host.writes.length);
  for (const { revision, ledger, since } of host.writes) {
    put(rankOf.revision(self, revision));
    ledgerOf(ledger, self);
    age(since, gridMs);
  }
  ledgerOf(host.disk, self);
  for (const errand of [host.fence, host.lease, host.arming]) {
    age(errand?.since ?? null, requestMs);
    const answer = errand?.answer ?? null;
    put(answer === null ? -1 : leaseAnswers[answer.kind]);
    if (answer === null || answer.kind === 'unreachable') continue;
    put(answer.term - world.witness.term);
    flag(answer.term === host.state?.lease.heldTerm);
  }
  age(host.fedAt, requestMs);
  if (host.state === null) put(-1);
  else stateOf(host.state, world, self);
}

function worldOf(world: World): void {
  const { cut, budget, witness } = world;
  put(cutKinds.indexOf(cut.kind) * 2 + cut.host);
  flag(world.gatewayUp);
  put(witness.holder ?? -1);
  due(witness.holder === null ? null : witness.expiresAt);
  put(budget.faults);
  put(budget.crashes);
  put(budget.powerLosses);
  put(budget.cuts);
  put(budget.gateways);
  put(budget.failures);
  put(budget.boots);
  put(budget.losses);
  put(budget.delays);
  put(budget.lateness);
  put(budget.requests);
  for (const to of hostIndexes) {
    const from = to === 0 ? 1 : 0;
    put(world.inFlight[to].length);
    for (const { incarnation, sequence, echo, content, sentAt } of world.inFlight[to]) {
      put(rankOf.run(from, incarnation));
      put(rankOf.packet(from, incarnation, sequence));
      echoOf(echo, to);
      contentOf(content, from);
      age(sentAt, gridMs);
    }
  }
  for (const self of hostIndexes) hostOf(world.hosts[self], world, self);
}

/** Writes the world's hash into `hash`. */
export function hashWorld(world: World, hash: Hash): void {
  beginRow(world.now, rank(world));
  worldOf(world);
  for (const self of hostIndexes) rankOf.sentAges(self, put, contactMs);
  hashRow(hash);
}
