// What a path leads to. Only looks.

import { realpath, stat } from 'node:fs/promises';
import path from 'node:path';

/** All links resolved; of a path that is not there, those of the part that is. */
export async function resolved(file: string): Promise<string> {
  const absolute = path.resolve(file);
  try {
    return await realpath(absolute);
  } catch {
    const above = path.dirname(absolute);
    return above === absolute ? absolute : path.join(await resolved(above), path.basename(absolute));
  }
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
