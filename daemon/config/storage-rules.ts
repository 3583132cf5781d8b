// Rules between the disks of the file: resources, what is mounted, what guests write to, in all groups together.

import { posix } from 'node:path';
import { at, type Claim, claim, itemsAt, mappingAt, repeated } from './claims.ts';
import type { Finding, Path } from './document.ts';
import { formatPath } from './problem.ts';

export function checkStorage(file: unknown): Finding[] {
  const groups = Object.keys(mappingAt(file, 'groups'));
  const under = (key: string) => groups.flatMap((name) => itemsAt(file, 'groups', name, key));
  const filesystems = under('filesystems');
  const normal = (path: Path) => claim(file, path, [], posix.normalize);
  const devices = filesystems.map(([path]) => normal([...path, 'device']));
  const disks = under('guests').map(([path, guest]) =>
    normal(typeof at(guest, 'disk') === 'string' ? [...path, 'disk'] : [...path, 'disk', 'file']),
  );
  const mounts = filesystems.map(([path]) => normal([...path, 'mount']));
  return [
    ...repeated(
      under('drbd').map(([path]) => claim(file, path)),
      'each DRBD resource in one group, once',
    ),
    // A guest that writes past a file system to the device under it destroys it.
    ...repeated([...devices, ...disks], 'each disk to be mounted once, or to belong to one guest'),
    ...repeated(mounts, 'each file system to have its own mount point'),
    ...nested(mounts),
  ];
}

/** One mount under another hides in it, and is hidden by it, unless it comes later, by the same hand. */
function nested(mounts: readonly Claim[]): Finding[] {
  const expected = 'a file system under another one to come after it, in the same group';
  return mounts.flatMap((inner, index): Finding[] => {
    const above = mounts.filter(({ same }) => same !== '' && inner.same.startsWith(`${same}/`));
    const wrong = above.find((outer) => outer.path[1] !== inner.path[1] || mounts.indexOf(outer) > index);
    if (wrong === undefined) return [];
    const message = `is under ${wrong.same}, which is ${formatPath(wrong.path)}; expected ${expected}`;
    return [{ path: inner.path, message: `${inner.same} ${message}`, expected }];
  });
}
