// Which copy of a mirrored disk may be promoted: docs/decisions/0008-data-before-promotion.md, case by case.

import test from 'ava';
import type { Disk, LeaseAnswer, StorageStatus } from '../../daemon/core/events.ts';
import { noteLoneWrites } from '../../daemon/core/mirror.ts';
import { leaseProvesAt } from '../../daemon/core/safeguards.ts';
import type { State, Verdict } from '../../daemon/core/state.ts';
import { isPromotable } from '../../daemon/core/storage.ts';
import { disk, mail, type Protection, protectedPolicy, web } from '../sim/example.ts';
import { activeReport, apart, mirrored, type OneCoreOptions, oneCore, ownRun } from './support/one-core.ts';
import { runningOwner } from './support/situations.ts';

type Setting = Omit<OneCoreOptions, 'policy'> &
  Protection & { readonly shown?: Partial<StorageStatus>; readonly heardBefore?: boolean };

/** The secondary, with a disk that nobody uses, as it is shown first. */
function standby({ shown = {}, self = 'secondary', ...options }: Setting = {}) {
  const policy = protectedPolicy(self, { disk: true, ...options });
  const node = oneCore({ self, policy, ...options });
  node.see(1, 'down');
  node.show(1, shown);
  return node;
}

/** A secondary whose peer ran the group, with both copies the same, until 2 s. */
function beside(setting: Setting = {}) {
  const node = standby(setting);
  node.show(1, { peerRole: 'primary' });
  node.go(2000, { peer: ran });
  return node;
}

/** The same node after the cable between them was cut; the peer may have said more before it fell silent. */
function besideUnmirrored(setting: Setting = {}) {
  const node = beside(setting);
  node.show(2000, apart);
  return node;
}

const ran = { ...activeReport, owner: 'primary', writer: 'primary' } as const;
const held = { kind: 'held', term: 1, peerAlone: [] } as const;
const peerOff = { kind: 'confirm-peer-off', node: 'primary', force: false } as const;
const acceptData = { kind: 'accept-data', groups: ['office'] } as const;

const disks: readonly Disk[] = [
  'up-to-date',
  'consistent',
  'outdated',
  'inconsistent',
  'diskless',
  'unknown',
];

for (const shown of disks) {
  const may = shown === 'up-to-date';
  test(`a copy that is connected and ${shown} ${may ? 'may' : 'may not'} be promoted`, (t) => {
    t.is(standby({ shown: { disk: shown } }).report()?.willing, may);
    const record = { generation: 3, owner: 'secondary', writer: 'secondary' };
    t.is(standby({ shown: { disk: shown }, record }).report()?.willing, may, 'whoever wrote last');
  });
}

test('a disk that has not been shown yet is not promoted', (t) => {
  const node = oneCore({ policy: protectedPolicy('primary', { disk: true }) });
  node.see(1, 'down');
  node.seeOne(2, disk, { kind: 'down' });
  t.false(node.report()?.willing, 'that it is not in use says nothing of its data');
  node.show(3);
  t.true(node.report()?.willing);
});

for (const writer of ['secondary', 'primary', null]) {
  const may = writer === 'secondary';
  test(`a copy that was never seen connected may ${may ? '' : 'not '}be promoted when ${writer ?? 'nobody'} wrote last`, (t) => {
    const record = { generation: 3, owner: 'secondary', writer };
    const node = standby({ record, shown: apart });
    t.is(node.report()?.willing, may);
    node.show(5, { disk: 'outdated' });
    t.false(node.report()?.willing, 'an older copy least of all');
  });
}

const off: Verdict = { kind: 'fenced', by: 'device' };

test('a copy that was never seen connected may be promoted without the peer only by who was the only owner', (t) => {
  for (const shown of ['up-to-date', 'consistent'] as const) {
    const may = (sole: boolean, verdict: Verdict, setting: Setting = {}) => {
      const record = { generation: 3, owner: 'secondary', writer: 'secondary', sole };
      const node = standby({ record, shown: { ...apart, disk: shown }, ...setting });
      return isPromotable({ ...node.state(), verdict }, node.group(), node.resource(disk), true);
    };
    for (const verdict of [off, { kind: 'dead' }, { kind: 'departed' }, { kind: 'isolated' }] as const) {
      t.false(
        may(false, verdict),
        `${shown}, ${verdict.kind}: the record of the peer may have been an old one`,
      );
      t.true(may(true, verdict));
      t.true(may(false, verdict, { lease: true }), 'the witness would know');
    }
    for (const kind of ['listening', 'alive', 'late'] as const) t.true(may(false, { kind }));
  }
});

