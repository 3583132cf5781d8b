// The process that waits for the disk: a shell that lives as long as the probe and runs one dd for every line it gets.
// Its text is fixed and the device is an argument, so nothing is ever put together as a command. It ends when its
// standard input does, so also with a daemon that was killed; a dd that hangs ends when the disk answers.

import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseReport, type ReadReport } from './report.ts';

export interface Reader {
  /** Asks for one block. Not before the report on the one before. */
  read(block: number): void;
  /** It ended, and nothing of it is left. */
  hasEnded(): boolean;
  /** It ended, but a dd of its may still hang. */
  isBroken(): boolean;
  /** Kills what can be killed; resolves soon, and with true when nothing is left. */
  close(): Promise<boolean>;
}

export interface ReaderHandlers {
  readonly onReport: (report: ReadReport) => void;
  /** Called once, when it ended without being told to. */
  readonly onBroken: (message: string) => void;
}

const script = `while read -r block; do
  dd if="$1" of=/dev/null iflag=direct bs=4096 count=1 skip="$block" 2>&1
  echo "end $?"
done`;
const endTimeoutMs = 300;
const killTimeoutMs = 700;
const lookMs = 20;
const keptLengthMax = 8192;

export function createReader(device: string, handlers: ReaderHandlers): Reader {
  const argv = ['-c', script, 'battito-disk-probe', device];
  let broken = false;
  let closed = false;
  let text = '';
  let child: ChildProcess | undefined;
  try {
    // A process group of its own, so that its dd can be found and killed when the shell is gone.
    child = spawn('/bin/sh', argv, {
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { ...process.env, LC_ALL: 'C' },
    });
  } catch (error) {
    setImmediate(breakOff, `its reader could not be started (${String(error)})`);
  }
  // `exit`, not `close`: a dd that hangs keeps the pipe open.
  child?.on('exit', () => breakOff('its reader was killed'));
  child?.on('error', (error) => breakOff(`its reader could not be started (${error.message})`));
  child?.stdin?.on('error', () => {}); // The exit is told of.
  child?.stdout?.setEncoding('utf8').on('data', (more: string) => {
    text = (text + more).slice(-keptLengthMax);
    for (let end = /^end (\d+)\n/m.exec(text); end !== null; end = /^end (\d+)\n/m.exec(text)) {
      const lines = text.slice(0, end.index).split('\n').filter(Boolean);
      text = text.slice(end.index + end[0].length);
      if (!closed) handlers.onReport(parseReport(Number(end[1]), lines));
    }
  });

  function breakOff(message: string): void {
    if (broken) return;
    broken = true;
    child?.stdout?.destroy();
    if (!closed) handlers.onBroken(message);
  }

  /** Of the whole group, also when only a dd is left of it. */
  function signalGroup(signal: NodeJS.Signals | 0): boolean {
    if (child?.pid === undefined) return false;
    try {
      return process.kill(-child.pid, signal);
    } catch {
      return false;
    }
  }

  async function isGoneWithin(timeoutMs: number): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    while (signalGroup(0)) {
      if (performance.now() >= deadline) return false;
      await sleep(lookMs);
    }
    return true;
  }

  return {
    read: (block) => void child?.stdin?.write(`${block}\n`),
    isBroken: () => broken,
    hasEnded: () => broken && !signalGroup(0),
    async close() {
      closed = true;
      // Without input it ends by itself, after a read that is under way; one that hangs is left.
      child?.stdin?.end();
      if (!(await isGoneWithin(endTimeoutMs))) signalGroup('SIGKILL');
      const isGone = await isGoneWithin(killTimeoutMs);
      child?.stdout?.destroy();
      child?.unref();
      return isGone;
    },
  };
}
