// What is known of the two copies of a resource, who would lose what, and what each choice would run. Pure: from one
// status, and the time of day.

import type { DiskRemark, GuestRemark, ResourceView, Status } from '../../control/api.ts';
import { afterLostNewest } from '../../core/observations.ts';
import { drbdNameOf, guestNameOf } from '../../core/resource.ts';
import { isHeard, type Natural, naturalOf } from './resolve-natural.ts';

type Group = Status['groups'][number];

/** A command of DRBD, where and in which order it runs. */
export interface Step {
  readonly node: string;
  readonly command: string;
  /** Null: always. */
  readonly onlyWhere: string | null;
}

/** One node gives up what it wrote. */
export interface Choice {
  readonly node: string;
  /** Typed there. */
  readonly command: string;
  readonly steps: readonly Step[];
}

/** What a node sees of its own copy. */
export interface Copy {
  readonly role: string;
  readonly disk: string;
  readonly connection: string;
  readonly standsAlone: DiskRemark['standsAlone'];
  /** Wall clock, ISO 8601; null: not written to alone, as far as is known. */
  readonly aloneSince: string | null;
  readonly aloneForMs: number | null;
  /** Longer than that: since before the daemon was started. */
  readonly aloneLonger: boolean;
  readonly changedKib: number | null;
  /** Null: not said. */
  readonly guests: readonly GuestRemark[] | null;
}

export interface ResolveFacts {
  readonly resource: string;
  readonly group: string;
  /** Not connected to its mirror: only then anything can have parted. */
  readonly parted: boolean;
  readonly runsOn: string | null;
  readonly self: Copy & {
    readonly node: string;
    readonly phase: string;
    readonly generation: number;
    readonly discarding: boolean;
  };
  readonly peer: {
    readonly node: string;
    readonly heard: boolean;
    readonly silentMs: number | null;
    /** What it said last of the group; null: it was never heard. */
    readonly said: Group['peer'];
    /** What it said of its copy in its newest heartbeat, `ageMs` ago: spans are as of then. Null: nothing. */
    readonly copy: (Copy & { readonly ageMs: number }) | null;
  };
  /** Whose changes one would give up as things are; for a person to decide. */
  readonly natural: Natural;
  /** Other resources of the group that are not connected: they share the fate. */
  readonly also: readonly string[];
  readonly choices: readonly Choice[];
  /** Why this node cannot give up its changes now; null: it can. */
  readonly obstacle: { readonly message: string; readonly next: string } | null;
}

const isApart = ({ kind, storage }: ResourceView) => kind === 'drbd' && storage?.connection !== 'connected';

export function factsOf(status: Status, group: Group, resource: ResourceView, wallMs: number): ResolveFacts {
  const [self, peer] = [status.self.name, status.peer.name];
  const name = drbdNameOf(resource.id);
  const lost = group.resources.filter(isApart);
  const also = lost.filter(({ id }) => id !== resource.id).map(({ id }) => drbdNameOf(id));
  const natural = isApart(resource)
    ? naturalOf(status, group, lost)
    : { node: null, why: 'the copies are connected' };
  const nodes = natural.node === peer ? [peer, self] : [self, peer];
  return {
    resource: name,
    group: group.name,
    parted: isApart(resource),
    runsOn: group.runsOn,
    self: {
      node: self,
      ...ownCopy(group, resource, wallMs),
      phase: group.phase,
      generation: group.generation,
      discarding: group.discarding ?? false,
    },
    peer: {
      node: peer,
      heard: isHeard(status),
      silentMs: status.verdict.silentMs,
      said: group.peer,
      copy: peerCopy(group, name, wallMs),
    },
    natural,
    also,
    choices: nodes.map((node) => ({
      node,
      command: `battito drbd resolve ${name} --discard-here`,
      steps: stepsOf(status, group, lost, node),
    })),
    obstacle: obstacleOf(status, group),
  };
}

// A daemon that an upgrade has not restarted yet leaves out the newer fields.
function ownCopy(group: Group, { storage, apart }: ResourceView, wallMs: number): Copy {
  const aloneForMs = apart?.aloneForMs ?? null;
  return {
    role: storage?.role ?? 'unknown',
    disk: storage?.disk ?? 'unknown',
    connection: storage?.connection ?? 'unknown',
    standsAlone: apart?.standsAlone ?? 'no',
    aloneSince: before(wallMs, aloneForMs),
    aloneForMs,
    aloneLonger: apart?.aloneLonger ?? false,
    changedKib: apart?.changedKib ?? null,
    guests: group.resources
      .filter(({ kind }) => kind === 'guest')
      .map(({ id, status, upForMs }) => ({
        name: guestNameOf(id),
        status,
        upForMs: upForMs ?? null,
      })),
  };
}

