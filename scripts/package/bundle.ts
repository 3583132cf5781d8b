// The program in one file, and the licences of what is in it.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

export interface Bundle {
  readonly code: string;
  /** The libraries in it, by name. */
  readonly libraries: readonly Library[];
}

export interface Library {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
}

/** The same options as in scripts/battito, which runs a checkout; a test compares them. */
export const bundleOptions = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node26',
  banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
} as const;

export async function makeBundle(root: string): Promise<Bundle> {
  const { outputFiles, metafile } = await build({
    ...bundleOptions,
    entryPoints: [join(root, 'daemon/main.ts')],
    absWorkingDir: root, // Paths in comments are relative to it, wherever the checkout lies.
    metafile: true,
    write: false,
    logLevel: 'warning',
  });
  const names = new Set<string>();
  for (const input of Object.keys(metafile.inputs)) {
    const [, name] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input) ?? [];
    if (name !== undefined) names.add(name);
  }
  const libraries = [...names].sort().map((name) => readLibrary(join(root, 'node_modules', name)));
  return { code: outputFiles[0]?.text ?? '', libraries };
}

function readLibrary(directory: string): Library {
  const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as {
    readonly name: string;
    readonly version: string;
    readonly license?: string;
  };
  const file = existsSync(directory)
    ? readdirSync(directory).find((name) => /^licen[cs]e/i.test(name))
    : undefined;
  const licence =
    file === undefined ? `Licence: ${manifest.license}` : readFileSync(join(directory, file), 'utf8');
  return { name: manifest.name, version: manifest.version, licence: licence.trim() };
}
