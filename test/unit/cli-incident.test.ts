// `battito incident` as an operator types it, on journals of two cores whose every moment is known.

import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import type { Incident } from '../../daemon/incident/list.ts';
import type { Timeline } from '../../daemon/incident/timeline.ts';
import { temporaryDirectory } from '../support.ts';
import { run } from './fixtures/cli/terminal.ts';
import { stateDirWith, takeover } from './fixtures/incident/files.ts';
import { createTwoNodes } from './fixtures/incident/two-nodes.ts';

const clocks = {
  primary: { offsetMs: 5000, rate: 1 + 30e-6 },
  secondary: { offsetMs: 9_000_000, rate: 1 - 40e-6 },
};
const told = takeover(clocks);
const journals = { primary: told.journal('primary'), secondary: told.journal('secondary') };

async function listOf(stateDir: string): Promise<Incident[]> {
  const { stdout, stderr } = await run(['incident', '--json', '--state-dir', stateDir]);
  if (stderr !== '') throw new Error(stderr);
  return (JSON.parse(stdout) as { incidents: Incident[] }).incidents;
}

const secondary = (t: ExecutionContext) => stateDirWith(t, journals.secondary);

// ---- list ----

test('a takeover is one incident, from the first warning until the group is up', async (t) => {
  const [incident, ...more] = await listOf(secondary(t));
  t.deepEqual(more, []);
  t.like(incident, {
    number: 1,
    kind: 'takeover',
    severity: 'alarm',
    outcome: 'settled',
    groups: ['office'],
    phases: { office: 'active' },
  });
  const { outageMs = 0, durationMs = 0, startedAt = '' } = incident ?? {};
  t.true((outageMs ?? 0) > 2000 && (outageMs ?? 0) < 2500, `${outageMs} ms`);
  t.true(durationMs > 50 && durationMs < 500, `${durationMs} ms`);
  t.regex(startedAt, /^2026-03-01T03:00:2[12]\.\d{3}Z$/);
});

test('the list has one line for each, and says how far back the journal goes', async (t) => {
  for (const words of [['incident'], ['incident', 'list']]) {
    const { exitCode, stdout, stderr } = await run([...words, '--state-dir', secondary(t)]);
    t.is(exitCode, 0, stderr);
    t.regex(
      stdout,
      /^1 {2}2026-03-01 \d\d:00:2\d\.\d+ !! takeover {2}\d+ ms {2}.*office is active here, 2\.\d\d s after/,
    );
    t.regex(stdout, /\n\nthe journal of secondary goes back to 2026-03-01 \d\d:00:00\.000; .*show N/);
    t.is(stdout.trimEnd().split('\n').length, 3);
  }
});

test('nothing went wrong: the list says so, and show has nothing to show', async (t) => {
  const nodes = createTwoNodes(clocks);
  nodes.boot('primary');
  nodes.boot('secondary');
  nodes.run(20_000);
  const stateDir = stateDirWith(t, nodes.journal('primary'));
  const listed = await run(['incident', '--state-dir', stateDir]);
  t.is(listed.exitCode, 0);
  t.regex(listed.stdout, /^no incidents: no warning and no alarm since the journal began\n/);
  const shown = await run(['incident', 'show', '--state-dir', stateDir]);
  t.is(shown.exitCode, 1);
  t.regex(shown.stderr, /the journal has no incidents.*\nnext: `battito history`/);
});

test('stalls, refused requests and crashes are incidents of their own, apart from each other in time', async (t) => {
  const nodes = createTwoNodes(clocks);
  nodes.boot('primary');
  nodes.boot('secondary');
  nodes.run(20_000);
  nodes.stall('secondary', 1000);
  nodes.run(20_000);
  nodes.ask('secondary', { kind: 'confirm-peer-off', node: 'primary', force: false });
  nodes.run(20_000);
  nodes.powerLoss('secondary');
  nodes.run(1000);
  nodes.boot('secondary');
  nodes.run(20_000);
  const incidents = await listOf(stateDirWith(t, nodes.journal('secondary')));
  t.deepEqual(
    incidents.map(({ number, kind, outcome }) => [number, kind, outcome]),
    [
      [1, 'stall', 'settled'],
      [2, 'refusal', 'settled'],
      [3, 'crash', 'cut-short'],
    ],
  );
  t.regex(incidents[0]?.summary ?? '', /did not run for \d+ ms/);
  t.regex(incidents[1]?.summary ?? '', /operator: confirm-peer-off primary: refused/);
  t.regex(incidents[2]?.summary ?? '', /ended without a word/);
});

