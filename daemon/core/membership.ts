// Who is there: admits heartbeats, measures our own stalls, and concludes a verdict about a silent peer.
// It never lets a replayed packet, or a silence that was our own, count against or for anybody.

import type { ProbePace } from './events.ts';
import type { Echo, HeartbeatContent } from './heartbeat.ts';
import type { MonotonicMs, ProbeTarget } from './policy.ts';
import { leaseHasSettled, leaseProvesAt, noFence } from './safeguards.ts';
import type { PeerState, RefusalReason, State, Verdict } from './state.ts';

export interface ReceivedHeartbeat {
  readonly link: number;
  readonly incarnation: number;
  readonly sequence: number;
  readonly echo: Echo | null;
  readonly content: HeartbeatContent;
}

/** Is the packet newer than all we have of its sender on its link? Packets are in order of (incarnation, sequence). */
export function admission(
  state: State,
  packet: { readonly link: number; readonly incarnation: number; readonly sequence: number },
): 'admitted' | RefusalReason {
  const known = state.peer.incarnation;
  if (known === null || packet.incarnation > known) return 'admitted';
  if (packet.incarnation < known) return 'stale-incarnation';
  const link = state.links[packet.link];
  return link !== undefined && packet.sequence > link.lastSequence ? 'admitted' : 'replayed';
}

/** An admitted packet of the peer, authenticated and decoded by the link, is taken in. */
export function receiveHeartbeat(state: State, packet: ReceivedHeartbeat): State {
  const renewed = packet.incarnation !== state.peer.incarnation;
  const peer: PeerState = renewed
    ? { ...state.peer, incarnation: packet.incarnation, proven: false, lastSequence: 0, echo: null }
    : state.peer;
  const contactAt = contactAfter(state, packet.echo);
  const proven = peer.proven || packet.echo?.incarnation === state.incarnation;
  const links = state.links.map((link, index) => {
    const lastSequence = index === packet.link ? packet.sequence : renewed ? 0 : link.lastSequence;
    return index === packet.link && proven
      ? { ...link, lastSequence, lastHeardAt: state.now, fresh: true }
      : { ...link, lastSequence };
  });
  if (!proven) {
    return countRefusal(
      { ...state, links, peer: { ...peer, unprovenHeardAt: state.now } },
      packet.link,
      'unproven',
    );
  }
  const newest = packet.sequence > peer.lastSequence;
  const hearsUs = newest && packet.content.hears.includes(true);
  const mayStartAlone = packet.content.groups.some(({ sole }) => sole);
  return {
    ...state,
    links,
    fence: { ...noFence, operation: state.fence.operation, askedAt: state.fence.askedAt },
    peerMaintenanceUntil: newest ? maintenanceEnd(state, packet.content) : state.peerMaintenanceUntil,
    peer: {
      ...peer,
      proven,
      lastHeardAt: state.now,
      forgivenMs: 0,
      met: (!renewed && peer.met) || (hearsUs && !mayStartAlone),
      lostWhileIsolated: peer.lostWhileIsolated && !hearsUs,
      isolatedAt: hearsUs ? null : peer.isolatedAt,
      confirmedOff: false,
      contactAt,
      stalledSinceContactMs: Math.min(
        peer.stalledSinceContactMs,
        Math.max(0, (state.stalls.lastAt ?? 0) - (contactAt ?? 0)),
      ),
      lastSequence: newest ? packet.sequence : peer.lastSequence,
      content: newest ? packet.content : peer.content,
      echo: newest ? packet.echo : peer.echo,
    },
  };
}

/** Only an echo of this run counts; an echo too old for us to know when we sent it proves nothing new. */
function contactAfter(state: State, echo: Echo | null): MonotonicMs | null {
  const { contactAt } = state.peer;
  if (echo?.incarnation !== state.incarnation) return contactAt;
  const sent = state.sent.find(({ sequence }) => sequence === echo.sequence);
  return sent === undefined ? contactAt : Math.max(sent.at, contactAt ?? sent.at);
}

/** An admitted packet that is not understood says only that its sender lives. */
export function receiveUnreadable(state: State, link: number): State {
  return countRefusal({ ...state, peer: { ...state.peer, unprovenHeardAt: state.now } }, link, 'unproven');
}

