// Who may act, and how they say who they are: with a token of one file, or a name and a password of another.
// Guarantees: both files are read anew each time; wrong ones are few, from one place and, of passwords, from all together.
// A token cannot be guessed, so those who have one get in however many passwords strangers try.

import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { WebConfig } from '../../config/config.ts';
import { createAttempts, networkOf } from './attempts.ts';
import { readHtpasswd } from './htpasswd.ts';
import { createPasswords } from './passwords.ts';
import { createSessions, type Holder, hashOf, isSame, type Sessions } from './sessions.ts';
import { type FileTrouble, readTokens } from './tokens.ts';

export type Login =
  | { readonly kind: 'accepted'; readonly name: string; readonly id: string }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'too-often'; readonly afterS: number }
  /** Too many at once. */
  | { readonly kind: 'busy' }
  /** Nobody can log in this way now. */
  | { readonly kind: 'unusable'; readonly message: string };

/** How one can log in here. */
export interface Ways {
  readonly token: boolean;
  readonly password: boolean;
}

export interface Logins {
  readonly ways: Ways;
  readonly sessions: Sessions;
  /** `from`: the address. */
  byToken(token: string, from: string): Login;
  byPassword(name: string, password: string, from: string): Promise<Login>;
  /** What is wrong with the files, as they were when they were read last. */
  troubles(): readonly FileTrouble[];
  /** Reads the files again. */
  refresh(): void;
  close(): void;
}

export interface LoginsOptions extends Pick<WebConfig, 'tokenFile' | 'htpasswdFile'> {
  /** Of `battito`. */
  readonly command: readonly string[];
  /** A clock that only goes on. */
  readonly nowMs: () => number;
}

const withinMs = 60_000;
const wrongMaxOfOne = 5;
const wrongMaxOfAll = 30;

export function createLogins({ tokenFile, htpasswdFile, command, nowMs }: LoginsOptions): Logins {
  const ofOne = createAttempts(wrongMaxOfOne, withinMs, nowMs);
  const ofAll = createAttempts(wrongMaxOfAll, withinMs, nowMs);
  const passwords = htpasswdFile === null ? null : createPasswords(htpasswdFile, command);
  const troubles = new Map<Holder['way'], FileTrouble | null>();

  const tokensNow = () => {
    if (tokenFile === null) return [];
    const { tokens, trouble } = readTokens(tokenFile);
    troubles.set('token', trouble);
    return tokens.map(([name, token]) => ({ name, proof: hashOf(token).toString('hex') }));
  };
  const passwordsNow = () => {
    if (htpasswdFile === null) return [];
    const { entries, trouble } = readHtpasswd(htpasswdFile);
    troubles.set('password', trouble);
    return entries.map(({ name, hash }) => ({ name, proof: hashOf(hash).toString('hex') }));
  };
  const isStill = ({ way, name, proof }: Holder) =>
    (way === 'token' ? tokensNow() : passwordsNow()).some(
      (one) => one.name === name && isSame(one.proof, proof),
    );
  const refresh = () => {
    tokensNow();
    passwordsNow();
  };

  refresh();
  const files = [tokenFile, htpasswdFile].filter((file) => file !== null);
  const watchers = watchFiles(files, refresh);

  const sessions = createSessions(isStill, nowMs);
  const accept = (holder: Holder): Login => ({
    ...{ kind: 'accepted', name: holder.name, id: sessions.open(holder) },
  });
  const unusable = (way: Holder['way'], none: string): Login => ({
    ...{ kind: 'unusable', message: troubles.get(way)?.message ?? none },
  });

  return {
    ways: { token: tokenFile !== null, password: htpasswdFile !== null },
    sessions,
    byToken(token, from) {
      const attempt = ofOne.begin(networkOf(from));
      if (attempt.kind === 'too-often') return attempt;
      const tokens = tokensNow();
      const proof = hashOf(token).toString('hex');
      const [found] = tokens.filter((one) => isSame(one.proof, proof));
      if (tokens.length === 0 || found !== undefined) attempt.forgive();
      if (tokens.length === 0) return unusable('token', 'there is no token file');
      return found === undefined ? { kind: 'wrong' } : accept({ ...found, way: 'token' });
    },
    async byPassword(name, password, from) {
      if (passwords === null) return unusable('password', 'there is no password file');
      const one = ofOne.begin(networkOf(from));
      if (one.kind === 'too-often') return one;
      const all = ofAll.begin('');
      if (all.kind === 'too-often') {
        one.forgive();
        return all;
      }
      const said = await passwords.check(name, password);
      if (said.kind === 'wrong') return said;
      one.forgive();
      all.forgive();
      if (said.kind === 'busy') return said;
      if (said.kind === 'failed') {
        passwordsNow();
        return { kind: 'unusable', message: said.message };
      }
      const holder = { name, way: 'password', proof: said.proof } as const;
      // The file may have changed meanwhile.
      return isStill(holder) ? accept(holder) : { kind: 'wrong' };
    },
    troubles: () => [...troubles.values()].filter((trouble) => trouble !== null),
    refresh,
    close() {
      for (const watcher of watchers) watcher.close();
      passwords?.close();
    },
  };
}

/** Told by the kernel (inotify(7)): nothing is asked of a disk until somebody has changed them. */
function watchFiles(files: readonly string[], onChange: () => void): readonly FSWatcher[] {
  const names = new Set(files.map((file) => basename(file)));
  return [...new Set(files.map((file) => dirname(file)))].flatMap((directory) => {
    try {
      const watcher = watch(directory, { persistent: false }, (_, name) => {
        if (name === null || names.has(name)) onChange();
      });
      // What was watched is gone; they are still read whenever somebody logs in.
      return [watcher.on('error', () => watcher.close())];
    } catch {
      return [];
    }
  });
}
