// A file system between a group's disk and its guests: mounted after the one, unmounted after the others.

import test from 'ava';
import { factsOf } from '../../daemon/core/facts.ts';
import { reconcile } from '../../daemon/core/operations.ts';
import { address, disk, mail, mount, protectedPolicy, web } from '../sim/example.ts';
import { oneCore } from './support/one-core.ts';
import { handover } from './support/requests.ts';
import { freezingOwner, ofPrimary, runningOwner } from './support/situations.ts';

const policy = protectedPolicy('primary', { disk: true, mounted: true });
const broken = { kind: 'failed', code: 'fsck-failed', message: 'it needs a person' } as const;

const startedAt = 6000;

/** The primary, which was alone before, starts the group afresh; its disk is up. */
function promoted() {
  const node = oneCore({ policy, record: { ...ofPrimary, sole: true } });
  node.see(1, 'down');
  node.show(1, {});
  node.go(startedAt, { peer: null, prompt: false });
  node.finish(startedAt, address);
  if (node.askedOf(mount).length > 0) throw new Error('mounted before the disk was promoted');
  node.show(startedAt, { role: 'primary' });
  node.finish(startedAt, disk);
  return node;
}

test('it is mounted when its disk is promoted, and the guests are started when it is mounted', (t) => {
  const node = promoted();
  t.deepEqual(node.askedOf(mount), ['start']);
  t.deepEqual(node.askedOf(mail), []);
  node.finish(startedAt, mount);
  t.deepEqual(node.askedOf(mail), ['start']);
  t.deepEqual(node.askedOf(web), ['start']);
  node.obey(startedAt);
  t.is(node.phase()?.kind, 'active');
});

test('what cannot be mounted leaves its guests down, and the group counts as up as far as it can be', (t) => {
  const node = promoted();
  for (let at = startedAt; node.phase()?.kind === 'starting' && at < 20_000; at += 50) {
    node.go(at);
    if (node.resource(mount).operation !== null) node.finish(at, mount, broken);
  }
  t.is(node.phase()?.kind, 'active');
  t.is(node.resource(mount).failures, 3);
  t.is(node.resource(mount).lastError, broken.message);
  t.deepEqual(node.askedOf(mail), []);
  node.go(60_000);
  t.true(node.askedOf(mount).length > 3, 'it is tried again');
});

test('in an orderly stop it is unmounted after the guests and before the disk is demoted', (t) => {
  const node = runningOwner({}, policy);
  node.go(2050, { prompt: false });
  node.request(2050, handover);
  node.hear(2060, { ...ofPrimary, claim: { id: 1, reason: 'offered' } });
  node.finish(2070, address);
  t.deepEqual(node.askedOf(mount), []);
  for (const id of [web, mail]) node.finish(2080, id);
  t.deepEqual(node.askedOf(mount), ['stop']);
  t.deepEqual(node.askedOf(disk), []);
  node.finish(2090, mount);
  t.deepEqual(node.askedOf(disk), ['stop']);
});

test('a freeze leaves it mounted, and once its guests stand still the IO under it is held back', (t) => {
  const node = freezingOwner(policy);
  t.deepEqual(node.askedOf(disk), [], 'guests that are being paused wait for their writes');
  for (const id of [web, mail]) {
    t.deepEqual(node.askedOf(disk), []);
    node.finish(node.endedAt + 10, id);
  }
  node.obey(node.endedAt + 20);
  t.deepEqual(node.askedOf(mount), []);
  t.deepEqual(node.askedOf(disk), ['freeze']);
  t.true(node.group().frozenInTime);
});

test('where nothing is mounted the IO of guests that stand still needs no holding back', (t) => {
  const node = freezingOwner();
  node.obey(node.endedAt + 10);
  node.go(node.endedAt + 3000);
  t.deepEqual(node.askedOf(disk), []);
});

test('what is thrown away is unmounted only when its guests are gone, whose IO fails first', (t) => {
  const node = freezingOwner(policy);
  node.obey(node.endedAt + 10);
  node.hear(6000, {
    phase: 'active',
    generation: 4,
    owner: 'secondary',
    writer: 'secondary',
    holdsRest: true,
  });
  t.like(node.phase(), { kind: 'stopping', reason: 'discard' });
  t.deepEqual(node.askedOf(mount), []);
  t.deepEqual(node.askedOf(disk), ['freeze', 'destroy'], 'nobody who waits for it can be ended before');
  for (const id of [web, mail]) node.finish(6010, id);
  t.deepEqual(node.askedOf(mount), ['destroy']);
});

test('what is thrown away and not held back is demoted only when it is unmounted', (t) => {
  const node = runningOwner({}, policy);
  node.hear(2010, {
    phase: 'active',
    generation: 4,
    owner: 'secondary',
    writer: 'secondary',
    holdsRest: true,
  });
  t.like(node.phase(), { kind: 'stopping', reason: 'yield' });
  for (const id of [web, mail]) node.finish(2020, id);
  t.deepEqual(node.askedOf(mount), ['destroy']);
  t.deepEqual(node.askedOf(disk), []);
  node.finish(2030, mount);
  t.deepEqual(node.askedOf(disk), ['destroy']);
});

test('the IO under a mounted file system is not held back while a guest on it is still to come up', (t) => {
  const node = freezingOwner(policy);
  node.finish(node.endedAt + 10, web);
  const guest = node.resource(mail);
  t.is(guest.operation?.action, 'freeze');
  const coming = {
    ...guest,
    status: { kind: 'down' } as const,
    operation: { ...guest.operation, action: 'start' as const },
  };
  const group = {
    ...node.group(),
    resources: node.group().resources.map((one) => (one.id === mail ? coming : one)),
  } as ReturnType<typeof node.group>;
  const asked: string[] = [];
  reconcile(node.state(), group, factsOf(node.state(), group), (effect) => {
    if (effect.kind === 'start-operation') asked.push(`${effect.action} ${effect.resource}`);
  });
  t.deepEqual(asked, []);
});

test('IO that DRBD itself holds back fails before who waits for it is waited for, too', (t) => {
  const node = runningOwner({}, policy);
  node.show(2005, { suspended: 'fencing' });
  node.hear(2010, {
    phase: 'active',
    generation: 4,
    owner: 'secondary',
    writer: 'secondary',
    holdsRest: true,
  });
  t.deepEqual(node.askedOf(disk), ['destroy']);
});
