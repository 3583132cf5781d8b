// The journal's ring of files: `events.N.jsonl` with N growing. The newest is written to; those before it are packed
// (`.jsonl.gz`) in the background; the oldest go when there is too much. A restart goes on in the newest file, so that
// restarting often does not push the record out of the ring.

import { createReadStream, createWriteStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Logger } from 'pino';
import { findJournalFiles } from '../../incident/files.ts';
import { keptSince } from './kept-since.ts';

/** Lines that belong together, with their line ends; `newFile`: not into the present file. */
export interface Part {
  readonly lines: string[];
  readonly newFile: boolean;
}

export interface JournalFiles {
  /** Bytes that the newest file had when it was found. */
  readonly foundBytes: number;
  /** Resolves when it is on disk. After a rejection the next call begins on a line of its own. */
  append(parts: readonly Part[]): Promise<void>;
  close(): Promise<void>;
}

export interface JournalFilesOptions {
  readonly directory: string;
  readonly logger: Logger;
  /** A file is full from here on, bytes. */
  readonly fileBytes: number;
  /** All files together, bytes. */
  readonly totalBytes: number;
}

/** Rejects with the system's error when the directory cannot be used. */
export async function openJournalFiles(options: JournalFilesOptions): Promise<JournalFiles> {
  const { directory, logger } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await clearLeftovers(directory);
  let file: FileHandle | null = null;
  let packing: Promise<void> = Promise.resolve();
  const newest = (await findJournalFiles(directory)).at(-1);
  const foundBytes =
    newest === undefined || newest.packed ? options.fileBytes : await bytesOf(join(directory, newest.name));

  const pack = () => {
    packing = packing
      .then(() => packOlder(directory))
      .then(() => prune(options))
      .catch((error: unknown) => logger.warn({ err: error }, 'an older part of the journal was not packed'));
  };

  const openFile = async (wantsNew: boolean): Promise<FileHandle> => {
    await file?.close();
    file = null;
    const last = (await findJournalFiles(directory)).at(-1);
    if (!wantsNew && last !== undefined && !last.packed) {
      file = await reopen(join(directory, last.name));
      return file;
    }
    file = await open(join(directory, `events.${(last?.number ?? 0) + 1}.jsonl`), 'ax', 0o600);
    await syncDirectory(directory);
    pack();
    return file;
  };

  pack();
  return {
    foundBytes,
    async append(parts) {
      try {
        for (const { lines, newFile } of parts) {
          if (lines.length === 0) continue;
          const target = file === null || newFile ? await openFile(newFile) : file;
          await target.appendFile(lines.join(''));
        }
        await file?.datasync();
      } catch (error) {
        await file?.close().catch(() => {}); // The first error is the one that tells.
        file = null;
        throw error;
      }
    },
    async close() {
      await file?.close();
      file = null;
      await packing;
    },
  };
}

/** A line that a power loss has cut is ended, so that it stays alone in being unreadable. */
async function reopen(path: string): Promise<FileHandle> {
  const file = await open(path, 'a+', 0o600);
  const { size } = await file.stat();
  const last = Buffer.alloc(1);
  if (size > 0) await file.read(last, 0, 1, size - 1);
  if (size > 0 && last.toString() !== '\n') await file.appendFile('\n');
  return file;
}

/** What a crash between two steps of packing left behind. */
async function clearLeftovers(directory: string): Promise<void> {
  const names = await readdir(directory);
  for (const name of names) {
    const isHalf = name.endsWith('.gz.new');
    const isTwice = names.includes(`${name}.gz`);
    if (isHalf || isTwice) await rm(join(directory, name), { force: true });
  }
}

async function packOlder(directory: string): Promise<void> {
  const plain = (await findJournalFiles(directory)).slice(0, -1).filter(({ packed }) => !packed);
  for (const { name } of plain) {
    const path = join(directory, name);
    const half = `${path}.gz.new`;
    await pipeline(
      createReadStream(path),
      createGzip(),
      createWriteStream(half, { mode: 0o600, flush: true }),
    );
    await rename(half, `${path}.gz`);
    await syncDirectory(directory);
    await rm(path, { force: true });
  }
}

/** Removes older files that were written last before that, wall-clock milliseconds. @returns how many */
export async function pruneJournal(directory: string, beforeMs: number): Promise<number> {
  const older = (await findJournalFiles(directory)).slice(0, -1).map(({ name }) => join(directory, name));
  const found = await Promise.all(
    older.map(async (path) => {
      const stats = await stat(path).catch(() => null); // It went for its size meanwhile.
      return stats === null ? [] : [{ path, writtenMs: stats.mtimeMs }];
    }),
  );
  const files = found.flat();
  const kept = new Set(keptSince(files, ({ writtenMs }) => writtenMs, beforeMs));
  const gone = files.filter((file) => !kept.has(file));
  for (const { path } of gone) await rm(path, { force: true });
  return gone.length;
}

/** Leaves room for the newest file to fill up. */
async function prune({ directory, fileBytes, totalBytes }: JournalFilesOptions): Promise<void> {
  const older = (await findJournalFiles(directory)).slice(0, -1);
  let left = totalBytes - fileBytes;
  for (const { name } of older.toReversed()) {
    left -= await bytesOf(join(directory, name));
    if (left < 0) await rm(join(directory, name), { force: true });
  }
}

async function bytesOf(path: string): Promise<number> {
  return (await stat(path)).size;
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
