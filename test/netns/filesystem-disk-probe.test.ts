// The disk probe on real block devices: one that answers, one that hangs in the kernel, one that gives errors.

import { truncate } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { runCommand } from '../../daemon/drivers/command.ts';
import { createDiskProbe, type DiskProbeResult } from '../../daemon/drivers/disk-probe/disk-probe.ts';
import { waitFor } from '../support.ts';
import { createDisk, createHangingDisk, test } from './support/disks.ts';

const intervalMs = 200;
const timeoutMs = 600;

function probe(t: ExecutionContext, device: string) {
  const results: DiskProbeResult[] = [];
  const one = createDiskProbe({ device, intervalMs, timeoutMs, onResult: (result) => results.push(result) });
  t.teardown(async () => {
    await one.close();
  });
  const until = <K extends DiskProbeResult['kind']>(kind: K) =>
    waitFor(
      `the probe says ${kind}`,
      () => {
        const last = results.at(-1);
        if (last?.kind !== kind) throw new Error(JSON.stringify(results.slice(-5)));
        return last as Extract<DiskProbeResult, { kind: K }>;
      },
      { timeoutMs: 10_000, intervalMs: 10 },
    );
  return { results, until, close: one.close };
}

/** State and pid of every dd that reads the device. */
async function readersOf(device: string): Promise<readonly string[]> {
  const { stdout } = await runCommand(['ps', '-eo', 'pid=,stat=,args='], { timeoutMs: 5000 });
  return stdout.split('\n').filter((line) => line.includes(` dd if=${device} `));
}

async function shellOf(device: string): Promise<number> {
  const { stdout } = await runCommand(['pgrep', '-f', `battito-disk-probe ${device}$`], { timeoutMs: 5000 });
  return Number.parseInt(stdout, 10);
}

test('a disk that answers is ok again and again, with the time that a read takes', async (t) => {
  const disk = await createDisk(t);
  const { results, close } = probe(t, disk.device);
  await sleep(5 * intervalMs);
  t.true(results.length >= 4 && results.length <= 6, `${results.length}`);
  for (const result of results) {
    t.is(result.kind, 'ok');
    if (result.kind === 'ok') t.true(result.latencyMs > 0 && result.latencyMs < timeoutMs);
  }
  t.true(await close());
  const before = results.length;
  await sleep(2 * intervalMs);
  t.is(results.length, before);
});

test('a disk that hangs is told of from the timeout on until it answers, and waits for one read alone', async (t) => {
  const disk = await createHangingDisk(t);
  const { results, until } = probe(t, disk.device);
  await until('ok');
  let stalledMs = 0;
  let ticked = performance.now();
  const ticker = setInterval(() => {
    stalledMs = Math.max(stalledMs, performance.now() - ticked);
    ticked = performance.now();
  }, 10);
  t.teardown(() => clearInterval(ticker));
  disk.hang();
  const first = await until('hanging');
  t.true(first.forMs >= timeoutMs && first.forMs < timeoutMs + 300, `${first.forMs}`);
  await sleep(1500);
  const readers = await readersOf(disk.device);
  t.is(readers.length, 1);
  t.regex(readers[0] ?? '', / D/, 'uninterruptible');
  const told = results.flatMap((result) => (result.kind === 'hanging' ? [result.forMs] : []));
  t.true(told.length >= 5);
  t.deepEqual(
    told,
    told.toSorted((a, b) => a - b),
  );
  disk.answer();
  await until('ok');
  const slow = results[results.findLastIndex(({ kind }) => kind === 'hanging') + 1];
  t.is(slow?.kind, 'ok');
  if (slow?.kind === 'ok') t.true(slow.latencyMs >= timeoutMs + 1500, `${slow.latencyMs}`);
  t.true(stalledMs < 500, `the event loop stood still for ${stalledMs} ms`);
});

test('a daemon that itself stood still does not blame the disk', async (t) => {
  const disk = await createDisk(t);
  const { results, until } = probe(t, disk.device);
  // The first read is under way, and its answer is not looked at for longer than the timeout.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * timeoutMs);
  await until('ok');
  await sleep(2 * intervalMs);
  t.deepEqual([...new Set(results.map(({ kind }) => kind))], ['ok']);
});

test('a read that fails is told with the words of the system, and a disk that is mended is ok', async (t) => {
  const disk = await createDisk(t);
  const { results, until } = probe(t, disk.device);
  await until('ok');
  await truncate(disk.image, 0); // What a loop device cannot read from its file is an IO error.
  const failed = await until('failed');
  t.regex(failed.message, new RegExp(`^${disk.device}: .*Input/output error$`));
  t.false(results.some(({ kind }) => kind === 'hanging'));
  await truncate(disk.image, 32 * 1024 * 1024);
  await until('ok');
});

test('a device that does not exist fails at every read', async (t) => {
  const { until, results } = probe(t, '/dev/battito-none');
  const failed = await until('failed');
  t.regex(failed.message, /No such file or directory/);
  await sleep(3 * intervalMs);
  t.true(results.length >= 3);
});

test('a reader that is killed is told of and replaced, but not while a read of it hangs', async (t) => {
  const disk = await createHangingDisk(t);
  const { results, until } = probe(t, disk.device);
  await until('ok');
  process.kill(await shellOf(disk.device), 'SIGKILL');
  t.regex(
    await waitFor('a failure', () => results.find(({ kind }) => kind === 'failed')).then(JSON.stringify),
    /killed/,
  );
  await until('ok');
  disk.hang();
  await until('hanging');
  process.kill(await shellOf(disk.device), 'SIGKILL');
  await until('failed');
  await sleep(4 * intervalMs);
  t.is((await readersOf(disk.device)).length, 1);
  t.regex((await until('failed')).message, /a read of it is not over/);
  disk.answer();
  await until('ok');
});

test('closing does not wait for a read that hangs, and says that the device is still open', async (t) => {
  const disk = await createHangingDisk(t);
  const { until, close, results } = probe(t, disk.device);
  await until('ok');
  disk.hang();
  await until('hanging');
  const began = performance.now();
  t.false(await close());
  t.true(performance.now() - began < 30_000, 'while the disk still hangs');
  const before = results.length;
  disk.answer();
  await waitFor('the read is gone', async () => (await readersOf(disk.device)).length === 0);
  t.is(results.length, before);
});
