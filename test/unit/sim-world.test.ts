// The modelled world bites: each thing that it is said to model does what it does in a machine room.

import { createHash } from 'node:crypto';
import test from 'ava';
import type { OutdatingAnswer } from '../../daemon/core/events.ts';
import { initialState } from '../../daemon/core/state.ts';
import { sides } from '../../daemon/sim/action.ts';
import { parseAction } from '../../daemon/sim/action-text.ts';
import type { Trace } from '../../daemon/sim/trace.ts';
import { createWorld, type World, type WorldOptions } from '../../daemon/sim/world.ts';
import { emptyLedger } from '../../daemon/whatif/situation.ts';
import {
  address,
  disk,
  mail,
  mount,
  type Protection,
  protectedPolicy,
  type Side,
  web,
} from '../sim/example.ts';

interface Stage extends World {
  readonly traces: readonly Trace[];
  does(text: string): void;
  until(what: string, done: () => boolean, limitMs?: number): void;
  of<K extends Trace['kind']>(kind: K, side?: Side): readonly Extract<Trace, { readonly kind: K }>[];
  phase(side: Side): string | undefined;
}

function stage(protection: Protection = {}, options: Partial<WorldOptions> = {}): Stage {
  const traces: Trace[] = [];
  const world = createWorld({
    seed: 1,
    policy: (side) => protectedPolicy(side, protection),
    trace: (trace) => traces.push(trace),
    bootMs: 1000,
    drbd: { noticeMs: 1200, connectMs: 300, resyncMs: 500 },
    ...options,
  });
  return {
    ...world,
    traces,
    does: (text) => void world.apply(parseAction(text)),
    until(what, done, limitMs = 20_000) {
      if (!world.runUntil(done, limitMs)) throw new Error(`${what} did not happen within ${limitMs} ms`);
    },
    of: <K extends Trace['kind']>(kind: K, side?: Side) =>
      traces.filter(
        (trace): trace is Extract<Trace, { readonly kind: K }> =>
          trace.kind === kind && (side === undefined || !('side' in trace) || trace.side === side),
      ),
    phase: (side) => world.state(side)?.groups[0]?.phase.kind,
  };
}

/** The primary runs everything. */
function running(protection: Protection = {}, options: Partial<WorldOptions> = {}): Stage {
  const world = stage(protection, options);
  for (const side of sides) world.does(`start-daemon ${side}`);
  world.until('primary runs it', () => world.phase('primary') === 'active');
  world.run(3000);
  return world;
}

const isSilentOn = (world: World, side: Side, link: number) =>
  world.state(side)?.links[link]?.fresh === false;

test('the same seed tells the same story to the last event, another seed another one', (t) => {
  const story = (seed: number) => {
    const world = running({ disk: true, device: true, lease: true }, { seed });
    world.does('network lan loss=0.1 duplicate=0.1 late=0.2 delay=300ms');
    world.does('power-loss primary');
    world.run(8000);
    world.does('power-on primary');
    world.run(8000);
    const hash = createHash('sha256');
    for (const trace of world.traces) hash.update(JSON.stringify(trace));
    return hash.digest('hex');
  };
  t.is(story(5), story(5));
  t.not(story(5), story(6));
});

test('a loss of power takes the daemon and all that runs; the host boots and its daemon starts by itself', (t) => {
  const world = running();
  world.does('power-loss primary');
  t.false(world.powered('primary'));
  t.is(world.state('primary'), null);
  for (const id of [address, mail, web]) t.is(world.running('primary', id), 'down');
  t.false(world.reaches('primary', 'lan'));
  world.run(500);
  world.does('power-on primary');
  t.true(world.powered('primary'));
  t.false(world.daemonRuns('primary'), 'it boots');
  world.run(800);
  t.true(world.reaches('primary', 'lan'), 'its kernel runs');
  t.false(world.daemonRuns('primary'));
  world.run(300);
  t.true(world.daemonRuns('primary'));
  t.deepEqual(
    world.of('powered', 'primary').map(({ on, why }) => [on, why]),
    [
      [false, 'fault'],
      [true, 'operator'],
    ],
  );
});

