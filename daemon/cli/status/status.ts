// `battito status`: asks the daemon and shows its answer, once or again and again.

import { setTimeout as sleep } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import type { Status } from '../../control/api.ts';
import { overallOf } from '../../control/words.ts';
import { BattitoError, exitCodes } from '../../errors.ts';
import type { Arguments, Command, Context } from '../command.ts';
import { flag, jsonOption } from '../command.ts';
import { type Output, printJson, width } from '../output.ts';
import { renderStatus } from './view.ts';

/** Looks between two pictures: half a second. */
const watchPolls = 5;

export const statusCommand: Command = {
  name: 'status',
  summary: 'both nodes, the links, the groups, and what needs attention',
  usage: ['status [--watch]'],
  description: [
    'Shows what this node sees: what needs a person comes first, with what to do next; then the two nodes with the links between them, and each group with where it runs.',
  ],
  options: {
    watch: { type: 'boolean', help: 'go on, twice a second; with --json, one object a line' },
    json: jsonOption,
  },
  examples: [
    { command: 'battito status', meaning: 'is all well?' },
    { command: 'battito status --watch', meaning: 'keep it before your eyes during a move' },
  ],
  exitCodes: {
    0: 'all is well',
    3: 'something needs attention, or a group is not running',
    69: 'no daemon answers at the control socket',
    75: 'the daemon did not answer in time',
    77: 'not allowed: run it as root',
  },
  positionalsMax: 0,
  async run(context, args) {
    if (flag(args, 'watch')) return context.interruptible((signal) => watch(context, args, signal));
    const status = await context.client.status();
    if (flag(args, 'json')) printJson(context.output, status);
    else context.output.line(renderStatus(status, context.output.look()));
    return exitCodeOf(status);
  },
};

export function exitCodeOf(status: Status): number {
  return overallOf(status) === 'OK' ? exitCodes.ok : exitCodes.degraded;
}

/** Until interrupted. A daemon that is away is shown as such: it may come back. */
async function watch(context: Context, args: Arguments, signal: AbortSignal): Promise<number> {
  const { client, output, pollMs } = context;
  const screen = output.isTerminal && !flag(args, 'json') ? inPlace(output) : oneAfterAnother(output);
  let exitCode: number = exitCodes.ok;
  try {
    while (!signal.aborted) {
      try {
        const status = await client.status();
        exitCode = exitCodeOf(status);
        screen.show(flag(args, 'json') ? JSON.stringify(status) : renderStatus(status, output.look()));
      } catch (error) {
        if (!(error instanceof BattitoError)) throw error;
        exitCode = error.exitCode;
        const { code, message, next = null } = error;
        const json = JSON.stringify({ error: { code, message, next } });
        screen.show(flag(args, 'json') ? json : ` ${message}\n next: ${next}`);
      }
      await sleep(pollMs * watchPolls, undefined, { signal }).catch(() => {}); // Interrupted: the loop ends.
    }
  } finally {
    screen.close();
  }
  return exitCode;
}

interface Screen {
  readonly show: (text: string) => void;
  readonly close: () => void;
}

/** Each picture over the one before; what the terminal showed above stays. Sequences as in console_codes(4). */
function inPlace(output: Output): Screen {
  let shown = 0;
  output.raw('\u001b[?25l');
  return {
    show(text) {
      const { columns } = output.look();
      // A line that wraps, or a picture higher than the screen, could not be drawn over.
      const lines = text
        .split('\n')
        .slice(0, Math.max(1, output.rows() - 1))
        .map((line) => (width(line) > columns ? stripVTControlCharacters(line).slice(0, columns) : line));
      const up = shown > 0 ? `\u001b[${shown}F` : '';
      output.raw(`${up}${lines.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`);
      shown = lines.length;
    },
    close: () => output.raw('\u001b[?25h'),
  };
}

/** Not a terminal: a picture is printed when it differs from the one before. */
function oneAfterAnother(output: Output): Screen {
  let before = '';
  return {
    show(text) {
      if (text !== before) output.line(text);
      before = text;
    },
    close: () => {},
  };
}
