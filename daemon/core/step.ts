// The core: one event in, the next state and what is to be done out. Nothing else decides anything.

import { compareOutside } from './connectivity.ts';
import type { Effect, Event, EventKind } from './events.ts';
import { factsOf, isLeftAlone } from './facts.ts';
import {
  fenceFinished,
  leaseAnswered,
  letGoOfSafeguards,
  noteNeverOff,
  tendSafeguards,
  watchdogFinished,
} from './fencing.ts';
import { noteLateGuests, withGuestsOf } from './guests.ts';
import type { Echo, HeartbeatContent } from './heartbeat.ts';
import { ledgerWriteFailed, syncLedger } from './ledger.ts';
import { runMachine } from './machine.ts';
import {
  admission,
  measureStall,
  patienceMs,
  receiveHeartbeat,
  receiveUnreadable,
  refuse,
} from './membership.ts';
import { noteLoneWrites } from './mirror.ts';
import { note, notePeerChanges, noteWaits, quarantineNote } from './notes.ts';
import {
  answerOutdatings,
  noteDisk,
  noteReady,
  noteSplits,
  observeResource,
  seeStorage,
} from './observations.ts';
import { reconcile } from './operations.ts';
import { finishOperation } from './outcomes.ts';
import type { MonotonicMs } from './policy.ts';
import { ownContent } from './report.ts';
import { answerRequest } from './requests.ts';
import { leaseProvesAt } from './safeguards.ts';
import { isSame } from './same.ts';
import type { RefusalReason, State } from './state.ts';
import { putGroup, putResource } from './state.ts';
import { holdsNothing, judge, wantedPaces } from './verdict.ts';

type Emit = (effect: Effect) => void;
type EventOf<K extends EventKind> = Extract<Event, { readonly kind: K }>;
type Handlers = { readonly [K in EventKind]: (state: State, event: EventOf<K>, emit: Emit) => State };

/** The next state together with what it asks for. */
export interface Draft {
  readonly state: State;
  readonly effects: readonly Effect[];
}

/** How many times a departing node says goodbye, in case a packet is lost. */
const goodbyes = 3;
const unknownPatienceMs = 5000;
/** Sent packets remembered, to tell how old an echo is. */
const sentMemory = 64;

/** What a packet is refused for, if it is one and is refused. */
export function refusalOf(state: State, event: Event): RefusalReason | null {
  if (event.kind !== 'heartbeat-received' && event.kind !== 'heartbeat-not-understood') return null;
  const decision = admission(state, event);
  return decision === 'admitted' ? null : decision;
}

export function step(before: State, event: Event): Draft {
  const refusal = refusalOf(before, event);
  if (refusal !== null && 'sequence' in event) {
    return { state: refuse(before, event, refusal), effects: [] };
  }
  const effects: Effect[] = [];
  const emit: Emit = (effect) => effects.push(effect);
  const at = Math.max(event.at, before.now);
  let state = handle(measureStall({ ...before, now: at }), event, emit);
  state = noteLoneWrites(endMaintenance(compareOutside(judge(state)), emit));
  notePeerChanges(before, state, emit);
  noteLateGuests(before, state, emit);
  state = answerOutdatings(runMachine(state, emit), emit);
  noteWaits(before, state, emit);
  state = reconcileAll(state, emit);
  state = noteSplits(state, emit);
  state = tendSafeguards(state, (group) => factsOf(state, group), emit);
  state = paceProbes(state, emit);
  state = sendHeartbeat(state, emit);
  state = leave(state, emit);
  return { state: { ...state, wakeAt: nextWake(state) }, effects };
}

function reconcileAll(moved: State, emit: Emit): State {
  const facts = moved.groups.map((group) => factsOf(moved, group));
  const recorded = syncLedger(moved, facts, emit);
  return recorded.groups.reduce((state, group, index) => {
    const known = facts[index];
    return known === undefined ? state : reconcile(state, group, known, emit);
  }, recorded);
}

function handle<K extends EventKind>(state: State, event: EventOf<K>, emit: Emit): State {
  const handler = handlers[event.kind] as (state: State, event: EventOf<K>, emit: Emit) => State;
  return handler(state, event, emit);
}

