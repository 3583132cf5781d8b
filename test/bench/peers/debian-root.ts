// A peer's own Debian, made by mmdebstrap from this machine's apt sources and kept in a cache: nothing is installed on
// the machine itself, and no service of it is ever started there. Made under another name and moved when it is whole.

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeFailure, runCommand } from '../../../daemon/drivers/command.ts';
import { readAptSources } from '../../lab/support/apt-sources.ts';
import { isAlive, thisProcess } from '../../lab/support/owner.ts';
import { cacheFolder } from '../../lab/support/places.ts';

export interface DebianRoot {
  readonly folder: string;
  /** Of the first package asked for. */
  readonly version: string;
}

/** What every peer's host has besides. */
const hostPackages = ['iproute2', 'iputils-arping', 'iputils-ping', 'procps'];
/** Counted up when this file changes what comes out. */
const recipeVersion = 1;
const buildTimeoutMs = 15 * 60_000;
const shownLines = 8;

/** @throws Error that says what is missing, and why it could not be installed. */
export async function ensureRoot(
  packages: readonly string[],
  tell: (line: string) => void,
): Promise<DebianRoot> {
  const sources = await readAptSources();
  const recipe = [recipeVersion, sources.codename, sources.architecture, [...hostPackages, ...packages]];
  const digest = createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 16);
  const cache = join(cacheFolder(), 'peers');
  const folder = join(cache, digest);
  if (!existsSync(folder)) {
    tell(`making a Debian ${sources.codename} with ${packages.join(', ')}; this takes a minute or two, once`);
    await removeUnfinished(cache);
    const { pid, startTime } = thisProcess();
    const scratch = join(cache, `making-${pid}-${startTime}-${digest}`);
    await mkdir(scratch, { recursive: true, mode: 0o700 });
    try {
      await build(scratch, packages, sources);
      await rename(join(scratch, 'root'), folder).catch((error: NodeJS.ErrnoException) => {
        // Somebody else was faster with the same one; theirs is as good.
        if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
      });
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }
  const status = await readFile(join(folder, 'var/lib/dpkg/status'), 'utf8');
  return { folder, version: versionIn(status, packages[0] ?? '') };
}

/** What makers that are gone have left. */
async function removeUnfinished(cache: string): Promise<void> {
  for (const name of await readdir(cache).catch(() => [])) {
    const [, pid, startTime] = /^making-(\d+)-(\d+)-/.exec(name) ?? [];
    if (pid === undefined || startTime === undefined || isAlive({ pid: Number(pid), startTime })) continue;
    await rm(join(cache, name), { recursive: true, force: true });
  }
}

async function build(
  scratch: string,
  packages: readonly string[],
  sources: Awaited<ReturnType<typeof readAptSources>>,
): Promise<void> {
  const sourcesFile = join(scratch, 'sources.list');
  const settingsFile = join(scratch, 'apt.conf');
  await writeFile(sourcesFile, `${sources.lines.join('\n')}\n`);
  await writeFile(settingsFile, `${sources.settings.join('\n')}\n`);
  const argv = [
    // Its mounts are its own: one that is killed leaves none behind.
    ...['unshare', '--mount', '--fork', '--kill-child'],
    ...['mmdebstrap', '--mode=root', '--variant=minbase', '--format=directory'],
    ...[`--architectures=${sources.architecture}`, `--include=${[...hostPackages, ...packages].join(',')}`],
    ...[`--aptopt=${settingsFile}`, '--dpkgopt=force-unsafe-io'],
    ...[sources.codename, join(scratch, 'root'), sourcesFile],
  ];
  const result = await runCommand(argv, { timeoutMs: buildTimeoutMs });
  if (result.exitCode === 0) return;
  const said = result.stderr.trimEnd().split('\n').slice(-shownLines).join('\n  ');
  const how = describeFailure(['mmdebstrap'], { ...result, stderr: '' });
  throw new Error(`${packages.join(', ')} could not be installed (${how}):\n  ${said}`);
}

/** The version of a package in dpkg's status file. */
export function versionIn(status: string, name: string): string {
  const entry = status.split('\n\n').find((each) => each.startsWith(`Package: ${name}\n`));
  return /^Version: (?:\d+:)?(\S+)$/m.exec(entry ?? '')?.[1] ?? 'unknown';
}
