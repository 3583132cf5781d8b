// Places in the directory tree, compared as paths and not as texts: /srv//r1/ is /srv/r1, which is not within /srv/r.
// Pure: of links nothing is known here.

import { posix } from 'node:path';

/** Without what changes nothing: `//`, `/./`, a slash at the end; and with `..` carried out. */
export function normalPath(path: string): string {
  return posix.join(path, '.').replace(/(?<=.)\/$/, '');
}

/** Whether an absolute path is below a directory, at whatever depth; a directory is not within itself. */
export function isWithin(path: string, directory: string): boolean {
  const outer = componentsOf(directory);
  const inner = componentsOf(path);
  return inner.length > outer.length && outer.every((name, depth) => name === inner[depth]);
}

const componentsOf = (path: string) => normalPath(path).split('/').filter(Boolean);