const handlers: Handlers = {
  'time-passed': (state) => state,
  'heartbeat-received': (state, event, emit) => {
    noteNeverOff(state, event.incarnation, emit);
    return receiveHeartbeat(state, event);
  },
  'heartbeat-not-understood': (state, event) => receiveUnreadable(state, event.link),
  'policy-replaced': replacePolicy,
  'link-observed': (state, event) => ({
    ...state,
    links: state.links.map((link, index) => (index === event.link ? { ...link, down: event.down } : link)),
  }),
  'carrier-observed': (state, event) => {
    if (state.carriers[event.interface]?.up === event.carrier) return state;
    const carrier = { up: event.carrier, since: state.now };
    return { ...state, carriers: { ...state.carriers, [event.interface]: carrier } };
  },
  'probe-reported': (state, event) => ({
    ...state,
    probes: state.probes.map((probe) =>
      probe.target === event.target
        ? {
            ...probe,
            last: event.result,
            lastReportAt: state.now,
            lastAnsweredAt: event.result === 'answered' ? state.now : probe.lastAnsweredAt,
            lastUnansweredAt: event.result === 'unanswered' ? state.now : probe.lastUnansweredAt,
          }
        : probe,
    ),
  }),
  'resource-observed': observeResource,
  'guest-answered': noteReady,
  'storage-observed': seeStorage,
  'disk-probed': noteDisk,
  'outdating-requested': (state, event) => {
    const group = state.groups.find(({ policy }) => policy.name === event.group);
    const resource = group?.resources.find(({ id }) => id === event.resource);
    if (group === undefined || resource === undefined) return state;
    const outdatings = [...resource.outdatings, event.id];
    return putGroup(state, putResource(group, { ...resource, outdatings }));
  },
  'lease-answered': (state, event, emit) => leaseAnswered(state, event.operation, event.answer, emit),
  'operation-finished': finish,
  'ledger-persisted': (state, event) => ({
    ...state,
    persistedRevision: Math.max(state.persistedRevision, event.revision),
    ledgerFailing: null,
  }),
  'ledger-not-persisted': (state, event, emit) => {
    emit(
      note(
        'alarm',
        'ledger-not-written',
        null,
        `the state file cannot be written: ${event.message}`,
        null,
        'free space or mend the file system of the state directory; nothing new is started until then',
      ),
    );
    return ledgerWriteFailed(state, event.message);
  },
  'operator-requested': (state, event, emit) => {
    const { state: next, answer } = answerRequest(state, event.request);
    emit({ kind: 'answer-request', id: event.id, answer });
    const asked = `operator: ${describeRequest(event.request)}`;
    emit(
      answer.kind === 'accepted'
        ? note('info', 'request-accepted', null, `${asked}: ${answer.message}`)
        : note('warning', 'request-refused', null, `${asked}: refused: ${answer.message}`, null, answer.next),
    );
    return next;
  },
  'stop-requested': (state, _event, emit) => {
    if (state.leavingSince !== null) return state;
    emit(note('info', 'stopping', null, 'the daemon was told to stop'));
    return { ...state, leavingSince: state.now };
  },
};

function describeRequest(request: EventOf<'operator-requested'>['request']): string {
  const words: Array<string | number> = [request.kind];
  if ('groups' in request) words.push(...request.groups);
  if ('node' in request) words.push(request.node);
  if ('on' in request) words.push(request.on ? 'on' : 'off');
  if ('guests' in request) words.push(`--guests ${request.guests}`);
  if ('durationMs' in request) words.push(request.durationMs > 0 ? `${request.durationMs / 1000} s` : 'off');
  return words.join(' ');
}

function replacePolicy(state: State, event: EventOf<'policy-replaced'>): State {
  const groups = state.groups.map((group) => {
    const policy = event.policy.groups.find(({ name }) => name === group.policy.name);
    return policy === undefined ? group : withGuestsOf(group, policy);
  });
  return { ...state, policy: event.policy, groups };
}

function finish(state: State, event: EventOf<'operation-finished'>, emit: Emit): State {
  if (event.operation === state.fence.operation) return fenceFinished(state, event.outcome, emit);
  if (event.operation === state.watchdog.operation) return watchdogFinished(state, event.outcome, emit);
  for (const group of state.groups) {
    const resource = group.resources.find(({ operation }) => operation?.id === event.operation);
    const policy = group.policy.resources.find(({ id }) => id === resource?.id);
    if (resource?.operation == null || policy === undefined) continue;
    const { action, since } = resource.operation;
    const ended = finishOperation(resource, policy, event.outcome, state.now);
    const tookMs = state.now - since;
    if (event.outcome.kind === 'done') {
      emit(note('info', 'operation-done', group, `${action} ${resource.id}`, tookMs));
    } else {
      const message = `${action} ${resource.id}: ${event.outcome.kind}: ${event.outcome.message}`;
      emit(note('warning', 'operation-failed', group, message, tookMs));
    }
    if (ended.quarantined !== null && resource.quarantined === null) {
      emit(quarantineNote(group, resource.id, ended.quarantined));
    }
    return putGroup(state, putResource(group, ended));
  }
  return state;
}

function endMaintenance(state: State, emit: Emit): State {
  if (state.maintenanceUntil === null || state.now < state.maintenanceUntil) return state;
  emit(
    note('info', 'maintenance-ended', null, 'the time of maintenance is up: groups are looked after again'),
  );
  return { ...state, maintenanceUntil: null };
}

