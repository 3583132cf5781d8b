// The package of this checkout, made for the lab: once by each process of tests, with a time of its own so that a
// commit that changes nothing in it gives the same bytes.

import { execFile } from 'node:child_process';
import { rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const repository = join(import.meta.dirname, '../../..');
const folder = join(repository, 'test-output/lab-package');
const buildTimeoutMs = 300_000;
const packages = new Map<string, Promise<string>>();

/** The path of the .deb. @param suffix of its version, e.g. `+lab1`, to tell two of them apart. */
export function packageFile(suffix = ''): Promise<string> {
  const made = packages.get(suffix) ?? build(suffix);
  packages.set(suffix, made);
  return made;
}

async function build(suffix: string): Promise<string> {
  const script = join(repository, 'scripts/package/main.ts');
  // Made aside and moved when it is whole: another run may be reading the one of before.
  const scratch = join(folder, `making-${process.pid}`);
  const { stdout } = await run(
    process.execPath,
    [script, '--fast', '--output', scratch, ...(suffix === '' ? [] : ['--suffix', suffix])],
    { timeout: buildTimeoutMs, env: { ...process.env, SOURCE_DATE_EPOCH: '1700000000' } },
  );
  const made = join(folder, basename(stdout.trim()));
  await rename(stdout.trim(), made);
  await rm(scratch, { recursive: true });
  return made;
}