test('a copy of the last writer that was connected is promoted without the peer', (t) => {
  const record = { generation: 3, owner: 'secondary', writer: 'secondary' };
  const node = standby({ record });
  node.show(5, apart);
  t.true(isPromotable({ ...node.state(), verdict: off }, node.group(), node.resource(disk)));
});

test('a copy that was the same until its peer fell silent is promoted', (t) => {
  const node = besideUnmirrored();
  t.is(node.record()?.writer, 'primary', 'although the peer wrote last');
  node.go(6000, { peer: null });
  t.deepEqual(node.askedOf(disk), ['start']);
  t.is(node.phase()?.kind, 'active');
});

test('a guest is started only after its disk has been promoted', (t) => {
  const node = besideUnmirrored();
  node.go(6000, { peer: null, prompt: false });
  t.deepEqual(node.askedOf(disk), ['start']);
  t.false(node.asked.includes(`start ${mail}`));
  node.show(6001, { role: 'primary' });
  t.false(node.asked.includes(`start ${mail}`), 'it still says whether it is done');
  node.finish(6002, disk);
  t.true(node.asked.includes(`start ${mail}`));
});

test('a copy is not promoted after the peer has said that it writes alone', (t) => {
  const node = besideUnmirrored();
  t.true(node.report()?.willing);
  node.hear(2010, { ...ran, alone: true });
  t.false(node.report()?.willing);
  node.hear(2020, { ...ran, alone: false });
  t.false(node.report()?.willing, 'what it wrote then is missing here until they are connected');
  node.go(6000, { peer: null });
  t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'outdated-data' });
  t.deepEqual(node.asked, []);
  node.show(6010, { connection: 'connected' });
  t.true(node.report()?.willing);
});

test('the last words of the peer count until the disks are seen connected after them', (t) => {
  const node = beside();
  node.hear(2010, { ...ran, alone: true });
  t.false(node.report()?.willing, 'DRBD here has not noticed the loss yet');
  node.show(2020, apart);
  node.show(2030, mirrored);
  t.true(node.report()?.willing, 'connected after those words');
  node.show(2040, apart);
  t.false(node.report()?.willing, 'what was said last is again the last that is known');
});

test('what was said in the very moment of the connection was said before it', (t) => {
  const node = beside();
  node.show(2005, apart);
  node.hear(2010, { ...ran, alone: true });
  node.show(2010, mirrored);
  t.false(node.report()?.willing);
});

test('a copy that was connected and no longer the same is not taken for the same later', (t) => {
  const node = beside();
  node.show(2010, { disk: 'inconsistent' });
  node.show(2020, { ...apart, disk: 'up-to-date' });
  t.false(node.report()?.willing);
});

test('with a witness, a peer that wrote alone is known from its record', (t) => {
  const node = besideUnmirrored({ lease: true });
  node.go(10_000, { peer: null, witness: { ...held, peerAlone: ['office'] } });
  t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'outdated-data' });
  t.deepEqual(node.asked, []);

  const other = besideUnmirrored({ lease: true });
  other.go(10_000, { peer: null, witness: { ...held, peerAlone: ['another'] } });
  t.is(other.phase()?.kind, 'active', 'what it says of another group says nothing of this one');
});

test('the record of the witness counts against a copy that was last seen connected, unless the peer is heard', (t) => {
  const node = beside({ lease: true });
  node.go(10_000, { peer: null, witness: { ...held, peerAlone: ['office'] } });
  t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'outdated-data' }, 'DRBD may not have looked yet');
  t.deepEqual(node.asked, []);
  node.hear(10_010, { ...ran, apart: true });
  t.false(node.report()?.willing, 'the peer does not show the connection');
  node.hear(10_020, ran);
  t.true(node.report()?.willing, 'what is connected to a peer that lives is the same');
});