test('a killed daemon leaves the guests alone and is started again, unless it is to stay away', (t) => {
  const world = running();
  world.does('kill-daemon primary');
  t.is(world.running('primary', mail), 'up');
  world.run(1000);
  t.is(world.state('primary')?.incarnation, 2);
  world.does('kill-daemon primary stays-down');
  world.run(5000);
  t.false(world.daemonRuns('primary'));
});

test('a daemon that is told to stop leaves by itself and stays away', (t) => {
  const world = running();
  world.does('stop-daemon primary');
  world.until('it has gone', () => !world.daemonRuns('primary'));
  world.run(5000);
  t.false(world.daemonRuns('primary'));
  t.is(world.phase('secondary'), 'active');
});

test('the daemon dies right after an effect, and the rest of that step is lost; so does its host', (t) => {
  for (const count of [1, 2, 3, 5, 8]) {
    const world = running();
    const before = world.traces.length;
    world.does('operator primary handover');
    world.does(`crash-at-effect secondary ${count}`);
    world.until('it dies', () => !world.daemonRuns('secondary'));
    const effects = world.traces
      .slice(before)
      .flatMap((trace) => (trace.kind === 'stepped' && trace.side === 'secondary' ? trace.effects : []));
    t.true(effects.length >= count);
    const asked = effects.slice(0, count).filter(({ kind }) => kind === 'note').length;
    const noted = world.traces
      .slice(before)
      .filter((trace) => trace.kind === 'note' && trace.side === 'secondary').length;
    t.is(noted, asked, 'what comes after it is lost');
    world.until('it is started again', () => world.daemonRuns('secondary'));
    t.is(world.of('powered').length, 0);
    world.does(`power-loss-at-effect secondary ${count}`);
    world.until('it loses power', () => !world.powered('secondary'));
  }
});

test('a cut in one direction: what it sends is not heard, what it hears goes on, and the carrier stays', (t) => {
  const world = running();
  world.does('cut primary lan out');
  world.run(3000);
  t.true(isSilentOn(world, 'secondary', 1));
  t.false(isSilentOn(world, 'primary', 1));
  t.false(world.reaches('primary', 'lan'));
  t.true(world.reaches('secondary', 'lan'));
  t.is(world.state('primary')?.carriers['eth0']?.up, true);
  t.is(world.state('primary')?.probes[0]?.last, 'unanswered');
  world.does('cut primary lan');
  world.run(1500);
  t.is(world.state('primary')?.carriers['eth0']?.up, false);
  t.is(world.state('primary')?.probes[0]?.last, 'failed');
  t.regex(world.state('primary')?.links[1]?.down ?? '', /no carrier/);
  world.does('mend primary lan');
  world.run(1500);
  t.false(isSilentOn(world, 'secondary', 1));
  t.is(world.state('primary')?.probes[0]?.last, 'answered');
});

test('a partition parts the nodes only; a floating address on both conflicts once they hear each other', (t) => {
  const world = running();
  world.does('partition');
  world.until('both have the address', () => world.running('secondary', address) === 'up');
  t.is(world.state('primary')?.probes[0]?.last, 'answered', 'each reaches the outside');
  t.is(world.of('address-conflict').length, 0);
  world.does('heal');
  t.true(world.of('address-conflict').some(({ on }) => on));
});

test('packets are lost, doubled and late as often as they are said to be', (t) => {
  const heard = (text: string) => {
    const world = running();
    world.does(text);
    const before = world.traces.length;
    world.run(60_000);
    const after = world.traces.slice(before);
    const events = after.flatMap((trace) =>
      trace.kind === 'stepped' && trace.event.kind === 'heartbeat-received' && trace.event.link === 0
        ? [trace.event]
        : [],
    );
    const sent = after.flatMap((trace) =>
      trace.kind === 'stepped' ? trace.effects.filter(({ kind }) => kind === 'send-heartbeat') : [],
    );
    const late = events.filter(({ sequence }, index) => sequence < (events[index - 2]?.sequence ?? 0));
    return { share: events.length / sent.length, late: late.length };
  };
  t.true(Math.abs(heard('network lan loss=0.5').share - 1) < 0.02, 'the other segment');
  t.true(Math.abs(heard('network dedicated loss=0.3').share - 0.7) < 0.1);
  t.true(Math.abs(heard('network dedicated duplicate=0.4').share - 1.4) < 0.1);
  t.true(heard('network dedicated late=0.3 delay=900ms').late > 20);
});

