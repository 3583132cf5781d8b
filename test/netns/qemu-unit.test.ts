// The QEMU driver with real QEMU and a scripted systemd-run: whatever systemd does, there is one QEMU, or none.

import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import {
  assertFailed,
  assertNothingLeft,
  countsOn,
  createHost,
  done,
  type Host,
  onlyPid,
  until,
} from './support/qemu-host.ts';

const become =
  'while [ "$1" != -- ]; do shift; done; shift; echo "Running scope as unit: guest" >&2; exec "$@"';

/** A systemd-run in front of the real one. */
async function scripted(t: ExecutionContext, { directory }: Host, body: string) {
  const folder = join(directory, 'bin');
  const log = join(directory, 'systemd-run.log');
  const { PATH } = process.env;
  await mkdir(folder);
  await writeFile(join(folder, 'systemd-run'), `#!/bin/sh\necho "$*" >>'${log}'\n${body}\n`);
  await chmod(join(folder, 'systemd-run'), 0o755);
  process.env['PATH'] = `${folder}:${PATH}`;
  t.teardown(() => {
    process.env['PATH'] = PATH;
  });
  return async () => (await readFile(log, 'utf8').catch(() => '')).split('\n').slice(0, -1);
}

test.serial('a guest is started in its unit, adopted, and leaves nothing', async (t) => {
  const host = await createHost(t);
  const calls = await scripted(t, host, become);
  const daemon = host.createDaemon({}, { units: true });
  t.deepEqual(await daemon.perform('start'), done);
  const pid = await onlyPid(host);
  await countsOn(host);
  await daemon.close();
  const next = host.createDaemon({}, { units: true });
  t.deepEqual(await next.observe(), { kind: 'up' });
  t.deepEqual(await next.perform('start'), done);
  t.is(await onlyPid(host), pid);
  t.deepEqual(await next.perform('destroy'), done);
  await assertNothingLeft(t, host);
  t.is((await calls()).length, 1);
  t.regex((await calls())[0] ?? '', /--unit=battito-guest-mail-[0-9a-f]{6}\.scope .* -- qemu-system-x86_64 /);
});

test.serial('what QEMU says is told as ever, and it is not started a second time', async (t) => {
  const host = await createHost(t, { disk: { file: '/nonexistent/disk', format: 'raw', locking: 'auto' } });
  const calls = await scripted(t, host, become);
  const outcome = await host.createDaemon({}, { units: true }).perform('start');
  assertFailed(t, outcome, 'qemu-refused', /^guest mail: Could not open '\/nonexistent\/disk': No such file/);
  await assertNothingLeft(t, host);
  t.is((await calls()).length, 1);
});

for (const [title, body] of [
  ['refuses', 'echo "Failed to start transient scope unit: Access denied" >&2; exit 1'],
  ['does not answer', 'exec sleep 600'],
] as const) {
  test.serial(`a systemd that ${title} does not keep the guest down`, async (t) => {
    const host = await createHost(t);
    const calls = await scripted(t, host, body);
    const daemon = host.createDaemon({}, { units: true });
    t.deepEqual(await daemon.perform('start'), done);
    t.is((await calls()).length, 1);
    await onlyPid(host);
    await countsOn(host);
    t.deepEqual(await daemon.observe(), { kind: 'up' });
    t.deepEqual(await daemon.perform('destroy'), done);
    await assertNothingLeft(t, host);
  });
}

test.serial('a start that is aborted while systemd is asked leaves nothing, then or later', async (t) => {
  const host = await createHost(t);
  const gate = join(host.directory, 'gate');
  const calls = await scripted(t, host, `while [ ! -e '${gate}' ]; do sleep 0.1; done; ${become}`);
  const daemon = host.createDaemon({}, { units: true });
  const abort = new AbortController();
  const outcome = daemon.performUntil('start', abort.signal);
  await until('systemd is asked', async () => (await calls()).length > 0);
  abort.abort();
  t.is((await outcome).kind, 'unknown');
  await assertNothingLeft(t, host);
  await writeFile(gate, '');
  t.deepEqual(await daemon.observe(), { kind: 'down' });
  t.deepEqual(await daemon.perform('start'), done);
  await onlyPid(host);
});

test.serial('a start in a unit aborted at any moment leaves at most one QEMU', async (t) => {
  const host = await createHost(t);
  await scripted(t, host, become);
  const daemon = host.createDaemon({}, { units: true });
  for (const delayMs of [0, 5, 10, 20, 30, 40, 60, 80]) {
    const outcome = await daemon.performUntil('start', AbortSignal.timeout(delayMs));
    t.true(['unknown', 'done'].includes(outcome.kind), `${delayMs} ms: ${JSON.stringify(outcome)}`);
    t.deepEqual(await daemon.perform('start'), done, `${delayMs} ms`);
    await onlyPid(host);
    t.deepEqual(await daemon.perform('destroy'), done);
    await assertNothingLeft(t, host);
  }
});
