// The lease of the witness: docs/decisions/0007-fencing-lease-watchdog.md.

import test from 'ava';
import type { LeaseAnswer } from '../../daemon/core/events.ts';
import type { HeartbeatContent } from '../../daemon/core/heartbeat.ts';
import type { Policy } from '../../daemon/core/policy.ts';
import { disk, protectedPolicy } from '../sim/example.ts';
import {
  activeReport,
  apart,
  mirrored,
  type OneCore,
  oneCore,
  ownRun,
  peerRun,
  stoppedReport,
} from './support/one-core.ts';
import {
  frozenAndHeardAgain,
  ofPrimary,
  runningOwner,
  seeShop,
  taking,
  withShop,
} from './support/situations.ts';

const policyOf = (self: 'primary' | 'secondary') => protectedPolicy(self, { lease: true });
const { timings, witness, watchdog } = policyOf('primary');
const { freezeAfterMs, deadtimeMs, takeoverAfterMs, warntimeMs } = timings;
const ttlMs = witness?.ttlMs ?? 0;
const pausingMs = takeoverAfterMs - freezeAfterMs;
const provenAfterMs = (watchdog?.timeoutMs ?? 0) * 1.05 + pausingMs;

const held = { kind: 'held', term: 1, peerAlone: [] } as const;
const refused = { kind: 'refused', holder: 'primary', term: 1, peerAlone: [] } as const;
const unreachable = { kind: 'unreachable', message: 'it does not answer' } as const;

const asked = (node: OneCore) => node.ofKind('request-lease').length;
const leaseNotes = (node: OneCore) => node.codes().filter((code) => code.startsWith('lease'));

/** The primary runs the group, which has no disk, until 2 s; the witness answers. */
function owner(answer: LeaseAnswer | null = held, policy: Policy = policyOf('primary')) {
  const node = oneCore({ policy, record: ofPrimary });
  node.see(1, 'up');
  node.go(2000, { peer: ofPrimary, witness: answer });
  return node;
}

/** The secondary, idle; the primary ran the group until 2 s and is silent since. */
function left(answer: LeaseAnswer | null = held, policy: Policy = policyOf('secondary')) {
  const node = oneCore({ self: 'secondary', policy });
  node.see(1, 'down');
  node.go(2000, { peer: activeReport, witness: answer, prompt: false });
  node.go(2050, { peer: null });
  return node;
}

test('who runs something keeps the lease and asks for it again after a third of its time', (t) => {
  const node = owner(null);
  t.is(asked(node), 1, 'not again while the question is open');
  t.is(node.ofKind('request-lease')[0]?.deadlineMs, ttlMs / 3);
  const { askedAt } = node.state().lease;
  node.answerLease(2010, held);
  node.pass(2020);
  t.is(asked(node), 2, 'a third of its time has long passed');
  const again = node.state().lease.askedAt;
  t.true(again > askedAt);
  node.answerLease(again + 100, held);
  node.pass(again + ttlMs / 3 - 1);
  t.is(asked(node), 2);
  node.pass(again + ttlMs / 3);
  t.is(asked(node), 3);
});

test('the lease is ours for nine tenths of its time, counted from the question and not from the answer', (t) => {
  const node = owner();
  node.go(3000, { witness: null });
  const { operation, askedAt } = node.state().lease;
  t.not(operation, null);
  node.go(askedAt + 700, { peer: null, gateway: 'unanswered', prompt: false });
  node.answerLease(askedAt + 700, held);
  t.is(node.state().lease.validUntil, askedAt + ttlMs * 0.9);
  node.go(askedAt + ttlMs * 0.9 - 1);
  t.is(node.phase()?.kind, 'active');
  node.feed(askedAt + ttlMs * 0.9, { kind: 'time-passed' });
  t.is(node.phase()?.kind, 'frozen');
});

test('an answer to an earlier question does not count', (t) => {
  const node = owner(null);
  const operation = node.state().lease.operation ?? 0;
  node.feed(2010, { kind: 'lease-answered', operation: operation - 1, answer: held });
  t.is(node.state().lease.validUntil, null);
  node.feed(2020, { kind: 'lease-answered', operation, answer: held });
  t.not(node.state().lease.validUntil, null);
});

