// The gaps between heartbeats: what counts as one, what is told apart, what is kept, and what `check` makes of it.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { pino } from 'pino';
import { checkGaps } from '../../daemon/cli/check/gaps.ts';
import type { GapsView } from '../../daemon/control/api.ts';
import { initialState, type State } from '../../daemon/core/state.ts';
import { monotonicMs } from '../../daemon/runtime/clock.ts';
import { createGaps, type GapRecord, gapRecord, type OwnPace } from '../../daemon/runtime/heartbeat/gaps.ts';
import { openGaps } from '../../daemon/runtime/heartbeat/gaps-file.ts';
import { examplePolicy } from '../sim/example.ts';
import { temporaryDirectory } from '../support.ts';

const dayMs = 24 * 3_600_000;
const calm: OwnPace = { deadtimeMs: 2000, stalledAt: null, stalls: 0, lastStallMs: 0, lateMs: 0 };
const none = { count: 0, longestMs: 0 };

function recorder(known: GapRecord | null = null, startMs = 100 * dayMs) {
  const wall = { ms: startMs };
  const gaps = createGaps(known, () => wall.ms);
  const heard = (atMs: number, link = 'eth1', own: Partial<OwnPace> = {}, incarnation = 1) =>
    gaps.heard({ link, incarnation, atMs }, { ...calm, ...own });
  return { gaps, heard, wall };
}

const linkIn = (view: GapsView, name = 'eth1') => view.links.find((link) => link.name === name);

test('gaps are counted for each link, with the largest, and what nearly all are within', (t) => {
  const { gaps, heard } = recorder();
  let at = 0;
  for (let index = 0; index < 5000; index += 1) {
    at += index === 2500 ? 310 : 200;
    heard(at);
  }
  heard(at + 7, 'br0');
  heard(at + 420, 'br0');
  t.deepEqual(gaps.view(), {
    days: 1,
    links: [
      { name: 'eth1', count: 4999, largestMs: 310, usualMs: 226, cuts: none },
      { name: 'br0', count: 1, largestMs: 413, usualMs: 413, cuts: none },
    ],
    silences: none,
    stalls: none,
  });
});

test('as a histogram they are of this run alone, with what was longer than deadtime, without a run of the peer that ended', (t) => {
  const { gaps, heard } = recorder();
  for (const at of [0, 200, 405, 5405]) heard(at);
  heard(6000, 'eth1', {}, 2);
  heard(6150, 'eth1', {}, 2);
  heard(9000, 'br0');
  const reading = gaps.histograms().get('eth1');
  const upTo = (bound: number) => reading?.cumulative[reading.bounds.indexOf(bound)];
  t.deepEqual([upTo(0.1), upTo(0.2), upTo(0.3), upTo(3), upTo(5)], [0, 2, 3, 3, 4]);
  t.is(reading?.count, 4);
  t.is(Math.round((reading?.sum ?? 0) * 1000), 5555);
  t.deepEqual([...gaps.histograms().keys()], ['eth1'], 'one packet is no gap');
  t.is(createGaps(gaps.record(), () => 100 * dayMs).histograms().size, 0);
});

test('one link that was cut is no gap, and no silence of the peer', (t) => {
  const { gaps, heard } = recorder();
  for (let at = 0; at <= 60_000; at += 200) {
    if (at < 10_000 || at >= 40_000) heard(at, 'eth1');
    heard(at + 3, 'br0');
  }
  const view = gaps.view();
  t.like(linkIn(view), { largestMs: 200, cuts: { count: 1, longestMs: 30_200 } });
  t.like(linkIn(view, 'br0'), { largestMs: 200, cuts: none });
  t.deepEqual(view.silences, none);
});

test('silence on all links of a peer that went on is told apart', (t) => {
  const { gaps, heard } = recorder();
  for (const at of [0, 200, 2700, 2900]) for (const link of ['eth1', 'br0']) heard(at, link);
  const view = gaps.view();
  t.deepEqual(view.silences, { count: 1, longestMs: 2500 });
  for (const link of ['eth1', 'br0'])
    t.like(linkIn(view, link), { count: 2, cuts: { count: 1, longestMs: 2500 } });
});

