// What was written while a node was cut off is given up only if all of it stood still in time; and what is remembered
// of a disk survives a restart. docs/decisions/0008-data-before-promotion.md.

import test from 'ava';
import type { StorageStatus } from '../../daemon/core/events.ts';
import { address, disk, mail, protectedPolicy, type Side, web } from '../sim/example.ts';
import {
  activeReport,
  apart,
  mirrored,
  type OneCore,
  type OneCoreOptions,
  oneCore,
  ownRun,
  peerRun,
} from './support/one-core.ts';
import { freezingOwner, ofPrimary, runningOwner } from './support/situations.ts';

const { timings } = protectedPolicy('primary', {});
const pausingMs = timings.takeoverAfterMs - timings.freezeAfterMs;

/** The peer took over meanwhile, and the cable is mended: both copies have been written to. */
function meetsAfterwards<N extends OneCore>(node: N, at: number): N {
  node.hear(at, { ...activeReport, generation: 4, owner: 'secondary', writer: 'secondary' });
  node.obey(at + 10);
  node.show(at + 20, { connection: 'standalone' });
  node.go(at + 1100, { prompt: true });
  return node;
}

for (const lateMs of [pausingMs - 1, pausingMs]) {
  const inTime = lateMs < pausingMs;
  test(`guests that stand still ${lateMs} ms after the right to run them ended did so ${inTime ? 'in time' : 'too late'}`, (t) => {
    const node = freezingOwner();
    node.finish(node.endedAt, address);
    node.finish(node.endedAt + 10, web);
    t.false(node.group().frozenInTime, 'one of them still runs');
    node.finish(node.endedAt + lateMs, mail);
    t.is(node.group().frozenInTime, inTime);
    t.like(node.record(), { frozen: true, inTime });

    meetsAfterwards(node, 6000);
    t.is(node.phase()?.kind, 'stopped');
    t.is(node.askedOf(disk).includes('discard'), inTime);
    t.is(node.codes().includes('storage-standalone'), !inTime, 'a person chooses otherwise, and is told how');
    t.like(node.record(), { discards: inTime, frozen: false });
  });
}

test('a split that a person has to resolve says how', (t) => {
  const node = runningOwner();
  node.show(2010, { connection: 'standalone' });
  node.go(3000);
  t.false(node.codes().includes('storage-standalone'), 'it may be about to connect again');
  node.go(4000);
  const said = node.ofKind('note').filter(({ note }) => note.code === 'storage-standalone');
  t.is(said.length, 1);
  t.like(said[0]?.note, { severity: 'alarm', group: 'office', next: 'run `battito drbd resolve r0`' });
});

test('nothing gives way where the disk of the owner has failed and DRBD does not take the older copy: it says what does help', (t) => {
  const node = runningOwner();
  node.show(2010, { connection: 'standalone', disk: 'diskless' });
  node.go(4000);
  const said = node.ofKind('note').filter(({ note }) => note.code === 'storage-standalone');
  t.is(said.length, 1);
  const { self, peer } = node.state().policy;
  t.like(said[0]?.note, {
    message: `drbd:r0 has given its connection up: its disk has failed, and the copy of ${peer} may lack what was written to it last`,
    next: `mend the disk of ${self}; or, if what only that one has may be lost: \`systemctl stop battito\` on ${self}, then \`battito takeover --accept-data office\` on ${peer}`,
  });
});

test('the lease, too, is a right to run: time to stand still is counted from its end', (t) => {
  const node = runningOwner({ lease: true });
  node.go(3000, { witness: { kind: 'held', term: 1, peerAlone: [] } });
  node.go(3100, { peer: null, gateway: 'unanswered' });
  const endsAt = node.state().lease.validUntil ?? 0;
  t.true(endsAt > (node.state().peer.contactAt ?? 0) + timings.freezeAfterMs + pausingMs);
  node.go(endsAt - 1, { witness: null });
  t.is(node.phase()?.kind, 'active');
  node.go(endsAt, { prompt: false });
  t.is(node.phase()?.kind, 'frozen');
  node.go(endsAt + pausingMs - 1);
  node.obey(endsAt + pausingMs - 1);
  t.true(node.group().frozenInTime);
});

test('frozen guests that go on were not frozen in time the next time', (t) => {
  const node = freezingOwner();
  node.obey(node.endedAt + 10);
  t.true(node.group().frozenInTime);
  const phase = node.phase();
  const claim = phase?.kind === 'frozen' ? phase.claim.id : 0;
  node.go(node.endedAt + 300, { gateway: 'answered', peer: ofPrimary });
  node.hear(node.endedAt + 310, { ...ofPrimary, grant: { incarnation: ownRun, claim } });
  t.is(node.phase()?.kind, 'starting');
  t.false(node.group().frozenInTime);
  t.false(node.record()?.inTime);
});

