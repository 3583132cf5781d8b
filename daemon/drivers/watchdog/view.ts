// What the kernel tells of a watchdog without its being opened, since opening one starts it; and who has it open.
// Reads /sys and /proc alone. What cannot be read is null. Source: Documentation/ABI/testing/sysfs-class-watchdog.

import { readdirSync, readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';

/** Bits of `options` and `bootstatus`: include/uapi/linux/watchdog.h. */
export const watchdogBits = { cardReset: 0x20, setTimeout: 0x80, magicClose: 0x100 } as const;

export interface WatchdogView {
  /** As the kernel calls it, e.g. `watchdog0`. */
  readonly name: string;
  /** What its driver calls it, e.g. `iTCO_wdt`; softdog says `Software Watchdog`. */
  readonly identity: string | null;
  /** A character device, as each watchdog is. */
  readonly isDevice: boolean;
  readonly isActive: boolean | null;
  /** It cannot be stopped once it runs. */
  readonly isForEver: boolean | null;
  /** It has reset the host before this boot. */
  readonly hasReset: boolean | null;
  /** A process that is killed does not stop it: only one that says so does. */
  readonly outlivesProcess: boolean | null;
  /** Seconds; null also where there is no such limit. */
  readonly timeoutMinS: number | null;
  readonly timeoutMaxS: number | null;
}

/** Null: there is no such device. Tests give another root than `/`. */
export function readWatchdog(device: string, root = '/'): WatchdogView | null {
  let name: string;
  let isDevice: boolean;
  try {
    isDevice = statSync(device).isCharacterDevice();
    // The kernel's first watchdog has two names. A link, as udev makes them, has one that is its owner's.
    name = basename(realpathSync(device)).replace(/^watchdog$/, 'watchdog0');
  } catch {
    return null;
  }
  const directory = join(root, 'sys/class/watchdog', name);
  const text = (attribute: string) => readText(join(directory, attribute));
  const number = (attribute: string) => {
    const found = text(attribute);
    return found !== null && /^(0x[0-9a-f]+|[0-9]+)$/i.test(found) ? Number(found) : null;
  };
  const bit = (attribute: string, mask: number) => {
    const bits = number(attribute);
    return bits === null ? null : (bits & mask) !== 0;
  };
  const state = text('state');
  return {
    name,
    identity: text('identity'),
    isDevice,
    isActive: state === null ? null : state === 'active',
    isForEver: bit('nowayout', 1),
    hasReset: bit('bootstatus', watchdogBits.cardReset),
    outlivesProcess: bit('options', watchdogBits.magicClose),
    timeoutMinS: number('min_timeout') || null,
    timeoutMaxS: number('max_timeout') || null,
  };
}

/** The kernel itself resets the host, and does not where it hangs. */
export const isSoftware = ({ identity }: WatchdogView) => identity === 'Software Watchdog';

export interface WatchdogUser {
  readonly pid: number;
  readonly name: string;
}

/** Who has it open, as far as this process may see that. */
export function watchdogUsers(device: string, root = '/'): readonly WatchdogUser[] {
  const seen = readWatchdog(device, root);
  const names = new Set([device, realPath(device), `/dev/${seen?.name}`]);
  if (seen?.name === 'watchdog0') names.add('/dev/watchdog');
  const pids = entries(join(root, 'proc')).filter((entry) => /^[0-9]+$/.test(entry));
  return pids.flatMap((pid) => {
    const directory = join(root, 'proc', pid, 'fd');
    const isUser = entries(directory).some((fd) => names.has(linkTarget(join(directory, fd))));
    return isUser
      ? [{ pid: Number(pid), name: readText(join(root, 'proc', pid, 'comm')) ?? 'a process' }]
      : [];
  });
}

/** In words, with what to do about it. */
export function describeUsers(users: readonly WatchdogUser[]): string {
  const [user] = users;
  if (user === undefined) return 'another program has it open; fuser -v says which';
  if (user.pid === 1) {
    return 'systemd has it open: set RuntimeWatchdogSec=off in /etc/systemd/system.conf, then systemctl daemon-reexec; or name another device';
  }
  return `${user.name} (pid ${user.pid}) has it open: stop that for good, as with systemctl disable --now watchdog; or name another device`;
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return null;
  }
}

function entries(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function linkTarget(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
