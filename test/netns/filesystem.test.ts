// The filesystem driver on real loop devices with ext4, each in a mount namespace of its own: what it mounts, refuses,
// notices and gives back.

import { copyFile, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDisk, output, test } from './support/disks.ts';
import {
  assertFailed,
  assertUnknown,
  createFilesystemHost,
  done,
  endProcess,
  makeExt4,
  untilReported,
} from './support/filesystem-host.ts';

test('a filesystem is mounted as configured, once, and unmounted', async (t) => {
  const host = await createFilesystemHost(t);
  t.deepEqual(await host.observe(), { kind: 'down' });
  await untilReported(host, 'down');
  t.deepEqual(await host.perform('start'), done);
  t.deepEqual(await host.perform('start'), done);
  t.is(await host.mounted(), `${host.config.device} ext4`);
  t.regex(await host.inside(['findmnt', '-no', 'OPTIONS', host.config.mount]), /^rw,noatime/);
  t.deepEqual(await host.observe(), { kind: 'up' });
  t.deepEqual(await host.perform('stop'), done);
  t.deepEqual(await host.perform('stop'), done);
  t.deepEqual(await host.perform('destroy'), done);
  t.is(await host.mounted(), '');
  await untilReported(host, 'down');
  t.deepEqual(host.kinds(), ['down', 'up', 'down']);
});

test('a frozen filesystem stays as it is, and is resumed where it is still there', async (t) => {
  const host = await createFilesystemHost(t);
  t.deepEqual(await host.perform('start'), done);
  t.deepEqual(await host.perform('freeze'), done);
  t.deepEqual(await host.observe(), { kind: 'up' });
  t.deepEqual(await host.perform('resume'), done);
  t.deepEqual(await host.perform('freeze'), done);
  t.deepEqual(await host.perform('destroy'), done);
  assertFailed(t, await host.perform('resume'), 'filesystem-not-mounted', /nothing to resume/);
});

test('what others mount and unmount is noticed at once', async (t) => {
  const host = await createFilesystemHost(t);
  await untilReported(host, 'down');
  await sleep(1000); // findmnt listens by now.
  await host.inside(['mount', host.config.device, host.config.mount]);
  await untilReported(host, 'up', 1000);
  await host.inside(['umount', host.config.mount]);
  await untilReported(host, 'down', 1000);
  t.deepEqual(host.kinds(), ['down', 'up', 'down']);
});

test('a filesystem that is mounted twice over itself is unmounted twice', async (t) => {
  const host = await createFilesystemHost(t);
  await host.perform('start');
  await host.inside(['sh', '-c', `mount --bind ${host.config.mount} ${host.config.mount}`]);
  t.deepEqual(await host.observe(), { kind: 'up' });
  t.deepEqual(await host.perform('stop'), done);
  t.is(await host.mounted(), '');
});

test('a mount point is not created, and must be a directory', async (t) => {
  const host = await createFilesystemHost(t);
  const { mount } = host.config;
  await rm(mount, { recursive: true });
  assertFailed(t, await host.perform('start'), 'mount-point-missing', /does not exist: mkdir -p .*mnt/);
  await symlink('/mnt', mount);
  assertFailed(t, await host.perform('start'), 'mount-point-unfit', /symbolic link: name the directory/);
  await rm(mount);
  await writeFile(mount, '');
  assertFailed(t, await host.perform('start'), 'mount-point-unfit', /not a directory/);
  t.is(await host.mounted(), '');
});

test('a mount point below a symbolic link is recognised under the name that the kernel shows', async (t) => {
  const disk = await createDisk(t);
  const link = path.join(disk.directory, 'link');
  await symlink(disk.directory, link);
  const host = await createFilesystemHost(t, { disk, mount: path.join(link, 'mnt') });
  t.deepEqual(await host.perform('start'), done);
  t.deepEqual(await host.observe(), { kind: 'up' });
  t.deepEqual(await host.perform('stop'), done);
});

test('a device that is missing, or is none, is refused', async (t) => {
  const missing = await createFilesystemHost(t, { device: '/dev/battito-none' });
  assertFailed(t, await missing.perform('start'), 'device-missing', /\/dev\/battito-none is not there/);
  t.deepEqual(await missing.observe(), { kind: 'down' });
  const file = await createFilesystemHost(t, { device: '/etc/passwd' });
  assertFailed(t, await file.perform('start'), 'device-missing', /no block device/);
});

