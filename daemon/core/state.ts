// All that the core remembers. Plain, serialisable, readonly: `step` makes the next one from it.

import type { OfferReason } from './claims.ts';
import type { Obstacle } from './codes.ts';
import { noComparison, type OutsideState } from './connectivity.ts';
import type { Ledger, LedgerGroup, ProbePace, ProbeResult } from './events.ts';
import type { Claim, Echo, Grant, GroupReport, HeartbeatContent } from './heartbeat.ts';
import { isPairable } from './migration.ts';
import type { GroupName, GroupPolicy, HandoverMode, MonotonicMs, Policy } from './policy.ts';
import { freshResource, type ResourceState } from './resource.ts';
import type { FenceState, LeaseState, WatchdogState } from './safeguards.ts';
import { noFence, noLease, noWatchdog } from './safeguards.ts';

export interface LinkState {
  readonly lastHeardAt: MonotonicMs | null;
  /** Sequence of the newest packet admitted on this link in the peer's present incarnation. */
  readonly lastSequence: number;
  /** Why the link cannot be used, as its driver says; null: usable. */
  readonly down: string | null;
  readonly fresh: boolean;
  /** Authentic packets that were refused here. */
  readonly refused: Readonly<Record<RefusalReason, number>>;
}

export interface PeerState {
  readonly incarnation: number | null;
  /** The highest incarnation that it has had; a later run may have a lower one. */
  readonly newestRun: number | null;
  /** Has it shown, in this incarnation of both, that it reads us? Until then it is only a sign of life. */
  readonly proven: boolean;
  readonly lastHeardAt: MonotonicMs | null;
  readonly unprovenHeardAt: MonotonicMs | null;
  /** How much of the silence since lastHeardAt was our own stall, milliseconds. */
  readonly forgivenMs: number;
  /** When its present run was first heard; at the earliest when this daemon started. */
  readonly runSince: MonotonicMs;
  /** Since when heard without a gap; null while not alive. */
  readonly aliveSince: MonotonicMs | null;
  readonly lastSequence: number;
  readonly content: HeartbeatContent | null;
  /** Newest echo of one of our packets. */
  readonly echo: Echo | null;
  /** A packet refused as of an earlier run while nothing of the peer was heard: echoed once. */
  readonly stranger: Echo | null;
  /** Has it said, in this incarnation of both, that it hears us? Only then does it know that it is not alone. */
  readonly met: boolean;
  /** We were cut off ourselves since it was last heard: it may have gone on alone, and not freeze any more. */
  readonly lostWhileIsolated: boolean;
  /** When we were last cut off since it was last heard: it may need as long again to notice that it is cut off. */
  readonly isolatedAt: MonotonicMs | null;
  /** The operator said that it is powered off; until it is heard again. */
  readonly confirmedOff: boolean;
  /** It was proven off after it was last heard: what it said that it held is gone, also once it has been switched on. */
  readonly wasOff: boolean;
  /** When we sent the newest of our packets that the peer has shown to have read; null: none in this run. */
  readonly contactAt: MonotonicMs | null;
  /** How much of the time since contactAt was our own stall, milliseconds. */
  readonly stalledSinceContactMs: number;
}

export type Verdict =
  | { readonly kind: 'listening' }
  | { readonly kind: 'alive' }
  | { readonly kind: 'late' }
  | { readonly kind: 'departed' }
  | { readonly kind: 'isolated' }
  /** `signs` of life; none: no address of the peer could be asked. */
  | { readonly kind: 'unresponsive'; readonly signs: readonly string[] }
  | { readonly kind: 'dead' }
  | { readonly kind: 'fenced'; readonly by: 'operator' | 'device' | 'lease' };

export type VerdictKind = Verdict['kind'];

export interface ProbeState {
  readonly target: string;
  readonly lastAnsweredAt: MonotonicMs | null;
  readonly lastUnansweredAt: MonotonicMs | null;
  readonly lastReportAt: MonotonicMs | null;
  readonly last: ProbeResult | null;
}

export type { Obstacle } from './codes.ts';

export type StopReason = 'handover' | 'yield' | 'leave' | 'stray' | 'discard' | 'decline';

/** Reasons to stop that leave no time for a guest's own shutdown: its disk may already be in use elsewhere. */
export const stopsAtOnce: Readonly<Record<StopReason, boolean>> = {
  handover: false,
  leave: false,
  yield: true,
  stray: true,
  discard: true,
  decline: true,
};

