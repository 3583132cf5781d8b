// What would keep a filesystem from being mounted here at a takeover, told while there is time to mend it: for
// `battito check`, on both nodes. Looks only; the device need not be there, and is not opened.

import { access, constants, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { FilesystemConfig } from './judge.ts';
import { mountPointProblem } from './start.ts';

export interface FilesystemProblem {
  /** Stable, kebab-case. */
  readonly code: string;
  readonly message: string;
}

export interface ProblemOptions {
  readonly fstab?: string;
  /** Where commands are searched, as in PATH. */
  readonly searchPath?: string;
}

export async function filesystemProblems(
  config: FilesystemConfig,
  options: ProblemOptions = {},
): Promise<readonly FilesystemProblem[]> {
  const searchPath = options.searchPath ?? process.env['PATH'] ?? '';
  const problems: (FilesystemProblem | undefined)[] = [await mountPointProblem(config)];
  const commands = ['mount', 'umount', 'findmnt', ...(config.fsck ? [`fsck.${config.type}`] : [])];
  for (const command of commands) {
    if (await isInstalled(command, searchPath)) continue;
    const message = `${command} is not installed, and ${config.mount} needs it`;
    problems.push({ code: 'command-missing', message });
  }
  const fstab = await readFile(options.fstab ?? '/etc/fstab', 'utf8').catch(() => '');
  problems.push(fstabProblem(config, fstab));
  return problems.filter((problem) => problem !== undefined);
}

/** Mounted at boot, it would be mounted by whichever node boots, or fail and hold up the boot where DRBD is secondary. */
export function fstabProblem(
  { device, mount }: FilesystemConfig,
  fstab: string,
): FilesystemProblem | undefined {
  for (const line of fstab.split('\n')) {
    const [source, place, , options = ''] = line.trim().split(/\s+/);
    if (source === undefined || place === undefined || source.startsWith('#')) continue;
    const isMeant = source === device || path.resolve(place) === path.resolve(mount);
    if (!isMeant || options.split(',').includes('noauto')) continue;
    const message = `/etc/fstab has ${source} mounted at ${place} at boot: take the line out, or add noauto`;
    return { code: 'mounted-at-boot', message };
  }
  return undefined;
}

async function isInstalled(command: string, searchPath: string): Promise<boolean> {
  for (const directory of searchPath.split(':')) {
    const found = await access(path.join(directory, command), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}
