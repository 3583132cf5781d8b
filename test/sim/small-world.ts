// The smallest world that two real cores can play in: one guest, one heartbeat link, a gateway, and time in ticks of
// 100 ms. Worlds are values; what happens in them is in small-moves.ts.

import type { Effect, Event, Ledger, ResourceAction } from '../../daemon/core/events.ts';
import type { Echo, HeartbeatContent } from '../../daemon/core/heartbeat.ts';
import { deriveTimings, type Policy } from '../../daemon/core/policy.ts';
import { initialState, type State } from '../../daemon/core/state.ts';
import { step } from '../../daemon/core/step.ts';
import type { Running } from '../../daemon/sim/trace.ts';

export const tickMs = 100;

export type Index = 0 | 1;
export const both: readonly Index[] = [0, 1];
const names = ['primary', 'secondary'] as const;
export const nameOf = (index: Index) => names[index];
export const otherOf = (index: Index): Index => (index === 0 ? 1 : 0);

interface Pending {
  /** Ticks it has lasted. */
  readonly age: number;
}
export interface Flight extends Pending {
  readonly to: Index;
  readonly incarnation: number;
  readonly sequence: number;
  readonly echo: Echo | null;
  readonly content: HeartbeatContent;
}
export interface Operation extends Pending {
  readonly id: number;
  readonly action: ResourceAction;
  readonly cancelled: boolean;
}
interface Write extends Pending {
  readonly revision: number;
  readonly ledger: Ledger;
}
interface Fencing extends Pending {
  readonly operation: number;
}

export interface Node {
  powered: boolean;
  state: State | null;
  incarnation: number;
  ledger: Ledger;
  guest: Running;
  operation: Operation | null;
  writes: readonly Write[];
  fencing: Fencing | null;
  /** All its cables are cut. */
  isolated: boolean;
}

export type FaultKind = 'power-loss' | 'kill' | 'isolate' | 'cut-link' | 'partition';

export interface World {
  readonly now: number;
  readonly nodes: readonly [Node, Node];
  readonly flights: readonly Flight[];
  readonly linkCut: boolean;
  readonly partitioned: boolean;
  /** Faults and requests that may still come. */
  readonly faults: number;
  readonly requests: number;
  /** How often the fencing devices may still fail, and hosts or daemons start again. */
  readonly failures: number;
  readonly starts: number;
  /** What must not be, and is. */
  readonly broken: string | null;
}

export interface Rules {
  readonly hasDevice: boolean;
  readonly faultKinds: readonly FaultKind[];
  readonly faults: number;
  readonly requests: number;
  readonly failures: number;
  readonly starts: number;
  /** How many ticks a packet may take. */
  readonly delay: number;
}

export type Draft = { -readonly [K in keyof World]: World[K] };

export const guest = 'guest:g';
export const group = 'office';

function policyOf(index: Index, { hasDevice }: Rules): Policy {
  return {
    self: nameOf(index),
    peer: nameOf(otherOf(index)),
    software: '0',
    configDigest: 'same',
    timings: deriveTimings({ keepaliveMs: tickMs, warntimeMs: 200, deadtimeMs: 400, initdeadMs: 600 }),
    links: ['eth1'],
    probes: [
      { id: 'gateway', kind: 'gateway' },
      { id: 'peer', kind: 'peer' },
    ],
    groups: [
      {
        name: group,
        preferred: 'primary',
        failback: 'manual',
        failbackDelayMs: 60_000,
        interfaces: ['eth0'],
        resources: [{ id: guest, kind: 'guest', needs: [], startMs: 1000, stopMs: 1000 }],
      },
    ],
    parallelStarts: 1,
    fencing: hasDevice ? { delayMs: 200, deadlineMs: 1000 } : null,
    witness: null,
    watchdog: null,
  };
}

const emptyLedger: Ledger = { groups: [], peer: null, standby: false, maintenanceUntil: null };

