// What a node says: of itself in its heartbeats, of its peer and its links in its history, and to a person who asks
// why a group is not started.

import test from 'ava';
import { explainObstacle } from '../../daemon/core/obstacles.ts';
import { ownContent } from '../../daemon/core/report.ts';
import type { Obstacle } from '../../daemon/core/state.ts';
import { address, examplePolicy, mail, protectedPolicy } from '../sim/example.ts';
import { activeReport, apart, mirrored, type OneCore, oneCore, ownRun, peerRun } from './support/one-core.ts';
import { freezingOwner, ofPrimary, runningOwner, seeShop, shop, withShop } from './support/situations.ts';

const said = (node: OneCore) => ownContent(node.state());
const notes = (node: OneCore, code: string) =>
  node.ofKind('note').flatMap(({ note }) => (note.code === code ? [note] : []));
const aboutPeer = (node: OneCore) => node.codes().filter((code) => code.startsWith('peer-'));

/** A standby that has heard its peer, which runs the group, every 50 ms until 2 s. */
function standby(): OneCore {
  const node = oneCore({ self: 'secondary' });
  node.see(1, 'down');
  node.go(2000, { peer: activeReport });
  return node;
}

test('a node says whom it hears on which link', (t) => {
  const node = standby();
  t.deepEqual(said(node).hears, [true, false]);
  node.hear(2010, activeReport, { link: 1 });
  t.deepEqual(said(node).hears, [true, true]);
  node.go(5000, { peer: null });
  t.deepEqual(said(node).hears, [false, false]);
});

test('the rest of a maintenance is said in minutes, rounded up, and is over at its time', (t) => {
  const node = standby();
  t.is(said(node).maintenanceMinutes, 0);
  node.request(2000, { kind: 'maintenance', durationMs: 61_000 });
  t.is(said(node).maintenanceMinutes, 2);
  node.pass(3000);
  t.is(said(node).maintenanceMinutes, 1);
  node.pass(62_999);
  t.is(said(node).maintenanceMinutes, 1);
  node.pass(63_000);
  t.is(said(node).maintenanceMinutes, 0);
});

test('a daemon that is told to stop says that it leaves, unless it is in maintenance: then nobody may take over', (t) => {
  const node = runningOwner();
  t.false(said(node).leaving);
  node.feed(2010, { kind: 'stop-requested' });
  t.true(said(node).leaving);

  const kept = runningOwner();
  kept.request(2000, { kind: 'maintenance', durationMs: 60_000 });
  kept.feed(2010, { kind: 'stop-requested' });
  t.false(said(kept).leaving);
});

test('a node says that it can serve the LAN while it has carrier for every group, and a gateway that answers', (t) => {
  const policy = withShop(examplePolicy('primary'));
  const [office, other] = policy.groups;
  if (office === undefined || other === undefined) throw new Error('there are no two groups');
  const node = oneCore({ policy: { ...policy, groups: [office, { ...other, interfaces: ['eth2'] }] } });
  node.see(1, 'down');
  node.go(1000);
  t.true(said(node).lan);
  node.feed(1010, { kind: 'carrier-observed', interface: 'eth2', carrier: false });
  t.false(said(node).lan, 'one group cannot be served');
  node.feed(1020, { kind: 'carrier-observed', interface: 'eth2', carrier: true });
  t.true(said(node).lan);
  node.go(9000, { gateway: 'unanswered' });
  t.false(said(node).lan, 'the gateway does not answer');
});

test('a node speaks of the generation that it runs, and otherwise of the one on its record', (t) => {
  const idle = oneCore({ self: 'secondary', record: ofPrimary });
  idle.see(1, 'down');
  t.like(idle.report(), { phase: 'stopped', ...ofPrimary });

  const found = oneCore({ record: { generation: 3, owner: 'secondary' } });
  found.see(1, 'up');
  t.like(found.report(), { phase: 'active', generation: 0, owner: 'secondary' }, 'it runs by no right');
});

test('a claim is said until the peer is granted its own', (t) => {
  const node = oneCore({ self: 'secondary' });
  node.see(1, 'down');
  node.hear(10, { willing: false });
  t.deepEqual(node.report()?.claim, { id: 1, reason: 'nobody-runs-it' });
  node.hear(20, { claim: { id: 9, reason: 'operator' } });
  t.like(node.report(), { claim: null, grant: { incarnation: 7, claim: 9 } });
});

