// Remarks, what a node says to people of copies that are not connected: how they travel in a heartbeat beside what the
// two nodes decide by, what becomes of hostile ones, from which packets they are taken, and how a status shows them.

import test from 'ava';
import fc from 'fast-check';
import { groupsMax, namePattern } from '../../daemon/config/values.ts';
import type { GroupRemarks } from '../../daemon/control/api.ts';
import { ownRemarks, peerRemarksOf } from '../../daemon/control/remarks.ts';
import type { HeartbeatContent } from '../../daemon/core/heartbeat.ts';
import { payloadBytesMax } from '../../daemon/drivers/link/wire.ts';
import { monotonicMs } from '../../daemon/runtime/clock.ts';
import {
  createHeartbeatDecoder,
  createHeartbeatEncoder,
} from '../../daemon/runtime/heartbeat/heartbeat-codec.ts';
import { createPeerRemarks } from '../../daemon/runtime/heartbeat/peer-remarks.ts';
import { disk, mail, protectedPolicy, web } from '../sim/example.ts';
import { apart, mirrored, oneCore, ownRun, peerContent, peerRun, stoppedReport } from './support/one-core.ts';

const names = { sender: 'primary', receiver: 'secondary' };
const content: HeartbeatContent = {
  ...peerContent,
  software: '1',
  configDigest: '0123456789abcdef',
  hears: [true, false],
  groups: [stoppedReport],
};
const remarked: GroupRemarks = {
  group: 'office',
  disks: [
    {
      resource: 'r0',
      role: 'primary',
      disk: 'up-to-date',
      connection: 'standalone',
      standsAlone: 'split-brain',
      aloneForMs: 7_500_000,
      aloneLonger: true,
      changedKib: 1_258_291,
    },
    {
      resource: 'r1',
      role: 'unknown',
      disk: 'diskless',
      connection: 'connecting',
      standsAlone: 'no',
      aloneForMs: null,
      aloneLonger: false,
      changedKib: null,
    },
  ],
  guests: [
    { name: 'mail', status: 'up', upForMs: 10_800_000 },
    { name: 'web', status: 'paused', upForMs: null },
  ],
};

const encode = (remarks?: readonly GroupRemarks[], what = content) =>
  createHeartbeatEncoder(names).encode(null, what, remarks);
const decode = (payload: Buffer) => createHeartbeatDecoder(names).decode(payload);
const jsonOf = (payload: Buffer) => JSON.parse(payload.subarray(16).toString()) as Record<string, unknown>;

// ---- on the wire ----

test('remarks come out as they went in, in whole seconds, and the content beside them', (t) => {
  const [first] = remarked.disks;
  const finer = { ...remarked, disks: [{ ...first, aloneForMs: 7_500_999 }, ...remarked.disks.slice(1)] };
  t.deepEqual(decode(encode([finer as GroupRemarks])), { echo: null, content, remarks: [remarked] });
});

test('where there is nothing to remark a heartbeat is what it is without them, byte for byte', (t) => {
  t.deepEqual(encode([]), encode());
  t.deepEqual(decode(encode()).remarks, []);
});

test('an older version, which does not know them, reads the same content', (t) => {
  const { remarks, ...known } = jsonOf(encode([remarked]));
  t.truthy(remarks);
  t.deepEqual(known, jsonOf(encode()));
});

test('figures that tick change the payload once a second, and leave the content the very same', (t) => {
  const at = (aloneForMs: number) =>
    encode([{ ...remarked, guests: [{ name: 'mail', status: 'up', upForMs: aloneForMs }] }]);
  t.deepEqual(at(5000), at(5999));
  const decoder = createHeartbeatDecoder(names);
  const [first, second] = [decoder.decode(at(5000)), decoder.decode(at(6000))];
  t.is(second.remarks[0]?.guests?.[0]?.upForMs, 6000);
  t.is(second.content, first.content, 'the journal knows by this that it repeats');
  t.is(decoder.decode(at(6500)).remarks, second.remarks, 'an equal payload is not parsed again');
});

test('what does not fit is left out, the guests first, never the content', (t) => {
  const crowd = Array.from({ length: 60 }, (_, n) => ({
    name: `guest-${n}-of-the-office`,
    status: 'up' as const,
    upForMs: 1e9,
  }));
  const crowded = encode([{ ...remarked, guests: crowd }]);
  t.true(crowded.length <= payloadBytesMax);
  t.deepEqual(decode(crowded), { echo: null, content, remarks: [{ ...remarked, guests: null }] });
  t.deepEqual(crowded, encode([{ ...remarked, guests: crowd }]), 'the same each time');

  const groups = Array.from({ length: groupsMax }, (_, n) => ({
    ...stoppedReport,
    name: `${'n'.repeat(29)}${n}`.slice(0, 31),
    generation: 1_000_000,
    grant: { incarnation: Date.now(), claim: 100_000 },
  }));
  const full = { ...content, groups };
  const all = groups.map(({ name }) => ({ ...remarked, group: name }));
  const payload = encode(all, full);
  t.true(payload.length <= payloadBytesMax);
  t.deepEqual(decode(payload), { echo: null, content: full, remarks: [] });
});

