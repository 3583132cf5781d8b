// What the filesystem driver makes of the mounts, of configurations and of /etc/fstab, without a disk. Recorded on
// Linux 6.18 with util-linux 2.38.1, where not marked otherwise.

import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { pino } from 'pino';
import { createFilesystemDriver, type FilesystemConfig } from '../../daemon/drivers/filesystem/filesystem.ts';
import { type Finding, judge, type Target } from '../../daemon/drivers/filesystem/judge.ts';
import { type Mount, parseMountinfo, topMountAt } from '../../daemon/drivers/filesystem/mountinfo.ts';
import { filesystemProblems, fstabProblem } from '../../daemon/drivers/filesystem/problems.ts';
import { temporaryDirectory } from '../support.ts';

const base = `77 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard,errors=remount-ro
78 77 0:21 / /proc rw,relatime master:5 propagate_from:2 - proc proc rw
79 77 0:5 / /dev rw,relatime - devtmpfs devtmpfs rw,size=12334460k,nr_inodes=3083615,mode=755
`;
const healthy = '141 77 147:0 / /srv/images rw,noatime - ext4 /dev/drbd0 rw,errors=remount-ro\n';
/** As Linux 6.15 and later show it. */
const emergency = healthy.replace('errors=remount-ro', 'errors=remount-ro,emergency_ro');
/** As Linux before 6.15 shows it: the mount's own flag stays. Written by hand. */
const remounted = healthy.replace(' rw,errors', ' ro,errors');

const config: FilesystemConfig = {
  device: '/dev/drbd/by-res/r0/0',
  mount: '/srv/images',
  type: 'ext4',
  options: 'noatime',
  fsck: true,
};
const target: Target = {
  mountPoint: '/srv/images',
  devices: ['/dev/drbd/by-res/r0/0', '/dev/drbd0'],
  deviceNumber: '147:0',
};

function mountsOf(text: string): readonly Mount[] {
  const parsed = parseMountinfo(text);
  if (parsed.kind !== 'parsed') throw new Error(parsed.message);
  return parsed.mounts;
}

const judged = (text: string, changes: Partial<FilesystemConfig> = {}, at: Partial<Target> = {}): Finding =>
  judge({ ...config, ...changes }, { ...target, ...at }, mountsOf(base + text));

test('a line of mountinfo is read with and without tags, and with blanks in its paths', (t) => {
  const [root, proc] = mountsOf(base);
  t.deepEqual(root, {
    id: 77,
    parentId: 1,
    deviceNumber: '254:0',
    root: '/',
    mountPoint: '/',
    type: 'ext4',
    source: '/dev/vda',
    options: ['rw', 'relatime'],
    superOptions: ['rw', 'discard', 'errors=remount-ro'],
  });
  t.is(proc?.type, 'proc');
  const [odd] = mountsOf('5 1 7:0 / /srv/a\\040b\\134 rw - ext4 /dev/a\\040b rw\n');
  t.is(odd?.mountPoint, '/srv/a b\\');
  t.is(odd?.source, '/dev/a b');
});

test('a mountinfo that is cut short, empty or strange is unparseable as a whole', (t) => {
  for (const text of ['', `${base}141 77 147:0 / /srv`, `${base}x y\n`, base.replace(' - ext4', ' ext4')]) {
    t.is(parseMountinfo(text).kind, 'unparseable', text);
  }
});

test('of several mounts on one path the one on top is seen, whatever the order', (t) => {
  const cover = '150 141 0:44 / /srv/images rw - tmpfs tmpfs rw\n';
  for (const text of [healthy + cover, cover + healthy]) {
    t.is(topMountAt(mountsOf(base + text), '/srv/images')?.type, 'tmpfs');
  }
  t.is(topMountAt(mountsOf(base), '/srv/images'), undefined);
});

