// Asks the compiler which mutants it refuses: those can never be shipped, so they say nothing about the tests. Each
// mutant is a file of its own beside copies of the others, so one run of tsc judges a thousand of them.

import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { mutatedFolder } from './config.ts';
import type { Mutant } from './mutant.ts';

const atOnce = 1000;

/** An unused name or dead code is what a mutant leaves behind, no mistake of types. */
const lenient = { noUnusedLocals: false, noUnusedParameters: false, allowUnreachableCode: true };

/** @returns ids of the mutants that do not compile. */
export async function refusedByCompiler(
  root: string,
  mutants: readonly Mutant[],
): Promise<ReadonlySet<number>> {
  const folder = mkdtempSync(join(tmpdir(), 'battito-mutants-'));
  try {
    cpSync(join(root, mutatedFolder), folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
    const refused = new Set<number>();
    for (let from = 0; from < mutants.length; from += atOnce) {
      for (const id of await judge(root, folder, mutants.slice(from, from + atOnce))) refused.add(id);
    }
    return refused;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function judge(root: string, folder: string, mutants: readonly Mutant[]): Promise<readonly number[]> {
  for (const { id, mutatedSource } of mutants) writeFileSync(join(folder, `mutant-${id}.ts`), mutatedSource);
  const config = {
    extends: join(root, mutatedFolder, 'tsconfig.json'),
    compilerOptions: { ...lenient, noEmit: true },
    include: [],
    files: mutants.map(({ id }) => `mutant-${id}.ts`),
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const errors = await compile(root, folder);
  for (const { id } of mutants) rmSync(join(folder, `mutant-${id}.ts`));
  const ids = errors.map((line) => /(?:^|\/)mutant-(\d+)\.ts\(/.exec(line)?.[1]);
  const foreign = errors.find((_, index) => ids[index] === undefined);
  if (foreign !== undefined) throw new Error(`tsc fails on the unmutated sources: ${foreign}`);
  return ids.map(Number);
}

async function compile(root: string, folder: string): Promise<readonly string[]> {
  const tsc = join(root, 'node_modules/.bin/tsc');
  const options = { cwd: folder, maxBuffer: 1024 ** 3 };
  const lines = (output: string) => output.split('\n').filter((line) => /(?:^|\s)error TS\d+/.test(line));
  try {
    return lines((await promisify(execFile)(tsc, ['-p', folder, '--pretty', 'false'], options)).stdout);
  } catch (error) {
    const { stdout } = error as { readonly stdout?: string };
    if (stdout === undefined || lines(stdout).length === 0) throw error;
    return lines(stdout);
  }
}
