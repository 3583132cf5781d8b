// Marking a copy as the older one, and what DRBD is told when it asks before it writes alone.

import test from 'ava';
import type { Disk, OutdatingAnswer, StorageStatus } from '../../daemon/core/events.ts';
import type { GroupReport } from '../../daemon/core/heartbeat.ts';
import type { Verdict } from '../../daemon/core/state.ts';
import { outdatingAnswer } from '../../daemon/core/storage.ts';
import { disk, mail, type Protection, protectedPolicy } from '../sim/example.ts';
import { createWorld } from '../sim/world.ts';
import { apart, mirrored, type OneCore, type OneCoreOptions, oneCore, ownRun } from './support/one-core.ts';
import { handover } from './support/requests.ts';
import { ofPrimary, ofSecondary, runningOwner } from './support/situations.ts';

const held = { kind: 'held', term: 1, peerAlone: [] } as const;
const peerOff = { kind: 'confirm-peer-off', node: 'secondary', force: false } as const;

/** The secondary, idle and without its mirror; the primary owns the group, unless the record says otherwise. */
function idle(shown: Partial<StorageStatus> = {}, record: OneCoreOptions['record'] = ofPrimary) {
  const node = oneCore({ self: 'secondary', policy: protectedPolicy('secondary', { disk: true }), record });
  node.see(1, 'down');
  node.show(1, { ...apart, ...shown });
  const { generation = 0, owner = null, writer = null } = record;
  const said: Partial<GroupReport> = { generation, owner, writer, willing: false };
  const hear = (at: number, report: Partial<GroupReport>) => node.hear(at, { ...said, ...report });
  return { ...node, hear };
}

const asksToOutdate = (node: Pick<OneCore, 'askedOf'>) => node.askedOf(disk).includes('outdate');

test('an idle copy that may be older is marked so when the peer asks for it, and only then', (t) => {
  const blocked = idle();
  blocked.hear(100, { wantsOutdated: true });
  t.is(blocked.phase()?.kind, 'blocked', 'neither of them may run the group');
  t.true(asksToOutdate(blocked));

  const node = idle();
  node.hear(100, { willing: true });
  t.is(node.phase()?.kind, 'stopped');
  t.deepEqual(node.asked, []);
  node.hear(200, { wantsOutdated: true });
  t.deepEqual(node.askedOf(disk), ['outdate']);
  t.false(node.report()?.holdsRest, 'the peer need not wait for that');
  node.obey(210);
  t.is(node.resource(disk).status?.kind, 'down');
  t.true(node.report()?.outdated);
  node.hear(1300, { wantsOutdated: true });
  t.deepEqual(node.askedOf(disk), ['outdate'], 'once is enough');
});

const writers = [
  ['primary', 'primary', true, 'the peer owns the group and wrote last'],
  ['secondary', 'primary', true, 'the peer wrote last, and this node has not promoted anything since'],
  ['primary', 'secondary', true, 'the peer owns the group now and has all that was written here'],
  ['secondary', 'secondary', false, 'this node has the newest data'],
] as const;

for (const [owner, writer, does, why] of writers) {
  test(`a copy is ${does ? '' : 'not '}marked as the older one: ${why}`, (t) => {
    const node = idle({}, { generation: 3, owner, writer });
    node.hear(100, { wantsOutdated: true });
    t.is(asksToOutdate(node), does);
  });
}

test('a copy that was written to without its mirror is never marked as the older one', (t) => {
  const node = idle({}, { ...ofPrimary, alone: true });
  node.hear(100, { wantsOutdated: true });
  t.false(asksToOutdate(node));
});

const shownDisks: readonly (readonly [Disk, boolean])[] = [
  ['up-to-date', true],
  ['consistent', true],
  ['outdated', false],
  ['inconsistent', false],
  ['diskless', false],
  ['unknown', false],
];

for (const [shown, does] of shownDisks) {
  test(`a copy that is ${shown} ${does ? 'is' : 'need not be'} marked as the older one`, (t) => {
    const node = idle({ disk: shown });
    node.hear(100, { wantsOutdated: true });
    t.is(asksToOutdate(node), does);
  });

  test(`without its mirror, a copy that is ${shown} is ${does || shown === 'unknown' ? 'not ' : ''}called the older one`, (t) => {
    t.is(idle({ disk: shown }).report()?.outdated, !does && shown !== 'unknown');
    t.false(idle({ disk: shown, connection: 'connected' }).report()?.outdated, 'with it, none is');
  });
}

