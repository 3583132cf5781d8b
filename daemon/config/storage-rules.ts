// Rules between the disks of the file: resources, what is mounted, what guests write to, in all groups together.

import { posix } from 'node:path';
import { at, claim, itemsAt, mappingAt, repeated } from './claims.ts';
import type { Finding, Path } from './document.ts';

export function checkStorage(file: unknown): Finding[] {
  const groups = Object.keys(mappingAt(file, 'groups'));
  const under = (key: string) => groups.flatMap((name) => itemsAt(file, 'groups', name, key));
  const filesystems = under('filesystems');
  const normal = (path: Path) => claim(file, path, [], posix.normalize);
  const devices = filesystems.map(([path]) => normal([...path, 'device']));
  const disks = under('guests').map(([path, guest]) =>
    normal(typeof at(guest, 'disk') === 'string' ? [...path, 'disk'] : [...path, 'disk', 'file']),
  );
  return [
    ...repeated(
      under('drbd').map(([path]) => claim(file, path)),
      'each DRBD resource in one group, once',
    ),
    // A guest that writes past a file system to the device under it destroys it.
    ...repeated([...devices, ...disks], 'each disk to be mounted once, or to belong to one guest'),
    ...repeated(
      filesystems.map(([path]) => normal([...path, 'mount'])),
      'each file system to have its own mount point',
    ),
  ];
}
