// Would the work go on if the node that has it were lost now? The one place that says so, for status, page, metrics and
// messages alike. Pure.

import type { Code } from '../why/explanations.ts';
import type { GroupView, NodeView, ResourceView, Status } from './api.ts';

export interface Lack {
  /** `battito why CODE` explains it. */
  readonly code: Code;
  readonly message: string;
}

/** Everything that stands in the way of a takeover, the peer's absence first; none: the groups are protected. */
export function lacksOf(status: Omit<Status, 'unprotected'>): readonly Lack[] {
  const { self, peer, groups, tierLacks } = status;
  const gone = ofVerdict(status);
  return [
    ...gone,
    ...ofNode(self, '', status),
    // What a node said before it fell silent does not count any more.
    ...(gone.length > 0 ? [] : ofNode(peer, 'peer-', status)),
    ...groups.flatMap((group) => ofGroup(group, status)),
    ...(tierLacks === null || gone.length > 0
      ? []
      : [{ code: 'block', message: `nothing would be taken over now: ${tierLacks}` } as const]),
  ];
}

function ofVerdict({ verdict, peer, self }: Omit<Status, 'unprotected'>): readonly Lack[] {
  switch (verdict.kind) {
    case 'alive':
    case 'late':
      return [];
    case 'listening':
      return [{ code: 'peer-listening', message: `${peer.name} has not been heard yet` }];
    case 'isolated':
      return [{ code: 'isolated', message: `${self.name} is cut off` }];
    case 'departed':
      return [{ code: 'peer-departed', message: `the daemon of ${peer.name} is stopped` }];
    case 'unresponsive':
      return [{ code: 'peer-unresponsive', message: `${peer.name} does not respond` }];
    case 'dead':
    case 'fenced':
      return [{ code: `peer-${verdict.kind}`, message: `${peer.name} is ${verdict.kind}` }];
  }
}

function ofNode(node: NodeView, prefix: '' | 'peer-', { groups }: Pick<Status, 'groups'>): readonly Lack[] {
  if (groups.length === 0) return [];
  const { name } = node;
  return [
    ...(node.maintenanceMs > 0
      ? [{ code: `${prefix}maintenance`, message: `${name} is in maintenance` } as const]
      : []),
    ...(node.standby ? [{ code: `${prefix}standby`, message: `${name} is in standby` } as const] : []),
    ...(node.lan === false
      ? [{ code: `${prefix}no-lan`, message: `${name} has no working LAN` } as const]
      : []),
  ];
}

function ofGroup(group: GroupView, { self, peer, verdict }: Omit<Status, 'unprotected'>): readonly Lack[] {
  const disks = group.resources.flatMap(ofDisk);
  if (group.runsOn === null && group.phase !== 'starting')
    return [...disks, { code: 'nobody-runs-it', message: `${group.name} does not run` }];
  // Whether the other node would take it: what it says itself, or what this one knows.
  const other = group.runsOn === peer.name ? self : peer;
  const willing = other === self ? group.willing : group.peer?.willing;
  const isKnown = disks.length > 0 || other.standby || other.maintenanceMs > 0 || other.lan === false;
  return willing === false && !isKnown && (verdict.kind === 'alive' || verdict.kind === 'late')
    ? [...disks, { code: 'peer-unwilling', message: `${other.name} could not run ${group.name} now` }]
    : disks;
}

function ofDisk({ id, kind, storage, trouble, resync }: ResourceView): readonly Lack[] {
  if (kind !== 'drbd') return [];
  if (trouble !== null && storage === null)
    return [{ code: 'storage-not-seen', message: `${id} is not seen` }];
  if (storage === null || storage.connection === 'unknown') return [];
  if (storage.connection === 'standalone')
    return [{ code: 'storage-standalone', message: `the copies of ${id} are apart` }];
  if (storage.connection !== 'connected') return [{ code: 'unmirrored', message: `${id} is not mirrored` }];
  if (storage.resync !== null) {
    const percent = resync?.percent ?? storage.resync.percent;
    return [{ code: 'resync', message: `${id} is being copied, ${percent} % done` }];
  }
  return storage.disk === 'up-to-date' && storage.peerDisk === 'up-to-date'
    ? []
    : [{ code: 'unmirrored', message: `a copy of ${id} is not up to date` }];
}
