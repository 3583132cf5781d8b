// Planted defects: patches of one line each, applied to the core's source as it is loaded. Each must be found by the
// simulation; one that is not says that a rule, a fault or a tier is missing there.

import { readFileSync, writeFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BattitoError } from '../../daemon/errors.ts';
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

/** The search that found a defect first, and what it cost. */
export interface FirstSearch {
  /** In which it was found. */
  readonly seed: number;
  /** Where the search began; null: the seed was known from elsewhere, and no search was counted. */
  readonly from: number | null;
  /** That were run until then, the one that shows it among them; null as above. */
  readonly schedules: number | null;
  /** In patient schedules: each step at the time that was drawn for it. */
  readonly patient?: true;
  /** It was made small since: the scenario that shows it. */
  readonly scenario?: string;
}

export type FirstSearches = Readonly<Record<string, FirstSearch>>;

/** By the names of the defects. In the seed of each it is looked for first. */
export function knownSearches(): FirstSearches {
  return JSON.parse(readFileSync(seedsPath, 'utf8')) as FirstSearches;
}

/** In the order of the list; what is on it no longer is dropped. */
export function rememberSearches(searches: FirstSearches): void {
  const all = { ...knownSearches(), ...searches };
  const names = plantedDefects.map(({ name }) => name).filter((name) => Object.hasOwn(all, name));
  const kept = Object.fromEntries(names.map((name) => [name, all[name]]));
  writeFileSync(seedsPath, `${JSON.stringify(kept, null, 2)}\n`);
}

const coreDirectory = resolve(import.meta.dirname, '../../daemon/core');

export function defectNamed(name: string): Defect {
  const defect = plantedDefects.find((one) => one.name === name);
  if (defect === undefined) {
    const names = plantedDefects.map((one) => one.name).join(', ');
    const message = `there is no planted defect ${JSON.stringify(name)}`;
    throw new BattitoError('usage', message, { next: `the planted defects are ${names}` });
  }
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
