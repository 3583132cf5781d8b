// Rule S3 where disks are mirrored: which copy may be promoted.

import type { OperatorRequest } from '../../daemon/core/events.ts';
import { tierOf } from '../../daemon/core/policy.ts';
import { otherSide, type Side, sides } from '../../daemon/sim/action.ts';
import type { Running } from '../../daemon/sim/trace.ts';
import type { Checker, Context } from './checkers.ts';
import { devicesOf, runningOf } from './truth.ts';
import { unmetRecords } from './unmet.ts';

/**
 * S3. What is promoted without a person's word is up-to-date, or consistent when the other copy is off, marked as the
 * older one, on a disk that has failed, or idle and no newer; and no acknowledged write is missing in it. The evidence
 * tier gives up one thing: what a cut-off owner wrote until it froze or had stopped its guests, so there none of them
 * may act. What a failed disk took with it nobody can have; that ends when a new one in its place has been resynced. A
 * forced promotion needs an accepted request on that side, which is good for one promotion, and ends with the daemon that
 * was asked, or when that one hears of the other node after the other copy was promoted; one that has begun is carried
 * through. With it a person has given up what the other copy has beyond this one, until the other one is promoted. What
 * goes on after it stood still is judged alike.
 * A daemon that knows nothing of such a word, or has an old record, goes by what it knows: see unmet.ts.
 */
