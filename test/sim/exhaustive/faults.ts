// What goes wrong in the small world, and what is outside of it: daemons that are killed, hosts without power, cuts,
// the fencing device, the witness and the watchdogs, and what a person asks for.

import type { LeaseAnswer, OperatorRequest, Outcome } from '../../../daemon/core/events.ts';
import { code, type FaultKind, type Move } from './codes.ts';
import { feed, type Play, withEffect, withHost } from './effects.ts';
import {
  type Budget,
  cutKinds,
  gridMs,
  type Host,
  type HostIndex,
  hostIndexes,
  leaseMs,
  names,
  noDaemon,
  otherHost,
  reachesOutside,
  type Setup,
  unlimited,
  type World,
} from './model.ts';

export function isErrandOverdue(
  { now }: World,
  { errandSteps }: Setup,
  { fence, lease, arming }: Host,
): boolean {
  const isLate = (since: number | undefined, steps: number) =>
    since !== undefined && now - since >= steps * gridMs;
  return [fence, lease, arming].some((errand) => isLate(errand?.since, errandSteps));
}

export function addFaults(moves: Move[], world: World, setup: Setup): void {
  const { budget, cut } = world;
  for (const index of hostIndexes) {
    const host = world.hosts[index];
    const at = index * 32;
    addErrands(moves, world, index);
    if (budget.lateness > 0 && mayBeLate(world, host)) moves.push(code.skip + at);
    if (budget.faults > 0) {
      const isBusy = host.operations.length > 0 || host.fence !== null;
      if (budget.crashes > 0 && host.state !== null) {
        moves.push(code.kill + at);
        if (isBusy) moves.push(code.kill + at + 1);
      }
      if (budget.powerLosses > 0 && host.powered) moves.push(code['power-loss'] + at);
      if (budget.cuts > 0 && cut.kind === 'none') {
        for (const kind of setup.cuts) {
          const isBoth = kind === 'between' || kind === 'heartbeats';
          if (!isBoth || index === 0) moves.push(code.cut + at + cutKinds.indexOf(kind));
        }
      }
    }
    if (budget.requests > 0 && host.state !== null) {
      setup.requests.forEach((_, place) => {
        moves.push(code.request + at + place);
      });
    }
  }
  if (cut.kind !== 'none' && setup.mends) moves.push(code.mend);
  if (!world.gatewayUp || (budget.gateways > 0 && budget.faults > 0)) moves.push(code.gateway);
}

/** Not twice in a row, which would be a stall. */
function mayBeLate({ now }: World, { state, ranAt }: Host): boolean {
  return state !== null && ranAt < now && state.wakeAt > now - gridMs;
}

function addErrands(moves: Move[], world: World, index: HostIndex): void {
  const { fence, lease, arming, state } = world.hosts[index];
  const { budget } = world;
  const at = index * 32;
  if (state === null) return;
  const mayFail = budget.failures > 0 && budget.faults > 0;
  if (fence !== null) {
    const isReachable = reachesOutside(world, index);
    const victim = world.hosts[otherHost(index)];
    if (isReachable) {
      moves.push(code.fence + at);
      if (victim.fence !== null) moves.push(code.fence + at + 3);
    }
    if (!isReachable || mayFail) moves.push(code.fence + at + 1);
    if (isReachable && mayFail) moves.push(code.fence + at + 2);
  }
  if (arming !== null) {
    moves.push(code.arm + at);
    if (mayFail) moves.push(code.arm + at + 1);
  }
  if (lease !== null) {
    if (lease.answer === null && reachesOutside(world, index)) moves.push(code.witness + at);
    if (lease.answer !== null && reachesOutside(world, index)) moves.push(code.lease + at);
    if (!reachesOutside(world, index) || budget.losses > 0) moves.push(code.lease + at + 1);
  }
}

export function applyFault(
  play: Play,
  world: World,
  kind: FaultKind,
  index: HostIndex,
  detail: number,
): World {
  switch (kind) {
    case 'kill':
      return kill(spend(world, 'crashes'), index, detail === 1);
    case 'power-loss':
      return powerOff(spend(world, 'powerLosses'), index);
    case 'cut':
      return { ...spend(world, 'cuts'), cut: { kind: cutKinds[detail] ?? 'none', host: index } };
    case 'mend':
      return { ...world, cut: { kind: 'none', host: 0 } };
    case 'gateway':
      return { ...(world.gatewayUp ? spend(world, 'gateways') : world), gatewayUp: !world.gatewayUp };
    case 'fence':
      return fence(play, world, index, detail);
    case 'arm':
      return arm(play, world, index, detail === 0);
    case 'witness':
      return { ...askWitness(world, index) };
    case 'lease':
      return answerLease(play, world, index, detail === 1);
    case 'request':
      return ask(play, world, index, detail);
  }
}

