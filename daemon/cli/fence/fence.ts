// `battito fence`: the power of a node, by its fencing devices; and a person's word that it has none.

import { nearestWord, usageError } from '../arguments.ts';
import type { Arguments, Command } from '../command.ts';
import { flag, jsonOption } from '../command.ts';
import { checkWaitOptions, waitOptions } from '../wait.ts';
import { confirmPeerOff } from './confirm.ts';
import { showPower, turnOff, turnOn } from './power.ts';

const actions = ['status', 'on', 'off', 'confirm'] as const;

export const fenceCommand: Command = {
  name: 'fence',
  summary: "a node's power: status, on, off; or your word that it is off",
  usage: [
    'fence status [NODE] [--json]',
    'fence on NODE',
    'fence off NODE [--although-it-runs]',
    'fence confirm NODE [--no-wait | --timeout DURATION]',
  ],
  description: [
    'status asks every fencing device of the node, or of both, for its power. on brings a node back that was fenced. off cuts its power at once, as pulling the plug does, and ends well only when every device of a level reads off. These three need no daemon: they read the configuration and ask the devices themselves.',
    'confirm is for when no device can tell: you have seen that the node has no power, and say so. The daemon then takes over what the node ran. If it is still running, every guest runs twice and its disks are damaged; so the name has to be typed (where there is no terminal: --yes), and nothing is believed while the node is heard, anything of it answers, or a device reads on. Who said it and when is on record: battito history.',
  ],
  options: {
    'although-it-runs': {
      type: 'boolean',
      help: 'with off: cut its power although it is well and runs guests',
    },
    'although-it-answers': {
      type: 'boolean',
      help: "with confirm: something else answers at one of the node's addresses",
    },
    'although-it-reads-on': {
      type: 'boolean',
      help: 'with confirm: a device says that it is on, and is wrong',
    },
    yes: { type: 'boolean', help: 'do not ask for the name again' },
    ...waitOptions,
    json: jsonOption,
  },
  examples: [
    { command: 'battito fence status', meaning: 'which devices answer, and what has power' },
    { command: 'battito fence on primary', meaning: 'after a takeover: bring the fenced node back' },
    { command: 'battito fence confirm primary', meaning: 'primary was seen to be without power' },
  ],
  exitCodes: {
    0: 'done; status: every device answers',
    1: 'refused or failed; the message says why and what to do',
    3: 'confirm: done, but a guest of the group was given up',
    69: 'confirm: no daemon answers at the control socket',
    75: 'confirm: not done in time, or interrupted; the move goes on',
    77: 'not allowed: run it as root',
    78: 'the configuration is wrong, or names no fencing device',
  },
  positionalsMax: 2,
  async run(context, args) {
    const [action, node] = args.positionals;
    checkOptions(args, action);
    switch (action) {
      case 'status':
        return showPower(context, args, fenceCommand, node);
      case 'on':
        return turnOn(context, args, fenceCommand, node);
      case 'off':
        return turnOff(context, args, fenceCommand, node);
      case 'confirm':
        return confirmPeerOff(context, args, fenceCommand, node);
      default: {
        const all = 'status, on, off or confirm';
        if (action === undefined) throw usageError(`say ${all}`, fenceCommand);
        const near = nearestWord(action, actions);
        const more = near === undefined || node === undefined ? '' : ` ${node}`;
        const meant = near === undefined ? near : `battito fence ${near}${more}`;
        throw usageError(`there is no "fence ${action}"; expected ${all}`, fenceCommand, meant);
      }
    }
  },
};

/** Nothing is ignored that somebody may rely on. @throws BattitoError `usage` */
function checkOptions(args: Arguments, action: string | undefined): void {
  const belongs: Readonly<Record<string, readonly string[]>> = {
    'although-it-runs': ['off'],
    'although-it-answers': ['confirm'],
    'although-it-reads-on': ['confirm'],
    yes: ['off', 'confirm'],
    'no-wait': ['confirm'],
    timeout: ['confirm'],
  };
  for (const [option, own] of Object.entries(belongs)) {
    if (args.options[option] === undefined || action === undefined || own.includes(action)) continue;
    throw usageError(`--${option} has a meaning with fence ${own.join(' and ')} only`, fenceCommand);
  }
  if (action === 'confirm' || flag(args, 'no-wait')) checkWaitOptions(args, fenceCommand);
}
