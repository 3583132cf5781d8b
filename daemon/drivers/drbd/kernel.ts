// Which DRBD this host has: the kernel module, its generation, and the tools.
// 8.4 and 9 share drbd-utils; only the kernel says which of the two runs (first line of /proc/drbd).

import { readFile, stat } from 'node:fs/promises';
import { describeFailure, runCommand } from '../command.ts';
import type { Trouble } from './types.ts';

export type DrbdKernel =
  | { readonly kind: 'loaded'; readonly version: string; readonly generation: '8.4' | '9' }
  | { readonly kind: 'not-loaded' }
  | { readonly kind: 'unknown'; readonly message: string };

const procFile = '/proc/drbd';
const commandTimeoutMs = 10_000;
/** Block devices of DRBD, Documentation/admin-guide/devices.txt of the kernel. */
export const drbdMajor = 147;

export async function readDrbdKernel(file: string = procFile): Promise<DrbdKernel> {
  try {
    return parseKernelVersion(await readFile(file, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { kind: 'not-loaded' };
    return { kind: 'unknown', message: `${file}: ${String(error)}` };
  }
}

/** `version: 8.4.11 (api:1/proto:86-101)`. */
export function parseKernelVersion(text: string): DrbdKernel {
  const version = /^version: ((\d+)\.(\d+)[^\s]*)/.exec(text);
  if (version === null) return { kind: 'unknown', message: `${procFile} does not begin with a version` };
  const [, full = '', major, minor] = version;
  if (Number(major) >= 9) return { kind: 'loaded', version: full, generation: '9' };
  if (major === '8' && minor === '4') return { kind: 'loaded', version: full, generation: '8.4' };
  return { kind: 'unknown', message: `DRBD ${full} is too old; 8.4 or 9 is needed` };
}

export const toolsMissing: Trouble = {
  code: 'drbd-utils-missing',
  what: 'drbdadm and drbdsetup are not installed',
  next: 'apt-get install drbd-utils',
};

export function moduleMissing(said: string): Trouble {
  return {
    code: 'drbd-module-not-loaded',
    what: `the kernel module of DRBD is not loaded${said === '' ? '' : ` (${said})`}`,
    next: 'modprobe drbd',
  };
}

const installKmod = 'apt-get install kmod';

/** Loads the module if it is not there. Null: it is loaded. Never rejects. */
export async function loadDrbdModule(signal: AbortSignal, file: string = procFile): Promise<Trouble | null> {
  const before = await readDrbdKernel(file);
  if (before.kind === 'loaded') return null;
  if (before.kind === 'unknown') return unusable(before.message);
  const argv = ['modprobe', 'drbd'];
  const result = await runCommand(argv, { timeoutMs: commandTimeoutMs, signal });
  const after = await readDrbdKernel(file);
  if (after.kind === 'loaded') return null;
  if (after.kind === 'unknown') return unusable(after.message);
  return {
    code: 'drbd-module-not-loadable',
    what: `the kernel module of DRBD cannot be loaded: ${describeFailure(argv, result)}`,
    next:
      result.startError === 'ENOENT'
        ? installKmod
        : 'install a kernel that has it (Debian: linux-image-amd64 has 8.4), reboot into it, then: modprobe drbd',
  };
}

function unusable(message: string): Trouble {
  return { code: 'drbd-kernel-unusable', what: message, next: 'modinfo -F version drbd' };
}

/** For `check`, which must not load anything. Null: loaded, or it could be. */
export async function checkDrbdModule(signal: AbortSignal, file: string = procFile): Promise<Trouble | null> {
  const kernel = await readDrbdKernel(file);
  if (kernel.kind === 'loaded') return null;
  if (kernel.kind === 'unknown') return unusable(kernel.message);
  const argv = ['modinfo', '-F', 'version', 'drbd'];
  const result = await runCommand(argv, { timeoutMs: commandTimeoutMs, signal });
  if (result.exitCode === 0) {
    const version = parseKernelVersion(`version: ${result.stdout.trim()}`);
    return result.stdout.trim() !== '' && version.kind === 'unknown' ? unusable(version.message) : null;
  }
  if (result.startError === 'ENOENT') {
    const what = 'modinfo is not installed, nor modprobe, which comes with it: DRBD cannot be loaded';
    return { code: 'kmod-missing', what, next: installKmod };
  }
  return {
    code: 'drbd-module-not-loadable',
    what: `this kernel has no module drbd: ${describeFailure(argv, result)}`,
    next: 'install a kernel that has it (Debian: linux-image-amd64 has 8.4), then reboot into it',
  };
}

/** The generation that runs, or would: of the module, where it is not loaded yet. Never rejects. */
export async function drbdGeneration(signal: AbortSignal, file: string = procFile): Promise<'8.4' | '9'> {
  const kernel = await readDrbdKernel(file);
  if (kernel.kind === 'loaded') return kernel.generation;
  const argv = ['modinfo', '-F', 'version', 'drbd'];
  const { stdout } = await runCommand(argv, { timeoutMs: commandTimeoutMs, signal });
  const found = parseKernelVersion(`version: ${stdout.trim()}`);
  return found.kind === 'loaded' ? found.generation : '8.4';
}

/** Is this path a block device of DRBD? Null: yes. */
export async function checkDrbdDevice(path: string): Promise<Trouble | null> {
  const code = 'no-drbd-device';
  const next = 'drbdadm sh-dev all   # shows the devices of DRBD';
  try {
    const { rdev, isBlock } = await stat(path).then((stats) => ({
      rdev: stats.rdev,
      isBlock: stats.isBlockDevice(),
    }));
    if (isBlock && majorOf(rdev) === drbdMajor) return null;
    return { code, what: `${path} is not a device of DRBD`, next };
  } catch (error) {
    return { code, what: `${path}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`, next };
  }
}

/**
 * Of a group with these resources: does what is mounted from this device go past the mirror, e.g. from the disk under
 * it? Null: no, or the device is not there (yet).
 */
export async function checkMirrored(path: string, resources: readonly string[]): Promise<Trouble | null> {
  const [first] = resources;
  if (first === undefined) return null;
  const found = await stat(path).catch(() => null);
  if (found === null || (await checkDrbdDevice(path)) === null) return null;
  return {
    code: 'no-drbd-device',
    what: `${path} is not a device of DRBD, though its group has ${resources.join(', ')}: what is mounted from there goes past the mirror`,
    next: `name a device of ${resources.join(' or ')} under filesystems; drbdadm sh-dev ${first}   # shows it`,
  };
}

/** Linux's makedev(3), as `stat` gives it. */
export function majorOf(rdev: number): number {
  return Number((BigInt(rdev) >> 8n) & 0xfffn) + Number((BigInt(rdev) >> 32n) & 0xfffff000n);
}

export function minorOf(rdev: number): number {
  return Number(BigInt(rdev) & 0xffn) + Number((BigInt(rdev) >> 12n) & 0xffffff00n);
}
