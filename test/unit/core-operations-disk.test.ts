// Operations on a mirrored disk, and what waits for it.

import test from 'ava';
import { address, disk, mail, protectedPolicy, web } from '../sim/example.ts';
import { apart, oneCore, peerRun } from './support/one-core.ts';
import { peerOff } from './support/requests.ts';
import { idle, ofPrimary, owner, runningOwner, starting, taking } from './support/situations.ts';

const failed = { kind: 'failed', code: 'x', message: 'it is busy' } as const;
const unknown = { kind: 'unknown', message: 'no answer in time' } as const;
const unreachable = { kind: 'unreachable', message: 'it does not answer' } as const;

test('a disk of an active group that somebody demoted is promoted again, but not while its copy is the older one', (t) => {
  const node = runningOwner();
  node.show(2010, { role: 'secondary', disk: 'outdated' });
  node.go(2500);
  t.deepEqual(node.askedOf(disk), []);
  node.show(2510, { disk: 'up-to-date' });
  t.deepEqual(node.askedOf(disk), ['start']);
});

/** The secondary, whose peer ran the group and asks it to mark its copy as the older one. */
function asked() {
  const node = oneCore({ self: 'secondary', policy: protectedPolicy('secondary', { disk: true }) });
  node.see(1, 'down');
  node.show(1, apart);
  const peer = { ...ofPrimary, phase: 'active', holdsRest: true, wantsOutdated: true } as const;
  node.go(1000, { peer, prompt: false });
  return node;
}

test('a copy that does not show as marked is marked again after a second, not before', (t) => {
  const node = asked();
  t.deepEqual(node.askedOf(disk), ['outdate']);
  node.finish(1010, disk);
  t.is(node.resource(disk).status?.kind, 'down', 'its role is what it was');
  node.go(2009);
  t.is(node.askedOf(disk).length, 1);
  node.go(2010);
  t.is(node.askedOf(disk).length, 2);
});

test('a copy that cannot be marked is tried again after twice as long each time, and is what it was', (t) => {
  const node = asked();
  node.finish(1010, disk, failed);
  t.is(node.resource(disk).lastError, 'it is busy');
  node.go(2010);
  node.finish(2010, disk, unknown);
  t.is(node.resource(disk).status?.kind, 'down');
  node.go(4009);
  t.is(node.askedOf(disk).length, 2);
  node.go(4010);
  t.is(node.askedOf(disk).length, 3);
});

test('a person’s word on the data forces the promotion of the disk, and not its demotion', (t) => {
  const policy = protectedPolicy('secondary', { disk: true });
  const node = oneCore({ self: 'secondary', policy });
  node.see(1, 'down');
  node.show(1, { ...apart, disk: 'outdated' });
  node.go(1000, { peer: { willing: false }, prompt: false });
  node.go(6000, { peer: null });
  t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'outdated-data' });
  node.request(6000, { kind: 'accept-data', groups: ['office'] });
  t.deepEqual(node.askedOf(disk), ['start, forced']);
  node.show(6010, { role: 'primary' });
  node.finish(6010, disk);
  node.feed(6020, { kind: 'stop-requested' });
  t.is(node.group().rule, 'leave-while-starting');
  node.go(20_000, { prompt: true });
  t.deepEqual(node.askedOf(disk), ['start, forced', 'stop']);
  t.false(node.askedOf(mail).some((words) => words.includes('forced')));
});

test('with a witness that does not answer, the address is up while the disk waits for its word', (t) => {
  const node = idle({ policy: protectedPolicy('secondary', { disk: true, lease: true }) });
  node.show(2000);
  node.go(2500);
  node.show(2500, apart);
  node.go(6000, { peer: null });
  node.request(6000, peerOff);
  node.go(6100);
  t.is(node.phase()?.kind, 'starting', 'it has not been refused yet: nothing is blocked');
  t.deepEqual(node.askedOf(address), ['start']);
  t.deepEqual(node.askedOf(disk), []);
});

