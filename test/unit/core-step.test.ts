// One event in: what is taken in of it, what is noted and sent, and when the core wants to be woken next.

import test from 'ava';
import type { HeartbeatContent } from '../../daemon/core/heartbeat.ts';
import type { Policy } from '../../daemon/core/policy.ts';
import { address, examplePolicy, mail, protectedPolicy, web } from '../sim/example.ts';
import { apart, mirrored, type OneCore, oneCore, ownRun, peerRun } from './support/one-core.ts';
import { handover, maintenance } from './support/requests.ts';
import {
  idle,
  ofPrimary,
  owner,
  ownerOfTwo,
  phases,
  shop,
  starting,
  withShop,
} from './support/situations.ts';

const failed = { kind: 'failed', code: 'x', message: 'no memory' } as const;
const { keepaliveMs } = examplePolicy('primary').timings;

const notes = (node: OneCore, code: string) =>
  node
    .ofKind('note')
    .map(({ note }) => note)
    .filter((note) => note.code === code);
const sent = (node: OneCore) => node.ofKind('send-heartbeat').length;

test('an operation that ends is noted with its time, one that fails with what its driver said', (t) => {
  const node = starting();
  node.finish(1450, mail);
  const done = notes(node, 'operation-done').at(-1);
  t.like(done, { severity: 'info', message: `start ${mail}`, tookMs: 400, group: 'office' });
  node.finish(1550, web, failed);
  const failure = notes(node, 'operation-failed').at(-1);
  t.like(failure, { severity: 'warning', message: `start ${web}: failed: no memory`, tookMs: 500 });
});

test('that a guest is given up is said once, whatever comes of its stop', (t) => {
  const node = starting();
  for (const at of [1100, 3000, 8000]) {
    node.go(at);
    node.finish(at, mail, failed);
  }
  node.seeOne(8005, mail, { kind: 'unknown', message: 'no answer in time' });
  t.is(notes(node, 'quarantined').length, 1);
  node.feed(8010, { kind: 'stop-requested' });
  node.go(30_000, { peer: { willing: false }, prompt: true });
  t.is(node.askedOf(mail).at(-1), 'stop');
  t.is(node.ofKind('exit').length, 1);
  t.is(notes(node, 'quarantined').length, 1);
});

test('the end of an operation that nobody asked for, or that has ended, changes nothing', (t) => {
  const node = starting();
  const id = node.resource(mail).operation?.id ?? 0;
  node.finish(1060, mail);
  node.feed(1070, { kind: 'operation-finished', operation: id, outcome: failed });
  node.feed(1070, { kind: 'operation-finished', operation: 999, outcome: failed });
  t.is(node.resource(mail).status?.kind, 'up');
  t.is(notes(node, 'operation-failed').length, 0);
});

test('no two operations have the same id, of whatever kind they are', (t) => {
  const node = starting(protectedPolicy('primary', { lease: true }));
  node.go(3000, { prompt: true, witness: { kind: 'held', term: 1, peerAlone: [] } });
  node.request(3000, handover);
  node.go(3500, { peer: { claim: { id: 1, reason: 'offered' } } });
  const ids = [
    ...node.ofKind('start-operation'),
    ...node.ofKind('request-lease'),
    ...node.ofKind('arm-watchdog'),
  ].map(({ operation }) => operation);
  t.true(ids.length > 6);
  t.is(new Set(ids).size, ids.length);
});

test('a guest of an active group that changes by itself is noted, once; so is that nothing can be told of it', (t) => {
  const node = owner();
  node.go(2050, { prompt: false });
  node.seeOne(2060, mail, { kind: 'down' });
  node.seeOne(2070, web, { kind: 'unknown', message: 'its monitor does not answer' });
  node.seeOne(2080, web, { kind: 'unknown', message: 'its monitor does not answer' });
  node.seeOne(2090, web, { kind: 'unknown', message: 'its monitor speaks nonsense' });
  t.deepEqual(
    notes(node, 'resource-changed').map(({ message, severity }) => `${severity} ${message}`),
    [
      `warning ${mail} is down`,
      `warning ${web} is unknown: its monitor does not answer`,
      `warning ${web} is unknown: its monitor speaks nonsense`,
    ],
  );
  const calm = idle();
  calm.seeOne(2010, mail, { kind: 'up' });
  t.is(notes(calm, 'resource-changed').length, 0, 'elsewhere it is a stray one');
  t.is(notes(starting(), 'resource-changed').length, 0);
});