test('a takeover that the journal ends in the middle of is not over', async (t) => {
  const lines = journals.secondary.split('\n');
  const until = lines.findIndex((line) => line.includes('"take-over"'));
  const [incident] = await listOf(stateDirWith(t, `${lines.slice(0, until + 1).join('\n')}\n`));
  t.like(incident, { kind: 'takeover', outcome: 'open', outageMs: null, phases: { office: 'starting' } });
});

test('a torn line is said below the list', async (t) => {
  const { exitCode, stdout } = await run([
    'incident',
    '--state-dir',
    stateDirWith(t, journals.secondary.slice(0, -4)),
  ]);
  t.is(exitCode, 0);
  t.regex(stdout, /cut off in the middle of a line, as by a power loss: once\n$/);
});

// ---- show ----

async function timelineOf(...words: string[]): Promise<Timeline> {
  const { stdout, stderr } = await run(['incident', 'show', ...words, '--json']);
  if (stderr !== '') throw new Error(stderr);
  return JSON.parse(stdout) as Timeline;
}

test('show tells the incident in order, with what led to it', async (t) => {
  const { stdout, exitCode } = await run(['incident', 'show', '1', '--state-dir', secondary(t)]);
  t.is(exitCode, 0);
  const lines = stdout.trimEnd().split('\n');
  t.regex(lines[0] ?? '', /^incident 1 of 1: takeover, 2026-03-01 /);
  t.regex(lines[2] ?? '', /as secondary saw it; `battito incident export FILE` on primary/);
  const story = [
    /^-2\.\d{3} s {2}secondary +- +the last packet of primary before a silence$/,
    /^-\d\.\d{3} s {2}secondary +- +asked whether it is there, peer-lan: unanswered$/,
    /^\+0\.000 s {2}secondary ! {2}- +primary is not heard on eth1 broadcast$/,
    /^\+0\.\d{3} s {2}secondary !! - +primary is dead/,
    /^\+0\.\d{3} s {2}secondary ! {2}office {2}stopped -> starting/,
    /^\+0\.\d{3} s {2}secondary {4}office {2}start guest:mail begins$/,
    /^\+0\.\d{3} s {2}secondary {4}office {2}start guest:mail: done \(took \d+ ms\)$/,
    /^\+0\.\d{3} s {2}secondary {4}office {2}starting -> active/,
  ];
  let from = 0;
  for (const pattern of story) {
    const index = lines.findIndex((line, at) => at >= from && pattern.test(line));
    t.true(index >= 0, `${pattern}\n${stdout}`);
    from = index;
  }
});

test('with the journal of the peer, both nodes are told at the moments at which it happened', async (t) => {
  const peerDir = stateDirWith(t, journals.primary);
  const {
    clocks: compared,
    entries,
    incident,
  } = await timelineOf('--peer', peerDir, '--state-dir', secondary(t));
  if (compared.kind !== 'packets') return t.fail(compared.kind);
  t.true(compared.packets > 150, `${compared.packets} packets`);
  t.true(compared.withinMs < 3, `±${compared.withinMs} ms`);
  const end = entries.find(
    ({ node, text }) => node === 'primary' && text.includes('the record of primary ends'),
  );
  if (end === undefined) return t.fail('the record of primary does not end');
  const { at: lastAt } = lastEventOf(journals.primary);
  const trueEnd = told.trueTime('primary', lastAt);
  const seenEnd = told.trueTime('secondary', incident.span.start + end.atMs);
  t.true(Math.abs(seenEnd - trueEnd) <= compared.withinMs + 0.1, `${seenEnd} instead of ${trueEnd}`);
  const { stdout } = await run(['incident', 'show', '--peer', peerDir, '--state-dir', secondary(t)]);
  t.regex(stdout, /clocks aligned within ±\d\.\d\d ms by \d+ packets/);
});

