// One fencing device: what its agent is told and where, what its answers mean, and that it never outlives its deadline.

import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { createFenceDevice } from '../../daemon/drivers/fence/device.ts';
import { withoutSecretsInArgv } from '../../daemon/drivers/fence/ipmitool.ts';
import { hideSecrets, readDeviceSecrets, readSecrets } from '../../daemon/drivers/fence/secrets.ts';
import { temporaryDirectory, waitFor } from '../support.ts';
import { fakeAgent } from './support/fence-agent.ts';

const patience = () => ({ timeoutMs: 20_000, signal: new AbortController().signal });

function secretsFile(t: ExecutionContext, text = 'password=hunter2 & more\n', mode = 0o600): string {
  const file = join(temporaryDirectory(t), 'secrets');
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

test('options, outlet and secrets go to stdin alone: not to argv, not to the environment', async (t) => {
  const agent = fakeAgent(t);
  const secrets = secretsFile(t);
  const config = { ...agent.config, options: { ip: '10.0.0.11' }, plugs: { alpha: '3' }, secrets };
  t.deepEqual(await createFenceDevice(config, 'alpha').status(patience()), { kind: 'on' });
  const [call = ''] = agent.calls();
  const [argv = '', ...rest] = call.split('\n');
  t.is(argv, 'argv: ');
  const told = rest.slice(-6, -1);
  t.deepEqual(told, ['ip=10.0.0.11', 'password=hunter2 & more', 'plug=3', 'nodename=alpha', 'action=status']);
  t.false(rest.slice(0, -6).join('\n').includes('hunter2'));
  t.false(rest.slice(0, -6).some((line) => line.startsWith('BATTITO')));
});

test('an agent is told each of several outlets by itself, and off is when each of them is', async (t) => {
  const body = `plug=$(printf '%s\\n' "$told" | sed -n 's/^\\(plug\\|port\\)=//p')
case $action in
  off) [ "$plug" = stuck ] || touch "$dir/$plug-off"; exit 0 ;;
  status) [ -e "$dir/$plug-off" ] && echo Status: OFF && exit 2; echo Status: ON; exit 0 ;;
esac`;
  const agent = fakeAgent(t, { body });
  const config = { ...agent.config, kind: 'agent' as const, plugs: { alpha: '1, 2', beta: '1,stuck' } };
  const device = createFenceDevice(config, 'alpha');
  t.is(await device.turn('off', patience()), null);
  t.deepEqual(await device.status(patience()), { kind: 'off' });
  const plugs = () => agent.calls().map((call) => `${/^plug=(.*)$/m.exec(call)?.[1]}`);
  t.deepEqual(plugs(), ['1', '2', '1', '2']);
  const other = createFenceDevice(config, 'beta');
  t.is(await other.turn('off', patience()), null);
  t.deepEqual(await other.status(patience()), { kind: 'on' });
  const port = { ...config, options: { port: '1,2' }, plugs: {} };
  t.deepEqual(await createFenceDevice(port, 'alpha').status(patience()), { kind: 'off' });
  t.deepEqual(
    agent
      .calls()
      .slice(-2)
      .map((call) => /^port=(.*)$/m.exec(call)?.[1]),
    ['1', '2'],
  );
});

test('where no outlet is named none is taken for off', async (t) => {
  const agent = fakeAgent(t);
  const config = { ...agent.config, kind: 'agent' as const, plugs: { alpha: ' , ' } };
  t.deepEqual(await createFenceDevice(config, 'alpha').status(patience()), { kind: 'on' });
});

test('on and off are believed by exit code and word together', async (t) => {
  const agent = fakeAgent(t);
  const device = createFenceDevice(agent.config, 'alpha');
  t.is(await device.turn('off', patience()), null);
  t.deepEqual(await device.status(patience()), { kind: 'off' });
  t.is(await device.turn('on', patience()), null);
  t.deepEqual(await device.status(patience()), { kind: 'on' });
  for (const [body, pattern] of [
    ['exit 2', /exit code 2, which means off, but says: nothing; expected/],
    ['exit 0', /exit code 0, which means on, but says: nothing; expected/],
    ['echo Status: ON; exit 2', /exit code 2/],
    ['echo Status: OFF; exit 0', /exit code 0/],
    ['echo neither ON nor OFF; exit 2', /exit code 2/],
    ['if; fi', /exit code 2, which means off, but says: .*[Ss]yntax error/],
    [
      'echo >&2 "2026-01-01 10:00:00,000 ERROR: Unable to connect/login to fencing device"; exit 1',
      /^Unable to connect.*\(wrong address, user or password/,
    ],
    ['exit 1', /ended with exit code 1/],
    ['kill -9 $$', /was killed/],
  ] as const) {
    const state = await createFenceDevice(fakeAgent(t, { body }).config, 'alpha').status(patience());
    t.is(state.kind, 'unknown', body);
    t.regex(state.kind === 'unknown' ? state.message : '', pattern);
  }
});

test('a program that is not there, or is none, is told with what mends it', async (t) => {
  const agent = fakeAgent(t);
  const missing = { ...agent.config, kind: 'agent' as const, program: 'fence_nothing' };
  t.is(
    await createFenceDevice(missing, 'alpha').turn('off', patience()),
    'fence_nothing is not installed (Debian package fence-agents)',
  );
  chmodSync(agent.program, 0o644);
  t.is(
    await createFenceDevice(agent.config, 'alpha').turn('off', patience()),
    `${agent.program} is not executable`,
  );
});

/** Ended, whether or not somebody has asked how. */
function isGone(pid: string): boolean {
  const file = `/proc/${pid}/stat`;
  try {
    return / [ZX] /.test(readFileSync(file, 'utf8').replace(/^.*\)/, ''));
  } catch {
    return true;
  }
}

/** Starts a child that would switch much later, and that holds the output of its agent open. */
const leavesChild = '(sleep 600; echo late > "$dir/late") & echo $! > "$dir/child"';

test('an agent that hangs is ended by its deadline with all that it has started', async (t) => {
  const agent = fakeAgent(t, { body: `${leavesChild}; sleep 600` });
  const refusal = await createFenceDevice(agent.config, 'alpha').turn('off', {
    ...patience(),
    timeoutMs: 2000,
  });
  t.regex(refusal ?? '', /did not end in time/);
  const child = readFileSync(join(agent.directory, 'child'), 'utf8').trim();
  await waitFor('its child is gone', () => isGone(child));
  t.false(existsSync(join(agent.directory, 'late')));
});

test('what an agent leaves behind is ended with it', async (t) => {
  const agent = fakeAgent(t, { body: leavesChild });
  t.is(await createFenceDevice(agent.config, 'alpha').turn('off', patience()), null);
  const child = readFileSync(join(agent.directory, 'child'), 'utf8').trim();
  await waitFor('its child is gone', () => isGone(child));
  t.false(existsSync(join(agent.directory, 'late')));
});

test('a password for ipmitool goes by its environment, since the agents put it into its argv', (t) => {
  const options = { ip: '10.0.0.11', username: 'b', lanplus: 'true' };
  for (const name of ['password', 'passwd']) {
    t.deepEqual(withoutSecretsInArgv('fence_ipmilan', { ...options, [name]: 'hunter2' }), {
      options: { ...options, ipmitool_timeout: '2 -E' },
      env: { IPMITOOL_PASSWORD: 'hunter2' },
    });
  }
  const patient = withoutSecretsInArgv('fence_idrac', { password: 'hunter2', ipmitool_timeout: '5' });
  t.deepEqual(patient.options, { ipmitool_timeout: '5 -E' });
  const other = { ...options, password: 'hunter2' };
  t.deepEqual(withoutSecretsInArgv('fence_redfish', other), { options: other, env: {} });
  t.deepEqual(withoutSecretsInArgv('fence_ipmilan', options), { options, env: {} });
});

test('a Kg key goes by the environment where that can hold it', (t) => {
  const told = withoutSecretsInArgv('fence_ilo4', { hexadecimal_kg: '4B67206B657900', password: 'hunter2' });
  t.deepEqual(told, {
    options: { ipmitool_timeout: '2 -E -K' },
    env: { IPMITOOL_PASSWORD: 'hunter2', IPMI_KGKEY: 'Kg key' },
  });
  for (const key of ['DEADBEEF01', '4100', '410', '00', '4100420043', '41'.repeat(21), 'word']) {
    const options = { 'hexadecimal-kg': key };
    const isText = key === '4100';
    t.deepEqual(
      withoutSecretsInArgv('fence_ipmilan', options).options,
      isText ? { ipmitool_timeout: '2 -K' } : options,
      key,
    );
  }
});

test('one that is broken off says so, and ends', async (t) => {
  const agent = fakeAgent(t, { body: 'sleep 600' });
  const stop = new AbortController();
  const ended = createFenceDevice(agent.config, 'alpha').status({ timeoutMs: 60_000, signal: stop.signal });
  stop.abort();
  const state = await ended;
  t.regex(state.kind === 'unknown' ? state.message : '', /was broken off/);
});

test('what is secret is taken out of what a device says', async (t) => {
  const body = 'echo "login b with hunter2 & more or hunter2%20%26%20more failed" >&2; exit 1';
  const agent = fakeAgent(t, { body });
  const device = createFenceDevice({ ...agent.config, secrets: secretsFile(t) }, 'alpha');
  t.is(await device.turn('off', patience()), 'login b with *** or *** failed');
  t.is(hideSecrets('a1 b longer', { one: 'a1', two: 'long', three: 'longer' }), 'a1 b ***');
});

test('a file of secrets that others may read, or that is wrong, is refused without a word of it', async (t) => {
  const agent = fakeAgent(t);
  for (const [file, pattern, mend] of [
    [secretsFile(t, undefined, 0o640), /its mode is 0640/, /^chmod 0600 /],
    [secretsFile(t, undefined, 0o604), /its mode is 0604/, /^chmod 0600 /],
    [secretsFile(t, '# x\n\nhunter2\n'), /^line 3 of .* is not name=value$/, /^edit line 3 /],
    [
      secretsFile(t, 'password=hunter2\npassword=hunter3'),
      /^line 2 of .* gives password a second time$/,
      /^edit/,
    ],
    [secretsFile(t, `password=hunter2${'x'.repeat(20_000)}`), /larger than/, /^ls/],
    [
      secretsFile(t, 'password=hunter2\ndebug-file=/tmp/hunter'),
      /^line 2 of .* gives debug-file; expected no such option: the agent would write down what is secret$/,
      /^take line 2 out of \//,
    ],
    ['/nonexistent/secrets', /^there is no /, /^install -m 0600 /],
    ['/dev', /is not a file/, /^ls -ld/],
  ] as const) {
    const secrets = readDeviceSecrets({ ...agent.config, secrets: file });
    if (secrets.kind !== 'unusable') return t.fail(file);
    t.regex(secrets.message, pattern);
    t.regex(secrets.mend, mend);
    t.false(`${secrets.message}${secrets.mend}`.includes('hunter'));
    const device = createFenceDevice({ ...agent.config, secrets: file }, 'alpha');
    t.is(await device.turn('off', patience()), secrets.message);
  }
  t.deepEqual(agent.calls(), [], 'and no agent is started');
});

test('a password may have whatever a line may have', (t) => {
  const file = secretsFile(t, '  # comment\r\npassword= a=b "c" #d\n\nusername=x\n');
  t.deepEqual(readSecrets(file), { kind: 'read', options: { password: ' a=b "c" #d', username: 'x' } });
});

test('what may not stand in options may not stand among the secrets of a device either; elsewhere it is a name', (t) => {
  const { config } = fakeAgent(t);
  for (const name of ['verbose', 'delay', 'missing_as_off', 'plug', 'port', 'plug_separator']) {
    const file = secretsFile(t, `password=hunter2\n${name}=1\n`);
    const secrets = readDeviceSecrets({ ...config, secrets: file });
    const message = secrets.kind === 'unusable' ? secrets.message : '';
    t.true(message.startsWith(`line 2 of ${file} gives ${name}; expected `), name);
    t.is(readSecrets(file).kind, 'read', name);
  }
  const file = secretsFile(t, 'password_script=/etc/word\n');
  t.is(readDeviceSecrets({ ...config, program: 'fence_apc', secrets: file }).kind, 'read');
  const ipmi = readDeviceSecrets({ ...config, program: 'fence_imm', secrets: file });
  t.regex(
    ipmi.kind === 'unusable' ? ipmi.message : '',
    /a script prints would stand in the arguments of ipmitool$/,
  );
});

test('a path with a blank is quoted in the command that mends it', (t) => {
  const file = join(temporaryDirectory(t), 'my secrets');
  const mend = () => {
    const secrets = readSecrets(file);
    return secrets.kind === 'unusable' ? secrets.mend : '';
  };
  t.true(mend().startsWith(`install -m 0600 /dev/null '${file}' `));
  writeFileSync(file, 'password=x\n');
  chmodSync(file, 0o644);
  t.is(mend(), `chmod 0600 '${file}'`);
});

test('a script that others may change is not run', async (t) => {
  const agent = fakeAgent(t);
  chmodSync(agent.program, 0o757);
  const device = createFenceDevice(agent.config, 'alpha');
  const message = `others than root may change ${agent.program}`;
  t.deepEqual(await device.status(patience()), { kind: 'unknown', message });
  t.is(await device.turn('off', patience()), message);
  t.deepEqual(agent.calls(), []);
});

test('of a long line only the beginning is told', async (t) => {
  const body = 'head -c 300000 /dev/zero | tr "\\0" x >&2; echo >&2; echo short; exit 1';
  const refusal = await createFenceDevice(fakeAgent(t, { body }).config, 'alpha').turn('off', patience());
  t.is(refusal, `${'x'.repeat(200)}…; short`);
});
