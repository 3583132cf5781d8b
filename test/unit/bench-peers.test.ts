// The parts of the bench of peers that run nothing: gaps, overlaps, options, ratios, tables, configurations of peers.

import test from 'ava';
import { parseConfig } from '../../daemon/config/load.ts';
import { deriveTimings } from '../../daemon/core/policy.ts';
import { ladder } from '../bench/fast.ts';
import { markdownTable } from '../bench/markdown.ts';
import { battitoConfigurations, battitoText } from '../bench/peers/battito.ts';
import { versionIn } from '../bench/peers/debian-root.ts';
import { type FaultName, type FaultOutcome, faultNames } from '../bench/peers/faults.ts';
import { haConfig } from '../bench/peers/heartbeat.ts';
import { keepalivedText } from '../bench/peers/keepalived.ts';
import { parseOptions } from '../bench/peers/options.ts';
import { bothMs, takings } from '../bench/peers/outcome.ts';
import { corosyncText } from '../bench/peers/pacemaker.ts';
import { configurations, ours } from '../bench/peers/peers.ts';
import { type ConfigurationResult, type Results, ratio } from '../bench/peers/results.ts';
import { renderResults, spread } from '../bench/peers/table.ts';
import type { Holding } from '../netns/support/address-watch.ts';
import { createGapRecord } from '../netns/support/gap-record.ts';
import { describeHost, type HostName } from '../netns/support/hosts.ts';

test('the longest gap lies between two answers, or before the first, or since the last', (t) => {
  const record = createGapRecord(1000);
  t.like(record.report(1030), { longestGapMs: 30, longestGapStartedAtMs: 1000, answered: 0 });
  record.answered(1040, 'primary');
  record.answered(1045, 'primary');
  record.answered(1345, 'secondary');
  t.like(record.report(1350), {
    longestGapMs: 300,
    longestGapStartedAtMs: 1045,
    answeredBy: { primary: 2, secondary: 1 },
    firstAnswerAtMs: { primary: 1040, secondary: 1345 },
    lastAnsweredBy: 'secondary',
  });
  t.like(record.report(2000), { longestGapMs: 655, longestGapStartedAtMs: 1345 });
});

test('a client that sends late knows by how much', (t) => {
  const record = createGapRecord(0);
  for (const atMs of [0, 5, 10, 42, 45]) record.sends(atMs);
  t.like(record.report(50), { sent: 5, longestOwnStallMs: 32 });
});

test('the first answer after a moment is of any host, or of one', (t) => {
  const record = createGapRecord(0);
  record.answered(5, 'primary');
  record.answered(9, 'secondary');
  t.is(record.firstAnswerAfter(1, null), 5);
  t.is(record.firstAnswerAfter(5, 'secondary'), 9);
  t.is(record.firstAnswerAfter(6, 'primary'), null);
});

const holding = (atMs: number, holders: readonly HostName[], reachable = holders): Holding => ({
  atMs,
  holders,
  reachable,
});

test('an address is on both hosts only while both can be reached, and only the stretch counts', (t) => {
  const history = [
    holding(0, ['primary']),
    holding(100, ['primary', 'secondary']),
    holding(150, ['secondary']),
    holding(200, ['primary', 'secondary'], ['secondary']),
    holding(300, ['primary', 'secondary']),
  ];
  t.is(bothMs(history, { fromMs: 0, untilMs: 250 }), 50);
  t.is(bothMs(history, { fromMs: 120, untilMs: 250 }), 30);
  t.is(bothMs(history, { fromMs: 0, untilMs: 1000 }), 750, 'what still lasts ends with the stretch');
  t.is(bothMs(history, { fromMs: 150, untilMs: 300 }), 0);
});

test('an address is taken by a host that did not have it', (t) => {
  const history = [
    holding(0, ['primary']),
    holding(100, ['primary', 'secondary']),
    holding(150, ['secondary']),
    holding(200, []),
    holding(210, ['primary']),
  ];
  t.is(takings(history, { fromMs: 50, untilMs: 1000 }), 2);
  t.is(takings(history, { fromMs: 160, untilMs: 205 }), 0);
});