test('the lease has been held since its first answer without a gap; after a gap, since the first one then', (t) => {
  const node = owner();
  const since = node.state().lease.heldSince;
  t.true((since ?? Infinity) < 200);
  node.go(4000);
  t.is(node.state().lease.heldSince, since);
  node.go(4000 + ttlMs, { witness: null });
  node.answerLease(4000 + ttlMs, held);
  t.is(node.state().lease.heldSince, 4000 + ttlMs);
});

test('while the nodes hear each other, a witness that does not answer, or refuses, is a warning and no more', (t) => {
  for (const answer of [unreachable, { ...refused, holder: 'secondary' }]) {
    const node = owner();
    const before = node.asked.length;
    node.go(30_000, { witness: answer });
    t.is(node.phase()?.kind, 'active');
    t.is(node.asked.length, before);
    const notes = node.ofKind('note').filter(({ note }) => note.code === 'lease-not-held');
    t.deepEqual(
      notes.map(({ note }) => note.severity),
      ['warning'],
      'said once',
    );
    t.is(node.phase()?.kind, 'active');
    node.go(31_000, { witness: held });
    t.is(leaseNotes(node).at(-1), 'lease-held');
  }
});

test('a witness that does not answer is asked again after a sixth of its time, and takes no lease away', (t) => {
  for (const answer of [unreachable, { ...refused, holder: 'secondary' }]) {
    const node = owner();
    node.go(3000, { witness: null });
    const { validUntil } = node.state().lease;
    const before = asked(node);
    node.answerLease(3100, answer);
    t.is(node.state().lease.validUntil, answer.kind === 'unreachable' ? validUntil : null);
    node.go(3100 + ttlMs / 6 - 1);
    t.is(asked(node), before);
    node.go(3100 + ttlMs / 6);
    t.is(asked(node), before + 1);
  }
});

test('with a witness, an owner without contact freezes at once unless the lease is its own, whatever the gateway says', (t) => {
  for (const answer of [unreachable, held]) {
    const node = owner(answer);
    const freezesAt = (node.state().peer.contactAt ?? 0) + freezeAfterMs;
    node.go(freezesAt - 1, { hearsUs: false });
    t.is(node.phase()?.kind, 'active');
    node.feed(freezesAt, { kind: 'time-passed' });
    t.is(node.phase()?.kind, answer.kind === 'held' ? 'active' : 'frozen');
  }
});

test('with a witness, a stall of our own is no excuse: both rights are counted from what was sent', (t) => {
  const node = owner();
  node.feed(6000, { kind: 'time-passed' });
  t.is(node.phase()?.kind, 'frozen');
  const adopted = oneCore({ policy: policyOf('primary'), record: { ...ofPrimary, sole: true } });
  adopted.see(1, 'up');
  adopted.go(warntimeMs - 1, { peer: null });
  t.is(adopted.phase()?.kind, 'active', 'an adopted group has warntime to find its peer or the lease');
  adopted.feed(warntimeMs, { kind: 'time-passed' });
  t.is(adopted.phase()?.kind, 'frozen', 'also of a sole owner');
});

test('an owner whose peer has said goodbye, or is off by the word of a person, needs no lease to go on', (t) => {
  const node = owner(unreachable);
  node.go(30_000, { peer: { ...stoppedReport, ...ofPrimary }, says: { leaving: true } });
  t.is(node.phase()?.kind, 'active');

  const vouched = owner({ ...held });
  vouched.go(3600, { peer: null, gateway: 'answered' });
  t.is(vouched.request(3600, { kind: 'confirm-peer-off', node: 'secondary', force: false }).kind, 'accepted');
  vouched.go(30_000, { witness: unreachable });
  t.is(vouched.phase()?.kind, 'active');
});

/** The primary, whose peer has said goodbye at 2 s; the witness does not answer. */
function ownerAfterGoodbye(answer: LeaseAnswer = held) {
  const node = owner(answer);
  node.hear(2010, { ...stoppedReport, ...ofPrimary }, { says: { leaving: true } });
  node.go(12_000, { peer: null, witness: unreachable });
  return node;
}