test('a daemon that stands still: its packets wait, and are read before the time is looked at', (t) => {
  const world = running();
  world.does('pause-daemon secondary 6s');
  const before = world.of('stepped', 'secondary').length;
  world.run(5900);
  t.is(world.of('stepped', 'secondary').length, before);
  world.run(200);
  const events = world.of('stepped', 'secondary').slice(before);
  const kinds = events.map(({ event }) => event.kind);
  t.true(kinds.filter((kind) => kind === 'heartbeat-received').length > 30);
  t.true(kinds.indexOf('time-passed') > kinds.indexOf('heartbeat-received'));
  t.is(world.state('secondary')?.verdict.kind, 'alive');
  t.is(world.running('primary', mail), 'up');
});

test('a socket holds 200 packets, and those that come later are lost', (t) => {
  const world = running();
  world.does('pause-daemon secondary 90s');
  const before = world.of('stepped', 'secondary').length;
  world.run(90_001);
  const packets = world
    .of('stepped', 'secondary')
    .slice(before)
    .filter(({ event }) => event.kind === 'heartbeat-received' && event.link === 0);
  t.true(packets.length >= 200 && packets.length <= 202, `${packets.length}`);
});

test('a host that stands still does nothing at all, and then goes on', (t) => {
  const world = running({ disk: true });
  world.does('pause-host primary 1s');
  const before = world.traces.length;
  world.run(950);
  const meanwhile = world.traces.slice(before).filter((trace) => 'side' in trace && trace.side === 'primary');
  t.deepEqual(meanwhile, []);
  t.is(world.running('primary', mail), 'up');
  world.run(5000);
  t.is(world.phase('primary'), 'active');
  world.does('pause-host primary 10s');
  world.run(9000);
  t.not(world.storage('secondary', disk)?.connection, 'connected', 'its mirror has lost sight of it');
});

test('an operation that hangs is unknown at its deadline; one that is late takes effect after it', (t) => {
  for (const how of ['hangs', 'late'] as const) {
    const world = stage();
    world.does(`break primary ${mail} ${how}`);
    for (const side of sides) world.does(`start-daemon ${side}`);
    const outcomes = () =>
      world
        .of('operation', 'primary')
        .filter(({ resource, action }) => resource === mail && action === 'start')
        .flatMap(({ outcome }) => (typeof outcome === 'string' ? [] : [outcome.kind]));
    world.until('it is given up', () => outcomes().length > 0);
    t.deepEqual(outcomes(), ['unknown']);
    t.is(world.running('primary', mail), 'down');
    world.does(`break primary ${mail} ok`);
    const at = world.now();
    world.until('it is up', () => world.running('primary', mail) === 'up');
    if (how === 'late') t.true(world.now() - at < 3000);
  }
});

test('an operation that fails says so and changes nothing; a stuck process cannot be frozen either', (t) => {
  const world = stage();
  world.does(`break primary ${web} fails`);
  for (const side of sides) world.does(`start-daemon ${side}`);
  world.until('it is given up', () => world.phase('primary') === 'active');
  t.is(world.running('primary', web), 'down');
  t.true(world.notes('primary').some(({ code }) => code === 'quarantined'));
  world.does(`break primary ${mail} stuck`);
  world.does('cut primary lan');
  world.does('cut primary dedicated');
  world.until('it freezes', () => world.phase('primary') === 'frozen');
  world.run(5000);
  t.is(world.running('primary', mail), 'up');
});

test('a resource that is not there cannot be broken', (t) => {
  const world = stage();
  t.throws(() => world.does('break primary guest:nobody fails'), { message: /no resource "guest:nobody"/ });
});

test('what is done behind the daemon is seen by it', (t) => {
  const world = running();
  world.does(`guest-dies primary ${mail}`);
  world.until('it is started again', () => world.running('primary', mail) === 'up', 2000);
  t.true(world.notes('primary').some(({ code }) => code === 'resource-changed'));
  world.does('drivers primary silent');
  world.does(`stop-by-hand primary ${address}`);
  world.run(5000);
  t.is(world.running('primary', address), 'down', 'nobody told the daemon');
  world.does('drivers primary ok');
  world.until('it is put back', () => world.running('primary', address) === 'up', 2000);
});

