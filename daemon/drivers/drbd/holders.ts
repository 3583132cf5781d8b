// Who holds a block device open: processes, mounts (in every mount namespace), device-mapper and other stacked
// devices, loop devices, swap. Reads /proc and /sys alone; never touches the device, which may hang.
// Guarantees: never rejects; what vanishes while it looks is passed over.
// Sources: proc(5), proc_pid_mountinfo(5); sysfs-block (holders).

import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { majorOf, minorOf } from './kernel.ts';

export type DeviceHolder =
  | { readonly kind: 'process'; readonly pid: number; readonly name: string }
  /** `pid` and `name`: a process that has this mount in its namespace, when it is not ours. */
  | {
      readonly kind: 'mount';
      readonly directory: string;
      readonly pid: number | null;
      readonly name: string | null;
    }
  /** A device on top of it: `name` in /dev, `label` as its owner calls it (LVM, multipath). */
  | { readonly kind: 'device'; readonly name: string; readonly label: string }
  | { readonly kind: 'loop'; readonly name: string }
  | { readonly kind: 'swap' };

export interface Held {
  /** Path of a block device; anything else is held by nobody. */
  readonly device: string;
  /** Where its filesystem is mounted: who has something open there counts too, that mount itself does not. */
  readonly mount?: string | undefined;
}

export async function holdersOf({ device: path, mount }: Held): Promise<readonly DeviceHolder[]> {
  const device = await identify(path);
  if (device === undefined && mount === undefined) return [];
  const seen = await processesAndMounts(device, mount);
  if (device === undefined) return seen;
  const rest = await Promise.all([stackedDevices(device), loopDevices(device), swapUsers(device)]);
  return [...seen, ...rest.flat()];
}

/** "qemu-system-x86 (pid 4711), mounted on /srv"; never empty. */
export function describeHolders(holders: readonly DeviceHolder[]): string {
  if (holders.length === 0) return 'somebody who cannot be seen in /proc (the kernel itself, or just gone)';
  const shown = holders.slice(0, 5).map(describe);
  const more = holders.length - shown.length;
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ');
}

function describe(holder: DeviceHolder): string {
  switch (holder.kind) {
    case 'process':
      return `${holder.name} (pid ${holder.pid})`;
    case 'mount': {
      const whose =
        holder.pid === null ? '' : ` in the mount namespace of ${holder.name} (pid ${holder.pid})`;
      return `mounted on ${holder.directory}${whose}`;
    }
    case 'device':
      return holder.label === holder.name
        ? `device /dev/${holder.name}`
        : `${holder.label} (/dev/${holder.name})`;
    case 'loop':
      return `loop device /dev/${holder.name}`;
    case 'swap':
      return 'used as swap';
  }
}

interface BlockDevice {
  readonly path: string;
  readonly rdev: number;
  /** As mountinfo and sysfs write it. */
  readonly number: string;
}

async function identify(path: string): Promise<BlockDevice | undefined> {
  const stats = await stat(path).catch(() => undefined);
  if (stats?.isBlockDevice() !== true) return undefined;
  return { path, rdev: stats.rdev, number: `${majorOf(stats.rdev)}:${minorOf(stats.rdev)}` };
}

async function processesAndMounts(
  device: BlockDevice | undefined,
  mount: string | undefined,
): Promise<readonly DeviceHolder[]> {
  const namespaces = new Map<string, Promise<readonly DeviceHolder[]>>();
  const own = await linkTarget('/proc/self/ns/mnt');
  const found = await eachProcess(async (pid) => {
    const namespace = await linkTarget(`/proc/${pid}/ns/mnt`);
    if (device !== undefined && namespace !== '' && !namespaces.has(namespace)) {
      namespaces.set(namespace, mountsOf(device, pid, namespace === own));
    }
    const files = await openFiles(pid);
    const holds =
      (device !== undefined && (await hasOpen(files, device))) ||
      (mount !== undefined && (await isAtHome(pid, files, mount)));
    return holds ? [await processHolder(pid)] : [];
  });
  const mounts = (await Promise.all(namespaces.values())).flat();
  const ours = new Set(mounts.flatMap((one) => (isForeign(one) ? [] : [JSON.stringify(one)])));
  // A namespace that was copied from ours shows our mounts once more.
  const isCopy = (one: DeviceHolder) => ours.has(JSON.stringify({ ...one, pid: null, name: null }));
  const others = mounts.filter(
    (one) => one.kind === 'mount' && (isForeign(one) ? !isCopy(one) : one.directory !== mount),
  );
  return [...found.flat(), ...others];
}

