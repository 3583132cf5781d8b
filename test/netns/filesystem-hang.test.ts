// The filesystem driver on a disk that does not answer, for real: its commands wait in the kernel and cannot be killed.

import type { ExecutionContext } from 'ava';
import { runCommand } from '../../daemon/drivers/command.ts';
import { createDisk, createHangingDisk, type HangingDisk, test } from './support/disks.ts';
import {
  assertUnknown,
  createFilesystemHost,
  done,
  makeExt4,
  untilReported,
} from './support/filesystem-host.ts';

/** A command that was told to end has to be given up within the runtime's grace, 1 s. */
const patienceMs = 60_000;
const deadlineMs = 1500;

/** Made elsewhere, so that nothing of it is in memory. */
async function createHangingExt4(t: ExecutionContext): Promise<HangingDisk> {
  const template = await createDisk(t);
  await makeExt4(template.device);
  return await createHangingDisk(t, template.image);
}

async function countRunning(command: string, device: string): Promise<number> {
  const { stdout } = await runCommand(['ps', '-eo', 'stat=,args='], { timeoutMs: 5000 });
  return stdout.split('\n').filter((line) => line.includes(` ${command} `) && line.includes(device)).length;
}

test('unmounting from a disk that hangs ends in time as unknown, is not begun twice, and is told when it is over', async (t) => {
  const disk = await createHangingExt4(t);
  const host = await createFilesystemHost(t, { disk, empty: true });
  const { mount } = host.config;
  t.deepEqual(await host.perform('start'), done);
  await host.inside(['sh', '-c', `echo unwritten > ${mount}/file`]);
  disk.hang();
  const began = performance.now();
  const outcome = await host.perform('stop', deadlineMs);
  t.true(performance.now() - began < patienceMs, 'while the disk still hangs');
  assertUnknown(t, outcome, /umount .*mnt \(pid \d+\) hangs in the kernel: its disk does not answer/);
  assertUnknown(t, await host.observe(), /umount .* hangs in the kernel/);
  assertUnknown(t, await host.perform('destroy', 10_000), /within 3 s: umount .* hangs/);
  assertUnknown(t, await host.perform('start', 10_000), /umount .* hangs/);
  t.is(await countRunning('umount', mount), 1);
  t.true((await host.stall()) < patienceMs, 'and nothing else waited for it');
  disk.answer();
  await untilReported(host, 'down');
  t.deepEqual(await host.perform('destroy'), done);
});

test('a mount that its disk held up is undone by a destroy once the disk answers', async (t) => {
  const disk = await createHangingExt4(t);
  const host = await createFilesystemHost(t, { disk, empty: true });
  disk.hang();
  assertUnknown(t, await host.perform('start', deadlineMs), /mount .* hangs in the kernel/);
  assertUnknown(t, await host.perform('destroy', 10_000), /within 3 s: mount .* hangs/);
  disk.answer();
  t.deepEqual(await host.perform('destroy', 10_000), done);
  t.is(await host.mounted(), '');
  t.deepEqual(await host.observe(), { kind: 'down' });
});

test('fsck on a disk that hangs ends in time as unknown, and nothing is mounted afterwards', async (t) => {
  const disk = await createHangingExt4(t);
  const host = await createFilesystemHost(t, { disk, empty: true, fsck: true });
  disk.hang();
  assertUnknown(t, await host.perform('start', deadlineMs), /fsck.ext4 -p/);
  disk.answer();
  t.deepEqual(await host.perform('destroy', 10_000), done);
  t.is(await host.mounted(), '');
  t.deepEqual(await host.perform('start'), done);
});
