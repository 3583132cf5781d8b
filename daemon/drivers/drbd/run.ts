// Runs drbdadm and drbdsetup: an argv, never a shell, in English, within the caller's signal.
// Guarantees: never rejects; an abort ends it at once, even where the tool cannot end because the kernel holds it (a
// promotion waits for DRBD's fence-peer handler); its whole process group is killed then, because drbdadm alone
// would leave its drbdsetup behind.

import { type ChildProcess, spawn } from 'node:child_process';
import type { CommandResult } from '../command.ts';

const outputLengthMax = 64 * 1024;
const drainMs = 200;

export function runTool(argv: readonly string[], signal: AbortSignal): Promise<CommandResult> {
  const [file, ...args] = argv;
  if (file === undefined) throw new TypeError('empty argv');
  const output = { stdout: '', stderr: '' };
  return new Promise((resolve) => {
    const child = trySpawn(file, args);
    if (!(child instanceof Error)) attach(child);
    else resolve({ exitCode: null, ...output, timedOut: false, startError: codeOf(child) });

    function attach(tool: ChildProcess): void {
      for (const name of ['stdout', 'stderr'] as const) {
        tool[name]?.setEncoding('utf8').on('data', (text: string) => {
          if (output[name].length < outputLengthMax) output[name] += text;
        });
      }
      const onAbort = () => {
        killGroup(tool.pid);
        // Whoever hangs in the kernel keeps its ends of the pipes; nobody waits for those.
        tool.stdout?.destroy();
        tool.stderr?.destroy();
        tool.unref();
        finish({ exitCode: null, ...output, timedOut: true });
      };
      const finish = (result: CommandResult) => {
        signal.removeEventListener('abort', onAbort);
        resolve(result);
      };
      tool.on('error', (error) => {
        if (tool.pid === undefined) {
          finish({ exitCode: null, ...output, timedOut: false, startError: codeOf(error) });
        }
      });
      // Whoever it started and left behind may keep the pipes open: drbdadm does not wait for a drbdsetup that hangs.
      tool.on('exit', (exitCode) => {
        setTimeout(() => finish({ exitCode, ...output, timedOut: false }), drainMs).unref();
      });
      tool.on('close', (exitCode) => finish({ exitCode, ...output, timedOut: false }));
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
    }
  });
}

function trySpawn(file: string, args: readonly string[]): ChildProcess | Error {
  try {
    return spawn(file, args, {
      detached: true, // A process group of its own.
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C' },
    });
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}

const codeOf = (error: Error): string => (error as NodeJS.ErrnoException).code ?? error.message;