function maintenanceEnd(state: State, content: HeartbeatContent): MonotonicMs | null {
  return content.maintenanceMinutes === 0 ? null : state.now + content.maintenanceMinutes * 60_000;
}

export function countRefusal(state: State, index: number, reason: RefusalReason): State {
  const links = state.links.map((link, at) =>
    at === index ? { ...link, refused: { ...link.refused, [reason]: link.refused[reason] + 1 } } : link,
  );
  return { ...state, links };
}

/** An event that comes this much later than the core asked to be woken means that we did not run: that silence is
 * forgiven the peer. Looked for at every event, since the first one after a stall may be any. */
export function measureStall(state: State): State {
  const latenessMs = state.now - state.wakeAt;
  if (latenessMs <= state.policy.timings.keepaliveMs) return state;
  const heardSince = Math.max(state.wakeAt, state.peer.lastHeardAt ?? 0);
  const forgivenMs = state.peer.forgivenMs + Math.max(0, state.now - heardSince);
  const contactSince = Math.max(state.wakeAt, state.peer.contactAt ?? 0);
  const stalledSinceContactMs = state.peer.stalledSinceContactMs + Math.max(0, state.now - contactSince);
  return {
    ...state,
    stalls: { count: state.stalls.count + 1, lastMs: latenessMs, lastAt: state.now },
    peer: { ...state.peer, forgivenMs, stalledSinceContactMs },
  };
}

/** Silence by the clock, milliseconds. */
export function rawSilenceMs(state: State): number {
  return state.now - (state.peer.lastHeardAt ?? state.startedAt);
}

/** How long ago, at least, the peer last had news of us, milliseconds; what a freeze goes by. */
export function contactAgeMs(state: State): number {
  return state.now - (state.peer.contactAt ?? state.startedAt);
}

/**
 * Has the peer had no news of us for so long that it may conclude that we are dead? After a stall of our own the
 * outside is asked before that is believed.
 */
export function isUnheard(state: State): boolean {
  const { freezeAfterMs, warntimeMs } = state.policy.timings;
  const afterMs = state.peer.contactAt === null ? warntimeMs : freezeAfterMs;
  const ageMs = contactAgeMs(state);
  return ageMs >= afterMs && ageMs - state.peer.stalledSinceContactMs >= warntimeMs;
}

/** Silence that may count against the peer, milliseconds: our own stalls are taken out. */
export function silenceMs(state: State): number {
  return rawSilenceMs(state) - state.peer.forgivenMs;
}

/** How long the peer may be silent before we conclude anything, milliseconds. */
export function patienceMs(state: State): number {
  const { deadtimeMs, initdeadMs } = state.policy.timings;
  if (state.peer.lastHeardAt !== null) return deadtimeMs;
  return isHolding(state) ? deadtimeMs : initdeadMs;
}

function isHolding({ groups }: State): boolean {
  return groups.some(({ phase }) => phase.kind === 'active' || phase.kind === 'frozen');
}

/** Refreshes links and the verdict for the present moment. */
export function judge(state: State): State {
  const { warntimeMs, deadtimeMs } = state.policy.timings;
  const links = state.links.map((link) => {
    const silentMs = link.lastHeardAt === null ? Infinity : state.now - link.lastHeardAt;
    const fresh = link.fresh && silentMs - state.peer.forgivenMs < deadtimeMs;
    return { ...link, fresh };
  });
  const verdict = conclude({ ...state, links }, warntimeMs);
  const alive = verdict.kind === 'alive' || (verdict.kind === 'late' && state.peer.aliveSince !== null);
  const aliveSince = alive ? (state.peer.aliveSince ?? state.now) : null;
  const isStale = verdict.kind === 'isolated' && rawSilenceMs(state) >= state.policy.timings.staleAfterMs;
  const lostWhileIsolated = state.peer.lostWhileIsolated || isStale;
  const isolatedAt = isCutOffByNow(state) ? state.now : state.peer.isolatedAt;
  const peer = { ...state.peer, aliveSince, lostWhileIsolated, isolatedAt };
  const changed = verdict.kind !== state.verdict.kind;
  return { ...state, links, peer, verdict, verdictSince: changed ? state.now : state.verdictSince };
}

