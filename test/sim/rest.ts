// Time in which nothing happens any more is not waited for: what is to be done next comes forward once the world has been
// at rest for as long as was drawn for it. At rest is what waits for nothing but what is done to it: every group runs
// somewhere, no operation is under way, and nobody is about to judge, to ask or to try again. What waits for something,
// so that nothing is seen of it for a while, has more time than anything takes that it may wait for.

import { peerInMaintenance } from '../../daemon/core/facts.ts';
import type { GroupPolicy, ResourcePolicy } from '../../daemon/core/policy.ts';
import type { GroupState, Obstacle, State } from '../../daemon/core/state.ts';
import { otherSide, type Side, sides } from '../../daemon/sim/action.ts';
import { type Chance, chanceOf } from '../../daemon/sim/engine.ts';
import { segmentOf } from '../../daemon/sim/network.ts';
import type { Trace } from '../../daemon/sim/trace.ts';
import type { World } from '../../daemon/sim/world.ts';
import { between } from './drawing.ts';
import type { Schedule } from './schedule.ts';
import type { Setup } from './setups.ts';

/** Longer than a boot, initdead, a lease with its watchdog, an operation's deadline, a failback's delay. */
const waitsMs = 6000;
/** How soon it is looked at again. */
const lookMs = 250;

/** This share of the steps has its time whatever happens before: time may come to mean something by itself. */
const patientShare = 0.1;
const restMsMin = 20;
const restMsMax = 400;

/** A node that has just been started listens for so much longer than a deadtime at the most. */
const listeningMsMax = 1500;

/** Most of what happens is heartbeats, and questions about who is not heard: no more of them than are needed. */
export function withFewerHeartbeats(setup: Setup): Setup {
  const { warntimeMs, deadtimeMs, initdeadMs } = setup;
  return {
    ...setup,
    keepaliveMs: Math.floor(warntimeMs / 2),
    initdeadMs: Math.min(initdeadMs, deadtimeMs + listeningMsMax),
  };
}

/** The same faults in less time. What is drawn for it is from a stream of its own. */
export function withRests(schedule: Schedule): Schedule {
  const chance = chanceOf(schedule.seed, 'rest');
  const steps = schedule.steps.map((step) => ({ ...step, ...drawRest(chance) }));
  const { restMs } = drawRest(chance);
  return { ...schedule, steps, ...(restMs !== undefined && { healRestMs: restMs }) };
}

function drawRest(chance: Chance): { readonly restMs?: number } {
  return chance() < patientShare ? {} : { restMs: between(chance, restMsMin, restMsMax) };
}

/** When something was last seen to happen in the world: more than that the cores go on. Milliseconds of its time. */
export interface Stir {
  readonly see: (trace: Trace) => void;
  readonly at: () => number;
}

export function createStir(): Stir {
  let at = 0;
  return {
    see(trace) {
      if (trace.kind !== 'stepped') at = trace.at;
    },
    at: () => at,
  };
}

export interface Resting {
  readonly world: World;
  readonly groups: readonly GroupPolicy[];
  readonly stir: Stir;
  /** Until when a host or a daemon stands still, or packets that were delayed may arrive. */
  readonly stillUntil: number;
  /** Is something wrong that is noticed only by and by: a gateway, a witness, drivers, a bad segment? */
  readonly isLatent: boolean;
}

/** Runs to that time, or until the world has been at rest for so long; undefined: to that time. The answer: how early. */
export function runToRest(resting: Resting, untilMs: number, restMs: number | undefined): number {
  const { world, stir, stillUntil } = resting;
  if (restMs === undefined) {
    world.run(Math.max(0, untilMs - world.now()));
    return 0;
  }
  while (world.now() < untilMs) {
    const now = world.now();
    const quietSince = Math.max(stir.at(), stillUntil);
    let lookAt = quietSince + restMs;
    if (now >= lookAt) {
      const motion = motionIn(resting);
      if (motion === 'rests') return untilMs - now;
      if (motion === 'waits' && now >= quietSince + waitsMs) return untilMs - now;
      lookAt = now + lookMs;
    }
    world.run(Math.min(lookAt, untilMs) - now);
  }
  return 0;
}

type Motion = 'rests' | 'waits' | 'moves';

function motionIn({ world, groups, isLatent }: Resting): Motion {
  let isSettledNow = !isLatent && sides.every((side) => knowsWhatIs(world, side, groups));
  for (const side of sides) {
    if (world.isArmed(side)) return 'moves';
    const state = world.state(side);
    if (state === null) {
      if (world.isComing(side)) isSettledNow = false;
      continue;
    }
    if (isBusy(world, side, state)) return 'moves';
    if (!isSettled(state)) isSettledNow = false;
  }
  return isSettledNow && groups.every((group) => isSettledGroup(world, group)) ? 'rests' : 'waits';
}

