// `battito drbd`: what an operator does when two copies have parted, and what DRBD itself calls when it has lost its peer
// and holds its IO back until it knows that the peer's copy cannot be used.

import type { BattitoError } from '../../errors.ts';
import { nearestWord, usageError } from '../arguments.ts';
import type { Arguments, Command, Context } from '../command.ts';
import { flag, jsonOption, text } from '../command.ts';
import { assertCanConfirm } from '../confirm.ts';
import { fencePeer, unfencePeer } from '../fence/peer.ts';
import { checkWaitOptions, waitOptions } from '../wait.ts';
import { resolve } from './resolve.ts';

export const drbdCommand: Command = {
  name: 'drbd',
  summary: 'two copies that have parted; and what DRBD itself calls',
  usage: [
    'drbd resolve NAME [--json]',
    'drbd resolve NAME --discard-here [--no-wait | --timeout DURATION]',
    'drbd fence-peer [--resource NAME]',
    'drbd unfence-peer [--resource NAME]',
  ],
  description: [
    'resolve shows what is known of both copies of a resource that have parted, on whichever node it is typed: since when each node has written to its copy alone and how much, and its guests with the time that they have been up. What is shown of the peer is what its heartbeats say; of a peer that is silent now what it said last, with how long ago that was. It says whose changes are the natural ones to give up where that is clear, and the commands that either choice would run, node by node. It decides nothing.',
    'With --discard-here this node gives up what it wrote since, and takes over what the other one has; the group goes on where it runs, and must not run here. The name of the resource has to be typed; a script says --yes instead. Then it waits, with the percent and the time that is left, until the copies are connected and the same again. A group of several DRBD resources gives up those of them that are not connected, together.',
    'fence-peer and unfence-peer are for the handlers section of a DRBD resource. fence-peer asks the daemon, which waits until it is proven that the peer cannot use its copy, and ends with the exit code that DRBD knows; without proof DRBD keeps its IO frozen. What it concluded, and what to do, is in the log of the kernel: journalctl -k -g fence-peer. unfence-peer has nothing to undo: a resync makes a copy usable again.',
  ],
  options: {
    'discard-here': {
      type: 'boolean',
      help: 'with resolve: give up what this node wrote since the copies parted',
    },
    yes: {
      type: 'boolean',
      help: 'with --discard-here: do not ask for the name again; needed where there is no terminal',
    },
    ...waitOptions,
    timeout: {
      type: 'string',
      value: 'DURATION',
      help: 'how long to wait, e.g. 10m; by default as long as the copying moves on, and 120s for all else',
    },
    resource: {
      type: 'string',
      value: 'NAME',
      help: 'with fence-peer and unfence-peer: the resource; DRBD itself gives it in DRBD_RESOURCE',
    },
    json: jsonOption,
  },
  examples: [
    {
      command: 'battito drbd resolve r0',
      meaning: 'what is known of both copies, and what each choice runs',
    },
    {
      command: 'battito drbd resolve r0 --discard-here',
      meaning: 'what this node wrote since they parted is lost; they are joined again',
    },
  ],
  exitCodes: {
    0: 'shown, or joined again (with --no-wait: accepted)',
    1: 'refused, or DRBD did not join the copies: the message says why and what to do; fence-peer: nothing is proven, IO stays frozen',
    4: 'fence-peer: the peer has marked its copy as the older one',
    5: 'fence-peer: the peer is gone and cannot be promoted without this node',
    6: 'fence-peer: the peer is primary',
    7: 'fence-peer: the peer is powered off',
    69: 'no daemon answers; fence-peer: nothing is proven, IO stays frozen',
    75: 'resolve: not done in time, or interrupted; it goes on; fence-peer: nothing is proven, IO stays frozen',
    77: 'not allowed: run it as root',
  },
  positionalsMax: 2,
  async run(context, args) {
    const [action, name] = args.positionals;
    switch (action) {
      case 'resolve':
        checkResolve(context, args, name);
        return resolve(context, args, drbdCommand, name);
      case 'fence-peer':
        return fencePeer(context, args, drbdCommand);
      case 'unfence-peer':
        return unfencePeer(context, args, drbdCommand);
      default:
        throw unknownAction(action, name);
    }
  },
};

const actions = ['resolve', 'fence-peer', 'unfence-peer'];

function unknownAction(action: string | undefined, name: string | undefined): BattitoError {
  if (action === undefined) return usageError('say "resolve", "fence-peer" or "unfence-peer"', drbdCommand);
  const near = nearestWord(action, actions);
  const message = `there is no "drbd ${action}"; expected resolve, fence-peer or unfence-peer`;
  if (near === undefined) return usageError(message, drbdCommand);
  const more = near === 'resolve' && name !== undefined ? ` ${name}` : '';
  return usageError(message, drbdCommand, `battito drbd ${near}${more}`);
}

/** Before the daemon is asked: nothing is ignored that somebody may rely on. @throws BattitoError `usage` */
function checkResolve(context: Context, args: Arguments, name: string | undefined): void {
  const resource = text(args, 'resource');
  if (resource !== undefined) {
    const message = '--resource belongs to fence-peer; resolve takes the name as a word';
    throw usageError(message, drbdCommand, `battito drbd resolve ${name ?? resource}`);
  }
  checkWaitOptions(args, drbdCommand);
  const again = `battito drbd resolve ${name ?? 'NAME'} --discard-here`;
  if (flag(args, 'discard-here')) {
    const deed = 'what this node wrote is given up';
    assertCanConfirm(context, args, drbdCommand, { name, deed, words: again });
    return;
  }
  const idle = ['yes', 'no-wait', 'timeout'].find((option) => args.options[option] !== undefined);
  if (idle === undefined) return;
  const message = `--${idle} has a meaning with --discard-here only; without it resolve shows both copies and changes nothing`;
  throw usageError(message, drbdCommand);
}