test('a frozen node that has granted the group asks for it no more', (t) => {
  const node = freezingOwner(examplePolicy('primary'));
  t.like(node.report()?.claim, { reason: 'resume' });
  node.request(node.endedAt, { kind: 'maintenance', durationMs: 600_000 });
  node.hear(node.endedAt + 10, { claim: { id: 9, reason: 'operator' } });
  t.like(node.report(), { phase: 'frozen', claim: null, grant: { incarnation: peerRun, claim: 9 } });
});

test('of what is up, down and given up, a node says how much there is', (t) => {
  const node = runningOwner({}, examplePolicy('primary'));
  t.like(node.report(), { up: 3, total: 3, quarantined: 0 });
  const broken = { kind: 'failed', code: 'x', message: 'no disk' } as const;
  node.go(2000, { prompt: false });
  node.seeOne(2010, mail, { kind: 'down' });
  for (let at = 2100; node.resource(mail).quarantined === null && at < 300_000; at += 100) {
    node.go(at);
    if (node.resource(mail).operation !== null) node.finish(at, mail, broken);
  }
  t.like(node.report(), { up: 2, total: 3, quarantined: 1 });
});

/** A standby whose guests are down, and what has been seen of one resource. */
const holding = (id: string, kind: 'up' | 'paused' | 'unknown' | 'down') => {
  const node = oneCore({ self: 'secondary' });
  node.see(1, 'down');
  node.hear(10, activeReport);
  node.request(10, { kind: 'maintenance', durationMs: 600_000 });
  node.seeOne(20, id, kind === 'unknown' ? { kind, message: 'it does not answer' } : { kind });
  return node.report();
};

test('a node that runs nothing holds what it has not seen down, an address apart from the rest', (t) => {
  t.like(holding(mail, 'down'), { phase: 'stopped', holdsAddresses: false, holdsRest: false });
  for (const kind of ['up', 'paused', 'unknown'] as const) {
    t.like(holding(mail, kind), { phase: 'stopped', holdsAddresses: false, holdsRest: true }, kind);
    t.like(holding(address, kind), { phase: 'stopped', holdsAddresses: true, holdsRest: false }, kind);
  }
});

test('a node that does not know yet what runs here, starts it or runs it may hold all of it', (t) => {
  const all = { holdsAddresses: true, holdsRest: true };
  const observing = oneCore();
  observing.seeOne(1, address, { kind: 'down' });
  t.like(observing.report(), { phase: 'observing', ...all }, 'not everything was seen');

  const starting = oneCore({ persists: false });
  starting.see(1, 'down');
  starting.hear(10);
  const phase = starting.phase();
  if (phase?.kind !== 'claiming') throw new Error('it does not claim');
  t.like(starting.report(), { holdsAddresses: false, holdsRest: false });
  starting.hear(20, { grant: { incarnation: ownRun, claim: phase.claim.id } });
  t.deepEqual(starting.asked, [], 'its generation is not on disk yet');
  t.like(starting.report(), { phase: 'starting', ...all });

  const active = runningOwner({}, examplePolicy('primary'));
  active.request(2000, { kind: 'maintenance', durationMs: 600_000 });
  active.see(2010, 'down');
  t.like(active.report(), { phase: 'active', ...all });
});

test('a frozen node holds its guests, and an address only until it is gone', (t) => {
  const node = runningOwner({}, examplePolicy('primary'));
  node.go(5000, { peer: null, gateway: 'unanswered', prompt: false });
  t.like(node.report(), { phase: 'frozen', holdsAddresses: true, holdsRest: true });
  node.obey(5000);
  node.see(5010, 'down');
  t.like(node.report(), { phase: 'frozen', holdsAddresses: false, holdsRest: true });
});

test('until the peer may start alone no more is on disk, a node says that it may itself', (t) => {
  const node = oneCore({ record: { ...ofPrimary, sole: true }, persists: false });
  node.see(1, 'up');
  t.true(node.report()?.sole, 'on record');
  node.hear(10);
  t.false(node.record()?.sole, 'taken back');
  t.true(node.report()?.sole, 'but not on disk yet');
  const { ledgerRevision } = node.state();
  node.feed(20, { kind: 'ledger-persisted', revision: ledgerRevision - 1 });
  t.true(node.report()?.sole);
  node.feed(30, { kind: 'ledger-persisted', revision: ledgerRevision });
  t.false(node.report()?.sole);
});