test('ours is mounted when its device is seen at its place, by number or by name', (t) => {
  t.deepEqual(judged(''), { kind: 'unmounted' });
  t.deepEqual(judged(healthy), { kind: 'mounted' });
  t.deepEqual(judged(healthy, {}, { devices: [] }), { kind: 'mounted' });
  t.deepEqual(judged(healthy, {}, { deviceNumber: undefined }), { kind: 'mounted' });
  // btrfs has a number that no device has, and subvolumes for a root.
  const btrfs = '141 77 0:50 /@images /srv/images rw,noatime - btrfs /dev/drbd0 rw,space_cache=v2\n';
  t.deepEqual(judged(btrfs, { type: 'btrfs' }), { kind: 'mounted' });
});

test('what is mounted in another way, or elsewhere, is wrong, and a stranger leaves ours unmounted', (t) => {
  t.like(judged(healthy.replace('/srv/images', '/mnt')), { kind: 'wrong', code: 'device-mounted-elsewhere' });
  t.like(judged(healthy.replace(' / /srv', ' /old /srv')), { kind: 'wrong', code: 'filesystem-covered' });
  const stranger = judged('150 77 0:44 / /srv/images rw - tmpfs tmpfs rw\n');
  t.like(stranger, { kind: 'unmounted' });
  t.is(stranger.kind === 'unmounted' ? stranger.inTheWay?.type : undefined, 'tmpfs');
  const other = judged(healthy.replaceAll('147:0', '147:1').replace('drbd0', 'drbd1'));
  t.is(other.kind === 'unmounted' ? other.inTheWay?.source : undefined, '/dev/drbd1');
});

test('also bound to another place it is ours at its own', (t) => {
  t.deepEqual(judged(`${healthy}142 77 147:0 /iso /mnt rw - ext4 /dev/drbd0 rw\n`), { kind: 'mounted' });
});

test('read-only is an error where writing is wanted, in each way in which kernels show it', (t) => {
  for (const text of [emergency, remounted, healthy.replace('rw,errors', 'rw,shutdown,errors')]) {
    const finding = judged(text);
    t.like(finding, { kind: 'wrong', code: 'filesystem-read-only' });
    t.regex(JSON.stringify(finding), /stopped writing to .* after an error; see `dmesg`/);
    t.deepEqual(judged(text, { options: 'noatime,ro' }), { kind: 'mounted' });
  }
  t.regex(
    JSON.stringify(judged(healthy.replace('rw,noatime', 'ro,noatime'))),
    /mount -o remount,rw \/srv\/images/,
  );
});

test('what would be done is shown as the commands that would be run', async (t) => {
  const logger = pino({ level: 'silent' });
  const mounts = {
    current: () => undefined,
    refresh: () => Promise.resolve(),
    subscribe: () => () => {},
    close: () => Promise.resolve(),
  };
  const commandsOf = (changes: Partial<FilesystemConfig>) =>
    createFilesystemDriver({ ...config, ...changes }, { mounts, logger, onStatus: () => t.fail() }).commands;
  t.deepEqual(commandsOf({ device: '/dev/drbd0' })('start'), [
    'fsck.ext4 -p /dev/drbd0 || [ $? -eq 1 ]',
    'mount -w -t ext4 -o noatime /dev/drbd0 /srv/images',
  ]);
  const plain = commandsOf({ device: '/dev/drbd0', fsck: false, options: '', mount: '/srv/a b' });
  t.deepEqual(plain('start'), ["mount -w -t ext4 /dev/drbd0 '/srv/a b'"]);
  t.deepEqual(plain('stop'), ["umount '/srv/a b'"]);
  t.deepEqual(plain('destroy'), ["umount '/srv/a b'"]);
  t.deepEqual(plain('freeze'), []);
  t.deepEqual(
    commandsOf({ options: 'ro' })('start').at(-1),
    `mount -r -t ext4 -o ro ${config.device} /srv/images`,
  );
});

