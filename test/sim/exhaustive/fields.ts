// Every field of the core's state, and what becomes of it in the row that stands for a world (canon.ts): where the core
// gets a new field, the compiler asks here what it is. What is said to stand still is looked at while a search runs.

import type { Ledger, LedgerGroup } from '../../../daemon/core/events.ts';
import type { GroupReport, HeartbeatContent } from '../../../daemon/core/heartbeat.ts';
import { ownContent } from '../../../daemon/core/report.ts';
import type { ResourceState } from '../../../daemon/core/resource.ts';
import type { FenceState, LeaseState, WatchdogState } from '../../../daemon/core/safeguards.ts';
import type { GroupState, LinkState, PeerState, ProbeState, State } from '../../../daemon/core/state.ts';
import { initialState, noRecord } from '../../../daemon/core/state.ts';
import { groupName, noLedger } from './model.ts';

/**
 * row: in it, exactly or as far as any rule asks. still: keeps its first value, since nothing in these worlds changes
 * it (no disks, no standby, no maintenance, no stalls). words: for people; no rule reads it. source: only what is new
 * is made from it. said: follows from the rest of the state, or is read only where there are disks.
 */
type Fate = 'row' | 'still' | 'words' | 'source' | 'said';

type Fates<T> = Readonly<Record<keyof T, Fate>>;

const state: Fates<State> = {
  policy: 'still',
  now: 'source',
  startedAt: 'row',
  incarnation: 'row',
  sequence: 'source',
  sent: 'row',
  sentContent: 'row',
  nextHeartbeatAt: 'row',
  wakeAt: 'row',
  stalls: 'still',
  links: 'row',
  peer: 'row',
  verdict: 'row',
  verdictSince: 'row',
  probes: 'row',
  paces: 'row',
  carriers: 'still',
  outside: 'row',
  fence: 'row',
  lease: 'row',
  watchdog: 'row',
  groups: 'row',
  standby: 'still',
  leavingSince: 'row',
  goodbyes: 'row',
  leftFrom: 'row',
  maintenanceUntil: 'still',
  maintenanceSequence: 'still',
  peerMaintenanceUntil: 'still',
  ledger: 'row',
  ledgerRevision: 'source',
  persistedRevision: 'row',
  persistRetryAt: 'row',
  ledgerFailing: 'row',
  nextOperation: 'source',
  nextClaim: 'source',
};

const peer: Fates<PeerState> = {
  incarnation: 'row',
  newestRun: 'said',
  proven: 'row',
  lastHeardAt: 'row',
  unprovenHeardAt: 'row',
  forgivenMs: 'still',
  runSince: 'row',
  aliveSince: 'row',
  lastSequence: 'row',
  content: 'row',
  echo: 'row',
  stranger: 'row',
  met: 'row',
  lostWhileIsolated: 'row',
  isolatedAt: 'row',
  confirmedOff: 'row',
  wasOff: 'row',
  contactAt: 'row',
  stalledSinceContactMs: 'still',
};

const group: Fates<GroupState> = {
  policy: 'still',
  phase: 'row',
  since: 'row',
  rule: 'row',
  needsRevision: 'row',
  resources: 'row',
  grant: 'row',
  offer: 'row',
  pullSince: 'row',
  pushSince: 'row',
  handoverBy: 'still',
  takenBack: 'still',
  dataAccepted: 'row',
  frozenInTime: 'row',
  discards: 'row',
  discardsSince: 'said',
  soleUntil: 'row',
};

const resource: Fates<ResourceState> = {
  id: 'still',
  status: 'row',
  statusSince: 'said',
  readyAt: 'still',
  leftOut: 'still',
  storage: 'still',
  connectedAt: 'still',
  inSync: 'still',
  aheadSince: 'still',
  standaloneSince: 'still',
  reconnects: 'still',
  splitTold: 'still',
  diskTrouble: 'words',
  outdatings: 'still',
  asserted: 'row',
  operation: 'row',
  inDoubt: 'row',
  migrationFailed: 'still',
  paired: 'still',
  failures: 'row',
  retryAt: 'row',
  starts: 'source',
  quarantined: 'row',
  lastError: 'words',
};

