// How much memory guests may have on this host, and how much one of them takes: what admission by memory goes by.
// Guarantees: what cannot be read or told is an error, never a guess.

import { readFile } from 'node:fs/promises';
import type { QemuGuestConfig } from '../../config/config.ts';
import type { DomainDefinition, HugePages } from '../../drivers/libvirt/domain.ts';
import { BattitoError, exitCodes } from '../../errors.ts';

const meminfoFile = '/proc/meminfo';
const reserveMiBMin = 512;
const reserveShare = 0.05;

/** Kept free of guests unless configured, MiB: the host has its own work, and more of it where it is large. */
export function defaultReserveMiB(totalMiB: number): number {
  return Math.max(reserveMiBMin, Math.ceil(totalMiB * reserveShare));
}

export interface GuestMemoryOptions {
  /** What is kept free of guests, MiB; null: by the host's memory. */
  readonly reserveMiB: number | null;
  /** For tests. */
  readonly file?: string;
}

/**
 * Memory for all guests together, MiB, whatever runs now: 0 at the least. Throws BattitoError
 * `host-memory-unknown`, or `memory-reserve-too-large` with exit code 78.
 */
export async function readGuestMemoryMiB({
  reserveMiB,
  file = meminfoFile,
}: GuestMemoryOptions): Promise<number> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw unknown(`${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
  return guestMemoryMiB(text, reserveMiB, file);
}

/** Of the text of /proc/meminfo, proc_meminfo(5). `source` names it in errors. */
export function guestMemoryMiB(text: string, reserveMiB: number | null, source = meminfoFile): number {
  const kibOf = meminfo(text, source);
  const total = kibOf('MemTotal');
  if (total === null) throw unknown(`${source} has no line MemTotal`);
  const totalMiB = Math.floor(total / 1024);
  const reserve = reserveMiB ?? defaultReserveMiB(totalMiB);
  if (reserveMiB !== null && reserveMiB >= totalMiB) {
    throw new BattitoError(
      'memory-reserve-too-large',
      `start.memory-reserve: ${reserveMiB} MiB are to be kept free of guests, and this host has ${totalMiB}`,
      { exitCode: exitCodes.config, next: 'configure a smaller memory-reserve, or none' },
    );
  }
  const setAsideMiB = Math.ceil(hugePagesKib(kibOf) / 1024);
  return Math.max(0, totalMiB - reserve - setAsideMiB);
}

/**
 * Huge pages are taken out of what ordinary guests can have, used or not. `Hugetlb` (Linux 4.16) counts those of every
 * size, the other two lines those of the default size alone; a kernel without them has none of these lines.
 */
function hugePagesKib(kibOf: (name: string) => number | null): number {
  return kibOf('Hugetlb') ?? (kibOf('HugePages_Total') ?? 0) * (kibOf('Hugepagesize') ?? 0);
}

/** The number of a line, in KiB or, of a count, as it is; null: there is no such line. */
function meminfo(text: string, source: string): (name: string) => number | null {
  return (name) => {
    const line = text.split('\n').find((one) => one.startsWith(`${name}:`));
    if (line === undefined) return null;
    const number = /^\S+:\s+(\d+)(?: kB)?\s*$/.exec(line)?.[1];
    if (number === undefined) throw unknown(`${source} has a line that is not understood: ${line.trim()}`);
    return Number(number);
  };
}

function unknown(message: string, options: { readonly cause?: unknown } = {}): BattitoError {
  return new BattitoError('host-memory-unknown', message, {
    ...options,
    next: 'see what is mounted on /proc: it is to be proc(5)',
  });
}

/** The process, its libraries and buffers, and what the kernel keeps for its disk and its network. */
const processMiB = 64;
const perCpuMiB = 8;
/** Its frame buffer (QEMU's VGA has 16 MiB), where it has a display. */
const displayMiB = 16;
/** Eight bytes for each page of 4 KiB, once in the host's tables and once in those of the processor's second stage. */
const pageTableShare = 2 / 512;

/**
 * What a guest takes of its host once it has touched all of its memory, MiB. Beside its memory a halted QEMU 7.2 with
 * this driver's command line had 27 to 35 MiB resident (smaps_rollup), and one that works has buffers as well. The
 * sums per processor and per display are those of KubeVirt's estimate (GetMemoryOverhead).
 */
export function qemuGuestMiB(guest: Pick<QemuGuestConfig, 'memoryMiB' | 'cpus' | 'vnc'>): number {
  const display = guest.vnc === undefined ? 0 : displayMiB;
  const overhead = processMiB + guest.cpus * perCpuMiB + display + guest.memoryMiB * pageTableShare;
  return guest.memoryMiB + Math.ceil(overhead);
}

/** What a guest takes of its host. */
export interface GuestMemory {
  /** Of ordinary memory. */
  readonly memoryMiB: number;
  /** Of the pages that are set aside for this; absent: nothing. */
  readonly hugePages?: readonly HugePages[];
}

/** What is on huge pages is not taken of the rest, nor does it need tables of 4 KiB pages. */
export function domainMemory(
  domain: Pick<DomainDefinition, 'memoryMiB' | 'hugePages' | 'vcpus'>,
): GuestMemory {
  const { hugePages, vcpus } = domain;
  const set = hugePages.reduce((sum, { memoryMiB }) => sum + memoryMiB, 0);
  const memoryMiB = qemuGuestMiB({ memoryMiB: Math.max(0, domain.memoryMiB - set), cpus: vcpus });
  return hugePages.length === 0 ? { memoryMiB } : { memoryMiB, hugePages };
}
