// Rule S3 where no mirror can tell which data are the newest: what a guest last ran on.

import { otherSide, type Side } from '../../daemon/sim/action.ts';
import type { Checker, Context } from './checkers.ts';
import { unmetRecords } from './unmet.ts';

/**
 * S3, without a mirror: a group whose guests ran on the other host last is not started by a daemon that has not met that one
 * since it started, unless a person has accepted the data there, which holds once it is on record that the group is its, or
 * has started a guest of it there by hand. Of a group that was handed over and has not run since, either host has what ran
 * last. What a ledger says of itself is no excuse, but for what unmet.ts names. And a guest that was paused never goes on after it, or another one of its group,
 * has run on the other host.
 */
export function provenDataOnly(context: Context): Checker {
  const { policy, report } = context;
  const records = unmetRecords(context);
  const lastOn = new Map<string, Side>();
  const groupOf = new Map<string, string>();
  for (const { name, resources } of policy.groups) {
    if (resources.some(({ kind }) => kind === 'drbd')) continue;
    for (const { id, kind } of resources) if (kind === 'guest') groupOf.set(id, name);
  }
  if (groupOf.size === 0) return { rule: 'S3' };
  /** Started by hand where the group does not belong: what that is worth, the person knows. */
  const byHand: Record<Side, Set<string>> = { primary: new Set(), secondary: new Set() };
  /** Good for one start, by the daemon that was asked. */
  const accepted: Record<Side, Set<string>> = { primary: new Set(), secondary: new Set() };
  /** A person's word for its data that is on record, or was given by hand; it has not run by the daemon since. */
  const carried: Record<Side, Set<string>> = { primary: new Set(), secondary: new Set() };
  const paused: Record<Side, Set<string>> = { primary: new Set(), secondary: new Set() };
  return {
    rule: 'S3',
    daemon(trace) {
      accepted[trace.side].clear();
      records.daemon(trace);
    },
    stepped(trace) {
      const { at, side, effects } = trace;
      records.stepped(trace);
      if (records.hasMet(side)) return;
      for (const effect of effects) {
        if (effect.kind !== 'start-operation' || effect.action !== 'start') continue;
        const group = groupOf.get(effect.resource);
        if (group === undefined || lastOn.get(group) !== otherSide(side)) continue;
        const isByWord = accepted[side].has(group) || carried[side].has(group);
        if (!isByWord && !records.isExcused(side, group))
          report('S3', at, side, `${group} ran on the other host last, and nobody vouches for the data here`);
      }
    },
    answered({ side, request, answer }) {
      if (answer.kind !== 'accepted' || request.kind !== 'accept-data') return;
      for (const name of request.groups) accepted[side].add(name);
    },
    'ledger-on-disk'({ side, ledger }) {
      for (const { name, owner } of ledger.groups)
        if (owner === side && accepted[side].has(name)) carried[side].add(name);
      if (!records.hasMet(side)) return;
      for (const { name, owner } of ledger.groups)
        if (owner === side && lastOn.get(name) !== side) lastOn.delete(name);
    },
    action(trace) {
      const { action } = trace;
      records.action(trace);
      if (action.kind === 'start-by-hand') byHand[action.host].add(action.resource);
    },
    running({ at, side, resource, running }) {
      const wasPaused = paused[side].delete(resource);
      if (running === 'paused') paused[side].add(resource);
      if (running !== 'up') return;
      const group = groupOf.get(resource);
      const isByHand = byHand[side].delete(resource);
      if (group === undefined) return;
      if (isByHand) {
        carried[side].add(group);
        return;
      }
      if (wasPaused && lastOn.get(group) === otherSide(side))
        report(
          'S3',
          at,
          side,
          `${resource} goes on from where it stood still, but ${group} ran on the other host since`,
        );
      const isByWord = [accepted[side].delete(group), carried[side].delete(group)].includes(true);
      carried[otherSide(side)].delete(group);
      if (isByWord && lastOn.get(group) !== side) records.usedByWord(side, group);
      lastOn.set(group, side);
    },
  };
}
