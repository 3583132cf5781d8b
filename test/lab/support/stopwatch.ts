// How long the parts of a test took, for its log. Nothing is ever asserted of these times.

import type { ExecutionContext } from 'ava';
import { monotonicMs } from '../../support.ts';

export interface Stopwatch {
  /** Says how long it is since the fault, and since the lap before. */
  lap(what: string): void;
  /** The fault is now. */
  restart(what: string): void;
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

export function startStopwatch(t: ExecutionContext): Stopwatch {
  let startedAtMs = monotonicMs();
  return {
    lap(what) {
      t.log(`${seconds(monotonicMs() - startedAtMs)} ${what}`);
    },
    restart(what) {
      startedAtMs = monotonicMs();
      t.log(`0.0 s ${what}`);
    },
  };
}
