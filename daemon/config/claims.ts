// Looks into the plain values of the file, valid or not, for the rules between keys: what stands where, what stands
// there twice, and what names nothing.

import type { Finding, Path } from './document.ts';
import { formatPath, nearest } from './problem.ts';

/** Undefined where there is nothing. */
export function at(value: unknown, ...path: Path): unknown {
  return path.reduce<unknown>(
    (inner, segment) =>
      typeof inner === 'object' && inner !== null && Object.hasOwn(inner, segment)
        ? (inner as Record<string | number, unknown>)[segment]
        : undefined,
    value,
  );
}

/** Empty where there is none. */
export function mappingAt(value: unknown, ...path: Path): Record<string, unknown> {
  const found = at(value, ...path);
  return typeof found === 'object' && found !== null && !Array.isArray(found) ? { ...found } : {};
}

function listAt(value: unknown, ...path: Path): unknown[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}

/** The values under a list, with their paths. */
export function itemsAt(value: unknown, ...path: Path): [Path, unknown][] {
  return listAt(value, ...path).map((item, index) => [[...path, index], item]);
}

/** A value that must be the only one of its kind; `same` is what is compared. */
export interface Claim {
  readonly path: Path;
  readonly same: string;
}

export function claim(root: unknown, path: Path, prefix: Path = [], change = (text: string) => text): Claim {
  const value = at(root, ...path);
  return { path: [...prefix, ...path], same: typeof value === 'string' ? change(value) : '' };
}

/** A finding for each claim that an earlier one has made already; an empty claim claims nothing. */
export function repeated(claims: readonly Claim[], expected: string): Finding[] {
  const first = new Map<string, Path>();
  return claims.flatMap(({ path, same }): Finding[] => {
    const earlier = first.get(same);
    if (earlier === undefined) {
      first.set(same, path);
      return [];
    }
    if (same === '') {
      return [];
    }
    return [{ path, message: `the same as ${formatPath(earlier)}; expected ${expected}`, expected }];
  });
}

export interface UnknownName {
  readonly path: Path;
  readonly target: 'key' | 'value';
  readonly name: string;
  /** The names that there are. */
  readonly names: readonly string[];
  readonly expected: string;
}

/** A name of something that does not exist; the nearest one that does is suggested. */
export function unknownName({ path, target, name, names, expected }: UnknownName): Finding {
  const suggestion = nearest(name, names);
  const hint = suggestion === undefined ? '' : `; did you mean "${suggestion}"?`;
  const message = `expected ${expected}, found ${JSON.stringify(name)}${hint}`;
  return { path, target, message, expected, ...(suggestion === undefined ? {} : { suggestion }) };
}
