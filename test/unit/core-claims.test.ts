// The agreement of two living nodes, and what the core may do with late, old or missing words of its peer.

import test from 'ava';
import { deriveTimings } from '../../daemon/core/policy.ts';
import { address, examplePolicy, mail, web } from '../sim/example.ts';
import { createWorld } from '../sim/world.ts';
import { activeReport, oneCore, ownRun } from './support/one-core.ts';

const started = (options: Parameters<typeof createWorld>[0] = {}) => {
  const world = createWorld(options);
  world.boot('primary');
  world.boot('secondary');
  world.runUntil(
    'primary runs it',
    () => world.phase('primary') === 'active' && world.phase('secondary') === 'stopped',
  );
  world.run(3000);
  return world;
};

/** A core that claims, and the id of its claim. */
function claiming() {
  const node = oneCore();
  node.see(1, 'down');
  node.hear(10);
  const phase = node.phase();
  if (phase?.kind !== 'claiming') throw new Error(`it does not claim, it is ${phase?.kind}`);
  return { ...node, claim: phase.claim.id };
}

test('a claim is not a start: nothing is started until the peer grants it', (t) => {
  const node = claiming();
  for (let at = 20; at < 700; at += 10) node.hear(at);
  t.is(node.phase()?.kind, 'claiming');
  t.deepEqual(node.asked, []);
  node.hear(700, { grant: { incarnation: ownRun, claim: node.claim } });
  t.is(node.phase()?.kind, 'starting');
  t.is(node.asked.length, 3);
});

test('a grant of another claim, or to another run of this node, is worth nothing', (t) => {
  const node = claiming();
  node.hear(20, { grant: { incarnation: ownRun, claim: node.claim + 1 } });
  node.hear(30, { grant: { incarnation: ownRun - 1, claim: node.claim } });
  t.is(node.phase()?.kind, 'claiming');
});

test('a grant that was long under way is worth nothing: its echo tells', (t) => {
  const node = claiming();
  const old = node.state().sequence;
  for (let at = 200; at < 2000; at += 200) node.hear(at);
  node.hear(2000, { grant: { incarnation: ownRun, claim: node.claim } }, { echo: old });
  t.is(node.phase()?.kind, 'claiming');
  node.hear(2010, { grant: { incarnation: ownRun, claim: node.claim } });
  t.is(node.phase()?.kind, 'starting');
});

test('words that were overtaken on another link do not count any more', (t) => {
  const node = claiming();
  node.hear(20, {}, { sequence: 100 });
  node.hear(30, { grant: { incarnation: ownRun, claim: node.claim } }, { sequence: 90, link: 1 });
  t.is(node.phase()?.kind, 'claiming', 'admitted on its link, but older than what is known');
  t.true(node.state().links[1]?.fresh);
});

test('a group that the peer does not know of, or a peer that has not been heard, may be held there', (t) => {
  const node = oneCore({ record: { generation: 4, owner: 'primary' } });
  node.see(1, 'up');
  t.is(node.phase()?.kind, 'active', 'adopted');
  node.feed(2, { kind: 'resource-observed', group: 'office', resource: mail, status: { kind: 'down' } });
  node.feed(50, { kind: 'time-passed' });
  t.deepEqual(node.asked, [], 'nothing is started before the peer was heard');
  node.hear(60, null);
  t.deepEqual(node.asked, [], 'nor when it does not speak of the group');
  node.hear(70, { generation: 4, owner: 'primary' });
  t.deepEqual(node.asked, [`start ${address}`, `start ${mail}`]);
});

test('nothing is concluded from a silence that was our own', (t) => {
  const node = oneCore();
  node.see(1, 'down');
  node.hear(10, activeReport);
  node.feed(150, { kind: 'probe-reported', target: 'gateway', result: 'answered' });
  node.feed(9000, { kind: 'probe-reported', target: 'gateway', result: 'answered' });
  node.feed(9000, { kind: 'probe-reported', target: 'peer-lan', result: 'unanswered' });
  t.is(node.state().verdict.kind, 'alive', 'it was we who did not run');
  t.is(node.state().stalls.count, 1);
});

