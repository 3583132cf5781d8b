// What is promised, the device that powers a silent peer off, and what a node makes of being heard no more:
// docs/decisions/0007-fencing-lease-watchdog.md and 0003-freeze-before-takeover.md.

import test from 'ava';
import type { HeartbeatContent } from '../../daemon/core/heartbeat.ts';
import { tierOf } from '../../daemon/core/policy.ts';
import { address, disk, mail, type Protection, protectedPolicy } from '../sim/example.ts';
import { activeReport, apart, type OneCoreOptions, oneCore, stoppedReport } from './support/one-core.ts';
import { ofPrimary, runningOwner, seeShop, taking, withShop } from './support/situations.ts';

const { timings, fencing } = protectedPolicy('primary', { device: true });
const { deadtimeMs, freezeAfterMs, warntimeMs, staleAfterMs } = timings;
const delayMs = fencing?.delayMs ?? 0;

test('the tier is fenced with a device, or with a witness and a watchdog; a witness alone proves nothing', (t) => {
  const device = { delayMs: 0, deadlineMs: 1000 };
  const witness = { ttlMs: 2400 };
  const watchdog = { timeoutMs: 1200 };
  const plain = protectedPolicy('primary', {});
  t.is(tierOf(plain), 'evidence');
  t.is(tierOf({ ...plain, fencing: device }), 'fenced');
  t.is(tierOf({ ...plain, witness, watchdog }), 'fenced');
  t.is(tierOf({ ...plain, witness }), 'evidence');
  t.is(tierOf({ ...plain, watchdog }), 'evidence');
  t.is(tierOf({ ...plain, fencing: device, witness }), 'fenced');
});

type Setting = Omit<OneCoreOptions, 'policy'> &
  Protection & { readonly peer?: OneCoreOptions['record']; readonly says?: Partial<HeartbeatContent> };

/** An idle node that has heard its peer, which runs the group, until 2 s; since then it is silent. */
function left({ self = 'secondary', peer = activeReport, says = {}, ...options }: Setting = {}) {
  const policy = protectedPolicy(self, { device: true, ...options });
  const node = oneCore({ self, policy, ...options });
  node.see(1, 'down');
  if (options.disk === true) node.show(1);
  node.go(2000, { peer, says });
  node.go(2100, { peer: null, prompt: false });
  return node;
}

const heardAt = 2000;
const askedAt = heardAt + deadtimeMs + delayMs;
const asked = (node: ReturnType<typeof left>) => node.ofKind('fence-peer').length;

test('the device is asked when a group waits for nothing but proof, after deadtime and, by who holds nothing, a delay', (t) => {
  const node = left();
  node.go(askedAt - 1);
  t.is(node.state().verdict.kind, 'dead');
  t.is(asked(node), 0);
  node.feed(askedAt, { kind: 'time-passed' });
  t.is(asked(node), 1);
  t.is(node.ofKind('fence-peer')[0]?.deadlineMs, fencing?.deadlineMs);
  node.go(askedAt + 60_000);
  t.is(asked(node), 1, 'not again while it is at it');
  t.is(
    node.phase()?.kind,
    'stopped',
    'and without its word nothing is started, however long the peer is silent',
  );
  t.deepEqual(node.asked, []);
});

const delays = [
  ['primary', false, 0, 'the preferred node, when neither holds anything'],
  ['secondary', false, delayMs, 'the other node, when neither holds anything'],
  ['primary', true, delayMs, 'the preferred node, when its peer holds the group'],
  ['secondary', true, delayMs, 'the other node, when its peer holds the group'],
] as const;

for (const [self, peerHolds, expected, who] of delays) {
  test(`who shoots after ${expected} ms: ${who}`, (t) => {
    const node = left({ self, peer: peerHolds ? activeReport : { willing: false }, disk: true });
    if (self === 'primary' && !peerHolds) t.not(node.phase()?.kind, 'starting');
    node.go(heardAt + deadtimeMs + expected - 1);
    t.is(asked(node), 0);
    node.feed(heardAt + deadtimeMs + expected, { kind: 'time-passed' });
    t.is(asked(node), 1);
  });
}

