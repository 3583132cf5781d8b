// Which claim of its peer a node grants, and for how long it is bound by that: docs/decisions/0001-claim-and-grant.md.

import test from 'ava';
import type { Claim, ClaimReason } from '../../daemon/core/heartbeat.ts';
import { address, disk, examplePolicy, mail, type Side } from '../sim/example.ts';
import { activeReport, apart, type OneCoreOptions, oneCore, ownRun, peerRun } from './support/one-core.ts';
import { freezingOwner, ofPrimary, ofSecondary, runningOwner } from './support/situations.ts';

const claimFor = (reason: ClaimReason, id = 9): { readonly claim: Claim } => ({ claim: { id, reason } });
const granted = { incarnation: peerRun, claim: 9 };

/** A node where nothing runs, and which lets its peer, that could run the group, alone. */
function idle(options: OneCoreOptions = {}) {
  const node = oneCore({ self: 'secondary', ...options });
  node.see(1, 'down');
  node.hear(10);
  if (node.phase()?.kind !== 'stopped') throw new Error(`it is ${node.phase()?.kind}`);
  return node;
}

test('a node where nothing runs grants any claim', (t) => {
  for (const reason of ['nobody-runs-it', 'offered', 'operator', 'resume'] as const) {
    const node = idle();
    node.hear(20, claimFor(reason));
    t.deepEqual(node.group().grant, granted, reason);
    t.deepEqual(node.report()?.grant, granted, 'and says so');
  }
});

test('a node that could not run the group itself grants it all the same', (t) => {
  const node = idle();
  node.feed(20, { kind: 'carrier-observed', interface: 'eth0', carrier: false });
  node.hear(30, { willing: false });
  t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'no-lan' });
  node.hear(40, { willing: false, ...claimFor('operator') });
  t.deepEqual(node.group().grant, granted);
});

test('a node grants nothing while something of the group may still be in use there', (t) => {
  const node = idle();
  node.seeOne(20, mail, { kind: 'unknown', message: 'its monitor does not answer' });
  node.hear(30, claimFor('nobody-runs-it'));
  t.is(node.group().grant, null);
  node.seeOne(40, mail, { kind: 'down' });
  t.deepEqual(node.group().grant, granted);
});

test('a claim that a peer made before it fell silent is not granted any more', (t) => {
  const node = idle();
  node.seeOne(20, mail, { kind: 'unknown', message: 'its monitor does not answer' });
  node.hear(30, claimFor('nobody-runs-it'));
  node.pass(1000);
  t.is(node.state().verdict.kind, 'late');
  node.seeOne(1010, mail, { kind: 'down' });
  t.is(node.group().grant, null);
});

test('a node that does not know yet what runs there grants nothing', (t) => {
  const node = oneCore({ self: 'secondary' });
  node.seeOne(1, address, { kind: 'down' });
  node.hear(20, claimFor('operator'));
  t.is(node.phase()?.kind, 'observing');
  t.is(node.group().grant, null);
});

test('frozen guests may not go on where they are older than what ran here since', (t) => {
  const frozen = { phase: 'frozen', holdsRest: true, owner: 'primary' } as const;
  for (const [generation, expected] of [
    [2, null],
    [3, granted],
    [4, granted],
  ] as const) {
    const node = idle({ record: ofPrimary });
    node.hear(20, { ...frozen, generation, ...claimFor('resume') });
    t.deepEqual(node.group().grant, expected, `generation ${generation}`);
  }
  const afresh = idle({ record: ofPrimary });
  afresh.hear(20, { generation: 2, ...claimFor('nobody-runs-it') });
  t.deepEqual(afresh.group().grant, granted, 'what is started afresh may have been older');
});

