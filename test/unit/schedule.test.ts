// What is done at times, with clocks that the test drives: when it begins, when not and why, what is kept over a restart,
// what is missed, and what gives way to what.

import test from 'ava';
import { newerReadiness } from '../../daemon/schedule/readiness.ts';
import { createUptime, uptimeSchema } from '../../daemon/schedule/uptime.ts';
import { drivenScheduler, drivenTask, settled, startedMs } from './support/schedule.ts';

const at = (ms: number) => new Date(startedMs + ms).toISOString();
const minuteMs = 60_000;
const ready = { score: 100, ready: true, losses: [] } as const;

test('what is due is done, and kept with its time; the next time is known before', async (t) => {
  const check = drivenTask('readiness');
  const { due, viewOf, pass, told, saves } = drivenScheduler([check.task]);
  t.like(viewOf('readiness'), { next: at(60 * minuteMs), running: null, last: null, made: null });
  due('readiness');
  pass(2000);
  t.like(viewOf('readiness').running, { at: at(0), forMs: 2000 });
  const before = saves();
  await check.end({ kind: 'done', message: 'ready, 100 of 100' });
  t.true(saves() > before);
  const run = { at: at(0), tookMs: 2000, result: 'done', message: 'ready, 100 of 100', next: null };
  t.like(viewOf('readiness'), { running: null, last: run, made: run });
  t.deepEqual(told, [], 'what is small and succeeds is no news');
});

test('one that is not to be done says why, beside what was done last; the other node has its own', async (t) => {
  const verify = drivenTask('verify', { heavy: true });
  const { due, viewOf, pass, told } = drivenScheduler([verify.task]);
  due('verify');
  await verify.end({ kind: 'done', message: 'r0: both copies are the same' });
  pass(minuteMs);
  const obstacle = { message: 'the mirror of office is not in step', next: 'wait', isDeliberate: false };
  verify.turn = { mine: true, obstacle };
  due('verify');
  t.like(viewOf('verify').last, {
    at: at(minuteMs),
    result: 'left-out',
    tookMs: null,
    message: obstacle.message,
  });
  t.like(viewOf('verify').made, { at: at(0), result: 'done' });
  t.like(told.at(-1), {
    ...{ severity: 'warning', code: 'verify-left-out', next: 'wait' },
    message: 'the verify is left out: the mirror of office is not in step',
  });
  const before = told.length;
  verify.turn = { mine: false, message: 'left to secondary', next: 'there' };
  due('verify');
  t.is(viewOf('verify').last?.message, 'left to secondary');
  t.is(told.length, before);
  t.is(verify.runs(), 1);
});

test('of those that disks or guests notice one at a time; small ones go on beside them; none twice at once', async (t) => {
  const [verify, drill, prune] = [
    drivenTask('verify', { heavy: true }),
    drivenTask('drill', { heavy: true }),
    drivenTask('prune'),
  ];
  const { due, viewOf, scheduler } = drivenScheduler([verify.task, drill.task, prune.task]);
  due('verify');
  due('drill');
  due('prune');
  due('verify');
  t.deepEqual([verify.runs(), drill.runs(), prune.runs()], [1, 0, 1]);
  t.like(viewOf('drill').last, { result: 'left-out', message: 'the verify is under way' });
  t.is(viewOf('verify').last, null, 'it is not left out: it goes on');
  t.like(scheduler.run('verify'), { kind: 'refused', message: 'it is under way already' });
  t.like(scheduler.run('drill'), { kind: 'refused', message: 'the verify is under way' });
  await verify.end({ kind: 'done', message: '' });
  t.deepEqual(scheduler.run('drill'), { kind: 'begun', at: at(0) });
});

test('a person gets the same refusal that a time would meet; what there is not is named with what makes it so', (t) => {
  const verify = drivenTask('verify', { heavy: true, schedule: null });
  const { scheduler, clocks, viewOf } = drivenScheduler([verify.task]);
  t.deepEqual(clocks(), [], 'switched off');
  t.like(viewOf('verify'), { schedule: null, next: null });
  verify.turn = {
    mine: false,
    message: 'left to secondary',
    next: 'on secondary: battito schedule run verify',
  };
  t.deepEqual(scheduler.run('verify'), {
    ...{ kind: 'refused', message: 'left to secondary' },
    next: 'on secondary: battito schedule run verify',
  });
  t.is(viewOf('verify').last, null);
  t.deepEqual(scheduler.run('drill'), {
    kind: 'refused',
    message: 'nothing is to be drilled by itself',
    next: 'add `drill:` to the configuration, or: battito drill fence',
  });
});

