// Rule S3 where no mirror can tell which data are the newest: what a guest last ran on.

import { otherSide, type Side } from '../../daemon/sim/action.ts';
import type { Checker, Context } from './checkers.ts';

interface Run {
  incarnation: number;
  /** Has the peer shown, since the daemon here started, that it reads this run? */
  hasMet: boolean;
}

/**
 * S3, without a mirror: a group whose guests ran on the other host last is not started by a daemon that has not met that one
 * since it started, unless a person has accepted the data there. What a person starts by hand is his.
 */
export function provenDataOnly({ policy, report }: Context): Checker {
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
  const accepted: Record<Side, Set<string>> = { primary: new Set(), secondary: new Set() };
  const handAt = { at: -1, guest: '' };
  return {
    rule: 'S3',
    daemon({ side, runs: isRunning }) {
      if (isRunning) runs[side] = { incarnation: 0, hasMet: false };
    },
    stepped({ side, event, before }) {
      const run = runs[side];
      if (run.hasMet || event.kind !== 'heartbeat-received') return;
      run.incarnation = before.incarnation;
      run.hasMet = event.echo?.incarnation === run.incarnation;
    },
    answered({ side, request, answer }) {
      if (answer.kind !== 'accepted' || request.kind !== 'accept-data') return;
      for (const name of request.groups) accepted[side].add(name);
    },
    action({ at, action }) {
      if (action.kind !== 'start-by-hand') return;
      handAt.at = at;
      handAt.guest = action.resource;
    },
    running({ at, side, resource, running }) {
      const group = groupOf.get(resource);
      if (group === undefined || running !== 'up') return;
      if (handAt.at === at && handAt.guest === resource) return;
      const isOthers = lastOn.get(group) === otherSide(side);
      if (isOthers && !runs[side].hasMet && !accepted[side].has(group))
        report('S3', at, side, `${group} ran on the other host last, and nobody vouches for the data here`);
      lastOn.set(group, side);
    },
  };
}
