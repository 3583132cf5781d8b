// The control API: JSON over HTTP on a unix socket. These types are what the daemon answers and the commands show.
//
//   GET  /v1/status            Status
//   GET  /v1/history?limit=N   HistoryEntry[]  oldest first
//   GET  /v1/state             the core's State as it is, for `battito explain`
//   POST /v1/requests          OperatorWish -> RequestAnswer  (409 when refused); the header `battito-said` holds
//                              what the person typed and named, URI-encoded, for the history
//   GET  /v1/plan?action=start|stop&group=NAME&guests=live|save|shutdown   Plan[]: the commands that would run, for
//                              --dry-run; `guests` of a stop: how they are to go, absent: as configured
//   GET  /v1/metrics          what is measured, as text for Prometheus
//   POST /v1/notes             CommandNote: what a command did without the daemon, for the history
//   /v1/guests...              the guests' definitions: guests.ts
//   /v1/schedule, /v1/checks, /v1/readiness...   what is done at times, and what a takeover would meet: schedule.ts
//   anything else: 404, 405 or 400 with an ApiError

import type { Note, OperatorRequest, RequestAnswer, Severity, StorageStatus } from '../core/events.ts';
import type { PhaseKind } from '../core/heartbeat.ts';
import type { ResourceKind, Tier } from '../core/policy.ts';
import type { VerdictKind } from '../core/state.ts';
import type { Code } from '../why/explanations.ts';
import type { Readiness, TaskView } from './schedule.ts';

export type { Note, OperatorRequest, RequestAnswer, Severity } from '../core/events.ts';

export interface LinkView {
  readonly name: string;
  /** Milliseconds since the peer was last heard here; null: never. */
  readonly ageMs: number | null;
  /** Heard within deadtime. */
  readonly fresh: boolean;
  /** Does the peer say that it hears us here? null: the peer is not heard at all. */
  readonly heardByPeer: boolean | null;
  /** Why it cannot be used here; null: usable. */
  readonly down: string | null;
  /** @minimum 0 */
  readonly sent: number;
  /** @minimum 0 */
  readonly received: number;
  /** Packets refused, by reason. */
  readonly refused: Readonly<Record<string, number>>;
}

export interface ResourceView {
  /** e.g. `address:192.168.1.1/24`, `guest:mail`. */
  readonly id: string;
  readonly kind: ResourceKind;
  readonly status: 'up' | 'down' | 'paused' | 'incoming' | 'failed' | 'unknown';
  /** The operation under way, if any. */
  readonly operation: {
    readonly action: string;
    readonly forMs: number;
    /** How much longer it may take before it is broken off, or the guest switched off; null: not known. */
    readonly leftMs: number | null;
  } | null;
  readonly quarantined: string | null;
  readonly lastError: string | null;
  /** Guests that this one waits for before it starts: they come first. */
  readonly waitsFor: readonly string[];
  /** There is no memory for this guest here. */
  readonly leftOut: boolean;
  /** Of a guest that is up: has it answered as `readiness` asks? Null: nothing is asked of it, or it is not up. */
  readonly ready: boolean | null;
  /** What a guest that is not ready yet answered last; null: it is ready, or was not asked yet. */
  readonly readyWhy: string | null;
  /** Of a DRBD resource: what is seen of it; null: nothing yet. */
  readonly storage: StorageStatus | null;
  /** Of a DRBD resource that is resynced: how far that is (percent), what is left (KiB) and for how long (seconds). */
  readonly resync: {
    readonly direction: 'source' | 'target';
    readonly percent: number;
    readonly leftKib: number | null;
    readonly leftS: number | null;
  } | null;
  /** Of a DRBD resource that is not connected to its mirror: what it has of its own. Null: connected, or not seen yet. */
  readonly apart: {
    /** Why it stands alone, where it does: `unexplained` when DRBD did not say so while it was listened to. */
    readonly standsAlone: 'no' | 'split-brain' | 'unrelated' | 'unexplained';
    /** Since when this node writes to it without its mirror, or did; null: it did not, as far as is known. */
    readonly aloneForMs: number | null;
    /** It did so before this daemon was started, nobody knows for how long. */
    readonly aloneLonger: boolean;
    /** What the peer's copy lacks of this one, at most (a crash makes DRBD count whole areas); null: not known. */
    readonly changedKib: number | null;
  } | null;
  /** Of a guest: since its process was started; null: there is none. */
  readonly upForMs: number | null;
  /** Why nothing, or nothing good, is seen of a DRBD resource; null: it is seen. */
  readonly trouble: { readonly code: Code; readonly what: string; readonly next: string } | null;
}

