// What is written down about each group, when, and what waits until it is on disk.

import test from 'ava';
import { disk, examplePolicy, mail, protectedPolicy } from '../sim/example.ts';
import { activeReport, type OneCore, oneCore, ownRun } from './support/one-core.ts';
import { handover, maintenance, peerOff } from './support/requests.ts';
import { idle, ofPrimary, ofSecondary, owner, runningOwner, starting } from './support/situations.ts';

const { soleAfterMs } = examplePolicy('primary').timings;
const writes = (node: OneCore) => node.ofKind('persist-ledger').length;

/** All that was asked to be written is on disk. */
function written(node: OneCore, at: number): void {
  const revision = node.ofKind('persist-ledger').at(-1)?.revision ?? 0;
  node.feed(at, { kind: 'ledger-persisted', revision });
}

test('a group that was found running with no record of it is nobody’s until it is owned', (t) => {
  const node = oneCore();
  node.see(1, 'up');
  node.hear(10, { holdsRest: true, phase: 'stopping' });
  t.like(node.record(), { generation: 0, owner: null, sole: false });
  const told = oneCore({ record: ofSecondary });
  told.see(1, 'up');
  t.deepEqual(
    told.phase(),
    { kind: 'active', generation: 0 },
    'nor is it owned by who has another on record',
  );
  t.like(told.record(), ofSecondary);
});

test('a group that was found running by its owner has the generation on record', (t) => {
  const node = oneCore({ record: ofPrimary });
  node.see(1, 'up');
  t.deepEqual(node.phase(), { kind: 'active', generation: ofPrimary.generation });
});

test('each start has a generation above all that either node has known', (t) => {
  const node = oneCore({ record: ofPrimary });
  node.see(1, 'down');
  node.hear(10, { generation: 7, owner: 'secondary', willing: false });
  t.like(node.record(), { generation: 7, owner: 'secondary' }, 'what the peer has later is taken over');
  const phase = node.phase();
  const claim = phase?.kind === 'claiming' ? phase.claim.id : 0;
  node.hear(20, { generation: 9, willing: false, grant: { incarnation: ownRun, claim } });
  t.like(node.record(), { generation: 10, owner: 'primary', sole: false });
});

test('who runs a group keeps its record, and its phase, beside a peer that has a later one and runs nothing', (t) => {
  const node = starting();
  node.hear(1060, { generation: 7, owner: 'secondary' });
  t.like(node.record(), { generation: 1, owner: 'primary' });
  node.go(1500, { peer: { generation: 7, owner: 'secondary' }, prompt: true });
  t.deepEqual(node.phase(), { kind: 'active', generation: 1 });
  node.go(5000, { peer: null, gateway: 'unanswered' });
  t.like(node.phase(), { kind: 'frozen', generation: 1 });
});

test('an earlier generation at the peer, or another owner of the same one, changes nothing on record', (t) => {
  const node = oneCore({ record: ofPrimary });
  node.see(1, 'down');
  node.request(2, { kind: 'standby', on: true });
  node.hear(10, { generation: 2, owner: 'secondary', writer: 'secondary' });
  node.hear(20, { generation: 3, owner: 'secondary', writer: 'secondary' });
  t.like(node.record(), ofPrimary);
});

test('that a group was frozen stays on record until its guests have been seen again', (t) => {
  const node = oneCore({ record: { ...ofPrimary, frozen: true } });
  node.hear(10, ofPrimary);
  t.true(writes(node) > 0);
  t.true(node.record()?.frozen);
  node.see(20, 'down');
  t.false(node.record()?.frozen);
});

test('that it stood still in time is void once the group is found running again', (t) => {
  const node = oneCore({ record: { ...ofPrimary, inTime: true } });
  node.hear(10, ofPrimary);
  t.true(node.record()?.inTime);
  node.see(20, 'up');
  t.false(node.record()?.inTime);
});

test('who has promoted the disks is their writer, also when he finds them promoted and held back', (t) => {
  const policy = protectedPolicy('primary', { disk: true });
  const node = oneCore({ policy, record: { ...ofPrimary, writer: 'secondary', frozen: true } });
  node.see(1, 'down');
  node.show(2, { role: 'primary', suspended: 'user' });
  t.is(node.phase()?.kind, 'frozen');
  t.is(node.record()?.writer, 'primary');
  const unused = oneCore({ policy, record: { ...ofPrimary, writer: 'secondary' } });
  unused.see(1, 'down');
  unused.show(2);
  unused.hear(10, ofPrimary);
  t.is(unused.record()?.writer, 'secondary');
});

