// Everything that can happen to a node, as facts in the past; and everything the core can ask for.
// The ordering contract: a group's first operation is asked for only after `ledger-persisted` has come in for
// the revision that holds its generation. Every `start-operation` gets exactly one `operation-finished`.

import type { RefusalCode } from './codes.ts';
import type { Echo, HeartbeatContent } from './heartbeat.ts';
import type { GroupName, HandoverMode, MonotonicMs, NodeName, Policy, ResourceId } from './policy.ts';

/**
 * start: bring it up (idempotent). stop: take it down in order (a guest: ACPI, then quit at its time).
 * destroy: take it down at once. freeze: stop it from acting, keep it resumable (a guest is paused, an address
 * removed, the IO of a DRBD device suspended where its guest cannot be paused). resume: undo freeze.
 * A DRBD device is started by promoting it, which its driver refuses unless its disk is UpToDate or Consistent at that
 * moment or the start is forced; it is stopped by demoting it. To destroy one throws away what was held back, and never
 * lets it through: it would make the copies part. Of a DRBD device only: outdate: mark the copy here as
 * the older one. connect: connect to the peer again. discard: disconnect and connect, giving up what was written
 * here since the copies parted. Of a guest only: save: end it with its memory kept on the group's storage, where the next
 * start, on either node, goes on from. migrate: move it to the peer while it runs, where its devices are primary, too;
 * done: it is gone here, and runs there. reject: end one that came in, unless its
 * giver has let go of it. Of a device: allow-two, forbid-two: may it be primary on both nodes?
 */
export type ResourceAction = BasicAction | GuestAction | StorageAction;
export type BasicAction = 'start' | 'stop' | 'destroy' | 'freeze' | 'resume';
export type GuestAction = 'save' | 'migrate' | 'reject';
export type StorageAction = 'outdate' | 'connect' | 'discard' | 'allow-two' | 'forbid-two';

/**
 * How an operation ended. `done`, of a stop or destroy, means too that no earlier start can still bring it up.
 * `unknown`: its deadline passed or its result could not be told; never treated as done. */
export type Outcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
  | { readonly kind: 'unknown'; readonly message: string };

/** What a resource is seen to be. What cannot be told is `unknown`, never `down`. */
export type ResourceStatus =
  | { readonly kind: 'down' }
  | { readonly kind: 'up' }
  | { readonly kind: 'paused' }
  /** A guest that comes in from the peer, or has come, and that the peer has not let go of: it must not run here yet. */
  | { readonly kind: 'incoming' }
  /** A guest that is there, and will not run any more by itself: it has crashed. */
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'unknown'; readonly message: string };

export type Disk = 'up-to-date' | 'consistent' | 'outdated' | 'inconsistent' | 'diskless' | 'unknown';

/** What `drbdsetup events2` shows of one device on this node; kernel 8.4 and 9 alike. */
export interface StorageStatus {
  readonly role: 'primary' | 'secondary' | 'unknown';
  readonly disk: Disk;
  readonly connection: 'connected' | 'connecting' | 'standalone' | 'unknown';
  readonly peerRole: 'primary' | 'secondary' | 'unknown';
  readonly peerDisk: Disk;
  /** Is IO held back: by us (suspend-io), or by DRBD until the peer is known to be fenced. */
  readonly suspended: 'no' | 'user' | 'fencing';
  readonly resync: { readonly direction: 'source' | 'target'; readonly percent: number } | null;
}

/**
 * With the lease the witness keeps, for each node, the groups whose disks that node wrote to without their mirror.
 * `alone`: adds groups to the asker's. `same`: takes groups, whose copies are the same again, off both nodes'.
 */
export interface LoneMarks {
  readonly alone: readonly GroupName[];
  readonly same: readonly GroupName[];
}

/**
 * What the witness says when this node asks for the lease. `term`: how often the holder has changed. `peerAlone`: the
 * groups that the other node wrote to alone; with `held`, the marks that were asked for have been made.
 */
