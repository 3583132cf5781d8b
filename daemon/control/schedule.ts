// What the daemon does by itself at times, and how ready both nodes are for a takeover, as the control API shows it.
//
//   POST /v1/schedule/run    { task } -> { kind: 'begun', at } | { kind: 'refused', message, next }  (409)
//   POST /v1/checks/peer     {}       -> PeerChecked: the peer's daemon has checked its own node
//   POST /v1/readiness       Readiness, as `battito check` has found it: kept, and told to the peer
//
// Both nodes' lists and the last readiness are in the status.

import * as z from 'zod';
import { messageLengthMax } from './answer.ts';
import type { Attention, Severity } from './api.ts';

export const taskNames = ['readiness', 'definitions', 'verify', 'drill', 'summary', 'prune'] as const;
export type TaskName = (typeof taskNames)[number];

const time = z.iso.datetime();
const words = z.string().max(messageLengthMax);

/** How one time ended. `left-out`: it was not to be; `missed`: nobody was there; `interrupted`: it gave way. */
export interface TaskRun {
  /**
   * When it began, or was to.
   * @format date-time
   */
  readonly at: string;
  /** Null: nothing was done. */
  readonly tookMs: number | null;
  readonly result: 'done' | 'failed' | 'left-out' | 'missed' | 'interrupted';
  readonly message: string;
  readonly next: string | null;
  /** Code of what stands in the status until the next success; null: nothing does. */
  readonly code: string | null;
  readonly severity: Severity;
}

export const taskRunSchema: z.ZodType<TaskRun> = z.object({
  at: time,
  tookMs: z.number().nonnegative().nullable(),
  result: z.enum(['done', 'failed', 'left-out', 'missed', 'interrupted']),
  message: words,
  next: words.nullable(),
  code: z.string().nullable(),
  severity: z.enum(['info', 'warning', 'alarm']),
});

export interface TaskView {
  readonly name: TaskName;
  /** As crontab(5) writes it; null: it is switched off. */
  readonly schedule: string | null;
  /** ISO 8601; null: never. */
  readonly next: string | null;
  readonly running: { readonly at: string; readonly forMs: number; readonly progress: string | null } | null;
  /** The last time that it was due, or wanted, whatever came of it. */
  readonly last: TaskRun | null;
  /** The last time that anything was done. */
  readonly made: TaskRun | null;
}

/** Something that took points. */
export interface ReadinessLoss {
  /** Null: both nodes have it. */
  readonly node: string | null;
  readonly area: string;
  readonly message: string;
  readonly mend: string | null;
  readonly points: number;
  /** A takeover would fail by it, or not be tried. */
  readonly blocks: boolean;
}

const lossSchema: z.ZodType<ReadinessLoss> = z.object({
  node: z.string().max(100).nullable(),
  area: z.string().max(100),
  message: words,
  mend: words.nullable(),
  points: z.number(),
  blocks: z.boolean(),
});

export const lossesMax = 40;
/** What a check of both nodes has found. */
export interface Readiness {
  /** @format date-time */
  readonly at: string;
  /** Name of the node where it was asked for. */
  readonly by: string;
  /** Names of the nodes that were checked. */
  readonly nodes: readonly string[];
  /**
   * 0 to 100.
   * @minimum 0
   * @maximum 100
   */
  readonly score: number;
  /** Nothing was found by which a takeover would fail. */
  readonly ready: boolean;
  readonly losses: readonly ReadinessLoss[];
}

export const readinessSchema: z.ZodType<Readiness> = z.object({
  at: time,
  by: z.string().max(100),
  nodes: z.array(z.string().max(100)).max(2),
  score: z.number().min(0).max(100),
  ready: z.boolean(),
  losses: z.array(lossSchema).max(lossesMax),
});

export const runTaskSchema = z.strictObject({ task: z.enum(taskNames) });
export type RunTaskAnswer =
  | { readonly kind: 'begun'; readonly at: string }
  | { readonly kind: 'refused'; readonly message: string; readonly next: string };

/** `report` is what `battito check --json --this-node` has printed there. */
export type PeerChecked =
  | { readonly kind: 'checked'; readonly node: string; readonly report: unknown }
  | { readonly kind: 'not-checked'; readonly node: string; readonly why: string; readonly next: string };

export interface ScheduleSource {
  run(task: TaskName): RunTaskAnswer;
  checkPeer(): Promise<PeerChecked>;
  keepReadiness(readiness: Readiness): void;
}

/** What stands until it is well again. */
export function attentionOfReadiness(readiness: Readiness | null): readonly Attention[] {
  if (readiness === null || readiness.ready) return [];
  const first = readiness.losses.find(({ blocks }) => blocks);
  const where = first?.node == null ? '' : `${first.node}: `;
  const why = first === undefined ? 'see what it found' : `${where}${first.message}`;
  const count = readiness.losses.filter(({ blocks }) => blocks).length;
  const more = count > 1 ? ` (and ${count - 1} more)` : '';
  return [
    {
      severity: 'warning',
      code: notReadyCode,
      message: `not ready for a takeover when it was checked last: ${why}${more}`,
      next: 'battito check',
    },
  ];
}

/** The check itself does not count it: it would stand for ever. */
export const notReadyCode = 'not-ready';
