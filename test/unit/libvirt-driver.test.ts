// The libvirt driver against a libvirt that hangs, lies, and dies in the middle of things.

import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import test, { type ExecutionContext } from 'ava';
import { attentionOfLibvirt } from '../../daemon/control/attention-libvirt.ts';
import type { Outcome, ResourceStatus } from '../../daemon/drivers/driver.ts';
import { definedBy } from '../guest/configs.ts';
import { createFake, patienceMs, until, useFakeVirsh } from './support/fake-libvirt.ts';

useFakeVirsh();

const done: Outcome = { kind: 'done' };
/** As the core gives it. */
const destroyDeadlineMs = 10_000;

function failed(t: ExecutionContext, outcome: Outcome, code: string, message: RegExp): void {
  t.like(outcome, { kind: 'failed', code });
  if (outcome.kind === 'failed') t.regex(outcome.message, message);
}

function unknown(t: ExecutionContext, outcome: Outcome | ResourceStatus, message: RegExp): void {
  t.is(outcome.kind, 'unknown');
  if (outcome.kind === 'unknown') t.regex(outcome.message, message);
}

test('a start that libvirt calls done and that did nothing is a failure', async (t) => {
  const fake = await createFake(t, 'shut off');
  await fake.write('start.sh', 'exit 0');
  failed(
    t,
    await fake.createDaemon().perform('start'),
    'guest-not-running',
    /said that it started, but it is shut off/,
  );
  t.deepEqual(await fake.deeds(), ['start --force-boot']);
});

test('a libvirt that dies in mid-start leaves it open whether the guest runs', async (t) => {
  const fake = await createFake(t, 'shut off');
  const dead =
    'echo "error: failed to connect to the hypervisor" >&2; echo "error: Failed to connect socket to /x: Connection refused" >&2; exit 1';
  const dies = `echo '${dead}' >"$dir/domstate.sh"; echo "error: End of file while reading data: Input/output error" >&2; exit 1`;
  await fake.write('start.sh', dies);
  unknown(t, await fake.createDaemon().perform('start'), /End of file/);
});

test('a start that takes too long is undone', async (t) => {
  const fake = await createFake(t, 'shut off');
  await fake.write('start.sh', 'exec sleep 1000');
  const daemon = fake.createDaemon({ startTimeoutMs: 4000 });
  failed(
    t,
    await daemon.perform('start'),
    'start-timed-out',
    /not started within 4000 ms; the start was undone/,
  );
  t.deepEqual(await fake.deeds(), ['start --force-boot', 'destroy']);
});

test('a start that was broken off and comes to effect late is ended by the stop', async (t) => {
  const fake = await createFake(t, 'shut off');
  const awaited = 'until [ -e "$dir/now" ]; do sleep 0.02; done';
  const late = `(${awaited}; echo "running (booted)" >"$dir/state") >/dev/null 2>&1 & exec sleep 1000`;
  await fake.write('start.sh', late);
  const daemon = fake.createDaemon();
  const abort = new AbortController();
  const start = daemon.performUntil('start', abort.signal);
  await until('virsh start', async () => (await fake.deeds()).includes('start --force-boot'));
  abort.abort();
  unknown(t, await start, /aborted/);
  const before = (await fake.calls()).length;
  const stop = daemon.perform('stop');
  await until('the stop has looked twice', async () => (await fake.calls()).length > before + 1);
  await fake.write('now', '');
  t.deepEqual(await stop, done);
  t.deepEqual(await fake.deeds(), ['start --force-boot', 'destroy --graceful']);
  t.deepEqual(await daemon.observe(), { kind: 'down' });
});

test('a guest that nobody knows is down, and a start defines it', async (t) => {
  const fake = await createFake(t);
  t.deepEqual(await fake.createDaemon().observe(), { kind: 'down' });
  const daemon = fake.createDaemon({}, { definitions: definedBy('<domain>of the peer</domain>') });
  t.deepEqual(await daemon.perform('start'), done);
  t.is(await readFile(fake.file('defined'), 'utf8'), '<domain>of the peer</domain>');
});

