// Starts small programs that nobody waits for, through one long-lived shell: to fork a process of the daemon's size keeps it
// from everything else for milliseconds, and a shell is forked in a fraction of one.
// Guarantees: a shell that has not said within half a second that it has forked what it was told, or before that is called
// off, is killed and reads no more of it. What it has forked goes on, and how that ends is not known: it has to be short, and
// do no harm should it come late.

import type { Logger } from 'pino';
import { keepRunning } from '../line-process.ts';
import { shellLine } from '../shell.ts';

export interface Starter {
  /** False: not started, since no shell runs at the moment, or `signal` was aborted. Never throws. */
  start(argv: readonly string[], signal: AbortSignal): boolean;
  close(): Promise<void>;
}

export interface StarterOptions {
  readonly logger: Logger;
  /** Tests give another program. */
  readonly argv?: readonly string[];
}

const answerTimeoutMs = 500;

export function createStarter({ logger, argv = ['sh'] }: StarterOptions): Starter {
  /** What has not been answered for yet, the oldest first: each with what forgets that it may be called off. */
  const open: (() => void)[] = [];
  let patience: NodeJS.Timeout | undefined;
  let closed = false;

  const kept = keepRunning(argv, {
    name: 'the shell that starts programs',
    logger,
    hasInput: true,
    onLine: () => settle(1),
    onStart: () => settle(open.length),
  });

  function settle(count: number): void {
    for (const forget of open.splice(0, count)) forget();
    clearTimeout(patience);
    if (open.length === 0) return;
    patience = setTimeout(() => giveUp(`it did not answer within ${answerTimeoutMs} ms`), answerTimeoutMs);
  }

  function giveUp(reason: string): void {
    logger.warn({ reason }, 'the shell that starts programs is killed and started again');
    void kept.restart();
  }

  return {
    start(words, signal) {
      const shell = kept.current();
      if (closed || shell === undefined || signal.aborted) return false;
      const onAbort = () => giveUp('what it was told was called off');
      signal.addEventListener('abort', onAbort, { once: true });
      open.push(() => signal.removeEventListener('abort', onAbort));
      if (open.length === 1) settle(0);
      // Twice forked, so that none of them remains as a zombie of a shell that reads on.
      shell.write(`(${shellLine(words)} >/dev/null 2>&1 &)\necho\n`);
      return true;
    },
    async close() {
      closed = true;
      settle(open.length);
      await kept.close();
    },
  };
}
