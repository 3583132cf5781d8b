// `battito check` and `battito keygen` on real files: what is missing is found, named, and its remedy given.

import { appendFileSync, chmodSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Finding } from '../../daemon/cli/check/finding.ts';
import { checkMachine, type Machine } from '../../daemon/cli/check/machine.ts';
import { parseConfig } from '../../daemon/config/load.ts';
import { exitCodes } from '../../daemon/errors.ts';
import { textDigest } from '../../daemon/runtime/definitions/content.ts';
import { explanationOf } from '../../daemon/why/explanations.ts';
import { temporaryDirectory } from '../support.ts';
import { scriptedDaemon } from './fixtures/cli/server.ts';
import { status } from './fixtures/cli/statuses.ts';
import { run } from './fixtures/cli/terminal.ts';
import { domain, uuidOf } from './support/definitions.ts';

interface Office {
  readonly directory: string;
  readonly config: string;
  readonly key: string;
  readonly disk: string;
  /** Options for a command on the node `primary`, with no daemon. */
  readonly options: readonly string[];
}

/** A configuration for this machine's loopback interface, in a directory of its own. */
function office(t: ExecutionContext, change: (text: string) => string = (text) => text): Office {
  const directory = temporaryDirectory(t);
  const [config, key, disk] = ['battito.yaml', 'key', 'mail.raw'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(disk, '');
  const text = `
cluster: office
nodes:
  primary: { address: 127.0.0.1 }
  secondary: { address: 127.0.0.2 }
heartbeat:
  key-file: ${key}
  links:
    - { interface: lo, mode: unicast, port: 6940 }
    - { interface: missing0 }
connectivity:
  ping: [192.0.2.254]
groups:
  office:
    preferred: primary
    addresses: [192.0.2.1/24 dev missing0]
    guests:
      - { name: mail, driver: qemu, memory: 64M, accel: tcg, disk: ${disk} }
      - name: web
        driver: qemu
        memory: 64M
        accel: tcg
        disk: ${directory}/web.raw
        network: { bridge: missingbr0, mac: "52:54:00:12:34:56" }
`;
  writeFileSync(config, change(text));
  const socket = join(directory, 'control.sock');
  return {
    directory,
    config,
    key,
    disk,
    options: ['--config', config, '--node', 'primary', '--socket', socket],
  };
}

async function findingsOf(words: readonly string[]) {
  const { exitCode, stdout } = await run(['check', '--json', ...words]);
  const result = JSON.parse(stdout) as { problems: number; warnings: number; findings: Finding[] };
  const at = (area: string, level: string) =>
    result.findings.filter((finding) => finding.area === area && finding.level === level);
  return { exitCode, ...result, at };
}

test('Everything that is missing on this machine is found, each with what mends it', async (t) => {
  const { options, key, directory } = office(t);
  await run(['keygen', '--key-file', key]);
  const { exitCode, at, problems } = await findingsOf(options);
  t.is(exitCode, exitCodes.failed);
  t.is(at('key', 'ok').length, 1);
  t.deepEqual(at('this node', 'problem'), []);
  t.is(at('heartbeat links', 'ok').length, 1);
  t.deepEqual(
    at('heartbeat links', 'problem').map(({ message }) => message),
    ['missing0 (broadcast, UDP 694): interface missing0 does not exist'],
  );
  t.is(at('floating addresses', 'problem').length, 1);
  t.deepEqual(
    at('guests', 'problem').map(({ message, mend }) => [message, mend?.split('   ')[0]]),
    [
      [`web: ${directory}/web.raw does not exist`, `ls -lL ${directory}/web.raw`],
      ['web: there is no bridge missingbr0', 'ip link add missingbr0 type bridge'],
    ],
  );
  t.deepEqual(
    at('guests', 'ok').map(({ message }) => message.split(':')[0]),
    ['mail'],
  );
  t.regex(at('daemon', 'warning')[0]?.message ?? '', /^no daemon answers at /);
  t.is(problems, [...at('programs', 'problem')].length + 4);
});

test('Each finding that wants something has a code, in the text and in JSON, which battito why explains', async (t) => {
  const { options } = office(t);
  const { findings } = await findingsOf(options);
  const coded = findings.filter(({ level }) => level === 'problem' || level === 'warning');
  t.true(coded.length >= 6);
  const { stdout } = await run(['check', ...options]);
  for (const { code, message } of coded) {
    t.truthy(code === null ? undefined : explanationOf(code), message);
    t.true(stdout.includes(`\n             why:  battito why ${code}\n`), message);
    t.is((await run(['why', code ?? ''])).exitCode, exitCodes.ok, message);
  }
  const codes = coded.map(({ code }) => code);
  for (const code of [
    'key-file-missing',
    'interface-missing',
    'guest-disk-missing',
    'bridge-missing',
    'daemon-not-running',
  ])
    t.true(codes.includes(code), code);
  for (const { level, code } of findings) if (level === 'ok' || level === 'info') t.is(code, null);
});

test('The text ends with the count, and every problem has its remedy below it', async (t) => {
  const { options } = office(t);
  const { stdout, exitCode } = await run(['check', ...options]);
  t.is(exitCode, exitCodes.config);
  t.regex(stdout, /\nkey\n {2}PROBLEM {2}\S+\/key: no such key file\n +mend: .*battito keygen/);
  t.regex(
    stdout,
    /\n5 problems, 1 warning, 1 of them in the way of a takeover\n\nreadiness of primary alone: 0 of 100, NOT READY: .*\n {2}-30 {2}key: /,
  );
});

test('Every problem of the configuration is a finding of its own, exit code 78', async (t) => {
  const { options, config } = office(t, (text) =>
    text.replace('preferred: primary', 'preferd: primary').replace('memory: 64M', 'memory: lots'),
  );
  const { exitCode, at, findings } = await findingsOf(options);
  t.is(exitCode, exitCodes.config);
  t.true(at('configuration', 'problem').length >= 3);
  t.is(findings.length, at('configuration', 'problem').length);
  t.true(findings.some(({ message }) => message.includes('did you mean "preferred"?')));
  t.true(findings.every(({ message }) => message.startsWith(`${config}:`)));
});

test('A configuration that is not there is one problem, exit code 78', async (t) => {
  const { exitCode, findings } = await findingsOf(['--config', join(temporaryDirectory(t), 'none.yaml')]);
  t.is(exitCode, exitCodes.config);
  t.is(findings.length, 1);
  t.true(findings[0]?.message.includes('there is no such file'));
});

test('A key file that others may read is a problem, exit code 78', async (t) => {
  const { options, key } = office(t);
  await run(['keygen', '--key-file', key]);
  chmodSync(key, 0o644);
  const { exitCode, at } = await findingsOf(options);
  t.is(exitCode, exitCodes.config);
  t.is(at('key', 'problem')[0]?.mend, `chmod 600 '${key}'`);
});

test('A host that is neither of the nodes is told their names', async (t) => {
  const { options } = office(t);
  const { at } = await findingsOf([...options, '--node', 'tertiary']);
  t.is(
    at('this node', 'problem')[0]?.message,
    'this node would be "tertiary", but the nodes are primary and secondary',
  );
});

test('Programs that are missing come with the package that has them', (t) => {
  const { config: path } = office(t);
  const parsed = parseConfig(
    `
cluster: office
nodes: { primary: { address: 192.0.2.2 }, secondary: { address: 192.0.2.3 } }
heartbeat: { links: [{ interface: eth1 }] }
groups: { office: { preferred: primary, addresses: ["2001:db8::1/64 dev eth0"] } }
`,
    path,
  );
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const machine: Machine = {
    isRoot: false,
    addresses: ['192.0.2.2'],
    hasProgram: (name) => name === 'ip',
    interfaceView: (name) => ({ kind: 'unusable', reason: `no carrier on ${name}` }),
  };
  const findings = checkMachine(parsed.config, 'primary', machine);
  const told = (area: string) =>
    findings
      .filter((finding) => finding.area === area)
      .map(({ level, mend }) => [level, mend?.split('   ')[0] ?? null]);
  t.deepEqual(told('programs'), [
    ['ok', null],
    ['problem', 'apt-get install iputils-arping'],
    ['problem', 'apt-get install iputils-ping'],
    ['warning', 'apt-get install libndp-tools'],
  ]);
  t.deepEqual(told('this node'), [
    ['ok', null],
    ['warning', 'sudo battito check'],
  ]);
  t.deepEqual(told('heartbeat links'), [
    ['warning', 'ip link set dev eth1 up'],
    ['warning', 'add a link on another interface under heartbeat.links'],
    ['warning', 'run the daemon as root, as its systemd unit does: systemctl start battito'],
  ]);
  t.deepEqual(told('floating addresses'), [
    ['warning', 'ip link set dev eth0 up'],
    ['warning', 'ping: [192.168.1.254]'],
  ]);
});

test('Nothing to ping is warned of, with the line to add', (t) => {
  const told = (ping: string) => {
    const parsed = parseConfig(
      `
cluster: office
nodes: { primary: { address: 192.0.2.2 }, secondary: { address: 192.0.2.3 } }
heartbeat: { links: [{ interface: eth1 }] }
connectivity: { ping: [${ping}] }
groups: { office: { preferred: primary, addresses: [192.0.2.1/24 dev br0] } }
`,
      'battito.yaml',
    );
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    const machine: Machine = {
      isRoot: true,
      addresses: ['192.0.2.2'],
      hasProgram: () => true,
      interfaceView: () => ({ kind: 'usable', index: '2', addresses: [] }),
    };
    return checkMachine(parsed.config, 'primary', machine)
      .filter(({ area, level }) => area === 'floating addresses' && level === 'warning')
      .map(({ message, mend }) => `${message} | ${mend}`);
  };
  t.deepEqual(told(''), [
    'nothing to ping: this node cannot well tell "I am cut off" from "the peer is dead" | ping: [192.168.1.254]   # under `connectivity`, with your gateway: ip route show default',
  ]);
  t.deepEqual(told('192.0.2.254'), []);
});

test('A running daemon tells whether both nodes agree and what it cannot ask', async (t) => {
  const { options, key } = office(t);
  await run(['keygen', '--key-file', key]);
  const differing = status({
    peer: { ...status().peer, configDigest: 'other', software: '0.2.0' },
    probes: [{ target: 'gateway 192.0.2.254', kind: 'gateway', last: 'failed' }],
  });
  const daemon = await scriptedDaemon(t, { statuses: [differing] });
  const { at } = await findingsOf([...options, '--socket', daemon.socketPath]);
  t.deepEqual(
    at('daemon', 'problem').map(({ message }) => message),
    ['primary and secondary have different configurations'],
  );
  t.deepEqual(
    at('daemon', 'warning').map(({ message }) => message),
    [
      'the daemon runs with another configuration than this file',
      'primary runs battito 0.1.0, secondary runs 0.2.0',
      'gateway 192.0.2.254 could not be asked',
    ],
  );
  t.true(at('guarantee', 'info').some(({ message }) => message.includes('what is left')));
});

test('A configuration with libvirt domains has them checked, by the stored definitions where libvirt is not there', async (t) => {
  const { options, key, directory } = office(t, (text) =>
    text.replace(/ {4}guests:[\s\S]*$/, '    guests: [files, web]\n'),
  );
  appendFileSync(options[1] ?? '', `libvirt: { uri: "qemu+unix:///system?socket=${directory}/none" }\n`);
  const store = join(directory, 'definitions');
  const xml = domain('web', 512);
  mkdirSync(store);
  writeFileSync(join(store, 'web.xml'), xml);
  writeFileSync(
    join(store, `${uuidOf('web')}.json`),
    JSON.stringify({ versions: [{ name: 'web', group: 'office', textDigest: textDigest(xml) }] }),
  );
  await run(['keygen', '--key-file', key]);
  const { exitCode, at } = await findingsOf([...options, '--state-dir', directory]);
  t.is(exitCode, exitCodes.failed);
  t.regex(
    at('libvirt', 'problem')[0]?.message ?? '',
    /^nobody answers for qemu\+unix:\S+: libvirtd does not run/,
  );
  t.regex(at('guests', 'info')[0]?.message ?? '', /^files: secondary has sent no definition of it/);
  t.regex(at('guests', 'warning')[0]?.message ?? '', /^web: office has no storage of its own/);
  t.regex(at('memory', 'ok')[0]?.message ?? '', /^all 2 guests take 594 MiB of the \d+ MiB/);
  t.regex(at('memory', 'info')[0]?.message ?? '', /^what files takes of it is not known/);
});

test('Warnings alone leave the exit code at 0', async (t) => {
  const { options, key } = office(t, (text) =>
    text
      .replace('    - { interface: missing0 }\n', '')
      .replace('dev missing0', 'dev lo')
      .replace(/ {6}- name: web[\s\S]*$/, ''),
  );
  await run(['keygen', '--key-file', key]);
  const { exitCode, problems, warnings, at } = await findingsOf(options);
  t.is(problems, at('programs', 'problem').length);
  t.true(warnings > 0);
  t.is(exitCode, problems === 0 ? exitCodes.ok : exitCodes.failed);
});

test('keygen makes the file of the configuration and gives the command that copies it', async (t) => {
  const { options, key } = office(t);
  const { exitCode, stdout } = await run(['keygen', ...options]);
  t.is(exitCode, 0);
  t.is(statSync(key).mode & 0o777, 0o600);
  t.true(stdout.startsWith(`${key}: a new key, mode 0600\n`));
  t.true(stdout.includes(`\n     scp -p ${key} root@127.0.0.2:${key}\n`));
  t.true(stdout.includes('\n     battito check && systemctl enable --now battito\n'));
  t.false(/battito-key-1:/.test(stdout));
});

test('keygen leaves a key that exists as it is', async (t) => {
  const { options } = office(t);
  await run(['keygen', ...options]);
  const { exitCode, stderr } = await run(['keygen', ...options]);
  t.is(exitCode, exitCodes.failed);
  t.true(stderr.includes('already exists and is left as it is'));
  t.regex(stderr, /next: .*: battito keygen --stage;/);
});

test('keygen with --key-file needs no configuration', async (t) => {
  const key = join(temporaryDirectory(t), "it's a key");
  const { exitCode, stdout } = await run([
    'keygen',
    '--json',
    '--key-file',
    key,
    '--config',
    '/nowhere/battito.yaml',
  ]);
  t.is(exitCode, 0);
  t.true(existsSync(key));
  const quoted = `'${key.replace("'", `'\\''`)}'`;
  t.is(JSON.parse(stdout).next[0], `scp -p ${quoted} root@OTHER-NODE:${quoted}`);
});

test('A change of keys goes in three steps, each of which names the next', async (t) => {
  const { options } = office(t);
  await run(['keygen', ...options]);
  const early = await run(['keygen', '--activate', ...options]);
  t.is(early.exitCode, exitCodes.failed);
  t.regex(early.stderr, /next: battito keygen --stage, then copy the file/);
  const nexts: string[] = [];
  for (const step of ['--stage', '--activate', '--retire']) {
    const { exitCode, stdout } = await run(['keygen', step, '--json', ...options]);
    t.is(exitCode, 0, step);
    nexts.push(JSON.parse(stdout).next.at(-1));
  }
  t.deepEqual(nexts.slice(0, 2), ['battito keygen --activate', 'battito keygen --retire']);
  t.regex(nexts[2] ?? '', /^systemctl reload battito;/);
});
