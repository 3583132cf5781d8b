// Planted defects: patches of one line each, applied to the core's source as it is loaded. Each must be found by the
// simulation; one that is not says that a rule, a fault or a tier is missing there.

import { readFileSync, writeFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { plantedDefects } from './planted.ts';
import type { Variant } from './schedule.ts';

export interface Defect {
  readonly name: string;
  /** What the core does wrong with it. */
  readonly what: string;
  /** Of daemon/core. */
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  /** Where it shows soonest; empty: anywhere. */
  readonly variants: readonly Variant[];
}

const seedsPath = resolve(import.meta.dirname, 'planted-seeds.json');

/** In which seed each was found when that was last written down: where to look first. */
export function knownSeeds(): Readonly<Record<string, number>> {
  return JSON.parse(readFileSync(seedsPath, 'utf8')) as Record<string, number>;
}

export function rememberSeeds(seeds: Readonly<Record<string, number>>): void {
  writeFileSync(seedsPath, `${JSON.stringify({ ...knownSeeds(), ...seeds }, null, 2)}\n`);
}

const coreDirectory = resolve(import.meta.dirname, '../../daemon/core');

export function defectNamed(name: string): Defect {
  const defect = plantedDefects.find((one) => one.name === name);
  if (defect === undefined) throw new Error(`there is no planted defect ${JSON.stringify(name)}`);
  return defect;
}

/** Throws where the list no longer fits the core. */
export function patched(source: string, { name, file, find, replace }: Defect): string {
  const places = source.split(find).length - 1;
  if (places !== 1) {
    throw new Error(
      `the planted defect ${name} is stale: its text occurs ${places} times in daemon/core/${file}, not once`,
    );
  }
  return source.replace(find, () => replace);
}

export function sourceOf({ file }: Defect): string {
  return readFileSync(resolve(coreDirectory, file), 'utf8');
}

/** From now on the core is loaded with the defect in this process. */
export function plantDefect(name: string): void {
  const defect = defectNamed(name);
  const path = resolve(coreDirectory, defect.file);
  patched(sourceOf(defect), defect);
  registerHooks({
    load(url, context, nextLoad) {
      if (!url.startsWith('file:') || fileURLToPath(url) !== path) return nextLoad(url, context);
      const source = patched(sourceOf(defect), defect);
      return { format: 'module-typescript', source, shortCircuit: true };
    },
  });
}