test('who wrote last by the ledger has not, when the witness says that the peer wrote alone', (t) => {
  const record = { generation: 3, owner: 'secondary', writer: 'secondary', sole: true };
  const refused = { kind: 'refused', holder: 'primary', term: 2, peerAlone: ['office'] } as const;
  const node = standby({ lease: true, record, shown: apart });
  node.go(4500, { peer: null });
  t.true(node.report()?.willing);
  node.go(5000, { witness: refused });
  t.false(node.report()?.willing);
  t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'outdated-data' });
});

const vouched: readonly (readonly [Verdict, boolean])[] = [
  [{ kind: 'fenced', by: 'operator' }, true],
  [{ kind: 'fenced', by: 'device' }, true],
  [{ kind: 'fenced', by: 'lease' }, false],
  [{ kind: 'dead' }, false],
  [{ kind: 'departed' }, false],
  [{ kind: 'isolated' }, false],
  [{ kind: 'unresponsive', signs: [] }, false],
  [{ kind: 'late' }, false],
  [{ kind: 'listening' }, false],
];

for (const [verdict, may] of vouched) {
  const title = 'by' in verdict ? `${verdict.kind} by ${verdict.by}` : verdict.kind;
  test(`a Consistent copy of who wrote last may ${may ? '' : 'not '}be promoted while the peer is ${title}`, (t) => {
    const record = { generation: 3, owner: 'secondary', writer: 'secondary', sole: true };
    const node = standby({ record, shown: { ...apart, disk: 'consistent' } });
    t.is(isPromotable({ ...node.state(), verdict }, node.group(), node.resource(disk)), may);
    const other = standby({ record: { ...record, writer: 'primary' }, shown: { disk: 'consistent' } });
    t.false(isPromotable({ ...other.state(), verdict }, other.group(), other.resource(disk)));
  });
}

test('a Consistent copy of who wrote last may be promoted under a lease that has settled, while the peer is only dead', (t) => {
  const record = { generation: 3, owner: 'secondary', writer: 'secondary' };
  const node = standby({ record, lease: true, shown: { ...apart, disk: 'consistent' } });
  const state = node.state();
  const held = { ...state.lease, validUntil: state.now + 1000, heldSince: state.now - 10_000 };
  const may = (changes: Partial<State['lease']>, verdict: Verdict = { kind: 'dead' }) => {
    const given = { ...state, verdict, lease: { ...held, ...changes } };
    return isPromotable(given, node.group(), node.resource(disk));
  };
  t.true(may({}));
  t.true(may({}, { kind: 'fenced', by: 'lease' }));
  t.false(may({}, { kind: 'isolated' }));
  t.false(may({ heldSince: state.now }), 'the peer may not have stopped yet');
  t.false(may({ validUntil: state.now }));
  t.false(may({ peerAlone: ['office'] }), 'the witness knows of later writes');
});

test('what the witness said last is forgotten once the two hear each other and their copies are the same', (t) => {
  const node = standby({ lease: true, shown: { ...apart } });
  const marked = (changes: Partial<State>) => {
    const state = {
      ...node.state(),
      ...changes,
      lease: { ...node.state().lease, peerAlone: ['office', 'shop'] },
    };
    return noteLoneWrites(state).lease.peerAlone;
  };
  node.hear(100, ran);
  t.deepEqual(marked({}), ['office', 'shop'], 'not connected');
  node.show(200, { ...mirrored, disk: 'inconsistent' });
  t.deepEqual(marked({}), ['office', 'shop'], 'not the same');
  node.show(300, mirrored);
  t.deepEqual(marked({ verdict: { kind: 'dead' } }), ['office', 'shop'], 'not heard');
  node.hear(400, { ...ran, apart: true });
  t.deepEqual(
    marked({}),
    ['office', 'shop'],
    'what is shown here is of before a cut, for all that the peer shows',
  );
  node.hear(500, ran);
  t.deepEqual(marked({}), ['shop']);
});