test('with a witness that does not answer, a dead peer is not taken over for want of the lease', (t) => {
  const node = idle({ policy: protectedPolicy('secondary', { disk: true, lease: true }) });
  node.show(2000);
  node.go(2500);
  node.show(2500, apart);
  node.go(9000, { peer: null, witness: unreachable });
  t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'no-lease' });
});

test('with a witness that does not answer, a peer that has said goodbye is taken over all the same', (t) => {
  const node = owner({ policy: protectedPolicy('primary', { lease: true }) });
  node.go(3000, { witness: unreachable });
  t.not(node.state().lease.lastError, null);
  node.request(3000, { kind: 'handover', groups: [] });
  node.go(3500, { peer: { ...ofPrimary, claim: { id: 1, reason: 'offered' } } });
  const taken = { phase: 'active', generation: 4, owner: 'secondary', holdsRest: true } as const;
  node.go(4000, { peer: taken });
  t.is(node.phase()?.kind, 'stopped');
  node.go(4100, { peer: { generation: 4, owner: 'secondary' }, says: { leaving: true } });
  t.is(node.state().verdict.kind, 'departed');
  t.deepEqual(node.phase(), { kind: 'active', generation: 5 });
});

const lastWriter = { generation: 3, owner: 'secondary', writer: 'secondary' } as const;

function withConsistentCopy(record: typeof lastWriter & { readonly sole?: boolean }) {
  const policy = protectedPolicy('secondary', { disk: true, device: true });
  const node = oneCore({ self: 'secondary', policy, record });
  node.see(1, 'down');
  node.show(1, { ...apart, disk: 'consistent' });
  return node;
}

test('with a device, who was the only owner is not blocked for its Consistent copy before the device was tried', (t) => {
  const node = withConsistentCopy({ ...lastWriter, sole: true });
  node.go(30_000, { peer: null, prompt: false });
  t.is(node.state().verdict.kind, 'dead');
  t.is(node.phase()?.kind, 'stopped');
  t.is(node.ofKind('fence-peer').length, 1);
});

test('by its record alone a Consistent copy is not the newest once a peer with which it was not connected is away', (t) => {
  const node = withConsistentCopy(lastWriter);
  const block = { kind: 'blocked', obstacle: 'outdated-data' } as const;
  node.go(1000, { peer: { ...lastWriter, willing: false }, prompt: false });
  t.deepEqual(node.phase(), block, 'a peer that lives is not powered off');
  node.go(5000, { peer: null });
  t.is(node.state().verdict.kind, 'dead');
  t.deepEqual(node.phase(), block, 'the record of that peer may have been an old one');
  t.is(node.ofKind('fence-peer').length, 0);
  node.request(5000, { kind: 'accept-data', groups: ['office'] });
  node.go(6000, { peer: null });
  t.is(node.ofKind('fence-peer').length, 1, 'a person may say that it is');
});

test('with a device, an owner that is cut off does not freeze: whoever takes over powers it off first', (t) => {
  const node = owner({ policy: protectedPolicy('primary', { device: true }) });
  node.go(8000, { peer: null, gateway: 'unanswered' });
  t.is(node.phase()?.kind, 'active');
});

test('with a witness, a frozen owner whose peer says goodbye throws its guests away and starts them afresh', (t) => {
  const node = owner({ policy: protectedPolicy('primary', { lease: true }) });
  node.go(6000, { peer: null, gateway: 'unanswered', witness: unreachable });
  t.is(node.phase()?.kind, 'frozen');
  node.hear(6010, ofPrimary, { says: { leaving: true } });
  t.is(node.group().rule, 'discard-when-fenced');
});

