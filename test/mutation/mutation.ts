// Mutation testing of the core: how many small mistakes would the tests notice? Mutants are made by Stryker's
// instrumenter; running them is our own, since all of it fits into one process and a mutant then takes milliseconds.
// Progress goes to standard error. Exit code 0: the score is good enough, 1: it is not, 2: it could not be told.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Baseline, measureBaseline } from './baseline.ts';
import { bundle } from './bundle.ts';
import { refusedByCompiler } from './compiler.ts';
import { mutatedFolder, scoreMin } from './config.ts';
import { instrument, type Mutant, sourceFiles } from './mutant.ts';
import { type Options, readOptions, usage } from './options.ts';
import { runJobs } from './pool.ts';
import {
  isSurvivor,
  judge,
  renderSummary,
  renderSurvivors,
  renderTable,
  survivorsIn,
  tally,
  toJson,
} from './report.ts';
import type { Job, Result } from './worker.ts';

const root = resolve(import.meta.dirname, '../..');
const startedAt = performance.now();

function progress(message: string): void {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  process.stderr.write(`${seconds.padStart(6)} s  ${message}\n`);
}

/** The mutants that are meant, without wording. */
function choose(all: readonly Mutant[], { files, sample, seed, survivorsOf }: Options): readonly Mutant[] {
  const known = sourceFiles(root);
  const strange = files.find((name) => !known.includes(name));
  if (strange !== undefined) throw new Error(`there is no ${mutatedFolder}/${strange}`);
  const inFiles = all.filter(({ file, wording }) => !wording && (files.length === 0 || files.includes(file)));
  const meant = survivorsOf === null ? inFiles : survivorsIn(readFileSync(survivorsOf, 'utf8'), inFiles);
  if (sample === null) return meant;
  const lot = ({ id }: Mutant) => createHash('sha256').update(`${seed} ${id}`).digest('hex');
  return meant
    .map((mutant) => ({ mutant, lot: lot(mutant) }))
    .toSorted((a, b) => (a.lot < b.lot ? -1 : 1))
    .slice(0, sample)
    .map(({ mutant }) => mutant)
    .toSorted((a, b) => a.id - b.id);
}

function jobFor({ id }: Mutant, { atLoad, reach, killers }: Baseline): Job | null {
  if (atLoad.has(id)) {
    const everybody = killers.map((_, killer) => ({ killer, hitLimit: Number.POSITIVE_INFINITY }));
    return { mutant: id, atLoad: true, reach: everybody };
  }
  const reached = reach.get(id);
  return reached === undefined ? null : { mutant: id, atLoad: false, reach: reached };
}

async function test(mutants: readonly Mutant[], text: string, baseline: Baseline, options: Options) {
  const jobs = mutants.flatMap((mutant) => jobFor(mutant, baseline) ?? []);
  const results = new Map<number, Result>();
  let alive = 0;
  let toldAt = performance.now();
  await runJobs(jobs, {
    text,
    runs: options.runs,
    snapshots: baseline.snapshots,
    workers: options.workers,
    baseline,
    onResult(result) {
      results.set(result.mutant, result);

      if (result.outcome === 'survived') alive += 1;
      if (performance.now() - toldAt < 5000) return;
      toldAt = performance.now();
      progress(`${results.size} of ${jobs.length} mutants run, ${alive} survived`);
    },
  });
  return mutants.map((mutant) => judge(mutant, results.get(mutant.id), baseline));
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help')) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  const options = readOptions(args);
  const instrumented = await instrument(root);
  const chosen = choose(instrumented.mutants, options);
  const wording = instrumented.mutants.filter((mutant) => mutant.wording).length;
  progress(`${instrumented.mutants.length} mutants made, ${chosen.length} chosen`);
  const refused = await refusedByCompiler(root, chosen);
  const mutants = chosen.filter(({ id }) => !refused.has(id));
  progress(`the compiler refuses ${refused.size} of them`);
  const counting = await bundle({ root, instrumented, coverage: true });
  const baseline = await measureBaseline(counting, options.runs);
  const cleanMs = baseline.killers.reduce((sum, { ms }) => sum + ms, 0);
  progress(`${baseline.killers.length} killers, ${(cleanMs / 1000).toFixed(1)} s in all`);
  const fast = await bundle({ root, instrumented, coverage: false });
  const all = await test(mutants, fast, baseline, options);
  progress(`${all.length} mutants judged, ${all.filter(isSurvivor).length} of them live`);
  const summary = renderSummary(all, { wording, refused: refused.size });
  const report = [renderTable(all), renderSurvivors(all, mutatedFolder), summary].filter(
    (text) => text !== '',
  );
  const output = options.json ? process.stderr : process.stdout;
  output.write(`${report.join('\n\n')}\n`);
  if (options.json) process.stdout.write(`${toJson(all)}\n`);
  return tally(all).score >= scoreMin ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