export type LeaseAnswer =
  | { readonly kind: 'held'; readonly term: number; readonly peerAlone: readonly GroupName[] }
  | {
      readonly kind: 'refused';
      readonly holder: NodeName;
      readonly term: number;
      readonly peerAlone: readonly GroupName[];
    }
  | { readonly kind: 'unreachable'; readonly message: string };

/**
 * What DRBD is told when it asks that the peer be kept from its data; without an answer its IO stays frozen.
 * `unreachable`: the peer is gone and cannot be promoted without this node.
 */
export const outdatingAnswers = ['outdated', 'fenced', 'unreachable', 'primary'] as const;
export type OutdatingAnswer = (typeof outdatingAnswers)[number];

export type ProbeResult = 'answered' | 'unanswered' | 'failed';

/**
 * An operator's wish. `groups`: the ones meant; empty means all. `guests`: how they are to go this once; absent: each as it
 * is configured.
 */
export type OperatorRequest =
  | { readonly kind: 'takeover'; readonly groups: readonly GroupName[] }
  | { readonly kind: 'accept-data'; readonly groups: readonly GroupName[] }
  /** What was written here since the copies parted is to be given up for what the peer has. */
  | { readonly kind: 'discard-data'; readonly groups: readonly GroupName[] }
  /** `force`: also when an address of the peer still answers. */
  | { readonly kind: 'confirm-peer-off'; readonly node: NodeName; readonly force: boolean }
  | { readonly kind: 'handover'; readonly groups: readonly GroupName[]; readonly guests?: HandoverMode }
  | { readonly kind: 'standby'; readonly on: boolean; readonly guests?: HandoverMode }
  | { readonly kind: 'maintenance'; readonly durationMs: number }
  | { readonly kind: 'retry'; readonly groups: readonly GroupName[] };

/**
 * What survives a restart. `sole`: the owner held it while its peer was known to be gone. `writer`: the node whose
 * disks were promoted last, which the owner is not before it has promoted them. `alone`: this node wrote to them
 * without their mirror since the two copies were last connected. `inTime`: it froze before the peer could have started
 * it. `discards`: what it wrote since the copies parted is to be given up.
 */
export interface LedgerGroup {
  readonly name: GroupName;
  readonly generation: number;
  readonly owner: NodeName | null;
  readonly writer: NodeName | null;
  readonly alone: boolean;
  readonly sole: boolean;
  readonly frozen: boolean;
  readonly inTime: boolean;
  readonly discards: boolean;
}

export interface Ledger {
  readonly groups: readonly LedgerGroup[];
  /**
   * The peer's newest packet when it was last heard, and the highest incarnation that it has had: what is older is a
   * replay, also after a restart.
   */
  readonly peer: (Echo & { readonly newestRun: number }) | null;
  readonly standby: boolean;
  /** It said goodbye to a peer that was there, which has not shown since that it knows of its return. */
  readonly left: boolean;
  /** Monotonic time at which maintenance ends; null: none. */
  readonly maintenanceUntil: MonotonicMs | null;
}

interface Timed {
  readonly at: MonotonicMs;
}

