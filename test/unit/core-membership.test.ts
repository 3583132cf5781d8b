// Who is there: which packets are taken in, from when on a silence means something, and what it then means.

import test from 'ava';
import type { Event } from '../../daemon/core/events.ts';
import { admission } from '../../daemon/core/membership.ts';
import type { Policy } from '../../daemon/core/policy.ts';
import { initialState } from '../../daemon/core/state.ts';
import { step } from '../../daemon/core/step.ts';
import { address, examplePolicy, type Side } from '../sim/example.ts';
import {
  activeReport,
  type OneCore,
  type OneCoreOptions,
  oneCore,
  ownRun,
  peerRun,
} from './support/one-core.ts';
import { ofPrimary, runningOwner } from './support/situations.ts';

const policy = examplePolicy('secondary');
const { keepaliveMs, warntimeMs, deadtimeMs, initdeadMs, takeoverAfterMs } = policy.timings;
/** While a verdict is near, every address is asked this often; an answer counts for this long. */
const urgentMs = 150;
const windowMs = deadtimeMs - warntimeMs;
const heardAt = 2000;

/** A standby that has heard its peer, which runs the group, on the first link every 50 ms until 2 s. */
function standby(options: OneCoreOptions = {}): OneCore {
  const node = oneCore({ self: 'secondary', ...options });
  node.see(1, 'down');
  node.go(heardAt, { peer: activeReport, prompt: false });
  return node;
}

const verdictOf = (node: OneCore) => node.state().verdict.kind;
const refusals = (node: OneCore) => node.state().links.map(({ refused }) => refused);
const none = { replayed: 0, 'stale-incarnation': 0, unproven: 0 };
const paceOf = (node: OneCore, target: string) =>
  node.state().paces.find((pace) => pace.target === target)?.intervalMs ?? null;

test('a refused packet is counted on the link that it came in on, by its reason', (t) => {
  const node = standby();
  const sequence = node.state().peer.lastSequence;
  const before = node.state();
  node.hear(2010, { generation: 9 }, { link: 0, sequence });
  node.hear(2010, { generation: 9 }, { link: 1, sequence: sequence + 10, incarnation: peerRun - 1 });
  node.hear(2010, { generation: 9 }, { link: 7, sequence: sequence + 20 });
  t.deepEqual(refusals(node), [
    { ...none, replayed: 1 },
    { ...none, 'stale-incarnation': 1 },
  ]);
  t.is(node.state().peer, before.peer);
});

test('a later run of the peer with a lower number is believed when it has read what was sent since', (t) => {
  const node = standby();
  const before = node.state().sequence;
  node.go(2400, { peer: null });
  const later = { incarnation: peerRun - 1 };
  node.hear(2410, activeReport, { ...later, sequence: 1, echo: before });
  t.is(refusals(node)[0]?.['stale-incarnation'], 1, 'read while the run before was heard');
  t.is(node.state().peer.incarnation, peerRun);
  node.hear(2420, activeReport, { ...later, sequence: 2 });
  t.like(node.state().peer, {
    incarnation: peerRun - 1,
    newestRun: peerRun,
    proven: true,
    lastHeardAt: 2420,
  });
  t.is(verdictOf(node), 'alive');

  const known = node.state().peer;
  node.hear(2430, activeReport, { incarnation: peerRun, sequence: 10_000, echo: before });
  t.is(node.state().peer, known, 'a capture of the run before is a replay');
  node.hear(2430, activeReport, { ...later, sequence: 2 });
  t.is(refusals(node)[0]?.replayed, 1);
});

test('a packet that was long under way is of no later run, although the run after it has not shown anything yet', (t) => {
  const node = standby();
  node.go(2400, { peer: null });
  const { sequence } = node.state();
  const content = node.state().peer.content;
  if (content === null) throw new Error('it was never heard');
  const echo = { incarnation: ownRun - 1, sequence: 1 };
  node.feed(2410, { kind: 'heartbeat-received', link: 0, incarnation: 8, sequence: 1, echo, content });
  const known = node.state().peer;
  node.hear(2420, activeReport, { incarnation: peerRun, sequence: 10_000, echo: sequence });
  t.is(node.state().peer, known);
});