test('a Consistent copy may be promoted once the peer, alive, has marked its own copy as the older one', (t) => {
  const record = { generation: 3, owner: 'secondary', writer: 'secondary' };
  const node = standby({ record, shown: { ...apart, disk: 'consistent' } });
  node.hear(100, { willing: true });
  t.false(node.report()?.willing);
  node.hear(200, { willing: false, outdated: true });
  t.true(node.report()?.willing);
  node.go(3000, { peer: null, addresses: 'failed' });
  t.false(node.report()?.willing, 'it may have been mended since it was heard');
});

test('a Consistent copy is promoted after the operator has said that the peer is off', (t) => {
  const record = { generation: 3, owner: 'secondary', writer: 'secondary', sole: true };
  const node = standby({ record, shown: { ...apart, disk: 'consistent' } });
  node.go(6500, { peer: null });
  t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'outdated-data' });
  t.is(node.request(6510, peerOff).kind, 'accepted');
  t.deepEqual(node.askedOf(disk), ['start'], 'and DRBD need not be forced');
});

for (const shown of disks) {
  const may = shown !== 'diskless' && shown !== 'unknown';
  test(`a person can accept ${shown} data by name: ${may ? 'promoted, and DRBD is told to force it' : 'there are none'}`, (t) => {
    const node = standby({ shown: { ...apart, disk: shown }, record: { generation: 3, owner: 'primary' } });
    node.go(6500, { peer: null });
    t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'unproven-data' });
    t.is(node.request(6510, acceptData).kind, 'accepted');
    node.pass(6600);
    t.deepEqual(node.askedOf(disk), may ? ['start, forced'] : []);
    t.is(node.phase()?.kind, may ? 'starting' : 'blocked');
  });
}

test('that data were accepted is noted, and the ledger names the node as their writer once they are in use', (t) => {
  const node = standby({
    shown: { ...apart, disk: 'outdated' },
    record: { generation: 3, owner: 'primary' },
  });
  node.go(6500, { peer: null, prompt: false });
  node.request(6510, acceptData);
  const said = node.ofKind('note').find(({ note }) => note.code === 'request-accepted');
  t.regex(said?.note.message ?? '', /accept-data office.*the data of office on secondary/);
  t.like(node.record(), { generation: 1003, owner: 'secondary', writer: null });
  node.obey(6520);
  t.like(node.record(), { generation: 1003, owner: 'secondary', writer: 'secondary' });
  t.false(node.group().dataAccepted, 'it was for this once');
});

test('only the disk is forced, not the guests on it', (t) => {
  const node = standby({
    shown: { ...apart, disk: 'outdated' },
    record: { generation: 3, owner: 'primary' },
  });
  node.go(6500, { peer: null, prompt: false });
  node.request(6510, acceptData);
  node.finish(6520, disk);
  const forced = node.ofKind('start-operation').filter((effect) => effect.forced);
  t.deepEqual(
    forced.map(({ resource }) => resource),
    [disk],
  );
  t.true(node.asked.includes(`start ${web}`));
});

test('data are accepted only of a group that waits for that', (t) => {
  const node = besideUnmirrored();
  t.is(node.request(2010, acceptData).kind, 'refused');
  t.is(node.request(2010, { kind: 'accept-data', groups: [] }).kind, 'refused');
  t.false(node.group().dataAccepted);
});

/** Data were accepted here, and cannot be used yet, since the disk under them is not there. */
function accepted() {
  const record = { generation: 3, owner: 'primary' };
  const node = standby({ shown: { ...apart, disk: 'diskless' }, record });
  node.go(6500, { peer: null, prompt: false });
  node.request(6510, acceptData);
  return node;
}

test('a word that older data may be used is void once the peer can use its own', (t) => {
  const willing = accepted();
  t.true(willing.group().dataAccepted);
  willing.hear(6520, { willing: true });
  t.false(willing.group().dataAccepted);

  const holding = accepted();
  holding.hear(6520, { willing: false, holdsRest: true });
  t.false(holding.group().dataAccepted);

  const silent = accepted();
  silent.hear(6520, null);
  t.false(silent.group().dataAccepted, 'a peer that does not speak of the group may use its own');
});