export type Event = Timed &
  (
    | { readonly kind: 'time-passed' }
    | {
        readonly kind: 'heartbeat-received';
        readonly link: number;
        readonly incarnation: number;
        readonly sequence: number;
        readonly echo: Echo | null;
        readonly content: HeartbeatContent;
      }
    /** Authentic, but in words that this version does not know. A sign of life, no more. */
    | {
        readonly kind: 'heartbeat-not-understood';
        readonly link: number;
        readonly incarnation: number;
        readonly sequence: number;
      }
    | { readonly kind: 'link-observed'; readonly link: number; readonly down: string | null }
    | { readonly kind: 'carrier-observed'; readonly interface: string; readonly carrier: boolean }
    | { readonly kind: 'probe-reported'; readonly target: string; readonly result: ProbeResult }
    | {
        readonly kind: 'resource-observed';
        readonly group: GroupName;
        readonly resource: ResourceId;
        readonly status: ResourceStatus;
      }
    /** A guest that runs has answered as its configuration wants it to. */
    | { readonly kind: 'guest-answered'; readonly group: GroupName; readonly resource: ResourceId }
    | {
        readonly kind: 'storage-observed';
        readonly group: GroupName;
        readonly resource: ResourceId;
        readonly storage: StorageStatus;
      }
    /** The disk of a device in use was read. `trouble`: what is wrong with it; null: it answers again. */
    | {
        readonly kind: 'disk-probed';
        readonly group: GroupName;
        readonly resource: ResourceId;
        readonly trouble: string | null;
      }
    /** DRBD's fence-peer handler asks; it waits for `answer-outdating` with the same id. */
    | {
        readonly kind: 'outdating-requested';
        readonly group: GroupName;
        readonly resource: ResourceId;
        readonly id: number;
      }
    | { readonly kind: 'lease-answered'; readonly operation: number; readonly answer: LeaseAnswer }
    | { readonly kind: 'operation-finished'; readonly operation: number; readonly outcome: Outcome }
    | { readonly kind: 'ledger-persisted'; readonly revision: number }
    | { readonly kind: 'ledger-not-persisted'; readonly revision: number; readonly message: string }
    | { readonly kind: 'operator-requested'; readonly id: number; readonly request: OperatorRequest }
    /** Same links, probes, groups and storage as before; other times or preferences, more guests or fewer. */
    | { readonly kind: 'policy-replaced'; readonly policy: Policy }
    | { readonly kind: 'stop-requested' }
  );

export type EventKind = Event['kind'];

/** What the operator is told about a request. `refused` names what he can do. */
export type RequestAnswer =
  | { readonly kind: 'accepted'; readonly message: string }
  | {
      readonly kind: 'refused';
      readonly code: RefusalCode;
      readonly message: string;
      readonly next: string;
    };

export type Severity = 'info' | 'warning' | 'alarm';

/** One line of history: what was decided or seen, why, and what a person may do. */
export interface Note {
  readonly severity: Severity;
  /**
   * Stable, kebab-case.
   * @pattern ^[a-z]+(-[a-z]+)*$
   */
  readonly code: string;
  readonly group: GroupName | null;
  /** @minLength 1 */
  readonly message: string;
  readonly next: string | null;
  /** Milliseconds the thing took, where it took time. */
  readonly tookMs: number | null;
}

export interface ProbePace {
  readonly target: string;
  readonly intervalMs: number;
}

export type Effect =
  | {
      readonly kind: 'send-heartbeat';
      readonly sequence: number;
      readonly echo: Echo | null;
      readonly content: HeartbeatContent;
    }
  | { readonly kind: 'pace-probes'; readonly paces: readonly ProbePace[] }
  | {
      readonly kind: 'start-operation';
      readonly operation: number;
      readonly group: GroupName;
      readonly resource: ResourceId;
      readonly action: ResourceAction;
      /** An operator has said that data which their driver would refuse are to be used. */
      readonly forced: boolean;
      readonly deadlineMs: number;
    }
  | { readonly kind: 'cancel-operation'; readonly operation: number }
  /** Power the peer off, and see that it is off. Ends with `operation-finished`. */
  | { readonly kind: 'fence-peer'; readonly operation: number; readonly deadlineMs: number }
  /** Acquire or renew. Ends with `lease-answered`; valid from when it was asked for. */
  | {
      readonly kind: 'request-lease';
      readonly operation: number;
      readonly marks: LoneMarks;
      readonly deadlineMs: number;
    }
  | { readonly kind: 'release-lease' }
  /** Ends with `operation-finished`. */
  | { readonly kind: 'arm-watchdog'; readonly operation: number }
  | { readonly kind: 'pet-watchdog' }
  | { readonly kind: 'disarm-watchdog' }
  | { readonly kind: 'answer-outdating'; readonly id: number; readonly answer: OutdatingAnswer }
  | { readonly kind: 'persist-ledger'; readonly revision: number; readonly ledger: Ledger }
  | { readonly kind: 'note'; readonly note: Note }
  | { readonly kind: 'answer-request'; readonly id: number; readonly answer: RequestAnswer }
  | { readonly kind: 'exit' };
