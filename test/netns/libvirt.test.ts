// The libvirt driver against a real libvirtd, real QEMU and the counting guest: what it does when all is well.

import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { readStoredCount } from '../guest/build.ts';
import { definedBy } from '../guest/configs.ts';
import { countsOn, createLibvirtHost, createRunningGuest } from './support/libvirt-host.ts';
import { assertFailed, done, until } from './support/qemu-host.ts';

test.serial('a guest that is started counts, is up, and a second start is a no-op', async (t) => {
  const host = await createLibvirtHost(t);
  host.define();
  const daemon = host.createDaemon();
  t.deepEqual(await daemon.observe(), { kind: 'down' });
  t.is(daemon.upForMs(), null);
  t.deepEqual(await daemon.perform('start'), done);
  t.deepEqual(await daemon.observe(), { kind: 'up' });
  t.deepEqual(daemon.detail(), { condition: 'healthy', said: 'running (booted)' });
  t.is(typeof daemon.upForMs(), 'number');
  await countsOn(host);
  const pids = await host.pids();
  t.is(pids.length, 1);
  t.deepEqual(await daemon.perform('start'), done);
  t.deepEqual(await host.pids(), pids);
  t.deepEqual(daemon.statuses, ['down', 'up']);
});

test.serial(
  'a guest that libvirt does not know is defined from the stored definition, or refused with a reason',
  async (t) => {
    const host = await createLibvirtHost(t);
    const without = host.createDaemon();
    t.deepEqual(await without.observe(), { kind: 'down' });
    assertFailed(t, await without.perform('start'), 'guest-not-defined', /there is no definition/);
    const broken = host.createDaemon({
      definitions: definedBy(host.xml.replace("type='qemu'", "type='moon'")),
    });
    const refusal = await broken.perform('start');
    assertFailed(
      t,
      refusal,
      'libvirt-refused',
      /^guest mail-\w+: libvirt on this node refuses its definition: .*moon/,
    );
    t.notRegex(JSON.stringify(refusal), /domain\.xml/, 'nobody knows that file');
    const daemon = host.createDaemon({ definitions: definedBy(host.xml) });
    t.deepEqual(await daemon.perform('start'), done);
    await countsOn(host);
    const listing = await daemon.libvirt.list();
    t.is(listing.kind, 'done');
    if (listing.kind === 'done')
      t.like(listing.domains[0], { name: host.config.name, autostart: false, persistent: true });
  },
);

test.serial(
  'a disk that is a volume is found though libvirt has looked at its pool before it was there',
  async (t) => {
    const host = await createLibvirtHost(t);
    const { name } = host.config;
    const pool = (kind: string) => path.join(host.directory, `pool-${kind}`);
    await mkdir(pool('empty'));
    host.virsh('pool-create-as', 'empty', 'dir', '--target', pool('empty'));
    // As of a directory on a file system that was not mounted when the host was started.
    host.virsh('pool-define-as', 'absent', 'dir', '--target', pool('absent'));
    t.throws(() => host.virsh('pool-start', 'absent'));
    await mkdir(pool('absent'));
    const disk = (kind: string) => path.join(pool(kind), 'disk.raw');
    for (const kind of ['empty', 'absent']) {
      await copyFile(host.disk.file, disk(kind));
      const source = `<source pool='${kind}' volume='disk.raw'/>`;
      host.define(
        host.xml
          .replace("<disk type='file'", "<disk type='volume'")
          .replace(/<source file='[^']*disk.raw'\/>/, source),
      );
      t.throws(() => host.virsh('start', name), { message: /storage vol|not active/ });
      const daemon = host.createDaemon();
      t.deepEqual(await daemon.perform('start'), done, kind);
      await countsOn(host);
      t.deepEqual(await daemon.perform('destroy'), done);
      t.true((await readStoredCount(disk(kind))) > 0);
      await daemon.close();
    }

    await rm(disk('empty'));
    host.define(host.virsh('dumpxml', name).replace("pool='absent'", "pool='empty'"));
    host.virsh('pool-refresh', 'empty');
    assertFailed(
      t,
      await host.createDaemon().perform('start'),
      'libvirt-refused',
      /no storage vol.*disk\.raw/,
    );
  },
);

test.serial('a start that libvirt refuses fails with its own words, and leaves nothing', async (t) => {
  const host = await createLibvirtHost(t);
  host.define(host.xml.replace('disk.raw', 'lost.raw'));
  const daemon = host.createDaemon();
  assertFailed(t, await daemon.perform('start'), 'libvirt-refused', /Cannot access storage file.*lost\.raw/);
  t.deepEqual(await daemon.observe(), { kind: 'down' });
  t.deepEqual(await host.pids(), []);
});

test.serial(
  'a frozen guest stops counting, a resumed one goes on, and a start does not wake it',
  async (t) => {
    const { host, daemon } = await createRunningGuest(t);
    t.deepEqual(await daemon.perform('freeze'), done);
    t.deepEqual(await daemon.perform('freeze'), done);
    const frozen = await host.lines();
    t.deepEqual(await daemon.observe(), { kind: 'paused' });
    assertFailed(t, await daemon.perform('start'), 'guest-not-running', /paused.*resume or destroy/);
    await sleep(700);
    t.deepEqual(await host.lines(), frozen);
    t.deepEqual(await daemon.perform('resume'), done);
    await countsOn(host);
    t.deepEqual(daemon.statuses, ['up', 'paused', 'up']);
  },
);

