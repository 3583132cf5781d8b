// Two real cores in the modelled world: each fault of the table, and what must come of it.

import test from 'ava';
import { address, examplePolicy, mail, type Side, web } from '../sim/example.ts';
import { createWorld, type World } from '../sim/world.ts';

function bothUp(options: Parameters<typeof createWorld>[0] = {}): World {
  const world = createWorld(options);
  world.boot('primary');
  world.boot('secondary');
  world.runUntil(
    'primary runs the group',
    () => world.phase('primary') === 'active' && world.phase('secondary') === 'stopped',
  );
  world.run(5000);
  return world;
}

const startsOn = (world: World, side: Side) =>
  world.log.filter((line) => line === `${side} start ${mail}`).length;
const codes = (world: World, side: Side) => world.notes(side).map(({ code }) => code);

test('both nodes start together: the preferred one runs the group, the other one nothing', (t) => {
  const world = bothUp();
  t.is(world.resource('primary', mail), 'up');
  t.is(world.resource('secondary', address), 'down');
  t.is(startsOn(world, 'secondary'), 0);
  t.deepEqual(world.violations, []);
});

test('a node that starts alone with no record at all waits for initdead and then asks a person', (t) => {
  const world = createWorld();
  world.powerLoss('primary');
  world.boot('secondary');
  world.run(29_000);
  t.is(world.phase('secondary'), 'stopped');
  world.runUntil('secondary asks', () => world.phase('secondary') === 'blocked', 5000);
  t.is(world.ask('secondary', { kind: 'accept-data', groups: ['office'] }).kind, 'accepted');
  world.runUntil('secondary runs the group', () => world.phase('secondary') === 'active', 5000);
});

test('the active host loses power: the standby takes over within 1.1 deadtimes', (t) => {
  const world = bothUp();
  const at = world.now();
  world.powerLoss('primary');
  world.runUntil('secondary starts', () => world.phase('secondary') === 'starting', 10_000);
  t.true(world.now() - at <= 2200, `${world.now() - at} ms`);
  t.true(world.now() - at >= 1800, `${world.now() - at} ms`);
  world.runUntil('secondary runs everything', () => world.phase('secondary') === 'active');
  t.is(
    world.state('secondary').groups[0]?.phase.kind === 'active' &&
      world.state('secondary').ledger.groups[0]?.generation,
    2,
  );
});

test('the lost host returns as standby and nothing moves; a handover brings the group back', (t) => {
  const world = bothUp();
  world.powerLoss('primary');
  world.runUntil('takeover', () => world.phase('secondary') === 'active');
  world.run(10_000);
  world.boot('primary');
  world.run(10_000);
  t.is(world.phase('primary'), 'stopped');
  t.is(world.phase('secondary'), 'active');
  t.is(world.ask('secondary', { kind: 'handover', groups: [] }).kind, 'accepted');
  world.runUntil(
    'the group is back',
    () => world.phase('primary') === 'active' && world.phase('secondary') === 'stopped',
  );
  t.deepEqual(world.violations, []);
});

test('failback automatic: the preferred node gets the group back after it has been there for a while', (t) => {
  const world = bothUp({
    policy: (side) => examplePolicy(side, { failback: 'automatic', failbackDelayMs: 20_000 }),
  });
  world.powerLoss('primary');
  world.runUntil('takeover', () => world.phase('secondary') === 'active');
  world.boot('primary');
  world.run(15_000);
  t.is(world.phase('secondary'), 'active');
  world.runUntil(
    'failback',
    () => world.phase('primary') === 'active' && world.phase('secondary') === 'stopped',
  );
  t.deepEqual(world.violations, []);
});

test('the daemon is killed and restarted within deadtime: adopted, nothing is started or stopped again', (t) => {
  const world = bothUp();
  const before = world.log.length;
  world.killDaemon('primary');
  world.run(1000);
  world.boot('primary');
  world.run(10_000);
  t.is(world.phase('primary'), 'active');
  t.is(world.phase('secondary'), 'stopped');
  t.deepEqual(world.log.slice(before), [`primary start ${address}`], 'the address is only announced again');
});

test('the daemon is killed and stays away: unresponsive, an alarm, and no second copy of anything', (t) => {
  const world = bothUp();
  world.killDaemon('primary');
  world.run(60_000);
  t.is(world.state('secondary').verdict.kind, 'unresponsive');
  t.is(world.phase('secondary'), 'blocked');
  t.is(startsOn(world, 'secondary'), 0);
  t.true(codes(world, 'secondary').includes('peer-unresponsive'));
  t.is(world.ask('secondary', { kind: 'confirm-peer-off', node: 'primary', force: false }).kind, 'refused');
  world.powerLoss('primary');
  world.runUntil('takeover once it is really off', () => world.phase('secondary') === 'active');
  t.pass();
});

