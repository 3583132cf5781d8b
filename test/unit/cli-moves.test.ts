// takeover, handover and standby against a scripted daemon: what is asked of it, when the wait ends, and how.

import { stripVTControlCharacters } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { underWayIn } from '../../daemon/cli/progress.ts';
import type { HistoryEntry, Status } from '../../daemon/control/api.ts';
import { exitCodes } from '../../daemon/errors.ts';
import { type Script, scriptedDaemon } from './fixtures/cli/server.ts';
import { entry, group, groupAtPeer, resource, status } from './fixtures/cli/statuses.ts';
import { type RunOptions, run } from './fixtures/cli/terminal.ts';

const here = status();
const there = status({ groups: [groupAtPeer()] });
const claiming = status({ groups: [groupAtPeer({ phase: 'claiming' })] });
const starting = status({ groups: [group({ phase: 'starting' })] });
const stopping = status({ groups: [group({ phase: 'stopping', runsOn: null })] });

async function battito(t: ExecutionContext, line: string, script: Script, options: RunOptions = {}) {
  const daemon = await scriptedDaemon(t, script);
  const result = await run([...line.split(' '), '--socket', daemon.socketPath], options);
  const stdout = result.stdout.replaceAll(/it took(\s)\d+(\.\d)? m?s/g, 'it took$1T');
  return { ...result, stdout, requests: daemon.requests, said: daemon.said, plansOf: daemon.plansOf };
}

test('A takeover asks once, tells each step once, and ends when the group runs here', async (t) => {
  const old = entry('start guest:old', { monotonicMs: 1 });
  const steps: HistoryEntry[] = [
    entry('takeover: secondary is asked', { code: 'request-accepted', group: null, monotonicMs: 2 }),
    entry('stopped -> claiming: the peer is asked', { code: 'claim', monotonicMs: 3 }),
    entry('start address:192.168.1.1/24', { monotonicMs: 4, tookMs: 12 }),
    entry('start guest:mail', { monotonicMs: 5, tookMs: 412 }),
  ];
  const upTo = (count: number) => [old, ...steps.slice(0, count)];
  const { exitCode, stdout, stderr, requests } = await battito(t, 'takeover', {
    statuses: [there, claiming, starting, starting, here],
    histories: [[old], upTo(2), upTo(3), upTo(3), upTo(4)],
  });
  t.deepEqual(requests, [{ kind: 'takeover', groups: [] }]);
  t.is(
    stdout,
    [
      'as you wish',
      '  stopped -> claiming: the peer is asked',
      '  address:192.168.1.1/24 started  12 ms',
      '  guest:mail started  412 ms',
      'primary runs office now; it took T',
      '',
    ].join('\n'),
  );
  t.is(stderr, '');
  t.is(exitCode, 0);
});

test('On a narrow terminal every line of a takeover ends between two words; into a pipe it is one line', async (t) => {
  const accepted = 'secondary is asked to hand over office';
  const script = {
    statuses: [there, here],
    answer: () => ({ kind: 'accepted', message: accepted }) as const,
  };
  const narrow = await battito(t, 'takeover', script, { isTerminal: true, columns: 32 });
  const printed = stripVTControlCharacters(narrow.stdout).replaceAll('\r', '').split('\n');
  t.deepEqual(printed.slice(0, 2), ['secondary is asked to hand over', 'office']);
  t.deepEqual(printed.slice(-3, -1), ['primary runs office now; it took', 'T'], narrow.stdout);
  const piped = await battito(t, 'takeover', script, { columns: 32 });
  t.is(piped.stdout, `${accepted}\nprimary runs office now; it took T\n`);
});

test('A takeover with --json ends with one object that holds every note', async (t) => {
  const note = entry('start guest:mail', { tookMs: 412 });
  const { exitCode, stdout } = await battito(t, 'takeover office --json', {
    statuses: [there, starting, here],
    histories: [[], [note]],
  });
  const result = JSON.parse(stdout);
  t.is(exitCode, 0);
  t.true(result.done);
  t.is(result.message, 'primary runs office now');
  t.deepEqual(result.notes, [note]);
  t.is(typeof result.tookMs, 'number');
});