const link: Fates<LinkState> = {
  lastHeardAt: 'said',
  lastSequence: 'row',
  down: 'still',
  fresh: 'row',
  refused: 'words',
};

const probe: Fates<ProbeState> = {
  target: 'still',
  lastAnsweredAt: 'row',
  lastUnansweredAt: 'row',
  lastReportAt: 'row',
  last: 'words',
};

const fence: Fates<FenceState> = {
  operation: 'row',
  askedAt: 'words',
  succeededAt: 'row',
  offRun: 'words',
  failures: 'row',
  retryAt: 'row',
  lastError: 'row',
};

const lease: Fates<LeaseState> = {
  operation: 'row',
  askedAt: 'row',
  readAt: 'row',
  refusedAt: 'row',
  failedAt: 'said',
  nextAt: 'row',
  validUntil: 'row',
  heldSince: 'row',
  heldTerm: 'row',
  unbroken: 'row',
  peerAlone: 'still',
  ownAlone: 'still',
  asked: 'said',
  lastError: 'row',
};

const watchdog: Fates<WatchdogState> = {
  leftRunning: 'row',
  armed: 'row',
  operation: 'row',
  petAt: 'row',
  retryAt: 'row',
  lastError: 'row',
};

const content: Fates<HeartbeatContent> = {
  software: 'still',
  configDigest: 'still',
  hears: 'row',
  leaving: 'row',
  standby: 'still',
  freezeAfterMs: 'still',
  watchdogMs: 'still',
  maintenanceMinutes: 'still',
  lan: 'row',
  gateways: 'said',
  groups: 'row',
};

const report: Fates<GroupReport> = {
  name: 'still',
  phase: 'row',
  generation: 'row',
  owner: 'row',
  writer: 'still',
  holdsAddresses: 'row',
  holdsRest: 'row',
  claim: 'row',
  grant: 'row',
  offer: 'row',
  willing: 'row',
  alone: 'still',
  apart: 'still',
  outdated: 'still',
  wantsOutdated: 'still',
  discarding: 'row',
  stuck: 'still',
  inviting: 'still',
  sole: 'row',
  up: 'words',
  total: 'words',
  quarantined: 'words',
};

const ledger: Fates<Ledger> = {
  groups: 'row',
  peer: 'row',
  standby: 'still',
  left: 'row',
  maintenanceUntil: 'still',
};

const record: Fates<LedgerGroup> = {
  name: 'still',
  generation: 'row',
  owner: 'row',
  writer: 'still',
  alone: 'still',
  sole: 'row',
  frozen: 'row',
  inTime: 'row',
  discards: 'row',
};

function changed<T>(fates: Fates<T>, now: T, first: T): readonly string[] {
  const fields = Object.keys(fates) as Array<keyof T & string>;
  return fields.filter(
    (field) => fates[field] === 'still' && JSON.stringify(now[field]) !== JSON.stringify(first[field]),
  );
}

const emptyRecord = noRecord(groupName);

/** Fields that were to keep their first value, and did not. */
export function moved(now: State): readonly string[] {
  const first = initialState({ at: 0, policy: now.policy, incarnation: 1, ledger: noLedger });
  const all = <T>(fates: Fates<T>, nows: readonly T[], firsts: readonly T[]) =>
    nows.flatMap((one, at) => changed(fates, one, firsts[at] as T));
  const own = ownContent(first);
  const contents = [now.sentContent, now.peer.content].filter((one) => one !== null);
  return [
    ...changed(state, now, first),
    ...changed(peer, now.peer, first.peer),
    ...changed(fence, now.fence, first.fence),
    ...changed(lease, now.lease, first.lease),
    ...changed(watchdog, now.watchdog, first.watchdog),
    ...all(link, now.links, first.links),
    ...all(probe, now.probes, first.probes),
    ...all(group, now.groups, first.groups),
    ...now.groups.flatMap((one, at) => all(resource, one.resources, first.groups[at]?.resources ?? [])),
    ...changed(ledger, now.ledger, noLedger),
    ...now.ledger.groups.flatMap((one) => changed(record, one, emptyRecord)),
    ...contents.flatMap((one) => changed(content, one, own)),
    ...contents.flatMap((one) => all(report, one.groups, own.groups)),
  ];
}
