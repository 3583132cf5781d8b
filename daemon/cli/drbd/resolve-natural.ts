// Which of two copies that have parted is the natural one to give up: advice for a person, who decides. Pure.

import type { DiskRemark, ResourceView, Status } from '../../control/api.ts';
import { drbdNameOf, guestNameOf } from '../../core/resource.ts';

type Group = Status['groups'][number];

/** Whose changes one would give up as things are; null: not clear. */
export interface Natural {
  readonly node: string | null;
  readonly why: string;
}

export const isHeard = ({ verdict }: Status) => verdict.kind === 'alive' || verdict.kind === 'late';

/** `lost`: the copies of the group that are not connected, which share one fate. */
export function naturalOf(status: Status, group: Group, lost: readonly ResourceView[]): Natural {
  const [self, peer] = [status.self.name, status.peer.name];
  if (!isHeard(status)) return { node: null, why: `${peer} is not heard: what it has by now is not known` };
  const failed = withoutDisk(group, lost, self, peer);
  if (failed !== null)
    return { node: null, why: `the disk of ${failed} has failed, so there is one copy only` };
  if (group.runsOn !== null) return byWork(group, group.runsOn, self, peer);
  // Both have to be known: a side that merely has not said anything may have written.
  const [here, there] = [traceOf(lost.map(({ apart }) => apart)), traceThere(group, lost)];
  if (here === 'untouched' && there === 'written')
    return { node: self, why: `nothing was written on ${self} since they parted; ${peer} did write` };
  if (here === 'written' && there === 'untouched')
    return { node: peer, why: `${peer} says that it wrote nothing alone; ${self} did write` };
  const why =
    here === 'written' && there === 'written'
      ? `${group.name} runs on neither node, and both wrote: which copy is worth more, only a person can tell`
      : `${group.name} runs on neither node, and which copy is worth more is not known`;
  return { node: null, why };
}

function withoutDisk(
  { peerRemarks }: Group,
  lost: readonly ResourceView[],
  self: string,
  peer: string,
): string | null {
  if (lost.some(({ storage }) => storage?.disk === 'diskless')) return self;
  const names = lost.map(({ id }) => drbdNameOf(id));
  const isThere = peerRemarks?.disks.some(
    ({ resource, disk }) => disk === 'diskless' && names.includes(resource),
  );
  return isThere === true ? peer : null;
}

function byWork({ name, phase, peer: said, resources }: Group, runsOn: string, self: string, peer: string) {
  const guests = resources.filter(({ kind }) => kind === 'guest').map(({ id }) => guestNameOf(id));
  const work = guests.length === 0 ? name : `${name} with ${guests.join(', ')}`;
  if (phase === 'active' && said?.phase === 'active')
    return { node: null, why: `both nodes say that they run ${work}` };
  const why = `${runsOn} runs ${work}, and would have to stop that before it could give up what it wrote`;
  return { node: runsOn === self ? peer : self, why };
}

type Trace = 'written' | 'untouched' | 'unknown';
type Figures = Pick<DiskRemark, 'aloneForMs' | 'changedKib'>;

/** Of several copies. A daemon that an upgrade has not restarted yet leaves out the newer fields. */
function traceOf(copies: readonly (Figures | null | undefined)[]): Trace {
  const known = copies.filter((copy) => copy !== null && copy !== undefined);
  if (known.some(({ aloneForMs }) => aloneForMs !== null)) return 'written';
  const isUntouched = known.length === copies.length && known.every(({ changedKib }) => changedKib === 0);
  return isUntouched ? 'untouched' : 'unknown';
}

/** By its figures; where it has not said any, by its word on whether it wrote alone. */
function traceThere({ peer: said, peerRemarks }: Group, lost: readonly ResourceView[]): Trace {
  if (said?.alone === true) return 'written';
  const disks = peerRemarks?.disks;
  if (disks !== undefined)
    return traceOf(lost.map(({ id }) => disks.find(({ resource }) => resource === drbdNameOf(id))));
  return said?.alone === false ? 'untouched' : 'unknown';
}
