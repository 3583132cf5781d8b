// The word of a person for data that may not be the newest: which DRBD resources it is about, in what state they are, and
// that each of them was named. What the daemon is asked is the same, by group: `accept-data`.

import type { GroupView, ResourceView, Status } from '../../control/api.ts';
import { storageText } from '../../control/storage.ts';
import { drbdNameOf } from '../../core/resource.ts';
import { BattitoError, exitCodes } from '../../errors.ts';
import type { Code } from '../../why/explanations.ts';
import { nearestWord, usageError } from '../arguments.ts';
import type { Arguments, Command, Context } from '../command.ts';
import { flag, texts } from '../command.ts';
import { confirm } from '../confirm.ts';

const nameOf = ({ id }: ResourceView) => drbdNameOf(id);
const disksOf = ({ resources }: GroupView) => resources.filter(({ kind }) => kind === 'drbd');

/** Those that hold a group back; all of it, where DRBD finds nothing wrong with them. */
function doubtfulDisks(group: GroupView): readonly ResourceView[] {
  const disks = disksOf(group);
  const stale = disks.filter(({ storage }) => storage?.disk !== 'up-to-date');
  return stale.length === 0 ? disks : stale;
}

/**
 * The groups that `--force` and `--accept-data` mean, each of their doubtful resources named by the person.
 *
 * @throws BattitoError `usage` for a name that is none, or is missing; `not-confirmed` for another one typed
 */
export async function acceptedGroups(
  context: Context,
  args: Arguments,
  status: Status,
  command: Command,
): Promise<readonly string[]> {
  const byGroup = texts(args, 'accept-data');
  const given = texts(args, 'force');
  const forced = given.length === 0 ? null : forcedGroups(args, status, given, command);
  if (forced !== null && forced.length === 0) throw nothingToForce();
  for (const group of status.groups) {
    if (!byGroup.includes(group.name) && !forced?.includes(group)) continue;
    const [hopeless] = disksOf(group).flatMap((disk) => hopelessDisk(disk) ?? []);
    if (hopeless !== undefined)
      throw new BattitoError(hopeless.code, hopeless.message, { next: hopeless.next });
  }
  for (const name of byGroup) await confirm(context, args, lossOf(status, name), name);
  const named = given.filter((name) => name !== '');
  for (const group of forced ?? []) {
    for (const disk of doubtfulDisks(group)) {
      const name = nameOf(disk);
      if (context.ask === undefined && !named.includes(name)) throw unnamed(group, named, command);
      if (flag(args, 'yes') && !named.includes(name)) throw unnamed(group, named, command);
      const state = storageText(disk.id, disk.storage, disk.resync ?? null);
      await confirm(context, args, `${state}.\n${lossOf(status, group.name)}`, name);
    }
  }
  return [...new Set([...byGroup, ...(forced ?? []).map(({ name }) => name)])];
}

function lossOf({ self, peer }: Status, group: string): string {
  const loss = `You accept the data of ${group} on ${self.name}. Whatever ${peer.name} wrote to ${group} later will be lost.`;
  const later = `${peer.name} learns of this when the nodes hear each other: do not switch it on where it cannot hear ${self.name}.`;
  return `${loss}\n${later}`;
}

/** The groups named as such, or those of the named resources, or those that are blocked here. */
function forcedGroups(
  { positionals }: Arguments,
  { groups }: Status,
  given: readonly string[],
  command: Command,
): readonly GroupView[] {
  const named = given.filter((name) => name !== '');
  const known = groups.flatMap(disksOf).map(nameOf);
  const stranger = named.find((name) => !known.includes(name));
  if (stranger !== undefined) {
    const there = known.length === 0 ? 'there is none' : `the resources are: ${known.join(', ')}`;
    const near = nearestWord(stranger, known);
    const message = `no group has the DRBD resource "${stranger}"; ${there}`;
    throw usageError(message, command, near === undefined ? near : `--force=${near}`);
  }
  const isMeant = (group: GroupView) => {
    if (positionals.length > 0) return positionals.includes(group.name);
    if (named.length > 0) return disksOf(group).some((disk) => named.includes(nameOf(disk)));
    return group.phase === 'blocked' && disksOf(group).length > 0;
  };
  const meant = groups.filter(isMeant);
  const bare = meant.find((group) => disksOf(group).length === 0);
  if (bare !== undefined) {
    const message = `${bare.name} has no DRBD resource for --force to name`;
    throw usageError(message, command, `battito takeover --accept-data ${bare.name}`);
  }
  return meant;
}

function nothingToForce(): BattitoError {
  return new BattitoError('nothing-to-force', 'no group with a DRBD resource is blocked here', {
    exitCode: exitCodes.failed,
    next: 'battito status says what each group waits for; or name the resource: --force=NAME',
  });
}

/** What `--force` and `--accept-data` would promote by force, for those who only look. Asks nobody. */
export function forcedDisks(
  args: Arguments,
  status: Status,
  command: Command,
): { readonly groups: readonly GroupView[]; readonly disks: readonly string[] } {
  const [given, byGroup] = [texts(args, 'force'), texts(args, 'accept-data')];
  const forced = given.length === 0 ? [] : forcedGroups(args, status, given, command);
  const isAny = given.length > 0 && forced.length === 0; // None is blocked now.
  const groups = status.groups.filter(
    (group) => isAny || forced.includes(group) || byGroup.includes(group.name),
  );
  return { groups, disks: groups.flatMap(doubtfulDisks).map(nameOf) };
}

export function isDisk({ groups }: Status, name: string): boolean {
  return groups.flatMap(disksOf).some((disk) => nameOf(disk) === name);
}

/** What no command of DRBD gets past, and the daemon's start of the resource neither. */
const hopelessCodes = new Set(['drbd-utils-missing', 'drbd-module-not-loadable', 'drbd-kernel-unusable']);

/** Null: whether it can be promoted is not known from here. */
export function hopelessDisk(
  disk: ResourceView,
): { readonly code: Code; readonly message: string; readonly next: string } | null {
  // A daemon that an upgrade has not restarted yet leaves it out.
  const trouble = disk.trouble ?? null;
  if (trouble === null || !hopelessCodes.has(trouble.code)) return null;
  const { code, what, next } = trouble;
  return { code, message: `${nameOf(disk)} cannot be promoted: ${what}`, next };
}

function unnamed(group: GroupView, named: readonly string[], command: Command): BattitoError {
  const names = [...new Set([...named, ...doubtfulDisks(group).map(nameOf)])];
  const message = `what ${group.name} would be started from has to be named, each resource`;
  return usageError(message, command, `battito takeover ${names.map((name) => `--force=${name}`).join(' ')}`);
}
