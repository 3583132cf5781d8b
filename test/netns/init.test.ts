// `battito init` where it is used: on two hosts that have their own names, networks and /srv; what it writes on one is
// brought to the other by the very line that it prints, and both daemons start from it. And its questions, at a terminal.

import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { loadConfig } from '../../daemon/config/load.ts';
import type { Status } from '../../daemon/control/api.ts';
import { waitFor } from '../support.ts';
import { type TestNetwork, useNetwork } from './support/cluster.ts';
import { floatingAddress, gatewayAddress, type HostName, hostNames } from './support/hosts.ts';
import type { HostProcess } from './support/processes.ts';

const repository = join(import.meta.dirname, '../..');
const config = '/srv/battito/battito.yaml';
const timeoutMs = 120_000;

/** Each host has a name and a /srv of its own, in which it keeps all that Battito reads and writes. */
class Site {
  readonly network: TestNetwork;
  readonly #bin: string;

  private constructor(network: TestNetwork) {
    this.network = network;
    this.#bin = join(network.root, 'bin');
  }

  static async open(t: ExecutionContext): Promise<Site> {
    const network = await useNetwork(t);
    const site = new Site(network);
    await mkdir(site.#bin);
    await site.#tool('battito', [
      `exec ${repository}/scripts/battito --config ${config} --state-dir /srv/state --socket /srv/run/control.sock "$@"`,
    ]);
    // The network is real; what lies behind it, sshd and its keys, is not the matter here.
    await site.#tool('ssh', [
      'test "$1" = root@192.168.1.3',
      'ping -c 1 -W 10 192.168.1.3 >/dev/null',
      'shift',
      `exec ip netns exec ${network.namespace('secondary')} ${site.#bin}/enter secondary sh -c "$*"`,
    ]);
    await site.#tool('scp', [
      'test "$1" = -p && shift',
      'for last; do :; done',
      'test "$last" = root@192.168.1.3:/srv/battito/',
      'ping -c 1 -W 10 192.168.1.3 >/dev/null',
      `while [ $# -gt 1 ]; do cp -p "$1" ${site.path('secondary', 'battito')}/ && shift; done`,
    ]);
    await site.#tool('enter', [
      'host=$1 && shift',
      `exec unshare --uts --mount sh -c 'hostname "$1" && mount --bind "$2" /srv && shift 2 && exec "$@"' sh "$host" ${network.root}/$host/srv "$@"`,
    ]);
    for (const host of hostNames) {
      await mkdir(site.path(host, 'run'), { recursive: true });
      const added = await network.run(host, ['ip', 'route', 'add', 'default', 'via', gatewayAddress]);
      if (added.exitCode !== 0) throw new Error(added.stderr);
    }
    // As the package does it.
    await mkdir(site.path('secondary', 'battito'));
    return site;
  }

  async #tool(name: string, lines: readonly string[]): Promise<void> {
    const file = join(this.#bin, name);
    await writeFile(file, `#!/bin/sh\nset -eu\n${lines.join('\n')}\n`);
    await chmod(file, 0o755);
  }

  /** What a host has as /srv/NAME. */
  path(host: HostName, name: string): string {
    return join(this.network.root, host, 'srv', name);
  }

  #argv(host: HostName, argv: readonly string[]): readonly string[] {
    return ['env', `PATH=${this.#bin}:${process.env['PATH']}`, join(this.#bin, 'enter'), host, ...argv];
  }

  run(host: HostName, ...argv: string[]) {
    return this.network.run(host, this.#argv(host, argv), { timeoutMs });
  }

  spawn(host: HostName, ...argv: string[]): HostProcess {
    return this.network.spawnOn(host, this.#argv(host, argv));
  }

  async status(host: HostName): Promise<Status> {
    const { stdout } = await this.run(host, 'battito', 'status', '--json');
    return JSON.parse(stdout) as Status;
  }
}

const peer = ['--peer', 'secondary', '--peer-address', '192.168.1.3'];

test('init on one host, the line that it prints, both daemons: the first takeover', async (t) => {
  const site = await Site.open(t);
  const { network } = site;
  const dry = await site.run(
    'primary',
    'battito',
    'init',
    '--yes',
    ...peer,
    '--address',
    floatingAddress,
    '--dry-run',
  );
  t.is(dry.exitCode, 0, dry.stderr);
  t.deepEqual(await readdir(site.path('primary', '')), ['run'], 'a dry run leaves nothing');

  const made = await site.run('primary', 'battito', 'init', '--yes', ...peer, '--address', floatingAddress);
  t.is(made.exitCode, 0, made.stderr);
  t.is(await readFile(site.path('primary', 'battito/battito.yaml'), 'utf8'), dry.stdout, 'what was shown');
  t.is((await stat(site.path('primary', 'battito/key'))).mode & 0o777, 0o600);
  const written = loadConfig(site.path('primary', 'battito/battito.yaml'));
  t.deepEqual(
    written.heartbeat.links.map(({ interface: name, mode }) => `${name} ${mode}`),
    ['eth1 broadcast', 'eth0 unicast'],
    'the segment and the LAN were told apart',
  );
  t.deepEqual(written.connectivity.ping, [gatewayAddress]);

  const line = /^ +(scp .*)$/m.exec(made.stdout)?.[1] ?? '';
  t.regex(
    line,
    /^scp -p \/srv\/battito\/battito\.yaml \/srv\/battito\/key root@192\.168\.1\.3:\/srv\/battito\/ && ssh /,
  );
  const brought = await site.run('primary', 'sh', '-c', line);
  t.is(brought.exitCode, 0, `${brought.stdout}\n${brought.stderr}`);
  t.regex(brought.stdout, /secondary has its address 192\.168\.1\.3/, 'it was checked there');
  t.is((await stat(site.path('secondary', 'battito/key'))).mode & 0o777, 0o600);
  const check = await site.run('primary', 'battito', 'check');
  t.is(check.exitCode, 0, check.stdout);

  for (const host of hostNames) site.spawn(host, 'battito', 'daemon');
  const runsOn = async (host: HostName) => {
    await waitFor(
      `office runs on ${host}`,
      async () => {
        const { groups } = await site.status(host);
        return groups[0]?.phase === 'active' && groups[0].runsOn === host;
      },
      { timeoutMs, intervalMs: 500 },
    );
    t.deepEqual(await network.addressHolders(floatingAddress), [host]);
  };
  await runsOn('primary');
  await waitFor(
    'both are fresh to each other',
    async () => {
      const { verdict, groups } = await site.status('secondary');
      return verdict.kind === 'alive' && groups[0]?.phase === 'stopped';
    },
    { timeoutMs, intervalMs: 500 },
  );
  await network.powerLoss('primary');
  await runsOn('secondary');
  const answer = await network.run('client', ['ping', '-c', '1', '-W', '10', floatingAddress]);
  t.is(answer.exitCode, 0, answer.stdout);

  const again = await site.run('secondary', 'battito', 'init', '--yes', '--address', floatingAddress);
  t.is(again.exitCode, 1);
  t.regex(again.stderr, /battito\.yaml is there already; it was not touched/);
});

/** A terminal with `battito init`, and hands that type only what is asked for. */
class Terminal {
  readonly #process: HostProcess;
  #read = 0;

  constructor(site: Site, ...words: string[]) {
    const line = ['battito', 'init', ...words].join(' ');
    this.#process = site.spawn('primary', 'script', '--quiet', '--return', '--command', line, '/dev/null');
  }

  /** Without what moves the cursor. */
  get text(): string {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: those of a terminal.
    return this.#process.stdoutText().replaceAll(/\u001b\[[0-9;?]*[A-Za-z]/g, '');
  }

  async shows(question: string): Promise<void> {
    await waitFor(
      `the terminal shows ${question}`,
      () => {
        const found = this.text.indexOf(question, this.#read);
        if (found < 0) throw new Error(this.text.slice(this.#read));
        this.#read = found + question.length;
        return true;
      },
      { timeoutMs },
    );
  }

  type(keys: string): void {
    this.#process.child.stdin?.write(keys);
  }

  async answer(question: string, keys: string): Promise<void> {
    await this.shows(question);
    this.type(keys);
  }

  get exited() {
    return this.#process.exited;
  }
}

const enter = '\r';

test('at a terminal: questions with what was found in brackets, a bad answer told, and the files at the end', async (t) => {
  const site = await Site.open(t);
  const terminal = new Terminal(site);
  await terminal.shows('Found on primary');
  await terminal.answer('Name of the other host, as `hostname -s` says there: ', `primary${enter}`);
  await terminal.shows('primary is this host');
  await terminal.answer('Name of the other host', `secondary${enter}`);
  await terminal.answer('Address of secondary on the LAN: ', `192.168.1.3${enter}`);
  await terminal.answer('Floating address, which clients use: ', `${gatewayAddress}${enter}`);
  await terminal.shows(`${gatewayAddress} is the gateway`);
  await terminal.answer('Floating address, which clients use: ', `${floatingAddress}${enter}`);
  await terminal.answer('Where it all runs when both hosts could run it [primary]: ', enter);
  await terminal.shows('Planned');
  t.deepEqual(await readdir(site.path('primary', '')), ['run'], 'nothing is written before the last answer');
  await terminal.answer('[yes]: ', enter);
  t.is((await terminal.exited).exitCode, 0, terminal.text);
  const written = loadConfig(site.path('primary', 'battito/battito.yaml'));
  t.deepEqual(
    written.nodes.map(({ name, address }) => `${name} ${address}`),
    ['primary 192.168.1.2', 'secondary 192.168.1.3'],
  );
  t.is((await stat(site.path('primary', 'battito/key'))).mode & 0o777, 0o600);
});

for (const [name, key] of [
  ['Ctrl-C', '\u0003'],
  ['the end of the input (Ctrl-D)', '\u0004'],
] as const) {
  test(`${name} at a question, and at the last one, leaves nothing`, async (t) => {
    const site = await Site.open(t);
    const first = new Terminal(site);
    await first.answer('Name of the other host', key);
    t.is((await first.exited).exitCode, 1, first.text);
    t.true(first.text.includes('stopped before the end; nothing was written'), first.text);
    const last = new Terminal(site, ...peer, '--address', floatingAddress, '--preferred', 'secondary');
    await last.answer('[yes]: ', key);
    t.is((await last.exited).exitCode, 1, last.text);
    t.true(last.text.includes('stopped before the end; nothing was written'), last.text);
    t.deepEqual(await readdir(site.path('primary', '')), ['run']);
  });
}
