// The packet layout, what is refused and why, and that no bytes whatever get through or throw.

import { createHash, createHmac } from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import { createKeyRing } from '../../daemon/config/key-file.ts';
import {
  createIdentity,
  decodePacket,
  encodePacket,
  packetBytesMax,
  payloadBytesMax,
  type WireRefusal,
  wireRefusals,
} from '../../daemon/drivers/link/wire.ts';

const secretA = Buffer.alloc(32, 0xa1);
const secretB = Buffer.alloc(32, 0xb2);
const ringA = createKeyRing([secretA]);
const ringB = createKeyRing([secretB]);
const sender = createIdentity({ cluster: 'office', self: 'primary', peer: 'secondary' });
const receiver = createIdentity({ cluster: 'office', self: 'secondary', peer: 'primary' });
const payload = Buffer.from('{"hello":"peer"}');

function packet(overrides: Partial<Parameters<typeof encodePacket>[2]> = {}): Buffer {
  return encodePacket(sender, ringA.signing, {
    linkIndex: 0,
    incarnation: 7,
    sequence: 42,
    payload,
    ...overrides,
  });
}

function changed(bytes: Buffer, change: (bytes: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes);
  change(copy);
  return copy;
}

/** The refusal, or undefined when the packet was accepted. */
function refusal(bytes: Buffer, ring = ringA, linkIndex = 0): WireRefusal | undefined {
  const decoded = decodePacket(receiver, ring, linkIndex, bytes);
  return decoded.ok ? undefined : decoded.reason;
}

test('a packet comes back as it was sent, whatever its numbers and payload', (t) => {
  const number = fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER));
  fc.assert(
    fc.property(
      number,
      number,
      fc.integer({ min: 0, max: 255 }),
      fc.uint8Array({ maxLength: payloadBytesMax }),
      (incarnation, sequence, linkIndex, body) => {
        const bytes = packet({ linkIndex, incarnation, sequence, payload: Buffer.from(body) });
        const decoded = decodePacket(receiver, ringA, linkIndex, bytes);
        t.deepEqual(decoded, { ok: true, envelope: { incarnation, sequence, payload: Buffer.from(body) } });
      },
    ),
  );
});

test('the bytes are laid out as documented', (t) => {
  const bytes = packet({ linkIndex: 3, incarnation: 2 ** 40 + 5, sequence: 258 });
  const sha256 = (text: string | Buffer) => createHash('sha256').update(text).digest('hex');
  t.is(bytes.toString('latin1', 0, 4), 'BTTO');
  t.is(bytes.toString('hex', 4, 8), '01030000');
  t.is(bytes.toString('hex', 8, 16), sha256('office').slice(0, 16));
  t.is(bytes.toString('hex', 16, 20), sha256('primary').slice(0, 8));
  t.is(bytes.toString('hex', 20, 24), sha256(ringA.signing.secret.export()).slice(0, 8));
  t.is(bytes.readBigUInt64BE(24), 2n ** 40n + 5n);
  t.is(bytes.readBigUInt64BE(32), 258n);
  t.is(bytes.readUInt16BE(40), payload.length);
  t.is(bytes.toString('utf8', 42, 42 + payload.length), payload.toString());
  const signature = createHmac('sha256', ringA.signing.secret).update(bytes.subarray(0, -32)).digest('hex');
  t.is(bytes.toString('hex', bytes.length - 32), signature);
});

test('the key on the wire is derived from the key in the file, never that key itself', (t) => {
  t.false(ringA.signing.secret.export().equals(secretA));
  t.is(ringA.signing.secret.export().length, 32);
  t.deepEqual(createKeyRing([secretA]).signing.id, ringA.signing.id);
});

