// Disks for tests: loop devices over files, and over a file whose server can be stopped, so that every read of the
// device hangs in the kernel as with a dead disk. All of it goes at the end of the test; a loop device goes by itself
// when the last process that has it open is gone, so also after a test that was killed.

import { type ChildProcess, spawn } from 'node:child_process';
import { copyFile, open, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import anyTest, { type ExecutionContext } from 'ava';
import { describeFailure, runCommand } from '../../../daemon/drivers/command.ts';
import { temporaryDirectory, waitFor } from '../../support.ts';

const commandTimeoutMs = 30_000;
const diskBytes = 32 * 1024 * 1024;

const { CI: inCi } = process.env;
const obstacle = process.geteuid?.() === 0 ? undefined : 'loop devices and mounts need root';

/** A test that cannot run says so; in CI it fails. */
export function test(title: string, body: (t: ExecutionContext) => Promise<void>): void {
  anyTest.serial(title, async (t) => {
    if (obstacle === undefined) return body(t);
    t.log(`NOT RUN: ${obstacle}`);
    if (inCi === undefined) t.pass();
    else t.fail(obstacle);
  });
}

/** Runs a command that must succeed, and returns what it printed. */
export async function output(argv: readonly string[]): Promise<string> {
  const result = await runCommand(argv, { timeoutMs: commandTimeoutMs });
  if (result.exitCode !== 0) throw new Error(describeFailure(argv, result));
  return result.stdout.trim();
}

export interface Disk {
  /** `/dev/loopN`. */
  readonly device: string;
  /** What the device is made of. */
  readonly image: string;
  /** Undoes, in reverse order, at the end of the test and before the disk goes. */
  atEnd(close: () => Promise<void> | void): void;
  readonly directory: string;
}

export interface HangingDisk extends Disk {
  hang(): void;
  answer(): void;
}

function createFolder(t: ExecutionContext) {
  const directory = temporaryDirectory(t);
  const closers: (() => Promise<void> | void)[] = [];
  t.teardown(async () => {
    for (const close of closers.reverse()) await close();
  });
  return { directory, atEnd: (close: () => Promise<void> | void) => void closers.push(close) };
}

async function attach(file: string, atEnd: Disk['atEnd'], options: readonly string[] = []): Promise<string> {
  const device = await output(['losetup', '--find', '--show', ...options, file]);
  const held = await open(device, 'r');
  // A device that is open is not detached but marked: it goes with the last one who has it open.
  await output(['losetup', '--detach', device]);
  atEnd(() => held.close());
  return device;
}

/** An empty disk of 32 MiB. */
export async function createDisk(t: ExecutionContext): Promise<Disk> {
  const { directory, atEnd } = createFolder(t);
  const image = path.join(directory, 'disk.img');
  await writeFile(image, '');
  await truncate(image, diskBytes);
  return { directory, image, atEnd, device: await attach(image, atEnd) };
}

/**
 * The same, served by a process that can be stopped (FUSE), so that the device answers nobody. `content`: a file to copy;
 * mkfs over this device would not do, since its server takes zeroes that are written without data for something else.
 */
export async function createHangingDisk(t: ExecutionContext, content?: string): Promise<HangingDisk> {
  const { directory, atEnd } = createFolder(t);
  const image = path.join(directory, 'disk.img');
  const served = path.join(directory, 'served.img');
  await writeFile(image, '');
  if (content !== undefined) await copyFile(content, image);
  await truncate(image, diskBytes);
  await writeFile(served, '');
  const server = spawn(
    'qemu-storage-daemon',
    [
      ...['--blockdev', `driver=file,filename=${image},node-name=disk,locking=off`],
      ...['--export', `type=fuse,id=disk,node-name=disk,mountpoint=${served},writable=on`],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  atEnd(() => endServer(server, served));
  await waitFor(
    'the disk is served',
    async () => (await output(['stat', '--format=%s', served])) === String(diskBytes),
  );
  // Past the page cache, which would answer in place of a disk that hangs.
  const device = await attach(served, atEnd, ['--direct-io=on']);
  atEnd(() => void server.kill('SIGCONT'));
  return {
    ...{ directory, image, device, atEnd },
    hang: () => void server.kill('SIGSTOP'),
    answer: () => void server.kill('SIGCONT'),
  };
}

async function endServer(server: ChildProcess, served: string): Promise<void> {
  server.kill('SIGCONT');
  // Not before the loop device has let go of the file.
  await waitFor('the served file is not in use', async () => {
    const users = await output(['losetup', '--noheadings', '--output=NAME', '--associated', served]);
    return users === '';
  });
  const exited = new Promise((resolve) => server.once('exit', resolve));
  if (server.exitCode !== null || server.signalCode !== null) return;
  server.kill('SIGTERM');
  await exited;
}
