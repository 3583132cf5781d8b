// A saved memory is for the disks that were left with it, wherever libvirt says that these lie. On a scripted libvirt.

import { execFileSync } from 'node:child_process';
import { appendFile, readFile } from 'node:fs/promises';
import test, { type ExecutionContext } from 'ava';
import { createFake, patienceMs, useFakeVirsh } from './support/fake-libvirt.ts';

useFakeVirsh();

const disk = (type: string, format: string, source: string) =>
  `<disk type='${type}' device='disk'><driver name='qemu' type='${format}'/><source ${source}/><target dev='vda'/></disk>`;

async function createSaved(t: ExecutionContext, devices: (file: (name: string) => string) => string) {
  const fake = await createFake(t, 'running (booted)');
  await fake.write('disk.raw', 'as it was');
  const xml = `<domain type='kvm'><name>${fake.name}</name><uuid>u</uuid><memory>1</memory><devices>${devices(fake.file)}</devices></domain>`;
  await fake.write('xml', xml);
  await fake.write('vol-path.sh', `echo '${fake.file('disk.raw')}'; exit 0`);
  const daemon = fake.createDaemon();
  return { ...fake, daemon, save: () => daemon.save(AbortSignal.timeout(patienceMs)) };
}

const kinds = {
  file: (file: (name: string) => string) => disk('file', 'raw', `file='${file('disk.raw')}'`),
  volume: () => disk('volume', 'raw', "pool='guests' volume='disk.raw'"),
  'data file': (file: (name: string) => string) => {
    const options = `data_file=${file('disk.raw')},data_file_raw=on`;
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, file('disk.qcow2'), '64k']);
    return disk('file', 'qcow2', `file='${file('disk.qcow2')}'`);
  },
};

for (const [kind, devices] of Object.entries(kinds)) {
  test(`a memory is read again over its disk, a ${kind}, and not once that has changed`, async (t) => {
    const { daemon, save, file, write, deeds } = await createSaved(t, devices);
    t.deepEqual(await save(), { kind: 'done' });
    t.deepEqual(await daemon.perform('start'), { kind: 'done' });
    t.is((await readFile(file('state'), 'utf8')).trim(), 'running (restored)');
    t.deepEqual(await save(), { kind: 'done' });
    await appendFile(file('disk.raw'), ', and more');
    await write('calls', '');
    t.deepEqual(await daemon.perform('start'), { kind: 'done' });
    t.is((await readFile(file('state'), 'utf8')).trim(), 'running (booted)');
    t.false((await deeds()).some((deed) => deed.startsWith('restore')));
  });
}

test('where it cannot be told where a disk lies, nothing is saved and the guest runs on', async (t) => {
  const { save, write, file, name } = await createSaved(t, kinds.volume);
  await write('vol-path.sh', 'echo "error: storage pool is not active" >&2; exit 1');
  const outcome = await save();
  t.like(outcome, { kind: 'failed', code: 'save-not-possible' });
  const said = outcome.kind === 'failed' ? outcome.message : '';
  t.true(said.startsWith(`guest ${name}: where volume disk.raw of pool guests lies cannot be told:`), said);
  t.is((await readFile(file('state'), 'utf8')).trim(), 'running (booted)');
});
