// What the mounts mean for one filesystem: is it where it should be, as it should be? Pure.
// Only a use of OUR device is a doubt. A stranger's filesystem on our mount point leaves ours plainly down: were that
// `unknown`, the other node would have to believe that this one may still write. `start` refuses it all the same.

import { type Mount, topMountAt } from './mountinfo.ts';

/** One filesystem of a group, as configured. */
export interface FilesystemConfig {
  /** A block device, e.g. `/dev/drbd0`. */
  readonly device: string;
  /** An absolute path. */
  readonly mount: string;
  /** As in `mount -t`, e.g. `ext4`. */
  readonly type: string;
  /** As in `mount -o`, e.g. `noatime,discard`; empty: none. */
  readonly options: string;
  /** Run `fsck.TYPE -p` before each mount. */
  readonly fsck: boolean;
}

/** The names under which the kernel shows the configured device and mount point. */
export interface Target {
  /** Links resolved. */
  readonly mountPoint: string;
  /** The device as configured and with links resolved. */
  readonly devices: readonly string[];
  /** `major:minor`; undefined while there is no such block device. */
  readonly deviceNumber: string | undefined;
}

export type Finding =
  /** Ours is mounted nowhere; `inTheWay` is what sits on its mount point. */
  | { readonly kind: 'unmounted'; readonly inTheWay?: Mount }
  | { readonly kind: 'mounted' }
  | { readonly kind: 'wrong'; readonly code: string; readonly message: string }
  | { readonly kind: 'unreadable'; readonly message: string };

export function wantsReadOnly({ options }: FilesystemConfig): boolean {
  return options.split(',').includes('ro');
}

export function judge(config: FilesystemConfig, target: Target, mounts: readonly Mount[]): Finding {
  const isOurs = (mount: Mount) =>
    mount.deviceNumber === target.deviceNumber || target.devices.includes(mount.source);
  const ours = mounts.filter(isOurs);
  const top = topMountAt(mounts, target.mountPoint);
  if (ours.length === 0)
    return top === undefined ? { kind: 'unmounted' } : { kind: 'unmounted', inTheWay: top };
  const here = ours.some(({ mountPoint }) => mountPoint === target.mountPoint);
  if (!here) {
    const places = [...new Set(ours.map(({ mountPoint }) => mountPoint))].join(', ');
    const message = `${config.device} is mounted at ${places} instead of ${config.mount}: umount ${places}`;
    return { kind: 'wrong', code: 'device-mounted-elsewhere', message };
  }
  if (top === undefined || !isOurs(top)) {
    const what = top === undefined ? 'another filesystem' : `${top.source} (${top.type})`;
    const message = `${config.mount} is covered by ${what}: umount ${config.mount} to take that away`;
    return { kind: 'wrong', code: 'filesystem-covered', message };
  }
  // A subvolume is a root of its own; everywhere else another root is a directory bound in its place.
  if (top.root !== '/' && top.type !== 'btrfs') {
    const message = `${config.mount} shows only the directory ${top.root} of ${config.device}: umount ${config.mount}`;
    return { kind: 'wrong', code: 'filesystem-covered', message };
  }
  return wantsReadOnly(config) ? { kind: 'mounted' } : judgeWritable(config, top);
}

/**
 * After an error ext4 (errors=remount-ro) and btrfs make the filesystem read-only, and leave the mount's own `rw`.
 * Linux 6.15 and later show `emergency_ro` and leave `rw` in both places; `shutdown` is ext4 told to give up.
 */
function judgeWritable({ device, mount }: FilesystemConfig, { options, superOptions }: Mount): Finding {
  if (options.includes('ro')) {
    const message = `${mount} is mounted read-only: mount -o remount,rw ${mount}`;
    return { kind: 'wrong', code: 'filesystem-read-only', message };
  }
  if (['ro', 'emergency_ro', 'shutdown'].some((option) => superOptions.includes(option))) {
    const what = `${mount}: the kernel stopped writing to ${device} after an error`;
    const message = `${what}; see \`dmesg\`, hand over or stop the group, then check ${device} with fsck`;
    return { kind: 'wrong', code: 'filesystem-read-only', message };
  }
  return { kind: 'mounted' };
}
