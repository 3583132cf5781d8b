// The flight recorder: every event the core saw, in a ring of files of bounded size. Each file begins with the
// state the core had, so that what follows can be run through the core again. Writing never delays the loop;
// what cannot be written in time is dropped and counted.

import { type FileHandle, mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Event } from '../core/events.ts';
import type { HeartbeatContent } from '../core/heartbeat.ts';
import type { State } from '../core/state.ts';

export interface Journal {
  /** Records an event before the core sees it; `state` is the state it will meet. */
  record(event: Event, state: State): void;
  dropped(): number;
  close(): Promise<void>;
}

export interface JournalOptions {
  readonly stateDir: string;
  readonly logger: Logger;
  readonly segmentBytes?: number;
  readonly segments?: number;
  readonly flushMs?: number;
}

const pendingBytesMax = 4 * 1024 * 1024;

export async function openJournal(options: JournalOptions): Promise<Journal> {
  const { logger } = options;
  const segmentBytes = options.segmentBytes ?? 8 * 1024 * 1024;
  const segments = options.segments ?? 4;
  const directory = join(options.stateDir, 'journal');
  const pathOf = (age: number) => join(directory, `events.${age}.jsonl`);
  await mkdir(directory, { recursive: true, mode: 0o700 });

  let pending: string[] = [];
  let pendingBytes = 0;
  let segmentSize = segmentBytes; // So that the first record opens a segment.
  let droppedCount = 0;
  let lastContent: HeartbeatContent | null = null;
  let file: FileHandle | null = null;
  let writing: Promise<void> = Promise.resolve();

  const startSegment = async () => {
    await file?.close();
    file = null;
    for (let age = segments - 1; age > 0; age -= 1) {
      await rename(pathOf(age - 1), pathOf(age)).catch(ignoreMissing);
    }
    file = await open(pathOf(0), 'w', 0o600);
  };

  const flush = async () => {
    if (pending.length === 0) return;
    const lines = pending;
    pending = [];
    pendingBytes = 0;
    for (const part of splitAtSegments(lines)) {
      if (file === null || part[0]?.startsWith(segmentMark) === true) await startSegment();
      await file?.appendFile(part.join(''));
    }
    await file?.datasync();
  };

  const timer = setInterval(() => {
    writing = writing.then(flush).catch((error: unknown) => {
      logger.warn({ err: error }, 'the journal cannot be written');
    });
  }, options.flushMs ?? 1000);

  const add = (line: string) => {
    pending.push(line);
    pendingBytes += line.length;
    segmentSize += line.length;
  };

  return {
    record(event, state) {
      if (pendingBytes > pendingBytesMax) {
        droppedCount += 1;
        segmentSize = segmentBytes; // A gap: what follows needs a fresh state to start from.
        return;
      }
      if (segmentSize >= segmentBytes) {
        segmentSize = 0;
        lastContent = null;
        add(`${segmentMark}${JSON.stringify({ time: new Date().toISOString(), state }).slice(1)}\n`);
      }
      if (event.kind !== 'heartbeat-received') return add(`${JSON.stringify(event)}\n`);
      const isSame = event.content === lastContent;
      lastContent = event.content;
      add(`${JSON.stringify(isSame ? { ...event, content: '=' } : event)}\n`);
    },
    dropped: () => droppedCount,
    async close() {
      clearInterval(timer);
      await writing;
      await flush();
      await file?.close();
    },
  };
}

const segmentMark = '{"kind":"segment-started",';

/** Runs of lines, each after the first beginning with the mark of a segment. */
function splitAtSegments(lines: readonly string[]): readonly (readonly string[])[] {
  const starts = lines.flatMap((line, index) => (index > 0 && line.startsWith(segmentMark) ? [index] : []));
  return [0, ...starts].map((start, index) => lines.slice(start, starts[index]));
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
