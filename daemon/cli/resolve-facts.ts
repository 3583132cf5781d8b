// What is known of the two copies of a resource, who would lose what, and what each choice would run. Pure: from one
// status, and the time of day.

import type { ResourceView, Status } from '../control/api.ts';
import { drbdNameOf } from '../core/resource.ts';

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

export interface ResolveFacts {
  readonly resource: string;
  readonly group: string;
  /** Not connected to its mirror: only then anything can have parted. */
  readonly parted: boolean;
  readonly runsOn: string | null;
  readonly self: {
    readonly node: string;
    readonly role: string;
    readonly disk: string;
    readonly connection: string;
    readonly standsAlone: 'no' | 'split-brain' | 'unrelated' | 'unexplained';
    /** Wall clock, ISO 8601; null: not written to alone, as far as is known. */
    readonly aloneSince: string | null;
    readonly aloneForMs: number | null;
    /** Longer than that: since before this daemon was started. */
    readonly aloneLonger: boolean;
    readonly changedKib: number | null;
    readonly phase: string;
    readonly generation: number;
    readonly discarding: boolean;
    readonly guests: readonly {
      readonly name: string;
      readonly status: string;
      readonly upForMs: number | null;
    }[];
  };
  readonly peer: {
    readonly node: string;
    readonly heard: boolean;
    readonly silentMs: number | null;
    /** What it said last; null: it was never heard. */
    readonly said: Group['peer'];
  };
  /** Whose changes one would give up as things are; null: not clear. For a person to decide. */
  readonly natural: { readonly node: string | null; readonly why: string };
  /** Other resources of the group that are not connected: they share the fate. */
  readonly also: readonly string[];
  readonly choices: readonly Choice[];
  /** Why this node cannot give up its changes now; null: it can. */
  readonly obstacle: { readonly message: string; readonly next: string } | null;
}

const isApart = ({ kind, storage }: ResourceView) => kind === 'drbd' && storage?.connection !== 'connected';
const isHeard = ({ verdict }: Status) => verdict.kind === 'alive' || verdict.kind === 'late';

export function factsOf(status: Status, group: Group, resource: ResourceView, wallMs: number): ResolveFacts {
  const { storage, apart } = resource;
  const [self, peer] = [status.self.name, status.peer.name];
  // A daemon that an upgrade has not restarted yet leaves out the newer fields.
  const aloneForMs = apart?.aloneForMs ?? null;
  const name = drbdNameOf(resource.id);
  const lost = group.resources.filter(isApart);
  const also = lost.filter(({ id }) => id !== resource.id).map(({ id }) => drbdNameOf(id));
  const natural = naturalOf(status, group, resource);
  const nodes = natural.node === peer ? [peer, self] : [self, peer];
  return {
    resource: name,
    group: group.name,
    parted: isApart(resource),
    runsOn: group.runsOn,
    self: {
      node: self,
      role: storage?.role ?? 'unknown',
      disk: storage?.disk ?? 'unknown',
      connection: storage?.connection ?? 'unknown',
      standsAlone: apart?.standsAlone ?? 'no',
      aloneSince: aloneForMs === null ? null : new Date(wallMs - aloneForMs).toISOString(),
      aloneForMs,
      aloneLonger: apart?.aloneLonger ?? false,
      changedKib: apart?.changedKib ?? null,
      phase: group.phase,
      generation: group.generation,
      discarding: group.discarding ?? false,
      guests: group.resources
        .filter(({ kind }) => kind === 'guest')
        .map((guest) => ({
          name: guest.id.replace('guest:', ''),
          status: guest.status,
          upForMs: guest.upForMs ?? null,
        })),
    },
    peer: {
      node: peer,
      heard: isHeard(status),
      silentMs: status.verdict.silentMs,
      said: group.peer,
    },
    natural,
    also,
    choices: nodes.map((node) => ({
      node,
      command: `battito drbd resolve ${name} --discard-here`,
      steps: stepsOf(status, lost, node),
    })),
    obstacle: obstacleOf(status, group),
  };
}

function stepsOf(status: Status, lost: readonly ResourceView[], victim: string): readonly Step[] {
  const { self, peer } = status;
  const other = victim === self.name ? peer.name : self.name;
  const connectionAt = (node: string, { storage }: ResourceView) =>
    node === self.name ? (storage?.connection ?? 'unknown') : 'unknown';
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

function naturalOf(status: Status, group: Group, resource: ResourceView): ResolveFacts['natural'] {
  const [self, peer] = [status.self.name, status.peer.name];
  const { runsOn, name } = group;
  if (!isApart(resource)) return { node: null, why: 'the copies are connected' };
  if (!isHeard(status)) return { node: null, why: `${peer} is not heard: what it has is not known` };
  if (runsOn !== null) {
    const guests = group.resources.filter(({ kind }) => kind === 'guest').map(({ id }) => nameOfGuest(id));
    const work = guests.length === 0 ? name : `${name} with ${guests.join(', ')}`;
    const why = `${runsOn} runs ${work}, and would have to stop that before it could give up what it wrote`;
    return { node: runsOn === self ? peer : self, why };
  }
  // Both have to be known: a side that merely has not said anything may have written.
  const { apart } = resource;
  const isUntouchedHere = apart?.aloneForMs === null && apart.changedKib === 0;
  const isTouchedThere = group.peer?.alone === true;
  const isTouchedHere = apart !== null && apart !== undefined && apart.aloneForMs !== null;
  if (isUntouchedHere && isTouchedThere)
    return { node: self, why: `nothing was written on ${self} since they parted; ${peer} did write` };
  if (isTouchedHere && group.peer?.alone === false)
    return { node: peer, why: `${peer} says that it wrote nothing alone; ${self} did write` };
  return { node: null, why: `${name} runs on neither node, and which copy is worth more is not known` };
}

const nameOfGuest = (id: string) => id.replace('guest:', '');

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
  if (group.peer?.discarding === true) {
    return {
      message: `${peer} is giving up what it wrote: to do so on both nodes would join nothing`,
      next: 'wait until it is done: `battito status --watch`',
    };
  }
  if (group.phase === 'stopped' || group.phase === 'blocked') return null;
  return {
    message: `${group.name} is in use on ${self}`,
    next: `give up what ${peer} wrote instead: the same command there; or stop it here first: battito handover ${group.name}`,
  };
}
