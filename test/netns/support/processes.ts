// A process started in a namespace, as a test sees it: its pid, its output, its end.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { signalProcess } from './namespaces.ts';

export interface ExitStatus {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface SpawnOptions {
  /** Added to the environment of the test run. */
  readonly env?: Readonly<Record<string, string>>;
  /** File that gets stdout and stderr, appended. Without it they are pipes, kept in `stdoutText`, `stderrText`. */
  readonly logFile?: string;
}

export interface HostProcess {
  /** The pid of the command itself (`ip netns exec` becomes it). */
  readonly pid: number;
  readonly child: ChildProcess;
  /** Resolves when the process has ended, whatever its own children hold open. Never rejects. */
  readonly exited: Promise<ExitStatus>;
  stdoutText(): string;
  stderrText(): string;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, SIGKILL when that did not end it in `graceMs`; then its end. */
  stop(graceMs?: number): Promise<ExitStatus>;
}

/** Starts `argv` in a namespace, in a process group of its own, so that Ctrl-C reaches only the test run. */
export function spawnIn(namespace: string, argv: readonly string[], options: SpawnOptions = {}): HostProcess {
  const log = options.logFile === undefined ? undefined : openSync(options.logFile, 'a');
  const child = spawn('ip', ['netns', 'exec', namespace, ...argv], {
    detached: true,
    stdio: ['pipe', log ?? 'pipe', log ?? 'pipe'],
    env: { ...process.env, ...options.env },
  });
  if (log !== undefined) closeSync(log);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${argv[0]}: could not be started`);

  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (chunk: string) => {
      text[name] += chunk;
    });
  }
  child.stdin?.on('error', () => {}); // A process that ends before it reads its input says so by its exit.
  const exited = new Promise<ExitStatus>((resolve) => {
    child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }));
  });

  const signal = (name: NodeJS.Signals): void => {
    if (child.exitCode === null && child.signalCode === null) signalProcess(pid, name);
  };
  return {
    pid,
    child,
    exited,
    stdoutText: () => text.stdout,
    stderrText: () => text.stderr,
    signal,
    async stop(graceMs = 5000) {
      signal('SIGTERM');
      await Promise.race([exited, sleep(graceMs, undefined, { ref: false })]);
      signal('SIGKILL');
      return exited;
    },
  };
}