test('after a goodbye a node without the lease freezes when it is cut off, and goes on once the witness has said that nobody else had it', (t) => {
  const node = ownerAfterGoodbye();
  t.is(node.state().verdict.kind, 'departed');
  t.is(node.phase()?.kind, 'active', 'while the outside answers');
  node.go(14_000, { gateway: 'unanswered' });
  t.is(node.state().verdict.kind, 'departed');
  t.is(node.phase()?.kind, 'frozen');
  node.go(20_000, { gateway: 'answered' });
  t.is(node.phase()?.kind, 'frozen', 'the peer may have come and gone meanwhile');
  t.false(
    node.asked.some((what) => what.startsWith('destroy guest')),
    'what is paused stays as it is',
  );
  node.go(22_000, { witness: held });
  t.is(node.phase()?.kind, 'active');
  t.false(
    node.asked.some((what) => what.startsWith('start guest')),
    'it was resumed, not booted',
  );
});

test('what is frozen after a goodbye is discarded where the witness says that somebody else had the lease since', (t) => {
  const node = ownerAfterGoodbye();
  node.go(14_000, { gateway: 'unanswered' });
  t.is(node.phase()?.kind, 'frozen');
  node.go(20_000, { gateway: 'answered', witness: { ...held, term: 3 } });
  t.true(node.codes().includes('discard-when-fenced'));
});

test('with the lease a node that is cut off after a goodbye goes on', (t) => {
  const node = ownerAfterGoodbye();
  node.go(14_000, { witness: held });
  node.go(20_000, { gateway: 'unanswered' });
  t.is(node.phase()?.kind, 'active');
});

test('after a stall the outside is asked before a node believes that it is cut off', (t) => {
  const node = ownerAfterGoodbye();
  const stallMs = 20_000;
  node.feed(12_000 + stallMs, { kind: 'time-passed' });
  t.is(node.phase()?.kind, 'active');
  node.go(12_000 + stallMs + deadtimeMs + 50, { gateway: 'unanswered' });
  t.is(node.phase()?.kind, 'frozen');
});

test('a peer that holds the lease is there, also one that said goodbye or that a person took to be off', (t) => {
  const byPeer = { ...refused, holder: 'secondary', term: 2 } as const;
  const node = ownerAfterGoodbye();
  node.go(14_000, { witness: byPeer });
  t.is(node.state().verdict.kind, 'dead');
  t.is(node.phase()?.kind, 'frozen');

  const vouched = owner({ ...held });
  vouched.go(3600, { peer: null, gateway: 'answered' });
  vouched.request(3600, { kind: 'confirm-peer-off', node: 'secondary', force: false });
  vouched.go(3700);
  t.like(vouched.state().verdict, { kind: 'fenced', by: 'operator' });
  vouched.go(9000, { witness: byPeer });
  t.is(vouched.state().verdict.kind, 'dead');
});

test('that the peer still has the lease from before its goodbye is no sign of its return', (t) => {
  const node = owner(unreachable);
  node.hear(2010, { ...stoppedReport, ...ofPrimary }, { says: { leaving: true } });
  node.go(2010 + ttlMs - 100, { peer: null, witness: { ...refused, holder: 'secondary' } });
  t.is(node.state().verdict.kind, 'departed');
  node.go(2010 + 2 * ttlMs + deadtimeMs);
  t.is(node.state().verdict.kind, 'dead');
});

test('an idle node asks for the lease once its peer is silent and a group waits for nothing else, and not before', (t) => {
  const node = left(null);
  node.go(2000 + deadtimeMs - 1);
  t.is(asked(node), 0);
  node.feed(2000 + deadtimeMs, { kind: 'time-passed' });
  t.is(node.state().verdict.kind, 'dead');
  t.is(asked(node), 1);

  const unresponsive = left();
  unresponsive.go(4000, { addresses: 'answered' });
  t.is(unresponsive.state().verdict.kind, 'unresponsive');
  t.true(asked(unresponsive) > 0);

  const isolated = left();
  isolated.go(20_000, { gateway: 'unanswered' });
  t.is(isolated.state().verdict.kind, 'isolated');
  t.is(asked(isolated), 0);

  const standby = left();
  standby.request(2060, { kind: 'standby', on: true });
  standby.go(20_000);
  t.is(asked(standby), 0);
});

test('the lease proves the peer stopped after its time to freeze, the time of its watchdog and five per cent more', (t) => {
  const node = left();
  node.go(4000);
  const { heldSince } = node.state().lease;
  const provenAt = (heldSince ?? 0) + provenAfterMs;
  t.true((heldSince ?? 0) > 2000 + freezeAfterMs, 'the contact had ended before');
  node.go(provenAt - 1);
  t.is(node.state().verdict.kind, 'dead');
  t.deepEqual(node.asked, []);
  node.feed(provenAt, { kind: 'time-passed' });
  t.deepEqual(node.state().verdict, { kind: 'fenced', by: 'lease' });
  t.is(node.phase()?.kind, 'starting');
});

