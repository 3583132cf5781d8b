// `battito history`: what was seen, decided and done, a line each.

import { setTimeout as sleep } from 'node:timers/promises';
import type { HistoryEntry } from '../control/api.ts';
import { BattitoError, exitCodes } from '../errors.ts';
import { usageError } from './arguments.ts';
import type { Arguments, Command, Context } from './command.ts';
import { flag, jsonOption, text } from './command.ts';
import { groupColumnsOf, newNotesFinder, renderNote, tailLimit } from './notes.ts';
import { printJson } from './output.ts';

const limitDefault = 50;
const limitMax = 100_000;
/** Looks between two, when following: twice a second is enough to read along. */
const followPolls = 5;

export const historyCommand: Command = {
  name: 'history',
  summary: 'what happened, with times and reasons',
  usage: ['history [--limit N] [--follow]'],
  description: [
    'Prints the latest notes, oldest first: local time, ! for a warning or !! for an alarm, the group, what happened and why, what it took, and what to do next.',
  ],
  options: {
    limit: { type: 'string', value: 'N', help: `how many; default ${limitDefault}` },
    follow: { type: 'boolean', help: 'go on with what happens; with --json, one object a line' },
    json: jsonOption,
  },
  examples: [
    { command: 'battito history --limit 10', meaning: 'the ten latest notes' },
    { command: 'battito history --follow', meaning: 'watch it happen' },
  ],
  exitCodes: {
    69: 'no daemon answers at the control socket',
    75: 'the daemon did not answer in time',
    77: 'not allowed: run it as root',
  },
  positionalsMax: 0,
  async run(context, args) {
    const limit = limitFrom(args);
    const entries = (await context.client.history(limit)).slice(-limit);
    if (flag(args, 'follow'))
      return context.interruptible((signal) => follow(context, args, entries, signal));
    if (flag(args, 'json')) printJson(context.output, entries);
    else print(context, args, entries);
    return exitCodes.ok;
  },
};

function limitFrom(args: Arguments): number {
  const given = text(args, 'limit') ?? String(limitDefault);
  const limit = /^[0-9]+$/.test(given) ? Number(given) : 0;
  if (limit >= 1 && limit <= limitMax) return limit;
  throw usageError(`--limit takes a number from 1 to ${limitMax}, not "${given}"`, historyCommand);
}

function print({ output }: Context, args: Arguments, entries: readonly HistoryEntry[]): void {
  const columns = groupColumnsOf(entries);
  for (const entry of entries) {
    output.line(flag(args, 'json') ? JSON.stringify(entry) : renderNote(entry, columns, output.look()));
  }
}

/** Until interrupted; a daemon that is away is said once and waited for. */
async function follow(
  context: Context,
  args: Arguments,
  entries: readonly HistoryEntry[],
  signal: AbortSignal,
): Promise<number> {
  const fresh = newNotesFinder();
  print(context, args, fresh(entries));
  let away = '';
  while (!signal.aborted) {
    await sleep(context.pollMs * followPolls, undefined, { signal }).catch(() => {}); // Interrupted: the loop ends.
    if (signal.aborted) break;
    try {
      print(context, args, fresh(await context.client.history(tailLimit)));
      away = '';
    } catch (error) {
      if (!(error instanceof BattitoError)) throw error;
      if (error.message !== away) context.output.problem(`battito: ${error.message}; waiting for it`);
      away = error.message;
    }
  }
  return exitCodes.ok;
}