/** The outside has been asked since the peer fell silent, and does not answer. */
function isCutOffByNow(state: State): boolean {
  if (state.peer.lastHeardAt === null) return false;
  const askedAfterMs = state.policy.timings.warntimeMs + 2 * urgentProbeMs(state);
  return silenceMs(state) >= askedAfterMs && !outsideReachable(state);
}

function conclude(state: State, warntimeMs: number): Verdict {
  const { peer } = state;
  if (peer.confirmedOff) return { kind: 'fenced', by: 'operator' };
  if (hasDeparted(peer)) return { kind: 'departed' };
  const silent = silenceMs(state);
  if (silent < patienceMs(state)) {
    if (peer.lastHeardAt === null) return { kind: 'listening' };
    return silent < warntimeMs ? { kind: 'alive' } : { kind: 'late' };
  }
  if (fenceStands(state)) return { kind: 'fenced', by: 'device' };
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

export function holdsNothing(content: HeartbeatContent): boolean {
  return content.groups.every((group) => !group.holdsAddresses && !group.holdsRest);
}

/** Answers count while younger than this: what came in since evidence gathering began. Must never grow. */
function evidenceWindowMs(state: State): number {
  return state.policy.timings.deadtimeMs - state.policy.timings.warntimeMs;
}

/**
 * The outside counts as reachable for less long: a node that lost it must freeze before its peer, which may have
 * been cut off just before, takes over.
 */
function outsideWindowMs(state: State): number {
  return (evidenceWindowMs(state) * 2) / 3;
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
  since: MonotonicMs = state.now - evidenceWindowMs(state),
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
  const since = state.now - outsideWindowMs(state);
  return !outsideReachable(state) && answering(state, since).length === 0;
}

/** Positive proof of the outside: a lease, a gateway that answers; without gateways to ask, carrier on the LAN. */
function outsideReachable(state: State): boolean {
  if (leaseHasSettled(state)) return true;
  const gateways = state.policy.probes.filter(({ kind }) => kind === 'gateway');
  if (gateways.length === 0) return carrierEverywhere(state);
  const windowMs = outsideWindowMs(state);
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
  const windowMs = evidenceWindowMs(state);
  const targets = state.policy.probes.filter(({ kind }) => kind === 'peer');
  return targets.some(({ id }) => {
    const probe = state.probes.find(({ target }) => target === id);
    return within(state, probe?.lastUnansweredAt ?? null, windowMs);
  });
}

const steadyProbeMs = 1000;

function urgentProbeMs(state: State): number {
  return Math.max(20, Math.min(steadyProbeMs / 2, Math.round(evidenceWindowMs(state) / 8)));
}

/** How often each target is to be asked now: gateways always, the peer's addresses once a verdict is near. */
export function wantedPaces(state: State): readonly ProbePace[] {
  const { takeoverAfterMs } = state.policy.timings;
  const windowMs = evidenceWindowMs(state);
  const unheardMs = contactAgeMs(state) - state.peer.stalledSinceContactMs;
  const silent = Math.max(silenceMs(state), unheardMs);
  const mayFreezeAtWarntime = state.peer.contactAt === null && isHolding(state);
  const isDue = mayFreezeAtWarntime || silent >= patienceMs(state) - windowMs;
  const near = isDue && state.verdict.kind !== 'departed';
  const settled = silent > patienceMs(state) + takeoverAfterMs;
  const urgentMs = settled ? 2 * urgentProbeMs(state) : urgentProbeMs(state);
  return state.policy.probes.flatMap((target) => {
    if (target.kind === 'gateway')
      return [{ target: target.id, intervalMs: near ? urgentMs : steadyProbeMs }];
    if (!near || holdsAddress(state, target)) return [];
    return [{ target: target.id, intervalMs: urgentMs }];
  });
}

/** Is the newest echo one of a packet that we sent no longer than warntime ago? */
export function echoIsFresh(state: State): boolean {
  const { echo } = state.peer;
  if (echo === null || echo.incarnation !== state.incarnation) return false;
  const packet = state.sent.find(({ sequence }) => sequence === echo.sequence);
  return packet !== undefined && state.now - packet.at <= state.policy.timings.warntimeMs;
}
