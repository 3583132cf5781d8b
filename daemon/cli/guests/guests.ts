// `battito guests`: the guests and their definitions, what differs between the nodes, and which one of two stays. The
// definitions themselves are made and changed with libvirt's own tools.

import { createTwoFilesPatch } from 'diff';
import type { GuestDefinition, GuestDefinitions } from '../../control/guests.ts';
import { shellQuote } from '../../drivers/shell.ts';
import { BattitoError, exitCodes } from '../../errors.ts';
import { nearestWord, usageError } from '../arguments.ts';
import type { Arguments, Command, Context } from '../command.ts';
import { flag, jsonOption, text } from '../command.ts';
import { harmless, printJson } from '../output.ts';
import { guestRows, renderGuests, renderVersions } from './view.ts';

export const guestsCommand: Command = {
  name: 'guests',
  summary: 'the guests, and their definitions on both nodes',
  usage: ['guests [--json]', 'guests diff [NAME]', 'guests history NAME', 'guests keep NAME --from NODE'],
  description: [
    'Lists the guests: their group, where it runs, and what each node has of the definition: `defined` in its libvirt, `older` when its libvirt has another one than is in use, `stored` when a takeover would define it there, or `missing`.',
    'Each node keeps the definitions of both, with the last ten versions. A guest is defined and changed with the tools of libvirt on the node where it runs; the other node has it a moment later. A guest that was edited on both while they did not know of each other is a conflict: both definitions are kept, and the one of the node where it ran stays in use until you decide.',
    'diff shows what each node would start, as a unified diff; passwords are replaced by numbers, the same number for the same one. keep decides for what NODE has; both nodes have it then, and the other one stays in the history. A guest that runs has it after its next start.',
  ],
  options: {
    from: { type: 'string', value: 'NODE', help: 'with keep: the node whose definition stays' },
    json: jsonOption,
  },
  examples: [
    { command: 'battito guests diff mail', meaning: 'what differs between the two definitions of mail' },
    { command: 'battito guests keep mail --from primary', meaning: "the primary's definition stays" },
  ],
  exitCodes: {
    0: 'shown, and the same on both nodes; or kept',
    1: 'diff: they differ; else refused, the message says why',
    3: 'a definition is not the same on both nodes, or damaged',
    69: 'no daemon answers at the control socket',
    75: 'the daemon did not answer in time',
    77: 'not allowed: run it as root',
  },
  positionalsMax: 2,
  async run(context, args) {
    const [action, name] = args.positionals;
    if (action !== 'keep' && text(args, 'from') !== undefined)
      throw usageError('--from belongs to keep', guestsCommand);
    switch (action) {
      case undefined:
        return list(context, args);
      case 'diff':
        return diff(context, args, name);
      case 'history':
        return history(context, args, name);
      case 'keep':
        return keep(context, args, name);
      default: {
        const near = nearestWord(action, ['diff', 'history', 'keep']);
        const message = `there is no "guests ${action}"; expected diff, history or keep`;
        const more = name === undefined ? '' : ` ${name}`;
        throw usageError(message, guestsCommand, near === undefined ? near : `battito guests ${near}${more}`);
      }
    }
  },
};

async function list({ client, output }: Context, args: Arguments): Promise<number> {
  const [definitions, status] = await Promise.all([client.guests(), client.status()]);
  const rows = guestRows(definitions, status);
  if (flag(args, 'json')) printJson(output, { ...definitions, guests: rows });
  else for (const line of renderGuests(definitions, rows)) output.line(line);
  const isWell = definitions.guests.every(({ state }) => state === 'same');
  return isWell && definitions.damaged.length === 0 ? exitCodes.ok : exitCodes.degraded;
}

async function diff({ client, output }: Context, args: Arguments, name: string | undefined): Promise<number> {
  const definitions = await client.guests();
  const { self, peer } = definitions;
  const found = name === undefined ? definitions.guests : find(definitions, name);
  const compared = await Promise.all(
    found.map(async ({ uuid }) => {
      const texts = await client.guestTexts(uuid);
      return { uuid, ...texts, diff: texts.same ? '' : patchOf(texts, [self, peer]) };
    }),
  );
  if (flag(args, 'json')) printJson(output, compared);
  else for (const one of compared) if (!one.same) output.line(harmless(one.diff).trimEnd());
  return compared.every(({ same }) => same) ? exitCodes.ok : exitCodes.failed;
}

function patchOf(
  texts: { readonly name: string; readonly self: string | null; readonly peer: string | null },
  [self, peer]: readonly [string, string],
): string {
  const side = (node: string, xml: string | null) =>
    xml === null ? '/dev/null' : `${node}/${texts.name}.xml`;
  const patch = createTwoFilesPatch(
    side(self, texts.self),
    side(peer, texts.peer),
    texts.self ?? '',
    texts.peer ?? '',
    undefined,
    undefined,
    { context: 3 },
  );
  return patch.replace(/^=+\n/, '');
}

async function history({ client, output }: Context, args: Arguments, name: string | undefined) {
  if (name === undefined) throw usageError('history needs the name of a guest', guestsCommand);
  const definitions = await client.guests();
  const versions = await Promise.all(
    find(definitions, name).map(async ({ uuid }) => ({ uuid, versions: await client.guestHistory(uuid) })),
  );
  if (flag(args, 'json')) printJson(output, versions);
  else for (const one of versions) for (const line of renderVersions(one.versions)) output.line(line);
  return exitCodes.ok;
}

async function keep({ client, output }: Context, args: Arguments, name: string | undefined) {
  const node = text(args, 'from');
  if (name === undefined) throw usageError('keep needs the name of a guest', guestsCommand);
  if (node === undefined)
    throw usageError('keep needs the node whose definition stays: --from NODE', guestsCommand);
  const definitions = await client.guests();
  const nodes = [definitions.self, definitions.peer];
  if (!nodes.includes(node)) {
    const near = nearestWord(node, nodes);
    const suggestion = near === undefined ? near : `battito guests keep ${shellQuote(name)} --from ${near}`;
    throw usageError(
      `there is no node "${node}"; the nodes are ${nodes.join(' and ')}`,
      guestsCommand,
      suggestion,
    );
  }
  const [guest, other] = find(definitions, name);
  if (guest === undefined) throw unknownGuest(definitions, name);
  if (other !== undefined) {
    throw new BattitoError('name-taken', `two guests are named ${name}, each node has its own`, {
      next: `undefine or rename one of them with virsh, or name one here by its UUID: ${guest.uuid}, ${other.uuid}`,
    });
  }
  const message = await client.keepGuest(guest.uuid, node);
  if (flag(args, 'json')) printJson(output, { done: true, message });
  else output.line(message);
  return exitCodes.ok;
}

/** By name or UUID. @throws BattitoError `no-such-guest` */
function find(definitions: GuestDefinitions, name: string): readonly GuestDefinition[] {
  const found = definitions.guests.filter((guest) => guest.name === name || guest.uuid === name);
  if (found.length === 0) throw unknownGuest(definitions, name);
  return found;
}

function unknownGuest({ guests }: GuestDefinitions, name: string): BattitoError {
  const names = guests.map((guest) => guest.name);
  const near = nearestWord(name, names);
  return new BattitoError('no-such-guest', `no definition of a guest "${name}" is stored`, {
    exitCode: exitCodes.usage,
    next:
      near === undefined
        ? `the guests are: ${names.join(', ') || 'none'}; one of the qemu driver is written in the configuration`
        : `did you mean "${near}"?`,
  });
}
