// Guests that go to the other node while they run: what the giver invites to and moves, what the receiver promotes and
// lets run, and what becomes of a move that fails.

import test from 'ava';
import type { StorageStatus } from '../../daemon/core/events.ts';
import { hasUserAhead } from '../../daemon/core/migration.ts';
import type { GuestPolicy, Policy } from '../../daemon/core/policy.ts';
import { goesOnByPeer } from '../../daemon/core/storage.ts';
import { address, disk, examplePolicy, mail, web } from '../sim/example.ts';
import { apart, mirrored, type OneCore, oneCore, ownRun } from './support/one-core.ts';
import { handover } from './support/requests.ts';
import { ableGuest, ofPrimary, ofSecondary } from './support/situations.ts';

const live: GuestPolicy = {
  ...ableGuest,
  handover: 'live',
  saveMs: null,
  cannot: { live: null, save: 'there is no file system' },
};
const saveable = { saveMs: 9000, cannot: { live: null, save: null } } as const;
const times = { startMs: 5000, stopMs: 5000 } as const;
const failed = { kind: 'failed', code: 'x', message: 'no route' } as const;
const unsure = { kind: 'unknown', message: 'nobody knows' } as const;

/** An address, a device, and a guest on it that may go while it runs. */
function livePolicy(more: Policy['groups'][number]['resources'] = [], guest: Partial<GuestPolicy> = {}) {
  return examplePolicy('primary', {
    resources: [
      { id: address, kind: 'address', needs: [], ...times },
      { id: disk, kind: 'drbd', needs: [], ...times },
      { id: mail, kind: 'guest', needs: [disk], ...times, guest: { ...live, ...guest } },
      ...more,
    ],
  });
}

const claim = { id: 1, reason: 'offered' } as const;
const taker = { ...ofPrimary, claim };
const startingThere = {
  generation: 4,
  owner: 'secondary',
  writer: 'primary',
  phase: 'starting',
  holdsAddresses: true,
  holdsRest: true,
} as const;

const second = 'drbd:r1';

/** What DRBD shows of the second device, where there is one. */
function showSecond(node: OneCore, at: number, changes: Partial<StorageStatus>): void {
  const storage = { ...mirrored, ...changes };
  node.feed(at, { kind: 'storage-observed', group: 'office', resource: second, storage });
}

/** The primary has let go of the address of a group that it hands over; its drivers do nothing by themselves. */
function giving(policy: Policy = livePolicy()): OneCore {
  const node = oneCore({ policy, record: ofPrimary });
  node.see(1, 'up');
  node.show(1, { ...mirrored, role: 'primary' });
  showSecond(node, 1, { role: 'primary' });
  node.go(1500, { peer: ofPrimary }); // What a daemon before may have left on is forbidden.
  node.go(2000, { peer: ofPrimary, prompt: false });
  node.request(2000, handover);
  node.hear(2010, taker);
  node.go(2050, { peer: taker });
  node.finish(2060, address);
  return node;
}

/** Its peer has promoted its device. */
function givenTo(policy?: Policy): OneCore {
  const node = giving(policy);
  node.finish(2070, disk);
  node.go(2100, { peer: startingThere });
  node.show(2110, { peerRole: 'primary' });
  node.go(2150);
  return node;
}

test('the giver allows two primaries, then invites, and moves its guest once the device is primary there', (t) => {
  const node = giving();
  t.deepEqual(node.askedOf(disk).slice(-1), ['allow-two']);
  t.deepEqual(node.report()?.inviting, [], 'not before DRBD allows it');
  node.finish(2070, disk);
  t.deepEqual(node.report()?.inviting, [disk]);
  node.go(3000, { peer: startingThere });
  t.deepEqual(node.askedOf(mail), [], 'its device is not primary there');
  node.show(3010, { peerRole: 'primary' });
  node.go(3050);
  t.like(node.ofKind('start-operation').at(-1), { action: 'migrate', resource: mail, deadlineMs: 60_000 });
  t.deepEqual(node.report()?.inviting, [disk], 'as long as it is on its way');
  t.is(node.record()?.writer, 'secondary', 'on record before it goes');
  node.finish(9000, mail);
  t.deepEqual(node.report()?.inviting, []);
  t.deepEqual(node.askedOf(disk).slice(-1), ['stop']);
  node.show(9100, { role: 'secondary' });
  node.finish(9100, disk);
  t.is(node.phase()?.kind, 'stopped');
  node.go(11_000, { prompt: true });
  t.deepEqual(node.askedOf(disk).slice(-1), ['forbid-two']);
});

