// What can happen next in the small world: which moves are open, and what each one does. Everything of one moment may
// happen in any order; time goes on only when nothing is overdue.

import type { Outcome } from '../../../daemon/core/events.ts';
import { initialState } from '../../../daemon/core/state.ts';
import { code, detailOf, endings, hostOf, kindOf, type Move } from './codes.ts';
import { feed, type Play, withEffect, withHost, withInFlight } from './effects.ts';
import * as faults from './faults.ts';
import {
  addressId,
  carriesFrom,
  gatewayId,
  gridMs,
  groupName,
  type Host,
  type HostIndex,
  hostIndexes,
  lanJoins,
  otherHost,
  policyOf,
  reachesOutside,
  type Setup,
  unlimited,
  type World,
  watchdogMs,
} from './model.ts';

export function movesOf(world: World, setup: Setup): Move[] {
  const moves: Move[] = [];
  for (const index of hostIndexes) addHostMoves(moves, world, setup, index);
  if (isNothingOverdue(world, setup)) moves.push(code.advance);
  faults.addFaults(moves, world, setup);
  return moves;
}

function addHostMoves(moves: Move[], world: World, setup: Setup, index: HostIndex): void {
  const host = world.hosts[index];
  const at = index * 32;
  const messages = world.inFlight[index];
  if (messages.length > 0) {
    const isLossFree = host.state === null || !carriesFrom(world, otherHost(index));
    if (host.state !== null) {
      for (let place = 0; place < messages.length; place += 1) moves.push(code.deliver + at + place);
    }
    if (isLossFree || world.budget.losses > 0) moves.push(code.lose + at);
  }
  if (host.state === null) {
    if (mayBoot(world, setup, host)) moves.push(code.boot + at);
    return;
  }
  if (host.ranAt < world.now) moves.push(code.run + at);
  if (host.writes.length > 0) moves.push(code.persist + at);
  if (isUnseen(host)) moves.push(code.observe + at);
  for (const { resource, cancelled } of host.operations) {
    moves.push(code.finish + at + resource * 4);
    if (cancelled) moves.push(code.finish + at + resource * 4 + 2, code.finish + at + resource * 4 + 3);
    else if (world.budget.failures > 0 && world.budget.faults > 0) {
      for (let ending = 1; ending < endings.length; ending += 1)
        moves.push(code.finish + at + resource * 4 + ending);
    }
  }
}

/** In a cold beginning each daemon starts within some seconds of the other. */
const coldStepsMax = 6;

function mayBoot({ now, budget }: World, { beginning }: Setup, { incarnation }: Host): boolean {
  if (incarnation > 0) return budget.boots > 0;
  return beginning === 'steady' || now <= coldStepsMax * gridMs;
}

/** Whatever a driver sees otherwise than the core believes, it says; but not while an operation is under way. */
function isUnseen({ state, running, operations }: Host): boolean {
  const resources = state?.groups[0]?.resources ?? [];
  return resources.some(
    ({ status }, place) =>
      status?.kind !== running[place] && operations.every(({ resource }) => resource !== place),
  );
}

const quickActions = new Set(['freeze', 'destroy']);

export function isNothingOverdue(world: World, setup: Setup): boolean {
  const { now } = world;
  const before = now - gridMs;
  if (world.inFlight[0].length + world.inFlight[1].length > world.budget.delays) return false;
  for (const index of hostIndexes) {
    const host = world.hosts[index];
    if (world.inFlight[index].some(({ sentAt }) => sentAt <= before)) return false;
    if (host.state === null) {
      if (setup.beginning === 'cold' && host.incarnation === 0 && now >= coldStepsMax * gridMs) return false;
      continue;
    }
    if (
      host.ranAt < now ||
      host.writes.some(({ since }) => now - since >= setup.slowSteps * gridMs) ||
      isUnseen(host)
    )
      return false;
    for (const { action, since } of host.operations) {
      const steps = quickActions.has(action) ? setup.quickSteps : setup.slowSteps;
      if (now - since >= steps * gridMs) return false;
    }
    if (faults.isErrandOverdue(world, setup, host)) return false;
  }
  return true;
}

export function apply(play: Play, world: World, move: Move): World {
  const index = hostOf(move);
  const detail = detailOf(move);
  const kind = kindOf(move);
  switch (kind) {
    case 'advance':
      return advance(world);
    case 'run':
      return run(play, world, index);
    case 'skip':
      return withHost({ ...world, budget: { ...world.budget, lateness: world.budget.lateness - 1 } }, index, {
        ranAt: world.now,
      });
    case 'deliver':
      return deliver(play, world, index, detail);
    case 'lose':
      return lose(world, index);
    case 'finish':
      return finish(play, world, index, detail >> 2, detail & 3);
    case 'persist':
      return persist(play, world, index);
    case 'observe':
      return observe(play, world, index);
    case 'boot':
      return boot(play, world, index);
    default:
      return faults.applyFault(play, world, kind, index, detail);
  }
}

/** A watchdog that is not fed resets its host at its time, to the moment. */
function advance(world: World): World {
  const { budget, inFlight } = world;
  const late = inFlight[0].length + inFlight[1].length;
  const isFree = late === 0 || budget.delays >= unlimited;
  const left = isFree ? budget : { ...budget, delays: budget.delays - late };
  let next: World = { ...world, now: world.now + gridMs, budget: left };
  for (const index of hostIndexes) {
    const { fedAt } = next.hosts[index];
    if (fedAt !== null && next.now - fedAt >= watchdogMs) next = faults.powerOff(next, index);
  }
  return next;
}

