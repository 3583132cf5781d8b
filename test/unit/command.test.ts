// Commands that are run and ended.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import test from 'ava';
import { runCommand } from '../../daemon/drivers/command.ts';
import { temporaryDirectory } from '../support.ts';

test('a command that is aborted is gone when that is told: it forks nothing any more', async (t) => {
  const directory = temporaryDirectory(t);
  const pidFile = join(directory, 'pid');
  const abort = new AbortController();
  const argv = ['sh', '-c', 'echo $$ > "$0.new"; mv "$0.new" "$0"; exec sleep 600', pidFile];
  const run = runCommand(argv, { timeoutMs: 600_000, signal: abort.signal });
  while (!existsSync(pidFile)) await nextTurn();
  const pid = readFileSync(pidFile, 'utf8').trim();
  t.true(existsSync(`/proc/${pid}`));
  abort.abort();
  const { exitCode, timedOut } = await run;
  t.false(existsSync(`/proc/${pid}`));
  t.deepEqual({ exitCode, timedOut }, { exitCode: null, timedOut: false });
});

test('a command that cannot be started says so at once', async (t) => {
  t.like(await runCommand(['/nowhere/at-all'], { timeoutMs: 1000 }), {
    exitCode: null,
    startError: 'ENOENT',
  });
  const tooLong = await runCommand(['true', 'x'.repeat(1_000_000)], { timeoutMs: 1000 });
  t.like(tooLong, { exitCode: null, startError: 'E2BIG' }, 'what the runtime throws is told alike');
});
