// What is concluded about a group at one moment: whether it is gone at the peer, what keeps it from being started here,
// and what is found at the start.

import test from 'ava';
import type { GroupReport, HeartbeatContent } from '../../daemon/core/heartbeat.ts';
import type { Obstacle } from '../../daemon/core/state.ts';
import { address, disk, examplePolicy, mail, protectedPolicy, web } from '../sim/example.ts';
import { apart, type OneCore, oneCore } from './support/one-core.ts';
import { maintenance, peerOff, standbyOn } from './support/requests.ts';
import { idle, ofPrimary, owner, runningOwner, starting } from './support/situations.ts';

const { takeoverAfterMs, staleAfterMs, keepaliveMs, deadtimeMs } = examplePolicy('primary').timings;
const heardAt = 2000;
const noCarrier = { kind: 'carrier-observed', interface: 'eth0', carrier: false } as const;

test('a peer that freezes later by its own times is given that time before it is taken over', (t) => {
  const freezeAfterMs = 5000;
  const node = idle({}, { freezeAfterMs });
  const dueAt = heardAt + freezeAfterMs + keepaliveMs + deadtimeMs / 20;
  node.go(dueAt - 1, { peer: null });
  t.is(node.phase()?.kind, 'stopped');
  node.go(dueAt);
  t.is(node.phase()?.kind, 'starting');
});

test('a standby that was cut off as well waits for the time of a takeover once more, since then', (t) => {
  const node = idle();
  node.go(6000, { peer: null, gateway: 'unanswered' });
  t.is(node.state().verdict.kind, 'isolated');
  const cutOffUntil = 6050; // When the gateway answers next.
  node.go(cutOffUntil + takeoverAfterMs - 1, { gateway: 'answered' });
  t.is(node.state().verdict.kind, 'dead');
  t.is(node.phase()?.kind, 'stopped');
  node.go(cutOffUntil + takeoverAfterMs);
  t.is(node.phase()?.kind, 'starting');
});

test('a standby that was cut off for long does not take over when it is not any more', (t) => {
  const node = idle();
  node.go(heardAt + staleAfterMs, { peer: null, gateway: 'unanswered' });
  node.go(heardAt + staleAfterMs + 5000, { gateway: 'answered' });
  t.is(node.state().verdict.kind, 'dead');
  t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'isolated' });
});

test('a peer that has said it is in maintenance is left alone until that is over', (t) => {
  const node = idle({}, { maintenanceMinutes: 1 });
  node.go(heardAt + 60_000 - 1, { peer: null });
  t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'peer-in-maintenance' });
  node.go(heardAt + 60_000);
  t.is(node.phase()?.kind, 'starting');
});

test('a peer in maintenance that a person calls off, or that says goodbye, is taken over at once', (t) => {
  const node = idle({}, { maintenanceMinutes: 30 });
  node.go(heardAt + 10_000, { peer: null });
  node.request(heardAt + 10_000, peerOff);
  t.is(node.phase()?.kind, 'starting');
  const other = idle({}, { maintenanceMinutes: 30 });
  other.hear(2010, {}, { says: { leaving: true, maintenanceMinutes: 30 } });
  t.is(other.state().verdict.kind, 'departed');
  t.is(other.phase()?.kind, 'starting');
});

test('a node without carrier is not blocked for that before the verdict on its peer is found', (t) => {
  const node = idle();
  node.feed(2010, noCarrier);
  node.go(2600, { peer: null });
  node.go(3500);
  t.is(node.state().verdict.kind, 'late');
  t.is(node.phase()?.kind, 'stopped');
  node.go(5000);
  t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'no-lan' });
  const fresh = oneCore();
  fresh.see(1, 'down');
  fresh.feed(2, noCarrier);
  fresh.go(1000, { peer: null });
  t.is(fresh.phase()?.kind, 'stopped', 'nor before it has heard anybody');
});

const unwilling: readonly (readonly [string, (node: OneCore) => unknown])[] = [
  ['in standby', (node) => node.request(2010, standbyOn)],
  ['in maintenance', (node) => node.request(2010, { ...maintenance, durationMs: 600_000 })],
  ['whose daemon stops', (node) => node.feed(2010, { kind: 'stop-requested' })],
];

for (const [what, happens] of unwilling) {
  test(`a node ${what} would not run the group anyway: that it has no carrier is no alarm`, (t) => {
    const node = idle();
    happens(node);
    node.feed(2020, noCarrier);
    node.go(10_000, { peer: null });
    t.is(node.state().verdict.kind, 'dead');
    t.is(node.phase()?.kind, 'stopped');
  });
}

const together: readonly (readonly [
  string,
  Partial<GroupReport>,
  Partial<HeartbeatContent>,
  Obstacle | null,
])[] = [
  ['the peer could run it', {}, {}, null],
  ['the peer runs it', { willing: false, holdsRest: true }, {}, null],
  ['the peer holds its address', { willing: false, holdsAddresses: true }, {}, null],
  ['neither node can run it', { willing: false }, {}, 'no-lan'],
  ['the peer does not speak of it', {}, { groups: [] }, null],
];

