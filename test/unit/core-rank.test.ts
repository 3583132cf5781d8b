// Which of two living nodes should run a group that nobody runs, and which gives way when both hold it.

import test from 'ava';
import type { GroupReport } from '../../daemon/core/heartbeat.ts';
import { address, mail, mount, protectedPolicy, type Side, web } from '../sim/example.ts';
import { activeReport, oneCore } from './support/one-core.ts';

type Known = readonly [generation: number, owner: string | null];

/**
 * Who had the group, and at which generation, by the record of the node and by that of its peer; whether the primary,
 * and the secondary, then asks for it. A peer that is its owner on record is believed when it names the other one: it
 * declined.
 */
const claims: readonly (readonly [Known, Known, boolean | null, boolean])[] = [
  [[0, null], [0, null], true, false],
  [[3, 'secondary'], [3, 'secondary'], false, true],
  [[3, 'primary'], [3, 'primary'], true, false],
  [[4, 'secondary'], [3, 'primary'], false, true],
  [[4, 'primary'], [3, 'secondary'], true, false],
  [[3, 'primary'], [4, 'secondary'], false, true],
  [[3, 'secondary'], [4, 'primary'], true, false],
  [[3, 'secondary'], [4, null], true, false],
  [[4, null], [3, 'secondary'], true, false],
  [[3, 'primary'], [3, 'secondary'], true, true],
  [[3, 'secondary'], [3, 'primary'], true, false],
  [[3, 'secondary'], [3, null], null, true],
  [[3, null], [3, 'secondary'], false, true],
  [[3, 'former'], [3, 'former'], true, false],
];

const said = ([generation, owner]: Known) => `${owner ?? 'nobody'} at ${generation}`;
const recorded = ([generation, owner]: Known) => ({ generation, owner });

for (const [own, theirs, primaryAsks, secondaryAsks] of claims) {
  for (const [self, asks] of [
    ['primary', primaryAsks],
    ['secondary', secondaryAsks],
  ] as const) {
    if (asks === null) continue;
    test(`${self} ${asks ? 'asks' : 'does not ask'} for a group that nobody runs and that had ${said(own)}, by its peer ${said(theirs)}`, (t) => {
      const node = oneCore({ self, record: recorded(own) });
      node.see(1, 'down');
      node.hear(10, recorded(theirs));
      t.is(node.codes().includes('claim'), asks);
      node.hear(20, recorded(theirs));
      t.is(node.codes().includes('claim'), asks, 'nor when the later record has become its own');
    });
  }
}

test('a group that its last owner cannot run is asked for by the other node, whatever the records say', (t) => {
  const node = oneCore({ self: 'secondary', record: { generation: 3, owner: 'primary' } });
  node.see(1, 'down');
  node.hear(10, { generation: 3, owner: 'primary', willing: false });
  t.is(node.phase()?.kind, 'claiming');
});

test('a node that cannot run a group does not ask for it, though its peer cannot either', (t) => {
  const node = oneCore();
  node.see(1, 'down');
  node.request(2, { kind: 'standby', on: true });
  node.hear(10);
  node.hear(20, { willing: false });
  t.is(node.phase()?.kind, 'stopped');
});

test('a group of which the peer holds a part is not asked for, unless it is offered', (t) => {
  for (const part of [{ holdsAddresses: true }, { holdsRest: true }]) {
    const node = oneCore();
    node.see(1, 'down');
    node.hear(10, { phase: 'stopping', ...part });
    t.is(node.phase()?.kind, 'stopped');
    node.hear(20, { phase: 'active', ...part, offer: true });
    t.is(node.phase()?.kind, 'claiming');
  }
});

interface Meeting {
  readonly self?: Side;
  /** Its own generation; 0: it has no record of the group that it found running. */
  readonly own?: number;
  /** It knows the peer as the owner at this generation. */
  readonly known?: number;
  readonly theirs: Partial<GroupReport>;
}

