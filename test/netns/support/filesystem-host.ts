// What the filesystem driver's tests share: a host whose mounts are its own, a disk with ext4, and a driver on it.

import { type ChildProcess, fork, spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { runCommand } from '../../../daemon/drivers/command.ts';
import type { BasicAction, Outcome, ResourceStatus } from '../../../daemon/drivers/driver.ts';
import type { FilesystemConfig } from '../../../daemon/drivers/filesystem/filesystem.ts';
import { waitFor } from '../../support.ts';
import { createDisk, type Disk, output } from './disks.ts';
import type { Request } from './filesystem-worker.ts';

export const done: Outcome = { kind: 'done' };
const workerFile = path.join(import.meta.dirname, 'filesystem-worker.ts');
const rereadMs = 500;
const workerEndMs = 5000;
const deadlineMsDefault = 30_000;

export interface FilesystemHost {
  readonly config: FilesystemConfig;
  readonly disk: Disk;
  /** What the driver has reported, in order. */
  readonly statuses: readonly ResourceStatus[];
  kinds(): readonly ResourceStatus['kind'][];
  perform(action: BasicAction, deadlineMs?: number): Promise<Outcome>;
  observe(): Promise<ResourceStatus>;
  stall(): Promise<number>;
  /** Runs a command that must succeed among the host's mounts. */
  inside(argv: readonly string[]): Promise<string>;
  /** Starts a process there that goes on, until the end of the test. */
  begin(script: string): Promise<ChildProcess>;
  /** What is mounted at the driver's mount point, e.g. `/dev/loop0 ext4`; '' for nothing. */
  mounted(): Promise<string>;
}

export async function makeExt4(device: string): Promise<void> {
  await output(['mkfs.ext4', '-q', '-E', 'lazy_itable_init=0,lazy_journal_init=0', device]);
}

export async function createFilesystemHost(
  t: ExecutionContext,
  changes: Partial<FilesystemConfig> & { readonly disk?: Disk; readonly empty?: boolean } = {},
): Promise<FilesystemHost> {
  const { disk: given, empty, ...rest } = changes;
  const disk = given ?? (await createDisk(t));
  if (empty !== true) await makeExt4(disk.device);
  const mount = path.join(disk.directory, 'mnt');
  await mkdir(mount);
  const config: FilesystemConfig = {
    ...{ device: disk.device, mount, type: 'ext4', options: 'noatime', fsck: false },
    ...rest,
  };

  // The worker's mounts are copies that nobody outside sees, and are gone when it is.
  const worker = fork(workerFile, {
    execPath: 'unshare',
    execArgv: ['--mount', '--propagation=private', process.execPath],
  });
  const statuses: ResourceStatus[] = [];
  const waiting = new Map<number, (value: unknown) => void>();
  worker.on('message', (message: { status?: ResourceStatus; reply?: number; value?: unknown }) => {
    if (message.status !== undefined) statuses.push(message.status);
    if (message.reply !== undefined) waiting.get(message.reply)?.(message.value);
  });
  disk.atEnd(async () => {
    const exited = new Promise((resolve) => worker.once('exit', resolve));
    if (worker.connected) worker.disconnect();
    await Promise.race([exited, sleep(workerEndMs)]);
    await endProcess(worker);
  });
  let asked = 0;
  function ask<T>(request: Request): Promise<T> {
    asked += 1;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    waiting.set(asked, resolve);
    worker.send({ id: asked, request });
    return promise as Promise<T>;
  }
  const enter = ['nsenter', '--target', String(worker.pid), '--mount', '--'];
  await ask({ kind: 'create', config, rereadMs });

  return {
    config,
    disk,
    statuses,
    kinds: () => statuses.map(({ kind }) => kind),
    perform: (action, deadlineMs = deadlineMsDefault) => ask({ kind: 'perform', action, deadlineMs }),
    observe: () => ask({ kind: 'observe' }),
    stall: () => ask({ kind: 'stall' }),
    inside: (argv) => output([...enter, ...argv]),
    async begin(script) {
      const [file = '', ...args] = [...enter, 'sh', '-c', `${script}; echo begun; exec sleep 1000`];
      const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      disk.atEnd(() => endProcess(child));
      await new Promise((resolve) => child.stdout.once('data', resolve));
      return child;
    },
    async mounted() {
      const argv = [
        ...enter,
        'findmnt',
        '--noheadings',
        '--output=SOURCE,FSTYPE',
        '--mountpoint',
        config.mount,
      ];
      const { stdout } = await runCommand(argv, { timeoutMs: 5000 });
      return stdout.trim().replaceAll(/ +/g, ' ');
    },
  };
}

export async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exited;
}

export async function untilReported(
  host: FilesystemHost,
  kind: ResourceStatus['kind'],
  timeoutMs = 10_000,
): Promise<ResourceStatus> {
  return await waitFor(
    `the driver reports ${kind}`,
    () => {
      const last = host.statuses.at(-1);
      if (last?.kind !== kind) throw new Error(`it reported ${JSON.stringify(host.statuses)}`);
      return last;
    },
    { timeoutMs },
  );
}

export function assertFailed(t: ExecutionContext, outcome: Outcome, code: string, message: RegExp): void {
  t.is(outcome.kind === 'failed' ? outcome.code : JSON.stringify(outcome), code, JSON.stringify(outcome));
  if (outcome.kind === 'failed') t.regex(outcome.message, message);
}

export function assertUnknown(
  t: ExecutionContext,
  seen: ResourceStatus | Outcome | undefined,
  message: RegExp,
): void {
  t.is(seen?.kind, 'unknown', JSON.stringify(seen));
  if (seen?.kind === 'unknown') t.regex(seen.message, message);
}
