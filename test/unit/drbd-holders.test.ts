// Who holds a block device, with real devices, processes and mounts. Needs root and loop devices; says so where it
// cannot run, and fails there in CI.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { open, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type DeviceHolder, describeHolders, holdersOf } from '../../daemon/drivers/drbd/holders.ts';
import { temporaryDirectory, waitFor } from '../support.ts';
import { drivenDrbd, soon } from './support/drbd-tools.ts';

const run = (file: string, ...args: readonly string[]) =>
  execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();

interface Loop {
  readonly device: string;
  readonly directory: string;
}

/** A loop device on a file with an ext4 in it; null: this machine has none for us. */
async function loopDevice(t: ExecutionContext): Promise<Loop | null> {
  const directory = temporaryDirectory(t);
  const image = join(directory, 'image');
  await writeFile(image, '');
  await truncate(image, 16 * 1024 * 1024);
  try {
    run('mkfs.ext4', '-q', image);
    const device = run('losetup', '--find', '--show', image);
    t.teardown(() => void run('losetup', '-d', device));
    return { device, directory };
  } catch (error) {
    const why = `cannot run here (root, mkfs.ext4 and loop devices are needed): ${String(error)}`;
    t.log(why);
    if (process.env['CI'] !== undefined) t.fail(why);
    else t.pass();
    return null;
  }
}

/** Runs `script` in a mount namespace of its own, up to its `read`. */
async function inNamespace(t: ExecutionContext, script: string): Promise<ChildProcess> {
  const child = spawn('unshare', ['--mount', 'bash', '-c', `${script}; echo ready; read`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.teardown(async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('close', resolve));
  });
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  return child;
}

const kinds = (holders: readonly DeviceHolder[]) => holders.map(({ kind }) => kind);

test.serial('nobody holds it', async (t) => {
  const loop = await loopDevice(t);
  if (loop === null) return;
  t.deepEqual(await holdersOf({ device: loop.device }), []);
  t.regex(describeHolders([]), /cannot be seen/);
  t.deepEqual(await holdersOf({ device: '/nowhere' }), []);
  t.deepEqual(await holdersOf({ device: '/dev/null' }), []);
});

test.serial('a process that has it open is named', async (t) => {
  const loop = await loopDevice(t);
  if (loop === null) return;
  const file = await open(loop.device);
  const holders = await holdersOf({ device: loop.device });
  await file.close();
  t.deepEqual(
    holders.map((holder) => (holder.kind === 'process' ? holder.pid : holder.kind)),
    [process.pid],
  );
  t.regex(describeHolders(holders), new RegExp(`^\\S+ \\(pid ${process.pid}\\)$`));
});

test.serial(
  'a mount in another namespace is found, and whose it is; and who has a file open in it',
  async (t) => {
    const loop = await loopDevice(t);
    if (loop === null) return;
    const mount = join(loop.directory, 'a b');
    run('mkdir', mount);
    const child = await inNamespace(t, `mount ${loop.device} '${mount}' && cd '${mount}'`);
    const holders = await holdersOf({ device: loop.device });
    t.deepEqual(holders, [{ kind: 'mount', directory: mount, pid: child.pid ?? 0, name: 'bash' }]);
    t.is(describeHolders(holders), `mounted on ${mount} in the mount namespace of bash (pid ${child.pid})`);
    const users = await holdersOf({ device: loop.device, mount });
    t.deepEqual(users[0], { kind: 'process', pid: child.pid ?? 0, name: 'bash' });
  },
);

test.serial('our own mount, which is to be taken away, is not a holder of itself', async (t) => {
  const loop = await loopDevice(t);
  if (loop === null) return;
  const mount = join(loop.directory, 'mount');
  run('mkdir', mount);
  run('mount', loop.device, mount);
  t.teardown(() => void run('umount', mount));
  t.deepEqual(await holdersOf({ device: loop.device }), [
    { kind: 'mount', directory: mount, pid: null, name: null },
  ]);
  t.deepEqual(await holdersOf({ device: loop.device, mount }), []);
  const child = spawn('sleep', ['60'], { cwd: mount, stdio: 'ignore' });
  await waitFor('it runs', () => child.pid);
  t.deepEqual(await holdersOf({ device: loop.device, mount }), [
    { kind: 'process', pid: child.pid ?? 0, name: 'sleep' },
  ]);
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('close', resolve));
});

test.serial('devices on top of it are found: a loop device, and device-mapper by its name', async (t) => {
  const loop = await loopDevice(t);
  if (loop === null) return;
  const second = run('losetup', '--find', '--show', loop.device);
  const held = await holdersOf({ device: loop.device });
  t.true(held.some((holder) => holder.kind === 'loop' && `/dev/${holder.name}` === second));
  run('losetup', '-d', second);
  await waitFor('the loop is gone', async () => kinds(await holdersOf({ device: loop.device })).length === 0);
  const name = `battito-test-${process.pid}`;
  try {
    run('dmsetup', 'create', name, '--table', `0 8 linear ${loop.device} 0`);
  } catch (error) {
    t.log(`no device-mapper here: ${String(error)}`);
    return;
  }
  const mapped = await holdersOf({ device: loop.device });
  run('dmsetup', 'remove', name);
  t.true(mapped.some((holder) => holder.kind === 'device' && holder.label === name));
});

test.serial('a demotion in vain names a real holder of a real device', async (t) => {
  const loop = await loopDevice(t);
  if (loop === null) return;
  const child = spawn('bash', ['-c', `exec 5<${loop.device}; read`], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  await waitFor('it is open', async () => (await holdersOf({ device: loop.device })).length === 1);
  const { fake, driver } = await drivenDrbd(t, { ROLE: 'Primary' }, { deviceOf: () => loop.device });
  await fake.override(
    `[[ "$tool $1" = "drbdadm secondary" ]] && refuse -12 "Device is held open by someone"\n`,
  );
  t.deepEqual(await driver.perform('stop', false, soon(30_000)), {
    kind: 'failed',
    code: 'drbd-held-open',
    message: `r0: the device is held open by bash (pid ${child.pid}); close it, then: battito retry`,
  });
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('close', resolve));
});

test('what a person reads', (t) => {
  const holders: readonly DeviceHolder[] = [
    { kind: 'process', pid: 12, name: 'qemu-system-x86_64' },
    { kind: 'mount', directory: '/srv', pid: null, name: null },
    { kind: 'device', name: 'dm-3', label: 'vg0-guests' },
    { kind: 'device', name: 'md0', label: 'md0' },
    { kind: 'loop', name: 'loop7' },
    { kind: 'swap' },
  ];
  t.is(
    describeHolders(holders),
    'qemu-system-x86_64 (pid 12), mounted on /srv, vg0-guests (/dev/dm-3), device /dev/md0, loop device /dev/loop7 and 1 more',
  );
});
