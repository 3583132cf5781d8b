// The QEMU driver against real QEMU: what is missing, what was left behind, what does not answer.

import { execFileSync } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import type { QemuGuestConfig } from '../../daemon/config/config.ts';
import { runCommand } from '../../daemon/drivers/command.ts';
import { readThreadStates } from '../../daemon/drivers/guest-process.ts';
import { buildQemuArgv } from '../../daemon/drivers/qemu/command.ts';
import { buildCounterDisk } from '../guest/build.ts';
import { temporaryDirectory } from '../support.ts';
import { createHangingDisk } from './support/disks.ts';
import {
  assertFailed,
  assertNothingLeft,
  countsOn,
  createHost,
  done,
  type Host,
  isThere,
  onlyPid,
  patienceMs,
  pidsOf,
  until,
} from './support/qemu-host.ts';

test('a missing disk fails with the message of QEMU and leaves nothing', async (t) => {
  const host = await createHost(t, { disk: { file: '/nonexistent/disk', format: 'raw', locking: 'auto' } });
  const daemon = host.createDaemon();
  const outcome = await daemon.perform('start');
  assertFailed(t, outcome, 'qemu-refused', /^guest mail: Could not open '\/nonexistent\/disk': No such file/);
  await assertNothingLeft(t, host);
  t.deepEqual(await daemon.observe(), { kind: 'down' });
});

test('a disk that another guest holds is refused', async (t) => {
  const holder = await createHost(t);
  await holder.createDaemon().perform('start');
  const host = await createHost(t, { disk: holder.config.disk });
  assertFailed(t, await host.createDaemon().perform('start'), 'disk-locked', /Failed to get "write" lock/);
  await assertNothingLeft(t, host);
  await countsOn(holder);
});

test('a missing bridge fails before anything is started', async (t) => {
  const network = { bridge: 'btnone0', mac: '52:54:00:12:34:56', model: 'virtio' };
  const host = await createHost(t, { network });
  assertFailed(t, await host.createDaemon().perform('start'), 'bridge-missing', /btnone0/);
  t.false(await isThere(host.paths.directory));
});

test('a stale pid file whose pid belongs to another process is no guest, and that process is left alone', async (t) => {
  const host = await createHost(t);
  const daemon = host.createDaemon();
  await daemon.perform('start');
  await daemon.perform('destroy');
  await writeFile(host.paths.pidFile, `${process.pid}\n`);
  t.deepEqual(await daemon.observe(), { kind: 'down' });
  t.deepEqual(await daemon.perform('destroy'), done);
  await writeFile(host.paths.pidFile, `${process.pid}\n`);
  t.deepEqual(await daemon.perform('start'), done);
  t.not(await onlyPid(host), process.pid);
});

test('a guest whose pid file was lost is still found', async (t) => {
  const host = await createHost(t);
  const first = host.createDaemon();
  await first.perform('start');
  const pid = await onlyPid(host);
  await rm(host.paths.pidFile);
  const daemon = host.createDaemon();
  t.is((await daemon.observe()).kind, 'unknown', 'the monitor still serves the first daemon');
  await first.close();
  t.deepEqual(await daemon.observe(), { kind: 'up' });
  t.deepEqual(await daemon.perform('start'), done);
  t.is(await onlyPid(host), pid);
});

test('a QEMU that was stopped from outside is unknown, and no second one is started', async (t) => {
  const host = await createHost(t);
  const daemon = host.createDaemon();
  await daemon.perform('start');
  await countsOn(host);
  const pid = await onlyPid(host);
  process.kill(pid, 'SIGSTOP');
  await until('unknown', () => daemon.statuses.at(-1) === 'unknown');
  t.is((await daemon.observe()).kind, 'unknown');
  t.is((await daemon.perform('start')).kind, 'unknown');
  t.is(await onlyPid(host), pid);
  t.deepEqual(await daemon.perform('destroy'), done);
  await assertNothingLeft(t, host);
});

test('a QEMU that ends while a start asks it is started anew', async (t) => {
  const host = await createHost(t);
  const first = host.createDaemon();
  await first.perform('start');
  await first.close();
  const pid = await onlyPid(host);
  const connections = async () => {
    const table = await readFile('/proc/net/unix', 'utf8');
    return table.split('\n').filter((line) => line.endsWith(host.paths.monitor)).length;
  };
  process.kill(pid, 'SIGSTOP');
  const before = await connections();
  const start = host.createDaemon().perform('start');
  await until('the start asks it', async () => (await connections()) > before);
  process.kill(pid, 'SIGKILL');
  t.deepEqual(await start, done);
  t.not(await onlyPid(host), pid);
  await countsOn(host);
});