/** What a node says of its own copy of a DRBD resource that is not connected to its mirror. */
export interface DiskRemark extends NonNullable<ResourceView['apart']> {
  /** As DRBD calls it, e.g. `r0`. */
  readonly resource: string;
  readonly role: StorageStatus['role'];
  readonly disk: StorageStatus['disk'];
  readonly connection: StorageStatus['connection'];
}

export interface GuestRemark {
  readonly name: string;
  readonly status: ResourceView['status'];
  readonly upForMs: number | null;
}

/** What a node says, to people, of a group with copies that are not connected. No rule reads it. */
export interface GroupRemarks {
  readonly group: string;
  readonly disks: readonly DiskRemark[];
  /** Null: they did not fit into a heartbeat. */
  readonly guests: readonly GuestRemark[] | null;
}

export interface GroupView {
  readonly name: string;
  readonly phase: PhaseKind;
  readonly forMs: number;
  readonly generation: number;
  readonly preferred: string;
  readonly failback: 'manual' | 'automatic';
  /** Could this node run it, or go on to, as far as it is concerned itself? */
  readonly willing: boolean;
  /** Why it is in this phase: the reason in the transition table. */
  readonly reason: string;
  readonly resources: readonly ResourceView[];
  /** What the peer said of it last; null: never heard. */
  readonly peer: {
    readonly phase: PhaseKind;
    readonly generation: number;
    readonly willing: boolean;
    readonly up: number;
    readonly total: number;
    readonly quarantined: number;
    /** It writes to a disk of the group without its mirror here, or did since they were last connected. */
    readonly alone: boolean;
    /** It is giving up what it wrote while the copies were apart. */
    readonly discarding: boolean;
  } | null;
  /** What the newest heartbeat of the peer said of its copies, `ageMs` ago, when they were not connected; else null. */
  readonly peerRemarks: (Omit<GroupRemarks, 'group'> & { readonly ageMs: number }) | null;
  /** This node is giving up what it wrote while the copies were apart. */
  readonly discarding: boolean;
  /** Node that runs it as far as this node knows; null: nobody. */
  readonly runsOn: string | null;
  /** What stood in the way of its last handover, which was undone; null: nothing. */
  readonly undone: string | null;
}

/** How often, and the longest of them. */
export interface SpellView {
  readonly count: number;
  readonly longestMs: number;
}

/** How long the peer was silent between two heartbeats in the last days, this node's own stalls left out. */
export interface GapsView {
  /** Days with any that are counted here: the last seven at most. */
  readonly days: number;
  readonly links: readonly {
    readonly name: string;
    /** Gaps shorter than deadtime. */
    readonly count: number;
    readonly largestMs: number;
    /** 999 of 1000 were no longer than about this. */
    readonly usualMs: number;
    /** Longer than deadtime. */
    readonly cuts: SpellView;
  }[];
  /** Longer than deadtime on all links at once, although the peer went on. */
  readonly silences: SpellView;
  /** This daemon did not get to run. */
  readonly stalls: SpellView;
}

/** How much later than it wished to this daemon got to run, since its start. */
export interface LatenessView {
  /** How often it was to run. */
  readonly count: number;
  /** 999 of 1000 times it was no later than about this. */
  readonly usualMs: number;
  readonly longestMs: number;
}

/** Something that needs a person, most urgent first. */
export interface Attention {
  readonly severity: Severity;
  /**
   * Stable.
   * @pattern ^[a-z]+(-[a-z]+)*$
   */
  readonly code: string;
  /** @minLength 1 */
  readonly message: string;
  /** @minLength 1 */
  readonly next: string;
}