test('nothing goes before the ledger says that the peer writes', (t) => {
  const node = oneCore({ policy: livePolicy(), record: ofPrimary, persists: false });
  node.see(1, 'up');
  node.show(1, { ...mirrored, role: 'primary' });
  node.go(2000, { peer: ofPrimary });
  node.request(2000, handover);
  node.hear(2010, taker);
  node.go(2500, { peer: taker });
  node.go(3000, { peer: startingThere });
  node.show(3010, { peerRole: 'primary' });
  node.go(4000);
  t.is(node.record()?.writer, 'secondary');
  t.deepEqual(node.askedOf(mail), []);
  node.feed(4010, { kind: 'ledger-persisted', revision: node.state().ledgerRevision });
  t.deepEqual(node.askedOf(mail), ['migrate']);
});

test('a peer that does not promote is waited for a while; then the guest is shut down', (t) => {
  const node = giving();
  node.finish(2070, disk);
  node.go(11_900, { peer: startingThere });
  t.deepEqual(node.askedOf(mail), []);
  node.go(12_200);
  t.deepEqual(node.askedOf(mail), ['stop']);
  t.deepEqual(node.report()?.inviting, []);
});

test('a peer that does not want the group any more is not waited for', (t) => {
  const node = giving();
  node.finish(2070, disk);
  node.go(2500, { peer: ofPrimary });
  t.deepEqual(node.askedOf(mail), ['stop']);
  t.deepEqual(node.report()?.inviting, []);
});

for (const outcome of [failed, unsure]) {
  test(`a migration that ends ${outcome.kind} is not tried again: it is saved, else shut down, else switched off`, (t) => {
    const node = givenTo(livePolicy([], saveable));
    node.finish(2200, mail, outcome);
    node.seeOne(2210, mail, { kind: 'up' });
    t.deepEqual(node.report()?.inviting, []);
    node.go(4000);
    node.finish(4000, mail, failed);
    node.go(9000);
    node.finish(9000, mail, failed);
    node.go(20_000);
    t.deepEqual(node.askedOf(mail), ['migrate', 'save', 'stop', 'destroy']);
  });
}

test('without its mirror, or where DRBD does not allow it, the guest goes another way at once', (t) => {
  const cut = givenTo();
  cut.finish(2200, mail, failed);
  const unmirrored = giving();
  unmirrored.finish(2070, disk);
  unmirrored.show(2080, apart);
  unmirrored.go(2100);
  t.deepEqual(unmirrored.askedOf(mail), ['stop']);
  const refused = giving();
  refused.finish(2070, disk, failed);
  refused.go(2100);
  t.deepEqual(refused.askedOf(mail), ['stop']);
});

test('where the cable was cut in the midst of it, the mirror is looked for again: the guest waits for it', (t) => {
  const node = givenTo();
  node.show(3000, { ...apart, role: 'primary', suspended: 'fencing' });
  node.finish(4000, mail, failed);
  node.seeOne(4010, mail, { kind: 'up' });
  node.go(5000);
  node.finish(5000, disk);
  t.deepEqual(node.askedOf(mail), ['migrate', 'stop']);
  t.deepEqual(node.askedOf(disk).slice(-1), ['forbid-two']);
  node.show(6000, { ...apart, connection: 'standalone', role: 'primary', suspended: 'fencing' });
  node.go(20_000);
  t.deepEqual(node.askedOf(disk).slice(-1), ['forbid-two'], 'not at once');
  node.go(27_000);
  t.deepEqual(node.askedOf(disk).slice(-1), ['connect']);
});

