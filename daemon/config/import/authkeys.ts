// Reads authkeys of Heartbeat (parse_authfile in its heartbeat/auth.c) to say what it was worth. A key of it is never
// taken over, and is in no message.

import type { Place, Problems, SourceLine } from './source.ts';

/** What packets were signed with. */
export interface AuthMethod {
  readonly method: 'crc' | 'md5' | 'sha1';
  readonly place: Place;
}

const methods = ['crc', 'md5', 'sha1'] as const;

export function parseAuthkeys(lines: readonly SourceLine[], problems: Problems): AuthMethod | null {
  const known = new Map<string, AuthMethod>();
  let used: { readonly number: string; readonly place: Place } | null = null;
  for (const { place, text } of lines) {
    const [first = '', second, ...key] = text.trim().split(/\s+/);
    if (first === '' || first.startsWith('#')) continue;
    if (first === 'auth' && second !== undefined && /^[0-9]+$/.test(second)) {
      used ??= { number: second, place };
      continue;
    }
    if (!/^[0-9]+$/.test(first) || second === undefined) {
      problems.add(place, 'expected "auth NUMBER" or "NUMBER crc|md5|sha1 KEY"');
      continue;
    }
    const method = methods.find((name) => name === second);
    if (method === undefined) problems.add(place, `expected crc, md5 or sha1 after the number ${first}`);
    else if (method !== 'crc' && key.length === 0) problems.add(place, `${method} needs a key behind it`);
    else known.set(first, { method, place });
  }
  if (used === null) {
    const last = lines.at(-1);
    problems.add(last?.place ?? null, 'there is no line "auth NUMBER" in this file');
    return null;
  }
  const found = known.get(used.number);
  if (found === undefined) problems.add(used.place, `there is no key with the number ${used.number}`);
  return found ?? null;
}