test('A takeover that leaves a guest behind is done, with exit code 3 and what to do', async (t) => {
  const lame = group({ resources: [resource('guest:web', { status: 'down', quarantined: 'no such file' })] });
  const { exitCode, stdout, stderr } = await battito(t, 'takeover', {
    statuses: [there, status({ groups: [lame] })],
  });
  t.true(stdout.endsWith('primary runs office now; it took T\n'));
  t.is(stderr, 'given up: guest:web: no such file\nnext: mend the cause, then run `battito retry office`\n');
  t.is(exitCode, exitCodes.degraded);
});

test('A takeover waits only for the groups that were named', async (t) => {
  const two = (web: Status['groups'][number]) => status({ groups: [group(), { ...web, name: 'web' }] });
  const { exitCode, requests, stdout } = await battito(t, 'takeover office', {
    statuses: [two(groupAtPeer())],
  });
  t.is(exitCode, 0);
  t.deepEqual(requests, [{ kind: 'takeover', groups: ['office'] }]);
  t.true(stdout.includes('primary runs office now'));
});

test('Where nothing can be drawn over, what takes long is told in lines, each when there is something new', async (t) => {
  const going = { ...groupAtPeer().peer, phase: 'stopping' } as NonNullable<Status['groups'][0]['peer']>;
  const goingAt = (up: number) =>
    status({ groups: [groupAtPeer({ phase: 'claiming', peer: { ...going, up } })] });
  const comingFor = (forMs: number) => {
    const operation = { action: 'start', forMs, leftMs: 120_000 - forMs };
    return status({
      groups: [
        group({ phase: 'starting', resources: [resource('guest:mail', { status: 'down', operation })] }),
      ],
    });
  };
  const { exitCode, stdout } = await battito(t, 'takeover', {
    statuses: [
      there,
      goingAt(2),
      goingAt(2),
      goingAt(1),
      comingFor(400),
      comingFor(30_000),
      comingFor(30_100),
      here,
    ],
  });
  t.is(exitCode, 0);
  t.is(
    stdout,
    [
      'as you wish',
      '  secondary stops office: 2 of 2 still up',
      '  secondary stops office: 1 of 2 still up',
      '  guest:mail starting 30 s, at most 2 min more',
      'primary runs office now; it took T',
      '',
    ].join('\n'),
  );
});

test('A guest that stops within its time is waited for beyond the patience by default, which --timeout ends', async (t) => {
  const going = (leftMs: number) => {
    const operation = { action: 'stop', forMs: 130_000 - leftMs, leftMs };
    return status({
      groups: [group({ phase: 'stopping', resources: [resource('guest:mail', { operation })] })],
    });
  };
  const late = await battito(t, 'handover --timeout 20ms', { statuses: [here, going(9000), going(8000)] });
  t.is(late.exitCode, exitCodes.timedOut);
  t.regex(late.stderr, /not done after 20 ms: office is stopping on primary/);
  const items = (leftMs: number) => underWayIn(going(leftMs), ['office']).map(({ measure }) => measure);
  t.deepEqual([items(9000), items(8000), items(0)], [['9000'], ['8000'], [null]]);
  t.deepEqual(underWayIn(going(9000), ['another']), []);
});

test('With --no-wait nothing is waited for', async (t) => {
  const { exitCode, stdout } = await battito(t, 'takeover --no-wait', { statuses: [there] });
  t.is(exitCode, 0);
  t.is(stdout, 'as you wish\n');
});

test('A refused takeover says why and what to do, exit code 1', async (t) => {
  const { exitCode, stdout, stderr } = await battito(t, 'takeover', {
    statuses: [there],
    answer: () => ({
      kind: 'refused',
      code: 'peer-not-proven-off',
      message: 'secondary is unresponsive',
      next: 'power it off',
    }),
  });
  t.is(exitCode, exitCodes.failed);
  t.is(stdout, '');
  t.is(stderr, 'battito: secondary is unresponsive\nnext: power it off\n');
});