test('a guest is asked to end by its agent, then by the power button, then switched off', async (t) => {
  const channel = `<target type='virtio' name='org.qemu.guest_agent.0' state='STATE'/>`;
  const deaf = await createFake(t, 'running (booted)');
  await deaf.write('xml', channel.replace('STATE', 'connected'));
  await deaf.write('shutdown.sh', 'exit 0');
  t.deepEqual(await deaf.createDaemon({ agentTimeoutMs: 300, shutdownTimeoutMs: 400 }).perform('stop'), done);
  const deeds = await deaf.deeds();
  t.is(deeds[0], 'shutdown --mode agent');
  t.is(deeds[1], 'shutdown --mode acpi');
  t.is(deeds.at(-1), 'destroy --graceful');

  const noAgent = await createFake(t, 'running (booted)');
  await noAgent.write('xml', channel.replace('STATE', 'connected'));
  await noAgent.write(
    'shutdown.sh',
    'case "$*" in *agent) echo "error: Guest agent is not responding" >&2; exit 1;; esac',
  );
  t.deepEqual(await noAgent.createDaemon({ agentTimeoutMs: 3_600_000 }).perform('stop'), done);
  t.deepEqual(await noAgent.deeds(), ['shutdown --mode agent', 'shutdown --mode acpi']);

  const gone = await createFake(t, 'running (booted)');
  await gone.write('xml', channel.replace('STATE', 'disconnected'));
  t.deepEqual(await gone.createDaemon().perform('stop'), done);
  t.deepEqual(await gone.deeds(), ['shutdown --mode acpi']);
});

test('the button is pressed again for a guest that was still booting', async (t) => {
  const fake = await createFake(t, 'running (booted)');
  await fake.write('shutdown.sh', '[ "$(grep -c shutdown "$dir/calls")" -ge 2 ] || exit 0');
  t.deepEqual(await fake.createDaemon().perform('stop'), done);
  t.deepEqual(await fake.deeds(), ['shutdown --mode acpi', 'shutdown --mode acpi']);
});

test('a guest that is halted is not asked, only ended', async (t) => {
  for (const state of ['paused (user)', 'paused (I/O error)', 'crashed (panicked)', 'pmsuspended']) {
    const fake = await createFake(t, state);
    t.deepEqual(await fake.createDaemon().perform('stop'), done);
    t.deepEqual(await fake.deeds(), ['destroy'], state);
  }
});

test('a libvirt that hangs is asked by few at a time, and never makes a guest down', async (t) => {
  const fake = await createFake(t, 'shut off');
  await fake.write('hangs', '');
  const first = fake.createDaemon();
  const others = Array.from({ length: 19 }, () => fake.createDaemon({}, { libvirt: first.libvirt }));
  const looks = await Promise.all([first, ...others].map((daemon) => daemon.observe()));
  for (const look of looks)
    t.deepEqual(look, { kind: 'unknown', message: 'libvirtd does not answer; no QEMU of it is seen' });
  const calls = (await fake.calls()).length;
  t.true(calls <= 8, `${calls} calls`);
  unknown(t, await first.observe(), /does not answer/);

  await rm(fake.file('hangs'));
  await until('an answer', async () => (await first.observe()).kind === 'down');
});

test('one domain that hangs does not make the others unknown', async (t) => {
  const fake = await createFake(t, 'running (booted)');
  await fake.write('domstate.sh', 'case $* in *stuck*) exec sleep 1000;; esac');
  await fake.write('domstats.sh', 'exec sleep 1000');
  const daemon = fake.createDaemon();
  const stuck = fake.createDaemon({ name: 'stuck' }, { libvirt: daemon.libvirt });
  const [stuckLook, ...looks] = await Promise.all([
    stuck.observe(),
    ...Array.from({ length: 8 }, () => daemon.observe()),
  ]);
  unknown(t, stuckLook, /libvirtd answers, but not about this guest/);
  for (const look of looks) t.deepEqual(look, { kind: 'up' });
  t.deepEqual(await daemon.observe(), { kind: 'up' });
});

