// Drills with real daemons and real guests: there and back by one command, a way back that fails, the power of the idle
// node really cut by fence_ipmilan at ipmi_sim, and drills by schedule.

import test from 'ava';
import type { HistoryEntry } from '../../daemon/control/api.ts';
import { waitFor } from '../support.ts';
import { floatingAddress, type HostName, hostNames } from './support/hosts.ts';
import { commandLine, guests, type Office, useOffice } from './support/office.ts';

const pids = (office: Office, host: HostName) =>
  Promise.all(guests.map((guest) => office.guestPid(host, guest)));

async function notesOf(office: Office, host: HostName, code: string): Promise<HistoryEntry[]> {
  return (await office.history(host)).filter((entry) => entry.code === code);
}

/** As a person types it, with all the time that it may need. */
const drill = (office: Office, host: HostName, ...words: string[]) =>
  office.network.run(host, [commandLine, ...office.arguments(host), 'drill', ...words], {
    timeoutMs: 400_000,
  });

test('a group goes there and back by one command, on either node, and the times of each way are kept', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  const watch = await office.network.watchAddress(floatingAddress);
  const before = await pids(office, 'primary');

  const dry = await drill(office, 'primary', 'handover', '--dry-run');
  t.is(dry.exitCode, 0, dry.stderr);
  t.regex(dry.stdout, /# office: primary -> secondary\n(.*\n)*# office: secondary -> primary\n/);
  t.is((await office.wish('secondary', { kind: 'maintenance', durationMs: 600_000 })).kind, 'accepted');
  await waitFor('primary knows', async () => (await office.status('primary')).peer.maintenanceMs > 0);
  const refused = await drill(office, 'primary', 'handover');
  t.is(refused.exitCode, 1);
  t.regex(
    refused.stderr,
    /nothing was touched: secondary is in maintenance\nnext: on secondary: battito maintenance off/,
  );
  t.is((await office.wish('secondary', { kind: 'maintenance', durationMs: 0 })).kind, 'accepted');
  await waitFor('primary knows', async () => (await office.status('primary')).peer.maintenanceMs === 0);
  t.deepEqual(await pids(office, 'primary'), before);
  t.deepEqual(await notesOf(office, 'primary', 'handover-drill'), []);

  const there = await drill(office, 'primary', 'handover');
  t.is(there.exitCode, 0, there.stderr);
  t.regex(
    there.stdout,
    /office {2}primary -> secondary: runs there after .* \(primary had let go after .*\); .*guest:mail stopped/,
  );
  t.regex(there.stdout, /office {2}secondary -> primary: runs there after .*; .*guest:mail started/);
  await office.settled('primary');
  const kept = await notesOf(office, 'primary', 'handover-drill');
  t.deepEqual(
    kept.map(({ severity, group, tookMs }) => [severity, group, tookMs !== null && tookMs > 0]),
    [
      ['info', 'office', false],
      ['info', 'office', true],
      ['info', 'office', true],
    ],
  );

  // From the node that does not have it: the same, the other way round.
  const other = await drill(office, 'secondary', 'handover', 'office', '--json');
  t.is(other.exitCode, 0, other.stdout);
  const { legs } = JSON.parse(other.stdout) as { legs: { from: string; to: string; steps: object[] }[] };
  t.deepEqual(
    legs.map(({ from, to, steps }) => [from, to, steps.length > 0]),
    [
      ['primary', 'secondary', true],
      ['secondary', 'primary', true],
    ],
  );
  await office.settled('primary');
  t.deepEqual(await watch.overlaps(), []);
  for (const guest of guests) t.is(office.starts(guest).length, 5, 'four ways, each one start');
});

test('a way back that fails: the group runs where it went, and what is said brings it back', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  const drilled = drill(office, 'primary', 'handover');
  await office.waitForPhase('primary', 'stopping');
  t.is((await office.wish('primary', { kind: 'standby', on: true })).kind, 'accepted');
  const { exitCode, stderr } = await drilled;
  t.is(exitCode, 1);
  t.regex(
    stderr,
    /the drill failed: office did not come back to primary: primary is in standby; office runs on secondary\nnext: battito standby off; to bring it back to primary: battito takeover office\n/,
  );
  await office.settled('secondary');
  const last = (await notesOf(office, 'primary', 'handover-drill')).at(-1);
  t.is(last?.severity, 'warning');
  t.regex(last?.next ?? '', /battito takeover office$/);

  t.is((await office.battito('primary', 'standby', 'off')).exitCode, 0);
  const back = await office.battito('primary', 'takeover', 'office');
  t.is(back.exitCode, 0, back.stderr);
  await office.settled('primary');
});

