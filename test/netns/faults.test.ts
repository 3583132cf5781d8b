// The fault table, with real daemons, real UDP, real addresses and real guests: what happens, and what must not.

import { rename, writeFile } from 'node:fs/promises';
import test from 'ava';
import { monotonicMs, waitFor } from '../support.ts';
import { watchGuest } from './support/guest-watch.ts';
import { floatingAddress, type HostName, hostNames } from './support/hosts.ts';
import { guests, type Office, useOffice } from './support/office.ts';

const pids = async (office: Office, host: HostName) =>
  Promise.all(guests.map((guest) => office.guestPid(host, guest)));

const codes = async (office: Office, host: HostName) => (await office.history(host)).map(({ code }) => code);

const noteAt = async (office: Office, host: HostName, code: string, message: string) => {
  const note = (await office.history(host)).find(
    (entry) => entry.code === code && entry.message.includes(message),
  );
  if (note === undefined) throw new Error(`${host} has no note ${code} with "${message}"`);
  return note.monotonicMs;
};

/** Nothing was started, stopped, paused or resumed on the host since `count` notes. */
const operationsSince = async (office: Office, host: HostName, count: number) =>
  (await office.history(host))
    .slice(count)
    .filter(({ code }) => code === 'operation-done')
    .map(({ message }) => message);

test('power loss of the active host: the survivor takes the address and every guest, and the counts go on', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  const client = await office.startClient();
  await client.waitForAnswerFrom('primary');
  const watch = await office.network.watchAddress(floatingAddress);
  const before = guests.map((guest) => office.lastCount(guest));

  await office.network.powerLoss('primary');
  await client.waitForAnswerFrom('secondary');
  await office.waitForPhase('secondary', 'active');

  for (const [index, guest] of guests.entries()) {
    await office.counts(guest);
    const [first, second, ...more] = office.starts(guest);
    t.is(first, 0);
    t.true((second ?? -1) >= (before[index] ?? 0), 'the guest that came back is the one that was lost');
    t.deepEqual(more, [], 'it was started once');
  }
  t.deepEqual(await office.network.addressHolders(floatingAddress), ['secondary']);
  t.deepEqual(await watch.overlaps(), []);
  const status = await office.battito('secondary', 'status');
  t.is(status.exitCode, 3, 'something needs attention');
  t.regex(status.stdout, /primary is dead/);
  await client.stop();

  await office.network.powerOn('primary');
  await office.startDaemon('primary');
  await office.settled('secondary');
  await waitFor('all is well', async () => (await office.battito('secondary', 'status')).exitCode === 0);
  t.deepEqual(await pids(office, 'primary'), [null, null], 'the lost host returns as standby');
});

test('the daemon is killed and started again within deadtime: guests and address are adopted untouched', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  const client = await office.startClient();
  await client.waitForAnswerFrom('primary');
  const before = await pids(office, 'primary');
  await client.reset();
  office.daemon('primary').signal('SIGKILL');
  await office.daemon('primary').exited;
  await office.startDaemon('primary');
  await office.settled('primary');
  const report = await client.report();
  t.deepEqual(await pids(office, 'primary'), before);
  t.deepEqual(Object.keys(report.answeredBy), ['primary']);
  t.true(
    report.longestGapMs < 1000,
    `the address was always there, the longest gap was ${report.longestGapMs} ms`,
  );
  t.false((await codes(office, 'secondary')).includes('take-over'));
  for (const guest of guests) t.deepEqual(office.starts(guest), [0]);
  t.true((await codes(office, 'primary')).includes('found-running'));
});