test('where something else is mounted ours is down, and is not mounted over it', async (t) => {
  const host = await createFilesystemHost(t);
  await host.inside(['mount', '-t', 'tmpfs', 'strange', host.config.mount]);
  t.deepEqual(await host.observe(), { kind: 'down' });
  assertFailed(
    t,
    await host.perform('start'),
    'mount-point-in-use',
    /carries strange \(tmpfs\), not .*: umount/,
  );
  t.deepEqual(await host.perform('stop'), done);
  t.is(await host.mounted(), 'strange tmpfs');
});

test('a device that is mounted elsewhere is neither mounted again nor unmounted there', async (t) => {
  const host = await createFilesystemHost(t);
  await host.inside(['mount', host.config.device, '/mnt']);
  assertUnknown(t, await host.observe(), /is mounted at \/mnt instead of .*: umount \/mnt/);
  assertFailed(t, await host.perform('start'), 'device-mounted-elsewhere', /mounted at \/mnt/);
  assertFailed(t, await host.perform('destroy'), 'device-mounted-elsewhere', /mounted at \/mnt/);
  t.is(await host.mounted(), '');
  await host.inside(['umount', '/mnt']);
  t.deepEqual(await host.perform('stop'), done);
});

test('a filesystem that is covered by another one is unknown, and the cover is left to its owner', async (t) => {
  const host = await createFilesystemHost(t);
  await host.perform('start');
  await host.inside(['mount', '-t', 'tmpfs', 'strange', host.config.mount]);
  assertUnknown(t, await untilReported(host, 'unknown'), /is covered by strange \(tmpfs\)/);
  assertFailed(t, await host.perform('destroy'), 'filesystem-covered', /covered by strange/);
  await host.inside(['umount', host.config.mount]);
  await untilReported(host, 'up');
  t.deepEqual(await host.perform('destroy'), done);
});

test('whoever keeps it from being unmounted is named, and neither killed nor outwitted', async (t) => {
  const host = await createFilesystemHost(t);
  await host.perform('start');
  const holder = await host.begin(`cd ${host.config.mount}`);
  const named = new RegExp(`within 10 s: held open by .*sleep \\(pid ${holder.pid}\\)`);
  assertFailed(t, await host.perform('stop'), 'filesystem-busy', named);
  const sooner = new RegExp(`within 3 s: held open by .*sleep \\(pid ${holder.pid}\\)`);
  assertFailed(t, await host.perform('destroy'), 'filesystem-busy', sooner);
  t.is(holder.exitCode ?? holder.signalCode, null);
  t.is(await host.mounted(), `${host.config.device} ext4`);
  t.deepEqual(await host.observe(), { kind: 'up' });
});

test('whoever lets go within some seconds does not keep it from being unmounted', async (t) => {
  const host = await createFilesystemHost(t);
  await host.perform('start');
  const holder = await host.begin(`exec 9>${host.config.mount}/open`);
  const stopped = host.perform('stop');
  await sleep(1500);
  await endProcess(holder);
  t.deepEqual(await stopped, done);
});

test('a stop that is aborted is unknown, and the next one ends it', async (t) => {
  const host = await createFilesystemHost(t);
  await host.perform('start');
  const holder = await host.begin(`cd ${host.config.mount}`);
  assertUnknown(t, await host.perform('stop', 700), /stop: aborted/);
  await endProcess(holder);
  t.deepEqual(await host.perform('stop'), done);
});

test('a filesystem that another mount namespace holds is not given up, and a failed stop leaves it mounted', async (t) => {
  const host = await createFilesystemHost(t);
  await host.perform('start');
  const { mount, device } = host.config;
  const holder = await host.begin(
    `exec unshare --mount --propagation=private sh -c 'echo begun; exec sleep 1000'`,
  );
  const outcome = await host.perform('stop');
  assertFailed(
    t,
    outcome,
    'filesystem-still-run',
    new RegExp(`mount namespace of sleep \\(pid ${holder.pid}\\); it was mounted here again`),
  );
  t.is(await host.mounted(), `${device} ext4`);
  t.deepEqual(await host.observe(), { kind: 'up' });
  await host.inside(['umount', mount]);
  assertUnknown(t, await host.observe(), /its filesystem still runs: mounted in another mount namespace/);
  assertFailed(t, await host.perform('destroy'), 'filesystem-still-run', new RegExp(`pid ${holder.pid}`));
  await endProcess(holder);
  await untilReported(host, 'down');
});