test('each group is spoken of on its own', (t) => {
  const node = oneCore({ policy: withShop(examplePolicy('primary')), record: ofPrimary });
  node.see(1, 'up');
  seeShop(node, 1, 'down', 'down');
  const [office, other] = said(node).groups;
  t.like(office, { name: 'office', phase: 'active', generation: 3, up: 3, total: 3, holdsRest: true });
  t.like(other, { name: 'shop', phase: 'stopped', generation: 0, up: 0, total: 2, holdsRest: false });
  t.is(node.state().groups[1]?.resources[0]?.id, shop);
});

test('a stall of this daemon is noted with its length, and as no fault of the peer', (t) => {
  const node = standby();
  t.deepEqual(notes(node, 'stalled'), []);
  node.feed(node.state().wakeAt + 3000.4, { kind: 'time-passed' });
  const [stall, ...more] = notes(node, 'stalled');
  t.like(stall, { severity: 'warning', group: null });
  t.regex(stall?.message ?? '', / 3000 ms.*primary/);
  t.deepEqual(more, []);
  node.go(node.state().now + 1000);
  t.is(notes(node, 'stalled').length, 1, 'once');
});

test('each link is noted when the peer is heard there, and when no more, with the reason if there is one', (t) => {
  const node = standby();
  t.deepEqual(
    notes(node, 'link-heard').map(({ severity, message }) => [severity, message]),
    [['info', 'primary is heard on eth1 broadcast']],
  );
  node.hear(2010, activeReport, { link: 1 });
  t.regex(notes(node, 'link-heard')[1]?.message ?? '', /eth0 unicast$/);
  node.feed(2020, { kind: 'link-observed', link: 1, down: 'it has no carrier' });
  node.go(5000);
  const [silent, ...more] = notes(node, 'link-silent');
  t.like(silent, { severity: 'warning', message: 'primary is not heard on eth0 unicast: it has no carrier' });
  t.deepEqual(more, []);
  node.go(8000, { peer: null });
  t.regex(notes(node, 'link-silent')[1]?.message ?? '', /eth1 broadcast$/, 'and nothing where there is none');
});

test('that the peer is late is not noted, nor that it is heard again', (t) => {
  const node = standby();
  t.deepEqual(aboutPeer(node), ['peer-alive']);
  t.like(notes(node, 'peer-alive')[0], { severity: 'info', message: 'primary is alive' });
  node.go(3500, { peer: null });
  t.is(node.state().verdict.kind, 'late');
  node.go(4000, { peer: activeReport });
  t.is(node.state().verdict.kind, 'alive');
  t.deepEqual(aboutPeer(node), ['peer-alive']);
});

test('a peer that dies is an alarm that says for how long it was silent, and how long a standby still waits', (t) => {
  const node = standby();
  node.go(4050, { peer: null });
  t.like(notes(node, 'peer-dead')[0], { severity: 'alarm', group: null });
  t.regex(
    notes(node, 'peer-dead')[0]?.message ?? '',
    /^primary is dead: .* \(silent for 2\.0 s\); .* 100 ms more/,
  );
  node.go(5000, { peer: activeReport });
  t.is(notes(node, 'peer-alive').at(-1)?.message, 'primary is alive', 'how long it was silent is past');
  t.deepEqual(aboutPeer(node), ['peer-alive', 'peer-dead', 'peer-alive']);
});

test('an owner whose peer dies waits for nothing, and does not say so', (t) => {
  const node = runningOwner({}, examplePolicy('primary'));
  node.go(4050, { peer: null });
  t.is(node.phase()?.kind, 'active');
  t.regex(notes(node, 'peer-dead')[0]?.message ?? '', / \(silent for 2\.0 s\)$/);
});

test('a standby that is cut off is told so, and not that it waits', (t) => {
  const node = standby();
  node.go(4050, { peer: null, gateway: 'unanswered' });
  t.is(notes(node, 'peer-isolated')[0]?.severity, 'alarm');
  t.regex(notes(node, 'peer-isolated')[0]?.message ?? '', /cut off \(silent for 2\.0 s\)$/);
});

test('a peer that was never heard has not been silent for any time', (t) => {
  const node = oneCore({ self: 'secondary' });
  node.see(1, 'down');
  node.go(31_000, { peer: null });
  t.regex(notes(node, 'peer-dead')[0]?.message ?? '', / the outside does;/);
});