/** Has it an open file, its working directory, its root or its program below `directory`? */
async function isAtHome(pid: number, files: readonly string[], directory: string): Promise<boolean> {
  const links = [...['cwd', 'root', 'exe'].map((name) => `/proc/${pid}/${name}`), ...files];
  const targets = await Promise.all(links.map(linkTarget));
  return targets.some((target) => target === directory || target.startsWith(`${directory}/`));
}

const isForeign = (holder: DeviceHolder) => holder.kind === 'mount' && holder.pid !== null;

async function mountsOf(device: BlockDevice, pid: number, isOwn: boolean): Promise<readonly DeviceHolder[]> {
  const lines = (await readText(`/proc/${pid}/mountinfo`)).split('\n');
  const directories = new Set<string>();
  for (const line of lines) {
    const [, , number, , directory = ''] = line.split(' ');
    // Some filesystems (btrfs) have a number of their own; their source is named after the dash.
    const source = line.split(' - ')[1]?.split(' ')[1];
    if (number === device.number || source === device.path) directories.add(unescaped(directory));
  }
  if (directories.size === 0) return [];
  const name = isOwn ? null : await nameOf(pid);
  return [...directories].map((directory) => ({ kind: 'mount', directory, pid: isOwn ? null : pid, name }));
}

/** Only files under a /dev are looked at closely: to stat a file of a dead NFS would hang. */
async function hasOpen(files: readonly string[], device: BlockDevice): Promise<boolean> {
  for (const file of files) {
    if (!(await linkTarget(file)).includes('/dev/')) continue;
    const stats = await stat(file).catch(() => undefined);
    if (stats?.isBlockDevice() === true && stats.rdev === device.rdev) return true;
  }
  return false;
}

async function stackedDevices({ number }: BlockDevice): Promise<readonly DeviceHolder[]> {
  const base = `/sys/dev/block/${number}`;
  const partitions = (await list(base)).filter((name) => /^(drbd|loop|sd|vd|nvme)/.test(name));
  const places = [join(base, 'holders'), ...partitions.map((name) => join(base, name, 'holders'))];
  const names = (await Promise.all(places.map(list))).flat();
  return Promise.all(
    [...new Set(names)].map(async (name): Promise<DeviceHolder> => {
      const label = (await readText(`/sys/class/block/${name}/dm/name`)).trim();
      return { kind: 'device', name, label: label === '' ? name : label };
    }),
  );
}

async function loopDevices(device: BlockDevice): Promise<readonly DeviceHolder[]> {
  const loops = (await list('/sys/class/block')).filter((name) => name.startsWith('loop'));
  const found = await Promise.all(
    loops.map(async (name): Promise<readonly DeviceHolder[]> => {
      const backing = (await readText(`/sys/class/block/${name}/loop/backing_file`)).trim();
      const isOnDevice = backing.startsWith('/dev/') && (await identify(backing))?.rdev === device.rdev;
      return isOnDevice ? [{ kind: 'loop', name }] : [];
    }),
  );
  return found.flat();
}

async function swapUsers(device: BlockDevice): Promise<readonly DeviceHolder[]> {
  const paths = (await readText('/proc/swaps')).split('\n').map((line) => line.split(/\s+/)[0] ?? '');
  for (const path of paths.filter((entry) => entry.startsWith('/dev/'))) {
    if ((await identify(path))?.rdev === device.rdev) return [{ kind: 'swap' }];
  }
  return [];
}

async function eachProcess<T>(act: (pid: number) => Promise<T>): Promise<readonly T[]> {
  const results: T[] = [];
  // One after the other: thousands of reads at once would hold up the daemon's own.
  for (const entry of await list('/proc')) {
    if (/^\d+$/.test(entry)) results.push(await act(Number(entry)));
  }
  return results;
}

async function openFiles(pid: number): Promise<readonly string[]> {
  return (await list(`/proc/${pid}/fd`)).map((name) => `/proc/${pid}/fd/${name}`);
}

async function processHolder(pid: number): Promise<DeviceHolder> {
  return { kind: 'process', pid, name: await nameOf(pid) };
}

/** The kernel's name of a process, 15 letters at most; its command line may hang with it. */
async function nameOf(pid: number): Promise<string> {
  return (await readText(`/proc/${pid}/comm`)).trim() || 'a process';
}

/** Blanks and the like stand as `\040` in mountinfo. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

const list = (directory: string) => readdir(directory).catch((): string[] => []);
const linkTarget = (link: string) => readlink(link).catch(() => '');
const readText = (file: string) => readFile(file, 'utf8').catch(() => '');
