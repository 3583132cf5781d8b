// Evaluates the bundle. Every evaluation has modules of its own; a mutant in code that runs while modules are
// evaluated (a table, a constant) needs one for itself.

import { createRequire } from 'node:module';
import { Script } from 'node:vm';
import type { Killer } from './killer.ts';

/** What the bundle exports: see harness/. */
export interface Instance {
  readonly killers: readonly Killer[];
  activate(mutant: number, hitLimit: number): void;
  hasExceeded(): boolean;
  takeCoverage(): ReadonlyMap<number, number>;
  limitRuns(runs: number): void;
  reseed(name: string): void;
  exchangeSnapshots(known: ReadonlyMap<string, unknown>): ReadonlyMap<string, unknown>;
}

type Evaluate = (
  require: NodeJS.Require,
  module: { exports: Partial<Instance> },
  exports: object,
  initialMutant: number,
) => void;

export interface Loader {
  /** @param mutant in force while modules are evaluated; -1: none. */
  load(mutant: number): Instance;
}

export interface LoaderOptions {
  readonly text: string;
  readonly runs: number;
  readonly snapshots: ReadonlyMap<string, unknown>;
}

export const noMutant = -1;

export function createLoader({ text, runs, snapshots }: LoaderOptions): Loader {
  const script = new Script(`(function (require, module, exports, initialMutant) {${text}\n})`, {
    filename: 'mutated-bundle.cjs',
  });
  const evaluate = script.runInThisContext() as Evaluate;
  const require = createRequire(import.meta.url);
  return {
    load(mutant) {
      const module = { exports: {} };
      evaluate(require, module, module.exports, mutant);
      const instance = module.exports as Instance;
      instance.limitRuns(runs);
      instance.exchangeSnapshots(snapshots);
      return instance;
    },
  };
}

export type KillerResult =
  | { readonly kind: 'passed' }
  | { readonly kind: 'threw'; readonly message: string }
  /** The mutant was evaluated far more often than its original: it would run for ever. */
  | { readonly kind: 'ran-away' };

export async function runKiller(
  instance: Instance,
  killer: Killer,
  mutant: number,
  hitLimit: number,
): Promise<KillerResult> {
  instance.reseed(killer.name);
  instance.activate(mutant, hitLimit);
  let result: KillerResult = { kind: 'passed' };
  try {
    const running = killer.run();
    if (running instanceof Promise) await running;
  } catch (error) {
    result = { kind: 'threw', message: error instanceof Error ? error.message : String(error) };
  }
  if (instance.hasExceeded()) result = { kind: 'ran-away' };
  instance.activate(noMutant, Number.POSITIVE_INFINITY);
  return result;
}
