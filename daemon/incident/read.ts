// Reads a journal: the directory of a daemon, running or not, or a file that was exported. One pass, line by line, in
// constant memory. A line that a power loss has cut is passed over and counted; what is no journal at all is an error.

import { type FileHandle, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { StringDecoder } from 'node:string_decoder';
import { createGunzip } from 'node:zlib';
import type { Effect, Event } from '../core/events.ts';
import { BattitoError, exitCodes } from '../errors.ts';
import { findJournalFiles } from './files.ts';
import { type ClockPair, createLineDecoder, type Item, journalFormat, type SegmentHeader } from './format.ts';

/** Where in the journal a visitor is. */
export interface Place {
  readonly header: SegmentHeader;
  /** The clocks when they were last looked at. */
  readonly clock: ClockPair;
}

/** Told of everything in the journal, in its order; `ended` is called once, after the last. */
export interface Visitor {
  readonly segment?: (place: Place) => void;
  readonly event?: (event: Event, place: Place) => void;
  readonly effects?: (effects: readonly Effect[], place: Place) => void;
  readonly refused?: (item: Extract<Item, { kind: 'refused' }>, place: Place) => void;
  /** The rest of the segment cannot be read. */
  readonly damaged?: (place: Place) => void;
  readonly ended?: () => void;
}

/** What a pass over a journal met. */
export interface Reading {
  readonly files: number;
  readonly bytes: number;
  readonly segments: number;
  /** Lines that were cut off at the end of a segment, as by a power loss. */
  readonly torn: number;
  /** Readable lines behind a damaged one, which were passed over since nothing leads on to them. */
  readonly skipped: number;
  /** Versions that wrote segments in a format that this one does not read. */
  readonly foreign: readonly string[];
  readonly first: SegmentHeader;
}

/** Wall-clock time of a moment of the journal, milliseconds since 1970. */
export function wallMs({ clock }: Place, at: number): number {
  return Date.parse(clock.time) + at - clock.monotonicMs;
}

/** The directory of the journal in a daemon's state directory. */
export function journalDirectory(stateDir: string): string {
  return join(stateDir, 'journal');
}

/**
 * Shows the journal at `path` (its directory, a state directory, or an exported file) to the visitors.
 * Throws BattitoError `journal-missing`, `journal-not-readable`, `journal-foreign`, `journal-empty`.
 */
export async function readJournal(path: string, visitors: readonly Visitor[]): Promise<Reading> {
  const files = await findFiles(path);
  const reader = createReader(path, visitors);
  let bytes = 0;
  for (const file of files) bytes += await readLines(file, path, reader.line);
  return { files: files.length, bytes, ...reader.end() };
}

/** The files of the journal at `path`, oldest first. Throws as readJournal does. */
export async function findFiles(path: string): Promise<readonly string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    for (const directory of [journalDirectory(path), path]) {
      if (!(await stat(directory).catch(missingIsUndefined))?.isDirectory()) continue;
      const files = await findJournalFiles(directory);
      if (files.length > 0) return files.map(({ name }) => join(directory, name));
    }
  } catch (error) {
    throw unreadable(path, error);
  }
  throw new BattitoError('journal-empty', `there is no journal in ${path}`, {
    next: 'name the state directory with --state-dir; a daemon writes its journal there from its first start on',
  });
}

function createReader(path: string, visitors: readonly Visitor[]) {
  const decode = createLineDecoder();
  const foreign = new Set<string>();
  let place: Place | null = null;
  let first: SegmentHeader | null = null;
  let segments = 0;
  let lines = 0;
  let torn = 0;
  let skipped = 0;
  /** Lines since the damaged one in this segment; null: it is sound so far. */
  let behindDamage: number | null = null;
  let foreignFormat: number | null | undefined;

  /** A segment is over: if nothing readable followed its damaged line, that line was merely cut off. */
  const endSegment = () => {
    if (behindDamage === 0) torn += 1;
    if (behindDamage !== null) skipped += behindDamage;
    behindDamage = null;
  };

  const visit = (item: Item) => {
    if (item.kind === 'segment') {
      endSegment();
      segments += 1;
      first ??= item.header;
      place = { header: item.header, clock: item.header };
      for (const visitor of visitors) visitor.segment?.(place);
      return;
    }
    if (item.kind === 'foreign-segment') {
      endSegment();
      place = null;
      foreignFormat = item.format;
      foreign.add(item.software ?? 'an unknown version');
      return;
    }
    if (place === null) {
      if (foreign.size === 0) throw notAJournal(path);
      return;
    }
    if (item.kind === 'damaged') {
      if (behindDamage === null) for (const visitor of visitors) visitor.damaged?.(place);
      behindDamage ??= 0;
      return;
    }
    if (behindDamage !== null) {
      behindDamage += 1;
      return;
    }
    if (item.kind === 'clock') place = { ...place, clock: item.clock };
    for (const visitor of visitors) {
      if (item.kind === 'event') visitor.event?.(item.event, place);
      else if (item.kind === 'effects') visitor.effects?.(item.effects, place);
      else if (item.kind === 'refused') visitor.refused?.(item, place);
    }
  };

  return {
    line(line: string) {
      lines += 1;
      visit(decode(line));
    },
    end() {
      endSegment();
      for (const visitor of visitors) visitor.ended?.();
      if (first === null && foreign.size > 0) throw otherFormat(path, [...foreign], foreignFormat ?? null);
      if (first === null && lines === 0) throw empty(path);
      if (first === null) throw notAJournal(path);
      return { segments, torn, skipped, foreign: [...foreign], first };
    },
  };
}

