// From a group's phase to operations on its resources: what is asked for, in which order, until when, and what is
// made of how it ended.

import test from 'ava';
import { address, examplePolicy, mail, web } from '../sim/example.ts';
import { activeReport, type OneCore, oneCore } from './support/one-core.ts';
import { handover } from './support/requests.ts';
import { freezingOwner, ofPrimary, owner, starting } from './support/situations.ts';

const failed = { kind: 'failed', code: 'x', message: 'no memory' } as const;
const unknown = { kind: 'unknown', message: 'no answer in time' } as const;
const cancelled = { kind: 'failed', code: 'cancelled', message: 'taken back' } as const;

const operations = (node: OneCore) =>
  node.ofKind('start-operation').map(({ action, resource, deadlineMs }) => [action, resource, deadlineMs]);
const cancels = (node: OneCore) => node.ofKind('cancel-operation').length;

/** The primary lets go of the group in order, since its peer was granted it; its drivers do nothing by themselves. */
function handingOver(policy = examplePolicy('primary')): OneCore {
  const node = owner({ policy });
  node.go(2050, { prompt: false });
  node.request(2050, handover);
  node.hear(2060, { ...ofPrimary, claim: { id: 1, reason: 'offered' } });
  if (node.phase()?.kind !== 'stopping') throw new Error('it does not hand over');
  node.go(2100, { peer: { ...ofPrimary, claim: { id: 1, reason: 'offered' } } });
  node.asked.length = 0;
  return node;
}

test('no more guests are being started at once than the policy says; an address does not count', (t) => {
  const node = starting({ ...examplePolicy('primary'), parallelStarts: 1 });
  t.deepEqual(node.asked, [`start ${address}`, `start ${mail}`]);
  node.finish(1100, mail);
  t.deepEqual(node.asked.slice(2), [`start ${web}`]);
  t.deepEqual(starting({ ...examplePolicy('primary'), parallelStarts: 2 }).asked.length, 3);
});

test('an address is put back while as many guests are being started as may be', (t) => {
  const node = owner({ policy: { ...examplePolicy('primary'), parallelStarts: 1 } });
  node.go(2050, { prompt: false });
  node.asked.length = 0;
  node.seeOne(2060, web, { kind: 'down' });
  node.seeOne(2070, mail, { kind: 'down' });
  node.seeOne(2080, address, { kind: 'down' });
  t.deepEqual(node.asked, [`start ${web}`, `start ${address}`]);
});

test('nothing is started before the revision of the ledger that holds its generation is on disk', (t) => {
  const node = starting(examplePolicy('primary'), { persists: false });
  t.deepEqual(node.asked, []);
  const revision = node.ofKind('persist-ledger').at(-1)?.revision ?? 0;
  node.feed(1060, { kind: 'ledger-persisted', revision: revision - 1 });
  t.deepEqual(node.asked, []);
  node.feed(1070, { kind: 'ledger-persisted', revision });
  t.deepEqual(node.asked, [`start ${address}`, `start ${mail}`, `start ${web}`]);
  t.is(node.record()?.generation, 1);
});

test('of a group that was found running with no record nothing is put back before a person accepts its data', (t) => {
  const node = oneCore();
  node.see(1, 'up');
  node.go(31_000, { peer: null });
  node.seeOne(31_010, web, { kind: 'down' });
  node.go(35_000);
  t.deepEqual(node.phase(), { kind: 'active', generation: 0 });
  t.deepEqual(node.asked, [], 'nor is its address announced');
  node.request(35_000, { kind: 'accept-data', groups: ['office'] });
  t.deepEqual(node.asked, [`start ${address}`, `start ${web}`]);
});

test('an address that was adopted is announced once, a guest that was adopted is left as it is', (t) => {
  const node = owner();
  node.go(10_000);
  t.deepEqual(node.asked, [`start ${address}`]);
});

test('an address that fails is tried again for ever, after twice as long each time, up to half a minute', (t) => {
  const node = starting();
  const count = () => node.askedOf(address).length;
  let at = 1100;
  node.go(at);
  for (const waitMs of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
    node.finish(at, address, failed);
    const before = count();
    node.go(at + waitMs - 1);
    t.is(count(), before, `not before ${waitMs} ms`);
    at += waitMs;
    node.go(at);
    t.is(count(), before + 1, `after ${waitMs} ms`);
  }
  t.is(node.resource(address).quarantined, null);
  node.finish(at, address);
  node.seeOne(at + 10, address, { kind: 'down' });
  t.is(node.askedOf(address).at(-1), 'start', 'a success ends that: it is put back at once');
});

