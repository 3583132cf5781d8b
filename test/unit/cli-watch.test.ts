// Commands that show what is and what was: status, history, and both when they go on.

import test from 'ava';
import { newNotesFinder, renderNote } from '../../daemon/cli/notes.ts';
import { openPicture } from '../../daemon/cli/screen.ts';
import { formatRemaining, formatSpan, formatTime, formatTook } from '../../daemon/cli/time.ts';
import type { StorageStatus } from '../../daemon/core/events.ts';
import { exitCodes } from '../../daemon/errors.ts';
import { scriptedDaemon, serve } from './fixtures/cli/server.ts';
import { entry, group, resource, status } from './fixtures/cli/statuses.ts';
import { captureOutput, run } from './fixtures/cli/terminal.ts';

const stopping = status({ groups: [group({ phase: 'stopping' })] });
const copying: StorageStatus = {
  ...{ role: 'primary', disk: 'up-to-date', connection: 'connected', suspended: 'no' },
  ...{ peerRole: 'secondary', peerDisk: 'inconsistent', resync: { direction: 'source', percent: 41 } },
};
const look = { columns: 80, colour: false, unicode: false };

test('The exit code of status is 0 when all is well and 3 when something needs attention', async (t) => {
  const well = await scriptedDaemon(t, { statuses: [status()] });
  t.is((await run(['status', '--socket', well.socketPath])).exitCode, 0);
  const attention = [{ severity: 'warning', code: 'c', message: 'm', next: 'n' }] as const;
  const ill = await scriptedDaemon(t, { statuses: [status({ attention })] });
  t.is((await run(['status', '--socket', ill.socketPath])).exitCode, exitCodes.degraded);
  const json = await run(['status', '--json', '--socket', ill.socketPath]);
  t.is(json.exitCode, exitCodes.degraded);
  t.deepEqual(JSON.parse(json.stdout), status({ attention }));
});

test('A watched status is drawn in place, outlives a daemon that is away, and gives cursor and screen back', async (t) => {
  let looks = 0;
  const socketPath = await serve(t, (request, response) => {
    looks += 1;
    if (looks === 2) request.socket.destroy();
    else response.end(JSON.stringify(status({ cluster: `office-${looks}` })));
  });
  const controller = new AbortController();
  const { exitCode, stdout } = await run(['status', '--watch', '--socket', socketPath], {
    isTerminal: true,
    signal: controller.signal,
    onWrite: (text) => text.includes('office-3') && controller.abort(),
  });
  t.is(exitCode, 0);
  const [entered = '', ...drawn] = stdout.split('\u001b[H');
  t.is(entered, '\u001b[?1049h\u001b[?25l');
  const names = drawn.map((text) => /(office-\d|the daemon at) /.exec(text)?.[1]);
  t.deepEqual(names, ['office-1', 'the daemon at', 'office-3', 'office-3']);
  // The last picture stays, on the terminal as it was before.
  t.true(drawn.at(-1)?.startsWith('\u001b[J\u001b[?25h\u001b[?1049l office-3 '));
  t.true(stdout.endsWith(' up for 2 h 5 min\n'));
});

test('A watched status that is not on a terminal prints only what changed', async (t) => {
  const { socketPath } = await scriptedDaemon(t, {
    statuses: [status(), status(), status({ groups: [group({ phase: 'stopping' })] })],
  });
  const controller = new AbortController();
  const { exitCode, stdout } = await run(['status', '--watch', '--socket', socketPath], {
    signal: controller.signal,
    onWrite: (text) => text.includes('stopping') && controller.abort(),
  });
  t.is(exitCode, exitCodes.degraded);
  t.is(stdout.split('tier: evidence').length, 3);
  t.false(stdout.includes('\u001b'));
});

test('Times that pass and data that are copied are not what has changed; each picture has its time', async (t) => {
  const at = (forMs: number, done: number) => {
    const resync = {
      direction: 'source',
      percent: done,
      leftKib: 90_000 * (100 - done),
      leftS: 900 - done,
    } as const;
    const copied = resource('drbd:r0', { kind: 'drbd', storage: { ...copying, resync }, resync });
    const { daemon, links } = status();
    return status({
      daemon: { ...daemon, uptimeMs: forMs },
      links: links.map((link) => ({ ...link, ageMs: forMs % 400 })),
      groups: [group({ forMs, resources: [copied, resource('guest:mail')] })],
    });
  };
  const { socketPath } = await scriptedDaemon(t, {
    statuses: [at(900, 41), at(59_900, 43.5), at(60_100, 48), at(7_500_000, 49), at(7_500_600, 57), stopping],
  });
  const controller = new AbortController();
  const { stdout } = await run(['status', '--watch', '--socket', socketPath], {
    signal: controller.signal,
    onWrite: (text) => text.includes('stopping') && controller.abort(),
  });
  const pictures = stdout.split('\n\n2').map((text, index) => (index === 0 ? text : `2${text}`));
  for (const picture of pictures) t.regex(picture, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\n office /);
  t.deepEqual(
    pictures.map((picture) => /(runs|stopping) on primary for ([^,\n]*)/.exec(picture)?.slice(1).join(' ')),
    ['runs 0.9 s', 'runs 2 h 5 min', 'stopping 3 min'],
    stdout,
  );
});