test('a state file that is lost, old, or cannot be written', (t) => {
  const world = running();
  world.does('operator primary handover');
  world.until('secondary runs it', () => world.phase('secondary') === 'active');
  const known = () => world.state('primary')?.ledger.groups[0]?.generation;
  t.is(known(), 2);
  world.does('kill-daemon primary stays-down');
  world.does('state-file primary old');
  world.does('start-daemon primary');
  t.true((known() ?? 2) < 2);
  world.does('kill-daemon primary stays-down');
  world.does('state-file primary lost');
  world.does('start-daemon primary');
  t.is(known(), 0);
  world.does('state-disk primary full');
  world.does('operator primary takeover');
  world.run(3000);
  t.true(world.notes('primary').some(({ code }) => code === 'ledger-not-written'));
  world.does('kill-daemon primary');
  world.run(5000);
  t.false(world.daemonRuns('primary'), 'it does not start without its state file');
  world.does('state-disk primary ok');
  world.run(2000);
  t.true(world.daemonRuns('primary'));
});

test('maintenance outlives a loss of power, by the time that is left', (t) => {
  const world = running();
  world.does('operator primary maintenance 60s');
  world.run(1000);
  world.does('power-loss primary');
  world.run(5000);
  world.does('power-on primary');
  world.until('its daemon runs', () => world.daemonRuns('primary'));
  const state = world.state('primary');
  const leftMs = (state?.maintenanceUntil ?? 0) - (state?.now ?? 0);
  t.true(leftMs > 50_000 && leftMs < 54_000, `${leftMs}`);
});

test("the hosts' clocks are their own: they differ, and drift", (t) => {
  const world = running();
  const clocks = () => sides.map((side) => world.state(side)?.now ?? 0);
  const [first = 0, second = 0] = clocks();
  t.true(Math.abs(first - second) > 1000);
  world.does('clock-drift primary 500ppm');
  world.run(600_000);
  const [later = 0, other = 0] = clocks();
  const driftMs = later - first - (other - second);
  t.true(Math.abs(driftMs - 300) < 250, `${driftMs}`);
});

test('recorded packets are sent again: old ones are refused, kept-back ones arrive', (t) => {
  const world = running();
  const refused = (side: Side) => {
    const links = world.state(side)?.links ?? [];
    return links.reduce((sum, link) => sum + link.refused.replayed + link.refused['stale-incarnation'], 0);
  };
  world.does('kill-daemon primary');
  world.run(3000);
  const before = refused('secondary');
  world.does('replay secondary');
  world.run(500);
  t.true(refused('secondary') > before + 10);
  t.true((world.state('secondary')?.links[0]?.refused['stale-incarnation'] ?? 0) > 0);
  world.does('cut primary lan');
  world.run(2500);
  t.true(isSilentOn(world, 'secondary', 1));
  world.does('deliver-late secondary');
  world.run(1000);
  t.false(isSilentOn(world, 'secondary', 1));
});

test('a device that powers a host off does; one that lies does not; others fail in their own ways', (t) => {
  const outcome = (condition: string, before = 'kill-daemon primary stays-down') => {
    const world = running({ device: true });
    world.does(`fence-device primary ${condition}`);
    world.does(before);
    const told = () =>
      world.of('fencing', 'secondary').flatMap(({ outcome: of }) => (of === 'started' ? [] : [of.kind]));
    world.until('the device has answered', () => told().length > 0);
    const [first] = told();
    return { first, powered: world.powered('primary'), world };
  };
  const good = outcome('ok');
  t.is(good.first, 'done');
  t.false(good.powered);
  t.is(good.world.of('powered', 'primary')[0]?.why, 'fenced');
  const lying = outcome('lying');
  t.is(lying.first, 'done');
  t.true(lying.powered);
  t.is(lying.world.running('primary', mail), 'up');
  const failing = outcome('failing');
  t.is(failing.first, 'failed');
  t.true(failing.powered);
  t.is(outcome('dead-with-host', 'power-loss primary').first, 'failed');
  t.is(outcome('dead-with-host').first, 'done');
  t.is(outcome('ok', 'power-loss primary').first, 'done');
  const slow = outcome('slow');
  t.regex(slow.first ?? '', /done|unknown/);
  slow.world.until('it is off in the end', () => !slow.world.powered('primary'), 5000);
});

