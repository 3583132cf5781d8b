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
