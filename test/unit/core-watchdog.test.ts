// The watchdog that resets this host: armed before anything starts, fed by right only, and disarmed when nothing needs
// it. docs/decisions/0007-fencing-lease-watchdog.md.

import test from 'ava';
import type { Policy } from '../../daemon/core/policy.ts';
import { address, disk, mail, mount, protectedPolicy, web } from '../sim/example.ts';
import { activeReport, apart, type OneCore, oneCore, ownRun } from './support/one-core.ts';
import { ofPrimary, runningOwner, seeShop, withShop } from './support/situations.ts';

const policy = protectedPolicy('primary', { lease: true });
const { freezeAfterMs, keepaliveMs } = policy.timings;
const held = { kind: 'held', term: 1, peerAlone: [] } as const;
const unreachable = { kind: 'unreachable', message: 'it does not answer' } as const;
const broken = { kind: 'failed', code: 'watchdog-missing', message: '/dev/watchdog does not exist' } as const;

const armings = (node: OneCore) => node.ofKind('arm-watchdog').length;
const feedings = (node: OneCore) => node.ofKind('pet-watchdog').length;
const disarmings = (node: OneCore) => node.ofKind('disarm-watchdog').length;

/** The primary has been granted the group, and its watchdog has been asked for. */
function granted(given: Policy = policy) {
  const node = oneCore({ policy: given });
  node.see(1, 'down');
  node.go(1000, { watchdog: null, prompt: false });
  const phase = node.phase();
  if (phase?.kind !== 'claiming') throw new Error(`it does not claim, it is ${phase?.kind}`);
  node.go(1100, { peer: { grant: { incarnation: ownRun, claim: phase.claim.id } }, witness: held });
  return node;
}

/** The primary runs the group, which has no disk, until 2 s. */
function owner(given: Policy = policy) {
  const node = oneCore({ policy: given, record: ofPrimary });
  node.see(1, 'up');
  node.go(2000, { peer: ofPrimary, witness: held });
  return node;
}

const finishArming = (node: OneCore, at: number, outcome: typeof broken | { readonly kind: 'done' }) => {
  const { operation } = node.state().watchdog;
  if (operation === null) throw new Error('it is not being armed');
  node.feed(at, { kind: 'operation-finished', operation, outcome });
};

test('nothing is started before the watchdog counts', (t) => {
  const node = granted();
  t.is(node.phase()?.kind, 'starting');
  t.is(armings(node), 1);
  node.go(5000);
  t.is(armings(node), 1, 'asked for once');
  t.deepEqual(node.asked, []);
  t.is(feedings(node), 0);
  finishArming(node, 5010, { kind: 'done' });
  t.is(node.asked.length, 3);
  const numbers = node.effects.flatMap((effect) => ('operation' in effect ? [effect.operation] : []));
  t.is(new Set(numbers).size, numbers.length, 'no two things that are asked for have the same number');
});

test('a watchdog without a witness, or a witness without a watchdog, is none to rely on', (t) => {
  for (const given of [
    { ...policy, witness: null },
    { ...policy, watchdog: null },
  ]) {
    const node = granted(given);
    t.is(armings(node), 0);
    t.is(node.asked.length, 3);
  }
});

test('a node that has no group arms nothing', (t) => {
  const node = oneCore({ self: 'secondary', policy: protectedPolicy('secondary', { lease: true }) });
  node.see(1, 'down');
  node.go(5000, { peer: activeReport });
  t.is(armings(node), 0);
});

test('a watchdog that cannot be armed: nothing is started here, and a person is told what to do', (t) => {
  const node = granted();
  finishArming(node, 1110, broken);
  node.go(1110 + 4999);
  t.is(armings(node), 1);
  t.deepEqual(node.asked, []);
  t.false(node.report()?.willing);
  const note = node.ofKind('note').find((effect) => effect.note.code === 'watchdog-failed')?.note;
  t.is(note?.severity, 'alarm');
  t.regex(note?.message ?? '', /does not exist/);
  t.regex(note?.next ?? '', /modprobe/);
  node.feed(1110 + 5000, { kind: 'time-passed' });
  t.is(armings(node), 2, 'tried again after five seconds');
  t.is(node.phase()?.kind, 'stopped', 'given back meanwhile');
  finishArming(node, 6200, { kind: 'done' });
  t.true(node.report()?.willing);
  t.is(node.ofKind('disarm-watchdog').length, 1, 'nothing is held here that would need it');
});