test('while libvirt hangs its QEMU is known, frozen, resumed and killed by its process', async (t) => {
  const fake = await createFake(t, 'running (booted)');
  const daemon = fake.createDaemon();
  const pid = await fake.startProcess();
  t.deepEqual(await daemon.observe(), { kind: 'up' });
  await fake.write('hangs', '');
  unknown(t, await daemon.observe(), new RegExp(`libvirtd does not answer; QEMU \\(pid ${pid}\\) lives`));
  t.deepEqual(await daemon.perform('freeze'), done);
  t.deepEqual(await daemon.observe(), { kind: 'paused' });
  unknown(t, await daemon.perform('resume'), /libvirtd does not answer/);
  unknown(t, await daemon.perform('start'), /nothing was started/);
  t.deepEqual(await daemon.performUntil('destroy', AbortSignal.timeout(destroyDeadlineMs)), done);
  t.deepEqual(await daemon.observe(), { kind: 'down' }, 'it was seen to end');
  unknown(t, await daemon.perform('start'), /nothing was started/);
  t.deepEqual(await daemon.observe(), { kind: 'down' });
});

test('of a guest that was killed without libvirt, libvirt tells again once it answers', async (t) => {
  const fake = await createFake(t, 'running (booted)');
  const daemon = fake.createDaemon();
  const told = () => attentionOfLibvirt(daemon.libvirt).map(({ severity, code }) => `${severity} ${code}`);
  await fake.startProcess();
  await daemon.observe();
  t.deepEqual(told(), []);
  await fake.write('hangs', '');
  t.deepEqual(await daemon.perform('destroy'), done);
  t.deepEqual(await daemon.observe(), { kind: 'down' });
  t.deepEqual(told(), ['alarm libvirt-silent'], 'nothing else says that it hangs');
  await rm(fake.file('hangs'));
  // It has not noticed yet.
  await until('an answer', async () => (await daemon.observe()).kind === 'up');
  t.deepEqual(told(), []);
  await fake.write('hangs', '');
  unknown(t, await daemon.observe(), /no QEMU of it is seen/);
});

test('one that is not seen, and was not killed here, is unknown while libvirt hangs', async (t) => {
  const fake = await createFake(t, 'running (booted)');
  const daemon = fake.createDaemon();
  await daemon.observe();
  await fake.write('hangs', '');
  unknown(t, await daemon.performUntil('destroy', AbortSignal.timeout(destroyDeadlineMs)), /does not answer/);
  unknown(t, await daemon.observe(), /no QEMU of it is seen/);
});

test('a process with the name but the UUID of another is seen, and not touched', async (t) => {
  const fake = await createFake(t, 'running (booted)');
  const daemon = fake.createDaemon();
  await daemon.observe();
  const pid = await fake.startProcess('00000000-0000-4000-8000-000000000001');
  await fake.write('hangs', '');
  unknown(t, await daemon.perform('destroy'), /could not be told to be its own and was not killed/);
  unknown(t, await daemon.perform('freeze'), /is not surely its own/);
  t.notThrows(() => process.kill(pid, 0));
});

test('libvirt saying off while QEMU lives is unknown, and no second one is started', async (t) => {
  const fake = await createFake(t, 'shut off');
  const pid = await fake.startProcess();
  const daemon = fake.createDaemon();
  unknown(
    t,
    await daemon.observe(),
    new RegExp(`shut off \\(unknown\\), but its QEMU \\(pid ${pid}\\) lives`),
  );
  t.not((await daemon.perform('start')).kind, 'done');
  t.deepEqual(await fake.deeds(), []);
  await rm(fake.file('state'));
  unknown(t, await daemon.observe(), /libvirt does not know .*, but a QEMU of it/);
  t.not((await daemon.perform('start')).kind, 'done');
  t.deepEqual(await fake.deeds(), []);
});

test('a guest that waits for its disk is unknown, and can be told from other riddles', async (t) => {
  const fake = await createFake(t, 'paused (I/O error)');
  const daemon = fake.createDaemon();
  unknown(t, await daemon.observe(), /its disk gave an error; see virsh domblkerror .*virsh resume/);
  t.deepEqual(daemon.detail(), { condition: 'io-error', said: 'paused (I/O error)' });
});

