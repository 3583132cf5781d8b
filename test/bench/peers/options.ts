// The command line of the bench of peers.

import { parseArgs } from 'node:util';
import { splitNames, wholeNumber } from '../command-line.ts';
import { type FaultName, faultNames } from './faults.ts';
import type { Configuration } from './peer.ts';
import { peerNames } from './peer.ts';
import { configurations } from './peers.ts';

export interface PeerBenchOptions {
  readonly only: readonly Configuration[];
  readonly faults: readonly FaultName[];
  readonly runs: number;
  /** 0: neither load nor cost is measured. */
  readonly loadSeconds: number;
  readonly costSeconds: number;
  readonly json: boolean;
  /** Where the results are kept; null: nowhere. */
  readonly save: string | null;
}

export const usage = `usage: npm run bench:peers -- [options]
  --only NAMES         some of ${peerNames.join(', ')}, or of their configurations (default: all):
                       ${configurations.map(({ id }) => id).join(', ')}
  --faults NAMES       some of ${faultNames.join(', ')}, or none (default: all)
  --runs N             runs of each fault in each configuration (default: 5)
  --load-seconds N     how long four busy loops run; 0: not at all (default: 60)
  --cost-seconds N     how long its cost is watched; 0: not at all (default: 30)
  --save FILE          keep the table and the samples there, as Markdown
  --json               one JSON object as the last line on stdout, nothing else there
Needs root, and what ./scripts/setup installs; peers are installed into a cache of their own, not on this machine.`;

/** @throws Error that says what is wrong with the words. */
export function parseOptions(words: readonly string[]): PeerBenchOptions | 'help' {
  const { values } = parseArgs({
    args: [...words],
    options: {
      only: { type: 'string', multiple: true },
      faults: { type: 'string', multiple: true },
      runs: { type: 'string', default: '5' },
      'load-seconds': { type: 'string', default: '60' },
      'cost-seconds': { type: 'string', default: '30' },
      save: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return 'help';
  return {
    only: chosen(splitNames(values.only)),
    faults: faultsIn(splitNames(values.faults)),
    runs: wholeNumber('--runs', values.runs, 1),
    loadSeconds: wholeNumber('--load-seconds', values['load-seconds'], 0),
    costSeconds: wholeNumber('--cost-seconds', values['cost-seconds'], 0),
    json: values.json,
    save: values.save ?? null,
  };
}

function chosen(names: readonly string[]): readonly Configuration[] {
  if (names.length === 0) return configurations;
  for (const name of names) {
    if (!configurations.some(({ id, peer }) => id === name || peer === name))
      throw new Error(`--only: there is no ${name}`);
  }
  return configurations.filter(({ id, peer }) => names.includes(id) || names.includes(peer));
}

function faultsIn(names: readonly string[]): readonly FaultName[] {
  if (names.length === 0) return faultNames;
  if (names.includes('none')) {
    if (names.length > 1) throw new Error('--faults: none stands alone');
    return [];
  }
  for (const name of names) {
    if (!faultNames.some((known) => known === name)) throw new Error(`--faults: there is no ${name}`);
  }
  return faultNames.filter((name) => names.includes(name));
}