test('what is seen of a resource while it is being started or stopped is not taken in', (t) => {
  const node = starting();
  node.seeOne(1060, mail, { kind: 'up' });
  t.is(node.resource(mail).status?.kind, 'down');
  node.seeOne(1060, 'guest:other', { kind: 'up' });
  node.feed(1060, { kind: 'resource-observed', group: 'attic', resource: mail, status: { kind: 'up' } });
  t.is(node.phase()?.kind, 'starting', 'nor what is no part of any group');
});

test('what is seen, shown and asked of a disk is of the group that it belongs to', (t) => {
  const policy = protectedPolicy('primary', { disk: true });
  const [office] = policy.groups;
  if (office === undefined) throw new Error('there is no group');
  const other = { ...office, name: 'shop', resources: [] };
  const node = oneCore({ policy: { ...policy, groups: [other, office] }, record: ofPrimary });
  const second = () => node.state().groups[1];
  const inOffice = { group: 'office', resource: 'drbd:r0' };
  for (const id of [address, mail, web])
    node.feed(1, { kind: 'resource-observed', group: 'office', resource: id, status: { kind: 'up' } });
  node.feed(1, { kind: 'storage-observed', ...inOffice, storage: { ...mirrored, role: 'primary' } });
  t.is(second()?.phase.kind, 'active');
  node.feed(2, { kind: 'outdating-requested', ...inOffice, id: 7 });
  t.deepEqual(second()?.resources.find(({ id }) => id === 'drbd:r0')?.outdatings, [7]);
});

test('of two groups whose disks wait for an answer, the one that is proven is answered', (t) => {
  const node = oneCore({ policy: protectedPolicy('primary', { disk: true }), record: ofPrimary });
  node.see(1, 'up');
  node.show(1, { role: 'primary' });
  node.go(2000, { peer: ofPrimary });
  node.show(2010, apart);
  t.deepEqual(node.outdatings(), []);
  node.hear(2020, { ...ofPrimary, outdated: true });
  t.deepEqual(node.outdatings(), [], 'nobody has asked');
  node.askOutdating(2030, 7);
  t.deepEqual(node.outdatings(), ['7 outdated']);
});

test('of a group that is nothing but a disk the question of DRBD is answered as well', (t) => {
  const plain = protectedPolicy('primary', { disk: true });
  const policy: Policy = {
    ...plain,
    probes: plain.probes.filter(({ kind }) => kind !== 'floating'),
    groups: plain.groups.map((group) => ({
      ...group,
      resources: group.resources.filter(({ kind }) => kind === 'drbd'),
    })),
  };
  const node = oneCore({ policy, record: ofPrimary });
  node.show(1, { role: 'primary' });
  node.go(2000, { peer: ofPrimary });
  node.show(2010, apart);
  node.askOutdating(2020, 7);
  node.hear(2030, { ...ofPrimary, outdated: true });
  t.deepEqual(node.outdatings(), ['7 outdated']);
});

test('a link that is not heard any more is noted by its name, with what its driver says of it', (t) => {
  const node = owner();
  node.hear(2010, ofPrimary, { link: 1 });
  node.feed(2020, { kind: 'link-observed', link: 1, down: 'no such interface' });
  node.go(5000);
  const silent = notes(node, 'link-silent');
  t.is(silent.length, 1);
  t.regex(silent[0]?.message ?? '', /not heard on eth0 unicast: no such interface/);
  t.is(node.state().links[0]?.down, null);
});

