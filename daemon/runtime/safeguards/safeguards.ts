// Carries out what the core asks of its safeguards: power the peer off, hold the lease, feed the watchdog. Whoever is not
// in the configuration is never asked, since the core has no policy for it.

import type { Logger } from 'pino';
import type { Config } from '../../config/config.ts';
import type { Attention } from '../../control/api.ts';
import type { Effect, Outcome } from '../../core/events.ts';
import { createPeerFencing } from '../../drivers/fence/fence.ts';
import type { Watchdog } from '../../drivers/watchdog/watchdog.ts';
import { createWitness, type Witness, type WitnessSight } from '../../drivers/witness/witness.ts';
import type { CodedNote } from '../../why/explanations.ts';
import { monotonicMs } from '../clock.ts';
import type { Untimed } from '../loop.ts';
import { createHostWatchdog } from './host-watchdog.ts';
import { type WatchedFencing, watchFencing } from './watched-fencing.ts';
import { watchWitness } from './witness-watch.ts';

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

export interface Safeguards {
  carryOut(effect: SafeguardEffect): void;
  /** The watchdog runs already: a daemon before this one has left it so. */
  readonly watchdogRuns: boolean;
  /** From now on they are looked at also when nothing is asked of them. */
  watch(): void;
  /** What is known of the witness; null: there is none in the configuration. */
  witness(): WitnessSight | null;
  /** What is wrong with the devices that power the peer off. */
  attention(): readonly Attention[];
  /** Why no device would power the peer off now, as last looked at; null: one would, or there is none. */
  fencingLacks(): string | null;
  close(): Promise<void>;
}

export interface SafeguardsOptions {
  readonly config: Config;
  readonly self: string;
  readonly peer: string;
  readonly logger: Logger;
  readonly post: (event: Untimed) => void;
  readonly runDir: string;
  /** To the log and to the history. */
  readonly tell: (note: CodedNote) => void;
  readonly isPeerAlive: () => boolean;
}

/** null: not in the configuration. */
interface Configured {
  readonly fencing: WatchedFencing | null;
  readonly witness: Witness | null;
  readonly watchdog: Watchdog | null;
}

async function configured(options: SafeguardsOptions): Promise<Configured> {
  const { config, self, peer, tell, isPeerAlive } = options;
  const { cluster } = config;
  return {
    fencing:
      config.fencing &&
      watchFencing(createPeerFencing(config.fencing, peer), { peer, note: tell, isPeerAlive }),
    witness:
      config.witness === null
        ? null
        : createWitness({ config: config.witness, cluster, self, peer, nowMs: monotonicMs }),
    watchdog: await createHostWatchdog(options),
  };
}

/** @throws BattitoError, exit code 78, when a file that one of them needs cannot be read */
export async function createSafeguards(options: SafeguardsOptions): Promise<Safeguards> {
  const { config, logger, post } = options;
  const { fencing, witness, watchdog } = await configured(options);
  const watchdogRuns = watchdog?.isRunning() === true;
  let witnessWatch: { close(): void } | null = null;
  const given = <T>(safeguard: T | null, { kind }: SafeguardEffect): T => {
    if (safeguard === null) throw new Error(`the configuration knows no ${kind}`);
    return safeguard;
  };
  const finish = async (operation: number, ended: Promise<Outcome>) =>
    post({ kind: 'operation-finished', operation, outcome: await ended });

  return {
    watchdogRuns,
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
    watch() {
      if (witness === null || config.witness === null) return;
      witnessWatch = watchWitness(witness, config.witness.ttlMs, logger);
    },
    witness: () => witness?.sight() ?? null,
    attention: () => fencing?.attention() ?? [],
    fencingLacks: () => fencing?.lacks() ?? null,
    async close() {
      witnessWatch?.close();
      const open = [fencing, witness, watchdog].filter((one) => one !== null);
      await Promise.all(open.map((one) => one.close()));
    },
  };
}
