// `battito retry`: what had been given up is tried again.

import { exitCodes } from '../errors.ts';
import type { Command } from './command.ts';
import { flag, jsonOption } from './command.ts';
import { printJson } from './output.ts';

export const retryCommand: Command = {
  name: 'retry',
  summary: 'try again what this node has given up',
  usage: ['retry [GROUP...]'],
  description: [
    'A guest that failed to start three times is given up, so that it does no harm to the others. Once the cause is mended, this tries it again, and whatever else waits before its next attempt.',
  ],
  options: { json: jsonOption },
  examples: [
    { command: 'battito retry mail', meaning: 'what was given up in the group mail is tried again' },
  ],
  exitCodes: {
    69: 'no daemon answers at the control socket',
    75: 'the daemon did not answer in time',
    77: 'not allowed: run it as root',
  },
  positionalsMax: Number.POSITIVE_INFINITY,
  async run({ client, output }, args) {
    const message = await client.request({ kind: 'retry', groups: args.positionals });
    if (flag(args, 'json')) printJson(output, { done: true, message });
    else output.line(message);
    return exitCodes.ok;
  },
};