for (const peerHolds of [false, true]) {
  test(`a preferred owner whose DRBD waits shoots at once when its peer holds ${peerHolds ? 'it as well' : 'nothing'}`, (t) => {
    const node = runningOwner({ device: true });
    node.hear(2000, { ...ofPrimary, phase: 'stopping', holdsRest: peerHolds });
    node.show(2010, apart);
    node.askOutdating(2010, 7);
    node.go(heardAt + deadtimeMs - 1, { peer: null });
    t.is(asked(node), 0);
    node.feed(heardAt + deadtimeMs, { kind: 'time-passed' });
    t.is(asked(node), 1);
  });
}

test('a node that has not heard its peer since it started waits for initdead and takes the peer to hold the group', (t) => {
  const record = { generation: 3, owner: 'primary', writer: 'primary', sole: true };
  const node = oneCore({ policy: protectedPolicy('primary', { device: true }), record });
  node.see(1, 'down');
  node.go(timings.initdeadMs + delayMs - 1, { peer: null });
  t.is(asked(node), 0);
  node.feed(timings.initdeadMs + delayMs, { kind: 'time-passed' });
  t.is(asked(node), 1);
});

test('a peer that is silent and still answers on the network is powered off as well', (t) => {
  const node = left();
  node.go(askedAt, { addresses: 'answered' });
  t.is(node.state().verdict.kind, 'unresponsive');
  t.is(asked(node), 1);
});

const reasonsNotTo: readonly (readonly [string, (node: ReturnType<typeof left>) => void])[] = [
  ['it is cut off itself', (node) => node.go(2110, { gateway: 'unanswered' })],
  ['it is in standby', (node) => void node.request(2110, { kind: 'standby', on: true })],
  ['it is in maintenance', (node) => void node.request(2110, { kind: 'maintenance', durationMs: 600_000 })],
  [
    'it has no LAN',
    (node) => void node.feed(2110, { kind: 'carrier-observed', interface: 'eth0', carrier: false }),
  ],
  ['its copy of the disk is older', (node) => void node.show(2110, { ...apart, disk: 'outdated' })],
  [
    'what a guest does here cannot be told',
    (node) => void node.seeOne(2110, mail, { kind: 'unknown', message: 'its monitor does not answer' }),
  ],
  ['a guest is up here by hand', (node) => void node.seeOne(2110, mail, { kind: 'up' })],
];

for (const [why, happens] of reasonsNotTo) {
  test(`the device is not asked by a node that could not run the group: ${why}`, (t) => {
    const node = left({ disk: true });
    happens(node);
    node.go(askedAt + 20_000);
    t.is(asked(node), 0);
  });
}

test('a node that may not use its data does not power its peer off for them', (t) => {
  const record = { generation: 3, owner: 'primary', writer: 'primary' };
  const node = oneCore({ policy: protectedPolicy('primary', { device: true }), record });
  node.see(1, 'down');
  node.go(20_000, { peer: null });
  t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'unproven-data' });
  t.is(asked(node), 0);
});

test('DRBD that waits in the middle of a promotion is a reason to power a silent peer off as well', (t) => {
  const node = taking({ device: true });
  node.show(1110, apart);
  node.hear(1110, { ...node.peer, holdsRest: false });
  node.pass(1200);
  node.go(3200, { peer: { ...node.peer, holdsRest: false } });
  t.deepEqual(node.askedOf(disk), ['start']);
  node.askOutdating(3210, 7);
  node.go(3200 + deadtimeMs + delayMs, { peer: null });
  t.is(node.phase()?.kind, 'starting');
  t.is(asked(node), 1);
});

