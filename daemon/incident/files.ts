// Which files a journal consists of. The writer and the readers agree on it here.

import { readdir } from 'node:fs/promises';

export interface JournalFile {
  readonly name: string;
  /** Grows from file to file. */
  readonly number: number;
  /** Compressed, and not written to any more. */
  readonly packed: boolean;
}

/**
 * The files of a journal's directory, oldest first. One that is there twice is taken packed, which is whole.
 * Rejects with the system's error.
 */
export async function findJournalFiles(directory: string): Promise<readonly JournalFile[]> {
  const byNumber = new Map<number, JournalFile>();
  for (const name of await readdir(directory)) {
    const [, digits, ending] = /^events\.(\d+)\.jsonl(\.gz)?$/.exec(name) ?? [];
    if (digits === undefined) continue;
    const number = Number(digits);
    const packed = ending !== undefined;
    if (packed || !byNumber.has(number)) byNumber.set(number, { name, number, packed });
  }
  return [...byNumber.values()].toSorted((a, b) => a.number - b.number);
}