function spend(
  world: World,
  what: Exclude<keyof Budget, 'faults' | 'boots' | 'losses' | 'lateness' | 'delays'>,
): World {
  const { budget } = world;
  const faults = what === 'requests' ? budget.faults : budget.faults - 1;
  return { ...world, budget: { ...budget, faults, [what]: budget[what] - 1 } };
}

/** Its daemon is gone at once; what it had asked for may still be carried through. */
function kill(world: World, index: HostIndex, carriesThrough: boolean): World {
  const host = world.hosts[index];
  let { running } = host;
  if (carriesThrough) {
    for (const operation of host.operations) running = withEffect({ ...host, running }, operation);
  }
  const isShot = carriesThrough && host.fence !== null;
  const gone = withHost(world, index, { ...noDaemon, running });
  return isShot ? powerOff(gone, otherHost(index)) : gone;
}

/** What was being written is lost: that it was not is the same as a write that ended just before. */
export function powerOff(world: World, index: HostIndex): World {
  const running = world.hosts[index].running.map(() => 'down' as const);
  return withHost(world, index, { ...noDaemon, running, powered: false, fedAt: null });
}

/** 0: it is off. 1: it is not, and the device says so. 2: it is, but the device does not say so. 3: both shot. */
function fence(play: Play, world: World, index: HostIndex, detail: number): World {
  const operation = world.hosts[index].fence?.operation ?? 0;
  const isReachable = reachesOutside(world, index);
  const isFault = detail === 2 || (detail === 1 && isReachable);
  let next = isFault ? spend(world, 'failures') : world;
  next = withHost(next, index, { fence: null });
  if (detail !== 1) next = powerOff(next, otherHost(index));
  if (detail === 3) return powerOff(next, index);
  const failed: Outcome = { kind: 'failed', code: 'fence-failed', message: 'the device does not answer' };
  const outcome: Outcome = detail === 0 ? { kind: 'done' } : failed;
  return feed(play, next, index, { kind: 'operation-finished', operation, outcome });
}

function arm(play: Play, world: World, index: HostIndex, works: boolean): World {
  const operation = world.hosts[index].arming?.operation ?? 0;
  const fedAt = works ? world.now : world.hosts[index].fedAt;
  const left = works ? world : spend(world, 'failures');
  const next = withHost(left, index, { arming: null, fedAt });
  const failed: Outcome = { kind: 'failed', code: 'no-watchdog', message: 'there is none' };
  const outcome: Outcome = works ? { kind: 'done' } : failed;
  return feed(play, next, index, { kind: 'operation-finished', operation, outcome });
}

/** The request arrives at the witness: compare and swap. */
function askWitness(world: World, index: HostIndex): World {
  const { witness, now } = world;
  const { lease } = world.hosts[index];
  if (lease === null) return world;
  const isOthers = witness.holder === otherHost(index) && now < witness.expiresAt;
  if (isOthers) {
    const holder = names[otherHost(index)];
    const answer: LeaseAnswer = { kind: 'refused', holder, term: witness.term, peerAlone: [] };
    return withHost(world, index, { lease: { ...lease, answer } });
  }
  const term = witness.holder === index ? witness.term : witness.term + 1;
  const answer: LeaseAnswer = { kind: 'held', term, peerAlone: [] };
  const next = withHost(world, index, { lease: { ...lease, answer } });
  return { ...next, witness: { holder: index, term, expiresAt: now + leaseMs } };
}

/** Losing the answer where nothing is cut is a loss like that of a packet. */
function answerLease(play: Play, world: World, index: HostIndex, isLost: boolean): World {
  const errand = world.hosts[index].lease;
  if (errand === null) return world;
  const { budget } = world;
  const isFree = !reachesOutside(world, index);
  const isSpent = isLost && !isFree && budget.losses < unlimited;
  const left = isSpent ? { ...world, budget: { ...budget, losses: budget.losses - 1 } } : world;
  const next = withHost(left, index, { lease: null });
  const unreachable: LeaseAnswer = { kind: 'unreachable', message: 'no answer' };
  const answer = isLost || errand.answer === null ? unreachable : errand.answer;
  return feed(play, next, index, { kind: 'lease-answered', operation: errand.operation, answer });
}

function ask(play: Play, world: World, index: HostIndex, detail: number): World {
  const what = play.setup.requests[detail];
  const left = spend(world, 'requests');
  if (what === undefined) return world;
  if (what === 'stop') return feed(play, left, index, { kind: 'stop-requested' });
  const request: OperatorRequest = { kind: what, groups: [] };
  return feed(play, left, index, { kind: 'operator-requested', id: 1, request });
}
