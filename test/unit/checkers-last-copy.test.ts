// Rule S13 fires where the peer is asked to mark the only copies that are left, and nowhere else.

import test from 'ava';
import type { StorageStatus } from '../../daemon/core/events.ts';
import type { State } from '../../daemon/core/state.ts';
import { createWorld } from '../../daemon/sim/world.ts';
import { createCheckers } from '../sim/checkers.ts';
import { plainSetup, policyOf, type Setup, worldOptionsOf } from '../sim/setups.ts';

const setup: Setup = { ...plainSetup, guard: 'device', drbd: 'resource-and-stonith' };
const policy = policyOf(setup, 'primary');

/** The owner of a group with a disk, at rest. */
function owner(): State {
  const world = createWorld(worldOptionsOf(setup, 1));
  for (const host of ['primary', 'secondary'] as const) world.apply({ kind: 'start-daemon', host });
  world.run(8000);
  const state = world.state('primary');
  if (state === null || state.sentContent === null) throw new Error('it has not said anything');
  return state;
}

const before = owner();

interface Shown {
  readonly storage: Partial<StorageStatus>;
  readonly outdatings?: readonly number[];
  readonly asks?: boolean;
}

/** What the rule says of a heartbeat of that node. */
function judged({ storage, outdatings = [], asks = true }: Shown): readonly string[] {
  const checkers = createCheckers(policy, () => before.ledger);
  const groups = before.groups.map((group) => ({
    ...group,
    resources: group.resources.map((resource) =>
      resource.storage === null
        ? resource
        : { ...resource, outdatings, storage: { ...resource.storage, ...storage } },
    ),
  }));
  const said = before.sentContent;
  if (said === null) throw new Error('nothing was said');
  const reports = said.groups.map((report) => ({ ...report, wantsOutdated: asks }));
  const after: State = { ...before, groups, sentContent: { ...said, groups: reports } };
  const event = { kind: 'time-passed', at: before.now } as const;
  checkers.see({ kind: 'stepped', at: 9000, side: 'primary', event, before, after, effects: [] });
  return checkers.violations.filter(({ rule }) => rule === 'S13').map(({ message }) => message);
}

const lost = { disk: 'diskless', connection: 'connecting' } as const;

test('a node whose disk has failed does not ask for the copy of the peer to be marked as the older one', (t) => {
  t.deepEqual(judged({ storage: lost }), [
    'office: the peer is asked to mark the only copies left as the older ones',
  ]);
  t.deepEqual(judged({ storage: lost, asks: false }), []);
});

test('a node that has a copy of its own may ask', (t) => {
  t.deepEqual(judged({ storage: { ...lost, disk: 'up-to-date' } }), []);
  t.deepEqual(judged({ storage: { ...lost, disk: 'consistent' } }), []);
  t.deepEqual(judged({ storage: { connection: 'connected', suspended: 'fencing' } }), [], 'nothing is lost');
  t.deepEqual(judged({ storage: { ...lost, disk: 'up-to-date' }, outdatings: [1] }), []);
});