test('A group of that name that does not exist is refused with the nearest one, before anything is asked', async (t) => {
  const { exitCode, stderr, requests } = await battito(t, 'takeover offcie', { statuses: [there] });
  t.is(exitCode, exitCodes.usage);
  t.is(stderr, 'battito: there is no group "offcie"; the groups are: office\nnext: did you mean `office`?\n');
  t.deepEqual(requests, []);
});

test('A takeover that is not done in time says where it stands, exit code 75', async (t) => {
  const { exitCode, stderr } = await battito(t, 'takeover --timeout 20ms', { statuses: [there, claiming] });
  t.is(exitCode, exitCodes.timedOut);
  t.is(
    stderr,
    'battito: not done after 20 ms: office is claiming on primary\nnext: the move goes on; look with `battito status`\n',
  );
});

test('A takeover of a group that stays blocked ends at once with the reason and the advice', async (t) => {
  const attention = [{ severity: 'alarm', code: 'blocked', message: 'm', next: 'start secondary' }] as const;
  const blocked = groupAtPeer({ phase: 'blocked', runsOn: null, reason: 'it may not be started' });
  const { exitCode, stderr } = await battito(t, 'takeover', {
    statuses: [there, status({ groups: [blocked], attention })],
  });
  t.is(exitCode, exitCodes.failed);
  t.is(stderr, 'battito: office is blocked on primary: it may not be started\nnext: start secondary\n');
});

test('A handover that is undone ends with what stood in its way', async (t) => {
  const undone = status({ groups: [group({ undone: 'r0: held open by 4711 (sh)' })] });
  const { exitCode, stderr } = await battito(t, 'handover', { statuses: [here, stopping, undone] });
  t.is(exitCode, exitCodes.failed);
  t.is(
    stderr,
    'battito: the handover of office was undone, primary runs it: r0: held open by 4711 (sh)\nnext: put that right, then: battito handover office\n',
  );
});

test('A group that is blocked only for a moment does not end the wait', async (t) => {
  const blocked = status({ groups: [groupAtPeer({ phase: 'blocked', runsOn: null })] });
  const { exitCode } = await battito(t, 'takeover', {
    statuses: [blocked, blocked, blocked, starting, here],
  });
  t.is(exitCode, 0);
});

test('An interrupted wait says that the move goes on, exit code 75', async (t) => {
  const controller = new AbortController();
  const { exitCode, stderr } = await battito(
    t,
    'takeover',
    { statuses: [there, claiming], histories: [[], [entry('claimed', { code: 'claim' })]] },
    { signal: controller.signal, onWrite: (text) => text.includes('claimed') && controller.abort() },
  );
  t.is(exitCode, exitCodes.timedOut);
  t.true(
    stderr.startsWith('battito: no longer waiting: office is claiming on primary\nnext: the move goes on'),
  );
});

test('fence confirm asks at a terminal for the name, and tells the daemon when it is right', async (t) => {
  const questions: string[] = [];
  const ask = async (question: string) => {
    questions.push(question);
    return ' secondary ';
  };
  const { exitCode, stderr, requests } = await battito(
    t,
    'fence confirm secondary',
    { statuses: [there, here] },
    { ask },
  );
  t.is(exitCode, 0);
  t.deepEqual(questions, ['Type secondary to confirm: ']);
  t.true(
    stderr.includes(
      'If secondary is still running, every guest will run twice and its disks will be damaged.',
    ),
  );
  t.deepEqual(requests, [{ kind: 'confirm-peer-off', node: 'secondary', force: false }]);
});

