// Runbooks as an operator runs them when the daemon cannot be had: in dash, with no runtime to be found, on hosts with
// real addresses, real guests and a peer that has really lost its power.

import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { waitFor } from '../support.ts';
import { floatingAddress, type HostName, hostNames } from './support/hosts.ts';
import { guests, type Office, useOffice } from './support/office.ts';

/** What a script may call here; there is no node among it. */
const tools = [
  ...[
    'arping',
    'awk',
    'basename',
    'cat',
    'dash',
    'dirname',
    'flock',
    'grep',
    'head',
    'id',
    'ip',
    'logger',
    'mkdir',
  ],
  ...['pgrep', 'ping', 'qemu-system-x86_64', 'rm', 'sed', 'sleep', 'sort', 'sysctl', 'tail', 'timeout', 'tr'],
];

const scriptOf = (office: Office, host: HostName, kind: string) =>
  join(office.network.hosts[host].stateDir, 'runbook', `${kind}.sh`);

async function toolsOf(office: Office): Promise<string> {
  const bin = join(office.network.root, 'tools');
  await mkdir(bin, { recursive: true });
  for (const tool of tools) {
    const from = ['/usr/bin', '/usr/sbin', '/bin', '/sbin'].map((directory) => join(directory, tool));
    const [found] = (
      await Promise.all(
        from.map((file) =>
          readFile(file).then(
            () => [file],
            () => [],
          ),
        ),
      )
    ).flat();
    if (found === undefined) throw new Error(`this machine has no ${tool}`);
    await symlink(found, join(bin, tool)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
  return bin;
}

/** The script of a host, there, with `input` as what the operator types. The script's own PATH is cut to the tools. */
async function runbook(office: Office, host: HostName, kind: string, words: readonly string[], input = '') {
  const bin = await toolsOf(office);
  const file = join(office.network.root, `${host}-${kind}.sh`);
  const text = await readFile(scriptOf(office, host, kind), 'utf8');
  const cut = text.replace(/^PATH=.*$/m, `PATH=${bin}`);
  if (cut === text) throw new Error('the script does not set its PATH');
  await writeFile(file, cut);
  await writeFile(`${file}.input`, input);
  const line = 'exec dash "$0" "$@" <"$0.input" 2>&1';
  return office.network.run(host, ['env', '-i', `PATH=${bin}`, '/bin/sh', '-c', line, file, ...words], {
    timeoutMs: 180_000,
  });
}

/** Everything that a run could have changed. */
async function sights(office: Office, host: HostName) {
  const { stateDir, runDir } = office.network.hosts[host];
  const { stdout } = await office.network.run(host, ['ip', '-o', 'address', 'show']);
  return {
    // Less what the kernel changes by itself: lifetimes, and that it has found nobody else with an address.
    addresses: stdout.replaceAll(/(valid|preferred)_lft \w+|tentative */g, ''),
    links: (await office.network.run(host, ['ip', '-o', '-br', 'link'])).stdout,
    state: (await readdir(stateDir, { recursive: true })).sort(),
    run: (await readdir(runDir, { recursive: true })).sort(),
    guests: await Promise.all(guests.map((guest) => office.guestPid(host, guest))),
  };
}

const stopDaemon = async (office: Office, host: HostName) => {
  office.daemon(host).signal('SIGKILL');
  await office.daemon(host).exited;
};

test('a dead peer is taken over from by hand, again without harm, and the daemon then adopts what runs', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  const { network } = office;

  const early = await runbook(office, 'secondary', 'takeover', ['--yes'], 'primary\n');
  t.is(early.exitCode, 1, early.stdout);
  t.regex(early.stdout, /STOP: the daemon of Battito runs here.*\nnext: .*battito takeover/);
  t.is(await office.guestPid('secondary', 'mail'), null);

  await stopDaemon(office, 'secondary');
  const alive = await runbook(office, 'secondary', 'takeover', ['--yes'], 'primary\n');
  t.is(alive.exitCode, 1, alive.stdout);
  t.regex(alive.stdout, /STOP: primary answers at 192\.168\.1\.2/);

  await network.powerLoss('primary');
  const before = await sights(office, 'secondary');
  const dry = await runbook(office, 'secondary', 'takeover', ['--dry-run']);
  t.is(dry.exitCode, 0, dry.stdout);
  t.regex(dry.stdout, /^\+ ip address add 192\.168\.1\.1\/24 dev eth0$/m);
  t.deepEqual(await sights(office, 'secondary'), before);

  const unsaid = await runbook(office, 'secondary', 'takeover', ['--yes'], 'y\n');
  t.is(unsaid.exitCode, 1);
  t.regex(unsaid.stdout, /nobody has said that primary is off/);
  t.deepEqual(await network.addressHolders(floatingAddress), []);

  const taken = await runbook(office, 'secondary', 'takeover', [], 'primary\ny\n');
  t.is(taken.exitCode, 0, taken.stdout);
  t.deepEqual(await network.addressHolders(floatingAddress), ['secondary']);
  for (const guest of guests) await office.counts(guest);
  const pids = await Promise.all(guests.map((guest) => office.guestPid('secondary', guest)));
  t.false(pids.includes(null));

  const again = await runbook(office, 'secondary', 'takeover', ['--yes'], 'primary\n');
  t.is(again.exitCode, 0, again.stdout);
  t.deepEqual(await Promise.all(guests.map((guest) => office.guestPid('secondary', guest))), pids);

  const down = await runbook(office, 'secondary', 'standby', ['--yes']);
  t.is(down.exitCode, 1, down.stdout);
  t.regex(down.stdout, /STOP: socat is missing, so mail cannot be told to shut down/);
  t.deepEqual(
    await network.addressHolders(floatingAddress),
    ['secondary'],
    'it is said before anything goes',
  );

  await office.startDaemon('secondary');
  await office.waitForPhase('secondary', 'active');
  await office.waitForVerdict('secondary', 'dead');
  t.deepEqual(await Promise.all(guests.map((guest) => office.guestPid('secondary', guest))), pids);
  t.deepEqual(await network.addressHolders(floatingAddress), ['secondary']);

  // The peer comes back, hears who has the work, and starts nothing.
  await network.powerOn('primary');
  await office.startDaemon('primary');
  await office.settled('secondary');
  t.deepEqual(await Promise.all(guests.map((guest) => office.guestPid('secondary', guest))), pids);
  t.deepEqual(await Promise.all(guests.map((guest) => office.guestPid('primary', guest))), [null, null]);
});

test('the scripts are kept for root alone, are there as soon as the daemon is, and follow the configuration', async (t) => {
  const office = await useOffice(t);
  const file = scriptOf(office, 'primary', 'takeover');
  const text = await waitFor('the runbook is written', () => readFile(file, 'utf8'));
  t.regex(text, /for primary only/);
  const { stdout } = await office.network.run('primary', ['stat', '-c', '%a', file, join(file, '..')]);
  t.is(stdout, '700\n700\n');
  const shown = await office.battito('primary', 'runbook', 'takeover');
  t.is(shown.stdout, text);

  await office.settled('primary');
  const config = await readFile(office.configFile, 'utf8');
  await writeFile(office.configFile, config.replace('- name: web', '- name: web\n        priority: 7'));
  office.daemon('primary').signal('SIGHUP');
  await waitFor('the runbook starts web first', async () => {
    const now = await readFile(file, 'utf8');
    return now.indexOf("'guest web'") < now.indexOf("'guest mail'");
  });
});

test('a handover by hand of what is only an address: standby there, takeover here', async (t) => {
  const groups = `  office: { preferred: primary, addresses: [${floatingAddress}/24 dev eth0, fd00:1::1/64 dev eth0] }\n`;
  const office = await useOffice(t, { groups });
  await office.waitForPhase('primary', 'active');
  await office.waitForPhase('secondary', 'stopped');
  for (const host of hostNames) await stopDaemon(office, host);
  const { network } = office;
  const refused = await runbook(office, 'secondary', 'takeover', ['--from-standby', '--yes'], 'primary\n');
  t.is(refused.exitCode, 1, refused.stdout);
  t.regex(refused.stdout, /STOP: another host answers for 192\.168\.1\.1/);

  const down = await runbook(office, 'primary', 'standby', [], 'y\n');
  t.is(down.exitCode, 0, down.stdout);
  t.deepEqual(await network.addressHolders(floatingAddress), []);
  const own = await network.run('primary', ['ip', '-o', 'address', 'show', 'dev', 'eth0']);
  t.regex(own.stdout, /192\.168\.1\.2\/24/, 'its own address stays');
  const taken = await runbook(office, 'secondary', 'takeover', ['--from-standby'], 'primary\ny\n');
  t.is(taken.exitCode, 0, taken.stdout);
  t.deepEqual(await network.addressHolders(floatingAddress), ['secondary']);
  t.deepEqual(await network.addressHolders('fd00:1::1'), ['secondary']);

  const back = await runbook(office, 'secondary', 'return', ['--yes']);
  t.is(back.exitCode, 0, back.stdout);
  t.regex(back.stdout, /systemctl start battito; it adopts what runs/);
});
