// `battito check` on how late the machine lets the daemon run: what is refused, warned of and left alone.

import test from 'ava';
import { checkLateness } from '../../daemon/cli/check/lateness.ts';
import { roomFor } from '../../daemon/config/timing-rules.ts';
import { createHistogram } from '../../daemon/metrics/histogram.ts';
import { latenessView } from '../../daemon/runtime/loop.ts';

const fast = { keepaliveMs: 10, warntimeMs: 20, deadtimeMs: 100, initdeadMs: 30_000 };
const usual = { keepaliveMs: 200, warntimeMs: 800, deadtimeMs: 2000, initdeadMs: 30_000 };

const found = (timings: typeof fast, usualMs: number, longestMs = usualMs, count = 100_000) => {
  const [finding, ...more] = checkLateness({ timings, lateness: { count, usualMs, longestMs } }, true);
  return { ...finding, more: more.length };
};

test('what the machine cannot keep is a problem, with a deadtime that it can', (t) => {
  const { level, message, mend } = found(fast, 35, 60);
  t.is(level, 'problem');
  t.is(
    message,
    'this machine lets the daemon run up to 35 ms late (999 times of 1000; at the most 60 ms), and a deadtime of 100ms bears less than 34 ms: a node that is well will take itself for cut off, or its peer for dead',
  );
  const deadtimeMs = Number(/^deadtime: (\d+)ms /.exec(mend ?? '')?.[1]);
  t.is(found({ ...fast, deadtimeMs }, 35, 60).level, 'ok');
  t.not(found({ ...fast, deadtimeMs: deadtimeMs - 1 }, 35, 60).level, 'ok');
});

test('little more than usual is a warning, and three times as much is enough', (t) => {
  t.is(found(fast, 15).level, 'warning');
  t.is(found(fast, 11).level, 'ok');
  t.is(found(usual, 50, 400).level, 'ok');
  t.is(roomFor(usual, true).ms, 650);
});

test('nothing is concluded from little, and nothing from a daemon that does not say', (t) => {
  t.is(found(fast, 90, 90, 1999).level, 'info');
  t.deepEqual(checkLateness({ timings: fast }, true), []);
});

test('what is usual is read from the histogram: 999 of 1000, and no more than the longest', (t) => {
  const histogram = createHistogram([0.001, 0.01, 0.1]);
  t.deepEqual(latenessView(histogram.read()), { count: 0, usualMs: 0, longestMs: 0 });
  for (let times = 0; times < 999; times += 1) histogram.observe(0.004);
  t.deepEqual(latenessView(histogram.read()), { count: 999, usualMs: 4, longestMs: 4 });
  histogram.observe(0.4);
  t.deepEqual(latenessView(histogram.read()), { count: 1000, usualMs: 10, longestMs: 400 });
  histogram.observe(0.5);
  t.deepEqual(latenessView(histogram.read()), { count: 1001, usualMs: 500, longestMs: 500 });
});
