// A record that is on disk before it is acted on, and that somebody waits for: two files, overwritten in place by turns, so
// that a write is one trip to the disk. (A file that is replaced whole takes several, and two flushes of the file system's
// journal.)
// Guarantees: whatever interrupts a write, the other file has the record before it, which is the last one that anybody was
// told to be on disk. A file that a write cut short may explain is passed over, which its caller is told; else it is refused.

import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from './durable-file.ts';

/** Bytes; files grow by so much, and are seldom longer. */
const blockBytes = 4096;

export interface Slots {
  /** The newest record; undefined: there was none. */
  readonly known: unknown;
  /** The file that has it, or will have the first one. */
  readonly path: string;
  /** A file whose last write was cut short, by a power cut, most likely; null: none. */
  readonly tornPath: string | null;
  /** Resolves when it is on disk. Not to be called again before that. Rejects with the system's error. */
  write(content: unknown): Promise<void>;
}

/** What a write that was cut short does not explain. */
export class SlotError extends Error {
  readonly path: string;
  readonly how: 'damaged' | 'missing' | 'not-the-one-before';
  constructor(path: string, how: SlotError['how']) {
    super(`${path} is ${how}`);
    this.name = 'SlotError';
    this.path = path;
    this.how = how;
  }
}

type Slot =
  | { readonly kind: 'none' }
  | { readonly kind: 'damaged' }
  | { readonly kind: 'whole'; readonly revision: number; readonly content: unknown };

/**
 * @param mayBeTorn whether a file may have been cut short after the other one, whose content is given, was written.
 * Throws SlotError; the system's error where a file cannot be read.
 */
export async function openSlots(
  directory: string,
  names: readonly [string, string],
  mayBeTorn: (content: unknown) => boolean,
): Promise<Slots> {
  const read = names.map(async (name) => {
    const path = join(directory, name);
    return { path, slot: await readSlot(path) };
  });
  const files = (await Promise.all(read)).sort((one, two) => revisionOf(two.slot) - revisionOf(one.slot));
  const [newer, older] = files;
  if (newer === undefined || older === undefined) throw new Error('broken invariant: there are two names');
  let revision = revisionOf(newer.slot);
  if (newer.slot.kind !== 'whole') {
    const damaged = files.find(({ slot }) => slot.kind === 'damaged');
    if (damaged !== undefined) throw new SlotError(damaged.path, 'damaged');
  } else {
    if (older.slot.kind === 'none' && revision > 1) throw new SlotError(older.path, 'missing');
    // Somebody has put an old one back, or copied one over the other: which is the newest, nobody knows.
    if (older.slot.kind === 'whole' && revision - older.slot.revision !== 1)
      throw new SlotError(older.path, 'not-the-one-before');
    if (older.slot.kind === 'damaged' && !mayBeTorn(newer.slot.content))
      throw new SlotError(older.path, 'damaged');
  }
  let [next, after] = revision > 0 ? [older.path, newer.path] : [newer.path, older.path];
  const sizes = new Map<string, number>();
  return {
    known: newer.slot.kind === 'whole' ? newer.slot.content : undefined,
    path: newer.path,
    tornPath: older.slot.kind === 'damaged' ? older.path : null,
    async write(content) {
      const record = encodeSlot(revision + 1, content);
      // The first time since the start, and when its length has changed, it is replaced whole.
      if (sizes.get(next) !== record.length || !(await overwrite(next, record))) {
        await writeDurably(next, record.toString());
        sizes.set(next, record.length);
      }
      // Not before that is certain: what failed is tried again in the same file.
      revision += 1;
      [next, after] = [after, next];
    },
  };
}

const revisionOf = (slot: Slot) => (slot.kind === 'whole' ? slot.revision : 0);

/** False: there is no such file any more. */
async function overwrite(path: string, record: Buffer): Promise<boolean> {
  const file = await open(path, constants.O_WRONLY | constants.O_DSYNC).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  });
  if (file === null) return false;
  try {
    let written = 0;
    while (written < record.length) {
      const { bytesWritten } = await file.write(record, written, record.length - written, written);
      written += bytesWritten;
    }
  } finally {
    void file.close().catch(() => {}); // What was written is on disk, or the write has said why not.
  }
  return true;
}

/** One JSON value, and blanks up to a whole number of blocks. */
export function encodeSlot(revision: number, content: unknown): Buffer {
  const text = `${JSON.stringify({ revision, checksum: checksumOf(revision, content), content })}\n`;
  const bytes = Buffer.byteLength(text);
  const padding = Math.ceil(bytes / blockBytes) * blockBytes - bytes;
  return Buffer.from(`${text.slice(0, -1)}${' '.repeat(padding)}\n`);
}

async function readSlot(path: string): Promise<Slot> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { kind: 'none' };
    if (code === 'EIO') return { kind: 'damaged' }; // As a disk has it that lost its power in a write.
    throw error;
  }
  try {
    const { revision, checksum, content } = JSON.parse(text);
    const isWhole = Number.isSafeInteger(revision) && checksum === checksumOf(revision, content);
    return isWhole ? { kind: 'whole', revision, content } : { kind: 'damaged' };
  } catch {
    return { kind: 'damaged' };
  }
}

const checksumOf = (revision: number, content: unknown) =>
  createHash('sha256')
    .update(`${revision}\n${JSON.stringify(content)}`)
    .digest('hex');
