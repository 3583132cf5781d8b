// The names and passwords of those who may act: a file as `htpasswd -B` of apache2-utils writes it, read anew each time.
// Guarantees: only bcrypt is taken, whatever else is there is named; the work for a name that nobody has is that for any
// other. Must not: say or log a hash, or what stands in its place.

import { readPrivateFile } from '../../config/private-file.ts';
import { BattitoError } from '../../errors.ts';
import type { FileTrouble } from './tokens.ts';

export interface Entry {
  readonly name: string;
  readonly hash: string;
  /** Of bcrypt: 2^cost rounds. */
  readonly cost: number;
}

export interface Htpasswd {
  readonly entries: readonly Entry[];
  readonly trouble: FileTrouble | null;
}

/** Each attempt of a stranger costs a core as much as this; 14 is about a second. */
const costMax = 14;
const namedMax = 5;
const bcryptPattern = /^\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./0-9A-Za-z]{53}$/;
/** Nothing in it can end a line, or do anything to a terminal. */
const linePattern = /^([^:\s\p{C}](?:[^:\p{C}]{0,253}[^:\s\p{C}])?):(\S+)$/u;

/** By how they begin, as crypt(5) and the documents of Apache have them. */
const otherKinds: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/^\$apr1\$/, 'MD5 of Apache'],
  [/^\$1\$/, 'MD5'],
  [/^\{SHA\}/i, 'SHA-1'],
  [/^\{SSHA\}/i, 'salted SHA-1'],
  [/^\$5\$/, 'SHA-256'],
  [/^\$6\$/, 'SHA-512'],
  [/^\$g?y\$/, 'yescrypt'],
  [/^\$7\$/, 'scrypt'],
  [/^\$argon2/, 'Argon2'],
  [/^\$2/, 'bcrypt, but damaged'],
  [/^[./0-9A-Za-z]{13}$/, 'DES crypt'],
];

/** Never throws. A file with a fault may still have entries without one. */
export function readHtpasswd(path: string): Htpasswd {
  const make = `(umask 077; htpasswd -B -C 10 -c ${path} NAME)`;
  try {
    const words = { code: 'web-htpasswd', what: 'password file', missing: make, other: make } as const;
    return parseHtpasswd(path, readPrivateFile(path, words).text);
  } catch (error) {
    const known = error instanceof BattitoError ? error : null;
    const message = known?.message ?? `${path} cannot be read`;
    return { entries: [], trouble: { code: 'web-htpasswd', message, mend: known?.next ?? make } };
  }
}

export function parseHtpasswd(path: string, text: string): Htpasswd {
  const entries: Entry[] = [];
  const refused: (readonly [name: string, why: string])[] = [];
  const faults: FileTrouble[] = [];
  const fault = (message: string, mend: string) => faults.push({ code: 'web-htpasswd', message, mend });
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [, name, hash] = linePattern.exec(line) ?? [];
    const where = `line ${index + 1} of ${path}`;
    if (name === undefined || hash === undefined) {
      fault(`${where} is not NAME:HASH`, `edit ${where}: htpasswd writes NAME:HASH`);
      continue;
    }
    if (entries.some((one) => one.name === name) || refused.some(([one]) => one === name)) {
      fault(`${where} gives ${name} a second time`, `edit ${where}: take it out, or the other one`);
      continue;
    }
    const cost = Number(bcryptPattern.exec(hash)?.[1] ?? 0);
    if (cost >= 4 && cost <= costMax) entries.push({ name, hash, cost });
    else refused.push([name, cost > 0 ? `bcrypt of cost ${cost}, more than ${costMax}` : kindOf(hash)]);
  }
  const [first] = refused;
  if (first !== undefined) {
    const named = refused.slice(0, namedMax).map(([name, why]) => `${name} (${why})`);
    const more = refused.length > namedMax ? ` and ${refused.length - namedMax} more` : '';
    fault(
      `${path}: only bcrypt is taken, so nobody gets in as ${named.join(', ')}${more}`,
      `htpasswd -B -C 10 ${path} ${shellWord(first[0])}`,
    );
  }
  if (entries.length === 0) fault(`${path} has no line NAME:HASH`, `htpasswd -B -C 10 ${path} NAME`);
  return { entries, trouble: faults[0] ?? null };
}

function kindOf(hash: string): string {
  return otherKinds.find(([pattern]) => pattern.test(hash))?.[1] ?? 'no hash, or of no known kind';
}

const shellWord = (text: string) =>
  /^[\w.@-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;

export interface Work {
  /** Null: nobody has the name, and whatever comes of the work is worth nothing. */
  readonly entry: Entry | null;
  /** To be worked through, all of them; what counts is the first. */
  readonly hashes: readonly string[];
}

/** As many rounds for every name, had by somebody or not: those of the highest cost in the file. */
export function workFor(entries: readonly Entry[], name: string): Work {
  const entry = entries.find((one) => one.name === name) ?? null;
  const highest = Math.max(...entries.map(({ cost }) => cost));
  if (entry === null) return { entry, hashes: [decoy(highest)] };
  // 2^c + 2^c + 2^(c+1) + ... + 2^(highest - 1) = 2^highest.
  const more = Array.from({ length: highest - entry.cost }, (_, index) => decoy(entry.cost + index));
  return { entry, hashes: [entry.hash, ...more] };
}

const decoy = (cost: number) => `$2y$${String(cost).padStart(2, '0')}$${'.'.repeat(53)}`;
