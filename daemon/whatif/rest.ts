// When has a story come to its end: nothing is under way, no verdict is being formed, and nothing has changed for
// longer than anything that is still to come would take.

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
  return 120_000 + 4 * longest + timings.initdeadMs + failbackMs + bootMs;
}

const failbackMsOf = ({ failback, failbackDelayMs }: { failback: string; failbackDelayMs: number }) =>
  failback === 'automatic' ? failbackDelayMs : 0;

/** False: it did not come to rest within the time that anything reasonable takes. */
export function runToRest({ world, recording }: Played, situation: Situation): boolean {
  const quiet = quietMs(situation);
  const until = world.now() + limitMs(situation);
  let seen = '';
  let since = world.now();
  while (world.now() < until) {
    world.run(lookMs);
    const signature = signatureOf(world);
    const isBooting = world.now() - recording.switchedOnAt() < bootMs + bootMarginMs;
    if (signature !== seen || isBooting || isUnderWay(world)) {
      seen = signature;
      since = world.now();
    } else if (world.now() - since >= quiet) {
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

function isUnderWay(world: World): boolean {
  return sides.some((side) => {
    const state = world.state(side);
    return state !== null && isMoving(state);
  });
}

function isMoving(state: State): boolean {
  const { verdict, groups, fence } = state;
  if (verdict.kind === 'late' || verdict.kind === 'listening' || fence.operation !== null) return true;
  return groups.some(
    (group) =>
      passing.has(group.phase.kind) ||
      isToGoBack(state, group) ||
      group.resources.some(({ operation }) => operation !== null),
  );
}

/** An automatic failback is due when the preferred node has been back for long enough. */
function isToGoBack(
  { verdict, peer, policy }: State,
  { policy: group, phase }: State['groups'][number],
): boolean {
  if (group.failback !== 'automatic' || phase.kind !== 'active' || verdict.kind !== 'alive') return false;
  const willing = peer.content?.groups.find(({ name }) => name === group.name)?.willing === true;
  return group.preferred === policy.peer && willing;
}