function lastEventOf(text: string): { readonly at: number } {
  const times = text
    .split('\n')
    .flatMap((line) => /^(?:\["[th]",|\{"kind":.*"at":)([\d.]+)/.exec(line)?.[1] ?? []);
  return { at: Number(times.at(-1)) };
}

test('without packets that both have, the wall clocks must do, and that is said', async (t) => {
  const strangers = journals.primary.replaceAll('"incarnation":1001', '"incarnation":7');
  const { stdout } = await run([
    'incident',
    'show',
    '--peer',
    stateDirWith(t, strangers),
    '--state-dir',
    secondary(t),
  ]);
  t.regex(stdout, /primary by its wall clock, which may differ/);
});

test('the journal of another node, or of no node, is not taken for the peer', async (t) => {
  const own = secondary(t);
  const same = await run(['incident', 'show', '--peer', own, '--state-dir', own, '--json']);
  t.is(same.exitCode, 1);
  t.regex(
    same.stdout,
    /"code": "journal-not-of-peer"[\s\S]*is the journal of secondary of cluster office, not of primary/,
  );
  const other = stateDirWith(t, journals.primary.replaceAll('"cluster":"office"', '"cluster":"shop"'));
  t.regex((await run(['incident', 'show', '--peer', other, '--state-dir', own])).stderr, /of cluster shop/);
});

test('there is no such incident', async (t) => {
  const { exitCode, stderr } = await run(['incident', 'show', '7', '--state-dir', secondary(t)]);
  t.is(exitCode, 1);
  t.is(stderr, 'battito: there is no incident 7; the journal has 1\nnext: `battito incident` lists them\n');
});

// ---- export ----

test('an export is one private file that reads like the journal, and is never written over another', async (t) => {
  const stateDir = secondary(t);
  writeFileSync(join(stateDir, 'journal', 'events.0.jsonl.gz'), gzipSync(journals.secondary));
  const file = join(temporaryDirectory(t), 'secondary.journal.gz');
  const { exitCode, stdout, stderr } = await run(['incident', 'export', file, '--state-dir', stateDir]);
  t.is(exitCode, 0, stderr);
  t.regex(stdout, /the journal of secondary, \d+ KiB, mode 0600; it holds no key\nnext: copy it to primary/);
  t.is(statSync(file).mode & 0o777, 0o600);
  t.is(gunzipSync(readFileSync(file)).toString(), `${journals.secondary}\n${journals.secondary}\n`);
  const before = readFileSync(file);
  const again = await run(['incident', 'export', file, '--state-dir', stateDir]);
  t.is(again.exitCode, 1);
  t.regex(again.stderr, /exists, and is left as it is\nnext: name another file/);
  t.deepEqual(readFileSync(file), before);
  const replayed = await run(['incident', 'replay', file]);
  t.is(replayed.exitCode, 0, replayed.stdout);
});

test('an export that cannot be written leaves nothing behind', async (t) => {
  const nowhere = join(temporaryDirectory(t), 'missing', 'file');
  const { exitCode, stderr } = await run(['incident', 'export', nowhere, '--state-dir', secondary(t)]);
  t.is(exitCode, 1);
  t.regex(stderr, /could not be written to .*missing\/file.*\nnext: /);
});

// ---- replay ----

test('replay says what it compared, and identical', async (t) => {
  const { exitCode, stdout } = await run(['incident', 'replay', secondary(t)]);
  t.is(exitCode, 0, stdout);
  t.regex(stdout, /^journal {5}secondary of cluster office, 2026-03-01 /);
  t.regex(stdout, /\nevents {6}\d{3,}; 0 refused packets\neffects {5}\d{3,}, of \d{3,} events\n/);
  t.regex(stdout, /\nwritten by {2}battito 0\nthis is battito \d.*no defect in itself\nidentical\n$/);
  const own = await run(['incident', 'replay', '--json', '--state-dir', secondary(t)]);
  t.like(JSON.parse(own.stdout), { identical: true, difference: null, segments: 1, nodes: ['secondary'] });
});

test('replay shows the first difference, and fails', async (t) => {
  const text = journals.secondary.replace('"code":"take-over"', '"code":"take-under"');
  const { exitCode, stdout } = await run(['incident', 'replay', stateDirWith(t, text)]);
  t.is(exitCode, 1);
  t.regex(
    stdout,
    /\ndifferent from event \d+ on \(time-passed, 2026-03-01 .*\): effects, at \[0\]\.note\.code\n {2}expected {2}"take-under"\n {2}got {7}"take-over"\n$/,
  );
  const json = await run(['incident', 'replay', stateDirWith(t, text), '--json']);
  t.is(json.exitCode, 1);
  t.like(JSON.parse(json.stdout), { identical: false });
});

test('what a damaged line hides is not called identical', async (t) => {
  const lines = journals.secondary.split('\n');
  const { exitCode, stdout } = await run([
    'incident',
    'replay',
    stateDirWith(t, lines.toSpliced(50, 1, 'x').join('\n')),
  ]);
  t.is(exitCode, 1);
  t.regex(
    stdout,
    /damaged: \d+ lines behind an unreadable one were passed over\n[\s\S]*as far as it can be read\n$/,
  );
});

// ---- what cannot be read, or is not meant ----

const unreadable: readonly (readonly [string, string, (t: ExecutionContext) => string, RegExp])[] = [
  ['a directory without a journal', 'journal-empty', temporaryDirectory, /there is no journal in/],
  [
    'nothing',
    'journal-missing',
    (t) => join(temporaryDirectory(t), 'nothing'),
    /there is no .*\nnext: name the state directory/,
  ],
  ['a text', 'journal-foreign', (t) => fileWith(t, 'cluster: office\n'), /is not a journal of Battito/],
  [
    'an empty file',
    'journal-empty',
    (t) => fileWith(t, ''),
    /^battito: the journal .* is empty\nnext: .*copy it again/,
  ],
  [
    'JSON of something else',
    'journal-foreign',
    (t) => fileWith(t, '{"kind":"x","at":1}\n'),
    /is not a journal/,
  ],
  [
    'bytes',
    'journal-foreign',
    (t) => fileWith(t, Buffer.from([0, 1, 2, 254, 255, 10, 7])),
    /is not a journal of Battito/,
  ],
  [
    'half of a packed file',
    'journal-not-readable',
    (t) => fileWith(t, gzipSync(journals.secondary).subarray(0, 5000)),
    /is cut off\nnext: copy it again, whole/,
  ],
  [
    'a journal in a format that is not known',
    'journal-format-unknown',
    (t) =>
      fileWith(t, journals.secondary.replace('"format":2,"software":"0"', '"format":9,"software":"7.0.0"')),
    /was written by 7\.0\.0 in format 9; this version reads format 2\nnext: read it with the version/,
  ],
];

function fileWith(t: ExecutionContext, bytes: string | Buffer): string {
  const file = join(temporaryDirectory(t), 'file');
  writeFileSync(file, bytes);
  return file;
}

for (const [what, code, make, message] of unreadable) {
  test(`${what} is refused in a few words`, async (t) => {
    const path = make(t);
    const { exitCode, stdout, stderr } = await run(['incident', 'replay', path]);
    t.is(exitCode, 1);
    t.is(stdout, '');
    t.regex(stderr, message);
    t.regex(stderr, /^battito: .*\nnext: .*\n$/);
    const json = await run(['incident', 'replay', path, '--json']);
    t.is((JSON.parse(json.stdout) as { error: { code: string } }).error.code, code);
  });
}

test('a journal that vanishes while it is read is an error, not a crash', async (t) => {
  const stateDir = secondary(t);
  rmSync(join(stateDir, 'journal'), { recursive: true });
  const { exitCode, stderr } = await run(['incident', '--state-dir', stateDir]);
  t.is(exitCode, 1);
  t.regex(stderr, /there is no journal in/);
});

test('words that mean nothing are refused with what was probably meant', async (t) => {
  for (const [words, message] of [
    [['incident', 'shwo'], /did you mean `battito incident show`/],
    [['incident', 'show', 'first'], /takes a number or "last", not "first"/],
    [['incident', 'show', '0'], /takes a number or "last", not "0"/],
    [['incident', 'list', '3'], /does not know what to do with "3"/],
    [['incident', 'export'], /needs a file/],
    [['incident', 'list', '--peer', 'x'], /--peer goes with incident show/],
  ] as const) {
    const { exitCode, stderr } = await run(words);
    t.is(exitCode, 64, words.join(' '));
    t.regex(stderr, message);
  }
});

test('what a journal says cannot play tricks with the terminal', async (t) => {
  const text = journals.secondary.replaceAll('primary is dead', 'primary is \\u001b[2J dead');
  const { stdout } = await run(['incident', 'show', '--state-dir', stateDirWith(t, text)]);
  t.regex(stdout, /primary is \?\[2J dead/);
  t.false(stdout.includes('\u001b'));
});
