// What is said of mirrored disks: what stands in the way of seeing them, how far a resync is and how long it will take,
// and, where the daemon refuses something because of them, which one it is and in what state. Pure.

import type { RequestAnswer, StorageStatus } from '../core/events.ts';
import { drbdNameOf } from '../core/resource.ts';
import { stateText } from '../drivers/drbd/failure.ts';
import type { DrbdDetail, ResyncProgress, Trouble } from '../drivers/drbd/types.ts';
import type { GroupView, OperatorRequest, ResourceView, Status } from './api.ts';

/** What the drivers know of a resource that the core has no use for. */
export interface StorageNote {
  /** Why nothing, or nothing good, can be said of it. */
  readonly trouble: Trouble | null;
  readonly resync: ResyncProgress | null;
  /** Of a copy that is not connected: what its peer lacks of it. Null: connected, or not known. */
  readonly changedKib: number | null;
  readonly standsAlone: DrbdDetail['standsAlone'];
}

/** By the resource's id, e.g. `drbd:r0`. */
export type StorageNotes = ReadonlyMap<string, StorageNote>;

/** The measured progress; without one the percent alone, which DRBD says more often. */
export function progressOf(storage: StorageStatus, measured: ResyncProgress | null): ResyncProgress | null {
  if (storage.resync === null) return null;
  return measured ?? { ...storage.resync, leftKib: null, leftS: null };
}

/** `r0: its disk is Inconsistent, the peer's is UpToDate, connected, resync at 12 %, 3.4 GiB left at 12 MiB/s, about 5 min`. */
export function storageText(
  id: string,
  storage: StorageStatus | null,
  measured: ResyncProgress | null,
): string {
  if (storage === null) return `${drbdNameOf(id)}: its state has not been read yet`;
  return `${drbdNameOf(id)}: ${stateText({ storage }, progressOf(storage, measured))}`;
}

const isWhole = ({ storage, trouble }: ResourceView) =>
  trouble === null &&
  storage !== null &&
  storage.disk === 'up-to-date' &&
  (storage.connection !== 'connected' || storage.peerDisk === 'up-to-date');

/** Of these groups' mirrored disks those that are not up to date on both sides, or not seen; '' where all are. */
export function disksInTheWay(groups: readonly GroupView[]): string {
  return groups
    .flatMap(({ resources }) => resources)
    .filter((resource) => resource.kind === 'drbd' && !isWhole(resource))
    .map(({ id, storage, resync, trouble }) =>
      trouble === null ? storageText(id, storage, resync) : `${drbdNameOf(id)}: ${trouble.what}`,
    )
    .join('; ');
}

/** A refusal to move or to start groups, with the disks that may be why. */
export function withDisks(answer: RequestAnswer, wish: OperatorRequest, status: () => Status): RequestAnswer {
  if (answer.kind !== 'refused') return answer;
  if (wish.kind !== 'takeover' && wish.kind !== 'handover' && wish.kind !== 'accept-data') return answer;
  const { groups } = status();
  const meant = groups.filter(({ name }) => wish.groups.length === 0 || wish.groups.includes(name));
  const unnamed = meant.map((group) => ({
    ...group,
    resources: group.resources.filter(({ id }) => !answer.message.includes(id)),
  }));
  const disks = disksInTheWay(unnamed);
  return disks === '' ? answer : { ...answer, message: `${answer.message} (${disks})` };
}
