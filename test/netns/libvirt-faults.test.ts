// The libvirt driver against a real libvirtd that hangs or is dead: nothing is ever taken for off that may run.

import { execFileSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { countsOn, createLibvirtHost, createRunningGuest } from './support/libvirt-host.ts';
import { assertFailed, done, until } from './support/qemu-host.ts';

test.serial(
  'a libvirtd that hangs makes a guest unknown, never down, and leads to no second start',
  async (t) => {
    const host = await createLibvirtHost(t);
    host.define();
    const daemon = host.createDaemon({ reconcileMs: 3_600_000 });
    await daemon.perform('start');
    await until('up', () => daemon.statuses.at(-1) === 'up');
    const [pid] = await host.pids();
    host.signalLibvirtd('SIGSTOP');

    const looks = await Promise.all(Array.from({ length: 30 }, () => daemon.observe()));
    for (const look of looks) {
      t.deepEqual(look, { kind: 'unknown', message: `libvirtd does not answer; QEMU (pid ${pid}) lives` });
    }
    const start = await daemon.perform('start');
    t.is(start.kind, 'unknown');
    t.deepEqual(await host.pids(), [pid]);
    t.like(await daemon.libvirt.ensureRunning(AbortSignal.timeout(60_000)), { kind: 'silent' });

    host.signalLibvirtd('SIGCONT');
    await until('up again', async () => (await daemon.observe()).kind === 'up');
    await countsOn(host);
    t.deepEqual(await host.pids(), [pid]);
  },
);

test.serial(
  'a guest is frozen and resumed by signals while libvirtd hangs, and the mark says whose it was',
  async (t) => {
    const { host, daemon } = await createRunningGuest(t);
    host.signalLibvirtd('SIGSTOP');
    t.deepEqual(await daemon.perform('freeze'), done);
    const frozen = await host.lines();
    t.deepEqual(await daemon.observe(), { kind: 'paused' });
    await sleep(700);
    t.deepEqual(await host.lines(), frozen);
    // A daemon that is started now finds it so, too.
    t.deepEqual(await host.createDaemon().observe(), { kind: 'paused' });
    t.is((await daemon.perform('resume')).kind, 'unknown');
    host.signalLibvirtd('SIGCONT');
    await until('resumed', async () => (await daemon.perform('resume')).kind === 'done');
    await countsOn(host);

    const [pid] = await host.pids();
    process.kill(pid ?? 0, 'SIGSTOP');
    t.like(await daemon.observe(), { kind: 'unknown' });
    t.deepEqual(await daemon.perform('resume'), done);
    await countsOn(host);
  },
);

test.serial(
  'a guest that was frozen by a signal is destroyed once libvirtd is back, without running again',
  async (t) => {
    const { host, daemon } = await createRunningGuest(t);
    host.signalLibvirtd('SIGSTOP');
    t.deepEqual(await daemon.perform('freeze'), done);
    const frozen = await host.lines();
    host.signalLibvirtd('SIGCONT');
    t.deepEqual(await daemon.perform('destroy'), done);
    t.deepEqual(await host.pids(), []);
    t.deepEqual(await host.lines(), frozen);
    await until('down', async () => (await daemon.observe()).kind === 'down');
  },
);

test.serial('a guest is destroyed while libvirtd hangs', async (t) => {
  const { host, daemon } = await createRunningGuest(t);
  host.signalLibvirtd('SIGSTOP');
  t.deepEqual(await daemon.perform('destroy'), done);
  t.deepEqual(await host.pids(), []);
  t.like(await daemon.observe(), { kind: 'down' }, 'nothing of it is left, and who hangs starts nothing');
  host.signalLibvirtd('SIGCONT');
  await until('libvirtd says so', async () => {
    await daemon.observe();
    return daemon.detail()?.said?.startsWith('shut off') === true;
  });
  t.like(await daemon.observe(), { kind: 'down' });
});

test.serial(
  'with a dead libvirtd a guest is unknown while its QEMU lives and down when it does not',
  async (t) => {
    const { host, daemon } = await createRunningGuest(t);
    const [pid = 0] = await host.pids();
    await host.killLibvirtd();
    await until('unknown', () => daemon.statuses.at(-1) === 'unknown');
    const look = await daemon.observe();
    t.is(look.kind, 'unknown');
    if (look.kind === 'unknown')
      t.regex(look.message, new RegExp(`libvirtd is not there .*QEMU \\(pid ${pid}\\) lives`));
    t.is((await daemon.perform('start')).kind, 'unknown');
    t.deepEqual(await host.pids(), [pid]);

    process.kill(pid, 'SIGKILL');
    await until('down', async () => (await daemon.observe()).kind === 'down');
    t.deepEqual(await daemon.perform('destroy'), done);
    assertFailed(t, await daemon.perform('start'), 'libvirt-down', /nobody answers for libvirt.*start/);
  },
);

test.serial('a QEMU that is killed is reported down and starts again', async (t) => {
  const { host, daemon } = await createRunningGuest(t, {}, { reconcileMs: 3_600_000 });
  const [pid = 0] = await host.pids();
  process.kill(pid, 'SIGKILL');
  await until('down', () => daemon.statuses.at(-1) === 'down');
  t.is(daemon.detail()?.said, 'shut off (crashed)');
  t.deepEqual(await daemon.perform('start'), done);
  await countsOn(host);
});

test.serial('a start that is broken off does not come up after a stop', async (t) => {
  const host = await createLibvirtHost(t);
  host.define();
  const daemon = host.createDaemon();
  await daemon.observe();
  host.signalLibvirtd('SIGSTOP');
  const abort = new AbortController();
  const start = daemon.performUntil('start', abort.signal);
  setTimeout(() => abort.abort(), 300);
  t.is((await start).kind, 'unknown');
  host.signalLibvirtd('SIGCONT');
  await until('stopped', async () => (await daemon.perform('stop')).kind === 'done');
  t.deepEqual(await host.pids(), []);
  t.is(host.virsh('domstate', host.config.name), 'shut off');
});

test.serial('a save that fails half-way lets the guest run on, says so, and leaves no image', async (t) => {
  const { host, daemon } = await createRunningGuest(t);
  // What libvirtd starts to write the image may not write more than this, as on a disk that is full.
  execFileSync('prlimit', ['--pid', String(host.libvirtdPid()), '--fsize=20000']);
  assertFailed(t, await daemon.save(), 'save-failed', /could not be saved and runs on: /);
  t.deepEqual(await readdir(host.saveDirectory), []);
  t.deepEqual(await daemon.observe(), { kind: 'up' });
  await countsOn(host);
  t.is((await host.lines()).filter((line) => line.startsWith('start')).length, 1);
});