test('of two disks without their mirrors both have to be the older ones; of one with it nothing is said', (t) => {
  const second = 'drbd:r1';
  const plain = protectedPolicy('secondary', { disk: true });
  const added = { id: second, kind: 'drbd', needs: [], startMs: 3000, stopMs: 3000 } as const;
  const groups = plain.groups.map((group) => ({ ...group, resources: [...group.resources, added] }));
  const node = oneCore({ self: 'secondary', policy: { ...plain, groups }, record: ofPrimary });
  const show = (resource: string, shown: Partial<StorageStatus>) =>
    node.feed(1, { kind: 'storage-observed', group: 'office', resource, storage: { ...mirrored, ...shown } });
  show(disk, { ...apart, disk: 'outdated' });
  show(second, apart);
  t.false(node.report()?.outdated);
  show(second, { ...apart, disk: 'outdated' });
  t.true(node.report()?.outdated);
  show(second, {});
  t.true(node.report()?.outdated);
  show(disk, {});
  t.false(node.report()?.outdated);
});

test('a copy is marked also when DRBD has given the connection up, but not while it is connected', (t) => {
  const split = idle({ connection: 'standalone' });
  split.hear(100, { wantsOutdated: true });
  t.true(asksToOutdate(split));
  const whole = idle(mirrored);
  whole.hear(100, { wantsOutdated: true });
  t.false(asksToOutdate(whole));
});

test('a copy is not marked for a peer that has fallen silent since', (t) => {
  const node = idle({ disk: 'outdated' });
  node.hear(100, { wantsOutdated: true });
  node.pass(700);
  t.is(node.state().verdict.kind, 'late');
  node.show(710, { disk: 'up-to-date' });
  t.deepEqual(node.asked, []);
});

test('a disk that is in use, or of which that cannot be told, is not marked', (t) => {
  for (const role of ['primary', 'unknown'] as const) {
    const node = idle();
    node.show(50, { role });
    node.hear(100, { wantsOutdated: true });
    t.false(asksToOutdate(node), role);
  }
  const unseen = oneCore({ policy: protectedPolicy('primary', { disk: true }), record: ofSecondary });
  unseen.show(1, apart);
  unseen.hear(100, { ...ofSecondary, wantsOutdated: true });
  t.is(unseen.phase()?.kind, 'observing');
  t.false(asksToOutdate(unseen), 'what its guests do has not been seen yet');
});

test('a node that asks for the group marks its copy, and one that is about to start it does not', (t) => {
  const said = { generation: 3, owner: 'secondary', writer: 'primary', willing: false } as const;
  const idleInSync = () => {
    const node = idle(mirrored, said);
    node.show(50, apart);
    return node;
  };
  const claiming = idleInSync();
  claiming.hear(100, {});
  const phase = claiming.phase();
  if (phase?.kind !== 'claiming') throw new Error(`it does not claim, it is ${phase?.kind}`);
  claiming.hear(200, { wantsOutdated: true });
  t.true(asksToOutdate(claiming));

  const starting = idleInSync();
  starting.hear(100, {});
  starting.hear(200, { grant: { incarnation: ownRun, claim: phase.claim.id }, wantsOutdated: true });
  t.is(starting.phase()?.kind, 'starting');
  t.false(asksToOutdate(starting));
});

/** The cable between the two was cut, and DRBD has asked whether it may write alone. */
function asking(protection: Protection = {}) {
  const node = runningOwner(protection);
  node.show(2000, { ...apart, suspended: 'fencing' });
  node.askOutdating(2000, 7);
  return node;
}

test('an owner whose DRBD waits asks the peer to mark its copy, and does so no more when it has been told', (t) => {
  const node = runningOwner();
  t.false(node.report()?.wantsOutdated);
  node.show(2000, apart);
  t.false(node.report()?.wantsOutdated);
  node.askOutdating(2010, 7);
  t.true(node.report()?.wantsOutdated);
  node.hear(2100, { ...ofPrimary, outdated: true });
  t.deepEqual(node.outdatings(), ['7 outdated']);
  t.false(node.report()?.wantsOutdated);
});