test('the power of the idle node is cut and given back, while everything goes on; the active one is safe from it', async (t) => {
  const office = await useOffice(t, { fencing: true });
  await office.settled('primary');
  const { bmcs } = office;
  const before = await pids(office, 'primary');
  const wrong = await drill(office, 'secondary', 'takeover', 'primary', '--yes');
  t.is(wrong.exitCode, 1);
  t.regex(wrong.stderr, /primary runs office: only a node that holds nothing is switched off in a drill/);
  const mute = await drill(office, 'primary', 'takeover');
  t.is(mute.exitCode, 64, 'nobody has typed the name');
  t.deepEqual(bmcs.told, []);

  const drilled = drill(office, 'primary', 'takeover', 'secondary', '--yes', '--timeout', '5m');
  await waitFor('secondary is switched on again', () => bmcs.told.some(({ to }) => to === 'on'), {
    timeoutMs: 240_000,
  });
  // Its host may answer already; its daemon does not run yet.
  t.regex((await office.status('primary')).verdict.kind, /^(dead|unresponsive)$/);
  await office.startDaemon('secondary');
  const { exitCode, stdout, stderr } = await drilled;
  t.is(exitCode, 0, stderr);
  t.deepEqual(bmcs.told, [
    { host: 'secondary', to: 'off' },
    { host: 'secondary', to: 'on' },
  ]);
  const order = ['reads off', 'is sure that it is gone', 'reads on', 'is heard', 'is ready to take over'];
  const places = order.map((text) => stdout.indexOf(text));
  t.false(places.includes(-1), stdout);
  t.deepEqual(
    places,
    places.toSorted((a, b) => a - b),
  );
  await office.settled('primary');
  t.deepEqual(await pids(office, 'primary'), before, 'no guest has noticed');
  const kept = await notesOf(office, 'primary', 'takeover-drill');
  t.deepEqual(
    kept.map(({ severity, tookMs }) => [severity, tookMs !== null]),
    [
      ['warning', false],
      ['info', true],
    ],
  );
  t.is(bmcs.failure, null);
});

test('a device that lies is found out by the drill: the node reads off, and is heard', async (t) => {
  const office = await useOffice(t, { fencing: true });
  await office.settled('primary');
  office.bmcs.mode('secondary', 'lies');
  const { exitCode, stderr } = await drill(office, 'primary', 'takeover', 'secondary', '--yes');
  t.is(exitCode, 1);
  t.regex(
    stderr,
    /the drill failed: secondary reads off, but is heard: the device has another host, or lies/,
  );
  t.regex(stderr, /\nnext: .*battito fence on secondary/);
  const last = (await notesOf(office, 'primary', 'takeover-drill')).at(-1);
  t.is(last?.severity, 'alarm');
  await office.settled('primary');
});

test('by schedule the node that has the group drills, the other one does not; in maintenance it is left out', async (t) => {
  const office = await useOffice(t, { drill: '{ schedule: "*/5 * * * * *", kind: handover, settled: 10s }' });
  await office.settled('primary');
  const done = await waitFor(
    'a drill has succeeded',
    async () => {
      const [first] = await notesOf(office, 'primary', 'drill-done');
      if (first === undefined) throw new Error(JSON.stringify((await office.history('primary')).slice(-3)));
      return first;
    },
    { timeoutMs: 240_000 },
  );
  t.true((done.tookMs ?? 0) > 0);
  t.is((await office.wish('primary', { kind: 'maintenance', durationMs: 600_000 })).kind, 'accepted');
  await waitFor('it is left out', async () =>
    (await notesOf(office, 'primary', 'drill-left-out')).some(({ message }) =>
      message.endsWith('is left out: primary is in maintenance'),
    ),
  );
  const [begins, legs] = [
    await notesOf(office, 'primary', 'drill-begins'),
    await notesOf(office, 'primary', 'handover-drill'),
  ];
  t.is(begins.length, 1, 'it was not settled for long enough for another one');
  t.deepEqual(
    legs.map(({ severity }) => severity),
    ['info', 'info', 'info'],
  );
  t.is(await office.phase('primary'), 'active');
  t.deepEqual(await notesOf(office, 'secondary', 'drill-begins'), []);
  for (const guest of guests) t.is(office.starts(guest).length, 3);
});

test('a scheduled drill of fencing that fails is a warning that stays in the status until one succeeds', async (t) => {
  const office = await useOffice(t, {
    fencing: true,
    drill: '{ schedule: "*/3 * * * * *", kind: fence, settled: 1s }',
  });
  await office.settled('primary');
  for (const host of hostNames) {
    await waitFor(
      `it succeeds on ${host}`,
      async () => (await notesOf(office, host, 'drill-done')).length > 0,
    );
  }
  t.deepEqual(office.bmcs.told, []);
  // Sooner told than that it does not answer, for which its agent asks again and again.
  office.bmcs.sees('primary', 'off');
  const attention = async () => (await office.status('secondary')).attention.map(({ code }) => code);
  await waitFor('it fails', async () => (await attention()).includes('drill-failed'), { timeoutMs: 240_000 });
  const failed = (await notesOf(office, 'secondary', 'drill-failed')).at(-1);
  t.is(failed?.severity, 'warning');
  t.regex(
    failed?.message ?? '',
    /^the scheduled drill \(fence\) failed: bmc-primary: it says that primary is off: /,
  );
  office.bmcs.sees('primary', 'on');
  await waitFor('it succeeds again', async () => !(await attention()).includes('drill-failed'), {
    timeoutMs: 240_000,
  });
});
