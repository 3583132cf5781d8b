// What a thing done by schedule is: whose it is, when it may not be done, and how it ends.

import type { TaskName } from '../control/schedule.ts';

/** What keeps it from being done now, and what a person does next. */
export interface Obstacle {
  readonly message: string;
  readonly next: string;
  /** A person has asked for it: nobody need be told loudly. */
  readonly isDeliberate: boolean;
}

/** `mine: false`: the other node's. `obstacle`: it is ours, but not now. */
export type Turn =
  | { readonly mine: false; readonly message: string; readonly next: string }
  | { readonly mine: true; readonly obstacle: Obstacle | null };

export type Outcome =
  | { readonly kind: 'done'; readonly message: string }
  /** `code`: of what stands in the status until the next success. */
  | {
      readonly kind: 'failed';
      readonly code: string;
      readonly severity: 'warning' | 'alarm';
      readonly message: string;
      readonly next: string;
    }
  /** Nothing could be done. */
  | { readonly kind: 'left-out'; readonly message: string; readonly next: string }
  /** It gave way to something that matters more, which `signal.reason` says. */
  | { readonly kind: 'interrupted'; readonly message: string; readonly next: string };

export interface Task {
  readonly name: TaskName;
  /** In messages, e.g. `the scheduled drill (fence)`. */
  readonly title: string;
  /** As crontab(5) writes it; null: only when a person asks. */
  readonly schedule: string | null;
  /** Disks or guests notice it: one such at a time, and each is told in the history. */
  readonly heavy: boolean;
  /** Missed while the daemon was off, it is done soon after the start; else that is said. */
  readonly madeUp: boolean;
  readonly turn: () => Turn;
  /** It is done again before it is due, so long after the last time; null: not. */
  readonly againAfterMs?: () => number | null;
  /** While it goes on: what it has to give way to; null: nothing. Absent: it gives way to nothing but the daemon's end. */
  readonly givesWayTo?: () => string | null;
  /** Never rejects but by a mistake. `signal.reason`: a text that says what it gives way to, or undefined at the end. */
  readonly run: (signal: AbortSignal, progress: (text: string) => void) => Promise<Outcome>;
}
