// What is concluded about a silent peer, from what evidence; and how often that evidence is gathered.

import type { ProbePace } from './events.ts';
import type { HeartbeatContent } from './heartbeat.ts';
import { contactAgeMs, isHolding, patienceMs, rawSilenceMs, silenceMs } from './membership.ts';
import type { MonotonicMs, ProbeTarget, Timings } from './policy.ts';
import { leaseHasSettled, leaseProvesAt, peerHoldsLease } from './safeguards.ts';
import type { PeerState, State, Verdict } from './state.ts';

/** Refreshes links and the verdict for the present moment. */
export function judge(state: State): State {
  const { warntimeMs, deadtimeMs } = state.policy.timings;
  const links = state.links.map((link) => {
    const silentMs = link.lastHeardAt === null ? Infinity : state.now - link.lastHeardAt;
    const fresh = link.fresh && silentMs - state.peer.forgivenMs < deadtimeMs;
    return { ...link, fresh };
  });
  const verdict = conclude(state, warntimeMs);
  const alive = verdict.kind === 'alive' || (verdict.kind === 'late' && state.peer.aliveSince !== null);
  const aliveSince = alive ? (state.peer.aliveSince ?? state.now) : null;
  const isStale = verdict.kind === 'isolated' && rawSilenceMs(state) >= state.policy.timings.staleAfterMs;
  const lostWhileIsolated = state.peer.lostWhileIsolated || isStale;
  const isolatedAt = isCutOffByNow(state) ? state.now : state.peer.isolatedAt;
  const wasOff = verdict.kind === 'fenced' || (state.peer.wasOff && !neverWasOff(state));
  const peer = { ...state.peer, aliveSince, lostWhileIsolated, isolatedAt, wasOff };
  const changed = verdict.kind !== state.verdict.kind;
  return { ...state, links, peer, verdict, verdictSince: changed ? state.now : state.verdictSince };
}

/** It acts unheard, or what answers has never been silent since its device said that it is off. */
const neverWasOff = (state: State) => peerHoldsLease(state) || (fenceIsBelied(state) && !isSwitchedOn(state));

/** The outside has been asked since the peer fell silent, and does not answer. */
function isCutOffByNow(state: State): boolean {
  if (state.peer.lastHeardAt === null) return false;
  const askedAfterMs = state.policy.timings.warntimeMs + 2 * urgentProbeMs(state.policy.timings);
  return silenceMs(state) >= askedAfterMs && !outsideReachable(state);
}

function conclude(state: State, warntimeMs: number): Verdict {
  const { peer } = state;
  const isBack = peerHoldsLease(state);
  if (peer.confirmedOff && !isBack) return { kind: 'fenced', by: 'operator' };
  if (hasDeparted(peer) && !isBack) return { kind: 'departed' };
  const silent = silenceMs(state);
  if (silent < patienceMs(state)) {
    if (peer.lastHeardAt === null) return { kind: 'listening' };
    return silent < warntimeMs ? { kind: 'alive' } : { kind: 'late' };
  }
  if (fenceStands(state) && !isBack) return { kind: 'fenced', by: 'device' };
  const signs = signsOfLife(state);
  const provenAt = leaseProvesAt(state);
  if (signs.length === 0 && provenAt !== null && state.now >= provenAt)
    return { kind: 'fenced', by: 'lease' };
  if (signs.length > 0) return { kind: 'unresponsive', signs };
  if (!outsideReachable(state)) return { kind: 'isolated' };
  return peerAsked(state) ? { kind: 'dead' } : { kind: 'unresponsive', signs: [] };
}

/** It said goodbye and runs nothing, and nothing of it has come since: also what comes unproven says that it is back. */
function hasDeparted({ content, lastHeardAt, unprovenHeardAt }: PeerState): boolean {
  if (content === null || !content.leaving || !holdsNothing(content)) return false;
  return (unprovenHeardAt ?? -Infinity) <= (lastHeardAt ?? -Infinity);
}

/** The device says off, and the peer's addresses were asked since and did not answer, or could not be asked. */
function fenceStands(state: State): boolean {
  const { succeededAt } = state.fence;
  if (succeededAt === null || fenceIsBelied(state)) return false;
  return state.policy.probes.every(({ id, kind }) => {
    const reportAt = state.probes.find(({ target }) => target === id)?.lastReportAt ?? null;
    return kind !== 'peer' || (reportAt !== null && reportAt > succeededAt);
  });
}

/** The device says that the peer is off, but something of it still answers. */
export function fenceIsBelied(state: State): boolean {
  const { succeededAt } = state.fence;
  return succeededAt !== null && signsOfLife(state, succeededAt).length > 0;
}

/**
 * What answers did not do so for a while since the device said off: the peer has been switched on, and is no less off
 * before that.
 */
export function isSwitchedOn(state: State): boolean {
  const since = state.fence.succeededAt ?? Infinity;
  const answers = answering(state, since);
  const ofPeer = state.policy.probes.filter(({ kind }) => kind === 'peer').map(({ id }) => id);
  const ids = answers.length > 0 ? answers : ofPeer;
  const wasSilent = (id: string) =>
    (state.probes.find(({ target }) => target === id)?.lastUnansweredAt ?? -Infinity) > since;
  return ids.length > 0 && ids.every(wasSilent);
}

export function holdsNothing(content: HeartbeatContent): boolean {
  return content.groups.every((group) => !group.holdsAddresses && !group.holdsRest);
}

/** Answers count while younger than this: what came in since evidence gathering began. Must never grow. */
function evidenceWindowMs({ deadtimeMs, warntimeMs }: Timings): number {
  return deadtimeMs - warntimeMs;
}

