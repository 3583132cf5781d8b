// Drills by schedule: node-cron says when, this file whether and by whom, and the drill itself is the operator's own
// command, in a process of its own, so that it is the same drill and cannot hold up what decides.
// Guarantees: never two at once here; a handover by one of the two nodes only; none while a group is not settled, or in
// maintenance; how each ended is in the history, and one that failed in `battito status` until one succeeds.

import { schedule } from 'node-cron';
import type { DrillConfig } from '../config/config.ts';
import { formatDuration } from '../config/duration.ts';
import type { Attention, Note, Status } from '../control/api.ts';
import { item } from '../control/attention-item.ts';
import { handoverObstacle, pairObstacle } from '../control/drill.ts';
import { describeFailure, runCommand } from '../drivers/command.ts';
import type { Code, CodedNote } from '../why/explanations.ts';

export interface Drills {
  /** The last one that failed, while none has succeeded since. */
  attention(): readonly Attention[];
  close(): Promise<void>;
}

export interface DrillsOptions {
  readonly config: DrillConfig | null;
  readonly status: () => Status;
  /** `battito` with the options that name this daemon. */
  readonly command: readonly string[];
  /** To the log and to the history. */
  readonly tell: (note: CodedNote) => void;
  /** Runs a command to its end; a test gives its own. */
  readonly run?: typeof runCommand;
  /** Calls `due` by the schedule; a test gives its own. */
  readonly clock?: (pattern: string, due: () => void) => { stop(): void };
}

/** Every group there and back, each as long as it needs. Killed then: what it had under way goes on. */
const drillWithinMs = 3 * 3_600_000;
const noDrills: Drills = { attention: () => [], close: async () => {} };

/** `mine: false`: the other node's. `obstacle`: it is ours, but not now. */
export type Turn =
  | { readonly mine: false }
  | {
      readonly mine: true;
      readonly obstacle: {
        readonly message: string;
        readonly next: string;
        readonly isDeliberate: boolean;
      } | null;
    };

/**
 * Whose turn it is when a drill is due. A handover is for the node that runs the first group by name, as both see it. The
 * clocks of two hosts differ, so the other one may find itself in possession in the middle of it: a group that has moved
 * lately is left alone.
 */
export function turnOf(status: Status, { kind, settledMs }: DrillConfig): Turn {
  const { self, peer } = status;
  const groups = status.groups.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const [first] = groups;
  if (kind === 'handover' && first !== undefined && first.runsOn === peer.name) return { mine: false };
  const pair = pairObstacle(status);
  if (pair !== null) return { mine: true, obstacle: pair };
  for (const group of groups) {
    const obstacle = handoverObstacle(status, group);
    if (obstacle !== null) return { mine: true, obstacle };
    if (group.forMs >= settledMs) continue;
    const message = `${group.name} has been ${group.phase} on ${self.name} for less than ${formatDuration(settledMs)}`;
    return { mine: true, obstacle: { message, next: `battito drill ${kind}`, isDeliberate: false } };
  }
  return { mine: true, obstacle: null };
}

export function startDrills(options: DrillsOptions): Drills {
  const { config, status, command, tell, run = runCommand, clock = cronClock } = options;
  if (config === null) return noDrills;
  const { kind } = config;
  const closing = new AbortController();
  let failure: Attention | null = null;
  let running: Promise<void> | null = null;
  const note = (severity: Note['severity'], code: Code, message: string, next: string | null = null) =>
    tell({ severity, code, message, next, group: null, tookMs: null });

  const drill = async (): Promise<void> => {
    const turn = turnOf(status(), config);
    if (!turn.mine) return;
    if (turn.obstacle !== null) {
      const { message, next, isDeliberate } = turn.obstacle;
      const severity = isDeliberate ? 'info' : 'warning';
      return note(severity, 'drill-left-out', `the scheduled drill (${kind}) is left out: ${message}`, next);
    }
    note('info', 'drill-begins', `the scheduled drill (${kind}) begins`);
    const beganAtMs = performance.now();
    const argv = [...command, 'drill', kind, '--json'];
    const result = await run(argv, { timeoutMs: drillWithinMs, signal: closing.signal });
    if (closing.signal.aborted) return;
    const tookMs = Math.round(performance.now() - beganAtMs);
    if (result.exitCode === 0) {
      failure = null;
      const message = `the scheduled drill (${kind}) has succeeded`;
      return tell({ severity: 'info', code: 'drill-done', message, next: null, group: null, tookMs });
    }
    const { message: why, next } = wordsOf(result.stdout) ?? {
      message: describeFailure(['battito', 'drill', kind], result),
      next: 'battito history',
    };
    const message = `the scheduled drill (${kind}) failed: ${why}`;
    failure = item('warning', 'drill-failed', message, next);
    tell({ severity: 'warning', code: 'drill-failed', message, next, group: null, tookMs });
  };

  const task = clock(config.schedule, () => {
    running ??= drill().finally(() => {
      running = null;
    });
  });
  return {
    attention: () => (failure === null ? [] : [failure]),
    async close() {
      task.stop();
      closing.abort();
      await running;
    },
  };
}

/** By the host's local time. What it would print itself goes nowhere: a tick that was missed is a drill left out. */
function cronClock(pattern: string, due: () => void): { stop(): void } {
  const silent = { info() {}, warn() {}, error() {}, debug() {} };
  const task = schedule(pattern, due, { unref: true, logger: silent });
  return {
    stop() {
      void task.destroy();
    },
  };
}

/** What a command with --json says of its failure; null: nothing that is understood. */
function wordsOf(stdout: string): { readonly message: string; readonly next: string } | null {
  try {
    const said = JSON.parse(stdout) as Said;
    if (said.error !== undefined)
      return { message: said.error.message, next: said.error.next ?? 'battito history' };
    const [what, next] = (said.attention ?? '').split('\nnext: ');
    if (what !== undefined && what !== '') return { message: what, next: next ?? 'battito status' };
    const bad = (said.devices ?? []).filter(({ failure }) => failure !== null);
    if (bad.length === 0) return null;
    const message = bad.map(({ device, failure }) => `${device}: ${failure}`).join('; ');
    return { message, next: 'battito check says what is wrong with the options; then: battito drill fence' };
  } catch {
    return null;
  }
}

interface Said {
  readonly error?: { readonly message: string; readonly next: string | null };
  readonly attention?: string | null;
  readonly devices?: readonly { readonly device: string; readonly failure: string | null }[];
}
