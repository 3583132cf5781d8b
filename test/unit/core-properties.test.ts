// What must hold whatever happens: random faults on two real cores in the modelled world. The seed is printed by
// fast-check when a property fails.

import test from 'ava';
import fc from 'fast-check';
import type { Event } from '../../daemon/core/events.ts';
import { initialState, type State } from '../../daemon/core/state.ts';
import { step } from '../../daemon/core/step.ts';
import { examplePolicy, type Side } from '../sim/example.ts';
import { createWorld, type World } from '../sim/world.ts';

const sides = ['primary', 'secondary'] as const;
const side = fc.constantFrom<Side>(...sides);
const pause = fc.constantFrom(50, 300, 900, 1500, 2500, 5000, 20_000);

type Act = (world: World) => void;

const bootIfDown = (world: World, at: Side) => {
  if (world.phase(at) === 'no daemon') world.boot(at);
};
const mendAll = (world: World, at: Side) => {
  world.mend(at, 'heartbeat');
  world.mend(at, 'lan');
};

/** One fault and its end. While a single one of these is in force, nothing may run twice. */
const singleFaults: readonly ((at: Side) => { readonly begin: Act; readonly end: Act })[] = [
  (at) => ({ begin: (w) => w.cut(at, 'heartbeat'), end: (w) => w.mend(at, 'heartbeat') }),
  (at) => ({ begin: (w) => w.cut(at, 'lan'), end: (w) => w.mend(at, 'lan') }),
  (at) => ({
    begin: (w) => {
      w.cut(at, 'heartbeat');
      w.cut(at, 'lan');
    },
    end: (w) => mendAll(w, at),
  }),
  (at) => ({ begin: (w) => w.powerLoss(at), end: (w) => bootIfDown(w, at) }),
  (at) => ({ begin: (w) => w.killDaemon(at), end: (w) => bootIfDown(w, at) }),
  (at) => ({ begin: (w) => w.stall(at, 4000), end: () => {} }),
  () => ({ begin: (w) => w.gateway(false), end: (w) => w.gateway(true) }),
  (at) => ({ begin: (w) => w.stop(at), end: (w) => bootIfDown(w, at) }),
];

const requests: readonly ((at: Side) => Act)[] = [
  (at) => (w) => void w.ask(at, { kind: 'takeover', groups: [] }),
  (at) => (w) => void w.ask(at, { kind: 'handover', groups: [] }),
  (at) => (w) => void w.ask(at, { kind: 'standby', on: true }),
  (at) => (w) => void w.ask(at, { kind: 'standby', on: false }),
];

/** Every third world has a bad network: packets are lost, doubled, late and out of order. */
const started = (seed: number) => {
  const bad = { loss: 0.1, duplicate: 0.1, late: 0.2, delayMs: 700 };
  const world = createWorld({ seed, stopMs: 300, ...(seed % 3 === 0 && { lossy: bad }) });
  world.boot('primary');
  world.boot('secondary');
  world.run(3000);
  return world;
};

const running = (world: World) =>
  sides.filter((at) => world.phase(at) === 'starting' || world.phase(at) === 'active');

/** Faults over, everything powered: one owner within a bound, and nothing twice. */
function heals(world: World): void {
  world.gateway(true);
  for (const at of sides) mendAll(world, at);
  world.run(10_000); // What was stalled or stopping comes to its end.
  for (const at of sides) bootIfDown(world, at);
  for (const at of sides) world.ask(at, { kind: 'standby', on: false });
  world.runUntil('one owner after the faults', () => {
    const phases = sides.map((at) => world.phase(at)).toSorted();
    return phases[0] === 'active' && phases[1] === 'stopped';
  });
}

test('one fault at a time, with its end, in any order and at any pace: nothing runs twice, one owner at the end', (t) => {
  const faults = fc.array(fc.tuple(fc.nat(singleFaults.length - 1), side, pause, pause), { maxLength: 6 });
  fc.assert(
    fc.property(fc.nat(1_000_000), faults, (seed, plan) => {
      const world = started(seed);
      for (const [which, at, during, after] of plan) {
        const fault = singleFaults[which]?.(at);
        fault?.begin(world);
        world.run(during);
        fault?.end(world);
        world.run(Math.max(after, 4500)); // The fault is over, also for a stalled daemon, before the next one.
      }
      if (world.violations.length > 0) throw new Error(world.violations[0]);
      heals(world);
    }),
    { numRuns: 300 },
  );
  t.pass();
});

test('any faults at once and any requests: no rule of the core breaks, and one owner is found once they end', (t) => {
  const acts = fc.array(
    fc.tuple(fc.nat(singleFaults.length + requests.length - 1), side, fc.boolean(), pause),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(fc.nat(1_000_000), acts, (seed, plan) => {
      const world = started(seed);
      for (const [which, at, begins, ms] of plan) {
        const fault = singleFaults[which]?.(at);
        const act =
          fault === undefined
            ? requests[which - singleFaults.length]?.(at)
            : begins
              ? fault.begin
              : fault.end;
        act?.(world);
        world.run(ms);
      }
      heals(world);
    }),
    { numRuns: 300 },
  );
  t.pass();
});