test('one that fails stands in the status until it succeeds, also after a restart', async (t) => {
  const first = drivenTask('verify', { heavy: true });
  const one = drivenScheduler([first.task]);
  one.due('verify');
  await first.end({
    ...{ kind: 'failed', code: 'drbd-out-of-sync', severity: 'alarm' },
    ...{ message: 'the two copies differ (r0: 4 KiB)', next: 'drbdadm disconnect r0' },
  });
  const attention = [
    {
      ...{ severity: 'alarm', code: 'drbd-out-of-sync', next: 'drbdadm disconnect r0' },
      message: 'the verify failed: the two copies differ (r0: 4 KiB)',
    },
  ] as const;
  t.deepEqual(one.scheduler.attention(), attention);
  t.like(one.told.at(-1), { severity: 'alarm', code: 'verify-failed' });

  const second = drivenTask('verify', { heavy: true });
  const known = JSON.parse(JSON.stringify(one.scheduler.record()));
  await one.scheduler.close();
  const two = drivenScheduler([second.task], { known, nowMs: startedMs + minuteMs });
  t.deepEqual(two.scheduler.attention(), attention);
  second.turn = { mine: true, obstacle: { message: 'not now', next: 'wait', isDeliberate: true } };
  two.due('verify');
  t.deepEqual(two.scheduler.attention(), attention, 'left out is not mended');
  second.turn = { mine: true, obstacle: null };
  two.due('verify');
  await second.end({ kind: 'done', message: 'r0: both copies are the same' });
  t.deepEqual(two.scheduler.attention(), []);
});

test('what is small and fails again in the same way is told once, and that it is well again', async (t) => {
  const sync = drivenTask('definitions');
  const { due, told } = drivenScheduler([sync.task]);
  const fail = async (message: string) => {
    due('definitions');
    await sync.end({ kind: 'failed', code: 'definitions-failed', severity: 'warning', message, next: 'x' });
  };
  await fail('the peer is not heard');
  await fail('the peer is not heard');
  await fail('not the same: web');
  due('definitions');
  await sync.end({ kind: 'done', message: 'the same' });
  t.deepEqual(
    told.map(({ message }) => message),
    [
      'the definitions failed: the peer is not heard',
      'the definitions failed: not the same: web',
      'the definitions has succeeded: the same',
    ],
  );
});

test('missed while the daemon was off: small ones are made up for soon, the others are said to be missed', async (t) => {
  const due = { at: at(-10 * minuteMs), schedule: 'prune schedule' };
  const known = {
    prune: { last: null, made: null, due },
    verify: { last: null, made: null, due: { ...due, schedule: 'verify schedule' } },
    drill: { last: null, made: null, due: { ...due, schedule: 'another schedule, before it was changed' } },
    summary: { last: null, made: null, due: { at: at(-30_000), schedule: 'summary schedule' } },
  };
  const [prune, verify, drill, summary] = [
    drivenTask('prune', { madeUp: true }),
    drivenTask('verify', { heavy: true }),
    drivenTask('drill', { heavy: true }),
    drivenTask('summary', { madeUp: true }),
  ];
  const tasks = [prune.task, verify.task, drill.task, summary.task];
  const { viewOf, pass, told } = drivenScheduler(tasks, { known });
  t.like(viewOf('verify').last, {
    ...{ at: due.at, result: 'missed', tookMs: null, next: 'battito schedule run verify' },
    message: 'the daemon did not run when it was due',
  });
  t.is(viewOf('verify').next, at(60 * minuteMs), 'it waits for its next time');
  t.like(told[0], { severity: 'info', code: 'verify-missed' });
  t.is(viewOf('drill').last, null, 'that was another time');
  t.is(viewOf('summary').last, null, 'a restart at the moment itself');
  t.is(viewOf('prune').last?.result, 'missed');
  pass(4 * minuteMs);
  t.is(prune.runs(), 0, 'a daemon that starts has other things to do');
  pass(minuteMs);
  t.is(prune.runs(), 1);
  await prune.end({ kind: 'done', message: '' });
  t.like(viewOf('prune').last, { at: at(5 * minuteMs), result: 'done' });
  pass(60 * minuteMs);
  t.deepEqual([prune.runs(), verify.runs(), drill.runs(), summary.runs()], [1, 0, 0, 0]);
});

test('a moment at which the process did not get to run is missed in the same way', (t) => {
  const verify = drivenTask('verify', { heavy: true });
  const { missed, viewOf } = drivenScheduler([verify.task]);
  missed('verify', new Date(startedMs - minuteMs));
  t.like(viewOf('verify').last, { at: at(-minuteMs), result: 'missed' });
  t.is(verify.runs(), 0);
});

