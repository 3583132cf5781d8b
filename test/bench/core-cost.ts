// What the core's own steps cost with a configuration: a second in which nothing happens, and a takeover from the power
// loss to everything running. The events are those of the modelled world; only the steps are timed, outside of it.

import { parseConfig } from '../../daemon/config/load.ts';
import type { Event } from '../../daemon/core/events.ts';
import type { State } from '../../daemon/core/state.ts';
import { step } from '../../daemon/core/step.ts';
import { buildPolicy } from '../../daemon/runtime/policy.ts';
import { type Side, sides } from '../../daemon/sim/action.ts';
import type { Trace } from '../../daemon/sim/trace.ts';
import { createWorld } from '../../daemon/sim/world.ts';

export interface CoreWork {
  /** Of the active node, in `steadySeconds`. */
  readonly steady: readonly Step[];
  /** Of the survivor. */
  readonly takeover: readonly Step[];
}

export interface Step {
  readonly before: State;
  readonly event: Event;
}

export const steadySeconds = 60;
const patienceMs = 600_000;
/** Of the model: a takeover is over, and nothing moves any more. */
const calmMs = 10_000;
/** The runtime compiles what runs often. */
const rounds = 4;
const roundMs = 100;

/** @throws Error when the configuration is refused, or does not come up. */
export function recordWork(configText: string): CoreWork {
  const parsed = parseConfig(configText, 'battito.yaml');
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const { config } = parsed;
  let steps: Step[] = [];
  let recorded: Side | null = null;
  const trace = (each: Trace) => {
    if (each.kind === 'stepped' && each.side === recorded) steps.push(each);
  };
  const record = (side: Side, act: () => void): readonly Step[] => {
    steps = [];
    recorded = side;
    act();
    recorded = null;
    return steps;
  };
  const world = createWorld({ seed: 1, policy: (side) => buildPolicy(config, side, '0'), trace });
  const allRun = (side: Side) => () =>
    world.state(side)?.groups.every(({ phase }) => phase.kind === 'active') === true;
  const untilAllRun = (side: Side) => {
    if (!world.runUntil(allRun(side), patienceMs)) throw new Error(`not everything runs on ${side}`);
  };
  for (const host of sides) world.apply({ kind: 'start-daemon', host });
  untilAllRun('primary');
  world.run(calmMs);
  const steady = record('primary', () => world.run(steadySeconds * 1000));
  const takeover = record('secondary', () => {
    world.apply({ kind: 'power-loss', host: 'primary' });
    untilAllRun('secondary');
  });
  return { steady, takeover };
}

/** Milliseconds of this thread for each list of steps, the least of some rounds; the lists take turns. */
export function timeSteps(lists: readonly (readonly Step[])[]): readonly number[] {
  const least = lists.map(() => Infinity);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, steps] of lists.entries()) least[index] = Math.min(least[index] ?? 0, timed(steps));
  }
  return least;
}

/** Once or more often, until it is long enough for the kernel's clock of a thread. */
function timed(steps: readonly Step[]): number {
  const before = process.threadCpuUsage();
  for (let times = 1; ; times += 1) {
    for (const { before: state, event } of steps) step(state, event);
    const { user, system } = process.threadCpuUsage(before);
    const usedMs = (user + system) / 1000;
    if (usedMs >= roundMs) return usedMs / times;
  }
}