test('of two groups one that waits for proof is enough to ask, and one that the peer holds to ask later', (t) => {
  const node = oneCore({ policy: withShop(protectedPolicy('primary', { device: true })) });
  node.see(1, 'down');
  seeShop(node, 1, 'down', 'unknown');
  const groups = [
    { ...stoppedReport, ...activeReport },
    { ...stoppedReport, name: 'shop' },
  ];
  node.go(2000, { says: { groups } });
  node.go(askedAt - 1, { peer: null, prompt: false });
  t.is(asked(node), 0);
  node.feed(askedAt, { kind: 'time-passed' });
  t.is(asked(node), 1);
});

test('a peer in maintenance is not powered off, until its maintenance is over', (t) => {
  const node = left({ says: { maintenanceMinutes: 1 } });
  node.go(heardAt + 60_000 - 1);
  t.is(asked(node), 0);
  t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'peer-in-maintenance' });
  node.go(heardAt + 60_000);
  t.is(asked(node), 1);
});

test('a standby that was cut off for long needs no contact in this tier: the device proves enough', (t) => {
  const node = left();
  node.go(heardAt + staleAfterMs + 1000, { gateway: 'unanswered' });
  t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'isolated' });
  node.go(heardAt + staleAfterMs + 2000, { gateway: 'answered' });
  t.is(asked(node), 1);
});

test('a device that fails is tried again, each time after twice as long, up to a minute', (t) => {
  const node = left();
  node.go(askedAt);
  let at = node.state().now;
  for (const waitMs of [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]) {
    const before = asked(node);
    node.finishFencing(at, { kind: 'failed', code: 'x', message: 'no route' });
    t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'not-fenced' });
    node.go(at + waitMs - 1);
    t.is(asked(node), before, `${waitMs} ms`);
    node.feed(at + waitMs, { kind: 'time-passed' });
    t.is(asked(node), before + 1, `${waitMs} ms`);
    at += waitMs;
  }
  t.deepEqual(node.asked, []);
});

test('a device that does not say has not powered the peer off; a person is told what to do', (t) => {
  const node = left();
  node.go(askedAt);
  node.finishFencing(askedAt + 3000, { kind: 'unknown', message: 'no answer within 3000 ms' });
  node.go(askedAt + 3500);
  t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'not-fenced' });
  const note = node.ofKind('note').find((effect) => effect.note.code === 'fence-failed')?.note;
  t.like(note, { severity: 'alarm', tookMs: 3000 });
  t.regex(note?.next ?? '', /battito fence confirm primary/);
});

/** The device has just said, at `askedAt`, that the peer is off. */
function fenced() {
  const node = left();
  node.go(askedAt);
  node.finishFencing(askedAt);
  return node;
}

test('its word counts only after each address of the peer was asked later and did not answer', (t) => {
  const node = fenced();
  for (const id of ['peer-lan', 'peer-heartbeat']) node.probe(askedAt, id, 'unanswered');
  t.is(node.state().verdict.kind, 'dead', 'asked in the same moment is not later');
  node.probe(askedAt + 1, 'peer-lan', 'unanswered');
  t.is(node.state().verdict.kind, 'dead', 'one address was not asked');
  t.deepEqual(node.asked, []);
  node.probe(askedAt + 2, 'peer-heartbeat', 'unanswered');
  t.deepEqual(node.state().verdict, { kind: 'fenced', by: 'device' });
  t.is(node.phase()?.kind, 'starting');
  t.is(node.asked.length, 3);
  for (const code of ['fencing', 'fenced', 'peer-fenced']) t.true(node.codes().includes(code), code);
  const numbers = node.effects.flatMap((effect) => ('operation' in effect ? [effect.operation] : []));
  t.deepEqual(numbers, [1, 2, 3, 4], 'no two things that are asked for have the same number');
});

test('an address that could not be asked does not keep the word of the device from counting', (t) => {
  const node = fenced();
  node.probe(askedAt + 1, 'peer-lan', 'failed');
  node.probe(askedAt + 2, 'peer-heartbeat', 'failed');
  t.deepEqual(node.state().verdict, { kind: 'fenced', by: 'device' });
});

