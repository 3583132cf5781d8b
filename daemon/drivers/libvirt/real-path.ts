// What a path leads to. Only looks.

import { readlink, realpath, stat } from 'node:fs/promises';
import path from 'node:path';

/** As many as Linux follows in one path (path_resolution(7)). */
const linksMax = 40;

/**
 * All links resolved; of a path that is not there, those of the part that is, and those that lead to where nothing is:
 * a link onto a file system leads nowhere while that is not mounted.
 */
export async function resolved(file: string, links = linksMax): Promise<string> {
  const absolute = path.resolve(file);
  const real = await realpath(absolute).catch(() => null);
  if (real !== null) return real;
  const above = path.dirname(absolute);
  if (above === absolute) return absolute;
  const place = path.join(await resolved(above, links), path.basename(absolute));
  const target = links === 0 ? null : await readlink(place).catch(() => null);
  if (target !== null) return await resolved(path.resolve(path.dirname(place), target), links - 1);
  return place;
}

export async function isThere(file: string): Promise<boolean> {
  return await stat(file).then(
    () => true,
    () => false,
  );
}

export async function isBlockDevice(file: string): Promise<boolean> {
  return await stat(file).then(
    (stats) => stats.isBlockDevice(),
    () => false,
  );
}