for (const [what, report, says, obstacle] of together) {
  test(`a node without carrier whose peer lives is ${obstacle === null ? 'not ' : ''}blocked: ${what}`, (t) => {
    const node = oneCore({ self: 'secondary' });
    node.see(1, 'down');
    node.feed(2, noCarrier);
    node.go(1000, { peer: report, says, prompt: false });
    t.deepEqual(node.phase(), obstacle === null ? { kind: 'stopped' } : { kind: 'blocked', obstacle });
  });
}

test('a node that lives beside a peer which does not hear it needs no proof of its data yet', (t) => {
  const node = oneCore({ self: 'secondary' });
  node.see(1, 'down');
  node.request(2, standbyOn);
  node.go(1000, { peer: { willing: false }, says: { hears: [false, false] } });
  t.is(node.phase()?.kind, 'stopped');
});

const records: readonly (readonly [string, string | null, boolean, boolean])[] = [
  ['it was its sole owner', 'secondary', true, true],
  ['it was its owner, and not alone', 'secondary', false, false],
  ['its peer was its sole owner', 'primary', true, false],
  ['nobody ever had it', null, false, false],
];

for (const [what, by, sole, starts] of records) {
  test(`a node that boots alone ${starts ? 'starts' : 'does not start'} a group of which the record says that ${what}`, (t) => {
    const record = { generation: by === null ? 0 : 3, owner: by, sole };
    const node = oneCore({ self: 'secondary', policy: protectedPolicy('secondary', {}), record });
    node.see(1, 'down');
    node.go(8000, { peer: null });
    const blocked = { kind: 'blocked', obstacle: 'unproven-data' } as const;
    t.deepEqual(node.phase(), starts ? { kind: 'active', generation: 4 } : blocked);
  });
}

test('a node says that it could run a group only while it can write its ledger and is not in maintenance', (t) => {
  const node = idle();
  t.true(node.report()?.willing);
  node.feed(2010, { kind: 'ledger-not-persisted', revision: 1, message: 'no space left' });
  t.false(node.report()?.willing);
  node.feed(2020, { kind: 'ledger-persisted', revision: 1 });
  t.true(node.report()?.willing);
  node.request(2030, maintenance);
  t.false(node.report()?.willing);
});

test('a disk that is promoted is in use, whatever its copy: its group can be run on', (t) => {
  const node = runningOwner();
  node.show(2010, { disk: 'inconsistent' });
  t.true(node.report()?.willing);
});

test('of a copy that is only Consistent a takeover is refused while the peer lives and has not marked its own', (t) => {
  const policy = protectedPolicy('secondary', { disk: true, device: true });
  const record = { generation: 3, owner: 'secondary', writer: 'secondary' };
  const node = oneCore({ self: 'secondary', policy, record });
  node.see(1, 'down');
  node.show(1, { ...apart, disk: 'consistent' });
  node.go(1000, { peer: { ...record } });
  t.is(node.request(1000, { kind: 'takeover', groups: [] }).kind, 'refused');
});

const found: readonly (readonly [string, readonly string[], string])[] = [
  ['nothing of it', [], 'found-stopped'],
  ['only its address', [address], 'found-stopped'],
  ['one of its guests', [mail], 'found-running'],
  ['everything', [address, mail, web], 'found-running'],
];

for (const [what, up, rule] of found) {
  test(`a daemon that starts and finds ${what} in use: ${rule}`, (t) => {
    const node = oneCore({ record: ofPrimary });
    for (const id of [address, mail, web]) {
      t.is(node.phase()?.kind, 'observing', 'all has to be seen first');
      node.seeOne(1, id, { kind: up.includes(id) ? 'up' : 'down' });
    }
    t.is(
      node
        .ofKind('note')
        .map(({ note: { code } }) => code)
        .find((code) => code.startsWith('found')),
      rule,
    );
  });
}

test('a group of which a guest runs is adopted, whatever cannot be told of another one', (t) => {
  const untold = { kind: 'unknown', message: 'its monitor does not answer' } as const;
  const node = oneCore({ record: ofPrimary });
  node.seeOne(1, address, { kind: 'up' });
  node.seeOne(1, mail, { kind: 'up' });
  t.is(node.phase()?.kind, 'observing', 'all has to be looked at first');
  node.seeOne(1, web, untold);
  t.is(node.phase()?.kind, 'active');
  node.go(1000, { peer: {} });
  t.deepEqual(node.askedOf(web), [], 'it may be being started');
  const other = oneCore({ record: ofPrimary });
  for (const id of [address, web]) other.seeOne(1, id, { kind: 'down' });
  other.seeOne(1, mail, { kind: 'paused' });
  t.is(other.phase()?.kind, 'frozen', 'one that is paused is a group that is frozen');
});