test('a guest whose start is in doubt is not kept paused: it is ended', (t) => {
  const node = starting();
  node.finish(1060, mail, unknown);
  node.seeOne(1070, mail, { kind: 'up' });
  node.go(5000, { peer: null, gateway: 'unanswered' });
  node.finish(5010, mail);
  t.deepEqual(node.askedOf(mail), ['start', 'freeze', 'destroy']);
  node.finish(5020, web);
});

test('with a witness, a disk without its mirror needs no mark of its own beside a peer that lives', (t) => {
  const node = taking({ lease: true });
  node.show(1110, { ...apart, connection: 'standalone' });
  node.go(2000, { peer: { ...node.peer, holdsRest: false }, witness: unreachable });
  t.deepEqual(node.askedOf(disk), [], 'the peer may have lost its record of having written alone');
  t.is(node.phase()?.kind, 'starting', 'nor could the peer ask');
  t.is(node.codes().filter((code) => code === 'awaits-witness').length, 1, 'said once');
  const refused = { kind: 'refused', holder: 'primary', term: 1, peerAlone: [] } as const;
  node.go(3000, { peer: { ...node.peer, holdsRest: false }, witness: refused });
  t.deepEqual(node.askedOf(disk), ['start']);
});

test('with a witness, a disk without its mirror is left to a peer that lives if that one has written alone', (t) => {
  const node = taking({ lease: true });
  node.show(1110, { ...apart, connection: 'standalone' });
  const refused = { kind: 'refused', holder: 'primary', term: 1, peerAlone: ['office'] } as const;
  node.go(2000, { peer: { ...node.peer, holdsRest: false }, witness: refused });
  t.deepEqual(node.askedOf(disk), []);
  t.is(node.group().rule, 'decline');
});

test('with a witness, a peer that was restarted within deadtime may have forgotten, too', (t) => {
  const node = taking({ lease: true });
  node.show(1110, { ...apart, connection: 'standalone' });
  const refused = { kind: 'refused', holder: 'primary', term: 1, peerAlone: [] } as const;
  node.go(2000, { peer: { ...node.peer, holdsRest: true }, witness: refused });
  const { aliveSince } = node.state().peer;
  const restarted = { ...node.peer, phase: 'stopped', apart: true, holdsRest: false } as const;
  node.go(3000, { run: peerRun + 1, peer: restarted, witness: unreachable });
  t.is(node.state().peer.aliveSince, aliveSince);
  t.deepEqual(node.askedOf(disk), [], 'the witness was asked about its last run');
  node.go(4000, { run: peerRun + 1, peer: restarted, witness: refused });
  t.deepEqual(node.askedOf(disk), ['start']);
});

test('with a witness, a disk that only this node shows with its mirror waits for it', (t) => {
  const node = taking({ lease: true });
  node.go(2000, { peer: { ...node.peer, holdsRest: false, apart: true }, witness: unreachable });
  t.deepEqual(node.askedOf(disk), []);
  node.go(3000, { peer: { ...node.peer, holdsRest: false } });
  t.deepEqual(node.askedOf(disk), ['start']);
});

test('with a witness, a disk that has its mirror needs no mark although the peer is late', (t) => {
  const node = taking({ lease: true });
  const witness = { kind: 'held', term: 1, peerAlone: [] } as const;
  node.go(2000, { peer: { ...node.peer, holdsRest: false }, witness });
  t.deepEqual(node.askedOf(disk), ['start']);
  node.finish(2000, disk, failed);
  node.go(3000, { peer: null });
  t.is(node.state().verdict.kind, 'late');
  t.deepEqual(node.askedOf(disk), ['start', 'start']);
});

test('an address that is up already is taken away at once from a group that is declined', (t) => {
  const node = taking();
  node.finish(1110, address);
  node.show(1120, { ...apart, disk: 'outdated' });
  t.is(node.group().rule, 'decline');
  t.is(node.askedOf(address).at(-1), 'destroy');
});

