// The notes of the core as a person reads them: kept in memory for the control API, and in a file of bounded size.

import { appendFile, mkdir, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { HistoryEntry } from '../control/api.ts';
import type { Note } from '../core/events.ts';
import type { NoteCount } from '../metrics/metrics.ts';

export interface History {
  add(note: Note, monotonicMs: number): void;
  /** The newest `limit` entries, oldest first. */
  latest(limit: number): readonly HistoryEntry[];
  /** How often each kind of note was added in this run. */
  counts(): readonly NoteCount[];
  close(): Promise<void>;
}

const kept = 1000;
const fileBytesMax = 4 * 1024 * 1024;

export async function openHistory(stateDir: string, logger: Logger): Promise<History> {
  const path = join(stateDir, 'history.jsonl');
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  let entries = await readEntries(path);
  let writing: Promise<void> = Promise.resolve();
  const counts = new Map<string, NoteCount>();

  const write = async (line: string) => {
    const size = await stat(path).then(
      (stats) => stats.size,
      () => 0,
    );
    if (size > fileBytesMax) await rename(path, join(stateDir, 'history.1.jsonl'));
    await appendFile(path, line, { mode: 0o600 });
  };

  return {
    add(note, monotonicMs) {
      const entry: HistoryEntry = { time: new Date().toISOString(), monotonicMs, ...note };
      entries.push(entry);
      const { severity, code, group } = note;
      const kind = `${severity} ${code} ${group}`;
      counts.set(kind, { severity, code, group, count: (counts.get(kind)?.count ?? 0) + 1 });
      if (entries.length > 2 * kept) entries = entries.slice(-kept);
      writing = writing
        .then(() => write(`${JSON.stringify(entry)}\n`))
        .catch((error: unknown) => {
          logger.warn({ err: error }, 'the history cannot be written');
        });
    },
    counts: () => [...counts.values()],
    latest: (limit) => entries.slice(-Math.min(limit, kept)),
    close: () => writing,
  };
}

async function readEntries(path: string): Promise<HistoryEntry[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text
    .split('\n')
    .slice(-kept - 1)
    .flatMap((line) => {
      try {
        return line === '' ? [] : [JSON.parse(line) as HistoryEntry];
      } catch {
        return []; // The last line of a power cut.
      }
    });
}
