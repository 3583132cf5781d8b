// What a mutant is, and where it stands. Made by Stryker's instrumenter, which also places all of them in the source,
// each behind a switch, so that one bundle holds them all.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Instrumenter } from '@stryker-mutator/instrumenter';
import { isWording, mutatedFolder } from './config.ts';

export interface Mutant {
  readonly id: number;
  /** Name in the mutated folder. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  /** The top-level function or constant that it is in. */
  readonly within: string;
  readonly mutator: string;
  /** The source that is replaced, and by what; white space collapsed. */
  readonly original: string;
  readonly replacement: string;
  /** Text for people, see config.ts: not run. */
  readonly wording: boolean;
  /** The whole file with this mutant alone, for the compiler. */
  readonly mutatedSource: string;
}

export interface Instrumented {
  readonly mutants: readonly Mutant[];
  /** Instrumented source of each file, by its name in the mutated folder. */
  readonly sources: ReadonlyMap<string, string>;
}

const quiet = () => {};
const say = (message: string) => void process.stderr.write(`${message}\n`);
const logger = {
  isTraceEnabled: () => false,
  isDebugEnabled: () => false,
  isInfoEnabled: () => false,
  isWarnEnabled: () => true,
  isErrorEnabled: () => true,
  isFatalEnabled: () => true,
  trace: quiet,
  debug: quiet,
  info: quiet,
  warn: say,
  error: say,
  fatal: say,
};

export function sourceFiles(root: string): readonly string[] {
  return readdirSync(join(root, mutatedFolder))
    .filter((name) => name.endsWith('.ts'))
    .toSorted();
}

export async function instrument(root: string): Promise<Instrumented> {
  const files = sourceFiles(root).map((name) => ({
    name,
    mutate: true,
    content: readFileSync(join(root, mutatedFolder, name), 'utf8'),
  }));
  const originals = new Map(files.map(({ name, content }) => [name, content]));
  const options = { plugins: null, excludedMutations: [], ignorers: [], noHeader: true };
  const made = await new Instrumenter(logger).instrument(files, options);
  const mutants = made.mutants.map((mutant) =>
    describe({ ...mutant, id: Number(mutant.id) }, originals.get(mutant.fileName) ?? ''),
  );
  return { mutants, sources: new Map(made.files.map(({ name, content }) => [name, content])) };
}

interface Position {
  readonly line: number;
  readonly column: number;
}

interface Placed {
  readonly id: number;
  readonly fileName: string;
  readonly mutatorName: string;
  readonly replacement: string;
  readonly location: { readonly start: Position; readonly end: Position };
}

/** Replacements that are no expressions, and so may not stand in parentheses. */
const isStatement = ({ mutatorName, replacement }: Placed) =>
  mutatorName === 'BlockStatement' || /^(case\b|default\s*:|for\b)/.test(replacement);

function describe(placed: Placed, source: string): Mutant {
  const { start, end } = placed.location;
  const from = offsetOf(source, start);
  const until = offsetOf(source, end);
  const original = source.slice(from, until);
  const text = isStatement(placed) ? placed.replacement : `(${placed.replacement})`;
  return {
    id: placed.id,
    file: placed.fileName,
    line: start.line + 1,
    column: start.column + 1,
    within: enclosing(source, start.line),
    mutator: placed.mutatorName,
    original: collapse(original),
    replacement: collapse(placed.replacement),
    wording: isWording(placed.mutatorName, original),
    mutatedSource: source.slice(0, from) + text + source.slice(until),
  };
}

/** The instrumenter counts lines and columns from 0. */
function offsetOf(source: string, { line, column }: Position): number {
  let offset = 0;
  for (let count = 0; count < line; count += 1) offset = source.indexOf('\n', offset) + 1;
  return offset + column;
}

function enclosing(source: string, line: number): string {
  for (const text of source.split('\n', line + 1).toReversed()) {
    const found = /^(?:export )?(?:async )?(?:function\*?|const|let) (\w+)/.exec(text);
    if (found?.[1] !== undefined) return found[1];
  }
  return '';
}

export function collapse(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}
