// Rules between the disks of the file: resources, what is mounted, what guests write to, in all groups together.

import { at, type Claim, claim, itemsAt, mappingAt, repeated } from './claims.ts';
import type { Finding, Path } from './document.ts';
import { isWithin, normalPath } from './paths.ts';
import { formatPath } from './problem.ts';

export function checkStorage(file: unknown): Finding[] {
  const groups = Object.keys(mappingAt(file, 'groups'));
  const under = (key: string) => groups.flatMap((name) => itemsAt(file, 'groups', name, key));
  const filesystems = under('filesystems');
  const guests = under('guests');
  const normal = (path: Path) => claim(file, path, [], normalPath);
  const devices = filesystems.map(([path]) => normal([...path, 'device']));
  const disks = guests.map(([path, guest]) =>
    normal(typeof at(guest, 'disk') === 'string' ? [...path, 'disk'] : [...path, 'disk', 'file']),
  );
  const serials = guests.map(([path]) => normal([...path, 'serial']));
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
    ...foreign(file, disks, mounts, 'disk'),
    ...foreign(file, serials, mounts, 'serial file'),
  ];
}

const groupOf = ({ path }: Claim) => String(path[1]);

/** One mount under another hides in it, and is hidden by it, unless it comes later, by the same hand. */
function nested(mounts: readonly Claim[]): Finding[] {
  const expected = 'a file system under another one to come after it, in the same group';
  return mounts.flatMap((inner, index): Finding[] => {
    const above = mounts.filter(({ same }) => same !== '' && isWithin(inner.same, same));
    const wrong = above.find((outer) => groupOf(outer) !== groupOf(inner) || mounts.indexOf(outer) > index);
    if (wrong === undefined) return [];
    const message = `is under ${wrong.same}, which is ${formatPath(wrong.path)}; expected ${expected}`;
    return [{ path: inner.path, message: `${inner.same} ${message}`, expected }];
  });
}

/**
 * A file in a file system of another group is there only where that group runs: its guest would not start elsewhere,
 * and where both run it would keep the other group's file system from being unmounted.
 */
function foreign(file: unknown, files: readonly Claim[], mounts: readonly Claim[], what: string): Finding[] {
  return files.flatMap((used): Finding[] => {
    const around = mounts.filter(
      ({ same }) => same !== '' && (used.same === same || isWithin(used.same, same)),
    );
    // Of mounts that are nested the innermost has the file.
    const [mount] = around.toSorted((a, b) => b.same.length - a.same.length);
    if (mount === undefined || groupOf(mount) === groupOf(used)) return [];
    const guest = String(at(file, ...used.path.slice(0, 4), 'name') ?? formatPath(used.path.slice(0, 4)));
    const [own, other] = [groupOf(used), groupOf(mount)];
    const expected = `a ${what} on storage of group ${own}: move it there, or guest ${guest} to group ${other}`;
    const message = `${used.same}, the ${what} of guest ${guest}, is in ${mount.same}, which is mounted only where group ${other} runs; expected ${expected}`;
    return [{ path: used.path, message, expected }];
  });
}
