// Mirrored disks, as this node's DRBD shows them. What has not been seen yet has no sample but battito_drbd_seen.

import type { ResourceView } from '../../control/api.ts';
import type { Disk, StorageStatus } from '../../core/events.ts';
import { bytesOfKib, every, type Family, gauge, type Labels, oneOf, type Point, seconds } from '../family.ts';
import type { MetricsSource } from '../metrics.ts';
import { nameOf } from './groups.ts';

const roles = every<StorageStatus['role']>({ primary: true, secondary: true, unknown: true });
const disks = every<Disk>({
  'up-to-date': true,
  consistent: true,
  outdated: true,
  inconsistent: true,
  diskless: true,
  unknown: true,
});
const connections = every<StorageStatus['connection']>({
  connected: true,
  connecting: true,
  standalone: true,
  unknown: true,
});

interface Mirror extends ResourceView {
  readonly labels: Labels;
}

export function storageFamilies({ status }: MetricsSource): readonly Family[] {
  const { self, peer, groups } = status;
  const mirrors: readonly Mirror[] = groups.flatMap(({ name, resources }) =>
    resources
      .filter(({ kind }) => kind === 'drbd')
      .map((resource) => ({ ...resource, labels: { group: name, resource: nameOf(resource) } })),
  );
  const each = (value: (mirror: Mirror) => number | boolean | null): readonly Point[] =>
    mirrors.map((mirror) => [mirror.labels, value(mirror)]);
  const seen = (points: (storage: StorageStatus, labels: Labels) => readonly Point[]) =>
    mirrors.flatMap(({ storage, labels }) => (storage === null ? [] : points(storage, labels)));
  const on = (node: { readonly name: string }, labels: Labels) => ({ ...labels, node: node.name });
  return [
    gauge(
      'battito_drbd_seen',
      'Whether the state of the mirrored disk has been read.',
      each(({ storage }) => storage !== null),
    ),
    gauge(
      'battito_drbd_role',
      'The role of the disk on each node: 1 for the one that it has.',
      seen((storage, labels) => [
        ...oneOf('role', roles, storage.role, on(self, labels)),
        ...oneOf('role', roles, storage.peerRole, on(peer, labels)),
      ]),
    ),
    gauge(
      'battito_drbd_disk_state',
      "The state of each node's copy: 1 for the one that it is in.",
      seen((storage, labels) => [
        ...oneOf('state', disks, storage.disk, on(self, labels)),
        ...oneOf('state', disks, storage.peerDisk, on(peer, labels)),
      ]),
    ),
    gauge(
      'battito_drbd_connection_state',
      'The connection between the copies: 1 for what it is.',
      seen((storage, labels) => oneOf('state', connections, storage.connection, labels)),
    ),
    gauge(
      'battito_drbd_io_suspended',
      'Whether IO on the disk is held back.',
      seen((storage, labels) => [[labels, storage.suspended !== 'no']]),
    ),
    gauge(
      'battito_drbd_in_sync',
      'Whether both copies are connected and up to date.',
      seen((storage, labels) => [[labels, inSync(storage)]]),
    ),
    gauge(
      'battito_drbd_resync_ratio',
      'How far the resync is, 0 to 1; a disk that is not resynced has no sample.',
      mirrors.map(({ resync, labels }) => [
        { ...labels, direction: resync?.direction ?? '' },
        resync === null ? null : resync.percent / 100,
      ]),
    ),
    gauge(
      'battito_drbd_resync_remaining_seconds',
      'How long the resync will take, by its pace so far.',
      each(({ resync }) => resync?.leftS ?? null),
    ),
    gauge(
      'battito_drbd_out_of_sync_bytes',
      'How much the copies differ in, at most; one that is not known has no sample.',
      each(outOfSync),
    ),
    gauge(
      'battito_drbd_split_brain',
      'Whether DRBD has found that both copies were written to apart.',
      each(({ storage, apart }) => (storage === null ? null : apart?.standsAlone === 'split-brain')),
    ),
    gauge(
      'battito_drbd_alone_seconds',
      'For how long this node has written without its mirror, or did; one that did not has no sample.',
      each(({ apart }) => seconds(apart?.aloneForMs ?? null)),
    ),
    gauge(
      'battito_drbd_trouble',
      'Whether nothing, or nothing good, is seen of the disk.',
      each(({ trouble }) => trouble !== null),
    ),
  ];
}

const inSync = ({ connection, disk, peerDisk }: StorageStatus) =>
  connection === 'connected' && disk === 'up-to-date' && peerDisk === 'up-to-date';

function outOfSync({ storage, resync, apart }: Mirror): number | null {
  if (storage === null) return null;
  if (inSync(storage)) return 0;
  return bytesOfKib(resync?.leftKib ?? apart?.changedKib ?? null);
}
