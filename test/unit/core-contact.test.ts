// What a node that was cut off, has stalled, or has not met its peer may make of the silence that follows:
// docs/decisions/0003-freeze-before-takeover.md and 0005-a-node-alone-after-a-start.md.

import test from 'ava';
import type { HeartbeatContent } from '../../daemon/core/heartbeat.ts';
import type { Policy } from '../../daemon/core/policy.ts';
import { address, examplePolicy, mail, protectedPolicy } from '../sim/example.ts';
import {
  activeReport,
  type OneCore,
  type OneCoreOptions,
  oneCore,
  ownRun,
  peerRun,
  stoppedReport,
} from './support/one-core.ts';
import { ofPrimary, runningOwner, seeShop, withShop } from './support/situations.ts';

const policy = examplePolicy('secondary');
const { keepaliveMs, warntimeMs, deadtimeMs, freezeAfterMs, takeoverAfterMs, staleAfterMs } = policy.timings;
const heardAt = 2000;

/** An idle node that has seen what it has, and has heard nothing yet. */
function idle(options: OneCoreOptions = {}): OneCore {
  const node = oneCore({ self: 'secondary', ...options });
  node.see(1, 'down');
  return node;
}

/** A standby whose peer, which runs the group, was heard until 2 s. */
function standby(options: OneCoreOptions = {}): OneCore {
  const node = idle(options);
  node.go(heardAt, { peer: activeReport });
  return node;
}

const deaf = [false, false];

/** What becomes of the group once the peer has died. */
function afterDeath(node: OneCore): string {
  node.go(node.state().now + takeoverAfterMs + 1000, { peer: null, gateway: 'answered' });
  const phase = node.phase();
  return phase?.kind === 'blocked' ? phase.obstacle : (phase?.kind ?? '');
}

test('a node has met its peer when that says that it hears us, on any link', (t) => {
  for (const [hears, expected] of [
    [[true, false], 'active'],
    [[false, true], 'active'],
    [deaf, 'unproven-data'],
  ] as const) {
    const node = idle();
    node.go(heardAt, { peer: activeReport, says: { hears } });
    t.is(afterDeath(node), expected, String(hears));
  }
});

test('to have met the peer lasts as long as its run, even if it hears us no more', (t) => {
  const node = standby();
  node.go(3000, { says: { hears: deaf } });
  t.is(afterDeath(node), 'active');

  const anew = standby();
  anew.hear(2100, activeReport, { incarnation: peerRun + 1, says: { hears: deaf } });
  t.is(afterDeath(anew), 'unproven-data', 'a new run may have been on its own before');
});

test('that the peer heard us is not taken from a packet that others have overtaken', (t) => {
  const node = idle();
  node.hear(100, activeReport, { sequence: 100, says: { hears: deaf } });
  node.hear(110, activeReport, { sequence: 90, link: 1 });
  t.is(afterDeath(node), 'unproven-data');
});

test('a peer that may start a group on its own has not been met yet', (t) => {
  const others = { ...stoppedReport, name: 'other' };
  for (const groups of [
    [{ ...stoppedReport, sole: true }, others],
    [stoppedReport, { ...others, sole: true }],
  ]) {
    const node = idle();
    node.go(heardAt, { says: { groups } });
    t.is(afterDeath(node), 'unproven-data');
  }
});

test('a standby that is cut off until it is stale does not take over any more, to the millisecond', (t) => {
  const mended = standby();
  mended.go(heardAt + staleAfterMs - 1, { peer: null, gateway: 'unanswered' });
  t.is(mended.state().verdict.kind, 'isolated');
  mended.probe(heardAt + staleAfterMs - 1, 'gateway', 'answered');
  t.is(afterDeath(mended), 'active');

  const stale = standby();
  stale.go(heardAt + staleAfterMs, { peer: null, gateway: 'unanswered' });
  t.is(afterDeath(stale), 'isolated');
});

test('to be silent for long makes nothing stale while the outside answers', (t) => {
  const node = standby();
  node.request(heardAt, { kind: 'standby', on: true });
  node.go(heardAt + 2 * staleAfterMs, { peer: null });
  node.request(node.state().now, { kind: 'standby', on: false });
  t.is(afterDeath(node), 'active');
});

test('a stale standby may take over again once its peer was heard and has heard it', (t) => {
  for (const [hears, expected] of [
    [deaf, 'isolated'],
    [[true], 'active'],
  ] as const) {
    const node = standby();
    node.go(heardAt + staleAfterMs, { peer: null, gateway: 'unanswered' });
    node.go(heardAt + staleAfterMs + 1000, { peer: activeReport, gateway: 'answered', says: { hears } });
    t.is(node.state().verdict.kind, 'alive');
    t.is(afterDeath(node), expected, String(hears));
  }
});