test('a device cannot be reached from a host that is off the LAN', (t) => {
  const world = running({ device: true });
  world.does('cut secondary lan');
  world.does('cut secondary dedicated');
  world.run(20_000);
  t.true(world.powered('primary'));
  for (const { outcome } of world.of('fencing', 'secondary')) {
    t.true(outcome === 'started' || outcome.kind !== 'done');
  }
});

test('a watchdog resets its host when the daemon stands still or is gone, and when the host stands still', (t) => {
  for (const fault of [
    'pause-daemon primary 5s',
    'kill-daemon primary stays-down',
    'pause-host primary 5s',
  ]) {
    const world = running({ lease: true });
    world.does(fault);
    const at = world.now();
    world.until('it is reset', () => !world.powered('primary'), 3000);
    t.true(world.now() - at > 800 && world.now() - at < 1300, `${fault}: ${world.now() - at} ms`);
    t.is(world.of('powered', 'primary')[0]?.why, 'watchdog');
    t.is(world.running('primary', mail), 'down');
    world.until('it has booted', () => world.daemonRuns('primary'), 3000);
  }
  const world = running({ lease: true });
  world.does('stop-daemon primary');
  world.run(10_000);
  t.true(world.powered('primary'), 'the daemon has closed it');
});

test('the lease is one holder’s until it has expired, and changes its term with its holder', (t) => {
  const world = running({ lease: true });
  t.is(world.leaseHolder(), 'primary');
  world.does('power-loss primary');
  const at = world.now();
  world.until('secondary has it', () => world.leaseHolder() === 'secondary');
  t.true(world.now() - at > 1500, 'not before it has expired');
  t.true(world.notes('secondary').some(({ message }) => message.includes('primary holds it')));
  t.deepEqual(
    world.of('lease').map(({ holder, term }) => [holder, term]),
    [
      ['primary', 1],
      ['secondary', 2],
    ],
  );
});

test('a witness that cannot be reached lends nothing; one whose answers are lost does so unheard', (t) => {
  const world = running({ lease: true });
  world.does('witness down');
  world.run(6000);
  t.is(world.leaseHolder(), null);
  world.does('witness answers-lost');
  world.run(3000);
  t.is(world.leaseHolder(), 'primary');
  t.true((world.state('primary')?.lease.validUntil ?? 0) < (world.state('primary')?.now ?? 0));
  world.does('witness up');
  world.run(3000);
  t.true((world.state('primary')?.lease.validUntil ?? 0) > (world.state('primary')?.now ?? 0));
});

test('guests need their device, hold it open, and cannot write while it is held back', (t) => {
  const world = running({ disk: true });
  t.is(world.storage('primary', disk)?.role, 'primary');
  t.is(world.running('primary', disk), 'up');
  t.is(world.of('promoted', 'primary')[0]?.newest, true);
  world.does(`start-by-hand secondary ${mail}`);
  t.is(world.running('secondary', mail), 'down', 'its device is not primary there');
  world.does('cut primary dedicated');
  world.run(1500);
  t.not(world.storage('primary', disk)?.connection, 'connected');
  world.does('mend primary dedicated');
  world.run(5000);
  t.is(world.storage('primary', disk)?.connection, 'connected');
});

test('DRBD asks the daemon what became of the peer, and stays frozen when nobody answers', (t) => {
  const answers: OutdatingAnswer[] = [];
  const world = running({ disk: true });
  world.does('kill-daemon primary stays-down');
  world.does('cut secondary dedicated');
  world.run(4000);
  t.is(world.storage('primary', disk)?.suspended, 'fencing');
  t.is(world.running('primary', disk), 'paused');
  t.is(world.of('stepped').filter(({ event }) => event.kind === 'outdating-requested').length, 0);

  const other = running({ disk: true });
  other.does('cut secondary dedicated');
  other.run(8000);
  const asked = other.of('stepped').filter(({ event }) => event.kind === 'outdating-requested');
  t.is(asked.length, 1);
  for (const { effects } of other.of('stepped')) {
    for (const effect of effects) if (effect.kind === 'answer-outdating') answers.push(effect.answer);
  }
  t.deepEqual(answers, ['outdated']);
  t.is(other.storage('secondary', disk)?.disk, 'outdated');
  t.is(other.storage('primary', disk)?.suspended, 'no');
});

