// The authenticated envelope around a heartbeat's payload: encoding, and judging what arrives.
// Guarantees: never throws on received bytes, whatever they are; returns a payload only when the signature over
// every byte before it is right; cheap checks come first and a refusal allocates nothing until the signature is
// computed. Replay is not judged here: that needs memory of (incarnation, sequence), which the receiver keeps.
//
// Big endian: 0 magic "BTTO" | 4 wire version u8 | 5 link index u8 | 6 reserved u16 | 8 cluster id 8 |
// 16 sender id 4 | 20 key id 4 | 24 incarnation u64 | 32 sequence u64 | 40 payload length u16 | 42 payload |
// HMAC-SHA256 over everything before it, 32.

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { DerivedKey, KeyRing } from '../../config/key-file.ts';
import { BattitoError, exitCodes } from '../../errors.ts';

export const wireVersion = 1;
/** Fits one Ethernet frame with room for tunnels, so a heartbeat is never fragmented. */
export const packetBytesMax = 1400;
const headerBytes = 42;
const signatureBytes = 32;
/** The longest payload that encodePacket takes. */
export const payloadBytesMax = packetBytesMax - headerBytes - signatureBytes;

const magic = Buffer.from('BTTO', 'latin1');
const at = {
  version: 4,
  link: 5,
  cluster: 8,
  sender: 16,
  key: 20,
  incarnation: 24,
  sequence: 32,
  length: 40,
};

/** Every reason a received packet is refused for, in the order they are checked. */
export const wireRefusals = [
  'too-short',
  'too-long',
  'bad-magic',
  'unsupported-version',
  'foreign-cluster',
  'own-packet',
  'unknown-sender',
  'wrong-link',
  'bad-length',
  'bad-number',
  'unknown-key',
  'bad-signature',
] as const;

/**
 * `own-packet`: our own broadcast coming back, not an attack. `bad-number`: an incarnation or sequence above
 * Number.MAX_SAFE_INTEGER, which no sender of ours makes.
 */
export type WireRefusal = (typeof wireRefusals)[number];

/** Who we are and whom we hear, as bytes on the wire. */
export interface WireIdentity {
  readonly cluster: Buffer;
  readonly self: Buffer;
  readonly peer: Buffer;
}

/** `incarnation` and `sequence` are whole numbers from 0 to Number.MAX_SAFE_INTEGER. */
export interface Envelope {
  readonly incarnation: number;
  readonly sequence: number;
  readonly payload: Buffer;
}

export type DecodedPacket =
  | { readonly ok: true; readonly envelope: Envelope }
  | { readonly ok: false; readonly reason: WireRefusal };

/**
 * Hashes the names once.
 * @throws BattitoError `node-names-collide` (exit 78) when both node names give the same sender id.
 */
export function createIdentity(names: {
  readonly cluster: string;
  readonly self: string;
  readonly peer: string;
}): WireIdentity {
  const identity = {
    cluster: nameId(names.cluster, 8),
    self: nameId(names.self, 4),
    peer: nameId(names.peer, 4),
  };
  if (identity.self.equals(identity.peer)) {
    throw new BattitoError(
      'node-names-collide',
      `"${names.self}" and "${names.peer}" look alike on the wire`,
      {
        exitCode: exitCodes.config,
        next: 'Give one node another name.',
      },
    );
  }
  return identity;
}

/** @throws RangeError for a payload above payloadBytesMax or a number the layout cannot hold: a caller's mistake. */
export function encodePacket(
  identity: WireIdentity,
  key: DerivedKey,
  packet: Envelope & { readonly linkIndex: number },
): Buffer {
  const { payload } = packet;
  if (payload.length > payloadBytesMax) {
    throw new RangeError(`payload of ${payload.length} bytes, at most ${payloadBytesMax} fit`);
  }
  const signedBytes = headerBytes + payload.length;
  const bytes = Buffer.alloc(signedBytes + signatureBytes);
  magic.copy(bytes);
  bytes.writeUInt8(wireVersion, at.version);
  bytes.writeUInt8(packet.linkIndex, at.link);
  identity.cluster.copy(bytes, at.cluster);
  identity.self.copy(bytes, at.sender);
  key.id.copy(bytes, at.key);
  writeNumber(bytes, packet.incarnation, at.incarnation);
  writeNumber(bytes, packet.sequence, at.sequence);
  bytes.writeUInt16BE(payload.length, at.length);
  payload.copy(bytes, headerBytes);
  sign(key, bytes, signedBytes).copy(bytes, signedBytes);
  return bytes;
}