for (const [what, answers] of [
  ['an address of the peer', (node, at) => node.probe(at, 'peer-lan', 'answered')],
  ['the floating address', (node, at) => node.probe(at, address, 'answered')],
  [
    'a packet in words that this version does not know',
    (node, at) => node.feed(at, { kind: 'heartbeat-not-understood', link: 0, incarnation: 8, sequence: 1 }),
  ],
] as readonly (readonly [string, (node: ReturnType<typeof left>, at: number) => unknown])[]) {
  test(`a device is belied by ${what} that came after its word, and is asked again`, (t) => {
    const node = fenced();
    answers(node, askedAt + 10);
    t.not(node.state().verdict.kind, 'fenced');
    const note = node.ofKind('note').find((effect) => effect.note.code === 'fence-belied')?.note;
    t.is(note?.severity, 'alarm');
    t.is(node.state().fence.failures, 1);
    t.is(node.state().fence.succeededAt, null);
    node.go(askedAt + 1009);
    t.is(asked(node), 1);
    node.go(askedAt + 1010);
    t.is(asked(node), 2);
    t.deepEqual(node.asked, []);
  });
}

test('what answered before its word, or in the same moment, belies no device', (t) => {
  const node = left();
  node.go(askedAt);
  node.probe(askedAt, 'peer-lan', 'answered');
  node.finishFencing(askedAt);
  node.probe(askedAt + 1, 'peer-lan', 'unanswered');
  node.probe(askedAt + 1, 'peer-heartbeat', 'unanswered');
  t.deepEqual(node.state().verdict, { kind: 'fenced', by: 'device' });
  t.false(node.codes().includes('fence-belied'));
});

/** The group has started here, since the peer was silent after the device's word. */
function fencedAndActive() {
  const node = fenced();
  node.go(askedAt + 1000, { prompt: true });
  return node;
}

test('a peer that answers after it was silent has been switched on: the device has not lied, and proves nothing any more', (t) => {
  const node = fencedAndActive();
  t.is(node.phase()?.kind, 'active');
  node.probe(askedAt + 1010, 'peer-lan', 'answered');
  t.is(node.state().verdict.kind, 'unresponsive');
  t.false(node.codes().includes('fence-belied'));
  const note = node.ofKind('note').find((effect) => effect.note.code === 'fence-ended')?.note;
  t.is(note?.severity, 'warning');
  t.like(node.state().fence, { succeededAt: null, lastError: null });
  node.go(askedAt + 20_000);
  t.is(asked(node), 1, 'nothing waits for its being off');
});

test('an address that was never silent belies the device, whatever another one did', (t) => {
  const node = fenced();
  node.probe(askedAt + 1, 'peer-heartbeat', 'unanswered');
  node.probe(askedAt + 10, 'peer-lan', 'answered');
  t.true(node.codes().includes('fence-belied'));
  t.false(node.codes().includes('fence-ended'));
});

test('a packet that proves nothing yet comes from a peer that was switched on, if all of it was silent before', (t) => {
  const node = fencedAndActive();
  node.feed(askedAt + 1010, { kind: 'heartbeat-not-understood', link: 0, incarnation: 8, sequence: 1 });
  t.true(node.codes().includes('fence-ended'));
  t.false(node.codes().includes('fence-belied'));
});

test('a guest that ends is started again though the peer answers, if it has been off since it said what it holds', (t) => {
  const startsAgain = (meanwhile: (node: ReturnType<typeof left>, at: number) => unknown) => {
    const node = fencedAndActive();
    t.is(node.phase()?.kind, 'active');
    node.probe(askedAt + 1010, 'peer-lan', 'answered');
    t.is(node.state().verdict.kind, 'unresponsive');
    meanwhile(node, askedAt + 1020);
    const before = node.asked.length;
    const ended = { group: 'office', resource: mail, status: { kind: 'down' } } as const;
    node.feed(askedAt + 1030, { kind: 'resource-observed', ...ended });
    return node.asked.slice(before);
  };
  const packet = { kind: 'heartbeat-not-understood', link: 0, incarnation: 8, sequence: 1 } as const;
  t.deepEqual(
    startsAgain(() => {}),
    [`start ${mail}`],
  );
  t.deepEqual(
    startsAgain((node, at) => node.feed(at, packet)),
    [],
    'its daemon runs, and may run anything',
  );
  t.deepEqual(
    startsAgain((node, at) => node.hear(at, { ...activeReport, phase: 'stopping', generation: 0 })),
    [],
    'it says itself that it has it',
  );
});

