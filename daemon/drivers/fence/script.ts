// A program of the user's own that is run as root.

import { type Stats, statSync } from 'node:fs';
import { shellQuote } from '../shell.ts';

/** `mend`: the command that does. */
export interface ScriptTrouble {
  readonly message: string;
  readonly mend: string;
}

/** Null: nobody else may change it; or it is not there, which starting it tells. */
export function scriptTrouble(path: string): ScriptTrouble | null {
  let stats: Stats;
  try {
    stats = statSync(path);
  } catch {
    return null;
  }
  const isOurs = stats.uid === 0 || stats.uid === process.geteuid?.();
  if (isOurs && (stats.mode & 0o022) === 0) return null;
  const quoted = shellQuote(path);
  return {
    message: `others than root may change ${path}`,
    mend: `chown root: ${quoted} && chmod go-w ${quoted}`,
  };
}