test('a guest that fails to start three times is given up with an alarm, and the rest is up without it', (t) => {
  const node = starting();
  node.finish(1060, address);
  node.finish(1060, web);
  for (const at of [1100, 10_000, 20_000]) {
    t.is(node.resource(mail).quarantined, null);
    node.go(at);
    node.finish(at, mail, failed);
  }
  t.is(node.resource(mail).quarantined, 'no memory');
  t.is(node.phase()?.kind, 'active');
  t.is(node.report()?.quarantined, 1);
  const alarms = node.ofKind('note').filter(({ note: { code } }) => code === 'quarantined');
  t.is(alarms.length, 1);
  t.regex(alarms[0]?.note.message ?? '', /guest:mail is given up: no memory/);
  t.regex(alarms[0]?.note.next ?? '', /battito retry office/);
  node.go(120_000);
  t.is(node.askedOf(mail).length, 3);
});

test('a guest of which nobody can tell whether it started is not given up for that', (t) => {
  const node = starting();
  node.finish(1060, address);
  node.finish(1060, web);
  for (const at of [1100, 10_000, 20_000, 40_000]) {
    node.go(at);
    node.finish(at, mail, unknown);
    node.seeOne(at + 10, mail, { kind: 'down' });
  }
  t.is(node.resource(mail).quarantined, null);
  t.is(node.phase()?.kind, 'active', 'the group is not held up by it');
  node.go(80_000);
  t.is(node.askedOf(mail).length, 5, 'and it is tried on');
});

test('a stop that fails three times gives nothing up: it is tried on, the second time at once and by force', (t) => {
  const node = handingOver();
  node.finish(2110, address);
  t.deepEqual(node.asked, [`stop ${mail}`, `stop ${web}`]);
  for (const at of [2200, 5000, 10_000]) {
    node.go(at);
    node.finish(at, mail, failed);
  }
  node.go(30_000);
  t.is(node.resource(mail).quarantined, null);
  t.deepEqual(node.askedOf(mail), ['stop', 'stop', 'destroy', 'destroy']);
});

test('each action has its own time: starts and stops that of the resource, freezing and destroying their own', (t) => {
  const resources = [{ id: mail, kind: 'guest', needs: [], startMs: 7000, stopMs: 9000 }] as const;
  const plain = examplePolicy('primary', { resources });
  const policy = { ...plain, probes: plain.probes.filter(({ kind }) => kind !== 'floating') };
  t.deepEqual(operations(starting(policy)), [['start', mail, 7000]]);
  const stopping = handingOver(policy);
  t.deepEqual(operations(stopping), [['stop', mail, 9000]]);
  const node = owner({ policy });
  node.go(5000, { peer: null, gateway: 'unanswered' });
  node.go(6000, { peer: { ...ofPrimary, generation: 4, phase: 'active', holdsRest: true } });
  t.deepEqual(operations(node), [
    ['freeze', mail, 5000],
    ['destroy', mail, 10_000],
  ]);
  const back = owner({ policy });
  back.go(5000, { peer: null, gateway: 'unanswered' });
  back.go(5100, { peer: ofPrimary });
  const phase = back.phase();
  const claim = phase?.kind === 'frozen' ? phase.claim.id : 0;
  back.go(5200, { peer: { ...ofPrimary, grant: { incarnation: 50, claim } } });
  t.deepEqual(operations(back).at(-1), ['resume', mail, 7000]);
});

test('in order, the address is let go first, and the guests after it', (t) => {
  const node = handingOver();
  t.deepEqual(node.askedOf(address), ['start', 'stop']);
  t.deepEqual(node.asked, [], 'a guest waits for that');
  node.finish(2110, address);
  t.deepEqual(node.asked, [`stop ${mail}`, `stop ${web}`]);
});

