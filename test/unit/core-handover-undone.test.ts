// A handover that cannot be carried out is undone: the taker leaves the group to its giver, which goes on with it.

import test from 'ava';
import type { OperatorRequest } from '../../daemon/core/events.ts';
import { factsOf } from '../../daemon/core/facts.ts';
import type { GroupReport } from '../../daemon/core/heartbeat.ts';
import { isStuck } from '../../daemon/core/operations.ts';
import { address, disk, mail, protectedPolicy, web } from '../sim/example.ts';
import { type OneCore, oneCore } from './support/one-core.ts';
import { handover, standbyOn } from './support/requests.ts';
import { ofPrimary, runningOwner, taking } from './support/situations.ts';

const heldOpen = { kind: 'failed', code: 'drbd-held-open', message: 'r0: held open by 4711 (sh)' } as const;

const taker: Partial<GroupReport> = {
  ...ofPrimary,
  phase: 'starting',
  generation: 4,
  owner: 'secondary',
  holdsAddresses: true,
  holdsRest: true,
};
/** It has left the group to its giver. */
const declined: Partial<GroupReport> = { ...ofPrimary, generation: 4, owner: 'primary' };

/** The primary hands the group over, has ended its guests, and cannot demote the disk, which was tried `times`. */
function giving(times = 3, request: OperatorRequest = handover): OneCore {
  const node = runningOwner();
  node.go(2000, { prompt: false });
  node.request(2010, request);
  node.hear(2020, { ...ofPrimary, phase: 'claiming', claim: { id: 1, reason: 'offered' } });
  node.go(2100, { peer: taker });
  for (const id of [address, mail, web]) if (node.resource(id).operation !== null) node.finish(2110, id);
  for (const id of [mail, web]) if (node.resource(id).operation !== null) node.finish(2120, id);
  for (let time = 0; time < times; time += 1) {
    node.go(node.state().now + 5000);
    node.finish(node.state().now + 10, disk, heldOpen);
  }
  return node;
}

test('a disk that is held open is tried twice in order and once by force, and then the peer is told', (t) => {
  const node = giving(2);
  t.false(node.report()?.stuck);
  t.deepEqual(giving(3).askedOf(disk), ['stop', 'stop', 'destroy']);
  t.true(giving(3).report()?.stuck);
});

test('the giver waits until its peer has let go of the group, and then goes on with it in a generation of its own', (t) => {
  const node = giving();
  t.is(node.phase()?.kind, 'stopping');
  node.hear(node.state().now + 10, { ...declined, phase: 'stopping', holdsAddresses: true });
  t.is(node.phase()?.kind, 'stopping');
  node.hear(node.state().now + 10, declined);
  t.deepEqual(node.phase(), { kind: 'starting', generation: 5, resuming: false });
  node.go(node.state().now + 2000, { peer: declined, prompt: true });
  t.deepEqual(node.phase(), { kind: 'active', generation: 5 });
  t.false(node.report()?.stuck);
  t.like(node.record(), { generation: 5, owner: 'primary' });
  t.is(node.group().takenBack, heldOpen.message);
  const alarm = node.ofKind('note').find(({ note }) => note.code === 'take-back')?.note;
  t.is(alarm?.severity, 'alarm');
  t.regex(alarm?.next ?? '', /battito handover/);
});

test('a giver whose peer has fallen silent meanwhile takes nothing back before that is proven gone', (t) => {
  const node = giving();
  node.go(node.state().now + 4000, { peer: null, addresses: 'answered', prompt: false });
  t.is(node.phase()?.kind, 'stopping');
  node.request(node.state().now + 10, { kind: 'confirm-peer-off', node: 'secondary', force: true });
  t.is(node.phase()?.kind, 'starting');
});

