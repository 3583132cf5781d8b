// The clock of the daemon goes on while its host sleeps, and is not moved by anything else.

import test from 'ava';
import { awakeMs, createClock, monotonicMs } from '../../daemon/runtime/clock.ts';

function host() {
  const at = { awake: 5_000, slept: 0, wall: 1_700_000_000_000, asked: 0 };
  const clock = createClock({
    awakeMs: () => at.awake,
    wallMs: () => at.wall + at.awake,
    bootMs() {
      at.asked += 1;
      return Math.floor((at.awake + at.slept) / 10) * 10;
    },
  });
  return { at, clock };
}

test('it counts as the monotonic clock does, and asks for nothing more as long as the wall clock goes with that', (t) => {
  const { at, clock } = host();
  t.is(clock(), 5_000);
  at.awake = 65_004.25;
  t.is(clock(), 65_004.25);
  t.is(at.asked, 1);
});

test('sleep counts, each time', (t) => {
  const { at, clock } = host();
  t.is(clock(), 5_000);
  for (const [slept, now] of [
    [3_600_000, 3_605_010],
    [3_900_000, 3_905_020],
  ] as const) {
    at.wall += slept - at.slept;
    at.slept = slept;
    at.awake += 10;
    t.is(clock(), now);
  }
  at.awake += 7.5;
  t.is(clock(), 3_905_027.5);
});

test('a process that begins after a sleep goes by the same time', (t) => {
  const { at, clock } = host();
  at.slept = 3_600_000;
  t.is(clock(), 3_605_000);
});

test('a wall clock that is set, forwards or back, changes nothing; nor does how coarse the time since boot is', (t) => {
  const { at, clock } = host();
  for (const step of [3_600_000, -7_200_000, 50, -50]) {
    at.wall += step;
    at.awake += 3;
    t.is(clock(), at.awake);
  }
  t.is(at.asked, 4);
});

test('time since boot that is of something smaller than the host, as in a container, changes nothing', (t) => {
  const { at, clock } = host();
  at.slept = -4_000;
  t.is(clock(), 5_000);
  at.wall += 1_000;
  t.is(clock(), 5_000);
});

test('a process that waits for a processor while it reads the clocks has not slept', (t) => {
  let awake = 5_000;
  const bootMs = () => {
    awake += 500;
    return awake;
  };
  const clock = createClock({ awakeMs: () => awake, wallMs: () => 1_700_000_000_000 + awake, bootMs });
  t.is(clock(), 5_000);
  t.is(clock(), 5_500);
});

test('on this host it is there, and does not go back', (t) => {
  const [before, now, after] = [awakeMs(), monotonicMs(), monotonicMs()];
  t.true(now >= before);
  t.true(after >= now);
});
