// Spreads schedules over worker processes, a few hundred seeds at a time, and adds up what they send back.

import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { Variant } from './schedule.ts';
import { addTally, emptyTally, type Tally } from './tally.ts';

export interface Job {
  readonly seedFrom: number;
  /** How many seeds are looked at; of them only those of the variants are run. */
  readonly count: number;
  readonly variants: readonly Variant[] | null;
  /** Each step at the time that was drawn for it. */
  readonly isPatient: boolean;
  /** End the job at the first schedule that breaks a promise. */
  readonly stopsAtFirst: boolean;
  /** Runs this scenario instead. */
  readonly scenario?: string;
}

export interface Worker {
  /** One at a time. */
  readonly run: (job: Job) => Promise<Tally>;
  readonly end: () => void;
}

const workerPath = join(import.meta.dirname, 'worker.ts');

/** Nearly all that a schedule makes is garbage at once: with room for it, MiB, it is seldom collected. */
const roomForTheYoung = ['--min-semi-space-size=64', '--max-semi-space-size=64'];

/** `defect`: the name of a planted defect that its core is to have. */
export function startWorker(defect?: string): Worker {
  const child = fork(workerPath, defect === undefined ? [] : [defect], {
    execArgv: [...process.execArgv, ...roomForTheYoung],
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  });
  let stderr = '';
  child.stderr?.on('data', (data: Buffer) => {
    stderr += data.toString();
  });
  return { run: (job) => runJob(child, job, () => stderr.trim()), end: () => void child.kill() };
}

function runJob(child: ChildProcess, job: Job, problem: () => string): Promise<Tally> {
  return new Promise((resolve, reject) => {
    const exited = (code: number | null) =>
      reject(new Error(`a worker ended with code ${code}: ${problem()}`));
    child.once('exit', exited);
    child.once('message', (tally: Tally) => {
      child.off('exit', exited);
      resolve(tally);
    });
    child.send(job, (error) => {
      if (error !== null) reject(error);
    });
  });
}

export interface PoolOptions extends Job {
  readonly workers: number;
  readonly onProgress?: (tally: Tally) => void;
}

export async function runInWorkers(options: PoolOptions): Promise<Tally> {
  const { seedFrom, count, workers, stopsAtFirst, variants, isPatient } = options;
  const chunk = Math.max(20, Math.min(500, Math.ceil(count / workers / 8)));
  const sum = emptyTally();
  let given = 0;
  const nextJob = (): Job | null => {
    const isEnough = stopsAtFirst && sum.found.length > 0;
    if (given >= count || isEnough) return null;
    const next = { seedFrom: seedFrom + given, count: Math.min(chunk, count - given) };
    const job = { ...next, variants, stopsAtFirst, isPatient };
    given += job.count;
    return job;
  };
  const work = async () => {
    const worker = startWorker();
    try {
      for (let job = nextJob(); job !== null; job = nextJob()) {
        addTally(sum, await worker.run(job));
        options.onProgress?.(sum);
      }
    } finally {
      worker.end();
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  sum.found.sort((a, b) => a.seed - b.seed || a.at - b.at);
  return sum;
}