test('fence confirm does nothing when another name is typed', async (t) => {
  const { exitCode, stderr, requests } = await battito(
    t,
    'fence confirm secondary',
    { statuses: [there] },
    { ask: async () => 'yes' },
  );
  t.is(exitCode, exitCodes.failed);
  t.true(stderr.includes('not confirmed: nothing was done'));
  t.deepEqual(requests, []);
});

test('fence confirm asks nothing with --yes, which has to be said where there is no terminal', async (t) => {
  const script = { statuses: [there, here] };
  const ask = () => t.fail('it asked') as never;
  for (const options of [{ ask }, {}]) {
    const { exitCode, requests } = await battito(t, 'fence confirm secondary --yes', script, options);
    t.is(exitCode, 0);
    t.is(requests.length, 1);
  }
  const silent = await battito(t, 'fence confirm secondary', script);
  t.is(silent.exitCode, exitCodes.usage);
  t.is(
    silent.stderr,
    'battito: there is no terminal to type secondary at: it is taken to be off with --yes only\nnext: did you mean `battito fence confirm secondary --yes`?\n',
  );
  t.deepEqual(silent.requests, []);
});

test('--accept-data asks for the group, names it to the daemon and waits for it', async (t) => {
  const answers: string[] = [];
  const ask = async (question: string) => {
    answers.push(question);
    return 'office';
  };
  const { exitCode, stderr, requests } = await battito(
    t,
    'takeover --accept-data office',
    { statuses: [there, starting, here] },
    { ask },
  );
  t.is(exitCode, 0);
  t.deepEqual(answers, ['Type office to confirm: ']);
  t.true(stderr.includes('Whatever secondary wrote to office later will be lost'));
  t.true(stderr.includes('do not switch it on where it cannot hear primary'));
  t.deepEqual(requests, [{ kind: 'accept-data', groups: ['office'] }]);
});

const stale = {
  role: 'secondary',
  disk: 'inconsistent',
  connection: 'connected',
  peerRole: 'secondary',
  peerDisk: 'up-to-date',
  suspended: 'no',
  resync: { direction: 'target', percent: 12 },
} as const;
const left = { direction: 'target', percent: 12.4, leftKib: 3_565_158, leftS: 300 } as const;
const disk = (name: string, changes = {}) =>
  resource(`drbd:${name}`, { kind: 'drbd', status: 'down', storage: stale, resync: left, ...changes });
const fresh = { storage: { ...stale, disk: 'up-to-date', resync: null }, resync: null } as const;
const blockedOn = (...resources: ReturnType<typeof disk>[]) =>
  status({ groups: [groupAtPeer({ phase: 'blocked', runsOn: null, resources })] });

test('--force shows each disk in doubt, has its name typed, and asks the daemon for its group', async (t) => {
  const questions: string[] = [];
  const ask = async (question: string) => {
    questions.push(question);
    return /Type (\S+) /.exec(question)?.[1] ?? '';
  };
  const statuses = [blockedOn(disk('r0'), disk('r1', fresh), disk('r2')), here];
  const { exitCode, stderr, requests, said } = await battito(t, 'takeover --force', { statuses }, { ask });
  t.is(exitCode, 0);
  t.deepEqual(said, ['battito takeover --force=r0 --force=r2'], 'with what was typed, for the history');
  t.deepEqual(questions, ['Type r0 to confirm: ', 'Type r2 to confirm: ']);
  t.true(
    stderr.includes(
      "r0: its disk is Inconsistent, the peer's is UpToDate, connected, resync at 12 %, 3.4 GiB left at 12 MiB/s, about 5 min.",
    ),
  );
  t.true(stderr.includes('Whatever secondary wrote to office later will be lost'));
  t.deepEqual(requests, [{ kind: 'accept-data', groups: ['office'] }]);
});

test('--force does nothing when another name is typed', async (t) => {
  const script = { statuses: [blockedOn(disk('r0'))] };
  const { exitCode, requests } = await battito(t, 'takeover --force', script, { ask: async () => 'office' });
  t.is(exitCode, exitCodes.failed);
  t.deepEqual(requests, []);
});