/** The payload returned shares memory with `bytes`. */
export function decodePacket(
  identity: WireIdentity,
  ring: KeyRing,
  expectedLinkIndex: number,
  bytes: Buffer,
): DecodedPacket {
  if (bytes.length < headerBytes + signatureBytes) return refuse('too-short');
  if (bytes.length > packetBytesMax) return refuse('too-long');
  if (!hasAt(bytes, 0, magic)) return refuse('bad-magic');
  if (bytes[at.version] !== wireVersion) return refuse('unsupported-version');
  if (!hasAt(bytes, at.cluster, identity.cluster)) return refuse('foreign-cluster');
  if (hasAt(bytes, at.sender, identity.self)) return refuse('own-packet');
  if (!hasAt(bytes, at.sender, identity.peer)) return refuse('unknown-sender');
  if (bytes[at.link] !== expectedLinkIndex) return refuse('wrong-link');
  const signedBytes = bytes.length - signatureBytes;
  if (bytes.readUInt16BE(at.length) !== signedBytes - headerBytes) return refuse('bad-length');
  const incarnation = readNumber(bytes, at.incarnation);
  const sequence = readNumber(bytes, at.sequence);
  if (!Number.isSafeInteger(incarnation) || !Number.isSafeInteger(sequence)) return refuse('bad-number');
  const problem = checkSignature(ring, bytes, signedBytes);
  if (problem !== undefined) return refuse(problem);
  return { ok: true, envelope: { incarnation, sequence, payload: bytes.subarray(headerBytes, signedBytes) } };
}

function checkSignature(
  ring: KeyRing,
  bytes: Buffer,
  signedBytes: number,
): 'unknown-key' | 'bad-signature' | undefined {
  let known = false;
  for (const key of ring.accepted) {
    if (!hasAt(bytes, at.key, key.id)) continue;
    if (timingSafeEqual(sign(key, bytes, signedBytes), bytes.subarray(signedBytes))) return undefined;
    known = true;
  }
  return known ? 'bad-signature' : 'unknown-key';
}

function sign(key: DerivedKey, bytes: Buffer, signedBytes: number): Buffer {
  return createHmac('sha256', key.secret).update(bytes.subarray(0, signedBytes)).digest();
}

const refusalResults = Object.fromEntries(
  wireRefusals.map((reason) => [reason, Object.freeze({ ok: false, reason })]),
) as Readonly<Record<WireRefusal, DecodedPacket>>;

function refuse(reason: WireRefusal): DecodedPacket {
  return refusalResults[reason];
}

function hasAt(bytes: Buffer, offset: number, expected: Buffer): boolean {
  return bytes.compare(expected, 0, expected.length, offset, offset + expected.length) === 0;
}

function nameId(name: string, length: number): Buffer {
  return Buffer.from(createHash('sha256').update(name, 'utf8').digest().subarray(0, length));
}

// Two 32-bit halves rather than a BigInt: no allocation, and above 2^53 the result is merely not safe.
function readNumber(bytes: Buffer, offset: number): number {
  return bytes.readUInt32BE(offset) * 2 ** 32 + bytes.readUInt32BE(offset + 4);
}

function writeNumber(bytes: Buffer, value: number, offset: number): void {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new RangeError(`${value} is not a whole number from 0`);
  bytes.writeUInt32BE(Math.floor(value / 2 ** 32), offset);
  bytes.writeUInt32BE(value % 2 ** 32, offset + 4);
}
