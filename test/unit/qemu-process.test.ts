// What the kernel says of a guest's process: found by its command line, and how long it has been up.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { findGuestProcess, processAgeMs } from '../../daemon/drivers/qemu/process.ts';
import { temporaryDirectory } from '../support.ts';

test('how long a guest is up is counted from the start of its process', async (t) => {
  const pidFile = join(temporaryDirectory(t), 'mail.pid');
  const idle = ['-e', 'setInterval(() => {}, 1000)', '--', '-pidfile', pidFile];
  const before = performance.now();
  const child = spawn(process.execPath, idle, { argv0: 'qemu-like', stdio: 'ignore' });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  await writeFile(pidFile, `${child.pid}\n`);
  await sleep(300);
  const found = await findGuestProcess(pidFile, { scan: false });
  if (found === undefined) return t.fail('it is not found');
  const age = processAgeMs(found);
  const elapsed = performance.now() - before;
  // Ticks and uptime are given in hundredths of a second.
  t.true(age >= 250 && age <= elapsed + 30, `${age} of ${elapsed} ms`);
  t.is(processAgeMs({ pid: 1, startTicks: '0' }) > age, true);
});

test('a command that is about to become the QEMU of a guest is taken for it', async (t) => {
  const pidFile = join(temporaryDirectory(t), 'mail.pid');
  const words = ['-e', 'setInterval(() => {}, 1000)', '--', 'qemu-system-x86_64', '-pidfile', pidFile];
  const child = spawn(process.execPath, words, { argv0: 'systemd-run', stdio: 'ignore' });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  t.is((await findGuestProcess(pidFile, { scan: true }))?.pid, child.pid);
});

test('a QEMU whose first thread has ended is there as long as another one has not', async (t) => {
  const pidFile = join(temporaryDirectory(t), 'mail.pid');
  // exit(2) ends a thread, exit_group(2) a process.
  const code = `
    const { dlopen } = await import('node:ffi');
    const { functions } = dlopen('libc.so.6', { syscall: { arguments: ['int64', 'int64'], return: 'int64' } });
    functions.syscall(${process.arch === 'x64' ? 60 : 93}n, 0n);
  `;
  const words = ['--experimental-ffi', '--input-type=module', '-e', code, '--', '-pidfile', pidFile];
  const child = spawn(process.execPath, words, { argv0: 'qemu-like', stdio: 'ignore' });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  const leader = () => readFile(`/proc/${child.pid}/stat`, 'utf8');
  while (!/\) Z /.test(await leader())) await sleep(20);
  t.is(await readFile(`/proc/${child.pid}/cmdline`, 'utf8'), '');
  t.is((await findGuestProcess(pidFile, { scan: true }))?.pid, child.pid);
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.is(await findGuestProcess(pidFile, { scan: true }), undefined);
});
