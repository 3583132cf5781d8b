// battito fence and battito drill: power by hand, with no daemon where none is needed; and what is kept of it.

import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { checkFencing } from '../../daemon/cli/check/fencing.ts';
import { whoTyped } from '../../daemon/cli/who.ts';
import type { FenceDeviceConfig } from '../../daemon/config/config.ts';
import { parseConfig } from '../../daemon/config/load.ts';
import type { Status } from '../../daemon/control/api.ts';
import { BattitoError, exitCodes } from '../../daemon/errors.ts';
import { temporaryDirectory } from '../support.ts';
import { scriptedDaemon } from './fixtures/cli/server.ts';
import { group, groupAtPeer, status } from './fixtures/cli/statuses.ts';
import { type RunOptions, run } from './fixtures/cli/terminal.ts';
import { type FakeAgent, fakeAgent } from './support/fence-agent.ts';

const agentsOf = (t: ExecutionContext, bodies: Partial<Record<'primary' | 'secondary', string>> = {}) => ({
  primary: fakeAgent(t, { body: bodies.primary ?? '' }),
  secondary: fakeAgent(t, { body: bodies.secondary ?? '' }),
});

function configText({ primary, secondary }: Readonly<Record<'primary' | 'secondary', FakeAgent>>): string {
  return `cluster: office
nodes: { primary: { address: 192.168.1.2 }, secondary: { address: 192.168.1.3 } }
heartbeat: { links: [{ interface: eth1 }] }
groups: { office: { preferred: primary } }
fencing:
  devices: { bmc-p: { script: ${primary.program} }, bmc-s: { script: ${secondary.program} } }
  nodes: { primary: [[bmc-p]], secondary: [[bmc-s]] }
`;
}

function fileWith(t: ExecutionContext, text: string): string {
  const file = join(temporaryDirectory(t), 'battito.yaml');
  writeFileSync(file, text);
  return file;
}

/** On the primary, by default without a daemon. */
async function battito(
  t: ExecutionContext,
  line: string,
  agents: ReturnType<typeof agentsOf>,
  { socket = '/nonexistent/control.sock', ...options }: RunOptions & { readonly socket?: string } = {},
) {
  const file = fileWith(t, configText(agents));
  const result = await run(
    [...line.split(' '), '--config', file, '--node', 'primary', '--socket', socket],
    options,
  );
  return { ...result, stdout: result.stdout.replaceAll(/\(\d+(\.\d)? m?s\)/g, '(T)') };
}

test('status shows the power of both nodes, device by device, without a daemon', async (t) => {
  const agents = agentsOf(t, { secondary: 'echo "No route to host" >&2; exit 1' });
  const both = await battito(t, 'fence status', agents);
  t.is(both.stdout, 'primary    bmc-p  on  (T)\nsecondary  bmc-s  unknown: No route to host  (T)\n');
  t.is(both.exitCode, exitCodes.failed);
  const one = await battito(t, 'fence status primary --json', agents);
  t.is(one.exitCode, 0);
  t.like(JSON.parse(one.stdout), {
    devices: [{ node: 'primary', device: 'bmc-p', power: 'on', message: null }],
  });
  const none = await battito(t, 'fence status third', agents);
  t.is(none.stderr.split('\n')[0], 'battito: there is no node "third"; expected primary or secondary');
});

test('on switches on and reads it; a device that only says so has failed', async (t) => {
  const agents = agentsOf(t);
  agents.secondary.setPower('off');
  const { exitCode, stdout, stderr } = await battito(t, 'fence on secondary', agents);
  t.is(exitCode, 0, stderr);
  t.is(stdout, 'secondary is switched on\n');
  t.regex(stderr, /^not in the history: no daemon answers/);
  t.deepEqual(agents.secondary.actions(), ['on', 'status']);
  const idle = agentsOf(t, { secondary: '[ $action = on ] && exit 0' });
  idle.secondary.setPower('off');
  const failed = await battito(t, 'fence on secondary', idle);
  t.is(failed.exitCode, exitCodes.failed);
  t.regex(failed.stderr, /bmc-s: it says that it has done so, but its status says off/);
});