test('the dedicated segment is cut: a warning, nothing else', (t) => {
  const world = bothUp();
  const before = world.log.length;
  world.cut('primary', 'heartbeat');
  world.run(30_000);
  t.is(world.state('secondary').verdict.kind, 'alive');
  t.true(codes(world, 'secondary').includes('link-silent'));
  t.deepEqual(world.log.slice(before), []);
});

test('the active host loses the LAN while heartbeats go on: handed over to the node that has it', (t) => {
  const world = bothUp();
  world.cut('primary', 'lan');
  world.runUntil(
    'handover',
    () => world.phase('secondary') === 'active' && world.phase('primary') === 'stopped',
  );
  t.true(world.log.includes(`primary stop ${mail}`));
  world.mend('primary', 'lan');
  world.run(20_000);
  t.is(world.phase('secondary'), 'active');
  t.deepEqual(world.violations, []);
});

test('the standby is wholly cut off: it says isolated, starts nothing, and nothing moves after the heal', (t) => {
  const world = bothUp();
  const before = world.log.length;
  world.cut('secondary', 'heartbeat');
  world.cut('secondary', 'lan');
  world.run(30_000);
  t.is(world.state('secondary').verdict.kind, 'isolated');
  t.is(world.phase('secondary'), 'blocked');
  t.is(world.phase('primary'), 'active');
  world.mend('secondary', 'heartbeat');
  world.mend('secondary', 'lan');
  world.run(10_000);
  t.is(world.phase('secondary'), 'stopped');
  t.deepEqual(world.log.slice(before), []);
});

for (const seed of [1, 2, 3, 4, 5]) {
  test(`the active host is wholly cut off: frozen first, taken over a margin later, discarded after the heal (seed ${seed})`, (t) => {
    const world = bothUp({ seed });
    world.cut('primary', 'heartbeat');
    world.cut('primary', 'lan');
    world.runUntil('primary is frozen', () => world.phase('primary') === 'frozen');
    t.is(world.phase('secondary'), 'stopped');
    world.runUntil('secondary took over', () => world.phase('secondary') === 'active');
    t.is(world.resource('primary', mail), 'paused');
    t.is(world.resource('primary', address), 'down');
    world.run(20_000);
    t.is(world.phase('primary'), 'frozen');
    const before = world.log.length;
    world.mend('primary', 'heartbeat');
    world.mend('primary', 'lan');
    world.runUntil('primary discarded its copies', () => world.phase('primary') === 'stopped');
    t.is(world.phase('secondary'), 'active');
    t.true(
      world.log.slice(before).every((line) => line.startsWith('primary destroy')),
      'only the loser stops anything',
    );
    t.deepEqual(world.violations, []);
  });
}

test('every cable between the nodes is cut for less than deadtime: nothing moves', (t) => {
  const world = bothUp();
  const before = world.log.length;
  world.cut('secondary', 'heartbeat');
  world.cut('secondary', 'lan');
  world.run(1300);
  world.mend('secondary', 'heartbeat');
  world.mend('secondary', 'lan');
  world.run(10_000);
  t.deepEqual(world.log.slice(before), []);
});

test('a switch reboots: guests are paused, then resumed by the same owner, no takeover and no restart', (t) => {
  const world = bothUp();
  const before = world.log.length;
  for (const side of ['primary', 'secondary'] as const) {
    world.cut(side, 'heartbeat');
    world.cut(side, 'lan');
  }
  world.run(20_000);
  t.is(world.phase('primary'), 'frozen');
  t.is(world.phase('secondary'), 'blocked');
  for (const side of ['primary', 'secondary'] as const) {
    world.mend(side, 'heartbeat');
    world.mend(side, 'lan');
  }
  world.runUntil('primary goes on', () => world.phase('primary') === 'active');
  world.run(5000);
  const actions = world.log.slice(before);
  t.true(actions.includes(`primary resume ${mail}`) && actions.includes(`primary resume ${web}`));
  t.false(actions.some((line) => line.startsWith('secondary') || line === `primary start ${mail}`));
});

test('a graceful stop hands over, says goodbye and leaves nothing behind', (t) => {
  const world = bothUp();
  world.stop('primary');
  world.runUntil('handover and exit', () => world.phase('primary') === 'no daemon');
  world.runUntil('secondary runs it', () => world.phase('secondary') === 'active');
  t.is(world.resource('primary', mail), 'down');
  t.is(world.state('secondary').verdict.kind, 'departed');
  t.is(startsOn(world, 'secondary'), 1);
  t.deepEqual(world.violations, []);
});

