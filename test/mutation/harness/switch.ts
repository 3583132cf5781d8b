// Part of the mutated bundle: says which mutant is in force. The instrumented core asks it at every mutated place,
// so it must stay cheap.

/** Given by whoever evaluates the bundle: the mutant that is in force while modules are evaluated; -1: none. */
declare const initialMutant: number;

/**
 * The mutant in force. In an array, since V8 compiles the value of a variable that seldom changes into the code, and
 * would throw away all of that each time another mutant comes in force.
 */
export const activeMutant = Int32Array.of(initialMutant);
let hitsLeft = Number.POSITIVE_INFINITY;
let exceeded = false;

/** Times each mutated place was evaluated since the last `takeCoverage`; counted in the bundle for coverage only. */
const counts = new Int32Array(65_536);

export function activate(mutant: number, hitLimit: number): void {
  activeMutant[0] = mutant;
  hitsLeft = hitLimit;
  exceeded = false;
}

/** Whether the mutant that was put in force last has been evaluated more often than it was allowed. */
export function hasExceeded(): boolean {
  return exceeded;
}

/** Called each time the mutant in force is evaluated. */
export function hit(): true {
  hitsLeft -= 1;
  if (hitsLeft >= 0) return true;
  exceeded = true;
  throw new Error('the mutant runs away');
}

export function cover(...mutants: readonly number[]): void {
  for (const mutant of mutants) counts[mutant] = (counts[mutant] ?? 0) + 1;
}

export function takeCoverage(): ReadonlyMap<number, number> {
  const taken = new Map<number, number>();
  for (const [mutant, count] of counts.entries()) if (count > 0) taken.set(mutant, count);
  counts.fill(0);
  return taken;
}