test('mounts that cannot be read leave the filesystem unknown', async (t) => {
  const mounts = {
    current: () => undefined,
    refresh: () => Promise.resolve(),
    subscribe: () => () => {},
    close: () => Promise.resolve(),
  };
  const driver = createFilesystemDriver(config, {
    ...{ mounts, logger: pino({ level: 'silent' }), onStatus: () => t.fail('nothing was read yet') },
  });
  const message = 'the mounts of this host cannot be read';
  const signal = AbortSignal.timeout(5000);
  t.deepEqual(await driver.observe(signal), { kind: 'unknown', message });
  t.deepEqual(await driver.perform('start', signal), { kind: 'unknown', message });
  t.deepEqual(await driver.perform('stop', signal), { kind: 'unknown', message });
  t.like(await driver.perform('start', AbortSignal.abort()), { kind: 'unknown' });
});

test('a line of fstab that mounts it at boot is a problem', (t) => {
  const at = (line: string) => fstabProblem(config, `# /dev/drbd/by-res/r0/0 /srv/images\n\n${line}\n`)?.code;
  t.is(at(''), undefined);
  t.is(at('UUID=1 /srv/images/ ext4 defaults 0 2'), 'mounted-at-boot');
  t.is(at('/dev/drbd/by-res/r0/0\t/elsewhere ext4'), 'mounted-at-boot');
  t.is(at('/dev/drbd/by-res/r0/0 /srv/images ext4 noatime,noauto 0 0'), undefined);
  t.is(at('/dev/sda1 /srv ext4 defaults 0 1'), undefined);
});

test('what is missing on this host is told before it is needed', async (t) => {
  const directory = temporaryDirectory(t);
  const fstab = path.join(directory, 'fstab');
  const mountinfo = path.join(directory, 'mountinfo');
  const filesystems = path.join(directory, 'filesystems');
  await writeFile(filesystems, 'nodev\tproc\n\text4\n');
  const found = async (changes: Partial<FilesystemConfig>, searchPath: string, mounts = '') => {
    await writeFile(mountinfo, base + mounts);
    const sight = { fstab, searchPath, mountinfo, filesystems };
    const problems = await filesystemProblems({ ...config, ...changes }, sight);
    return problems.map(({ message, next }) => [message, next]);
  };
  for (const command of ['mount', 'umount', 'findmnt']) {
    await writeFile(path.join(directory, command), '', { mode: 0o755 });
  }
  const fine = { mount: directory, fsck: false };
  t.deepEqual(await found(fine, `/nowhere:${directory}`), []);
  t.deepEqual(await found({ mount: path.join(directory, 'none') }, directory), [
    [`mount point ${directory}/none does not exist`, `mkdir -p ${directory}/none   # on both nodes`],
    [
      `fsck.ext4 is not installed, and ${directory}/none needs it`,
      'install it (apt-file search fsck.ext4), or set fsck: false',
    ],
  ]);
  const at = (place: string, device: string) => `141 77 147:0 / ${place} rw - ext4 ${device} rw\n`;
  t.deepEqual(await found(fine, directory, at(directory, config.device)), [], 'it is where it belongs');
  t.deepEqual(await found(fine, directory, at('/mnt', config.device)), [
    [
      `${config.device} is mounted at /mnt instead of ${directory}: umount /mnt`,
      `findmnt ${config.device}   # shows it; umount what is in the wrong place`,
    ],
  ]);
  t.deepEqual(await found(fine, directory, at(directory, '/dev/sdb1')), [
    [`${directory} carries /dev/sdb1 (ext4), not ${config.device}`, `umount ${directory}`],
  ]);
  await writeFile(fstab, `${config.device} /srv ext4 defaults 0 2\n`);
  t.deepEqual(await found(fine, directory), [
    [
      `/etc/fstab has ${config.device} mounted at /srv at boot, on whichever node boots`,
      'take the line out of /etc/fstab, or add noauto to its options',
    ],
  ]);
});