export type Phase =
  | { readonly kind: 'observing' }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'blocked'; readonly obstacle: Obstacle }
  | { readonly kind: 'claiming'; readonly claim: Claim }
  | { readonly kind: 'starting'; readonly generation: number; readonly resuming: boolean }
  | { readonly kind: 'active'; readonly generation: number }
  /** `peerRun`: the incarnation of the peer that was heard last before; of what a daemon found frozen, nobody knows. */
  | {
      readonly kind: 'frozen';
      readonly generation: number;
      readonly claim: Claim;
      readonly peerRun: number | null;
    }
  | { readonly kind: 'stopping'; readonly generation: number; readonly reason: StopReason };

export interface GroupState {
  readonly policy: GroupPolicy;
  readonly phase: Phase;
  readonly since: MonotonicMs;
  /** Id of the table row that led here. */
  readonly rule: string;
  /** Ledger revision that must be on disk before the first operation of this phase. */
  readonly needsRevision: number;
  readonly resources: readonly ResourceState[];
  readonly grant: Grant | null;
  readonly offer: { readonly reason: OfferReason; readonly since: MonotonicMs } | null;
  /** The operator asked for the group here (pull) / to send it away (push), its guests in this way; until done or too old. */
  readonly pullSince: MonotonicMs | null;
  readonly pushSince: MonotonicMs | null;
  readonly handoverBy: HandoverMode | null;
  /** What stood in the way of a handover that was undone; none is tried then without an operator's word. */
  readonly takenBack: string | null;
  /** The operator accepted this node's data although the ledger cannot vouch for it. */
  readonly dataAccepted: boolean;
  /** Everything had stopped here before the peer could have started it: what was written meanwhile may be given up. */
  readonly frozenInTime: boolean;
  /** What was written here since the copies parted is to be given up; and since when, in this run. */
  readonly discards: boolean;
  readonly discardsSince: MonotonicMs;
  /** The ledger revision from which on its record no longer says "sole"; 0: it never did. */
  readonly soleUntil: number;
}

export interface SentPacket {
  readonly sequence: number;
  readonly at: MonotonicMs;
}

export interface State {
  readonly policy: Policy;
  readonly now: MonotonicMs;
  readonly startedAt: MonotonicMs;
  readonly incarnation: number;
  readonly sequence: number;
  /** Newest last; enough to tell how old an echo is. */
  readonly sent: readonly SentPacket[];
  readonly sentContent: HeartbeatContent | null;
  readonly nextHeartbeatAt: MonotonicMs;
  readonly wakeAt: MonotonicMs;
  readonly stalls: { readonly count: number; readonly lastMs: number; readonly lastAt: MonotonicMs | null };
  readonly links: readonly LinkState[];
  readonly peer: PeerState;
  readonly verdict: Verdict;
  readonly verdictSince: MonotonicMs;
  readonly probes: readonly ProbeState[];
  readonly paces: readonly ProbePace[];
  /** Carrier of interfaces, as last seen and since when; absent: not seen yet. */
  readonly carriers: Readonly<Record<string, { readonly up: boolean; readonly since: MonotonicMs }>>;
  readonly outside: OutsideState;
  readonly fence: FenceState;
  readonly lease: LeaseState;
  readonly watchdog: WatchdogState;
  readonly groups: readonly GroupState[];
  readonly standby: boolean;
  /** When the daemon was told to stop; null: it was not. */
  readonly leavingSince: MonotonicMs | null;
  readonly goodbyes: number;
  /** From this ledger revision on its record says that it left; 0: it does not. */
  readonly leftFrom: number;
  readonly maintenanceUntil: MonotonicMs | null;
  /** The first packet that told the peer of it; null: none did. */
  readonly maintenanceSequence: number | null;
  /** Until when the peer told us to leave it alone. */
  readonly peerMaintenanceUntil: MonotonicMs | null;
  readonly ledger: Ledger;
  readonly ledgerRevision: number;
  readonly persistedRevision: number;
  readonly persistRetryAt: MonotonicMs | null;
  /** Why the last write of the ledger failed; null: it did not. */
  readonly ledgerFailing: string | null;
  readonly nextOperation: number;
  readonly nextClaim: number;
}

/** `replayed`: not newer than what was admitted. `unproven`: its sender has not shown that it reads us. */
export type RefusalReason = 'replayed' | 'stale-incarnation' | 'unproven';

