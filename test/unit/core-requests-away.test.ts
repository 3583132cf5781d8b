// What an operator is answered who wants a group elsewhere, left alone, or tried again.

import test from 'ava';
import { cannotAct } from '../../daemon/core/facts.ts';
import type { HeartbeatContent } from '../../daemon/core/heartbeat.ts';
import type { Policy } from '../../daemon/core/policy.ts';
import type { VerdictKind } from '../../daemon/core/state.ts';
import { examplePolicy, mail, protectedPolicy, web } from '../sim/example.ts';
import { type OneCore, oneCore } from './support/one-core.ts';
import { handover, maintenance, standbyOn, words } from './support/requests.ts';
import { idle, ofPrimary, owner, ownerOfTwo, runningOwner, seeShop, withShop } from './support/situations.ts';

const failed = { kind: 'failed', code: 'x', message: 'it does not' } as const;

test('a handover moves the groups that were named and run here, and no others', (t) => {
  const node = ownerOfTwo();
  t.is(words(node.request(2000, { kind: 'handover', groups: ['shop'] })), 'shop goes to secondary');
  t.deepEqual(
    node.state().groups.map(({ offer }) => offer?.reason ?? null),
    [null, 'operator'],
  );
  t.is(words(node.request(2010, handover)), 'office, shop goes to secondary');
  t.is(words(idle().request(2000, handover)), 'secondary runs none of it');
});

const peerObstacles: readonly (readonly [string, RegExp, Partial<HeartbeatContent>])[] = [
  ['it is in standby', /secondary is in standby => .*standby off` on secondary/, { standby: true }],
  ['it is in maintenance', /in maintenance => .*maintenance off` on sec/, { maintenanceMinutes: 3 }],
  ['it has no LAN', /has no working LAN => mend the cable or gateway of secondary/, { lan: false }],
  ['of another cause', /cannot run office now => run `battito status` on secondary/, {}],
];

for (const [why, wanted, says] of peerObstacles) {
  test(`a handover, or a standby, is refused with the cause why the peer cannot take the group: ${why}`, (t) => {
    const node = owner({}, { willing: false }, says);
    for (const request of [handover, standbyOn]) {
      const answer = node.request(2000, request);
      t.is(answer.kind, 'refused');
      t.regex(words(answer), wanted);
    }
    t.is(node.group().offer, null);
    t.false(node.state().standby);
  });
}

test('that the peer has no LAN or is in standby is no obstacle while it says that it could run the group', (t) => {
  const node = owner({}, {}, { lan: false, standby: true });
  t.is(node.request(2000, handover).kind, 'accepted');
});

test('of two groups the one that the peer cannot run is named', (t) => {
  const node = ownerOfTwo({ shop: { willing: false } });
  t.regex(words(node.request(2000, handover)), /cannot run shop now/);
  t.is(node.request(2000, { kind: 'handover', groups: ['office'] }).kind, 'accepted');
});

test('a handover is refused by a node in maintenance, and while the peer is not there', (t) => {
  const node = owner();
  node.request(2000, maintenance);
  t.regex(words(node.request(2000, handover)), /primary is in maintenance => run `battito maintenance off`/);
  node.request(2000, { kind: 'maintenance', durationMs: 0 });
  node.go(10_000, { peer: null });
  t.regex(words(node.request(10_000, handover)), /secondary cannot take over: it is dead => bring secondary/);
});

test('a node that runs nothing may go into standby whatever its peer does, and out of it again', (t) => {
  const node = idle();
  node.go(10_000, { peer: null, addresses: 'answered' });
  t.is(words(node.request(10_000, { kind: 'standby', on: false })), 'secondary is not in standby');
  t.regex(words(node.request(10_000, standbyOn)), /secondary hands everything over .* standby off/);
  t.true(node.state().standby);
  t.is(words(node.request(10_000, standbyOn)), 'secondary is already in standby');
  t.is(words(node.request(10_000, { kind: 'standby', on: false })), 'secondary may run groups again');
  t.false(node.state().standby);
});

test('standby ends by request also while the peer could not take what runs here', (t) => {
  const node = owner();
  t.is(node.request(2000, standbyOn).kind, 'accepted');
  node.hear(2010, { ...ofPrimary, willing: false });
  t.is(node.request(2020, { kind: 'standby', on: false }).kind, 'accepted');
  t.false(node.state().standby);
});

test('maintenance is said in minutes, ends by itself or by request, and need not be ended twice', (t) => {
  const node = owner();
  const off = { kind: 'maintenance', durationMs: 0 } as const;
  t.is(words(node.request(2000, off)), 'primary is not in maintenance');
  t.regex(words(node.request(2000, maintenance)), /primary touches nothing for 2 min/);
  t.is(node.state().maintenanceUntil, 2000 + maintenance.durationMs);
  t.is(words(node.request(2010, off)), 'primary looks after its groups again');
  t.is(node.state().maintenanceUntil, null);
  node.request(2020, { kind: 'maintenance', durationMs: 1000 });
  node.go(3019);
  t.false(node.codes().includes('maintenance-ended'));
  node.go(3020);
  t.true(node.codes().includes('maintenance-ended'));
});

const silences: readonly (readonly [string, VerdictKind, (node: OneCore) => void])[] = [
  ['is silent', 'late', (node) => node.go(2800, { peer: null })],
  ['has said goodbye', 'departed', (node) => node.go(2100, { says: { leaving: true } })],
];

