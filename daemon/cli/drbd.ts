// `battito drbd`: what an operator does when two copies have parted, and what DRBD itself calls when it has lost its peer
// and holds its IO back until it knows that the peer's copy cannot be used.

import type { ResourceView, Status } from '../control/api.ts';
import { BattitoError, exitCodes } from '../errors.ts';
import type { Arguments, Command, Context } from './command.ts';
import { flag, jsonOption } from './command.ts';
import { fencePeer } from './fence-peer.ts';
import { printJson } from './output.ts';
import { storageWords } from './status-words.ts';

export const drbdCommand: Command = {
  name: 'drbd',
  summary: 'two copies that have parted; and what DRBD itself calls',
  usage: ['drbd resolve NAME [--discard-here]', 'drbd fence-peer', 'drbd unfence-peer'],
  description: [
    'resolve shows what is known of both copies of a resource that have parted. With --discard-here this node gives up what it wrote since, and takes over what the other one has; the group goes on where it runs. Which copy stays is for a person to decide.',
    'fence-peer and unfence-peer are for the handlers section of a DRBD resource. fence-peer asks the daemon, which waits until it is proven that the peer cannot use its copy, and ends with the exit code that DRBD knows; without proof DRBD keeps its IO frozen. What it concluded, and what to do, is in the log of the kernel: journalctl -k -g fence-peer. unfence-peer has nothing to undo: a resync makes a copy usable again.',
  ],
  options: {
    'discard-here': {
      type: 'boolean',
      help: 'with resolve: give up what this node wrote since the copies parted',
    },
    yes: { type: 'boolean', help: 'with --discard-here: do not ask for the name again' },
    resource: {
      type: 'string',
      value: 'NAME',
      help: 'with fence-peer: the resource; DRBD itself gives it in DRBD_RESOURCE',
    },
    json: jsonOption,
  },
  examples: [
    { command: 'battito drbd resolve r0', meaning: 'what is known of the two copies of r0' },
    {
      command: 'battito drbd resolve r0 --discard-here',
      meaning: 'what this node wrote since they parted is lost; they are joined again',
    },
  ],
  exitCodes: {
    1: 'refused; fence-peer: nothing is proven, IO stays frozen',
    4: 'fence-peer: the peer has marked its copy as the older one',
    5: 'fence-peer: the peer is gone and cannot be promoted without this node',
    6: 'fence-peer: the peer is primary',
    7: 'fence-peer: the peer is powered off',
    69: 'no daemon answers; fence-peer: nothing is proven, IO stays frozen',
    75: 'the daemon did not answer in time; fence-peer: nothing is proven, IO stays frozen',
  },
  positionalsMax: 2,
  async run(context, args) {
    const [action, name] = args.positionals;
    switch (action) {
      case 'resolve':
        return resolve(context, args, name);
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

interface Found {
  readonly group: Status['groups'][number];
  readonly resource: ResourceView;
}

function find(status: Status, name: string | undefined): Found {
  const all = status.groups.flatMap((group) =>
    group.resources.filter(({ kind }) => kind === 'drbd').map((resource) => ({ group, resource })),
  );
  const found = all.find(({ resource }) => resource.id === `drbd:${name}`);
  if (found !== undefined) return found;
  const names = all.map(({ resource }) => resource.id.replace('drbd:', '')).join(', ');
  throw new BattitoError(
    'no-such-resource',
    name === undefined ? 'no DRBD resource is named' : `no group has the DRBD resource ${name}`,
    {
      exitCode: exitCodes.usage,
      next: names === '' ? 'name it under drbd: of its group' : `the resources are: ${names}`,
    },
  );
}

async function resolve(context: Context, args: Arguments, name: string | undefined): Promise<number> {
  const { client, output } = context;
  const status = await client.status();
  const { group, resource } = find(status, name);
  const self = status.self.name;
  const peer = status.peer.name;
  const isParted = resource.storage?.connection !== 'connected';
  if (!flag(args, 'discard-here')) {
    if (flag(args, 'json')) {
      printJson(output, {
        resource: name,
        group: group.name,
        parted: isParted,
        runsOn: group.runsOn,
        self: resource.storage,
      });
      return exitCodes.ok;
    }
    output.line(`${name} of ${group.name}`);
    output.line(`  on ${self}: ${resource.status}${storageWords(resource)}`);
    output.line(
      `  ${group.name} ${group.runsOn === null ? 'runs on neither node' : `runs on ${group.runsOn}`}; generation ${group.generation} here, ${group.peer?.generation ?? 'unknown'} on ${peer}`,
    );
    if (!isParted) output.line('The copies are connected: there is nothing to resolve.');
    else {
      output.line(
        'When the copies have parted, one node gives up what it wrote since (it is lost), on that node:',
      );
      output.line(`  battito drbd resolve ${name} --discard-here`);
      output.line(`This runs there: drbdadm disconnect ${name}; drbdadm connect --discard-my-data ${name}`);
      output.line(`and on the other node: drbdadm connect ${name}`);
    }
    return exitCodes.ok;
  }
  if (!flag(args, 'yes') && context.ask !== undefined) {
    output.problem(
      `What ${self} wrote to ${name} since the copies parted will be lost; the copy of ${peer} stays.`,
    );
    const answer = await context.ask(`Type ${name} to confirm: `);
    if (answer.trim() !== name)
      throw new BattitoError('not-confirmed', 'not confirmed: nothing was done', {
        exitCode: exitCodes.failed,
        next: `run the same command again and type ${name}`,
      });
  }
  const message = await client.request({ kind: 'discard-data', groups: [group.name] });
  if (flag(args, 'json')) printJson(output, { done: true, message });
  else output.line(`${message}; \`battito status --watch\` shows the resync`);
  return exitCodes.ok;
}