test('a daemon that DRBD asks before the disk was looked at does not ask the peer to mark its copy yet', (t) => {
  const node = oneCore({ policy: protectedPolicy('primary', { disk: true }), record: ofPrimary });
  node.askOutdating(1, 7);
  t.false(node.report()?.wantsOutdated, 'there may be no copy here');
  node.see(2, 'up');
  node.show(2, { ...apart, role: 'primary', suspended: 'fencing' });
  t.true(node.report()?.wantsOutdated);
});

test('an owner that has lost its own disk does not ask for it: the copy of the peer is all there is', (t) => {
  const node = asking({ device: true });
  t.true(node.report()?.wantsOutdated);
  node.show(2050, { ...apart, disk: 'diskless', suspended: 'fencing' });
  t.false(node.report()?.wantsOutdated);
  node.go(4000, { peer: null });
  t.deepEqual(node.ofKind('fence-peer'), [], 'nor is that a reason to power it off');
});

test('who wrote last and whose copy is only Consistent asks for it, too; with the mirror, or up to date, not', (t) => {
  const wants = (shown: Partial<StorageStatus>, writer: 'primary' | 'secondary' = 'secondary') =>
    idle(shown, { generation: 3, owner: 'secondary', writer }).report()?.wantsOutdated;
  t.true(wants({ disk: 'consistent' }));
  t.false(wants({ disk: 'consistent' }, 'primary'));
  t.false(wants({ disk: 'consistent', connection: 'connected' }));
  t.false(wants({ disk: 'up-to-date' }));
  t.false(wants({ disk: 'outdated' }));
});

test('who told DRBD to go on without its mirror writes alone from then on, whether or not DRBD shows it', (t) => {
  const node = runningOwner();
  node.askOutdating(2010, 7);
  t.false(node.report()?.alone, 'while it waits for its answer nothing is written');
  const [told] = node.ofKind('persist-ledger', node.hear(2050, ofPrimary, { says: { leaving: true } }));
  t.deepEqual(node.outdatings(), ['7 unreachable']);
  t.true(node.report()?.alone);
  t.true(told?.ledger.groups[0]?.alone, 'and that is written down at once');
  node.show(2100, mirrored);
  t.false(node.report()?.alone, 'until it has its mirror again');
});

test('every question is answered, and each of them once', (t) => {
  const node = asking();
  node.askOutdating(2010, 8);
  t.deepEqual(node.outdatings(), []);
  node.hear(2050, { ...ofPrimary, outdated: true });
  node.hear(2100, { ...ofPrimary, outdated: true });
  t.deepEqual(node.outdatings(), ['7 outdated', '8 outdated']);
});

test('a group that is frozen here answers no question: its IO is to stay frozen', (t) => {
  const node = asking();
  node.go(3500, { peer: null, gateway: 'unanswered' });
  t.is(node.phase()?.kind, 'frozen');
  node.hear(3510, { ...ofPrimary, outdated: true });
  t.deepEqual(node.outdatings(), []);
});

/** The cable between the two was cut while the guests of a group that is handed over were being stopped. */
function askingOnItsWay(protection: Protection = {}) {
  const node = runningOwner(protection);
  node.go(1990, { prompt: false });
  node.request(2000, handover);
  node.hear(2010, { ...ofPrimary, phase: 'claiming', claim: { id: 1, reason: 'offered' } });
  node.show(2020, { ...apart, suspended: 'fencing' });
  return node;
}

test('a group that is given away writes alone so that its guests can end, once the peer has marked its copy', (t) => {
  const node = askingOnItsWay();
  t.like(node.phase(), { kind: 'stopping', reason: 'handover' });
  node.askOutdating(2030, 7);
  node.hear(2040, ofPrimary);
  t.deepEqual(node.outdatings(), []);
  node.hear(2050, { ...ofPrimary, outdated: true });
  t.deepEqual(node.outdatings(), ['7 outdated']);
  t.true(node.report()?.alone);
  t.true(node.record()?.alone, 'and that is written down');
});