test('a grant stands while its claim does, and the peer is the one that made it', (t) => {
  const ended = {
    'the claim is gone': {},
    'it is another claim': claimFor('nobody-runs-it', 10),
  };
  for (const [why, report] of Object.entries(ended)) {
    const node = idle();
    node.hear(20, claimFor('nobody-runs-it'));
    node.hear(30, claimFor('nobody-runs-it'));
    t.deepEqual(node.group().grant, granted);
    const { grant } = node.group();
    node.hear(40, report);
    t.not(node.group().grant, grant, why);
    t.deepEqual(node.group().grant, 'claim' in report ? { ...granted, claim: 10 } : null, why);
  }
  const node = idle();
  node.hear(20, claimFor('nobody-runs-it'));
  node.hear(30, claimFor('nobody-runs-it'), { incarnation: peerRun + 1 });
  t.deepEqual(node.group().grant, { incarnation: peerRun + 1, claim: 9 }, 'a new run, a new grant');
});

test('a grant outlasts a claimer that falls silent, until it is gone', (t) => {
  const node = idle({ record: ofPrimary });
  node.hear(20, claimFor('nobody-runs-it'));
  const { takeoverAfterMs } = node.state().policy.timings;
  node.go(20 + takeoverAfterMs - 1, { peer: null, prompt: false });
  t.is(node.state().verdict.kind, 'dead');
  t.deepEqual(node.group().grant, granted);
  t.is(node.phase()?.kind, 'stopped');
  node.go(20 + takeoverAfterMs);
  t.is(node.group().grant, null);
  t.is(node.phase()?.kind, 'starting');
});

/** A node that claims what nobody runs, or what its operator wants. */
function claiming(self: Side, asks: 'nobody-runs-it' | 'operator') {
  const node = oneCore({ self, record: self === 'primary' ? ofPrimary : ofSecondary });
  node.see(1, 'down');
  if (asks === 'operator') {
    node.hear(5, activeReport);
    node.request(10, { kind: 'takeover', groups: [] });
  }
  node.hear(20, asks === 'operator' ? activeReport : {});
  const phase = node.phase();
  if (phase?.kind !== 'claiming' || phase.claim.reason !== asks) throw new Error('it does not claim');
  return { ...node, claim: phase.claim.id };
}

/** An operator's claim goes first, then the preferred node's, which is the primary. */
const rivals = [
  ['primary', 'nobody-runs-it', 'nobody-runs-it', false],
  ['secondary', 'nobody-runs-it', 'nobody-runs-it', true],
  ['primary', 'nobody-runs-it', 'operator', true],
  ['secondary', 'operator', 'nobody-runs-it', false],
  ['primary', 'operator', 'operator', false],
  ['secondary', 'operator', 'operator', true],
] as const;

for (const [self, own, other, yields] of rivals) {
  const does = yields ? 'gives way' : 'does not give way';
  test(`of two that ask at once, ${self} (${own}) ${does} to its peer (${other})`, (t) => {
    const node = claiming(self, own);
    node.hear(30, { ...(own === 'operator' ? activeReport : {}), ...claimFor(other) });
    t.deepEqual(node.group().grant, yields ? granted : null);
    t.is(node.codes().includes('claim-yielded'), yields);
  });
}

test('a node whose claim was granted does not give way any more', (t) => {
  const node = claiming('secondary', 'nobody-runs-it');
  const grant = { incarnation: ownRun, claim: node.claim };
  node.hear(30, { grant, ...claimFor('operator') });
  t.is(node.group().grant, null);
  t.is(node.phase()?.kind, 'starting');
});

test('a node that asks grants nothing while something of the group is in use there again', (t) => {
  const node = claiming('secondary', 'nobody-runs-it');
  node.seeOne(30, mail, { kind: 'unknown', message: 'its monitor does not answer' });
  node.hear(40, claimFor('operator'));
  t.is(node.group().grant, null);
});

test('a node that starts the group or lets go of it grants nothing', (t) => {
  const starting = claiming('primary', 'nobody-runs-it');
  starting.hear(30, { grant: { incarnation: ownRun, claim: starting.claim } });
  starting.hear(40, claimFor('operator'));
  t.is(starting.phase()?.kind, 'starting');
  t.is(starting.group().grant, null);

  const stopping = runningOwner();
  stopping.hear(2010, { ...activeReport, generation: 4, owner: 'secondary' });
  stopping.hear(2020, { generation: 4, owner: 'secondary', ...claimFor('operator') });
  t.is(stopping.phase()?.kind, 'stopping');
  t.is(stopping.group().grant, null);
});

