// One long-lived `ip -batch -`, so that an address is added or removed without a process being started for it: that costs
// a busy host tens of milliseconds, a line through a pipe less than one.
// Guarantees: a line is carried out at once or never; when no answer comes for half a second the process is killed,
// and only when it is gone is that said, so nothing that it was told happens later. Must not judge what the kernel shows.

import type { Logger } from 'pino';
import { keepRunning } from '../line-process.ts';
import { type InterfaceState, parseInterfaces } from '../network.ts';

export interface IpBatch {
  /**
   * Carries the words of one `ip` command out, and then reads the interface.
   *
   * @returns what the kernel shows of it; null: nobody knows whether that was done, or it was not, since no process runs,
   * it did not answer in time, `signal` was aborted, or there is no such interface. Never rejects.
   */
  perform(
    words: readonly string[],
    networkInterface: string,
    signal: AbortSignal,
  ): Promise<InterfaceState | null>;
  close(): Promise<void>;
}

/** `-force`: a line that fails does not end it. */
const argv = ['ip', '-j', '-force', '-batch', '-'];
const answerTimeoutMs = 500;
/** There always is one, so its line tells that everything before was answered. */
const lastInterface = 'lo';

interface Question {
  /** One for each line with an interface in it, in the order of the lines. */
  readonly shown: InterfaceState[];
  readonly answer: (shown: readonly InterfaceState[] | null) => void;
}

export interface IpBatchOptions {
  readonly logger: Logger;
  /** Tests give another program. */
  readonly argv?: readonly string[];
}

export function createIpBatch(options: IpBatchOptions): IpBatch {
  const { logger } = options;
  let questions: Question[] = [];
  let patience: NodeJS.Timeout | undefined;
  let closed = false;

  const kept = keepRunning(options.argv ?? argv, {
    name: 'ip -batch',
    logger,
    hasInput: true,
    onLine: read,
    onStart: forget,
  });

  /** A process that has ended answers nothing any more, and does nothing any more. */
  function forget(): void {
    const open = questions;
    questions = [];
    expectAnswer();
    for (const { answer } of open) answer(null);
  }

  function read(line: string): void {
    const [question] = questions;
    if (question === undefined || line.trim() === '') return;
    const parsed = parseInterfaces(line);
    if (parsed.kind === 'unparseable') return; // The answer is missed at its deadline.
    const [shown] = parsed.interfaces;
    if (shown?.name !== lastInterface) {
      if (shown !== undefined) question.shown.push(shown);
      return;
    }
    questions = questions.slice(1);
    expectAnswer();
    question.answer(question.shown);
  }

  /** Of many questions each waits for its turn: what must come in time is the next answer. */
  function expectAnswer(): void {
    clearTimeout(patience);
    if (questions.length === 0) return;
    const why = `it did not answer within ${answerTimeoutMs} ms`;
    patience = setTimeout(() => void giveUp(why), answerTimeoutMs);
  }

  async function giveUp(why: string): Promise<void> {
    logger.warn({ reason: why }, 'ip -batch is killed and started again');
    await kept.restart();
    forget();
  }

  function ask(lines: readonly string[], signal: AbortSignal): Promise<readonly InterfaceState[] | null> {
    const process = kept.current();
    if (closed || process === undefined || signal.aborted) return Promise.resolve(null);
    return new Promise((resolve) => {
      const onAbort = () => void giveUp('what it was told was called off');
      signal.addEventListener('abort', onAbort, { once: true });
      const answer = (shown: readonly InterfaceState[] | null) => {
        signal.removeEventListener('abort', onAbort);
        resolve(shown);
      };
      questions.push({ shown: [], answer });
      if (questions.length === 1) expectAnswer();
      process.write(`${[...lines, `address show dev ${lastInterface}`].join('\n')}\n`);
    });
  }

  return {
    async perform(words, networkInterface, signal) {
      const show = `address show dev ${networkInterface}`;
      // It remembers which number a name has; an interface that was renamed or made anew is not to be mistaken.
      const before = await ask([show], signal);
      if (before === null) return null;
      if (before.length !== 1 || before[0]?.name !== networkInterface) {
        await giveUp(`it knows no ${networkInterface}`);
        return null;
      }
      const after = await ask([words.join(' '), show], signal);
      return after?.find(({ name }) => name === networkInterface) ?? null;
    },
    async close() {
      closed = true;
      await kept.close();
      forget();
    },
  };
}