test('off asks for the name, says what nobody knows, and ends well when it reads off', async (t) => {
  const agents = agentsOf(t);
  const wrong = await battito(t, 'fence off secondary', agents, { ask: async () => 'yes' });
  t.is(wrong.exitCode, exitCodes.failed);
  t.deepEqual(agents.secondary.actions(), []);
  const right = await battito(t, 'fence off secondary', agents, { ask: async () => 'secondary' });
  t.is(right.exitCode, 0, right.stderr);
  t.regex(right.stderr, /No daemon answers here.*The power of secondary is cut at once/);
  t.is(right.stdout, 'secondary is switched off, and reads off\n');
  t.is(agents.secondary.power(), 'off');
});

test('off without a terminal needs --yes, and is never for this node itself', async (t) => {
  const agents = agentsOf(t);
  const silent = await battito(t, 'fence off secondary', agents);
  t.is(silent.exitCode, exitCodes.usage);
  t.regex(silent.stderr, /did you mean `battito fence off secondary --yes`/);
  const self = await battito(t, 'fence off primary --yes', agents);
  t.is(self.exitCode, exitCodes.usage);
  t.regex(self.stderr, /does not cut its own power/);
  t.deepEqual([...agents.primary.actions(), ...agents.secondary.actions()], []);
  t.is((await battito(t, 'fence off secondary --yes', agents)).exitCode, 0);
});

test('confirm asks the devices first: one that reads on is not passed over, unless it is said to be wrong', async (t) => {
  const silent = status({ verdict: { kind: 'unresponsive', silentMs: 9000, signs: [] } as never });
  const said = async (line: string, agents: ReturnType<typeof agentsOf>) => {
    const { socketPath, requests } = await scriptedDaemon(t, { statuses: [silent] });
    return { ...(await battito(t, line, agents, { socket: socketPath })), requests };
  };
  const on = await said('fence confirm secondary --yes', agentsOf(t));
  t.is(on.exitCode, exitCodes.failed);
  t.regex(
    on.stderr,
    /^battito: bmc-s says that secondary is on: it is not taken to be off\nnext: .*pull its plug/,
  );
  t.deepEqual(on.requests, []);
  const wrong = await said('fence confirm secondary --yes --although-it-reads-on', agentsOf(t));
  t.is(wrong.exitCode, 0, wrong.stderr);
  t.deepEqual(wrong.requests, [{ kind: 'confirm-peer-off', node: 'secondary', force: false }]);
  const dead = await said('fence confirm secondary --yes', agentsOf(t, { secondary: 'exit 1' }));
  t.is(dead.exitCode, 0, dead.stderr);
  t.is(dead.requests.length, 1);
});

test('off refuses while the peer is heard, with the orderly way; force is possible', async (t) => {
  const agents = agentsOf(t);
  const there = await scriptedDaemon(t, { statuses: [status({ groups: [groupAtPeer()] })] });
  const refused = await battito(t, 'fence off secondary --yes', agents, { socket: there.socketPath });
  t.is(refused.exitCode, exitCodes.failed);
  t.regex(
    refused.stderr,
    /secondary is alive and runs office: its power is not cut\nnext: battito takeover brings it here/,
  );
  const idle = await scriptedDaemon(t, { statuses: [status({ groups: [group()] })] });
  const orderly = await battito(t, 'fence off secondary --yes', agents, { socket: idle.socketPath });
  t.regex(orderly.stderr, /runs nothing.*\nnext: shut it down in order: on secondary: systemctl poweroff/);
  t.deepEqual(agents.secondary.actions(), []);
  const forced = await battito(t, 'fence off secondary --yes --although-it-runs', agents, {
    socket: there.socketPath,
  });
  t.is(forced.exitCode, 0, forced.stderr);
  t.is(agents.secondary.power(), 'off');
  t.like(there.requests.at(-1) as object, { code: 'fence-off', severity: 'warning' });
});

test('off that is not proven is an error with what to do, and is on record', async (t) => {
  const agents = agentsOf(t, { secondary: '[ $action = off ] && exit 0' });
  const silent = status({ verdict: { ...status().verdict, kind: 'unresponsive' } });
  const daemon = await scriptedDaemon(t, { statuses: [silent] });
  const { exitCode, stderr } = await battito(t, 'fence off secondary --yes', agents, {
    socket: daemon.socketPath,
  });
  t.is(exitCode, exitCodes.failed);
  t.regex(
    stderr,
    /secondary is not proven off: bmc-s says that it has switched secondary off, but its status says on/,
  );
  t.regex(stderr, /next: pull the plug of secondary; .*: battito fence confirm secondary/);
  t.like(daemon.requests[0] as object, { code: 'fence-off', severity: 'alarm' });
});