test('a policy that is replaced holds at once, for each group by its name', (t) => {
  const node = ownerOfTwo();
  const plain = withShop(examplePolicy('primary'));
  const slow = (group: Policy['groups'][number], stopMs: number) => ({
    ...group,
    resources: group.resources.map((resource) => ({ ...resource, stopMs })),
  });
  const [office, shopOf] = plain.groups;
  if (office === undefined || shopOf === undefined) throw new Error('there are two groups');
  const timings = { ...plain.timings, keepaliveMs: 400 };
  const policy = { ...plain, timings, groups: [slow(shopOf, 70_000), slow(office, 60_000)] };
  node.feed(2010, { kind: 'policy-replaced', policy });
  t.deepEqual(phases(node), ['active', 'active'], 'nothing moves because of that');
  node.feed(2010, { kind: 'stop-requested' });
  node.go(14_000);
  const deadlines = new Map(
    node.ofKind('start-operation').map(({ resource, deadlineMs }) => [resource, deadlineMs]),
  );
  t.is(deadlines.get(address), 60_000);
  t.is(deadlines.get(shop), 70_000);
  const [before, last] = node.state().sent.slice(-2);
  t.true((last?.at ?? 0) - (before?.at ?? 0) <= 400);
});

test('a group that a new policy does not name is kept as it is', (t) => {
  const node = ownerOfTwo();
  node.feed(2010, { kind: 'policy-replaced', policy: examplePolicy('primary') });
  t.is(node.state().groups[1]?.policy.name, 'shop');
});

test('heartbeats go out at every keepalive, and at once when there is something new to say', (t) => {
  const node = owner();
  const count = sent(node);
  const last = node.state().sent.at(-1)?.at ?? 0;
  node.pass(last + keepaliveMs - 1);
  t.is(sent(node), count);
  node.pass(last + keepaliveMs);
  t.is(sent(node), count + 1);
  node.seeOne(last + keepaliveMs + 10, mail, { kind: 'paused' });
  t.is(sent(node), count + 2);
  t.is(node.state().nextHeartbeatAt, last + 2 * keepaliveMs + 10);
});

test('a newcomer that does not know this run yet is answered at once, so that it can show that it reads us', (t) => {
  const node = owner();
  const content: HeartbeatContent | null = node.state().peer.content;
  if (content === null) throw new Error('the peer was never heard');
  const packet = { kind: 'heartbeat-received', link: 0, incarnation: peerRun + 1, content } as const;
  const before = sent(node);
  node.feed(2010, { ...packet, sequence: 1, echo: null });
  t.is(sent(node), before + 1);
  t.deepEqual(node.ofKind('send-heartbeat').at(-1)?.echo, { incarnation: peerRun + 1, sequence: 1 });
  node.feed(2020, { ...packet, sequence: 2, echo: { incarnation: ownRun, sequence: node.state().sequence } });
  const known = sent(node);
  node.feed(2030, { ...packet, sequence: 3, echo: { incarnation: ownRun, sequence: node.state().sequence } });
  t.is(sent(node), known, 'once it is known, it is not answered packet by packet');
});

test('a packet that is not understood is not answered', (t) => {
  for (const node of [owner(), oneCore()]) {
    const at = node.state().now + 10;
    node.feed(at, { kind: 'time-passed' });
    const before = sent(node);
    const { incarnation } = node.state().peer;
    node.feed(at, {
      kind: 'heartbeat-not-understood',
      link: 0,
      incarnation: incarnation ?? 1,
      sequence: 9999,
    });
    t.is(node.state().peer.unprovenHeardAt, at);
    t.is(sent(node), before);
  }
});

test('however long a daemon runs, it remembers no more than its last packets', (t) => {
  const node = owner();
  node.go(30_000);
  t.is(node.state().sent.length, 64);
  t.is(node.state().sent.at(-1)?.sequence, node.state().sequence);
});

test('carrier that is seen again as it was counts since it was first seen so', (t) => {
  const node = owner();
  const carrier = { kind: 'carrier-observed', interface: 'eth0', carrier: false } as const;
  node.feed(2010, carrier);
  for (let at = 2200; at <= 2800; at += 200) {
    node.go(at);
    node.feed(at, carrier);
  }
  t.is(node.group().offer, null, 'a cable that is out for less than warntime moves nothing');
  node.go(2850);
  t.is(node.group().offer?.reason, 'no-lan');
});