test('a new run of the peer is believed once it shows that it reads us, and starts its numbers anew', (t) => {
  const node = standby();
  const echo = { incarnation: ownRun - 1, sequence: 1 };
  const content = node.state().peer.content;
  if (content === null) throw new Error('it was never heard');
  node.go(2300);
  node.feed(2310, { kind: 'heartbeat-received', link: 0, incarnation: 8, sequence: 1, echo, content });
  t.like(node.state().peer, { incarnation: 8, proven: false, unprovenHeardAt: 2310, lastHeardAt: 2300 });
  t.deepEqual(refusals(node), [{ ...none, unproven: 1 }, none]);
  node.feed(2315, { kind: 'heartbeat-received', link: 1, incarnation: 8, sequence: 1, echo, content });
  t.false(node.state().links[1]?.fresh, 'an unproven packet makes no link fresh');
  node.hear(2320, { generation: 2 }, { incarnation: 8, sequence: 2, link: 0 });
  t.like(node.state().peer, { proven: true, lastHeardAt: 2320, lastSequence: 2 });
  t.is(
    node.facts().report?.generation,
    2,
    'its words count, although its number is below that of its last run',
  );
  node.feed(2330, { kind: 'heartbeat-received', link: 1, incarnation: 8, sequence: 3, echo: null, content });
  t.like(node.state().peer, { proven: true, lastHeardAt: 2330 }, 'and it need not show it again');
});

test('a packet refused as of an earlier run is echoed once, while nothing of the peer is heard, and believed in nothing', (t) => {
  const node = standby();
  const lower = { incarnation: peerRun - 1, echo: 0 };
  node.hear(2010, activeReport, { ...lower, sequence: 900 });
  t.is(node.state().peer.stranger, null, 'its peer is heard');
  node.go(heardAt + deadtimeMs, { peer: null });
  const before = node.state();
  const effects = node.hear(before.now, activeReport, { ...lower, sequence: 901 });
  node.hear(before.now, activeReport, { ...lower, sequence: 902 });
  t.deepEqual(effects, []);
  t.deepEqual(node.state().peer, { ...before.peer, stranger: { incarnation: peerRun - 1, sequence: 901 } });
  t.deepEqual({ ...node.state(), links: before.links, peer: before.peer }, before);
  const sent = node.ofKind('send-heartbeat').length;
  node.pass(before.now + 2 * keepaliveMs);
  const [first, second] = node.ofKind('send-heartbeat').slice(sent);
  t.deepEqual(first?.echo, { incarnation: peerRun - 1, sequence: 901 });
  t.is(second?.echo?.incarnation, peerRun);
  t.is(node.state().peer.stranger, null);
});

test('the highest number that the peer has had outlives a restart: captures of that run are refused', (t) => {
  const ledger = { groups: [], standby: false, left: false, maintenanceUntil: null };
  const state = initialState({
    at: 0,
    policy,
    incarnation: ownRun,
    ledger: { ...ledger, peer: { incarnation: 5, sequence: 40, newestRun: 9 } },
  });
  for (const incarnation of [8, 9])
    t.is(admission(state, { link: 0, incarnation, sequence: 1 }), 'stale-incarnation');
  t.is(admission(state, { link: 0, incarnation: 10, sequence: 1 }), 'admitted');
  const node = standby();
  node.go(2400, { peer: null });
  node.hear(2410, activeReport, { incarnation: peerRun - 1, sequence: 1, echo: node.state().sequence });
  t.like(node.state().ledger.peer, { incarnation: peerRun - 1, newestRun: peerRun });
});

