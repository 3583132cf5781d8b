// The third party that lends the lease: one record for the pair, which only the witness changes, one request at a time.
// docs/decisions/0017-witness-in-etcd.md says what a kind of witness must be able to do, and how a second one would.

import type { WitnessConfig } from '../../config/config.ts';
import type { LeaseAnswer, LoneMarks } from '../driver.ts';
import { createEtcdWitness } from './etcd.ts';

/** Why something cannot be had, and what a person may do. Says no secret. */
export interface Trouble {
  readonly message: string;
  readonly next: string;
}

/** What is known of the witness, for people. No rule reads it. */
export interface WitnessSight {
  /** Its newest answer was to a question of this time; null: none yet. */
  readonly askedAt: number | null;
  readonly holder: string | null;
  /** How long the lease of the holder had at `askedAt`, milliseconds; null: nobody has it, or it is not known. */
  readonly leftMs: number | null;
  /** Why it cannot be used now; null: it can, or nothing is known yet. */
  readonly trouble: Trouble | null;
  /** Endpoints that do not answer, while others do. */
  readonly away: readonly Trouble[];
}

export interface Witness {
  /**
   * Acquire or renew. Never rejects, and answers within `deadlineMs`. What was asked for may still be done after
   * `unreachable`: the lease is then this node's without its knowing.
   */
  request(marks: LoneMarks, deadlineMs: number): Promise<LeaseAnswer>;
  /** As far as it can be reached; it ends by itself otherwise. No earlier request has an effect once it has arrived. */
  release(): void;
  /** Asks every endpoint what it knows, and changes nothing but a record that is missing. Never rejects. */
  look(deadlineMs: number): Promise<void>;
  sight(): WitnessSight;
  close(): Promise<void>;
}

export interface WitnessOptions {
  readonly config: WitnessConfig;
  readonly cluster: string;
  readonly self: string;
  readonly peer: string;
  /** Milliseconds of a clock that never goes back, and that goes on while the host sleeps. */
  readonly nowMs: () => number;
}

/** @throws BattitoError when its files cannot be read */
export function createWitness(options: WitnessOptions): Witness {
  switch (options.config.kind) {
    case 'etcd':
      return createEtcdWitness(options);
    default:
      throw new Error(`unknown kind of witness ${JSON.stringify(options.config.kind satisfies never)}`);
  }
}
