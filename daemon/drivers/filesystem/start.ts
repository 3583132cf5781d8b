// Brings a filesystem up: checked where asked for, then mounted, writable or not at all.
// Guarantees: idempotent; nothing is mounted over or beside something else; `done` only when the kernel shows it.
// A mount point is never created. One that is missing is a misspelt path, or lies in a filesystem that is itself not
// mounted; a directory made in its place would hide that, and images would later be looked for, or written, on the
// wrong disk. So that nobody learns this at a takeover, problems.ts tells it beforehand.

import { lstat } from 'node:fs/promises';
import type { Outcome } from '../driver.ts';
import { assertNever } from '../never.ts';
import type { Filesystem } from './filesystem.ts';
import { type FilesystemConfig, type Finding, wantsReadOnly } from './judge.ts';
import type { RunResult } from './runner.ts';

const done: Outcome = { kind: 'done' };

/**
 * `-w`: without it mount(8) falls back to read-only on a device that is write-protected, and calls that a success.
 */
export function mountArgv(config: FilesystemConfig): readonly string[] {
  const { device, mount, type, options } = config;
  const access = wantsReadOnly(config) ? '-r' : '-w';
  return ['mount', access, '-t', type, ...(options === '' ? [] : ['-o', options]), device, mount];
}

/** `-p`: repairs what can be repaired without a question. */
export function fsckArgv({ device, type }: FilesystemConfig): readonly string[] {
  return [`fsck.${type}`, '-p', device];
}

export async function startFilesystem(filesystem: Filesystem, signal: AbortSignal): Promise<Outcome> {
  const { config, runner } = filesystem;
  const hanging = runner.hanging();
  if (hanging !== undefined) return { kind: 'unknown', message: hanging };
  const before = await filesystem.look();
  if (before.kind !== 'unmounted') return outcomeOf(before);
  const obstacle = await findObstacle(filesystem, before);
  if (obstacle !== undefined) return obstacle;

  if (config.fsck) {
    const refused = judgeFsck(config, await runner.run(fsckArgv(config), signal));
    if (refused !== undefined) return refused;
  }
  const argv = mountArgv(config);
  const result = await runner.run(argv, signal);
  if (result.kind === 'cut-off') return { kind: 'unknown', message: result.message };
  const after = await filesystem.look();
  if (after.kind !== 'unmounted') return outcomeOf(after);
  if (result.kind === 'broken') {
    const code = result.missing ? 'command-missing' : 'mount-failed';
    return { kind: 'failed', code, message: result.message };
  }
  if (result.exitCode === 0) {
    const message = `${argv.join(' ')} succeeded, but ${config.mount} is not seen mounted by this process`;
    return { kind: 'failed', code: 'mount-not-seen', message };
  }
  return mountFailure(config, argv, result);
}

function outcomeOf(finding: Exclude<Finding, { readonly kind: 'unmounted' }>): Outcome {
  switch (finding.kind) {
    case 'mounted':
      return done;
    case 'wrong':
      return { kind: 'failed', code: finding.code, message: finding.message };
    case 'unreadable':
      return { kind: 'unknown', message: finding.message };
    default:
      return assertNever(finding);
  }
}

async function findObstacle(
  { config, findTarget }: Filesystem,
  { inTheWay }: Extract<Finding, { readonly kind: 'unmounted' }>,
): Promise<Outcome | undefined> {
  const { device, mount } = config;
  if (inTheWay !== undefined) {
    const message = `${mount} carries ${inTheWay.source} (${inTheWay.type}), not ${device}: umount ${mount}`;
    return { kind: 'failed', code: 'mount-point-in-use', message };
  }
  const problem = await mountPointProblem(config);
  if (problem !== undefined) {
    return { kind: 'failed', code: problem.code, message: `${problem.what}: ${problem.next}` };
  }
  if ((await findTarget()).deviceNumber === undefined) {
    const message = `${device} is not there, or is no block device, so it cannot be mounted at ${mount}`;
    return { kind: 'failed', code: 'device-missing', message };
  }
  return undefined;
}

