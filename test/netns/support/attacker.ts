// A program that stands for an attacker on a segment: it keeps every heartbeat that it hears and sends what it
// made of them, or made up, as fast as it is told. It knows the names and the format, not the key.
// Usage: attacker.ts OWN-ADDRESS TARGET[,TARGET...] LINK-INDEX. A target that ends in .255 is the segment's broadcast address
// and is listened to as well. Requests are JSON lines on stdin, each answered by one with the same `id` on stdout;
// the protocol's types and the caller are in attack.ts.

import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { createKeyRing } from '../../../daemon/config/key-file.ts';
import { createIdentity, encodePacket, packetBytesMax } from '../../../daemon/drivers/link/wire.ts';
import type { AttackKind, AttackRequest, Capture } from './attack.ts';

const port = 694;
const hosts = ['primary', 'secondary'] as const;
const [ownAddress = '', targetList = '', linkIndex = '0'] = process.argv.slice(2);
const targets = targetList.split(',');
/** Where things are in a packet: see daemon/drivers/wire.ts. */
const at = { version: 4, link: 5, sender: 16, incarnation: 24, sequence: 32 };

interface Heard {
  readonly host: (typeof hosts)[number];
  readonly incarnation: number;
  readonly bytes: Buffer;
}

const heard: Heard[] = [];
let answers = 0;

const otherOf = (host: Heard['host']) => (host === 'primary' ? 'secondary' : 'primary');
const identityOf = (cluster: string, self: string, peer: string) => createIdentity({ cluster, self, peer });
const identities = {
  primary: identityOf('office', 'primary', 'secondary'),
  secondary: identityOf('office', 'secondary', 'primary'),
};
const foreignKey = createKeyRing([randomBytes(32)]).signing;

// ---- what it hears ----

const broadcastAddress = targets.find((target) => target.endsWith('.255'));
if (broadcastAddress !== undefined) {
  const listener = createSocket({ type: 'udp4', reuseAddr: true, recvBufferSize: 4 * 1024 * 1024 });
  listener.on('message', (bytes, { address }) => {
    if (address === ownAddress) return; // Its own broadcasts come back to it.
    const host = hosts.find((name) => identities[name].self.equals(bytes.subarray(at.sender, at.sender + 4)));
    if (host === undefined) return;
    heard.push({
      host,
      incarnation: Number(bytes.readBigUInt64BE(at.incarnation)),
      bytes: Buffer.from(bytes),
    });
  });
  listener.bind(port, broadcastAddress);
  await once(listener, 'listening');
}

function captures(): Capture[] {
  const found = new Map<string, Capture>();
  for (const { host, incarnation } of heard) {
    const key = `${host} ${incarnation}`;
    found.set(key, { host, incarnation, packets: (found.get(key)?.packets ?? 0) + 1 });
  }
  return [...found.values()];
}

// ---- what it makes ----

function pick<T>(list: readonly T[]): T {
  const item = list[Math.floor(Math.random() * list.length)];
  if (item === undefined) throw new Error('nothing was heard yet');
  return item;
}

const pickHost = () => pick(hosts);

function changed(change: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.from(pick(pool.current).bytes);
  change(bytes);
  return bytes;
}

function forged(cluster: string, self: string, peer: string): Buffer {
  const payload = Buffer.concat([randomBytes(16), Buffer.from('{"software":"0","groups":[]}')]);
  const number = Date.now() + 1e6;
  const envelope = { incarnation: number, sequence: number, payload, linkIndex: Number(linkIndex) };
  return encodePacket(identityOf(cluster, self, peer), foreignKey, envelope);
}

/** Looked up once for a flood: a flood must not spend its time on searching. */
let pool: { readonly current: readonly Heard[]; readonly earlier: readonly Heard[] } = {
  current: [],
  earlier: [],
};