test('what is frozen and then started afresh because the peer is off is not given up', (t) => {
  const node = freezingOwner();
  node.obey(node.endedAt + 10);
  node.go(6000);
  node.request(6000, { kind: 'confirm-peer-off', node: 'secondary', force: false });
  node.obey(6010);
  t.false(node.group().discards);
  t.true(node.codes().includes('discard-when-fenced'));
});

test('while the frozen copies are thrown away the ledger still says that they were, and that it was in time', (t) => {
  const node = freezingOwner();
  node.obey(node.endedAt + 10);
  node.hear(6000, { ...activeReport, generation: 4, owner: 'secondary' });
  t.like(node.phase(), { kind: 'stopping', reason: 'discard' });
  t.like(node.record(), { frozen: true, inTime: true, discards: false });
  node.obey(6010);
  t.like(node.record(), { frozen: false, inTime: true, discards: true });
});

test('changes are given up only for a peer that lives and has owned the group since', (t) => {
  const disowned = freezingOwner();
  disowned.obey(disowned.endedAt + 10);
  disowned.hear(6000, { ...activeReport, generation: 4, owner: null });
  disowned.obey(6010);
  t.is(disowned.phase()?.kind, 'stopped');
  t.false(disowned.group().discards);
  disowned.hear(6050, { ...activeReport, generation: 5, owner: 'secondary' });
  t.true(disowned.group().discards);

  const silent = freezingOwner();
  silent.obey(silent.endedAt + 10);
  silent.hear(6000, { ...activeReport, generation: 4, owner: 'secondary' });
  silent.pass(6700);
  t.is(silent.state().verdict.kind, 'late');
  silent.obey(6700);
  t.is(silent.phase()?.kind, 'stopped');
  t.false(silent.group().discards);
});

test('a group that was stopped at once, since the node was cut off meanwhile, stood still in time as well', (t) => {
  for (const lateMs of [pausingMs - 1, pausingMs]) {
    const node = runningOwner();
    node.request(2010, { kind: 'handover', groups: [] });
    node.go(2500, { peer: { ...ofPrimary, claim: { id: 3, reason: 'offered' } }, prompt: false });
    t.like(node.phase(), { kind: 'stopping', reason: 'handover' });
    const endedAt = (node.state().peer.contactAt ?? 0) + timings.freezeAfterMs;
    node.go(endedAt, { peer: null, gateway: 'unanswered' });
    t.like(node.phase(), { kind: 'stopping', reason: 'discard' });
    node.go(endedAt + lateMs - 1);
    t.false(node.group().frozenInTime);
    node.show(endedAt + lateMs, { ...apart, role: 'secondary' });
    node.obey(endedAt + lateMs);
    t.is(node.phase()?.kind, 'blocked');
    t.is(node.group().frozenInTime, lateMs < pausingMs);
  }
});

test('of two nodes that froze the same generation the preferred one goes on, and the other gives way', (t) => {
  const claim = { id: 3, reason: 'resume' } as const;
  const grantOf = (self: Side, generation: number) => {
    const policy = protectedPolicy(self, { disk: true });
    const record = { generation: 3, owner: self, writer: self, frozen: true };
    const node = oneCore({ self, policy, record });
    node.see(1, 'paused');
    node.show(1, { role: 'primary' });
    node.hear(100, { phase: 'frozen', generation, claim, holdsRest: true });
    return node;
  };
  const giving = grantOf('secondary', 3);
  t.deepEqual(giving.group().grant, { incarnation: peerRun, claim: 3 });
  t.like(giving.phase(), { kind: 'stopping', reason: 'discard' });
  t.is(grantOf('primary', 3).group().grant, null);
  t.is(grantOf('secondary', 2).group().grant, null, 'what the peer froze is older');
});

/** Started again, with what the ledger says and what is found. */
function restarted(record: OneCoreOptions['record'], found: 'down' | 'paused' = 'down') {
  const policy = protectedPolicy('primary', { disk: true });
  const node = oneCore({ policy, record: { ...ofPrimary, ...record } });
  node.see(1, found);
  node.show(1, { ...apart, role: found === 'down' ? 'secondary' : 'primary' });
  return node;
}