test('an owner grants what its peer asks for on behalf of an operator, and otherwise only what it has offered', (t) => {
  const node = runningOwner();
  for (const reason of ['nobody-runs-it', 'offered', 'resume'] as const) {
    node.hear(2010, { ...ofPrimary, ...claimFor(reason) });
    t.is(node.group().grant, null, reason);
  }
  node.hear(2020, { ...ofPrimary, ...claimFor('operator') });
  t.is(node.phase()?.kind, 'stopping');

  const offering = runningOwner();
  offering.request(2010, { kind: 'handover', groups: [] });
  offering.hear(2020, { ...ofPrimary, ...claimFor('offered') });
  t.deepEqual(offering.group().grant, granted);
  t.like(offering.phase(), { kind: 'stopping', reason: 'handover' });
});

test('an owner keeps what it may not let go of now: in maintenance, or with what only its own disk has', (t) => {
  const kept = runningOwner();
  kept.request(2000, { kind: 'maintenance', durationMs: 600_000 });
  kept.hear(2010, { ...ofPrimary, ...claimFor('operator') });
  t.is(kept.group().grant, null);

  const ahead = runningOwner();
  ahead.show(2010, apart);
  ahead.hear(2020, { ...ofPrimary, ...claimFor('operator') });
  t.is(ahead.group().grant, null);
  t.is(ahead.resource(disk).storage?.connection, 'connecting');
});

test('what runs somewhere by no right is not handed over', (t) => {
  const node = oneCore({ record: ofSecondary });
  node.see(1, 'up');
  node.hear(10, { ...ofSecondary, holdsRest: true, ...claimFor('operator') });
  t.like(node.phase(), { kind: 'active', generation: 0 });
  t.is(node.group().grant, null);
});

/** A node that froze what it ran, and has just heard its peer again. */
function frozen(self: Side) {
  const node =
    self === 'primary' ? freezingOwner(examplePolicy('primary')) : oneCore({ self, record: ofSecondary });
  if (self === 'secondary') {
    node.see(1, 'up');
    node.go(1000, { peer: ofSecondary });
    node.go(4000, { peer: null, gateway: 'unanswered' });
  }
  if (node.phase()?.kind !== 'frozen') throw new Error('it is not frozen');
  return node;
}

test('where both nodes froze it in the same generation, the preferred one goes on', (t) => {
  const other = { generation: 3, phase: 'frozen', holdsRest: true, ...claimFor('resume') } as const;
  const standby = frozen('secondary');
  standby.request(4000, { kind: 'maintenance', durationMs: 600_000 });
  standby.hear(4010, { ...other, owner: 'primary' });
  t.deepEqual(standby.group().grant, granted);
  const preferred = frozen('primary');
  preferred.hear(4010, { ...other, owner: 'secondary' });
  t.is(preferred.group().grant, null);

  for (const unlike of [{ generation: 2 }, claimFor('nobody-runs-it')]) {
    const node = frozen('secondary');
    node.request(4000, { kind: 'maintenance', durationMs: 600_000 });
    node.hear(4010, { ...other, owner: 'primary', ...unlike });
    t.is(node.group().grant, null);
  }
});

test('a frozen node grants what an operator wants elsewhere, unless it was just granted itself', (t) => {
  const node = frozen('primary');
  node.hear(4010, { ...ofPrimary, ...claimFor('operator') });
  t.like(node.phase(), { kind: 'stopping', reason: 'discard' });
  t.deepEqual(node.group().grant, granted);

  const resuming = frozen('primary');
  const phase = resuming.phase();
  const grant = { incarnation: ownRun, claim: phase?.kind === 'frozen' ? phase.claim.id : 0 };
  resuming.pass(4010);
  resuming.hear(4020, { ...ofPrimary, grant, ...claimFor('operator') });
  t.is(resuming.phase()?.kind, 'starting');
  t.is(resuming.group().grant, null);
});
