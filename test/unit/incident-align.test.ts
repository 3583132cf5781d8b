// Two clocks laid on each other: the truth lies within what the alignment says it does, whatever the clocks do.

import test from 'ava';
import { alignClocks, type PacketTimes } from '../../daemon/incident/align.ts';
import { createRandom } from './fixtures/incident/chance.ts';

interface World {
  /** The peer's clock at a moment of ours. */
  readonly peerAt: (ourAt: number) => number;
  readonly from: number;
  readonly to: number;
  readonly seed?: number;
  /** Shortest and longest way of a packet, to the peer and back. */
  readonly there?: readonly [number, number];
  readonly back?: readonly [number, number];
}

/** Heartbeats both ways, five a second, as both nodes recorded them. */
function packetsIn({ peerAt, from, to, seed = 1, there = [0.2, 5], back = [0.2, 5] }: World): PacketTimes[] {
  const random = createRandom(seed);
  const delay = ([least, most]: readonly [number, number]) => least + (most - least) * random() ** 3;
  const packets: PacketTimes[] = [];
  for (let at = from; at < to; at += 200) {
    packets.push({ sender: 'self', sentAt: at, receivedAt: peerAt(at + delay(there)) });
    packets.push({ sender: 'peer', sentAt: peerAt(at + 100), receivedAt: at + 100 + delay(back) });
  }
  return packets;
}

const known = (offsetMs: number, rate: number) => (at: number) => offsetMs + at * rate;

for (const { offsetMs, drift } of [
  { offsetMs: 0, drift: 0 },
  { offsetMs: 123_456_789.5, drift: 0 },
  { offsetMs: -5_000_000, drift: 50e-6 },
  { offsetMs: 3_000_000, drift: -80e-6 },
]) {
  test(`an offset of ${offsetMs} ms and a drift of ${drift * 1e6} ppm are found`, (t) => {
    const peerAt = known(offsetMs, 1 + drift);
    const alignment = alignClocks(packetsIn({ peerAt, from: 1_000_000, to: 1_600_000 }));
    t.is(alignment?.packets, 6000);
    for (let ourAt = 1_000_000; ourAt < 1_600_000; ourAt += 7777) {
      const { at, withinMs } = alignment?.toOurs(peerAt(ourAt)) ?? { at: 0, withinMs: 0 };
      t.true(Math.abs(at - ourAt) <= withinMs + 1e-3, `off by ${at - ourAt} ms, said ±${withinMs} ms`);
      t.true(withinMs < 1.5, `±${withinMs} ms`);
    }
  });
}

test('in a silence the uncertainty grows with the distance to the packets, and the truth stays within it', (t) => {
  const peerAt = known(777_777, 1 + 100e-6);
  const alignment = alignClocks([
    ...packetsIn({ peerAt, from: 0, to: 60_000 }),
    ...packetsIn({ peerAt, from: 660_000, to: 720_000, seed: 2 }),
  ]);
  let last = 0;
  for (const ourAt of [59_000, 100_000, 200_000, 300_000, 360_000]) {
    const { at, withinMs } = alignment?.toOurs(peerAt(ourAt)) ?? { at: 0, withinMs: 0 };
    t.true(Math.abs(at - ourAt) <= withinMs, `off by ${at - ourAt} ms, said ±${withinMs} ms`);
    t.true(withinMs > last);
    last = withinMs;
  }
  t.true(last > 20 && last < 100, `±${last} ms in the middle of ten silent minutes`);
});

test('a way that is longer in one direction widens the bounds, and does not lie', (t) => {
  const peerAt = known(5000, 1);
  const alignment = alignClocks(
    packetsIn({ peerAt, from: 0, to: 60_000, there: [20, 40], back: [0.1, 0.3] }),
  );
  const { at, withinMs } = alignment?.toOurs(peerAt(30_000)) ?? { at: 0, withinMs: 0 };
  t.true(Math.abs(at - 30_000) <= withinMs);
  t.true(withinMs > 9 && withinMs < 12, `±${withinMs} ms`);
});

test('a clock that stood still, as in a suspended machine, is no reason to be wrong near the packets', (t) => {
  const before = known(0, 1);
  const after = known(-30_000, 1);
  const alignment = alignClocks([
    ...packetsIn({ peerAt: before, from: 0, to: 20_000 }),
    ...packetsIn({ peerAt: after, from: 60_000, to: 80_000, seed: 2 }),
  ]);
  for (const [ourAt, peerAt] of [
    [10_000, before(10_000)],
    [70_000, after(70_000)],
  ] as const) {
    const { at, withinMs } = alignment?.toOurs(peerAt) ?? { at: 0, withinMs: 0 };
    t.true(Math.abs(at - ourAt) <= withinMs, `off by ${at - ourAt} ms, said ±${withinMs} ms`);
    t.true(withinMs < 500, `±${withinMs} ms`);
  }
});

test('packets in one direction alone bound a clock from one side: no alignment', (t) => {
  const packets = packetsIn({ peerAt: known(1, 1), from: 0, to: 10_000 });
  t.is(alignClocks(packets.filter(({ sender }) => sender === 'self')), null);
  t.is(alignClocks([]), null);
});
