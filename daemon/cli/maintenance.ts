// `battito maintenance`: the daemon keeps its hands off for a limited time, and nothing is taken from this node.

import { exitCodes } from '../errors.ts';
import { usageError } from './arguments.ts';
import type { Arguments, Command } from './command.ts';
import { flag, jsonOption, text } from './command.ts';
import { limitFrom } from './limit.ts';
import { printJson } from './output.ts';

export const maintenanceCommand: Command = {
  name: 'maintenance',
  summary: 'let this node alone for a limited time',
  usage: ['maintenance on --for DURATION', 'maintenance off'],
  description: [
    'In maintenance the daemon starts, stops and repairs nothing on this node, and the other node takes nothing from it, even if this daemon stops: for upgrades, while the guests go on. It ends by itself when its time is up.',
  ],
  options: {
    for: { type: 'string', value: 'DURATION', help: 'how long, such as 30m or 2h; needed with on' },
    json: jsonOption,
  },
  examples: [
    { command: 'battito maintenance on --for 1h', meaning: 'one hour to upgrade this host' },
    { command: 'battito maintenance off', meaning: 'done earlier' },
  ],
  exitCodes: {
    0: 'in force',
    69: 'no daemon answers at the control socket',
    75: 'the daemon did not answer in time',
    77: 'not allowed: run it as root',
  },
  positionalsMax: 1,
  async run({ client, output }, args) {
    const message = await client.request({ kind: 'maintenance', durationMs: durationFrom(args) });
    if (flag(args, 'json')) printJson(output, { done: true, message });
    else output.line(message);
    return exitCodes.ok;
  },
};

/** 0: off. */
function durationFrom(args: Arguments): number {
  const [word] = args.positionals;
  const given = text(args, 'for');
  if (word === 'off') {
    if (given !== undefined) throw usageError('maintenance off takes no --for', maintenanceCommand);
    return 0;
  }
  if (word !== 'on') {
    const message = word === undefined ? 'say "on" or "off"' : `maintenance is "on" or "off", not "${word}"`;
    throw usageError(message, maintenanceCommand);
  }
  const durationMs = limitFrom(args, maintenanceCommand);
  if (durationMs !== undefined) return durationMs;
  const message = 'maintenance on needs --for with a duration such as 30m or 2h';
  throw usageError(message, maintenanceCommand, 'battito maintenance on --for 1h');
}