test('a guest that shares its device stays on one node', (t) => {
  const node = giving(livePolicy([{ id: web, kind: 'guest', needs: [disk], ...times }]));
  t.false(node.askedOf(disk).includes('allow-two'));
  t.deepEqual(node.askedOf(mail), ['stop']);
});

test('one guest after the other', (t) => {
  const node = givenTo(
    livePolicy([
      { id: second, kind: 'drbd', needs: [], ...times },
      { id: web, kind: 'guest', needs: [second], ...times, guest: live },
    ]),
  );
  node.finish(2160, second);
  showSecond(node, 2160, { role: 'primary', peerRole: 'primary' });
  node.go(2200);
  const moved = () => [...node.askedOf(mail), ...node.askedOf(web)];
  t.deepEqual(moved(), ['migrate']);
  node.finish(5000, mail);
  node.go(5050);
  t.deepEqual(moved(), ['migrate', 'migrate']);
});

const giver = { ...ofSecondary, phase: 'stopping', holdsRest: true } as const;

/** The primary has been granted the group and has the address; the peer does not invite it yet. */
function taking(policy: Policy = livePolicy(), besides = (_: OneCore) => {}): OneCore {
  const node = oneCore({ policy, record: ofSecondary });
  node.see(1, 'down');
  node.show(1, { ...mirrored, peerRole: 'primary' });
  besides(node);
  const active = { ...ofSecondary, phase: 'active', holdsRest: true } as const;
  node.go(1500, { peer: active });
  node.go(2000, { peer: { ...active, offer: true }, prompt: false });
  const phase = node.phase();
  if (phase?.kind !== 'claiming') throw new Error(`it does not claim, it is ${phase?.kind}`);
  const granted = { ...giver, grant: { incarnation: ownRun, claim: phase.claim.id } };
  node.go(2100, { peer: granted });
  node.finish(2100, address);
  node.go(2200);
  return node;
}

/** Invited, and promoted. */
function standingBeside(): OneCore {
  const node = taking();
  node.go(2300, { peer: { ...giver, inviting: [disk] } });
  node.finish(2310, disk);
  node.show(2400, { role: 'primary' });
  node.finish(2400, disk);
  node.go(2500);
  return node;
}

test('the receiver promotes its device beside that of the peer when it is invited, and not before', (t) => {
  const node = taking();
  t.false(node.askedOf(disk).includes('start'));
  t.false(node.askedOf(disk).includes('allow-two'));
  node.go(2300, { peer: { ...giver, inviting: [disk] } });
  t.deepEqual(node.askedOf(disk).slice(-1), ['allow-two']);
  node.finish(2310, disk);
  t.deepEqual(node.askedOf(disk).slice(-1), ['start']);
  node.show(2400, { role: 'primary' });
  node.finish(2400, disk);
  node.go(9000);
  t.deepEqual(node.askedOf(mail), [], 'its guest may still run there');
  t.is(node.record()?.writer, 'secondary', 'nobody writes here yet');
});

test('the receiver goes by the invitation, however the guest is configured', (t) => {
  const node = taking(livePolicy([], { handover: 'shutdown' }));
  node.go(2300, { peer: { ...giver, inviting: [disk] } });
  t.deepEqual(node.askedOf(disk).slice(-1), ['allow-two']);
});

test('what was allowed is forbidden, also when the guest can no longer go while it runs', (t) => {
  const node = oneCore({ policy: livePolicy(), record: ofPrimary });
  node.see(1, 'up');
  node.show(1, { ...mirrored, role: 'primary' });
  const policy = livePolicy([], { migrateMs: null, cannot: { live: 'it has a medium in it', save: null } });
  node.feed(2, { kind: 'policy-replaced', policy });
  node.go(1000, { peer: ofPrimary });
  t.deepEqual(node.askedOf(disk), ['forbid-two']);
});

