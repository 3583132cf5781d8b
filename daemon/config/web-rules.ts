// Rules between the keys of `web`: what others reach is encrypted, and it does not take a port that is taken.

import { at } from './claims.ts';
import type { Finding } from './document.ts';
import { isLoopback, parseWebListen } from './schema-web.ts';

/** Whoever can read the wire would have the token, or could answer in the place of this host. */
export function checkWeb(file: unknown): Finding[] {
  const given = at(file, 'web', 'listen');
  const listen = typeof given === 'string' ? parseWebListen(given) : undefined;
  if (listen === undefined || isLoopback(listen.address) || at(file, 'web', 'tls') !== undefined) return [];
  const expected = 'tls beside it, or an address of this host alone such as 127.0.0.1:8694';
  const message = `other hosts reach ${given} and nothing is encrypted; expected ${expected}`;
  return [{ path: ['web', 'listen'], message, expected }];
}
