// What a bench of peers found: samples per configuration and fault, and what could not be measured. Only data.

import { summarise } from '../figures.ts';
import type { Machine } from '../machine.ts';
import type { Cost, UnderLoad } from './cost.ts';
import type { FaultName, FaultOutcome } from './faults.ts';
import type { Configuration } from './peer.ts';

export interface ConfigurationResult {
  readonly configuration: Configuration;
  /** Of its package, or of this checkout. */
  readonly version: string;
  /** In the order of the runs. */
  readonly outcomes: Readonly<Record<FaultName, readonly FaultOutcome[]>>;
  readonly cost: Cost | null;
  readonly underLoad: UnderLoad | null;
  /** What went wrong, and in what. */
  readonly failures: readonly string[];
}

export interface Results {
  /** UTC, YYYY-MM-DD. */
  readonly date: string;
  readonly machine: Machine;
  readonly loadAfter: number;
  readonly runs: number;
  readonly faults: readonly FaultName[];
  readonly loadSeconds: number;
  readonly costSeconds: number;
  readonly results: readonly ConfigurationResult[];
}

export type Samples = readonly number[];

export const samplesOf = (
  { outcomes }: ConfigurationResult,
  fault: FaultName,
  pick: (outcome: FaultOutcome) => number,
): Samples => outcomes[fault].map(pick);

/** Ours against a peer, medians: below 1 ours is faster. null: one was not measured, or the peer took no time at all. */
export function ratio(ours: Samples, peers: Samples): number | null {
  const [own, other] = [summarise(ours)?.median, summarise(peers)?.median];
  return own === undefined || other === undefined || other === 0 ? null : own / other;
}