test('a peer that is belied to be off by what was never silent may hold what it said', (t) => {
  const node = fenced();
  for (const id of ['peer-lan', 'peer-heartbeat']) node.probe(askedAt + 1, id, 'failed');
  t.true(node.state().peer.wasOff);
  node.probe(askedAt + 20, 'peer-lan', 'answered');
  t.true(node.codes().includes('fence-belied'));
  t.false(node.state().peer.wasOff);
});

test('a peer whose run goes on after the device has said off was never off; one that runs anew was', (t) => {
  const lies = (incarnation: number) => {
    const node = fencedAndActive();
    node.probe(askedAt + 1010, 'peer-lan', 'answered');
    node.hear(askedAt + 1020, activeReport, { incarnation });
    node.hear(askedAt + 1030, activeReport, { incarnation });
    return node.ofKind('note').filter((effect) => effect.note.code === 'fence-belied');
  };
  const [note, ...more] = lies(fenced().state().peer.incarnation ?? 0);
  t.like(note?.note, { severity: 'alarm' });
  t.regex(note?.note.message ?? '', /its daemon has gone on: it never was off/);
  t.deepEqual(more, [], 'told once');
  t.deepEqual(lies(9_000_000), []);
});

test('the word of a device ends when the peer is heard, and so do its failures', (t) => {
  const node = fenced();
  node.hear(askedAt + 10, activeReport);
  t.is(node.state().verdict.kind, 'alive');
  t.is(node.state().fence.succeededAt, null);
  node.go(askedAt + 3000);
  t.is(asked(node), 2, 'it has to be said anew');
  node.finishFencing(askedAt + 3000, { kind: 'failed', code: 'x', message: 'no' });
  node.hear(askedAt + 3010, activeReport);
  t.like(node.state().fence, { failures: 0, retryAt: null, lastError: null });
});

test('a device that is still at it when the peer is heard is not asked twice, and its late word is checked like any', (t) => {
  const node = left();
  node.go(askedAt);
  node.hear(askedAt + 100, activeReport);
  node.go(askedAt + 10_000);
  t.is(asked(node), 1);
  node.finishFencing(askedAt + 10_000);
  t.not(node.state().verdict.kind, 'fenced');
  node.go(askedAt + 10_100);
  t.deepEqual(node.state().verdict, { kind: 'fenced', by: 'device' });
});

test('a person vouches for the peer in place of the device, until it is heard again', (t) => {
  const node = left();
  node.go(askedAt);
  node.finishFencing(askedAt, { kind: 'failed', code: 'x', message: 'no' });
  t.is(
    node.request(askedAt + 10, { kind: 'confirm-peer-off', node: 'primary', force: false }).kind,
    'accepted',
  );
  t.deepEqual(node.state().verdict, { kind: 'fenced', by: 'operator' });
  t.is(node.phase()?.kind, 'starting');
  node.hear(askedAt + 20, { ...stoppedReport });
  t.is(node.state().verdict.kind, 'alive');
  node.pass(askedAt + 10_000);
  t.not(node.state().verdict.kind, 'fenced');
});

/** Running on the primary without mirror or safeguards, until 2 s. */
function owner(protection: Protection = {}) {
  const node = oneCore({ policy: protectedPolicy('primary', protection), record: ofPrimary });
  node.see(1, 'up');
  node.go(2000, { peer: ofPrimary });
  return node;
}