test('no evidence lets what is given away write alone, but the word of a peer that lives', (t) => {
  const node = askingOnItsWay();
  node.askOutdating(2030, 7);
  node.hear(2040, { ...ofPrimary, outdated: true }, { says: { leaving: true } });
  t.is(node.state().verdict.kind, 'departed');
  const silent = askingOnItsWay();
  silent.askOutdating(2030, 7);
  silent.go(20_000, { peer: null });
  t.is(silent.state().verdict.kind, 'dead');
  for (const one of [node, silent]) t.deepEqual(one.outdatings(), []);
});

test('a question is void when the disks are connected again', (t) => {
  const node = asking();
  node.show(2100, { ...mirrored, role: 'primary' });
  t.false(node.report()?.wantsOutdated);
  node.hear(2150, { ...ofPrimary, outdated: true });
  t.deepEqual(node.outdatings(), []);
});

test('a peer that lives and has not marked its copy proves nothing, however long that takes', (t) => {
  const node = asking();
  node.go(20_000, { peer: { ...ofPrimary, outdated: false } });
  t.deepEqual(node.outdatings(), []);
});

test('the word of a peer that has not heard us for warntime may be older than what it did since', (t) => {
  const { warntimeMs } = protectedPolicy('primary', {}).timings;
  for (const [ageMs, told] of [
    [warntimeMs - 1, ['7 outdated']],
    [warntimeMs, []],
  ] as const) {
    const node = runningOwner();
    node.show(2000, apart);
    node.go(2300, { peer: { ...ofPrimary, outdated: true }, hearsUs: false });
    const at = (node.state().peer.contactAt ?? 0) + ageMs;
    node.go(at);
    t.is(node.state().verdict.kind, 'alive');
    node.askOutdating(at, 7);
    t.deepEqual(node.outdatings(), told, `${ageMs} ms`);
  }
});

test('a peer that is dead by all evidence is unreachable once it must have frozen, and not before', (t) => {
  const node = asking();
  const { lastHeardAt } = node.state().peer;
  const { takeoverAfterMs } = node.state().policy.timings;
  node.go((lastHeardAt ?? 0) + takeoverAfterMs - 1, { peer: null });
  t.is(node.state().verdict.kind, 'dead');
  t.deepEqual(node.outdatings(), []);
  node.feed((lastHeardAt ?? 0) + takeoverAfterMs, { kind: 'time-passed' });
  t.deepEqual(node.outdatings(), ['7 unreachable']);
});

test('a peer that has said goodbye is unreachable at once', (t) => {
  const node = asking();
  node.hear(2050, ofPrimary, { says: { leaving: true } });
  t.deepEqual(node.outdatings(), ['7 unreachable']);
});

test('a peer that a person calls off is fenced', (t) => {
  const node = asking({ device: true });
  node.go(4000, { peer: null });
  t.deepEqual(node.outdatings(), []);
  node.request(4010, peerOff);
  t.deepEqual(node.outdatings(), ['7 fenced']);
});

test('DRBD that waits is a reason to power a silent peer off, and its word is that of the device', (t) => {
  const node = asking({ device: true });
  node.go(4000, { peer: null });
  t.is(node.ofKind('fence-peer').length, 1);
  node.finishFencing(4010);
  t.deepEqual(node.outdatings(), [], 'its addresses have not been asked since');
  node.go(4100);
  t.deepEqual(node.outdatings(), ['7 fenced']);

  const unasked = runningOwner({ device: true });
  unasked.show(2000, apart);
  unasked.go(10_000, { peer: null });
  t.deepEqual(unasked.ofKind('fence-peer'), [], 'an owner that waits for nothing leaves it alone');
});

const answers: readonly (readonly [string, Verdict, OutdatingAnswer | null])[] = [
  ['not heard since the start', { kind: 'listening' }, null],
  ['late', { kind: 'late' }, null],
  ['alive', { kind: 'alive' }, null],
  ['silent while this node is cut off', { kind: 'isolated' }, null],
  ['silent, and answers otherwise', { kind: 'unresponsive', signs: ['peer-lan still answers'] }, null],
  ['silent, and could not be asked', { kind: 'unresponsive', signs: [] }, null],
  ['dead for less than the time of a takeover', { kind: 'dead' }, null],
  ['off in order', { kind: 'departed' }, 'unreachable'],
  ['off by the word of a person', { kind: 'fenced', by: 'operator' }, 'fenced'],
  ['off by the word of a device', { kind: 'fenced', by: 'device' }, 'fenced'],
  ['stopped by its watchdog, as the lease proves', { kind: 'fenced', by: 'lease' }, null],
];

