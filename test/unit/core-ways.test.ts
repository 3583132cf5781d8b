// By which way guests go in a handover: as each is configured, or as the operator wants it this once; and what is said of
// those that cannot.

import test from 'ava';
import type { OperatorRequest } from '../../daemon/core/events.ts';
import type { GuestPolicy, HandoverMode } from '../../daemon/core/policy.ts';
import { address, disk, examplePolicy, mail, web } from '../sim/example.ts';
import { mirrored, type OneCore, oneCore } from './support/one-core.ts';
import { words } from './support/requests.ts';
import { ableGuest, ofPrimary } from './support/situations.ts';

const times = { startMs: 5000, stopMs: 5000 } as const;
const second = 'drbd:r1';
const unable: Partial<GuestPolicy> = {
  saveMs: null,
  migrateMs: null,
  cannot: { live: 'it has a medium in it', save: 'there is no file system' },
};

/** Two guests with a device each, that go in every way. */
function waysPolicy(one: Partial<GuestPolicy> = {}, other: Partial<GuestPolicy> = {}) {
  return examplePolicy('primary', {
    resources: [
      { id: address, kind: 'address', needs: [], ...times },
      { id: disk, kind: 'drbd', needs: [], ...times },
      { id: second, kind: 'drbd', needs: [], ...times },
      { id: mail, kind: 'guest', needs: [disk], ...times, guest: { ...ableGuest, ...one } },
      { id: web, kind: 'guest', needs: [second], ...times, guest: { ...ableGuest, ...other } },
    ],
  });
}

const claim = { id: 1, reason: 'offered' } as const;
const taker = { ...ofPrimary, claim };

/** What DRBD shows of both devices. */
function show(node: OneCore, at: number, role: 'primary' | 'secondary'): void {
  const storage = { ...mirrored, role };
  node.show(at, storage);
  node.feed(at, { kind: 'storage-observed', group: 'office', resource: second, storage });
}

function running(policy = waysPolicy()): OneCore {
  const node = oneCore({ policy, record: ofPrimary });
  node.see(1, 'up');
  show(node, 1, 'primary');
  node.go(1500, { peer: ofPrimary });
  node.go(2000, { peer: ofPrimary, prompt: false });
  return node;
}

const handover = (guests?: HandoverMode): OperatorRequest => ({
  kind: 'handover',
  groups: [],
  ...(guests !== undefined && { guests }),
});
const standby = (guests: HandoverMode): OperatorRequest => ({ kind: 'standby', on: true, guests });

/** What it was asked for is granted to the peer; its address is gone. */
function given(node: OneCore, request: OperatorRequest): OneCore {
  node.request(2000, request);
  node.hear(2010, taker);
  node.go(2050, { peer: taker });
  node.finish(2060, address);
  node.go(2100);
  return node;
}

const modes = [
  ['live', ['forbid-two', 'allow-two'], []],
  ['save', ['forbid-two'], ['save']],
  ['shutdown', ['forbid-two'], ['stop']],
] as const;

for (const [mode, asked, actions] of modes) {
  for (const configured of ['live', 'save', 'shutdown'] as const) {
    test(`--guests ${mode} is for all guests, also where ${configured} is configured`, (t) => {
      const node = given(running(waysPolicy({ handover: configured })), handover(mode));
      t.deepEqual(node.askedOf(disk), asked);
      t.deepEqual([node.askedOf(mail), node.askedOf(web)], [actions, actions]);
    });
  }
}

test('without a word each guest goes as it is configured', (t) => {
  const node = given(running(waysPolicy({ handover: 'save' })), handover());
  t.deepEqual([node.askedOf(mail), node.askedOf(web)], [['save'], ['stop']]);
});

test('the word holds for standby as well', (t) => {
  const node = given(running(), standby('save'));
  t.deepEqual([node.askedOf(mail), node.askedOf(web)], [['save'], ['save']]);
});

test('the word is for this one handover: the next goes as configured', (t) => {
  const node = given(running(), handover('save'));
  t.is(node.group()?.handoverBy, 'save', 'kept while it stops');
  node.finish(2200, mail, { kind: 'done' });
  node.finish(2200, web, { kind: 'done' });
  show(node, 2300, 'secondary');
  for (const resource of [disk, second]) node.finish(2300, resource);
  t.is(node.phase()?.kind, 'stopped');
  t.is(node.group()?.handoverBy, null);
});

test('the word is forgotten with the wish, and taken back by the next one', (t) => {
  const old = running();
  old.request(2000, handover('save'));
  t.is(old.group()?.handoverBy, 'save');
  old.go(63_000, { peer: ofPrimary });
  t.is(old.group()?.handoverBy, null);
  const changed = running();
  changed.request(2000, handover('save'));
  changed.request(2010, handover());
  t.is(changed.group()?.handoverBy, null);
  const stays = running();
  stays.request(2000, standby('save'));
  stays.request(2010, { kind: 'standby', on: false });
  t.is(stays.group()?.handoverBy, null);
});

test('who cannot go that way goes by the next; the answer says who and why, and so does the history', (t) => {
  const node = running(waysPolicy({}, unable));
  const said =
    'web is shut down, not moved while it runs: it has a medium in it; not saved: there is no file system';
  t.is(words(node.request(2000, handover('live'))), `office goes to secondary; ${said}`);
  node.hear(2010, taker);
  node.go(2050, { peer: taker });
  node.finish(2060, address);
  node.go(2100);
  t.is(node.askedOf(disk).at(-1), 'allow-two');
  t.deepEqual(node.askedOf(web), ['stop']);
  t.deepEqual(
    node.ofKind('note').flatMap(({ note }) => (note.code === 'handover-otherwise' ? [note.message] : [])),
    [said],
  );
  const save = running(waysPolicy({}, unable));
  t.is(
    words(save.request(2000, standby('save'))),
    'primary hands everything over and takes nothing until `battito standby off`; web is shut down, not saved: there is no file system',
  );
  const plain = running(waysPolicy({}, unable));
  t.is(words(plain.request(2000, handover())), 'office goes to secondary');
});

test('what the peer could not take while it runs is saved, and DRBD is told nothing', (t) => {
  const unfit = { handover: 'live', cannot: { live: 'secondary has no bridge br1', save: null } } as const;
  const node = running(waysPolicy(unfit));
  t.regex(
    words(node.request(2000, handover())),
    /mail is saved, not moved while it runs: secondary has no bridge br1/,
  );
  node.hear(2010, taker);
  node.go(2050, { peer: taker });
  node.finish(2060, address);
  node.go(2100);
  t.deepEqual(node.askedOf(mail), ['save']);
  t.deepEqual(node.askedOf(disk), ['forbid-two'], 'as at every start');
  t.deepEqual(node.report()?.inviting, []);
});