test('ours against a peer is the ratio of the medians, and nothing where one is missing', (t) => {
  t.is(ratio([30, 50, 40], [80]), 0.5);
  t.is(ratio([], [80]), null);
  t.is(ratio([40], []), null);
  t.is(ratio([40], [0]), null);
});

test('samples are shown as median, minimum and maximum; one alone as itself', (t) => {
  t.is(spread([45, 35, 40.4]), '40 [35..45]');
  t.is(spread([7.25]), '7.3');
  t.is(spread([0, 0]), '0 [0..0]');
  t.is(spread([]), '–');
});

test('a table is aligned', (t) => {
  t.deepEqual(
    markdownTable([
      ['a', 'bcdef'],
      ['1234', '–'],
    ]).split('\n'),
    ['| a    | bcdef |', '| ---- | ----- |', '| 1234 | –     |'],
  );
});

const outcome = (part: Partial<FaultOutcome>): FaultOutcome => ({
  gapMs: 0,
  bothMs: 0,
  takings: 0,
  watchedMs: 5000,
  clientLateMs: 1,
  ...part,
});

function result(id: string, part: Partial<Record<FaultName, readonly FaultOutcome[]>>): ConfigurationResult {
  const configuration = configurations.find((each) => each.id === id);
  if (configuration === undefined) throw new Error(`there is no ${id}`);
  const none = { 'segment-cut': [], handover: [], killed: [], frozen: [], 'power-loss': [] };
  return {
    configuration,
    version: '1.2.3',
    outcomes: { ...none, ...part },
    cost: null,
    underLoad: null,
    failures: [],
  };
}

const all = (results: readonly ConfigurationResult[]): Results => ({
  date: '2030-01-02',
  machine: {
    cpuModel: 'a processor',
    cores: 2,
    memoryMb: 1024,
    kernel: '6.1',
    node: 'v26',
    qemu: '7',
    loadBefore: 0,
  },
  loadAfter: 1,
  runs: 2,
  faults: faultNames,
  loadSeconds: 60,
  costSeconds: 30,
  results,
});

test('ours is held against each peer with the same window, and against no other', (t) => {
  const text = renderResults(
    all([
      result('battito-50ms', { 'power-loss': [outcome({ gapMs: 300 }), outcome({ gapMs: 320 })] }),
      result('keepalived-100ms', { 'power-loss': [outcome({ gapMs: 248 })] }),
      result('heartbeat-default', { 'power-loss': [outcome({ gapMs: 29_000 })] }),
    ]),
  );
  t.regex(text, /\| battito, keepalive 50 ms[^|]*\| 300 +\| 310 \[300\.\.320\] \| {9}\|/);
  t.regex(text, /\| keepalived, advert 100 ms +\| 300 +\| 248 +\| 1\.25× +\|/);
  t.regex(text, /\| heartbeat, default[^|]*\| 30000 +\| 29000 +\| {9}\|/);
});

test('an address that both hosts still had when the watching ended is said to be so', (t) => {
  const text = renderResults(
    all([
      result('battito-50ms', { killed: [outcome({})] }),
      result('keepalived-100ms', { killed: [outcome({ bothMs: 4300 }), outcome({ bothMs: 4400 })] }),
    ]),
  );
  t.regex(text, /\| keepalived[^|]*\| 4350 \[4300\.\.4400\], and on \|/);
  t.regex(text, /\| battito[^|]*\| 0 +\|/);
});

test('what could not be measured is said', (t) => {
  const failed = { ...result('ucarp-1s', {}), failures: ['run 1, frozen: it ended\nmore'] };
  t.true(renderResults(all([failed])).endsWith('not measured: ucarp-1s: run 1, frozen: it ended'));
});

test('every peer that ours can keep up with has a configuration of ours with its window', (t) => {
  const within = configurations.filter(({ windowMs }) => windowMs <= 3000 && windowMs > 30);
  for (const { peer, windowMs } of within) t.is(ours(windowMs)?.windowMs, windowMs, peer);
});

