// What a process and its children cost, from proc(5). Guests are left out: they are no part of the daemon.
// Processes come and go while they are looked at, so one that is gone counts as nothing.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** USER_HZ, the unit of the times in /proc/PID/stat: 100 on every Linux that runs QEMU guests for a living. */
const ticksPerSecond = 100;

export interface ProcessUse {
  readonly pid: number;
  readonly name: string;
  /** Milliseconds of its own, user and system. */
  readonly cpuMs: number;
  /** Milliseconds of the children that have ended and been waited for. */
  readonly endedCpuMs: number;
  /** Voluntary context switches of all its threads. */
  readonly wakeups: number;
  readonly rssMb: number;
  readonly pssMb: number;
  /** What it has written itself: heap and stacks. */
  readonly anonymousMb: number;
  /** PSS if nobody else ran the same program: its program file counts in full, libraries are still shared. */
  readonly alonePssMb: number;
}

export interface DaemonUse {
  readonly daemon: ProcessUse;
  /** Those that live now; short ones may be among them by chance. */
  readonly children: readonly ProcessUse[];
}

interface Stat {
  readonly name: string;
  readonly parent: number;
  readonly cpuMs: number;
  readonly endedCpuMs: number;
}

/** @throws Error when the daemon is gone. */
export function useOf(pid: number): DaemonUse {
  const daemon = processUse(pid);
  if (daemon === null) throw new Error(`process ${pid} is gone`);
  const children = readdirSync('/proc')
    .map(Number)
    .filter((other) => Number.isInteger(other) && statOf(other)?.parent === pid)
    .flatMap((child) => processUse(child) ?? [])
    .filter(({ name }) => !name.startsWith('qemu'));
  return { daemon, children };
}

/** null: it is gone. */
export function processUse(pid: number): ProcessUse | null {
  const stat = statOf(pid);
  const memory = read(`/proc/${pid}/smaps_rollup`);
  if (stat === null || memory === '') return null;
  const megabytes = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(memory)?.[1] ?? 0) / 1024;
  const { name, cpuMs, endedCpuMs } = stat;
  return {
    pid,
    name,
    cpuMs,
    endedCpuMs,
    wakeups: wakeupsOf(pid),
    rssMb: megabytes('Rss'),
    pssMb: megabytes('Pss'),
    anonymousMb: megabytes('Pss_Anon'),
    alonePssMb: alonePssMb(pid),
  };
}

function statOf(pid: number): Stat | null {
  const text = read(`/proc/${pid}/stat`);
  if (text === '') return null;
  const close = text.lastIndexOf(')'); // The name may hold anything.
  const fields = text.slice(close + 2).split(' '); // From field 3, state, on.
  const milliseconds = (field: number): number => (Number(fields[field - 3]) * 1000) / ticksPerSecond;
  return {
    name: text.slice(text.indexOf('(') + 1, close),
    parent: Number(fields[4 - 3]),
    cpuMs: milliseconds(14) + milliseconds(15),
    endedCpuMs: milliseconds(16) + milliseconds(17),
  };
}

/** In /proc/PID/smaps each mapping is a line with its file at the end, followed by lines such as `Pss: 12 kB`. */
function alonePssMb(pid: number): number {
  let program = '';
  try {
    program = readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return 0; // It is gone.
  }
  let isProgram = false;
  let kilobytes = 0;
  for (const line of read(`/proc/${pid}/smaps`).split('\n')) {
    const size = /^(Rss|Pss):\s+(\d+) kB/.exec(line);
    if (size !== null) kilobytes += size[1] === (isProgram ? 'Rss' : 'Pss') ? Number(size[2]) : 0;
    else if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) isProgram = line.endsWith(` ${program}`);
  }
  return kilobytes / 1024;
}

function wakeupsOf(pid: number): number {
  let threads: string[] = [];
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {
    // It is gone.
  }
  return threads
    .map((thread) => /^voluntary_ctxt_switches:\s+(\d+)/m.exec(read(`/proc/${pid}/task/${thread}/status`)))
    .reduce((sum, found) => sum + Number(found?.[1] ?? 0), 0);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