test('an address that cannot be let go keeps its guests only until it has failed twice', (t) => {
  const node = handingOver();
  node.finish(2110, address, failed);
  node.go(3109);
  t.deepEqual(node.asked, []);
  node.go(3110);
  t.deepEqual(node.asked, [`stop ${address}`], 'the address first, once more');
  node.finish(3120, address, failed);
  t.deepEqual(node.asked.slice(1), [`stop ${mail}`, `stop ${web}`]);
  node.go(10_000);
  t.is(node.askedOf(address).at(-1), 'destroy');
});

test('a guest that was paused is not asked to shut down: it is ended', (t) => {
  const node = handingOver();
  node.seeOne(2105, mail, { kind: 'paused' });
  node.finish(2110, address);
  t.deepEqual(node.asked, [`destroy ${mail}`, `stop ${web}`]);
});

test('a guest that needs another one is let go before it', (t) => {
  const plain = examplePolicy('primary');
  const policy = examplePolicy('primary', {
    resources: (plain.groups[0]?.resources ?? []).map((one) =>
      one.id === web ? { ...one, needs: [mail] } : one,
    ),
  });
  const up = starting(policy);
  t.deepEqual(up.asked, [`start ${address}`, `start ${mail}`]);
  const node = handingOver(policy);
  node.finish(2110, address);
  t.deepEqual(node.asked, [`stop ${web}`]);
  node.finish(2120, web);
  t.deepEqual(node.asked, [`stop ${web}`, `stop ${mail}`]);
});

test('a start that a freeze overtakes is taken back, once, and what it did is no failure of the guest', (t) => {
  const node = starting();
  node.go(5000, { peer: null, gateway: 'unanswered' });
  t.is(node.phase()?.kind, 'frozen');
  t.is(cancels(node), 3);
  const { failures, lastError } = node.resource(mail);
  node.finish(5010, mail, cancelled);
  t.deepEqual([node.resource(mail).failures, node.resource(mail).lastError], [failures, lastError]);
  t.is(node.resource(mail).operation, null);
  t.is(cancels(node), 3);
});

test('a stop in order is taken back when there is no time left for it, and what is to be destroyed is', (t) => {
  const node = handingOver();
  node.finish(2110, address);
  node.go(6000, { peer: null, gateway: 'unanswered' });
  t.is(node.group().rule, 'stop-at-once');
  t.is(cancels(node), 2);
  node.finish(6010, mail, cancelled);
  t.is(node.askedOf(mail).at(-1), 'destroy', 'at once, without a pause');
  node.go(10_000);
  t.is(cancels(node), 2, 'a destroy is not taken back');
});

test('a freeze that is under way is not taken back when the node goes on', (t) => {
  const node = freezingOwner();
  t.deepEqual(node.askedOf(mail), ['freeze']);
  node.hear(node.endedAt + 10, { ...ofPrimary });
  const phase = node.phase();
  const claim = phase?.kind === 'frozen' ? phase.claim.id : 0;
  node.hear(node.endedAt + 20, { ...ofPrimary, grant: { incarnation: 50, claim } });
  t.is(node.phase()?.kind, 'starting');
  t.is(cancels(node), 0);
  node.finish(node.endedAt + 30, mail);
  t.deepEqual(node.askedOf(mail), ['freeze', 'resume'], 'it is undone when it has ended');
});

test('when frozen, the address is removed, guests are paused, and what is paused already is left alone', (t) => {
  const node = owner();
  node.go(2050, { prompt: false });
  node.seeOne(2060, web, { kind: 'paused' });
  node.finish(2070, web);
  node.asked.length = 0;
  node.go(5000, { peer: null, gateway: 'unanswered', prompt: true });
  t.is(node.phase()?.kind, 'frozen');
  t.deepEqual(node.asked, [`destroy ${address}`, `freeze ${mail}`, `freeze ${web}`]);
  t.is(node.resource(mail).status?.kind, 'paused');
  t.is(node.resource(address).status?.kind, 'down');
});

test('what nobody can tell of a guest is never taken for down: it is destroyed, and not started', (t) => {
  const node = starting();
  node.finish(1060, mail, unknown);
  t.deepEqual(node.resource(mail).status, { kind: 'unknown', message: 'no answer in time' });
  node.go(20_000);
  t.deepEqual(node.askedOf(mail), ['start'], 'it may be running');
  node.seeOne(20_010, mail, { kind: 'down' });
  t.deepEqual(node.askedOf(mail), ['start', 'start']);
});