test('the daemon is killed and stays away: unresponsive, an alarm, no second copy, the address not on both', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  const watch = await office.network.watchAddress(floatingAddress);
  office.daemon('primary').signal('SIGKILL');
  await office.waitForVerdict('secondary', 'unresponsive');
  await office.waitForPhase('secondary', 'blocked');
  for (const guest of guests) await office.counts(guest);
  t.deepEqual(await pids(office, 'secondary'), [null, null]);
  t.deepEqual(await office.network.addressHolders(floatingAddress), ['primary']);
  t.deepEqual(await watch.overlaps(), []);
  const status = await office.battito('secondary', 'status', '--json');
  const { attention } = JSON.parse(status.stdout) as {
    attention: { severity: string; code: string; next: string }[];
  };
  t.true(
    attention.some(
      ({ severity, code, next }) => severity === 'alarm' && code === 'peer-unresponsive' && next !== '',
    ),
  );
  const refused = await office.battito('secondary', 'takeover');
  t.is(refused.exitCode, 1);
  t.regex(refused.stderr, /could run a guest twice/);

  await office.network.powerLoss('primary');
  await office.waitForPhase('secondary', 'active');
  t.pass('and when the host is really off, the group is taken over');
});

test('the dedicated segment is cut: a warning and nothing else; mended, the warning goes', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  const before = [(await office.history('primary')).length, (await office.history('secondary')).length];
  await office.network.cut('primary', 'heartbeat');
  await waitFor('the link is reported', async () =>
    (await codes(office, 'secondary')).includes('link-silent'),
  );
  for (const guest of guests) await office.counts(guest);
  t.is((await office.status('secondary')).verdict.kind, 'alive');
  t.is((await office.battito('primary', 'status')).exitCode, 3);
  await office.network.mend('primary', 'heartbeat');
  await waitFor('the link is heard again', async () =>
    (await office.status('primary')).links.every(({ fresh }) => fresh),
  );
  await waitFor('all is well', async () => (await office.battito('primary', 'status')).exitCode === 0);
  for (const [index, host] of hostNames.entries()) {
    t.deepEqual(await operationsSince(office, host, before[index] ?? 0), []);
  }
});

test('the active host loses its LAN while heartbeats go on: handed over to the node that has it', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  const client = await office.startClient();
  await client.waitForAnswerFrom('primary');
  await office.network.cut('primary', 'lan');
  await client.waitForAnswerFrom('secondary');
  await office.waitForPhase('secondary', 'active');
  await office.waitForPhase('primary', 'stopped');
  for (const guest of guests) await office.counts(guest);
  const shown = guests.map((guest) => office.shown(guest).some(({ what }) => what === 'stop'));
  t.deepEqual(shown, [true, true], 'the guests were shut down, not killed');
  await office.network.mend('primary', 'lan');
  await office.settled('secondary');
  t.pass('and it stays there');
});

test('the standby is wholly cut off: it says isolated, starts nothing, and nothing moves after the heal', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  const before = await pids(office, 'primary');
  const counts = [(await office.history('primary')).length, (await office.history('secondary')).length];
  await office.network.cutEverything('secondary');
  await office.waitForVerdict('secondary', 'isolated');
  await office.waitForVerdict('primary', 'dead');
  await office.waitForPhase('secondary', 'blocked');
  for (const guest of guests) await office.counts(guest);
  await office.network.mendEverything('secondary');
  await office.settled('primary');
  t.deepEqual(await pids(office, 'primary'), before);
  for (const [index, host] of hostNames.entries()) {
    t.deepEqual(await operationsSince(office, host, counts[index] ?? 0), []);
  }
});

