// `battito drbd resolve`: shows both copies of a resource that have parted; with --discard-here gives up what this
// node wrote, and waits until the copies are the same again. Which copy stays is never decided here.

import type { ResourceView, Status } from '../../control/api.ts';
import { progressOf } from '../../control/storage.ts';
import { drbdNameOf } from '../../core/resource.ts';
import { sizeText } from '../../drivers/drbd/progress.ts';
import { BattitoError, exitCodes } from '../../errors.ts';
import type { Arguments, Command, Context } from '../command.ts';
import { flag } from '../command.ts';
import { confirm } from '../confirm.ts';
import { printJson } from '../output.ts';
import { copiedText } from '../progress.ts';
import { formatSpan } from '../time.ts';
import { type Judgement, runMove } from '../wait.ts';
import { factsOf, type ResolveFacts } from './resolve-facts.ts';
import { renderFacts } from './resolve-view.ts';

export async function resolve(
  context: Context,
  args: Arguments,
  command: Command,
  name: string | undefined,
): Promise<number> {
  const { client, output } = context;
  const status = await client.status();
  const { group, resource } = find(status, name);
  // Not even whether they have parted is known then.
  if (resource.trouble) {
    const { code, what, next } = resource.trouble;
    const { self } = status;
    throw new BattitoError(
      code,
      `the copy of ${drbdNameOf(resource.id)} on ${self.name} is not seen: ${what}`,
      {
        next,
      },
    );
  }
  const facts = factsOf(status, group, resource, Date.now());
  const json = flag(args, 'json');
  const isShownOnly = !flag(args, 'discard-here');
  const shown = isShownOnly ? facts.choices : facts.choices.filter(({ node }) => node === facts.self.node);
  if (!json) for (const line of renderFacts(facts, shown)) output.line(line);
  if (isShownOnly) {
    if (json) printJson(output, facts);
    return exitCodes.ok;
  }
  if (facts.obstacle !== null)
    throw new BattitoError('refused', facts.obstacle.message, { next: facts.obstacle.next });
  await confirm(context, args, lossOf(facts), facts.resource);
  return runMove(context, args, command, {
    requests: [{ kind: 'discard-data', groups: [group.name] }],
    judge: newJoiningJudge(group.name),
    groups: [group.name],
    about: facts,
    said: `battito drbd resolve ${facts.resource} --discard-here`,
  });
}

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
  const names = all.map(({ resource }) => drbdNameOf(resource.id)).join(', ');
  throw new BattitoError(
    'no-such-resource',
    name === undefined ? 'no DRBD resource is named' : `no group has the DRBD resource ${name}`,
    {
      exitCode: exitCodes.usage,
      next: names === '' ? 'name it under drbd: of its group' : `the resources are: ${names}`,
    },
  );
}

function lossOf(facts: ResolveFacts): string {
  const { self, peer, resource, also } = facts;
  const size = self.changedKib === null ? '' : ` (at most ${sizeText(self.changedKib)})`;
  const more = also.length === 0 ? '' : `, and to ${also.join(', ')},`;
  return `What ${self.node} wrote to ${resource}${size}${more} since the copies parted will be lost; the copy of ${peer.node} stays.`;
}

/**
 * Is what was given up replaced by what the peer has? Until the disks have been connected once, the daemon's own
 * patience decides; a resync that is interrupted later goes on by itself, unless DRBD has given the connection up.
 */
export function newJoiningJudge(groupName: string): (status: Status) => Judgement {
  let wasJoined = false;
  return (status) => {
    const group = status.groups.find(({ name }) => name === groupName);
    const disks = (group?.resources ?? []).filter(({ kind }) => kind === 'drbd');
    if (group === undefined) return { kind: 'pending', waitingFor: `${groupName} is not known any more` };
    const apart = disks.filter(({ storage }) => storage?.connection !== 'connected');
    if (apart.length === 0) {
      wasJoined = true;
      return judgeConnected(status, group, disks);
    }
    const first = apart.find(({ storage }) => storage?.connection === 'standalone') ?? apart[0];
    const standsAlone = first?.storage?.connection === 'standalone';
    if (first !== undefined && group.discarding === false && (standsAlone || !wasJoined))
      return refusedBy(status, first, standsAlone);
    const waitingFor = apart.map(
      ({ id, storage }) => `${drbdNameOf(id)} is ${storage?.connection ?? 'not seen'}`,
    );
    const silence =
      status.verdict.kind === 'alive'
        ? ''
        : `; ${status.peer.name} is not heard${status.verdict.silentMs === null ? '' : ` for ${formatSpan(status.verdict.silentMs)}`}`;
    return { kind: 'pending', waitingFor: waitingFor.join(', ') + silence };
  };
}

function judgeConnected(status: Status, group: Found['group'], disks: readonly ResourceView[]): Judgement {
  const [self, peer] = [status.self.name, status.peer.name];
  const copied = disks.filter(({ storage }) => storage !== null && storage.resync !== null);
  const stale = disks.filter(
    ({ storage }) => storage?.disk !== 'up-to-date' || storage.peerDisk !== 'up-to-date',
  );
  if (copied.length > 0) {
    return { kind: 'pending', waitingFor: copyingText(copied, peer) };
  }
  if (stale.length > 0) {
    const states = stale.map(
      ({ id, storage }) =>
        `${drbdNameOf(id)} is ${storage?.disk} on ${self}, ${storage?.peerDisk} on ${peer}, and not being copied`,
    );
    return { kind: 'pending', waitingFor: states.join('; ') };
  }
  const names = disks.map(({ id }) => drbdNameOf(id)).join(', ');
  const runs = group.runsOn === null ? 'runs on neither node' : `runs on ${group.runsOn}`;
  const message = `${names}: connected, up to date on ${self} and on ${peer}; ${group.name} ${runs}`;
  return { kind: 'done', message, attention: null };
}

function copyingText(copied: readonly ResourceView[], peer: string): string {
  const each = copied.flatMap(({ id, storage, resync }) => {
    const found = storage === null ? null : progressOf(storage, resync ?? null);
    return found === null ? [] : [copiedText(id, found, peer)];
  });
  return each.join('; ');
}

/** The daemon has given up: DRBD does not take what it was told. */
function refusedBy(status: Status, { id, lastError, apart, storage }: ResourceView, standsAlone: boolean) {
  const name = drbdNameOf(id);
  const peer = status.peer.name;
  const said = lastError === null ? '' : `: ${lastError}`;
  if (!standsAlone) {
    return {
      kind: 'stuck',
      message: `${name} is ${storage?.connection ?? 'not seen'}: it was told to give up what it wrote, and does not reach ${peer}${said}`,
      next: `mend the network between the disks, and compare /etc/drbd.d on both nodes; drbdadm status ${name}; then the same command again`,
    } as const;
  }
  const next =
    apart?.standsAlone === 'unrelated'
      ? `the copies have no common past; to copy all of ${peer}'s here: drbdadm down ${name} && drbdadm create-md ${name} && drbdadm up ${name}; on ${peer}: drbdadm connect ${name}`
      : `\`journalctl -k -g drbd\` on both nodes says why; on ${peer}: drbdadm connect ${name}; then the same command again here`;
  return {
    kind: 'stuck',
    message: `DRBD refused: ${name} stands alone again, the copies are not joined${said}`,
    next,
  } as const;
}
