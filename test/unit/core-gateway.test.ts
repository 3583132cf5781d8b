// When a gateway counts as lost, and the node therefore says that it cannot serve the LAN.

import test from 'ava';
import { examplePolicy } from '../sim/example.ts';
import { type OneCore, oneCore } from './support/one-core.ts';
import { ofPrimary, owner } from './support/situations.ts';

const heardAt = 2000;
const saysLan = (node: OneCore) => node.ofKind('send-heartbeat').at(-1)?.content.lan;

test('a gateway is lost when it has been asked and has not answered for more than five seconds', (t) => {
  const node = owner();
  node.go(heardAt + 5000, { gateway: 'unanswered' });
  t.true(saysLan(node));
  node.go(heardAt + 5200);
  t.false(saysLan(node));
  node.go(heardAt + 5400, { gateway: 'answered' });
  t.true(saysLan(node));
});

test('a gateway that never answered is lost as long after the start', (t) => {
  const node = oneCore({ record: ofPrimary });
  node.see(1, 'up');
  node.go(5000, { peer: ofPrimary, gateway: 'unanswered' });
  t.true(saysLan(node));
  node.go(5200);
  t.false(saysLan(node));
});

test('with a long deadtime, a gateway is lost after twice that time', (t) => {
  const plain = examplePolicy('primary');
  const policy = { ...plain, timings: { ...plain.timings, deadtimeMs: 4000 } };
  const node = owner({ policy });
  node.go(heardAt + 8000, { gateway: 'unanswered' });
  t.true(saysLan(node));
  node.go(heardAt + 8200);
  t.false(saysLan(node));
});

test('a gateway that could not be asked for that long is not taken for lost', (t) => {
  const node = owner();
  node.go(heardAt + 400, { gateway: 'unanswered' });
  node.go(heardAt + 5200, { gateway: 'failed' });
  t.false(saysLan(node), 'the last question was of less than five seconds ago');
  node.go(heardAt + 5400);
  t.true(saysLan(node));
});

test('a gateway that could never be asked is not taken for lost either', (t) => {
  const node = oneCore({ record: ofPrimary });
  node.see(1, 'up');
  node.go(8000, { peer: ofPrimary, gateway: 'failed' });
  t.true(saysLan(node));
});

test('after a stall of our own a gateway is given the same time once more', (t) => {
  const node = owner();
  node.go(8000, { gateway: 'unanswered' });
  t.false(saysLan(node));
  node.hear(10_000, ofPrimary);
  t.is(node.state().stalls.lastAt, 10_000);
  t.true(saysLan(node));
  node.go(15_000);
  t.true(saysLan(node));
  node.go(15_200);
  t.false(saysLan(node));
});

test('of two gateways one that answers is enough, and none at all is no reason to complain', (t) => {
  const plain = examplePolicy('primary');
  const second = { id: 'second', kind: 'gateway' } as const;
  const node = owner({ policy: { ...plain, probes: [...plain.probes, second] } });
  for (let at = 2200; at <= 10_000; at += 200) {
    node.go(at, { gateway: 'unanswered' });
    node.probe(at, 'second', 'answered');
  }
  t.true(saysLan(node));
  for (let at = 10_200; at <= 16_000; at += 200) {
    node.go(at);
    node.probe(at, 'second', 'unanswered');
  }
  t.false(saysLan(node));
  const without = owner({
    policy: { ...plain, probes: plain.probes.filter(({ kind }) => kind !== 'gateway') },
  });
  without.go(10_000);
  t.true(saysLan(without));
});

test('what the addresses of the peer answer says nothing of the gateway', (t) => {
  const node = owner();
  for (let at = 2200; at <= 10_000; at += 200) {
    node.go(at, { gateway: 'unanswered' });
    node.probe(at, 'peer-lan', 'answered');
  }
  t.false(saysLan(node));
});

const several = (self: 'primary' | 'secondary' = 'primary', changes = {}) => {
  const plain = examplePolicy(self, changes);
  const more = ['second', 'third'].map((id) => ({ id, kind: 'gateway' }) as const);
  return { ...plain, probes: [...plain.probes, ...more] };
};

const steadyMs = 15 * several().timings.deadtimeMs;
const offered = (node: OneCore) => node.group().offer?.reason ?? null;