test('a takeover waits for its time, counted from the last packet', (t) => {
  const node = oneCore({ self: 'secondary' });
  node.see(1, 'down');
  node.hear(1000, activeReport);
  const { takeoverAfterMs } = node.state().policy.timings;
  for (let at = 1050; at < 1000 + takeoverAfterMs; at += 50) {
    node.feed(at, { kind: 'probe-reported', target: 'gateway', result: 'answered' });
    node.feed(at, { kind: 'probe-reported', target: 'peer-lan', result: 'unanswered' });
    t.not(node.phase()?.kind, 'starting', `${at - 1000} ms`);
  }
  node.feed(1000 + takeoverAfterMs, { kind: 'time-passed' });
  t.is(node.phase()?.kind, 'starting');
});

test('a peer that cannot be asked is not called dead', (t) => {
  const node = oneCore({ self: 'secondary' });
  node.see(1, 'down');
  node.hear(1000, activeReport);
  for (let at = 1050; at < 20_000; at += 50) {
    node.feed(at, { kind: 'probe-reported', target: 'gateway', result: 'answered' });
    node.feed(at, { kind: 'probe-reported', target: 'peer-lan', result: 'failed' });
  }
  t.is(node.state().verdict.kind, 'unresponsive');
  t.is(node.phase()?.kind, 'blocked');
  t.deepEqual(node.asked, []);
});

test('a grant is binding while its claim stands, and ends when the claimer is gone', (t) => {
  const world = createWorld();
  world.boot('secondary');
  world.boot('primary');
  world.runUntil('secondary grants', () => world.state('secondary').groups[0]?.grant !== null);
  world.powerLoss('primary');
  world.runUntil('secondary takes over', () => world.phase('secondary') === 'active');
  t.deepEqual(world.violations, []);
});

test('a node whose drivers cannot tell yet what runs there may hold the group', (t) => {
  const world = createWorld();
  world.boot('primary', { observes: false });
  world.boot('secondary');
  world.run(20_000);
  t.is(world.phase('secondary'), 'stopped');
  t.is(world.phase('primary'), 'observing');
  world.observe('primary');
  world.runUntil('primary runs it', () => world.phase('primary') === 'active');
  t.deepEqual(world.violations, []);
});

for (const seed of [1, 2, 3]) {
  test(`at a handover the address moves at once, and no guest starts before the other has let go of all (seed ${seed})`, (t) => {
    const world = started({ seed, stopMs: 4000 });
    world.ask('primary', { kind: 'handover', groups: [] });
    world.runUntil('the address is at secondary', () => world.resource('secondary', address) === 'up', 1000);
    t.is(world.resource('primary', mail), 'up', 'guests still shut down');
    world.runUntil('secondary runs it all', () => world.phase('secondary') === 'active');
    t.deepEqual(world.violations, []);
    const started_ = world.log.indexOf(`secondary start ${mail}`);
    t.true(started_ > world.log.indexOf(`primary stop ${mail}`));
  });
}

test('the giver dies in the middle of a handover: the taker goes on once it is dead', (t) => {
  const world = started({ stopMs: 8000 });
  world.ask('primary', { kind: 'handover', groups: [] });
  world.runUntil('the address is at secondary', () => world.resource('secondary', address) === 'up', 1000);
  world.powerLoss('primary');
  world.runUntil('secondary runs it all', () => world.phase('secondary') === 'active');
  t.deepEqual(world.violations, []);
});

test('the taker dies in the middle of a handover: the giver takes everything back', (t) => {
  const world = started({ stopMs: 3000 });
  world.ask('primary', { kind: 'handover', groups: [] });
  world.runUntil('the address is at secondary', () => world.resource('secondary', address) === 'up', 1000);
  world.powerLoss('secondary');
  world.runUntil(
    'primary runs it again',
    () => world.phase('primary') === 'active' && world.resource('primary', mail) === 'up',
  );
  t.deepEqual(world.violations, []);
});

test('a start that a freeze overtakes is cancelled, and what came of it is paused or gone', (t) => {
  const world = createWorld({ startMs: 6000 });
  world.boot('primary');
  world.boot('secondary');
  world.runUntil('primary starts', () => world.log.includes(`primary start ${mail}`));
  world.cut('primary', 'heartbeat');
  world.cut('primary', 'lan');
  world.runUntil('primary is frozen', () => world.phase('primary') === 'frozen', 10_000);
  world.runUntil('secondary runs it', () => world.phase('secondary') === 'active', 60_000);
  t.true(world.log.includes('primary cancel'));
  t.not(world.resource('primary', mail), 'up');
  t.deepEqual(world.violations, []);
});

