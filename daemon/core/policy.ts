// What the core must know of the configuration: names, times and the resources of each group. Plain data.

/** Milliseconds of a clock that never goes back, and that goes on while the host sleeps. Only differences mean anything. */
export type MonotonicMs = number & { readonly monotonic?: never };
export type NodeName = string;
export type GroupName = string;
export type ResourceId = string;

/**
 * All in milliseconds since the peer was last heard. The order is
 * keepalive < warntime < freeze < deadtime < takeover < stale < sole, so that an active node that is cut off has frozen its
 * guests before its peer may start them.
 */
export interface Timings {
  readonly keepaliveMs: number;
  readonly warntimeMs: number;
  readonly deadtimeMs: number;
  readonly initdeadMs: number;
  /** An isolated active node freezes after this much silence. */
  readonly freezeAfterMs: number;
  /** A standby may take over from a dead peer after this much silence. */
  readonly takeoverAfterMs: number;
  /** A standby that is still isolated after this much silence no longer knows enough to take over by itself. */
  readonly staleAfterMs: number;
  /** An owner whose peer has been gone for this long need not freeze any more: see staleAfterMs. */
  readonly soleAfterMs: number;
}

export type ResourceKind = 'address' | 'drbd' | 'filesystem' | 'guest';

/** What holds the group's data: it stands below the guests, and is not itself what writes. */
export const isStorage = (kind: ResourceKind) => kind === 'drbd' || kind === 'filesystem';

/** How a guest goes to the other node in a handover: while it runs, with its memory kept, or by a shutdown. */
export const handoverModes = ['live', 'save', 'shutdown'] as const;
export type HandoverMode = (typeof handoverModes)[number];

/** How a guest starts beside the other guests of its group, and how it goes to the other node. */
export interface GuestPolicy {
  /** Higher ones start first. Of those that there is no memory for together, they start. */
  readonly priority: number;
  /** Guests of the group that come first, whatever their priority. */
  readonly after: readonly ResourceId[];
  /** How long those that come later wait for it to be ready, milliseconds; null: it is ready when it runs. */
  readonly readyMs: number | null;
  /** And how long once it is ready. */
  readonly startDelayMs: number;
  readonly memoryMiB: number;
  /** How it goes where the operator says nothing else. */
  readonly handover: HandoverMode;
  /** How long it may take to keep its memory, milliseconds; null: it cannot be kept. */
  readonly saveMs: number | null;
  /** How long it may take to move it while it runs, milliseconds; null: it is not on devices of its own. */
  readonly migrateMs: number | null;
  /** Why it does not go in that way: it cannot, or, live, the peer could not take it. Null: it can. */
  readonly cannot: { readonly live: string | null; readonly save: string | null };
}

export interface ResourcePolicy {
  readonly id: ResourceId;
  readonly kind: ResourceKind;
  /** Resources that must be up before this one is started: all that it stands on, also those under others. */
  readonly needs: readonly ResourceId[];
  /** Longest time an operation may take, milliseconds. */
  readonly startMs: number;
  readonly stopMs: number;
  /** Of a guest only; absent: it starts beside all others, whatever memory there is, and can only be shut down. */
  readonly guest?: GuestPolicy;
}

export interface GroupPolicy {
  readonly name: GroupName;
  readonly preferred: NodeName;
  readonly failback: 'manual' | 'automatic';
  readonly failbackDelayMs: number;
  /** Interfaces that carry the group's addresses: without carrier there, the group cannot be served. */
  readonly interfaces: readonly string[];
  readonly resources: readonly ResourcePolicy[];
}

/** A thing that can be asked whether it answers. `peer`: an address of the peer's own; `floating`: one of ours. */
export interface ProbeTarget {
  readonly id: string;
  readonly kind: 'gateway' | 'peer' | 'floating';
}

/** A device that powers the peer off. */
export interface FencePolicy {
  /** How long the node that holds nothing lets the other one shoot first, so that two nodes do not shoot each other. */
  readonly delayMs: number;
  readonly deadlineMs: number;
}

/** A third party that lends one lease to one of the two nodes at a time. */
export interface WitnessPolicy {
  readonly ttlMs: number;
}

/** Resets this host when it is not fed; the peer's is taken to have the same time. */
export interface WatchdogPolicy {
  readonly timeoutMs: number;
}

export interface Policy {
  readonly self: NodeName;
  readonly peer: NodeName;
  readonly software: string;
  readonly configDigest: string;
  readonly timings: Timings;
  /** Names of the heartbeat links, by index. */
  readonly links: readonly string[];
  readonly probes: readonly ProbeTarget[];
  readonly groups: readonly GroupPolicy[];
  /** How many guests may be starting at once. */
  readonly parallelStarts: number;
  /** What the guests here may have of this host's memory, MiB; null: it is not looked at. */
  readonly guestMemoryMiB: number | null;
  readonly fencing: FencePolicy | null;
  readonly witness: WitnessPolicy | null;
  readonly watchdog: WatchdogPolicy | null;
}

/**
 * What is promised. fenced: no two writers under any combination of faults, since a takeover waits until the peer is
 * proven off. evidence: under any single fault.
 */
export type Tier = 'fenced' | 'evidence';

export function tierOf(policy: Policy): Tier {
  return policy.fencing !== null || (policy.witness !== null && policy.watchdog !== null)
    ? 'fenced'
    : 'evidence';
}

/** Derives the safety times; docs/decisions/0003-freeze-before-takeover.md has the argument. */
export function deriveTimings(given: {
  readonly keepaliveMs: number;
  readonly warntimeMs: number;
  readonly deadtimeMs: number;
  readonly initdeadMs: number;
}): Timings {
  const { keepaliveMs, warntimeMs, deadtimeMs } = given;
  const tenth = deadtimeMs / 10;
  const freezeAfterMs = Math.max((warntimeMs + deadtimeMs) / 2, deadtimeMs - keepaliveMs - tenth);
  const takeoverAfterMs = Math.max(deadtimeMs + tenth / 2, freezeAfterMs + keepaliveMs + tenth);
  const staleAfterMs = takeoverAfterMs + 4 * deadtimeMs;
  return { ...given, freezeAfterMs, takeoverAfterMs, staleAfterMs, soleAfterMs: staleAfterMs + deadtimeMs };
}