test('--force=NAME is enough where nobody can be asked; each disk in doubt must be named', async (t) => {
  const statuses = [blockedOn(disk('r0'), disk('r1', fresh)), here];
  const named = await battito(t, 'takeover office --force=r0', { statuses });
  t.is(named.exitCode, 0);
  t.deepEqual(named.requests, [{ kind: 'accept-data', groups: ['office'] }]);
  const bare = await battito(t, 'takeover office --force', { statuses });
  t.is(bare.exitCode, exitCodes.usage);
  t.regex(bare.stderr, /did you mean `battito takeover --force=r0`/);
  const two = { statuses: [blockedOn(disk('r0'), disk('r1'))] };
  const half = await battito(t, 'takeover --force=r1', two);
  t.is(half.exitCode, exitCodes.usage);
  t.regex(half.stderr, /did you mean `battito takeover --force=r1 --force=r0`/);
  const yes = await battito(t, 'takeover --force --yes', two, { ask: async () => t.fail('asked') as never });
  t.is(yes.exitCode, exitCodes.usage);
  t.deepEqual([...bare.requests, ...half.requests, ...yes.requests], []);
});

test('--force names a resource that there is, of a group that waits for it', async (t) => {
  const unknown = await battito(t, 'takeover --force=r00', { statuses: [blockedOn(disk('r0'))] });
  t.is(unknown.exitCode, exitCodes.usage);
  t.regex(unknown.stderr, /no group has the DRBD resource "r00"; the resources are: r0/);
  const plain = await battito(t, 'takeover office --force', { statuses: [there] });
  t.is(plain.exitCode, exitCodes.usage);
  t.regex(plain.stderr, /office has no DRBD resource.*\n.*--accept-data office/);
  const idle = await battito(t, 'takeover --force', { statuses: [there] });
  t.is(idle.exitCode, exitCodes.failed);
  t.regex(idle.stderr, /no group with a DRBD resource is blocked here/);
});

test('--force in the forms that do not work says the one that does', async (t) => {
  const statuses = [blockedOn(disk('r0')), here];
  const apart = await battito(t, 'takeover --force r0', { statuses });
  t.is(apart.exitCode, exitCodes.usage);
  t.regex(
    apart.stderr,
    /there is no group "r0": it is a DRBD resource.*\nnext: did you mean `battito takeover --force=r0`\?/,
  );
  const plain = await battito(t, 'takeover r0', { statuses });
  t.is(plain.exitCode, exitCodes.usage);
  t.regex(plain.stderr, /did you mean `office`/, 'the group that has it');
  t.deepEqual([...apart.requests, ...plain.requests], []);
});

test('--force waits for the groups of its resources, and for no others', async (t) => {
  const [blocked, running] = [blockedOn(disk('r0')), here].flatMap(({ groups }) => groups);
  const other = groupAtPeer({ name: 'web' });
  const statuses = [blocked, running].map((office) => status({ groups: office ? [office, other] : [] }));
  const { exitCode, stdout } = await battito(t, 'takeover --force=r0', { statuses });
  t.is(exitCode, 0);
  t.true(stdout.includes('primary runs office now'));
});

test('--force --dry-run names the resources that it would promote', async (t) => {
  const plan = [
    {
      group: 'office',
      resource: 'drbd:r0',
      action: 'start',
      remarks: [],
      needs: [],
      commands: ['drbdadm primary r0'],
    } as const,
  ];
  const statuses = [blockedOn(disk('r0'), disk('r1', fresh))];
  for (const line of ['takeover --force --dry-run', 'takeover --force=r0 --dry-run']) {
    const { exitCode, stdout, requests } = await battito(t, line, { statuses, plan });
    t.is(exitCode, 0);
    t.true(
      stdout.endsWith(
        '\n# with data accepted as they are, DRBD is promoted by: drbdadm primary --force r0\n',
      ),
    );
    t.deepEqual(requests, []);
  }
});

