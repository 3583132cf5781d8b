// Hands mutants to a few threads, and ends a thread that does not come back in time.

import { Worker } from 'node:worker_threads';
import type { Baseline } from './baseline.ts';
import { deadlineExtraMs, deadlineFactor } from './config.ts';
import type { LoaderOptions } from './load.ts';
import type { Job, Result, WorkerOptions } from './worker.ts';

const lookEveryMs = 200;
const heapMaxMb = 1024;

export interface PoolOptions extends LoaderOptions {
  readonly workers: number;
  readonly baseline: Baseline;
  readonly onResult: (result: Result) => void;
}

/** Runs all jobs; resolves when each has its result. @throws when this tool itself fails. */
export async function runJobs(jobs: readonly Job[], options: PoolOptions): Promise<void> {
  const queue = jobs.values();
  const count = Math.min(options.workers, jobs.length);
  await Promise.all(Array.from({ length: count }, () => serve(queue, options)));
}

async function serve(queue: Iterator<Job>, options: PoolOptions): Promise<void> {
  let thread = startThread(options);
  for (let next = queue.next(); next.done !== true; next = queue.next()) {
    const result = await thread.run(next.value);
    options.onResult(result);
    if (thread.isOver()) thread = startThread(options);
  }
  await thread.end();
}

function startThread({ text, runs, snapshots, baseline }: PoolOptions) {
  const shared = new SharedArrayBuffer(8);
  const progress = new Int32Array(shared);
  const data: WorkerOptions = { text, runs, snapshots, progress: shared };
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: data,
    resourceLimits: { maxOldGenerationSizeMb: heapMaxMb },
  });
  let isOver = false;
  let onMessage: (result: Result | Error) => void = () => {};
  let onDeath: (error: Error & { readonly code?: string }) => void = () => {};
  worker.on('message', (result: Result | Error) => onMessage(result));
  worker.on('error', (error) => onDeath(error as Error));

  const run = (job: Job) =>
    new Promise<Result>((resolve, reject) => {
      const { mutant } = job;
      const timer = watch(progress, baseline, (killer) =>
        finish({ mutant, outcome: 'timed-out', killer, message: 'it does not come back' }, true),
      );
      const finish = (result: Result, ends: boolean) => {
        clearInterval(timer);
        onMessage = () => {};
        onDeath = () => {};
        isOver = ends;
        if (ends) void worker.terminate();
        resolve(result);
      };
      onMessage = (result) => (result instanceof Error ? reject(result) : finish(result, false));
      onDeath = ({ code, message }) => {
        const outcome = code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'timed-out' : 'killed';
        finish({ mutant, outcome, killer: null, message: `the thread died: ${message}` }, true);
      };
      worker.postMessage(job);
    });

  return { run, isOver: () => isOver, end: async () => void (await worker.terminate()) };
}

/** Looks whether killers go on being begun; calls back with the one that has been running for too long. */
function watch(progress: Int32Array, { killers }: Baseline, onLate: (killer: number) => void) {
  let begun = Atomics.load(progress, 1);
  let since = performance.now();
  return setInterval(() => {
    const now = Atomics.load(progress, 1);
    const killer = Atomics.load(progress, 0);
    if (now !== begun) since = performance.now();
    begun = now;
    const cleanMs = killers[killer]?.ms ?? 0;
    if (performance.now() - since > cleanMs * deadlineFactor + deadlineExtraMs) onLate(killer);
  }, lookEveryMs);
}