test('another run of the peer begins afresh: it was away', (t) => {
  const { gaps, heard } = recorder();
  heard(0);
  heard(200);
  heard(1400, 'eth1', {}, 2);
  heard(60_000, 'eth1', {}, 3);
  heard(60_200, 'eth1', {}, 3);
  t.like(linkIn(gaps.view()), { count: 2, largestMs: 200, cuts: none });
  t.deepEqual(gaps.view().silences, none);
});

test('a stall of our own counts as that, whether it was measured before the packet or shows with it', (t) => {
  const { gaps, heard } = recorder();
  for (const link of ['eth1', 'br0']) heard(0, link);
  // Our loop was to run at 200 and runs at 3000: packets that lay in the socket come with the first one.
  heard(3000, 'eth1', { lateMs: 2800 });
  const measured = { stalledAt: 3000, stalls: 1, lastStallMs: 2800 };
  heard(3001, 'eth1', measured);
  heard(3002, 'br0', measured);
  heard(3200, 'eth1', measured);
  const view = gaps.view();
  t.deepEqual(view.stalls, { count: 1, longestMs: 2800 });
  t.deepEqual(view.silences, none);
  t.like(linkIn(view), { count: 2, largestMs: 199, cuts: none });
  t.is(linkIn(view, 'br0'), undefined);
  heard(3300, 'eth1', { stalledAt: 3250, stalls: 4, lastStallMs: 300 });
  t.deepEqual(gaps.view().stalls, { count: 4, longestMs: 2800 });
});

test('seven days are kept, over restarts, whatever the clock does', (t) => {
  const { gaps, heard, wall } = recorder();
  for (let day = 0; day < 10; day += 1) {
    wall.ms = (100 + day) * dayMs;
    heard(day * dayMs, 'eth1', {}, day);
    heard(day * dayMs + 200 + day, 'eth1', {}, day);
  }
  t.like(gaps.view(), { days: 7, links: [{ count: 7, largestMs: 209 }] });
  const stored = gapRecord.parse(JSON.parse(JSON.stringify(gaps.record())));
  t.is(stored.days.length, 7);
  for (const day of [50, 111, 900])
    t.like(recorder(stored, day * dayMs).gaps.view(), { days: 7, links: [{ count: 7, largestMs: 209 }] });
});

test('a clock that is ahead for a while costs no day but the oldest, and its own day goes when seven more have come', (t) => {
  const { gaps, heard, wall } = recorder();
  const hears = (day: number, gapMs: number) => {
    wall.ms = day * dayMs;
    heard(wall.ms, 'eth1', {}, wall.ms);
    heard(wall.ms + gapMs, 'eth1', {}, wall.ms);
  };
  for (let day = 100; day < 106; day += 1) hears(day, 1400);
  hears(115, 1500);
  hears(105, 200);
  t.like(gaps.view(), { days: 7, links: [{ count: 8, largestMs: 1500 }] });
  for (let day = 106; day < 113; day += 1) hears(day, 200);
  t.like(gaps.view(), { days: 7, links: [{ count: 7, largestMs: 200 }] });
  t.deepEqual(
    gaps.record().days.map(({ day }) => day),
    [106, 107, 108, 109, 110, 111, 112],
  );
});

test('links without end and gaps of any length take no more room', (t) => {
  const { gaps, heard } = recorder();
  for (let index = 0; index < 100; index += 1) {
    heard(0, `eth${index}`, { deadtimeMs: 1e12 });
    for (const gap of [0, 1, 1e3, 1e6, 1e9]) heard(gap, `eth${index}`, { deadtimeMs: 1e12 });
  }
  t.is(gaps.view().links.length, 32);
  t.true(JSON.stringify(gaps.record()).length < 10_000);
});

const silentLogger = pino({ level: 'silent' });

function hearing(now: number, incarnation = 5): State {
  const ledger = { groups: [], peer: null, standby: false, left: false, maintenanceUntil: null };
  const state = initialState({ at: now, policy: examplePolicy('primary'), incarnation: 1, ledger });
  return { ...state, wakeAt: now + 1e6, peer: { ...state.peer, proven: true, incarnation } };
}