test('that a node wrote alone survives its restart, until the disks are connected', (t) => {
  const node = restarted({ alone: true });
  t.true(node.report()?.alone);
  node.show(10, { connection: 'connected' });
  t.false(node.report()?.alone);
  t.false(node.record()?.alone);
  node.show(20, apart);
  t.false(node.report()?.alone, 'without its mirror, and nothing was written');
  t.false(restarted({}).report()?.alone);
});

test('a disk that was promoted without its mirror was written to alone, also after it has been demoted', (t) => {
  const node = runningOwner();
  t.false(node.report()?.alone);
  node.show(2010, apart);
  t.true(node.report()?.alone);
  t.true(node.record()?.alone);
  node.show(2020, { role: 'secondary' });
  t.true(node.report()?.alone);
  const promoted = restarted({});
  promoted.show(10, { role: 'primary' });
  t.true(promoted.report()?.alone);
  const other = runningOwner();
  other.show(2010, { ...apart, role: 'secondary' });
  t.true(other.report()?.alone, 'both were seen at once: it may have written in between');
});

test('that it froze in time survives a restart', (t) => {
  const node = restarted({ frozen: true, inTime: true }, 'paused');
  t.is(node.phase()?.kind, 'frozen');
  t.true(node.group().frozenInTime);
  node.hear(1000, { ...activeReport, generation: 4, owner: 'secondary' });
  node.obey(1010);
  t.true(node.group().discards);
  t.false(restarted({ frozen: true, inTime: false }, 'paused').group().frozenInTime);
});

test('that changes are to be given up survives a restart, until the copies have been the same for a while', (t) => {
  const node = restarted({ discards: true });
  node.show(10, { connection: 'standalone' });
  t.deepEqual(node.askedOf(disk), [], 'the peer has not been heard');
  const peer = { ...activeReport, generation: 4, owner: 'secondary' };
  node.go(1000, { peer, prompt: false });
  t.deepEqual(node.askedOf(disk), ['discard']);
  t.true(node.report()?.discarding);
  node.obey(1010);
  node.go(5000);
  t.true(node.group().discards, 'what DRBD shows just after a cut may be older than the cut');
  node.go(5001);
  t.false(node.group().discards);
  t.deepEqual(node.askedOf(disk), ['discard']);

  const never = restarted({ discards: true });
  never.go(20_000, { peer, prompt: false });
  t.true(never.group().discards, 'it was never connected');
  t.deepEqual(restarted({}).askedOf(disk), []);
});

test('changes are to be given up also when DRBD still tries to connect, and it is told so again after a second', (t) => {
  const node = restarted({ discards: true });
  const peer = { ...activeReport, generation: 4, owner: 'secondary' };
  node.go(1000, { peer, prompt: false });
  t.deepEqual(node.askedOf(disk), ['discard']);
  node.finish(1000, disk);
  node.go(1999);
  t.deepEqual(node.askedOf(disk), ['discard']);
  node.go(2000);
  t.deepEqual(node.askedOf(disk), ['discard', 'discard']);
  t.is(node.resource(disk).status?.kind, 'down', 'nor does that promote it');
  const mirror = restarted({ discards: true });
  mirror.show(10, mirrored);
  mirror.go(1000, { peer });
  t.deepEqual(mirror.askedOf(disk), [], 'what is connected needs nothing');
});

test('what is to be given up is kept after all when the group has to be started from it', (t) => {
  const node = restarted({ discards: true, sole: true });
  node.go(6000, { peer: null, prompt: false });
  t.is(node.phase()?.kind, 'starting');
  t.false(node.group().discards);
});

test('whoever has the other copy, in use or not, connects it again for a peer that gives its changes up', (t) => {
  const discarding = { ...ofPrimary, discarding: true };
  const node = runningOwner();
  node.show(2010, { connection: 'standalone' });
  node.hear(2050, ofPrimary);
  t.deepEqual(node.askedOf(disk), []);
  node.hear(2100, discarding);
  t.deepEqual(node.askedOf(disk), ['connect']);
  node.obey(2110);
  t.is(node.resource(disk).status?.kind, 'up', 'it stays promoted');

  const unpromotable = runningOwner();
  unpromotable.show(2010, { connection: 'standalone', role: 'secondary', disk: 'consistent' });
  unpromotable.hear(2050, ofPrimary);
  t.deepEqual(unpromotable.askedOf(disk), [], 'it cannot be promoted with what it has');
  unpromotable.hear(2100, discarding);
  t.deepEqual(unpromotable.askedOf(disk), ['connect']);

  const untold = runningOwner();
  untold.show(2010, { connection: 'standalone', role: 'unknown' });
  untold.hear(2100, discarding);
  t.false(untold.askedOf(disk).includes('connect'), 'whether it is promoted cannot be told');
  const connecting = runningOwner();
  connecting.show(2010, apart);
  connecting.hear(2100, discarding);
  t.deepEqual(connecting.askedOf(disk), [], 'it is trying already');
  const idle = restarted({ owner: 'secondary' });
  idle.show(10, { connection: 'standalone' });
  idle.hear(100, { generation: 3, owner: 'secondary' });
  t.deepEqual(idle.askedOf(disk), []);
  idle.hear(200, { generation: 3, owner: 'secondary', discarding: true });
  t.deepEqual(idle.askedOf(disk), ['connect']);
});

