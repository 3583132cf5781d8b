// What is too much work for the daemon is asked of its own commands, in a process of its own: incidents, and what-if.
// Guarantees: one at a time and few in waiting, whoever asks how often; never at the cost of what decides (nice).

import { type CommandResult, describeFailure, runCommand } from '../drivers/command.ts';

export type Said<T> =
  | { readonly kind: 'said'; readonly value: T }
  | {
      readonly kind: 'failed';
      /** Of the error, where it has one. */
      readonly code: string | null;
      readonly message: string;
      readonly next: string | null;
    };

export interface Commands {
  /** The answer of `battito WORDS --json`. */
  ask<T>(words: readonly string[]): Promise<Said<T>>;
  close(): void;
}

const keptMs = 10_000;
const keptMax = 20;
const waitingMax = 4;
const timeoutMs = 90_000;

export function createCommands(command: readonly string[], run: typeof runCommand = runCommand): Commands {
  const ending = new AbortController();
  const kept = new Map<string, { readonly answer: Promise<Said<unknown>>; doneAtMs: number | null }>();
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();

  const begin = (words: readonly string[]): Promise<Said<unknown>> => {
    waiting += 1;
    const answer = last.then(async () => {
      const argv = ['nice', '-n', '10', ...command, ...words, '--json'];
      return readAnswer(words, await run(argv, { timeoutMs, signal: ending.signal }));
    });
    last = answer.finally(() => {
      waiting -= 1;
    });
    return answer;
  };

  return {
    async ask<T>(words: readonly string[]) {
      const key = words.join('\n');
      const known = kept.get(key);
      if (known !== undefined && (known.doneAtMs === null || performance.now() - known.doneAtMs < keptMs))
        return known.answer as Promise<Said<T>>;
      if (waiting >= waitingMax) {
        const message = 'others are asking already';
        return { kind: 'failed', code: null, message, next: 'try again in a moment' };
      }
      const entry: { readonly answer: Promise<Said<unknown>>; doneAtMs: number | null } = {
        answer: begin(words),
        doneAtMs: null,
      };
      kept.delete(key);
      kept.set(key, entry);
      const [oldest] = kept.keys();
      if (kept.size > keptMax && oldest !== undefined) kept.delete(oldest);
      const said = await entry.answer;
      entry.doneAtMs = said.kind === 'said' ? performance.now() : -Infinity;
      return said as Said<T>;
    },
    close: () => ending.abort(),
  };
}

/** What `battito WORDS --json` has said. */
export function readAnswer(words: readonly string[], result: CommandResult): Said<unknown> {
  const argv = ['battito', ...words];
  try {
    const value: unknown = JSON.parse(result.stdout);
    const { error } = value as {
      readonly error?: { readonly code: string; readonly message: string; readonly next: string | null };
    };
    if (error !== undefined) return { kind: 'failed', ...error };
    return { kind: 'said', value };
  } catch {
    return {
      kind: 'failed',
      code: null,
      message: describeFailure(argv, result),
      next: `in a terminal: ${argv.join(' ')}`,
    };
  }
}
