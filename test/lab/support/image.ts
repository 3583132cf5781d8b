// The image that both nodes start from: Debian made by mmdebstrap from this machine's own apt sources.
// Kept in the cache under the digest of what it was made from; made under another name and moved when it is whole.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream, readdirSync, readFileSync, statSync } from 'node:fs';
import {
  copyFile,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  statfs,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join, relative } from 'node:path';
import { BattitoError, exitCodes } from '../../../daemon/errors.ts';
import { output } from '../../netns/support/namespaces.ts';
import { type AptSources, readAptSources } from './apt-sources.ts';
import { isAlive, thisProcess } from './owner.ts';
import { imagesFolder } from './places.ts';

export interface Image {
  readonly digest: string;
  readonly folder: string;
  readonly kernel: string;
  readonly initrd: string;
  /** ext4, raw: the disks of nodes are overlays on it. */
  readonly root: string;
  /** The private key that may log in as root. */
  readonly key: string;
}

export interface BuildOptions {
  /** Told what is being done. */
  readonly tell: (line: string) => void;
  readonly signal?: AbortSignal;
}

const recipe = join(import.meta.dirname, '../image');
/** Counted up when this file changes what comes out. */
const recipeVersion = 1;
const rootBytes = 4 * 1024 ** 3;
const buildBytesNeeded = 4 * 1024 ** 3;
const runBytesNeeded = 2 * 1024 ** 3;
const keptUnusedMs = 14 * 24 * 3600 * 1000;

