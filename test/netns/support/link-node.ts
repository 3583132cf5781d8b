// Runs links inside one network namespace on behalf of a test, which talks to it over Node's IPC channel.
// Ends when that channel closes, so nothing outlives the test.

import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { pino } from 'pino';
import type { LinkConfig, NodeConfig } from '../../../daemon/config/config.ts';
import { createKeyRing } from '../../../daemon/config/key-file.ts';
import {
  type Link,
  type LinkCounters,
  type LinkStatus,
  openLink,
} from '../../../daemon/drivers/link/link.ts';
import { createIdentity } from '../../../daemon/drivers/link/wire.ts';
import { tellTest } from './tell-test.ts';

export type Order =
  | {
      readonly kind: 'open';
      readonly self: NodeConfig;
      readonly peer: NodeConfig;
      readonly links: readonly LinkConfig[];
      /** Hex; the first signs. */
      readonly secrets: readonly string[];
    }
  /** Sends one heartbeat on every link, then one each `intervalMs`. */
  | { readonly kind: 'beat'; readonly intervalMs: number }
  | { readonly kind: 'report'; readonly id: number }
  /** Sends `packets` (base64) in turn, `total` of them, at `perSecond`. */
  | {
      readonly kind: 'flood';
      readonly address: string;
      readonly port: number;
      readonly packets: readonly string[];
      readonly perSecond: number;
      readonly total: number;
    };

export type NodeEvent =
  | { readonly kind: 'ready' }
  | { readonly kind: 'status'; readonly linkIndex: number; readonly status: LinkStatus }
  | {
      readonly kind: 'packet';
      readonly linkIndex: number;
      readonly sequence: number;
      readonly payload: string;
      readonly from: string;
    }
  | {
      readonly kind: 'report';
      readonly id: number;
      readonly names: readonly string[];
      readonly statuses: readonly LinkStatus[];
      readonly counters: readonly LinkCounters[];
      /** The highest sequence sent. */
      readonly sequence: number;
      /** Packets that the kernel dropped because a receive buffer was full, over all sockets of the namespace. */
      readonly drops: number;
    }
  | { readonly kind: 'flooded'; readonly sent: number; readonly failed: number };

const links: Link[] = [];
let sequence = 0;

function tell(event: NodeEvent): void {
  tellTest(event);
}

function open(order: Extract<Order, { kind: 'open' }>): void {
  const { self, peer } = order;
  const ring = createKeyRing(order.secrets.map((secret) => Buffer.from(secret, 'hex')));
  const identity = createIdentity({ cluster: 'office', self: self.name, peer: peer.name });
  for (const [index, config] of order.links.entries()) {
    links.push(
      openLink({
        index,
        config,
        self,
        peer,
        identity,
        ring: () => ring,
        logger: pino({ level: 'silent' }),
        recheckMs: 200,
        onStatus: (status) => tell({ kind: 'status', linkIndex: index, status }),
        onPacket: (packet) =>
          tell({
            kind: 'packet',
            linkIndex: packet.linkIndex,
            sequence: packet.sequence,
            payload: packet.payload.toString(),
            from: packet.from,
          }),
      }),
    );
  }
}

function beat(self: string): void {
  sequence += 1;
  for (const link of links) link.send({ incarnation: 1, sequence, payload: Buffer.from(`from ${self}`) });
}

function flood(order: Extract<Order, { kind: 'flood' }>): void {
  const packets = order.packets.map((packet) => Buffer.from(packet, 'base64'));
  const startedMs = performance.now();
  let begun = 0;
  let sent = 0;
  let failed = 0;
  const socket = createSocket({ type: 'udp4', lookup: (address, _, done) => done(null, address, 4) });
  socket.bind(0, () => {
    socket.setBroadcast(true);
    const timer = setInterval(() => {
      const due = Math.min(
        order.total,
        Math.floor(((performance.now() - startedMs) * order.perSecond) / 1000),
      );
      const burstEnd = Math.min(due, begun + 200); // After a stall of this process, catch up without a burst.
      for (; begun < burstEnd; begun += 1) {
        socket.send(packets[begun % packets.length] ?? '', order.port, order.address, (error) => {
          if (error) failed += 1;
          else sent += 1;
          if (sent + failed === order.total) socket.close(() => tell({ kind: 'flooded', sent, failed }));
        });
      }
      if (begun === order.total) clearInterval(timer);
    }, 5);
  });
}

function kernelDrops(): number {
  const [, ...sockets] = readFileSync('/proc/net/udp', 'utf8').trim().split('\n');
  return sockets.reduce((sum, line) => sum + Number(line.trim().split(/\s+/).at(-1)), 0);
}

let self = '';
process.on('message', (order: Order) => {
  switch (order.kind) {
    case 'open':
      self = order.self.name;
      open(order);
      break;
    case 'beat':
      beat(self);
      setInterval(() => beat(self), order.intervalMs);
      break;
    case 'report':
      tell({
        kind: 'report',
        id: order.id,
        names: links.map((link) => link.name),
        statuses: links.map((link) => link.status()),
        counters: links.map((link) => link.counters()),
        sequence,
        drops: kernelDrops(),
      });
      break;
    case 'flood':
      flood(order);
      break;
    default:
      order satisfies never;
  }
});
process.on('disconnect', () => process.exit());
tell({ kind: 'ready' });
