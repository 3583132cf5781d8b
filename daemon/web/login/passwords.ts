// Asks a process of its own whether a password is right: the loop that sends heartbeats never waits for a hash.
// Guarantees: one at a time and few in waiting, whoever tries how often. The password goes by standard input: it is in no
// list of processes, and in no message.

import { runCommand } from '../../drivers/command.ts';
import { readAnswer } from '../commands.ts';

export type Said =
  | { readonly kind: 'right'; readonly proof: string }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'busy' }
  | { readonly kind: 'failed'; readonly message: string };

export interface Passwords {
  check(name: string, password: string): Promise<Said>;
  close(): void;
}

const waitingMax = 4;
/** A host that has just taken over has other things to do first. */
const timeoutMs = 120_000;

/** `command`: of `battito`. */
export function createPasswords(
  file: string,
  command: readonly string[],
  run: typeof runCommand = runCommand,
): Passwords {
  const ending = new AbortController();
  const words = ['web', 'login', '--file', file];
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();

  const ask = async (input: string): Promise<Said> => {
    const argv = ['nice', '-n', '10', ...command, ...words, '--json'];
    const said = readAnswer(words, await run(argv, { timeoutMs, input, signal: ending.signal }));
    if (said.kind === 'said') return { kind: 'right', proof: (said.value as { proof: string }).proof };
    return said.code === 'web-login-wrong' ? { kind: 'wrong' } : { kind: 'failed', message: said.message };
  };

  return {
    async check(name, password) {
      // The command reads two lines, and no name or password has a control character.
      if (name === '' || password === '' || /\p{Cc}/u.test(name + password)) return { kind: 'wrong' };
      if (waiting >= waitingMax) return { kind: 'busy' };
      waiting += 1;
      const answer = last.then(() => ask(`${name}\n${password}\n`));
      last = answer.catch(() => {});
      return answer.finally(() => {
        waiting -= 1;
      });
    },
    close: () => ending.abort(),
  };
}