/** A node that found the group running when it started meets a peer that has it as well. */
function meeting({ self = 'primary', own = 3, known, theirs }: Meeting) {
  const peer = self === 'primary' ? 'secondary' : 'primary';
  const foreign = known === undefined ? {} : { generation: known, owner: peer };
  const node = oneCore({ self, record: own === 0 ? foreign : { generation: own, owner: self } });
  node.see(1, 'up');
  node.hear(10, { ...activeReport, ...theirs });
  return node;
}

const meetings: readonly (readonly [string, Meeting, boolean])[] = [
  ['a peer of a later generation', { theirs: { generation: 4 } }, true],
  ['a peer of an earlier one', { self: 'secondary', theirs: { generation: 2 } }, false],
  ['a peer of the same, at the preferred node', { theirs: { generation: 3 } }, false],
  ['a peer of the same, elsewhere', { self: 'secondary', theirs: { generation: 3 } }, true],
  ['a peer that is starting a later one', { theirs: { phase: 'starting', generation: 4 } }, true],
  ['a peer that has frozen a later one', { theirs: { phase: 'frozen', generation: 4 } }, true],
  ['a frozen peer of the same', { self: 'secondary', theirs: { phase: 'frozen', generation: 3 } }, false],
  ['a peer that is stopping a later one', { theirs: { phase: 'stopping', generation: 4 } }, false],
  ['a peer that asks for a later one', { theirs: { phase: 'claiming', generation: 4 } }, false],
  ['a peer with a record, itself without', { own: 0, theirs: { generation: 1 } }, true],
  [
    'a frozen peer with a record, itself without any',
    { own: 0, theirs: { phase: 'frozen', generation: 3 } },
    false,
  ],
  [
    'a frozen peer that it knows as the owner',
    { own: 0, known: 2, theirs: { phase: 'frozen', generation: 3 } },
    true,
  ],
  [
    'a frozen peer, both of them without a record',
    { own: 0, theirs: { phase: 'frozen', generation: 0 } },
    false,
  ],
];

for (const [what, given, yields] of meetings) {
  test(`who runs a group ${yields ? 'gives way to' : 'stays beside'} ${what}`, (t) => {
    const node = meeting(given);
    t.is(node.codes().includes('yield'), yields);
    t.is(node.phase()?.kind === 'stopping', yields);
  });
}

test('who gives way ends what it runs at once, since its disks may be in use', (t) => {
  const node = meeting({ theirs: { generation: 4 } });
  t.deepEqual(new Set(node.asked.map((words) => words.split(' ')[0])), new Set(['destroy']));
  t.is(node.asked.length, 3);
});

test('who runs a group gives way only to a peer that lives, not to one that has fallen silent since', (t) => {
  const node = oneCore({ record: { generation: 3, owner: 'primary' } });
  node.see(1, 'up');
  node.request(2, { kind: 'maintenance', durationMs: 600_000 });
  node.go(1000, { peer: { ...activeReport, generation: 4 } });
  node.go(4000, { peer: null });
  t.is(node.state().verdict.kind, 'dead');
  node.request(4000, { kind: 'maintenance', durationMs: 0 });
  t.is(node.phase()?.kind, 'active');
  node.hear(4010, { ...activeReport, generation: 4 });
  t.is(node.phase()?.kind, 'stopping');
});

test('who froze its guests gives way to a peer that runs the same generation, also as the preferred node', (t) => {
  const node = meeting({ theirs: { generation: 3 } });
  node.go(2000, { peer: { generation: 3, owner: 'primary' } });
  node.go(5000, { peer: null, gateway: 'unanswered' });
  t.is(node.phase()?.kind, 'frozen');
  node.hear(5010, { ...activeReport, generation: 3 });
  t.is(node.group().rule, 'discard');
});