const unread = { kind: 'unknown', message: 'the network interfaces cannot be read' } as const;

test('what an idle node cannot read for a moment does not cost it the lease, nor begin the proof anew', (t) => {
  const node = left();
  node.go(4000);
  const { heldSince } = node.state().lease;
  const provenAt = (heldSince ?? 0) + provenAfterMs;
  const first = node.group().resources[0]?.id ?? '';
  node.seeOne(4010, first, unread);
  node.go(4010 + deadtimeMs - 1);
  node.seeOne(4010 + deadtimeMs - 1, first, { kind: 'down' });
  node.go(provenAt - 1);
  t.is(node.ofKind('release-lease').length, 0);
  t.is(node.state().lease.heldSince, heldSince);
  node.feed(provenAt, { kind: 'time-passed' });
  t.deepEqual(node.state().verdict, { kind: 'fenced', by: 'lease' });
  t.is(node.phase()?.kind, 'starting');
});

test('what it cannot read for long does: the peer may need the lease', (t) => {
  const node = left();
  node.go(4000);
  node.seeOne(4010, node.group().resources[0]?.id ?? '', unread);
  node.go(4010 + deadtimeMs + ttlMs);
  t.is(node.ofKind('release-lease').length, 1);
  t.is(node.state().lease.validUntil, null);
});

/** An owner that held the lease long before its peer fell silent: what counts from then is the end of contact. */
function heldLongBefore(says: Partial<HeartbeatContent>) {
  const node = owner();
  node.go(2500, { says });
  node.go(2550, { peer: null });
  return node;
}

test('that time is counted from the end of contact when the lease was ours before; by the longer freeze of the two', (t) => {
  for (const freezesMs of [freezeAfterMs - 500, freezeAfterMs + 700]) {
    const node = heldLongBefore({ freezeAfterMs: freezesMs });
    const provenAt = 2500 + Math.max(freezeAfterMs, freezesMs) + provenAfterMs;
    node.go(provenAt - 1);
    t.not(node.state().verdict.kind, 'fenced');
    node.feed(provenAt, { kind: 'time-passed' });
    t.deepEqual(node.state().verdict, { kind: 'fenced', by: 'lease' });
  }
});

test('a peer that has no watchdog, or does not say so, is not proven off by the lease; one with a longer time later', (t) => {
  const node = heldLongBefore({ watchdogMs: null });
  node.go(2500 + freezeAfterMs + 2 * provenAfterMs);
  t.is(node.state().verdict.kind, 'dead');
  const ownMs = watchdog?.timeoutMs ?? 0;
  for (const [peerMs, countedMs] of [
    [ownMs + 3000, ownMs + 3000],
    [ownMs - 1000, ownMs],
  ] as const) {
    const slow = heldLongBefore({ watchdogMs: peerMs });
    const provenAt = 2500 + freezeAfterMs + countedMs * 1.05 + pausingMs;
    slow.go(provenAt - 1);
    t.not(slow.state().verdict.kind, 'fenced');
    slow.feed(provenAt, { kind: 'time-passed' });
    t.deepEqual(slow.state().verdict, { kind: 'fenced', by: 'lease' });
  }
});

test('a node tells its peer of its watchdog where it may be counted on, and not where nothing feeds it', (t) => {
  const says = (policy: Policy) => owner(held, policy).ofKind('send-heartbeat').at(-1)?.content.watchdogMs;
  t.is(says(policyOf('primary')), watchdog?.timeoutMs);
  t.is(says({ ...policyOf('primary'), watchdog: null }), null);
});

test('a peer whose last word was maintenance feeds no watchdog, so the lease proves nothing about it', (t) => {
  const node = heldLongBefore({ maintenanceMinutes: 1 });
  node.go(120_000);
  t.is(node.state().verdict.kind, 'dead');
});

test('a peer that still answers on the network is not off, whatever the lease proves', (t) => {
  const node = left();
  node.go(30_000, { addresses: 'answered' });
  t.is(node.state().verdict.kind, 'unresponsive');
  t.deepEqual(node.asked, []);
});