/** From when on there is time for two answers that were asked for in the silence. */
const askedAfterMs = warntimeMs + 2 * 150;

test('a standby that was cut off in the silence waits for a whole takeover time more, since its peer may be, too', (t) => {
  const node = standby();
  const cutOffAt = heardAt + askedAfterMs;
  node.go(cutOffAt, { peer: null, gateway: 'unanswered', prompt: false });
  node.probe(cutOffAt, 'gateway', 'answered');
  node.go(cutOffAt + takeoverAfterMs - 1, { gateway: 'answered' });
  t.is(node.state().verdict.kind, 'dead');
  t.is(node.phase()?.kind, 'stopped');
  node.feed(cutOffAt + takeoverAfterMs, { kind: 'time-passed' });
  t.is(node.phase()?.kind, 'starting');
});

test('an outside that did not answer before it had been asked twice in the silence delays nothing', (t) => {
  const node = standby();
  node.go(heardAt + askedAfterMs - 1, { peer: null, gateway: 'unanswered', prompt: false });
  node.probe(heardAt + askedAfterMs - 1, 'gateway', 'answered');
  node.go(heardAt + takeoverAfterMs, { gateway: 'answered' });
  t.is(node.phase()?.kind, 'starting');
});

test('a node that has not heard its peer since it started counts no time in which it was cut off', (t) => {
  const record = { generation: 3, owner: 'secondary', sole: true };
  const node = idle({ policy: protectedPolicy('secondary', {}), record });
  node.go(5000, { peer: null, gateway: 'unanswered' });
  t.is(node.state().verdict.kind, 'isolated');
  node.go(5050, { gateway: 'answered', prompt: false });
  t.is(node.phase()?.kind, 'starting');
});

test('a stall that is over, and after which the peer has heard us, delays no later freeze', (t) => {
  const node = runningOwner({}, examplePolicy('primary'));
  const stalledAt = node.state().wakeAt + 5000;
  node.feed(stalledAt, { kind: 'time-passed' });
  node.go(stalledAt + 2000);
  const contactAt = node.state().peer.contactAt ?? 0;
  t.true(contactAt > stalledAt);
  node.go(contactAt + freezeAfterMs - 1, { peer: null, gateway: 'unanswered' });
  t.is(node.phase()?.kind, 'active');
  node.go(contactAt + freezeAfterMs);
  t.is(node.phase()?.kind, 'frozen');
});

test('a node that stalled does not take the peer for one that hears us no more', (t) => {
  const node = standby();
  const { wakeAt, sequence } = node.state();
  node.hear(wakeAt + 3000, activeReport, { echo: sequence });
  t.deepEqual(node.state().paces, [{ target: 'gateway', intervalMs: 1000 }]);
});

test('the second copy of a packet that came on the other link says nothing new', (t) => {
  const node = standby();
  const says: Partial<HeartbeatContent> = { maintenanceMinutes: 1 };
  node.hear(2050, activeReport, { sequence: 1000, says });
  node.hear(2150, activeReport, { sequence: 1000, link: 1, says });
  node.go(62_049, { peer: null, prompt: false });
  t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'peer-in-maintenance' });
  node.go(62_050);
  t.is(node.phase()?.kind, 'starting', 'a minute after the first one');
});

test('a peer that said goodbye is back with the first packet of its new run, read or not', (t) => {
  const gone = () => {
    const node = standby();
    node.hear(2050, { generation: 1 }, { says: { leaving: true } });
    t.is(node.state().verdict.kind, 'departed');
    return node;
  };
  const unreadable = { kind: 'heartbeat-not-understood', link: 0, incarnation: 8, sequence: 1 } as const;
  const node = gone();
  node.feed(2060, unreadable);
  t.not(node.state().verdict.kind, 'departed');

  const before = standby();
  before.feed(2050, { ...unreadable, link: 1, incarnation: peerRun, sequence: 9000 });
  before.hear(2050, { generation: 1 }, { says: { leaving: true } });
  t.is(
    before.state().verdict.kind,
    'departed',
    'what came before, or in the same moment, takes nothing back',
  );
});

/** With a second group; what each of the two is to be like besides. */
const two = (self: 'primary' | 'secondary', second: Partial<Policy['groups'][number]> = {}): Policy => {
  const both = withShop(examplePolicy(self));
  return {
    ...both,
    groups: both.groups.map((group, index) => (index === 1 ? { ...group, ...second } : group)),
  };
};