/** The daemon's timer goes off, after the answers to its probes have come in. */
function run(play: Play, world: World, index: HostIndex): World {
  let next = world;
  const paces = world.hosts[index].state?.paces ?? [];
  for (const { target } of paces) {
    const result = answers(world, index, target) ? 'answered' : 'unanswered';
    next = feed(play, next, index, { kind: 'probe-reported', target, result });
  }
  return withHost(feed(play, next, index, { kind: 'time-passed' }), index, { ranAt: world.now });
}

function answers(world: World, index: HostIndex, target: string): boolean {
  if (target === gatewayId) return world.gatewayUp && reachesOutside(world, index);
  const peer = world.hosts[otherHost(index)];
  if (!lanJoins(world) || !peer.powered) return false;
  return target !== addressId || peer.running[0] === 'up';
}

function deliver(play: Play, world: World, index: HostIndex, place: number): World {
  const messages = world.inFlight[index];
  const message = messages[place];
  if (message === undefined) throw new Error('no such packet');
  const { incarnation, sequence, echo, content } = message;
  const taken = withInFlight(
    world,
    index,
    messages.filter((_, at) => at !== place),
  );
  const packet = { kind: 'heartbeat-received', link: 0, incarnation, sequence, echo, content } as const;
  const before = world.hosts[index];
  const isReader = echo !== null && echo.incarnation === before.state?.incarnation;
  const fed = feed(play, taken, index, packet);
  const readBy = isReader ? incarnation : before.readBy;
  if (readBy !== incarnation && isHeardAnew(before, fed.hosts[index]))
    throw new Error('S6: a packet that proves nothing was believed');
  const isNewRun = before.heard !== null && before.heard.incarnation < incarnation;
  const heardBefore = isNewRun ? before.heard : before.heardBefore;
  const isOlder = before.heard !== null && before.heard.incarnation > incarnation;
  return withHost(fed, index, { heard: isOlder ? before.heard : message, heardBefore, readBy });
}

function isHeardAnew(before: Host, after: Host): boolean {
  return after.state?.peer.lastHeardAt !== before.state?.peer.lastHeardAt;
}

/** The oldest one. Where a cut or a dead daemon is the reason, that is no loss of its own. */
function lose(world: World, index: HostIndex): World {
  const isFree = world.hosts[index].state === null || !carriesFrom(world, otherHost(index));
  const { budget } = world;
  const left =
    isFree || budget.losses >= unlimited
      ? world
      : { ...world, budget: { ...budget, losses: budget.losses - 1 } };
  return withInFlight(left, index, world.inFlight[index].slice(1));
}

function finish(play: Play, world: World, index: HostIndex, resource: number, ending: number): World {
  const host = world.hosts[index];
  const operation = host.operations.find((one) => one.resource === resource);
  if (operation === undefined) throw new Error('no such operation');
  const how = endings[ending];
  const takesEffect = how === 'done' || how === 'lost-done';
  const outcomes: Readonly<Record<(typeof endings)[number], Outcome>> = {
    done: { kind: 'done' },
    failed: { kind: 'failed', code: 'broken', message: 'it is broken' },
    'lost-done': { kind: 'unknown', message: 'no answer' },
    'lost-not-done': { kind: 'unknown', message: 'no answer' },
  };
  const { budget } = world;
  const isFault = how !== 'done' && !operation.cancelled;
  const left = isFault
    ? { ...world, budget: { ...budget, failures: budget.failures - 1, faults: budget.faults - 1 } }
    : world;
  const ended = withHost(left, index, {
    operations: host.operations.filter((one) => one !== operation),
    running: takesEffect ? withEffect(host, operation) : host.running,
  });
  const outcome = outcomes[how ?? 'done'];
  return feed(play, ended, index, { kind: 'operation-finished', operation: operation.id, outcome });
}

function persist(play: Play, world: World, index: HostIndex): World {
  const [write, ...rest] = world.hosts[index].writes;
  if (write === undefined) throw new Error('nothing is being written');
  const written = withHost(world, index, { disk: write.ledger, writes: rest });
  return feed(play, written, index, { kind: 'ledger-persisted', revision: write.revision });
}

function observe(play: Play, world: World, index: HostIndex): World {
  let next = world;
  world.hosts[index].running.forEach((kind, place) => {
    const { state, operations } = next.hosts[index];
    const resource = state?.groups[0]?.resources[place];
    if (resource === undefined || resource.status?.kind === kind) return;
    if (operations.some((one) => one.resource === place)) return;
    const observed = { group: groupName, resource: resource.id, status: { kind } };
    next = feed(play, next, index, { kind: 'resource-observed', ...observed });
  });
  return next;
}

function boot(play: Play, world: World, index: HostIndex): World {
  const host = world.hosts[index];
  const incarnation = host.incarnation + 1;
  const policy = policyOf(play.setup, index);
  const watchdogRuns = host.fedAt !== null;
  const state = initialState({ at: world.now, policy, incarnation, ledger: host.disk, watchdogRuns });
  const { budget } = world;
  const left = host.incarnation === 0 ? world : { ...world, budget: { ...budget, boots: budget.boots - 1 } };
  const ready = withHost(left, index, { state, incarnation, powered: true, ranAt: world.now });
  return feed(play, ready, index, { kind: 'time-passed' });
}
