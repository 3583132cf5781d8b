// A virsh that outlives its daemon: which one may, and which may not.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { temporaryDirectory } from '../support.ts';
import { until } from './support/fake-libvirt.ts';

const virshModule = new URL('../../daemon/drivers/libvirt/virsh.ts', import.meta.url).href;

const runner = `
const [module, ...args] = process.argv.slice(1);
const { runVirsh } = await import(module);
await runVirsh('test:///default', args, { timeoutMs: 600_000 });
`;

async function put(bin: string, name: string, text: string): Promise<void> {
  await writeFile(path.join(bin, name), `#!/bin/sh\n${text}\n`);
  await chmod(path.join(bin, name), 0o755);
}

/** A daemon that has such commands before all others. */
function daemonWith(t: ExecutionContext, bin: string, args: readonly string[]) {
  const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}` };
  const words = ['--input-type=module', '-e', runner, '--', virshModule, ...args];
  const daemon = spawn(process.execPath, words, { env, stdio: 'ignore' });
  t.teardown(() => daemon.kill('SIGKILL'));
  return daemon;
}

const contentOf = (file: string) => readFile(file, 'utf8').catch(() => '');

/** The process of a virsh that hangs, once whoever has started it was killed. */
async function orphan(t: ExecutionContext, args: readonly string[]): Promise<number> {
  const bin = temporaryDirectory(t);
  const pidFile = path.join(bin, 'pid');
  await put(bin, 'virsh', `echo $$ >'${pidFile}.new' && mv '${pidFile}.new' '${pidFile}'\nexec sleep 600`);
  const daemon = daemonWith(t, bin, args);
  await until('virsh runs', async () => (await contentOf(pidFile)) !== '');
  daemon.kill('SIGKILL');
  await once(daemon, 'exit');
  return Number(await contentOf(pidFile));
}

const isThere = async (pid: number) => (await contentOf(`/proc/${pid}/cmdline`)) !== '';

for (const verb of ['start', 'restore', 'resume']) {
  test(`a ${verb} that hangs ends with its daemon; what brings nothing up may outlive it`, async (t) => {
    const lasting = await orphan(t, ['destroy', '--domain=mail']);
    t.teardown(() => process.kill(lasting, 'SIGKILL'));
    const mortal = await orphan(t, [verb, '--domain=mail']);
    await until('it is gone', async () => !(await isThere(mortal)));
    t.true(await isThere(lasting));
  });
}

test('a daemon that has died before its virsh was bound to it leaves none', async (t) => {
  const bin = temporaryDirectory(t);
  const [asked, ended, ran] = [path.join(bin, 'asked'), path.join(bin, 'ended'), path.join(bin, 'ran')];
  // As where the disk is slow: what binds it comes too late.
  const late = `echo >'${asked}'; while kill -0 $PPID 2>/dev/null; do sleep 0.1; done; /usr/bin/setpriv "$@"; echo >'${ended}'`;
  await put(bin, 'setpriv', late);
  await put(bin, 'virsh', `echo >'${ran}'`);
  const daemon = daemonWith(t, bin, ['start', '--domain=mail']);
  await until('virsh is on its way', async () => (await contentOf(asked)) !== '');
  daemon.kill('SIGKILL');
  await once(daemon, 'exit');
  await until('it has come', async () => (await contentOf(ended)) !== '');
  t.is(await contentOf(ran), '');
});

for (const [what, names, stdout] of [
  ['setpriv', ['virsh'], '-q -c test:///default start\n'],
  ['virsh', ['setpriv', 'sh'], null],
] as const) {
  test(`where there is no ${what} it is told, or done without`, async (t) => {
    const bin = temporaryDirectory(t);
    for (const name of names)
      await put(
        bin,
        name,
        name === 'virsh' ? 'echo "$*"' : `exec $(PATH=/usr/bin:/bin command -v ${name}) "$@"`,
      );
    const code = `
      const { runVirsh } = await import(process.argv[1]);
      console.log(JSON.stringify(await runVirsh('test:///default', ['start'], { timeoutMs: 60_000 })));
    `;
    const argv = ['--input-type=module', '-e', code, '--', virshModule];
    const said = await promisify(execFile)(process.execPath, argv, { env: { PATH: bin } });
    const result = JSON.parse(said.stdout);
    if (stdout !== null) t.deepEqual(result, { kind: 'done', stdout });
    else t.is(result.code, 'libvirt-missing');
  });
}
