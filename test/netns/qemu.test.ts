// The QEMU driver against real QEMU and the counting guest: what it does when all is well.

import { execFileSync } from 'node:child_process';
import { stat, truncate } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { runCommand } from '../../daemon/drivers/command.ts';
import { tapName } from '../../daemon/drivers/qemu/command.ts';
import { readStoredCount } from '../guest/build.ts';
import {
  assertFailed,
  assertNothingLeft,
  countsOn,
  createHost,
  done,
  isThere,
  onlyPid,
  patienceMs,
  until,
} from './support/qemu-host.ts';

test('a guest that is started counts, and its status goes from down to up', async (t) => {
  const host = await createHost(t);
  const daemon = host.createDaemon();
  t.deepEqual(await daemon.observe(), { kind: 'down' });
  t.deepEqual(await daemon.perform('start'), done);
  t.deepEqual(await daemon.observe(), { kind: 'up' });
  await countsOn(host);
  t.is((await host.lines())[0], 'start 0');
  t.deepEqual(daemon.statuses, ['down', 'up']);
  t.is((await stat(host.paths.directory)).mode & 0o777, 0o700);
});

test('a second start is a no-op', async (t) => {
  const host = await createHost(t);
  const daemon = host.createDaemon();
  t.deepEqual(await daemon.perform('start'), done);
  const pid = await onlyPid(host);
  t.deepEqual(await daemon.perform('start'), done);
  t.is(await onlyPid(host), pid);
});

test('a restarted daemon adopts the running guest and is told when it goes', async (t) => {
  const host = await createHost(t);
  const before = host.createDaemon();
  t.deepEqual(await before.perform('start'), done);
  await before.close();
  const after = host.createDaemon();
  t.deepEqual(await after.observe(), { kind: 'up' });
  t.deepEqual(await after.perform('start'), done);
  await countsOn(host);
  t.is((await host.lines()).filter((line) => line.startsWith('start')).length, 1);
  process.kill(await onlyPid(host), 'SIGKILL');
  await until('down', () => after.statuses.at(-1) === 'down');
  t.deepEqual(after.statuses, ['up', 'down']);
});

test('a frozen guest stops counting, a resumed one goes on', async (t) => {
  const host = await createHost(t);
  const daemon = host.createDaemon();
  await daemon.perform('start');
  await countsOn(host);
  t.deepEqual(await daemon.perform('freeze'), done);
  t.deepEqual(await daemon.perform('freeze'), done);
  const frozen = await host.lines();
  t.deepEqual(await daemon.observe(), { kind: 'paused' });
  await sleep(700);
  t.deepEqual(await host.lines(), frozen);
  t.deepEqual(await daemon.perform('resume'), done);
  await countsOn(host);
  t.deepEqual(await daemon.observe(), { kind: 'up' });
  t.deepEqual(daemon.statuses, ['up', 'paused', 'up']);
});

test('a paused guest is not started over nor continued by a start', async (t) => {
  const host = await createHost(t);
  const daemon = host.createDaemon();
  await daemon.perform('start');
  await daemon.perform('freeze');
  assertFailed(t, await daemon.perform('start'), 'guest-not-running', /paused .*resume or destroy/);
  t.deepEqual(await daemon.observe(), { kind: 'paused' });
  t.deepEqual(await daemon.perform('stop'), done);
  await assertNothingLeft(t, host);
  t.false((await host.lines()).some((line) => line.startsWith('stop')));
});

test('a stopped guest shuts itself down in order, and goes on from its stored count when it is started again', async (t) => {
  const host = await createHost(t);
  const daemon = host.createDaemon();
  await daemon.perform('start');
  await countsOn(host, 3);
  t.deepEqual(await daemon.perform('stop'), done);
  await assertNothingLeft(t, host);
  const stored = await readStoredCount(host.config.disk.file);
  t.true(stored >= 3);
  t.is((await host.lines()).at(-1), `stop ${stored}`);
  t.deepEqual(await daemon.perform('stop'), done);

  t.deepEqual(await daemon.perform('start'), done);
  await countsOn(host);
  const again = (await host.lines()).slice((await host.lines()).indexOf(`stop ${stored}`) + 1);
  t.deepEqual(again.slice(0, 2), [`start ${stored}`, `count ${stored + 1}`]);
});

