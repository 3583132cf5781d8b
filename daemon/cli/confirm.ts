// A person's word for what cannot be taken back: what it asserts is shown, and a name typed for it.

import { BattitoError, exitCodes } from '../errors.ts';
import { usageError } from './arguments.ts';
import type { Arguments, Command, Context } from './command.ts';
import { flag } from './command.ts';

export interface Confirmation {
  /** What has to be typed; undefined: it is not known yet. */
  readonly name: string | undefined;
  /** What is done with --yes only, in words. */
  readonly deed: string;
  /** The whole command, but for --yes. */
  readonly words: string;
}

/** Where nobody can be asked, --yes has to say it. @throws BattitoError `usage` */
export function assertCanConfirm(
  context: Context,
  args: Arguments,
  command: Command,
  { name, deed, words }: Confirmation,
): void {
  if (context.ask !== undefined || flag(args, 'yes')) return;
  const message = `there is no terminal to type ${name ?? 'the name'} at: ${deed} with --yes only`;
  throw usageError(message, command, `${words} --yes`);
}

/** At a terminal the name must be typed again, but with --yes. @throws BattitoError `not-confirmed` */
export async function confirm(
  context: Context,
  args: Arguments,
  assertion: string,
  name: string,
): Promise<void> {
  if (flag(args, 'yes')) return;
  context.output.problem(assertion);
  if (context.ask === undefined) return; // The command line has named it.
  const answer = await context.ask(`Type ${name} to confirm: `);
  if (answer.trim() === name) return;
  throw new BattitoError('not-confirmed', 'not confirmed: nothing was done', {
    exitCode: exitCodes.failed,
    next: `run the same command again and type ${name}`,
  });
}
