// Which groups a command means, and what it says of them.

import type { GroupView, ResourceView, Status } from '../control/api.ts';
import { exitCodes } from '../errors.ts';
import { nearestWord, usageError } from './arguments.ts';
import type { Arguments, Command, Context } from './command.ts';
import { flag, text } from './command.ts';
import { printJson } from './output.ts';

/**
 * The named groups, or all of them.
 *
 * @throws BattitoError `usage` for a name that no group has
 */
export function chooseGroups(
  status: Status,
  names: readonly string[],
  command: Command,
): readonly GroupView[] {
  const known = status.groups.map(({ name }) => name);
  for (const name of names) {
    if (known.includes(name)) continue;
    const message = `there is no group "${name}"; the groups are: ${known.join(', ')}`;
    throw usageError(message, command, ownerOf(status, name) ?? nearestWord(name, known));
  }
  return status.groups.filter(({ name }) => names.length === 0 || names.includes(name));
}

/** The group that has a resource of that name: `mail` for `guest:mail`. */
function ownerOf({ groups }: Status, name: string): string | undefined {
  const isIt = ({ id }: ResourceView) => id.slice(id.indexOf(':') + 1) === name;
  return groups.find(({ resources }) => resources.some(isIt))?.name;
}

/** The same groups in a later status. */
export function sameGroups(status: Status, groups: readonly GroupView[]): readonly GroupView[] {
  const names = new Set(groups.map(({ name }) => name));
  return status.groups.filter(({ name }) => names.has(name));
}

/** `a`, `a and b`, `a, b and c`. */
export function listNames(items: readonly { readonly name: string }[]): string {
  const names = items.map(({ name }) => name);
  const last = names.at(-1) ?? '';
  return names.length > 1 ? `${names.slice(0, -1).join(', ')} and ${last}` : last;
}

export function isHeldHere({ phase }: GroupView): boolean {
  return phase === 'active' || phase === 'starting';
}

/** Resources of these groups that this node gave up, as a sentence; null: none. */
export function givenUpHere(groups: readonly GroupView[]): string | null {
  const lost = groups.flatMap(({ resources }) => resources.filter(({ quarantined }) => quarantined !== null));
  if (lost.length === 0) return null;
  const each = lost.map(({ id, quarantined }) => `${id}: ${quarantined}`).join('; ');
  return `given up: ${each}\nnext: mend the cause, then run \`battito retry ${groups.map(({ name }) => name).join(' ')}\``;
}

/** The same for what the peer gave up. */
export function givenUpThere(status: Status, groups: readonly GroupView[]): string | null {
  const names = groups.filter(({ peer }) => (peer?.quarantined ?? 0) > 0).map(({ name }) => name);
  if (names.length === 0) return null;
  return `${status.peer.name} has given up a part of ${names.join(', ')}\nnext: run \`battito status\` on ${status.peer.name}`;
}

export const preferredOption = {
  type: 'string',
  value: 'here|there',
  help: 'only groups that prefer this node, or the other one',
} as const;

/**
 * With --preferred: the same arguments with those groups named; a sentence where there are none.
 *
 * @throws BattitoError `usage`
 */
export function withPreferred(args: Arguments, status: Status, command: Command): Arguments | string {
  const side = text(args, 'preferred');
  if (side === undefined) return args;
  if (side !== 'here' && side !== 'there')
    throw usageError(`--preferred is "here" or "there", not "${side}"`, command);
  if (args.positionals.length > 0)
    throw usageError('--preferred chooses groups, so none can be named beside it', command);
  const { name } = side === 'here' ? status.self : status.peer;
  const positionals = status.groups.filter(({ preferred }) => preferred === name).map((group) => group.name);
  return positionals.length === 0 ? `no group prefers ${name}: nothing to do` : { ...args, positionals };
}

/** Says that there is nothing to do. */
export function nothingToDo({ output }: Context, args: Arguments, message: string): number {
  if (flag(args, 'json')) printJson(output, { done: true, message });
  else output.line(message);
  return exitCodes.ok;
}
