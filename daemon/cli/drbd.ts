// `battito drbd fence-peer`: what DRBD runs when it has lost its peer and holds its IO back until it knows that the
// peer's copy cannot be used; and `unfence-peer`, once they are together again.

import type { OutdatingAnswer } from '../core/events.ts';
import { BattitoError, exitCodes } from '../errors.ts';
import type { Command } from './command.ts';
import { text } from './command.ts';

/** Exit codes of a fence-peer handler: drbd.conf(5), kernel's drbd_nl.c. */
const handlerCodes: Readonly<Record<OutdatingAnswer, number>> = {
  outdated: 4,
  unreachable: 5,
  primary: 6,
  fenced: 7,
};
const words: Readonly<Record<OutdatingAnswer, string>> = {
  outdated: 'the peer has marked its copy as the older one',
  unreachable: 'the peer is gone and cannot be promoted without this node',
  primary: 'the peer is primary',
  fenced: 'the peer is powered off',
};

/** DRBD asks again after a failed handshake; and the daemon lets its IO go by itself once something is proven. */
const patienceMs = 60_000;

export const drbdCommand: Command = {
  name: 'drbd',
  summary: 'what DRBD itself calls: is the peer kept from its data?',
  usage: ['drbd fence-peer', 'drbd unfence-peer'],
  description: [
    'For the handlers section of a DRBD resource. fence-peer asks the daemon, which waits until it is proven that the peer cannot use its copy, and ends with the exit code that DRBD knows; without proof DRBD keeps its IO frozen. unfence-peer has nothing to undo: a resync makes a copy usable again.',
  ],
  options: {
    resource: {
      type: 'string',
      value: 'NAME',
      help: 'the DRBD resource; DRBD itself gives it in DRBD_RESOURCE',
    },
  },
  examples: [
    { command: 'battito drbd fence-peer --resource r0', meaning: 'what DRBD would be told of r0 now' },
  ],
  exitCodes: {
    1: 'nothing is proven: IO stays frozen',
    4: 'the peer has marked its copy as the older one',
    5: 'the peer is gone and cannot be promoted without this node',
    6: 'the peer is primary',
    7: 'the peer is powered off',
  },
  positionalsMax: 1,
  async run({ client, output }, args) {
    const [action] = args.positionals;
    if (action !== 'fence-peer' && action !== 'unfence-peer')
      throw new BattitoError('usage', `drbd ${action ?? ''}: expected fence-peer or unfence-peer`, {
        exitCode: exitCodes.usage,
        next: 'battito help drbd',
      });
    if (action === 'unfence-peer') return exitCodes.ok;
    const resource = text(args, 'resource') ?? process.env['DRBD_RESOURCE'];
    if (resource === undefined)
      throw new BattitoError('usage', 'no DRBD resource is named', {
        exitCode: exitCodes.failed,
        next: 'DRBD gives it in DRBD_RESOURCE; by hand: battito drbd fence-peer --resource NAME',
      });
    const answer = await client.fencePeer(resource, patienceMs);
    output.line(`${resource}: ${words[answer]}`);
    return handlerCodes[answer];
  },
};
