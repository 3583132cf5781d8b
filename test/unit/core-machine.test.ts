// How a group goes from phase to phase: what it keeps on the way, and what is noted.

import test from 'ava';
import { matching } from '../../daemon/core/machine.ts';
import { examplePolicy, mail, web } from '../sim/example.ts';
import { activeReport, type OneCore, oneCore, ownRun } from './support/one-core.ts';
import { handover, takeover } from './support/requests.ts';
import { idle, ofPrimary, owner, starting } from './support/situations.ts';

const failed = { kind: 'failed', code: 'x', message: 'it does not' } as const;
const unknown = { kind: 'unknown', message: 'no answer in time' } as const;
const noCarrier = { kind: 'carrier-observed', interface: 'eth0', carrier: false } as const;
const notes = (node: OneCore, code: string) =>
  node
    .ofKind('note')
    .map(({ note }) => note)
    .filter((note) => note.code === code);

/** The claim that the node has on the group. */
function claimOf(node: OneCore): number {
  const phase = node.phase();
  if (phase?.kind !== 'claiming' && phase?.kind !== 'frozen') throw new Error(`it does not claim`);
  return phase.claim.id;
}

/** The group is cut off until it is frozen, and goes on when the peer agrees. */
function freezeAndResume(node: OneCore): void {
  const at = node.state().now;
  node.go(at + 3000, { peer: null, gateway: 'unanswered' });
  const generation = node.record()?.generation ?? 0;
  node.go(at + 3100, { peer: { generation }, gateway: 'answered' });
  node.go(at + 3200, { peer: { generation, grant: { incarnation: ownRun, claim: claimOf(node) } } });
}

test('a change of phase is noted with where from, where to and why; an alarm with what to do', (t) => {
  const node = owner();
  const [found] = notes(node, 'found-running');
  t.regex(found?.message ?? '', /^observing -> active: the daemon has started/);
  t.is(found?.severity, 'info');
  t.is(found?.group, 'office');
  t.is(found?.next, null);
  node.go(5000, { peer: null, gateway: 'unanswered' });
  const [frozen] = notes(node, 'freeze');
  t.is(frozen?.severity, 'alarm');
  t.regex(frozen?.next ?? '', /mend the network/);
  t.is(frozen?.tookMs, null);
});

test('how long a group took to start, and to stop, is noted', (t) => {
  const node = starting();
  const since = node.group().since;
  node.go(4000);
  node.obey(4000);
  t.is(notes(node, 'started')[0]?.tookMs, 4000 - since);
  node.request(4010, handover);
  node.hear(4020, { ...ofPrimary, generation: 1, claim: { id: 1, reason: 'offered' } });
  node.go(6000, { peer: { ...ofPrimary, generation: 1, claim: { id: 1, reason: 'offered' } } });
  node.obey(6000);
  node.obey(6000);
  t.is(notes(node, 'stopped')[0]?.tookMs, 6000 - 4020);
  t.is(notes(node, 'hand-over')[0]?.tookMs, null);
});

test('a group that is blocked is noted with its obstacle, and again when that is another one', (t) => {
  const node = idle();
  node.go(10_000, { peer: null, addresses: 'answered' });
  node.go(15_000, { gateway: 'unanswered', addresses: 'unanswered' });
  t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'isolated' });
  t.deepEqual(
    notes(node, 'block').map(({ message }) => message),
    [
      'not started here: primary may still run it',
      'not started here: this node is or was cut off, so primary may run it',
    ],
  );
  t.true(notes(node, 'block').every(({ severity, next }) => severity === 'alarm' && next !== null));
});

test('that a group is offered is noted once, with the reason', (t) => {
  const node = owner();
  node.request(2010, handover);
  node.go(3000);
  t.deepEqual(
    notes(node, 'offered').map(({ message }) => message),
    ['offered to secondary: the operator wants it moved'],
  );
  node.hear(3010, { willing: false });
  t.is(node.group().offer, null);
  t.is(notes(node, 'offered').length, 1);
});

test('a handover that nobody takes is forgotten after a minute, and that is said once', (t) => {
  const node = owner();
  node.request(2000, handover);
  node.go(62_000);
  t.is(notes(node, 'request-expired').length, 0);
  node.go(62_050);
  t.is(notes(node, 'request-expired').length, 1);
  t.is(node.group().offer, null);
  node.go(70_000);
  t.is(notes(node, 'request-expired').length, 1);
});

test('so is a takeover that the peer does not grant', (t) => {
  const node = idle();
  node.request(2000, takeover);
  node.go(62_000);
  t.is(node.phase()?.kind, 'claiming');
  node.go(62_050);
  t.is(notes(node, 'request-expired').length, 1);
  t.is(notes(node, 'request-expired')[0]?.severity, 'warning');
  t.is(node.phase()?.kind, 'stopped');
});

test('who asks for a group drops that when the peer is late, or when it cannot run the group any more', (t) => {
  for (const [happens, at] of [
    [(node: OneCore) => node.go(3000, { peer: null }), 3000],
    [(node: OneCore) => node.feed(2020, noCarrier), 2020],
  ] as const) {
    const node = idle();
    node.request(2000, takeover);
    t.is(node.phase()?.kind, 'claiming');
    happens(node);
    t.is(node.phase()?.kind, 'stopped');
    t.is(node.group().rule, 'claim-dropped');
    t.is(node.state().now, at);
  }
});

test('a claim is renewed when there is another reason for it, so that the peer learns of that', (t) => {
  const node = oneCore();
  node.see(1, 'down');
  node.hear(10);
  t.deepEqual(node.report()?.claim, { id: 1, reason: 'nobody-runs-it' });
  node.request(20, takeover);
  t.is(node.report()?.claim?.reason, 'operator');
  t.true(claimOf(node) > 1);
});

