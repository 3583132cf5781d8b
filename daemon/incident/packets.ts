// The packets that the journals of both nodes have recorded, for laying their clocks on each other. A node's sending of
// a packet is the effect that asked for it, a moment before it went out; its receipt is the event.

import { type Alignment, alignClocks, type PacketTimes } from './align.ts';
import type { Visitor } from './read.ts';

/** One node's packets by `incarnation sequence` of their sender, with the node's monotonic time. */
export interface Packets {
  readonly sent: ReadonlyMap<string, number>;
  readonly received: ReadonlyMap<string, number>;
}

export interface PacketCollector extends Visitor {
  readonly packets: Packets;
}

/** Takes in what this node sent and received in a span of one boot. */
export function collectPackets(boot: string, from: number, to: number): PacketCollector {
  const sent = new Map<string, number>();
  const received = new Map<string, number>();
  const visitor = watchPackets((side, key, at, bootOf) => {
    if (bootOf !== boot || at < from || at > to) return;
    const times = side === 'sent' ? sent : received;
    if (!times.has(key)) times.set(key, at);
  });
  return { ...visitor, packets: { sent, received } };
}

export interface PacketMatcher extends Visitor {
  /** By boot of the peer; null: no packets of both directions are known. */
  readonly alignments: () => ReadonlyMap<string, Alignment | null>;
}

/** Finds our packets in the peer's journal. */
export function matchPackets(ours: Packets): PacketMatcher {
  const matches = new Map<string, PacketTimes[]>();
  const seen = new Set<string>();
  const visitor = watchPackets((side, key, at, boot) => {
    const ourAt = side === 'sent' ? ours.received.get(key) : ours.sent.get(key);
    if (!matches.has(boot)) matches.set(boot, []);
    // A packet comes over several links: the first receipt tells most.
    if (ourAt === undefined || seen.has(`${boot} ${side} ${key}`)) return;
    seen.add(`${boot} ${side} ${key}`);
    matches
      .get(boot)
      ?.push(
        side === 'sent'
          ? { sender: 'peer', sentAt: at, receivedAt: ourAt }
          : { sender: 'self', sentAt: ourAt, receivedAt: at },
      );
  });
  return {
    ...visitor,
    alignments: () => new Map([...matches].map(([boot, packets]) => [boot, alignClocks(packets)])),
  };
}

function watchPackets(
  take: (side: 'sent' | 'received', key: string, at: number, boot: string) => void,
): Visitor {
  let at = 0;
  return {
    event(event, { header }) {
      at = event.at;
      if (event.kind === 'heartbeat-received') {
        take('received', `${event.incarnation} ${event.sequence}`, at, header.boot);
      }
    },
    effects(effects, { header }) {
      for (const effect of effects) {
        if (effect.kind === 'send-heartbeat') {
          take('sent', `${header.state.incarnation} ${effect.sequence}`, at, header.boot);
        }
      }
    },
  };
}
