// One long-lived process that is told lines, and says when it has done with them.
// Guarantees: what it is told happens at once or never. When it is not done within half a second, or what it was told is called
// off, the process is killed, and only when it is gone is that said. It is started again by itself.

import type { Logger } from 'pino';
import { keepRunning } from '../line-process.ts';

export interface AskedProcess {
  /**
   * Null: it was not told, since none runs at the moment, or `signal` was aborted. Else whether it was done; never rejects.
   *
   * @param text whole lines
   * @param isLast called with each line of its answer until it returns true
   */
  ask(text: string, isLast: (line: string) => boolean, signal: AbortSignal): Promise<boolean> | null;
  /** Kills it. Whatever is open was not done. Resolves when that is so. */
  giveUp(reason: string): Promise<void>;
  close(): Promise<void>;
}

export interface AskedProcessOptions {
  /** In the log. */
  readonly name: string;
  readonly logger: Logger;
  /** A new one runs, and remembers nothing. */
  readonly onStart?: () => void;
  /** For tests, on machines that have much else to do; 500 when left out. */
  readonly answerTimeoutMs?: number | undefined;
}

interface Question {
  readonly isLast: (line: string) => boolean;
  readonly end: (isDone: boolean) => void;
}

export function keepAsked(
  argv: readonly string[],
  { name, logger, onStart, answerTimeoutMs = 500 }: AskedProcessOptions,
): AskedProcess {
  let questions: Question[] = [];
  let patience: NodeJS.Timeout | undefined;
  let closed = false;

  const kept = keepRunning(argv, { name, logger, hasInput: true, onLine: read, onStart: forget });

  /** A process that has ended answers nothing any more, and does nothing any more. */
  function forget(): void {
    const open = questions;
    questions = [];
    expectAnswer();
    onStart?.();
    for (const { end } of open) end(false);
  }

  function read(line: string): void {
    const [question] = questions;
    if (question === undefined || !question.isLast(line)) return;
    questions = questions.slice(1);
    expectAnswer();
    question.end(true);
  }

  /** Of many questions each waits for its turn: what must come in time is the next answer. */
  function expectAnswer(): void {
    clearTimeout(patience);
    if (questions.length === 0) return;
    const why = `it did not answer within ${answerTimeoutMs} ms`;
    patience = setTimeout(() => void giveUp(why), answerTimeoutMs);
  }

  async function giveUp(reason: string): Promise<void> {
    logger.warn({ reason }, `${name} is killed and started again`);
    await kept.restart();
    forget();
  }

  return {
    ask(text, isLast, signal) {
      const process = kept.current();
      if (closed || process === undefined || signal.aborted) return null;
      return new Promise((resolve) => {
        const onAbort = () => void giveUp('what it was told was called off');
        signal.addEventListener('abort', onAbort, { once: true });
        const end = (isDone: boolean) => {
          signal.removeEventListener('abort', onAbort);
          resolve(isDone);
        };
        questions.push({ isLast, end });
        if (questions.length === 1) expectAnswer();
        process.write(text);
      });
    },
    giveUp,
    async close() {
      closed = true;
      await kept.close();
      forget();
    },
  };
}