/** The image of the present recipe, made when it is not in the cache. */
export async function ensureImage(options: BuildOptions): Promise<Image> {
  const sources = await readAptSources();
  if (sources.architecture !== 'amd64') {
    throw new BattitoError(
      'lab-architecture',
      `the lab has no recipe for ${sources.architecture}, only for amd64`,
      {
        exitCode: exitCodes.unavailable,
      },
    );
  }
  const image = describeImage(digestOf(sources));
  await mkdir(imagesFolder(), { recursive: true, mode: 0o700 });
  const isCached = statSync(image.folder, { throwIfNoEntry: false }) !== undefined;
  await checkSpace(isCached ? runBytesNeeded : buildBytesNeeded);
  if (isCached) {
    await utimes(image.folder, new Date(), new Date());
    return image;
  }
  await removeUnfinished();
  await removeUnused();
  const { pid, startTime } = thisProcess();
  const scratch = join(imagesFolder(), `making-${pid}-${startTime}`);
  try {
    await mkdir(scratch, { mode: 0o700 });
    await build(scratch, sources, options);
    await rename(scratch, image.folder).catch((error: NodeJS.ErrnoException) => {
      // Somebody else was faster with the same image; theirs is as good.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return image;
}

function describeImage(digest: string): Image {
  const folder = join(imagesFolder(), digest);
  return {
    digest,
    folder,
    kernel: join(folder, 'vmlinuz'),
    initrd: join(folder, 'initrd.img'),
    root: join(folder, 'root.ext4'),
    key: join(folder, 'key'),
  };
}

/** Sixteen hex digits of SHA-256 over the recipe's files, modes included, and the release that they are applied to. */
function digestOf({ codename, architecture }: AptSources): string {
  const hash = createHash('sha256').update(JSON.stringify([recipeVersion, codename, architecture]));
  for (const file of readdirSync(recipe, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(recipe, file);
    const { mode } = statSync(path);
    if (!statSync(path).isFile()) continue;
    hash.update(JSON.stringify([relative(recipe, path), (mode & 0o111) !== 0])).update(readFileSync(path));
  }
  return hash.digest('hex').slice(0, 16);
}

async function build(scratch: string, sources: AptSources, { tell, signal }: BuildOptions): Promise<void> {
  tell(`making the image of the nodes (Debian ${sources.codename}); this takes minutes, once`);
  const tree = join(scratch, 'tree');
  const key = join(scratch, 'key');
  const sourcesFile = join(scratch, 'sources.list');
  const settingsFile = join(scratch, 'apt.conf');
  await output(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'battito-lab', '-f', key]);
  await writeFile(sourcesFile, `${sources.lines.join('\n')}\n`);
  await writeFile(settingsFile, `${sources.settings.join('\n')}\n`);
  const argv = [
    'mmdebstrap',
    '--mode=root',
    '--variant=minbase',
    '--format=directory',
    `--architectures=${sources.architecture}`,
    `--include=${(await readPackages()).join(',')}`,
    `--aptopt=${settingsFile}`,
    '--dpkgopt=force-unsafe-io',
    `--essential-hook=${join(recipe, 'essential-hook')}`,
    `--customize-hook=${join(recipe, 'customize-hook')}`,
    sources.codename,
    tree,
    sourcesFile,
  ];
  const log = join(imagesFolder(), 'build.log');
  await runLogged(argv, { log, env: { BATTITO_LAB_KEY: `${key}.pub` }, ...(signal && { signal }) });

  tell('making its file system');
  const boot = join(tree, 'boot');
  const names = await readdir(boot);
  for (const [start, to] of [
    ['vmlinuz-', 'vmlinuz'],
    ['initrd.img-', 'initrd.img'],
  ] as const) {
    const name = names.find((each) => each.startsWith(start));
    if (name === undefined)
      throw new BattitoError('lab-image', `the image has no ${start}* in /boot; see ${log}`);
    await copyFile(join(boot, name), join(scratch, to));
  }
  const root = join(scratch, 'root.ext4');
  await writeFile(root, '');
  await truncate(root, rootBytes);
  await runLogged(['mkfs.ext4', '-q', '-F', '-d', tree, '-E', 'lazy_itable_init=0', root], {
    log,
    ...(signal && { signal }),
  });
  await rm(tree, { recursive: true, force: true });
}

async function readPackages(): Promise<readonly string[]> {
  const text = await readFile(join(recipe, 'packages.txt'), 'utf8');
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter(Boolean);
}

interface LoggedOptions {
  readonly log: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

const shownLines = 12;

/** For a long command: what it says goes to a file. It is asked to end (SIGTERM), not killed: it has mounts to undo. */
async function runLogged(argv: readonly string[], { log, env, signal }: LoggedOptions): Promise<void> {
  signal?.throwIfAborted();
  const [file = '', ...args] = argv;
  const stream = createWriteStream(log, { flags: 'w' });
  const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const stop = () => child.kill('SIGTERM');
  signal?.addEventListener('abort', stop, { once: true });
  child.stdout.pipe(stream, { end: false });
  child.stderr.pipe(stream, { end: false });
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
  }).catch((cause: NodeJS.ErrnoException) => {
    throw new BattitoError('lab-missing', `${file} could not be started: ${cause.message}`, {
      exitCode: exitCodes.unavailable,
      next: 'Install what is missing: ./scripts/setup',
      cause,
    });
  });
  signal?.removeEventListener('abort', stop);
  await new Promise((resolve) => stream.end(resolve));
  signal?.throwIfAborted();
  if (exitCode === 0) return;
  const said = (await readFile(log, 'utf8')).trimEnd().split('\n').slice(-shownLines).join('\n  ');
  throw new BattitoError(
    'lab-image',
    `${file} failed (exit ${exitCode}); its last lines, of ${log}:\n  ${said}`,
    {
      next: 'If packages could not be fetched, see whether apt-get update works on this machine.',
    },
  );
}

/** What builds of processes that are gone have left. */
async function removeUnfinished(): Promise<void> {
  for (const name of await readdir(imagesFolder())) {
    const [, pid, startTime] = /^making-(\d+)-(\d+)$/.exec(name) ?? [];
    if (pid === undefined || startTime === undefined || isAlive({ pid: Number(pid), startTime })) continue;
    await rm(join(imagesFolder(), name), { recursive: true, force: true });
  }
}

/** Images of former recipes, once nobody has used them for a while; a lab that is up uses its image. */
async function removeUnused(): Promise<void> {
  for (const name of await readdir(imagesFolder())) {
    const folder = join(imagesFolder(), name);
    const usedAtMs = statSync(folder).mtimeMs;
    if (!/^[0-9a-f]{16}$/.test(name) || Date.now() - usedAtMs < keptUnusedMs) continue;
    await rm(folder, { recursive: true, force: true });
  }
}

async function checkSpace(neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(imagesFolder());
  const freeBytes = bavail * bsize;
  if (freeBytes >= neededBytes) return;
  const gib = (bytes: number) => `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
  throw new BattitoError(
    'lab-no-space',
    `${imagesFolder()} has ${gib(freeBytes)} free; the lab needs ${gib(neededBytes)}`,
    { exitCode: exitCodes.unavailable, next: 'Make room there, or name another place in BATTITO_LAB_CACHE.' },
  );
}