test('a packet is filled up to its last byte, and no further', (t) => {
  const isWhole = (software: string) =>
    decode(encode([remarked], { ...content, software })).remarks[0]?.guests !== null;
  const whole = encode([remarked]).length;
  const room = payloadBytesMax - whole + content.software.length;
  t.is(encode([remarked], { ...content, software: 'v'.repeat(room) }).length, payloadBytesMax);
  t.true(isWhole('v'.repeat(room)));
  t.false(isWhole('v'.repeat(room + 1)));
});

/** The payload with something else in the place of its remarks. */
function withWire(remarks: unknown): Buffer {
  const payload = encode();
  const wire = { ...jsonOf(payload), remarks };
  return Buffer.concat([payload.subarray(0, 16), Buffer.from(JSON.stringify(wire))]);
}

const wireOf = () => jsonOf(encode([remarked]))['remarks'] as [unknown, unknown[][], unknown[][]][];
type Wire = ReturnType<typeof wireOf>;

/** Good remarks in which one thing has been changed. */
function spoilt(change: (group: Wire[number], disk: unknown[], guest: unknown[]) => void): Wire {
  const wire = wireOf();
  const [group] = wire;
  const [disks, guests] = [group?.[1], group?.[2]];
  if (group === undefined || disks?.[0] === undefined || guests?.[0] === undefined)
    throw new Error('no remarks');
  change(group, disks[0], guests[0]);
  return wire;
}

/** What is put in the place of one cell of a disk. */
const cell = (index: number, value: unknown) => spoilt((_group, copy) => copy.splice(index, 1, value));

const hostile: Readonly<Record<string, unknown>> = {
  'no list': 'remarks',
  'an object': { length: 1 },
  null: null,
  'a name that is no name': cell(0, '\u001b[2Jr0'),
  'a name that is too long': spoilt((group) => group.splice(0, 1, 'n'.repeat(32))),
  'a guest whose name is a number': spoilt((_group, _disk, guest) => guest.splice(0, 1, 7)),
  'a role that does not exist': cell(1, 9),
  'a role that is a word': cell(1, 'primary'),
  'a time before any': cell(5, -1),
  'a time without an end': cell(5, 1e15),
  'a fraction': cell(5, 0.5),
  'neither yes nor no': cell(6, 2),
  'more than a disk can have': cell(7, 2 ** 51),
  'a disk that is too short': spoilt((_group, copy) => copy.splice(4)),
  'no disk': spoilt((group) => group.splice(1, 1, [])),
  'a guest of no status': spoilt((_group, _disk, guest) => guest.splice(1, 1, -1)),
  'more groups than there can be': Array.from({ length: groupsMax + 1 }, () => wireOf()[0]),
};

for (const [what, wire] of Object.entries(hostile)) {
  test(`remarks with something wrong are dropped, and the content counts: ${what}`, (t) => {
    t.deepEqual(decode(withWire(wire)), { echo: null, content, remarks: [] });
  });
}

test("a guest whose name is libvirt's alone is left out by itself, on either side", (t) => {
  const named = (name: string) => ({ name, status: 'up', upForMs: 1000 }) as const;
  const odd = ['a name with blanks', 'n'.repeat(32), 'mail\n', '\u001b[2J'].map(named);
  const guests = [...odd.slice(0, 2), named('mail'), ...odd.slice(2)];
  t.deepEqual(decode(encode([{ ...remarked, guests }])).remarks, [{ ...remarked, guests: [named('mail')] }]);
  const wire = wireOf();
  const rows = wire[0]?.[2] as unknown[] | undefined;
  rows?.push(...odd.map(({ name }) => [name, 1, 1]));
  t.deepEqual(decode(withWire(wire)).remarks, [remarked]);
});

test('whatever the remarks are, the content counts and what is taken is within bounds', (t) => {
  const isSpan = (span: number | null) => span === null || (span >= 0 && Number.isSafeInteger(span));
  const any = fc.oneof(fc.integer({ min: -2, max: 9 }), fc.constant(null), fc.string(), fc.double());
  const row = fc.tuple(fc.constantFrom('r0', '\n', 'n'.repeat(40)), any, any, any, any, any, any, any);
  const nearly = fc.array(fc.tuple(fc.constant('office'), fc.array(row), fc.array(fc.array(any))));
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), nearly), (wire) => {
      const { content: read, remarks } = decode(withWire(wire));
      t.deepEqual(read, content);
      for (const { group, disks, guests } of remarks) {
        t.regex(group, namePattern);
        for (const { resource, aloneForMs, changedKib } of disks)
          t.true(namePattern.test(resource) && isSpan(aloneForMs) && isSpan(changedKib));
        for (const { name, upForMs } of guests ?? []) t.true(namePattern.test(name) && isSpan(upForMs));
      }
    }),
  );
});

