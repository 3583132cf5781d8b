// The lab's command line, started by scripts/lab. Reads the arguments, and turns errors into messages and exit codes.
// An interrupt takes down what was being put up; a second one does it without waiting.

import { BattitoError, exitCodes } from '../../daemon/errors.ts';
import { commands, usage } from './commands.ts';
import { takeDownNow } from './support/lifecycle.ts';
import { labVariable } from './support/places.ts';

const defaultName = 'office';
const interrupts = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const interruptedExitCode = 130;

async function main(words: readonly string[]): Promise<number> {
  const { [labVariable]: fromEnvironment } = process.env;
  let name = fromEnvironment === undefined || fromEnvironment === '' ? defaultName : fromEnvironment;
  let rest = words;
  if (rest[0] === '--lab') {
    name = rest[1] ?? '';
    rest = rest.slice(2);
  }
  const [word = 'help', ...args] = rest;
  const command = commands[word.replace(/^-h$|^--help$/, 'help')];
  if (command === undefined) throw usage(`there is no command ${word}`);

  const interrupt = new AbortController();
  /** Labs that are this process's to take down, should it have to end at once. */
  const unfinished = new Set<string>();
  for (const signal of interrupts) {
    process.on(signal, () => {
      if (!interrupt.signal.aborted) return interrupt.abort(new Error(signal));
      for (const each of unfinished) takeDownNow(each);
      process.exit(interruptedExitCode);
    });
  }
  const tell = (line: string) => void process.stderr.write(`lab: ${line}\n`);
  try {
    return await command({ name, args, tell, signal: interrupt.signal, unfinished });
  } catch (error) {
    if (interrupt.signal.aborted) return interruptedExitCode;
    throw error;
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const known = error instanceof BattitoError;
  const message =
    error instanceof Error ? (known ? error.message : (error.stack ?? error.message)) : String(error);
  process.stderr.write(`lab: ${message}\n${known && error.next !== undefined ? `  ${error.next}\n` : ''}`);
  process.exitCode = known ? error.exitCode : exitCodes.failed;
}
