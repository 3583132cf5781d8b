// Takes the place of fast-check in the mutated bundle: the real one, but properties run less often, always with the
// same seed, and are not shrunk, since nobody reads the counterexample.

import real from 'fast-check';

/** A property that asks for more runs than this is cheap, and may count on them to find what is rare. */
const cheapRunsMin = 1000;

let seed = 1;
let runsMax = 100;

export function limitRuns(runs: number): void {
  runsMax = runs;
}

/** Before each killer, so that what it draws does not depend on what ran before it. */
export function reseed(name: string): void {
  seed = 7;
  for (const letter of name) seed = (Math.imul(seed, 31) + letter.charCodeAt(0)) | 0;
}

function assertProperty<Ts>(
  property: Parameters<typeof real.assert<Ts>>[0],
  parameters: Parameters<typeof real.assert<Ts>>[1] = {},
): void | Promise<void> {
  seed = (seed + 1) | 0;
  const asked = parameters.numRuns ?? 100;
  const numRuns = asked > cheapRunsMin ? asked : Math.min(asked, runsMax);
  return real.assert(property, { ...parameters, numRuns, seed, endOnFailure: true });
}

export * from 'fast-check';
export { assertProperty as assert };
// biome-ignore lint/style/noDefaultExport: fast-check has one.
export default { ...real, assert: assertProperty };
