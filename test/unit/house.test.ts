// The rules of the house that a compiler does not know: what may import what, and how pure the core is.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import test from 'ava';

const daemon = resolve(import.meta.dirname, '../../daemon');

const files = readdirSync(daemon, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => ({ name, text: readFileSync(join(daemon, name), 'utf8') }));

/** From the top to the bottom of the house: a floor may import itself and what is below it. */
const floors = [
  'cli',
  'web',
  'whatif',
  'runtime',
  'schedule',
  'notify',
  'metrics',
  'control',
  'runbook',
  'drivers',
  'config',
  'incident',
  'sim',
  'why',
  'core',
];

const importsOf = (text: string) =>
  [...text.matchAll(/(?:^|\n)(?:import|export)[^;]*?from '([^']+)'|import\('([^']+)'\)/g)].map(
    ([, still, lazy]) => still ?? lazy ?? '',
  );

test('imports go from the top of the house to the bottom', (t) => {
  for (const { name, text } of files) {
    const from = floors.indexOf(name.split('/')[0] ?? '');
    if (from < 0) continue; // main.ts is the entry, errors.ts is everybody's.
    for (const path of importsOf(text).filter((target) => target.startsWith('.'))) {
      const target = relative(daemon, resolve(daemon, dirname(name), path));
      const to = floors.indexOf(target.split('/')[0] ?? '');
      t.true(to < 0 || to >= from, `daemon/${name} imports daemon/${target}`);
    }
  }
});

test('drivers know nothing of what the core decides', (t) => {
  for (const { name, text } of files.filter(({ name: file }) => file.startsWith('drivers/'))) {
    const fromCore = importsOf(text).filter((target) => target.includes('/core/'));
    t.deepEqual(
      fromCore.filter((target) => target !== '../core/events.ts'),
      [],
      name,
    );
  }
});

/** What may decide or model, and must give the same answer everywhere and always. */
const pureFloors = [
  { floor: 'core', imports: /^\.\/[a-z-]+\.ts$/ },
  { floor: 'sim', imports: /^(\.|\.\.\/core)\/[a-z-]+\.ts$|^\.\.\/errors\.ts$/ },
];

for (const { floor, imports } of pureFloors) {
  test(`${floor}/ imports nothing from above, and asks no clock and no chance`, (t) => {
    const pure = files.filter(({ name }) => name.startsWith(`${floor}/`));
    t.true(pure.length > 10);
    for (const { name, text } of pure) {
      for (const target of importsOf(text)) t.regex(target, imports, name);
      const code = text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
      t.notRegex(code, /\bDate\b|Math\.random|performance|setTimeout|setInterval|process\.|console\./, name);
      t.notRegex(code, /\bclass\b/, name);
    }
  });
}

test('every file of the daemon opens with its job, and stays small enough to have one', (t) => {
  for (const { name, text } of files) {
    t.regex(text, /^\/\/ /, name);
    t.true(text.split('\n').length <= 350, `${name} has ${text.split('\n').length} lines`);
  }
});

test('no line of prose stands in two pages, and each decision is in the list of them', (t) => {
  const root = join(daemon, '..');
  const pages = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)];
  const seenIn = new Map<string, string>();
  for (const page of pages.filter((name) => name.endsWith('.md'))) {
    const lines = new Set(readFileSync(join(root, page), 'utf8').split('\n'));
    for (const line of lines) {
      if (line.length <= 60 || line.startsWith('|')) continue;
      t.is(seenIn.get(line), undefined, `${page}: ${line}`);
      seenIn.set(line, page);
    }
  }
  const list = readFileSync(join(root, 'docs/development.md'), 'utf8');
  for (const name of readdirSync(join(root, 'docs/decisions')))
    t.true(list.includes(`(decisions/${name})`), name);
});
