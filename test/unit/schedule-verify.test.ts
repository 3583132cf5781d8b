// Which node verifies, when not, and what is said of what it found.

import test from 'ava';
import type { GroupView } from '../../daemon/control/api.ts';
import type { StorageStatus } from '../../daemon/core/events.ts';
import type { VerifyEnd } from '../../daemon/drivers/drbd/verify.ts';
import { outcomeOf, resourcesHere, verifyTask, verifyTurn } from '../../daemon/schedule/verify.ts';
import { keepingAlive } from '../support.ts';
import { group, groupAtPeer, resource, status } from './fixtures/cli/statuses.ts';
import { drivenScheduler, settled } from './support/schedule.ts';

const inStep: StorageStatus = {
  ...{ role: 'primary', disk: 'up-to-date', connection: 'connected' },
  ...{ peerRole: 'secondary', peerDisk: 'up-to-date', suspended: 'no', resync: null },
};
const disk = (name: string, changes: Partial<StorageStatus> = {}) =>
  resource(`drbd:${name}`, { kind: 'drbd', storage: { ...inStep, ...changes } });
const mirrored = (changes: Partial<GroupView> = {}) =>
  group({ resources: [disk('r0'), disk('r1')], ...changes });
const here = status({ groups: [mirrored()] });
const same: VerifyEnd = { kind: 'verified', outOfSyncKib: 0, mend: 'x' };

test('the node that writes to the disks verifies them', (t) => {
  t.deepEqual(resourcesHere(here), ['r0', 'r1']);
  t.deepEqual(verifyTurn(here), { mine: true, obstacle: null });
  const there = status({ groups: [groupAtPeer({ resources: [disk('r0')] })] });
  t.like(verifyTurn(there), { mine: false, message: 'left to secondary, which writes to the disks' });
});

test('not during a move, a resync, maintenance, without the peer, or while anything is wrong', (t) => {
  const why = (seen: Parameters<typeof status>[0]) => {
    const turn = verifyTurn(status(seen));
    return turn.mine ? (turn.obstacle?.message ?? 'nothing') : 'not mine';
  };
  t.regex(why({ groups: [mirrored({ phase: 'stopping', runsOn: null })] }), /office is not settled/);
  t.regex(why({ groups: [mirrored(), group({ name: 'web', phase: 'starting' })] }), /web is not settled/);
  const target = { direction: 'source', percent: 12 } as const;
  t.regex(why({ groups: [mirrored({ resources: [disk('r0', { resync: target })] })] }), /not in step/);
  t.regex(
    why({ groups: [mirrored({ resources: [disk('r0', { connection: 'connecting' })] })] }),
    /not in step/,
  );
  t.is(why({ groups: [mirrored()], self: { ...here.self, maintenanceMs: 5 } }), 'primary is in maintenance');
  t.regex(why({ groups: [mirrored()], verdict: { ...here.verdict, kind: 'dead' } }), /^secondary is dead/);
  const alarm = { severity: 'alarm', code: 'config-differs', message: 'they differ', next: 'x' } as const;
  t.is(why({ groups: [mirrored()], attention: [alarm] }), 'they differ');
  t.is(why({ groups: [mirrored()], attention: [{ ...alarm, code: 'drbd-out-of-sync' }] }), 'nothing');
});

function verified(ends: Record<string, VerifyEnd | 'waits'>) {
  let seen = here;
  const asked: string[] = [];
  const signals: AbortSignal[] = [];
  const task = verifyTask({
    ...{ schedule: 'verify schedule', status: () => seen },
    async verify(name, signal) {
      asked.push(name);
      signals.push(signal);
      const end = ends[name] ?? same;
      if (end !== 'waits') return end;
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      return { kind: 'stopped' };
    },
  });
  const become = (changes: Parameters<typeof status>[0]) => {
    seen = status(changes);
  };
  return { ...drivenScheduler([task]), asked, signals, become };
}

test('one resource after the other, each followed to its end', async (t) => {
  const { due, viewOf, asked } = verified({});
  due('verify');
  t.is(viewOf('verify').running?.progress, 'r0, 1 of 2');
  await settled();
  t.deepEqual(asked, ['r0', 'r1']);
  t.like(viewOf('verify').made, { result: 'done', message: 'r0, r1: both copies are the same' });
});

test('a handover that begins stops it, the rest is not begun, and that is said', async (t) => {
  const { due, viewOf, asked, become, pass } = verified({ r0: 'waits' });
  due('verify');
  await settled();
  become({ groups: [mirrored({ phase: 'stopping', runsOn: null })] });
  pass(2000);
  await settled();
  t.deepEqual(asked, ['r0']);
  const { made } = viewOf('verify');
  t.is(made?.result, 'interrupted');
  t.regex(made?.message ?? '', /^office is not settled: .*; not compared: r0, r1$/);
  t.is(made?.next, 'battito schedule run verify');
});

test('what differs is an alarm that names both ways: which disk is ill, and what copies the good one', async (t) => {
  const differs: VerifyEnd = {
    kind: 'verified',
    outOfSyncKib: 2048,
    mend: 'drbdadm disconnect r1 && drbdadm connect r1',
  };
  const { due, viewOf, scheduler } = verified({ r1: differs });
  due('verify');
  await settled();
  const [alarm] = scheduler.attention();
  t.like(alarm, { severity: 'alarm', code: 'drbd-out-of-sync' });
  t.regex(alarm?.message ?? '', /the two copies differ \(r1: 2 MiB\)/);
  t.regex(
    alarm?.next ?? '',
    /smartctl.*if this node's copy is the good one: drbdadm disconnect r1 && drbdadm connect r1 {3}#.*battito schedule run verify$/,
  );
  t.is(viewOf('verify').made?.result, 'failed');
});

test('one that could not be compared is a warning, beside those that could', (t) => {
  const trouble = { code: 'drbd-no-verify-alg' as const, what: 'r1 has no verify-alg', next: 'set it' };
  const ends = new Map<string, VerifyEnd>([
    ['r0', same],
    ['r1', { kind: 'failed', trouble }],
  ]);
  t.like(outcomeOf(['r0', 'r1'], ends, ''), {
    ...{ kind: 'failed', severity: 'warning', code: 'drbd-no-verify-alg', next: 'set it' },
    message: 'r1 has no verify-alg (r0: both copies are the same)',
  });
});

test('one that takes for ever is stopped, and said', async (t) => {
  const task = verifyTask({
    ...{ schedule: null, status: () => here, withinMs: 20 },
    async verify(_name, signal) {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      return { kind: 'stopped' };
    },
  });
  const outcome = await keepingAlive(() => task.run(new AbortController().signal, () => {}));
  t.is(outcome.kind, 'interrupted');
  t.regex(outcome.message, /^it was not done after .*; not compared: r0, r1$/);
});