for (const how of ['carrier', 'silent'] as const) {
  test(`the active host is wholly cut off (${how}): frozen, then taken over, never two copies, one owner after the heal`, async (t) => {
    const office = await useOffice(t);
    await office.settled('primary');
    const watches = guests.map((guest) => watchGuest(office.network, guest));
    const addressWatch = await office.network.watchAddress(floatingAddress);
    await office.network.cutEverything('primary', how);
    await office.waitForPhase('secondary', 'active');
    t.is(await office.phase('primary'), 'frozen');
    for (const guest of guests) await office.counts(guest);
    const frozenAt = Math.max(
      ...(await Promise.all(
        guests.map((guest) => noteAt(office, 'primary', 'operation-done', `freeze guest:${guest}`)),
      )),
    );
    const startedAt = await noteAt(office, 'secondary', 'take-over', 'starting');
    t.true(frozenAt < startedAt, `frozen ${startedAt - frozenAt} ms before the takeover`);
    t.deepEqual(await office.network.addressHolders(floatingAddress), ['secondary']);
    const winners = await pids(office, 'secondary');

    await office.network.mendEverything('primary');
    await office.settled('secondary');
    t.deepEqual(await pids(office, 'primary'), [null, null], 'the frozen copies are gone');
    t.deepEqual(await pids(office, 'secondary'), winners, 'only the loser stopped anything');
    t.deepEqual(await office.network.addressHolders(floatingAddress), ['secondary']);
    t.deepEqual(await addressWatch.overlaps(), []);
    for (const watch of watches) {
      await watch.stop();
      t.true(watch.sightings() > 0);
      t.deepEqual(watch.overlaps, []);
    }
  });
}

test('every cable between the hosts is cut for less than deadtime: nothing moves', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  const before = await pids(office, 'primary');
  const counts = [(await office.history('primary')).length, (await office.history('secondary')).length];
  await office.network.cutEverything('secondary', 'silent');
  await waitFor('the peer is late', async () => (await office.status('secondary')).verdict.kind === 'late', {
    intervalMs: 10,
  });
  await office.network.mendEverything('secondary');
  await office.settled('primary');
  t.deepEqual(await pids(office, 'primary'), before);
  for (const [index, host] of hostNames.entries()) {
    t.deepEqual(await operationsSince(office, host, counts[index] ?? 0), []);
  }
});

test('a switch reboots: both cut off, guests paused, then resumed by the same owner; no takeover, no restart', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  const before = await pids(office, 'primary');
  await office.network.switchesOff();
  await office.waitForPhase('primary', 'frozen');
  await office.waitForVerdict('secondary', 'isolated');
  t.deepEqual(await office.network.addressHolders(floatingAddress), []);
  await waitFor('both guests are paused', async () =>
    (await office.status('primary')).groups[0]?.resources.every(({ status }) => status !== 'up'),
  );
  await office.network.switchesOn();
  await office.settled('primary');
  t.deepEqual(await pids(office, 'primary'), before);
  for (const guest of guests) t.deepEqual(office.starts(guest), [0], 'not restarted');
  t.deepEqual(await pids(office, 'secondary'), [null, null]);
  t.false((await codes(office, 'secondary')).includes('take-over'));
  t.deepEqual(await office.network.addressHolders(floatingAddress), ['primary']);
});

test('a graceful stop hands over: the guests shut down in order, the address hardly missing, the peer told', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  const client = await office.startClient();
  await client.waitForAnswerFrom('primary');
  const watch = await office.network.watchAddress(floatingAddress);
  await client.reset();
  office.daemon('primary').signal('SIGTERM');
  const { exitCode } = await office.daemon('primary').exited;
  t.is(exitCode, 0);
  await client.waitForAnswerFrom('secondary');
  await office.waitForPhase('secondary', 'active');
  t.is((await office.status('secondary')).verdict.kind, 'departed');
  const report = await client.report();
  t.log(`address outage ${report.longestGapMs.toFixed(1)} ms`);
  t.true(report.longestGapMs < 1000, 'handed over, not waited out');
  t.deepEqual(await watch.overlaps(), []);
  for (const guest of guests) {
    await office.counts(guest);
    const story = office.shown(guest);
    const stop = story.findIndex(({ what }) => what === 'stop');
    t.true(stop > 0, 'shut down by ACPI');
    t.is(story[stop + 1]?.what, 'start');
    t.is(story[stop + 1]?.count, story[stop]?.count, 'not one count was lost');
  }
});

