// battito drill handover and takeover against a scripted daemon: what is asked and in what order, what is refused without
// a touch, what is kept, and what is said when the way back fails.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { CommandNote, OperatorRequest, Status } from '../../daemon/control/api.ts';
import type { State } from '../../daemon/core/state.ts';
import { exitCodes } from '../../daemon/errors.ts';
import { temporaryDirectory } from '../support.ts';
import { type Script, scriptedDaemon } from './fixtures/cli/server.ts';
import { entry, group, groupAtPeer, resource, status } from './fixtures/cli/statuses.ts';
import { type RunOptions, run } from './fixtures/cli/terminal.ts';
import { type FakeAgent, fakeAgent } from './support/fence-agent.ts';

const here = status();
const there = status({ groups: [groupAtPeer()] });
const stopping = status({ groups: [group({ phase: 'stopping', runsOn: null })] });
const startingThere = status({
  groups: [groupAtPeer({ peer: { ...(groupAtPeer().peer as object), phase: 'starting' } as never })],
});
const claiming = status({ groups: [groupAtPeer({ phase: 'claiming' })] });
const starting = status({ groups: [group({ phase: 'starting' })] });
const alarm = { severity: 'alarm', code: 'config-differs', message: 'they differ', next: 'copy it' } as const;

const times = (text: string) => text.replaceAll(/\d+(\.\d)? m?s/g, 'T');
const isNote = (asked: OperatorRequest | CommandNote): asked is CommandNote => 'code' in asked;

async function battito(t: ExecutionContext, line: string, script: Script, options: RunOptions = {}) {
  const daemon = await scriptedDaemon(t, script);
  const result = await run([...line.split(' '), '--socket', daemon.socketPath], {
    deadlineMs: 60_000,
    ...options,
  });
  const asked = daemon.requests as readonly (OperatorRequest | CommandNote)[];
  return {
    ...result,
    ...{ stdout: times(result.stdout), stderr: times(result.stderr) },
    requests: asked.filter((each) => !isNote(each)),
    notes: asked.filter(isNote),
    said: daemon.said,
  };
}

// ---- handover ----

