// Whether a name and a password are in a file of htpasswd. It is much work on purpose, so only a process of its own may
// load this: `battito web login`.

import { compareSync } from 'bcryptjs';
import { readHtpasswd, workFor } from './htpasswd.ts';
import { hashOf } from './sessions.ts';
import type { FileTrouble } from './tokens.ts';

export type PasswordChecked =
  /** `proof`: of the hash that it fits, so that a login ends with it. */
  | { readonly kind: 'right'; readonly proof: string }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'unusable'; readonly trouble: FileTrouble };

export function checkPassword(path: string, name: string, password: string): PasswordChecked {
  const { entries, trouble } = readHtpasswd(path);
  if (entries.length === 0 && trouble !== null) return { kind: 'unusable', trouble };
  const { entry, hashes } = workFor(entries, name);
  const [fits] = hashes.map((hash) => compareSync(password, hash));
  if (entry === null || fits !== true || password === '') return { kind: 'wrong' };
  return { kind: 'right', proof: hashOf(entry.hash).toString('hex') };
}