test('guests that stood still too late did so too late also when the peer is heard again', (t) => {
  const node = freezingOwner();
  for (const id of [address, web]) node.finish(node.endedAt, id);
  node.go(node.endedAt + 2000);
  node.finish(node.endedAt + 2000, mail);
  node.go(6000);
  node.hear(6010, { ...activeReport, generation: 4, owner: 'secondary', writer: 'secondary' });
  node.obey(6020);
  t.false(node.group().frozenInTime);
  t.false(node.askedOf(disk).includes('discard'));
});

/** The owner stops in order for a handover, was cut off meanwhile, and its guests are down by `at`. */
function stoppedInOrder(at: number, shown: Partial<StorageStatus>) {
  const node = runningOwner();
  node.request(2010, { kind: 'handover', groups: [] });
  node.go(2500, { peer: { ...ofPrimary, claim: { id: 3, reason: 'offered' } }, prompt: false });
  node.go(2600, { peer: null, gateway: 'unanswered' });
  node.show(2600, shown);
  node.go(at);
  for (const id of [address, web, mail]) node.finish(at, id);
  return node;
}

test('a group stopped in order while cut off, by a right that had not ended, may be given up as well', (t) => {
  const node = stoppedInOrder(3000, apart);
  t.like(node.phase(), { kind: 'stopping', reason: 'handover' });
  t.true(node.group().frozenInTime);
  node.show(3100, { role: 'secondary' });
  node.obey(3100);
  meetsAfterwards(node, 6000);
  t.true(node.askedOf(disk).includes('discard'));
});

test('an orderly stop with the mirror at its side leaves nothing to be given up', (t) => {
  t.false(stoppedInOrder(3000, {}).group().frozenInTime);
});

test('writes without the mirror that the peer has been told of are never given up unasked', (t) => {
  const node = runningOwner();
  node.show(2010, apart);
  node.hear(2100, ofPrimary);
  t.true(node.report()?.alone);
  node.go(2500, { peer: null, gateway: 'unanswered', prompt: false });
  const endedAt = (node.state().peer.contactAt ?? 0) + timings.freezeAfterMs;
  node.go(endedAt);
  t.is(node.phase()?.kind, 'frozen');
  node.obey(endedAt + 10);
  t.false(node.group().frozenInTime, 'whoever took over did so by the word of a person');
  meetsAfterwards(node, 6000);
  t.false(node.askedOf(disk).includes('discard'));
  t.true(node.codes().includes('storage-standalone'), 'and a person chooses');
});

test('writes without the mirror that the witness has on record are never given up unasked', (t) => {
  const node = runningOwner({ lease: true });
  node.go(3000, { witness: { kind: 'held', term: 1, peerAlone: [] } });
  node.go(3100, { peer: null, gateway: 'unanswered' });
  node.show(3100, apart);
  const endsAt = node.state().lease.validUntil ?? 0;
  node.go(endsAt, { prompt: false });
  t.true((node.state().lease.ownAlone ?? []).includes('office'));
  node.go(node.state().lease.validUntil ?? 0, { witness: null });
  t.is(node.phase()?.kind, 'frozen');
  node.obey(node.state().now + 1);
  t.false(node.group().frozenInTime);
});

test('a copy whose changes are to be given up is first marked as the older one, if the peer waits for that', (t) => {
  const node = restarted({ discards: true, alone: true });
  const peer = { ...activeReport, phase: 'starting', generation: 4, owner: 'secondary' } as const;
  node.hear(1000, { ...peer, wantsOutdated: true });
  t.deepEqual(node.askedOf(disk), ['outdate']);
  node.obey(1010);
  node.hear(2100, { ...peer, wantsOutdated: true });
  t.deepEqual(node.askedOf(disk), ['outdate', 'discard'], 'and then its changes go');
});

