// The huge pages of this host: memory that is set aside at boot, or by hand, for those who ask for it by the page
// (Linux, admin-guide/mm/hugetlbpage.rst). Looks only.
// Guarantees: what cannot be read or told is an error, never a guess.

import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { BattitoError } from '../../errors.ts';

export const hugePagesDirectory = '/sys/kernel/mm/hugepages';
const meminfoFile = '/proc/meminfo';

export interface HostPages {
  /** What a guest has that names no size; null: this kernel has no huge pages. */
  readonly defaultKiB: number | null;
  /** By their size in KiB: how many there can be at once, in use or not. */
  readonly counts: ReadonlyMap<number, number>;
}

export interface HostPagesPlaces {
  readonly directory?: string;
  readonly meminfo?: string;
}

/** Throws BattitoError `host-memory-unknown`. */
export async function readHostPages({
  directory = hugePagesDirectory,
  meminfo = meminfoFile,
}: HostPagesPlaces = {}): Promise<HostPages> {
  try {
    const size = /^Hugepagesize:\s+(\d+) kB$/m.exec(await readFile(meminfo, 'utf8'))?.[1];
    const sizes = await readdir(directory).catch(noneIfMissing);
    const counts = await Promise.all(
      sizes.flatMap((name) => {
        const pageKiB = /^hugepages-(\d+)kB$/.exec(name)?.[1];
        return pageKiB === undefined ? [] : [countOf(Number(pageKiB), path.join(directory, name))];
      }),
    );
    return { defaultKiB: size === undefined ? null : Number(size), counts: new Map(counts) };
  } catch (cause) {
    throw new BattitoError(
      'host-memory-unknown',
      `the huge pages of this host cannot be read: ${(cause as Error).message}`,
      { cause, next: `ls ${directory}   # is sysfs(5) mounted on /sys?` },
    );
  }
}

/** Those that are kept, and those that the kernel may make of ordinary memory when they are asked for. */
async function countOf(pageKiB: number, place: string): Promise<[number, number]> {
  const read = async (name: string) => {
    const text = (await readFile(path.join(place, name), 'utf8')).trim();
    if (!/^\d+$/.test(text)) throw new Error(`${path.join(place, name)} is no number: ${text}`);
    return Number(text);
  };
  const [all, surplus, overcommit] = await Promise.all(
    ['nr_hugepages', 'surplus_hugepages', 'nr_overcommit_hugepages'].map(read),
  );
  return [pageKiB, (all ?? 0) - (surplus ?? 0) + (overcommit ?? 0)];
}

/** A kernel without huge pages has no such directory. */
function noneIfMissing(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return [];
  throw error;
}