test('a drill reads, switches on what is on, reads again, and is kept in the history with who asked', async (t) => {
  const agents = agentsOf(t);
  const daemon = await scriptedDaemon(t, { statuses: [status()] });
  const { exitCode, stdout } = await battito(t, 'drill fence', agents, { socket: daemon.socketPath });
  t.is(exitCode, 0);
  t.is(stdout, 'bmc-s would do (T)\nsecondary can be switched off from here; now the same on secondary\n');
  t.deepEqual(agents.secondary.actions(), ['status', 'on', 'status']);
  t.deepEqual(agents.primary.actions(), [], 'those of this node are for the other one');
  const [note] = daemon.requests as unknown as readonly { code: string; message: string }[];
  t.is(note?.code, 'fence-drill');
  t.regex(
    note?.message ?? '',
    /^drill: secondary can be switched off from here: bmc-s would do \(.*\) \(asked for by \S/,
  );
});

test('a drill starts no host that is off, and a device that would not do fails it', async (t) => {
  const agents = agentsOf(t);
  agents.secondary.setPower('off');
  const off = await battito(t, 'drill fence', agents);
  t.is(off.exitCode, exitCodes.failed);
  t.regex(off.stdout, /bmc-s: it says that secondary is off/);
  t.deepEqual(agents.secondary.actions(), ['status']);
  const broken = await battito(
    t,
    'drill fence --json',
    agentsOf(t, { secondary: '[ $action = on ] && { echo "not allowed" >&2; exit 1; }' }),
  );
  t.is(broken.exitCode, exitCodes.failed);
  t.like(JSON.parse(broken.stdout), {
    node: 'secondary',
    done: false,
    devices: [{ failure: 'not allowed' }],
  });
});

test('without a device in the configuration there is nothing to ask, and that is said', async (t) => {
  const file = fileWith(t, configText(agentsOf(t)).replace(/fencing:[\s\S]*/, ''));
  for (const line of ['fence status', 'fence on secondary', 'fence off secondary --yes', 'drill fence']) {
    const { exitCode, stderr } = await run([...line.split(' '), '--config', file, '--node', 'primary']);
    t.is(exitCode, exitCodes.config, line);
    t.regex(stderr, /names no fencing device\nnext: /);
  }
});

test('who typed is a user, with the one behind sudo, and a terminal or none', (t) => {
  t.regex(whoTyped({}), /^\S+, (\/dev\/\S+|no terminal)$/);
  t.regex(whoTyped({ SUDO_USER: 'anna' }), /^\S+ by sudo of anna, /);
});

async function looked(
  agents: ReturnType<typeof agentsOf>,
  seen: Status | null,
  edit = (text: string) => text,
  editDevice = (device: FenceDeviceConfig) => device,
) {
  const parsed = parseConfig(edit(configText(agents)), 'battito.yaml');
  if (!parsed.ok || parsed.config.fencing === null) throw new Error('the configuration is wrong');
  const fencing = { ...parsed.config.fencing, devices: parsed.config.fencing.devices.map(editDevice) };
  const client = {
    async status() {
      if (seen === null) throw new BattitoError('daemon-not-running', 'none');
      return seen;
    },
  };
  return checkFencing({ ...parsed.config, fencing }, 'primary', client);
}

async function checked(...given: Parameters<typeof looked>) {
  const { findings } = await looked(...given);
  return findings.map(
    ({ level, message, mend }) => `${level}: ${message.replaceAll(/\(\d+(\.\d)? m?s\)/g, '(T)')} | ${mend}`,
  );
}

const elsewhere =
  'info: what secondary has against this node is seen from there: battito check on secondary | null';

test('check asks the devices of the peer, and says where the others are asked', async (t) => {
  const agents = agentsOf(t);
  t.deepEqual(await checked(agents, null), ['ok: bmc-s: secondary is on (T) | null', elsewhere]);
  t.deepEqual(agents.primary.actions(), []);
  agents.secondary.setPower('off');
  t.deepEqual(await checked(agents, null), ['ok: bmc-s: secondary is off (T) | null', elsewhere]);
});

test('check finds a device that has another host, one that does not answer, and one that is slow', async (t) => {
  const agents = agentsOf(t);
  agents.secondary.setPower('off');
  t.regex(
    (await checked(agents, status()))[0] ?? '',
    /^problem: bmc-s says that secondary is off, but secondary is heard: the device has another host/,
  );
  const dead = await checked(agentsOf(t, { secondary: 'exit 1' }), null);
  t.regex(
    dead[0] ?? '',
    /^problem: bmc-s does not tell the power of secondary: .* \| battito fence status secondary {3}# until it tells$/,
  );
  const slow = await checked(agentsOf(t, { secondary: 'sleep 0.6' }), null, (text) =>
    text.replace('fencing:', 'fencing:\n  delay: 1s'),
  );
  t.regex(
    slow[1] ?? '',
    /^warning: the devices need about .* to cut the power, but the delay is 1s: .* \| delay: \ds {3}# under fencing$/,
  );
});

test('check knows whether any level of the devices would do', async (t) => {
  const none = 'no device could switch secondary off now';
  const agents = agentsOf(t);
  t.is((await looked(agents, status())).lacks, null);
  agents.secondary.setPower('off');
  t.is((await looked(agents, status())).lacks, none, 'it has another host');
  t.is((await looked(agentsOf(t, { secondary: 'exit 1' }), null)).lacks, none);
  chmodSync(agents.secondary.program, 0o644);
  t.is((await looked(agents, null)).lacks, none);
});

test('check warns of a secret that an agent hands to a helper as an argument', async (t) => {
  const metadata = join(import.meta.dirname, 'fixtures', 'fence', 'fence_ifmib.xml');
  const agents = agentsOf(t, { secondary: `[ "$1" = -o ] && cat ${metadata} && exit 0` });
  const secrets = join(temporaryDirectory(t), 'secrets');
  writeFileSync(secrets, 'community=hunter2\n', { mode: 0o600 });
  const findings = await checked(agents, null, undefined, (device) =>
    device.name === 'bmc-s' ? { ...device, kind: 'agent', secrets } : device,
  );
  const [warning = '', ...others] = findings.filter((finding) => finding.startsWith('warning'));
  t.deepEqual(others, []);
  t.regex(
    warning,
    /^warning: bmc-s: .* makes community an argument of the program that it starts, which `ps` shows/,
  );
  t.false(findings.join().includes('hunter2'));
});

test('check and drill go by the time that a device really has, and say which timeout would do', async (t) => {
  const short = (text: string) => text.replace('fencing:', 'fencing:\n  delay: 60s\n  timeout: 5s');
  const agents = agentsOf(t, { secondary: 'sleep 2' });
  const [ok, problem = ''] = await checked(agents, null, short);
  t.is((await looked(agents, null, short)).lacks, 'no device could switch secondary off now');
  t.is(ok, 'ok: bmc-s: secondary is on (T) | null');
  t.regex(
    problem,
    /^problem: bmc-s needs about [\d.]+ s to be read, .* of the timeout of 5s it has 1\.6 s and 3\.3 s,/,
  );
  t.regex(problem, / \| timeout: \d+s {3}# under fencing, at least$/);
  const file = fileWith(t, short(configText(agents)));
  const drill = [
    'drill',
    'fence',
    '--config',
    file,
    '--node',
    'primary',
    '--socket',
    '/nonexistent/control.sock',
  ];
  const { exitCode, stdout } = await run(drill, {});
  t.is(exitCode, exitCodes.failed);
  t.regex(stdout, /^bmc-s: unknown: .* did not end in time$/m);
});

test('check finds a script that others may change, or that is none', async (t) => {
  const agents = agentsOf(t);
  chmodSync(agents.secondary.program, 0o775);
  t.regex(
    (await checked(agents, null))[0] ?? '',
    /^problem: bmc-s: others than root may change .* \| chown root: .* && chmod go-w /,
  );
  t.deepEqual(agents.secondary.actions(), [], 'and does not run it');
  chmodSync(agents.secondary.program, 0o644);
  t.regex((await checked(agents, null))[0] ?? '', /is not a program \| chmod 0755 /);
  const gone = await checked(agents, null, (text) =>
    text.replace(agents.secondary.program, '/nonexistent/relay'),
  );
  t.regex(gone[0] ?? '', /^problem: bmc-s: there is no \/nonexistent\/relay/);
});