test('a person’s word on the data ends with a freeze: it is not taken again for what happened meanwhile', (t) => {
  const node = oneCore({
    self: 'secondary',
    policy: protectedPolicy('secondary', { disk: true, lease: true }),
  });
  node.see(1, 'down');
  node.show(1, { ...apart, disk: 'outdated' });
  node.go(1000, { peer: { willing: false }, prompt: false });
  node.go(6000, { peer: null });
  node.request(6000, peerOff);
  node.request(6010, { kind: 'accept-data', groups: ['office'] });
  node.go(6100);
  t.deepEqual(node.askedOf(disk), ['start, forced']);
  node.show(6110, { role: 'primary' });
  node.finish(6110, disk);
  node.go(6500, { peer: { willing: false } });
  t.is(node.phase()?.kind, 'starting');
  node.go(9000, { peer: null, gateway: 'unanswered' });
  t.is(node.phase()?.kind, 'frozen');
  node.request(9000, peerOff);
  node.go(15_000, { prompt: true });
  t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'outdated-data' });
});

test('the mirror is waited for while a group starts, and not when it runs already', (t) => {
  const node = taking();
  node.go(1200, { peer: { ...node.peer, holdsRest: false }, prompt: true });
  t.is(node.phase()?.kind, 'active');
  node.show(1210, { ...apart, role: 'secondary' });
  t.deepEqual(node.askedOf(disk), ['start', 'start']);
});

test('a guest whose start hangs while the node is cut off may be running already: the IO under it is held back', (t) => {
  const node = taking();
  node.go(2000, { peer: { ...node.peer, holdsRest: false, holdsAddresses: false } });
  node.show(2000, { role: 'primary' });
  for (const id of [address, disk]) if (node.resource(id).operation !== null) node.finish(2000, id);
  node.finish(2010, web);
  node.show(2020, apart);
  node.go(6000, { peer: null, gateway: 'unanswered' });
  t.is(node.phase()?.kind, 'frozen');
  t.is(node.resource(mail).operation?.action, 'start');
  t.true(node.askedOf(disk).includes('freeze'));
  node.finish(6010, web);
  node.show(6020, { suspended: 'user' });
  node.finish(6020, disk);
  t.false(node.group().frozenInTime, 'and nothing of it stands still');
});

test('a group whose disk has failed here is offered to the peer, whose copy is whole', (t) => {
  const node = runningOwner();
  node.show(2010, { disk: 'diskless' });
  node.go(2100, { peer: ofPrimary });
  t.true(node.report()?.offer);
  const apartFromIt = runningOwner();
  apartFromIt.show(2010, { ...apart, disk: 'diskless' });
  apartFromIt.go(2100, { peer: ofPrimary });
  t.false(apartFromIt.report()?.offer);
  const inDoubt = runningOwner();
  inDoubt.show(2010, { disk: 'diskless', peerDisk: 'inconsistent' });
  inDoubt.go(2100, { peer: ofPrimary });
  t.false(inDoubt.report()?.offer);
});

test('what a frozen disk holds back is kept, also where nobody knows what came of an operation on it', (t) => {
  const node = runningOwner();
  node.go(2500, { peer: null, gateway: 'unanswered' });
  node.show(2500, apart);
  node.go(4000);
  t.is(node.phase()?.kind, 'frozen');
  const shown = { connection: 'connected', peerRole: 'secondary', peerDisk: 'up-to-date' } as const;
  node.show(4010, { ...shown, suspended: 'user' });
  node.go(4020, { prompt: false });
  const grant = { incarnation: node.state().incarnation, claim: node.report()?.claim?.id ?? 0 };
  node.hear(4050, ofPrimary);
  node.hear(4060, { ...ofPrimary, grant });
  t.is(node.phase()?.kind, 'starting');
  t.is(node.resource(disk).operation?.action, 'resume');
  node.finish(4200, disk, unknown);
  node.go(7000, { peer: null });
  t.is(node.phase()?.kind, 'frozen');
  t.false(node.askedOf(disk).includes('destroy'));
});
