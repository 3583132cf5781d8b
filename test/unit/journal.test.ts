// The flight recorder: what the daemon writes can be run through the core again with the same effects, whatever a
// power loss, a full ring or a broken disk did to it; and what differs is found.

import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { pino } from 'pino';
import type { Effect, Event } from '../../daemon/core/events.ts';
import { countRefusal } from '../../daemon/core/membership.ts';
import { initialState, type State } from '../../daemon/core/state.ts';
import { step } from '../../daemon/core/step.ts';
import { createLineDecoder, createLineEncoder } from '../../daemon/incident/format.ts';
import { type Place, readJournal, wallMs } from '../../daemon/incident/read.ts';
import { createReplayer } from '../../daemon/incident/replay.ts';
import { type Journal, openJournal } from '../../daemon/runtime/records/journal.ts';
import { examplePolicy } from '../sim/example.ts';
import { temporaryDirectory, waitFor } from '../support.ts';
import { stateDirWith, takeover } from './fixtures/incident/files.ts';

const logger = pino({ level: 'silent' });
const options = { logger, cluster: 'office', flushMs: 10 };

function start(incarnation = 5): State {
  return initialState({
    at: 0,
    policy: examplePolicy('primary'),
    incarnation,
    ledger: { groups: [], peer: null, standby: false, left: false, maintenanceUntil: null },
  });
}

/** Runs events through the core as the daemon's loop does, and records them. */
function drive(journal: Journal, from: State, events: readonly Event[]): State {
  let state = from;
  for (const event of events) {
    journal.record(event, state);
    const { state: next, effects } = step(state, event);
    state = next;
    journal.recordEffects(effects);
  }
  return state;
}

const ticks = (from: number, to: number): Event[] =>
  Array.from({ length: (to - from) / 100 }, (_, n) => ({ kind: 'time-passed', at: from + n * 100 }));

async function replay(path: string) {
  const replayer = createReplayer();
  const reading = await readJournal(path, [replayer]);
  return { ...replayer.result(), reading };
}

const filesIn = (stateDir: string) => readdirSync(join(stateDir, 'journal')).toSorted();

test('what the core saw and asked for is recorded from its start on, and comes out the same again', async (t) => {
  const stateDir = temporaryDirectory(t);
  const journal = await openJournal({ ...options, stateDir });
  const state = drive(journal, start(), [
    ...ticks(100, 60_000),
    { kind: 'operator-requested', at: 60_000, id: 1, request: { kind: 'standby', on: true } },
    { kind: 'stop-requested', at: 60_100 },
  ]);
  await journal.close();
  const result = await replay(stateDir);
  t.like(result, { events: 601, compared: 601, segments: 1, difference: null, nodes: ['primary'] });
  t.true(result.effects > 290);
  t.is(journal.dropped(), 0);
  t.not(state.sequence, 0);
  const [header] = readFileSync(join(stateDir, 'journal', 'events.1.jsonl'), 'utf8').split('\n');
  const { software, node, cluster, time, monotonicMs, because } = JSON.parse(header ?? '') as Place['header'];
  t.deepEqual([software, node, cluster, because], ['0', 'primary', 'office', 'start']);
  t.true(Math.abs(Date.parse(time) - Date.now()) < 60_000);
  t.true(monotonicMs > 0);
  t.is(statSync(join(stateDir, 'journal', 'events.1.jsonl')).mode & 0o777, 0o600);
});

test('what is recorded is on disk a moment later, without the daemon ending', async (t) => {
  const stateDir = temporaryDirectory(t);
  const journal = await openJournal({ ...options, stateDir });
  drive(journal, start(), ticks(100, 1000));
  await waitFor('the events are on disk', async () => (await replay(stateDir)).events === 9, {
    intervalMs: 5,
  });
  await journal.close();
  t.pass();
});

const unpacked = (stateDir: string) => filesIn(stateDir).filter((name) => name.endsWith('.jsonl'));

