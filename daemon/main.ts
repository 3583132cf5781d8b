// The one entry: `battito daemon` and every operator command. Ends with the command's exit code, and turns every
// failure into one message, with what to do next, on stderr (with --json: on stdout as JSON).

import { createInterface } from 'node:readline/promises';
import manifest from '../package.json' with { type: 'json' };
import { parseCommandLine } from './cli/arguments.ts';
import { controlClient } from './cli/client.ts';
import type { Context, Settings } from './cli/command.ts';
import { allCommands } from './cli/commands.ts';
import { type Output, printJson, processOutput, writtenOut } from './cli/output.ts';
import { BattitoError, exitCodes } from './errors.ts';

const pollMs = 100;

/** Runs one command line; never throws. @returns the exit code */
export async function main(
  words: readonly string[],
  output: Output,
  makeContext: (settings: Settings, output: Output) => Context = processContext,
): Promise<number> {
  try {
    const line = await parseCommandLine(words);
    switch (line.kind) {
      case 'run':
        return await line.command.run(makeContext(line.settings, output), line.args);
      case 'version':
        output.line(`battito ${manifest.version}`);
        return exitCodes.ok;
      case 'help':
      case 'nothing': {
        const help = await import('./cli/help.ts');
        const command = line.kind === 'help' ? line.command : null;
        const text =
          command === null ? help.renderHelp(await allCommands()) : help.renderCommandHelp(command);
        if (line.kind === 'help') output.line(text);
        else output.problem(text);
        return line.kind === 'help' ? exitCodes.ok : exitCodes.usage;
      }
    }
  } catch (error) {
    return report(error, output, words.includes('--json'));
  }
}

function report(error: unknown, output: Output, json: boolean): number {
  const expected = error instanceof BattitoError;
  const message = expected ? error.message : `unexpected error: ${String(error).split('\n')[0]}`;
  const next = expected ? (error.next ?? null) : 'set BATTITO_DEBUG=1 to see where, and report it';
  if (json) {
    printJson(output, { error: { code: expected ? error.code : 'unexpected', message, next } });
  } else {
    output.problem(`battito: ${message}`);
    if (next !== null) output.problem(`next: ${next}`);
  }
  if (process.env['BATTITO_DEBUG'] === '1' && error instanceof Error) output.problem(error.stack ?? '');
  return expected ? error.exitCode : exitCodes.failed;
}

/** The world as this process finds it. */
function processContext(settings: Settings, output: Output): Context {
  const { stdin, stderr } = process;
  return {
    settings,
    output,
    client: controlClient(settings.socketPath),
    pollMs,
    interruptible,
    ...(stdin.isTTY && stderr.isTTY ? { ask } : {}),
  };
}

async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await terminal.question(question);
  } finally {
    terminal.close();
  }
}

/** What interrupts the work that is under way. */
const interrupts = new Set<() => void>();

async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const interrupt = () => controller.abort();
  interrupts.add(interrupt);
  for (const signal of interruptions) process.once(signal, interrupt);
  try {
    return await work(controller.signal);
  } finally {
    for (const signal of interruptions) process.off(signal, interrupt);
    interrupts.delete(interrupt);
  }
}

/** SIGHUP: the terminal is gone, as where ssh loses its connection. */
const interruptions = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Nobody reads any more what is written: work that is to be ended in order ends so, everything else at once. */
function unread(exitCode: number): void {
  if (interrupts.size === 0) process.exit(exitCode);
  for (const interrupt of interrupts) interrupt();
}

if (import.meta.main) {
  const exitCode = await main(process.argv.slice(2), processOutput(unread));
  await writtenOut();
  process.exit(exitCode);
}
