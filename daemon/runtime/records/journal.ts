// The flight recorder: every event the core saw and every effect it asked for, in a ring of files of bounded size (see
// incident/format.ts for the lines). What is recorded is on disk within a second. Recording never delays the loop:
// what cannot be written in time is dropped and counted, and the record says that something is missing there.

import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Effect, Event } from '../../core/events.ts';
import type { RefusalReason, State } from '../../core/state.ts';
import {
  type ClockPair,
  clockLine,
  createLineEncoder,
  journalFormat,
  refusedLine,
  type SegmentHeader,
} from '../../incident/format.ts';
import { monotonicMs } from '../clock.ts';
import { openJournalFiles, type Part } from './journal-files.ts';
import { readBootId } from './state-file.ts';

export interface Journal {
  /** Records an event before the core sees it; `state` is the state it will meet. */
  record(event: Event, state: State): void;
  /** Records what the core asked for after the event that was recorded last. */
  recordEffects(effects: readonly Effect[]): void;
  /** A packet that the core refused: counted, not kept, so that a flood does not wash the record away. */
  countRefusal(link: number, reason: RefusalReason): void;
  /** Events that are not in the record. */
  dropped(): number;
  close(): Promise<void>;
}

export interface JournalOptions {
  readonly stateDir: string;
  readonly cluster: string;
  readonly logger: Logger;
  /** A file of the ring, and all of them together, bytes. */
  readonly fileBytes?: number;
  readonly totalBytes?: number;
  readonly flushMs?: number;
}

const megabyte = 1024 * 1024;
const fileBytesDefault = 8 * megabyte;
const totalBytesDefault = 32 * megabyte;
const pendingBytesMax = 4 * megabyte;
/** With the time that a disk takes, what is lost in a power cut stays below a second. */
const flushMsDefault = 800;
/** The wall clock was set if it moved by more than this against the monotonic clock. */
const clockStepMs = 100;

/** Rejects with the system's error when the directory cannot be used. */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const { logger, cluster, fileBytes = fileBytesDefault, totalBytes = totalBytesDefault } = options;
  const directory = join(options.stateDir, 'journal');
  const boot = await readBootId();
  const files = await openJournalFiles({ directory, logger, fileBytes, totalBytes });
  const encoder = createLineEncoder();

  const buffer = createBuffer(files.foundBytes);
  const refusals = createRefusals();
  const clocks = createClocks();
  /** Why the next event needs a new segment before it; null: it does not. */
  let because: SegmentHeader['because'] | null = 'start';
  let lost = 0;
  let lostInAll = 0;
  let isFailing = false;
  let flushing: Promise<void> | null = null;

  const lose = (events: number) => {
    lost += events;
    lostInAll += events;
    because ??= 'gap';
  };

  const startSegment = (reason: SegmentHeader['because'], state: State) => {
    const { software, self: node, peer } = state.policy;
    const about = { format: journalFormat, software, cluster, node, peer, boot, lost };
    const header: SegmentHeader = {
      kind: 'segment-started',
      because: reason,
      ...clocks.read(),
      ...about,
      state,
    };
    buffer.add(encoder.segment(header), buffer.fileBytes() >= fileBytes);
    because = null;
    lost = 0;
  };

  const write = async () => {
    const step = because === null ? clocks.step() : null;
    if (step !== null) buffer.add(clockLine(step));
    const parts = buffer.take();
    if (parts.length === 0) return;
    try {
      await files.append(parts);
      if (isFailing)
        logger.warn({ lost: lostInAll }, 'the journal is written again; events are missing in it');
      isFailing = false;
    } catch (error) {
      // What came in meanwhile leads on from what is lost.
      lose([...parts, ...buffer.take()].flatMap(({ lines }) => lines).filter(isEventLine).length);
      because = 'gap';
      if (!isFailing) logger.warn({ err: error }, 'the journal cannot be written');
      isFailing = true;
    }
  };

  const flush = () => {
    flushing ??= write().finally(() => {
      flushing = null;
    });
    return flushing;
  };
  const timer = setInterval(flush, options.flushMs ?? flushMsDefault);

  return {
    record(event, state) {
      if (buffer.pendingBytes() > pendingBytesMax) return lose(1);
      const refused = refusals.take();
      if (because !== null)
        startSegment(because, state); // Refusals are in the state that it begins with.
      else {
        for (const { link, reason, count } of refused) buffer.add(refusedLine(link, reason, count));
        if (buffer.fileBytes() >= fileBytes) startSegment('full', state);
      }
      buffer.add(encoder.event(event));
    },
    recordEffects(effects) {
      if (because !== null) return; // Their event was dropped.
      const line = encoder.effects(effects);
      if (line !== null) buffer.add(line);
    },
    countRefusal: refusals.count,
    dropped: () => lostInAll,
    async close() {
      clearInterval(timer);
      await flushing;
      await write();
      await files.close();
    },
  };
}

/** Lines that are not written yet, in the parts in which they go to the files. */
function createBuffer(foundBytes: number) {
  let parts: Part[] = [];
  let pendingBytes = 0;
  let fileBytes = foundBytes;
  return {
    add(text: string, newFile = false) {
      const line = `${text}\n`;
      const last = parts.at(-1);
      if (last === undefined || newFile) parts.push({ lines: [line], newFile });
      else last.lines.push(line);
      pendingBytes += line.length;
      fileBytes = newFile ? line.length : fileBytes + line.length;
    },
    take(): readonly Part[] {
      const taken = parts;
      parts = [];
      pendingBytes = 0;
      return taken;
    },
    pendingBytes: () => pendingBytes,
    /** Of the file that they go to, with them. */
    fileBytes: () => fileBytes,
  };
}

interface Refused {
  readonly link: number;
  readonly reason: RefusalReason;
  readonly count: number;
}

function createRefusals() {
  let refused = new Map<string, Refused>();
  return {
    count(link: number, reason: RefusalReason) {
      const key = `${link} ${reason}`;
      refused.set(key, { link, reason, count: (refused.get(key)?.count ?? 0) + 1 });
    },
    take(): readonly Refused[] {
      if (refused.size === 0) return [];
      const taken = [...refused.values()];
      refused = new Map();
      return taken;
    },
  };
}

function isEventLine(line: string): boolean {
  return /^(\["[th]"|\{"kind":"(?!segment-started|clock))/.test(line);
}

/** Both clocks, and whether the wall clock was set against the other since they were read. */
function createClocks() {
  let known = readClocks();
  return {
    read(): ClockPair {
      known = readClocks();
      return known;
    },
    /** null: it was not set. */
    step(): ClockPair | null {
      const now = readClocks();
      const moved = Date.parse(now.time) - Date.parse(known.time) - (now.monotonicMs - known.monotonicMs);
      if (Math.abs(moved) < clockStepMs) return null;
      known = now;
      return now;
    },
  };
}

function readClocks(): ClockPair {
  return { time: new Date().toISOString(), monotonicMs: monotonicMs() };
}
