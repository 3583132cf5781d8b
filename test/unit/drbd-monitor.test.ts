// The monitor of DRBD's events against a scripted drbdsetup: rebuilt whenever the stream ends, honest while there is none.

import { appendFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { createDrbdMonitor } from '../../daemon/drivers/drbd/monitor.ts';
import type { DrbdView } from '../../daemon/drivers/drbd/types.ts';
import { waitFor } from '../support.ts';
import { type FakeDrbd, fakeDrbd, soon } from './support/drbd-tools.ts';

async function monitored(t: ExecutionContext, fake: FakeDrbd, options: { graceMs?: number } = {}) {
  const monitor = createDrbdMonitor({
    ...options,
    logger: fake.logger,
    procFile: fake.procFile,
    restartDelayMsMin: 20,
    dumpTimeoutMs: 1500,
  });
  t.teardown(() => monitor.close());
  const views: DrbdView[] = [];
  monitor.subscribe('r0', (view) => views.push(view));
  const last = () => views[views.length - 1];
  return { monitor, views, last };
}

const endStream = async (fake: FakeDrbd) => {
  process.kill(Number(await readFile(join(fake.directory, 'stream.pid'), 'utf8')), 'SIGKILL');
};

test.serial('a state is told when its dump is complete, then each change once', async (t) => {
  const fake = await fakeDrbd(t, { ROLE: 'Primary' });
  const { monitor, views, last } = await monitored(t, fake);
  t.is(monitor.current('r0').storage.role, 'unknown');
  t.is(monitor.current('r0').trouble?.code, 'drbd-not-read-yet');
  await waitFor('first word', () => views.length > 0);
  t.like(last()?.storage, { role: 'primary', disk: 'up-to-date', connection: 'connected' });
  t.is(last()?.trouble, null);
  fake.become({ CONN: 'NetworkFailure' });
  await waitFor('change', () => last()?.storage.connection === 'connecting');
  fake.become({ CONN: 'Unconnected' }); // The same to us.
  fake.become({ PEERDISK: 'Outdated' });
  await waitFor('change', () => last()?.storage.peerDisk === 'outdated');
  t.is(views.length, 3);
});

test.serial('a stream that ends is started again, and what it missed is in the new dump', async (t) => {
  const fake = await fakeDrbd(t);
  const { views, last } = await monitored(t, fake, { graceMs: 30_000 });
  await waitFor('first word', () => views.length > 0);
  const state = join(fake.directory, 'state');
  const text = await readFile(state, 'utf8');
  await writeFile(state, text.replace('DISK=UpToDate', 'DISK=Outdated')); // Nobody tells the stream.
  await endStream(fake);
  await waitFor('the new dump', () => last()?.storage.disk === 'outdated');
  t.deepEqual(
    views.map(({ storage }) => storage.role),
    ['secondary', 'secondary'],
    'a short gap is not made known',
  );
  fake.become({ ROLE: 'Primary' });
  await waitFor('the new stream', () => last()?.storage.role === 'primary');
});

test.serial('events that were lost on the way make it read everything anew', async (t) => {
  const fake = await fakeDrbd(t);
  const { last } = await monitored(t, fake);
  await waitFor('first word', () => last() !== undefined);
  const state = join(fake.directory, 'state');
  await writeFile(state, (await readFile(state, 'utf8')).replace('DISK=UpToDate', 'DISK=Outdated'));
  await appendFile(join(fake.directory, 'stream'), '- skipped 2\n');
  t.true(await waitFor('the new dump', () => last()?.storage.disk === 'outdated'));
});

test.serial(
  'while the module is gone nothing is known, and why is said; then it is seen again',
  async (t) => {
    const fake = await fakeDrbd(t);
    const { monitor, last } = await monitored(t, fake);
    await waitFor('first word', () => last() !== undefined);
    await fake.override(
      `case "$tool $1" in "drbdsetup events2") echo "Could not stat /proc/drbd: No such file or directory" >&2; exit 20;; esac\n`,
    );
    await endStream(fake);
    await waitFor('unknown', () => last()?.storage.role === 'unknown');
    t.deepEqual(last()?.trouble, {
      code: 'drbd-module-not-loaded',
      what: 'the kernel module of DRBD is not loaded (Could not stat /proc/drbd: No such file or directory)',
      next: 'modprobe drbd',
    });
    t.is((await monitor.look('r0', soon())).trouble?.code, 'drbd-module-not-loaded');
    await rm(join(fake.directory, 'override'));
    monitor.nudge();
    await waitFor('seen again', () => last()?.storage.role === 'secondary');
  },
);

test.serial('without drbd-utils it says how to get them', async (t) => {
  const path = process.env['PATH'];
  const fake = await fakeDrbd(t);
  process.env['PATH'] = '/nonexistent';
  const { last, monitor } = await monitored(t, fake);
  try {
    await waitFor('trouble', () => last()?.trouble);
    t.like(last()?.trouble, { code: 'drbd-utils-missing', next: 'apt-get install drbd-utils' });
  } finally {
    await monitor.close();
    process.env['PATH'] = path;
  }
});

test.serial('a resource that DRBD does not have up is not taken for down', async (t) => {
  const fake = await fakeDrbd(t, { UP: 'no' });
  const { last } = await monitored(t, fake);
  await waitFor('trouble', () => last()?.trouble);
  t.is(last()?.storage.role, 'unknown');
  t.like(last()?.trouble, { code: 'drbd-resource-not-up' });
  t.regex(last()?.trouble?.next ?? '', /^drbdadm up r0/);
});

test.serial('a resync is followed in /proc/drbd', async (t) => {
  const fake = await fakeDrbd(t, { REPL: 'SyncTarget', DISK: 'Inconsistent', MINOR: '2' });
  const { monitor, last } = await monitored(t, fake);
  const proc = new URL('fixtures/drbd/proc-drbd-8.4.txt', import.meta.url);
  await writeFile(fake.procFile, await readFile(proc));
  await waitFor('percents', () => last()?.storage.resync?.percent === 48);
  t.like(await monitor.progress('r0', soon()), { percent: 48.8, leftS: 71 });
  t.like(monitor.resync('r0'), { percent: 48.8, leftS: 71 }, 'and is at hand without asking');
  fake.become({ REPL: 'Established', DISK: 'UpToDate' });
  await waitFor('its end', () => last()?.storage.resync === null);
  t.is(await monitor.progress('r0', soon()), null);
  t.is(monitor.resync('r0'), null);
});

test.serial('what the peer lacks is at hand while they are not connected', async (t) => {
  const fake = await fakeDrbd(t, { MINOR: '10', ROLE: 'Primary' });
  const { monitor, last } = await monitored(t, fake);
  await waitFor('first word', () => last() !== undefined);
  const proc = new URL('fixtures/drbd/proc-drbd-8.4-standalone.txt', import.meta.url);
  await writeFile(fake.procFile, await readFile(proc));
  t.is(monitor.changedKib('r0'), null);
  fake.become({ CONN: 'StandAlone', REPL: 'Off' });
  await waitFor('the bitmap', () => monitor.changedKib('r0') === 64);
  fake.become({ CONN: 'Connected', REPL: 'Established' });
  await waitFor('connected', () => last()?.storage.connection === 'connected');
  t.is(monitor.changedKib('r0'), null);
});

test.serial('a stream that is stuck is found out by a look', async (t) => {
  const fake = await fakeDrbd(t);
  const { monitor, last } = await monitored(t, fake);
  await waitFor('first word', () => last() !== undefined);
  const state = join(fake.directory, 'state');
  await writeFile(state, (await readFile(state, 'utf8')).replace('DISK=UpToDate', 'DISK=Outdated'));
  t.is((await monitor.look('r0', soon())).storage.disk, 'outdated');
  t.is(monitor.current('r0').storage.disk, 'up-to-date');
  await waitFor('the new dump', () => last()?.storage.disk === 'outdated');
});

test.serial('drbdsetup that hangs is not waited for: nothing is known, and why is said', async (t) => {
  const fake = await fakeDrbd(t);
  const { last } = await monitored(t, fake);
  await waitFor('first word', () => last() !== undefined);
  await fake.override('[[ "$tool $1" = "drbdsetup events2" ]] && exec sleep 60\n');
  await endStream(fake);
  await waitFor('unknown', () => last()?.trouble?.code === 'drbd-silent');
  t.is(last()?.storage.role, 'unknown');
  await rm(join(fake.directory, 'override'));
  t.true(await waitFor('seen again', () => last()?.storage.role === 'secondary'));
});

test.serial('that it was a split brain is remembered when the stream is a new one', async (t) => {
  const fake = await fakeDrbd(t);
  const { last, monitor } = await monitored(t, fake);
  await waitFor('first word', () => last() !== undefined);
  await appendFile(join(fake.directory, 'stream'), 'call helper name:r0 peer-node-id:0 helper:split-brain\n');
  fake.become({ CONN: 'StandAlone', REPL: 'Off' });
  await waitFor('split brain', () => last()?.detail?.standsAlone === 'split-brain');
  t.is((await monitor.look('r0', soon())).detail?.standsAlone, 'split-brain');
  await endStream(fake);
  await waitFor('another stream', async () => {
    const streams = (await fake.allCalls()).filter((line) => line === 'drbdsetup events2 all');
    return streams.length === 2;
  });
  fake.become({ DISK: 'Outdated' });
  await waitFor('seen', () => last()?.storage.disk === 'outdated');
  t.is(last()?.detail?.standsAlone, 'split-brain');
  fake.become({ CONN: 'Connected', REPL: 'Established' });
  await waitFor('connected', () => last()?.storage.connection === 'connected');
  t.is(last()?.detail?.standsAlone, 'no');
  fake.become({ CONN: 'StandAlone', REPL: 'Off' });
  await waitFor('alone', () => last()?.storage.connection === 'standalone');
  t.is(last()?.detail?.standsAlone, 'unexplained');
});