test('a lease that ends before its proof is complete proves nothing; that the witness refuses it is said', (t) => {
  const node = left();
  node.go(4000);
  node.go(30_000, { witness: refused });
  t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'no-lease' });
  t.is(node.state().lease.lastError, 'primary holds it');
  t.deepEqual(node.asked, []);
  const mute = left(null);
  mute.go(30_000);
  t.is(mute.phase()?.kind, 'stopped', 'no answer is not yet a refusal');
  t.deepEqual(mute.asked, []);
});

const terms = [
  ['goes on by itself in the term in which it lost the lease', 1, true],
  ['starts afresh after the time of the watchdog when another term lies between', 3, false],
] as const;

/** An owner that has lost contact and then the lease, and has frozen. */
function frozen() {
  const node = owner();
  node.go(3000, { peer: null });
  node.go(3000 + ttlMs, { witness: unreachable });
  if (node.phase()?.kind !== 'frozen') throw new Error(`it is ${node.phase()?.kind}`);
  return node;
}

for (const [what, term, isUnbroken] of terms) {
  test(`a frozen owner that gets the lease back ${what}`, (t) => {
    const node = frozen();
    const before = node.asked.length;
    node.go(node.state().now + ttlMs / 6 + 50, { witness: { ...held, term }, prompt: false });
    t.is(node.state().lease.lastError, null, 'the lease is ours again');
    if (isUnbroken) {
      t.like(node.phase(), { kind: 'starting', resuming: true, generation: 3 });
      t.true(node.codes().includes('resume-by-lease'));
      return;
    }
    t.is(node.phase()?.kind, 'frozen');
    const provenAt = (node.state().lease.heldSince ?? 0) + provenAfterMs;
    node.go(provenAt - 1);
    t.is(node.phase()?.kind, 'frozen', 'also after it was renewed in that other term');
    t.is(node.asked.length, before);
    node.go(provenAt);
    t.like(node.phase(), { kind: 'stopping', reason: 'discard' });
    node.go(provenAt + 200, { prompt: true });
    t.is(node.phase()?.kind, 'active');
    t.is(node.record()?.generation, 4);
    t.false(node.codes().includes('resume-by-lease'));
  });
}

test('what is frozen goes on by the word of the peer only once the witness was asked: the peer may have lost its record', (t) => {
  const node = frozenAndHeardAgain();
  t.is(node.state().verdict.kind, 'alive');
  t.is(node.phase()?.kind, 'frozen', 'an answer of before says nothing of what the peer did since');
  t.is(node.report()?.claim, null, 'and a person may still give it to the peer');
  node.go(6000 + ttlMs, { witness: { ...held, term: 3 } });
  t.is(node.phase()?.kind, 'active');
  t.true(node.codes().includes('resume'));
});

test('while the witness is asked in vain, a person may give what is frozen to the peer', (t) => {
  const node = frozenAndHeardAgain();
  node.hear(6010, { ...ofPrimary, claim: { id: 9, reason: 'operator' } }, { incarnation: peerRun + 1 });
  t.is(node.report()?.grant?.claim, 9);
  node.obey(6020);
  t.is(node.phase()?.kind, 'stopped');
});

test('what is frozen is given up when the witness says that the peer has written since', (t) => {
  for (const answer of [held, refused]) {
    const node = frozenAndHeardAgain();
    node.go(6000 + ttlMs, { witness: { ...answer, term: 3, peerAlone: ['office'] } });
    t.false(node.codes().includes('resume'));
    t.true(node.codes().includes('discard'));
  }
});

test('a peer that was not restarted remembers what it did: its word is enough', (t) => {
  const node = frozenAndHeardAgain({ disk: true }, peerRun);
  t.is(node.phase()?.kind, 'active');
  t.true(node.codes().includes('resume'));
  t.false(node.codes().includes('awaits-witness'));
});

test('a daemon that finds a group frozen cannot tell whether its peer was restarted: it asks the witness', (t) => {
  const node = oneCore({
    policy: protectedPolicy('primary', { disk: true, lease: true }),
    record: ofPrimary,
  });
  node.hear(1, { ...ofPrimary });
  node.show(2, apart);
  node.see(2, 'paused');
  node.go(10, { peer: { ...ofPrimary }, witness: unreachable });
  const { phase } = node.group();
  t.is(phase.kind, 'frozen');
  const claim = phase.kind === 'frozen' ? phase.claim.id : -1;
  const peer = { ...ofPrimary, grant: { incarnation: ownRun, claim } };
  node.go(20, { peer });
  t.is(node.phase()?.kind, 'frozen');
  t.true(node.codes().includes('awaits-witness'));
  node.go(20 + ttlMs, { peer, witness: { ...held, peerAlone: ['office'] } });
  t.true(node.codes().includes('discard'));
  t.false(node.codes().includes('resume'));
});

