// The times that follow from the four that are configured: docs/decisions/0003-freeze-before-takeover.md.

import test from 'ava';
import fc from 'fast-check';
import { deriveTimings } from '../../daemon/core/policy.ts';

const usual = { keepaliveMs: 200, warntimeMs: 800, deadtimeMs: 2000, initdeadMs: 30_000 };
const hasty = { keepaliveMs: 500, warntimeMs: 1800, deadtimeMs: 2000, initdeadMs: 30_000 };
const slow = { keepaliveMs: 100, warntimeMs: 800, deadtimeMs: 10_000, initdeadMs: 30_000 };

test('an owner freezes a keepalive and a tenth before deadtime, but not before the middle of the late time', (t) => {
  t.is(deriveTimings(usual).freezeAfterMs, 2000 - 200 - 200);
  t.is(deriveTimings(slow).freezeAfterMs, 10_000 - 100 - 1000);
  t.is(deriveTimings(hasty).freezeAfterMs, (1800 + 2000) / 2);
});

test('a takeover follows a twentieth after deadtime, but not before a keepalive and a tenth after the freeze', (t) => {
  t.is(deriveTimings(usual).takeoverAfterMs, 2100);
  t.is(deriveTimings(slow).takeoverAfterMs, 10_500);
  t.is(deriveTimings(hasty).takeoverAfterMs, 1900 + 500 + 200);
});

test('a standby is stale four deadtimes after its takeover, and an owner on its own a deadtime later still', (t) => {
  t.like(deriveTimings(usual), { staleAfterMs: 2100 + 8000, soleAfterMs: 2100 + 8000 + 2000 });
  t.like(deriveTimings(hasty), { staleAfterMs: 2600 + 8000, soleAfterMs: 2600 + 8000 + 2000 });
});

test('what is configured stays as it is, and the times keep their order whatever is configured', (t) => {
  t.like(deriveTimings(usual), usual);
  const gap = fc.integer({ min: 1, max: 60_000 });
  fc.assert(
    fc.property(gap, gap, gap, (keepaliveMs, toWarntime, toDeadtime) => {
      const warntimeMs = keepaliveMs + toWarntime;
      const deadtimeMs = warntimeMs + toDeadtime;
      const all = deriveTimings({ keepaliveMs, warntimeMs, deadtimeMs, initdeadMs: 2 * deadtimeMs });
      const { freezeAfterMs, takeoverAfterMs, staleAfterMs, soleAfterMs } = all;
      const order = [keepaliveMs, warntimeMs, freezeAfterMs, deadtimeMs, takeoverAfterMs, staleAfterMs];
      const isOrdered = [...order, soleAfterMs].every(
        (at, index, all) => index === 0 || at > (all[index - 1] ?? 0),
      );
      if (!isOrdered) throw new Error(`out of order: ${[...order, soleAfterMs].join(', ')}`);
      const pausingMs = takeoverAfterMs - freezeAfterMs;
      if (pausingMs < keepaliveMs + deadtimeMs / 10 - 1e-6)
        throw new Error(`only ${pausingMs} ms for pausing`);
    }),
    { numRuns: 300 },
  );
});
