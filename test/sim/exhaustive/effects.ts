// Feeds a daemon of the small world an event, and carries out what its core asks for.

import type { Effect, Event, Ledger } from '../../../daemon/core/events.ts';
import type { State } from '../../../daemon/core/state.ts';
import { step } from '../../../daemon/core/step.ts';
import { differOnlyInRefusals } from '../conduct.ts';
import type { Host, HostIndex, Message, Operation, Running, Setup, World } from './model.ts';
import { carriesFrom, groupName, hostIndexes, noDaemon, otherHost, reachesOutside } from './model.ts';

export interface Stepped {
  readonly at: number;
  readonly host: HostIndex;
  readonly event: Event;
  readonly before: State;
  readonly after: State;
  readonly effects: readonly Effect[];
}

export type Listen = (stepped: Stepped) => void;

export interface Play {
  readonly setup: Setup;
  readonly listen: Listen | null;
}

type Bare = Event extends infer E ? (E extends Event ? Omit<E, 'at'> : never) : never;

export function withHost(world: World, index: HostIndex, change: Partial<Host>): World {
  const host: Host = { ...world.hosts[index], ...change };
  return { ...world, hosts: index === 0 ? [host, world.hosts[1]] : [world.hosts[0], host] };
}

export function withInFlight(world: World, to: HostIndex, messages: readonly Message[]): World {
  return { ...world, inFlight: to === 0 ? [messages, world.inFlight[1]] : [world.inFlight[0], messages] };
}

export function feed(play: Play, world: World, index: HostIndex, bare: Bare): World {
  const { state } = world.hosts[index];
  if (state === null) return world;
  const event = { ...bare, at: world.now } as Event;
  const { state: after, effects } = step(state, event);
  play.listen?.({ at: world.now, host: index, event, before: state, after, effects });
  if (after.stalls.lastAt !== null) throw new Error('the model let a daemon stall');
  let next = withHost(world, index, { state: after });
  for (const effect of effects) next = perform(play, next, index, effect);
  return next;
}

function perform(play: Play, world: World, index: HostIndex, effect: Effect): World {
  const host = world.hosts[index];
  const since = world.now;
  switch (effect.kind) {
    case 'send-heartbeat':
      return send(play, world, index, effect);
    case 'start-operation':
      return begin(world, index, effect);
    case 'cancel-operation':
      return withHost(world, index, {
        operations: host.operations.map((one) =>
          one.id === effect.operation ? { ...one, cancelled: true } : one,
        ),
      });
    case 'persist-ledger': {
      const write = { revision: effect.revision, ledger: effect.ledger, since };
      return withHost(world, index, { writes: [...host.writes, write] });
    }
    case 'fence-peer':
      return withHost(world, index, { fence: { operation: effect.operation, since, answer: null } });
    case 'arm-watchdog':
      return withHost(world, index, { arming: { operation: effect.operation, since, answer: null } });
    case 'pet-watchdog':
      return withHost(world, index, { fedAt: host.fedAt === null ? null : since });
    case 'disarm-watchdog':
      return withHost(world, index, { fedAt: null });
    case 'request-lease':
      return withHost(world, index, { lease: { operation: effect.operation, since, answer: null } });
    case 'release-lease':
      if (world.witness.holder !== index || !reachesOutside(world, index)) return world;
      return { ...world, witness: { ...world.witness, holder: null } };
    case 'exit':
      return withHost(world, index, noDaemon);
    default:
      return world;
  }
}

type EffectOf<K extends Effect['kind']> = Extract<Effect, { readonly kind: K }>;

/** Of two packets on the way the older one may be overtaken by a third: then it is lost. */
function send(play: Play, world: World, from: HostIndex, effect: EffectOf<'send-heartbeat'>): World {
  const to = otherHost(from);
  if (!carriesFrom(world, from) || world.hosts[to].state === null) return world;
  const { sequence, echo, content } = effect;
  const { incarnation } = world.hosts[from];
  const message: Message = { incarnation, sequence, echo, content, sentAt: world.now };
  const kept = [...world.inFlight[to], message].slice(-play.setup.inFlightMax);
  return withInFlight(world, to, kept);
}

/** S5: what brings something up finds its generation on disk, with this owner. */
function begin(world: World, index: HostIndex, effect: EffectOf<'start-operation'>): World {
  const host = world.hosts[index];
  const { operation: id, action, resource } = effect;
  const group = host.state?.groups[0];
  if (group === undefined) throw new Error('there is no group');
  if (action === 'start' || action === 'resume') {
    const generation = 'generation' in group.phase ? group.phase.generation : 0;
    const onDisk = recordOn(host.disk);
    if (generation === 0 || onDisk?.generation !== generation || onDisk.owner !== host.state?.policy.self) {
      const found = `generation ${onDisk?.generation ?? 0} of ${onDisk?.owner ?? 'nobody'}`;
      throw new Error(`S5: ${action} ${resource} in generation ${generation}; on disk is ${found}`);
    }
  }
  const place = group.resources.findIndex((one) => one.id === resource);
  if (host.operations.some((one) => one.resource === place)) {
    throw new Error(`S5: ${action} ${resource} while another operation on it is under way`);
  }
  const begun = { id, resource: place, action, since: world.now, cancelled: false };
  return withHost(world, index, { operations: [...host.operations, begun] });
}

const recordOn = (disk: Ledger) => disk.groups.find(({ name }) => name === groupName);

function runningAfter(before: Running, { action }: Operation, isAddress: boolean): Running {
  switch (action) {
    case 'start':
    case 'resume':
      return 'up';
    case 'freeze':
      return before === 'up' && !isAddress ? 'paused' : before;
    default:
      return 'down';
  }
}

export function withEffect(host: Host, operation: Operation): readonly Running[] {
  const isAddress = operation.resource < host.running.length - 1;
  return host.running.map((was, place) =>
    place === operation.resource ? runningAfter(was, operation, isAddress) : was,
  );
}

/** S1. */
export function guestRunsTwice({ hosts }: World): boolean {
  return hostIndexes.every((index) => hosts[index].running.at(-1) === 'up');
}

/** S6: what this daemon was given, given to it once more, is refused. */
export function replayChanges({ now, hosts }: World, index: HostIndex): boolean {
  const { state, heard, heardBefore } = hosts[index];
  if (state === null) return false;
  return isTakenIn(state, heard, now) || isTakenIn(state, heardBefore, now);
}

function isTakenIn(state: State, message: Message | null, at: number): boolean {
  if (message === null) return false;
  const { incarnation, sequence, echo, content } = message;
  const packet = { kind: 'heartbeat-received', at, link: 0, incarnation, sequence, echo, content } as const;
  const { state: after, effects } = step(state, packet);
  return effects.length > 0 || !differOnlyInRefusals(state, after);
}