test('a node without a working watchdog says so: to a person who asks for the group, and when its peer is gone', (t) => {
  const node = granted();
  finishArming(node, 1110, broken);
  node.go(1200, { peer: { ...activeReport, generation: 9, owner: 'secondary' }, watchdog: broken });
  node.obey(1200);
  t.is(node.phase()?.kind, 'stopped');
  const answer = node.request(1210, { kind: 'takeover', groups: [] });
  t.is(answer.kind, 'refused');
  t.regex(answer.message, /the watchdog of primary cannot be armed/);
  node.go(10_000, { peer: null });
  t.deepEqual(node.phase(), { kind: 'blocked', obstacle: 'no-watchdog' });
  t.deepEqual(node.asked, []);
  const note = node.ofKind('note').findLast((effect) => effect.note.code === 'block')?.note;
  t.regex(`${note?.message} ${note?.next}`, /the watchdog of this node cannot be armed.*modprobe/);
});

test('an owner feeds its watchdog at every keepalive, while its peer hears it or the lease is its own', (t) => {
  const node = owner();
  t.is(armings(node), 1, 'what was adopted needs it as well');
  const before = feedings(node);
  const from = node.state().watchdog.petAt;
  node.go(from - 1);
  t.is(feedings(node), before);
  node.go(from);
  t.is(feedings(node), before + 1);
  node.go(from + keepaliveMs - 1);
  t.is(feedings(node), before + 1);
  node.go(from + keepaliveMs);
  t.is(feedings(node), before + 2);
  const alone = feedings(node);
  node.go(6000, { peer: null });
  t.true(feedings(node) > alone + 10, 'by the lease');
});

/** The primary has lost contact and lease, and its guests have not been paused yet. */
function freezing(node: OneCore) {
  node.go(2500, { witness: unreachable });
  node.go(8000, { peer: null, prompt: false });
  if (node.phase()?.kind !== 'frozen') throw new Error(`it is ${node.phase()?.kind}`);
  return node;
}

test('what cannot be stopped is not fed for: no more than a keepalive after the right has ended', (t) => {
  const node = owner();
  node.go(2500, { witness: unreachable });
  const endsAt = Math.max(
    (node.state().peer.contactAt ?? 0) + freezeAfterMs,
    node.state().lease.validUntil ?? 0,
  );
  node.go(endsAt - 1, { peer: null, prompt: false });
  const before = feedings(node);
  t.true(before > 0);
  node.go(20_000);
  t.is(feedings(node), before);
  t.is(disarmings(node), 0);
});

test('it is fed again when the last of the guests is paused and the address is gone', (t) => {
  const node = freezing(owner());
  const before = feedings(node);
  for (const id of [mail, web]) node.finish(8010, id);
  node.go(8300);
  t.is(feedings(node), before, 'the address still answers');
  node.finish(8310, address);
  t.is(feedings(node), before + 1);
  node.go(20_000);
  t.true(feedings(node) > before + 20, 'and from then on, as long as it is frozen');
});

test('a promoted disk whose guests are paused is not written to', (t) => {
  const node = freezing(runningOwner({ lease: true }));
  const before = feedings(node);
  for (const id of [address, mail]) node.finish(8010, id);
  node.go(8300);
  t.is(feedings(node), before, 'one guest still runs');
  node.finish(8310, web);
  t.is(node.resource(disk).status?.kind, 'up');
  t.is(feedings(node), before + 1);
});

test('a guest that may still come up is not harmless, though it is seen down', (t) => {
  const node = granted();
  finishArming(node, 1110, { kind: 'done' });
  for (const id of [address, web]) node.finish(1120, id);
  node.go(2400, { witness: unreachable });
  node.go(3300, { peer: null });
  node.finish(3300, mail, { kind: 'unknown', message: 'it took too long' });
  node.seeOne(3310, mail, { kind: 'down' });
  node.go(4000);
  t.is(node.phase()?.kind, 'frozen');
  t.deepEqual(node.askedOf(mail), ['start', 'destroy']);
  for (const id of [address, web]) node.finish(4010, id);
  const before = feedings(node);
  node.go(4300);
  t.is(feedings(node), before);
  node.finish(4310, mail);
  t.is(feedings(node), before + 1);
});