test('events lead to a look, whoever brought them about, also after the stream of them broke', async (t) => {
  const fake = await createFake(t, 'shut off');
  const daemon = fake.createDaemon();
  const lifecycle = (what: string) =>
    fake.tell(`2026-01-02 03:04:05.678+0000: event 'lifecycle' for domain '${fake.name}': ${what}`);
  await daemon.observe();
  await fake.write('state', 'running (booted)');
  await lifecycle('Started Booted');
  await until('up', () => daemon.statuses.at(-1)?.kind === 'up');
  await fake.write(
    'event.sh',
    'echo "error: Disconnected from qemu:///system due to end of file" >&2; exit 1',
  );
  await fake.write('state', 'paused (user)');
  await lifecycle('Suspended Paused');
  await until('paused', () => daemon.statuses.at(-1)?.kind === 'paused');
  t.deepEqual(
    daemon.statuses.map(({ kind }) => kind),
    ['down', 'up', 'paused'],
  );
});

test('a saved memory is used once, and one that libvirt refuses is thrown away', async (t) => {
  const fake = await createFake(t, 'running (booted)');
  const daemon = fake.createDaemon();
  const images = () => readdir(fake.file('saved'));
  t.deepEqual(await daemon.save(AbortSignal.timeout(patienceMs)), done);
  t.deepEqual((await images()).sort(), [`${fake.name}.disks`, `${fake.name}.saved`]);
  t.deepEqual(await daemon.perform('start'), done);
  t.deepEqual(await images(), []);
  await daemon.save(AbortSignal.timeout(patienceMs));
  await fake.write('restore.sh', 'echo "error: Failed to restore domain" >&2; exit 1');
  t.deepEqual(await daemon.perform('start'), done);
  t.deepEqual(await images(), []);
  const restore = `restore ${fake.file('saved')}/${fake.name}.restoring --running`;
  const save = `save ${fake.file('saved')}/${fake.name}.saving --running`;
  t.deepEqual(await fake.deeds(), [save, restore, save, restore, 'start --force-boot']);
});

test('an image that was tried before is never tried again', async (t) => {
  const fake = await createFake(t, 'shut off');
  await mkdir(fake.file('saved'));
  await writeFile(`${fake.file('saved')}/${fake.name}.restoring`, 'LibvirtQemudSave...');
  t.deepEqual(await fake.createDaemon().perform('start'), done);
  t.deepEqual(await fake.deeds(), ['start --force-boot']);
  t.deepEqual(await readdir(fake.file('saved')), []);
});

test('a save that fails says what the guest is', async (t) => {
  const aborted = await createFake(t, 'running (booted)');
  await aborted.write('save.sh', 'exec sleep 1000');
  const daemon = aborted.createDaemon();
  const abort = new AbortController();
  const saving = daemon.save(abort.signal);
  await until('virsh save', async () => (await aborted.deeds()).some((line) => line.startsWith('save')));
  abort.abort();
  failed(t, await saving, 'save-failed', /could not be saved and runs on: .*aborted/);
  t.is((await aborted.deeds()).at(-1), 'domjobabort');

  const lost = await createFake(t, 'running (booted)');
  await lost.write('save.sh', 'printf LibvirtQemudPart >"$3"; echo "shut off (saved)" >"$dir/state"; exit 0');
  failed(
    t,
    await lost.createDaemon().save(AbortSignal.timeout(patienceMs)),
    'save-lost',
    /it boots at the next start/,
  );
  t.deepEqual(await readdir(lost.file('saved')), []);

  const nowhere = await createFake(t, 'running (booted)');
  const without = nowhere.createDaemon({}, { saveDirectory: null });
  failed(t, await without.save(AbortSignal.timeout(patienceMs)), 'save-not-possible', /no file system/);
});

test('libvirt that lets nobody in, and a name that virsh takes for an id, are told as they are', async (t) => {
  const fake = await createFake(t, 'running (booted)');
  const shut =
    'echo "error: failed to connect to the hypervisor" >&2; echo "error: authentication unavailable: no polkit agent" >&2; exit 1';
  await fake.write('domstate.sh', shut);
  await fake.write('domstats.sh', shut);
  const daemon = fake.createDaemon();
  unknown(t, await daemon.observe(), /authentication unavailable/);
  failed(t, await daemon.perform('start'), 'libvirt-refused', /authentication unavailable/);
  const numbered = fake.createDaemon({ name: '7' });
  unknown(t, await numbered.observe(), /takes that for an id; rename it/);
  t.deepEqual(await fake.deeds(), []);
});