test('ours take over at the end of their window, and no configuration that is refused is measured', (t) => {
  const isAccepted = (timings: Parameters<typeof battitoText>[0]) =>
    parseConfig(battitoText(timings, '/etc/battito/key'), 'battito.yaml').ok;
  t.is(battitoConfigurations.length, 4);
  for (const { id, windowMs, ...timings } of battitoConfigurations) {
    const { takeoverAfterMs } = deriveTimings({ ...timings, initdeadMs: 10_000 });
    t.true(takeoverAfterMs <= windowMs && takeoverAfterMs >= windowMs * 0.98, `${id}: ${takeoverAfterMs}`);
    t.true(isAccepted(timings), id);
  }
  t.false(isAccepted({ keepaliveMs: 10, warntimeMs: 20, deadtimeMs: 30 }), 'as the table says');
  for (const timings of ladder) t.true(isAccepted(timings), `${timings.deadtimeMs}`);
  const deadtimes = ladder.map(({ deadtimeMs }) => deadtimeMs);
  t.deepEqual(
    deadtimes,
    deadtimes.toSorted((a, b) => a - b),
    'the first that will do is the shortest',
  );
});

test('the command line chooses peers or their configurations, faults, runs and times', (t) => {
  const options = parseOptions([
    '--only',
    'keepalived-10ms,battito',
    '--faults=power-loss,handover',
    '--runs=3',
    '--load-seconds=0',
  ]);
  if (options === 'help') return t.fail();
  t.true(options.only.every(({ id, peer }) => peer === 'battito' || id === 'keepalived-10ms'));
  t.is(options.only.filter(({ peer }) => peer === 'keepalived').length, 1);
  t.like(options, {
    faults: ['handover', 'power-loss'],
    runs: 3,
    loadSeconds: 0,
    costSeconds: 30,
    json: false,
  });
  t.deepEqual(parseOptions([]), {
    only: configurations,
    faults: faultNames,
    runs: 5,
    loadSeconds: 60,
    costSeconds: 30,
    json: false,
    save: null,
  });
  t.is(parseOptions(['--help']), 'help');
});

for (const [words, message] of [
  [['--only', 'vrrpd'], '--only: there is no vrrpd'],
  [['--faults', 'fire'], '--faults: there is no fire'],
  [['--faults', 'none,killed'], '--faults: none stands alone'],
  [['--runs', '0'], '--runs: a whole number from 1, not "0"'],
  [['--runs', ''], '--runs: a whole number from 1, not ""'],
  [['--load-seconds', '1.5'], '--load-seconds: a whole number from 0, not "1.5"'],
] as const) {
  test(`refused: ${words.join(' ')}`, (t) => {
    t.throws(() => parseOptions(words), { message });
  });
}

test('peers are configured with the timings that their labels say', (t) => {
  t.regex(keepalivedText('secondary', 10), /vrrp_version 3\n {2}vrrp_rt_priority 1\n/);
  t.regex(keepalivedText('secondary', 10), /state BACKUP\n[^}]*priority 253\n {2}advert_int 0\.01\n/);
  t.notRegex(keepalivedText('primary', 1000), /rt_priority/);
  t.is(
    haConfig(['deadtime 300ms'], '192.168.1.3'),
    'deadtime 300ms\nudpport 694\nbcast eth1\nucast eth0 192.168.1.3\nauto_failback off\nnode primary\nnode secondary\nlogfacility none\n',
  );
  const host = (name: HostName) => describeHost(name, name, '/nowhere');
  const hosts = { primary: host('primary'), secondary: host('secondary') };
  t.regex(corosyncText(hosts, true), /token: 300\n[\s\S]*knet_ping_interval: 50/);
  t.notRegex(corosyncText(hosts, false), /token|ping/);
  t.regex(corosyncText(hosts, false), /ring0_addr: 10\.0\.0\.2\n {4}ring1_addr: 192\.168\.1\.3/);
  const times = { keepaliveMs: 10, warntimeMs: 20, deadtimeMs: 57 };
  t.regex(battitoText(times, '/k'), /keepalive: 10ms\n {2}warntime: 20ms\n {2}deadtime: 57ms\n/);
});

test('the version of a package is read without its epoch', (t) => {
  const status = 'Package: a\nVersion: 9\n\nPackage: keepalived\nStatus: ok\nVersion: 1:2.2.7-1+b2\n\n';
  t.is(versionIn(status, 'keepalived'), '2.2.7-1+b2');
  t.is(versionIn(status, 'heartbeat'), 'unknown');
});