test('a node that may not run what it found does not arm its watchdog for it', (t) => {
  const node = oneCore({ policy, record: { ...ofPrimary, frozen: true } });
  node.see(1, 'paused');
  node.go(5000, { peer: null, witness: unreachable });
  t.is(node.phase()?.kind, 'frozen');
  t.is(armings(node), 0);
  node.go(5100, { peer: { ...activeReport, phase: 'frozen' } });
  t.is(armings(node), 1);
});

test('it is disarmed when nothing is held and all is down, and not before', (t) => {
  const node = owner();
  const claim = { id: 3, reason: 'operator' } as const;
  node.go(2500, { peer: { ...ofPrimary, claim }, prompt: false });
  t.is(node.phase()?.kind, 'stopping');
  node.finish(2510, address);
  node.finish(2520, mail);
  t.is(disarmings(node), 0);
  node.finish(2530, web);
  t.is(node.phase()?.kind, 'stopped');
  t.is(disarmings(node), 1);
  const before = feedings(node);
  node.go(5000);
  t.is(disarmings(node), 1);
  t.is(feedings(node), before);
});

test('a guest of which it cannot be told whether it is down keeps the watchdog from being disarmed', (t) => {
  const node = owner();
  node.go(2500, { peer: { ...activeReport, generation: 9 }, prompt: false });
  for (const id of [address, web]) node.finish(2510, id);
  node.finish(2520, mail, { kind: 'unknown', message: 'it took too long' });
  t.is(disarmings(node), 0);
  t.is(node.phase()?.kind, 'stopping');
});

test('of two groups both have to stand still before it is fed again', (t) => {
  const node = oneCore({ policy: withShop(policy), record: ofPrimary });
  node.see(1, 'up');
  seeShop(node, 1, 'up', 'up');
  node.go(2000, { peer: ofPrimary, witness: held });
  freezing(node);
  const before = feedings(node);
  for (const id of [address, mail, web]) node.finish(8010, id);
  node.go(9000);
  t.is(feedings(node), before);
});

test('a guest of another group of which nothing can be told keeps it from being disarmed', (t) => {
  for (const cellarIs of ['down', 'unknown'] as const) {
    const node = oneCore({ policy: withShop(policy), record: ofPrimary });
    node.see(1, 'up');
    seeShop(node, 1, 'down', 'down');
    node.go(2000, { peer: ofPrimary, witness: held });
    seeShop(node, 2000, 'down', cellarIs);
    node.go(2500, { peer: { ...ofPrimary, claim: { id: 3, reason: 'operator' } } });
    t.is(node.phase()?.kind, 'stopped');
    t.is(disarmings(node), cellarIs === 'down' ? 1 : 0);
  }
});

test('a daemon that ends in order disarms it', (t) => {
  const node = owner();
  node.feed(2010, { kind: 'stop-requested' });
  node.go(4000, { peer: { ...ofPrimary, willing: false } });
  t.is(node.ofKind('exit').length, 1);
  t.is(disarmings(node), 1);
});

test('a daemon that ends in maintenance disarms it only if its peer has read of that', (t) => {
  for (const hearsUs of [true, false]) {
    const node = owner();
    node.go(2050, { hearsUs });
    node.request(2060, { kind: 'maintenance', durationMs: 600_000 });
    node.go(2500);
    node.feed(2510, { kind: 'stop-requested' });
    t.is(node.ofKind('exit').length, 1);
    t.is(disarmings(node), hearsUs ? 1 : 0, 'its host is reset otherwise, before the peer takes over');
  }
});

test('a start that hangs when the right to run ends is no reason to be fed: what it brings up may run already', (t) => {
  const node = granted();
  finishArming(node, 1100, { kind: 'done' });
  for (const id of [address, web]) node.finish(1200, id);
  t.is(node.resource(mail).operation?.action, 'start');
  node.go(1300, { peer: null, gateway: 'unanswered', witness: null });
  const right = Math.max(
    node.state().lease.validUntil ?? 0,
    (node.state().peer.contactAt ?? 0) + freezeAfterMs,
  );
  node.go(right);
  t.is(node.phase()?.kind, 'frozen');
  for (const id of [address, web]) node.finish(right, id);
  const before = feedings(node);
  node.go(right + 5000);
  t.is(feedings(node), before);
  node.finish(right + 5000, mail, broken);
  node.go(right + 6000);
  t.true(feedings(node) > before, 'it came to nothing after all');
});

