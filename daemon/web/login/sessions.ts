// Logins that last for a while.
// Guarantees: they are compared by their hashes; everything is bounded; whoever is taken out of the file, or gets another
// token or password there, is out with the next action.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

export interface Session {
  /** Of the person, from the file. */
  readonly name: string;
  /** What a form of this session must bring. */
  readonly csrf: string;
}

/** Who has logged in, and by what. */
export interface Holder {
  readonly name: string;
  readonly way: 'token' | 'password';
  /** Hex SHA-256 of the token, or of the hash of the password. */
  readonly proof: string;
}

export interface Sessions {
  /** @returns what the browser is to keep */
  open(holder: Holder): string;
  /** Null: there is none, it has ended, or its person is no longer in the file. */
  find(id: string | undefined): Session | null;
  /** Whether it goes on; being asked this is no use of it, and the file is not read. */
  goesOn(id: string | undefined): boolean;
  end(id: string | undefined): void;
}

interface Kept extends Session {
  readonly holder: Holder;
  readonly beganAtMs: number;
  usedAtMs: number;
}

const idleMsMax = 30 * 60_000;
const lengthMsMax = 12 * 3_600_000;
const sessionsMax = 32;

export const hashOf = (text: string) => createHash('sha256').update(text).digest();
const secret = () => randomBytes(32).toString('base64url');

/** `isStill`: whether the file still has this. `nowMs`: a clock that only goes on. */
export function createSessions(isStill: (holder: Holder) => boolean, nowMs: () => number): Sessions {
  const sessions = new Map<string, Kept>();
  const keyOf = (id: string) => hashOf(id).toString('hex');
  const isOver = ({ beganAtMs, usedAtMs }: Kept) =>
    nowMs() - usedAtMs > idleMsMax || nowMs() - beganAtMs > lengthMsMax;

  return {
    open(holder) {
      for (const [key, kept] of sessions) if (isOver(kept)) sessions.delete(key);
      const [oldest] = sessions.keys();
      if (sessions.size >= sessionsMax && oldest !== undefined) sessions.delete(oldest);
      const id = secret();
      const at = nowMs();
      sessions.set(keyOf(id), { name: holder.name, csrf: secret(), holder, beganAtMs: at, usedAtMs: at });
      return id;
    },
    find(id) {
      if (id === undefined) return null;
      const key = keyOf(id);
      const kept = sessions.get(key);
      if (kept === undefined) return null;
      if (isOver(kept) || !isStill(kept.holder)) {
        sessions.delete(key);
        return null;
      }
      kept.usedAtMs = nowMs();
      return kept;
    },
    goesOn(id) {
      const kept = id === undefined ? undefined : sessions.get(keyOf(id));
      return kept !== undefined && !isOver(kept);
    },
    end(id) {
      if (id !== undefined) sessions.delete(keyOf(id));
    },
  };
}

/** Compares what a form brought without telling how much of it was right. */
export function isSame(given: string, wanted: string): boolean {
  return timingSafeEqual(hashOf(given), hashOf(wanted));
}