test('a guest that ignores the power button is switched off when its time is up', async (t) => {
  const host = await createHost(t, { shutdownTimeoutMs: 1500 });
  await truncate(host.config.disk.file, 0);
  await truncate(host.config.disk.file, 1024 * 1024);
  const daemon = host.createDaemon();
  t.deepEqual(await daemon.perform('start'), done);
  t.deepEqual(await daemon.perform('stop'), done);
  await assertNothingLeft(t, host);
});

test('a destroyed guest is gone at once, and what it had shown is on its disk', async (t) => {
  const host = await createHost(t);
  const daemon = host.createDaemon();
  await daemon.perform('start');
  await countsOn(host);
  t.deepEqual(await daemon.perform('destroy'), done);
  await assertNothingLeft(t, host);
  const stored = await readStoredCount(host.config.disk.file);
  const shown = (await host.lines()).at(-1) ?? '';
  t.true([`count ${stored - 1}`, `count ${stored}`].includes(shown), `${shown}, stored ${stored}`);
  t.deepEqual(await daemon.perform('destroy'), done);
  t.deepEqual(await daemon.perform('freeze'), done);
  assertFailed(t, await daemon.perform('resume'), 'guest-not-there', /no process/);
  await until('told that it is down', () => daemon.statuses.at(-1) === 'down');
});

test('a guest that is killed is reported down and starts again over what it left', async (t) => {
  const host = await createHost(t);
  const daemon = host.createDaemon();
  await daemon.perform('start');
  await countsOn(host);
  process.kill(await onlyPid(host), 'SIGKILL');
  await until('down', () => daemon.statuses.at(-1) === 'down');
  t.true(await isThere(host.paths.pidFile));
  t.deepEqual(await daemon.perform('start'), done);
  await countsOn(host);
  const starts = (await host.lines()).filter((line) => line.startsWith('start '));
  t.is(starts.length, 2);
  t.not(starts[1], 'start 0');
});

test('the printed commands are what a shell can run', async (t) => {
  const network = { bridge: 'br0', mac: '52:54:00:12:34:56', model: 'virtio' };
  const host = await createHost(t, { network });
  const daemon = host.createDaemon();
  for (const action of ['start', 'stop', 'destroy', 'freeze', 'resume'] as const) {
    for (const line of daemon.commands(action)) {
      t.notThrows(() => execFileSync('sh', ['-n', '-c', line]), line);
    }
  }
  t.true(daemon.commands('start').some((line) => line.endsWith(' master br0 up')));
});

test('a guest with a network card has its tap on the bridge while it runs, and does not hide that the cable is pulled', async (t) => {
  const namespace = `btqemu${process.pid}`;
  const network = { bridge: 'br0', mac: '52:54:00:12:34:56', model: 'virtio' };
  const host = await createHost(t, { network });
  execFileSync('ip', ['netns', 'add', namespace]);
  t.teardown(() => execFileSync('ip', ['netns', 'del', namespace]));
  const ip = (...argv: readonly string[]) => execFileSync('ip', ['-n', namespace, ...argv]);
  ip('link', 'add', 'br0', 'up', 'type', 'bridge');
  ip('link', 'add', 'eth0', 'master', 'br0', 'up', 'type', 'veth', 'peer', 'name', 'cable');
  ip('link', 'set', 'cable', 'up');
  const child = path.join(import.meta.dirname, 'support', 'qemu-tap-child.ts');
  const input = JSON.stringify({ config: host.config, runDir: host.runDir });
  const argv = ['ip', 'netns', 'exec', namespace, process.execPath, child, input];
  const { stdout, stderr } = await runCommand(argv, { timeoutMs: patienceMs });
  t.is(stderr, '');
  t.deepEqual(JSON.parse(stdout), {
    start: done,
    during: [
      { name: 'eth0', up: true },
      { name: tapName('mail', host.paths), up: true },
    ],
    carrier: { plugged: true, pulled: false, kernel: '1' },
    destroy: done,
    after: [{ name: 'eth0', up: true }],
  });
});
