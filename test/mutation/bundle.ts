// Puts the instrumented core, the tests and the simulator into one script, with ava and fast-check replaced by the
// harness. Twice: once to count what each killer reaches, once to run mutants fast.

import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { killerModules, mutatedFolder, testFiles } from './config.ts';
import type { Instrumented } from './mutant.ts';

const harness = join(import.meta.dirname, 'harness');

export interface BundleOptions {
  readonly root: string;
  readonly instrumented: Instrumented;
  /** Count what is evaluated, or leave that out, which is several times as fast. */
  readonly coverage: boolean;
}

/** @returns the text of a CommonJS script; harness/switch.ts says what it wants besides `require` and `module`. */
export async function bundle({ root, instrumented, coverage }: BundleOptions): Promise<string> {
  const built = await build({
    stdin: { contents: entry(root), resolveDir: root, loader: 'ts' },
    bundle: true,
    write: false,
    platform: 'node',
    format: 'cjs',
    target: 'esnext',
    packages: 'external',
    logLevel: 'warning',
    plugins: [replaceModules(root), loadSources(root, instrumented, coverage)],
  });
  const [output] = built.outputFiles;
  if (output === undefined) throw new Error('esbuild wrote nothing');
  return output.text;
}

function entry(root: string): string {
  const tests = globSync([...testFiles], { cwd: root }).toSorted();
  if (tests.length === 0) throw new Error('no test file was found');
  const imported = killerModules.map(
    (path, index) => `import { killers as killers${index} } from './${path}';`,
  );
  return [
    ...tests.map((path) => `import './${path}';`),
    ...imported,
    `import { collected, exchangeSnapshots } from '${join(harness, 'ava.ts')}';`,
    `export * from '${join(harness, 'switch.ts')}';`,
    `export { limitRuns, reseed } from '${join(harness, 'fast-check.ts')}';`,
    'export { exchangeSnapshots };',
    `export const killers = [...collected, ${killerModules.map((_, index) => `...killers${index}`).join(', ')}];`,
  ].join('\n');
}

function replaceModules(root: string): Plugin {
  return {
    name: 'replace-modules',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^ava$/ }, ({ importer }) => ({
        path: relative(root, importer),
        namespace: 'test-of',
      }));
      onLoad({ filter: /.*/, namespace: 'test-of' }, ({ path }) => ({
        contents: `import { createTest } from '${join(harness, 'ava.ts')}';
          export default createTest(${JSON.stringify(path)});`,
        resolveDir: root,
        loader: 'ts',
      }));
      onResolve({ filter: /^fast-check$/ }, ({ importer }) => {
        const inHarness = dirname(importer) === harness;
        return inHarness ? { path: 'fast-check', external: true } : { path: join(harness, 'fast-check.ts') };
      });
    },
  };
}

function loadSources(root: string, { sources }: Instrumented, coverage: boolean): Plugin {
  const folder = join(root, mutatedFolder);
  const switchImport = `import { activeMutant, cover, hit } from '${join(harness, 'switch.ts')}';`;
  return {
    name: 'load-sources',
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/, namespace: 'file' }, ({ path }) => {
        if (path.includes('/node_modules/')) return null;
        const source = dirname(path) === folder ? sources.get(relative(folder, path)) : undefined;
        const contents =
          source === undefined
            ? readFileSync(path, 'utf8')
            : `${switchImport} ${placeSwitches(source, coverage)}`;
        return { contents: withOwnLocation(contents, path), loader: 'ts' };
      });
    },
  };
}

/** The instrumenter writes calls of two functions; what takes their place here is quicker. */
function placeSwitches(source: string, coverage: boolean): string {
  return source
    .replaceAll(/stryMutAct_9fa48\("(\d+)"\)/g, '(activeMutant[0] === $1 && hit())')
    .replaceAll(/stryCov_9fa48\(([^)]*)\)/g, (_, ids: string) =>
      coverage ? `cover(${ids.replaceAll('"', '')})` : '0',
    );
}

/** Tests find files beside themselves. */
function withOwnLocation(contents: string, path: string): string {
  return contents
    .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href))
    .replaceAll('import.meta.dirname', JSON.stringify(dirname(path)))
    .replaceAll('import.meta.filename', JSON.stringify(path))
    .replaceAll('import.meta.main', 'false');
}
