// A copy that turns out to be behind goes back to the peer; and nothing counts as let go of before that is known.

import test from 'ava';
import { address, disk, mail, protectedPolicy, type Side, web } from '../sim/example.ts';
import { activeReport, apart, mirrored, oneCore, peerRun } from './support/one-core.ts';
import { freezingOwner, ofPrimary, runningOwner, taking } from './support/situations.ts';

const { timings } = protectedPolicy('primary', {});
const pausingMs = timings.takeoverAfterMs - timings.freezeAfterMs;

test('a copy that turns out to be behind in the middle of a handover is declined: the group goes back', (t) => {
  const node = taking();
  t.like(node.record(), { generation: 4, owner: 'primary', writer: 'secondary' });
  node.show(1110, { ...apart, disk: 'outdated' });
  t.true(node.codes().includes('decline'));
  t.like(node.record(), { generation: 4, owner: 'secondary', writer: 'secondary', sole: false });
  node.obey(1120);
  t.is(node.phase()?.kind, 'stopped');
  t.deepEqual(node.askedOf(disk), [], 'it was not promoted');
  t.like(node.report(), { generation: 4, owner: 'secondary', writer: 'secondary', willing: false });
  node.go(3000, { peer: { ...node.peer, phase: 'stopped', holdsRest: false, grant: null } });
  t.is(node.phase()?.kind, 'stopped', 'and it does not ask for it again');
});

test('a copy that is the same is not declined, nor one of a group whose promotion is under way', (t) => {
  const node = taking();
  node.show(1110, apart);
  t.is(node.phase()?.kind, 'starting', 'nobody has written since they were last the same');

  const promoting = taking();
  promoting.hear(1110, { ...promoting.peer, holdsRest: false });
  t.deepEqual(promoting.askedOf(disk), ['start']);
  promoting.show(1120, { ...apart, disk: 'outdated' });
  t.is(promoting.phase()?.kind, 'starting', 'a promotion cannot be taken back');
  promoting.finish(1130, disk, { kind: 'failed', code: 'need-up-to-date', message: 'no' });
  t.is(promoting.record()?.owner, 'secondary');
});

test('an address that is on its way does not keep a copy that is behind from being declined', (t) => {
  const node = taking();
  t.deepEqual(node.asked.slice(-1), [`start ${address}`]);
  node.show(1110, { ...apart, disk: 'outdated' });
  t.is(node.phase()?.kind, 'stopping');
  node.obey(1120);
  t.is(node.phase()?.kind, 'stopped');
});

test('with a witness, a start that waits for its word is not given back because the peer is late', (t) => {
  const witness = { kind: 'unreachable', message: 'it does not answer' } as const;
  const node = taking({ lease: true });
  node.show(1110, apart);
  node.go(1800, { peer: null });
  t.is(node.state().verdict.kind, 'late');
  t.is(node.phase()?.kind, 'starting');
  node.answerLease(1810, witness);
  t.is(node.phase()?.kind, 'starting', 'it is late, no more');
  node.go(3000, { peer: null, witness });
  t.is(node.state().verdict.kind, 'dead');
  t.is(node.phase()?.kind, 'frozen', 'it has no right to go on');
  t.like(node.record(), { generation: 4, owner: 'primary' });
});

test('with a witness, a group whose disk has been promoted is not given back for want of its word', (t) => {
  const node = taking({ lease: true });
  node.go(1200, { peer: { ...node.peer, holdsRest: false } });
  node.show(1210, { role: 'primary' });
  node.finish(1210, disk);
  t.true(node.asked.includes(`start ${mail}`));
  node.go(1900, { peer: null, witness: { kind: 'unreachable', message: 'it does not answer' } });
  t.is(node.state().verdict.kind, 'late');
  t.is(node.phase()?.kind, 'starting');
});

test('the giver learns that its group was declined, and asks for it again although it is not the preferred one', (t) => {
  const record = { generation: 4, owner: 'primary', writer: 'secondary' };
  const node = oneCore({ self: 'secondary', policy: protectedPolicy('secondary', { disk: true }), record });
  node.see(1, 'down');
  node.show(1, mirrored);
  node.hear(100, record);
  t.is(node.phase()?.kind, 'stopped');
  node.hear(200, { ...record, owner: 'secondary' });
  t.like(node.record(), { generation: 4, owner: 'secondary', writer: 'secondary' });
  t.is(node.phase()?.kind, 'claiming');
});