test('that word stands while the peer is away, or lives and cannot run the group', (t) => {
  const node = accepted();
  node.hear(6520, { willing: false, holdsRest: false });
  t.true(node.group().dataAccepted);
  node.show(6530, { disk: 'outdated' });
  t.true(node.report()?.willing);
});

test('with a witness, a disk without its mirror is promoted only under the lease', (t) => {
  const node = besideUnmirrored({ lease: true });
  const unreachable = { kind: 'unreachable', message: 'it does not answer' } as const;
  node.go(6000, { peer: null, witness: unreachable });
  t.is(node.request(6010, peerOff).kind, 'accepted');
  node.go(7000);
  t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'unknown-data' });
  t.deepEqual(node.asked, [], 'the peer is off, but may have gone on alone before');
  node.go(9000, { witness: held });
  t.is(node.phase()?.kind, 'active');
});

test('with a witness, a person can accept the data that nobody could ask about', (t) => {
  const node = besideUnmirrored({ lease: true });
  node.go(6000, { peer: null, witness: { kind: 'unreachable', message: 'it does not answer' } });
  node.request(6010, peerOff);
  t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'unknown-data' });
  t.is(node.request(6020, acceptData).kind, 'accepted');
  node.go(7000);
  t.is(node.phase()?.kind, 'active');
});

test('with a witness, a disk that was last seen connected to a peer that is silent waits for the lease as well', (t) => {
  const node = beside({ lease: true });
  node.go(6000, { peer: null, witness: { kind: 'unreachable', message: 'it does not answer' } });
  node.request(6010, peerOff);
  node.go(7000);
  t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'unknown-data' });
  t.deepEqual(node.asked, []);
});

test('with a witness, a peer that has said goodbye wrote nothing afterwards: no lease is needed', (t) => {
  const left = (apart: boolean, witness: LeaseAnswer) => {
    const node = besideUnmirrored({ lease: true });
    const last = { generation: 1, owner: 'primary', writer: 'primary', apart } as const;
    node.go(5000, { peer: last, says: { leaving: true }, witness });
    t.is(node.state().verdict.kind, 'departed');
    return node;
  };
  const unreachable = { kind: 'unreachable', message: 'it does not answer' } as const;
  t.deepEqual(left(false, unreachable).askedOf(disk), ['start']);
  const marked = { ...held, peerAlone: ['office'] };
  const apartSince = left(true, unreachable);
  t.deepEqual(apartSince.askedOf(disk), [], 'it may have lost its record of having written alone');
  t.deepEqual(apartSince.phase(), { kind: 'blocked', obstacle: 'unknown-data' });
  apartSince.go(9000, { witness: held });
  t.deepEqual(apartSince.askedOf(disk), ['start']);
  t.deepEqual(left(true, marked).askedOf(disk), [], 'it has');
});

test('with a witness, a goodbye of long ago vouches for nothing', (t) => {
  const back = (witness: LeaseAnswer) => {
    const node = besideUnmirrored({ lease: true });
    node.request(2100, { kind: 'standby', on: true });
    const last = { generation: 1, owner: 'primary', writer: 'primary', apart: false } as const;
    node.go(3000, { peer: last, says: { leaving: true } });
    node.request(10_000, { kind: 'standby', on: false });
    node.go(15_000, { peer: null, witness });
    t.is(node.state().verdict.kind, 'departed');
    return node.askedOf(disk);
  };
  t.deepEqual(back({ kind: 'unreachable', message: 'it does not answer' }), []);
  t.deepEqual(back({ ...held, peerAlone: ['office'] }), [], 'a later run of the peer has written alone');
  t.deepEqual(back(held), ['start']);
});

test('with a witness, a group without disks needs no lease once a person vouches for the peer', (t) => {
  const node = oneCore({ self: 'secondary', policy: protectedPolicy('secondary', { lease: true }) });
  node.see(1, 'down');
  node.go(2000, { peer: ran });
  node.go(6000, { peer: null, witness: { kind: 'unreachable', message: 'it does not answer' } });
  node.request(6010, peerOff);
  node.go(6500);
  t.is(node.phase()?.kind, 'active');
});

