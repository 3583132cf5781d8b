// What can happen next in the small world: a packet arrives, an operation or a write ends, a fault begins or is
// mended, a person asks, or a tick passes, which waits until what was sent and begun has come to its end. Within a
// tick every order is possible.

import type { ResourceAction } from '../../daemon/core/events.ts';
import type { Running } from '../../daemon/sim/trace.ts';
import {
  both,
  copyOf,
  type Draft,
  endDaemon,
  type Flight,
  feed,
  type Index,
  nameOf,
  type Operation,
  observe,
  otherOf,
  type Rules,
  reaches,
  setGuest,
  startDaemon,
  tickMs,
  type World,
} from './small-world.ts';

export interface Move {
  readonly label: string;
  readonly next: World;
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
