// A record that is kept over restarts, in one small JSON file of the state directory. The daemon can do without it: what
// cannot be read is begun anew, and what cannot be written is said once in the log.
// Guarantees: the file holds one whole record. Writes come one after the other, so that on a disk that hangs there is one
// at most. A failure is nobody else's.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { z } from 'zod';
import { writeDurably } from './durable-file.ts';

export interface KeptFileOptions<Schema extends z.ZodType> {
  readonly stateDir: string;
  readonly name: string;
  readonly schema: Schema;
  /** Names the record in the log: `${what} cannot be written`. */
  readonly what: string;
  readonly logger: Logger;
}

export interface KeptFile<Content> {
  /** What the file held at the start; null: there was none, or none that could be read. */
  readonly known: Content | null;
  /**
   * Writes what `current` returns, unless the file holds it already. It is called when the writes before this one are
   * done. Never rejects.
   */
  save(current: () => Content): Promise<void>;
}

export async function openKeptFile<Schema extends z.ZodType>(
  options: KeptFileOptions<Schema>,
): Promise<KeptFile<z.output<Schema>>> {
  const { stateDir, name, what, logger } = options;
  const path = join(stateDir, name);
  const known = await readRecord(path, options);
  let written = '';
  let isTold = false;
  let saving: Promise<void> = Promise.resolve();
  const write = async (content: z.output<Schema>) => {
    const text = `${JSON.stringify(content)}\n`;
    if (text === written) return;
    try {
      await writeDurably(path, text);
      written = text;
    } catch (error) {
      if (!isTold)
        logger.warn(
          { err: error, next: 'make room for, or mend, the state directory' },
          `${what} cannot be written`,
        );
      isTold = true;
    }
  };
  return {
    known,
    save(current) {
      saving = saving.then(() => write(current()));
      return saving;
    },
  };
}

async function readRecord<Schema extends z.ZodType>(
  path: string,
  { schema, what, logger }: KeptFileOptions<Schema>,
): Promise<z.output<Schema> | null> {
  try {
    return schema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    if (!isMissing) logger.warn({ err: error, path }, `${what} cannot be read; a new one is begun`);
    return null;
  }
}
