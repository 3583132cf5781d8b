// Whoever has no key: what he sends is refused by the production codec, and nothing of it comes to a modelled core. And
// whoever sets a clock: nodes go by monotonic time, and find each other again after a restart.

import test from 'ava';
import { maintenanceLeftMs, nextIncarnation } from '../../daemon/runtime/records/restarts.ts';
import { chanceOf } from '../../daemon/sim/engine.ts';
import type { Forger, GenuinePacket } from '../../daemon/sim/network.ts';
import type { Trace } from '../../daemon/sim/trace.ts';
import { createWorld, type World } from '../../daemon/sim/world.ts';
import { createCheckers } from '../sim/checkers.ts';
import { forger, genuineBytes, received } from '../sim/forger.ts';
import { plainSetup, policyOf, worldOptionsOf } from '../sim/setups.ts';

type Packets = Extract<Trace, { kind: 'stepped' }>;

interface Calm {
  readonly world: World;
  readonly traces: readonly Trace[];
}

/** Both run and hear each other. */
function calmWorld(options: { readonly forger?: Forger } = {}): Calm {
  const traces: Trace[] = [];
  const world = createWorld({
    ...worldOptionsOf(plainSetup, 1),
    ...options,
    trace: (trace) => traces.push(trace),
  });
  for (const host of ['primary', 'secondary'] as const) world.apply({ kind: 'start-daemon', host });
  world.run(5000);
  return { world, traces };
}

function somePacket(): GenuinePacket {
  const { traces } = calmWorld();
  const isPacket = (trace: Trace): trace is Packets =>
    trace.kind === 'stepped' && trace.side === 'secondary' && trace.event.kind === 'heartbeat-received';
  const { event } = traces.findLast(isPacket) ?? {};
  if (event?.kind !== 'heartbeat-received') throw new Error('no packet');
  const { incarnation, sequence, echo, content, link } = event;
  return { from: 'primary', incarnation, sequence, echo, content, link };
}

test('a genuine packet comes through the codec as it is', (t) => {
  const packet = somePacket();
  const { from, ...told } = packet;
  t.deepEqual(received(genuineBytes(packet), from, packet.link), { kind: 'heartbeat-received', ...told });
});

test('no forgery comes through', (t) => {
  const packet = somePacket();
  const kinds = new Set<string>();
  for (let seed = 1; seed <= 300; seed += 1) {
    for (const { how, event } of forger.forge(packet, chanceOf(seed, 'test'))) {
      kinds.add(how);
      t.is(event, null, `${how}, seed ${seed}`);
    }
  }
  t.is(kinds.size, 10);
});

test('forged packets change nothing but a counter', (t) => {
  const { world, traces } = calmWorld();
  const before = world.state('secondary');
  const known = traces.length;
  world.apply({ kind: 'forge', host: 'secondary' });
  t.true(world.refusedForgeries('secondary') >= 20);
  t.is(world.refusedForgeries('primary'), 0);
  t.is(world.state('secondary'), before);
  t.deepEqual(
    traces.slice(known).map(({ kind }) => kind),
    ['action'],
  );
});

test('a codec that lets one through is found out', (t) => {
  const credulous: Forger = {
    forge: ({ from, ...packet }) => [
      { how: 'anything', link: packet.link, event: { kind: 'heartbeat-received', ...packet } },
    ],
  };
  const { world, traces } = calmWorld({ forger: credulous });
  world.apply({ kind: 'forge', host: 'secondary' });
  const checkers = createCheckers(policyOf(plainSetup, 'primary'), (side) => world.ledgerOnDisk(side));
  for (const trace of traces) checkers.see(trace);
  t.deepEqual([...new Set(checkers.violations.map(({ rule }) => rule))], ['S6']);
});

const dayMs = 24 * 3_600_000;

const hearEachOther = (world: World) =>
  (['primary', 'secondary'] as const).every((side) => world.state(side)?.verdict.kind === 'alive');

test('a clock that is set changes nothing of a daemon that runs', (t) => {
  const { world, traces } = calmWorld();
  const states = () => [world.state('primary'), world.state('secondary')];
  const before = states();
  const known = traces.length;
  for (const ms of [dayMs, -2 * dayMs]) world.apply({ kind: 'step-clock', host: 'primary', ms });
  t.deepEqual(states(), before);
  t.is(traces.length, known + 2);
  world.run(5000);
  t.true(hearEachOther(world));
});

test('a daemon that starts again after its clock was set back is heard', (t) => {
  for (const ms of [-1000, -3_600_000, -dayMs, -2000 * dayMs]) {
    const { world } = calmWorld();
    const before = world.state('primary')?.incarnation ?? 0;
    world.apply({ kind: 'step-clock', host: 'primary', ms });
    world.apply({ kind: 'kill-daemon', host: 'primary', staysDown: false });
    world.run(8000);
    t.true((world.state('primary')?.incarnation ?? 0) > before, `${ms} ms`);
    t.true(hearEachOther(world), `${ms} ms`);
  }
});

/** It has neither the record of what it was nor a clock that went on, but it reads what its peer says now. */
test('so is one that has lost its state file besides', (t) => {
  const { world } = calmWorld();
  world.apply({ kind: 'step-clock', host: 'primary', ms: -3_600_000 });
  world.apply({ kind: 'state-file', host: 'primary', condition: 'lost' });
  world.apply({ kind: 'kill-daemon', host: 'primary', staysDown: false });
  world.run(60_000);
  t.true(hearEachOther(world));
});

test('an incarnation is larger than any on record, and than the clock of most machines has been', (t) => {
  t.is(nextIncarnation(0, 5000, 0), 5000);
  t.is(nextIncarnation(4999, 5000, 0), 5000);
  t.is(nextIncarnation(5000, 5000, 0), 5001);
  t.is(nextIncarnation(9000, 0, 0), 9001);
  t.is(nextIncarnation(9000, 0, 0.9999), 10_000);
});

test('maintenance that outlives a reboot ends within a week, whatever the clock shows', (t) => {
  t.is(maintenanceLeftMs(5000, 4000), 1000);
  t.is(maintenanceLeftMs(5000, 6000), -1000);
  t.is(maintenanceLeftMs(100 * dayMs, 0), 7 * dayMs);
});

test('a maintenance goes on in another boot, by the wall clock', (t) => {
  for (const [ms, isOn] of [
    [0, true],
    [dayMs, false],
    [-dayMs, true],
  ] as const) {
    const { world } = calmWorld();
    world.apply({ kind: 'operator', host: 'primary', request: { kind: 'maintenance', durationMs: 600_000 } });
    world.run(1000);
    world.apply({ kind: 'power-loss', host: 'primary' });
    world.apply({ kind: 'step-clock', host: 'primary', ms });
    world.apply({ kind: 'power-on', host: 'primary' });
    world.run(3000);
    t.is(world.state('primary')?.maintenanceUntil !== null, isOn, `${ms} ms`);
  }
});
