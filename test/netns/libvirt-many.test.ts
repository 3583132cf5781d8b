// Several domains of a real libvirtd beside each other: what looking at them costs, and that none hides the others.

import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import type { ResourceStatus } from '../../daemon/drivers/driver.ts';
import { createLibvirt, type Libvirt } from '../../daemon/drivers/libvirt/connection.ts';
import { createLibvirtDriver } from '../../daemon/drivers/libvirt/libvirt.ts';
import { temporaryDirectory } from '../support.ts';
import { createLibvirtHost, type LibvirtHost } from './support/libvirt-host.ts';
import { done, patienceMs, until } from './support/qemu-host.ts';

const soon = () => AbortSignal.timeout(patienceMs);

/** A virsh that notes each call, and otherwise is the installed one. */
async function countVirsh(t: ExecutionContext): Promise<() => Promise<readonly string[]>> {
  const directory = temporaryDirectory(t);
  const real = execFileSync('sh', ['-c', 'command -v virsh'], { encoding: 'utf8' }).trim();
  const script = `#!/bin/sh\necho "$4 $5" >>${directory}/calls\nexec ${real} "$@"\n`;
  await writeFile(path.join(directory, 'virsh'), script);
  await chmod(path.join(directory, 'virsh'), 0o755);
  const before = process.env['PATH'];
  process.env['PATH'] = `${directory}:${before}`;
  t.teardown(() => {
    process.env['PATH'] = before;
  });
  return async () => (await readFile(path.join(directory, 'calls'), 'utf8')).trim().split('\n');
}

/** They have no disk by which the host would know them as its own. */
function endsAll(t: ExecutionContext, host: LibvirtHost, names: readonly string[]): void {
  t.teardown(() => {
    const running = host.virsh('list', '--name').split('\n');
    for (const name of names) if (running.includes(name)) host.virsh('destroy', name);
  });
}

/** The definition of the host's guest, under another name and without its disk. */
function xmlOf(host: LibvirtHost, name: string): string {
  return host.xml
    .replace(`<name>${host.config.name}<`, `<name>${name}<`)
    .replace(/<uuid>.*<\/uuid>/, `<uuid>${randomUUID()}</uuid>`)
    .replace(/<disk .*<\/disk>/s, '')
    .replace('serial.txt', `${name}.txt`);
}

function createGuest(
  t: ExecutionContext,
  host: LibvirtHost,
  guest: { readonly name: string; readonly libvirt: Libvirt; readonly reconcileMs: number },
) {
  const statuses: ResourceStatus['kind'][] = [];
  const driver = createLibvirtDriver(
    { ...host.config, name: guest.name },
    {
      group: 'office',
      libvirt: guest.libvirt,
      runDir: path.join(host.directory, 'run'),
      logger: pino({ level: 'silent' }),
      onStatus: ({ kind }) => statuses.push(kind),
      reconcileMs: guest.reconcileMs,
    },
  );
  t.teardown(() => driver.close());
  return { driver, statuses };
}

test.serial(
  'guests that are looked at over and over cost one virsh at a time, however many they are',
  async (t) => {
    const host = await createLibvirtHost(t);
    const names = Array.from({ length: 12 }, (_, index) => `${host.config.name}-${index}`);
    for (const name of names) host.define(xmlOf(host, name));
    endsAll(t, host, names);
    const calls = await countVirsh(t);
    const libvirt = createLibvirt({ uri: host.uri, logger: pino({ level: 'silent' }) });
    t.teardown(() => libvirt.close());
    let asked = 0;
    const state: Libvirt['state'] = (name, call) => {
      asked += 1;
      return libvirt.state(name, call);
    };
    const guests = names.map((name) =>
      createGuest(t, host, { name, libvirt: { ...libvirt, state }, reconcileMs: 1000 }),
    );
    for (const { driver } of guests) t.deepEqual(await driver.perform('start', soon()), done);
    await until('all up', () => guests.every(({ statuses }) => statuses.at(-1) === 'up'));

    const looks = async () => (await calls()).filter((line) => line.startsWith('list')).length;
    const before = { all: (await calls()).length, looks: await looks(), asked };
    await until('ten rounds', async () => (await looks()) >= before.looks + 10);
    const [rounds, wishes] = [(await looks()) - before.looks, asked - before.asked];
    const later = await calls();
    // Of a slow host some rest for longer than others.
    t.true(wishes >= rounds * 3, `${wishes} looks by ${rounds} questions`);
    t.log(`${wishes} looks by ${rounds} questions`);
    // After an answer that was slow to come it is asked whether libvirt answers at all.
    const others = later
      .slice(before.all)
      .filter((line) => !line.startsWith('list --all --uuid --name; domstats') && line.trim() !== 'uri');
    t.deepEqual(others, []);

    // One that ends is seen by the next of them, also by those who looked just before.
    const [first] = guests;
    t.deepEqual(await first?.driver.perform('destroy', soon()), done);
    const states = await Promise.all(guests.map(({ driver }) => driver.observe(soon())));
    t.deepEqual(
      states.map(({ kind }) => kind),
      ['down', ...names.slice(1).map(() => 'up')],
    );
    for (const { driver } of guests) t.deepEqual(await driver.perform('destroy', soon()), done);
  },
);

test.serial('a start that libvirt hangs in does not hide what the other guests are', async (t) => {
  const host = await createLibvirtHost(t);
  host.define();
  // Asked what it can do it answers; asked for the guest it hangs, and libvirtd waits for it.
  const emulator = path.join(host.directory, 'qemu-that-hangs');
  const hangs = `#!/bin/sh\ncase "$*" in *guest=stuck*) echo $$ >${emulator}.pid; exec sleep 1000 ;; esac\nexec /usr/bin/qemu-system-x86_64 "$@"\n`;
  await writeFile(emulator, hangs);
  await chmod(emulator, 0o755);
  host.define(xmlOf(host, 'stuck').replace('/usr/bin/qemu-system-x86_64', emulator));
  const libvirt = createLibvirt({ uri: host.uri, logger: pino({ level: 'silent' }) });
  t.teardown(() => libvirt.close());
  const mail = createGuest(t, host, { name: host.config.name, libvirt, reconcileMs: 3_600_000 });
  const stuck = createGuest(t, host, { name: 'stuck', libvirt, reconcileMs: 3_600_000 });
  t.deepEqual(await mail.driver.perform('start', soon()), done);
  const abort = new AbortController();
  const starting = stuck.driver.perform('start', abort.signal);
  const hanging = async () => Number(await readFile(`${emulator}.pid`, 'utf8').catch(() => '0'));
  await until('the emulator hangs', async () => (await hanging()) > 0);
  const pid = await hanging();
  t.teardown(() => process.kill(pid, 'SIGKILL'));

  t.deepEqual(await mail.driver.observe(soon()), { kind: 'up' });
  t.deepEqual(await mail.driver.observe(soon()), { kind: 'up' });
  const look = await stuck.driver.observe(soon());
  t.is(look.kind, 'unknown');
  t.deepEqual(await mail.driver.perform('destroy', soon()), done);
  abort.abort();
  t.is((await starting).kind, 'unknown');
});
