// The core's state as the control API shows it.

import type { Config } from '../config/config.ts';
import { isEligible } from '../core/eligibility.ts';
import { awaitedGuests } from '../core/guests.ts';
import type { GroupReport } from '../core/heartbeat.ts';
import { deadlineFor } from '../core/operations.ts';
import type { ResourceId, ResourcePolicy } from '../core/policy.ts';
import { isDown, type ResourceState } from '../core/resource.ts';
import type { GroupState, State } from '../core/state.ts';
import { ledgerGroup, peerReport } from '../core/state.ts';
import { transitions } from '../core/transitions.ts';
import type { LinkCounters } from '../drivers/link/link.ts';
import type { WitnessSight } from '../drivers/witness/witness.ts';
import type {
  Attention,
  GapsView,
  GroupView,
  LatenessView,
  LinkView,
  NodeView,
  ResourceView,
  Status,
} from './api.ts';
import { attentionOf } from './attention.ts';
import type { GuestDefinitions } from './guests.ts';
import { apartOf, type HeardRemarks, type OwnSights, peerRemarksOf } from './remarks.ts';
import { attentionOfWitness, tierInForce, witnessView } from './safeguards.ts';
import type { Readiness, TaskView } from './schedule.ts';

export interface ViewSource extends OwnSights {
  readonly config: Config;
  /** By link index. */
  readonly counters: readonly LinkCounters[];
  /** Null: the peer has never been heard in this run. */
  readonly peerRemarks: HeardRemarks | null;
  /** What a guest that is up answered last when it was asked whether it is ready; null: it was not. */
  readonly readinessOf: (resource: ResourceId) => string | null;
  readonly gaps: GapsView;
  readonly lateness: LatenessView;
  readonly definitions: Pick<GuestDefinitions, 'guests' | 'self' | 'peer'>;
  /** What is wrong with what protects: a fencing device that does not answer. */
  readonly safeguards: readonly Attention[];
  readonly schedule: readonly TaskView[];
  readonly readiness: Readiness | null;
  /** Until standby ends by itself; null: it has no end. */
  readonly standbyLeftMs: number | null;
  /** Null: there is none in the configuration. */
  readonly witness: WitnessSight | null;
  /** Why no fencing device would do now, as last looked at; null or absent: one would, or there is none. */
  readonly fencingLacks?: string | null;
}

export function statusOf(source: ViewSource): Status {
  const { config, state, counters, nowMs, storage, definitions, safeguards, witness } = source;
  const { verdict, policy } = state;
  const { timings } = policy;
  const { tier, lacks } = tierInForce(state, witness, source.fencingLacks);
  return {
    cluster: config.cluster,
    tier,
    tierLacks: lacks,
    self: selfView(source),
    peer: peerView(config, state, nowMs),
    verdict: {
      kind: verdict.kind,
      forMs: nowMs - state.verdictSince,
      silentMs: state.peer.lastHeardAt === null ? null : nowMs - state.peer.lastHeardAt,
      signs: verdict.kind === 'unresponsive' ? verdict.signs : [],
    },
    links: policy.links.map((name, index) => linkView(state, name, index, counters[index], nowMs)),
    probes: policy.probes.map((target) => ({
      target: target.id,
      kind: target.kind,
      last: isProbed(state, target.id)
        ? (state.probes.find((probe) => probe.target === target.id)?.last ?? null)
        : null,
    })),
    groups: state.groups.map((group) => groupView(source, group)),
    watchdog:
      config.watchdog === null
        ? null
        : { ...config.watchdog, armed: state.watchdog.armed, lastError: state.watchdog.lastError },
    stalls: { count: state.stalls.count, lastMs: state.stalls.lastMs },
    attention: attentionOf(
      state,
      refusedInAll(counters),
      storage,
      definitions,
      [...safeguards, ...attentionOfWitness(state, witness)],
      source.standbyLeftMs,
    ),
    schedule: source.schedule,
    readiness: source.readiness,
    witness: witnessView(state, witness, nowMs),
    gaps: source.gaps,
    lateness: source.lateness,
    timings: {
      keepaliveMs: timings.keepaliveMs,
      warntimeMs: timings.warntimeMs,
      deadtimeMs: timings.deadtimeMs,
      initdeadMs: timings.initdeadMs,
    },
    daemon: { pid: process.pid, uptimeMs: nowMs - state.startedAt, incarnation: state.incarnation },
  };
}

/** Only what is asked now; an old answer would mislead. */
function isProbed(state: State, id: string): boolean {
  return state.paces.some(({ target }) => target === id);
}

function selfView({ config, state, nowMs, standbyLeftMs }: ViewSource): NodeView {
  const { self, software, configDigest } = state.policy;
  return {
    name: self,
    address: addressOf(config, self),
    standby: state.standby,
    standbyMs: state.standby ? standbyLeftMs : null,
    leaving: state.leavingSince !== null,
    maintenanceMs: state.maintenanceUntil === null ? 0 : Math.max(0, state.maintenanceUntil - nowMs),
    lan: state.sentContent?.lan ?? null,
    software,
    configDigest,
  };
}

