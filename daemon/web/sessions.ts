// Who may act: tokens of a file, logins that last for a while, and how often a wrong token may be tried.
// Guarantees: tokens and sessions are compared by their hashes; everything is bounded; whoever is taken out of the file is
// out with the next action. Must not: say or log a token.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { readSecrets } from '../drivers/fence/secrets.ts';

export interface Session {
  /** Of the person, from the token file. */
  readonly name: string;
  /** What a form of this session must bring. */
  readonly csrf: string;
}

export type Login =
  | { readonly kind: 'accepted'; readonly id: string }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'too-often'; readonly afterS: number }
  | { readonly kind: 'unusable'; readonly message: string };

export interface Sessions {
  readonly isPossible: boolean;
  login(token: string, from: string): Login;
  /** Null: there is none, it has ended, or its person is no longer in the file. */
  find(id: string | undefined): Session | null;
  /** Whether it goes on; being asked this is no use of it, and the file is not read. */
  goesOn(id: string | undefined): boolean;
  end(id: string | undefined): void;
  /** What is wrong with the token file; null: nothing. `mend`: the command. */
  trouble(): { readonly message: string; readonly mend: string } | null;
}

interface Kept extends Session {
  readonly tokenHash: Buffer;
  readonly beganAtMs: number;
  usedAtMs: number;
}

const tokenLengthMin = 22;
const idleMsMax = 30 * 60_000;
const lengthMsMax = 12 * 3_600_000;
const sessionsMax = 32;
const wrongMax = 5;
const wrongWithinMs = 60_000;
const addressesMax = 1000;

const hashOf = (text: string) => createHash('sha256').update(text).digest();
const secret = () => randomBytes(32).toString('base64url');

/** `nowMs`: a clock that only goes on. */
export function createSessions(tokenFile: string | null, nowMs: () => number): Sessions {
  const sessions = new Map<string, Kept>();
  const wrong = new Map<string, { count: number; sinceMs: number }>();

  const people = () => {
    const read = readSecrets(tokenFile);
    if (read.kind === 'unusable') return { ...read, tokens: [] };
    const all = Object.entries(read.options);
    const short = all.filter(([, token]) => token.length < tokenLengthMin).map(([name]) => name);
    const tokens = all.filter(([name]) => !short.includes(name));
    const mend = `echo "NAME=$(openssl rand -hex 16)" >> ${tokenFile}`;
    if (short.length > 0) {
      const message = `${tokenFile}: shorter than ${tokenLengthMin} characters: the token of ${short.join(', ')}`;
      return { message, mend, tokens };
    }
    if (tokens.length === 0 && tokenFile !== null)
      return { message: `${tokenFile} has no line name=token`, mend, tokens };
    return { message: null, mend, tokens };
  };

  const isOver = ({ beganAtMs, usedAtMs }: Kept) =>
    nowMs() - usedAtMs > idleMsMax || nowMs() - beganAtMs > lengthMsMax;

  const waitMs = (from: string) => {
    const tried = wrong.get(from);
    if (tried === undefined) return 0;
    const leftMs = tried.sinceMs + wrongWithinMs - nowMs();
    if (leftMs <= 0) wrong.delete(from);
    return leftMs > 0 && tried.count >= wrongMax ? leftMs : 0;
  };

  const countWrong = (from: string) => {
    const tried = wrong.get(from) ?? { count: 0, sinceMs: nowMs() };
    tried.count += 1;
    wrong.set(from, tried);
    const [oldest] = wrong.keys();
    if (wrong.size > addressesMax && oldest !== undefined) wrong.delete(oldest);
  };

  return {
    isPossible: tokenFile !== null,
    login(token, address) {
      const from = networkOf(address);
      const leftMs = waitMs(from);
      if (leftMs > 0) return { kind: 'too-often', afterS: Math.ceil(leftMs / 1000) };
      const { tokens, message } = people();
      if (tokens.length === 0) return { kind: 'unusable', message: message ?? 'there is no token file' };
      const given = hashOf(token);
      const found = tokens.filter(([, known]) => timingSafeEqual(hashOf(known), given))[0];
      if (found === undefined) {
        countWrong(from);
        return { kind: 'wrong' };
      }
      for (const [key, kept] of sessions) if (isOver(kept)) sessions.delete(key);
      const [oldest] = sessions.keys();
      if (sessions.size >= sessionsMax && oldest !== undefined) sessions.delete(oldest);
      const id = secret();
      const at = nowMs();
      const kept = { name: found[0], csrf: secret(), tokenHash: given, beganAtMs: at, usedAtMs: at };
      sessions.set(hashOf(id).toString('hex'), kept);
      return { kind: 'accepted', id };
    },
    find(id) {
      if (id === undefined) return null;
      const key = hashOf(id).toString('hex');
      const kept = sessions.get(key);
      if (kept === undefined) return null;
      const isKnown = people().tokens.some(
        ([name, token]) => name === kept.name && timingSafeEqual(hashOf(token), kept.tokenHash),
      );
      if (isOver(kept) || !isKnown) {
        sessions.delete(key);
        return null;
      }
      kept.usedAtMs = nowMs();
      return kept;
    },
    goesOn(id) {
      const kept = id === undefined ? undefined : sessions.get(hashOf(id).toString('hex'));
      return kept !== undefined && !isOver(kept);
    },
    end(id) {
      if (id !== undefined) sessions.delete(hashOf(id).toString('hex'));
    },
    trouble() {
      const { message, mend } = people();
      return message === null ? null : { message, mend };
    },
  };
}

/** Whoever has an IPv6 address has 2^64 of them. */
function networkOf(address: string): string {
  if (!isIPv6(address) || address.startsWith('::ffff:')) return address;
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? [];
  const before = head.split(':').filter(Boolean);
  const after = (tail ?? '').split(':').filter(Boolean);
  const groups = [
    ...before,
    ...Array.from({ length: 8 - before.length - after.length }, () => '0'),
    ...after,
  ];
  return groups.slice(0, 4).join(':');
}

/** Compares what a form brought without telling how much of it was right. */
export function isSame(given: string, wanted: string): boolean {
  return timingSafeEqual(hashOf(given), hashOf(wanted));
}
