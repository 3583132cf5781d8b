// What of a mirrored disk needs a person. A pure reading of the state.

import { mendDisk } from '../core/observations.ts';
import type { ResourceState } from '../core/resource.ts';
import type { State } from '../core/state.ts';
import type { Attention } from './api.ts';
import { item } from './attention-item.ts';

export function attentionOfStorage(state: State, resource: ResourceState): readonly Attention[] {
  const { diskTrouble } = resource;
  const ofDisk =
    diskTrouble === null ? [] : [item('alarm', 'disk-trouble', diskTrouble, mendDisk(state, resource))];
  return [...ofDisk, ...ofMirror(state, resource)];
}

/** A mirror that is not whole. */
function ofMirror(
  { policy, verdict }: State,
  { id, storage, splitTold }: ResourceState,
): readonly Attention[] {
  if (storage === null || storage.connection === 'unknown') return [];
  const name = id.replace('drbd:', '');
  const left = storage.resync === null ? '' : `, ${storage.resync.percent} % done`;
  if (splitTold) {
    const message = `the two copies of ${id} may have parted: they are not connected any more`;
    return [item('alarm', 'storage-standalone', message, `battito drbd resolve ${name}`)];
  }
  if (storage.connection !== 'connected') {
    if (verdict.kind !== 'alive') return []; // That the peer is not there is said already.
    const message = `${id} is not connected to its mirror on ${policy.peer}`;
    return [
      item('warning', 'unmirrored', message, `mend the network between the disks; drbdadm status ${name}`),
    ];
  }
  if (storage.resync === null) return [];
  const to = storage.resync.direction === 'source' ? policy.peer : policy.self;
  const message = `${id} is being copied to ${to}${left}; until then nothing protects it`;
  return [item('warning', 'resync', message, 'wait; `battito status` shows how far it is')];
}
