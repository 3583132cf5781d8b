// Faults in the configuration as an operator reads them: file, line, column, key, what was expected, what was found.
// Turns zod's issues into findings and findings into problems. It decides nothing about what is valid.

import { distance } from 'fastest-levenshtein';
import type * as z from 'zod';
import type { ProblemCode } from '../why/config.ts';
import type { Finding, Path, SourceDocument } from './document.ts';
import { knownKeysAt } from './schema.ts';

/** One thing to mend. `line` and `column` count from 1; `path` is empty for the file as a whole. */
export interface ConfigProblem {
  readonly code: ProblemCode;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Such as `groups.office.guests[0].disk`. */
  readonly path: string;
  /** The whole sentence, without place and path. */
  readonly message: string;
  readonly expected: string;
  readonly found?: string;
  /** The valid word nearest to the one that was found. */
  readonly suggestion?: string;
}

/** `/etc/battito/battito.yaml:7:3: heartbeat.keepalve: unknown key; did you mean "keepalive"?` */
export function formatProblem(problem: ConfigProblem): string {
  const path = problem.path === '' ? '' : `${problem.path}: `;
  return `${problem.file}:${problem.line}:${problem.column}: ${path}${problem.message}`;
}

/** `groups.office.guests[0].disk`; a key with other than letters, digits, `_` and `-` is quoted. */
export function formatPath(path: Path): string {
  return path.reduce<string>((text, segment) => {
    if (typeof segment === 'number') {
      return `${text}[${segment}]`;
    }
    const key = /^[\w-]+$/.test(segment) ? segment : JSON.stringify(segment);
    return text === '' ? key : `${text}.${key}`;
  }, '');
}

/** The candidate that `word` was probably meant to be; `undefined` when none is close. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const plain = (text: string) => text.toLowerCase().replaceAll('_', '-');
  const [best] = candidates
    .map((candidate) => ({ candidate, edits: editsBetween(plain(word), plain(candidate)) }))
    .sort((a, b) => a.edits - b.edits);
  if (best === undefined) {
    return undefined;
  }
  // More than half of a short word would suggest anything for anything.
  const { length } = best.candidate;
  return best.edits <= Math.min(Math.max(2, length / 3), length / 2) ? best.candidate : undefined;
}

/** Two neighbours that changed places are one slip. */
function editsBetween(word: string, candidate: string): number {
  const swaps = [...word].map(
    (letter, index) => `${word.slice(0, index)}${word.charAt(index + 1)}${letter}${word.slice(index + 2)}`,
  );
  return word !== candidate && swaps.includes(candidate) ? 1 : distance(word, candidate);
}

/** Places the findings in the file, in reading order, each once. */
export function toProblems(
  file: string,
  source: SourceDocument,
  findings: readonly Finding[],
): ConfigProblem[] {
  const problems = findings.map(({ path, target, position, ...rest }): ConfigProblem => {
    return {
      code: 'config-rule',
      file,
      ...(position ?? source.locate(path, target)),
      path: formatPath(path),
      ...rest,
    };
  });
  const unique = new Map(problems.map((problem) => [`${problem.path} ${problem.message}`, problem]));
  return [...unique.values()].sort((a, b) => a.line - b.line || a.column - b.column);
}

/** What zod found, in plain words. `value` is what was validated. */
export function toFindings(issues: readonly z.core.$ZodIssue[], value: unknown, base: Path = []): Finding[] {
  return issues.flatMap((issue): Finding[] => {
    const path = [...base, ...issue.path] as Path;
    const found = valueAt(value, path);
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => unknownKey(path, key));
    }
    if (issue.code === 'invalid_union') {
      // Of a text and a mapping or a list, the latter is the last branch. Where the shape is that, its content is told.
      const within = issue.errors.at(-1) ?? [];
      if (within.every(({ path: inner, code }) => inner.length > 0 || code === 'unrecognized_keys'))
        return toFindings(within, value, path);
    }
    const words = issue.code === 'invalid_value' ? issue.values.map(String) : [];
    return [wrongValue(path, found, issue.message, words)];
  });
}

function unknownKey(path: Path, key: string): Finding {
  const known = knownKeysAt(path);
  const suggestion = nearest(key, known);
  const expected = `one of the keys ${known.join(', ')}`;
  const hint = suggestion === undefined ? `; expected ${expected}` : `; did you mean "${suggestion}"?`;
  return {
    code: 'config-key-unknown',
    path: [...path, key],
    target: 'key',
    message: `unknown key${hint}`,
    expected,
    found: key,
    ...(suggestion === undefined ? {} : { suggestion }),
  };
}

function wrongValue(path: Path, value: unknown, expected: string, words: readonly string[]): Finding {
  if (value === undefined) {
    return { code: 'config-key-missing', path, message: `missing; expected ${expected}`, expected };
  }
  const found = describe(value);
  const suggestion = typeof value === 'string' ? nearest(value, words) : undefined;
  const hint = suggestion === undefined ? '' : `; did you mean "${suggestion}"?`;
  return {
    code: 'config-value',
    path,
    message: `expected ${expected}, found ${found}${hint}`,
    expected,
    found,
    ...(suggestion === undefined ? {} : { suggestion }),
  };
}

function describe(value: unknown): string {
  if (value === null) {
    return 'nothing';
  }
  if (Array.isArray(value)) {
    return value.length === 0 ? 'an empty list' : 'a list';
  }
  if (typeof value === 'string') {
    return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  }
  return typeof value === 'object' ? 'a mapping' : String(value);
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (inner, segment) => (inner as Record<string | number, unknown> | null | undefined)?.[segment],
    value,
  );
}