export interface NodeView {
  readonly name: string;
  /** @format ipv4 */
  readonly address: string;
  readonly standby: boolean;
  readonly leaving: boolean;
  /** Milliseconds until standby ends by itself; null: it is not on, has no end, or is the other node's. */
  readonly standbyMs: number | null;
  /** Milliseconds of maintenance left; 0: none. */
  readonly maintenanceMs: number;
  readonly lan: boolean | null;
  readonly software: string | null;
  readonly configDigest: string | null;
}

/** The third party that lends the lease. */
export interface WitnessView {
  /** Who has the lease; null: nobody, or it is not known. */
  readonly holder: string | null;
  /** For how long it still has it, milliseconds, unless it is renewed; null: not known. */
  readonly leftMs: number | null;
  /** Since what it answered last was asked, milliseconds; null: it has not answered yet. */
  readonly answeredMs: number | null;
  /** Why it cannot be used; null: it can, or it was not asked yet. */
  readonly trouble: { readonly message: string; readonly next: string } | null;
  /** Endpoints that do not answer, while others do. */
  readonly away: readonly { readonly message: string; readonly next: string }[];
}

export interface Status {
  readonly cluster: string;
  readonly tier: Tier;
  /** Why nothing could prove a dead peer off now, so that nothing would be taken over; null: it would be tried. */
  readonly tierLacks: string | null;
  readonly self: NodeView;
  readonly peer: NodeView;
  readonly verdict: {
    readonly kind: VerdictKind;
    readonly forMs: number;
    /** Milliseconds since the peer was last heard on any link; null: never. */
    readonly silentMs: number | null;
    readonly signs: readonly string[];
  };
  readonly links: readonly LinkView[];
  readonly probes: readonly {
    readonly target: string;
    readonly kind: string;
    readonly last: string | null;
  }[];
  readonly groups: readonly GroupView[];
  /** What resets this host when its daemon does not feed it; null: not in the configuration. */
  readonly watchdog: {
    readonly device: string;
    readonly timeoutMs: number;
    readonly armed: boolean;
    /** Why it could not be armed; null: it was, or that was not tried. */
    readonly lastError: string | null;
  } | null;
  readonly stalls: { readonly count: number; readonly lastMs: number };
  readonly lateness: LatenessView;
  readonly gaps: GapsView;
  readonly attention: readonly Attention[];
  /** What this daemon does by itself at times. */
  readonly schedule: readonly TaskView[];
  /** What the last check of both nodes has found; null: none is known. */
  readonly readiness: Readiness | null;
  /** Null: there is none in the configuration. */
  readonly witness: WitnessView | null;
  readonly timings: {
    readonly keepaliveMs: number;
    readonly warntimeMs: number;
    readonly deadtimeMs: number;
    readonly initdeadMs: number;
  };
  readonly daemon: { readonly pid: number; readonly uptimeMs: number; readonly incarnation: number };
}

/** A note with its wall-clock time (ISO 8601, UTC) and monotonic time, milliseconds. */
export interface HistoryEntry extends Note {
  /** @format date-time */
  readonly time: string;
  readonly monotonicMs: number;
}

/** What a command did by itself, for the history. */
export interface CommandNote {
  readonly code: (typeof commandNoteCodes)[number];
  readonly severity: Severity;
  readonly message: string;
  /** As in a note; absent: null. */
  readonly group?: string;
  readonly next?: string;
  readonly tookMs?: number;
}

export const commandNoteCodes = [
  'fence-on',
  'fence-off',
  'fence-drill',
  'handover-drill',
  'takeover-drill',
] as const satisfies readonly Code[];

export interface Plan {
  readonly group: string;
  readonly resource: string;
  /** Of a guest that is handed over: the way it goes. */
  readonly action: 'start' | 'stop' | 'save' | 'migrate';
  /** Why it does not go as it was to. */
  readonly remarks: readonly string[];
  /** What comes before it. */
  readonly needs: readonly string[];
  readonly commands: readonly string[];
}

export interface ApiError {
  readonly error: { readonly code: string; readonly message: string; readonly next: string | null };
}

type StandbyRequest = Extract<OperatorRequest, { kind: 'standby' }>;

/** What a person may ask for: standby also for a limited time, which the daemon ends by itself. */
export type OperatorWish =
  | Exclude<OperatorRequest, StandbyRequest>
  | (StandbyRequest & { readonly forMs?: number });

export type PostRequest = (wish: OperatorWish) => Promise<RequestAnswer>;
