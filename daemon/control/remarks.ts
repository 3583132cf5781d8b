// Remarks: what a node says to the people at its peer of copies that are not connected, beside what the two decide by.
// They travel in heartbeats, and no rule reads them. Pure.

import { drbdNameOf, guestNameOf, type ResourceState } from '../core/resource.ts';
import type { GroupState, State } from '../core/state.ts';
import type { DiskRemark, GroupRemarks, GroupView, GuestRemark, ResourceView } from './api.ts';
import type { StorageNote, StorageNotes } from './storage.ts';

/** What this node sees of itself beyond what its core knows. */
export interface OwnSights {
  readonly state: State;
  readonly nowMs: number;
  /** Of the mirrored disks. */
  readonly storage: StorageNotes;
  /** By the id of a guest that runs here. */
  readonly guestsUpForMs: ReadonlyMap<string, number>;
}

/** The peer's remarks of its newest heartbeat, and when that came. */
export interface HeardRemarks {
  readonly remarks: readonly GroupRemarks[];
  readonly atMs: number;
}

/** What a copy that is not connected has of its own; null: connected, or not seen yet. */
export function apartOf(
  { state, nowMs, storage: notes }: OwnSights,
  { id, storage, aheadSince }: ResourceState,
): ResourceView['apart'] {
  if (storage === null || storage.connection === 'connected') return null;
  const note: StorageNote | undefined = notes.get(id);
  return {
    standsAlone: note?.standsAlone ?? 'no',
    aloneForMs: aheadSince === null ? null : nowMs - aheadSince,
    aloneLonger: aheadSince !== null && aheadSince <= state.startedAt,
    changedKib: note?.changedKib ?? null,
  };
}

/** Of each group that has such a copy here. `look`: asked only where there is one, so that a heartbeat costs no more. */
export function ownRemarks({ groups }: State, look: () => OwnSights): readonly GroupRemarks[] {
  const parted = groups.filter(({ resources }) => resources.some(isApart));
  if (parted.length === 0) return [];
  const sights = look();
  return parted.map((group) => ({
    group: group.policy.name,
    disks: group.resources.flatMap((resource) => diskRemarks(sights, resource)),
    guests: guestRemarks(sights, group),
  }));
}

const isApart = ({ storage }: ResourceState) => storage !== null && storage.connection !== 'connected';

function diskRemarks(sights: OwnSights, resource: ResourceState): readonly DiskRemark[] {
  const { id, storage } = resource;
  const apart = apartOf(sights, resource);
  if (storage === null || apart === null) return [];
  const { role, disk, connection } = storage;
  return [{ resource: drbdNameOf(id), role, disk, connection, ...apart }];
}

function guestRemarks({ guestsUpForMs }: OwnSights, group: GroupState): readonly GuestRemark[] {
  const guests = group.policy.resources.filter(({ kind }) => kind === 'guest').map(({ id }) => id);
  return group.resources
    .filter(({ id }) => guests.includes(id))
    .map(({ id, status }) => ({
      name: guestNameOf(id),
      status: status?.kind ?? 'unknown',
      upForMs: guestsUpForMs.get(id) ?? null,
    }));
}

/** What the peer remarked of a group, and how long ago. */
export function peerRemarksOf(
  heard: HeardRemarks | null,
  group: string,
  nowMs: number,
): GroupView['peerRemarks'] {
  const found = heard?.remarks.find((remarks) => remarks.group === group);
  if (heard === null || found === undefined) return null;
  return { ageMs: nowMs - heard.atMs, disks: found.disks, guests: found.guests };
}