const trouble = {
  code: 'drbd-utils-missing',
  what: 'drbdadm is not installed',
  next: 'apt-get install drbd-utils',
};

test('Where DRBD cannot be used at all, a dry run remarks it and --force ends with what mends it', async (t) => {
  const statuses = [blockedOn(disk('r0', { trouble }))];
  const dry = await battito(t, 'takeover --dry-run', { statuses });
  t.is(dry.exitCode, 0);
  t.regex(
    dry.stdout,
    /# this would fail now: r0 cannot be promoted: drbdadm is not installed; next: apt-get install drbd-utils\n$/,
  );
  for (const line of ['takeover --force=r0', 'takeover --accept-data office']) {
    const forced = await battito(t, line, { statuses });
    t.is(forced.exitCode, exitCodes.failed);
    t.is(
      forced.stderr,
      'battito: r0 cannot be promoted: drbdadm is not installed\nnext: apt-get install drbd-utils\n',
    );
    t.deepEqual(forced.requests, []);
  }
});

test('fence confirm with another name is refused with the whole command', async (t) => {
  const { exitCode, stderr, requests } = await battito(t, 'fence confirm third', {
    statuses: [there],
  });
  t.is(exitCode, exitCodes.usage);
  t.is(
    stderr,
    'battito: "third" is not the other node; that is secondary\nnext: did you mean `battito fence confirm secondary`?\n',
  );
  t.deepEqual(requests, []);
});

test('A takeover that stays blocked by its disks names them, as status does', async (t) => {
  const message = 'office is not started here: the copy is old (r0: its disk is Inconsistent)';
  const attention = [{ severity: 'alarm', code: 'blocked-outdated-data', message, next: 'wait' }] as const;
  const { exitCode, stderr } = await battito(t, 'takeover', {
    statuses: [{ ...blockedOn(disk('r0')), attention }],
  });
  t.is(exitCode, exitCodes.failed);
  t.is(stderr, `battito: ${message}\nnext: wait\n`);
});

test('A handover is done when the peer runs what ran here, not before', async (t) => {
  const stoppedBoth = status({
    groups: [groupAtPeer({ runsOn: null, peer: { ...groupAtPeer().peer, phase: 'starting' } as never })],
  });
  const { exitCode, stdout, requests } = await battito(t, 'handover', {
    statuses: [here, here, stopping, stoppedBoth, there],
    histories: [[], [], [], [], [entry('stop guest:mail', { tookMs: 1300 })]],
  });
  t.deepEqual(requests, [{ kind: 'handover', groups: [] }]);
  t.is(
    stdout,
    'as you wish\n  guest:mail stopped  1300 ms\nsecondary runs office now; it took T\n'.replace(
      '1300 ms',
      '1.3 s',
    ),
  );
  t.is(exitCode, 0);
});

test("A handover of what does not run here is the daemon's to answer, and nothing is waited for", async (t) => {
  const { exitCode, stdout } = await battito(t, 'handover', {
    statuses: [there],
    answer: () => ({ kind: 'accepted', message: 'primary runs none of it' }),
  });
  t.is(exitCode, 0);
  t.is(stdout, 'primary runs none of it\n');
});

test('A handover to a peer that dies on the way ends with that, exit code 1', async (t) => {
  const dead = status({ verdict: { kind: 'dead', forMs: 1, silentMs: 2000, signs: [] } });
  const { exitCode, stderr } = await battito(t, 'handover', { statuses: [here, dead] });
  t.is(exitCode, exitCodes.failed);
  t.true(
    stderr.startsWith('battito: secondary is dead: office is active on primary and stopped on secondary\n'),
  );
});

test('Standby is done when this node is in it and the peer runs everything', async (t) => {
  const asked = { ...here.self, standby: true };
  const { exitCode, stdout, requests } = await battito(t, 'standby', {
    statuses: [here, status({ self: asked }), { ...stopping, self: asked }, { ...there, self: asked }],
  });
  t.deepEqual(requests, [{ kind: 'standby', on: true }]);
  t.true(stdout.endsWith('primary is in standby, secondary runs office now; it took T\n'));
  t.is(exitCode, 0);
});

