// Who may try to speak on the channel, and who has failed to: few at once, few a minute from one address, all counted,
// told in the log once a minute at most. Guarantee: its memory is bounded whatever comes.

import type { Logger } from 'pino';
import { monotonicMs } from '../clock.ts';

export interface AdmissionLimits {
  /** Handshakes at once, of addresses that are not known to be the peer's. */
  readonly strangersMax: number;
  /** Handshakes at once from one address. */
  readonly pendingMax: number;
  /** Failed attempts from one address within a minute, after which it is not listened to until the minute is over. */
  readonly failuresMax: number;
}

export const admissionLimits: AdmissionLimits = { strangersMax: 8, pendingMax: 4, failuresMax: 20 };

const windowMs = 60_000;
const addressesMax = 256;

export interface Admission {
  /** Null: it may try, and one of `settled`, `failed`, `gaveUp` has to be called once; else why not. */
  admit(address: string): string | null;
  /** It has proven to hold the key. */
  settled(address: string): void;
  failed(address: string, why: string): void;
  /** It ended the attempt itself, before anything was proven or refuted: the peer is free to, when it is slow. */
  gaveUp(address: string): void;
  /** Attempts that ended without a proven key, and those that were not listened to. */
  refused(): number;
}

export function createAdmission(options: {
  readonly limits: AdmissionLimits;
  readonly isPeer: (address: string) => boolean;
  readonly logger: Logger;
  readonly now?: () => number;
}): Admission {
  const { limits, isPeer, logger, now = monotonicMs } = options;
  const pending = new Map<string, number>();
  const failures = new Map<string, { count: number; readonly sinceMs: number }>();
  let refused = 0;
  let untold = 0;
  let toldMs = Number.NEGATIVE_INFINITY;

  const tell = (address: string, why: string) => {
    refused += 1;
    untold += 1;
    if (now() - toldMs < windowMs) return;
    logger.warn(
      { address, why, attempts: untold, next: 'compare the key files of both nodes, or see who that is' },
      'somebody without the shared key was refused on the channel between the nodes',
    );
    toldMs = now();
    untold = 0;
  };

  const leave = (address: string) => {
    const left = (pending.get(address) ?? 1) - 1;
    if (left > 0) pending.set(address, left);
    else pending.delete(address);
  };

  const recentFailures = (address: string) => {
    const known = failures.get(address);
    if (known === undefined || now() - known.sinceMs < windowMs) return known;
    failures.delete(address);
    return undefined;
  };

  const obstacle = (address: string) => {
    if ((recentFailures(address)?.count ?? 0) >= limits.failuresMax) return 'too many failed attempts';
    if ((pending.get(address) ?? 0) >= limits.pendingMax) return 'too many attempts at once';
    if (isPeer(address)) return null;
    const strangers = [...pending].filter(([other]) => !isPeer(other)).reduce((sum, [, one]) => sum + one, 0);
    return strangers >= limits.strangersMax ? 'too many attempts of strangers at once' : null;
  };

  const fail = (address: string, why: string) => {
    tell(address, why);
    const known = recentFailures(address);
    if (known !== undefined) {
      known.count += 1;
      return;
    }
    const [oldest] = failures.keys();
    if (failures.size >= addressesMax && oldest !== undefined) failures.delete(oldest);
    failures.set(address, { count: 1, sinceMs: now() });
  };

  return {
    admit(address) {
      const why = obstacle(address);
      if (why === null) pending.set(address, (pending.get(address) ?? 0) + 1);
      else tell(address, why);
      return why;
    },
    settled(address) {
      leave(address);
      failures.delete(address);
    },
    failed(address, why) {
      leave(address);
      fail(address, why);
    },
    gaveUp(address) {
      leave(address);
      if (!isPeer(address)) fail(address, 'it went away');
    },
    refused: () => refused,
  };
}