test('what was counted is there after a restart, and a damaged file is begun anew', async (t) => {
  const stateDir = temporaryDirectory(t);
  const gaps = await openGaps(stateDir, silentLogger);
  const state = hearing(monotonicMs());
  for (let index = 0; index < 3; index += 1) gaps.heard({ link: 0, incarnation: 5 }, state);
  gaps.heard({ link: 0, incarnation: 4 }, state);
  gaps.heard({ link: 0, incarnation: 5 }, { ...state, peer: { ...state.peer, proven: false } });
  t.is(gaps.view().links[0]?.count, 2, 'runs that are not known to read us do not count');
  await gaps.close();
  const file = join(stateDir, 'gaps.json');
  t.is(gapRecord.parse(JSON.parse(readFileSync(file, 'utf8'))).days.length, 1);
  const next = await openGaps(stateDir, silentLogger);
  t.is(next.view().links[0]?.count, 2);
  await next.close();
  writeFileSync(file, '{"format":1,"days":[{"day":1');
  const anew = await openGaps(stateDir, silentLogger);
  t.is(anew.view().days, 0);
  await anew.close();
});

test('a packet that finds our own loop late is a stall of ours', async (t) => {
  const stateDir = temporaryDirectory(t);
  const gaps = await openGaps(stateDir, silentLogger);
  const state = hearing(monotonicMs());
  gaps.heard({ link: 0, incarnation: 5 }, state);
  gaps.heard({ link: 0, incarnation: 5 }, { ...state, wakeAt: monotonicMs() - 10_000 });
  t.is(gaps.view().links.length, 0);
  await gaps.close();
  t.true(existsSync(join(stateDir, 'gaps.json')));
});

const timings = { keepaliveMs: 200, warntimeMs: 800, deadtimeMs: 2000, initdeadMs: 30_000 };
const link = { name: 'eth1 broadcast', count: 50_000, largestMs: 310, usualMs: 226, cuts: none };
const found = (gaps: Partial<GapsView>) =>
  checkGaps({ gaps: { days: 7, links: [link], silences: none, stalls: none, ...gaps }, timings });

test('check says what deadtime the last days support', (t) => {
  const [fits] = found({});
  t.like(fits, {
    level: 'ok',
    message:
      'largest gap on eth1 broadcast in 7 days: 310 ms, nearly all within 226 ms; deadtime 2s leaves 6 times that',
  });
  const [, short] = found({ links: [link, { ...link, name: 'br0 unicast', largestMs: 900 }] });
  t.like(short, { level: 'warning' });
  t.regex(short?.message ?? '', /br0 unicast .*900 ms.*deadtime 2s is only 2\.2 times that/);
  t.regex(
    short?.mend ?? '',
    /^deadtime: 3s {3}# under heartbeat, on both nodes; then systemctl reload battito$/,
  );
  t.like(found({ links: [{ ...link, largestMs: 666 }] })[0], { level: 'ok' });
  t.like(found({ links: [{ ...link, largestMs: 667 }] })[0], { level: 'warning' });
  t.regex(found({ days: 1 })[0]?.message ?? '', / in one day: /);
  t.like(found({ links: [{ ...link, count: 100 }] })[0], { level: 'info' });
});

test('check tells cuts, silences and stalls of our own apart', (t) => {
  const [, cut, stall] = found({
    links: [{ ...link, cuts: { count: 2, longestMs: 31_000 } }],
    stalls: { count: 3, longestMs: 1200 },
  });
  t.like(cut, { level: 'info' });
  t.regex(cut?.message ?? '', /longer than deadtime 2 times, the longest for 31 s in 7 days/);
  t.like(stall, { level: 'info' });
  t.regex(stall?.message ?? '', /itself did not get to run 3 times, the longest for 1\.2 s/);
  const [, silence] = found({ silences: { count: 1, longestMs: 2500 } });
  t.like(silence, { level: 'warning' });
  t.regex(silence?.message ?? '', /^nothing was heard on any link .* once for 2\.5 s/);
  t.regex(silence?.mend ?? '', /^deadtime: 8s /);
  const [, long] = found({ silences: { count: 1, longestMs: 40_000 } });
  t.regex(long?.mend ?? '', /^battito incident/);
});