test('Standby off is done when the node says so, wherever the groups run', async (t) => {
  const asked = { ...there, self: { ...there.self, standby: true } };
  const { exitCode, stdout, requests } = await battito(t, 'standby off', { statuses: [asked, asked, there] });
  t.deepEqual(requests, [{ kind: 'standby', on: false }]);
  t.true(stdout.endsWith('primary may run groups again; it took T\n'));
  t.is(exitCode, 0);
});

test('A dry run prints the commands as a shell takes them and asks for nothing', async (t) => {
  const plan = [
    {
      group: 'office',
      resource: 'address:192.168.1.1/24',
      action: 'stop',
      remarks: [],
      needs: [],
      commands: ['ip address del 192.168.1.1/24 dev eth0'],
    },
    {
      group: 'office',
      resource: 'guest:mail',
      action: 'save',
      remarks: ['not moved while it runs: vda has a medium in it'],
      needs: ['storage:r0'],
      commands: ['system_powerdown', 'quit'],
    },
  ] as const;
  const { exitCode, stdout, requests } = await battito(t, 'handover --dry-run', { statuses: [here], plan });
  t.is(
    stdout,
    [
      '# office: stop address:192.168.1.1/24',
      'ip address del 192.168.1.1/24 dev eth0',
      '# office: save guest:mail, after storage:r0',
      '# not moved while it runs: vda has a medium in it',
      'system_powerdown',
      'quit',
      '# then secondary starts it; for its commands run there: battito takeover office --dry-run',
      '',
    ].join('\n'),
  );
  t.deepEqual(requests, []);
  t.is(exitCode, 0);
  const json = await battito(t, 'takeover --dry-run --json', { statuses: [there], plan });
  t.deepEqual(JSON.parse(json.stdout), plan);
});

test('--guests goes with the request and with the question for the plan; what is no way is refused', async (t) => {
  for (const guests of ['live', 'save', 'shutdown'] as const) {
    const given = await battito(t, `handover office --guests ${guests} --no-wait`, { statuses: [here] });
    t.deepEqual(given.requests, [{ kind: 'handover', groups: ['office'], guests }]);
    const standby = await battito(t, `standby --guests=${guests} --no-wait`, { statuses: [here] });
    t.deepEqual(standby.requests, [{ kind: 'standby', on: true, guests }]);
    const dry = await battito(t, `handover --guests ${guests} --dry-run`, { statuses: [here] });
    t.deepEqual(dry.plansOf, [guests]);
  }
  t.deepEqual((await battito(t, 'handover --dry-run', { statuses: [here] })).plansOf, [null]);
  const wrong = await battito(t, 'handover --guests warm', { statuses: [here] });
  t.is(wrong.exitCode, exitCodes.usage);
  t.regex(wrong.stderr, /--guests takes live, save, shutdown, not "warm"/);
  t.is((await battito(t, 'standby off --guests save', { statuses: [there] })).exitCode, exitCodes.usage);
});

test('Maintenance asks for its time in milliseconds, and for none to end it', async (t) => {
  const on = await battito(t, 'maintenance on --for 30m', { statuses: [here] });
  t.deepEqual(on.requests, [{ kind: 'maintenance', durationMs: 1_800_000 }]);
  t.is(on.stdout, 'as you wish\n');
  const off = await battito(t, 'maintenance off --json', { statuses: [here] });
  t.deepEqual(off.requests, [{ kind: 'maintenance', durationMs: 0 }]);
  t.deepEqual(JSON.parse(off.stdout), { done: true, message: 'as you wish' });
});

test('A retry names its groups', async (t) => {
  const { exitCode, requests } = await battito(t, 'retry office', { statuses: [here] });
  t.is(exitCode, 0);
  t.deepEqual(requests, [{ kind: 'retry', groups: ['office'] }]);
});