test('it gives way to what begins meanwhile, once, and says to what', async (t) => {
  const verify = drivenTask('verify', { heavy: true });
  const { due, pass, viewOf, told, scheduler } = drivenScheduler([verify.task]);
  due('verify');
  pass(1000);
  t.false(verify.signal()?.aborted);
  verify.givesWayTo = 'office is not settled';
  pass(1000);
  t.is(verify.signal()?.reason, 'office is not settled');
  await verify.end({
    kind: 'interrupted',
    message: 'office is not settled; not compared: r0',
    next: 'again',
  });
  t.like(viewOf('verify').made, { result: 'interrupted', tookMs: 2000, next: 'again' });
  t.like(told.at(-1), { severity: 'info', code: 'verify-interrupted' });
  t.deepEqual(scheduler.attention(), []);
});

test('what is not ready is checked again before its time', async (t) => {
  let againMs: number | null = null;
  const check = drivenTask('readiness', { againAfterMs: () => againMs });
  const { due, pass } = drivenScheduler([check.task]);
  due('readiness');
  await check.end({ kind: 'done', message: 'not ready' });
  pass(20 * minuteMs);
  t.is(check.runs(), 1);
  againMs = 15 * minuteMs;
  pass(0);
  t.is(check.runs(), 2);
  await check.end({ kind: 'done', message: 'not ready' });
  pass(14 * minuteMs);
  t.is(check.runs(), 2);
});

test('a clock that was years ahead and is set right keeps neither the next check back nor what it finds', async (t) => {
  const check = drivenTask('readiness', { againAfterMs: () => 15 * minuteMs });
  const year = 365 * 24 * 60 * minuteMs;
  const { due, pass } = drivenScheduler([check.task], { nowMs: startedMs + 4 * year });
  due('readiness');
  await check.end({ kind: 'done', message: 'not ready' });
  pass(-4 * year);
  t.is(check.runs(), 2);

  const found = (ms: number) => ({ ...{ at: at(ms), by: 'primary', nodes: ['primary'] }, ...ready });
  const [old, fresh] = [found(4 * year), found(0)];
  t.is(newerReadiness(old, fresh, startedMs), fresh);
  t.is(newerReadiness(fresh, found(-minuteMs), startedMs), fresh, 'what came late is not the newer one');
  t.is(
    newerReadiness(found(2 * minuteMs), fresh, startedMs).at,
    at(2 * minuteMs),
    "the peer's clock is a little ahead",
  );
});

test('a mistake in one is a failure of it, and of nothing else', async (t) => {
  const prune = drivenTask('prune', { run: () => Promise.reject(new Error('no such thing')) });
  const { due, viewOf } = drivenScheduler([prune.task]);
  due('prune');
  await settled();
  t.like(viewOf('prune').made, { result: 'failed', message: 'it broke: no such thing' });
});

test('what is under way when the daemon ends is told to stop, and is no failure', async (t) => {
  const verify = drivenTask('verify', { heavy: true });
  const { due, scheduler, told, viewOf } = drivenScheduler([verify.task]);
  due('verify');
  const closed = scheduler.close();
  t.true(verify.signal()?.aborted);
  await verify.end({
    kind: 'failed',
    code: 'prune-failed',
    severity: 'warning',
    message: 'killed',
    next: 'x',
  });
  await closed;
  t.is(viewOf('verify').made, null);
  t.deepEqual(
    told.map(({ code }) => code),
    ['verify-begins'],
  );
});

test('uptime: outages are counted from the first time that a group was up; what nobody saw counts for nothing', (t) => {
  const time = { wallMs: startedMs, monotonicMs: 0 };
  const uptime = createUptime(null, { wallMs: () => time.wallMs, monotonicMs: () => time.monotonicMs });
  const look = (afterMs: number, isUp: boolean) => {
    time.wallMs += afterMs;
    time.monotonicMs += afterMs;
    uptime.look([{ name: 'office', isUp }]);
  };
  look(0, false);
  look(2000, false);
  look(2000, true);
  look(2000, true);
  look(2000, false);
  look(2000, false);
  look(2000, true);
  t.deepEqual(uptime.week(), [{ name: 'office', upMs: 6000, downMs: 6000, outages: 1, longestMs: 2000 }]);
  look(3_600_000, true);
  t.is(uptime.week()[0]?.upMs, 6000, 'the host stood still');
  const known = uptimeSchema.parse(JSON.parse(JSON.stringify(uptime.record())));
  const nextDay = { wallMs: () => time.wallMs + 24 * 3_600_000, monotonicMs: () => 0 };
  t.is(createUptime(known, nextDay).week()[0]?.upMs, 6000);
  const muchLater = { wallMs: () => time.wallMs + 9 * 24 * 3_600_000, monotonicMs: () => 0 };
  const late = createUptime(known, muchLater);
  late.look([{ name: 'office', isUp: true }]);
  t.is(late.week()[0]?.upMs, 0);
  t.is(createUptime(late.record(), nextDay).week()[0]?.upMs, 6000, 'the clock was ahead, and is right again');
});
