// How ready both nodes are for a takeover: `battito check`, run in a process of its own, which hands what it has found to
// the daemon. Here is when, by whom, and what is kept.

import type { Status } from '../control/api.ts';
import type { Readiness } from '../control/schedule.ts';
import { describeFailure, runCommand } from '../drivers/command.ts';
import { leadTurn } from './lead.ts';
import type { Task } from './task.ts';

export interface ReadinessTaskOptions {
  readonly schedule: string | null;
  readonly status: () => Status;
  /** `battito` with the options that name this daemon. */
  readonly command: readonly string[];
  readonly run?: typeof runCommand;
}

/** What is not ready is looked at more often, so that what was mended does not stand in the status for hours. */
const againAfterMs = 15 * 60_000;
/** Both nodes, each with tools and devices that may hang. */
const checkWithinMs = 5 * 60_000;

/** How far apart the clocks of two nodes may be. */
const skewMsMax = 5 * 60_000;

/** One that is of a time to come is of a clock that was ahead: what is found now is the newer one. */
export function newerReadiness(known: Readiness | null, found: Readiness, nowMs: number): Readiness {
  if (known === null || Date.parse(known.at) > nowMs + skewMsMax) return found;
  return Date.parse(found.at) < Date.parse(known.at) ? known : found;
}

export function readinessTask(options: ReadinessTaskOptions): Task {
  const { schedule, status, command, run = runCommand } = options;
  return {
    ...{
      name: 'readiness',
      title: 'the scheduled check of both nodes',
      schedule,
      heavy: false,
      madeUp: true,
    },
    turn: () => leadTurn(status()),
    againAfterMs: () => (status().readiness?.ready === false ? againAfterMs : null),
    async run(signal) {
      const before = status().readiness?.at;
      const argv = [...command, 'check', '--json'];
      const result = await run(argv, { timeoutMs: checkWithinMs, signal });
      const { readiness } = status();
      // Its exit code says whether there are problems; those are no failure of the check.
      if (readiness !== null && readiness.at !== before) {
        const word = readiness.ready ? 'ready' : 'not ready';
        return { kind: 'done', message: `${word}, ${readiness.score} of 100` };
      }
      const said = saidOf(result.stdout);
      const message = said ?? describeFailure(['battito', 'check'], result);
      return {
        kind: 'failed',
        code: 'readiness-failed',
        severity: 'warning',
        message,
        next: 'battito check',
      };
    },
  };
}

function saidOf(stdout: string): string | null {
  try {
    const said = JSON.parse(stdout) as {
      readonly error?: { readonly message: string };
      readonly findings?: readonly { readonly level: string; readonly message: string }[];
    };
    const problem = said.findings?.find(({ level }) => level === 'problem')?.message;
    return said.error?.message ?? problem ?? null;
  } catch {
    return null;
  }
}