test('the files are a ring: older ones are packed, all of them bounded, and each goes on from the one before', async (t) => {
  const stateDir = temporaryDirectory(t);
  const journal = await openJournal({
    ...options,
    stateDir,
    fileBytes: 20_000,
    // Room for packed files beside the one that is written and, on a slow machine, two that wait with their full size.
    totalBytes: 80_000,
    flushMs: 1,
  });
  let state = start();
  for (let from = 100; from < 1_200_100; from += 10_000) {
    state = drive(journal, state, ticks(from, from + 10_000));
    await new Promise((resolve) => setTimeout(resolve, 2));
    // What waits to be packed counts with its full size, so a slow machine would keep less.
    await waitFor('older files are packed', () => unpacked(stateDir).length <= 1, { intervalMs: 1 });
  }
  await journal.close();
  const files = filesIn(stateDir);
  const sizes = files.map((name) => statSync(join(stateDir, 'journal', name)).size);
  t.true(sizes.reduce((sum, size) => sum + size, 0) < 85_000, `${files.join()} have ${sizes.join()} bytes`);
  t.true(files.length > 3, `${files.join()} have ${sizes.join()} bytes`);
  t.is(files.filter((name) => name.endsWith('.jsonl')).length, 1, files.join());
  t.false(files.includes('events.1.jsonl.gz'), 'the oldest is gone');
  const result = await replay(stateDir);
  t.is(result.difference, null);
  t.is(result.states, result.segments - 1, 'every segment begins with the state in which the last one ended');
  t.is(result.reading.files, files.length);
  t.is(journal.dropped(), 0);
});

test('restarts go on in the same file, and a line that a power loss cut stays alone in being unreadable', async (t) => {
  const stateDir = temporaryDirectory(t);
  const file = join(stateDir, 'journal', 'events.1.jsonl');
  for (let run = 0; run < 6; run += 1) {
    const journal = await openJournal({ ...options, stateDir });
    drive(journal, start(5 + run), ticks(100, 1000));
    await journal.close();
    if (run === 2) writeFileSync(file, readFileSync(file, 'utf8').slice(0, -5));
  }
  t.deepEqual(filesIn(stateDir), ['events.1.jsonl']);
  const result = await replay(stateDir);
  t.like(result, { segments: 6, difference: null });
  t.like(result.reading, { torn: 1, skipped: 0 });
});

test('leftovers of a packing that a power loss cut off are cleared away, and nothing is read twice', async (t) => {
  const stateDir = temporaryDirectory(t);
  const small = { ...options, stateDir, fileBytes: 8000 };
  for (let run = 0; run < 2; run += 1) {
    const journal = await openJournal(small);
    drive(journal, start(5 + run), ticks(100, 5000));
    await journal.close();
  }
  const directory = join(stateDir, 'journal');
  t.deepEqual(filesIn(stateDir), ['events.1.jsonl.gz', 'events.2.jsonl']);
  const before = await replay(stateDir);
  writeFileSync(join(directory, 'events.1.jsonl'), 'the plain one, which had not been removed yet');
  writeFileSync(join(directory, 'events.2.jsonl.gz.new'), 'half of a packed one');
  t.is((await replay(stateDir)).events, before.events);
  await (await openJournal(small)).close();
  t.deepEqual(filesIn(stateDir), ['events.1.jsonl.gz', 'events.2.jsonl']);
});

test('a disk that cannot be written costs events, and the record says how many, and goes on after', async (t) => {
  const stateDir = temporaryDirectory(t);
  const journal = await openJournal({ ...options, stateDir, fileBytes: 8000 });
  let state = drive(journal, start(), ticks(100, 20_000));
  await waitFor('the first events are on disk', () => filesIn(stateDir).length > 0);
  rmSync(join(stateDir, 'journal'), { recursive: true });
  state = drive(journal, state, ticks(20_000, 30_000));
  await waitFor('the loss is counted', () => journal.dropped() > 0);
  mkdirSync(join(stateDir, 'journal'));
  drive(journal, state, ticks(30_000, 40_000));
  await journal.close();
  const headers: Place['header'][] = [];
  const replayer = createReplayer();
  await readJournal(stateDir, [replayer, { segment: ({ header }) => headers.push(header) }]);
  t.is(headers[0]?.because, 'gap');
  t.true(journal.dropped() >= 100);
  t.is(headers[0]?.lost, journal.dropped());
  t.like(replayer.result(), { difference: null, events: 100 });
});