for (const [what, answer, isUnbroken] of [
  ['goes on when nobody else has had the lease', held, true],
  ['is given up when another term lies between', { ...held, term: 3 }, false],
  ['is given up while somebody else has the lease', { ...refused, term: 2 }, false],
] as const) {
  test(`a frozen group without disks, of which no writes are on record, ${what}`, (t) => {
    const node = frozenAndHeardAgain({});
    t.is(node.phase()?.kind, 'frozen');
    node.go(6000 + ttlMs, { witness: answer });
    t.is(node.codes().includes('resume'), isUnbroken);
    t.is(node.codes().includes('discard'), !isUnbroken);
  });
}

test('that it waits for the witness is said once, and a person who asks for the group there is told so', (t) => {
  const node = frozenAndHeardAgain();
  t.is(node.codes().filter((code) => code === 'awaits-witness').length, 1);
  const answer = node.request(6010, { kind: 'takeover', groups: [] });
  t.like(answer, {
    kind: 'refused',
    message: 'it is frozen here until the witness says what secondary did meanwhile',
  });
  t.is(node.group().pullSince, null);
});

test('a daemon that is to stop does not wait for the witness for ever: what is frozen is given up', (t) => {
  const node = frozenAndHeardAgain();
  node.feed(6010, { kind: 'stop-requested' });
  node.go(16_000);
  t.is(node.phase()?.kind, 'frozen', 'it may still go on and be handed over');
  node.go(16_200);
  t.true(node.codes().includes('discard-when-fenced'));
  t.is(node.ofKind('exit').length, 1);
});

test('of two that froze in the same generation the preferred one lets the other go on when it cannot tell itself', (t) => {
  const node = frozenAndHeardAgain();
  const claim = { id: 9, reason: 'resume' } as const;
  node.hear(6010, { ...ofPrimary, phase: 'frozen', claim }, { incarnation: peerRun + 1 });
  t.is(node.report()?.grant?.claim, 9);
});

test('a group that is not frozen does not make up for one that is, when another term lies between', (t) => {
  const node = oneCore({ policy: withShop(policyOf('primary')), record: ofPrimary });
  node.see(1, 'up');
  seeShop(node, 1, 'down', 'down');
  node.go(3000, { peer: { ...ofPrimary }, witness: held });
  node.go(3000 + ttlMs, { peer: null, witness: unreachable });
  t.is(node.phase()?.kind, 'frozen');
  node.go(3000 + 2 * ttlMs, { witness: { ...held, term: 3 }, prompt: false });
  t.false(node.codes().includes('resume-by-lease'));
});

test('one group that waits is reason enough to ask, whatever the other one does', (t) => {
  const node = oneCore({ self: 'secondary', policy: withShop(policyOf('secondary')) });
  node.see(1, 'down');
  seeShop(node, 1, 'down', 'unknown');
  node.go(2000, { peer: activeReport });
  node.go(4000, { peer: null });
  t.true(asked(node) > 0);
});

test('a frozen owner with the lease waits for its peer when that one lives: it may have the newer copies', (t) => {
  const node = frozen();
  node.go(node.state().now + 1000, {
    peer: { ...ofPrimary, willing: false },
    witness: held,
    hearsUs: false,
    prompt: false,
  });
  t.is(node.phase()?.kind, 'frozen');
});

test('a daemon that was started again does not know in which term it was frozen, and does not go on by the lease', (t) => {
  const node = oneCore({ policy: policyOf('primary'), record: { ...ofPrimary, frozen: true } });
  node.see(1, 'paused');
  node.go(2500, { peer: null, witness: held, prompt: false });
  t.true(node.state().lease.validUntil !== null);
  t.is(node.phase()?.kind, 'frozen');
});

