// What somebody without the key can put on a segment, made of the bytes of a packet that he has seen there; and what
// the production codec makes of it at the other end. Nothing of it may be taken for a packet of the peer.

import { createKeyRing } from '../../daemon/config/key-file.ts';
import {
  createIdentity,
  decodePacket,
  encodePacket,
  packetBytesMax,
} from '../../daemon/drivers/link/wire.ts';
import {
  createHeartbeatDecoder,
  createHeartbeatEncoder,
} from '../../daemon/runtime/heartbeat/heartbeat-codec.ts';
import { otherSide, type Side } from '../../daemon/sim/action.ts';
import type { Chance } from '../../daemon/sim/engine.ts';
import type { Forger, Forgery, GenuinePacket } from '../../daemon/sim/network.ts';

const cluster = 'office';
const ring = createKeyRing([Buffer.alloc(32, 0xa1)]);
const strange = createKeyRing([Buffer.alloc(32, 0xb2)]).signing;
/** Says that it is the cluster's, and is not. */
const disguised = { ...strange, id: ring.signing.id };

const identities: Readonly<Record<Side, ReturnType<typeof createIdentity>>> = {
  primary: createIdentity({ cluster, self: 'primary', peer: 'secondary' }),
  secondary: createIdentity({ cluster, self: 'secondary', peer: 'primary' }),
};

const payloadOf = ({ from, echo, content }: GenuinePacket): Buffer =>
  createHeartbeatEncoder({ sender: from, receiver: otherSide(from) }).encode(echo, content);

/** As its sender puts it on the wire. */
export function genuineBytes(packet: GenuinePacket, key = ring.signing, payload = payloadOf(packet)): Buffer {
  const { from, link: linkIndex, incarnation, sequence } = packet;
  return encodePacket(identities[from], key, { linkIndex, incarnation, sequence, payload });
}

/** What the daemon at the other end is told of these bytes; null: nothing, they are refused and counted. */
export function received(bytes: Buffer, from: Side, link: number): Forgery['event'] {
  const to = otherSide(from);
  const decoded = decodePacket(identities[to], ring, link, bytes);
  if (!decoded.ok) return null;
  const { incarnation, sequence, payload } = decoded.envelope;
  const { echo, content } = createHeartbeatDecoder({ sender: from, receiver: to }).decode(payload);
  const packet = { link, incarnation, sequence };
  if (content === null) return { kind: 'heartbeat-not-understood', ...packet };
  return { kind: 'heartbeat-received', ...packet, echo, content };
}

const below = (chance: Chance, limit: number) => Math.floor(chance() * limit);

function withFlippedBit(bytes: Buffer, chance: Chance): Buffer {
  const copy = Buffer.from(bytes);
  const at = below(chance, copy.length);
  copy.writeUInt8(copy.readUInt8(at) ^ (1 << below(chance, 8)), at);
  return copy;
}

function noise(length: number, chance: Chance): Buffer {
  const bytes = Buffer.alloc(length);
  for (let index = 0; index < length; index += 1) bytes[index] = below(chance, 256);
  return bytes;
}

/** Much newer than any that the sender has sent, with a goodbye in it: what would do the most harm. */
function goodbye(packet: GenuinePacket): GenuinePacket {
  const groups = packet.content.groups.map((group) => ({
    ...group,
    phase: 'stopped' as const,
    holdsAddresses: false,
    holdsRest: false,
  }));
  const content = { ...packet.content, leaving: true, groups };
  return { ...packet, incarnation: packet.incarnation + 1, sequence: packet.sequence + 1000, content };
}

const forgeriesOf = (
  packet: GenuinePacket,
  bytes: Buffer,
  chance: Chance,
): readonly (readonly [string, Buffer])[] => {
  const better = goodbye(packet);
  const payload = payloadOf(better);
  const head = genuineBytes(better, ring.signing, payload);
  const signatureBytes = 32;
  bytes.copy(head, head.length - signatureBytes, bytes.length - signatureBytes);
  return [
    ['one bit is another', withFlippedBit(bytes, chance)],
    ['one bit is another', withFlippedBit(bytes, chance)],
    ['cut short', bytes.subarray(0, below(chance, bytes.length))],
    ['longer', Buffer.concat([bytes, noise(1 + below(chance, 40), chance)])],
    ['noise', noise(below(chance, packetBytesMax), chance)],
    ['noise behind a good head', Buffer.concat([bytes.subarray(0, 42), noise(bytes.length - 42, chance)])],
    ['signed with another key', genuineBytes(better, strange, payload)],
    [
      "signed with another key under the cluster's name for its own",
      genuineBytes(better, disguised, payload),
    ],
    ['with the signature of an older packet', head],
    ['with no signature', Buffer.concat([head.subarray(0, -signatureBytes), Buffer.alloc(signatureBytes)])],
  ];
};

export const forger: Forger = {
  forge(packet, chance) {
    const { from, link } = packet;
    const bytes = genuineBytes(packet);
    const forged = forgeriesOf(packet, bytes, chance).map(([how, changed]) => ({
      how,
      link,
      event: received(changed, from, link),
    }));
    const other = 1 - link;
    const crossed = {
      how: 'seen on another link',
      link: other,
      event: received(bytes, from, other),
    };
    return [...forged, crossed];
  },
};
