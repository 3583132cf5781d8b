// The smallest world that two real cores can play in: one guest, one heartbeat link, a gateway, and time in ticks of
// 100 ms. What can happen next is a list of moves: a packet arrives, an operation or a write ends, a fault begins or is
// mended, a person asks, or a tick passes, which waits until what was sent and begun has come to its end. Within a
// tick every order is possible. Worlds are values: a move makes a new one.

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
const otherOf = (index: Index): Index => (index === 0 ? 1 : 0);

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
interface Operation extends Pending {
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

export interface Move {
  readonly label: string;
  readonly next: World;
}

type Draft = { -readonly [K in keyof World]: World[K] };

const guest = 'guest:g';
const group = 'office';

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

function copyOf(world: World): Draft {
  const [first, second] = world.nodes;
  return { ...world, nodes: [{ ...first }, { ...second }] };
}

function reaches(world: World, from: Index): boolean {
  const isCut = world.linkCut || world.partitioned || world.nodes.some(({ isolated }) => isolated);
  return !isCut && world.nodes[from].powered && world.nodes[otherOf(from)].powered;
}

function feed(world: Draft, index: Index, event: Event): void {
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

function startDaemon(world: Draft, index: Index, rules: Rules): void {
  const node = world.nodes[index];
  node.incarnation += 1;
  const { incarnation, ledger } = node;
  node.state = initialState({ at: world.now, policy: policyOf(index, rules), incarnation, ledger });
  feed(world, index, { kind: 'carrier-observed', at: world.now, interface: 'eth0', carrier: !node.isolated });
  observe(world, index);
}

function observe(world: Draft, index: Index): void {
  const status = { kind: world.nodes[index].guest };
  feed(world, index, { kind: 'resource-observed', at: world.now, group, resource: guest, status });
}

function endDaemon(node: Node): void {
  node.state = null;
  node.operation = null;
  node.writes = [];
  node.fencing = null;
}

function setGuest(world: Draft, index: Index, running: Running): void {
  world.nodes[index].guest = running;
  if (world.broken === null && world.nodes.every((node) => node.guest === 'up')) {
    world.broken = 'S1: the guest runs on both hosts';
  }
}

const runningAfter: Readonly<Partial<Record<ResourceAction, Running>>> = {
  start: 'up',
  resume: 'up',
  freeze: 'paused',
  stop: 'down',
  destroy: 'down',
};

/** Everything that can happen next. */
export function movesOf(world: World, rules: Rules): readonly Move[] {
  const moves: Move[] = [];
  const add = (label: string, act: (next: Draft) => void) => {
    const next = copyOf(world);
    act(next);
    moves.push({ label, next });
  };
  world.flights.forEach((flight, at) => {
    add(`a packet reaches ${nameOf(flight.to)}`, (next) => deliver(next, flight, at));
  });
  for (const index of both) addEndings(world, index, add);
  addFaults(world, rules, add);
  addMends(world, rules, add);
  if (isQuiet(world, rules)) add('a tick passes', tick);
  return moves;
}

type Add = (label: string, act: (next: Draft) => void) => void;

function deliver(next: Draft, flight: Flight, at: number): void {
  next.flights = next.flights.filter((_, index) => index !== at);
  if (!reaches(next, otherOf(flight.to))) return;
  const { incarnation, sequence, echo, content, to } = flight;
  feed(next, to, { kind: 'heartbeat-received', at: next.now, link: 0, incarnation, sequence, echo, content });
}

function addEndings(world: World, index: Index, add: Add): void {
  const { operation, writes, fencing } = world.nodes[index];
  const [write] = writes;
  const who = nameOf(index);
  if (operation !== null) {
    add(`${who} ends to ${operation.action} the guest`, (next) => endOperation(next, index, operation, true));
    if (operation.cancelled) {
      add(`${who} has cancelled to ${operation.action}`, (next) =>
        endOperation(next, index, operation, false),
      );
    }
  }
  if (write !== undefined) {
    add(`${who} has its ledger on disk`, (next) => {
      next.nodes[index].writes = writes.slice(1);
      next.nodes[index].ledger = write.ledger;
      feed(next, index, { kind: 'ledger-persisted', at: next.now, revision: write.revision });
    });
  }
  if (fencing !== null) {
    const { operation: id } = fencing;
    add(`the device powers the peer of ${who} off`, (next) => {
      losePower(next, otherOf(index));
      next.nodes[index].fencing = null;
      feed(next, index, {
        kind: 'operation-finished',
        at: next.now,
        operation: id,
        outcome: { kind: 'done' },
      });
    });
    if (world.failures === 0) return;
    add(`the device of ${who} fails`, (next) => {
      next.failures -= 1;
      next.nodes[index].fencing = null;
      const outcome = { kind: 'failed', code: 'refused', message: 'it refuses' } as const;
      feed(next, index, { kind: 'operation-finished', at: next.now, operation: id, outcome });
    });
  }
}

function endOperation(next: Draft, index: Index, { id, action, cancelled }: Operation, takesEffect: boolean) {
  next.nodes[index].operation = null;
  const running = runningAfter[action];
  if (takesEffect && running !== undefined) setGuest(next, index, running);
  const outcome = cancelled
    ? ({ kind: 'unknown', message: 'it was cancelled' } as const)
    : ({ kind: 'done' } as const);
  feed(next, index, { kind: 'operation-finished', at: next.now, operation: id, outcome });
  if (cancelled) observe(next, index);
}

function losePower(next: Draft, index: Index): void {
  const node = next.nodes[index];
  node.powered = false;
  node.guest = 'down';
  endDaemon(node);
}

function addFaults(world: World, { faultKinds }: Rules, add: Add): void {
  if (world.requests > 0) {
    for (const index of both) {
      if (world.nodes[index].state === null) continue;
      add(`somebody asks ${nameOf(index)} to take over`, (next) => {
        next.requests -= 1;
        const request = { kind: 'takeover', groups: [] } as const;
        feed(next, index, { kind: 'operator-requested', at: next.now, id: 1, request });
      });
    }
  }
  if (world.faults === 0) return;
  const fault = (label: string, act: (next: Draft) => void) =>
    add(label, (next) => {
      next.faults -= 1;
      act(next);
    });
  for (const kind of faultKinds) {
    if (kind === 'cut-link' && !world.linkCut) fault('the link is cut', (next) => cutLink(next, true));
    if (kind === 'partition' && !world.partitioned) fault('the hosts are parted', (next) => part(next, true));
    for (const index of both) {
      const { powered, state, isolated } = world.nodes[index];
      const who = nameOf(index);
      if (kind === 'power-loss' && powered) fault(`${who} loses its power`, (next) => losePower(next, index));
      if (kind === 'kill' && state !== null)
        fault(`the daemon of ${who} dies`, (next) => endDaemon(next.nodes[index]));
      if (kind === 'isolate' && powered && !isolated)
        fault(`${who} is cut off`, (next) => isolate(next, index, true));
    }
  }
}

function cutLink(next: Draft, isCut: boolean): void {
  next.linkCut = isCut;
}

function part(next: Draft, isParted: boolean): void {
  next.partitioned = isParted;
}

function isolate(next: Draft, index: Index, isolated: boolean): void {
  next.nodes[index].isolated = isolated;
  feed(next, index, { kind: 'carrier-observed', at: next.now, interface: 'eth0', carrier: !isolated });
}

function addMends(world: World, rules: Rules, add: Add): void {
  if (world.linkCut) add('the link is mended', (next) => cutLink(next, false));
  if (world.partitioned) add('the hosts are joined', (next) => part(next, false));
  for (const index of both) {
    const { powered, state, isolated } = world.nodes[index];
    const who = nameOf(index);
    if (isolated) add(`${who} is connected again`, (next) => isolate(next, index, false));
    if ((!powered || state === null) && world.starts > 0) {
      add(`the daemon of ${who} starts`, (next) => {
        next.starts -= 1;
        next.nodes[index].powered = true;
        startDaemon(next, index, rules);
      });
    }
  }
}

/** A packet takes so many ticks at the most, an operation one, a write none, the device three. */
function isQuiet(world: World, { delay }: Rules): boolean {
  return (
    world.flights.every(({ age }) => age < delay) &&
    world.nodes.every(
      ({ operation, writes, fencing }) =>
        (operation === null || operation.age < 1) &&
        writes.length === 0 &&
        (fencing === null || fencing.age < 3),
    )
  );
}

function tick(next: Draft): void {
  next.now += tickMs;
  next.flights = next.flights.map((flight) => ({ ...flight, age: flight.age + 1 }));
  for (const index of both) {
    const node = next.nodes[index];
    if (node.operation !== null) node.operation = { ...node.operation, age: node.operation.age + 1 };
    if (node.fencing !== null) node.fencing = { ...node.fencing, age: node.fencing.age + 1 };
  }
  for (const index of both) {
    for (const { target } of next.nodes[index].state?.paces ?? []) {
      feed(next, index, { kind: 'probe-reported', at: next.now, target, result: probe(next, index, target) });
    }
    feed(next, index, { kind: 'time-passed', at: next.now });
  }
}

function probe(world: World, index: Index, target: string): 'answered' | 'unanswered' | 'failed' {
  if (world.nodes[index].isolated) return 'failed';
  if (target === 'gateway') return 'answered';
  const peer = world.nodes[otherOf(index)];
  return peer.powered && !peer.isolated && !world.partitioned ? 'answered' : 'unanswered';
}