export function firstWorld(rules: Rules): World {
  const node = (): Node => ({
    powered: true,
    state: null,
    incarnation: 0,
    ledger: emptyLedger,
    guest: 'down',
    operation: null,
    writes: [],
    fencing: null,
    isolated: false,
  });
  const world: Draft = {
    now: 10_000,
    nodes: [node(), node()],
    flights: [],
    linkCut: false,
    partitioned: false,
    faults: rules.faults,
    requests: rules.requests,
    failures: rules.failures,
    starts: rules.starts,
    broken: null,
  };
  for (const index of both) startDaemon(world, index, rules);
  return world;
}

export function copyOf(world: World): Draft {
  const [first, second] = world.nodes;
  return { ...world, nodes: [{ ...first }, { ...second }] };
}

export function reaches(world: World, from: Index): boolean {
  const isCut = world.linkCut || world.partitioned || world.nodes.some(({ isolated }) => isolated);
  return !isCut && world.nodes[from].powered && world.nodes[otherOf(from)].powered;
}

export function feed(world: Draft, index: Index, event: Event): void {
  const node = world.nodes[index];
  if (node.state === null || world.broken !== null) return;
  try {
    const { state, effects } = step(node.state, event);
    node.state = state;
    for (const effect of effects) carryOut(world, index, effect);
  } catch (error) {
    world.broken = `the core of ${nameOf(index)} throws: ${error instanceof Error ? error.message : error}`;
  }
}

const inFlightMax = 2;

function carryOut(world: Draft, index: Index, effect: Effect): void {
  const node = world.nodes[index];
  switch (effect.kind) {
    case 'send-heartbeat': {
      if (!reaches(world, index)) return;
      const { sequence, echo, content } = effect;
      const to = otherOf(index);
      const packet: Flight = { to, incarnation: node.incarnation, sequence, echo, content, age: 0 };
      const same = world.flights.filter((flight) => flight.to === to);
      const others = world.flights.filter((flight) => flight.to !== to);
      world.flights = [...others, ...same.slice(-(inFlightMax - 1)), packet];
      return;
    }
    case 'start-operation':
      checkPersisted(world, index, effect.action);
      node.operation = { id: effect.operation, action: effect.action, cancelled: false, age: 0 };
      return;
    case 'cancel-operation':
      if (node.operation?.id === effect.operation) node.operation = { ...node.operation, cancelled: true };
      return;
    case 'persist-ledger':
      node.writes = [...node.writes, { revision: effect.revision, ledger: effect.ledger, age: 0 }];
      return;
    case 'fence-peer':
      node.fencing = { operation: effect.operation, age: 0 };
      return;
    case 'exit':
      endDaemon(node);
      return;
    default:
      return;
  }
}

function checkPersisted(world: Draft, index: Index, action: ResourceAction): void {
  if (action !== 'start' && action !== 'resume') return;
  const { state, ledger } = world.nodes[index];
  const phase = state?.groups[0]?.phase;
  const generation = phase !== undefined && 'generation' in phase ? phase.generation : 0;
  const record = ledger.groups[0];
  if (generation > 0 && record?.generation === generation && record.owner === nameOf(index)) return;
  world.broken = `S5: ${nameOf(index)} begins to ${action} in generation ${generation}, on disk is ${record?.generation}`;
}

export function startDaemon(world: Draft, index: Index, rules: Rules): void {
  const node = world.nodes[index];
  node.incarnation += 1;
  const { incarnation, ledger } = node;
  node.state = initialState({ at: world.now, policy: policyOf(index, rules), incarnation, ledger });
  feed(world, index, { kind: 'carrier-observed', at: world.now, interface: 'eth0', carrier: !node.isolated });
  observe(world, index);
}

export function observe(world: Draft, index: Index): void {
  const status = { kind: world.nodes[index].guest };
  feed(world, index, { kind: 'resource-observed', at: world.now, group, resource: guest, status });
}

export function endDaemon(node: Node): void {
  node.state = null;
  node.operation = null;
  node.writes = [];
  node.fencing = null;
}

export function setGuest(world: Draft, index: Index, running: Running): void {
  world.nodes[index].guest = running;
  if (world.broken === null && world.nodes.every((node) => node.guest === 'up')) {
    world.broken = 'S1: the guest runs on both hosts';
  }
}