test('the goodbye of a peer that still holds one of its groups is none', (t) => {
  for (const held of ['office', 'shop']) {
    const node = idle({ policy: two('secondary') });
    const groups = ['office', 'shop'].map((name) => ({ ...stoppedReport, name, holdsRest: name === held }));
    node.hear(10, {}, { says: { leaving: true, groups } });
    t.is(node.state().verdict.kind, 'alive', held);
  }
});

test('a node that runs one of its groups waits no longer than deadtime for a peer that it has never heard', (t) => {
  const node = oneCore({ policy: two('primary'), record: ofPrimary });
  node.see(1, 'up');
  seeShop(node, 1, 'down', 'down');
  node.go(deadtimeMs, { peer: null });
  t.is(node.state().verdict.kind, 'dead');
});

test('a node that has the address for one of its groups does not take its answer for the peer', (t) => {
  const node = oneCore({ policy: two('primary'), record: ofPrimary });
  node.see(1, 'up');
  seeShop(node, 1, 'down', 'down');
  node.go(heardAt, { peer: ofPrimary });
  node.go(3900, { peer: null });
  node.probe(3900, address, 'answered');
  node.go(heardAt + deadtimeMs);
  t.is(node.state().verdict.kind, 'dead');
});

test('an address that answers is a sign of the peer whatever the guests here do', (t) => {
  const node = standby();
  node.request(2010, { kind: 'maintenance', durationMs: 600_000 });
  node.seeOne(2010, mail, { kind: 'unknown', message: 'its monitor does not answer' });
  node.go(3900, { peer: null });
  node.probe(3900, address, 'answered');
  node.go(heardAt + deadtimeMs);
  t.is(node.state().verdict.kind, 'unresponsive');
});

test('without a gateway to ask, a node that lost the LAN of one group is cut off', (t) => {
  const probes = [{ id: 'peer-lan', kind: 'peer' }] as const;
  const node = standby({ policy: { ...two('secondary', { interfaces: ['eth2'] }), probes } });
  node.feed(2010, { kind: 'carrier-observed', interface: 'eth2', carrier: false });
  node.go(heardAt + deadtimeMs, { peer: null });
  t.is(node.state().verdict.kind, 'isolated');
});

/** A node that asks for the group, and what it sent its claim with. */
function claiming() {
  const node = oneCore();
  node.see(1, 'down');
  node.hear(10);
  const phase = node.phase();
  if (phase?.kind !== 'claiming') throw new Error(`it does not claim, it is ${phase?.kind}`);
  const sent = node.state().sent.at(-1);
  if (sent === undefined) throw new Error('it sent nothing');
  return { ...node, grant: { incarnation: ownRun, claim: phase.claim.id }, sent };
}

test('a grant counts while its echo is of a packet that was sent at most warntime ago', (t) => {
  for (const [lateMs, expected] of [
    [0, 'starting'],
    [1, 'claiming'],
  ] as const) {
    const { sent, grant, ...node } = claiming();
    for (let at = sent.at + keepaliveMs; at < sent.at + warntimeMs; at += keepaliveMs) node.hear(at);
    node.hear(sent.at + warntimeMs + lateMs, { grant }, { echo: sent.sequence });
    t.is(node.phase()?.kind, expected);
  }
});

test('a grant whose echo is of an earlier run of this node is worth nothing', (t) => {
  const { grant, sent, ...node } = claiming();
  const { content } = node.state().peer;
  if (content === null) throw new Error('the peer was not heard');
  const echo = { incarnation: ownRun - 1, sequence: sent.sequence };
  const groups = [{ ...stoppedReport, grant }];
  const packet = { link: 0, incarnation: peerRun, sequence: 5, echo, content: { ...content, groups } };
  node.feed(30, { kind: 'heartbeat-received', ...packet });
  t.is(node.phase()?.kind, 'claiming');
});
test('an owner that was adopted asks the outside often until it has contact: it may have to freeze at warntime', (t) => {
  const node = oneCore({ policy: examplePolicy('primary'), record: ofPrimary });
  node.see(1, 'up');
  t.deepEqual(
    node.state().paces.find(({ target }) => target === 'gateway'),
    { target: 'gateway', intervalMs: 150 },
  );
  node.hear(100, ofPrimary);
  t.deepEqual(node.state().paces, [{ target: 'gateway', intervalMs: 1000 }]);
});

test('a peer that is heard and has not shown that it reads us is asked for like a silent one', (t) => {
  const node = standby();
  const other = idle();
  other.go(warntimeMs + 50, { peer: activeReport, hearsUs: false });
  t.is(other.state().verdict.kind, 'alive');
  t.true(other.state().paces.some(({ target }) => target === 'peer-lan'));
  t.false(node.state().paces.some(({ target }) => target === 'peer-lan'));
});