export interface StartUp {
  readonly at: MonotonicMs;
  readonly policy: Policy;
  /** Larger than in any earlier start of this node. */
  readonly incarnation: number;
  readonly ledger: Ledger;
  /** The watchdog of this host runs already: a daemon before this one has left it so. */
  readonly watchdogRuns?: boolean | undefined;
}

const silentPeer: PeerState = {
  incarnation: null,
  newestRun: null,
  proven: false,
  lastHeardAt: null,
  unprovenHeardAt: null,
  forgivenMs: 0,
  runSince: 0,
  aliveSince: null,
  lastSequence: 0,
  content: null,
  echo: null,
  met: false,
  lostWhileIsolated: false,
  isolatedAt: null,
  confirmedOff: false,
  contactAt: null,
  stalledSinceContactMs: 0,
  stranger: null,
  wasOff: false,
};

/** The state of a node that has just started and has seen nothing yet. */
export function initialState({ at, policy, incarnation, ledger, watchdogRuns = false }: StartUp): State {
  return {
    policy,
    now: at,
    startedAt: at,
    incarnation,
    sequence: 0,
    sent: [],
    sentContent: null,
    nextHeartbeatAt: at,
    wakeAt: at,
    stalls: { count: 0, lastMs: 0, lastAt: null },
    links: policy.links.map(() => ({
      lastHeardAt: null,
      lastSequence: ledger.peer?.sequence ?? 0,
      down: null,
      fresh: false,
      refused: { replayed: 0, 'stale-incarnation': 0, unproven: 0 },
    })),
    peer: {
      ...silentPeer,
      incarnation: ledger.peer?.incarnation ?? null,
      newestRun: ledger.peer?.newestRun ?? null,
      runSince: at,
    },
    verdict: { kind: 'listening' },
    verdictSince: at,
    probes: policy.probes.map(({ id }) => ({
      target: id,
      lastAnsweredAt: null,
      lastUnansweredAt: null,
      lastReportAt: null,
      last: null,
    })),
    paces: [],
    carriers: {},
    outside: noComparison,
    fence: noFence,
    lease: noLease,
    watchdog: { ...noWatchdog, leftRunning: watchdogRuns },
    groups: policy.groups.map((group) => ({
      policy: group,
      phase: { kind: 'observing' },
      since: at,
      rule: 'start',
      needsRevision: 0,
      resources: group.resources.map((resource) => ({
        ...freshResource(resource, ledgerGroup(ledger, group.name).alone ? at : null),
        paired: isPairable(group, resource.id), // By an earlier run of the daemon.
      })),
      grant: null,
      offer: null,
      pullSince: null,
      pushSince: null,
      handoverBy: null,
      takenBack: null,
      dataAccepted: false,
      frozenInTime: ledgerGroup(ledger, group.name).inTime,
      discards: ledgerGroup(ledger, group.name).discards,
      discardsSince: at,
      soleUntil: 0,
    })),
    standby: ledger.standby,
    leavingSince: null,
    goodbyes: 0,
    leftFrom: 0,
    maintenanceUntil: ledger.maintenanceUntil,
    maintenanceSequence: null,
    peerMaintenanceUntil: null,
    ledger: { ...ledger, groups: policy.groups.map(({ name }) => ledgerGroup(ledger, name)) },
    ledgerRevision: 0,
    persistedRevision: 0,
    persistRetryAt: null,
    ledgerFailing: null,
    nextOperation: 1,
    nextClaim: 1,
  };
}

/** The record of a group that has never had an owner. */
export function noRecord(name: GroupName): LedgerGroup {
  return {
    name,
    generation: 0,
    owner: null,
    writer: null,
    alone: false,
    sole: false,
    frozen: false,
    inTime: false,
    discards: false,
  };
}

/** What the ledger says of a group. */
export function ledgerGroup(ledger: Ledger, name: GroupName): LedgerGroup {
  return ledger.groups.find((group) => group.name === name) ?? noRecord(name);
}

/** What the peer last said of a group; null: nothing. */
export function peerReport(state: State, name: string): GroupReport | null {
  return state.peer.content?.groups.find((group) => group.name === name) ?? null;
}

export function putResource(group: GroupState, resource: ResourceState): GroupState {
  return {
    ...group,
    resources: group.resources.map((other) => (other.id === resource.id ? resource : other)),
  };
}

export function putGroup(state: State, group: GroupState): State {
  const { name } = group.policy;
  return {
    ...state,
    groups: state.groups.map((other) => (other.policy.name === name ? group : other)),
  };
}