test('with a witness, it has recorded that this node is to write alone before the disk is promoted', (t) => {
  const node = besideUnmirrored({ lease: true });
  node.go(5000, { peer: null, witness: held, prompt: false });
  const provenAt = leaseProvesAt(node.state()) ?? 0;
  node.go(provenAt - 50);
  t.is(node.phase()?.kind, 'stopped');
  node.go(provenAt + 50, { witness: null });
  t.is(node.phase()?.kind, 'starting');
  t.deepEqual(node.ofKind('request-lease').at(-1)?.marks, { alone: ['office'], same: [] }, 'asked at once');
  t.deepEqual(node.askedOf(disk), []);
  node.go(provenAt + 150);
  t.deepEqual(node.askedOf(disk), [], 'asked is not recorded');
  node.answerLease(node.state().now, held);
  t.deepEqual(node.askedOf(disk), ['start']);
});

test('with a witness, a peer that somebody vouches for need not be told that this node writes alone', (t) => {
  const node = besideUnmirrored({ lease: true });
  for (let at = 2050; node.state().verdict.kind !== 'dead'; at += 50)
    node.go(at, { peer: null, witness: held });
  node.request(node.state().now, peerOff);
  node.go(node.state().now + 500, { witness: null });
  t.deepEqual(node.askedOf(disk), ['start']);
  t.deepEqual(node.state().lease.ownAlone, []);
});

/** The peer lives and has granted our claim; the disks are about to be connected. */
function granted(shown: Partial<StorageStatus>) {
  const record = { generation: 3, owner: 'primary', writer: 'primary' };
  const node = standby({ self: 'primary', record, shown: { ...apart, ...shown } });
  const said = { generation: 3, owner: 'primary', writer: 'primary', willing: false };
  node.go(1000, { peer: said, prompt: false });
  const phase = node.phase();
  if (phase?.kind !== 'claiming') throw new Error(`it does not claim, it is ${phase?.kind}`);
  const peer = { ...said, grant: { incarnation: ownRun, claim: phase.claim.id } };
  node.hear(1010, peer);
  return { node, peer };
}

test('with a peer that lives, a disk that connects is given two seconds before it is promoted without its mirror', (t) => {
  const { node, peer } = granted({ connection: 'connecting' });
  t.is(node.phase()?.kind, 'starting');
  node.go(3009, { peer });
  t.deepEqual(node.askedOf(disk), []);
  node.hear(3010, peer);
  t.deepEqual(node.askedOf(disk), ['start']);
});

test('once it is connected it is promoted at once; where no connection is tried, nothing is waited for', (t) => {
  const { node } = granted({ connection: 'connecting' });
  node.show(1500, mirrored);
  t.deepEqual(node.askedOf(disk), ['start']);
  t.true(granted({ connection: 'standalone' }).node.asked.includes(`start ${disk}`));
});

test('a peer that has died since is not waited for', (t) => {
  const { node } = granted({ connection: 'connecting' });
  node.request(1600, peerOff);
  node.go(2600, { peer: null });
  t.is(node.state().verdict.kind, 'late');
  t.deepEqual(node.askedOf(disk), ['start']);
});

test('a disk that hangs while it is in use is an alarm that says what would help, once, and the group stays', (t) => {
  const node = runningOwner();
  const hang = { kind: 'disk-probed', group: 'office', resource: disk, trouble: '/dev/drbd0 hangs' } as const;
  const notes = () => node.ofKind('note').filter(({ note }) => note.code.startsWith('disk-'));
  node.feed(2010, hang);
  node.feed(2020, hang);
  t.like(notes()[0]?.note, { severity: 'alarm', code: 'disk-trouble', message: '/dev/drbd0 hangs' });
  t.regex(notes()[0]?.note.next ?? '', /drbdadm detach --force r0.* secondary/);
  t.is(node.phase()?.kind, 'active');
  t.is(node.group().offer, null);
  node.feed(2030, { ...hang, trouble: null });
  t.like(notes()[1]?.note, { severity: 'info', code: 'disk-answers' });
  t.is(notes().length, 2);

  const alone = runningOwner();
  alone.show(2010, apart);
  alone.feed(2020, hang);
  const [alarm] = alone.ofKind('note').filter(({ note }) => note.code === 'disk-trouble');
  t.regex(alarm?.note.next ?? '', /not up to date/);
});