test('a wish that was carried out is not said to have been forgotten', (t) => {
  const taker = idle();
  taker.request(2000, takeover);
  taker.go(3000, { peer: { grant: { incarnation: ownRun, claim: claimOf(taker) } }, prompt: true });
  t.is(taker.phase()?.kind, 'active');
  const giver = owner();
  giver.request(2000, handover);
  giver.go(3000, { peer: { ...ofPrimary, claim: { id: 1, reason: 'offered' } } });
  t.is(giver.phase()?.kind, 'stopped');
  for (const node of [taker, giver]) {
    node.go(70_000);
    t.is(notes(node, 'request-expired').length, 0);
  }
});

test('guests that go on after a freeze are of the same generation, and each claim is a new one', (t) => {
  const node = owner();
  node.go(5000, { peer: null, gateway: 'unanswered' });
  const first = claimOf(node);
  node.go(5100, { peer: ofPrimary, gateway: 'answered' });
  node.go(5200, { peer: { ...ofPrimary, grant: { incarnation: ownRun, claim: first } } });
  t.deepEqual(node.phase(), { kind: 'active', generation: 3 });
  node.go(9000, { peer: null, gateway: 'unanswered' });
  t.like(node.phase(), { kind: 'frozen', generation: 3 });
  t.true(claimOf(node) > first);
  node.go(9100, { peer: { ...ofPrimary, grant: { incarnation: ownRun, claim: first } } });
  t.is(node.phase()?.kind, 'frozen', 'the old grant is not one of the new claim');
});

/** A guest of the owner has been given up. */
function givenUp(): OneCore {
  const node = owner();
  node.go(2050, { prompt: false });
  node.seeOne(2050, mail, { kind: 'down' });
  for (const at of [3000, 10_000, 20_000]) {
    node.go(at);
    node.finish(at, mail, failed);
  }
  node.go(20_050, { prompt: true });
  return node;
}

test('what was given up is not started again because the group goes on after a freeze', (t) => {
  const node = givenUp();
  t.is(node.askedOf(mail).length, 3);
  freezeAndResume(node);
  node.go(40_000);
  t.is(node.phase()?.kind, 'active');
  t.is(node.report()?.quarantined, 1);
  t.is(node.askedOf(mail).length, 3);
});

test('what was given up is tried again when the group comes back in a new generation', (t) => {
  const node = givenUp();
  node.request(20_060, handover);
  node.go(21_000, { peer: { ...ofPrimary, claim: { id: 1, reason: 'offered' } } });
  t.is(node.phase()?.kind, 'stopped');
  t.is(node.report()?.quarantined, 1);
  const taken = { ...activeReport, generation: 4, owner: 'secondary' } as const;
  node.go(21_100, { peer: { ...taken, offer: true } });
  node.go(21_200, {
    peer: {
      ...taken,
      phase: 'stopped',
      holdsRest: false,
      holdsAddresses: false,
      grant: { incarnation: ownRun, claim: claimOf(node) },
    },
  });
  t.deepEqual(node.phase(), { kind: 'active', generation: 5 });
  t.is(node.askedOf(mail).length, 4);
  t.is(node.report()?.quarantined, 0);
});

test('a guest that waits to be tried again is stopped at once, and in order, when the group is handed over', (t) => {
  const node = owner();
  node.go(2050, { prompt: false });
  node.seeOne(2060, mail, { kind: 'down' });
  for (const at of [2100, 4000]) {
    node.go(at);
    node.finish(at, mail, unknown);
    node.seeOne(at, mail, { kind: 'down' });
  }
  node.seeOne(4000, mail, { kind: 'up' });
  t.true((node.resource(mail).retryAt ?? 0) > 5000);
  node.request(4010, handover);
  node.hear(4020, { ...ofPrimary, claim: { id: 1, reason: 'offered' } });
  node.obey(4030);
  t.deepEqual(node.askedOf(mail).at(-1), 'stop');
});

test('a resource that keeps failing is not tried sooner because the rest is up', (t) => {
  const node = starting();
  node.finish(1060, mail);
  node.finish(1060, web);
  const id = examplePolicy('primary').groups[0]?.resources[0]?.id ?? '';
  for (const at of [1100, 5000, 10_000]) {
    node.go(at);
    node.finish(at, id, failed);
  }
  t.is(node.phase()?.kind, 'active');
  node.go(13_999);
  t.is(node.askedOf(id).length, 3);
  node.go(14_000);
  t.is(node.askedOf(id).length, 4);
});

test('rules that fit at once are a defect of the table, and never chosen from by chance', (t) => {
  const facts = { ...owner().facts(), granted: true, leaseRegained: true, verdict: 'dead' } as const;
  t.throws(() => matching('frozen', facts), { message: 'rules overlap: resume, resume-by-lease' });
});

test('a frozen owner whose peer says goodbye starts the group afresh: nobody else can have it', (t) => {
  const node = owner();
  node.go(5000, { peer: null, gateway: 'unanswered' });
  t.is(node.phase()?.kind, 'frozen');
  node.go(5050, { gateway: 'answered' });
  node.hear(5060, ofPrimary, { says: { leaving: true } });
  node.go(5200, { peer: null });
  t.true(node.codes().includes('discard-when-fenced'));
  t.like(node.phase(), { kind: 'active', generation: ofPrimary.generation + 1 });
});

test('a wish that needs a peer which falls silent is forgotten for that reason', (t) => {
  const node = owner();
  node.request(2000, handover);
  node.go(6000, { peer: null });
  t.deepEqual(
    notes(node, 'request-expired').map(({ message }) => message),
    [`the operator's wish needs secondary, which is not heard, and is forgotten`],
  );
});
