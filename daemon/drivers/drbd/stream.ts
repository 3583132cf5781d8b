// Keeps one `drbdsetup events2` running, and hands over the state that its lines add up to.
// Guarantees: no state before its dump is complete; a stream that ends, falls silent before the end of its dump, or says
// that it lost events is replaced, after a growing pause; nothing is reported after `close()`.

import type { Logger } from 'pino';
import { describeEnd, type LineProcess, startLineProcess } from '../line-process.ts';
import { applyEvent, type DrbdState, emptyState, parseEventLine } from './events2.ts';
import type { Trouble } from './types.ts';
import { silent, troubleOf } from './view.ts';

export interface EventStream {
  /** The stream that runs now is not to be trusted: another one takes its place. */
  replace(reason: string): void;
  /** A stream that is to be started again is started now. */
  nudge(): void;
  close(): Promise<void>;
}

export interface EventStreamOptions {
  readonly logger: Logger;
  readonly onState: (state: DrbdState) => void;
  /** There is no stream any more, for now. Null: it was replaced by us. */
  readonly onLost: (trouble: Trouble | null) => void;
  readonly delayMsMin?: number;
  readonly delayMsMax?: number;
  /** How long a dump may take. */
  readonly dumpTimeoutMs?: number;
}

// Without --statistics: they would come with each change, and the percents are asked for where they are wanted.
const argv = ['drbdsetup', 'events2', 'all'];
const delayMsMinDefault = 100;
const delayMsMaxDefault = 5000;
const dumpTimeoutMsDefault = 10_000;

export function createEventStream(options: EventStreamOptions): EventStream {
  const { logger, onState, onLost } = options;
  const delayMsMin = options.delayMsMin ?? delayMsMinDefault;
  let delayMs = delayMsMin;
  let child: LineProcess | undefined;
  let restartTimer: NodeJS.Timeout | undefined;
  let dumpTimer: NodeJS.Timeout | undefined;
  let closed = false;

  function start(): void {
    restartTimer = undefined;
    let state = emptyState;
    const started = startLineProcess(argv, {
      onLine(line) {
        const event = parseEventLine(line);
        if (event.kind === 'gap') return replace('it lost events');
        state = applyEvent(state, event);
        if (!state.complete) return;
        if (event.kind === 'dump-complete') {
          clearTimeout(dumpTimer);
          delayMs = delayMsMin;
        }
        onState(state);
      },
      onEnd(end) {
        if (closed || child !== started) return;
        if (state.complete) {
          logger.warn({ reason: describeEnd(argv, end) }, 'drbdsetup events2 ended; starting it again');
        }
        again(troubleOf({ ...end, text: describeEnd(argv, end) }));
      },
    });
    child = started;
    dumpTimer = setTimeout(() => {
      drop();
      again(silent);
    }, options.dumpTimeoutMs ?? dumpTimeoutMsDefault);
  }

  function again(trouble: Trouble | null): void {
    clearTimeout(dumpTimer);
    child = undefined;
    clearTimeout(restartTimer);
    restartTimer = setTimeout(start, delayMs);
    delayMs = Math.min(delayMs * 2, options.delayMsMax ?? delayMsMaxDefault);
    onLost(trouble);
  }

  function drop(): void {
    const old = child;
    child = undefined;
    void old?.stop();
  }

  function replace(reason: string): void {
    if (closed) return;
    logger.warn({ reason }, 'drbdsetup events2 is replaced by a new one');
    drop();
    again(null);
  }

  start();
  return {
    replace,
    nudge() {
      if (restartTimer === undefined || closed) return;
      clearTimeout(restartTimer);
      start();
    },
    async close() {
      closed = true;
      clearTimeout(restartTimer);
      clearTimeout(dumpTimer);
      await child?.stop();
    },
  };
}
