// A daemon that was told to stop: it hands over or stops what it runs, says goodbye and is gone.

import test from 'ava';
import { address, examplePolicy, mail, protectedPolicy } from '../sim/example.ts';
import { type OneCore, oneCore, peerRun } from './support/one-core.ts';
import { maintenance, peerOff } from './support/requests.ts';
import { idle, ofPrimary, owner, seeShop, shop, starting, withShop } from './support/situations.ts';

const stop = (node: OneCore, at = node.state().now) => node.feed(at, { kind: 'stop-requested' });
const exits = (node: OneCore) => node.ofKind('exit').length;
const goodbyes = (node: OneCore) =>
  node
    .ofKind('send-heartbeat')
    .filter(({ content }) => content.leaving && content.groups[0]?.phase === 'stopped');

test('an idle daemon that is told to stop says goodbye three times and ends; told again, it does nothing more', (t) => {
  const node = idle({ persists: false });
  node.feed(2000, { kind: 'ledger-persisted', revision: node.state().ledgerRevision });
  stop(node);
  t.deepEqual(goodbyes(node), [], 'it is on record first');
  t.is(exits(node), 0);
  const record = node.ofKind('persist-ledger').at(-1);
  t.true(record?.ledger.left);
  const effects = node.feed(2010, { kind: 'ledger-persisted', revision: record?.revision ?? 0 });
  t.is(node.ofKind('send-heartbeat', effects).at(-1)?.content.leaving, true);
  t.is(effects.at(-1)?.kind, 'exit', 'and that is the last thing');
  const sequences = node.ofKind('send-heartbeat', effects).map(({ sequence }) => sequence);
  t.true(sequences.length >= 3);
  t.is(new Set(sequences).size, sequences.length, 'no packet is taken for a replay');
  t.is(goodbyes(node).length, 4, 'one since it is news, and three more');
  stop(node, 2500);
  node.go(4000);
  t.is(exits(node), 1);
  t.is(node.codes().filter((code) => code === 'stopping').length, 1);
});

test('it is gone only when the ledger is on disk', (t) => {
  const node = idle({ persists: false });
  stop(node);
  node.go(9000);
  t.is(exits(node), 0, 'however long that takes');
  const revision = node.ofKind('persist-ledger').at(-1)?.revision ?? 0;
  node.feed(9010, { kind: 'ledger-persisted', revision });
  t.is(exits(node), 1);
});

test('an owner offers its groups to a peer that could run them, and lets go once it is asked', (t) => {
  const node = owner();
  stop(node);
  t.is(node.report()?.offer, true);
  node.go(5000);
  t.is(node.phase()?.kind, 'active', 'it waits for the peer');
  t.is(exits(node), 0);
  node.go(5100, { peer: { ...ofPrimary, claim: { id: 1, reason: 'offered' } } });
  t.is(exits(node), 1);
  t.deepEqual(goodbyes(node).at(-1)?.content.groups[0]?.grant, { incarnation: peerRun, claim: 1 });
});

test('a peer that does not take what it is offered is waited for ten seconds, and no longer', (t) => {
  const node = owner();
  stop(node);
  node.go(12_000);
  t.is(node.phase()?.kind, 'active');
  node.go(12_001);
  t.true(node.codes().includes('leave'));
  node.go(13_000);
  t.is(exits(node), 1);
});

test('with nobody who could take it, a group is stopped in order at once', (t) => {
  const node = owner({}, { willing: false });
  stop(node);
  t.is(node.group().rule, 'leave');
  node.go(2050, { prompt: false });
  t.deepEqual(node.askedOf(address).at(-1), 'stop');
  t.is(exits(node), 0);
  node.finish(2060, address);
  t.deepEqual(node.askedOf(mail), ['stop']);
  node.go(3000, { prompt: true });
  t.is(exits(node), 1);
});

test('whether a peer that is late could take the group is not known yet: that is waited for', (t) => {
  const node = owner();
  node.go(3000, { peer: null });
  t.is(node.state().verdict.kind, 'late');
  stop(node);
  t.is(node.phase()?.kind, 'active');
  node.go(4500);
  t.is(node.state().verdict.kind, 'dead');
  t.true(node.codes().includes('leave'));
});

