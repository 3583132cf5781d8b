// The operator's terminal, a real one: what goes on is drawn in place, at 40 and at 80 columns, through a new size of the
// window; and the terminal is as it was, however it ends.

import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { renderStatus } from '../../daemon/cli/status/view.ts';
import type { HistoryEntry, Status } from '../../daemon/control/api.ts';
import { serve } from './fixtures/cli/server.ts';
import { entry, group, groupAtPeer, resource, status } from './fixtures/cli/statuses.ts';
import { openShell, type Shell } from './support/tmux.ts';

const main = join(import.meta.dirname, '../../daemon/main.ts');

/** A daemon that answers what it is told to, until it is told something else. */
async function daemonOf(t: ExecutionContext, first: Status) {
  const now = { status: first, history: [] as readonly HistoryEntry[] };
  const socketPath = await serve(t, (request, response) => {
    const path = request.url ?? '';
    const answer = path.startsWith('/v1/status')
      ? now.status
      : path.startsWith('/v1/history')
        ? now.history
        : { kind: 'accepted', message: 'takeover: secondary is asked' };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  return { now, command: (words: string) => `battito ${words} --socket ${socketPath}` };
}

async function openBattito(t: ExecutionContext, size: { columns: number; rows: number }): Promise<Shell> {
  const start = `export NO_COLOR=1; battito() { '${process.execPath}' '${main}' "$@"; }; echo before`;
  return openShell(t, { ...size, start });
}

const pictureAt = (now: Status, columns: number) =>
  renderStatus(now, { columns, colour: false, unicode: true });

/** Cursor, screen, and what is typed: as a shell has them. */
async function isAsBefore(t: ExecutionContext, shell: Shell): Promise<void> {
  t.is(await shell.is('cursor_flag'), '1');
  t.is(await shell.is('alternate_on'), '0');
  await shell.type('clear; stty -a | grep -ow "[-]\\?\\(icanon\\|isig\\|echo\\)" | sort');
  const seen = await shell.until('the settings', (text) => text.endsWith('\n$'));
  t.is(seen, 'echo\nicanon\nisig\n$');
}

const ill = status({
  groups: [groupAtPeer()],
  attention: [
    {
      severity: 'warning',
      code: 'link-silent',
      message: 'secondary is not heard on eth1 broadcast for 1 h 12 min',
      next: 'look at the cable of eth1 on both nodes',
    },
  ],
});

test('status --watch follows the size of its window, and the terminal is as it was after Ctrl-C', async (t) => {
  const { now, command } = await daemonOf(t, status());
  const shell = await openBattito(t, { columns: 80, rows: 30 });
  await shell.type(command('status --watch'));
  await shell.until('all is well', (seen) => seen === pictureAt(status(), 80));
  t.is(await shell.is('cursor_flag'), '0');
  t.is(await shell.is('alternate_on'), '1');
  now.status = ill;
  await shell.until('the trouble in place', (seen) => seen === pictureAt(ill, 80));
  await shell.resize(40, 30);
  await shell.until('the same in 40 columns', (seen) => seen === pictureAt(ill, 40));
  await shell.resize(40, 8);
  const low = await shell.until('a note of what is not shown', (seen) => /more lines: battito/.test(seen));
  const whole = pictureAt(ill, 40).split('\n');
  t.deepEqual(low.split('\n'), [...whole.slice(0, 7), ` (${whole.length - 7} more lines: battito status)`]);
  await shell.resize(32, 8);
  const full = pictureAt(ill, 32).split('\n').length - 7;
  t.is(` (${full} more lines: battito status)`.length, 32, 'it goes to the last column');
  await shell.until('all of it', (seen) => seen.endsWith(`\n (${full} more lines: battito status)`));
  await shell.resize(80, 30);
  await shell.until('the whole again', (seen) => seen === pictureAt(ill, 80));
  await shell.press('C-c');
  const seen = await shell.until('the prompt', (text) => text.endsWith('\n$'));
  t.true(seen.startsWith('before\n$ battito'), seen);
  t.true(seen.endsWith(`${pictureAt(ill, 80)}\n$`), seen);
  await isAsBefore(t, shell);
});

test('A watched status that is suspended gives the terminal back, and is there again in the foreground', async (t) => {
  const { command } = await daemonOf(t, ill);
  const shell = await openBattito(t, { columns: 40, rows: 40 });
  await shell.type(command('status --watch'));
  await shell.until('the picture', (seen) => seen === pictureAt(ill, 40));
  await shell.press('C-z');
  await shell.until('the job', (seen) => seen.startsWith('before\n') && /Stopped/.test(seen));
  await isAsBefore(t, shell);
  await shell.type('fg');
  await shell.until('the picture again', (seen) => seen === pictureAt(ill, 40));
  await shell.press('C-c');
  await shell.until('the prompt', (seen) => seen.endsWith('\n$'));
  await isAsBefore(t, shell);
});

test('What has to be confirmed is asked for at the terminal, also where the output goes elsewhere', async (t) => {
  const { command } = await daemonOf(t, status());
  const shell = await openBattito(t, { columns: 80, rows: 30 });
  await shell.type(`${command('fence confirm secondary')} | cat`);
  const question = 'Type secondary to confirm:';
  const asked = await shell.until('the question', (seen) => seen.endsWith(question));
  t.regex(asked, /You say that secondary has no power/);
  await shell.type('primary');
  const seen = await shell.until('the prompt', (text) => text.endsWith('\n$'));
  t.regex(seen, /battito: not confirmed: nothing was done/);
});

test('Everything reaches a pipe that is read late', async (t) => {
  const { now, command } = await daemonOf(t, status());
  now.history = Array.from({ length: 1000 }, (_, index) => entry(`${index} ${'long '.repeat(50)}`));
  const shell = await openBattito(t, { columns: 80, rows: 30 });
  await shell.type(
    `${command('history --json --limit 1000')} | (read -r first; wc -c; echo "it was $first")`,
  );
  const seen = await shell.until('the count', (text) => /it was \[\n/.test(text));
  const count = Number(/^(\d+)$/m.exec(seen)?.[1]);
  t.is(count, JSON.stringify(now.history, null, 2).length + 1 - '[\n'.length);
  t.true(count > 256 * 1024);
});

test('Colours are for terminals that have them and people who want them', async (t) => {
  const { command } = await daemonOf(t, ill);
  const shell = await openBattito(t, { columns: 80, rows: 60 });
  const coloured = async (words: string) => {
    await shell.type(`clear; ${words}; echo "it is $?"`);
    await shell.until('the end', (seen) => seen.endsWith('it is 3\n$'));
    const seen = await shell.screen('-e');
    return { hasColour: seen.includes('\u001b['), isWhole: seen.includes(pictureAt(ill, 80)) };
  };
  t.deepEqual(await coloured(`NO_COLOR= ${command('status')}`), { hasColour: true, isWhole: false });
  const plain = { hasColour: false, isWhole: true };
  t.deepEqual(await coloured(`NO_COLOR=1 ${command('status')}`), plain);
  t.deepEqual(await coloured(`NO_COLOR= TERM=dumb ${command('status')}`), plain);
  t.deepEqual(await coloured(`NO_COLOR= ${command('status')} | cat; (exit 3)`), plain);
  await shell.type(`clear; NO_COLOR= TERM=dumb ${command('status --watch')}`);
  await shell.until('the picture, printed', (seen) => seen.endsWith(pictureAt(ill, 80)));
  t.is(await shell.is('alternate_on'), '0');
  t.is(await shell.is('cursor_flag'), '1');
  await shell.press('C-c');
  await shell.until('the prompt', (seen) => seen.endsWith('^C$'));
});

const mirror = {
  role: 'primary',
  disk: 'up-to-date',
  connection: 'connected',
  peerRole: 'secondary',
  peerDisk: 'inconsistent',
  suspended: 'no',
  resync: { direction: 'source', percent: 41 },
} as const;
const resync = { direction: 'source', percent: 41.4, leftKib: 3_565_158, leftS: 300 } as const;

/** A takeover from a living peer, as its steps are seen. */
const atPeer = { ...groupAtPeer().peer, phase: 'stopping', up: 1 } as NonNullable<
  Status['groups'][0]['peer']
>;
const claiming = status({ groups: [groupAtPeer({ phase: 'claiming', runsOn: null, peer: atPeer })] });
const starting = status({
  groups: [
    group({
      phase: 'starting',
      resources: [
        resource('drbd:r0', { kind: 'drbd', storage: mirror, resync }),
        resource('guest:mail', {
          status: 'down',
          operation: { action: 'start', forMs: 12_300, leftMs: 107_700 },
        }),
      ],
    }),
  ],
});
const steps = [
  entry('stop guest:mail', { monotonicMs: 2, tookMs: 31_000 }),
  entry('start address:192.168.1.1/24', { monotonicMs: 3, tookMs: 12 }),
  entry('start guest:mail', { monotonicMs: 4, tookMs: 14_000 }),
];

for (const [columns, lines] of [
  [
    80,
    [
      '  ◐ r0 is copied to secondary: 41 %, 3.4 GiB left at 12 MiB/s, about 5 min',
      '  ◐ guest:mail starting 12 s, at most 2 min more',
    ],
  ],
  [
    40,
    [
      '  ◐ r0 is copied to secondary: 41 %,',
      '    3.4 GiB left at 12 MiB/s, about',
      '    5 min',
      '  ◐ guest:mail starting 12 s, at most',
      '    2 min more',
    ],
  ],
] as const) {
  test(`A takeover is told step by step in ${columns} columns, what is under way below it, in place`, async (t) => {
    const { now, command } = await daemonOf(t, status({ groups: [groupAtPeer()] }));
    const shell = await openBattito(t, { columns, rows: 30 });
    await shell.type(command('takeover'));
    now.status = claiming;
    const first = await shell.until('what the peer does', (seen) => /◐ secondary stops/.test(seen));
    t.true(
      first.endsWith('asked\n  ◐ secondary stops office: 1 of 2 still\n    up') || columns === 80,
      first,
    );
    t.is(await shell.is('cursor_flag'), '0');
    now.history = steps.slice(0, 2);
    now.status = starting;
    const during = await shell.until('what is under way', (seen) => seen.endsWith(lines.join('\n')));
    t.false(during.includes('secondary stops'), during);
    const other = columns === 40 ? 80 : 40;
    await shell.resize(other, 30);
    await shell.until(
      'the new size',
      (seen) => seen.split('◐').length === 3 && !seen.endsWith(lines.join('\n')),
    );
    await shell.resize(columns, 30);
    await shell.until(
      'the old size again',
      (seen) => seen.endsWith(lines.join('\n')) && seen.split('◐').length === 3,
    );
    now.history = steps;
    now.status = status();
    const seen = await shell.until('the end', (text) => text.endsWith('\n$'));
    t.is(
      seen.slice(seen.indexOf('takeover: ')).replace(/it took [\d.]+ m?s/, 'it took T'),
      [
        'takeover: secondary is asked',
        '  guest:mail stopped  31 s',
        '  address:192.168.1.1/24 started  12 ms',
        '  guest:mail started  14 s',
        'primary runs office now; it took T',
        '$',
      ].join('\n'),
    );
    await isAsBefore(t, shell);
  });
}

test('An interrupted wait leaves no trace of what was under way', async (t) => {
  const { now, command } = await daemonOf(t, status({ groups: [groupAtPeer()] }));
  const shell = await openBattito(t, { columns: 80, rows: 30 });
  await shell.type(command('takeover'));
  now.status = starting;
  await shell.until('what is under way', (seen) => /guest:mail starting/.test(seen));
  await shell.press('C-c');
  const seen = await shell.until('the prompt', (text) => text.endsWith('\n$'));
  t.regex(
    seen,
    /takeover: secondary is asked\nbattito: no longer waiting: office is starting on primary\nnext: the move goes on; look with `battito status`\n\$$/,
  );
  await isAsBefore(t, shell);
});