test('an owner that is cut off freezes, unless whoever takes over has powered it off before', (t) => {
  const plain = owner();
  plain.go(6000, { peer: null, gateway: 'unanswered' });
  t.is(plain.phase()?.kind, 'frozen');
  const withDevice = owner({ device: true });
  withDevice.go(60_000, { peer: null, gateway: 'unanswered' });
  t.is(withDevice.phase()?.kind, 'active');
});

test('a node that hears its peer and is not heard by it freezes when the outside is silent, by the time of its peer', (t) => {
  const node = owner();
  const { contactAt } = node.state().peer;
  const freezesAt = (contactAt ?? 0) + freezeAfterMs;
  node.go(freezesAt - 1, { hearsUs: false, gateway: 'unanswered', prompt: false });
  t.is(node.phase()?.kind, 'active');
  node.feed(freezesAt, { kind: 'time-passed' });
  t.is(node.state().verdict.kind, 'alive', 'we hear it all the same');
  t.is(node.phase()?.kind, 'frozen');
});

test('a node that is not heard and has an outside that answers, or a peer that does, does not freeze', (t) => {
  const outside = owner();
  outside.go(20_000, { hearsUs: false });
  t.is(outside.phase()?.kind, 'active');
  const answered = owner();
  for (let at = 2050; at < 20_000; at += 50) {
    answered.probe(at, 'peer-lan', 'answered');
    answered.go(at, { hearsUs: false, gateway: 'unanswered' });
  }
  t.is(answered.phase()?.kind, 'active');
});

test('only what the peer has read of this run is contact, and of it the newest', (t) => {
  const node = owner();
  const newest = node.state().peer.contactAt ?? 0;
  const { sequence } = node.state();
  node.pass(2600);
  node.hear(2610, ofPrimary, { echo: sequence - 3 });
  t.is(node.state().peer.contactAt, newest, 'an older one takes nothing back');
  node.hear(2620, ofPrimary, { echo: sequence + 100 });
  t.is(node.state().peer.contactAt, newest, 'one that was not sent');
  node.hear(2630, ofPrimary, { echo: node.state().sequence });
  t.true((node.state().peer.contactAt ?? 0) > newest);
});

test('an owner that did not run for a while asks the outside for warntime before it believes that it is cut off', (t) => {
  const node = owner();
  const { wakeAt } = node.state();
  const before = wakeAt - (node.state().peer.contactAt ?? 0);
  node.feed(6000, { kind: 'time-passed' });
  t.is(node.state().stalls.count, 1);
  t.is(node.phase()?.kind, 'active', 'nobody was asked meanwhile');
  node.go(6000 + warntimeMs - before - 1, { peer: null, gateway: 'unanswered' });
  t.is(node.phase()?.kind, 'active');
  node.go(6000 + warntimeMs - before);
  t.is(node.phase()?.kind, 'frozen');

  const well = owner();
  well.feed(6000, { kind: 'time-passed' });
  well.go(6300, { gateway: 'unanswered' });
  t.is(well.phase()?.kind, 'active', 'its peer is heard, and hears it');
});

test('an owner that has been adopted by a new daemon and hears nobody freezes after warntime', (t) => {
  const node = oneCore({ policy: protectedPolicy('primary', {}), record: ofPrimary });
  node.see(1, 'up');
  node.go(warntimeMs - 1, { peer: null, gateway: 'unanswered', prompt: false });
  t.is(node.phase()?.kind, 'active');
  node.feed(warntimeMs, { kind: 'time-passed' });
  t.is(node.phase()?.kind, 'frozen');
});

test('a sole owner does not freeze, whatever happens to the outside', (t) => {
  const node = oneCore({ policy: protectedPolicy('primary', {}), record: { ...ofPrimary, sole: true } });
  node.see(1, 'up');
  node.go(30_000, { peer: null, gateway: 'unanswered' });
  t.is(node.phase()?.kind, 'active');
});
