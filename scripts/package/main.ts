// `npm run package`: makes dist/battito_VERSION_ARCH.deb from this checkout.
// Guarantees: the same commit and the same tools give the same bytes; nothing outside dist/ is touched.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import manifest from '../../package.json' with { type: 'json' };
import { type Architecture, architectures, hostArchitecture } from './architecture.ts';
import { controlFiles } from './control.ts';
import { packageFiles } from './files.ts';
import { writeTree } from './tree.ts';

const root = resolve(import.meta.dirname, '../..');

const help = `Makes a Debian package of this checkout: dist/battito_VERSION_ARCH.deb.

Usage: npm run package -- [OPTIONS]

  --arch ARCH         ${architectures.map(({ debian }) => debian).join(' or ')}; default the one of this machine; may be repeated
  --output DIRECTORY  where to put it; default dist
  --suffix TEXT       appended to the version, such as +lab1, to tell two builds apart
  --fast              compress little: for tests
  --help              show this help

The time in it is that of the commit, or SOURCE_DATE_EPOCH. For another architecture the runtime is fetched from the
npm registry, and binutils for it are needed (Debian: binutils-aarch64-linux-gnu, binutils-x86-64-linux-gnu).
`;

export interface BuildOptions {
  readonly architecture: Architecture;
  readonly output: string;
  readonly version: string;
  /** Seconds since 1970: the time of every file in the package. */
  readonly epoch: number;
  readonly fast: boolean;
}

/** Makes one package. @returns its path */
export async function build(options: BuildOptions): Promise<string> {
  const { architecture, output, version, epoch, fast } = options;
  mkdirSync(join(root, 'dist'), { recursive: true });
  mkdirSync(output, { recursive: true });
  const work = mkdtempSync(join(root, 'dist/.package-'));
  try {
    const files = await packageFiles({ root, work, architecture, version, epoch });
    const stage = join(work, 'stage');
    const control = controlFiles({ root, architecture, version, files });
    writeTree(stage, [...files, ...control], epoch);
    const target = join(output, `battito_${version}_${architecture.debian}.deb`);
    const compression = fast ? ['-Zgzip', '-z1'] : ['-Zxz', '-z6'];
    execFileSync('dpkg-deb', ['--root-owner-group', ...compression, '--build', stage, target], {
      env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch), LC_ALL: 'C' },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    return target;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The time of the commit, unless SOURCE_DATE_EPOCH says another (reproducible-builds.org). */
export function buildEpoch(): number {
  const given = process.env['SOURCE_DATE_EPOCH'] ?? commitTime();
  const epoch = Number(given.trim());
  if (!Number.isInteger(epoch) || epoch < 0) throw new Error(`SOURCE_DATE_EPOCH is no time: ${given}`);
  return epoch;
}

function commitTime(): string {
  try {
    return execFileSync('git', ['-C', root, 'log', '-1', '--format=%ct'], { encoding: 'utf8' });
  } catch (cause) {
    throw new Error('no commit to take the time from; set SOURCE_DATE_EPOCH', { cause });
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      arch: { type: 'string', multiple: true },
      output: { type: 'string', default: join(root, 'dist') },
      suffix: { type: 'string', default: '' },
      fast: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return void process.stdout.write(help);
  if (!/^([+~.][a-z0-9+~.]*)?$/.test(values.suffix)) throw new Error(`not a suffix: ${values.suffix}`);
  for (const name of values.arch ?? [hostArchitecture().debian]) {
    const architecture = architectures.find(({ debian }) => debian === name);
    if (architecture === undefined) throw new Error(`there is no runtime for ${name}`);
    const version = `${manifest.version}${values.suffix}`;
    const options = { architecture, output: resolve(values.output), version, epoch: buildEpoch() };
    process.stdout.write(`${await build({ ...options, fast: values.fast })}\n`);
  }
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    process.stderr.write(`package: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