test('in maintenance nothing is started, stopped or paused, whatever is seen', (t) => {
  const world = started();
  world.ask('primary', { kind: 'maintenance', durationMs: 600_000 });
  world.run(1000);
  const before = world.log.length;
  world.setResource('primary', mail, 'down');
  world.cut('primary', 'heartbeat');
  world.cut('primary', 'lan');
  world.run(60_000);
  t.deepEqual(world.log.slice(before), []);
  t.is(world.phase('primary'), 'active');
  t.is(world.phase('secondary'), 'blocked');
});

test('maintenance that the peer has not heard of does not keep a node that is cut off from freezing', (t) => {
  const world = started();
  world.cut('primary', 'heartbeat');
  world.cut('primary', 'lan');
  world.ask('primary', { kind: 'maintenance', durationMs: 600_000 });
  world.runUntil('secondary takes over', () => world.phase('secondary') === 'active');
  t.is(world.phase('primary'), 'frozen');
  t.deepEqual(world.violations, []);
});

test('a handover that maintenance interrupts goes on when it is over', (t) => {
  const world = started({ stopMs: 2000 });
  world.ask('primary', { kind: 'handover', groups: [] });
  world.runUntil('primary lets go of the address', () => world.log.includes(`primary stop ${address}`));
  world.ask('primary', { kind: 'maintenance', durationMs: 60_000 });
  world.run(20_000);
  t.false(world.log.includes(`primary stop ${mail}`));
  world.ask('primary', { kind: 'maintenance', durationMs: 0 });
  world.runUntil('secondary runs it all', () => world.phase('secondary') === 'active');
  t.deepEqual(world.violations, []);
});

test('what was captured before a restart is a replay after it', (t) => {
  const world = started();
  world.powerLoss('primary');
  world.runUntil('secondary takes over', () => world.phase('secondary') === 'active');
  const { content, incarnation, lastSequence } = world.state('secondary').peer;
  if (content === null || incarnation === null) throw new Error('the peer was never heard');
  world.killDaemon('secondary');
  world.run(100);
  world.boot('secondary');
  const { incarnation: own } = world.state('secondary');
  for (const old of [incarnation, incarnation - 1]) {
    const echo = { incarnation: own - 1, sequence: 1 };
    const packet = { link: 0, incarnation: old, sequence: lastSequence, echo, content };
    world.inject('secondary', { kind: 'heartbeat-received', ...packet });
  }
  t.is(world.state('secondary').peer.unprovenHeardAt, null);
  t.is(world.state('secondary').peer.lastHeardAt, null);
  t.is(world.state('secondary').links[0]?.refused.replayed, 1);
});

for (const ask of ['handover', 'stop'] as const) {
  for (const stopMs of [3000, 8000]) {
    test(`an owner that is cut off while it lets go in order (${ask}, ${stopMs} ms) lets go at once`, (t) => {
      const world = started({ stopMs });
      if (ask === 'handover') world.ask('primary', { kind: 'handover', groups: [] });
      else world.stop('primary');
      world.runUntil('guests shut down', () => world.log.includes(`primary stop ${mail}`));
      world.cut('primary', 'heartbeat');
      world.cut('primary', 'lan');
      world.run(30_000);
      t.deepEqual(world.violations, []);
      t.is(world.resource('secondary', mail), 'up');
      t.is(world.resource('primary', mail), 'down');
    });
  }
}

test('maintenance that is extended while the peer cannot read it does not keep the node from freezing', (t) => {
  const world = started();
  world.ask('primary', { kind: 'maintenance', durationMs: 60_000 });
  world.run(1000);
  world.cut('primary', 'heartbeat');
  world.cut('primary', 'lan');
  world.run(10_000);
  world.ask('primary', { kind: 'maintenance', durationMs: 3_600_000 });
  world.run(300_000);
  t.deepEqual(world.violations, []);
});

for (const seed of [1, 2, 3, 4, 5, 6]) {
  test(`times that differ for a while, and a hiccup in the silence, do not make it run twice (seed ${seed})`, (t) => {
    const slow = { keepaliveMs: 200, warntimeMs: 800, deadtimeMs: 10_000, initdeadMs: 30_000 };
    const world = started({
      seed,
      startMs: 20,
      policy: (side) => ({
        ...examplePolicy(side),
        ...(side === 'primary' && { timings: deriveTimings(slow) }),
      }),
    });
    world.cut('primary', 'heartbeat');
    world.cut('primary', 'lan');
    world.run(60_000);
    t.deepEqual(world.violations, []);
    t.is(world.phase('secondary'), 'active');

    const other = started({ seed, startMs: 20 });
    other.cut('primary', 'heartbeat');
    other.cut('primary', 'lan');
    other.run(300 * seed);
    other.stall('primary', 250);
    other.run(60_000);
    t.deepEqual(other.violations, []);
  });
}

