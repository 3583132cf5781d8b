// Carries out what the core asks of its safeguards: power the peer off, hold the lease, feed the watchdog. Whoever is not
// in the configuration is never asked, since the core has no policy for it.

import type { Effect, LeaseAnswer, LoneMarks, Outcome } from '../core/events.ts';
import type { Watchdog } from '../drivers/watchdog/watchdog.ts';
import type { Untimed } from './loop.ts';

export type SafeguardEffect = Extract<
  Effect,
  {
    kind:
      | 'fence-peer'
      | 'request-lease'
      | 'release-lease'
      | 'arm-watchdog'
      | 'pet-watchdog'
      | 'disarm-watchdog';
  }
>;

/** Powers the peer off. */
export interface Fencing {
  /** `done` only when the power was read to be off. Never rejects; `deadlineMs` from now. */
  powerOff(deadlineMs: number): Promise<Outcome>;
  close(): Promise<void>;
}

/** The third party that lends the lease. */
export interface Witness {
  /** Acquire or renew. Never rejects. */
  request(marks: LoneMarks, deadlineMs: number): Promise<LeaseAnswer>;
  /** As far as it can be reached; it ends by itself otherwise. */
  release(): void;
  close(): Promise<void>;
}

export interface Safeguards {
  carryOut(effect: SafeguardEffect): void;
  close(): Promise<void>;
}

/** null: not in the configuration. */
interface Configured {
  readonly fencing: Fencing | null;
  readonly witness: Witness | null;
  readonly watchdog: Watchdog | null;
}

export function createSafeguards(
  { fencing, witness, watchdog }: Configured,
  post: (event: Untimed) => void,
): Safeguards {
  const given = <T>(safeguard: T | null, { kind }: SafeguardEffect): T => {
    if (safeguard === null) throw new Error(`the configuration knows no ${kind}`);
    return safeguard;
  };
  const finish = async (operation: number, ended: Promise<Outcome>) =>
    post({ kind: 'operation-finished', operation, outcome: await ended });

  return {
    carryOut(effect) {
      switch (effect.kind) {
        case 'fence-peer':
          void finish(effect.operation, given(fencing, effect).powerOff(effect.deadlineMs));
          return;
        case 'request-lease':
          void given(witness, effect)
            .request(effect.marks, effect.deadlineMs)
            .then((answer) => post({ kind: 'lease-answered', operation: effect.operation, answer }));
          return;
        case 'release-lease':
          return given(witness, effect).release();
        case 'arm-watchdog':
          void finish(effect.operation, given(watchdog, effect).arm());
          return;
        case 'pet-watchdog':
          return given(watchdog, effect).pet();
        case 'disarm-watchdog':
          return given(watchdog, effect).disarm();
        default:
          throw new Error(`unknown effect ${JSON.stringify(effect satisfies never)}`);
      }
    },
    async close() {
      const open = [fencing, witness, watchdog].filter((one) => one !== null);
      await Promise.all(open.map((one) => one.close()));
    },
  };
}
