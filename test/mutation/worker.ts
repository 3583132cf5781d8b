// One thread that runs mutants, one after the other. It says in shared memory what it is at, since a mutant that
// loops for ever cannot say anything else; the pool then ends the thread.

import { parentPort, workerData } from 'node:worker_threads';
import type { Reach } from './baseline.ts';
import type { LoaderOptions } from './load.ts';
import { createLoader, noMutant, runKiller } from './load.ts';

export interface WorkerOptions extends LoaderOptions {
  /** Two 32-bit numbers: the killer that runs now, and how many have been begun. */
  readonly progress: SharedArrayBuffer;
}

export interface Job {
  readonly mutant: number;
  /** The mutant is evaluated while modules are, so they are evaluated anew. */
  readonly atLoad: boolean;
  readonly reach: readonly Reach[];
}

export type Outcome = 'killed' | 'survived' | 'timed-out';

export interface Result {
  readonly mutant: number;
  readonly outcome: Outcome;
  /** Who killed it, and with which words. */
  readonly killer: number | null;
  readonly message: string;
}

const options = workerData as WorkerOptions;
const progress = new Int32Array(options.progress);
const loader = createLoader(options);
const standing = loader.load(noMutant);

/** How well each killer has done so far: those that kill soon go first. */
const records = standing.killers.map(() => ({ kills: 1, ms: 1 }));

const promise = ({ killer }: Reach) => {
  const record = records[killer];
  return record === undefined ? 0 : record.kills / record.ms;
};

async function run({ mutant, atLoad, reach }: Job): Promise<Result> {
  let instance = standing;
  if (atLoad) {
    try {
      instance = loader.load(mutant);
    } catch (error) {
      return { mutant, outcome: 'killed', killer: null, message: String(error) };
    }
  }
  for (const { killer: index, hitLimit } of reach.toSorted((a, b) => promise(b) - promise(a))) {
    const killer = instance.killers[index];
    const record = records[index];
    if (killer === undefined || record === undefined) throw new Error(`there is no killer ${index}`);
    progress[0] = index;
    Atomics.add(progress, 1, 1);
    const startedAt = performance.now();
    const result = await runKiller(instance, killer, mutant, hitLimit);
    record.ms += performance.now() - startedAt;
    if (result.kind === 'passed') continue;
    record.kills += 1;
    return result.kind === 'ran-away'
      ? { mutant, outcome: 'timed-out', killer: index, message: 'it runs away' }
      : { mutant, outcome: 'killed', killer: index, message: result.message };
  }
  return { mutant, outcome: 'survived', killer: null, message: '' };
}

parentPort?.on('message', (job: Job) => {
  void run(job).then(
    (result) => parentPort?.postMessage(result),
    (error: unknown) => parentPort?.postMessage(error), // A defect of this tool, which must not pass for a kill.
  );
});