function peerCopy({ peerRemarks }: Group, name: string, wallMs: number): ResolveFacts['peer']['copy'] {
  const found = diskThere(peerRemarks, name);
  if (!peerRemarks || found === undefined) return null;
  const { ageMs, guests } = peerRemarks;
  const { resource: _, ...figures } = found;
  return { ...figures, aloneSince: before(wallMs - ageMs, found.aloneForMs), guests, ageMs };
}

const diskThere = (remarks: Group['peerRemarks'] | undefined, name: string) =>
  remarks?.disks.find(({ resource }) => resource === name);

const before = (wallMs: number, spanMs: number | null) =>
  spanMs === null ? null : new Date(wallMs - spanMs).toISOString();

function stepsOf(
  status: Status,
  group: Group,
  lost: readonly ResourceView[],
  victim: string,
): readonly Step[] {
  const { self, peer } = status;
  const other = victim === self.name ? peer.name : self.name;
  const thereNow = isHeard(status) ? group.peerRemarks : null;
  const connectionAt = (node: string, { id, storage }: ResourceView) =>
    (node === self.name ? storage?.connection : diskThere(thereNow, drbdNameOf(id))?.connection) ?? 'unknown';
  return lost.flatMap((resource) => {
    const name = drbdNameOf(resource.id);
    const [here, there] = [connectionAt(victim, resource), connectionAt(other, resource)];
    const leaving = { node: victim, command: `drbdadm disconnect ${name}` };
    const whereNotAlone = here === 'unknown' ? 'where it does not stand alone yet' : null;
    return [
      ...(here === 'standalone' ? [] : [{ ...leaving, onlyWhere: whereNotAlone }]),
      { node: victim, command: `drbdadm connect --discard-my-data ${name}`, onlyWhere: null },
      {
        node: other,
        command: `drbdadm connect ${name}`,
        onlyWhere: there === 'standalone' ? null : 'where it stands alone',
      },
    ];
  });
}

const hasNoDisk = ({ resources }: Group) =>
  resources.some((resource) => isApart(resource) && resource.storage?.disk === 'diskless');

/** The peer uses the group, and has nothing that could be copied here. */
function worksWithoutDisk({ peer, peerRemarks, resources }: Group): boolean {
  if (peer?.phase !== 'active' && peer?.phase !== 'starting') return false;
  return resources.some(
    (resource) => isApart(resource) && diskThere(peerRemarks, drbdNameOf(resource.id))?.disk === 'diskless',
  );
}

/** As the daemon or DRBD would refuse it; so that nobody types a name in vain. */
function obstacleOf(status: Status, group: Group): ResolveFacts['obstacle'] {
  const [self, peer] = [status.self.name, status.peer.name];
  if (!group.resources.some(isApart)) {
    return {
      message: `the disks of ${group.name} have not parted`,
      next: 'nothing is to be given up; `battito status` shows how they are',
    };
  }
  if (status.verdict.kind !== 'alive')
    return { message: `${peer} is not heard`, next: `start ${peer} first: its copy is the one that stays` };
  if (worksWithoutDisk(group)) {
    return {
      message: `the disk of ${peer} has failed: the copy here is the only one there is`,
      next: afterLostNewest(group.name, peer, self),
    };
  }
  if (group.peer?.discarding === true) {
    return {
      message: `${peer} is giving up what it wrote: to do so on both nodes would join nothing`,
      next: 'wait until it is done: `battito status --watch`',
    };
  }
  if (group.phase === 'stopped' || group.phase === 'blocked') return null;
  if (hasNoDisk(group)) {
    return {
      message: `the disk of ${self} has failed: there is no copy here that could give way`,
      next: afterLostNewest(group.name, self, peer),
    };
  }
  return {
    message: `${group.name} is in use on ${self}`,
    next: `give up what ${peer} wrote instead: the same command there; or stop it here first: battito handover ${group.name}`,
  };
}
