// What is seen of the groups' resources is taken in, and DRBD is answered when it asks about the peer's copy.

import type { Effect, Event, EventKind, ResourceStatus } from './events.ts';
import { factsOf } from './facts.ts';
import { isUnwritten } from './migration.ts';
import { goesAhead } from './mirror.ts';
import { note } from './notes.ts';
import type { GroupName, NodeName } from './policy.ts';
import { drbdNameOf, type ResourceState, withStatus } from './resource.ts';
import type { GroupState, State } from './state.ts';
import { peerReport, putGroup, putResource } from './state.ts';
import { goesOnAlone, isSplit, observeStorage, outdatingAnswer, storageAsResource } from './storage.ts';

type Emit = (effect: Effect) => void;
type EventOf<K extends EventKind> = Extract<Event, { readonly kind: K }>;

export function observeResource(state: State, event: EventOf<'resource-observed'>, emit: Emit): State {
  const group = state.groups.find(({ policy }) => policy.name === event.group);
  const resource = group?.resources.find(({ id }) => id === event.resource);
  if (group === undefined || resource === undefined || resource.operation !== null) return state;
  const before = resource.status;
  if (before !== null && isSameStatus(before, event.status)) return state;
  if (group.phase.kind === 'active') {
    const { kind } = event.status;
    const what = 'message' in event.status ? `${kind}: ${event.status.message}` : kind;
    emit(note('warning', 'resource-changed', group, `${event.resource} is ${what}`));
  }
  // What has come up where all is to be still is not left to the pause after an earlier attempt.
  const hasComeUp = group.phase.kind === 'frozen' && event.status.kind === 'up';
  const seen = hasComeUp ? { ...resource, retryAt: null } : resource;
  return putGroup(state, putResource(group, withStatus(seen, event.status, state.now)));
}

/** A guest is ready: those after it may start. */
export function noteReady(state: State, event: EventOf<'guest-answered'>, emit: Emit): State {
  const group = state.groups.find(({ policy }) => policy.name === event.group);
  const resource = group?.resources.find(({ id }) => id === event.resource);
  if (group === undefined || resource?.status?.kind !== 'up' || resource.readyAt !== null) return state;
  const tookMs = state.now - resource.statusSince;
  emit(note('info', 'guest-ready', group, `${resource.id} is ready`, tookMs));
  return putGroup(state, putResource(group, { ...resource, readyAt: state.now }));
}

export function seeStorage(state: State, event: EventOf<'storage-observed'>, emit: Emit): State {
  const group = state.groups.find(({ policy }) => policy.name === event.group);
  const resource = group?.resources.find(({ id }) => id === event.resource);
  if (group === undefined || resource === undefined) return state;
  const seen = putGroup(
    state,
    putResource(group, observeStorage(resource, event.storage, state.now, isUnwritten(group, resource))),
  );
  const status = storageAsResource(event.storage);
  return observeResource(seen, { ...event, kind: 'resource-observed', status }, emit);
}

/** A disk that hangs or fails while it is in use; what can be done about it only a person knows. */
export function noteDisk(state: State, event: EventOf<'disk-probed'>, emit: Emit): State {
  const group = state.groups.find(({ policy }) => policy.name === event.group);
  const resource = group?.resources.find(({ id }) => id === event.resource);
  if (group === undefined || resource === undefined || resource.diskTrouble === event.trouble) return state;
  const probed = { ...resource, diskTrouble: event.trouble };
  if (event.trouble === null)
    emit(
      note(
        'info',
        'disk-answers',
        group,
        `the disk of ${resource.id} answers again, or is not in use any more`,
      ),
    );
  else emit(note('alarm', 'disk-trouble', group, event.trouble, null, mendDisk(state, probed)));
  return putGroup(state, putResource(group, probed));
}

/**
 * Guests whose IO hangs cannot be ended, so the group is not moved before the disk has been given up; with it given up,
 * the work goes on by the peer's, and the group is handed over.
 */
export function mendDisk({ policy }: State, { id, storage }: ResourceState): string {
  const isMirrored = storage?.connection === 'connected' && storage.peerDisk === 'up-to-date';
  const name = drbdNameOf(id);
  return isMirrored
    ? `give the disk up with \`drbdadm detach --force ${name}\`: the work goes on by the copy of ${policy.peer}, which then takes the group over`
    : `mend the disk (\`dmesg\` says more); the copy of ${policy.peer} is not up to date, so nothing can go on there`;
}

/** One side gives up what it wrote: the copies come together by themselves. */
function isGivenUp(state: State, { discards, policy }: GroupState): boolean {
  const isPeerDiscarding = peerReport(state, policy.name)?.discarding === true;
  return discards || (isPeerDiscarding && state.verdict.kind === 'alive');
}

/**
 * In use here without a disk, and DRBD does not go on with the peer's copy, since it is not of the generation that its
 * users have seen here: there is nothing here that could give way, and nothing there that could be taken over as it is.
 */
export function hasLostNewest({ storage }: ResourceState): boolean {
  return storage?.role === 'primary' && storage.disk === 'diskless' && storage.connection === 'standalone';
}

/** What a person does then. `without` has lost its disk, `other` has the older copy. */
export function afterLostNewest(group: GroupName, without: NodeName, other: NodeName): string {
  return `mend the disk of ${without}; or, if what only that one has may be lost: \`systemctl stop battito\` on ${without}, then \`battito takeover --accept-data ${group}\` on ${other}`;
}

/** Says that copies may have parted, once until they are connected again. */
export function noteSplits(state: State, emit: Emit): State {
  let next = state;
  for (const group of state.groups) {
    for (const resource of group.resources) {
      if (isGivenUp(state, group) || resource.splitTold || !isSplit(resource, state.now)) continue;
      const { self, peer } = state.policy;
      const { id } = resource;
      const isLost = hasLostNewest(resource);
      const why = isLost
        ? `its disk has failed, and the copy of ${peer} may lack what was written to it last`
        : 'the two copies may have parted';
      const advice = isLost
        ? afterLostNewest(group.policy.name, self, peer)
        : `run \`battito drbd resolve ${drbdNameOf(id)}\``;
      emit(
        note('alarm', 'storage-standalone', group, `${id} has given its connection up: ${why}`, null, advice),
      );
      const now = next.groups.find(({ policy }) => policy.name === group.policy.name) ?? group;
      next = putGroup(next, putResource(now, { ...resource, splitTold: true }));
    }
  }
  return next;
}

/** DRBD's questions about the peer's copy are answered as soon as something is proven. */
export function answerOutdatings(state: State, emit: Emit): State {
  let next = state;
  for (const group of state.groups) {
    if (!goesOnAlone(state, group) || !group.resources.some(({ outdatings }) => outdatings.length > 0))
      continue;
    const answer = outdatingAnswer(state, group, factsOf(state, group).peerGone);
    if (answer === null) continue;
    for (const { outdatings } of group.resources) {
      for (const id of outdatings) emit({ kind: 'answer-outdating', id, answer });
    }
    const resources = group.resources.map((resource) => goesAhead(resource, state.now));
    next = putGroup(next, { ...group, resources });
  }
  return next;
}

function isSameStatus(a: ResourceStatus, b: ResourceStatus): boolean {
  const messageOf = (status: ResourceStatus) => ('message' in status ? status.message : null);
  return a.kind === b.kind && messageOf(a) === messageOf(b);
}
