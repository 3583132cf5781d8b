// How often a login may be tried: so many wrong ones within a time, by a key such as where they come from.
// Guarantees: an attempt counts from its beginning, so many at once are as many; everything is bounded.

import { isIPv6 } from 'node:net';

export type Attempt =
  /** `forgive`: it was right, or was not looked at, and does not count. */
  | { readonly kind: 'may'; readonly forgive: () => void }
  | { readonly kind: 'too-often'; readonly afterS: number };

export interface Attempts {
  begin(key: string): Attempt;
}

const keysMax = 1000;

/** `nowMs`: a clock that only goes on. */
export function createAttempts(max: number, withinMs: number, nowMs: () => number): Attempts {
  const tried = new Map<string, { count: number; readonly sinceMs: number }>();
  return {
    begin(key) {
      const known = tried.get(key);
      const leftMs = known === undefined ? 0 : known.sinceMs + withinMs - nowMs();
      if (known !== undefined && leftMs > 0 && known.count >= max)
        return { kind: 'too-often', afterS: Math.ceil(leftMs / 1000) };
      const entry = known === undefined || leftMs <= 0 ? { count: 0, sinceMs: nowMs() } : known;
      entry.count += 1;
      tried.set(key, entry);
      const [oldest] = tried.keys();
      if (tried.size > keysMax && oldest !== undefined) tried.delete(oldest);
      const forgive = () => {
        entry.count -= 1;
      };
      return { kind: 'may', forgive };
    },
  };
}

/** Whoever has an IPv6 address has 2^64 of them. */
export function networkOf(address: string): string {
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