test('a newer version may add fields at the end', (t) => {
  const wire = wireOf();
  wire[0]?.[1][0]?.push('more');
  (wire[0] as unknown[]).push('and more');
  t.deepEqual(decode(withWire(wire)).remarks, [remarked]);
});

// ---- what a node says ----

const withDisk = () => oneCore({ self: 'secondary', policy: protectedPolicy('secondary', { disk: true }) });
const remarksOf = (node: ReturnType<typeof withDisk>) => ownRemarks(node.state(), () => sightsOf(node));
const sightsOf = (node: ReturnType<typeof withDisk>) => ({
  state: node.state(),
  nowMs: node.state().now + 500,
  storage: new Map([
    [disk, { trouble: null, resync: null, changedKib: 20, standsAlone: 'split-brain' as const }],
  ]),
  guestsUpForMs: new Map([[mail, 7000]]),
});

test('a node remarks its copies that are not connected, with the guests of their group; else nothing', (t) => {
  const node = withDisk();
  t.deepEqual(remarksOf(node), [], 'nothing has been seen yet');
  node.show(1, mirrored);
  t.deepEqual(remarksOf(node), []);
  const unasked = () => {
    throw new Error('it was looked, although nothing is to be remarked');
  };
  t.deepEqual(ownRemarks(node.state(), unasked), []);
  node.show(2, { ...apart, connection: 'standalone', role: 'primary' });
  node.seeOne(3, mail, { kind: 'up' });
  t.deepEqual(remarksOf(node), [
    {
      group: 'office',
      disks: [
        {
          resource: 'r0',
          role: 'primary',
          disk: 'up-to-date',
          connection: 'standalone',
          standsAlone: 'split-brain',
          aloneForMs: 501,
          aloneLonger: false,
          changedKib: 20,
        },
      ],
      guests: [
        { name: 'mail', status: 'up', upForMs: 7000 },
        { name: web.replace('guest:', ''), status: 'unknown', upForMs: null },
      ],
    },
  ]);
});

// ---- from which packets it is taken ----

/** A core that hears packets, and what is kept of their remarks, told apart by a group's name. */
function hearing() {
  const node = oneCore();
  const kept = createPeerRemarks();
  let at = 0;
  const hear = (
    group: string,
    sequence: number,
    how: { link?: number; run?: number; echoed?: number } = {},
  ) => {
    const { link = 0, run: incarnation = peerRun, echoed = ownRun } = how;
    const before = node.state().peer;
    const echo = { incarnation: echoed, sequence: node.state().sequence };
    at += 1;
    node.feed(at, { kind: 'heartbeat-received', link, incarnation, sequence, echo, content });
    kept.learn({ incarnation, sequence }, [{ ...remarked, group }], before, node.state().peer);
    return kept.latest()?.remarks[0]?.group ?? null;
  };
  return { node, kept, hear };
}

test('only of a peer that has shown that it reads us', (t) => {
  const { hear } = hearing();
  t.is(hear('unproven', 1, { echoed: 1 }), null);
  t.is(hear('proven', 2), 'proven');
  t.is(hear('a-run-unproven', 1, { run: peerRun + 1, echoed: 1 }), 'proven');
  t.is(hear('a-run-proven', 2, { run: peerRun + 1 }), 'a-run-proven');
});

test('only of the newest packet: a replay, an earlier run, and one that was overtaken on another link say nothing', (t) => {
  const { hear, kept } = hearing();
  t.is(hear('first', 5), 'first');
  const { atMs } = kept.latest() ?? {};
  t.is(hear('replayed', 5), 'first');
  t.is(hear('earlier-run', 9, { run: peerRun - 1 }), 'first');
  t.is(hear('overtaken', 4, { link: 1 }), 'first');
  t.is(hear('again-on-the-other-link', 5, { link: 1 }), 'first');
  t.is(kept.latest()?.atMs, atMs, 'and nothing looks younger than it is');
  t.is(hear('second', 6, { link: 1 }), 'second');
});

test('a heartbeat without remarks takes back what was remarked; a silence does not', (t) => {
  const { node, kept } = hearing();
  const before = node.state().peer;
  node.hear(1);
  const { peer } = node.state();
  const packet = { incarnation: peerRun, sequence: peer.lastSequence };
  kept.learn(packet, [remarked], before, peer);
  const now = monotonicMs();
  t.deepEqual(kept.latest()?.remarks, [remarked]);
  t.like(peerRemarksOf(kept.latest(), 'office', now + 180_000), { disks: remarked.disks });
  t.true((peerRemarksOf(kept.latest(), 'office', now + 180_000)?.ageMs ?? 0) >= 180_000);
  t.is(peerRemarksOf(kept.latest(), 'shop', now), null);
  node.hear(2);
  kept.learn({ ...packet, sequence: packet.sequence + 1 }, [], peer, node.state().peer);
  t.is(peerRemarksOf(kept.latest(), 'office', now), null);
  t.is(peerRemarksOf(null, 'office', now), null);
});