test('a taker that cannot write its state file gives the group back', (t) => {
  const world = started();
  world.breakDisk('secondary', true);
  world.ask('primary', { kind: 'handover', groups: [] });
  world.run(30_000);
  t.is(world.phase('primary'), 'active');
  t.is(world.resource('primary', mail), 'up');
  t.is(world.state('secondary').groups[0]?.phase.kind, 'stopped');
  world.breakDisk('secondary', false);
  world.run(5000);
  t.is(world.ask('primary', { kind: 'handover', groups: [] }).kind, 'accepted');
  world.runUntil('it can take it now', () => world.phase('secondary') === 'active');
  t.deepEqual(world.violations, []);
});

test('a dead gateway keeps nobody from running the group, and a person can take over without it', (t) => {
  const world = createWorld();
  world.gateway(false);
  world.boot('primary');
  world.boot('secondary');
  world.runUntil('the preferred node runs it', () => world.phase('primary') === 'active');
  world.run(20_000);
  world.powerLoss('primary');
  world.run(20_000);
  t.is(world.phase('secondary'), 'blocked', 'it cannot tell whether it is cut off itself');
  t.is(world.ask('secondary', { kind: 'confirm-peer-off', node: 'primary', force: false }).kind, 'accepted');
  world.runUntil('the operator decided', () => world.phase('secondary') === 'active');
});

test('an answer in the place of a peer that is off can be overruled by a person, and only by force', (t) => {
  const world = started();
  world.killDaemon('primary');
  world.run(10_000);
  const node = 'primary';
  t.is(world.ask('secondary', { kind: 'confirm-peer-off', node, force: false }).kind, 'refused');
  for (const id of [address, mail, web]) world.setResource('primary', id, 'down'); // It is off; a printer answers.
  t.is(world.ask('secondary', { kind: 'confirm-peer-off', node, force: true }).kind, 'accepted');
  world.runUntil('the operator decided', () => world.phase('secondary') === 'active');
});

test('a handover that its taker did not live to see is not carried out later', (t) => {
  const world = started();
  world.cut('secondary', 'heartbeat');
  world.cut('secondary', 'lan');
  world.ask('primary', { kind: 'handover', groups: [] });
  world.run(5000);
  world.mend('secondary', 'heartbeat');
  world.mend('secondary', 'lan');
  world.run(60_000);
  t.is(world.phase('primary'), 'active');
});

test('a frozen owner says what a takeover would mean, and does not pretend to take over', (t) => {
  const world = started();
  world.cut('primary', 'heartbeat');
  world.cut('primary', 'lan');
  world.runUntil('it freezes', () => world.phase('primary') === 'frozen');
  world.powerLoss('secondary');
  world.mend('primary', 'lan');
  world.run(10_000);
  t.is(world.phase('primary'), 'frozen');
  const answer = world.ask('primary', { kind: 'takeover', groups: [] });
  t.is(answer.kind, 'refused');
  t.regex(answer.kind === 'refused' ? answer.next : '', /fence confirm secondary/);
  world.ask('primary', { kind: 'confirm-peer-off', node: 'secondary', force: false });
  world.runUntil('it starts afresh', () => world.phase('primary') === 'active');
});

test('a standby that was cut off for long has met its peer only when that one hears it, too', (t) => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const world = started({ seed, startMs: 20 });
    world.cut('secondary', 'heartbeat');
    world.cut('secondary', 'lan');
    world.run(30_000);
    world.mend('secondary', 'heartbeat');
    world.mend('secondary', 'lan');
    world.runUntil('one packet arrives', () => world.state('secondary').verdict.kind === 'alive');
    world.cut('primary', 'heartbeat');
    world.cut('primary', 'lan');
    world.run(30_000);
    t.deepEqual(world.violations, [], `seed ${seed}`);
  }
});

test('a departing node whose drivers cannot tell what runs does not wait for ever, and says no goodbye', (t) => {
  const world = createWorld();
  world.boot('secondary');
  world.boot('primary', { observes: false });
  world.run(3000);
  world.stop('primary');
  world.runUntil('it ends', () => world.phase('primary') === 'no daemon', 20_000);
  t.not(world.state('secondary').verdict.kind, 'departed');
});
