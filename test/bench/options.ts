// The command line of the bench.

import { parseArgs } from 'node:util';
import { splitNames, wholeNumber } from './command-line.ts';

const quickNames = ['takeover', 'handover', 'steady', 'load', 'start'] as const;
/** Measured only where they are named. */
const longNames = ['guests', 'memory'] as const;
export const sectionNames = [...quickNames, ...longNames];
export type SectionName = (typeof sectionNames)[number];

export interface BenchOptions {
  readonly only: readonly SectionName[];
  readonly runs: number;
  readonly steadySeconds: number;
  readonly loadSeconds: number;
  /** How many guests; null: as each measurement has it. */
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
  --seconds N     how long steady state and load are watched (default: 30 and 60)
  --sizes N,N     how many guests are measured (default: 1,10,50)
  --events N      how many events memory goes through (default: 10000000)
  --save FILE     keep the results there, as Markdown
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
  const sizes = splitNames(values.sizes).map((text) => wholeNumber('--sizes', text, 1));
  const seconds = values.seconds === undefined ? undefined : wholeNumber('--seconds', values.seconds, 1);
  return {
    only: named.length === 0 ? quickNames : sectionNames.filter((name) => named.includes(name)),
    runs: wholeNumber('--runs', values.runs, 1),
    steadySeconds: seconds ?? 30,
    loadSeconds: seconds ?? 60,
    sizes: sizes.length === 0 ? null : sizes,
    events: wholeNumber('--events', values.events, 1000),
    json: values.json,
    save: values.save ?? null,
  };
}
