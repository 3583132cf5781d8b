// Rule L2: what was lost, or left, runs on the other host within the bound. Where it is judged, and where it cannot be.

import { type Action, otherSide, type Side, sides } from '../../daemon/sim/action.ts';
import type { World } from '../../daemon/sim/world.ts';
import { describe, ownerOf } from './calm.ts';
import type { Run } from './run.ts';
import type { Step } from './schedule.ts';
import { departureBoundMs, gatewaysOf, groupsOf, type Setup, takeoverBoundMs } from './setups.ts';

/** L2 is about a world that was calm, and a loss of power, or an orderly departure, that is alone. */
export function mustTakeOver(run: Run, { action, whenCalm }: Step): boolean {
  if (whenCalm !== true || !losesOwner(run, action)) return false;
  const { world, schedule } = run;
  const isAlone = world.now() >= run.stillUntil && !run.isDisturbed && !run.isArmed;
  const hasHeard = schedule.setup.loss === 0 || sides.every((side) => hasHadTime(world, side));
  const isWhole = run.broken.size === 0;
  const isUnheard = action.kind === 'power-loss' && isCutOff(run, otherSide(action.host));
  const canTell = isAlone && hasHeard && !isUnheard;
  if (canTell && isWhole && !hasWorseCopy(world, schedule.setup)) return true;
  run.takeoverChecks.skipped += 1;
  return false;
}

const isFrozen = (world: World, side: Side) =>
  world.state(side)?.groups.some(({ phase }) => phase.kind === 'frozen') === true;

function losesOwner({ world, schedule }: Run, action: Action): boolean {
  if (action.kind === 'stop-daemon') return true;
  if (action.kind !== 'power-loss') return false;
  return groupsOf(schedule.setup).some((group) => ownerOf(world, group) === action.host);
}

/** Who reaches no gateway does not take over from a node that it does not hear. */
function isCutOff({ schedule, latent }: Run, side: Side): boolean {
  const gateways = gatewaysOf(schedule.setup);
  return gateways.length > 0 && gateways.every((gateway) => latent.has(`${side} ${gateway}`));
}

/** Where packets are lost, a daemon is given a deadtime to hear all that it needs to know of its peer. */
function hasHadTime(world: World, side: Side): boolean {
  const state = world.state(side);
  return state === null || state.now - state.startedAt >= state.policy.timings.deadtimeMs;
}

/** A copy that was not up-to-date when the owner was lost may have to wait for it. */
function hasWorseCopy(world: World, setup: Setup): boolean {
  return groupsOf(setup).some(({ resources }) =>
    resources.some(({ id, kind }) =>
      sides.some((side) => kind === 'drbd' && world.storage(side, id)?.disk !== 'up-to-date'),
    ),
  );
}

export function expectTakeover(run: Run, action: Action, following: Step | undefined): void {
  const { world, schedule, takeoverChecks } = run;
  const { setup } = schedule;
  if (action.kind !== 'power-loss' && action.kind !== 'stop-daemon') return;
  const groups = groupsOf(setup);
  const survivor = otherSide(action.host);
  const leaves = action.kind === 'stop-daemon';
  const nextMs = Math.min(following?.atMs ?? Infinity, schedule.healAtMs) + run.lateMs;
  const boundMs = leaves ? departureBoundMs(setup) : takeoverBoundMs(setup);
  const from = world.now();
  world.apply(action);
  // A daemon that left may be back, as its host's boot ends, before all runs on the other host.
  const hasLeft = () => world.state(survivor)?.verdict.kind === 'departed' || world.daemonRuns(action.host);
  const isDone = () => groups.every((group) => ownerOf(world, group) === survivor) && (!leaves || hasLeft());
  const limitMs = Math.min(boundMs, nextMs - from);
  const isTakenOver = world.runUntil(isDone, Math.max(0, limitMs));
  if (!isTakenOver && limitMs < boundMs) {
    takeoverChecks.skipped += 1;
    return;
  }
  if (!isTakenOver && setup.loss > 0 && isFrozen(world, survivor)) {
    takeoverChecks.skipped += 1; // All its questions to the outside were lost: it may be the one that is cut off.
    return;
  }
  takeoverChecks.done += 1;
  if (!isTakenOver)
    run.report('L2', survivor, `not taken over within ${Math.round(boundMs)} ms: ${describe(world, groups)}`);
  else if (!leaves) run.takeoversMs.push(world.now() - from);
}
