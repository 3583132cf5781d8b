// What a status says of guests beyond up and down: whether they are ready, and what is wrong with their definitions.

import test from 'ava';
import { attentionOf } from '../../daemon/control/attention.ts';
import { attentionOfDefinitions } from '../../daemon/control/attention-definitions.ts';
import type { GuestDefinition } from '../../daemon/control/guests.ts';
import { statusOf, type ViewSource } from '../../daemon/control/view.ts';
import type { Policy } from '../../daemon/core/policy.ts';
import { examplePolicy, mail, protectedPolicy, web } from '../sim/example.ts';
import { uuidOf } from './support/definitions.ts';
import { oneCore } from './support/one-core.ts';
import { ofPrimary, starting } from './support/situations.ts';

const times = { needs: [], startMs: 5000, stopMs: 5000 } as const;
const plain = {
  priority: 0,
  after: [],
  startDelayMs: 0,
  memoryMiB: 1024,
  handover: 'shutdown',
  saveMs: null,
  migrateMs: null,
  cannot: { live: 'it shares its disk', save: 'there is no file system' },
} as const;
const policy: Policy = examplePolicy('primary', {
  resources: [
    { id: mail, kind: 'guest', ...times, guest: { ...plain, readyMs: 60_000 } },
    { id: web, kind: 'guest', ...times, guest: { ...plain, readyMs: null } },
  ],
});

function definition(name: string, state: GuestDefinition['state'], uuid = uuidOf(name)): GuestDefinition {
  const sides = [
    { node: 'primary', libvirt: 'in-use', stored: true },
    { node: 'secondary', libvirt: 'other', stored: true },
  ] as const;
  const inUse = { id: 'a'.repeat(64), node: 'secondary', takenAt: '2026-03-01T03:12:44.081Z' };
  return { name, uuid, group: 'office', state, sides, inUse };
}

const both = { self: 'secondary', peer: 'primary' };

test('a guest is asked once it is up, and its last answer is shown until it is ready', (t) => {
  const node = starting(policy);
  const shown = (guests: readonly GuestDefinition[] = []) =>
    statusOf({
      config: { cluster: 'office', nodes: [] } as never,
      state: node.state(),
      counters: [],
      nowMs: node.state().now,
      storage: new Map(),
      guestsUpForMs: new Map(),
      peerRemarks: null,
      witness: null,
      standbyLeftMs: null,
      gaps: { days: 0, links: [], silences: { count: 0, longestMs: 0 }, stalls: { count: 0, longestMs: 0 } },
      lateness: { count: 0, usualMs: 0, longestMs: 0 },
      readinessOf: (id) => `${id} said nothing`,
      definitions: { self: 'primary', peer: 'secondary', guests },
      safeguards: [],
      schedule: [],
      readiness: null,
    } satisfies ViewSource);
  const readiness = () => shown().groups[0]?.resources.map(({ ready, readyWhy }) => [ready, readyWhy]);
  t.deepEqual(readiness(), [
    [null, null],
    [null, null],
  ]);
  node.finish(1100, mail);
  node.finish(1100, web);
  t.deepEqual(readiness(), [
    [false, `${mail} said nothing`],
    [null, null],
  ]);
  node.feed(1200, { kind: 'guest-answered', group: 'office', resource: mail });
  t.deepEqual(readiness(), [
    [true, null],
    [null, null],
  ]);
  const codes = shown([definition('mail', 'conflict')]).attention.map(({ code }) => code);
  t.true(codes.includes('definitions-conflict'));
});

test('a definition that was edited on both nodes needs a person, and is told with what decides it', (t) => {
  t.deepEqual(
    attentionOfDefinitions({
      ...both,
      guests: [definition('mail', 'conflict'), definition('web', 'same'), definition('dns', 'not-yet')],
    }),
    [
      {
        severity: 'warning',
        code: 'definitions-conflict',
        message: "the definition of mail was edited on both nodes; a start uses secondary's",
        next: 'battito guests diff mail; then: battito guests keep mail --from primary|secondary',
      },
    ],
  );
});

test('a name with blanks is told as a shell takes it', (t) => {
  const [told] = attentionOfDefinitions({ ...both, guests: [definition('my vm', 'conflict')] });
  t.is(told?.next, "battito guests diff 'my vm'; then: battito guests keep 'my vm' --from primary|secondary");
});

test('a name that two guests have is told once', (t) => {
  const guests = [definition('mail', 'name-taken'), definition('mail', 'name-taken', uuidOf('other'))];
  const told = attentionOfDefinitions({ ...both, guests });
  t.deepEqual(
    told.map(({ code, message }) => [code, message]),
    [['guest-name-taken', 'mail is the name of two guests, each node made its own']],
  );
});

test('a guest that ended is not started while a peer that is silent since the daemon began may have it: what to do is told', (t) => {
  const node = oneCore({ policy: protectedPolicy('primary', { device: true }), record: ofPrimary });
  node.see(1, 'up');
  const said = () => attentionOf(node.state()).find(({ code }) => code === 'waiting-for-peer');
  node.go(20_000, { peer: null });
  t.is(node.phase()?.kind, 'active');
  t.is(said(), undefined, 'nothing waits');
  node.feed(20_010, { kind: 'resource-observed', group: 'office', resource: mail, status: { kind: 'down' } });
  node.go(40_000);
  t.like(said(), {
    severity: 'alarm',
    message:
      'office waits: secondary has not been heard since this daemon started, and may hold what is down here',
    next: 'power secondary off, then: battito fence confirm secondary',
  });
});
