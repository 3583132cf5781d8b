// `battito drbd`: what an operator does when two copies have parted, and what DRBD itself calls when it has lost its peer
// and holds its IO back until it knows that the peer's copy cannot be used.

import { BattitoError, exitCodes } from '../errors.ts';
import type { Command } from './command.ts';
import { jsonOption } from './command.ts';
import { fencePeer } from './fence-peer.ts';
import { resolve } from './resolve.ts';
import { waitOptions } from './wait.ts';

export const drbdCommand: Command = {
  name: 'drbd',
  summary: 'two copies that have parted; and what DRBD itself calls',
  usage: [
    'drbd resolve NAME [--json]',
    'drbd resolve NAME --discard-here [--no-wait | --timeout DURATION]',
    'drbd fence-peer',
    'drbd unfence-peer',
  ],
  description: [
    'resolve shows what is known of both copies of a resource that have parted: since when this node has written to its copy alone and how much, the guests here with the time that they have been up, and what the peer says in its heartbeats. How much the peer wrote, only the same command there can show. It says whose changes are the natural ones to give up where that is clear, and the commands that either choice would run, node by node. It decides nothing.',
    'With --discard-here this node gives up what it wrote since, and takes over what the other one has; the group goes on where it runs, and must not run here. At a terminal the name of the resource has to be typed. Then it waits, with the percent and the time that is left, until the copies are connected and the same again. A group of several DRBD resources gives up those of them that are not connected, together.',
    'fence-peer and unfence-peer are for the handlers section of a DRBD resource. fence-peer asks the daemon, which waits until it is proven that the peer cannot use its copy, and ends with the exit code that DRBD knows; without proof DRBD keeps its IO frozen. What it concluded, and what to do, is in the log of the kernel: journalctl -k -g fence-peer. unfence-peer has nothing to undo: a resync makes a copy usable again.',
  ],
  options: {
    'discard-here': {
      type: 'boolean',
      help: 'with resolve: give up what this node wrote since the copies parted',
    },
    yes: { type: 'boolean', help: 'with --discard-here: do not ask for the name again' },
    ...waitOptions,
    timeout: {
      type: 'string',
      value: 'DURATION',
      help: 'how long to wait, e.g. 10m; by default as long as the copying moves on, and 120s for all else',
    },
    resource: {
      type: 'string',
      value: 'NAME',
      help: 'with fence-peer: the resource; DRBD itself gives it in DRBD_RESOURCE',
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
        return resolve(context, args, drbdCommand, name);
      case 'fence-peer':
        return fencePeer(context, args);
      case 'unfence-peer':
        context.output.line(
          'unfence-peer: nothing is to be taken back; a resync has made the copy usable again',
        );
        return exitCodes.ok;
      default:
        throw new BattitoError(
          'usage',
          `drbd ${action ?? ''}: expected resolve, fence-peer or unfence-peer`,
          {
            exitCode: exitCodes.usage,
            next: 'battito help drbd',
          },
        );
    }
  },
};