export function newestDataOnly(context: Context): Checker {
  const { policy, hosts, report } = context;
  const records = unmetRecords(context);
  const devices = new Map(devicesOf(policy).map((device) => [device.id, device]));
  if (devices.size === 0) return { rule: 'S3' };
  const isFenced = tierOf(policy) === 'fenced';
  const running = runningOf();
  const keyOf = (side: Side, id: string) => `${side} ${id}`;
  const accepted = new Set<string>();
  /** Of those: the other copy has been promoted since. */
  const overtaken = new Set<string>();
  /** Forced promotions under way that were accepted when they began. */
  const forcing = new Set<string>();
  /** The word was gone by, and no guest has run on that: the start was undone, and may be tried again. */
  const untried = new Set<string>();
  /** Guests that went down from paused, or had crashed: nothing was written after that. */
  const discarded: Record<Side, Set<string>> = { primary: new Set(), secondary: new Set() };
  const failed = new Set<string>();
  /** What the other copy has beyond this one was given up, by a person or by design, and it has not been used since. */
  const givenUp = new Set<string>();
  const endAcceptance = (side: Side) => {
    for (const id of devices.keys()) {
      accepted.delete(keyOf(side, id));
      untried.delete(keyOf(side, id));
    }
  };
  const endOvertaken = (side: Side) => {
    for (const id of devices.keys()) if (overtaken.delete(keyOf(side, id))) accepted.delete(keyOf(side, id));
  };
  const isFrozen = (id: string, side: Side) => {
    const guests = devices.get(id)?.guests ?? [];
    const isStill = (guest: string) => isHalted(running.get(guest, side)) || discarded[side].has(guest);
    const isLettingGo = running.get(id, side) === 'up';
    const nobodyActs = guests.every((guest) => running.get(guest, side) !== 'up');
    return nobodyActs && (isLettingGo || guests.some(isStill));
  };
  const heardAt: Record<Side, number> = { primary: -Infinity, secondary: -Infinity };
  /** The other host has power and runs nothing of it any more, and has not been heard for as long as a takeover waits. */
  const isCutOff = (id: string, side: Side, at: number) => {
    const guests = devices.get(id)?.guests ?? [];
    const other = otherSide(side);
    const isIdle = guests.every((guest) => running.get(guest, other) !== 'up');
    return isIdle && hosts.goesOn(other) && at - heardAt[side] >= policy.timings.deadtimeMs;
  };
  /** Promotions that were begun then; one that is under way cannot be taken back. */
  const cutOffAtStart = new Set<string>();
  return {
    rule: 'S3',
    stepped(trace) {
      const { at, side, event, before, after, effects } = trace;
      records.stepped(trace);
      for (const effect of effects) {
        if (effect.kind !== 'start-operation' || !devices.has(effect.resource)) continue;
        const key = keyOf(side, effect.resource);
        if (effect.forced && accepted.has(key)) forcing.add(key);
        if (effect.action === 'start' && isCutOff(effect.resource, side, at)) cutOffAtStart.add(key);
        else cutOffAtStart.delete(key);
      }
      const isHeard =
        event.kind === 'heartbeat-received' && after.peer.lastHeardAt !== before.peer.lastHeardAt;
      if (!isHeard) return;
      heardAt[side] = at;
      endOvertaken(side);
    },
    running({ side, resource, running: now }) {
      for (const { id, guests } of devices.values())
        if (now === 'up' && guests.includes(resource)) untried.delete(keyOf(side, id));
      if (now === 'up') discarded[side].delete(resource);
      else if (now === 'down' && isHalted(running.get(resource, side))) discarded[side].add(resource);
      running.set(resource, side, now);
    },
    action(trace) {
      const { action } = trace;
      records.action(trace);
      if (action.kind !== 'disk-failure') return;
      for (const id of devices.keys()) failed.add(keyOf(action.host, id));
    },
    device({ side, resource, disk }) {
      if (disk === 'up-to-date') failed.delete(keyOf(side, resource));
    },
    answered({ side, request, answer }) {
      if (answer.kind !== 'accepted') return;
      for (const { id, group } of devices.values())
        if (acceptedGroups(request).includes(group)) {
          accepted.add(keyOf(side, id));
          overtaken.delete(keyOf(side, id));
        }
    },
    daemon(trace) {
      records.daemon(trace);
      if (!trace.runs) endAcceptance(trace.side);
    },
    powered({ side }) {
      for (const id of devices.keys()) forcing.delete(keyOf(side, id));
    },
    resumed({ at, side, resource, newest }) {
      const isGone = sides.some((one) => failed.has(keyOf(one, resource)));
      const isExcused = accepted.has(keyOf(side, resource)) || givenUp.has(keyOf(side, resource));
      if (!newest && !isGone && !isExcused)
        report('S3', at, side, `a guest goes on with ${resource}, which lacks later writes`);
      givenUp.delete(keyOf(otherSide(side), resource));
    },
    promoted({ at, side, resource, disk, peerFencedOrOutdated, forced, newest }) {
      const key = keyOf(side, resource);
      const isAccepted = accepted.delete(key);
      const isCarriedThrough = forcing.delete(key);
      overtaken.add(keyOf(otherSide(side), resource));
      givenUp.delete(keyOf(otherSide(side), resource));
      const isByWord = isAccepted || isCarriedThrough || untried.has(key);
      if (isAccepted) untried.add(key);
      untried.delete(keyOf(otherSide(side), resource));
      const group = devices.get(resource)?.group ?? '';
      if (newest) records.settled(group);
      if (isByWord) {
        records.usedByWord(side, group);
        givenUp.add(key); // Also where DRBD has to be forced to nothing.
      }
      if (forced) {
        if (!isByWord) report('S3', at, side, `${resource} was forced, and nobody said so`);
        return;
      }
      const isGone = failed.has(keyOf(otherSide(side), resource));
      const isPeerOlder = peerFencedOrOutdated || isGone;
      const isPeerIdle = newest && running.get(resource, otherSide(side)) === 'down';
      const isProven = disk === 'up-to-date' || (disk === 'consistent' && (isPeerOlder || isPeerIdle));
      if (!isProven && !records.isExcused(side, group))
        report('S3', at, side, `${resource} was promoted although it is ${disk}`);
      const wasCutOff = isCutOff(resource, side, at) || cutOffAtStart.has(key);
      const isGivenUp = !isFenced && (isFrozen(resource, otherSide(side)) || wasCutOff);
      if (!newest && isGivenUp) givenUp.add(key);
      const isExcused = givenUp.has(key) || records.isExcused(side, group);
      if (!newest && !isExcused && !isGone)
        report('S3', at, side, `${resource} was promoted, but lacks later writes`);
    },
  };
}

const isHalted = (now: Running) => now === 'paused' || now === 'failed';

const acceptedGroups = (request: OperatorRequest): readonly string[] =>
  request.kind === 'accept-data' ? request.groups : [];