test('a guest with a silent monitor is unknown, can be frozen all the same, and resumes', async (t) => {
  const host = await createHost(t);
  const first = host.createDaemon();
  await first.perform('start');
  await countsOn(host);
  await first.close();
  // QEMU serves one client at a time: this one takes the monitor away.
  const occupant = createConnection(host.paths.monitor);
  t.teardown(() => occupant.destroy());
  await new Promise((resolve) => occupant.once('data', resolve));

  const daemon = host.createDaemon();
  t.is((await daemon.observe()).kind, 'unknown');
  t.is((await daemon.perform('start')).kind, 'unknown');
  t.deepEqual(await daemon.perform('freeze'), done);
  const frozen = await host.lines();
  t.deepEqual(await daemon.observe(), { kind: 'paused' });
  t.deepEqual(await host.createDaemon().observe(), { kind: 'paused' }, 'a restarted daemon knows it too');
  await sleep(500);
  t.deepEqual(await host.lines(), frozen);

  occupant.destroy();
  t.deepEqual(await daemon.perform('resume'), done);
  await countsOn(host);
  t.deepEqual(await daemon.observe(), { kind: 'up' });
  t.false(await isThere(host.paths.frozenFile));
  await onlyPid(host);
});

test('a guest whose disk does not answer is frozen all the same, and resumes when it does', async (t) => {
  const { file } = await buildCounterDisk({ file: path.join(temporaryDirectory(t), 'disk.raw') });
  const disk = await createHangingDisk(t, file);
  const host = await createHost(t, { disk: { file: disk.device, format: 'raw', locking: 'auto' } });
  const daemon = host.createDaemon();
  t.deepEqual(await daemon.perform('start'), done);
  await countsOn(host);
  const pid = await onlyPid(host);
  const waits = async () => (await readThreadStates(pid)).includes('D');
  disk.hang();
  await until('it waits for its disk', waits);
  t.deepEqual(await daemon.perform('freeze'), done);
  t.true(await waits(), 'its disk still does not answer');
  t.deepEqual(await daemon.observe(), { kind: 'paused' });
  const frozen = await host.lines();
  disk.answer();
  await until('it stands still', async () => (await readThreadStates(pid)).every((state) => state === 'T'));
  t.deepEqual(await host.lines(), frozen);
  t.deepEqual(await daemon.perform('resume'), done);
  await countsOn(host);
  t.deepEqual(await daemon.observe(), { kind: 'up' });
});

test('a guest that a daemon left before its first instruction is brought up by a start', async (t) => {
  const host = await createHost(t);
  const daemon = host.createDaemon();
  await daemon.perform('start');
  await daemon.perform('destroy');
  const argv = buildQemuArgv(host.config, host.paths);
  t.is((await runCommand(argv, { timeoutMs: patienceMs })).exitCode, 0);
  t.deepEqual(await daemon.observe(), { kind: 'paused' });
  t.deepEqual(await daemon.perform('start'), done);
  await onlyPid(host);
  await countsOn(host);
});

/** A serial port that nobody reads holds QEMU up before it is ready. */
async function createHangingHost(t: ExecutionContext, changes: Partial<QemuGuestConfig> = {}): Promise<Host> {
  const host = await createHost(t, changes);
  execFileSync('mkfifo', [`${host.directory}/fifo`]);
  return host;
}

test('a start that hangs fails at its time and leaves nothing', async (t) => {
  const host = await createHangingHost(t, { startTimeoutMs: 1000 });
  const daemon = host.createDaemon({ serial: `${host.directory}/fifo` });
  assertFailed(t, await daemon.perform('start'), 'start-timed-out', /not started within 1000 ms/);
  await assertNothingLeft(t, host);
  t.deepEqual(await host.createDaemon().perform('start'), done);
});

test('a start that is aborted is unknown and leaves nothing', async (t) => {
  const host = await createHangingHost(t);
  const daemon = host.createDaemon({ serial: `${host.directory}/fifo` });
  const controller = new AbortController();
  const outcome = daemon.performUntil('start', controller.signal);
  await until('QEMU is being started', async () => (await pidsOf(host)).length > 0);
  controller.abort();
  t.is((await outcome).kind, 'unknown');
  await assertNothingLeft(t, host);
});

test('a start aborted at any moment leaves at most one QEMU, and the next start succeeds', async (t) => {
  const host = await createHost(t);
  const daemon = host.createDaemon();
  for (const delayMs of [0, 5, 10, 20, 30, 40, 50, 60, 80]) {
    const outcome = await daemon.performUntil('start', AbortSignal.timeout(delayMs));
    t.true(
      outcome.kind === 'unknown' || outcome.kind === 'done',
      `${delayMs} ms: ${JSON.stringify(outcome)}`,
    );
    t.true((await pidsOf(host)).length <= 1, `${delayMs} ms`);
    t.deepEqual(await daemon.perform('start'), done, `${delayMs} ms`);
    await onlyPid(host);
    t.deepEqual(await daemon.perform('destroy'), done);
    await assertNothingLeft(t, host);
  }
});

test('where KVM is missing or broken, a guest with accel auto runs all the same', async (t) => {
  const host = await createHost(t, { accel: 'auto' });
  t.deepEqual(await host.createDaemon().perform('start'), done);
  await onlyPid(host);
  await countsOn(host);
});
