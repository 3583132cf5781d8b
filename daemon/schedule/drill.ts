// Drills by schedule: whose turn it is, and what keeps one from being made. The drill itself is the operator's own
// command, in a process of its own, so that it is the same drill and cannot hold up what decides.

import type { DrillConfig } from '../config/config.ts';
import { formatDuration } from '../config/duration.ts';
import type { Status } from '../control/api.ts';
import { handoverObstacle, pairObstacle } from '../control/drill.ts';
import { describeFailure, runCommand } from '../drivers/command.ts';
import { leftToPeer } from './lead.ts';
import type { Task, Turn } from './task.ts';

export interface DrillOptions {
  readonly config: DrillConfig;
  readonly status: () => Status;
  /** `battito` with the options that name this daemon. */
  readonly command: readonly string[];
  /** Runs a command to its end; a test gives its own. */
  readonly run?: typeof runCommand;
}

/** Every group there and back, each as long as it needs. Killed then: what it had under way goes on. */
const drillWithinMs = 3 * 3_600_000;

/**
 * Whose turn it is when a drill is due. A handover is for the node that runs the first group by name, as both see it. The
 * clocks of two hosts differ, so the other one may find itself in possession in the middle of it: a group that has moved
 * lately is left alone.
 */
export function turnOf(status: Status, { kind, settledMs }: Pick<DrillConfig, 'kind' | 'settledMs'>): Turn {
  const { self } = status;
  const left = leftToPeer(status);
  if (kind === 'handover' && left !== null) return { mine: false, ...left };
  const pair = pairObstacle(status);
  if (pair !== null) return { mine: true, obstacle: pair };
  for (const group of status.groups.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const obstacle = handoverObstacle(status, group);
    if (obstacle !== null) return { mine: true, obstacle };
    if (group.forMs >= settledMs) continue;
    const message = `${group.name} has been ${group.phase} on ${self.name} for less than ${formatDuration(settledMs)}`;
    return { mine: true, obstacle: { message, next: `battito drill ${kind}`, isDeliberate: false } };
  }
  return { mine: true, obstacle: null };
}

export function drillTask({ config, status, command, run = runCommand }: DrillOptions): Task {
  const { kind, schedule } = config;
  return {
    ...{ name: 'drill', title: `the scheduled drill (${kind})`, schedule, heavy: true, madeUp: false },
    turn: () => turnOf(status(), config),
    async run(signal) {
      const argv = [...command, 'drill', kind, '--json'];
      const result = await run(argv, { timeoutMs: drillWithinMs, signal });
      if (result.exitCode === 0) return { kind: 'done', message: '' };
      const { message, next } = wordsOf(result.stdout) ?? {
        message: describeFailure(['battito', 'drill', kind], result),
        next: 'battito history',
      };
      return { kind: 'failed', code: 'drill-failed', severity: 'warning', message, next };
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
