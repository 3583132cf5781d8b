// Runs mount, umount and fsck for one filesystem, one at a time. A command that waits for a disk cannot be killed
// before the disk answers; so it is told to end, left behind and remembered, and no second one is put beside it.
// Guarantees: `run` resolves within `graceMs` after its signal was aborted, whatever the child does; never rejects.

import { setTimeout as sleep } from 'node:timers/promises';
import { describeEnd, type LineProcessEnd, startLineProcess } from '../line-process.ts';

export type RunResult =
  | { readonly kind: 'ended'; readonly exitCode: number; readonly said: string }
  /** Not installed, not allowed, killed by somebody else. */
  | { readonly kind: 'broken'; readonly missing: boolean; readonly message: string }
  /** Told to end, because of the signal. What it did before is not known. */
  | { readonly kind: 'cut-off'; readonly message: string };

export interface CommandRunner {
  run(argv: readonly string[], signal: AbortSignal): Promise<RunResult>;
  /** Says which command was told to end and has not; undefined: none. */
  hanging(): string | undefined;
}

/** fsck closes the filesystem when it is asked to end; then SIGKILL. Together below the runtime's own grace (1 s). */
const askedMs = 500;
const killedMs = 200;
const saidLinesMax = 3;
/** fsck can find a line for every block. */
const keptLinesMax = 50;

/** `onSettled`: the command that was left behind has ended at last. */
export function createCommandRunner(onSettled: () => void): CommandRunner {
  let leftBehind: string | undefined;

  return {
    hanging: () => leftBehind,
    async run(argv, signal) {
      if (signal.aborted) return { kind: 'cut-off', message: `${argv.join(' ')}: not begun` };
      if (leftBehind !== undefined) return { kind: 'cut-off', message: leftBehind };
      const lines: string[] = [];
      const { promise: ended, resolve } = Promise.withResolvers<LineProcessEnd>();
      const child = startLineProcess(argv, {
        onLine(line) {
          lines.push(line);
          if (lines.length > keptLinesMax) lines.shift();
        },
        onEnd: resolve,
      });
      const end = await Promise.race([ended, aborted(signal)]);
      if (end !== undefined) return resultOf(argv, lines, end);

      if (child.pid !== undefined) terminate(child.pid);
      const asked = await Promise.race([ended, sleep(askedMs)]);
      // It may have come to its end just then, and then it counts.
      if (asked?.exitCode === 0) return resultOf(argv, lines, asked);
      const message = `${argv.join(' ')}: broken off`;
      if (asked !== undefined) return { kind: 'cut-off', message };
      const gone = child.stop().then(() => true);
      if (await Promise.race([gone, sleep(killedMs, false)])) return { kind: 'cut-off', message };
      leftBehind = `${argv.join(' ')} (pid ${child.pid}) hangs in the kernel: its disk does not answer`;
      void gone.then(() => {
        leftBehind = undefined;
        onSettled();
      });
      return { kind: 'cut-off', message: leftBehind };
    },
  };
}

function resultOf(argv: readonly string[], lines: readonly string[], end: LineProcessEnd): RunResult {
  if (end.exitCode === null) {
    return { kind: 'broken', missing: end.startError === 'ENOENT', message: describeEnd(argv, end) };
  }
  const said = [...end.stderr.split('\n'), ...lines].map((line) => line.trim());
  // `mount` sends everybody to dmesg, whatever happened.
  const telling = said.filter((line) => line !== '' && !line.startsWith('dmesg(1) may have more'));
  return { kind: 'ended', exitCode: end.exitCode, said: telling.slice(0, saidLinesMax).join('; ') };
}

async function aborted(signal: AbortSignal): Promise<undefined> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}

function terminate(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch {
    // Gone already.
  }
}