test('an owner is sole when its peer has been dead for so long that it does not take over by itself any more', (t) => {
  const node = owner();
  node.go(2000 + soleAfterMs - 1, { peer: null });
  t.false(node.record()?.sole);
  node.go(2000 + soleAfterMs);
  t.true(node.record()?.sole);
  node.go(40_000, { gateway: 'unanswered' });
  t.is(node.phase()?.kind, 'active', 'and does not freeze');
  t.true(node.record()?.sole);
  node.hear(40_010, ofPrimary);
  t.false(node.record()?.sole, 'until the peer is back');
});

test('an owner whose peer has said goodbye, or is called off, is sole at once', (t) => {
  const left = owner();
  left.hear(2010, ofPrimary, { says: { leaving: true } });
  t.is(left.state().verdict.kind, 'departed');
  t.true(left.record()?.sole);
  const off = owner();
  off.go(6000, { peer: null });
  t.false(off.record()?.sole);
  off.request(6000, { ...peerOff, node: 'secondary' });
  t.true(off.record()?.sole);
});

test('an owner is not sole while a dead peer in maintenance may still be at work, however long that takes', (t) => {
  const node = owner({}, {}, { maintenanceMinutes: 1 });
  node.go(61_999, { peer: null });
  t.is(node.state().verdict.kind, 'dead');
  t.false(node.record()?.sole);
  node.go(62_000);
  t.true(node.record()?.sole);
});

test('who takes over from a dead peer is sole from the start, and who is granted a group is not', (t) => {
  const node = idle();
  node.go(4200, { peer: null });
  t.is(node.phase()?.kind, 'starting');
  t.like(node.record(), { owner: 'secondary', sole: true });
  t.like(starting().record(), { owner: 'primary', sole: false });
});

test('that holds also for who had the group before, and lets it go', (t) => {
  const node = oneCore({ record: ofPrimary });
  node.see(1, 'down');
  node.request(2, { kind: 'standby', on: true });
  node.go(2000, { peer: { ...ofPrimary, willing: false }, prompt: false });
  node.go(6000, { peer: null });
  node.request(6000, { kind: 'standby', on: false });
  t.like(node.phase(), { kind: 'starting', generation: 4 });
  t.like(node.record(), { owner: 'primary', generation: 4, sole: true });
});

test('what is found paused by a node that is not its owner on record is of no generation', (t) => {
  const paused = oneCore({ record: ofSecondary });
  paused.see(1, 'paused');
  t.like(paused.phase(), { kind: 'frozen', generation: 0 });
  t.like(paused.record(), { ...ofSecondary, frozen: true });
  const own = oneCore({ record: ofPrimary });
  own.see(1, 'paused');
  t.like(own.phase(), { kind: 'frozen', generation: 3 });
});

test('a former sole owner that meets its peer again is sole no more, though it runs nothing', (t) => {
  const node = oneCore({ record: { ...ofPrimary, sole: true } });
  node.see(1, 'down');
  node.hear(10, { ...ofPrimary, holdsRest: true, phase: 'stopping' });
  t.like(node.record(), { owner: 'primary', sole: false });
});

test('a ledger that could not be written is tried again after a second', (t) => {
  const node = owner({ persists: false });
  node.request(2000, maintenance);
  const count = writes(node);
  const { ledgerRevision } = node.state();
  node.feed(2033, { kind: 'ledger-not-persisted', revision: ledgerRevision, message: 'no space left' });
  const alarm = node.ofKind('note').at(-1)?.note;
  t.like(alarm, { code: 'ledger-not-written', severity: 'alarm' });
  t.regex(alarm?.message ?? '', /no space left/);
  t.regex(alarm?.next ?? '', /free space/);
  node.pass(3032);
  t.is(writes(node), count);
  node.pass(3033);
  t.is(writes(node), count + 1);
  t.true((node.ofKind('persist-ledger').at(-1)?.revision ?? 0) > ledgerRevision);
  node.pass(3450);
  t.is(writes(node), count + 1, 'it is under way');
});

test('a revision that is older than what is on disk already changes nothing', (t) => {
  const node = owner({ persists: false });
  written(node, 2010);
  const before = node.state().persistedRevision;
  node.feed(2020, { kind: 'ledger-persisted', revision: before - 1 });
  t.is(node.state().persistedRevision, before);
});

