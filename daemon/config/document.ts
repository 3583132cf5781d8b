// One YAML text as values with positions: where each key and value stands, and what is wrong with the YAML itself.
// It knows nothing of the keys' meaning. A text with a syntax error has no values: what follows the error is guesswork.

import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  visit,
  type YAMLParseError,
} from 'yaml';
import type { ProblemCode } from '../why/config.ts';

export type Path = readonly (string | number)[];

export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A fault with its place. `target`: whether the key or its value is pointed at (`value` by default). */
export interface Finding {
  /** Absent: a rule between keys. */
  readonly code?: ProblemCode;
  readonly path: Path;
  readonly target?: 'key' | 'value';
  readonly message: string;
  readonly expected: string;
  readonly found?: string;
  readonly suggestion?: string;
  readonly position?: Position;
}

export interface SourceDocument {
  /** Plain values; `undefined` when the text could not be read as one YAML document. */
  readonly value: unknown;
  readonly findings: readonly Finding[];
  /** Place of a key or value; of the enclosing mapping when there is no such key. */
  locate(path: Path, target?: 'key' | 'value'): Position;
}

const expectedYaml = 'one valid YAML document';

/** Reads a text; never throws. Lines and columns count from 1. */
export function readDocument(text: string): SourceDocument {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const unreadable = (findings: Finding[]): SourceDocument => ({
    value: undefined,
    findings,
    locate: () => at(0),
  });
  const [first, second] = Array.isArray(documents) ? documents : [];
  if (first === undefined || (second === undefined && isEmpty(first.contents) && first.errors.length === 0)) {
    const message = 'the file is empty; expected a configuration, such as the example battito.yaml';
    return unreadable([
      { code: 'config-yaml', path: [], message, expected: 'a configuration', position: at(0) },
    ]);
  }
  const broken = [first, ...(second ? [second] : [])].flatMap((document) =>
    [...document.errors.filter(isFault), ...document.warnings].map((error): Finding => {
      const message = `not valid YAML: ${error.message}`;
      return { code: 'config-yaml', path: [], message, expected: expectedYaml, position: at(error.pos[0]) };
    }),
  );
  if (second !== undefined) {
    const message = `expected one document, found ${documents.length}; the second one starts here`;
    broken.push({
      code: 'config-yaml',
      path: [],
      message,
      expected: expectedYaml,
      position: at(second.range[0]),
    });
  }
  visit(first, {
    Alias(_key, alias) {
      if (alias.resolve(first) === undefined) {
        const message = `not valid YAML: *${alias.source} is used, but nothing before it is marked &${alias.source}`;
        broken.push({
          code: 'config-yaml',
          path: [],
          message,
          expected: expectedYaml,
          position: at(alias.range?.[0] ?? 0),
        });
      }
    },
  });
  if (broken.length > 0) {
    return unreadable(broken);
  }
  const resolve = (node: unknown): unknown => (isAlias(node) ? node.resolve(first) : node);
  let value: unknown;
  try {
    value = first.toJS();
  } catch (cause) {
    const message = `not valid YAML: ${cause instanceof Error ? cause.message : String(cause)}`;
    return unreadable([{ code: 'config-yaml', path: [], message, expected: expectedYaml, position: at(0) }]);
  }
  return {
    value,
    findings: repeatedKeys(first.contents, at),
    locate: (path, target = 'value') => at(offsetOf(first.contents, path, target, resolve)),
  };
}

/** After the first fault most tokens are unexpected: that only follows from it. */
const isFault = ({ code }: YAMLParseError, index: number) => index === 0 || code !== 'UNEXPECTED_TOKEN';

function isEmpty(node: unknown): boolean {
  return node === null || (isScalar(node) && node.value === null);
}

function keyText(key: unknown): string {
  return isScalar(key) ? String(key.value) : String(key);
}

/** Every key that stands twice in one mapping, at its later places. */
function repeatedKeys(root: unknown, at: (offset: number) => Position): Finding[] {
  const findings: Finding[] = [];
  const walk = (node: unknown, path: Path): void => {
    if (isSeq(node)) {
      for (const [index, item] of node.items.entries()) {
        walk(item, [...path, index]);
      }
    }
    const seen = new Map<string, Position>();
    for (const pair of isMap(node) ? node.items : []) {
      const key = keyText(pair.key);
      const position = at((pair.key as Node | null)?.range?.[0] ?? 0);
      const earlier = seen.get(key);
      if (earlier !== undefined) {
        const message = `given twice; the first is in line ${earlier.line}`;
        findings.push({
          code: 'config-key-twice',
          path: [...path, key],
          message,
          expected: 'each key once',
          found: key,
          position,
        });
      }
      seen.set(key, earlier ?? position);
      walk(pair.value, [...path, key]);
    }
  };
  walk(root, []);
  return findings;
}

function offsetOf(
  root: unknown,
  path: Path,
  target: 'key' | 'value',
  resolve: (node: unknown) => unknown,
): number {
  let node = root;
  let keyOffset = 0;
  let valueOffset = (root as Node | null)?.range?.[0] ?? 0;
  for (const segment of path) {
    const parent = resolve(node);
    const pair = isMap(parent)
      ? parent.items.findLast((item) => keyText(item.key) === String(segment))
      : undefined;
    const next = isSeq(parent) ? parent.items[Number(segment)] : pair?.value;
    if (pair === undefined && next === undefined) {
      return valueOffset;
    }
    node = next;
    const range = (node as Node | null)?.range;
    keyOffset = (pair?.key as Node | undefined)?.range?.[0] ?? range?.[0] ?? keyOffset;
    // A value that was left out stands nowhere: its key is pointed at.
    valueOffset = range && (range[1] > range[0] || !isEmpty(node)) ? range[0] : keyOffset;
  }
  return target === 'key' ? keyOffset : valueOffset;
}
