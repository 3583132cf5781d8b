// The flight recorder: every event the core saw and every effect it asked for, in a ring of files of bounded size (see
// incident/format.ts for the lines). What is recorded is on disk within a second. Recording never delays the loop:
// what cannot be written in time is dropped and counted, and the record says that something is missing there.

import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Effect, Event } from '../core/events.ts';
import type { RefusalReason, State } from '../core/state.ts';
import {
  type ClockPair,
  clockLine,
  createLineEncoder,
  journalFormat,
  refusedLine,
  type SegmentHeader,
} from '../incident/format.ts';
import { monotonicMs } from './clock.ts';
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

  let pending: Part[] = [];
  let pendingBytes = 0;
  let writtenBytes = files.foundBytes;
  /** Why the next event needs a new segment before it; null: it does not. */
  let because: SegmentHeader['because'] | null = 'start';
  let lost = 0;
  let lostInAll = 0;
  let refusals = new Map<string, { link: number; reason: RefusalReason; count: number }>();
  let clock: ClockPair = readClocks();
  let isFailing = false;
  let flushing: Promise<void> | null = null;

  const add = (text: string, newFile = false) => {
    const line = `${text}\n`;
    const last = pending.at(-1);
    if (last === undefined || newFile) pending.push({ lines: [line], newFile });
    else last.lines.push(line);
    pendingBytes += line.length;
    writtenBytes = newFile ? line.length : writtenBytes + line.length;
  };

  const lose = (events: number) => {
    lost += events;
    lostInAll += events;
    because ??= 'gap';
  };

  const startSegment = (reason: SegmentHeader['because'], state: State) => {
    clock = readClocks();
    const { software, self: node, peer } = state.policy;
    const about = { format: journalFormat, software, cluster, node, peer, boot, lost };
    const header: SegmentHeader = { kind: 'segment-started', because: reason, ...clock, ...about, state };
    add(encoder.segment(header), writtenBytes >= fileBytes);
    because = null;
    lost = 0;
  };

  const addRefusals = () => {
    if (refusals.size === 0) return;
    for (const { link, reason, count } of refusals.values()) add(refusedLine(link, reason, count));
    refusals = new Map();
  };

  const addClock = () => {
    const now = readClocks();
    const moved = Date.parse(now.time) - Date.parse(clock.time) - (now.monotonicMs - clock.monotonicMs);
    if (because !== null || Math.abs(moved) < clockStepMs) return;
    clock = now;
    add(clockLine(now));
  };

  const write = async () => {
    addClock();
    const parts = pending;
    if (parts.length === 0) return;
    pending = [];
    pendingBytes = 0;
    try {
      await files.append(parts);
      if (isFailing)
        logger.warn({ lost: lostInAll }, 'the journal is written again; events are missing in it');
      isFailing = false;
    } catch (error) {
      lose([...parts, ...pending].flatMap(({ lines }) => lines).filter(isEventLine).length);
      because = 'gap';
      pending = [];
      pendingBytes = 0;
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
      if (pendingBytes > pendingBytesMax) return lose(1);
      if (because === null) addRefusals();
      else refusals = new Map(); // They are in the state that the segment begins with.
      if (because !== null) startSegment(because, state);
      else if (writtenBytes >= fileBytes) startSegment('full', state);
      add(encoder.event(event));
    },
    recordEffects(effects) {
      if (because !== null) return; // Their event was dropped.
      const line = encoder.effects(effects);
      if (line !== null) add(line);
    },
    countRefusal(link, reason) {
      const key = `${link} ${reason}`;
      const known = refusals.get(key) ?? { link, reason, count: 0 };
      refusals.set(key, { ...known, count: known.count + 1 });
    },
    dropped: () => lostInAll,
    async close() {
      clearInterval(timer);
      await flushing;
      await write();
      await files.close();
    },
  };
}

function isEventLine(line: string): boolean {
  return /^(\["[th]"|\{"kind":"(?!segment-started|clock))/.test(line);
}

function readClocks(): ClockPair {
  return { time: new Date().toISOString(), monotonicMs: monotonicMs() };
}
