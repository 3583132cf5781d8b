// The tokens of those who may act: lines name=token of a file for root alone, read anew each time.
// Must not: say or log a token.

import { readSecrets } from '../../drivers/fence/secrets.ts';

/** What is wrong with a file of logins. `mend`: the command that does. */
export interface FileTrouble {
  readonly code: 'web-tokens' | 'web-htpasswd';
  readonly message: string;
  readonly mend: string;
}

export interface Tokens {
  readonly tokens: readonly (readonly [name: string, token: string])[];
  readonly trouble: FileTrouble | null;
}

const tokenLengthMin = 22;

/** Never throws. A file with a fault may still have tokens without one. */
export function readTokens(path: string): Tokens {
  const read = readSecrets(path);
  const trouble = (message: string, mend: string): FileTrouble => ({ code: 'web-tokens', message, mend });
  if (read.kind === 'unusable') return { tokens: [], trouble: trouble(read.message, read.mend) };
  const all = Object.entries(read.options);
  const short = all.filter(([, token]) => token.length < tokenLengthMin).map(([name]) => name);
  const tokens = all.filter(([name]) => !short.includes(name));
  const mend = `echo "NAME=$(openssl rand -hex 16)" >> ${path}`;
  if (short.length > 0) {
    const message = `${path}: shorter than ${tokenLengthMin} characters: the token of ${short.join(', ')}`;
    return { tokens, trouble: trouble(message, mend) };
  }
  if (tokens.length === 0) return { tokens, trouble: trouble(`${path} has no line name=token`, mend) };
  return { tokens, trouble: null };
}