test('a silent peer that still answers is an alarm with the signs of it; one that nobody could ask is another', (t) => {
  const node = standby();
  node.go(4050, { peer: null, addresses: 'answered' });
  const [alarm] = notes(node, 'peer-unresponsive');
  t.is(alarm?.severity, 'alarm');
  t.regex(
    alarm?.message ?? '',
    /peer-lan still answers; peer-heartbeat still answers.* \(silent for 2\.0 s\)$/,
  );

  const unasked = standby();
  unasked.go(4050, { peer: null, addresses: 'failed' });
  t.regex(notes(unasked, 'peer-unresponsive')[0]?.message ?? '', /nothing proves it dead/);
});

test('a dead peer that answers again is coming back, which is no alarm', (t) => {
  const node = standby();
  node.go(6000, { peer: null });
  node.go(6100, { addresses: 'answered' });
  t.is(node.state().verdict.kind, 'unresponsive');
  t.is(notes(node, 'peer-answers')[0]?.severity, 'info');
  t.regex(notes(node, 'peer-answers')[0]?.message ?? '', /^primary answers again.*peer-lan still answers/);
  t.deepEqual(notes(node, 'peer-unresponsive'), []);

  const off = oneCore({ self: 'secondary', policy: protectedPolicy('secondary', { device: true }) });
  off.see(1, 'down');
  off.go(2000, { peer: activeReport });
  off.go(4100, { peer: null });
  off.finishFencing(4100);
  off.go(4200);
  t.is(off.state().verdict.kind, 'fenced');
  off.go(4300, { addresses: 'answered' });
  t.is(notes(off, 'peer-answers').length, 1, 'also one that was said to be off');
});

test('of two groups one that would be started is enough to say that it waits', (t) => {
  const node = oneCore({ self: 'secondary', policy: withShop(examplePolicy('secondary')) });
  node.see(1, 'down');
  seeShop(node, 1, 'up', 'up');
  node.go(2000, { peer: activeReport });
  node.go(4050, { peer: null });
  t.is(node.state().groups[1]?.phase.kind, 'active');
  t.regex(notes(node, 'peer-dead')[0]?.message ?? '', /more to freeze/);
});

test('a goodbye is no alarm, and a peer that a person calls off is one', (t) => {
  const node = standby();
  node.hear(2010, { generation: 1 }, { says: { leaving: true } });
  t.like(notes(node, 'peer-departed')[0], { severity: 'info' });
  t.regex(notes(node, 'peer-departed')[0]?.message ?? '', /said goodbye and runs nothing any more$/);

  const off = standby();
  off.go(4050, { peer: null, gateway: 'unanswered' });
  off.request(4060, { kind: 'confirm-peer-off', node: 'primary', force: false });
  t.like(notes(off, 'peer-fenced')[0], { severity: 'alarm' });
});

const takeover = /battito fence confirm primary/;
const acceptance = /battito takeover --accept-data office/;
const obstacles: Readonly<Record<Obstacle, { readonly why: RegExp; readonly next: RegExp }>> = {
  'peer-unresponsive': { why: /primary may still run it/, next: takeover },
  isolated: { why: /cut off, so primary/, next: takeover },
  'not-fenced': { why: /primary could not be powered off/, next: takeover },
  'no-lease': { why: /witness.*primary may still run it/, next: takeover },
  'left-to-peer': { why: /primary took over what this node left to it/, next: takeover },
  'peer-in-maintenance': { why: /primary is in maintenance/, next: takeover },
  'unproven-data': { why: /primary may have written/, next: acceptance },
  'outdated-data': {
    why: /^drbd:r0 is outdated, without its mirror: primary has newer data/,
    next: acceptance,
  },
  'unknown-data': { why: /witness.*whether primary has newer data/, next: acceptance },
  'no-watchdog': { why: /watchdog/, next: /modprobe/ },
  'no-lan': { why: /LAN/, next: /cable or gateway/ },
};

test('each obstacle says why nothing is started, and the command that a person may run', (t) => {
  const node = oneCore({ self: 'secondary', policy: protectedPolicy('secondary', { disk: true }) });
  node.show(1, { disk: 'outdated', ...apart });
  for (const [obstacle, expected] of Object.entries(obstacles)) {
    const { why, next } = explainObstacle(obstacle as Obstacle, node.state(), node.group());
    t.regex(why, expected.why, obstacle);
    t.regex(next, expected.next, obstacle);
  }
  node.show(2, { ...mirrored, disk: 'inconsistent', resync: { direction: 'target', percent: 34 } });
  const { why } = explainObstacle('outdated-data', node.state(), node.group());
  t.regex(why, /^drbd:r0 is inconsistent \(its resync is 34 % done\): primary/);
});