test.serial(
  'what runs here is handed over and taken back, by the requests of a person, each way with its times',
  async (t) => {
    const steps = [
      entry('stop guest:mail', { monotonicMs: 2, tookMs: 900 }),
      entry('start guest:mail', { monotonicMs: 3, tookMs: 1200 }),
    ];
    const { exitCode, stdout, stderr, requests, notes, said } = await battito(t, 'drill handover', {
      statuses: [here, stopping, startingThere, there, there, claiming, starting, here],
      histories: [[], [], [], steps.slice(0, 1), steps.slice(0, 1), steps.slice(0, 1), steps],
    });
    t.is(exitCode, 0, stderr);
    t.deepEqual(requests, [
      { kind: 'handover', groups: ['office'] },
      { kind: 'takeover', groups: ['office'] },
    ]);
    t.is(said.length, 2);
    t.regex(said[0] ?? '', /^battito drill handover office \(/);
    const lines = stdout.trim().split('\n').slice(-2);
    t.is(
      lines[0],
      'office  primary -> secondary: runs there after T (primary had let go after T); guest:mail stopped T',
    );
    t.is(
      lines[1],
      'office  secondary -> primary: runs there after T (secondary had let go after T); guest:mail started T',
    );
    t.deepEqual(
      notes.map(({ code, severity, group: of }) => [code, severity, of]),
      Array.from({ length: 3 }, () => ['handover-drill', 'info', 'office']),
    );
    t.regex(
      notes[0]?.message ?? '',
      /^drill: office goes from primary to secondary and back \(asked for by /,
    );
    t.regex(times(notes[1]?.message ?? ''), /^drill: office: primary -> secondary: .*guest:mail stopped T$/);
    t.is(typeof notes[1]?.tookMs, 'number');
    t.is(typeof notes[2]?.tookMs, 'number');
  },
);

test.serial('from the node that does not have it, it is taken over and given back', async (t) => {
  const { exitCode, requests, stdout } = await battito(t, 'drill handover office --json', {
    statuses: [there, claiming, here, here, stopping, there],
  });
  t.is(exitCode, 0);
  t.deepEqual(requests, [
    { kind: 'takeover', groups: ['office'] },
    { kind: 'handover', groups: ['office'] },
  ]);
  t.like(JSON.parse(stdout.replaceAll(/: T/g, ': 0')), {
    done: true,
    attention: null,
    legs: [
      { group: 'office', from: 'secondary', to: 'primary', steps: [] },
      { group: 'office', from: 'primary', to: 'secondary', steps: [] },
    ],
  });
});

test.serial('it is not taken back before the mirror is in step and both are willing again', async (t) => {
  const resyncing = status({ groups: [groupAtPeer({ resources: [disk({ peerDisk: 'inconsistent' })] })] });
  const unwilling = status({ groups: [groupAtPeer({ willing: false })] });
  const { exitCode, requests, stderr } = await battito(t, 'drill handover', {
    statuses: [here, there, resyncing, unwilling, there, here],
  });
  t.is(exitCode, 0, stderr);
  t.is(requests.length, 2);
  const never = await battito(t, 'drill handover --timeout 50ms', { statuses: [here, there, unwilling] });
  t.is(never.exitCode, exitCodes.timedOut);
  t.is(never.requests.length, 1);
  t.is(
    never.stderr,
    [
      'battito: the drill failed: office did not come back to primary: not ready after T: primary could not run office now; office runs on secondary',
      'next: `battito status` on primary says why; to bring it back to primary: battito takeover office',
      '',
    ].join('\n'),
  );
  t.like(never.notes.at(-1), { severity: 'warning', code: 'handover-drill', group: 'office' });
});

type Storage = NonNullable<ReturnType<typeof resource>['storage']>;

function disk(changes: Partial<Storage> = {}) {
  const storage: Storage = {
    role: 'primary',
    disk: 'up-to-date',
    connection: 'connected',
    peerRole: 'secondary',
    peerDisk: 'up-to-date',
    suspended: 'no',
    resync: null,
    ...changes,
  };
  return resource('drbd:r0', { kind: 'drbd', storage });
}

const { self, peer } = here;
const peerOf = (changes: object) => ({
  ...(group().peer as NonNullable<Status['groups'][number]['peer']>),
  ...changes,
});

const refusals: readonly (readonly [title: string, seen: Status, message: RegExp, next: RegExp])[] = [
  [
    'the peer is silent',
    status({ verdict: { ...here.verdict, kind: 'dead' } }),
    /secondary is dead: a drill needs both nodes/,
    /battito status/,
  ],
  [
    'maintenance here',
    status({ self: { ...self, maintenanceMs: 1000 } }),
    /primary is in maintenance/,
    /^battito maintenance off/,
  ],
  [
    'maintenance there',
    status({ peer: { ...peer, maintenanceMs: 1000 } }),
    /secondary is in maintenance/,
    /^on secondary: battito maintenance off/,
  ],
  [
    'standby there',
    status({ peer: { ...peer, standby: true } }),
    /secondary is in standby/,
    /^on secondary: battito standby off/,
  ],
  ['the daemon stops', status({ self: { ...self, leaving: true } }), /is stopping/, /start it again/],
  ['an alarm', status({ attention: [alarm] }), /they differ/, /^copy it/],
  [
    'a group on the move',
    stopping,
    /office is not settled: it is stopping on primary and stopped on secondary/,
    /battito status/,
  ],
  [
    'the peer is not willing',
    status({ groups: [group({ peer: peerOf({ willing: false }) })] }),
    /secondary could not run office now/,
    /on secondary says why/,
  ],
  [
    'this node is not willing to have it back',
    status({ groups: [group({ willing: false })] }),
    /primary could not run office now/,
    /on primary says why/,
  ],
  [
    'a guest is given up here',
    status({ groups: [group({ resources: [resource('guest:web', { quarantined: 'no such file' })] })] }),
    /guest:web of office is given up on primary: no such file/,
    /battito retry office/,
  ],
  [
    'a guest is given up there',
    status({ groups: [groupAtPeer({ peer: peerOf({ phase: 'active', quarantined: 1 }) })] }),
    /a part of office is given up on secondary/,
    /there: battito retry office/,
  ],
  [
    'a copy is behind',
    status({ groups: [group({ resources: [disk({ peerDisk: 'inconsistent' })] })] }),
    /the mirror of office is not in step: r0: /,
    /both copies are up to date/,
  ],
  [
    'the mirror is away',
    status({ groups: [group({ resources: [disk({ connection: 'connecting' })] })] }),
    /the mirror of office is not in step/,
    /battito status/,
  ],
  [
    'the disk was not read yet',
    status({ groups: [group({ resources: [resource('drbd:r0', { kind: 'drbd' })] })] }),
    /r0: its state has not been read yet/,
    /battito status/,
  ],
  [
    'DRBD is in trouble',
    status({
      groups: [
        group({
          resources: [
            {
              ...disk(),
              trouble: { code: 'drbd-resource-not-up', what: 'r0 is not up', next: 'drbdadm up r0' },
            },
          ],
        }),
      ],
    }),
    /the mirror of office is not well: r0 is not up/,
    /^drbdadm up r0/,
  ],
];

for (const [title, seen, message, next] of refusals) {
  test.serial(`refused without a touch: ${title}`, async (t) => {
    for (const line of ['drill handover', 'drill handover --dry-run']) {
      const { exitCode, stdout, stderr, requests, notes } = await battito(t, line, { statuses: [seen] });
      t.is(exitCode, exitCodes.failed);
      t.is(stdout, '');
      const [first = '', second = ''] = stderr.split('\n');
      t.regex(first, /^battito: no drill now, and nothing was touched: /);
      t.regex(first, message);
      t.regex(second.replace(/^next: /, ''), next);
      t.deepEqual([...requests, ...notes], []);
    }
  });
}

test.serial('a handover that is undone ends the drill where the group was', async (t) => {
  const undone = status({ groups: [group({ undone: 'r0: held open by 4711 (sh)' })] });
  const { exitCode, stderr, requests, notes } = await battito(t, 'drill handover', {
    statuses: [here, stopping, undone],
  });
  t.is(exitCode, exitCodes.failed);
  t.is(requests.length, 1);
  t.regex(
    stderr,
    /the drill failed: office did not go: .*held open by 4711 \(sh\); office runs on primary\n/,
  );
  t.regex(stderr, /next: put that right, .*; then run the drill again/);
  t.like(notes.at(-1), { severity: 'warning', code: 'handover-drill' });
});

test.serial('a way back that is refused: where it runs and what brings it back, on record', async (t) => {
  const { exitCode, stderr, notes } = await battito(t, 'drill handover', {
    statuses: [here, there],
    answer: (request) =>
      request.kind === 'takeover'
        ? {
            kind: 'refused',
            code: 'no-carrier',
            message: 'primary has no carrier on the LAN',
            next: 'mend its cable first',
          }
        : { kind: 'accepted', message: 'as you wish' },
  });
  t.is(exitCode, exitCodes.failed);
  t.is(
    stderr,
    [
      'battito: the drill failed: office did not come back to primary: primary has no carrier on the LAN; office runs on secondary',
      'next: mend its cable first; to bring it back to primary: battito takeover office',
      '',
    ].join('\n'),
  );
  t.is(notes.at(-1)?.severity, 'warning');
  t.regex(notes.at(-1)?.next ?? '', /battito takeover office$/);
});

test.serial('a node that was put into standby meanwhile is not waited for', async (t) => {
  const put = status({ groups: [groupAtPeer()], self: { ...self, standby: true } });
  const { exitCode, stderr, requests } = await battito(t, 'drill handover', { statuses: [here, there, put] });
  t.is(exitCode, exitCodes.failed);
  t.is(requests.length, 1);
  t.regex(
    stderr,
    /did not come back to primary: primary is in standby; .*\nnext: battito standby off; .*: battito takeover office\n/,
  );
});

test.serial('from the other node the way back is a handover, and that is what is said', async (t) => {
  const { stderr } = await battito(t, 'drill handover', {
    statuses: [there, here],
    answer: (request) =>
      request.kind === 'handover'
        ? { kind: 'refused', code: 'peer-standby', message: 'secondary is in standby', next: 'standby off' }
        : { kind: 'accepted', message: 'as you wish' },
  });
  t.regex(stderr, /office runs on primary\nnext: .*to bring it back to secondary: battito handover office\n/);
});

test.serial('interrupted on the way it says where the group is, exit code 75', async (t) => {
  const controller = new AbortController();
  const { exitCode, stderr } = await battito(
    t,
    'drill handover',
    { statuses: [here, stopping] },
    { signal: controller.signal, onWrite: () => controller.abort() },
  );
  t.is(exitCode, exitCodes.timedOut);
  t.regex(
    stderr,
    /the drill failed: office did not go: no longer waiting: .*office runs on neither node now/,
  );
});

test.serial('a guest that is given up on the way is told, exit code 3', async (t) => {
  const lame = groupAtPeer({ peer: peerOf({ phase: 'active', quarantined: 1 }) });
  const { exitCode, stderr, notes } = await battito(t, 'drill handover', {
    statuses: [here, status({ groups: [lame] }), there, there, here],
  });
  t.is(exitCode, exitCodes.degraded);
  t.regex(stderr, /secondary has given up a part of office/);
  t.true(notes.some(({ severity, message }) => severity === 'warning' && message.includes('given up')));
});

test.serial('--dry-run shows both ways and asks for nothing', async (t) => {
  const plan = [
    {
      ...{ group: 'office', resource: 'guest:mail', action: 'stop' as const, remarks: [], needs: [] },
      commands: ['virsh shutdown mail'],
    },
  ] as const;
  const { exitCode, stdout, requests, notes } = await battito(t, 'drill handover --dry-run', {
    statuses: [here],
    plan,
  });
  t.is(exitCode, 0);
  t.deepEqual([...requests, ...notes], []);
  t.regex(stdout, /# office: primary -> secondary\n# office: stop guest:mail\nvirsh shutdown mail\n/);
  t.regex(stdout, /# office: secondary -> primary\n/);
});

test.serial('options and words of another drill are refused before anything is asked', async (t) => {
  for (const [line, message] of [
    ['drill', /say which drill: fence, handover or takeover/],
    ['drill everything', /there is no drill "everything"/],
    ['drill fence office', /drill fence takes no "office"/],
    ['drill fence --dry-run', /--dry-run goes with drill handover/],
    ['drill handover --yes', /--yes goes with drill takeover/],
    ['drill fence --timeout 1m', /--timeout goes with drill handover and takeover/],
    ['drill handover --dry-run --timeout 1m', /does not go with --timeout/],
    ['drill handover offcie', /there is no group "offcie"/],
  ] as const) {
    const { exitCode, stderr, requests } = await battito(t, line, { statuses: [here] });
    t.is(exitCode, exitCodes.usage, line);
    t.regex(stderr, message);
    t.deepEqual(requests, []);
  }
});

// ---- takeover ----

const powers: Status['verdict'] = { ...here.verdict, kind: 'dead' };
const gone = status({ verdict: powers });
const silent = status({ verdict: { ...here.verdict, kind: 'unresponsive', signs: ['it answers'] } });

function stateWith(operation: number | null): State {
  const lists = { groups: [], links: [], probes: [] };
  return {
    ...lists,
    policy: lists,
    verdict: here.verdict,
    peer: {},
    fence: { operation },
  } as unknown as State;
}

function configText(
  agents: { readonly primary: FakeAgent; readonly secondary: FakeAgent } | null,
  timeout = '60s',
): string {
  const fencing =
    agents === null
      ? ''
      : `fencing:
  timeout: ${timeout}
  devices: { bmc-p: { script: ${agents.primary.program} }, bmc-s: { script: ${agents.secondary.program} } }
  nodes: { primary: [[bmc-p]], secondary: [[bmc-s]] }
`;
  return `cluster: office
nodes: { primary: { address: 192.168.1.2 }, secondary: { address: 192.168.1.3 } }
heartbeat: { links: [{ interface: eth1 }] }
groups: { office: { preferred: primary } }
${fencing}`;
}

/** On the primary. */
async function drillTakeover(
  t: ExecutionContext,
  words: string,
  script: Script,
  { body = '', timeout, ...options }: RunOptions & { readonly body?: string; readonly timeout?: string } = {},
) {
  const agents = { primary: fakeAgent(t), secondary: fakeAgent(t, { body }) };
  const file = join(temporaryDirectory(t), 'battito.yaml');
  writeFileSync(file, configText(agents, timeout));
  const line = `drill takeover${words === '' ? '' : ` ${words}`} --config ${file} --node primary`;
  const result = await battito(t, line, { state: stateWith(null), ...script }, options);
  t.deepEqual(agents.primary.actions(), [], 'a node does not touch its own power');
  return { ...result, agent: agents.secondary };
}

test.serial(
  'the idle node is switched off, missed, switched on and waited for, with the times of each',
  async (t) => {
    const asked: string[] = [];
    const coming = status({ groups: [group({ peer: peerOf({ willing: false }) })] });
    const { exitCode, stdout, stderr, notes, requests, agent } = await drillTakeover(
      t,
      '',
      { statuses: [here, here, here, silent, gone, gone, gone, here, coming, here] },
      {
        ask: async (question) => {
          asked.push(question);
          return 'secondary';
        },
      },
    );
    t.is(exitCode, 0, stderr);
    t.deepEqual(asked, ['Type secondary to confirm: ']);
    t.regex(stderr, /The power of secondary is cut at once.*What primary runs goes on/);
    t.deepEqual(agent.actions(), ['status', 'off', 'status', 'on', 'status']);
    t.is(agent.power(), 'on');
    t.deepEqual(requests, [], 'the daemon is asked for nothing');
    t.is(
      stdout,
      [
        'secondary reads off after T',
        'primary is sure that it is gone after T, and goes on with all that it runs',
        'secondary reads on after T',
        'secondary is heard T after it was told to switch on',
        'secondary is ready to take over after T',
        'secondary was switched off and is back; it took T',
        '',
      ].join('\n'),
    );
    t.deepEqual(
      notes.map(({ code, severity }) => `${code} ${severity}`),
      ['takeover-drill warning', 'takeover-drill info'],
    );
    t.regex(
      notes[0]?.message ?? '',
      /^drill: the power of secondary, .* is cut and given back \(asked for by /,
    );
    t.regex(times(notes[1]?.message ?? ''), /read off after T, .*heard after T, ready to take over after T$/);
    t.is(typeof notes[1]?.tookMs, 'number');
  },
);

test.serial('the name has to be given: typed, or with --yes for a script', async (t) => {
  const wrong = await drillTakeover(t, '', { statuses: [here] }, { ask: async () => 'yes' });
  t.is(wrong.exitCode, exitCodes.failed);
  t.regex(wrong.stderr, /not confirmed: nothing was done/);
  t.deepEqual(wrong.agent.actions(), ['status']);
  const mute = await drillTakeover(t, '', { statuses: [here] });
  t.is(mute.exitCode, exitCodes.usage);
  t.regex(mute.stderr, /did you mean `battito drill takeover secondary --yes`/);
  const nameless = await drillTakeover(t, '--yes', { statuses: [here] });
  t.is(nameless.exitCode, exitCodes.usage);
  for (const [name, message] of [
    ['primary', /primary is this node/],
    ['third', /"third" is not the other node; that is secondary/],
  ] as const) {
    const other = await drillTakeover(t, `${name} --yes`, { statuses: [here] });
    t.is(other.exitCode, exitCodes.usage);
    t.regex(other.stderr, message);
    t.deepEqual([...other.agent.actions(), ...mute.agent.actions(), ...nameless.agent.actions()], []);
  }
  const named = await drillTakeover(t, '--yes secondary --json', {
    statuses: [here, here, gone, gone, here],
  });
  t.is(named.exitCode, 0, named.stderr);
  t.like(JSON.parse(named.stdout), { node: 'secondary', done: true });
});

const takeoverRefusals: readonly (readonly [string, Status, RegExp, RegExp])[] = [
  [
    'it runs a group',
    there,
    /secondary runs office: only a node that holds nothing is switched off/,
    /battito takeover office/,
  ],
  [
    'it holds a part',
    status({ groups: [group({ peer: peerOf({ up: 1 }) })] }),
    /office is not settled/,
    /battito status/,
  ],
  [
    'nobody knows what it holds',
    status({ groups: [group({ peer: null })] }),
    /office is not settled: it is active on primary and unknown on secondary/,
    /battito status/,
  ],
  ['it is silent', gone, /secondary is dead/, /battito status/],
  [
    'its maintenance',
    status({ peer: { ...peer, maintenanceMs: 1000 } }),
    /secondary is in maintenance/,
    /maintenance off/,
  ],
  [
    'the mirror is behind',
    status({ groups: [group({ resources: [disk({ peerDisk: 'outdated' })] })] }),
    /the mirror of office is not in step/,
    /battito status/,
  ],
  [
    'a group that is about to go there',
    status({ groups: [group({ failback: 'automatic', preferred: 'secondary' })] }),
    /about to go back to secondary/,
    /run the drill on secondary/,
  ],
];

for (const [title, seen, message, next] of takeoverRefusals) {
  test.serial(`no power is cut: ${title}`, async (t) => {
    const first = await drillTakeover(t, 'secondary --yes', { statuses: [seen] });
    t.is(first.exitCode, exitCodes.failed);
    t.regex(first.stderr, message);
    t.regex(first.stderr.split('\n')[1] ?? '', next);
    t.deepEqual(first.agent.actions(), []);
    // It came about while the name was typed.
    const late = await drillTakeover(t, '', { statuses: [here, seen] }, { ask: async () => 'secondary' });
    t.is(late.exitCode, exitCodes.failed);
    t.regex(late.stderr, message);
    t.deepEqual(late.agent.actions(), ['status']);
    t.deepEqual([...first.notes, ...late.notes], []);
  });
}

test.serial('without a device, or with one that does not tell, no power is cut', async (t) => {
  const file = join(temporaryDirectory(t), 'battito.yaml');
  writeFileSync(file, configText(null));
  const none = await battito(t, `drill takeover secondary --yes --config ${file} --node primary`, {
    statuses: [here],
  });
  t.is(none.exitCode, exitCodes.config);
  t.regex(none.stderr, /names no fencing device\nnext: /);
  const mute = await drillTakeover(t, 'secondary --yes', { statuses: [here] }, { body: 'exit 1' });
  t.is(mute.exitCode, exitCodes.failed);
  t.regex(mute.stderr, /bmc does not say that secondary is on|bmc-s does not say that secondary is on/);
  t.deepEqual(mute.agent.actions(), ['status']);
  const slow = { body: 'sleep 2', timeout: '5s' };
  const late = await drillTakeover(t, 'secondary --yes', { statuses: [here] }, slow);
  t.is(late.exitCode, exitCodes.failed);
  t.regex(
    late.stderr,
    /bmc-s does not say that secondary is on: its power is unknown: .* did not end in time/,
  );
  t.deepEqual(late.agent.actions(), ['status']);
});

test.serial('a device that does not cut is found out, an alarm, with what to do', async (t) => {
  const { exitCode, stderr, notes } = await drillTakeover(
    t,
    'secondary --yes',
    { statuses: [here] },
    { body: '[ $action = off ] && exit 0' },
  );
  t.is(exitCode, exitCodes.failed);
  t.regex(stderr, /the drill failed: secondary is not proven off: bmc-s says that it has switched/);
  t.regex(stderr, /next: battito fence status secondary .*battito fence on secondary/);
  t.like(notes.at(-1), { severity: 'alarm', code: 'takeover-drill' });
});

test.serial('it is not switched on while the daemon may still switch it off', async (t) => {
  const controller = new AbortController();
  const { exitCode, stderr, agent } = await drillTakeover(
    t,
    'secondary --yes',
    { statuses: [here, here, gone], state: stateWith(7) },
    {
      signal: controller.signal,
      onWrite: (text) => text.includes('reads off') && setTimeout(() => controller.abort(), 50),
    },
  );
  t.is(exitCode, exitCodes.timedOut);
  t.regex(stderr, /no longer waiting: the daemon is still switching secondary off/);
  t.regex(stderr, /next: to bring it back: battito fence on secondary/);
  t.deepEqual(agent.actions(), ['status', 'off', 'status']);
});

test.serial('its terminal is lost while the node is off: the history has what brings it back', async (t) => {
  const daemon = await scriptedDaemon(t, { statuses: [here, here, gone], state: stateWith(7) });
  const agent = fakeAgent(t);
  const file = join(temporaryDirectory(t), 'battito.yaml');
  writeFileSync(file, configText({ primary: fakeAgent(t), secondary: agent }));
  const main = join(import.meta.dirname, '../../daemon/main.ts');
  const words = ['drill', 'takeover', 'secondary', '--yes', '--config', file, '--node', 'primary'];
  const drill = spawn(process.execPath, [main, ...words, '--socket', daemon.socketPath]);
  const ended = once(drill, 'exit');
  await once(drill.stdout, 'data');
  drill.stdout.destroy();
  drill.stderr.destroy();
  drill.kill('SIGHUP');
  const [, signal] = await ended;
  t.is(signal, null, 'it ends by itself');
  t.is(agent.power(), 'off');
  const notes = (daemon.requests as readonly (OperatorRequest | CommandNote)[]).filter(isNote);
  t.deepEqual(
    notes.map(({ severity, next }) => [severity, next]),
    [
      ['warning', 'if this is the last that is said of it: battito fence on secondary'],
      ['alarm', 'to bring it back: battito fence on secondary'],
    ],
  );
});

test.serial('a node that reads off and is heard: the device lies, and nobody waits for more', async (t) => {
  const quick = { ...here, timings: { ...here.timings, deadtimeMs: 5 } };
  const heard = { ...quick, verdict: { ...here.verdict, silentMs: 0 } };
  const { exitCode, stderr, notes, agent } = await drillTakeover(t, 'secondary --yes', {
    statuses: [here, here, heard],
  });
  t.is(exitCode, exitCodes.failed);
  t.regex(
    stderr,
    /secondary reads off, but is heard: the device has another host, or lies\nnext: .*battito fence on/,
  );
  t.like(notes.at(-1), { severity: 'alarm', code: 'takeover-drill' });
  t.is(agent.power(), 'off', 'a person is to see what it was');
});

test.serial('a node that does not come back is an alarm with what to look at', async (t) => {
  const { exitCode, stderr, notes } = await drillTakeover(t, 'secondary --yes --timeout 30ms', {
    statuses: [here, here, gone],
  });
  t.is(exitCode, exitCodes.timedOut);
  t.regex(stderr, /the drill failed: not done after T: secondary is dead\nnext: look at its console/);
  t.like(notes.at(-1), { severity: 'alarm', code: 'takeover-drill' });
});