function peerView(config: Config, state: State, nowMs: number): NodeView {
  const { content } = state.peer;
  return {
    name: state.policy.peer,
    address: addressOf(config, state.policy.peer),
    standby: content?.standby ?? false,
    standbyMs: null,
    leaving: content?.leaving ?? false,
    maintenanceMs: state.peerMaintenanceUntil === null ? 0 : Math.max(0, state.peerMaintenanceUntil - nowMs),
    lan: content?.lan ?? null,
    software: content?.software ?? null,
    configDigest: content?.configDigest ?? null,
  };
}

function addressOf(config: Config, name: string): string {
  return config.nodes.find((node) => node.name === name)?.address ?? '';
}

function linkView(
  state: State,
  name: string,
  index: number,
  counters: LinkCounters | undefined,
  nowMs: number,
): LinkView {
  const link = state.links[index];
  const heard = link?.lastHeardAt ?? null;
  return {
    name,
    ageMs: heard === null ? null : nowMs - heard,
    fresh: link?.fresh ?? false,
    heardByPeer: state.verdict.kind === 'alive' ? (state.peer.content?.hears[index] ?? null) : null,
    down: link?.down ?? null,
    sent: counters?.sent ?? 0,
    received: counters?.received ?? 0,
    refused: { ...counters?.refused, ...positive(link?.refused ?? {}) },
  };
}

function refusedInAll(counters: readonly LinkCounters[]): Record<string, number> {
  const all: Record<string, number> = {};
  for (const { refused } of counters) {
    for (const [reason, count] of Object.entries(refused)) all[reason] = (all[reason] ?? 0) + count;
  }
  return all;
}

function positive(counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}

function groupView(source: ViewSource, group: GroupState): GroupView {
  const { state, nowMs, peerRemarks } = source;
  const { name, preferred, failback } = group.policy;
  const report = peerReport(state, name);
  return {
    name,
    phase: group.phase.kind,
    forMs: nowMs - group.since,
    generation:
      'generation' in group.phase ? group.phase.generation : ledgerGroup(state.ledger, name).generation,
    preferred,
    failback,
    willing: isEligible(state, group),
    reason: transitions.find(({ id }) => id === group.rule)?.reason ?? 'the daemon has just started',
    resources: group.resources.map((resource) => resourceView(source, group, resource)),
    peer: report === null ? null : shownOf(report),
    peerRemarks: peerRemarksOf(peerRemarks, name, nowMs),
    runsOn: runsOn(state, group),
    undone: group.takenBack,
    discarding: group.discards,
  };
}

/** What is for people and programs; the rest of a report is between the two cores. */
function shownOf(report: GroupReport): NonNullable<GroupView['peer']> {
  const { phase, generation, willing, up, total, quarantined, alone, discarding } = report;
  return { phase, generation, willing, up, total, quarantined, alone, discarding };
}

/** The node that runs the group as far as this one knows; null: nobody, or there is no such group. */
export function nodeRunning(state: State, name: string): string | null {
  const group = state.groups.find(({ policy }) => policy.name === name);
  return group === undefined ? null : runsOn(state, group);
}

function runsOn(state: State, group: GroupState): string | null {
  const { kind } = group.phase;
  if (kind === 'starting' || kind === 'active') return state.policy.self;
  const present = state.verdict.kind === 'alive' || state.verdict.kind === 'late';
  const phase = peerReport(state, group.policy.name)?.phase;
  return present && (phase === 'starting' || phase === 'active') ? state.policy.peer : null;
}

function resourceView(source: ViewSource, group: GroupState, resource: ResourceState): ResourceView {
  const { state, nowMs, storage: notes, guestsUpForMs, readinessOf } = source;
  const { operation } = resource;
  const policy = group.policy.resources.find(({ id }) => id === resource.id);
  const isWanted = group.phase.kind === 'starting' || group.phase.kind === 'active';
  const isWaiting = isWanted && isDown(resource) && policy !== undefined;
  const isAsked =
    resource.status?.kind === 'up' && policy?.guest !== undefined && policy.guest.readyMs !== null;
  const ready = isAsked ? resource.readyAt !== null : null;
  return {
    id: resource.id,
    kind: policy?.kind ?? 'guest',
    status: resource.status?.kind ?? 'unknown',
    operation: operation === null ? null : operationView(operation, policy, nowMs),
    quarantined: resource.quarantined,
    lastError: resource.lastError,
    waitsFor: isWaiting ? awaitedGuests(state, group, policy) : [],
    leftOut: isWanted && resource.leftOut,
    ready,
    readyWhy: ready === false ? readinessOf(resource.id) : null,
    storage: resource.storage,
    resync: notes.get(resource.id)?.resync ?? null,
    apart: apartOf(source, resource),
    upForMs: guestsUpForMs.get(resource.id) ?? null,
    trouble: notes.get(resource.id)?.trouble ?? null,
  };
}

function operationView(
  { action, since }: NonNullable<ResourceState['operation']>,
  policy: ResourcePolicy | undefined,
  nowMs: number,
): NonNullable<ResourceView['operation']> {
  const forMs = nowMs - since;
  const limitMs = policy === undefined ? null : deadlineFor(policy, action);
  return { action, forMs, leftMs: limitMs === null ? null : Math.max(0, limitMs - forMs) };
}