/** Time passes; the gateway itself answers, and of the two others those that are named. */
function goWith(node: OneCore, until: number, answering: readonly string[], says = {}) {
  for (let at = node.state().now + 200; at <= until; at += 200) {
    node.go(at, { says });
    for (const id of ['second', 'third'])
      node.probe(at, id, answering.includes(id) ? 'answered' : 'unanswered');
  }
}

const saysGateways = (node: OneCore) => node.ofKind('send-heartbeat').at(-1)?.content.gateways;

test('a node says how many gateways answer; without any there is nothing to compare', (t) => {
  const node = owner({ policy: several() });
  goWith(node, 10_000, ['second', 'third']);
  t.is(saysGateways(node), 3);
  goWith(node, 16_000, ['third']);
  t.is(saysGateways(node), 2);
  const one = owner();
  one.go(10_000);
  t.is(saysGateways(one), 1);
  const plain = examplePolicy('primary');
  const none = owner({ policy: { ...plain, probes: plain.probes.filter(({ kind }) => kind !== 'gateway') } });
  none.go(10_000);
  t.is(saysGateways(none), null);
});

test('a group goes to a peer that has reached more gateways for long enough, without a gap', (t) => {
  const node = owner({ policy: several() });
  goWith(node, 40_000, ['second', 'third'], { gateways: 3 });
  goWith(node, 46_000, ['second'], { gateways: 3 });
  const since = node.state().outside.fewerSince ?? Number.NaN;
  t.true(since > 44_000 && since < 46_000);
  goWith(node, since + steadyMs - 100, ['second'], { gateways: 3 });
  t.is(offered(node), null);
  goWith(node, since + steadyMs + 300, ['second'], { gateways: 3 });
  t.is(offered(node), 'outside');
  goWith(node, since + steadyMs + 800, ['second', 'third'], { gateways: 3 });
  t.is(offered(node), null, 'as good as the peer again');
  t.is(node.state().outside.fewerSince, null);
});

test('a peer that is better connected for a moment again and again gets nothing', (t) => {
  const node = owner({ policy: several() });
  goWith(node, 40_000, ['second', 'third'], { gateways: 3 });
  for (let round = 0; round < 6; round += 1) {
    goWith(node, node.state().now + steadyMs - 2000, ['second'], { gateways: 3 });
    goWith(node, node.state().now + 600, ['second', 'third'], { gateways: 3 });
    t.is(offered(node), null);
  }
});

for (const [why, says, report] of [
  ['reaches as many', { gateways: 2 }, {}],
  ['reaches fewer', { gateways: 1 }, {}],
  ['does not say', { gateways: null }, {}],
  ['has another configuration', { gateways: 3, configDigest: 'other' }, {}],
  ['would not take it', { gateways: 3 }, { willing: false }],
] as const) {
  test(`nothing moves to a peer that ${why}`, (t) => {
    const node = owner({ policy: several() });
    goWith(node, 40_000, ['second', 'third'], { gateways: 3 });
    node.go(40_200, { peer: { ...ofPrimary, ...report } });
    goWith(node, 46_000 + 2 * steadyMs, ['second'], says);
    t.is(saysGateways(node), 2);
    t.is(offered(node), null);
  });
}

const failbackDelayMs = 10_000;

test('an automatic failback waits until the preferred node has not been worse connected for its time', (t) => {
  const policy = several('primary', { failback: 'automatic', preferred: 'secondary', failbackDelayMs });
  const node = owner({ policy });
  goWith(node, 60_000, ['second', 'third'], { gateways: 2 });
  t.is(offered(node), null);
  const lastAt = node.state().outside.peerFewerAt ?? Number.NaN;
  goWith(node, lastAt + failbackDelayMs - 300, ['second', 'third'], { gateways: 3 });
  t.is(offered(node), null);
  goWith(node, lastAt + failbackDelayMs + 600, ['second', 'third'], { gateways: 3 });
  t.is(offered(node), 'failback');
});

test('also without a time to wait, an automatic failback is not to a node that is worse connected', (t) => {
  const policy = several('primary', { failback: 'automatic', preferred: 'secondary', failbackDelayMs: 0 });
  const node = owner({ policy });
  goWith(node, 60_000, ['second', 'third'], { gateways: 2 });
  t.is(offered(node), null);
});