export interface MountPointProblem {
  readonly code: string;
  readonly what: string;
  readonly next: string;
}

/** For a mount point on which nothing is mounted; undefined: it is fit for use. */
export async function mountPointProblem({ mount }: FilesystemConfig): Promise<MountPointProblem | undefined> {
  const code = 'mount-point-unfit';
  try {
    const found = await lstat(mount);
    if (found.isDirectory()) return undefined;
    const what = `mount point ${mount} is ${found.isSymbolicLink() ? 'a symbolic link' : 'not a directory'}`;
    const next = found.isSymbolicLink()
      ? `name the directory it leads to: readlink -f ${mount}`
      : `ls -ld ${mount}   # name a directory instead`;
    return { code, what, next };
  } catch (error) {
    const { code: why, message } = error as NodeJS.ErrnoException;
    if (why !== 'ENOENT')
      return { code, what: `mount point ${mount}: ${message}`, next: `namei -l ${mount}   # shows where` };
    const what = `mount point ${mount} does not exist`;
    return { code: 'mount-point-missing', what, next: `mkdir -p ${mount}   # on both nodes` };
  }
}

/** Exit codes as in fsck(8), a sum: 1 repaired, 2 reboot, 4 errors are left, 8 and above it did not work. */
function judgeFsck(config: FilesystemConfig, result: RunResult): Outcome | undefined {
  const { device, type } = config;
  const command = fsckArgv(config).join(' ');
  switch (result.kind) {
    case 'cut-off':
      return { kind: 'unknown', message: result.message };
    case 'broken': {
      const advice = result.missing ? ': install it, or set fsck: false' : '';
      const message = `${config.mount} is not mounted: ${result.message}${advice}`;
      return { kind: 'failed', code: result.missing ? 'command-missing' : 'fsck-failed', message };
    }
    case 'ended': {
      const { exitCode, said } = result;
      if (exitCode <= 1) return undefined;
      const what = `${config.mount} is not mounted: \`${command}\` ended with ${exitCode}`;
      const tail = said === '' ? '' : `; it said: ${said}`;
      if (exitCode < 4) {
        const message = `${what}: it wants this host to be rebooted first${tail}`;
        return { kind: 'failed', code: 'fsck-wants-reboot', message };
      }
      if (exitCode < 8) {
        const message = `${what}: errors are left that need a person; run \`fsck.${type} -f ${device}\`${tail}`;
        return { kind: 'failed', code: 'fsck-refused', message };
      }
      return { kind: 'failed', code: 'fsck-failed', message: `${what}${tail}` };
    }
    default:
      return assertNever(result);
  }
}

function mountFailure(
  { device, type }: FilesystemConfig,
  argv: readonly string[],
  { exitCode, said }: Extract<RunResult, { readonly kind: 'ended' }>,
): Outcome {
  const message = `${argv.join(' ')}: exit ${exitCode}: ${said}`;
  // The kernel's EMEDIUMTYPE: DRBD's answer where the device is secondary.
  if (/wrong medium type/i.test(said)) {
    return {
      kind: 'failed',
      code: 'device-not-primary',
      message: `${device} is not primary here: ${message}`,
    };
  }
  if (/write-protected|Read-only file system/.test(said)) {
    const why = `${device} cannot be written to (is it DRBD and secondary?)`;
    return { kind: 'failed', code: 'device-read-only', message: `${why}: ${message}` };
  }
  if (/wrong fs type|bad superblock|Structure needs cleaning|can't read superblock/.test(said)) {
    const why = `${device} does not hold a sound ${type}; see \`dmesg\`, run \`fsck.${type} -f ${device}\``;
    return { kind: 'failed', code: 'filesystem-unsound', message: `${why}: ${message}` };
  }
  return { kind: 'failed', code: 'mount-failed', message };
}