test('what DRBD refuses to give up for half a minute is left to a person', (t) => {
  const node = restarted({ discards: true });
  node.show(10, { connection: 'standalone' });
  const peer = { ...activeReport, generation: 4, owner: 'secondary' };
  node.go(1000, { peer, prompt: false });
  t.true(node.group().discards);
  for (let at = 1000; at <= 30_000; at += 1000) {
    node.go(at);
    if (node.resource(disk).operation !== null) node.finish(at, disk);
  }
  t.true(node.group().discards);
  t.false(node.codes().includes('storage-standalone'));
  for (let at = 31_000; at <= 34_000; at += 1000) {
    node.go(at);
    if (node.resource(disk).operation !== null) node.finish(at, disk);
  }
  t.false(node.group().discards);
  t.true(node.codes().includes('storage-standalone'));
});

test('a connection that was given up is tried again while the peer lives, more and more seldom, and told of once', (t) => {
  const node = runningOwner();
  node.show(2000, { connection: 'standalone' });
  node.go(21_900, { peer: ofPrimary });
  t.deepEqual(node.askedOf(disk), []);
  node.go(22_000, { prompt: false });
  t.deepEqual(node.askedOf(disk), ['connect']);
  node.show(22_050, { connection: 'connecting' });
  node.finish(22_050, disk);
  node.show(22_100, { connection: 'standalone' });
  node.go(62_000);
  t.deepEqual(node.askedOf(disk), ['connect']);
  node.go(62_200);
  t.deepEqual(node.askedOf(disk), ['connect', 'connect']);
  const again: number[] = [];
  for (let tries = 0; tries < 7; tries += 1) {
    const since = node.state().now + 10;
    node.show(since, { connection: 'connecting' });
    node.finish(since, disk);
    node.show(since + 10, { connection: 'standalone' });
    while (node.resource(disk).operation === null) node.go(node.state().now + 1000);
    again.push(Math.round((node.state().now - since) / 10_000) * 10);
  }
  t.deepEqual(again, [80, 160, 320, 600, 600, 600, 600]);
  t.is(node.codes().filter((code) => code === 'storage-standalone').length, 1);
  node.show(node.state().now + 10, { connection: 'connected' });
  node.finish(node.state().now + 10, disk);
  t.is(node.resource(disk).reconnects, 0);
});

test('a change of the phase of its group is a reason to try a connection again as early as at first', (t) => {
  const node = runningOwner();
  node.show(2000, { connection: 'standalone' });
  node.go(22_000, { peer: ofPrimary, prompt: false });
  node.show(22_050, { connection: 'connecting' });
  node.finish(22_050, disk);
  node.show(22_100, { connection: 'standalone' });
  t.is(node.resource(disk).reconnects, 1);
  node.hear(22_200, { ...activeReport, generation: 4, owner: 'secondary', writer: 'secondary' });
  t.is(node.phase()?.kind, 'stopping');
  t.is(node.resource(disk).reconnects, 0);
});

test('while the peer gives up what it wrote, nobody is told that the copies have parted', (t) => {
  const node = runningOwner();
  node.show(2000, { connection: 'standalone' });
  node.go(5000, { peer: { ...ofPrimary, discarding: true }, prompt: false });
  t.false(node.codes().includes('storage-standalone'));
  if (node.resource(disk).operation !== null) node.finish(5000, disk);
  node.go(7000, { peer: ofPrimary });
  t.true(node.codes().includes('storage-standalone'));
});

test('a person may give up what was written here, where the group does not run and the peer lives', (t) => {
  const node = restarted({ owner: 'secondary' });
  node.show(10, apart);
  const peer = { ...activeReport, generation: 3, owner: 'secondary' };
  const discard = { kind: 'discard-data', groups: ['office'] } as const;
  t.like(node.request(20, discard), { kind: 'refused', message: 'secondary is not heard' });
  node.go(60_000, { peer, prompt: false });
  t.false(node.askedOf(disk).includes('discard'));
  t.is(node.request(60_000, discard).kind, 'accepted');
  t.true(node.report()?.discarding);
  node.go(60_100, { prompt: true });
  t.true(node.askedOf(disk).includes('discard'), 'although they parted long ago');
  node.go(70_000);
  t.like(node.request(70_000, discard), {
    message: 'the disks of office have not parted',
    next: 'nothing is to be given up; `battito status` shows how they are',
  });
  t.like(node.request(70_000, { ...discard, groups: [] }), { message: 'no group was named' });

  const owner = runningOwner();
  owner.show(2000, { connection: 'standalone' });
  t.like(owner.request(2000, discard), { message: 'office is in use on primary' });
});
