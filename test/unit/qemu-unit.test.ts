// The unit that a guest gets under systemd: its name, its command line, and what becomes of a systemd-run that refuses,
// hangs or is cut off. The systemd-run is scripted; as the real one does, it becomes the command.

import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import type { QemuGuestConfig } from '../../daemon/config/config.ts';
import { guestPaths } from '../../daemon/drivers/qemu/command.ts';
import { createQemuDriver } from '../../daemon/drivers/qemu/qemu.ts';
import { buildUnitArgv, guestUnit, runInUnit, type UnitRunOptions } from '../../daemon/drivers/qemu/unit.ts';
import { plainQemu } from '../guest/configs.ts';
import { temporaryDirectory, waitFor } from '../support.ts';

const unit = 'battito-guest-mail.scope';

test('a guest of the service has a unit of its name, one of another daemon a unit of its own', (t) => {
  t.is(guestUnit('mail', guestPaths('/run/battito', 'mail')), unit);
  t.is(guestUnit('mail', guestPaths('/run/battito/', 'mail')), unit);
  const others = ['/tmp/a', '/tmp/b'].map((runDir) => guestUnit('mail', guestPaths(runDir, 'mail')));
  t.is(new Set([unit, ...others]).size, 3);
  for (const other of others) t.regex(other, /^battito-guest-mail-[0-9a-f]{6}\.scope$/);
});

test('at a shutdown of the host the daemon stops before the guests, and the guests before their storage', (t) => {
  t.deepEqual(buildUnitArgv(unit, 'mail', ['qemu-system-x86_64', '-S']), [
    'systemd-run',
    '--scope',
    '--collect',
    '--unit=battito-guest-mail.scope',
    '--slice=machine.slice',
    '--description=Guest mail of Battito',
    '--property=Before=battito.service',
    '--property=After=local-fs.target remote-fs.target drbd.service drbd.target',
    '--',
    'qemu-system-x86_64',
    '-S',
  ]);
});

test('the printed start has the unit where systemd runs, and is the same as ever where it does not', async (t) => {
  const config: QemuGuestConfig = {
    ...plainQemu,
    name: 'mail',
    memoryMiB: 32,
    disk: { file: '/srv/guests/mail.qcow2', format: 'qcow2', locking: 'auto' },
  };
  const lines = (units: boolean) => {
    const logger = pino({ level: 'silent' });
    const options = { group: 'office', runDir: '/run/battito', logger, onStatus: () => {}, units };
    return createQemuDriver(config, options).commands('start');
  };
  const [mkdir, within, cont] = lines(true);
  const [plainMkdir, plain = '?', plainCont] = lines(false);
  t.deepEqual([mkdir, cont], [plainMkdir, plainCont]);
  t.true(plain.startsWith('qemu-system-x86_64 -name guest=mail'));
  t.true(within?.startsWith(`systemd-run --scope --collect --unit=${unit} `), within);
  t.true(within?.endsWith(` -- ${plain}`), within);
  t.notThrows(() => execFileSync('sh', ['-n', '-c', within ?? '']));
});