test('nor is it before the peer has been heard at all', (t) => {
  const node = starting();
  const fresh = oneCore({ record: ofPrimary });
  fresh.see(1, 'up');
  fresh.go(1000, { peer: null });
  t.is(fresh.state().verdict.kind, 'listening');
  stop(fresh);
  fresh.go(1500);
  t.is(fresh.phase()?.kind, 'active');
  stop(node);
  t.is(node.phase()?.kind, 'starting', 'a start goes on while somebody could take the group afterwards');
});

test('a start is broken off when nobody could take the group, unless it is complete', (t) => {
  const node = starting();
  node.hear(1060, { willing: false });
  stop(node);
  t.is(node.group().rule, 'leave-while-starting');
  t.is(node.phase()?.kind, 'stopping');
  t.is(node.ofKind('cancel-operation').length, 3);
  node.go(8000, { peer: { willing: false }, prompt: true });
  t.is(exits(node), 1);
});

test('a group that is frozen is discarded by a daemon that leaves', (t) => {
  const node = owner();
  node.go(5000, { peer: null, gateway: 'unanswered' });
  t.is(node.phase()?.kind, 'frozen');
  stop(node);
  t.is(node.group().rule, 'discard-when-fenced');
  node.go(6000);
  t.is(exits(node), 1);
});

test('a daemon does not end while one of its groups is not down', (t) => {
  const policy = withShop(examplePolicy('primary'));
  const node = oneCore({ policy });
  node.see(1, 'down');
  seeShop(node, 1, 'up', 'down');
  node.go(1000, { peer: { willing: false } });
  stop(node);
  node.go(3000);
  t.is(exits(node), 0);
  node.feed(3010, { kind: 'resource-observed', group: 'shop', resource: shop, status: { kind: 'down' } });
  node.go(4000);
});

test('a daemon whose drivers cannot tell what runs waits for five seconds, and ends without a goodbye', (t) => {
  const node = oneCore();
  node.go(1000);
  stop(node);
  node.go(6000);
  t.is(exits(node), 0);
  const before = node.ofKind('send-heartbeat').length;
  const effects = node.feed(6001, { kind: 'time-passed' });
  t.is(exits(node), 1);
  t.is(node.ofKind('send-heartbeat', effects).length, 0);
  node.go(7000);
  t.is(exits(node), 1);
  t.true(before > 0);
});

test('one group of which nothing can be told is enough for that; a daemon that knows does not wait', (t) => {
  const node = oneCore({ policy: withShop(examplePolicy('primary')) });
  node.see(1, 'down');
  node.go(1000, { peer: { willing: false } });
  t.is(node.state().groups[1]?.phase.kind, 'observing');
  stop(node);
  node.go(6001);
  t.is(exits(node), 1);
});

for (const [what, willing, isUp] of [
  ['stops another group in order', false, true],
  ['waits for its peer to take another group', true, true],
  ['is starting another group', true, false],
] as const) {
  test(`nor does it end so while it ${what}`, (t) => {
    const policy = withShop(examplePolicy('primary'));
    const node = isUp ? oneCore({ policy, record: ofPrimary }) : starting(policy);
    if (isUp) node.see(1, 'up');
    node.go(1100, { peer: { ...(isUp && ofPrimary), willing: true } });
    node.go(1150, { peer: { ...(isUp && ofPrimary), willing }, prompt: false });
    stop(node);
    t.is(node.phase()?.kind, isUp ? (willing ? 'active' : 'stopping') : 'starting');
    node.go(7000);
    t.is(exits(node), 0);
    node.go(20_000, { prompt: true, peer: { willing: false } });
    t.is(exits(node), 1);
  });
}