const makers: Readonly<Record<AttackKind, () => Buffer>> = {
  'wrong-key': () => {
    const host = pickHost();
    return forged('office', host, otherOf(host));
  },
  'wrong-cluster': () => {
    const host = pickHost();
    return forged('elsewhere', host, otherOf(host));
  },
  'wrong-sender': () => forged('office', 'third', 'primary'),
  'wrong-link': () => changed((bytes) => bytes.writeUInt8(7, at.link)),
  'wrong-version': () => changed((bytes) => bytes.writeUInt8(99, at.version)),
  'wrong-signature': () => changed((bytes) => bytes.writeBigUInt64BE(2n ** 40n, at.sequence)),
  'wrong-number': () => changed((bytes) => bytes.writeBigUInt64BE(2n ** 63n, at.incarnation)),
  replayed: () => pick(pool.current).bytes,
  'replayed-from-before': () => pick(pool.earlier).bytes,
  truncated: () => {
    const { bytes } = pick(pool.current);
    return bytes.subarray(0, Math.floor(Math.random() * (bytes.length - 1)));
  },
  random: () => randomBytes(1 + Math.floor(Math.random() * packetBytesMax)),
  oversized: () => Buffer.concat([pick(pool.current).bytes, randomBytes(packetBytesMax)]),
};

// ---- what it sends ----

const sender = createSocket('udp4');
sender.on('error', () => {}); // It lives on bad news: an unreachable port, a cable that was cut.
sender.on('message', () => {
  answers += 1;
});
sender.bind(0, ownAddress);
await once(sender, 'listening');
if (broadcastAddress !== undefined) sender.setBroadcast(true);

function refreshPool(): void {
  const both = hosts.flatMap((host) => {
    const own = heard.filter((packet) => packet.host === host);
    return own.filter(({ incarnation }) => incarnation === own.at(-1)?.incarnation).slice(-500);
  });
  const newest = new Map(heard.map(({ host, incarnation }) => [host, incarnation]));
  const earlier = heard.filter(({ host, incarnation }) => incarnation < (newest.get(host) ?? 0));
  pool = { current: both, earlier: earlier.slice(-500) };
}

/** Resolves when `total` packets are out, at about `packetsPerSecond`; each goes to the next target. */
function send(total: number, packetsPerSecond: number, make: (index: number) => Buffer): Promise<number> {
  const startedAt = performance.now();
  let sent = 0;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const due = Math.min(total, Math.ceil(((performance.now() - startedAt) / 1000) * packetsPerSecond));
      for (let burst = 0; sent < due && burst < 500; burst += 1) {
        sender.send(make(sent), port, targets[sent % targets.length], () => {});
        sent += 1;
      }
      if (sent < total) return;
      clearInterval(timer);
      resolve(sent);
    }, 2);
  });
}

let replaying: NodeJS.Timeout | undefined;

/** Every packet of `host` so far, in order, over and over. */
function replayForEver(host: Heard['host'], packetsPerSecond: number): number {
  const packets = heard.filter((packet) => packet.host === host).map(({ bytes }) => bytes);
  const startedAt = performance.now();
  let sent = 0;
  replaying = setInterval(() => {
    const due = Math.ceil(((performance.now() - startedAt) / 1000) * packetsPerSecond);
    for (let burst = 0; sent < due && burst < 500; burst += 1) {
      const bytes = packets[sent % packets.length];
      if (bytes !== undefined) sender.send(bytes, port, targets[sent % targets.length], () => {});
      sent += 1;
    }
  }, 2);
  return packets.length;
}

/** ICMP messages that came to this namespace: a kernel's answers. */
function icmpMessages(): number {
  const [names = '', values = ''] = readFileSync('/proc/self/net/snmp', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('Icmp:'));
  return Number(values.split(' ')[names.split(' ').indexOf('InMsgs')]);
}

async function serve(request: AttackRequest): Promise<unknown> {
  switch (request.command) {
    case 'captures':
      return captures();
    case 'flood': {
      refreshPool();
      const { kinds, total, packetsPerSecond } = request;
      return await send(total, packetsPerSecond, (index) => {
        const kind = kinds[Math.floor(index / targets.length) % kinds.length];
        if (kind === undefined) throw new Error('no kind of packet was named');
        return makers[kind]();
      });
    }
    case 'replay':
      clearInterval(replaying);
      return replayForEver(request.host, request.packetsPerSecond);
    case 'rest':
      clearInterval(replaying);
      return null;
    case 'answers':
      return { datagrams: answers, icmpMessages: icmpMessages() };
    default:
      throw new Error(`unknown command ${JSON.stringify(request satisfies never)}`);
  }
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const request = JSON.parse(line) as AttackRequest & { readonly id: number };
  void serve(request).then((value) => {
    process.stdout.write(`${JSON.stringify({ id: request.id, value: value ?? null })}\n`);
  });
});
process.stdout.write(`${JSON.stringify({ id: 0, value: 'ready' })}\n`);
