// Makes a modelled world of a situation, and brings it to where the story begins. What then is not as it should be is
// told, never passed over.

import type { StorageStatus } from '../core/events.ts';
import type { Policy } from '../core/policy.ts';
import { initialState, ledgerGroup, peerReport, type State } from '../core/state.ts';
import { type Side, sides } from '../sim/action.ts';
import { createWorld, type World } from '../sim/world.ts';
import { type Durations, withRoom } from './durations.ts';
import { modelPolicy } from './modelled.ts';
import { createRecording, type Recording } from './recording.ts';
import { bootMs, runToRest } from './rest.ts';
import type { Expected, HostStart, Situation } from './situation.ts';

export interface Stage {
  readonly world: World;
  readonly recording: Recording;
  /** What is not as the situation has it, in sentences. */
  readonly differences: readonly string[];
}

const startsAt = 100_000;
const meetingMsMax = 60_000;
const betweenMs = 300;

export function setStage(situation: Situation, durations: Durations, seed: number): Stage {
  const { policies, hosts } = situation;
  const modelledPolicy = (side: Side) => withRoom(modelPolicy(policies[side]).policy, durations);
  const recording = createRecording(situation.names);
  const world = createWorld({
    seed,
    policy: (side) => modelledPolicy(side),
    start: {
      ...(hosts.primary.daemon && { primary: startState(modelledPolicy('primary'), hosts.primary) }),
      ...(hosts.secondary.daemon && { secondary: startState(modelledPolicy('secondary'), hosts.secondary) }),
    },
    trace: recording.listen,
    durations: durations.of,
    bootMs,
    probeSegment: modelPolicy(policies.primary).probeSegment,
  });
  for (const action of situation.first) world.apply(action);
  world.runUntil(() => haveMet(world, situation), meetingMsMax);
  for (const action of situation.later) {
    world.apply(action);
    world.run(betweenMs);
  }
  world.run(situation.waitMs);
  for (const action of situation.last) world.apply(action);
  runToRest({ world, recording }, situation, false);
  return { world, recording, differences: differencesOf(world, situation) };
}

const promoted: StorageStatus = {
  role: 'primary',
  disk: 'up-to-date',
  connection: 'connected',
  peerRole: 'secondary',
  peerDisk: 'up-to-date',
  suspended: 'no',
  resync: null,
};

/** A daemon that has just been started on a host where this runs. */
function startState(policy: Policy, { ledger, running }: HostStart): State {
  const fresh = initialState({ at: startsAt, policy, incarnation: 1, ledger });
  return {
    ...fresh,
    groups: fresh.groups.map((group) => ({
      ...group,
      resources: group.resources.map((resource) => {
        if (!running.includes(resource.id)) return resource;
        const isDevice = group.policy.resources.some(({ id, kind }) => id === resource.id && kind === 'drbd');
        return { ...resource, status: { kind: 'up' }, storage: isDevice ? promoted : null };
      }),
    })),
  };
}

/** Both daemons hear each other, and whoever holds a group has it up; where one daemon is missing, no meeting. */
function haveMet(world: World, { holders }: Situation): boolean {
  const states = sides.map((side) => world.state(side));
  if (states.includes(null)) return true;
  return (
    states.every((state) => state?.verdict.kind === 'alive') &&
    holders.every(({ name, on }) => {
      const phases = sides.map((side) => phaseOf(world.state(side), name)?.kind);
      if (phases.includes('observing')) return false;
      return on === null || phases[sides.indexOf(on)] === 'active';
    })
  );
}

const phaseOf = (state: State | null, name: string) =>
  state?.groups.find(({ policy }) => policy.name === name)?.phase;

/** Both mean that the peer is off; which of them depends on who vouches for it. */
const same: Readonly<Record<string, string>> = { fenced: 'dead' };

function differencesOf(world: World, situation: Situation): readonly string[] {
  return situation.expected.flatMap((expected) => differencesOfNode(world, situation, expected));
}

function differencesOfNode(world: World, { names }: Situation, expected: Expected): readonly string[] {
  const node = names[expected.side];
  const state = world.state(expected.side);
  if (state === null) return [`the daemon of ${node} does not run`];
  const list: string[] = [];
  const compare = (what: string, is: unknown, wanted: unknown) => {
    if (is !== wanted) list.push(`${what} is ${String(is)}, not ${String(wanted)}`);
  };
  const kind = (verdict: string) => same[verdict] ?? verdict;
  compare(`what ${node} concludes of its peer`, kind(state.verdict.kind), kind(expected.verdict));
  for (const { name, phase, obstacle, sole, peerWilling } of expected.groups) {
    const is = phaseOf(state, name);
    compare(`${name} on ${node}`, is?.kind, phase);
    if (is?.kind === 'blocked' && phase === 'blocked') {
      compare(`what blocks ${name} on ${node}`, is.obstacle, obstacle);
    }
    compare(`the record that ${node} alone had ${name}`, ledgerGroup(state.ledger, name).sole, sole);
    if (peerWilling !== null) {
      const willing = peerReport(state, name)?.willing;
      compare(`the readiness of ${state.policy.peer} for ${name}`, willing, peerWilling);
    }
  }
  return list;
}