test('nor while a group is frozen that its peer could take', (t) => {
  const node = oneCore({ policy: withShop(examplePolicy('primary')), record: ofPrimary });
  node.see(1, 'up');
  node.go(1000, { peer: ofPrimary });
  node.go(4000, { peer: null, gateway: 'unanswered' });
  node.go(4100, { peer: ofPrimary, gateway: 'answered' });
  stop(node);
  node.go(10_000);
  t.is(node.phase()?.kind, 'frozen');
  t.is(exits(node), 0);
});

test('in maintenance a daemon ends at once, touches nothing and says no goodbye: what runs stays', (t) => {
  const node = owner();
  node.request(2000, maintenance);
  node.asked.length = 0;
  const effects = stop(node, 2010);
  t.is(exits(node), 1);
  t.deepEqual(node.asked, []);
  t.false(node.ofKind('send-heartbeat', effects).some(({ content }) => content.leaving));
  node.go(3000);
  t.is(exits(node), 1);
});

const policy = protectedPolicy('primary', { lease: true });

test('a daemon that ends in maintenance disarms its watchdog when its peer is called off by a person', (t) => {
  const node = oneCore({ policy, record: ofPrimary });
  node.see(1, 'up');
  node.go(2000, { peer: ofPrimary, witness: { kind: 'held', term: 1, peerAlone: [] } });
  t.true(node.state().watchdog.armed);
  node.go(6000, { peer: null });
  node.request(6000, { ...peerOff, node: 'secondary' });
  t.is(node.request(6000, maintenance).kind, 'accepted');
  stop(node);
  t.is(node.ofKind('disarm-watchdog').length, 1);
  t.is(exits(node), 1);
});

test('no goodbye is said to a peer that is not there: it could be taken up by one that cannot be heard', (t) => {
  const node = owner();
  node.go(9000, { peer: null });
  t.is(node.state().verdict.kind, 'dead');
  stop(node);
  node.go(9500);
  t.is(exits(node), 1);
  t.deepEqual(goodbyes(node), []);
  t.false(node.state().ledger.left);
});

const left = { left: true } as const;

test('back after a goodbye, the silence of the peer proves nothing, whatever the record says: a person is asked', (t) => {
  const node = oneCore({ record: { ...ofPrimary, sole: true }, ledger: left });
  node.see(1, 'down');
  node.go(40_000, { peer: null });
  t.is(node.state().verdict.kind, 'dead');
  t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'left-to-peer' });
  const isOff = { kind: 'confirm-peer-off', node: 'secondary', force: false } as const;
  t.is(node.request(40_000, isOff).kind, 'accepted');
  node.go(40_100);
  t.is(node.phase()?.kind, 'active');
});

test('nor does the lease prove it: the peer needs none while it knows of the goodbye', (t) => {
  const policy = protectedPolicy('primary', { lease: true });
  const held = { kind: 'held', term: 4, peerAlone: [] } as const;
  for (const ledger of [left, {}]) {
    const node = oneCore({ policy, record: { ...ofPrimary, sole: true }, ledger });
    node.see(1, 'down');
    node.go(60_000, { peer: null, witness: held });
    const isLeft = ledger === left;
    t.is(node.state().verdict.kind, isLeft ? 'dead' : 'fenced');
    t.is(node.phase()?.kind, isLeft ? 'blocked' : 'active');
  }
});

test('a device that has powered the peer off proves it also after a goodbye', (t) => {
  const policy = protectedPolicy('primary', { device: true });
  const node = oneCore({ policy, record: { ...ofPrimary, sole: true }, ledger: left });
  node.see(1, 'down');
  node.go(60_000, { peer: null });
  t.is(node.state().fence.operation === null, false, 'it is asked');
});

test('the goodbye is over once the peer has read of the return, and not by being heard alone', (t) => {
  const node = oneCore({ record: ofPrimary, ledger: left });
  node.see(1, 'down');
  node.go(1000, { hearsUs: false });
  t.true(node.state().ledger.left);
  node.go(2000, { hearsUs: true });
  t.false(node.state().ledger.left);
  t.false(node.ofKind('persist-ledger').at(-1)?.ledger.left);
  node.go(9000, { peer: null });
  t.is(node.phase()?.kind, 'active', 'then its silence counts as ever');
});
