// What the kernel says of a guest's process: found by its command line, and how long it has been up.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
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