test.serial(
  'a stopped guest shuts itself down in order; one that ignores the button is switched off',
  async (t) => {
    const { host, daemon } = await createRunningGuest(t, { shutdownTimeoutMs: 20_000 });
    await countsOn(host);
    t.deepEqual(await daemon.perform('stop'), done);
    t.deepEqual(await host.pids(), []);
    const stored = await readStoredCount(host.disk.file);
    t.is((await host.lines()).at(-1), `stop ${stored}`);
    t.deepEqual(await daemon.perform('stop'), done);
    t.deepEqual(await daemon.observe(), { kind: 'down' });

    const deaf = await createLibvirtHost(t, { shutdownTimeoutMs: 1500 });
    await writeFile(deaf.disk.file, Buffer.alloc(1024 * 1024));
    deaf.define();
    const other = deaf.createDaemon();
    t.deepEqual(await other.perform('start'), done);
    t.deepEqual(await other.perform('stop'), done);
    t.deepEqual(await deaf.pids(), []);
    t.is(deaf.virsh('domstate', '--reason', deaf.config.name), 'shut off (destroyed)');
  },
);

test.serial('a guest that was saved goes on where it was, once, without a boot', async (t) => {
  const { host, daemon } = await createRunningGuest(t);
  await countsOn(host);
  const images = async () =>
    (await readdir(host.saveDirectory)).map((file) => path.extname(file).slice(1)).sort();
  t.deepEqual(await daemon.save(), done);
  t.deepEqual(await daemon.observe(), { kind: 'down' });
  t.deepEqual(await host.pids(), []);
  t.deepEqual(await images(), ['disks', 'saved']);
  assertFailed(t, await daemon.save(), 'guest-not-running', /cannot be saved/);
  t.deepEqual(await images(), ['disks', 'saved']);

  t.deepEqual(await daemon.perform('start'), done);
  await countsOn(host, 3);
  t.deepEqual(await readdir(host.saveDirectory), []);
  const starts = (await host.lines()).filter((line) => line.startsWith('start'));
  t.deepEqual(starts, ['start 0']);
  t.is(daemon.detail()?.said ?? 'running (restored)', 'running (restored)');
});

test.serial(
  'an image that cannot be restored, and one that libvirt keeps itself, give way to a boot',
  async (t) => {
    const host = await createLibvirtHost(t);
    host.define();
    const daemon = host.createDaemon();
    const file = (state: string) => path.join(host.saveDirectory, `${host.config.name}.${state}`);
    await writeFile(file('saved'), 'this is no memory');
    await writeFile(file('disks'), '[]');
    await writeFile(file('saving'), 'half of one');
    t.deepEqual(await daemon.perform('start'), done);
    await countsOn(host);
    t.deepEqual(await readdir(host.saveDirectory), []);

    host.virsh('managedsave', host.config.name);
    await until('down', () => daemon.statuses.at(-1) === 'down');
    t.deepEqual(await daemon.perform('start'), done);
    await countsOn(host);
    t.is((await host.lines()).filter((line) => line.startsWith('start')).length, 2);
  },
);

test.serial(
  'what a person does with virsh is seen at once, and an image is dropped that the guest has outlived',
  async (t) => {
    const host = await createLibvirtHost(t);
    host.define();
    const daemon = host.createDaemon({ reconcileMs: 3_600_000 });
    await daemon.observe();
    await writeFile(path.join(host.saveDirectory, `${host.config.name}.saved`), 'older than its disk');
    let heard = false;
    daemon.libvirt.subscribe(host.config.name, (event) => {
      heard ||= event !== null;
    });
    await until('the stream of events', () => {
      host.define();
      return heard;
    });
    host.virsh('start', host.config.name);
    await until('up', () => daemon.statuses.at(-1) === 'up');
    await until('no image', async () => (await readdir(host.saveDirectory)).length === 0);
    host.virsh('suspend', host.config.name);
    await until('paused', () => daemon.statuses.at(-1) === 'paused');
    host.virsh('destroy', host.config.name);
    await until('down', () => daemon.statuses.at(-1) === 'down');
    t.deepEqual(
      daemon.statuses.filter((kind) => kind !== 'unknown'),
      ['down', 'up', 'paused', 'down'],
    );
  },
);

test.serial('a memory is not put over a disk that has changed since it was saved', async (t) => {
  const { host, daemon } = await createRunningGuest(t);
  await countsOn(host);
  t.deepEqual(await daemon.save(), done);
  await daemon.close();
  // While no daemon is there the guest is run by hand.
  const counted = (await host.lines()).length;
  host.virsh('start', host.config.name);
  await until('counts', async () => (await host.lines()).length > counted + 3);
  host.virsh('destroy', host.config.name);
  const stored = await readStoredCount(host.disk.file);

  t.deepEqual(await host.createDaemon().perform('start'), done);
  await countsOn(host);
  t.deepEqual(await readdir(host.saveDirectory), []);
  t.is(
    (await host.lines()).findLast((line) => line.startsWith('start')),
    `start ${stored}`,
  );
});

test.serial('the printed commands are what a shell can run', async (t) => {
  const host = await createLibvirtHost(t);
  host.define();
  const daemon = host.createDaemon();
  const run = (line: string) => execFileSync('sh', ['-c', line], { stdio: 'pipe', timeout: 120_000 });
  for (const line of daemon.commands('start')) run(line);
  await countsOn(host);
  for (const line of daemon.commands('freeze')) run(line);
  t.deepEqual(await daemon.observe(), { kind: 'paused' });
  for (const line of daemon.commands('resume')) run(line);
  t.deepEqual(await daemon.observe(), { kind: 'up' });
  for (const line of daemon.guestCommands('save')) run(line);
  t.deepEqual(await daemon.observe(), { kind: 'down' });
  for (const line of daemon.commands('start')) run(line);
  await countsOn(host);
  t.is((await host.lines()).filter((line) => line.startsWith('start')).length, 1);
  for (const line of daemon.commands('destroy')) run(line);
  t.deepEqual(await daemon.observe(), { kind: 'down' });
});