test('a packet that has been seen before is not echoed', (t) => {
  const node = standby();
  node.go(heardAt + deadtimeMs, { peer: null });
  node.hear(node.state().now, activeReport, { sequence: 1 });
  t.is(node.state().peer.stranger, null);
});

test('who is heard after all is echoed itself', (t) => {
  for (const incarnation of [peerRun, peerRun + 1]) {
    const node = standby();
    node.go(heardAt + deadtimeMs, { peer: null });
    const { now } = node.state();
    node.hear(now, activeReport, { incarnation: peerRun - 1, sequence: 901, echo: 0 });
    node.hear(now + 1, activeReport, { incarnation, sequence: 1000 });
    t.is(node.state().peer.stranger, null);
  }
});

test('two new runs with lower numbers than each knows of the other find each other', (t) => {
  const known = (self: Side) =>
    initialState({
      at: 0,
      policy: examplePolicy(self),
      incarnation: 5,
      ledger: {
        groups: [],
        peer: { incarnation: 9, sequence: 40, newestRun: 9 },
        standby: false,
        left: false,
        maintenanceUntil: null,
      },
    });
  const nodes = { primary: known('primary'), secondary: known('secondary') };
  const feed = (self: Side, event: Event): void => {
    const { state, effects } = step(nodes[self], event);
    nodes[self] = state;
    for (const effect of effects) {
      if (effect.kind !== 'send-heartbeat') continue;
      const { kind: _, ...packet } = effect;
      const to = self === 'primary' ? 'secondary' : 'primary';
      feed(to, { kind: 'heartbeat-received', at: event.at, link: 0, incarnation: 5, ...packet });
    }
  };
  for (let at = 0; at < 1000; at += 50) {
    feed('primary', { kind: 'time-passed', at });
    feed('secondary', { kind: 'time-passed', at });
  }
  t.is(nodes.primary.verdict.kind, 'alive');
  t.is(nodes.secondary.verdict.kind, 'alive');
});

test('a packet that is not understood is a sign of life and counted, no more', (t) => {
  const node = standby();
  node.go(2000 + warntimeMs, { peer: null });
  node.feed(2900, { kind: 'heartbeat-not-understood', link: 1, incarnation: 8, sequence: 1 });
  t.is(verdictOf(node), 'late');
  t.deepEqual(refusals(node), [none, { ...none, unproven: 1 }]);
  node.go(heardAt + deadtimeMs);
  t.is(verdictOf(node), 'unresponsive');
  node.go(2900 + windowMs - 1);
  t.is(verdictOf(node), 'unresponsive');
  node.go(2900 + windowMs);
  t.is(verdictOf(node), 'dead', 'and not for ever');
});

test('a link is fresh until deadtime after it was last heard there, while the peer is alive on another', (t) => {
  const node = standby();
  node.hear(2010, activeReport, { link: 1 });
  node.go(2010 + deadtimeMs - 1);
  t.deepEqual(
    node.state().links.map(({ fresh }) => fresh),
    [true, true],
  );
  node.hear(2010 + deadtimeMs, activeReport);
  t.deepEqual(
    node.state().links.map(({ fresh }) => fresh),
    [true, false],
  );
  t.is(verdictOf(node), 'alive');
});

test('a silent peer is late from warntime on, and judged at deadtime, to the millisecond', (t) => {
  const node = standby();
  node.go(heardAt + warntimeMs - 1, { peer: null });
  t.is(verdictOf(node), 'alive');
  node.go(heardAt + warntimeMs);
  t.is(verdictOf(node), 'late');
  node.go(heardAt + deadtimeMs - 1);
  t.is(verdictOf(node), 'late');
  node.go(heardAt + deadtimeMs);
  t.is(verdictOf(node), 'dead');
  t.is(node.state().verdictSince, heardAt + deadtimeMs);
  node.go(heardAt + deadtimeMs + 500);
  t.is(node.state().verdictSince, heardAt + deadtimeMs);
});

