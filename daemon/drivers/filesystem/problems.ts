// What would keep a filesystem from being mounted here at a takeover, told while there is time to mend it: for
// `battito check`, on both nodes. Looks only; the device is not opened, and need not be there: DRBD may not be up yet.

import { access, constants, readFile } from 'node:fs/promises';
import path from 'node:path';
import { runCommand } from '../command.ts';
import { type FilesystemConfig, judge } from './judge.ts';
import { parseMountinfo } from './mountinfo.ts';
import { mountPointProblem } from './start.ts';
import { createTargetFinder } from './target.ts';

export interface FilesystemProblem {
  /** Stable, kebab-case. */
  readonly code: string;
  readonly message: string;
  /** The command, or the sentence, that mends it. */
  readonly next: string;
}

/** For tests; the host's own when left out. */
export interface ProblemOptions {
  readonly fstab?: string;
  /** Where commands are searched, as in PATH. */
  readonly searchPath?: string;
  readonly mountinfo?: string;
  /** The filesystems that the kernel has, as in proc(5). */
  readonly filesystems?: string;
}

const timeoutMs = 5000;

export async function filesystemProblems(
  config: FilesystemConfig,
  options: ProblemOptions = {},
): Promise<readonly FilesystemProblem[]> {
  const searchPath = options.searchPath ?? process.env['PATH'] ?? '';
  const mounting = await mountProblem(config, options.mountinfo ?? '/proc/self/mountinfo');
  // Of a mount point that carries something its own state is not seen.
  const place = mounting === 'mounted' ? undefined : (mounting ?? (await placeProblem(config)));
  const problems: (FilesystemProblem | undefined)[] = [place];
  problems.push(await typeProblem(config, options.filesystems ?? '/proc/filesystems'));
  const commands = ['mount', 'umount', 'findmnt', ...(config.fsck ? [`fsck.${config.type}`] : [])];
  for (const command of commands) {
    if (await isInstalled(command, searchPath)) continue;
    const message = `${command} is not installed, and ${config.mount} needs it`;
    const isChecker = command.startsWith('fsck.');
    const next = isChecker
      ? `install it (apt-file search ${command}), or set fsck: false`
      : 'apt-get install mount';
    problems.push({ code: 'command-missing', message, next });
  }
  const fstab = await readFile(options.fstab ?? '/etc/fstab', 'utf8').catch(() => '');
  problems.push(fstabProblem(config, fstab));
  return problems.filter((problem) => problem !== undefined);
}

/** `mounted`: it is where it belongs, and fit for use. */
async function mountProblem(
  config: FilesystemConfig,
  mountinfo: string,
): Promise<FilesystemProblem | 'mounted' | undefined> {
  const parsed = parseMountinfo(await readFile(mountinfo, 'utf8').catch(() => ''));
  if (parsed.kind !== 'parsed') return undefined;
  const finding = judge(config, await createTargetFinder(config)(), parsed.mounts);
  if (finding.kind === 'mounted') return 'mounted';
  if (finding.kind === 'wrong') {
    const next = `findmnt ${config.device}   # shows it; umount what is in the wrong place`;
    return { code: finding.code, message: finding.message, next };
  }
  if (finding.kind === 'unmounted' && finding.inTheWay !== undefined) {
    const { source, type } = finding.inTheWay;
    const message = `${config.mount} carries ${source} (${type}), not ${config.device}`;
    return { code: 'mount-point-in-use', message, next: `umount ${config.mount}` };
  }
  return undefined;
}

async function placeProblem(config: FilesystemConfig): Promise<FilesystemProblem | undefined> {
  const problem = await mountPointProblem(config);
  return problem === undefined
    ? undefined
    : { code: problem.code, message: problem.what, next: problem.next };
}

/** The kernel has it, or has a module for it under the name that mount(2) asks for. Undefined where nobody can tell. */
async function typeProblem(
  { type, mount }: FilesystemConfig,
  filesystems: string,
): Promise<FilesystemProblem | undefined> {
  const known = (await readFile(filesystems, 'utf8').catch(() => '')).split(/\s+/);
  if (known.includes(type)) return undefined;
  const { exitCode } = await runCommand(['modinfo', `fs-${type}`], { timeoutMs });
  if (exitCode === 0 || exitCode === null) return undefined;
  const message = `this kernel knows no filesystem of type ${type}, and ${mount} is one`;
  const next = `correct \`type\` under filesystems, or install a kernel that has it: modinfo fs-${type}`;
  return { code: 'filesystem-type-unknown', message, next };
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
    const message = `/etc/fstab has ${source} mounted at ${place} at boot, on whichever node boots`;
    const next = `take the line out of /etc/fstab, or add noauto to its options`;
    return { code: 'mounted-at-boot', message, next };
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
