// What the QEMU driver's tests share: a guest with a disk of its own and real QEMU, and ways to wait for it.

import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { pino } from 'pino';
import type { QemuGuestConfig } from '../../../daemon/config/config.ts';
import type { BasicAction, Outcome, ResourceStatus } from '../../../daemon/drivers/driver.ts';
import { guestPaths } from '../../../daemon/drivers/qemu/command.ts';
import { scanGuestProcesses, signalGuest, waitForState } from '../../../daemon/drivers/qemu/process.ts';
import { createQemuDriver, type QemuDriverOptions } from '../../../daemon/drivers/qemu/qemu.ts';
import { buildCounterDisk } from '../../guest/build.ts';
import { plainQemu } from '../../guest/configs.ts';
import { temporaryDirectory } from '../../support.ts';

export const patienceMs = 60_000;
export const done: Outcome = { kind: 'done' };

/** A guest with a disk of its own; whatever runs at the end of the test is killed. */
export async function createHost(t: ExecutionContext, changes: Partial<QemuGuestConfig> = {}) {
  const directory = temporaryDirectory(t);
  const runDir = path.join(directory, 'run');
  const serial = path.join(directory, 'serial.txt');
  const disk = await buildCounterDisk({ file: path.join(directory, 'disk.raw') });
  const config: QemuGuestConfig = {
    ...plainQemu,
    name: 'mail',
    memoryMiB: 32,
    disk: { ...disk, locking: 'auto' },
    serial,
    accel: 'tcg',
    shutdownTimeoutMs: 30_000,
    ...changes,
  };
  const paths = guestPaths(runDir, config.name);
  const closers: (() => Promise<void>)[] = [];
  t.teardown(async () => {
    for (const close of closers) await close();
    for (const one of await scanGuestProcesses(paths.pidFile)) {
      await signalGuest(one, paths.pidFile, 'SIGKILL');
      await waitForState(one, 'gone', 10_000);
    }
  });

  /** What a daemon has: a driver, and the statuses that it was told. */
  function createDaemon(
    driverChanges: Partial<QemuGuestConfig> = {},
    options: Pick<QemuDriverOptions, 'units'> = {},
  ) {
    const statuses: ResourceStatus['kind'][] = [];
    const logger = pino({ level: 'silent' });
    const driver = createQemuDriver(
      { ...config, ...driverChanges },
      {
        group: 'office',
        runDir,
        logger,
        onStatus: ({ kind }) => statuses.push(kind),
        reconcileMs: 500,
        ...options,
      },
    );
    closers.push(() => driver.close());
    const perform = (action: BasicAction) => driver.perform(action, AbortSignal.timeout(patienceMs));
    const observe = () => driver.observe(AbortSignal.timeout(patienceMs));
    return { ...driver, perform, performUntil: driver.perform, observe, statuses };
  }
  /** What the guest has shown; a line that is not complete yet is left out. */
  const lines = async () => (await readFile(serial, 'utf8').catch(() => '')).split('\r\n').slice(0, -1);
  return { config, directory, runDir, serial, paths, createDaemon, lines };
}

export type Host = Awaited<ReturnType<typeof createHost>>;

export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not seen within ${patienceMs} ms: ${what}`);
    await sleep(30);
  }
}

/** Waits until the guest has shown this many more counts. */
export async function countsOn(host: Host, more = 2): Promise<void> {
  const counts = async () => (await host.lines()).filter((line) => line.startsWith('count ')).length;
  const before = await counts();
  await until(`${more} more counts`, async () => (await counts()) >= before + more);
}

export async function pidsOf(host: Host): Promise<readonly number[]> {
  return (await scanGuestProcesses(host.paths.pidFile)).map(({ pid }) => pid);
}

export async function onlyPid(host: Host): Promise<number> {
  const pids = await pidsOf(host);
  if (pids.length !== 1 || pids[0] === undefined) throw new Error(`not one process: ${pids.join(' ')}`);
  return pids[0];
}

export async function isThere(file: string): Promise<boolean> {
  return await stat(file).then(
    () => true,
    () => false,
  );
}

export async function assertNothingLeft(t: ExecutionContext, host: Host): Promise<void> {
  t.deepEqual(await pidsOf(host), []);
  for (const file of Object.values(host.paths).filter((one) => one !== host.paths.directory)) {
    t.false(await isThere(file), file);
  }
}

export function assertFailed(t: ExecutionContext, outcome: Outcome, code: string, message: RegExp): void {
  t.like(outcome, { kind: 'failed', code });
  if (outcome.kind === 'failed') t.regex(outcome.message, message);
}
