// Network namespaces and the processes in them: made, listed, killed, removed.
// Guarantees: only namespaces whose name carries our prefix are ever touched, and only processes inside
// those are ever signalled. Names carry the creating process, so leftovers of a dead one can be told.

import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeFailure, runCommand } from '../../../daemon/drivers/command.ts';
import { isLeftover, namePrefix, removeLeftoverDirectories } from '../../leftovers.ts';
import { monotonicMs } from '../../support.ts';

const commandTimeoutMs = 30_000;
const goneTimeoutMs = 20_000;
const namespaceFolder = '/run/netns';

/** A prefix that no other network on this machine has, and that names the process that made it. */
export function newPrefix(): string {
  const random = Math.floor(Math.random() * 36 ** 4).toString(36);
  return `${namePrefix()}${random.padStart(4, '0')}`;
}

/** Runs lines of `ip -batch`, in a namespace when one is named. With `force`, a failed line does not matter. */
export async function ipBatch(
  namespace: string | undefined,
  lines: readonly string[],
  options: { readonly force?: boolean } = {},
): Promise<void> {
  if (lines.length === 0) return;
  const place = namespace === undefined ? [] : ['-n', namespace];
  const argv = ['ip', ...place, ...(options.force === true ? ['-force'] : []), '-batch', '-'];
  const result = await runCommand(argv, { timeoutMs: commandTimeoutMs, input: `${lines.join('\n')}\n` });
  if (result.exitCode !== 0 && options.force !== true) throw new Error(describeFailure(argv, result));
}

/** Runs a command that must succeed, and returns what it printed. */
export async function output(argv: readonly string[]): Promise<string> {
  const result = await runCommand(argv, { timeoutMs: commandTimeoutMs });
  if (result.exitCode !== 0) throw new Error(describeFailure(argv, result));
  return result.stdout;
}

function parsePids(text: string): number[] {
  const pids = text.split('\n').filter(Boolean).map(Number);
  return pids.filter((pid) => Number.isInteger(pid) && pid > 1 && pid !== process.pid);
}

/** The processes of a namespace; zombies are not among them. */
export async function pidsIn(namespace: string): Promise<number[]> {
  return parsePids(await output(['ip', 'netns', 'pids', namespace]));
}

/** Sends a signal; false when the process is gone already. */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** SIGKILL to every process of these namespaces, again until none is left. */
export async function killAllIn(namespaces: readonly string[]): Promise<void> {
  const deadline = monotonicMs() + goneTimeoutMs;
  for (;;) {
    const left = (await Promise.all(namespaces.map(pidsIn))).flat();
    if (left.length === 0) return;
    if (monotonicMs() > deadline) throw new Error(`processes that outlive SIGKILL: ${left.join(' ')}`);
    for (const pid of left) signalProcess(pid, 'SIGKILL');
    await sleep(5);
  }
}

/** SIGSTOP or SIGCONT to every process of a namespace, again until no new one has appeared meanwhile. */
export async function signalAllIn(namespace: string, signal: 'SIGSTOP' | 'SIGCONT'): Promise<void> {
  const signalled = new Set<number>();
  for (;;) {
    const fresh = (await pidsIn(namespace)).filter((pid) => !signalled.has(pid));
    if (fresh.length === 0) return;
    for (const pid of fresh) {
      signalProcess(pid, signal);
      signalled.add(pid);
    }
  }
}

/** Removes namespaces; those that are gone already do not matter. */
export async function deleteNamespaces(namespaces: readonly string[]): Promise<void> {
  const lines = namespaces.map((name) => `netns del ${name}`);
  await ipBatch(undefined, lines, { force: true });
}

/** Those of these namespaces that exist. */
export function presentNamespaces(namespaces: readonly string[]): string[] {
  const present = new Set(namesIn(namespaceFolder));
  return namespaces.filter((name) => present.has(name));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Kills and removes without the event loop, for a process that is about to end. Never throws. */
export function releaseNow(namespaces: readonly string[], directories: readonly string[]): void {
  for (const name of presentNamespaces(namespaces)) {
    const deadline = monotonicMs() + goneTimeoutMs;
    for (;;) {
      const listed = spawnSync('ip', ['netns', 'pids', name], {
        encoding: 'utf8',
        timeout: commandTimeoutMs,
      });
      const pids = parsePids(listed.stdout ?? '');
      if (pids.length === 0 || monotonicMs() > deadline) break;
      for (const pid of pids) signalProcess(pid, 'SIGKILL');
    }
    spawnSync('ip', ['netns', 'del', name], { timeout: commandTimeoutMs });
  }
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
}

/** Removes what a test run that died left behind: namespaces with their processes, and directories. */
export function removeLeftovers(): void {
  releaseNow(namesIn(namespaceFolder).filter(isLeftover), []);
  removeLeftoverDirectories();
}
