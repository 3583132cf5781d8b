// The command line of the mutation test.

import { parseArgs } from 'node:util';
import { defaultRuns, defaultWorkers } from './config.ts';

export interface Options {
  readonly workers: number;
  readonly runs: number;
  /** Names of files in the mutated folder; empty: all. */
  readonly files: readonly string[];
  /** So many mutants, drawn at random; null: all. */
  readonly sample: number | null;
  readonly seed: number;
  /** Report of an earlier run, made with --json: only what survived there is run. */
  readonly survivorsOf: string | null;
  readonly json: boolean;
}

export const usage = `Usage: npm run mutation -- [options]
  --files A,B     only these files of the mutated folder (claims.ts,facts.ts)
  --sample N      only N mutants, drawn at random
  --seed S        another draw (default 1)
  --runs N        how often a property is run for each mutant (default ${defaultRuns})
  --workers N     threads (default ${defaultWorkers})
  --survivors-of PATH   only what survived in this report of an earlier run with --json
  --json          everything as JSON on standard output, and the report for people on standard error`;

/** @throws Error with a text for people. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      files: { type: 'string', default: '' },
      sample: { type: 'string' },
      seed: { type: 'string', default: '1' },
      runs: { type: 'string', default: String(defaultRuns) },
      workers: { type: 'string', default: String(defaultWorkers) },
      'survivors-of': { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  return {
    workers: natural('--workers', values.workers),
    runs: natural('--runs', values.runs),
    files: values.files.split(',').filter((name) => name !== ''),
    sample: values.sample === undefined ? null : natural('--sample', values.sample),
    seed: natural('--seed', values.seed),
    survivorsOf: values['survivors-of'] ?? null,
    json: values.json,
  };
}

function natural(name: string, text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Error(`${name} wants a number from 1, not "${text}"\n${usage}`);
  return Number(text);
}
