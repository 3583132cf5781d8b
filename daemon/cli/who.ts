// Who sits at the keyboard, as far as this host knows: for the history, beside what was typed.

import { readlinkSync } from 'node:fs';
import { userInfo } from 'node:os';

/** Such as `root by sudo of anna, /dev/pts/0`. */
export function whoTyped(env: NodeJS.ProcessEnv = process.env): string {
  const sudo = env['SUDO_USER'];
  const user = sudo === undefined || sudo === '' ? userName() : `${userName()} by sudo of ${sudo}`;
  return `${user}, ${terminalName() ?? 'no terminal'}`;
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.geteuid?.() ?? '?'}`; // A user without a line in passwd(5).
  }
}

function terminalName(): string | null {
  for (const file of ['/proc/self/fd/0', '/proc/self/fd/2']) {
    try {
      const target = readlinkSync(file);
      if (/^\/dev\/(pts\/|tty|console)/.test(target)) return target;
    } catch {
      // It is closed.
    }
  }
  return null;
}