test('a disk that fails is gone, and the group goes on where the copy is whole', (t) => {
  const world = running({ disk: true });
  world.does('disk-failure primary');
  world.run(3000);
  t.is(world.storage('primary', disk)?.disk, 'diskless');
  t.is(world.phase('primary'), 'stopped');
  t.is(world.phase('secondary'), 'active');
  t.is(world.storage('secondary', disk)?.role, 'primary');
  t.true(world.isNewest('secondary', disk));
  t.true(world.isNewest('primary', disk), 'it reads what its peer has');
});

test('a disk that was replaced is filled from the peer, and that is told', (t) => {
  const world = running({ disk: true });
  world.does('disk-failure primary');
  world.run(3000);
  world.does('replace-disk primary');
  t.is(world.storage('primary', disk)?.disk, 'diskless', 'nobody opens a host that has power');
  world.does('power-loss primary');
  world.does('replace-disk primary');
  world.does('power-on primary');
  world.until('it is filled', () => world.storage('primary', disk)?.disk === 'up-to-date');
  const seen = world.of('device', 'primary').map(({ disk: shown }) => shown);
  t.deepEqual(
    seen.filter((shown, index) => shown !== seen[index - 1]),
    ['up-to-date', 'diskless', 'unknown', 'inconsistent', 'up-to-date'].slice(seen[0] === 'diskless' ? 1 : 0),
  );
});

test('a file system that is let go writes once more, whoever is on it', (t) => {
  const world = stage({ disk: true, mounted: true });
  for (const guest of [mail, web]) world.does(`break primary ${guest} stuck`);
  for (const side of sides) world.does(`start-daemon ${side}`);
  world.until('it is mounted', () => world.running('primary', mount) === 'up');
  world.does('cut primary dedicated');
  world.run(3000);
  t.true(world.isNewest('secondary', disk), 'no guest has written');
  world.does('stop-daemon primary');
  world.until('it is let go', () => world.running('primary', mount) === 'down');
  t.false(world.isNewest('secondary', disk));
});

test('a world begins with daemons that have been running for long', (t) => {
  const protection = { disk: true, lease: true };
  const before = running(protection);
  const [primary, secondary] = sides.map((side) => before.state(side));
  if (primary == null || secondary == null) throw new Error('a daemon is missing');
  const world = stage(protection, { seed: 9, start: { primary, secondary } });
  world.run(10_000);
  t.is(world.phase('primary'), 'active');
  t.is(world.phase('secondary'), 'stopped');
  t.is(world.running('primary', mail), 'up');
  t.is(world.leaseHolder(), 'primary');
  const starts = world
    .of('operation')
    .filter(({ action, resource }) => action === 'start' && resource !== address);
  t.deepEqual(starts, [], 'nothing is started again');
  t.is(world.of('powered').length, 0);
  world.does('power-loss primary');
  world.run(1000);
  t.is(world.running('primary', mail), 'down');
});

test('daemons that a world begins with go on asking the gateway', (t) => {
  const fresh = (self: Side) => {
    const policy = protectedPolicy(self, {});
    return initialState({ at: 100_000, policy, incarnation: 1, ledger: emptyLedger });
  };
  const before = running();
  const [primary, secondary] = sides.map((side) => before.state(side));
  if (primary == null || secondary == null) throw new Error('a daemon is missing');
  for (const start of [
    { primary: fresh('primary'), secondary: fresh('secondary') },
    { primary, secondary },
  ]) {
    const world = stage({}, { start });
    world.run(10_000);
    for (const side of sides) {
      const answers = world
        .of('stepped', side)
        .filter(({ event }) => event.kind === 'probe-reported' && event.target === 'gateway');
      t.true(answers.length > 8, `${side}: ${answers.length} answers in ten seconds`);
    }
  }
});
