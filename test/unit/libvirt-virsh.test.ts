// A virsh that outlives its daemon: which one may, and which may not.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
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

/** The process of a virsh that hangs, once whoever has started it was killed. */
async function orphan(t: ExecutionContext, args: readonly string[]): Promise<number> {
  const directory = temporaryDirectory(t);
  const bin = path.join(directory, 'bin');
  const pidFile = path.join(directory, 'pid');
  await mkdir(bin);
  const script = `#!/bin/sh\necho $$ >'${pidFile}.new' && mv '${pidFile}.new' '${pidFile}'\nexec sleep 600\n`;
  await writeFile(path.join(bin, 'virsh'), script);
  await chmod(path.join(bin, 'virsh'), 0o755);
  const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}` };
  const options = { env, stdio: 'ignore' } as const;
  const daemon = spawn(
    process.execPath,
    ['--input-type=module', '-e', runner, '--', virshModule, ...args],
    options,
  );
  t.teardown(() => daemon.kill('SIGKILL'));
  await until('virsh runs', async () => (await readFile(pidFile, 'utf8').catch(() => '')) !== '');
  const pid = Number(await readFile(pidFile, 'utf8'));
  daemon.kill('SIGKILL');
  await once(daemon, 'exit');
  return pid;
}

const isThere = async (pid: number) =>
  (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')) !== '';

for (const verb of ['start', 'restore', 'resume']) {
  test(`a ${verb} that hangs ends with its daemon; what brings nothing up may outlive it`, async (t) => {
    const lasting = await orphan(t, ['destroy', '--domain=mail']);
    t.teardown(() => process.kill(lasting, 'SIGKILL'));
    const mortal = await orphan(t, [verb, '--domain=mail']);
    await until('it is gone', async () => !(await isThere(mortal)));
    t.true(await isThere(lasting));
  });
}

test('where there is no setpriv it is done without', async (t) => {
  const bin = temporaryDirectory(t);
  await writeFile(path.join(bin, 'virsh'), '#!/bin/sh\necho "$*"\n');
  await chmod(path.join(bin, 'virsh'), 0o755);
  const code = `
    const { runVirsh } = await import(process.argv[1]);
    console.log(JSON.stringify(await runVirsh('test:///default', ['start'], { timeoutMs: 60_000 })));
  `;
  const env = { PATH: bin };
  const argv = ['--input-type=module', '-e', code, '--', virshModule];
  const { stdout } = await promisify(execFile)(process.execPath, argv, { env });
  t.deepEqual(JSON.parse(stdout), { kind: 'done', stdout: '-q -c test:///default start\n' });
});