test('a graceful stop with nobody to take over stops the guests in order', (t) => {
  const world = bothUp();
  world.powerLoss('secondary');
  world.run(10_000);
  world.stop('primary');
  world.runUntil('exit', () => world.phase('primary') === 'no daemon');
  t.true(world.log.includes(`primary stop ${mail}`));
});

test('a guest that cannot start is given up and reported; the address and the other guest are up', (t) => {
  const world = bothUp();
  world.breakResource('secondary', mail);
  world.powerLoss('primary');
  world.runUntil('secondary is active', () => world.phase('secondary') === 'active');
  t.is(world.resource('secondary', web), 'up');
  t.is(world.resource('secondary', address), 'up');
  t.is(world.resource('secondary', mail), 'down');
  t.true(codes(world, 'secondary').includes('quarantined'));
});

test('a stall of our own is not held against the peer', (t) => {
  const world = bothUp();
  const before = world.log.length;
  world.stall('secondary', 5000);
  world.run(15_000);
  t.is(world.phase('secondary'), 'stopped');
  t.is(world.phase('primary'), 'active');
  t.true(codes(world, 'secondary').includes('stalled'));
  t.deepEqual(world.log.slice(before), []);
});

test('a lone survivor goes on when the gateway goes away, since its peer is known to be gone', (t) => {
  const world = bothUp();
  world.powerLoss('primary');
  world.runUntil('takeover', () => world.phase('secondary') === 'active');
  world.run(10_000);
  world.gateway(false);
  world.run(60_000);
  t.is(world.phase('secondary'), 'active');
});

test('a crashed owner that boots alone does not start what its peer may have written to since', (t) => {
  const world = bothUp();
  world.powerLoss('primary');
  world.runUntil('takeover', () => world.phase('secondary') === 'active');
  world.powerLoss('secondary');
  world.boot('primary');
  world.run(120_000);
  t.is(world.phase('primary'), 'blocked');
  t.is(world.resource('primary', mail), 'down');
  t.is(world.ask('primary', { kind: 'takeover', groups: [] }).kind, 'refused');
  t.is(world.ask('primary', { kind: 'accept-data', groups: ['office'] }).kind, 'accepted');
  world.runUntil('the operator has taken the decision', () => world.phase('primary') === 'active');
  t.pass();
});

test('the sole owner that crashed and boots alone starts again', (t) => {
  const world = bothUp();
  world.powerLoss('primary');
  world.runUntil('takeover', () => world.phase('secondary') === 'active');
  world.run(10_000);
  world.powerLoss('secondary');
  world.boot('secondary');
  world.runUntil('it runs again', () => world.phase('secondary') === 'active', 40_000);
  t.pass();
});

test('both lose power and return: the last owner becomes active, not the preferred node', (t) => {
  const world = bothUp();
  t.is(world.ask('primary', { kind: 'handover', groups: [] }).kind, 'accepted');
  world.runUntil(
    'secondary owns it',
    () => world.phase('secondary') === 'active' && world.phase('primary') === 'stopped',
  );
  world.run(5000);
  world.powerLoss('primary');
  world.powerLoss('secondary');
  world.boot('primary');
  world.run(3000);
  world.boot('secondary');
  world.runUntil('somebody runs it', () => world.phase('secondary') === 'active');
  world.run(5000);
  t.is(world.phase('primary'), 'stopped');
  t.deepEqual(world.violations, []);
});

test('every path between the nodes is cut while both reach the outside: the limit of the evidence tier, and its end', (t) => {
  const world = bothUp();
  world.partition(true);
  world.runUntil('it runs twice', () => world.phase('secondary') === 'active');
  t.is(world.phase('primary'), 'active');
  t.not(world.violations.length, 0, 'the tier does not promise more');
  const before = world.log.length;
  world.partition(false);
  world.runUntil('the lower generation gives way', () => world.phase('primary') === 'stopped');
  world.run(5000);
  t.is(world.phase('secondary'), 'active');
  t.true(
    world.log.slice(before).every((line) => line.startsWith('primary destroy')),
    'only the loser stops anything',
  );
});

