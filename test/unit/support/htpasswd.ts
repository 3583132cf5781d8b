// Password files as people make them: by the htpasswd of apache2-utils.

import { chmodSync, existsSync } from 'node:fs';
import { describeFailure, runCommand } from '../../../daemon/drivers/command.ts';

/** Gives somebody a password there; the file is made where it is not. */
export async function setPassword(
  file: string,
  name: string,
  password: string,
  options: readonly string[] = ['-B'],
): Promise<void> {
  const made = existsSync(file) ? [] : ['-c'];
  await htpasswd(['-i', ...made, ...options, file, name], `${password}\n`);
  chmodSync(file, 0o600);
}

export async function removePassword(file: string, name: string): Promise<void> {
  await htpasswd(['-D', file, name], '');
}

async function htpasswd(words: readonly string[], input: string): Promise<void> {
  const argv = ['htpasswd', ...words];
  const result = await runCommand(argv, { timeoutMs: 240_000, input });
  if (result.exitCode !== 0) throw new Error(describeFailure(argv, result));
}
