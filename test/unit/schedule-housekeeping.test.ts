// The small things done by schedule: what is told of a week, what goes from the records, what is compared.

import { appendFileSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { pino } from 'pino';
import type { HistoryEntry, Status } from '../../daemon/control/api.ts';
import type { GuestDefinition, GuestDefinitions } from '../../daemon/control/guests.ts';
import type { CommandResult } from '../../daemon/drivers/command.ts';
import { messageSchema } from '../../daemon/notify/message.ts';
import { tellSummary, type WeekFacts } from '../../daemon/notify/summary.ts';
import { openHistory } from '../../daemon/runtime/records/history.ts';
import { pruneJournal } from '../../daemon/runtime/records/journal-files.ts';
import { definitionsTask, pruneTask, summaryTask } from '../../daemon/schedule/housekeeping.ts';
import { readinessTask } from '../../daemon/schedule/readiness.ts';
import type { Outcome, Task } from '../../daemon/schedule/task.ts';
import { createUptime } from '../../daemon/schedule/uptime.ts';
import { temporaryDirectory } from '../support.ts';
import { entry, groupAtPeer, status } from './fixtures/cli/statuses.ts';

const logger = pino({ level: 'silent' });
const nowMs = Date.parse('2026-03-08T07:00:00.000Z');
const daysAgo = (days: number) => new Date(nowMs - days * 24 * 3_600_000).toISOString();
const runOf = (task: Task): Promise<Outcome> => task.run(new AbortController().signal, () => {});

const quiet: WeekFacts = {
  nowMs,
  groups: [{ name: 'office', runsOn: 'primary', upMs: 600_000_000, downMs: 0, outages: 0, longestMs: 0 }],
  history: [],
  tasks: [],
  readiness: {
    at: daysAgo(0),
    by: 'primary',
    nodes: ['primary', 'secondary'],
    score: 100,
    ready: true,
    losses: [],
  },
  gaps: { days: 0, links: [], silences: { count: 0, longestMs: 0 }, stalls: { count: 0, longestMs: 0 } },
  deadtimeMs: 2000,
  attention: [],
};
const teller = { cluster: 'office', node: 'primary' };

test('a quiet week is told in few lines, to those who hear of warnings', (t) => {
  const message = tellSummary(teller, 'one', quiet);
  t.like(message, {
    kind: 'summary',
    rank: 'warning',
    severity: 'info',
    subject: '[battito office] summary: primary',
  });
  t.notThrows(() => messageSchema.parse(message));
  t.is(message.summary, 'the week: office 100 %; 0 takeovers, 0 alarms; ready for a takeover, 100 of 100');
  t.regex(
    message.text,
    /\n {2}office: up 100 % of the 6 days 22 h that were watched; never down; on primary now\n/,
  );
  t.regex(message.text, /\nWhat to do now: nothing\.\n/);
});

test('a week with a takeover, alarms, a verify that found something, and a deadtime that is short', (t) => {
  const before = entry('of another week', { time: daysAgo(8), severity: 'alarm' });
  const took = entry('primary is gone', { time: daysAgo(2), severity: 'warning', code: 'take-over' });
  const claimed = entry('as it was to be', { time: daysAgo(2), severity: 'info', code: 'take-over' });
  const alarms = Array.from({ length: 12 }, (_, index) =>
    entry(`alarm ${index}`, { time: daysAgo(1), severity: 'alarm', code: 'config-differs' }),
  );
  const run = { at: daysAgo(1), tookMs: 5, code: 'drbd-out-of-sync', severity: 'alarm' } as const;
  const loss = {
    node: 'secondary',
    area: 'guests',
    message: 'no bridge',
    mend: 'ip link add',
    points: 30,
    blocks: true,
  };
  const { text, summary } = tellSummary(teller, 'one', {
    ...quiet,
    groups: [{ name: 'office', runsOn: null, upMs: 999_999_000, downMs: 1000, outages: 1, longestMs: 900 }],
    history: [before, took, claimed, ...alarms],
    tasks: [
      { name: 'verify', made: { ...run, result: 'failed', message: 'the copies differ', next: 'look' } },
      { name: 'drill', made: null },
    ],
    readiness: { ...(quiet.readiness as object), score: 70, ready: false, losses: [loss] } as never,
    gaps: {
      ...quiet.gaps,
      links: [{ name: 'eth1', count: 9, largestMs: 800, usualMs: 210, cuts: { count: 0, longestMs: 0 } }],
    },
  });
  t.is(summary, 'the week: office 99.999 %; 1 takeover, 12 alarms; NOT READY for a takeover, 70 of 100');
  t.regex(text, /down for 1\.0 s in all, 1 time, the longest 0\.9 s; runs nowhere now\n/);
  t.regex(text, /\nTakeovers by primary \(1\):\n {2}\d{4}.* ! {2}office: primary is gone\n/);
  t.regex(
    text,
    /\nwarnings 1\n[\s\S]*\nAlarms \(12\):\n {2}\(2 earlier ones: battito history --limit 1000\)\n/,
  );
  t.false(text.includes('of another week'));
  t.false(text.includes('as it was to be'));
  t.regex(text, /\n {2}verify: \d{4}.* failed, the copies differ; next: look\n {2}drill: never yet\n/);
  t.regex(text, /\n {2}-30 {2}secondary: guests: no bridge; mend: ip link add\n/);
  t.regex(text, /\n {2}eth1: the longest gap was 800 ms; deadtime 2\.0 s is 2\.5 times that\n/);
});

test('the summary is for the node that runs the first group to send', (t) => {
  let seen: Status = status();
  const task = summaryTask({ schedule: null, status: () => seen, send: () => t.fail() });
  t.deepEqual(task.turn(), { mine: true, obstacle: null });
  seen = status({ groups: [groupAtPeer()] });
  t.like(task.turn(), { mine: false, message: 'left to secondary, which runs office' });
});

test('the history loses what is older, in both of its files and in memory, and nothing that is written meanwhile', async (t) => {
  const directory = temporaryDirectory(t);
  const lines = (entries: readonly HistoryEntry[]) =>
    entries.map((one) => `${JSON.stringify(one)}\n`).join('');
  const [older, newer] = [join(directory, 'history.1.jsonl'), join(directory, 'history.jsonl')];
  writeFileSync(older, lines([entry('a', { time: daysAgo(40) }), entry('b', { time: daysAgo(35) })]));
  writeFileSync(newer, lines([entry('c', { time: daysAgo(31) }), entry('d', { time: daysAgo(29) })]));
  appendFileSync(newer, '{"time": "2026-');
  const history = await openHistory(directory, logger);
  const pruning = history.prune(nowMs - 30 * 24 * 3_600_000);
  history.add({ severity: 'info', code: 'x', group: null, message: 'e', next: null, tookMs: null }, 1);
  t.is(await pruning, 4, 'three that are old, and the half line of a power cut');
  await history.close();
  const left = readFileSync(newer, 'utf8').trim().split('\n');
  t.deepEqual(
    left.map((line) => (JSON.parse(line) as HistoryEntry).message),
    ['d', 'e'],
  );
  t.deepEqual(readdirSync(directory), ['history.jsonl'], 'a file of which nothing is left goes');
  t.deepEqual(
    history.latest(10).map(({ message }) => message),
    ['d', 'e'],
  );
});

test('of the journal files go that were written last before that; never the newest', async (t) => {
  const directory = join(temporaryDirectory(t), 'journal');
  mkdirSync(directory);
  const file = (name: string, days: number) => {
    writeFileSync(join(directory, name), '');
    utimesSync(join(directory, name), new Date(daysAgo(days)), new Date(daysAgo(days)));
  };
  file('events.1.jsonl.gz', 50);
  file('events.2.jsonl.gz', 31);
  file('events.3.jsonl.gz', 29);
  file('events.4.jsonl', 40);
  t.is(await pruneJournal(directory, nowMs - 30 * 24 * 3_600_000), 2);
  t.deepEqual(readdirSync(directory).toSorted(), ['events.3.jsonl.gz', 'events.4.jsonl']);
});

test('a clock that was behind for a while makes no record older than those before it', async (t) => {
  const directory = temporaryDirectory(t);
  const lines = [
    daysAgo(40),
    daysAgo(20),
    new Date(0).toISOString(),
    daysAgo(-900),
    new Date(0).toISOString(),
  ];
  const [older, newer] = [join(directory, 'history.1.jsonl'), join(directory, 'history.jsonl')];
  const text = lines.map((time, index) => `${JSON.stringify(entry(`${index}`, { time }))}\n`);
  writeFileSync(older, text.slice(0, 2).join(''));
  writeFileSync(newer, text.slice(2).join(''));
  const history = await openHistory(directory, logger);
  t.is(await history.prune(nowMs - 30 * 24 * 3_600_000), 1);
  t.deepEqual(
    history.latest(10).map(({ message }) => message),
    ['1', '2', '3', '4'],
  );
  await history.close();
  t.is(readFileSync(older, 'utf8'), text.slice(1, 2).join(''));
  t.is(readFileSync(newer, 'utf8'), text.slice(2).join(''));
});

test('nothing is pruned by a clock that the daemon has not run by for some days', async (t) => {
  const time = { wallMs: nowMs, monotonicMs: 0 };
  const uptime = createUptime(null, { wallMs: () => time.wallMs, monotonicMs: () => time.monotonicMs });
  const limits: number[] = [];
  const task = pruneTask({
    ...{ schedule: null, keepDays: 400, wallMs: () => time.wallMs, daysRun: uptime.daysLooked },
    history: (before) => Promise.resolve(limits.push(before)),
    journal: () => Promise.resolve(0),
  });
  const run = (wallMs: number) => {
    time.wallMs = wallMs;
    uptime.look([]);
    return runOf(task);
  };
  const dayMs = 24 * 3_600_000;
  for (let day = 0; day < 6; day += 1) t.is((await run(nowMs + day * dayMs)).kind, 'left-out');
  t.is((await run(nowMs + 6 * dayMs)).kind, 'done');
  t.deepEqual(await run(nowMs + 800 * dayMs), {
    kind: 'left-out',
    message:
      'by the clock of this node its daemon has run on 1 of the last 14 days: nothing goes before it was 7, since the clock may be wrong',
    next: 'timedatectl   # is the date right?',
  });
  t.is((await run(nowMs + 6 * dayMs)).kind, 'done', 'it is right again');
  t.is(limits.length, 2);
});

test('pruning says what went, and a disk that refuses is its failure', async (t) => {
  const daysRun = 7;
  const task = (history: () => Promise<number>) =>
    pruneTask({
      schedule: null,
      keepDays: 30,
      wallMs: () => nowMs,
      daysRun: () => daysRun,
      history,
      journal: () => Promise.resolve(2),
    });
  t.deepEqual(await runOf(task(() => Promise.resolve(1))), {
    ...{ kind: 'done', message: 'gone: 1 note and 2 files of the journal older than 30 days' },
  });
  t.like(await runOf(task(() => Promise.reject(new Error('EROFS')))), { kind: 'failed', message: 'EROFS' });
});

test('definitions: the same, not the same, not compared', async (t) => {
  let problem: string | null = null;
  let guests: readonly Partial<GuestDefinition>[] = [{ name: 'web', state: 'same' }];
  let seen = status();
  const list = () => ({ guests, damaged: [] }) as unknown as GuestDefinitions;
  const compare = () => Promise.resolve(problem);
  const task = definitionsTask({ schedule: null, status: () => seen, compare, list });
  t.deepEqual(await runOf(task), { kind: 'done', message: 'the definition: the same on both' });
  guests = [...guests, { name: 'mail', state: 'conflict' }];
  t.like(await runOf(task), {
    kind: 'failed',
    message: 'not the same: mail (conflict)',
    next: 'battito guests',
  });
  problem = 'no answer';
  t.like(await runOf(task), { kind: 'failed', message: 'no answer' });
  seen = status({ verdict: { ...status().verdict, kind: 'dead' } });
  t.like(task.turn(), { mine: true, obstacle: { message: 'secondary is dead' } });
});

test("the check is the operator's own command, which hands over what it found; one that hands nothing over has failed", async (t) => {
  const ran: (readonly string[])[] = [];
  const readiness = { ...quiet.readiness, score: 65, ready: false } as NonNullable<Status['readiness']>;
  let seen = status();
  let result: Partial<CommandResult> = { exitCode: 1 };
  let hands = true;
  const task = readinessTask({
    ...{ schedule: null, status: () => seen, command: ['battito', '--node', 'primary'] },
    run: (argv) => {
      ran.push(argv);
      if (hands) seen = status({ readiness });
      return Promise.resolve({ exitCode: 0, stdout: '', stderr: '', timedOut: false, ...result });
    },
  });
  t.deepEqual(await runOf(task), { kind: 'done', message: 'not ready, 65 of 100' });
  t.deepEqual(ran, [['battito', '--node', 'primary', 'check', '--json']]);
  hands = false;
  const findings = [{ level: 'problem', message: 'line 3: unknown key' }];
  result = { exitCode: 78, stdout: JSON.stringify({ findings }) };
  t.like(await runOf(task), { kind: 'failed', code: 'readiness-failed', message: 'line 3: unknown key' });
  result = { exitCode: null, timedOut: true };
  t.like(await runOf(task), { kind: 'failed', message: 'battito check: did not end in time' });
});
