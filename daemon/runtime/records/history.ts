// The notes of the core as a person reads them: kept in memory for the control API, and in a file of bounded size.

import { appendFile, mkdir, readFile, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { HistoryEntry } from '../../control/api.ts';
import type { Note } from '../../core/events.ts';
import type { NoteCount } from '../../metrics/metrics.ts';
import { writeDurably } from './durable-file.ts';
import { keptSince } from './kept-since.ts';

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
  /** Oldest first. */
  const paths = [join(stateDir, 'history.1.jsonl'), path] as const;
  let entries = await readEntries(paths);
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
    if (size > fileBytesMax) await rename(path, paths[0]);
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
      const pruned = writing.then(() => prune(paths, beforeMs));
      writing = pruned.then(
        () => {},
        () => {}, // Whoever asked is told.
      );
      entries = [...keptSince(entries, dateOf, beforeMs)];
      return pruned;
    },
    latest: (limit) => entries.slice(-Math.min(limit, kept)),
    close: () => writing,
  };
}

const dateOf = ({ time }: Pick<HistoryEntry, 'time'>) => Date.parse(time);

/** `paths`: oldest first. @returns how many lines went */
async function prune(paths: readonly string[], beforeMs: number): Promise<number> {
  const files = await Promise.all(paths.map(async (path) => ({ path, lines: await readLines(path) })));
  const dated = files.flatMap(({ path, lines }) => lines.flatMap((line) => datedLine(path, line)));
  const kept = keptSince(dated, ({ dateMs }) => dateMs, beforeMs);
  let gone = 0;
  for (const { path, lines } of files) {
    const left = kept.filter((one) => one.path === path).map(({ line }) => line);
    gone += lines.length - left.length;
    if (left.length === lines.length) continue;
    if (left.length === 0) await unlink(path);
    else await writeDurably(path, `${left.join('\n')}\n`);
  }
  return gone;
}

async function readLines(path: string): Promise<readonly string[]> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return text.split('\n').filter((line) => line !== '');
}

function datedLine(path: string, line: string) {
  try {
    return [{ path, line, dateMs: dateOf(JSON.parse(line) as HistoryEntry) }];
  } catch {
    return []; // The last line of a power cut tells nothing any more.
  }
}

async function readEntries(paths: readonly string[]): Promise<HistoryEntry[]> {
  const files = await Promise.all(paths.map((path) => readLines(path).catch(() => [])));
  return files
    .flat()
    .slice(-kept)
    .flatMap((line) => {
      try {
        return [JSON.parse(line) as HistoryEntry];
      } catch {
        return []; // The last line of a power cut.
      }
    });
}