test('a filesystem with an unfinished journal is recovered by fsck before it is mounted', async (t) => {
  const source = await createFilesystemHost(t);
  await source.perform('start');
  await source.inside(['sh', '-c', `echo precious > ${source.config.mount}/file; sync`]);
  const disk = await createDisk(t);
  await copyFile(source.disk.image, disk.image); // As a power cut would leave it.
  t.regex(await output(['dumpe2fs', '-h', disk.device]), /needs_recovery/);
  const host = await createFilesystemHost(t, { disk, empty: true, fsck: true });
  t.deepEqual(await host.perform('start'), done);
  t.is(await host.inside(['cat', `${host.config.mount}/file`]), 'precious');
});

test('a filesystem that fsck may not repair by itself is refused, with the command that asks', async (t) => {
  const host = await createFilesystemHost(t, { fsck: true });
  const { device } = host.config;
  await output(['debugfs', '-w', '-R', 'clri <2>', device]);
  await output(['debugfs', '-w', '-R', 'set_super_value state 2', device]);
  const outcome = await host.perform('start');
  assertFailed(
    t,
    outcome,
    'fsck-refused',
    new RegExp(`\`fsck.ext4 -p ${device}\` ended with 4: .*run \`fsck.ext4 -f`),
  );
  t.is(await host.mounted(), '');
  t.deepEqual(await host.observe(), { kind: 'down' });
});

test('a disk without a filesystem is refused, with and without fsck', async (t) => {
  const plain = await createFilesystemHost(t, { empty: true });
  assertFailed(t, await plain.perform('start'), 'filesystem-unsound', /does not hold a sound ext4/);
  const checked = await createFilesystemHost(t, { empty: true, fsck: true });
  assertFailed(t, await checked.perform('start'), 'fsck-failed', /ended with 8/);
  const untold = await createFilesystemHost(t, { fsck: true, type: 'battito' });
  assertFailed(
    t,
    await untold.perform('start'),
    'command-missing',
    /fsck.battito is not installed.*fsck: false/,
  );
});

test('a filesystem that the kernel made read-only after an error is noticed, and is mounted again after fsck', async (t) => {
  const host = await createFilesystemHost(t, { options: 'errors=remount-ro', fsck: true });
  await host.perform('start');
  await untilReported(host, 'up');
  await writeFile(`/sys/fs/ext4/${path.basename(host.config.device)}/trigger_fs_error`, 'on purpose');
  const seen = await untilReported(host, 'unknown', 3000);
  assertUnknown(t, seen, /the kernel stopped writing to .* after an error; see `dmesg`/);
  assertFailed(t, await host.perform('start'), 'filesystem-read-only', /dmesg/);
  t.deepEqual(await host.perform('stop'), done);
  t.deepEqual(await host.perform('start'), done);
  t.deepEqual(await host.observe(), { kind: 'up' });
});

test('a filesystem that somebody remounted read-only is noticed, and one that is to be read-only is up', async (t) => {
  const host = await createFilesystemHost(t);
  await host.perform('start');
  await host.inside(['mount', '-o', 'remount,ro', host.config.mount]);
  assertUnknown(t, await untilReported(host, 'unknown'), /is mounted read-only: mount -o remount,rw/);
  await host.inside(['mount', '-o', 'remount,rw', host.config.mount]);
  await untilReported(host, 'up');
  const readOnly = await createFilesystemHost(t, { options: 'ro,noatime' });
  t.deepEqual(await readOnly.perform('start'), done);
  t.deepEqual(await readOnly.observe(), { kind: 'up' });
  t.regex(await readOnly.inside(['findmnt', '-no', 'OPTIONS', readOnly.config.mount]), /^ro,/);
});

test('a device that cannot be written to is refused rather than mounted read-only', async (t) => {
  const host = await createFilesystemHost(t);
  await output(['blockdev', '--setro', host.config.device]);
  assertFailed(t, await host.perform('start'), 'device-read-only', /cannot be written to/);
  t.is(await host.mounted(), '');
  await output(['blockdev', '--setrw', host.config.device]);
  await makeExt4(host.config.device);
  t.deepEqual(await host.perform('start'), done);
});

test('an option that the filesystem does not know is told in its own words', async (t) => {
  const host = await createFilesystemHost(t, { options: 'bogus=1' });
  const outcome = await host.perform('start');
  t.is(outcome.kind, 'failed');
  t.regex(JSON.stringify(outcome), /mount -w -t ext4 -o bogus=1/);
});