for (const [title, verdict, answer] of answers) {
  test(`of a peer that is ${title}, DRBD is told ${answer ?? 'nothing'}`, (t) => {
    const node = runningOwner();
    t.is(outdatingAnswer({ ...node.state(), verdict }, node.group(), false), answer);
  });
}

test('of a peer that is gone by the evidence, DRBD is told that it is unreachable; with a witness, nothing', (t) => {
  const verdict = { kind: 'dead' } as const;
  const node = runningOwner();
  t.is(outdatingAnswer({ ...node.state(), verdict }, node.group(), true), 'unreachable');
  const witnessed = runningOwner({ lease: true });
  t.is(outdatingAnswer({ ...witnessed.state(), verdict }, witnessed.group(), true), null);
});

const silentVerdicts: readonly Verdict[] = [
  { kind: 'dead' },
  { kind: 'isolated' },
  { kind: 'unresponsive', signs: [] },
  { kind: 'fenced', by: 'lease' },
];

for (const verdict of silentVerdicts) {
  test(`with a witness, of a peer that is ${verdict.kind} DRBD is told nothing until the witness knows that we write alone`, (t) => {
    const node = runningOwner({ lease: true });
    node.go(2500, { witness: held });
    const silent = { ...node.state(), verdict };
    t.is(outdatingAnswer(silent, node.group(), true), null, 'gone by the evidence, and the lease is ours');
    node.show(2500, apart);
    node.go(4000, { peer: null });
    t.deepEqual(node.state().lease.ownAlone, ['office']);
    const marked = { ...node.state(), verdict };
    t.is(outdatingAnswer(marked, node.group(), false), 'unreachable');
    const ended = { ...marked, now: marked.lease.validUntil ?? 0 };
    t.is(
      outdatingAnswer(ended, node.group(), true),
      null,
      'the lease is over, and somebody else may have it',
    );
    const ofAnother = { ...marked, lease: { ...marked.lease, ownAlone: ['another'] } };
    t.is(outdatingAnswer(ofAnother, node.group(), true), null);
  });
}

test('with a witness, an owner that loses its mirror has that recorded at once, and DRBD is told after it', (t) => {
  const node = runningOwner({ lease: true });
  node.go(3000, { witness: held });
  t.deepEqual(node.ofKind('request-lease').at(-1)?.marks, { alone: [], same: ['office'] });
  const { nextAt } = node.state().lease;
  node.go(nextAt - 300, { peer: null });
  const before = node.ofKind('request-lease').length;
  node.show(nextAt - 300, apart);
  t.is(node.ofKind('request-lease').length, before + 1, 'not only when the lease is renewed');
  t.deepEqual(node.ofKind('request-lease').at(-1)?.marks, { alone: ['office'], same: [] });
  node.go(nextAt + 1800, { witness: null });
  node.askOutdating(nextAt + 1800, 7);
  t.deepEqual(node.outdatings(), []);
  node.answerLease(nextAt + 1810, held);
  t.deepEqual(node.outdatings(), ['7 unreachable'], 'not even deadtime is waited for');
});

test('the dedicated cable is cut: the standby marks its copy over the LAN, and the owner goes on with its guests', (t) => {
  const world = createWorld({ policy: (side) => protectedPolicy(side, { disk: true }) });
  world.boot('primary');
  world.boot('secondary');
  world.runUntil('primary runs it', () => world.phase('primary') === 'active');
  world.run(5000);
  world.cut('primary', 'heartbeat');
  const storageOf = (side: 'primary' | 'secondary') =>
    world.state(side).groups[0]?.resources.find(({ id }) => id === disk)?.storage;
  world.runUntil('the copy is marked', () => storageOf('secondary')?.disk === 'outdated', 5000);
  world.runUntil('the IO goes on', () => storageOf('primary')?.suspended === 'no', 1000);
  t.is(storageOf('primary')?.connection, 'connecting');
  t.is(world.resource('primary', mail), 'up');
  world.powerLoss('primary');
  world.run(20_000);
  t.is(world.phase('secondary'), 'blocked', 'the older copy is started by nobody');
  t.is(world.resource('secondary', disk), 'down');
  t.deepEqual(world.violations, []);
});