/** A systemd-run in front of the real one; what it was called with goes to a file, a line each time. */
function scripted(t: ExecutionContext, body: string) {
  const directory = temporaryDirectory(t);
  const { PATH } = process.env;
  const log = join(directory, 'log');
  const become = `while [ "$1" != -- ]; do shift; done; shift; echo 'Running scope as unit: ${unit}' >&2; exec "$@"`;
  const script = `#!/bin/sh\necho "$$ $*" >>'${log}'\nbecome() { ${become}; }\n${body}\n`;
  writeFileSync(join(directory, 'systemd-run'), script);
  chmodSync(join(directory, 'systemd-run'), 0o755);
  process.env['PATH'] = `${directory}:${PATH}`;
  t.teardown(() => {
    process.env['PATH'] = PATH;
  });
  const calls = () => (existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n') : []);
  return { directory, log, calls, pid: () => Number(calls()[0]?.split(' ')[0]) };
}

const run = (argv: readonly string[], options: Partial<UnitRunOptions> = {}) =>
  runInUnit(argv, {
    unit,
    guestName: 'mail',
    timeoutMs: 60_000,
    unitTimeoutMs: 20_000,
    signal: new AbortController().signal,
    ...options,
  });

/** A process that is a zombie is gone as well. */
function isGone(pid: number): boolean {
  return !existsSync(`/proc/${pid}/cmdline`) || readFileSync(`/proc/${pid}/cmdline`, 'utf8') === '';
}

test.serial('a command runs in its unit, and its own end is what is told', async (t) => {
  const { calls } = scripted(t, 'become "$@"');
  const well = await run(['sh', '-c', 'echo said']);
  t.like(well, { kind: 'ran', result: { exitCode: 0, stdout: 'said\n' } });
  t.regex(calls()[0] ?? '', /^\d+ --scope --collect --unit=battito-guest-mail\.scope .* -- sh -c echo said$/);
  const badly = await run(['sh', '-c', 'echo no such disk >&2; exit 1']);
  t.like(badly, { kind: 'ran', result: { exitCode: 1 } });
  t.is(calls().length, 2);
});

test.serial('later versions of systemd-run say it in other words', async (t) => {
  scripted(t, `echo 'Running as unit: ${unit}; invocation ID: 5f0c' >&2; exit 1`);
  t.like(await run(['true']), { kind: 'ran', result: { exitCode: 1 } });
});

test.serial('a systemd that refuses is told apart from a command that fails', async (t) => {
  const { calls } = scripted(t, "echo 'Failed to start transient scope unit: Access denied' >&2; exit 1");
  const reason = 'systemd-run: exit 1: Failed to start transient scope unit: Access denied';
  t.deepEqual(await run(['true']), { kind: 'refused', reason });
  t.is(calls().length, 1);
});

test.serial('a unit of the same name that is just going is waited for', async (t) => {
  const taken = `echo 'Failed to start transient scope unit: Unit ${unit} was already loaded or has a fragment file.'`;
  const { calls, log } = scripted(t, `[ $(wc -l <"$log") -lt 3 ] && { ${taken} >&2; exit 1; }\nbecome "$@"`);
  process.env['log'] = log;
  t.like(await run(['true']), { kind: 'ran', result: { exitCode: 0 } });
  t.is(calls().length, 3);
});

test.serial('a unit of the same name that stays is a refusal', async (t) => {
  const { calls } = scripted(t, `echo 'Unit ${unit} was already loaded or has a fragment file.' >&2; exit 1`);
  t.like(await run(['true'], { unitTimeoutMs: 500 }), { kind: 'refused' });
  t.true(calls().length >= 1);
});

test.serial('a systemd that does not answer is not waited for, and begins nothing later', async (t) => {
  const { directory, pid } = scripted(t, `while [ ! -e "$0.go" ]; do sleep 0.1; done; become "$@"`);
  const outcome = await run(['touch', join(directory, 'ran')], { unitTimeoutMs: 1000 });
  t.deepEqual(outcome, { kind: 'refused', reason: `systemd made no ${unit} in time` });
  t.true(isGone(pid()));
  writeFileSync(join(directory, 'systemd-run.go'), '');
  t.false(existsSync(join(directory, 'ran')));
});

test.serial('a command that has begun may take longer than systemd may', async (t) => {
  scripted(t, 'become "$@"');
  t.like(await run(['sleep', '3'], { unitTimeoutMs: 2000 }), { kind: 'ran', result: { exitCode: 0 } });
});

test.serial('what is aborted while systemd is asked never begins', async (t) => {
  const { calls, pid } = scripted(t, 'exec sleep 600');
  const abort = new AbortController();
  const outcome = run(['true'], { signal: abort.signal });
  await waitFor('it is asked', () => calls().length === 1);
  abort.abort();
  t.like(await outcome, { kind: 'ran', result: { exitCode: null } });
  t.true(isGone(pid()));
});

test.serial('words that systemd-run may change are not given to it', async (t) => {
  const { calls } = scripted(t, 'become "$@"');
  const outcome = await run(['echo', 'file=/srv/$HOME']);
  t.deepEqual(outcome, { kind: 'refused', reason: 'there is a $ in its options' });
  t.deepEqual(calls(), []);
});

test.serial('without systemd-run there is no unit', async (t) => {
  const { PATH } = process.env;
  t.teardown(() => {
    process.env['PATH'] = PATH;
  });
  process.env['PATH'] = temporaryDirectory(t);
  t.deepEqual(await run(['true']), { kind: 'refused', reason: 'systemd-run is not installed' });
});