test('nothing is started before its generation is on disk, and every start has a generation of its own', (t) => {
  fc.assert(
    fc.property(fc.nat(1_000_000), fc.nat(30), (seed, delay) => {
      const world = started(seed);
      world.run(delay * 10);
      world.powerLoss('primary');
      world.run(4000);
      const { ledger, persistedRevision, groups } = world.state('secondary');
      const [group] = groups;
      if (group === undefined || !('generation' in group.phase)) throw new Error('not started');
      if (ledger.groups[0]?.generation !== group.phase.generation) throw new Error('not in the ledger');
      if (group.needsRevision > persistedRevision) throw new Error('not on disk');
    }),
    { numRuns: 50 },
  );
  const policy = examplePolicy('primary');
  let state: State = initialState({
    at: 0,
    policy,
    incarnation: 1,
    ledger: {
      groups: [
        {
          name: 'office',
          generation: 1,
          owner: 'primary',
          writer: null,
          alone: false,
          sole: true,
          frozen: false,
          inTime: false,
          discards: false,
        },
      ],
      peer: null,
      standby: false,
      left: false,
      maintenanceUntil: null,
    },
  });
  const operations: string[] = [];
  const feed = (event: Event) => {
    const done = step(state, event);
    state = done.state;
    operations.push(...done.effects.filter(({ kind }) => kind === 'start-operation').map(({ kind }) => kind));
  };
  for (const { id } of policy.groups[0]?.resources ?? []) {
    feed({ kind: 'resource-observed', at: 1, group: 'office', resource: id, status: { kind: 'down' } });
  }
  for (let at = 100; at < 40_000; at += 100) {
    feed({ kind: 'probe-reported', at, target: 'gateway', result: 'answered' });
    feed({ kind: 'probe-reported', at, target: 'peer-lan', result: 'unanswered' });
  }
  t.is(state.groups[0]?.phase.kind, 'starting');
  t.deepEqual(operations, [], 'the ledger never came to the disk, so nothing was started');
  feed({ kind: 'ledger-persisted', at: 40_000, revision: state.ledgerRevision });
  t.is(operations.length, 3);
});

test('a replayed packet, or one of an earlier run, changes one counter and nothing else', (t) => {
  const world = started(7);
  const state = world.state('secondary');
  const { content, incarnation, lastSequence } = state.peer;
  if (content === null || incarnation === null) throw new Error('the peer was not heard');
  fc.assert(
    fc.property(fc.nat(1), fc.integer({ min: 0, max: 2 }), fc.nat(100), (link, older, back) => {
      const before = world.state('secondary');
      const effects = world.inject('secondary', {
        kind: 'heartbeat-received',
        link,
        incarnation: incarnation - older,
        sequence: (older === 0 ? (before.links[link]?.lastSequence ?? 0) : lastSequence + 1000) - back,
        echo: { incarnation: before.incarnation, sequence: before.sequence },
        content: { ...content, leaving: true, groups: [] },
      });
      const { links, ...rest } = world.state('secondary');
      const { links: linksBefore, ...restBefore } = before;
      if (effects.length > 0) throw new Error('it had an effect');
      if (JSON.stringify(rest) !== JSON.stringify(restBefore)) throw new Error('it changed the state');
      const bare = (all: State['links']) => all.map(({ refused: _, ...other }) => other);
      if (JSON.stringify(bare(links)) !== JSON.stringify(bare(linksBefore)))
        throw new Error('it changed a link');
    }),
    { numRuns: 200 },
  );
  t.pass();
});

test('the same events give the same effects, byte for byte, also from a state that went through JSON', (t) => {
  const policy = examplePolicy('primary');
  const ledger = { groups: [], peer: null, standby: false, left: false, maintenanceUntil: null };
  const run = (through: (state: State) => State) => {
    let state = initialState({ at: 0, policy, incarnation: 1, ledger });
    const all: string[] = [];
    for (let at = 0; at < 5000; at += 50) {
      const done = step(state, { kind: 'time-passed', at });
      state = through(done.state);
      all.push(JSON.stringify(done.effects));
    }
    return all;
  };
  t.deepEqual(
    run((state) => state),
    run((state) => JSON.parse(JSON.stringify(state)) as State),
  );
});

test('a world with the same seed tells the same story', (t) => {
  const story = () => {
    const world = started(42);
    world.powerLoss('primary');
    world.run(10_000);
    return { log: world.log, running: running(world), notes: world.notes('secondary') };
  };
  t.deepEqual(story(), story());
});