test('that the peer has promoted its disks is learnt from it as their owner, not once they are our own', (t) => {
  const record = { generation: 4, owner: 'primary', writer: null };
  const node = (self: Side) => {
    const made = oneCore({ self, policy: protectedPolicy(self, { disk: true }), record });
    made.see(1, 'down');
    made.show(1, mirrored);
    return made;
  };
  const learns = node('secondary');
  learns.hear(100, { ...record, writer: 'primary' });
  t.like(learns.record(), { generation: 4, owner: 'primary', writer: 'primary' });
  const knows = node('primary');
  knows.hear(100, { ...record, owner: 'secondary', writer: 'secondary', willing: false, holdsRest: true });
  t.like(knows.record(), { generation: 4, owner: 'primary', writer: null });
  knows.hear(200, { ...record, generation: 3, owner: 'secondary', holdsRest: true });
  t.is(knows.record()?.generation, 4, 'nor from an older record');
});

test('an owner that writes without its mirror neither offers the group nor lets it go', (t) => {
  const willing = { ...ofPrimary, willing: true };
  const node = runningOwner();
  node.show(2010, apart);
  node.hear(2020, willing);
  t.is(node.request(2030, { kind: 'handover', groups: [] }).kind, 'accepted');
  node.hear(2050, { ...willing, claim: { id: 3, reason: 'operator' } });
  t.false(node.report()?.offer);
  t.is(node.report()?.grant, null);
  node.hear(2060, willing);
  node.show(2100, { connection: 'connected', peerDisk: 'up-to-date' });
  t.true(node.report()?.offer);
  node.hear(2150, { ...willing, claim: { id: 3, reason: 'operator' } });
  t.deepEqual(node.report()?.grant, { incarnation: peerRun, claim: 3 });
});

/** The peer runs the group with a better right: everything here is taken down at once, the disk last. */
function yielding(node = runningOwner()) {
  const { now } = node.state();
  node.hear(now + 10, { ...activeReport, generation: 9 });
  for (const { id, operation } of node.group().resources)
    if (operation !== null && id !== disk) node.finish(now + 20, id);
  if (node.resource(disk).operation?.action !== 'destroy') throw new Error('the disk is not demoted');
  return { ...node, at: now + 20 };
}

test('a disk that was demoted counts as let go of only when it has been seen so', (t) => {
  const node = yielding();
  node.finish(node.at, disk);
  t.like(node.resource(disk).status, { kind: 'unknown' });
  t.is(node.phase()?.kind, 'stopping');
  t.true(node.report()?.holdsRest);
  node.pass(node.at + 999);
  t.deepEqual(node.askedOf(disk), ['destroy']);
  node.pass(node.at + 1000);
  t.deepEqual(node.askedOf(disk), ['destroy', 'destroy'], 'tried again after a second');
  node.finish(node.at + 1010, disk);
  node.show(node.at + 1020, { role: 'secondary' });
  t.is(node.phase()?.kind, 'stopped');
  t.false(node.report()?.holdsRest);
});

test('a disk that was seen demoted before its driver said so is let go of at once', (t) => {
  const node = yielding();
  node.show(node.at, { role: 'secondary' });
  t.true(node.report()?.holdsRest, 'its driver is still at it');
  node.finish(node.at + 10, disk);
  t.is(node.phase()?.kind, 'stopped');
});

test('a disk is demoted only after its guests are down, or cannot be ended', (t) => {
  const node = runningOwner();
  node.hear(2010, { ...activeReport, generation: 9 });
  node.finish(2020, web);
  t.deepEqual(node.askedOf(disk), []);
  const failed = { kind: 'failed', code: 'busy', message: 'no' } as const;
  node.finish(2030, mail, failed);
  node.go(4000, { peer: { ...activeReport, generation: 9 }, prompt: false });
  t.deepEqual(node.askedOf(disk), [], 'failed once: it is tried again');
  node.finish(4000, mail, failed);
  t.deepEqual(node.askedOf(disk), ['destroy']);
});

/** The primary starts the group, and nobody knows what came of the start of one of its guests. */
function inDoubt(outcome: 'unknown' | 'failed') {
  const node = taking();
  node.go(1200, { peer: { ...node.peer, holdsRest: false } });
  node.show(1210, { role: 'primary' });
  node.finish(1210, disk);
  const message = 'it took too long';
  node.finish(
    1220,
    mail,
    outcome === 'unknown' ? { kind: outcome, message } : { kind: outcome, code: 'x', message },
  );
  node.finish(1220, web);
  node.finish(1220, address);
  node.seeOne(1230, mail, { kind: 'down' });
  return node;
}