test('Into a pipe the same is printed again after a while, so that it ends soon after its reader', (t) => {
  const { output, stdout } = captureOutput();
  const patient = openPicture(output, 60_000);
  for (const text of ['one', 'two', 'three']) patient.show(() => text, 'the same');
  patient.show(() => 'four', 'another');
  t.is(stdout(), 'one\nfour\n');
  const hasty = openPicture(output, 0);
  for (const text of ['five', 'six']) hasty.show(() => text, 'the same');
  t.is(stdout(), 'one\nfour\nfive\nsix\n');
});

test('A note is one line: local time, mark, group, message, what it took, what to do', (t) => {
  const note = entry('guest:mail is given up:\nno such file', {
    severity: 'alarm',
    next: 'mend it',
    tookMs: 1234,
  });
  const at = formatTime(note.time);
  t.is(
    renderNote(note, 8, look),
    `${at} !! office    guest:mail is given up:; no such file (took 1.2 s); next: mend it`,
  );
  t.is(renderNote(entry('stopping', { group: null }), 3, look), `${at}    -    stopping`);
});

test('Times are local, with milliseconds', (t) => {
  const local = new Date(2026, 2, 1, 3, 4, 5, 6);
  t.is(formatTime(local.toISOString()), '2026-03-01 03:04:05.006');
  t.is(formatTime('yesterday'), 'yesterday');
});

test('History prints the newest notes, oldest first, and as JSON with --json', async (t) => {
  const entries = ['one', 'two', 'three'].map((message, monotonicMs) => entry(message, { monotonicMs }));
  const { socketPath } = await scriptedDaemon(t, { statuses: [status()], histories: [entries] });
  const plain = await run(['history', '--limit', '2', '--socket', socketPath]);
  t.is(plain.exitCode, 0);
  t.deepEqual(
    plain.stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ').at(-1)),
    ['two', 'three'],
  );
  const json = await run(['history', '--json', '--socket', socketPath]);
  t.deepEqual(JSON.parse(json.stdout), entries);
});

test('A followed history prints each note once, also over a restart of the daemon', async (t) => {
  const notes = ['one', 'two', 'three', 'four'].map((message, index) =>
    entry(message, { time: `2026-03-01T03:12:4${index}.000Z`, monotonicMs: 1000 + index }),
  );
  let asked = 0;
  const socketPath = await serve(t, (request, response) => {
    asked += 1;
    if (asked === 3) request.socket.destroy();
    else response.end(JSON.stringify(notes.slice(0, asked)));
  });
  const controller = new AbortController();
  const { exitCode, stdout, stderr } = await run(['history', '--follow', '--json', '--socket', socketPath], {
    signal: controller.signal,
    onWrite: (text) => text.includes('four') && controller.abort(),
  });
  t.is(exitCode, 0);
  t.deepEqual(
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).message),
    ['one', 'two', 'three', 'four'],
  );
  t.regex(stderr, /^battito: the daemon at \S+ went away while it was asked; waiting for it\n$/);
});

test('New notes are found by the last one seen, or by their time when it has been forgotten', (t) => {
  const [a, b, c] = ['a', 'b', 'c'].map((message, index) =>
    entry(message, { time: `2026-03-01T00:00:0${index}.000Z` }),
  ) as [ReturnType<typeof entry>, ReturnType<typeof entry>, ReturnType<typeof entry>];
  const fresh = newNotesFinder();
  t.deepEqual(fresh([]), []);
  t.deepEqual(fresh([a]), [a]);
  t.deepEqual(fresh([a]), []);
  t.deepEqual(fresh([]), []);
  t.deepEqual(fresh([a, b]), [b]);
  t.deepEqual(fresh([c]), [c]);
});

test('Durations have two places at most', (t) => {
  t.deepEqual(
    [
      0, 99, 412, 9999, 10_000, 59_999, 60_000, 3_599_999, 3_600_000, 7_500_000, 86_400_000, 90_000_000, 1e9,
      2e9,
    ].map(formatSpan),
    [
      '0.0 s',
      '0.0 s',
      '0.4 s',
      '9.9 s',
      '10 s',
      '59 s',
      '1 min',
      '59 min',
      '1 h',
      '2 h 5 min',
      '1 day',
      '1 day 1 h',
      '11 days',
      '23 days',
    ],
  );
  t.deepEqual([999, 1300, 12_345].map(formatTook), ['999 ms', '1.3 s', '12 s']);
  t.deepEqual([3_599_000, 59_001, 1].map(formatRemaining), ['1 h', '1 min', '1.0 s']);
});
