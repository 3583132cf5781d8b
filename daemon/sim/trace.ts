// What happened in the modelled world, for checkers and for stories. Some of it no node can see (`the truth`).
// Emitted only when somebody listens.

import type {
  Disk,
  Effect,
  Event,
  Ledger,
  Note,
  OperatorRequest,
  Outcome,
  RequestAnswer,
  ResourceAction,
  StorageStatus,
} from '../core/events.ts';
import type { GroupName, ResourceId } from '../core/policy.ts';
import type { State } from '../core/state.ts';
import type { Action, Side } from './action.ts';

/**
 * What a resource really is on a host: a process that runs, is paused, comes in from the other host or has crashed, an
 * address that is set, a device promoted.
 */
export type Running = 'up' | 'paused' | 'incoming' | 'failed' | 'down';

export type PowerReason = 'fault' | 'fenced' | 'watchdog' | 'operator';

/** Times are milliseconds of the world's own clock. */
export type Trace = { readonly at: number } & (
  | {
      readonly kind: 'stepped';
      readonly side: Side;
      readonly event: Event;
      readonly before: State;
      readonly after: State;
      /** All that the core asked for; a daemon that dies carries out only the first of them. */
      readonly effects: readonly Effect[];
    }
  /** The truth. Of a DRBD device, up: promoted, paused: promoted with its IO suspended. */
  | {
      readonly kind: 'running';
      readonly side: Side;
      readonly group: GroupName;
      readonly resource: ResourceId;
      readonly running: Running;
    }
  /** A DRBD device has become primary. The truth. */
  | {
      readonly kind: 'promoted';
      readonly side: Side;
      readonly group: GroupName;
      readonly resource: ResourceId;
      /** The disk here, before. */
      readonly disk: Disk;
      /** The other host has no power, or knows that its copy is the older one. */
      readonly peerFencedOrOutdated: boolean;
      readonly forced: boolean;
      /** Nothing that was written and acknowledged is missing here. */
      readonly newest: boolean;
    }
  /** A guest that had stood still goes on, by its daemon's will, on this device. The truth. */
  | {
      readonly kind: 'resumed';
      readonly side: Side;
      readonly resource: ResourceId;
      /** As of one that is promoted. */
      readonly newest: boolean;
    }
  /** A guest has been started from the memory that it was saved with. The truth. */
  | {
      readonly kind: 'restored';
      readonly side: Side;
      readonly resource: ResourceId;
      /** Another one each time that a guest is saved. */
      readonly image: number;
      /** Nobody has written to its disk here since it was saved. */
      readonly sameDisk: boolean;
      /** The image is gone from its disk for good, on every copy that nothing is missing from. */
      readonly lastingly: boolean;
      /** As of a device that is promoted. */
      readonly newest: boolean;
    }
  /** Both copies of a device can be written to on their own, or no longer. The truth. */
  | {
      readonly kind: 'storage';
      readonly side: Side;
      readonly resource: ResourceId;
      readonly bothWritable: boolean;
    }
  /** What the kernel of this side shows of its copy and its connection has changed. The truth. */
  | {
      readonly kind: 'device';
      readonly side: Side;
      readonly resource: ResourceId;
      readonly disk: StorageStatus['disk'];
      readonly connection: StorageStatus['connection'];
    }
  /** Something that somebody without the key had sent was taken for a packet of the peer. The truth. */
  | { readonly kind: 'forged'; readonly side: Side; readonly how: string }
  /** A floating address is set on both hosts, and both are on the LAN; or no longer. The truth. */
  | { readonly kind: 'address-conflict'; readonly resource: ResourceId; readonly on: boolean }
  | {
      readonly kind: 'operation';
      readonly side: Side;
      readonly operation: number;
      readonly group: GroupName;
      readonly resource: ResourceId;
      readonly action: ResourceAction;
      /** `cancelled`: the core took it back; its outcome follows. */
      readonly outcome: Outcome | 'started' | 'cancelled';
    }
  | {
      readonly kind: 'fencing';
      readonly side: Side;
      readonly operation: number;
      readonly outcome: Outcome | 'started';
    }
  /** The record that the witness keeps has changed hands. The truth. */
  | { readonly kind: 'lease'; readonly holder: Side | null; readonly term: number }
  | { readonly kind: 'ledger-on-disk'; readonly side: Side; readonly ledger: Ledger }
  | { readonly kind: 'powered'; readonly side: Side; readonly on: boolean; readonly why: PowerReason }
  /** It has started, or is gone. */
  | { readonly kind: 'daemon'; readonly side: Side; readonly runs: boolean; readonly incarnation: number }
  | { readonly kind: 'note'; readonly side: Side; readonly note: Note }
  | {
      readonly kind: 'answered';
      readonly side: Side;
      readonly request: OperatorRequest;
      readonly answer: RequestAnswer;
    }
  | { readonly kind: 'action'; readonly action: Action }
);