test('a device that it is not invited to is left to the peer, whose guest goes another way', (t) => {
  const policy = livePolicy([
    { id: second, kind: 'drbd', needs: [], ...times },
    { id: web, kind: 'guest', needs: [second], ...times, guest: live },
  ]);
  const node = taking(policy, (started) => showSecond(started, 1, { peerRole: 'primary' }));
  const before = node.askedOf(second);
  node.go(2300, { peer: { ...giver, inviting: [disk] } });
  t.deepEqual(node.askedOf(disk).slice(-1), ['allow-two']);
  node.finish(2310, disk);
  node.go(9000);
  t.deepEqual(node.askedOf(second), before);
});

test('a device that is not mirrored is not promoted beside the other one', (t) => {
  const node = taking();
  node.show(2250, apart);
  node.go(9000, { peer: { ...giver, inviting: [disk] } });
  t.false(node.askedOf(disk).some((action) => action === 'start' || action === 'allow-two'));
});

test('nor is one that it is not invited to any more, whatever DRBD still allows', (t) => {
  const node = taking();
  node.go(2300, { peer: { ...giver, inviting: [disk] } });
  node.hear(2305, giver);
  node.finish(2310, disk);
  t.deepEqual(node.askedOf(disk).slice(-1), ['forbid-two']);
  node.finish(2320, disk, failed);
  node.go(9000, { peer: giver });
  t.true(node.resource(disk).paired, 'it could not be forbidden');
  t.false(node.askedOf(disk).includes('start'));
});

test('nor for a guest that there is no memory for', (t) => {
  const node = taking({ ...livePolicy(), guestMemoryMiB: 512 });
  node.go(9000, { peer: { ...giver, inviting: [disk] } });
  t.false(node.askedOf(disk).some((action) => action === 'start' || action === 'allow-two'));
});

test('what comes in is left alone while the giver invites; let go of, it is up', (t) => {
  const node = standingBeside();
  node.seeOne(2600, mail, { kind: 'incoming' });
  node.go(9000);
  t.deepEqual(node.askedOf(mail), []);
  node.seeOne(9010, mail, { kind: 'up' });
  node.go(9500, { peer: giver });
  t.deepEqual(node.askedOf(mail), []);
  t.false(node.askedOf(disk).includes('stop'));
  node.go(9600, { peer: { ...giver, phase: 'stopped', holdsRest: false } });
  t.is(node.phase()?.kind, 'active');
  t.is(node.record()?.writer, 'primary');
  node.show(9700, { peerRole: 'secondary' });
  t.deepEqual(node.askedOf(disk).slice(-1), ['forbid-two']);
});

test('what has come in and is not wanted any more is ended, and never goes on by the word of this node', (t) => {
  const node = standingBeside();
  node.seeOne(2600, mail, { kind: 'incoming' });
  node.go(2700, { peer: giver });
  t.deepEqual(node.askedOf(mail), ['reject']);
  node.finish(2800, mail);
  t.is(node.resource(mail).status?.kind, 'unknown', 'it may have been let go of: it is looked at');
  node.seeOne(2810, mail, { kind: 'down' });
  node.go(2900);
  t.deepEqual(node.askedOf(disk).slice(-1), ['stop'], 'nothing is on it');
  node.show(2950, { role: 'secondary' });
  node.finish(2950, disk);
  node.go(6000, { peer: { ...giver, holdsRest: false }, prompt: true });
  node.show(6100, { peerRole: 'secondary' });
  node.go(9000);
  t.deepEqual(node.askedOf(mail), ['reject', 'start'], 'it starts afresh');
});

test('nor when the giver dies while it comes in', (t) => {
  const node = standingBeside();
  node.seeOne(2600, mail, { kind: 'incoming' });
  node.go(20_000, { peer: null });
  t.deepEqual(node.askedOf(mail), ['reject']);
});

