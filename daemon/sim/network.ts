// Cables, and the heartbeats on them: lost, late, doubled, out of order, cut in one direction, and sent again by
// whoever has recorded them. What a sender hands over arrives as it is; what a forger sends goes through the codec that
// the world is given, as bytes.

import type { Effect } from '../core/events.ts';
import type { Segment, Side } from './action.ts';
import { post } from './daemon.ts';
import { type Chance, chanceOf } from './engine.ts';
import type { Host, Packet } from './model.ts';
import { peerOf } from './model.ts';
import type { Untimed } from './world.ts';

const recorded = 64;
const recordedBefore = 32;

export const segmentOf = (link: number): Segment => (link === 0 ? 'dedicated' : 'lan');

export function reaches(from: Host, to: Host, segment: Segment): boolean {
  return (
    !from.model.partitioned &&
    from.up &&
    to.up &&
    from.cableOut[segment] === true &&
    to.cableIn[segment] === true
  );
}

/** Both ways between this host and what is on the LAN, other than its peer. */
export function reachesOutside(host: Host): boolean {
  return host.up && host.cableOut.lan && host.cableIn.lan;
}

export function hasCarrier(host: Host, segment: Segment): boolean {
  return host.cableOut[segment] || host.cableIn[segment];
}

/** One way, milliseconds. */
export function latencyMs(host: Host, segment: Segment): number {
  const { networkChance: chance, quality } = host.model;
  const { late, delayMs } = quality[segment];
  const lateMs = late > 0 && chance() < late ? chance() * delayMs : 0;
  return 0.2 + chance() * 3 + lateMs;
}

export function isLost(host: Host, segment: Segment): boolean {
  const { loss } = host.model.quality[segment];
  return loss > 0 && host.model.networkChance() < loss;
}

export function sendHeartbeat(
  host: Host,
  effect: Extract<Effect, { readonly kind: 'send-heartbeat' }>,
): void {
  const { model, sent } = host;
  const { sequence, echo, content } = effect;
  const packet: Packet = { from: host, incarnation: host.incarnation, sequence, echo, content };
  if (sent.length === recorded) sent.shift();
  sent.push(packet);
  if (model.partitioned) return;
  const links = host.policy.links.length;
  for (let link = 0; link < links; link += 1) {
    const segment = segmentOf(link);
    if (!host.cableOut[segment] || isLost(host, segment)) continue;
    const arrive = arrivals[link] ?? arriveOn(link);
    model.agenda.later(latencyMs(host, segment), arrive, packet);
    const { duplicate } = model.quality[segment];
    if (duplicate > 0 && model.networkChance() < duplicate) {
      model.agenda.later(latencyMs(host, segment), arrive, packet);
    }
  }
}

/** One function for each link, so that a packet in flight needs nothing of its own. */
const arrivals: Array<(packet: Packet) => void> = [];

function arriveOn(link: number): (packet: Packet) => void {
  const segment = segmentOf(link);
  const arrive = (packet: Packet) => {
    const to = peerOf(packet.from);
    if (to.state === null || to.model.partitioned || !to.cableIn[segment]) return;
    receive(to, link, packet);
  };
  arrivals[link] = arrive;
  return arrive;
}

function receive(to: Host, link: number, { incarnation, sequence, echo, content }: Packet): void {
  post(to, { kind: 'heartbeat-received', at: 0, link, incarnation, sequence, echo, content });
}

/** A daemon begins: what its predecessor sent is on record as that of an earlier incarnation. */
export function keepForReplay({ sent, sentBefore }: Host): void {
  for (const packet of sent) if (packet.sequence % 4 === 0) sentBefore.push(packet);
  if (sentBefore.length > recordedBefore) sentBefore.splice(0, sentBefore.length - recordedBefore);
  sent.length = 0;
}

interface Again {
  readonly to: Host;
  readonly packet: Packet;
}

/** Somebody on a segment sends again what the peer once sent. */
export function replay(to: Host): void {
  const { sent, sentBefore } = peerOf(to);
  const old = sent.slice(0, Math.max(0, sent.length - 4));
  [...sentBefore, ...old].forEach((packet, index) => {
    to.model.agenda.later(1 + index, again, { to, packet });
  });
}

/** Its newest packets once more, late: those that never arrived arrive. */
export function deliverLate(to: Host): void {
  peerOf(to)
    .sent.slice(-12)
    .forEach((packet, index) => {
      to.model.agenda.later(50 + index * 150, again, { to, packet });
    });
}

/** What somebody without the key can send, made of a packet that he has seen; each goes over one link as bytes. */
export interface Forger {
  readonly forge: (genuine: GenuinePacket, chance: Chance) => readonly Forgery[];
}

/** `link`: it was seen on, and forgeries of it go to. */
export interface GenuinePacket extends Omit<Packet, 'from'> {
  readonly from: Side;
  readonly link: number;
}

/** `event`: what the receiver's daemon would be told; null: it was refused and counted. */
export interface Forgery {
  readonly how: string;
  readonly link: number;
  readonly event: Extract<Untimed, { kind: 'heartbeat-received' | 'heartbeat-not-understood' }> | null;
}

/** Of the peer's packets an old one, one of its run before, and the newest. */
export function forge(to: Host): void {
  const { options, agenda, trace } = to.model;
  const { forger } = options;
  if (forger === undefined) return;
  const from = peerOf(to);
  const seen = [from.sentBefore[0], from.sent[0], from.sent.at(-1)];
  const chance = chanceOf(Math.floor(agenda.now()), `forger ${to.side} ${options.seed}`);
  for (const packet of seen) {
    if (packet === undefined) continue;
    const link = Math.floor(chance() * to.policy.links.length);
    for (const { how, link: over, event } of forger.forge({ ...packet, from: from.side, link }, chance)) {
      if (!to.up || !to.cableIn[segmentOf(over)] || to.state === null) continue;
      if (event === null) {
        to.refusedForgeries += 1;
        continue;
      }
      trace?.({ kind: 'forged', at: agenda.now(), side: to.side, how });
      post(to, { ...event, at: 0 });
    }
  }
}

function again({ to, packet }: Again): void {
  const links = to.policy.links.length;
  for (let link = 0; link < links; link += 1) {
    if (to.up && to.cableIn[segmentOf(link)]) receive(to, link, packet);
  }
}