function paceProbes(state: State, emit: Emit): State {
  const paces = wantedPaces(state);
  if (isSame(paces, state.paces)) return state;
  emit({ kind: 'pace-probes', paces });
  return { ...state, paces };
}

/** Heartbeats go out at every keepalive, and at once when what they say has changed or a newcomer is to be met. */
function sendHeartbeat(state: State, emit: Emit): State {
  const content = ownContent(state);
  const isDue = state.now >= state.nextHeartbeatAt;
  const { incarnation, proven, unprovenHeardAt } = state.peer;
  const meetsNewcomer = incarnation !== null && !proven && unprovenHeardAt === state.now;
  const isNews = !isSame(content, state.sentContent);
  if (!isDue && !isNews && !meetsNewcomer) return state;
  return transmit(state, isNews ? content : (state.sentContent ?? content), emit);
}

function transmit(state: State, content: HeartbeatContent, emit: Emit): State {
  const sequence = state.sequence + 1;
  const echo = state.peer.stranger ?? newestHeard(state);
  emit({ kind: 'send-heartbeat', sequence, echo, content });
  return {
    ...state,
    peer: { ...state.peer, stranger: null },
    sequence,
    sent: [...state.sent.slice(1 - sentMemory), { sequence, at: state.now }],
    sentContent: content,
    maintenanceSequence: content.maintenanceMinutes === 0 ? null : (state.maintenanceSequence ?? sequence),
    nextHeartbeatAt: state.now + state.policy.timings.keepaliveMs,
  };
}

/** The newest packet of the peer's present run, of those that have come in this run of ours. */
function newestHeard({ peer, links }: State): Echo | null {
  const { incarnation, lastSequence, lastHeardAt, unprovenHeardAt } = peer;
  if (incarnation === null || (lastHeardAt === null && unprovenHeardAt === null)) return null;
  return { incarnation, sequence: Math.max(lastSequence, ...links.map((link) => link.lastSequence)) };
}

/** A node that leaves lets go of everything first, says so, has it on disk, and is gone. */
function leave(state: State, emit: Emit): State {
  if (state.leavingSince === null || state.goodbyes > 0) return state;
  if (state.maintenanceUntil !== null) {
    letGoOfSafeguards(state, isLeftAlone(state), emit);
    emit({ kind: 'exit' });
    return { ...state, goodbyes: 1 };
  }
  const content = ownContent(state);
  const unsettled = state.groups.some(
    ({ phase }) =>
      phase.kind === 'stopping' ||
      phase.kind === 'active' ||
      phase.kind === 'starting' ||
      phase.kind === 'frozen',
  );
  if (!unsettled && isUnknownForLong(state)) {
    emit({ kind: 'exit' }); // Without a goodbye: what runs here could not be told.
    return { ...state, goodbyes: 1 };
  }
  if (unsettled || !holdsNothing(content) || state.persistedRevision < state.ledgerRevision) return state;
  let next = state;
  letGoOfSafeguards(state, true, emit);
  for (let count = 0; count < goodbyes; count += 1) next = transmit(next, content, emit);
  emit({ kind: 'exit' });
  return { ...next, goodbyes };
}

/** A departing node does not wait for ever for a driver that cannot tell what runs. */
function isUnknownForLong(state: State): boolean {
  const sinceMs = state.now - (state.leavingSince ?? state.now);
  return sinceMs > unknownPatienceMs && state.groups.some(({ phase }) => phase.kind === 'observing');
}

/** When the core must be told that time has passed, whatever else happens: never later than the next heartbeat. */
function nextWake(state: State): MonotonicMs {
  const { now, peer, fence, lease, watchdog } = state;
  const { timings, fencing } = state.policy;
  const heard = peer.lastHeardAt ?? state.startedAt;
  const patience = patienceMs(state);
  let wakeAt = state.nextHeartbeatAt;
  const consider = (at: MonotonicMs | null) => {
    if (at !== null && at > now && at < wakeAt) wakeAt = at;
  };
  for (const afterMs of [timings.warntimeMs, timings.freezeAfterMs, patience, timings.takeoverAfterMs]) {
    consider(heard + afterMs + peer.forgivenMs);
  }
  consider((peer.contactAt ?? state.startedAt) + timings.freezeAfterMs);
  consider(heard + patience + peer.forgivenMs + (fencing?.delayMs ?? 0));
  consider(leaseProvesAt(state));
  for (const at of [fence.retryAt, lease.nextAt, lease.validUntil, watchdog.retryAt]) consider(at);
  for (const { resources } of state.groups) for (const { retryAt } of resources) consider(retryAt);
  consider(state.persistRetryAt);
  consider(state.maintenanceUntil);
  return wakeAt;
}