for (const [what, verdict, happens] of silences) {
  test(`with a witness, maintenance is refused while the peer ${what}, until a person vouches for it being off`, (t) => {
    const policy: Policy = protectedPolicy('primary', { lease: true });
    const node = oneCore({ policy, record: ofPrimary });
    node.see(1, 'up');
    node.go(2000, { peer: ofPrimary, witness: { kind: 'held', term: 1, peerAlone: [] } });
    happens(node);
    t.is(node.state().verdict.kind, verdict);
    const refusal = node.request(node.state().now, maintenance);
    t.is(refusal.kind, 'refused');
    t.true(words(refusal).includes(`secondary is ${verdict} and cannot be told`));
    t.regex(words(refusal), / => bring secondary back first; or, if it is powered off/);
    t.is(node.state().maintenanceUntil, null);
    node.go(6000, { peer: null });
    node.request(6000, { kind: 'confirm-peer-off', node: 'secondary', force: false });
    t.deepEqual(node.state().verdict, { kind: 'fenced', by: 'operator' });
    t.is(node.request(6000, maintenance).kind, 'accepted');
  });
}

test('with a witness and a device, maintenance is refused while the device says that the peer is off', (t) => {
  const policy: Policy = protectedPolicy('secondary', { lease: true, device: true });
  const node = idle({ policy });
  const state = { ...node.state(), verdict: { kind: 'fenced', by: 'device' } as const };
  t.false(cannotAct(state), 'it may be switched on, and be lent the lease');
  t.true(cannotAct({ ...state, policy: { ...policy, witness: null } }), 'it would power this node off first');
});

test('with a witness, maintenance is refused while only the lease says that the peer is off', (t) => {
  const node = idle({ policy: protectedPolicy('secondary', { lease: true }) });
  node.go(8000, { peer: null, witness: { kind: 'held', term: 1, peerAlone: [] }, prompt: true });
  t.deepEqual(node.state().verdict, { kind: 'fenced', by: 'lease' });
  t.regex(words(node.request(8000, maintenance)), /primary is fenced and cannot be told/);
  t.is(node.state().maintenanceUntil, null);
});

test('without a witness maintenance is granted although the peer cannot be told', (t) => {
  const node = owner();
  node.go(3500, { peer: null });
  t.is(node.request(3500, maintenance).kind, 'accepted');
});

/** The primary, whose guests fail to start until they are given up. */
function givenUp(policy: Policy = examplePolicy('primary')) {
  const node = oneCore({ policy, record: ofPrimary });
  node.see(1, 'up');
  seeShop(node, 1, 'up', 'up');
  node.go(2000, { peer: ofPrimary, prompt: false });
  return node;
}

test('a retry starts what was given up of the groups that were named, with all its attempts', (t) => {
  const node = givenUp(withShop(examplePolicy('primary')));
  const fail = (id: string, times: number) => {
    for (let count = 0; count < times; count += 1) {
      node.go(node.state().now + 10_000);
      node.finish(node.state().now, id, failed);
    }
  };
  node.seeOne(2000, mail, { kind: 'down' });
  fail(mail, 3);
  t.is(node.resource(mail).quarantined, 'it does not');
  const before = node.askedOf(mail).length;
  t.is(node.request(node.state().now, { kind: 'retry', groups: ['shop'] }).kind, 'accepted');
  t.is(node.askedOf(mail).length, before, 'another group was meant');
  const answer = node.request(node.state().now, { kind: 'retry', groups: ['office'] });
  t.is(words(answer), 'what had been given up is tried again');
  t.is(node.askedOf(mail).length, before + 1, 'at once');
  t.is(node.report()?.quarantined, 0);
  node.finish(node.state().now, mail, failed);
  fail(mail, 2);
  node.go(node.state().now + 10_000);
  t.is(node.askedOf(mail).length, before + 3, 'it is given up after three attempts again');
});

test('a retry waits for no pause after a failure, and says when nothing can start here', (t) => {
  const node = givenUp();
  node.seeOne(2000, web, { kind: 'down' });
  node.finish(2010, web, failed);
  t.is(node.askedOf(web).length, 1);
  node.request(2020, { kind: 'retry', groups: [] });
  t.is(node.askedOf(web).length, 2);
  node.feed(2030, { kind: 'carrier-observed', interface: 'eth0', carrier: false });
  t.is(words(node.request(2030, { kind: 'retry', groups: [] })), 'nothing can start here now');
});

test('a retry of several groups is worth it when one of them can start here', (t) => {
  const policy = withShop(protectedPolicy('primary', { disk: true }));
  const node = oneCore({ policy, record: ofPrimary });
  node.see(1, 'down');
  node.show(1, { disk: 'outdated' });
  seeShop(node, 1, 'up', 'up');
  node.hear(10, { willing: false });
  t.is(words(node.request(20, { kind: 'retry', groups: [] })), 'what had been given up is tried again');
});

test('what is frozen here is not given away: nobody knows yet whose it is', (t) => {
  const node = runningOwner();
  node.go(4000, { peer: null, gateway: 'unanswered' });
  t.is(node.phase()?.kind, 'frozen');
  for (const request of [handover, standbyOn]) {
    const answer = node.request(4000, request);
    t.is(answer.kind, 'refused');
    t.regex(
      words(answer),
      /^office is frozen on primary: secondary may have .* => mend what cuts this node off/,
    );
  }
  t.false(node.state().standby);
});