test('a peer that was never heard is listened for until initdead; by a node that runs something, until deadtime', (t) => {
  const idle = oneCore({ self: 'secondary' });
  idle.see(1, 'down');
  idle.go(initdeadMs - 1, { peer: null });
  t.is(verdictOf(idle), 'listening');
  idle.go(initdeadMs);
  t.is(verdictOf(idle), 'dead');

  for (const frozen of [false, true]) {
    const owner = oneCore({ record: { ...ofPrimary, frozen } });
    owner.see(1, 'up');
    t.is(owner.phase()?.kind, frozen ? 'frozen' : 'active');
    owner.go(deadtimeMs - 1, { peer: null });
    t.is(verdictOf(owner), 'listening');
    owner.go(deadtimeMs);
    t.is(verdictOf(owner), 'dead');
  }
});

test('since when the peer is alive outlasts its being late, and ends with a verdict', (t) => {
  const node = standby();
  const since = node.state().peer.aliveSince;
  t.true(since !== null && since < 100);
  node.go(heardAt + deadtimeMs - 1, { peer: null });
  t.is(node.state().peer.aliveSince, since);
  node.go(4500, { peer: null });
  t.is(node.state().peer.aliveSince, null);
  const timings = { ...policy.timings, deadtimeMs: 10_000 };
  node.feed(4510, { kind: 'policy-replaced', policy: { ...policy, timings } });
  t.is(verdictOf(node), 'late');
  t.is(node.state().peer.aliveSince, null, 'it is late again by other times, and was not heard');
  node.go(5000, { peer: activeReport });
  t.is(node.state().peer.aliveSince, 4560);
});

test('to be woken a keepalive late is no stall; more than that is, and its length is taken out of the silence', (t) => {
  const node = standby();
  const { wakeAt } = node.state();
  const { keepaliveMs } = policy.timings;
  node.feed(wakeAt + keepaliveMs, { kind: 'time-passed' });
  t.is(node.state().stalls.count, 0);
  const next = node.state().wakeAt;
  node.feed(next + keepaliveMs + 1, { kind: 'time-passed' });
  t.deepEqual(node.state().stalls, { count: 1, lastMs: keepaliveMs + 1, lastAt: next + keepaliveMs + 1 });
  t.is(node.state().peer.forgivenMs, keepaliveMs + 1);
});

test('stalls add up until the peer is heard again; then its silence counts anew', (t) => {
  const node = standby();
  const first = node.state().wakeAt;
  node.feed(first + 3000, { kind: 'time-passed' });
  const second = node.state().wakeAt;
  node.feed(second + 1000, { kind: 'time-passed' });
  t.is(node.state().peer.forgivenMs, 4000);
  t.is(node.state().stalls.count, 2);
  t.is(verdictOf(node), 'alive');
  t.true(node.state().links[0]?.fresh, 'nor is the link held to be silent');
  const { now } = node.state();
  node.go(now + 1000, { peer: activeReport });
  t.is(node.state().peer.forgivenMs, 0);
  node.go(now + 1000 + deadtimeMs, { peer: null });
  t.is(verdictOf(node), 'dead');
});

test('of a stall only what came after the last packet is taken out of the silence', (t) => {
  const node = standby();
  const { wakeAt } = node.state();
  node.hear(wakeAt + 5000, activeReport);
  t.is(node.state().peer.lastHeardAt, wakeAt + 5000);
  t.is(node.state().peer.forgivenMs, 0, 'it was read at the end of the stall');
});

test('the goodbye of a peer that holds nothing counts at once; of one that still holds something, never', (t) => {
  const node = standby();
  node.hear(2010, { generation: 1 }, { says: { leaving: true } });
  t.is(verdictOf(node), 'departed');
  for (const held of [{ holdsRest: true }, { holdsAddresses: true }]) {
    const other = standby();
    other.hear(2010, { generation: 1, ...held }, { says: { leaving: true } });
    t.is(verdictOf(other), 'alive');
    other.go(heardAt + 10 + deadtimeMs, { peer: null });
    t.is(verdictOf(other), 'dead');
  }
});

