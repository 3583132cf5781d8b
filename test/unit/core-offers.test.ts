// When an owner offers the group to its peer, and how long the wishes of an operator are remembered.

import test from 'ava';
import type { Policy } from '../../daemon/core/policy.ts';
import { address, disk, examplePolicy } from '../sim/example.ts';
import { activeReport, apart, mirrored, type OneCore, oneCore } from './support/one-core.ts';
import { freezingOwner, ofPrimary, ofSecondary, runningOwner } from './support/situations.ts';

const plain = examplePolicy('primary');
const { warntimeMs } = plain.timings;

/** The primary runs the group and has heard its peer, which could run it, until 2 s. */
const owner = (policy: Policy = plain) => runningOwner({}, policy);
const offered = (node: OneCore) => node.group().offer?.reason ?? null;
const offers = (node: OneCore) => node.codes().filter((code) => code === 'offered').length;

test('an owner that is content offers nothing', (t) => {
  const node = owner();
  node.go(5000);
  t.is(offered(node), null);
  t.false(node.report()?.offer);
});

test('an owner offers the group when its daemon stops, it is put in standby, or an operator wants it moved', (t) => {
  const leaving = owner();
  leaving.feed(2010, { kind: 'stop-requested' });
  t.is(offered(leaving), 'leave');
  t.true(leaving.report()?.offer);

  const standby = owner();
  standby.request(2010, { kind: 'standby', on: true });
  t.is(offered(standby), 'standby');

  const pushed = owner();
  pushed.request(2010, { kind: 'handover', groups: ['office'] });
  t.is(offered(pushed), 'operator');
  const [text] = pushed.ofKind('note').flatMap(({ note }) => (note.code === 'offered' ? note.message : []));
  t.is(text, 'offered to secondary: the operator wants it moved');
});

test('an offer keeps its reason and its time, is said once, and is withdrawn when the reason is gone', (t) => {
  const node = owner();
  node.request(2010, { kind: 'standby', on: true });
  node.go(4000);
  t.deepEqual(node.group().offer, { reason: 'standby', since: 2010 });
  node.feed(4010, { kind: 'stop-requested' });
  t.deepEqual(node.group().offer, { reason: 'standby', since: 2010 });
  t.is(offers(node), 1);

  const back = owner();
  back.request(2010, { kind: 'standby', on: true });
  back.request(2020, { kind: 'standby', on: false });
  t.is(offered(back), null);
  t.is(back.phase()?.kind, 'active');
});

/** What keeps an owner that is to leave from offering the group. */
const hindrances: Readonly<Record<string, (node: OneCore) => void>> = {
  'the peer would not take it': (node) => node.go(3000, { peer: { ...ofPrimary, willing: false } }),
  'the peer does not speak of it': (node) => node.go(3000, { says: { groups: [] } }),
  'the peer is late': (node) => node.go(3000, { peer: null }),
  'this node is in maintenance': (node) =>
    void node.request(2010, { kind: 'maintenance', durationMs: 600_000 }),
};

for (const [why, happens] of Object.entries(hindrances)) {
  test(`a group is not offered, or the offer is withdrawn, when ${why}`, (t) => {
    const node = owner();
    happens(node);
    node.feed(node.state().now + 10, { kind: 'stop-requested' });
    t.is(offered(node), null);

    const early = owner();
    early.request(2005, { kind: 'standby', on: true });
    t.is(offered(early), 'standby');
    happens(early);
    t.is(offered(early), null);
  });
}

test('a node in standby that has nothing offers nothing', (t) => {
  const node = oneCore({ self: 'secondary' });
  node.see(1, 'down');
  node.go(1000, { peer: activeReport });
  node.request(1000, { kind: 'standby', on: true });
  t.is(offered(node), null);
});

test('what only the disk here has is not offered', (t) => {
  const node = runningOwner();
  node.show(2010, apart);
  node.request(2020, { kind: 'standby', on: true });
  t.is(offered(node), null);
  node.show(2030, mirrored);
  t.is(node.resource(disk).storage?.connection, 'connected');
  t.is(offered(node), 'standby');
});

