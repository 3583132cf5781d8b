// A handover that cannot be carried out is undone: the taker leaves the group to its giver, which goes on with it.

import test from 'ava';
import type { OperatorRequest } from '../../daemon/core/events.ts';
import type { GroupReport } from '../../daemon/core/heartbeat.ts';
import { address, disk, mail, web } from '../sim/example.ts';
import type { OneCore } from './support/one-core.ts';
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
