// Who is there: admits heartbeats, measures our own stalls and the peer's silence.
// It never lets a replayed packet, or a silence that was our own, count against or for anybody.

import type { Echo, HeartbeatContent } from './heartbeat.ts';
import type { MonotonicMs } from './policy.ts';
import { noFence } from './safeguards.ts';
import type { PeerState, RefusalReason, State } from './state.ts';

export interface ReceivedHeartbeat {
  readonly link: number;
  readonly incarnation: number;
  readonly sequence: number;
  readonly echo: Echo | null;
  readonly content: HeartbeatContent;
}

interface Header {
  readonly link: number;
  readonly incarnation: number;
  readonly sequence: number;
  readonly echo?: Echo | null;
}

/** Is the packet newer than all we have of its sender on its link? Packets are in order of (incarnation, sequence). */
export function admission(state: State, packet: Header): 'admitted' | RefusalReason {
  const { incarnation: known, newestRun } = state.peer;
  if (packet.incarnation !== known) {
    const isNew = newestRun === null || packet.incarnation > newestRun;
    return isNew || isLater(state, packet.echo ?? null) ? 'admitted' : 'stale-incarnation';
  }
  const link = state.links[packet.link];
  return link !== undefined && packet.sequence > link.lastSequence ? 'admitted' : 'replayed';
}

/**
 * Its sender has read what we sent after we last heard the run that we know: runs of one node do not overlap, so this
 * one is later, whatever its number. It comes to that where a node has lost its state file and its clock was set back.
 */
function isLater(state: State, echo: Echo | null): boolean {
  if (echo?.incarnation !== state.incarnation) return false;
  const sent = state.sent.find(({ sequence }) => sequence === echo.sequence);
  const { lastHeardAt, unprovenHeardAt } = state.peer;
  return sent !== undefined && sent.at > Math.max(lastHeardAt ?? -Infinity, unprovenHeardAt ?? -Infinity);
}

/**
 * Is a refused packet to be echoed by the next heartbeat, one for each? It believes nothing: it lets a later run with a
 * lower number show that it is one, also where each of two new runs has a lower number than the other one knows of.
 */
export function isEchoed({ links, peer }: State, refusal: RefusalReason): boolean {
  return refusal === 'stale-incarnation' && peer.stranger === null && links.every(({ fresh }) => !fresh);
}

/** Counted, and nothing else but perhaps echoed. */
export function refuse(state: State, { link, incarnation, sequence }: Header, reason: RefusalReason): State {
  const counted = countRefusal(state, link, reason);
  if (!isEchoed(state, reason)) return counted;
  return { ...counted, peer: { ...counted.peer, stranger: { incarnation, sequence } } };
}

/** An admitted packet of the peer, authenticated and decoded by the link, is taken in. */
export function receiveHeartbeat(state: State, packet: ReceivedHeartbeat): State {
  const renewed = packet.incarnation !== state.peer.incarnation;
  const newestRun = Math.max(packet.incarnation, state.peer.newestRun ?? packet.incarnation);
  const peer: PeerState = renewed
    ? {
        ...state.peer,
        incarnation: packet.incarnation,
        newestRun,
        runSince: state.now,
        proven: false,
        lastSequence: 0,
        echo: null,
      }
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
      { ...state, links, peer: { ...peer, unprovenHeardAt: state.now, stranger: null, wasOff: false } },
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
      wasOff: false,
      contactAt,
      stalledSinceContactMs: Math.min(
        peer.stalledSinceContactMs,
        Math.max(0, (state.stalls.lastAt ?? 0) - (contactAt ?? 0)),
      ),
      lastSequence: newest ? packet.sequence : peer.lastSequence,
      content: newest ? packet.content : peer.content,
      echo: newest ? packet.echo : peer.echo,
      stranger: null,
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
  return countRefusal(
    { ...state, peer: { ...state.peer, unprovenHeardAt: state.now, wasOff: false } },
    link,
    'unproven',
  );
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

export function isHolding({ groups }: State): boolean {
  return groups.some(({ phase }) => phase.kind === 'active' || phase.kind === 'frozen');
}

/** Is the newest echo one of a packet that we sent no longer than warntime ago? */
export function echoIsFresh(state: State): boolean {
  const { echo } = state.peer;
  if (echo === null || echo.incarnation !== state.incarnation) return false;
  const packet = state.sent.find(({ sequence }) => sequence === echo.sequence);
  return packet !== undefined && state.now - packet.at <= state.policy.timings.warntimeMs;
}
