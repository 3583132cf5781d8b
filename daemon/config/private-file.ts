// Reads files with secrets: a key, a password.
// Guarantees: a file that others may read or change is refused; what is in it is in no message.

import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { BattitoError, exitCodes } from '../errors.ts';

const fileBytesMax = 16 * 1024;

/** How a kind of file is spoken of. */
export interface PrivateFileWords {
  /** What the codes of its errors begin with, e.g. `key-file`. */
  readonly code: 'key-file' | 'witness-key' | 'witness-password' | 'web-key' | 'web-htpasswd';
  readonly what: string;
  /** What to do where there is none, and where it is no regular file. */
  readonly missing: string;
  readonly other: string;
}

/**
 * Opens first and judges what was opened, so that the file cannot be exchanged in between.
 * @throws BattitoError, exit code 78: `CODE-missing`, `CODE-mode` (not a regular file, or its mode or owner lets others
 * in), `CODE-unreadable`, `CODE-invalid` (too long).
 */
export function readPrivateFile(
  path: string,
  words: PrivateFileWords,
): { readonly text: string; readonly stats: Stats } {
  const refuse = (
    why: 'mode' | 'missing' | 'unreadable' | 'invalid',
    message: string,
    next: string,
    cause?: unknown,
  ) =>
    new BattitoError(`${words.code}-${why}`, `${path}${message}`, {
      exitCode: exitCodes.config,
      next,
      ...(cause === undefined ? {} : { cause }),
    });
  let descriptor: number | undefined;
  try {
    // O_NONBLOCK: opening a named pipe must not wait for a writer.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(descriptor);
    const wrong = modeOrOwner(path, stats, words);
    if (wrong !== null) throw refuse('mode', `: ${wrong.message}`, wrong.next);
    const bytes = Buffer.alloc(fileBytesMax + 1);
    const length = readSync(descriptor, bytes, 0, bytes.length, 0);
    if (length > fileBytesMax) {
      throw refuse('invalid', `:1: longer than ${fileBytesMax} bytes`, words.missing);
    }
    return { text: bytes.toString('utf8', 0, length), stats };
  } catch (error) {
    if (error instanceof BattitoError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw refuse('missing', `: no such ${words.what}`, words.missing, error);
    throw refuse(
      'unreadable',
      `: cannot be read (${code ?? message})`,
      `Run as root, or as the user that owns the ${words.what}.`,
      error,
    );
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function modeOrOwner(
  path: string,
  stats: Stats,
  { other }: PrivateFileWords,
): { readonly message: string; readonly next: string } | null {
  if (!stats.isFile()) {
    return { message: `is ${describeFileType(stats)}, not a regular file`, next: other };
  }
  const user = process.geteuid?.() ?? 0;
  if (stats.uid !== user && stats.uid !== 0) {
    return {
      message: `belongs to user ${stats.uid}, must belong to user ${user} or root`,
      next: `chown ${user} '${path}'`,
    };
  }
  const mode = stats.mode & 0o7777;
  if (mode === 0o600 || mode === 0o400) return null;
  const found = mode.toString(8).padStart(4, '0');
  return { message: `mode is ${found}, must be 0600 or 0400`, next: `chmod 600 '${path}'` };
}

function describeFileType(stats: Stats): string {
  if (stats.isDirectory()) return 'a directory';
  if (stats.isFIFO()) return 'a named pipe';
  if (stats.isSocket()) return 'a socket';
  return 'a device';
}