test('a copy that was idle beside the other one is not ahead of it once they have parted', (t) => {
  const node = standingBeside();
  node.show(2600, { ...apart, role: 'primary' });
  t.is(node.resource(disk).aheadSince, null);
  t.false(node.report()?.alone);
  t.deepEqual(node.askedOf(disk).slice(-1), ['stop']);
  const coming = standingBeside();
  coming.seeOne(2550, mail, { kind: 'incoming' });
  coming.show(2600, { ...apart, role: 'primary' });
  t.is(coming.resource(disk).aheadSince, null, 'it stands still until it is let go of');
  coming.seeOne(2700, mail, { kind: 'up' });
  coming.go(2750);
  t.is(coming.resource(disk).aheadSince, 2700);
  const used = standingBeside();
  used.seeOne(2550, mail, { kind: 'up' });
  used.show(2600, { ...apart, role: 'primary' });
  t.is(used.resource(disk).aheadSince, 2600);
});

test('a node that forbids two primaries once more can take the group back all the while', (t) => {
  const node = givenTo();
  node.finish(2200, mail);
  node.show(2300, { role: 'secondary', peerRole: 'primary' });
  node.finish(2300, disk);
  t.is(node.phase()?.kind, 'stopped');
  const active = { ...startingThere, generation: 5, writer: 'secondary', phase: 'active' } as const;
  node.go(2310, { peer: { ...active, offer: true }, prompt: false });
  t.deepEqual(node.askedOf(disk).slice(-1), ['forbid-two']);
  node.go(3000);
  t.is(node.resource(disk).operation?.action, 'forbid-two');
  t.is(node.phase()?.kind, 'claiming');
});

test('what a daemon before may have left on is forbidden, unless both are primary', (t) => {
  const node = oneCore({ policy: livePolicy(), record: ofPrimary });
  node.see(1, 'up');
  node.show(1, { ...mirrored, role: 'primary', peerRole: 'primary' });
  node.go(1000, { peer: ofPrimary });
  t.deepEqual(node.askedOf(disk), []);
  node.show(1010, { peerRole: 'secondary' });
  t.deepEqual(node.askedOf(disk), ['forbid-two']);
  node.go(9000);
  t.deepEqual(node.askedOf(disk), ['forbid-two'], 'once');
});

test('a guest that came while it ran has its data while DRBD has them anywhere, and nothing to go on with where the last copy failed', (t) => {
  const group = giving(livePolicy()).group();
  const isAhead = (storage: StorageStatus) => {
    const resources = group.resources.map((one) => ({
      ...one,
      storage: one.id === disk ? storage : one.storage,
      status: { kind: 'up' } as const,
    }));
    return hasUserAhead({ ...group, resources }, disk);
  };
  const promoted = { ...mirrored, role: 'primary' } as const;
  t.true(isAhead(promoted));
  t.true(isAhead({ ...promoted, disk: 'diskless' }));
  t.false(isAhead({ ...promoted, disk: 'diskless', connection: 'connecting' }));
  t.false(isAhead({ ...promoted, disk: 'diskless', peerDisk: 'inconsistent' }));
});

test('a disk that fails while a part of its group is promoted here is gone on with by way of the peer', (t) => {
  const [first, other] = [
    { ...mirrored, role: 'primary' } as const,
    { ...mirrored, disk: 'diskless' } as const,
  ];
  const node = giving(livePolicy([{ id: second, kind: 'drbd', needs: [], ...times }]));
  const goes = (ofFirst: StorageStatus, ofOther: StorageStatus) => {
    const shown = new Map([
      [disk, ofFirst],
      [second, ofOther],
    ]);
    const resources = node.group().resources.map((one) => ({ ...one, storage: shown.get(one.id) ?? null }));
    const found = resources.find(({ id }) => id === second);
    return found !== undefined && goesOnByPeer({ ...node.group(), resources }, found);
  };
  t.true(goes(first, other));
  t.true(goes({ ...first, disk: 'diskless' }, other));
  t.false(goes({ ...first, role: 'secondary' }, other), 'a group is not begun without a disk');
  t.false(goes(first, { ...other, connection: 'connecting' }));
  t.false(goes(first, { ...other, peerDisk: 'inconsistent' }));
  t.false(
    goes(first, { ...other, disk: 'inconsistent' }),
    'a copy of its own that is older is not passed over',
  );
});
