// The program in parts, and the licences of what is in them. Each command loads those that it needs, all of them as it
// starts: a daemon goes on when an upgrade has replaced its files, or their disk hangs. Only a web page that is switched on
// later is read then. As a program, what scripts/battito runs: `bundle.ts DIRECTORY` puts the files there.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { build, type Plugin } from 'esbuild';

export interface Bundle {
  /** The first one is the entry. */
  readonly files: readonly BundleFile[];
  /** The libraries in it, by name. */
  readonly libraries: readonly Library[];
}

export interface BundleFile {
  /** Such as `battito.js` or `parts/status-ABCDEFGH.js`: what a part holds is in its name. */
  readonly path: string;
  readonly code: string;
}

export interface Library {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
}

/**
 * The runtime's own modules by getBuiltinModule, and of each what is used. `import` would read every export at once, and
 * with one of node:http load a second HTTP client.
 */
const builtins: Plugin = {
  name: 'builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^[a-z_:/]+$/ }, ({ path, kind }) =>
      isBuiltin(path) && kind === 'import-statement' ? { path, namespace: 'builtin' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => {
      const names = Object.keys(process.getBuiltinModule(path) ?? {}).filter((name) => /^\w+$/.test(name));
      const lines = names.map((name) => `export const ${name}=/* @__PURE__ */(()=>builtin.${name})();`);
      const builtin = `const builtin=process.getBuiltinModule(${JSON.stringify(path)});`;
      return { contents: [builtin, ...lines, 'export default builtin;'].join('\n') };
    });
  },
};

export async function makeBundle(root: string): Promise<Bundle> {
  const outdir = join(root, 'dist'); // Nothing is written there by this.
  const { outputFiles, metafile } = await build({
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node26',
    banner: { js: "const require=process.getBuiltinModule('module').createRequire(import.meta.url);" },
    splitting: true,
    outdir,
    chunkNames: 'parts/[name]-[hash]',
    // Without comments all of it is ASCII, which the runtime keeps in half the memory. Names are kept, for a stack.
    minifyWhitespace: true,
    lineLimit: 120,
    plugins: [builtins],
    define: { 'Intl.DateTimeFormat': 'LocalCalendar' },
    inject: [join(root, 'daemon/schedule/local-calendar.ts')],
    entryPoints: { battito: join(root, 'daemon/main.ts') },
    absWorkingDir: root, // Paths in it are relative to it, wherever the checkout lies.
    metafile: true,
    write: false,
    logLevel: 'warning',
  });
  const names = new Set<string>();
  for (const input of Object.keys(metafile.inputs)) {
    const [, name] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input) ?? [];
    if (name !== undefined) names.add(name);
  }
  const files = outputFiles.map(({ path, text }) => ({ path: relative(outdir, path), code: text }));
  const isEntry = ({ path }: BundleFile) => path === 'battito.js';
  return {
    files: [...files.filter(isEntry), ...files.filter((file) => !isEntry(file))],
    libraries: [...names].sort().map((name) => readLibrary(join(root, 'node_modules', name))),
  };
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

/** The entry last, and each by a rename: two commands may build at once, and neither may run half of it. */
export async function writeBundle(root: string, directory: string): Promise<void> {
  const { files } = await makeBundle(root);
  for (const { path, code } of files.toReversed()) {
    const file = join(directory, path);
    mkdirSync(dirname(file), { recursive: true });
    const fresh = `${file}.${process.pid}.new`;
    writeFileSync(fresh, code);
    renameSync(fresh, file);
  }
  removeOld(join(directory, 'parts'), new Set(files.map(({ path }) => path)));
}

const keptMs = 24 * 3_600_000;

/** Parts that no bundle has had for a day: what runs may be of an older one. */
function removeOld(directory: string, current: ReadonlySet<string>): void {
  for (const name of readdirSync(directory)) {
    const { mtimeMs } = statSync(join(directory, name), { throwIfNoEntry: false }) ?? { mtimeMs: Infinity };
    if (!current.has(`parts/${name}`) && Date.now() - mtimeMs > keptMs)
      rmSync(join(directory, name), { force: true });
  }
}

if (import.meta.main) {
  await writeBundle(
    join(import.meta.dirname, '../..'),
    process.argv[2] ?? join(import.meta.dirname, '../../dist'),
  );
}
