// What excuses a daemon that goes by its own record, because it has not met its peer since it started: it says that its
// host was the only owner, which was true once, and nothing that the daemon can reach tells it that this has ended.

import type { Ledger } from '../../daemon/core/events.ts';
import type { GroupName } from '../../daemon/core/policy.ts';
import { otherSide, type Side, sides } from '../../daemon/sim/action.ts';
import type { Context, TraceOf } from './checkers.ts';

/**
 * Two things do, until the nodes meet: a person had the data of the other host used, which this one has not been told;
 * or the record is an old one, put back by the fault `state-file`. And after that, too, what a person had used while no
 * witness could record it, where the host that did has lost its own record of it: nobody can tell then.
 */
export function unmetRecords({ ledgerOnDisk, policy }: Context) {
  let hasWitness = policy.witness !== null;
  /** The groups that a person had used on this host while there was no witness, and of those the forgotten ones. */
  const unwitnessed: Record<Side, Set<GroupName>> = { primary: new Set(), secondary: new Set() };
  const forgotten: Record<Side, Set<GroupName>> = { primary: new Set(), secondary: new Set() };
  const met: Record<Side, boolean> = { primary: false, secondary: false };
  /** The groups that a person had used on the other host, without a word of it here yet. */
  const parted: Record<Side, Set<GroupName>> = { primary: new Set(), secondary: new Set() };
  const isOld: Record<Side, boolean> = { primary: false, secondary: false };
  /** The groups of which the old record that this daemon began with says that its host was the only owner. */
  const soleOnce: Record<Side, ReadonlySet<GroupName>> = { primary: new Set(), secondary: new Set() };
  const soleIn = ({ groups }: Ledger, side: Side) =>
    new Set(groups.filter(({ sole, owner }) => sole && owner === side).map(({ name }) => name));
  return {
    daemon: ({ side }: TraceOf<'daemon'>) => {
      met[side] = false;
      soleOnce[side] = isOld[side] ? soleIn(ledgerOnDisk(side), side) : new Set();
    },
    stepped: ({ side, event, before, after }: TraceOf<'stepped'>) => {
      if (event.kind !== 'heartbeat-received') return;
      if (after.peer.lastHeardAt === before.peer.lastHeardAt) return;
      if (event.echo?.incarnation !== before.incarnation) return;
      met[side] = true;
      isOld[side] = false;
      parted[side].clear();
    },
    action: ({ action }: TraceOf<'action'>) => {
      if (action.kind === 'witness') hasWitness = policy.witness !== null && action.condition === 'up';
      if (action.kind !== 'state-file') return;
      if (action.condition === 'old') isOld[action.host] = true;
      for (const name of unwitnessed[action.host]) forgotten[action.host].add(name);
    },
    /** Has the peer shown, since the daemon here started, that it reads this run? */
    hasMet: (side: Side) => met[side],
    /** A person had the group's data on this host used. */
    usedByWord: (side: Side, group: GroupName) => {
      parted[otherSide(side)].add(group);
      if (!hasWitness) unwitnessed[side].add(group);
    },
    /** The newest copy of its disks is in use: of what went before nothing is missed any more. */
    settled: (group: GroupName) => {
      for (const side of sides) {
        unwitnessed[side].delete(group);
        forgotten[side].delete(group);
      }
    },
    isExcused: (side: Side, group: GroupName) =>
      forgotten[otherSide(side)].has(group) ||
      (!met[side] && (parted[side].has(group) || soleOnce[side].has(group))),
  };
}