test('a guest whose start is in doubt is destroyed before the group counts as down, though it is seen down', (t) => {
  for (const outcome of ['unknown', 'failed'] as const) {
    const node = inDoubt(outcome);
    t.is(node.resource(mail).status?.kind, 'down');
    node.hear(1240, { ...activeReport, generation: 9 });
    t.is(node.askedOf(mail).includes('destroy'), outcome === 'unknown');
    if (outcome === 'failed') continue;
    node.finish(1250, web);
    node.finish(1250, address);
    node.show(1260, { role: 'secondary' });
    node.obey(1260);
    t.false(node.resource(mail).inDoubt);
    t.is(node.phase()?.kind, 'stopped');
  }
});

test('until then the guest may be in use, as the peer is told', (t) => {
  const node = inDoubt('unknown');
  node.hear(1240, { ...activeReport, generation: 9 });
  for (const id of [address, web]) node.finish(1250, id);
  node.show(1260, { role: 'secondary' });
  if (node.resource(disk).operation !== null) node.finish(1260, disk);
  t.is(node.phase()?.kind, 'stopping');
  t.true(node.report()?.holdsRest);
  node.finish(1270, mail, { kind: 'unknown', message: 'it took too long' });
  t.true(node.report()?.holdsRest, 'it was not destroyed for sure');
});

test('the doubt ends with a start that succeeds', (t) => {
  const node = inDoubt('unknown');
  t.true(node.resource(mail).inDoubt);
  node.pass(2300);
  node.finish(2300, mail);
  t.false(node.resource(mail).inDoubt);
});

test('a stop that nobody knows the end of is no doubt about a start', (t) => {
  const node = runningOwner();
  node.hear(2010, { ...activeReport, generation: 9 });
  node.finish(2020, mail, { kind: 'unknown', message: 'it took too long' });
  t.false(node.resource(mail).inDoubt);
});

test('a disk is paused when its IO is held back by the node, not when DRBD holds it back by itself', (t) => {
  const node = runningOwner();
  node.show(2010, { suspended: 'fencing' });
  t.is(node.resource(disk).status?.kind, 'up');
  node.show(2020, { suspended: 'user' });
  t.is(node.resource(disk).status?.kind, 'paused');
  t.deepEqual(node.askedOf(disk), ['resume'], 'nobody wants that of a group that runs');
});

test('the IO of a disk is not held back while its guests are paused in time', (t) => {
  const node = freezingOwner();
  t.deepEqual(node.askedOf(mail).slice(-1), ['freeze']);
  node.obey(node.endedAt + pausingMs / 2 - 1);
  node.go(10_000, { prompt: true });
  t.deepEqual(node.askedOf(disk), []);
  t.is(node.resource(disk).status?.kind, 'up');
});

for (const [ms, does] of [
  [Math.ceil(pausingMs / 2) - 1, false],
  [Math.ceil(pausingMs / 2), true],
] as const) {
  test(`a guest that is not paused after ${ms} ms ${does ? 'has its IO held back' : 'is given some more time'}`, (t) => {
    const node = freezingOwner();
    node.finish(node.endedAt, web);
    node.pass(node.endedAt + ms);
    t.is(node.askedOf(disk).includes('freeze'), does);
  });
}

test('a guest that cannot be paused has its IO held back at once', (t) => {
  const node = freezingOwner();
  node.finish(node.endedAt, mail, { kind: 'failed', code: 'x', message: 'the monitor is gone' });
  t.deepEqual(node.askedOf(disk), ['freeze']);
});

test('a guest that is not on the disk is no reason to hold its IO back', (t) => {
  const plain = protectedPolicy('primary', { disk: true });
  const groups = plain.groups.map((group) => ({
    ...group,
    resources: group.resources.map((one) => (one.id === mail ? { ...one, needs: [] } : one)),
  }));
  const node = freezingOwner({ ...plain, groups });
  node.finish(node.endedAt, web);
  node.pass(node.endedAt + 1000);
  t.deepEqual(node.askedOf(disk), []);
  const other = freezingOwner({ ...plain, groups });
  other.finish(other.endedAt, mail);
  other.pass(other.endedAt + 1000);
  t.deepEqual(other.askedOf(disk), ['freeze']);
});
