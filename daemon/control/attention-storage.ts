// What of a mirrored disk needs a person. A pure reading of the state, and of what its driver knows besides.

import type { Disk } from '../core/events.ts';
import { afterLostNewest, hasLostNewest, mendDisk } from '../core/observations.ts';
import { drbdNameOf, type ResourceState } from '../core/resource.ts';
import type { State } from '../core/state.ts';
import { progressText } from '../drivers/drbd/progress.ts';
import type { Attention } from './api.ts';
import { item } from './attention-item.ts';
import { progressOf, type StorageNote } from './storage.ts';

export function attentionOfStorage(
  state: State,
  resource: ResourceState,
  note: StorageNote | undefined,
): readonly Attention[] {
  const { diskTrouble } = resource;
  const ofDisk =
    diskTrouble === null ? [] : [item('alarm', 'disk-trouble', diskTrouble, mendDisk(state, resource))];
  return [...ofDisk, ...ofMirror(state, resource, note)];
}

const isHalf = (disk: Disk) => disk === 'inconsistent' || disk === 'diskless';

/** A mirror that is not whole, or not to be seen. */
function ofMirror(
  { policy, verdict }: State,
  resource: ResourceState,
  note: StorageNote | undefined,
): readonly Attention[] {
  const { id, storage, splitTold } = resource;
  const name = drbdNameOf(id);
  // Before the first look nothing is wrong yet.
  const trouble = note?.trouble ?? null;
  if (trouble !== null && trouble.code !== 'drbd-not-read-yet') {
    const severity = trouble.code === 'drbd-resource-not-up' ? 'warning' : 'alarm';
    return [item(severity, 'storage-not-seen', `${id}: ${trouble.what}`, trouble.next)];
  }
  if (storage === null || storage.connection === 'unknown') return [];
  if (hasLostNewest(resource)) {
    const { self, peer, groups } = policy;
    const group = groups.find(({ resources }) => resources.some((one) => one.id === id))?.name ?? '';
    const message = `${id} has no disk on ${self} any more, and is not connected to the copy on ${peer}, which may lack what was written last`;
    return [item('alarm', 'storage-standalone', message, afterLostNewest(group, self, peer))];
  }
  if (splitTold) {
    const message = `the two copies of ${id} may have parted: they are not connected any more`;
    return [item('alarm', 'storage-standalone', message, `battito drbd resolve ${name}`)];
  }
  if (storage.connection !== 'connected') {
    if (verdict.kind !== 'alive') return []; // That the peer is not there is said already.
    const message = `${id} is not connected to its mirror on ${policy.peer}`;
    const next = `mend the network between the disks, and compare the addresses in /etc/drbd.d on both nodes; drbdadm status ${name}`;
    return [item('warning', 'unmirrored', message, next)];
  }
  if (isHalf(storage.disk) && isHalf(storage.peerDisk)) {
    const { self, peer } = policy;
    const message = `neither copy of ${id} is whole: ${storage.disk} on ${self}, ${storage.peerDisk} on ${peer}`;
    const next = `mend the disk that had the whole copy, then \`drbdadm attach ${name}\` there; if it is lost, \`drbdadm primary --force ${name}\` on one node makes its copy count as it is: restore ${name} from a backup then`;
    return [item('alarm', 'no-whole-copy', message, next)];
  }
  const progress = progressOf(storage, note?.resync ?? null);
  if (progress === null) return [];
  const to = progress.direction === 'source' ? policy.peer : policy.self;
  const message = `${id} is being copied to ${to}, ${progressText(progress)}; until then nothing protects it`;
  return [item('warning', 'resync', message, 'wait; `battito status` shows how far it is')];
}