test('what failed is as it was seen before, and the failure is kept until the next success', (t) => {
  const node = starting();
  node.finish(1060, mail, failed);
  t.is(node.resource(mail).status?.kind, 'down');
  t.is(node.resource(mail).lastError, 'no memory');
  node.go(5000);
  node.finish(5010, mail);
  t.is(node.resource(mail).status?.kind, 'up');
  t.is(node.resource(mail).lastError, null);
});

test('a guest that keeps dying is started eight times within an hour, and no more', (t) => {
  const node = owner();
  node.go(2050, { prompt: false });
  let at = 2050;
  for (let count = 1; count <= 8; count += 1) {
    node.seeOne(at, mail, { kind: 'down' });
    t.is(node.askedOf(mail).length, count);
    node.finish(at, mail);
    at += 1000;
    node.go(at);
  }
  node.seeOne(at, mail, { kind: 'down' });
  t.is(node.askedOf(mail).length, 8);
  t.regex(node.resource(mail).quarantined ?? '', /started 8 times within an hour/);
  t.true(node.codes().includes('quarantined'), 'and a person is told');
});

test('an address may be put back any number of times', (t) => {
  const node = owner();
  node.go(2050, { prompt: false });
  for (let at = 2060; at < 2080; at += 1) {
    node.seeOne(at, address, { kind: 'down' });
    node.finish(at, address);
  }
  t.is(node.askedOf(address).length, 21);
});

/** A guest of the owner has died eight times, from 2100 on, and is up again. */
function diedOften(): OneCore {
  const node = owner();
  node.go(2050, { prompt: false });
  for (let at = 2100; at < 2180; at += 10) {
    node.seeOne(at, mail, { kind: 'down' });
    node.finish(at, mail);
  }
  return node;
}

test('starts of an hour ago and more do not count against a guest', (t) => {
  const node = diedOften();
  const later = 2100 + 3_600_000;
  node.hear(later - 100, ofPrimary);
  node.go(later);
  node.seeOne(later, mail, { kind: 'down' });
  t.is(node.askedOf(mail).length, 9);
  node.finish(later, mail);
  node.seeOne(later + 5, mail, { kind: 'down' });
  t.regex(node.resource(mail).quarantined ?? '', /8 times/, 'the other seven do');
});

test('a guest that was started as often as may be is still stopped, and still resumed', (t) => {
  const node = diedOften();
  node.go(2200, { prompt: true });
  node.seeOne(2210, mail, { kind: 'paused' });
  t.is(node.askedOf(mail).at(-1), 'resume');
  node.go(2300);
  node.request(2300, handover);
  node.go(2500, { peer: { ...ofPrimary, claim: { id: 1, reason: 'offered' } } });
  t.is(node.askedOf(mail).at(-1), 'stop');
  t.is(node.resource(mail).quarantined, null);
});

test('only starts count as starts: a guest that was paused and resumed often is started when it dies', (t) => {
  const node = owner();
  for (let at = 2050; at < 2500; at += 50) {
    node.seeOne(at, mail, { kind: 'paused' });
    node.go(at + 50);
  }
  t.is(node.askedOf(mail).length, 9);
  node.seeOne(2510, mail, { kind: 'down' });
  t.is(node.askedOf(mail).at(-1), 'start');
});

test('at once, all is destroyed together, whatever needs whatever', (t) => {
  const plain = examplePolicy('primary');
  const policy = examplePolicy('primary', {
    resources: (plain.groups[0]?.resources ?? []).map((one) =>
      one.id === web ? { ...one, needs: [mail] } : one,
    ),
  });
  const node = owner({ policy });
  node.go(2050, { prompt: false });
  node.asked.length = 0;
  node.hear(2060, { ...activeReport, generation: 4 });
  t.deepEqual(node.asked, [`destroy ${address}`, `destroy ${mail}`, `destroy ${web}`]);
});

test('a start is complete although an address that is up already is still being announced', (t) => {
  const node = oneCore();
  node.see(1, 'up');
  node.seeOne(2, mail, { kind: 'down' });
  node.hear(10);
  t.deepEqual(node.asked, [`start ${address}`, `start ${mail}`]);
  t.is(node.phase()?.kind, 'starting');
  node.finish(20, mail);
  t.is(node.phase()?.kind, 'active');
});