/** @returns bytes of text */
async function readLines(file: string, _path: string, take: (line: string) => void): Promise<number> {
  let bytes = 0;
  try {
    const text = await openText(file);
    text?.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    if (text !== null) await pipeline(text, lineSink(take));
  } catch (error) {
    if (error instanceof BattitoError) throw error;
    throw unreadable(file, error);
  }
  return bytes;
}

/**
 * What is in a file of a journal, unpacked. null: the running daemon has dropped it from its ring meanwhile.
 * Rejects with the system's error.
 */
export async function openText(file: string): Promise<Readable | null> {
  const isOfRing = /\bevents\.\d+\.jsonl(\.gz)?$/.test(file);
  for (const name of isOfRing ? [file, `${file}.gz`] : [file]) {
    let handle: FileHandle;
    try {
      handle = await open(name, 'r');
    } catch (error) {
      if (isOfRing && (error as NodeJS.ErrnoException).code === 'ENOENT') continue; // Packed since it was found.
      throw error;
    }
    const magic = Buffer.alloc(2);
    await handle.read(magic, 0, 2, 0);
    const source = handle.createReadStream({ start: 0 });
    if (magic[0] !== 0x1f || magic[1] !== 0x8b) return source;
    const text = createGunzip();
    pipeline(source, text).catch(() => {}); // Destroys `text` with the error, and its reader is told.
    return text;
  }
  return null;
}

function lineSink(take: (line: string) => void): Writable {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      try {
        const lines = (rest + decoder.write(chunk)).split('\n');
        rest = lines.pop() ?? '';
        if (rest.length > lineCharactersMax) throw new RangeError('a line without an end');
        for (const line of lines) if (line !== '') take(line);
        done();
      } catch (error) {
        done(error as Error);
      }
    },
    final(done) {
      try {
        if (rest !== '') take(rest);
        done();
      } catch (error) {
        done(error as Error);
      }
    },
  });
}

/** A segment's state is some ten thousand characters. */
const lineCharactersMax = 4_000_000;

function missingIsUndefined(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
  return undefined;
}

function unreadable(path: string, cause: unknown): BattitoError {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'EACCES' || code === 'EPERM') {
    return new BattitoError('journal-not-readable', `the journal ${path} may be read by root alone`, {
      exitCode: exitCodes.noPermission,
      next: 'run it as root',
      cause,
    });
  }
  if (code === 'ENOENT') {
    return new BattitoError('journal-missing', `there is no ${path}`, {
      next: 'name the state directory of the daemon with --state-dir, or an exported file',
      cause,
    });
  }
  const isCut = code === 'Z_BUF_ERROR';
  const what = isCut ? 'is cut off' : code?.startsWith('Z_') ? 'is damaged' : `cannot be read: ${message}`;
  return new BattitoError('journal-not-readable', `${path} ${what}`, {
    next: isCut ? 'copy it again, whole' : 'take another copy of it, with `battito incident export`',
    cause,
  });
}

function empty(path: string): BattitoError {
  return new BattitoError('journal-empty', `the journal ${path} is empty`, {
    next: 'a daemon that runs has written to its journal within a second; an exported file is never empty: copy it again',
  });
}

function notAJournal(path: string): BattitoError {
  return new BattitoError('journal-foreign', `${path} is not a journal of Battito`, {
    next: 'a journal is in the state directory of a daemon, or made with `battito incident export`',
  });
}

function otherFormat(path: string, software: readonly string[], format: number | null): BattitoError {
  const written = `by ${software.join(' and ')}${format === null ? '' : ` in format ${format}`}`;
  return new BattitoError(
    'journal-format-unknown',
    `${path} was written ${written}; this version reads format ${journalFormat}`,
    { next: 'read it with the version that wrote it' },
  );
}
