// Starts small programs that nobody waits for, through one long-lived shell: to fork a process of the daemon's size keeps it
// from everything else for milliseconds, and a shell is forked in a fraction of one.
// Guarantees: a shell that has not said within half a second that it has forked what it was told, or before that is called
// off, is killed and reads no more of it. What it has forked goes on, and how that ends is not known: it has to be short, and
// do no harm should it come late.

import type { Logger } from 'pino';
import { shellLine } from '../shell.ts';
import { keepAsked } from './asked-process.ts';

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

export function createStarter({ logger, argv = ['sh'] }: StarterOptions): Starter {
  const shell = keepAsked(argv, { name: 'the shell that starts programs', logger });
  return {
    start(words, signal) {
      // Twice forked, so that none of them remains as a zombie of a shell that reads on.
      const text = `(${shellLine(words)} >/dev/null 2>&1 &)\necho\n`;
      return shell.ask(text, () => true, signal) !== null;
    },
    close: () => shell.close(),
  };
}