test('an answer of the peer counts as a sign of life for as long as evidence is gathered', (t) => {
  const node = standby();
  node.go(3500, { peer: null });
  node.probe(3500, 'peer-heartbeat', 'answered');
  node.go(3500 + windowMs - 1);
  t.deepEqual(node.state().verdict, { kind: 'unresponsive', signs: ['peer-heartbeat still answers'] });
  node.go(3500 + windowMs);
  t.is(verdictOf(node), 'dead');
});

test('the floating address is a sign of the peer where it is down here, and none where it may be our own', (t) => {
  const node = standby();
  node.go(3900, { peer: null });
  node.probe(3900, address, 'answered');
  node.go(4000);
  t.deepEqual(node.state().verdict, { kind: 'unresponsive', signs: [`${address} still answers`] });

  for (const kind of ['up', 'unknown'] as const) {
    const own = standby();
    own.request(2000, { kind: 'maintenance', durationMs: 600_000 });
    own.seeOne(2010, address, kind === 'up' ? { kind } : { kind, message: 'ip does not answer' });
    own.go(3900, { peer: null });
    own.probe(3900, address, 'answered');
    own.go(4000);
    t.is(verdictOf(own), 'dead', kind);
    t.is(paceOf(own, address), null, 'and it is not asked');
  }
});

test('a silent peer is dead only where it was asked in vain since it fell silent', (t) => {
  const node = standby();
  node.go(3000, { peer: null });
  node.probe(3000, 'peer-lan', 'unanswered');
  node.go(3000 + windowMs - 1, { addresses: 'failed' });
  t.is(verdictOf(node), 'dead');
  node.go(3000 + windowMs);
  t.deepEqual(node.state().verdict, { kind: 'unresponsive', signs: [] }, 'that was too long ago');
});

test('the floating address, asked in vain, does not make the peer dead', (t) => {
  const node = standby();
  node.go(5000, { peer: null, addresses: 'failed' });
  node.probe(5000, address, 'unanswered');
  t.is(verdictOf(node), 'unresponsive');
});

test('the outside counts as reachable for two thirds of that time after its last answer', (t) => {
  const node = standby();
  node.go(3800, { peer: null });
  node.probe(3800, 'gateway', 'answered');
  node.go(3800 + (2 * windowMs) / 3 - 1, { gateway: 'unanswered' });
  t.is(verdictOf(node), 'dead');
  node.go(3800 + (2 * windowMs) / 3);
  t.is(verdictOf(node), 'isolated');
});

const withProbes = (probes: Policy['probes']): Policy => ({ ...policy, probes });

test('of several gateways one that answers is enough', (t) => {
  const node = standby({
    policy: withProbes([{ id: 'other', kind: 'gateway' }, ...policy.probes]),
  });
  node.go(4500, { peer: null });
  t.is(verdictOf(node), 'dead', 'the other one was never asked');
});

test('without a gateway to ask, the outside is what every group has carrier to', (t) => {
  const node = standby({ policy: withProbes([{ id: 'peer-lan', kind: 'peer' }]) });
  node.go(4500, { peer: null });
  t.is(verdictOf(node), 'dead', 'an interface that was not seen yet may have carrier');
  node.feed(4510, { kind: 'carrier-observed', interface: 'eth0', carrier: false });
  t.is(verdictOf(node), 'isolated');
  node.feed(4520, { kind: 'carrier-observed', interface: 'eth0', carrier: true });
  t.is(verdictOf(node), 'dead');
});

test('while all is well only gateways are asked, once a second', (t) => {
  const node = standby();
  t.deepEqual(node.state().paces, [{ target: 'gateway', intervalMs: 1000 }]);
  t.is(node.ofKind('pace-probes').length, 1, 'said once');
});

