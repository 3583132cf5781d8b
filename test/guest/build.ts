// Builds the counting guest's boot disk from counter.s with binutils. Used by the tests and by the demo.

import { execFile } from 'node:child_process';
import { open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { makeTemporaryDirectory } from '../support.ts';

const run = promisify(execFile);
const sectorBytes = 512;
const diskBytes = 1024 * 1024;
const magic = 0x4f545442;

export interface CounterDisk {
  readonly file: string;
  /** What was made: `raw` also when `qcow2` was asked for and `qemu-img` (package qemu-utils) is not installed. */
  readonly format: 'raw' | 'qcow2';
}

export interface CounterTraits {
  /** It counts at each of so many ticks, of 18.2 a second. */
  readonly ticksPerCount?: number;
  /** So much of its memory holds something, so that it takes time to be moved; it must have one MiB more than that. */
  readonly filledMebibytes?: number;
}

const assembled = new Map<string, Promise<Buffer>>();

/** The assembled boot sector, made once in a process. Rejects with the assembler's own message. */
export function assembleCounter(traits: CounterTraits = {}): Promise<Buffer> {
  const { ticksPerCount = 2, filledMebibytes } = traits;
  const key = `${ticksPerCount} ${filledMebibytes}`;
  const known = assembled.get(key) ?? assemble({ ticksPerCount, filledMebibytes });
  assembled.set(key, known);
  return known;
}

async function assemble({
  ticksPerCount,
  filledMebibytes,
}: {
  readonly ticksPerCount: number;
  readonly filledMebibytes: number | undefined;
}): Promise<Buffer> {
  const source = path.join(import.meta.dirname, 'counter.s');
  const scratch = makeTemporaryDirectory();
  try {
    const object = path.join(scratch, 'counter.o');
    const binary = path.join(scratch, 'counter.bin');
    const symbols = [
      ...['--defsym', `ticks_per_count=${ticksPerCount}`],
      ...(filledMebibytes === undefined ? [] : ['--defsym', `filled_mebibytes=${filledMebibytes}`]),
    ];
    await run('as', ['--32', ...symbols, '-o', object, source]);
    await run('ld', ['-m', 'elf_i386', '-Ttext', '0x7c00', '--oformat', 'binary', '-o', binary, object]);
    const sector = await readFile(binary);
    if (sector.length !== sectorBytes) throw new Error(`counter.s gave ${sector.length} bytes, not 512`);
    return sector;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Makes (or replaces) a bootable 1 MiB disk whose count is 0. Raw is preferred; see {@link CounterDisk.format}. */
export async function buildCounterDisk(
  options: CounterTraits & { readonly file: string; readonly format?: 'raw' | 'qcow2' },
): Promise<CounterDisk> {
  const { file, format = 'raw' } = options;
  const sector = await assembleCounter(options);
  const rawFile = `${file}.raw.tmp`;
  const handle = await open(rawFile, 'w');
  try {
    await handle.write(sector, 0, sector.length, 0);
    await handle.truncate(diskBytes);
  } finally {
    await handle.close();
  }
  if (format === 'qcow2' && (await convertToQcow2(rawFile, file))) return { file, format: 'qcow2' };
  await rename(rawFile, file);
  return { file, format: 'raw' };
}

/** The count stored on a raw disk, 0 when there is none. Readable while the guest runs. */
export async function readStoredCount(file: string): Promise<number> {
  const handle = await open(file, 'r');
  try {
    const record = Buffer.alloc(12);
    await handle.read(record, 0, record.length, sectorBytes);
    const count = record.readUInt32LE(4);
    const valid = record.readUInt32LE(0) === magic && record.readUInt32LE(8) === (count ^ magic) >>> 0;
    return valid ? count : 0;
  } finally {
    await handle.close();
  }
}

/** False when qemu-img is not installed. */
async function convertToQcow2(rawFile: string, file: string): Promise<boolean> {
  try {
    await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', rawFile, file]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  await rm(rawFile);
  return true;
}
