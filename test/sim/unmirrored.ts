// Rule S3 where no mirror can tell which data are the newest: what a guest last ran on.

import type { Ledger } from '../../daemon/core/events.ts';
import { otherSide, type Side } from '../../daemon/sim/action.ts';
import type { Checker, Context } from './checkers.ts';

interface Run {
  incarnation: number;
  /** Has the peer shown, since the daemon here started, that it reads this run? */
  hasMet: boolean;
}

/**
 * S3, without a mirror: a group whose guests ran on the other host last is not started by a daemon that has not met that one
 * since it started, unless a person has accepted the data there. Of a group that was handed over and has not run since,
 * either host has what ran last. What a ledger says of itself is no excuse, with two exceptions, until the nodes meet,
 * since there is nothing else to go by: a person had older data used on the other host; or the ledger is an old one, and
 * says that its host was the only owner, which was true once. And a guest that was paused never goes on after it, or
 * another one of its group, has run on the other host.
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
  /** Good for one start, by the daemon that was asked. */
  const accepted: Record<Side, Set<string>> = { primary: new Set(), secondary: new Set() };
  /** It ran the group last for all that it can know. */
  const parted: Record<Side, Set<string>> = { primary: new Set(), secondary: new Set() };
  const isOld: Record<Side, boolean> = { primary: false, secondary: false };
  const paused: Record<Side, Set<string>> = { primary: new Set(), secondary: new Set() };
  const meet = () => {
    parted.primary.clear();
    parted.secondary.clear();
  };
  /** Of which the old record that this daemon began with says that its host was the only owner. */
  const soleOnce: Record<Side, readonly string[]> = { primary: [], secondary: [] };
  const soleIn = ({ groups }: Ledger, side: Side) =>
    groups.filter(({ sole, owner }) => sole && owner === side).map(({ name }) => name);
  return {
    rule: 'S3',
    daemon({ side }) {
      runs[side] = { incarnation: 0, hasMet: false };
      accepted[side].clear();
      soleOnce[side] = isOld[side] ? soleIn(ledgerOnDisk(side), side) : [];
    },
    stepped({ at, side, event, before, after, effects }) {
      const run = runs[side];
      const isHeard = after.peer.lastHeardAt !== before.peer.lastHeardAt;
      if (!run.hasMet && event.kind === 'heartbeat-received' && isHeard) {
        run.incarnation = before.incarnation;
        run.hasMet = event.echo?.incarnation === run.incarnation;
        if (run.hasMet) {
          meet();
          isOld[side] = false;
          soleOnce[side] = [];
        }
      }
      if (run.hasMet) return;
      for (const effect of effects) {
        if (effect.kind !== 'start-operation' || effect.action !== 'start') continue;
        const group = groupOf.get(effect.resource);
        if (group === undefined || lastOn.get(group) !== otherSide(side)) continue;
        const isExcused = parted[side].has(group) || soleOnce[side].includes(group);
        if (!accepted[side].has(group) && !isExcused)
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
      if (action.kind === 'state-file' && action.condition === 'old') isOld[action.host] = true;
    },
    running({ at, side, resource, running }) {
      const wasPaused = paused[side].delete(resource);
      if (running === 'paused') paused[side].add(resource);
      if (running !== 'up') return;
      const group = groupOf.get(resource);
      const isByHand = byHand[side].delete(resource);
      if (group === undefined || isByHand) return;
      if (wasPaused && lastOn.get(group) === otherSide(side))
        report(
          'S3',
          at,
          side,
          `${resource} goes on from where it stood still, but ${group} ran on the other host since`,
        );
      if (accepted[side].delete(group) && lastOn.get(group) === otherSide(side))
        parted[otherSide(side)].add(group);
      lastOn.set(group, side);
    },
  };
}