test('from warntime on everything that may tell is asked often, and less often once it is settled', (t) => {
  const node = standby();
  const contactAt = node.state().peer.contactAt ?? 0;
  t.true(contactAt < heardAt, 'it was heard since, but of what we sent then it has not said anything');
  node.go(contactAt + warntimeMs - 1, { peer: null });
  t.is(paceOf(node, 'gateway'), 1000);
  node.go(contactAt + warntimeMs);
  for (const { id } of policy.probes) t.is(paceOf(node, id), urgentMs, id);
  const settledAt = contactAt + deadtimeMs + takeoverAfterMs;
  node.go(settledAt);
  t.is(paceOf(node, 'peer-lan'), urgentMs);
  node.go(settledAt + 1);
  for (const { id } of policy.probes) t.is(paceOf(node, id), 2 * urgentMs, id);
});

test('a peer that was never heard is asked for as long before initdead', (t) => {
  const node = oneCore({ self: 'secondary' });
  node.see(1, 'down');
  node.go(initdeadMs - windowMs - 1, { peer: null });
  t.is(paceOf(node, 'peer-lan'), null);
  node.go(initdeadMs - windowMs);
  t.is(paceOf(node, 'peer-lan'), urgentMs);
});

test('the floating address is asked for by nobody who has it', (t) => {
  const node = runningOwner({}, examplePolicy('primary'));
  node.go(3500, { peer: null });
  t.is(paceOf(node, 'peer-lan'), urgentMs);
  t.is(paceOf(node, address), null);
});

test('a peer that is heard but does not hear us is asked for, too', (t) => {
  const node = standby();
  const contactAt = node.state().peer.contactAt ?? 0;
  node.go(contactAt + warntimeMs - 1, { hearsUs: false });
  t.is(paceOf(node, 'peer-lan'), null);
  node.go(contactAt + warntimeMs);
  t.is(verdictOf(node), 'alive');
  t.is(paceOf(node, 'peer-lan'), urgentMs);
});

test('after a stall of its own an owner asks the outside at once, for a deadtime; who holds nothing does not', (t) => {
  const stallMs = keepaliveMs + 500;
  const stalled = (node: OneCore) => {
    const from = node.state().wakeAt;
    node.hear(from + stallMs);
    t.is(node.state().stalls.lastAt, from + stallMs);
    return from + stallMs;
  };
  const owner = runningOwner({}, examplePolicy('primary'));
  const at = stalled(owner);
  t.is(paceOf(owner, 'gateway'), urgentMs, 'the peer was heard just now, and may not have heard this node');
  owner.go(at + deadtimeMs - 1);
  t.is(paceOf(owner, 'gateway'), urgentMs);
  owner.go(at + deadtimeMs + keepaliveMs);
  t.is(paceOf(owner, 'gateway'), 1000);
  const idle = standby();
  stalled(idle);
  t.is(paceOf(idle, 'gateway'), 1000);
});

test('nobody asks for a peer that said goodbye', (t) => {
  const node = standby();
  node.hear(2010, { generation: 1 }, { says: { leaving: true } });
  node.go(10_000, { peer: null });
  t.is(verdictOf(node), 'departed');
  t.is(paceOf(node, 'peer-lan'), null);
  t.is(paceOf(node, 'gateway'), 1000);
});

for (const [keepaliveMs, toWarntime, expected] of [
  [50, 40, 20],
  [200, 1004, 126],
  [200, 9000, 500],
] as const) {
  test(`evidence that is gathered for ${toWarntime} ms is asked for every ${expected} ms`, (t) => {
    const timings = { ...policy.timings, keepaliveMs, warntimeMs: 1000, deadtimeMs: 1000 + toWarntime };
    const node = standby({ policy: { ...policy, timings } });
    node.go(heardAt + 1000, { peer: null });
    t.is(paceOf(node, 'peer-lan'), expected);
  });
}
