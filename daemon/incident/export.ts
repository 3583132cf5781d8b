// Writes a whole journal into one packed file, to carry to the other node or to send away. The journal holds no key
// and no other secret: names, addresses, times, and what was decided.

import { createWriteStream } from 'node:fs';
import { open, stat, unlink } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { BattitoError, exitCodes } from '../errors.ts';
import { findFiles, openText, type Reading, readJournal } from './read.ts';

export interface Exported {
  readonly bytes: number;
  readonly reading: Reading;
}

/**
 * Writes `file`, mode 0600, and has it on disk; never overwrites.
 * Throws BattitoError `export-exists`, `export-failed`, and what readJournal throws.
 */
export async function exportJournal(path: string, file: string): Promise<Exported> {
  const reading = await readJournal(path, []);
  const files = await findFiles(path);
  try {
    await (await open(file, 'wx', 0o600)).close();
  } catch (cause) {
    throw failed(file, cause);
  }
  try {
    const packer = createGzip();
    const written = pipeline(packer, createWriteStream(file, { flush: true }));
    await Promise.all([feed(files, packer), written]);
    return { bytes: (await stat(file)).size, reading };
  } catch (cause) {
    await unlink(file).catch(() => {}); // Half a record is worse than none; the first error is the one that tells.
    throw failed(file, cause);
  }
}

async function feed(files: readonly string[], packer: Writable): Promise<void> {
  for (const name of files) {
    const text = await openText(name);
    if (text === null) continue;
    await pipeline(text, packer, { end: false });
    packer.write('\n'); // A last line that is still being written stays alone in being unreadable.
  }
  packer.end();
}

function failed(file: string, cause: unknown): BattitoError {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'EEXIST') {
    return new BattitoError('export-exists', `${file} exists, and is left as it is`, {
      next: 'name another file',
    });
  }
  return new BattitoError('export-failed', `the journal could not be written to ${file}: ${message}`, {
    ...(code === 'EACCES' ? { exitCode: exitCodes.noPermission } : {}),
    next: 'name a file in a directory that may be written to and has space',
    cause,
  });
}
