// What is mutated, what may kill, and what is left out. Everything that a change of the project may have to change.

/** Folder of the sources that are mutated: every .ts file in it. */
export const mutatedFolder = 'daemon/core';

/** Test files whose tests kill. Globs from the root of the project. */
export const testFiles = [
  'test/unit/core-*.test.ts',
  'test/unit/transitions.test.ts',
  'test/unit/{runtime,sim-world,journal-fixtures}.test.ts',
];

/** Modules with `export const killers: readonly Killer[]`: see killer.ts. */
export const killerModules: readonly string[] = ['test/mutation/schedules.ts'];

/** The share of mutants, percent, that must be killed. */
export const scoreMin = 90;

/** Properties run this often for each mutant at most; those that ask for over a thousand runs are cheap, and get them. */
export const defaultRuns = 40;

/** Two, since the tests that are run are pure computation and a machine for builds has few cores. */
export const defaultWorkers = 2;

/** A killer that takes this much longer than on the unmutated core has been sent round in circles. */
export const deadlineFactor = 20;
export const deadlineExtraMs = 5000;

/** So has a mutant that is evaluated this many times more often than its original was. */
export const hitFactor = 100;
export const hitExtra = 1000;

/**
 * The one thing that is left out: wording. A string or template that has white space in its own text (what stands
 * outside of `${}`) is a sentence, or a separator between words, for people; emptying it changes no decision. Kinds,
 * ids, codes and names have no white space and are mutated, and so is all code inside `${}`.
 */
export function isWording(mutator: string, original: string): boolean {
  return mutator === 'StringLiteral' && /\s/.test(ownText(original));
}

/** The text of a literal without its quotes and without what it interpolates. */
function ownText(literal: string): string {
  if (!literal.startsWith('`')) return literal.slice(1, -1);
  let text = '';
  let depth = 0;
  for (let index = 1; index < literal.length - 1; index += 1) {
    if (literal.startsWith('${', index)) {
      depth += 1;
      index += 1;
    } else if (depth > 0 && literal[index] === '{') depth += 1;
    else if (depth > 0 && literal[index] === '}') depth -= 1;
    else if (depth === 0) text += literal[index];
  }
  return text;
}
