// What this process costs, as the kernel counts it. What cannot be read is null, never a guess.

import { readdir, readFile } from 'node:fs/promises';

export interface ProcessFacts {
  /** Seconds since 1970. */
  readonly startedAt: number;
  readonly cpuUserS: number;
  readonly cpuSystemS: number;
  readonly residentBytes: number;
  /** Its share of what it shares with others (PSS); null: the kernel does not say. */
  readonly proportionalBytes: number | null;
  readonly heapBytes: number;
  readonly openFiles: number | null;
  /** Of the runtime. */
  readonly runtime: string;
}

/** `proc`: for tests. Read by helper threads: nothing that decides waits for it. */
export async function readProcessFacts(wallMs: number, proc = '/proc/self'): Promise<ProcessFacts> {
  const [rollup, files] = await Promise.all([
    readFile(`${proc}/smaps_rollup`, 'utf8').catch(() => ''),
    readdir(`${proc}/fd`).catch(() => null),
  ]);
  const [, pssKib] = /^Pss:\s+(\d+) kB$/m.exec(rollup) ?? [];
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  return {
    startedAt: Math.round(wallMs / 1000 - process.uptime()),
    cpuUserS: user / 1e6,
    cpuSystemS: system / 1e6,
    residentBytes: rss,
    proportionalBytes: pssKib === undefined ? null : Number(pssKib) * 1024,
    heapBytes: heapUsed,
    openFiles: files?.length ?? null,
    runtime: process.versions.node,
  };
}