test('of a group of which nothing is in use and something cannot be told nothing is concluded, whatever the record says', (t) => {
  for (const record of [ofPrimary, { ...ofPrimary, owner: 'secondary' }, undefined] as const) {
    const node = oneCore({ ...(record === undefined ? {} : { record }) });
    for (const id of [address, web]) node.seeOne(1, id, { kind: 'down' });
    node.seeOne(1, mail, { kind: 'unknown', message: 'it has put itself to sleep' });
    t.is(node.phase()?.kind, 'observing', 'the record may be an old one');
    t.is(node.report()?.holdsRest, true, 'it may run here');
    node.go(10_000, { peer: null });
    t.deepEqual(node.asked, []);
  }
});

test('what was adopted without being told whether it runs is frozen with the rest', (t) => {
  const node = oneCore({ record: ofPrimary });
  for (const id of [address, web]) node.seeOne(1, id, { kind: 'up' });
  node.seeOne(1, mail, { kind: 'unknown', message: 'its monitor does not answer' });
  node.go(1000, { peer: {} });
  node.go(10_000, { peer: null, gateway: 'unanswered', prompt: false });
  t.is(node.phase()?.kind, 'frozen');
  t.true(node.asked.includes(`freeze ${web}`));
  t.deepEqual(node.askedOf(mail), ['freeze']);
  for (const at of [10_100, 13_000]) {
    node.finish(at, mail, { kind: 'failed', code: 'x', message: 'it is being started' });
    if (at < 13_000) node.go(at + 2000);
  }
  const asked = node.askedOf(mail).length;
  node.seeOne(13_010, mail, { kind: 'up' });
  t.is(node.askedOf(mail).length, asked + 1, 'it has come up: it is frozen at once');
});

test('of a group that is nothing but an address, the address says whether it runs', (t) => {
  const only = { id: address, kind: 'address', needs: [], startMs: 5000, stopMs: 5000 } as const;
  for (const kind of ['up', 'down'] as const) {
    const node = oneCore({ policy: examplePolicy('primary', { resources: [only] }), record: ofPrimary });
    node.see(1, kind);
    t.is(node.phase()?.kind, kind === 'up' ? 'active' : 'stopped');
  }
});

test('a start whose generation cannot be written is given back; one whose generation is on disk goes on', (t) => {
  const failing = starting(examplePolicy('primary'), { persists: false });
  const { ledgerRevision } = failing.state();
  failing.feed(1060, { kind: 'ledger-not-persisted', revision: ledgerRevision, message: 'no space left' });
  t.true(failing.codes().includes('give-back'));
  t.deepEqual(failing.asked, []);
  const written = starting(examplePolicy('primary'), { persists: false });
  written.feed(1060, { kind: 'ledger-persisted', revision: ledgerRevision });
  written.feed(1070, {
    kind: 'ledger-not-persisted',
    revision: ledgerRevision + 1,
    message: 'no space left',
  });
  t.is(written.phase()?.kind, 'starting');
});

test('an owner that cannot write its ledger any more goes on', (t) => {
  const node = owner();
  node.feed(2010, { kind: 'ledger-not-persisted', revision: 9, message: 'no space left' });
  node.go(5000);
  t.is(node.phase()?.kind, 'active');
});

test('a start is complete when all is up, but for what was given up and what has failed three times', (t) => {
  const failed = { kind: 'failed', code: 'x', message: 'it does not' } as const;
  const node = starting();
  node.finish(1060, mail);
  node.finish(1060, web);
  for (const at of [1100, 5000, 10_000]) {
    t.is(node.phase()?.kind, 'starting');
    node.go(at);
    node.finish(at, address, failed);
  }
  t.is(node.phase()?.kind, 'active', 'the address is tried on, for ever');
  node.go(20_000);
  t.is(node.askedOf(address).length, 4);
});

test('with a witness, an owner whose peer has said goodbye needs no lease in the silence that follows', (t) => {
  const node = owner({ policy: protectedPolicy('primary', { lease: true }) });
  node.hear(2010, ofPrimary, { says: { leaving: true } });
  node.go(8000, { peer: null, witness: { kind: 'unreachable', message: 'it does not answer' } });
  t.is(node.phase()?.kind, 'active');
});

for (const [read, phase] of [
  [true, 'active'],
  [false, 'frozen'],
] as const) {
  test(`an owner in maintenance that is cut off is ${phase}: its peer has ${read ? '' : 'not '}read of that`, (t) => {
    const node = owner();
    node.request(2010, { ...maintenance, durationMs: 600_000 });
    const first = node.state().maintenanceSequence ?? 0;
    node.hear(2020, ofPrimary, { echo: read ? first : first - 1 });
    node.go(8000, { peer: null, gateway: 'unanswered' });
    t.is(node.phase()?.kind, phase);
  });
}

test('a device that is promoted is not what is found up before its group is known to run here', (t) => {
  const node = oneCore({ policy: protectedPolicy('primary', { disk: true }), record: ofPrimary });
  node.see(1, 'down');
  t.is(node.phase()?.kind, 'observing');
  node.show(2, { role: 'primary' });
  t.is(node.phase()?.kind, 'active');
  t.deepEqual(node.askedOf(disk), []);
});
