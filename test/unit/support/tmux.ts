// A real terminal: a shell in a tmux of its own, on a socket of its own, gone when the test ends.
// What the shell shows is awaited by what tmux tells of it in control mode (tmux(1)), never by looking again and again.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import type { ExecutionContext } from 'ava';
import { temporaryDirectory } from '../../support.ts';

const run = promisify(execFile);
const patienceMs = 60_000;

export interface Shell {
  /** Types a line, and Enter. */
  readonly type: (line: string) => Promise<void>;
  /** Presses a key by its name in tmux(1), e.g. `C-c`. */
  readonly press: (key: string) => Promise<void>;
  readonly resize: (columns: number, rows: number) => Promise<void>;
  /** What is on the screen, without what is empty at its end. `-e`: with colours. */
  readonly screen: (...options: readonly string[]) => Promise<string>;
  /** Resolves with the screen when it is as wanted. @throws Error with the last screen */
  readonly until: (what: string, isWanted: (screen: string) => boolean) => Promise<string>;
  /** A format of tmux(1), e.g. `alternate_on`. */
  readonly is: (format: string) => Promise<string>;
}

/** `start`: what the shell carries out first. */
export async function openShell(
  t: ExecutionContext,
  { columns, rows, start = '' }: { columns: number; rows: number; start?: string },
): Promise<Shell> {
  const directory = temporaryDirectory(t);
  const socket = join(directory, 'tmux');
  const startFile = join(directory, 'start');
  writeFileSync(startFile, `PS1='$ '\n${start}\n`);
  // TERM is tmux's own; a colour that the tester does not want would be missed here.
  const { NO_COLOR: _, TMUX: __, ...outer } = process.env;
  const options = { env: { ...outer, LC_ALL: 'C.UTF-8' } };
  const tmux = async (...words: readonly string[]) =>
    (await run('tmux', ['-u', '-S', socket, '-f', '/dev/null', ...words], options)).stdout;
  const size = ['-x', String(columns), '-y', String(rows)];
  await tmux('new-session', '-d', '-s', 'it', ...size, `bash --rcfile '${startFile}' -i`);
  const words = ['-u', '-S', socket, '-C', 'attach-session', '-t', 'it', '-f', 'ignore-size'];
  const events = spawn('tmux', words, { ...options, stdio: ['pipe', 'pipe', 'ignore'] });
  t.teardown(async () => {
    await tmux('kill-server');
    if (events.exitCode === null && events.signalCode === null) await once(events, 'exit');
  });
  const waiting = new Set<() => void>();
  createInterface({ input: events.stdout }).on('line', () => {
    for (const look of waiting) look();
  });
  const screen = async (...more: readonly string[]) =>
    (await tmux('capture-pane', '-p', '-t', 'it', ...more))
      .split('\n')
      .map((line) => line.trimEnd())
      .join('\n')
      .trimEnd();
  const until: Shell['until'] = async (what, isWanted) => {
    const signal = AbortSignal.timeout(patienceMs);
    for (;;) {
      const told = new Promise<void>((resolve) => {
        const look = () => {
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        signal.addEventListener('abort', look, { once: true });
      });
      const seen = await screen();
      if (isWanted(seen)) return seen;
      if (signal.aborted) throw new Error(`the terminal never showed ${what}:\n${seen}`);
      await told;
    }
  };
  const shell: Shell = {
    async type(line) {
      await tmux('send-keys', '-t', 'it', '-l', line);
      await tmux('send-keys', '-t', 'it', 'Enter');
    },
    press: async (key) => void (await tmux('send-keys', '-t', 'it', key)),
    resize: async (x, y) => void (await tmux('resize-window', '-t', 'it', '-x', String(x), '-y', String(y))),
    screen,
    until,
    is: async (format) => (await tmux('display-message', '-p', '-t', 'it', `#{${format}}`)).trim(),
  };
  await until('a prompt', (seen) => /(^|\n)\$$/.test(seen));
  return shell;
}