test('what was taken back is not offered again by itself, but when an operator says so', (t) => {
  const takenBack = () => {
    const node = giving(3, standbyOn);
    node.go(node.state().now + 2000, { peer: declined, prompt: true });
    t.is(node.phase()?.kind, 'active');
    node.go(node.state().now + 60_000);
    t.is(node.group().offer, null);
    return node;
  };
  const again: readonly OperatorRequest[] = [
    handover,
    { kind: 'retry', groups: [] },
    { kind: 'standby', on: false },
  ];
  for (const request of again) {
    const node = takenBack();
    node.request(node.state().now + 10, request);
    if (request.kind === 'standby') node.request(node.state().now + 20, standbyOn);
    t.not(node.group().offer, null, request.kind);
  }
  const leaving = takenBack();
  leaving.feed(leaving.state().now + 10, { kind: 'stop-requested' });
  t.is(leaving.group().offer?.reason, 'leave');
});

test('what was taken back follows its only gateway all the same, after a while', (t) => {
  const node = giving();
  node.go(node.state().now + 2000, { peer: declined, prompt: true, says: { gateways: 1 } });
  t.is(node.phase()?.kind, 'active');
  node.go(node.state().now + 280_000, { gateway: 'unanswered' });
  t.is(node.group().offer, null);
  node.go(node.state().now + 30_000);
  t.is(node.group().offer?.reason, 'outside');
});

test('once a handover has come to its end, the one that was undone is forgotten', (t) => {
  const node = giving();
  node.go(node.state().now + 2000, { peer: declined, prompt: true });
  node.request(node.state().now + 10, handover);
  node.hear(node.state().now + 10, { ...declined, phase: 'claiming', claim: { id: 2, reason: 'offered' } });
  node.go(node.state().now + 1000, { peer: { ...taker, generation: 6 } });
  t.is(node.phase()?.kind, 'stopped');
  t.is(node.group().takenBack, null);
});

test('a daemon that leaves takes nothing back', (t) => {
  const node = giving(2);
  node.feed(node.state().now + 10, { kind: 'stop-requested' });
  node.go(node.state().now + 5000);
  node.finish(node.state().now + 10, disk, heldOpen);
  t.false(node.report()?.stuck);
  node.hear(node.state().now + 10, declined);
  t.is(node.phase()?.kind, 'stopping');
});

test('who is to take a group that its giver cannot let go of leaves it to it, and says so', (t) => {
  const node = taking();
  node.hear(1110, { ...node.peer, holdsRest: true });
  t.is(node.phase()?.kind, 'starting');
  node.hear(1120, { ...node.peer, holdsRest: true, stuck: true });
  t.is(node.group().rule, 'decline-stuck');
  t.deepEqual(node.askedOf(disk), []);
  node.go(2000, { peer: { ...node.peer, holdsRest: true, stuck: true }, prompt: true });
  t.is(node.phase()?.kind, 'stopped');
  t.like(node.record(), { generation: 4, owner: 'secondary', writer: 'secondary' });
  t.deepEqual(node.askedOf(disk), []);
  t.is(node.ofKind('note').find(({ note }) => note.code === 'decline-stuck')?.note.severity, 'alarm');
});

test('a giver that has let go after all, or is not heard any more, is not left the group', (t) => {
  for (const peer of [{ holdsRest: false, stuck: true }, null]) {
    const node = taking();
    node.go(1100 + (peer === null ? 300 : 50), { peer: peer === null ? null : { ...node.peer, ...peer } });
    t.is(node.phase()?.kind, 'starting');
  }
});

test('a peer that is heard no more is not gone for that, whatever it said last', (t) => {
  const node = giving(2);
  node.go(node.state().now + 3000);
  node.hear(node.state().now + 10, { ...ofPrimary, generation: 4, owner: 'secondary' });
  node.go(node.state().now + 3000, { peer: null, addresses: 'answered' });
  t.is(node.state().verdict.kind, 'unresponsive');
  node.finish(node.state().now + 10, disk, heldOpen);
  t.true(node.facts().stuck);
  t.is(node.phase()?.kind, 'stopping');
});

