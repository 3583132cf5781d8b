// Rule S3 where no mirror can tell which data are the newest: what a guest last ran on.

import type { Ledger } from '../../daemon/core/events.ts';
import { otherSide, type Side } from '../../daemon/sim/action.ts';
import type { Checker, Context } from './checkers.ts';

interface Run {
  incarnation: number;
  /** Has the peer shown, since the daemon here started, that it reads this run? */
  hasMet: boolean;
}

/** Its record says that it owned the group while the peer was known to be gone. */
const isSole = ({ groups }: Ledger, group: string) => groups.some(({ name, sole }) => name === group && sole);

/**
 * S3, without a mirror: a group whose guests ran on the other host last is not started by a daemon that has not met that one
 * since it started, unless a person has accepted the data there. Of a group that was handed over and has not run since,
 * either host has what ran last.
 */
export function provenDataOnly({ policy, ledgerOnDisk, report }: Context): Checker {
  const lastOn = new Map<string, Side>();
  const groupOf = new Map<string, string>();
  for (const { name, resources } of policy.groups) {
    if (resources.some(({ kind }) => kind === 'drbd')) continue;
    for (const { id, kind } of resources) if (kind === 'guest') groupOf.set(id, name);
  }
  const runs: Record<Side, Run> = {
    primary: { incarnation: 0, hasMet: false },
    secondary: { incarnation: 0, hasMet: false },
  };
  /** Started by hand where the group does not belong: what that is worth, the person knows. */
  const byHand: Record<Side, Set<string>> = { primary: new Set(), secondary: new Set() };
  const accepted: Record<Side, Set<string>> = { primary: new Set(), secondary: new Set() };
  return {
    rule: 'S3',
    daemon({ side, runs: isRunning }) {
      if (isRunning) runs[side] = { incarnation: 0, hasMet: false };
    },
    stepped({ at, side, event, before, effects }) {
      const run = runs[side];
      if (!run.hasMet && event.kind === 'heartbeat-received') {
        run.incarnation = before.incarnation;
        run.hasMet = event.echo?.incarnation === run.incarnation;
      }
      if (run.hasMet) return;
      for (const effect of effects) {
        if (effect.kind !== 'start-operation' || effect.action !== 'start') continue;
        const group = groupOf.get(effect.resource);
        const isOthers = group !== undefined && lastOn.get(group) === otherSide(side);
        if (isOthers && !accepted[side].has(group) && !isSole(ledgerOnDisk(side), group))
          report('S3', at, side, `${group} ran on the other host last, and nobody vouches for the data here`);
      }
    },
    answered({ side, request, answer }) {
      if (answer.kind !== 'accepted' || request.kind !== 'accept-data') return;
      for (const name of request.groups) accepted[side].add(name);
    },
    'ledger-on-disk'({ side, ledger }) {
      if (!runs[side].hasMet) return;
      for (const { name, owner } of ledger.groups)
        if (owner === side && lastOn.get(name) !== side) lastOn.delete(name);
    },
    action({ action }) {
      if (action.kind === 'start-by-hand') byHand[action.host].add(action.resource);
    },
    running({ side, resource, running }) {
      const group = groupOf.get(resource);
      if (running === 'up' && group !== undefined && !byHand[side].has(resource)) lastOn.set(group, side);
      if (running === 'up') byHand[side].delete(resource);
    },
  };
}