const { warntimeMs, freezeAfterMs, deadtimeMs, takeoverAfterMs } = examplePolicy('primary').timings;

const wakes: readonly (readonly [string, () => OneCore, (node: OneCore) => number])[] = [
  ['the peer is late', () => idle(), (n) => heard(n) + warntimeMs],
  ['an owner has to freeze', () => owner(), (n) => (n.state().peer.contactAt ?? 0) + freezeAfterMs],
  ['the peer may be dead', () => idle(), (n) => heard(n) + deadtimeMs],
  ['the peer may be taken over', () => idle(), (n) => heard(n) + takeoverAfterMs],
  ['the peer may be powered off', () => shooter(), (n) => heard(n) + 1500 + 500],
  ['a start that failed is tried again', () => failing(), (n) => n.resource(mail).retryAt ?? 0],
  ['maintenance ends', () => inMaintenance(), (n) => n.state().maintenanceUntil ?? 0],
  ['the lease ends', () => leased(), (n) => n.state().lease.validUntil ?? 0],
  ['the lease is to be renewed', () => leased(), (n) => n.state().lease.nextAt],
];

const heard = (node: OneCore) => node.state().peer.lastHeardAt ?? 0;

/** With times of its own, and a device that is asked half a second after deadtime. */
function shooter(): OneCore {
  return idle({ policy: protectedPolicy('secondary', { device: true }) });
}

function failing(): OneCore {
  const node = starting();
  node.finish(1063, mail, failed);
  return node;
}

function inMaintenance(): OneCore {
  const node = owner();
  node.request(2000, { ...maintenance, durationMs: 777 });
  return node;
}

function leased(): OneCore {
  const node = oneCore({ policy: protectedPolicy('primary', { lease: true }), record: ofPrimary });
  node.see(1, 'up');
  node.go(2000, { peer: ofPrimary, witness: { kind: 'held', term: 1, peerAlone: [] } });
  return node;
}

for (const [what, make, when] of wakes) {
  test(`the core asks to be woken at the moment when ${what}, however its heartbeats fall`, (t) => {
    for (const offset of [0, 60, 130]) {
      const node = make();
      node.hear(node.state().now + 7 + offset, node.state().peer.content?.groups[0]);
      const at = when(node);
      node.pass(at - 1);
      t.true(node.state().wakeAt <= at, `${at} is not slept through`);
    }
  });
}

test('after a stall of its own the core is woken when the peer is late by the time that is forgiven', (t) => {
  const node = idle();
  node.feed(2033, { kind: 'time-passed' });
  const wakeAt = node.state().wakeAt;
  node.feed(wakeAt + 300, { kind: 'time-passed' });
  t.is(node.state().peer.forgivenMs, 300);
  const lateAt = heard(node) + warntimeMs + 300;
  node.pass(lateAt - 1);
  t.is(node.state().verdict.kind, 'alive');
  t.true(node.state().wakeAt <= lateAt);
  node.pass(lateAt);
  t.is(node.state().verdict.kind, 'late');
});

test('nor does it sleep through the moment at which the peer may be powered off, after such a stall', (t) => {
  const node = shooter();
  node.feed(2033, { kind: 'time-passed' });
  node.feed(node.state().wakeAt + 300, { kind: 'time-passed' });
  const at = heard(node) + 1500 + 500 + 300;
  node.pass(at - 1);
  t.is(node.state().peer.forgivenMs, 300);
  t.true(node.state().wakeAt <= at);
});

test('a core never sleeps past its next heartbeat, nor wakes in the past', (t) => {
  const node = owner();
  for (let count = 0; count < 200; count += 1) {
    const { now, wakeAt, nextHeartbeatAt } = node.state();
    t.true(wakeAt > now && wakeAt <= nextHeartbeatAt);
    node.feed(wakeAt, { kind: 'time-passed' });
  }
});
