// Password files as people make them: by the htpasswd of apache2-utils.

import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync } from 'node:fs';

/** Gives somebody a password there; the file is made where it is not. */
export function setPassword(
  file: string,
  name: string,
  password: string,
  options: readonly string[] = ['-B'],
): void {
  const made = existsSync(file) ? [] : ['-c'];
  execFileSync('htpasswd', ['-i', ...made, ...options, file, name], {
    input: `${password}\n`,
    stdio: 'pipe',
  });
  chmodSync(file, 0o600);
}

export function removePassword(file: string, name: string): void {
  execFileSync('htpasswd', ['-D', file, name], { stdio: 'pipe' });
}