test('what runs by no right is not offered', (t) => {
  const node = oneCore({ record: ofSecondary });
  node.see(1, 'up');
  node.go(1000, { peer: { ...ofSecondary, holdsRest: true } });
  t.like(node.phase(), { kind: 'active', generation: 0 });
  node.request(1010, { kind: 'standby', on: true });
  t.is(offered(node), null);
});

test('an owner without carrier offers the group after warntime, to a peer that has the LAN', (t) => {
  const node = owner();
  node.feed(2010, { kind: 'carrier-observed', interface: 'eth0', carrier: false });
  node.go(2010 + warntimeMs - 1);
  t.is(offered(node), null);
  node.feed(2010 + warntimeMs, { kind: 'time-passed' });
  t.is(offered(node), 'no-lan');
  node.feed(2010 + warntimeMs + 10, { kind: 'carrier-observed', interface: 'eth0', carrier: true });
  t.is(offered(node), null);

  const alone = owner();
  alone.feed(2010, { kind: 'carrier-observed', interface: 'eth0', carrier: false });
  alone.go(10_000, { says: { lan: false } });
  t.is(offered(alone), null, 'the peer would be no better');
});

test('of two interfaces without carrier the one that lost it last counts, and none that has it', (t) => {
  const node = owner(examplePolicy('primary', { interfaces: ['eth0', 'eth2', 'eth3'] }));
  node.feed(2010, { kind: 'carrier-observed', interface: 'eth0', carrier: false });
  node.go(2500);
  node.feed(2500, { kind: 'carrier-observed', interface: 'eth2', carrier: false });
  node.feed(2600, { kind: 'carrier-observed', interface: 'eth3', carrier: true });
  node.go(2500 + warntimeMs - 1);
  t.is(offered(node), null);
  node.go(2500 + warntimeMs);
  t.is(offered(node), 'no-lan');
});

const reachesIt = { gateways: 1 } as const;
const lost = { gateway: 'unanswered', says: reachesIt } as const;

test('a group follows its only gateway once the peer alone has reached it for ten seconds, every thirty at the most', (t) => {
  const node = owner();
  node.go(20_000, lost);
  t.is(offered(node), null);
  node.go(30_000, { says: reachesIt });
  t.is(node.group().since, 1);
  t.is(offered(node), null, 'it began less than thirty seconds ago');
  node.feed(30_001, { kind: 'time-passed' });
  t.is(offered(node), 'outside');

  const settled = owner();
  settled.go(40_000, { says: reachesIt });
  settled.go(45_000, lost);
  const since = () => settled.state().outside.fewerSince ?? Number.NaN;
  t.is(offered(settled), null);
  settled.go(45_200, { says: reachesIt });
  t.true(since() > 45_000);
  settled.go(since() + 9900, { says: reachesIt });
  t.is(offered(settled), null);
  settled.go(since() + 10_100, { says: reachesIt });
  t.is(offered(settled), 'outside');
});

test('a gateway that both nodes lose, one a moment before the other, and that comes back to one first, moves nothing', (t) => {
  const node = owner();
  node.go(40_000, { says: reachesIt });
  node.go(48_000, lost);
  t.is(offered(node), null);
  node.go(60_000, { gateway: 'unanswered', says: { gateways: 0 } });
  t.is(node.state().outside.fewerSince, null);
  node.go(63_000, lost);
  node.go(64_000, { gateway: 'answered', says: reachesIt });
  t.is(node.state().outside.fewerSince, null);
  t.is(node.codes().filter((code) => code === 'offered').length, 0);
});

test('a peer whose daemon is new takes the gateway for reached, and gets nothing for that', (t) => {
  const node = owner();
  node.go(40_000, { says: reachesIt });
  node.go(60_000, { gateway: 'unanswered', says: { gateways: 0, lan: false } });
  node.go(65_400, { says: { gateways: 1, lan: true } });
  t.is(offered(node), null);
});