test('who runs nothing any more gives the lease back, and who does never', (t) => {
  const node = owner();
  const claim = { id: 3, reason: 'operator' } as const;
  node.go(2500, { peer: { ...ofPrimary, claim }, prompt: false });
  t.is(node.phase()?.kind, 'stopping');
  t.is(node.ofKind('release-lease').length, 0);
  node.go(2600, { prompt: true });
  t.is(node.phase()?.kind, 'stopped');
  t.is(node.ofKind('release-lease').length, 1);
  t.is(node.state().lease.validUntil, null);
  node.go(5000);
  t.is(node.ofKind('release-lease').length, 1, 'once');

  const back = owner();
  back.go(2500, { peer: { ...ofPrimary, claim } });
  back.go(3000, { peer: { ...ofPrimary, generation: 4, owner: 'secondary' } });
  t.is(back.state().lease.heldTerm, null, 'what was given back was not kept without a break');
});

test('a daemon that ends in order gives the lease back', (t) => {
  const node = owner();
  node.feed(2010, { kind: 'stop-requested' });
  node.go(4000, { peer: { ...ofPrimary, willing: false } });
  t.is(node.ofKind('exit').length, 1);
  t.is(node.ofKind('release-lease').length, 1);
});

test('a daemon that ends in order while it asks for the lease gives it back all the same', (t) => {
  const node = owner();
  node.go(3000, { witness: null });
  t.not(node.state().lease.operation, null);
  node.feed(3010, { kind: 'stop-requested' });
  node.go(3500, { peer: { ...ofPrimary, willing: false } });
  t.is(node.ofKind('exit').length, 1);
  t.is(node.ofKind('release-lease').length, 1);
});

test('a daemon that ends in maintenance leaves the lease to what goes on here', (t) => {
  const node = owner();
  t.is(node.request(2010, { kind: 'maintenance', durationMs: 600_000 }).kind, 'accepted');
  node.go(2500);
  node.feed(2510, { kind: 'stop-requested' });
  t.is(node.ofKind('exit').length, 1);
  t.is(node.ofKind('release-lease').length, 0);
});

test('the peer has to know of a maintenance, or it could take over from a node that keeps no lease', (t) => {
  const node = owner();
  node.go(3600, { peer: null });
  t.is(node.state().verdict.kind, 'dead');
  t.is(node.request(3600, { kind: 'maintenance', durationMs: 600_000 }).kind, 'refused');
  node.request(3610, { kind: 'confirm-peer-off', node: 'secondary', force: false });
  t.is(node.request(3620, { kind: 'maintenance', durationMs: 600_000 }).kind, 'accepted');
});

test('that the copies are the same is told to the witness only while both live and say so', (t) => {
  const sameOf = (node: OneCore) => node.ofKind('request-lease').at(-1)?.marks.same;
  const node = runningOwner({ lease: true });
  node.go(3000, { witness: held });
  t.deepEqual(sameOf(node), ['office']);
  node.go(4000, { peer: { ...ofPrimary, alone: true } });
  t.deepEqual(sameOf(node), [], 'the peer has written alone');
  node.go(4500, { peer: { ...ofPrimary, apart: true } });
  t.deepEqual(sameOf(node), [], 'the peer does not show the connection');
  node.go(5000, { peer: ofPrimary });
  node.show(5010, { disk: 'inconsistent' });
  node.go(6000);
  t.deepEqual(sameOf(node), [], 'the copy here is not whole');
  node.show(6010, { disk: 'up-to-date' });
  node.go(7000);
  t.deepEqual(sameOf(node), ['office']);
  node.go(9000, { peer: null });
  t.deepEqual(sameOf(node), [], 'the peer is silent');
  node.go(9100, { peer: ofPrimary });
  node.show(9110, apart);
  node.go(10_000);
  t.deepEqual(sameOf(node), []);
  t.is(node.resource(disk).storage?.connection, 'connecting');
});

test('a peer that does not speak of the group does not say that the copies are the same', (t) => {
  const node = runningOwner({ lease: true });
  node.go(4000, { says: { groups: [] }, witness: held });
  t.deepEqual(node.ofKind('request-lease').at(-1)?.marks, { alone: [], same: [] });
});

test('that a group writes alone is told to the witness once at once, and then at every renewal', (t) => {
  const node = runningOwner({ lease: true });
  node.go(3000, { witness: held });
  node.show(3010, apart);
  node.go(3100);
  const before = asked(node);
  const { askedAt } = node.state().lease;
  node.go(askedAt + ttlMs + 100);
  t.is(asked(node), before + 3);
  t.deepEqual(node.ofKind('request-lease').at(-1)?.marks.alone, ['office']);
});

