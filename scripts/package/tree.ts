// Files of a package as data, and the writing of them: modes and times do not depend on who builds, where or when.

import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

export interface PackageFile {
  /** Inside the package, without a leading slash. */
  readonly path: string;
  /** Its content; a directory has none. */
  readonly content: string | Buffer | { readonly copyOf: string } | null;
  readonly executable?: boolean;
}

export function text(path: string, content: string): PackageFile {
  return { path, content };
}

export function program(path: string, content: PackageFile['content']): PackageFile {
  return { path, content, executable: true };
}

export function directory(path: string): PackageFile {
  return { path, content: null };
}

/** `epoch` in seconds since 1970. */
export function writeTree(stage: string, files: readonly PackageFile[], epoch: number): void {
  for (const { path, content, executable } of files) {
    const target = join(stage, path);
    mkdirSync(content === null ? target : dirname(target), { recursive: true });
    if (content === null) continue;
    if (typeof content === 'string' || Buffer.isBuffer(content)) writeFileSync(target, content);
    else copyFileSync(content.copyOf, target);
    chmodSync(target, executable === true ? 0o755 : 0o644);
  }
  level(stage, epoch);
}

/** Directories as everybody's umask would not have them, and one time for all. */
function level(path: string, epoch: number): void {
  if (statSync(path).isDirectory()) {
    for (const name of readdirSync(path)) level(join(path, name), epoch);
    chmodSync(path, 0o755);
  }
  utimesSync(path, epoch, epoch);
}