for (const [what, says] of [
  ['an older version, which does not count one', { gateways: null }],
  ['another configuration', { gateways: 1, configDigest: 'other' }],
] as const) {
  test(`a group follows its only gateway also to a peer of ${what}`, (t) => {
    const node = owner();
    node.go(40_000, { says });
    node.go(70_000, { gateway: 'unanswered', says });
    t.is(offered(node), 'outside');
    const both = owner();
    both.go(40_000, { says });
    both.go(70_000, { gateway: 'unanswered', says: { ...says, lan: false } });
    t.is(offered(both), null);
  });
}

const failbackDelayMs = 10_000;
const returning = (failback: 'manual' | 'automatic', preferred: string) =>
  owner(examplePolicy('primary', { failback, preferred, failbackDelayMs }));

test('a preferred node that is back gets the group after it has been alive for the time set', (t) => {
  const node = returning('automatic', 'secondary');
  const since = node.state().peer.aliveSince ?? 0;
  node.go(since + failbackDelayMs - 1);
  t.is(offered(node), null);
  node.feed(since + failbackDelayMs, { kind: 'time-passed' });
  t.is(offered(node), 'failback');
});

test('there is no failback where it is manual, to a node that is not preferred, or to one that is not at rest', (t) => {
  for (const node of [returning('manual', 'secondary'), returning('automatic', 'primary')]) {
    node.go(60_000);
    t.is(offered(node), null);
  }
  const busy = returning('automatic', 'secondary');
  busy.go(60_000, { peer: { ...ofPrimary, phase: 'blocked' } });
  t.is(offered(busy), null);
});

test('there is no failback to a node that says it has no LAN', (t) => {
  const node = returning('automatic', 'secondary');
  node.go(60_000, { says: { lan: false } });
  t.is(offered(node), null);
  node.go(60_200, { says: { lan: true } });
  t.is(offered(node), 'failback');
});

/** An idle node whose operator wants the group, at 1 s; its peer runs it and does not answer to that. */
function pulling() {
  const node = oneCore({ self: 'secondary', record: ofPrimary });
  node.see(1, 'down');
  node.go(1000, { peer: { ...activeReport, ...ofPrimary } });
  mustBeAccepted(node.request(1000, { kind: 'takeover', groups: [] }).kind);
  return node;
}

function mustBeAccepted(kind: string): void {
  if (kind !== 'accepted') throw new Error(`the request was ${kind}`);
}

test('what an operator wanted to have here is forgotten after a minute, not before', (t) => {
  const node = pulling();
  t.like(node.phase(), { kind: 'claiming', claim: { reason: 'operator' } });
  node.go(61_000);
  t.is(node.phase()?.kind, 'claiming');
  t.false(node.codes().includes('request-expired'));
  node.go(61_001);
  t.is(node.phase()?.kind, 'stopped');
  t.true(node.codes().includes('request-expired'));
});

test('what an operator wanted to have here is fulfilled by its start', (t) => {
  const node = pulling();
  t.is(node.group().pullSince, 1000);
  const phase = node.phase();
  const claim = phase?.kind === 'claiming' ? phase.claim.id : 0;
  node.hear(1010, { ...activeReport, ...ofPrimary, grant: { incarnation: 50, claim } });
  t.is(node.phase()?.kind, 'starting');
  t.is(node.group().pullSince, null);
  t.false(node.codes().includes('request-expired'));
});

test('what an operator wanted to have here is fulfilled, too, where it is found running', (t) => {
  const node = oneCore({ record: ofPrimary });
  node.hear(10, { ...ofPrimary, holdsRest: true });
  mustBeAccepted(node.request(20, { kind: 'takeover', groups: [] }).kind);
  t.is(node.group().pullSince, 20);
  node.see(30, 'up');
  t.is(node.phase()?.kind, 'active');
  t.is(node.group().pullSince, null);
});

