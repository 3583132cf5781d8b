// What the runtime asks of every outside thing. Drivers know nothing of each other nor of the core's decisions.

import type { BasicAction, Outcome, ResourceStatus } from '../core/events.ts';

export type {
  BasicAction,
  Disk,
  GuestAction,
  LeaseAnswer,
  LoneMarks,
  Outcome,
  ResourceAction,
  ResourceStatus,
  StorageAction,
  StorageStatus,
} from '../core/events.ts';

/** One floating address or one guest. */
export interface ResourceDriver {
  /** Looks at the real thing now. Rejects only when `signal` aborts. */
  observe(signal: AbortSignal): Promise<ResourceStatus>;
  /** Carries out one action; idempotent; an abort of `signal` ends it with `unknown`. Never rejects. */
  perform(action: BasicAction, signal: AbortSignal): Promise<Outcome>;
  /** Of a guest that can be ended with its memory kept for its next start; as `perform`. */
  save?(signal: AbortSignal): Promise<Outcome>;
  /** Of a guest that can go to the peer while it runs, and come from there: as `perform`. */
  migrate?(signal: AbortSignal): Promise<Outcome>;
  reject?(signal: AbortSignal): Promise<Outcome>;
  /** The same action as shell commands, in order, for --dry-run. */
  commands(action: BasicAction): readonly string[];
  guestCommands?(action: 'save' | 'migrate'): readonly string[];
  /** Stops watching and announcing. Leaves the resource as it is. */
  close(): Promise<void>;
}
