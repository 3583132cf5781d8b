// The command line of the bench.

import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { groupsMax } from '../../daemon/config/values.ts';
import { splitNames, wholeNumber } from './command-line.ts';

const quickNames = ['takeover', 'handover', 'steady', 'load', 'start'] as const;
/** Measured only where they are named. */
const longNames = ['guests', 'memory', 'flapping', 'growth', 'fast'] as const;
export const sectionNames = [...quickNames, ...longNames];
export type SectionName = (typeof sectionNames)[number];

export interface BenchOptions {
  readonly only: readonly SectionName[];
  readonly runs: number;
  readonly steadySeconds: number;
  readonly loadSeconds: number;
  readonly flappingSeconds: number;
  readonly fastSeconds: number;
  /** How many guests, and for growth groups and addresses; null: as each measurement has it. */
  readonly sizes: readonly number[] | null;
  /** Of the simulator, for memory. */
  readonly events: number;
  readonly json: boolean;
  /** Where the results are kept; null: nowhere. */
  readonly save: string | null;
}

export const usage = `usage: npm run bench -- [options]
  --only NAMES    some of ${quickNames.join(',')} (default: all of these), or of what
                  takes longer: ${longNames.join(',')}
  --runs N        runs of takeover, handover and start (default: 5)
  --seconds N     how long steady state, growth, load, flapping and fast timings are watched (default: 30, 30, 60,
                  600 and 600)
  --sizes N,N,N   how many guests (default: 1,10,50); for growth also groups and addresses (1,10,100; of groups
                  up to ${groupsMax})
  --events N      how many events memory goes through (default: 10000000)
  --save FILE     keep the results there, as Markdown, and plots beside it
  --json          one JSON object as the last line on stdout, nothing else there
Needs root, and the packages that ./scripts/setup installs.`;

/** @throws Error that says what is wrong with the words. */
export function parseOptions(words: readonly string[]): BenchOptions | 'help' {
  const { values } = parseArgs({
    args: [...words],
    options: {
      only: { type: 'string', multiple: true },
      runs: { type: 'string', default: '5' },
      seconds: { type: 'string' },
      sizes: { type: 'string', multiple: true },
      events: { type: 'string', default: '10000000' },
      save: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return 'help';
  const named = splitNames(values.only);
  for (const name of named) {
    if (!sectionNames.some((known) => known === name)) throw new Error(`--only: there is no ${name}`);
  }
  if (values.save !== undefined && !existsSync(dirname(values.save)))
    throw new Error(`--save: there is no directory ${dirname(values.save)}`);
  const sizes = splitNames(values.sizes).map((text) => wholeNumber('--sizes', text, 1));
  const seconds = values.seconds === undefined ? undefined : wholeNumber('--seconds', values.seconds, 1);
  return {
    only: named.length === 0 ? quickNames : sectionNames.filter((name) => named.includes(name)),
    runs: wholeNumber('--runs', values.runs, 1),
    steadySeconds: seconds ?? 30,
    loadSeconds: seconds ?? 60,
    flappingSeconds: seconds ?? 600,
    fastSeconds: seconds ?? 600,
    sizes: sizes.length === 0 ? null : sizes,
    events: wholeNumber('--events', values.events, 1000),
    json: values.json,
    save: values.save ?? null,
  };
}
