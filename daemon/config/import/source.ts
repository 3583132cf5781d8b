// The files of another program as they are read for an import: lines with their places, and what is wrong in them.
// Nothing is guessed: a line that cannot be understood is a problem, and all problems are told at once.

import { readFileSync } from 'node:fs';
import { BattitoError, exitCodes } from '../../errors.ts';

export interface Place {
  readonly file: string;
  /** Counts from 1. */
  readonly line: number;
}

/** A physical line, without its end. */
export interface SourceLine {
  readonly place: Place;
  readonly text: string;
}

/** Collects what keeps the files from being imported. */
export interface Problems {
  /** `place`: null where it is in no line. */
  readonly add: (place: Place | null, message: string) => void;
  /** @throws BattitoError `import-invalid` with every problem, exit code 78, if there is one */
  readonly throwIfAny: () => void;
}

/** `next`: what to do when they are mended. */
export function collectProblems(next: string): Problems {
  const found: string[] = [];
  return {
    add: (place, message) => {
      const line = place === null ? message : `${place.file}:${place.line}: ${message}`;
      if (!found.includes(line)) found.push(line);
    },
    throwIfAny: () => {
      if (found.length === 0) return;
      const count = `${found.length} ${found.length === 1 ? 'problem' : 'problems'}`;
      const message = [...found, `${count}; nothing was written`].join('\n');
      throw new BattitoError('import-invalid', message, { exitCode: exitCodes.config, next });
    },
  };
}

/** @throws BattitoError `import-unreadable`; exit code 77 when it is not allowed, else 78 */
export function readSource(file: string, what: string, next: string): readonly SourceLine[] {
  try {
    return linesOf(readFileSync(file, 'utf8'), file);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    const denied = code === 'EACCES' || code === 'EPERM';
    const reason =
      { ENOENT: 'there is no such file', ENOTDIR: 'there is no such file', EISDIR: 'it is a directory' }[
        code
      ] ?? (denied ? 'permission denied' : code);
    throw new BattitoError('import-unreadable', `${file}: cannot read ${what}: ${reason}`, {
      exitCode: denied ? exitCodes.noPermission : exitCodes.config,
      next: denied ? 'run it as root' : next,
      cause,
    });
  }
}

export function linesOf(text: string, file: string): readonly SourceLine[] {
  return text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .map((line, index) => ({ place: { file, line: index + 1 }, text: line.replace(/\r$/, '') }));
}
