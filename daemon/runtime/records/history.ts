// The notes of the core as a person reads them: kept in memory for the control API, and in a file of bounded size.

import { appendFile, mkdir, readFile, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { HistoryEntry } from '../../control/api.ts';
import type { Note } from '../../core/events.ts';
import type { NoteCount } from '../../metrics/metrics.ts';
import { writeDurably } from './durable-file.ts';

export interface History {
  add(note: Note, monotonicMs: number): void;
  /** The newest `limit` entries, oldest first. */
  latest(limit: number): readonly HistoryEntry[];
  /** How often each kind of note was added in this run. */
  counts(): readonly NoteCount[];
  /** Removes what is older, by wall-clock time. Resolves with how many entries of the files went. */
  prune(beforeMs: number): Promise<number>;
  close(): Promise<void>;
}

const kept = 1000;
const fileBytesMax = 4 * 1024 * 1024;

export async function openHistory(stateDir: string, logger: Logger): Promise<History> {
  const path = join(stateDir, 'history.jsonl');
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  let entries = await readEntries(path);
  let writing: Promise<void> = Promise.resolve();
  /** What the disk has not had yet; while it hangs, no more than `kept`, and the oldest are not written. */
  let unwritten: string[] = [];
  let isFlushDue = false;
  const counts = new Map<string, NoteCount>();

  const write = async (text: string) => {
    const size = await stat(path).then(
      (stats) => stats.size,
      () => 0,
    );
    if (size > fileBytesMax) await rename(path, join(stateDir, 'history.1.jsonl'));
    await appendFile(path, text, { mode: 0o600 });
  };

  const flush = async () => {
    isFlushDue = false;
    const lines = unwritten;
    unwritten = [];
    await write(lines.join('')).catch((error: unknown) => {
      logger.warn({ err: error }, 'the history cannot be written');
    });
  };

  return {
    add(note, monotonicMs) {
      const entry: HistoryEntry = { time: new Date().toISOString(), monotonicMs, ...note };
      entries.push(entry);
      const { severity, code, group } = note;
      const kind = `${severity} ${code} ${group}`;
      counts.set(kind, { severity, code, group, count: (counts.get(kind)?.count ?? 0) + 1 });
      if (entries.length > 2 * kept) entries = entries.slice(-kept);
      unwritten.push(`${JSON.stringify(entry)}\n`);
      if (unwritten.length > kept) unwritten.shift();
      if (isFlushDue) return;
      isFlushDue = true;
      writing = writing.then(flush);
    },
    counts: () => [...counts.values()],
    prune(beforeMs) {
      const pruned = writing.then(async () => {
        const older = await prune(join(stateDir, 'history.1.jsonl'), beforeMs);
        return older + (await prune(path, beforeMs));
      });
      writing = pruned.then(
        () => {},
        () => {}, // Whoever asked is told.
      );
      entries = entries.filter((entry) => !isOlder(entry, beforeMs));
      return pruned;
    },
    latest: (limit) => entries.slice(-Math.min(limit, kept)),
    close: () => writing,
  };
}

/** What has no time that can be read is kept: a clock may have been wrong, a line be cut. */
function isOlder({ time }: Pick<HistoryEntry, 'time'>, beforeMs: number): boolean {
  return Date.parse(time) < beforeMs;
}

/** @returns how many lines went */
async function prune(path: string, beforeMs: number): Promise<number> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const lines = text.split('\n').filter((line) => line !== '');
  const left = lines.filter((line) => {
    try {
      return !isOlder(JSON.parse(line) as HistoryEntry, beforeMs);
    } catch {
      return false; // The last line of a power cut tells nothing any more.
    }
  });
  if (left.length === lines.length) return 0;
  if (left.length === 0) await unlink(path);
  else await writeDurably(path, `${left.join('\n')}\n`);
  return lines.length - left.length;
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
