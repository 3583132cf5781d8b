// Finds out under which names the kernel shows a filesystem. Nothing here opens the device or enters the mount point:
// on a disk that hangs that could keep one of Node's few threads for ever.

import { access, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { majorOf, minorOf } from '../drbd/kernel.ts';
import type { FilesystemConfig, Target } from './judge.ts';

/** Keeps what it learned of the mount point: links above it are looked at until they can be followed, then no more. */
export function createTargetFinder(config: FilesystemConfig): () => Promise<Target> {
  const named = path.resolve(config.mount);
  let mountPoint: string | undefined;
  return async () => {
    // The last part is left alone, since that would be the root of the mounted filesystem.
    mountPoint ??= await realpath(path.dirname(named)).then(
      (parent) => path.join(parent, path.basename(named)),
      () => undefined,
    );
    const device = await realpath(config.device).catch(() => config.device);
    return {
      mountPoint: mountPoint ?? named,
      devices: [...new Set([config.device, device])],
      deviceNumber: await deviceNumberOf(device),
    };
  };
}

async function deviceNumberOf(device: string): Promise<string | undefined> {
  const found = await stat(device).catch(() => undefined);
  return found?.isBlockDevice() === true ? `${majorOf(found.rdev)}:${minorOf(found.rdev)}` : undefined;
}

/**
 * Whether the kernel still runs the filesystem of this device, though it be mounted nowhere that we see: in another
 * process's view of the mounts, or because its unmounting has not come to its end. ext4 and XFS say so in /sys; of
 * others nobody asks, and DRBD refuses to be demoted.
 */
export async function isStillRun(config: FilesystemConfig, { deviceNumber }: Target): Promise<boolean> {
  const family = /^ext[234]$/.test(config.type) ? 'ext4' : config.type;
  if (deviceNumber === undefined || (family !== 'ext4' && family !== 'xfs')) return false;
  try {
    const name = path.basename(await realpath(`/sys/dev/block/${deviceNumber}`));
    await access(`/sys/fs/${family}/${name}`);
    return true;
  } catch {
    return false;
  }
}