test('who was sole owner and starts again waits for its new generation to be on disk', (t) => {
  const policy = protectedPolicy('primary', {});
  const node = oneCore({ policy, record: { ...ofPrimary, sole: true }, persists: false });
  node.see(1, 'down');
  node.go(8000, { peer: null });
  t.deepEqual(node.phase(), { kind: 'starting', generation: 4, resuming: false });
  t.deepEqual(node.asked, []);
  written(node, 8010);
  t.not(node.asked.length, 0);
});

test('once its generation is on disk, a repair does not wait for what else is written', (t) => {
  const node = owner({ persists: false });
  written(node, 2000);
  node.request(2010, maintenance);
  node.request(2020, { kind: 'maintenance', durationMs: 0 });
  t.true(node.state().ledgerRevision > node.state().persistedRevision);
  node.seeOne(2030, mail, { kind: 'down' });
  t.deepEqual(node.askedOf(mail), ['start']);
});

test('a ledger that says the same is not written again', (t) => {
  const node = owner();
  const count = writes(node);
  node.go(20_000);
  t.is(writes(node), count);
});

test('a group that was declined belongs to the peer again', (t) => {
  const node = runningOwner();
  node.request(2010, handover);
  node.go(2500, { peer: { ...ofPrimary, claim: { id: 1, reason: 'operator' } } });
  t.is(node.phase()?.kind, 'stopped');
  const taken = { ...activeReport, generation: 4, owner: 'secondary', writer: 'primary' } as const;
  node.go(2600, { peer: { ...taken, phase: 'starting' } });
  t.like(node.record(), { generation: 4, owner: 'secondary' });
  node.go(2700, { peer: { generation: 4, owner: 'primary', writer: 'primary', willing: false } });
  t.like(node.record(), { owner: 'primary' });
  t.is(node.phase()?.kind, 'claiming', 'so it asks for the group again');
  t.is(node.askedOf(disk).at(-1), 'stop');
});

test('a goodbye, too, tells of a later generation', (t) => {
  const node = oneCore({ record: { ...ofPrimary, sole: true } });
  node.see(1, 'down');
  node.hear(10, { ...ofSecondary, generation: 5 }, { says: { leaving: true } });
  t.is(node.state().verdict.kind, 'departed');
  t.like(node.record(), { generation: 6, owner: 'primary' }, 'it takes over from there');
  const other = oneCore({ record: { ...ofPrimary, sole: true } });
  other.see(1, 'down');
  other.request(2, { kind: 'standby', on: true });
  other.hear(10, { ...ofSecondary, generation: 5 }, { says: { leaving: true } });
  t.like(other.record(), { generation: 5, owner: 'secondary', sole: false });
});

test('no guest is started before it is on record that the disks were promoted here', (t) => {
  const node = oneCore({
    policy: protectedPolicy('primary', { disk: true }),
    record: { ...ofSecondary, owner: 'primary', sole: true },
    persists: false,
  });
  node.see(1, 'down');
  node.show(1, { connection: 'connected' });
  node.go(6000, { peer: null, prompt: false });
  written(node, 6000);
  node.show(6010, { role: 'primary' });
  node.finish(6010, disk);
  t.is(node.record()?.writer, 'primary');
  t.deepEqual(node.askedOf(mail), []);
  written(node, 6020);
  t.deepEqual(node.askedOf(mail), ['start']);
});

/** The primary runs the group and has the lease; its peer has been silent for long. */
function leaseholder(): OneCore {
  const node = runningOwner({ lease: true });
  const witness = { kind: 'held', term: 1, peerAlone: [] } as const;
  node.go(2000 + node.state().policy.timings.soleAfterMs + 5000, { peer: null, witness });
  if (node.phase()?.kind !== 'active') throw new Error(`it is ${node.phase()?.kind}`);
  return node;
}

test('a peer that is only kept from running by the lease may have it next: nobody is the sole owner by that', (t) => {
  const byLease = leaseholder();
  t.like(byLease.state().verdict, { kind: 'fenced', by: 'lease' });
  t.true(byLease.facts().peerGone);
  t.false(byLease.record()?.sole);

  const byPerson = leaseholder();
  byPerson.request(byPerson.state().now + 10, { kind: 'confirm-peer-off', node: 'secondary', force: true });
  t.like(byPerson.state().verdict, { kind: 'fenced', by: 'operator' });
  t.true(byPerson.record()?.sole, 'off, it has to meet this node before it starts anything');
});
