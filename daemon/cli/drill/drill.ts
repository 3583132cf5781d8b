// `battito drill`: proves in quiet times that what is needed in an emergency works. The result is kept in the history.

import { usageError } from '../arguments.ts';
import type { Arguments, Command } from '../command.ts';
import { flag, jsonOption, text } from '../command.ts';
import { timeoutFrom } from '../wait.ts';
import { drillFence } from './fence.ts';
import { drillHandover } from './handover.ts';
import { drillTakeover } from './takeover.ts';

export const drillCommand: Command = {
  name: 'drill',
  summary: 'prove that fencing, a handover, a takeover would work',
  usage: [
    'drill fence [--json]',
    'drill handover [GROUP] [--dry-run | --timeout DURATION] [--json]',
    'drill takeover [NODE] [--yes] [--timeout DURATION] [--json]',
  ],
  description: [
    'fence harms nobody: it asks each device that can switch the other node off for its status, tells it to switch on what is on already, and reads it again. That proves the way to the device and the password. Most agents leave alone what is on already: whether the user may switch is proven by them only when the node is really switched off. Run it on both nodes, as each has the devices of the other. It needs no daemon; with one, the result is kept in the history.',
    'handover hands GROUP, or every group one after the other, to the other node and brings it back, by the same requests as `battito handover` and `battito takeover`; guests stop and start, or move, as they are configured. It runs on either node, whichever has the group. It is refused, and nothing stops, unless both nodes are well and willing, no group is in doubt, and the mirror is in step. If the way back fails, the group stays where it runs, and the message says what brings it back.',
    'takeover really cuts the power of the other node by its fencing devices, and gives it back: a node that holds nothing, while everything runs here, both nodes are well, and the mirror is in step. It is refused otherwise. You type the name of the node; then it has to read off, this node has to conclude that it is gone and to go on with what runs here, and the node has to come back and be ready to take over, for which it is given --timeout.',
    'All times are printed and kept in the history. `drill:` in the configuration runs one of the first two by schedule.',
  ],
  options: {
    'dry-run': {
      type: 'boolean',
      help: 'with handover: change nothing; check what it needs, print the commands that would run on this node',
    },
    timeout: {
      type: 'string',
      value: 'DURATION',
      help: 'how long to wait for each way of a handover, default 120s; with takeover for the node to come back, default 10m',
    },
    yes: { type: 'boolean', help: 'with takeover NODE: do not ask for the name again' },
    json: jsonOption,
  },
  examples: [
    { command: 'battito drill fence', meaning: 'could this node switch the other one off?' },
    { command: 'battito drill handover --dry-run', meaning: 'could everything go there and back now?' },
    { command: 'battito drill handover office', meaning: 'there and back, with the times of each way' },
    { command: 'battito drill takeover', meaning: 'cut the power of the idle node, and give it back' },
  ],
  exitCodes: {
    0: 'it works; the times are in the history',
    1: 'refused or failed; the message says why and what to do',
    3: 'handover: there and back, but a guest of the group was given up',
    69: 'no daemon answers at the control socket',
    75: 'not done in time, or interrupted; the message says how things stand',
    77: 'not allowed: run it as root',
    78: 'the configuration is wrong, or names no fencing device',
  },
  positionalsMax: 2,
  async run(context, args) {
    const [what, name] = args.positionals;
    checkOptions(args, what);
    const json = flag(args, 'json');
    const timeoutMs = timeoutFrom(args, drillCommand);
    switch (what) {
      case 'fence':
        if (name !== undefined)
          throw usageError(`drill fence takes no "${name}"`, drillCommand, 'battito drill fence');
        return drillFence(context, json);
      case 'handover':
        return drillHandover(context, drillCommand, { name, json, timeoutMs, dry: flag(args, 'dry-run') });
      case 'takeover':
        return drillTakeover(context, args, drillCommand, { name, json, timeoutMs });
      default: {
        const all = 'fence, handover or takeover';
        const message =
          what === undefined ? `say which drill: ${all}` : `there is no drill "${what}"; expected ${all}`;
        throw usageError(message, drillCommand, 'battito drill fence');
      }
    }
  },
};

/** An option of another drill would be passed over in silence. */
function checkOptions(args: Arguments, what: string | undefined): void {
  const refuse = (name: string, whose: string) => {
    throw usageError(`--${name} goes with drill ${whose}, not with drill ${what}`, drillCommand);
  };
  if (flag(args, 'dry-run') && what !== undefined && what !== 'handover') refuse('dry-run', 'handover');
  if (flag(args, 'yes') && what !== undefined && what !== 'takeover') refuse('yes', 'takeover');
  if (text(args, 'timeout') !== undefined && what === 'fence') refuse('timeout', 'handover and takeover');
  if (flag(args, 'dry-run') && text(args, 'timeout') !== undefined)
    throw usageError('--dry-run waits for nothing: it does not go with --timeout', drillCommand);
}