test('frozen guests are thrown away when the peer knows of a later generation, though it does not run it', (t) => {
  for (const [generation, rule] of [
    [4, 'discard'],
    [3, 'freeze'],
  ] as const) {
    const node = oneCore({ record: { generation: 3, owner: 'primary' } });
    node.see(1, 'up');
    node.go(2000, { peer: { generation: 3 } });
    node.go(5000, { peer: null, gateway: 'unanswered' });
    node.hear(5010, { generation });
    t.is(node.group().rule, rule);
  }
});

test('a group that is frozen at the peer and runs here, of which neither has a record, is owned from then on', (t) => {
  const node = oneCore();
  node.see(1, 'up');
  node.hear(10, { phase: 'frozen', generation: 0, holdsRest: true });
  t.true(node.codes().includes('own-stray'));
  t.deepEqual(node.phase(), { kind: 'active', generation: 1 });
  t.is(node.record()?.owner, 'primary');
});

test('a guest that runs with no record of it runs on where that cannot be written; nothing is started meanwhile', (t) => {
  const node = oneCore({ persists: false });
  node.seeOne(1, mail, { kind: 'up' });
  for (const id of [web, address]) node.seeOne(1, id, { kind: 'down' });
  node.hear(10, { phase: 'stopped', generation: 0 });
  t.true(node.codes().includes('own-stray'), node.codes().join(' '));
  const failed = () => {
    const revision = node.state().ledgerRevision;
    node.feed(node.state().now + 1, { kind: 'ledger-not-persisted', revision, message: 'no space left' });
  };
  failed();
  t.false(node.codes().includes('give-back'), node.codes().join(' '));
  t.is(node.phase()?.kind, 'starting');
  t.deepEqual(node.asked, []);
  const revision = node.state().ledgerRevision;
  node.feed(node.state().now + 1, { kind: 'ledger-persisted', revision });
  t.true(node.asked.includes(`start ${web}`), 'the rest of it comes up');
});

for (const [what, used, rule] of [
  ['disks that were left promoted give way to what is frozen at the peer', null, 'yield'],
  ['a guest that runs with no record of it does not', mail, 'own-stray'],
  ['a file system that is mounted does not', mount, 'own-stray'],
] as const) {
  test(`with a witness, who was restarted without its record: ${what}`, (t) => {
    const policy = protectedPolicy('primary', { disk: true, mounted: true, lease: true });
    const node = oneCore({ policy });
    node.see(1, 'down');
    node.show(1, { role: 'primary' });
    if (used !== null) node.seeOne(1, used, { kind: 'up' });
    node.hear(10, { phase: 'frozen', generation: 3, owner: 'secondary', holdsRest: true });
    t.is(
      node.codes().find((code) => code === 'yield' || code === 'own-stray'),
      rule,
    );
  });
}

test('a guest that is paused where nobody started the group is a stray one as well, and ended', (t) => {
  for (const kind of ['up', 'paused'] as const) {
    const node = oneCore({ self: 'secondary' });
    node.see(1, 'down');
    node.hear(10, activeReport);
    node.seeOne(20, mail, { kind });
    t.is(node.group().rule, 'stop-stray');
    t.deepEqual(node.askedOf(mail), ['destroy']);
  }
});

const holders: readonly (readonly [string, Partial<GroupReport>])[] = [
  ['an address', { phase: 'stopping', holdsAddresses: true }],
  ['a guest', { phase: 'stopping', holdsRest: true }],
  ['an address, though its guests are frozen', { phase: 'frozen', holdsAddresses: true, holdsRest: true }],
];

for (const [what, theirs] of holders) {
  test(`a group that was found running with no record of it is not owned while its peer may hold ${what}`, (t) => {
    const node = oneCore();
    node.see(1, 'up');
    node.hear(10, theirs);
    t.deepEqual(node.phase(), { kind: 'active', generation: 0 });
    node.hear(20, {});
    t.deepEqual(node.phase(), { kind: 'active', generation: 1 });
  });
}
