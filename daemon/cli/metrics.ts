// `battito metrics`: what is measured, as Prometheus reads it, for a host where nothing asks the daemon by itself.

import { exitCodes } from '../errors.ts';
import { type Command, flag, jsonOption } from './command.ts';
import { printJson } from './output.ts';

export const metricsCommand: Command = {
  name: 'metrics',
  summary: 'what is measured, as text for Prometheus',
  usage: ['metrics'],
  description: [
    'Prints what the daemon measures in the text format of Prometheus (0.0.4): nodes, links, groups, disks, guests, what needs attention, and what the daemon itself costs. The same is at /metrics of the web listener, and in the file that `metrics.textfile` of the configuration names.',
  ],
  options: { json: { ...jsonOption, help: 'the text as { "metrics": ... }; errors in JSON too' } },
  examples: [{ command: 'battito metrics', meaning: 'all of it; `| promtool check metrics` has it checked' }],
  exitCodes: {
    69: 'no daemon answers at the control socket',
    75: 'the daemon did not answer in time',
    77: 'not allowed: run it as root',
  },
  positionalsMax: 0,
  async run({ client, output }, args) {
    const text = await client.metrics();
    if (flag(args, 'json')) printJson(output, { metrics: text });
    else output.raw(text);
    return exitCodes.ok;
  },
};