test('a group of which one copy may be ahead is not told to be the same for the other one', (t) => {
  const policy = protectedPolicy('primary', { lease: true, disk: true });
  const [office] = policy.groups;
  if (office === undefined) throw new Error('there is no group');
  const second = { id: 'drbd:r1', kind: 'drbd', needs: [], startMs: 5000, stopMs: 5000 } as const;
  const both = { ...policy, groups: [{ ...office, resources: [...office.resources, second] }] };
  const node = oneCore({ policy: withShop(both), record: { ...ofPrimary, alone: true } });
  node.see(1, 'up');
  seeShop(node, 1, 'up', 'up'); // For this one the lease is asked for.
  const seen = { ...mirrored, role: 'primary' } as const;
  node.feed(10, { kind: 'storage-observed', group: 'office', resource: second.id, storage: seen });
  node.go(7000, { peer: ofPrimary, witness: held });
  t.deepEqual(node.ofKind('request-lease').at(-1)?.marks, { alone: ['office'], same: [] });
});

test('a mark that is to be taken off counts no longer, whether or not that is answered', (t) => {
  const node = runningOwner({ lease: true });
  node.go(3000, { witness: held });
  node.show(3010, apart);
  node.go(3500);
  t.deepEqual(node.state().lease.ownAlone, ['office']);
  node.show(3510, { ...mirrored, role: 'primary' });
  node.go(12_000, { witness: null });
  t.deepEqual(node.ofKind('request-lease').at(-1)?.marks.same, ['office']);
  t.deepEqual(node.state().lease.ownAlone, []);
});

/** The secondary starts the group, since the peer is silent; its disk, where it has one, was shown with its mirror before. */
function startsAfterSilence(onDisk: boolean) {
  const node = oneCore({
    self: 'secondary',
    policy: protectedPolicy('secondary', { lease: true, disk: onDisk }),
  });
  node.see(1, 'down');
  if (onDisk) node.show(1, { peerRole: 'primary' });
  node.go(2000, { peer: activeReport, witness: held, prompt: false });
  node.go(8000, { peer: null });
  if (node.phase()?.kind !== 'starting') throw new Error('it does not start');
  return node;
}

test('a group that has no disk, or is started beside a peer that lives and has its mirror, is not to write alone', (t) => {
  t.deepEqual(startsAfterSilence(false).ofKind('request-lease').at(-1)?.marks.alone, []);
  const node = taking({ lease: true });
  node.go(4000, { witness: held });
  t.is(node.phase()?.kind, 'starting');
  t.deepEqual(node.ofKind('request-lease').at(-1)?.marks.alone, []);
});

test('what DRBD showed before the peer fell silent does not tell whether its mirror is there', (t) => {
  const node = startsAfterSilence(true);
  t.deepEqual(node.ofKind('request-lease').at(-1)?.marks.alone, ['office']);
  t.deepEqual(node.state().lease.ownAlone, ['office']);
});

/** Without watchdogs the witness is only one more piece of evidence. */
const witnessAlone = (self: 'primary' | 'secondary') => ({ ...policyOf(self), watchdog: null });

test('without watchdogs, a takeover needs the evidence and the lease, held for the time that pausing takes', (t) => {
  const node = left(null, witnessAlone('secondary'));
  node.go(6000);
  t.is(node.state().verdict.kind, 'dead');
  t.deepEqual(node.asked, []);
  node.answerLease(6000, unreachable);
  t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'no-lease' });
  node.go(6400);
  node.answerLease(6400, held);
  t.is(node.phase()?.kind, 'stopped');
  node.go(6400 + pausingMs - 1);
  t.is(node.phase()?.kind, 'stopped');
  node.feed(6400 + pausingMs, { kind: 'time-passed' });
  t.is(node.phase()?.kind, 'starting');
});

test('without watchdogs, the lease proves nothing about a peer that may hang, and is an outside that answers', (t) => {
  const node = owner(held, witnessAlone('primary'));
  node.go(60_000, { peer: null, gateway: 'unanswered' });
  t.is(node.state().verdict.kind, 'dead', 'not fenced, and not cut off');
  t.is(node.phase()?.kind, 'active');
});
