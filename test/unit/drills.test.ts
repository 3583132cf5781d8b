// Drills by schedule: whose turn it is, what keeps one from being made, what is run, and what is told of it.

import test from 'ava';
import type { DrillConfig } from '../../daemon/config/config.ts';
import type { Status } from '../../daemon/control/api.ts';
import type { CommandResult } from '../../daemon/drivers/command.ts';
import { cronClock } from '../../daemon/schedule/clock.ts';
import { drillTask, turnOf } from '../../daemon/schedule/drill.ts';
import { keepingAlive } from '../support.ts';
import { group, groupAtPeer, status } from './fixtures/cli/statuses.ts';
import { drivenScheduler, settled } from './support/schedule.ts';

const handover: DrillConfig = { schedule: '0 4 * * 0', kind: 'handover', settledMs: 60_000 };
const fence: DrillConfig = { ...handover, kind: 'fence' };
const here = status();
const there = status({ groups: [groupAtPeer()] });

test('a handover is the turn of the node that runs the first group by name, a drill of fencing of both', (t) => {
  t.deepEqual(turnOf(here, handover), { mine: true, obstacle: null });
  t.like(turnOf(there, handover), { mine: false, message: 'left to secondary, which runs office' });
  // However the groups are listed: the nodes may list them differently.
  const mixed = status({ groups: [group({ name: 'web' }), groupAtPeer({ name: 'office' })] });
  t.like(turnOf(mixed, handover), { mine: false });
  t.deepEqual(turnOf(mixed, fence), { mine: true, obstacle: null });
  t.deepEqual(turnOf(there, fence), { mine: true, obstacle: null });
});

test('no drill while a group is not settled, has moved lately, or anything is wrong', (t) => {
  const obstacleOf = (seen: Status) => {
    const turn = turnOf(seen, handover);
    return turn.mine ? turn.obstacle : null;
  };
  const lately = obstacleOf(status({ groups: [group({ forMs: 59_999 })] }));
  t.is(lately?.message, 'office has been active on primary for less than 1m');
  t.is(obstacleOf(status({ groups: [group({ forMs: 60_000 })] })), null);
  const nobody = obstacleOf(status({ groups: [group({ phase: 'stopped', runsOn: null })] }));
  t.regex(nobody?.message ?? '', /office is not settled/);
  const maintained = obstacleOf(status({ self: { ...here.self, maintenanceMs: 5 } }));
  t.like(maintained, { message: 'primary is in maintenance', isDeliberate: true });
  const silent = obstacleOf(status({ verdict: { ...here.verdict, kind: 'dead' } }));
  t.like(silent, { isDeliberate: false });
  const second = status({ groups: [group(), group({ name: 'web', phase: 'starting' })] });
  t.regex(obstacleOf(second)?.message ?? '', /web is not settled/);
});

const ended = (changes: Partial<CommandResult>): CommandResult => ({
  ...{ exitCode: 0, stdout: '', stderr: '', timedOut: false },
  ...changes,
});

function drilled(config: DrillConfig, seen: () => Status, results: CommandResult[]) {
  const ran: (readonly string[])[] = [];
  const task = drillTask({
    ...{ config, status: seen, command: ['/usr/bin/battito', '--node', 'primary'] },
    async run(argv, { signal }) {
      ran.push(argv);
      if (results.length > 0) return results.shift() as CommandResult;
      await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()));
      return ended({ exitCode: null });
    },
  });
  const { scheduler, told, due, clocks } = drivenScheduler([task]);
  return { drills: scheduler, told, ran, due: () => due('drill'), clocks };
}

test('when it is due the command of an operator is run, and its end is told with its time', async (t) => {
  const { drills, told, ran, due, clocks } = drilled(handover, () => here, [ended({})]);
  t.deepEqual(clocks(), ['0 4 * * 0']);
  due();
  await settled();
  t.deepEqual(ran, [['/usr/bin/battito', '--node', 'primary', 'drill', 'handover', '--json']]);
  t.deepEqual(
    told.map(({ code, severity }) => `${code} ${severity}`),
    ['drill-begins info', 'drill-done info'],
  );
  t.is(typeof told[1]?.tookMs, 'number');
  t.deepEqual(drills.attention(), []);
  await drills.close();
  t.deepEqual(clocks(), []);
});

test('one that fails is a warning with its words, and stays in the status until one succeeds', async (t) => {
  const error = { code: 'drill-unfinished', message: 'office did not come back', next: 'battito takeover' };
  const mute = [{ device: 'bmc-s', tookMs: 1, failure: 'No route to host' }];
  const { drills, told, due } = drilled(handover, () => here, [
    ended({ exitCode: 1, stdout: JSON.stringify({ error }) }),
    ended({
      exitCode: 3,
      stdout: JSON.stringify({ done: true, attention: 'web is given up\nnext: mend it' }),
    }),
    ended({ exitCode: 1, stdout: JSON.stringify({ node: 'secondary', done: false, devices: mute }) }),
    ended({ exitCode: null, startError: 'ENOENT' }),
    ended({}),
  ]);
  const once = async () => {
    due();
    await settled();
    const last = told.at(-1);
    if (last === undefined) throw new Error('nothing was told');
    const { severity, code, message, next } = last;
    return { severity, code, message, next };
  };
  const first = await once();
  t.deepEqual(first, {
    severity: 'warning',
    code: 'drill-failed',
    message: 'the scheduled drill (handover) failed: office did not come back',
    next: 'battito takeover',
  });
  t.deepEqual(drills.attention(), [first]);
  t.like(await once(), {
    message: 'the scheduled drill (handover) failed: web is given up',
    next: 'mend it',
  });
  t.regex((await once()).message, /failed: bmc-s: No route to host$/);
  t.regex((await once()).message, /failed: battito is not installed$/);
  t.is(drills.attention().length, 1);
  t.is((await once()).code, 'drill-done');
  t.deepEqual(drills.attention(), []);
  await drills.close();
});

test('one that is left out is told, and one that is not ours is not', async (t) => {
  let seen = status({ self: { ...here.self, maintenanceMs: 5 } });
  const { drills, told, ran, due } = drilled(handover, () => seen, []);
  due();
  await settled();
  t.like(told.at(-1), {
    severity: 'info',
    code: 'drill-left-out',
    message: 'the scheduled drill (handover) is left out: primary is in maintenance',
  });
  seen = status({ verdict: { ...here.verdict, kind: 'dead' } });
  due();
  await settled();
  t.like(told.at(-1), { severity: 'warning', code: 'drill-left-out' });
  const before = told.length;
  seen = there;
  due();
  await settled();
  t.is(told.length, before);
  t.deepEqual(ran, []);
  await drills.close();
});

test('never two at once, and one under way ends with the daemon, without a word of failure', async (t) => {
  const { drills, told, ran, due } = drilled(handover, () => here, []);
  due();
  due();
  await settled();
  due();
  t.is(ran.length, 1);
  await drills.close();
  t.deepEqual(
    told.map(({ code }) => code),
    ['drill-begins'],
  );
});

test('node-cron calls by the schedule, and says when the next time is', async (t) => {
  const called = Promise.withResolvers<void>();
  const times = cronClock('* * * * * *', { due: () => called.resolve(), missed: () => called.resolve() });
  await keepingAlive(() => called.promise);
  t.true(Number(times.next()?.getTime()) > Date.now() - 1000);
  times.stop();
});
