// Puts the configuration and the key where they belong: both, or neither. An older configuration is kept beside the new
// one, a key that is there already is kept as it is, since the other node may have it.

import { randomBytes } from 'node:crypto';
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { generateKeyFile, loadKeyRing, syncDirectoryOf } from '../../config/key-file.ts';
import { BattitoError, exitCodes } from '../../errors.ts';

export interface Places {
  readonly configPath: string;
  readonly keyFile: string;
}

export interface Written {
  /** Where the configuration of before is; null: there was none. */
  readonly backup: string | null;
  /** False: there was one already. */
  readonly keyIsNew: boolean;
}

/**
 * What would keep the files from being written, before anything is asked.
 * @throws BattitoError `init-exists`, `init-unwritable`, or of a key that is there and is none
 */
export function checkPlaces({ configPath, keyFile }: Places, force: boolean): void {
  if (existsSync(configPath) && !force) throw exists(configPath);
  if (existsSync(keyFile)) loadKeyRing(keyFile);
  for (const path of [configPath, keyFile]) {
    let directory = dirname(path);
    while (!existsSync(directory) && directory !== dirname(directory)) directory = dirname(directory);
    try {
      if (!statSync(directory).isDirectory()) throw Object.assign(new Error(directory), { code: 'ENOTDIR' });
      accessSync(directory, constants.W_OK);
    } catch (cause) {
      throw unwritable(path, cause);
    }
  }
}

/**
 * `keepAs`: where a configuration that is there is kept; null: it may not be replaced.
 *
 * @throws BattitoError; nothing has been changed then
 */
export function writeFiles({ configPath, keyFile }: Places, yaml: string, keepAs: string | null): Written {
  const temporary = `${configPath}.${randomBytes(6).toString('hex')}.new`;
  let keyIsNew = false;
  try {
    mkdirSync(dirname(configPath), { recursive: true });
    mkdirSync(dirname(keyFile), { recursive: true });
    writeFileSync(temporary, yaml, { flag: 'wx', mode: 0o644, flush: true });
    if (!existsSync(keyFile)) {
      generateKeyFile(keyFile);
      keyIsNew = true;
    }
    const backup = putInPlace(temporary, configPath, keepAs);
    syncDirectoryOf(configPath);
    return { backup, keyIsNew };
  } catch (error) {
    if (keyIsNew) rmSync(keyFile, { force: true });
    if (error instanceof BattitoError) throw error;
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST') throw unwritable(configPath, error);
    throw exists(syscall === 'copyfile' && keepAs !== null ? keepAs : configPath);
  } finally {
    if (existsSync(temporary)) unlinkSync(temporary);
  }
}

/** link(2) fails when the name is taken, whoever took it meanwhile; rename(2) does not. */
function putInPlace(temporary: string, configPath: string, keepAs: string | null): string | null {
  if (keepAs === null || !existsSync(configPath)) {
    linkSync(temporary, configPath);
    unlinkSync(temporary);
    return null;
  }
  copyFileSync(configPath, keepAs, constants.COPYFILE_EXCL);
  renameSync(temporary, configPath);
  return keepAs;
}

const exists = (path: string) =>
  new BattitoError('init-exists', `${path} is there already; it was not touched`, {
    next: '`battito check` reads it; `battito init --dry-run` shows what init would write, --force writes it and keeps the old one beside it',
  });

function unwritable(path: string, cause: unknown): BattitoError {
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
  const denied = code === 'EACCES' || code === 'EPERM';
  return new BattitoError(
    'init-unwritable',
    `${path}: cannot be written: ${denied ? 'permission denied' : code}`,
    {
      exitCode: denied ? exitCodes.noPermission : exitCodes.failed,
      next: denied ? 'run it as root' : 'name another file with --config, or mend its directory',
      cause,
    },
  );
}