test('both daemons start together: one owner, the preferred node; one alone waits for initdead and then asks a person', async (t) => {
  const office = await useOffice(t, { idle: true, initdead: '4s' });
  await office.startDaemons();
  await office.settled('primary');
  t.deepEqual(await pids(office, 'secondary'), [null, null]);

  const alone = await useOffice(t, { idle: true, initdead: '4s' });
  await alone.network.powerLoss('primary');
  await alone.startDaemon('secondary');
  const askedAt = monotonicMs();
  const { verdict, daemon } = await alone.status('secondary');
  t.is(verdict.kind, 'listening');
  await alone.waitForPhase('secondary', 'blocked');
  const blockedAt = await noteAt(alone, 'secondary', 'block', 'may have written to it last');
  t.is((await alone.battito('secondary', 'takeover', '--accept-data', 'office')).exitCode, 0);
  await alone.waitForPhase('secondary', 'active');
  const waitedMs = blockedAt - (askedAt - daemon.uptimeMs);
  t.true(waitedMs >= 4000, `it waited ${waitedMs} ms`);
});

test('a guest that cannot start is given up and reported; the address and the other guest are up; retry mends it', async (t) => {
  const office = await useOffice(t, { idle: true });
  await rename(office.disk('mail'), `${office.disk('mail')}.away`);
  await office.startDaemons();
  await office.waitForPhase('primary', 'active');
  await office.counts('web');
  t.deepEqual(await office.network.addressHolders(floatingAddress), ['primary']);
  const shown = await office.battito('primary', 'status');
  t.is(shown.exitCode, 3);
  t.regex(shown.stdout, /guest:mail/);
  t.regex(shown.stdout, /battito retry office/);
  await rename(`${office.disk('mail')}.away`, office.disk('mail'));
  t.is((await office.battito('primary', 'retry', 'office')).exitCode, 0);
  await office.counts('mail');
  await waitFor('all is well', async () => (await office.battito('primary', 'status')).exitCode === 0);
});

test('the address is put back when somebody removes it, and a guest that dies is started again', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  await office.network.run('primary', ['ip', 'addr', 'del', `${floatingAddress}/24`, 'dev', 'eth0']);
  await waitFor('the address is back', async () =>
    (await office.network.addressHolders(floatingAddress)).includes('primary'),
  );
  const pid = await office.guestPid('primary', 'mail');
  t.truthy(pid);
  process.kill(pid ?? 0, 'SIGKILL');
  await waitFor('mail was started again', () => office.starts('mail').length === 2);
  await office.counts('mail');
  t.is(office.starts('web').length, 1);
});

test('the active host is cut off in the middle of a handover, while a guest shuts down: never two copies', async (t) => {
  const office = await useOffice(t, { idle: true });
  await writeFile(office.disk('mail'), Buffer.alloc(1024 * 1024)); // Nothing in it hears the power button.
  await office.startDaemons();
  await office.waitForPhase('primary', 'active');
  await office.waitForPhase('secondary', 'stopped');
  const watch = watchGuest(office.network, 'mail');
  t.is((await office.wish('primary', { kind: 'handover', groups: [] })).kind, 'accepted');
  await waitFor('mail is told to shut down', async () =>
    (await office.status('primary')).groups[0]?.resources.some(
      ({ id, operation }) => id === 'guest:mail' && operation?.action === 'stop',
    ),
  );
  await office.network.cutEverything('primary');
  await office.waitForPhase('secondary', 'active');
  t.truthy(await office.guestPid('secondary', 'mail'));
  t.is(await office.guestPid('primary', 'mail'), null);
  t.true((await codes(office, 'primary')).includes('stop-at-once'));
  await office.network.mendEverything('primary');
  await office.waitForPhase('primary', 'stopped');
  await office.waitForVerdict('primary', 'alive');
  t.is(await office.phase('secondary'), 'active');
  await watch.stop();
  t.true(watch.sightings() > 0);
  t.deepEqual(watch.overlaps, []);
});
