// Knows a guest's QEMU process by what the kernel says about it (proc(5)), never by a number in a file alone.
// Guarantees: no signal goes to a process that is not this guest, also when pids were reused; `gone` is said only
// when no thread is left that could still hold the disk.

import { readdir, readFile } from 'node:fs/promises';
import { uptime } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process, told from a later one with the same pid by its start time (clock ticks since boot). */
export interface GuestProcess {
  readonly pid: number;
  readonly startTicks: string;
}

/** How the process of one guest is told from every other one. */
export interface GuestIdentity {
  /** Where its pid is written, most often. */
  readonly pidFile: string;
  /** Whether a process with this command line is that guest. */
  matches(argv: readonly string[]): boolean;
}

/**
 * `stopped`: by SIGSTOP, and none of it will run again before SIGCONT: each thread stands still, or waits in the kernel for a
 * disk that does not answer and will stand still before it leaves the kernel.
 */
export type ProcessState = 'gone' | 'stopped' | 'alive';

export type GuestSignal = 'SIGKILL' | 'SIGSTOP' | 'SIGCONT';

const pollMs = 20;
/** USER_HZ, which proc(5) counts in: 100 on every architecture that Battito is built for. */
const ticksPerSecond = 100;

/**
 * The process of the guest. With `scan`, also one whose pid file was lost or overwritten, by
 * reading every process's command line: some milliseconds, so not for what runs every few seconds.
 */
export async function findGuestProcess(
  identity: GuestIdentity,
  options: { readonly scan: boolean },
): Promise<GuestProcess | undefined> {
  const written = Number.parseInt(await readText(identity.pidFile), 10);
  if (Number.isInteger(written) && written > 0) {
    const found = await identify(written, identity);
    if (found !== undefined) return found;
  }
  return options.scan ? (await scanGuestProcesses(identity))[0] : undefined;
}

/** All of them; more than one only while QEMU is detaching itself. */
export async function scanGuestProcesses(identity: GuestIdentity): Promise<readonly GuestProcess[]> {
  const found: GuestProcess[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const one = await identify(Number(entry), identity);
    if (one !== undefined) found.push(one);
  }
  return found;
}

/** How long ago it was started. Both clocks are CLOCK_BOOTTIME. */
export function processAgeMs({ startTicks }: GuestProcess): number {
  return Math.max(0, Math.round((uptime() - Number(startTicks) / ticksPerSecond) * 1000));
}

export async function processState(process: GuestProcess): Promise<ProcessState> {
  const leader = await readStat(`/proc/${process.pid}/stat`);
  if (leader === undefined || leader.startTicks !== process.startTicks) return 'gone';
  const threads = await readThreadStates(process.pid);
  // The first thread may be dead while others still finish a write.
  if (threads.every((state) => state === 'Z' || state === 'X')) return 'gone';
  // Once one thread has stopped, all have been told to (signal(7), do_signal_stop() of the kernel).
  const isStopping = threads.some((state) => 'Tt'.includes(state));
  return isStopping && threads.every((state) => 'TtDZX'.includes(state)) ? 'stopped' : 'alive';
}

/** False when the process is still there at the deadline. Rejects only when `signal` aborts. */
export async function waitForState(
  process: GuestProcess,
  wanted: ProcessState,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    if ((await processState(process)) === wanted) return true;
    if (performance.now() >= deadline) return false;
    await sleep(pollMs, undefined, signal === undefined ? {} : { signal });
  }
}

/** Sends a signal if the process still is that guest. False: it is not, and nothing was sent. */
export async function signalGuest(
  guest: GuestProcess,
  identity: GuestIdentity,
  name: GuestSignal,
): Promise<boolean> {
  const now = await identify(guest.pid, identity);
  if (now?.startTicks !== guest.startTicks) return false;
  try {
    process.kill(guest.pid, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

async function identify(pid: number, identity: GuestIdentity): Promise<GuestProcess | undefined> {
  const words = await readWords(pid);
  // Not the first one only: systemd-run becomes the QEMU that it names.
  const isQemu = (words[0] ?? '').includes('qemu') || words.some((word) => /^(\S*\/)?qemu-\S+$/.test(word));
  if (!isQemu || !identity.matches(words)) return undefined;
  const stat = await readStat(`/proc/${pid}/stat`);
  return stat === undefined ? undefined : { pid, startTicks: stat.startTicks };
}

/** Of a process whose first thread has ended they are told by those that have not. */
async function readWords(pid: number): Promise<readonly string[]> {
  const text = await readText(`/proc/${pid}/cmdline`);
  if (text !== '') return text.split('\0');
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  for (const thread of threads.length > 1 ? threads : []) {
    const own = await readText(`/proc/${pid}/task/${thread}/cmdline`);
    if (own !== '') return own.split('\0');
  }
  return [];
}

/** Letters of proc(5): R runs, S sleeps, D waits in the kernel and cannot be woken, T and t stopped, Z and X dead. */
export async function readThreadStates(pid: number): Promise<readonly string[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const stats = await Promise.all(threads.map((thread) => readStat(`/proc/${pid}/task/${thread}/stat`)));
  return stats.flatMap((stat) => (stat === undefined ? [] : [stat.state]));
}

/** Fields 3 (state) and 22 (start time) of proc(5)'s stat; the name in field 2 may contain anything. */
async function readStat(file: string): Promise<{ state: string; startTicks: string } | undefined> {
  const text = await readText(file);
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, startTicks] = [fields[0], fields[19]];
  return state === undefined || startTicks === undefined ? undefined : { state, startTicks };
}

/** Empty when it cannot be read: processes and pid files come and go. */
async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    return '';
  }
}