test('evidence that the peer is dead is not enough to take back what it has been granted', (t) => {
  const node = giving();
  node.go(node.state().now + 10_000, { peer: null, addresses: 'unanswered', prompt: false });
  t.is(node.state().verdict.kind, 'dead');
  t.true(node.facts().peerGone);
  t.is(node.phase()?.kind, 'stopping');
});

test('what the peer has promoted since is not taken back', (t) => {
  const node = giving();
  node.hear(node.state().now + 10, { ...declined, writer: 'secondary' });
  t.is(node.phase()?.kind, 'stopping');
});

test('who has begun to use the disk does not leave it to a giver that is stuck', (t) => {
  const node = taking();
  const stuck = { ...node.peer, holdsRest: true, stuck: true };
  node.go(1200, { peer: { ...node.peer, holdsRest: false }, prompt: false });
  t.deepEqual(node.askedOf(disk), ['start']);
  node.hear(1250, stuck);
  t.is(node.phase()?.kind, 'starting');
  t.false(node.facts().restDown);
});

test('what the peer said before it fell silent leaves it nothing', (t) => {
  const node = taking();
  node.hear(1110, { ...node.peer, holdsRest: true });
  node.go(1110 + 4000, { peer: null, addresses: 'answered' });
  const state = node.state();
  const [group] = state.peer.content?.groups ?? [];
  if (state.peer.content === null || group === undefined) throw new Error('it was never heard');
  const content = { ...state.peer.content, groups: [{ ...group, stuck: true }] };
  t.false(factsOf({ ...state, peer: { ...state.peer, content } }, node.group()).peerStuck);
});

test('a resource that failed and is down all the same stands in the way of nobody', (t) => {
  const node = giving(0);
  const failed = {
    ...node.group(),
    resources: node.group().resources.map((one) => ({ ...one, failures: 3 })),
  };
  t.true(isStuck(node.state(), failed));
  const down = failed.resources.map((one) => ({
    ...one,
    status: { kind: 'down' } as const,
    operation: null,
  }));
  t.false(isStuck(node.state(), { ...failed, resources: down }));
});

test('nothing is taken back to a device that has lost both its disk and its mirror', (t) => {
  const node = giving();
  t.true(node.report()?.stuck);
  node.show(node.state().now + 10, { disk: 'diskless' });
  t.true(node.report()?.stuck, 'its mirror has the data');
  node.show(node.state().now + 10, { connection: 'standalone' });
  t.false(node.report()?.stuck);
});

test('a giver whose daemon was restarted meanwhile says that it is stuck as well', (t) => {
  const node = oneCore({
    policy: protectedPolicy('primary', { disk: true }),
    record: { ...ofPrimary, owner: 'secondary' },
  });
  node.see(1, 'down');
  node.seeOne(1, mail, { kind: 'up' });
  node.show(1, { role: 'primary' });
  node.go(100, { peer: taker, prompt: false });
  t.like(node.phase(), { kind: 'stopping', reason: 'yield' });
  node.finish(110, mail);
  for (let time = 0; time < 3; time += 1) {
    node.go(node.state().now + 5000);
    node.finish(node.state().now + 10, disk, heldOpen);
  }
  t.true(node.report()?.stuck);
  node.hear(node.state().now + 10, declined);
  t.is(node.group().rule, 'take-back');
});

test('a group that was taken back still follows the LAN, but not at once', (t) => {
  const node = giving();
  node.go(node.state().now + 2000, { peer: declined, prompt: true });
  const since = node.state().now;
  node.feed(since + 10, { kind: 'carrier-observed', interface: 'eth0', carrier: false });
  node.go(since + 290_000);
  t.is(node.group().offer, null);
  node.go(since + 310_000);
  t.is(node.group().offer?.reason, 'no-lan');
});