test('standby on hands everything over and takes nothing until standby off', (t) => {
  const world = bothUp();
  t.is(world.ask('primary', { kind: 'standby', on: true }).kind, 'accepted');
  world.runUntil(
    'handover',
    () => world.phase('secondary') === 'active' && world.phase('primary') === 'stopped',
  );
  world.powerLoss('secondary');
  world.run(20_000);
  t.is(world.phase('primary'), 'stopped');
  world.ask('primary', { kind: 'standby', on: false });
  world.runUntil('it takes over', () => world.phase('primary') === 'active');
  t.pass();
});

test('a node in maintenance touches nothing, nothing is taken from it, and it re-arms itself', (t) => {
  const world = bothUp();
  world.ask('primary', { kind: 'maintenance', durationMs: 120_000 });
  world.run(1000);
  const before = world.log.length;
  world.stop('primary');
  t.is(world.phase('primary'), 'no daemon');
  world.run(60_000);
  t.is(world.resource('primary', mail), 'up');
  t.is(startsOn(world, 'secondary'), 0);
  world.boot('primary');
  world.run(5000);
  t.is(world.phase('primary'), 'active');
  t.deepEqual(world.log.slice(before), []);
  world.run(120_000);
  t.is(world.state('primary').maintenanceUntil, null);
  world.setResource('primary', mail, 'down');
  world.runUntil('the guest is looked after again', () => world.resource('primary', mail) === 'up');
});

test('a guest started by hand on the node that does not own the group is stopped at once', (t) => {
  const world = bothUp();
  world.setResource('secondary', web, 'up');
  world.runUntil('it is stopped', () => world.resource('secondary', web) === 'down');
  world.runUntil('and the node is standby again', () => world.phase('secondary') === 'stopped');
  t.is(world.resource('primary', web), 'up');
});

test('an address that somebody removes is put back; a guest that dies is started again, but not for ever', (t) => {
  const world = bothUp();
  world.setResource('primary', address, 'down');
  world.runUntil('the address is back', () => world.resource('primary', address) === 'up');
  for (let count = 0; count < 12; count += 1) {
    world.setResource('primary', mail, 'down');
    world.run(3000);
  }
  t.is(world.resource('primary', mail), 'down');
  t.is(world.resource('primary', web), 'up');
});

for (const afterMs of [
  300, 600, 800, 900, 1000, 1100, 1200, 1300, 1500, 1800, 1950, 2050, 2500, 5000, 9000, 11_000, 13_000,
]) {
  test(`the cut moves from the standby to the active host after ${afterMs} ms: never two copies`, (t) => {
    const world = bothUp();
    world.cut('secondary', 'heartbeat');
    world.cut('secondary', 'lan');
    world.run(afterMs);
    world.cut('primary', 'heartbeat');
    world.cut('primary', 'lan');
    world.mend('secondary', 'heartbeat');
    world.mend('secondary', 'lan');
    world.run(60_000);
    t.deepEqual(world.violations, []);
    t.false(world.phase('primary') === 'active' && world.phase('secondary') === 'active');
    world.mend('primary', 'heartbeat');
    world.mend('primary', 'lan');
    world.run(10_000);
    t.deepEqual(
      [world.phase('primary'), world.phase('secondary')].toSorted(),
      ['active', 'stopped'],
      'one owner after the heal',
    );
    t.deepEqual(world.violations, []);
  });
}

test('a wish that cannot be carried out is forgotten after a minute, and that is said', (t) => {
  const world = bothUp();
  world.cut('secondary', 'heartbeat');
  world.cut('secondary', 'lan');
  t.is(world.ask('primary', { kind: 'handover', groups: [] }).kind, 'accepted');
  world.run(70_000);
  t.true(codes(world, 'primary').includes('request-expired'));
  t.is(world.phase('primary'), 'active');
  world.mend('secondary', 'heartbeat');
  world.mend('secondary', 'lan');
  world.run(10_000);
  t.is(world.phase('primary'), 'active');
});

test('nothing can be taken from a peer in maintenance', (t) => {
  const world = bothUp();
  world.ask('primary', { kind: 'maintenance', durationMs: 600_000 });
  world.run(1000);
  t.is(world.ask('secondary', { kind: 'takeover', groups: [] }).kind, 'refused');
});

test('a claim that the peer does not hear is not taken for granted: each node starts only by the other', (t) => {
  const world = createWorld();
  world.boot('primary');
  world.boot('secondary');
  world.runUntil(
    'primary asks',
    () => world.phase('primary') === 'claiming' || world.phase('primary') === 'starting',
  );
  world.runUntil('primary runs it', () => world.phase('primary') === 'active');
  t.is(world.state('secondary').groups[0]?.grant, null, 'the grant ends when it has been used');
  t.true(codes(world, 'primary').indexOf('claim') < codes(world, 'primary').indexOf('claim-granted'));
});