/** What the node takes for so is so: who is heard on which link, which copies are connected, what runs. */
function knowsWhatIs(world: World, side: Side, groups: readonly GroupPolicy[]): boolean {
  const peer = otherSide(side);
  const isJoined = world.reaches(side, 'dedicated') && world.reaches(peer, 'dedicated');
  const devices = groups.flatMap(({ resources }) => resources.filter(({ kind }) => kind === 'drbd'));
  const isConnectable = ({ id }: ResourcePolicy) => {
    const [own, other] = [world.storage(side, id)?.connection, world.storage(peer, id)?.connection];
    return isJoined ? own !== 'connecting' || other !== 'connecting' : own !== 'connected';
  };
  if (!devices.every(isConnectable)) return false;
  const state = world.state(side);
  if (state === null) return true;
  const { verdict, links } = state;
  const isHeard = (link: number) => world.daemonRuns(peer) && world.reaches(peer, segmentOf(link));
  if (links.some(({ fresh }, link) => fresh !== isHeard(link))) return false;
  if (verdict.kind === 'unresponsive' && !world.powered(peer)) return false;
  return state.groups.every(({ phase, resources }) =>
    resources.every(({ id }) => phase.kind === 'active' || world.running(side, id) === 'down'),
  );
}

function isBusy(world: World, side: Side, state: State): boolean {
  if (state.outside.fewerSince !== null) return true; // It moves if that lasts.
  if (state.fence.operation !== null || state.persistedRevision < state.ledgerRevision) return true;
  return state.groups.some(({ resources }) =>
    resources.some(({ id, operation }) => operation !== null || world.storage(side, id)?.resync != null),
  );
}

/** Nothing follows from having heard nothing for still longer. */
const settledVerdicts: ReadonlySet<State['verdict']['kind']> = new Set([
  'alive',
  'departed',
  'unresponsive',
  'dead',
  'fenced',
]);

function isSettled(state: State): boolean {
  const { verdict, leavingSince, maintenanceUntil, watchdog, groups } = state;
  const isIdle = groups.every(({ phase }) => phase.kind === 'blocked');
  if (!settledVerdicts.has(verdict.kind) && !(verdict.kind === 'isolated' && isIdle)) return false;
  if (leavingSince !== null || watchdog.lastError !== null) return false;
  if (maintenanceUntil !== null || peerInMaintenance(state)) return false;
  // Nobody is to be taken over from, or to give anything away.
  const mayAct = verdict.kind !== 'alive' && groups.some(({ phase }) => phase.kind === 'stopped');
  const gives = state.standby && groups.some(({ phase }) => phase.kind === 'active');
  return !mayAct && !gives && hasNewsOfLease(state) && groups.every(isUnasked);
}

/** Who runs something goes on asking for it: a witness that does not answer has not been noticed yet. */
function hasNewsOfLease({ policy: { witness }, lease, groups, now }: State): boolean {
  if (witness === null || groups.every(({ phase }) => phase.kind !== 'active')) return true;
  return (
    lease.validUntil !== null &&
    lease.readAt !== null &&
    now - lease.readAt < witness.ttlMs / 2 &&
    now < lease.nextAt
  );
}

function isUnasked({ grant, offer, pullSince, pushSince, discards }: GroupState): boolean {
  return grant === null && offer === null && pullSince === null && pushSince === null && !discards;
}

/** What a group waits for until somebody does something: no time, and no answer, ends it. */
const lastingObstacles: ReadonlySet<Obstacle> = new Set([
  'peer-unresponsive',
  'isolated',
  'left-to-peer',
  'unproven-data',
  'outdated-data',
]);

const isHeldBack = ({ phase }: GroupState) =>
  phase.kind === 'blocked' && lastingObstacles.has(phase.obstacle);

/** It runs on one node as it should, or can run on none. */
function isSettledGroup(world: World, { name, preferred, failback }: GroupPolicy): boolean {
  const groupOf = (side: Side) =>
    world.state(side)?.groups.find(({ policy }) => policy.name === name) ?? null;
  const owner = sides.find((side) => groupOf(side)?.phase.kind === 'active');
  if (owner === undefined) {
    const both = sides.map(groupOf).filter((group) => group !== null);
    return both.every(isHeldBack);
  }
  const [own, other] = [groupOf(owner), groupOf(otherSide(owner))];
  if (own === null || (other !== null && other.phase.kind !== 'stopped' && !isHeldBack(other))) return false;
  if (failback === 'automatic' && other !== null && owner !== preferred) return false;
  return own.resources.every(
    ({ id, status, retryAt, quarantined, leftOut, outdatings, storage }) =>
      retryAt === null &&
      outdatings.length === 0 &&
      storage?.connection !== 'standalone' &&
      (quarantined !== null || leftOut || (status?.kind === 'up' && world.running(owner, id) === 'up')),
  );
}
