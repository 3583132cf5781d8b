// Runs every killer once on the unmutated core: how long it takes, and which mutants it reaches how often. A killer
// that fails here would kill everything, so that is an error of the run.

import { hitExtra, hitFactor } from './config.ts';
import { createLoader, noMutant, runKiller } from './load.ts';

export interface Reach {
  readonly killer: number;
  /** How often the mutant may be evaluated before it counts as running away. */
  readonly hitLimit: number;
}

export interface Baseline {
  readonly killers: ReadonlyArray<{ readonly name: string; readonly ms: number }>;
  /** Which killers reach a mutant. */
  readonly reach: ReadonlyMap<number, readonly Reach[]>;
  /** Mutants that are evaluated while modules are: those concern every killer. */
  readonly atLoad: ReadonlySet<number>;
  readonly snapshots: ReadonlyMap<string, unknown>;
}

/** @throws Error that names the killers which fail without any mutant. */
export async function measureBaseline(text: string, runs: number): Promise<Baseline> {
  const instance = createLoader({ text, runs, snapshots: new Map() }).load(noMutant);
  const atLoad = new Set(instance.takeCoverage().keys());
  const killers: Array<{ name: string; ms: number }> = [];
  const reach = new Map<number, Reach[]>();
  const failures: string[] = [];
  for (const [index, killer] of instance.killers.entries()) {
    const startedAt = performance.now();
    const result = await runKiller(instance, killer, noMutant, Number.POSITIVE_INFINITY);
    killers.push({ name: killer.name, ms: performance.now() - startedAt });
    if (result.kind === 'threw') failures.push(`${killer.name}: ${result.message}`);
    for (const [mutant, count] of instance.takeCoverage()) {
      const reached = reach.get(mutant) ?? [];
      reached.push({ killer: index, hitLimit: count * hitFactor + hitExtra });
      reach.set(mutant, reached);
    }
  }
  if (failures.length > 0) {
    throw new Error(`these fail without any mutant:\n${failures.join('\n')}`);
  }
  return { killers, reach, atLoad, snapshots: instance.exchangeSnapshots(new Map()) };
}