test('refused packets are counted, so that the state stays comparable and a flood leaves no mark', async (t) => {
  const stateDir = temporaryDirectory(t);
  const journal = await openJournal({ ...options, stateDir, fileBytes: 25_000 });
  let state = drive(journal, start(), ticks(100, 30_000));
  for (let packet = 0; packet < 10_000; packet += 1) {
    journal.countRefusal(1, 'replayed');
    state = countRefusal(state, 1, 'replayed');
  }
  drive(journal, state, ticks(30_000, 200_000));
  await journal.close();
  const result = await replay(stateDir);
  t.like(result, { difference: null, refusals: 10_000 });
  t.true(result.states > 0);
});

test('a steady minute costs little: no heartbeat repeats what the last one on its link said', (t) => {
  const text = takeover().journal('primary');
  const lines = text.split('\n').filter((line) => !line.startsWith('{"kind":"segment-started"'));
  const steady = lines.slice(Math.floor(lines.length / 2)).filter((line) => !line.includes('probe-reported'));
  const bytesPerSecond = steady.join('\n').length / 10;
  t.true(bytesPerSecond < 700, `${bytesPerSecond} bytes a second`);
  t.true(steady.some((line) => line.startsWith('["h",')) && steady.some((line) => line.startsWith('["s",')));
});

// ---- replay finds what differs ----

/** The journal of a takeover with one line changed. */
function changed(t: ExecutionContext, find: (line: string) => boolean, change: (line: string) => string[]) {
  const lines = takeover().journal('secondary').trimEnd().split('\n');
  const index = lines.findIndex(find);
  t.true(index >= 0, 'there is such a line');
  return stateDirWith(t, `${lines.toSpliced(index, 1, ...change(lines[index] ?? '')).join('\n')}\n`);
}

const isTakeover = (line: string) => line.includes('"take-over"');

test('a journal that nobody touched is identical', async (t) => {
  const result = await replay(changed(t, isTakeover, (line) => [line]));
  t.is(result.difference, null);
  t.true(result.compared > 400);
});

test('changed effects are found where they are', async (t) => {
  const { difference } = await replay(
    changed(t, isTakeover, (line) => [line.replace('"generation":2', '"generation":3')]),
  );
  t.like(difference, { what: 'effects', eventKind: 'time-passed', expected: '3', got: '2' });
  t.regex(difference?.path ?? '', /^\[1\]\.ledger\.groups\[0\]\.generation$/);
});

test('a changed event is found by what it leads to', async (t) => {
  const isAnswer = (line: string) => line.includes('"peer-lan","result":"unanswered"');
  const lines = takeover().journal('secondary').trimEnd().split('\n');
  const text = lines
    .map((line) => (isAnswer(line) ? line.replace('unanswered', 'answered') : line))
    .join('\n');
  const { difference } = await replay(stateDirWith(t, text));
  t.is(difference?.what, 'effects');
  t.regex(difference?.expected ?? '', /dead/);
  t.regex(difference?.got ?? '', /unresponsive/);
});

test('effects that are missing, too many, or of an event that is missing are differences', async (t) => {
  t.like((await replay(changed(t, isTakeover, () => []))).difference, {
    what: 'effects',
    expected: 'nothing',
  });
  const twice = await replay(changed(t, isTakeover, (line) => [line, line]));
  t.like(twice.difference, { what: 'effects', got: 'nothing' });
  const isRequest = (line: string) => line.startsWith('["t"');
  t.not((await replay(changed(t, isRequest, () => []))).difference, null);
});

test('a segment that does not begin where the last one ended is a difference', async (t) => {
  const nodes = takeover();
  nodes.nextSegment('secondary');
  nodes.run(1000);
  const text = nodes.journal('secondary');
  const whole = await replay(stateDirWith(t, text));
  t.like(whole, { segments: 2, states: 1, difference: null });
  const other = text.replace(/("because":"full".*"standby":)false/, '$1true');
  t.not(other, text);
  t.like((await replay(stateDirWith(t, other))).difference, {
    what: 'state',
    expected: 'true',
    got: 'false',
  });
});

test('an event that the core cannot take is a difference, not an exception', async (t) => {
  const lines = takeover().journal('secondary').trimEnd();
  const stateDir = stateDirWith(t, `${lines}\n{"kind":"weather-changed","at":9050000}\n["t",9050001]\n`);
  t.like((await replay(stateDir)).difference, { what: 'exception', eventKind: 'weather-changed' });
});