test('the largest payload fills a packet and one byte more is the caller’s mistake', (t) => {
  const largest = packet({ payload: Buffer.alloc(payloadBytesMax) });
  t.is(largest.length, packetBytesMax);
  t.is(refusal(largest), undefined);
  t.throws(() => packet({ payload: Buffer.alloc(payloadBytesMax + 1) }), { instanceOf: RangeError });
  t.throws(() => packet({ sequence: 2 ** 53 }), { instanceOf: RangeError });
  t.throws(() => packet({ incarnation: -1 }), { instanceOf: RangeError });
});

test('every reason for a refusal has its packet', (t) => {
  const foreign = createIdentity({ cluster: 'shop', self: 'primary', peer: 'secondary' });
  const stranger = createIdentity({ cluster: 'office', self: 'tertiary', peer: 'secondary' });
  const fields = { linkIndex: 0, incarnation: 1, sequence: 1, payload };
  const examples: Record<WireRefusal, Buffer> = {
    'too-short': packet().subarray(0, 73),
    'too-long': Buffer.concat([packet({ payload: Buffer.alloc(payloadBytesMax) }), Buffer.alloc(1)]),
    'bad-magic': changed(packet(), (bytes) => bytes.write('HTTP')),
    'unsupported-version': changed(packet(), (bytes) => bytes.writeUInt8(2, 4)),
    'foreign-cluster': encodePacket(foreign, ringA.signing, fields),
    'own-packet': encodePacket(receiver, ringA.signing, fields),
    'unknown-sender': encodePacket(stranger, ringA.signing, fields),
    'wrong-link': packet({ linkIndex: 1 }),
    'bad-length': changed(packet(), (bytes) => bytes.writeUInt16BE(payload.length + 1, 40)),
    'bad-number': changed(packet(), (bytes) => bytes.writeUInt32BE(0x20_00_00, 32)),
    'unknown-key': encodePacket(sender, ringB.signing, fields),
    'bad-signature': changed(packet(), (bytes) => bytes.writeUInt8(0, 42)),
  };
  for (const reason of wireRefusals) t.is(refusal(examples[reason]), reason);
});

test('two keys are accepted at once and the second alone is enough', (t) => {
  const both = createKeyRing([secretB, secretA]);
  t.is(refusal(packet(), both), undefined);
  t.is(refusal(packet(), ringB), 'unknown-key');
  t.is(both.accepted[0], both.signing);
});

test('a packet with any one bit flipped is refused', (t) => {
  const valid = packet();
  for (let bit = 0; bit < valid.length * 8; bit += 1) {
    const flipped = changed(valid, (bytes) => {
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    });
    t.not(refusal(flipped), undefined, `bit ${bit}`);
  }
});

test('a packet cut short or with bytes appended is refused', (t) => {
  const valid = packet();
  for (let length = 0; length < valid.length; length += 1) {
    t.not(refusal(valid.subarray(0, length)), undefined, `cut to ${length}`);
  }
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 2000 }), (tail) => {
      t.not(refusal(Buffer.concat([valid, tail])), undefined);
    }),
  );
});

test('random bytes are refused, also behind a header that looks right', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), fc.integer({ min: 0, max: 42 }), (random, kept) => {
      const bytes = Buffer.from(random);
      t.not(refusal(bytes), undefined);
      packet().copy(bytes, 0, 0, kept);
      t.not(refusal(bytes), undefined);
    }),
    { numRuns: 2000 },
  );
});

test('parts of two valid packets do not make a third', (t) => {
  const one = packet({ sequence: 1, payload: Buffer.from('state: active ') });
  const two = packet({ sequence: 2, payload: Buffer.from('state: stopped') });
  for (let cut = 1; cut < one.length; cut += 1) {
    const spliced = Buffer.concat([one.subarray(0, cut), two.subarray(cut)]);
    if (spliced.equals(one) || spliced.equals(two)) continue;
    t.is(refusal(spliced), 'bad-signature', `cut at ${cut}`);
  }
});

test('two nodes that look alike on the wire are a configuration error', (t) => {
  t.throws(() => createIdentity({ cluster: 'office', self: 'same', peer: 'same' }), {
    code: 'node-names-collide',
  });
});
