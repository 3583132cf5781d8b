// Where a search begins: two hosts that have never run anything, or a primary that has run the group for long while
// the secondary looked on. The latter is reached by playing the world without a fault, everything at once.

import { kindOf, type Move, moveOf } from './codes.ts';
import { type Play, withHost } from './effects.ts';
import { type Host, hostIndexes, noBudget, noLedger, policyOf, type Setup, type World } from './model.ts';
import { apply, movesOf } from './moves.ts';

const steadyMs = 40_000;

export function beginning(setup: Setup): World {
  const cold = coldWorld(setup);
  if (setup.beginning === 'cold') return cold;
  const play: Play = { setup, listen: null };
  let world: World = { ...cold, budget: noBudget };
  for (const index of hostIndexes) world = apply(play, world, moveOf('boot', index));
  while (world.now < steadyMs) world = apply(play, world, soonest(world, setup));
  if (world.hosts[0].running.at(-1) !== 'up') throw new Error('the primary does not run the group');
  return withoutPast({ ...world, budget: setup.budget });
}

function coldWorld(setup: Setup): World {
  const host: Host = {
    state: null,
    powered: true,
    incarnation: 0,
    ranAt: 0,
    running: (policyOf(setup, 0).groups[0]?.resources ?? []).map(() => 'down'),
    operations: [],
    writes: [],
    disk: noLedger,
    fence: null,
    lease: null,
    arming: null,
    fedAt: null,
    heard: null,
    heardBefore: null,
    readBy: 0,
  };
  return {
    now: 0,
    hosts: [host, host],
    inFlight: [[], []],
    cut: { kind: 'none', host: 0 },
    gatewayUp: true,
    witness: { holder: null, term: 0, expiresAt: 0 },
    budget: setup.budget,
  };
}

const order = ['deliver', 'observe', 'persist', 'finish', 'arm', 'witness', 'lease', 'run', 'advance'];

function soonest(world: World, setup: Setup): Move {
  const moves = movesOf(world, setup);
  for (const kind of order) {
    const move = moves.find((one) => kindOf(one) === kind);
    if (move !== undefined) return move;
  }
  throw new Error('nothing can happen');
}

/** Starts of long ago count for nothing. */
function withoutPast(world: World): World {
  let next = world;
  for (const index of hostIndexes) {
    const { state } = next.hosts[index];
    if (state === null) continue;
    const groups = state.groups.map((group) => ({
      ...group,
      resources: group.resources.map((resource) => ({ ...resource, starts: [] })),
    }));
    next = withHost(next, index, { state: { ...state, groups } });
  }
  return next;
}