test('a torn last line is tolerated and said; lines behind a damaged one are not run, and counted', async (t) => {
  const text = takeover().journal('secondary');
  for (const cut of [1, 5, 30]) {
    const result = await replay(stateDirWith(t, text.slice(0, -1 - cut)));
    t.is(result.difference, null);
    t.is(result.reading.torn, 1);
  }
  const lines = text.trimEnd().split('\n');
  const zeros = lines.toSpliced(100, 1, '\0\0\0\0').join('\n');
  const { reading, difference, events } = await replay(stateDirWith(t, zeros));
  t.is(difference, null);
  t.like(reading, { torn: 0, skipped: lines.length - 101 });
  t.true(events < 100);
});

test('wall-clock times follow a clock that was set', async (t) => {
  const text = takeover().journal('secondary');
  const { monotonicMs } = JSON.parse(text.split('\n')[0] ?? '') as { monotonicMs: number };
  const clock = { kind: 'clock', time: '2030-01-01T00:00:00.000Z', monotonicMs: monotonicMs + 50_000 };
  const stateDir = stateDirWith(t, `${text}${JSON.stringify(clock)}\n["t",${monotonicMs + 51_000}]\n`);
  let last = 0;
  await readJournal(stateDir, [
    {
      event: (event, place) => {
        last = wallMs(place, event.at);
      },
    },
  ]);
  t.is(new Date(last).toISOString(), '2030-01-01T00:00:01.000Z');
});

test('the journal is read while the daemon appends to it', async (t) => {
  const stateDir = stateDirWith(t, takeover().journal('secondary'));
  appendFileSync(join(stateDir, 'journal', 'events.1.jsonl'), '["t",90');
  t.is((await replay(stateDir)).reading.torn, 1);
});

// ---- the lines ----

const content = takeover().state('secondary').peer.content;

test('any events and effects come out of their lines as they went in', (t) => {
  if (content === null) return t.fail('nothing was heard');
  const contents = [content, { ...content }, { ...content, standby: true }];
  const echoes = fc.option(fc.record({ incarnation: fc.constantFrom(7, 8), sequence: fc.nat() }));
  const packets = fc.record({
    sequence: fc.nat(),
    echo: echoes,
    content: fc.constantFrom(...contents),
  });
  const heard = fc.record({
    event: fc.record({
      kind: fc.constant('heartbeat-received' as const),
      link: fc.constantFrom(0, 1),
      incarnation: fc.constantFrom(3, 4),
    }),
    packet: packets,
    at: fc.double({ noNaN: true, min: 0, max: 1e9 }),
  });
  const effect = fc.oneof(
    packets.map((packet) => ({ kind: 'send-heartbeat' as const, ...packet })),
    fc.constant({ kind: 'exit' as const }),
    fc.record({ kind: fc.constant('cancel-operation' as const), operation: fc.nat() }),
  );
  const steps = fc.array(fc.tuple(heard, fc.array(effect, { maxLength: 3 })), { maxLength: 30 });
  fc.assert(
    fc.property(steps, (given) => {
      const encoder = createLineEncoder();
      const decode = createLineDecoder();
      for (const [{ event, packet, at }, effects] of given) {
        const whole: Event = { ...event, ...packet, at };
        const item = decode(encoder.event(whole));
        if (item.kind !== 'event' || JSON.stringify(item.event) !== JSON.stringify(whole)) return false;
        const line = encoder.effects(effects as readonly Effect[]);
        if (line === null) continue;
        const told = decode(line);
        if (told.kind !== 'effects' || JSON.stringify(told.effects) !== JSON.stringify(effects)) return false;
      }
      return true;
    }),
  );
  t.pass();
});

test('no line makes the reader throw', (t) => {
  const decode = createLineDecoder();
  const words = fc.constantFrom(
    '["h",1,0,2,3]',
    '["s",[1,2]]',
    '["r",0,"replayed",1]',
    '{"kind":"clock"}',
    '[]',
  );
  fc.assert(
    fc.property(fc.oneof(words, fc.json(), fc.string()), (line) => {
      decode(line);
    }),
  );
  t.is(decode('["h",1,0,2,3]').kind, 'damaged', 'nothing leads to it');
});