test('what an operator wanted to send away is forgotten after a minute, not before', (t) => {
  const node = owner();
  node.request(2010, { kind: 'handover', groups: [] });
  node.go(62_010);
  t.is(offered(node), 'operator');
  node.go(62_011);
  t.is(offered(node), null);
  t.true(node.codes().includes('request-expired'));
});

test('what an operator wanted to send away is forgotten when the peer is lost, but not while it is only late', (t) => {
  const node = owner();
  node.request(2010, { kind: 'handover', groups: [] });
  node.go(3900, { peer: null });
  t.is(node.state().verdict.kind, 'late');
  t.is(offered(node), null);
  node.go(4000, { peer: ofPrimary });
  t.is(offered(node), 'operator', 'it is offered again');
  node.go(6100, { peer: null });
  t.is(node.state().verdict.kind, 'dead');
  node.go(7000, { peer: ofPrimary });
  t.is(offered(node), null);
  t.true(node.codes().includes('request-expired'));
});

test('what an operator wanted to send away is fulfilled when the node lets go of it', (t) => {
  const node = owner();
  node.request(2010, { kind: 'handover', groups: [] });
  node.hear(2020, { ...ofPrimary, claim: { id: 9, reason: 'offered' } });
  t.like(node.phase(), { kind: 'stopping', reason: 'handover' });
  t.is(node.group().pushSince, null);
  t.false(node.codes().includes('request-expired'));
});

/** A node that may not use its data, until a person says so. */
function accepting(peer: Parameters<OneCore['hear']>[1]) {
  const node = oneCore();
  node.see(1, 'down');
  node.go(31_000, { peer: null });
  node.request(31_000, { kind: 'standby', on: true });
  if (node.phase()?.kind !== 'blocked') throw new Error('it is not blocked');
  mustBeAccepted(node.request(31_000, { kind: 'accept-data', groups: ['office'] }).kind);
  node.hear(31_100, peer);
  return node;
}

test('the word of a person that older data may be used is void once the peer can use its own', (t) => {
  t.false(accepting({ willing: true }).group().dataAccepted);
  t.false(accepting({ willing: false, holdsRest: true }).group().dataAccepted);
  t.false(accepting(null).group().dataAccepted, 'for all that is known, it can');
  t.true(accepting({ willing: false }).group().dataAccepted);
});

/** A node that froze in time, and whose peer has taken over since. */
function superseded() {
  const node = freezingOwner();
  node.obey(node.endedAt + 10);
  node.hear(6000, { ...activeReport, generation: 4, owner: 'secondary' });
  node.obey(6010);
  if (node.phase()?.kind !== 'stopped') throw new Error(`it is ${node.phase()?.kind}`);
  return node;
}

test('what was written here is to be given up until the disks have been the same for a while after the stop', (t) => {
  const node = superseded();
  const peer = { ...activeReport, generation: 4, owner: 'secondary' };
  t.true(node.report()?.discarding);
  t.not(node.resource(disk).connectedAt, null, 'they have been connected, and are the same');
  const { since } = node.group();
  node.go(since + 4999, { peer, prompt: false, gateway: 'answered' });
  t.true(node.report()?.discarding, 'what was seen may be of the time before');
  node.feed(since + 5000, { kind: 'time-passed' });
  t.false(node.report()?.discarding);
  t.false(node.group().frozenInTime);

  const frozen = freezingOwner();
  frozen.obey(frozen.endedAt + 10);
  frozen.show(frozen.endedAt + 20, mirrored);
  frozen.go(20_000);
  t.is(frozen.phase()?.kind, 'frozen');
  t.true(frozen.group().frozenInTime, 'while it is frozen here nobody knows yet');

  const still = superseded();
  still.show(6020, apart);
  still.go(20_000, { peer, prompt: false, gateway: 'answered' });
  t.true(still.report()?.discarding, 'they are not connected yet');
  t.is(still.resource(address).status?.kind, 'down');
});
