// When has a story come to its end: nothing is under way, no verdict is being formed, no group is about to move, and
// nothing has changed for longer than anything that is still to come would take.

import { updateOffer } from '../core/claims.ts';
import { steadyDeadtimes } from '../core/connectivity.ts';
import { factsOf } from '../core/facts.ts';
import type { State } from '../core/state.ts';
import { sides } from '../sim/action.ts';
import type { World } from '../sim/world.ts';
import type { Recording } from './recording.ts';
import type { Situation } from './situation.ts';

/** From power to a running daemon, milliseconds: a server with its firmware takes longer, one without less. */
export const bootMs = 20_000;

const lookMs = 250;
const bootMarginMs = 2000;

export interface Played {
  readonly world: World;
  readonly recording: Recording;
}

/** Nothing slower than this happens by itself, once nothing is under way. */
function quietMs({ policies: { primary: policy } }: Situation): number {
  const { deadtimeMs, soleAfterMs } = policy.timings;
  const { fencing, witness, watchdog } = policy;
  const fenceMs = fencing === null ? 0 : fencing.delayMs + fencing.deadlineMs;
  const leaseMs = witness === null ? 0 : 2 * witness.ttlMs + 2 * (watchdog?.timeoutMs ?? 0);
  return Math.max(6000, 3 * deadtimeMs) + fenceMs + leaseMs + Math.min(soleAfterMs, 5000);
}

function limitMs({ policies: { primary: policy } }: Situation): number {
  const { groups, timings } = policy;
  const longest = Math.max(0, ...groups.flatMap(({ resources }) => resources.map(({ startMs }) => startMs)));
  const failbackMs = Math.max(0, ...groups.map((group) => failbackMsOf(group)));
  const steadyMs = steadyDeadtimes * timings.deadtimeMs;
  return 120_000 + 4 * longest + timings.initdeadMs + failbackMs + steadyMs + bootMs;
}

const failbackMsOf = ({ failback, failbackDelayMs }: { failback: string; failbackDelayMs: number }) =>
  failback === 'automatic' ? failbackDelayMs : 0;

/** Whether a group is about to move is seen once what the nodes know of each other has come around. */
const aboutMs = 1000;

/**
 * False: it did not come to rest within the time that anything reasonable takes. `awaited`: a group that is about to move
 * is waited for; otherwise that is where it ends, before it has moved.
 */
export function runToRest({ world, recording }: Played, situation: Situation, awaited = true): boolean {
  const quiet = quietMs(situation);
  const until = world.now() + limitMs(situation);
  let seen = '';
  let since = world.now();
  while (world.now() < until) {
    world.run(lookMs);
    const signature = signatureOf(world);
    const isBooting = world.now() - recording.switchedOnAt() < bootMs + bootMarginMs;
    const isAbout = isAnywhere(world, isToMove);
    if (signature !== seen || isBooting || isAnywhere(world, isMoving) || (isAbout && awaited)) {
      seen = signature;
      since = world.now();
    } else if (world.now() - since >= (isAbout ? aboutMs : quiet)) {
      return true;
    }
  }
  return false;
}

function signatureOf(world: World): string {
  return JSON.stringify(
    sides.map((side) => {
      const state = world.state(side);
      const groups = state?.groups.map(({ phase, resources }) => [
        phase,
        resources.map(({ id, quarantined }) => [world.running(side, id), quarantined]),
      ]);
      return [world.powered(side), state?.verdict.kind, groups];
    }),
  );
}

const passing = new Set(['observing', 'claiming', 'starting', 'stopping']);

function isAnywhere(world: World, isSo: (state: State) => boolean): boolean {
  return sides.some((side) => {
    const state = world.state(side);
    return state !== null && isSo(state);
  });
}

function isMoving({ verdict, groups, fence }: State): boolean {
  if (verdict.kind === 'late' || verdict.kind === 'listening' || fence.operation !== null) return true;
  return groups.some(
    (group) => passing.has(group.phase.kind) || group.resources.some(({ operation }) => operation !== null),
  );
}

/**
 * Would a group be offered to the peer if all had been as it is now for long enough: a failback, a gateway that only
 * the peer reaches? By the core's own rule, with its waits over.
 */
function isToMove(state: State): boolean {
  const { outside, peer, now } = state;
  const isPeerWorse = outside.peerFewerAt === now;
  const waited: State = {
    ...state,
    outside: {
      fewerSince: outside.fewerSince === null ? null : -Infinity,
      peerFewerAt: isPeerWorse ? now : null,
    },
    peer: { ...peer, aliveSince: peer.aliveSince === null ? null : -Infinity },
  };
  return state.groups.some((group) => {
    if (group.offer !== null || group.takenBack !== null) return false;
    return updateOffer(waited, { ...group, since: -Infinity }, factsOf(state, group)).offer !== null;
  });
}