test('a watchdog that a daemon before left running is stopped where nothing is left that it is to end', (t) => {
  const node = oneCore({ policy, watchdogRuns: true });
  node.go(500, { watchdog: null });
  t.is(armings(node), 0, 'nobody has looked yet: to open it is to feed it');
  node.see(1000, 'down');
  t.is(armings(node), 1, 'it has to be opened to be stopped');
  finishArming(node, 1010, { kind: 'done' });
  t.is(disarmings(node), 1);
  node.go(10_000, { peer: activeReport });
  t.is(armings(node), 1, 'once');
  t.is(feedings(node), 0);
});

test('a watchdog that a daemon before left running is not fed for what is found without a right to it', (t) => {
  const node = oneCore({ policy, watchdogRuns: true });
  node.see(1, 'up');
  node.go(2000, { peer: null, watchdog: null });
  t.is(armings(node), 0);
  const unseen = oneCore({ policy, watchdogRuns: true });
  const seen = { group: 'office', resource: mail, status: { kind: 'down' } } as const;
  unseen.feed(1, { kind: 'resource-observed', ...seen });
  unseen.go(2000, { peer: null, watchdog: null });
  t.is(armings(unseen), 0, 'of the other guest nothing is known');
});

test('a watchdog that a daemon before left running is left so while what that one was starting may come up', (t) => {
  const starting = { kind: 'unknown', message: 'it is being started' } as const;
  const node = oneCore({ policy, watchdogRuns: true });
  for (const id of [address, web]) node.seeOne(1, id, { kind: 'down' });
  node.seeOne(1, mail, starting);
  node.go(1000, { watchdog: null });
  t.is(armings(node), 0);
  node.seeOne(1010, mail, { kind: 'down' });
  t.is(armings(node), 1);
  for (const isHeard of [true, false]) {
    const owner = oneCore({ policy, record: ofPrimary, watchdogRuns: true });
    for (const id of [address, web]) owner.seeOne(1, id, { kind: 'up' });
    owner.seeOne(1, mail, starting);
    owner.go(1000, { watchdog: null, ...(isHeard ? {} : { peer: null }) });
    t.is(owner.phase()?.kind, isHeard ? 'active' : 'frozen');
    t.is(armings(owner), isHeard ? 1 : 0, 'by right it is fed for what runs beside it');
  }
  const without = oneCore({ policy, watchdogRuns: true });
  without.see(1, 'down');
  without.go(2000, { peer: null, watchdog: null });
  t.is(armings(without), 0, 'without a right nothing is fed');
});

test('a file system that writes on beneath guests that stand still has the host reset, unless what it stands on is held back', (t) => {
  for (const suspended of ['no', 'user'] as const) {
    const mounted = protectedPolicy('primary', { disk: true, mounted: true, lease: true });
    const node = oneCore({ policy: mounted, record: ofPrimary });
    node.see(1, 'up');
    node.show(1, { role: 'primary' });
    node.go(2000, { peer: ofPrimary, witness: held });
    t.true(feedings(node) > 0);
    node.go(2100, { peer: null, witness: unreachable, gateway: 'unanswered', prompt: false });
    node.show(2100, apart);
    node.go(6000);
    t.is(node.phase()?.kind, 'frozen');
    for (const id of [address, mail, web]) node.finish(6010, id);
    node.show(6020, { suspended });
    const before = feedings(node);
    node.go(9000);
    t.is(feedings(node) > before, suspended === 'user', suspended);
  }
});

test('a file system without a mirror cannot be held back: its host is reset', (t) => {
  const node = oneCore({
    policy: protectedPolicy('primary', { mounted: true, lease: true }),
    record: ofPrimary,
  });
  node.see(1, 'up');
  node.seeOne(1, mount, { kind: 'up' });
  node.go(2000, { peer: ofPrimary, witness: held });
  t.true(feedings(node) > 0);
  node.go(6000, { peer: null, witness: unreachable, gateway: 'unanswered', prompt: false });
  t.is(node.phase()?.kind, 'frozen');
  for (const id of [address, mail, web]) node.finish(6010, id);
  const before = feedings(node);
  node.go(9000);
  t.is(feedings(node), before);
});

test('a watchdog that runs and is not ours to open is told of, and tried again', (t) => {
  const node = oneCore({ policy, watchdogRuns: true });
  node.see(1, 'down');
  node.go(500, { watchdog: null });
  finishArming(node, 510, broken);
  t.true(node.codes().includes('watchdog-failed'));
  node.go(30_000);
  t.true(armings(node) > 1);
});