/**
 * The outside counts as reachable for less long: a node that lost it must freeze before its peer, which may have
 * been cut off just before, takes over.
 */
export function outsideWindowMs(timings: Timings): number {
  return (evidenceWindowMs(timings) * 2) / 3;
}

function within(state: State, at: MonotonicMs | null, windowMs: number): boolean {
  return at !== null && state.now - at < windowMs;
}

/** Addresses of the peer that have answered since. */
function answering(state: State, since: MonotonicMs): readonly string[] {
  return state.policy.probes
    .filter((target) => target.kind !== 'gateway' && !holdsAddress(state, target))
    .map(({ id }) => id)
    .filter((id) => (state.probes.find(({ target }) => target === id)?.lastAnsweredAt ?? -Infinity) > since);
}

function signsOfLife(
  state: State,
  since: MonotonicMs = state.now - evidenceWindowMs(state.policy.timings),
): readonly string[] {
  const signs = answering(state, since).map((id) => `${id} still answers`);
  if ((state.peer.unprovenHeardAt ?? -Infinity) > since) {
    signs.push('its packets arrive, but it does not read ours, or we cannot read its');
  }
  return signs;
}

function holdsAddress(state: State, target: ProbeTarget): boolean {
  return state.groups.some(({ resources }) =>
    resources.some(({ id, status }) => id === target.id && status?.kind !== 'down'),
  );
}

/**
 * Neither the outside nor any address of the peer answers. Both count for the shorter time: a peer that was asked just
 * before the cables went must not keep this node from freezing for longer than its own takeover takes. That the peer
 * is heard says nothing of whether it hears us.
 */
export function isCutOff(state: State): boolean {
  const since = state.now - outsideWindowMs(state.policy.timings);
  return !outsideReachable(state) && answering(state, since).length === 0;
}

/**
 * A peer that is away by its own word, or a device's, may come back unseen by a node that is cut off, and is then lent the
 * lease. It needs longer for that than for a takeover, so a few lost answers are borne. After a stall of our own the
 * outside is asked before it is believed to be silent.
 */
export function mayMissReturn(state: State): boolean {
  const { deadtimeMs } = state.policy.timings;
  const stalledMs = state.now - (state.stalls.lastAt ?? -Infinity);
  return isCutOff(state) && stalledMs > deadtimeMs && !outsideReachable(state, deadtimeMs);
}

/** Positive proof of the outside: a lease, a gateway that answers; without gateways to ask, carrier on the LAN. */
function outsideReachable(state: State, windowMs = outsideWindowMs(state.policy.timings)): boolean {
  if (leaseHasSettled(state)) return true;
  const gateways = state.policy.probes.filter(({ kind }) => kind === 'gateway');
  if (gateways.length === 0) return carrierEverywhere(state);
  return gateways.some(({ id }) => {
    const probe = state.probes.find(({ target }) => target === id);
    return within(state, probe?.lastAnsweredAt ?? null, windowMs);
  });
}

function carrierEverywhere(state: State): boolean {
  return state.groups.every((group) => hasCarrier(state, group.policy.interfaces));
}

export function hasCarrier(state: State, interfaces: readonly string[]): boolean {
  return interfaces.every((name) => state.carriers[name]?.up !== false);
}

/** Was at least one question to the peer really asked, and left without an answer, since it fell silent? */
function peerAsked(state: State): boolean {
  const windowMs = evidenceWindowMs(state.policy.timings);
  const targets = state.policy.probes.filter(({ kind }) => kind === 'peer');
  return targets.some(({ id }) => {
    const probe = state.probes.find(({ target }) => target === id);
    return within(state, probe?.lastUnansweredAt ?? null, windowMs);
  });
}

const steadyProbeMs = 1000;

/** Between two questions to the same address once a verdict is near. */
export function urgentProbeMs(timings: Timings): number {
  return Math.max(20, Math.min(steadyProbeMs / 2, Math.round(evidenceWindowMs(timings) / 8)));
}

/** How often each target is to be asked now: gateways always, the peer's addresses once a verdict is near. */
export function wantedPaces(state: State): readonly ProbePace[] {
  const { timings } = state.policy;
  const windowMs = evidenceWindowMs(timings);
  const unheardMs = contactAgeMs(state) - state.peer.stalledSinceContactMs;
  const silent = Math.max(silenceMs(state), unheardMs);
  const mayFreezeAtWarntime = state.peer.contactAt === null && isHolding(state);
  // A stall of ours is time in which the peer had no news of us: the outside is asked before that is believed.
  const stalledMs = state.now - (state.stalls.lastAt ?? -Infinity);
  const mayFreezeSoon = mayFreezeAtWarntime || (isHolding(state) && stalledMs < patienceMs(state));
  const isDue = mayFreezeSoon || silent >= patienceMs(state) - windowMs;
  const mustNoticeACut = state.policy.witness !== null && isHolding(state);
  const near = isDue && (state.verdict.kind !== 'departed' || mustNoticeACut);
  const settled = silent > patienceMs(state) + timings.takeoverAfterMs;
  const urgentMs = urgentProbeMs(timings) * (settled ? 2 : 1);
  const paces: ProbePace[] = [];
  for (const target of state.policy.probes) {
    if (target.kind === 'gateway')
      paces.push({ target: target.id, intervalMs: near ? urgentMs : steadyProbeMs });
    else if (near && !holdsAddress(state, target)) paces.push({ target: target.id, intervalMs: urgentMs });
  }
  return paces;
}
