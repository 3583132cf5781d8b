// Which domains a group's storage carries: decided on facts, and on facts that real images and links give.

import { execFileSync } from 'node:child_process';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import { type DomainFacts, judgeBelonging } from '../../daemon/drivers/libvirt/belonging.ts';
import { createLibvirt } from '../../daemon/drivers/libvirt/connection.ts';
import { findBelonging } from '../../daemon/drivers/libvirt/disks.ts';
import { type DomainDefinition, parseDomain } from '../../daemon/drivers/libvirt/domain.ts';
import { temporaryDirectory } from '../support.ts';
import { useFakeVirsh } from './support/fake-libvirt.ts';

useFakeVirsh();

async function parse(name: string): Promise<DomainDefinition> {
  const file = path.join(import.meta.dirname, 'fixtures', 'libvirt', `${name}.xml`);
  return parseDomain(await readFile(file, 'utf8'));
}

/** As on a standby, where nothing is there to be resolved. */
function factsOf(domain: DomainDefinition, changes: Partial<DomainFacts> = {}): DomainFacts {
  return {
    disks: domain.disks.map((disk) => {
      const { source } = disk;
      const kind: 'block' | 'file' = source.kind === 'block' ? 'block' : 'file';
      const paths =
        'path' in source ? [{ path: source.path, real: source.path, role: 'image' as const, kind }] : [];
      return { disk, paths, problem: null };
    }),
    reals: {},
    mountPoints: ['/', '/srv/guests'],
    storage: { devices: ['/dev/drbd0', '/dev/drbd/by-res/r1/0'], mounts: ['/srv/guests'] },
    ...changes,
  };
}

test('a domain whose disk is on the group belongs; an empty drive is no matter', async (t) => {
  const domain = await parse('plain');
  t.deepEqual(judgeBelonging(domain, factsOf(domain)), { kind: 'belongs', apart: [] });
});

test('an overlay elsewhere still uses the storage that it is an overlay of; what cannot be told may', async (t) => {
  const domain = await parse('plain');
  const facts = factsOf(domain);
  const uses = (paths: readonly string[], problem: string | null = null) => {
    const [one] = facts.disks;
    if (one === undefined) throw new Error('it has no disk');
    const disk = {
      ...one,
      problem,
      paths: paths.map((path) => ({ path, real: path, role: 'image' as const, kind: 'file' as const })),
    };
    const belonging = judgeBelonging(domain, { ...facts, disks: [disk] });
    return belonging.kind === 'elsewhere' ? belonging.uses : belonging.kind;
  };
  t.is(uses(['/var/lib/images/overlay.qcow2', '/srv/guests/base.qcow2']), true);
  t.is(uses(['/var/lib/images/overlay.qcow2', '/var/lib/images/base.qcow2']), false);
  t.is(uses(['/var/lib/images/overlay.qcow2'], 'its backing file cannot be read'), null);
  const away = facts.disks.map((one) => ({
    ...one,
    paths: one.paths.map((path) => ({ ...path, real: '/var/lib/images/a.img' })),
  }));
  const shares = { ...facts, disks: away, reals: { '/media': '/srv/guests/media' } };
  t.like(judgeBelonging(domain, shares), { kind: 'elsewhere', uses: true }, 'a directory that it shares');
});

test('each disk that is elsewhere is named, with why', async (t) => {
  const domain = await parse('uefi-nvram');
  t.deepEqual(judgeBelonging(domain, factsOf(domain)), {
    kind: 'elsewhere',
    partly: true,
    uses: true,
    disks: [
      {
        target: 'vdc',
        path: '/var/lib/libvirt/images/scratch.qcow2',
        role: 'image',
        reason:
          '/var/lib/libvirt/images/scratch.qcow2 is not on /srv/guests, so the other node has no copy of it',
      },
    ],
    apart: [],
  });
});

test('media, UEFI variables and TPM state that are elsewhere are told apart from disks', async (t) => {
  const domain = await parse('uefi-tpm');
  const belonging = judgeBelonging(domain, factsOf(domain));
  t.is(belonging.kind, 'belongs');
  t.deepEqual(
    belonging.apart.map(({ what, path: where }) => [what, where]),
    [
      ['cdrom', '/var/lib/libvirt/images/virtio-win.iso'],
      ['nvram', '/var/lib/libvirt/qemu/nvram/windows & co_VARS.fd'],
      ['tpm', '/var/lib/libvirt/swtpm/3f1c2b9a-77c1-4e0b-8c53-51b7d2e0a702'],
    ],
  );
});

test('a domain without disks is diskless, whatever else it has', async (t) => {
  const domain = await parse('hostdev');
  t.deepEqual(judgeBelonging(domain, factsOf(domain)), { kind: 'diskless', apart: [] });
});

test('a name that only begins like a mount or a device is not on it; a partition is', async (t) => {
  const plain = await parse('plain');
  const at = (real: string, kind: 'file' | 'block', changes: Partial<DomainFacts> = {}) => {
    const disks = plain.disks.slice(0, 1).map((disk) => {
      return { disk, paths: [{ path: real, real, role: 'image' as const, kind }], problem: null };
    });
    return judgeBelonging(plain, factsOf(plain, { disks, ...changes })).kind;
  };
  t.is(at('/srv/guests/a', 'file'), 'belongs');
  t.is(at('/srv/guests2/a', 'file'), 'elsewhere');
  t.is(at('/dev/drbd0', 'block'), 'belongs');
  t.is(at('/dev/drbd0p1', 'block'), 'belongs');
  t.is(at('/dev/drbd01', 'block'), 'elsewhere');
  t.is(at('/dev/drbd10', 'block'), 'elsewhere');
  t.is(
    at('/srv/guests/usb/a', 'file', { mountPoints: ['/', '/srv/guests', '/srv/guests/usb'] }),
    'elsewhere',
  );
});

/** A directory that plays the group's file system, one that does not, and a libvirt with one pool. */
async function createPlace(t: ExecutionContext) {
  const directory = temporaryDirectory(t);
  const [mount, local] = [path.join(directory, 'guests'), path.join(directory, 'local')];
  await Promise.all([mkdir(mount), mkdir(local)]);
  const libvirt = createLibvirt({ uri: `fake://${directory}`, logger: pino({ level: 'silent' }) });
  t.teardown(() => libvirt.close());
  const image = (...argv: readonly string[]) =>
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', ...argv]);
  const storage = { devices: [], mounts: [mount] };
  const judge = async (disks: string) => {
    const xml = `<domain type='kvm'><name>mail</name><uuid>u</uuid><memory>1</memory><devices>${disks}</devices></domain>`;
    return await findBelonging(parseDomain(xml), storage, { libvirt });
  };
  const disk = (file: string, type = 'qcow2') =>
    `<disk type='file' device='disk'><driver type='${type}'/><source file='${file}'/><target dev='vda'/></disk>`;
  return { directory, mount, local, image, judge, disk };
}

test('a chain of images is followed to its end by what the images say', async (t) => {
  const { mount, local, image, judge, disk } = await createPlace(t);
  image(`${local}/golden.qcow2`, '1M');
  image('-b', `${local}/golden.qcow2`, '-F', 'qcow2', `${mount}/middle.qcow2`);
  image('-b', 'middle.qcow2', '-F', 'qcow2', `${mount}/top.qcow2`);
  const away = await judge(disk(`${mount}/top.qcow2`));
  t.is(away.kind, 'elsewhere');
  if (away.kind === 'elsewhere') {
    t.deepEqual(
      away.disks.map(({ path: where }) => where),
      [`${local}/golden.qcow2`],
    );
    t.regex(away.disks[0]?.reason ?? '', /golden\.qcow2, which the image above it needs, is not on /);
  }
  image(`${mount}/base.qcow2`, '1M');
  image('-b', 'base.qcow2', '-F', 'qcow2', `${mount}/whole.qcow2`);
  t.deepEqual(await judge(disk(`${mount}/whole.qcow2`)), { kind: 'belongs', apart: [] });
});

test('an image whose data are in a file elsewhere is elsewhere, mounted or not', async (t) => {
  const { mount, local, image, judge, disk } = await createPlace(t);
  image('-o', `data_file=${local}/mail.raw,data_file_raw=on`, `${mount}/mail.qcow2`, '1M');
  image('-o', 'data_file=web.raw', `${mount}/web.qcow2`, '1M');
  image('-b', `${mount}/mail.qcow2`, '-F', 'qcow2', `${mount}/top.qcow2`);
  const named = (data: string) =>
    `<disk type='file'><driver type='qcow2'/><source file='${mount}/away.qcow2'><dataStore type='file'><format type='raw'/><source file='${data}'/></dataStore></source><target dev='vda'/></disk>`;
  for (const away of [disk(`${mount}/mail.qcow2`), disk(`${mount}/top.qcow2`), named(`${local}/mail.raw`)]) {
    const belonging = await judge(away);
    t.is(belonging.kind, 'elsewhere', away);
    if (belonging.kind !== 'elsewhere') continue;
    t.deepEqual(
      belonging.disks.map(({ path: where, role }) => [where, role]),
      [[`${local}/mail.raw`, 'data']],
    );
    t.regex(belonging.disks[0]?.reason ?? '', /mail\.raw, which holds the data of the image, is not on /);
  }
  for (const here of [disk(`${mount}/web.qcow2`), named(`${mount}/away.raw`)])
    t.is((await judge(here)).kind, 'belongs');
});

test('links are resolved, both ways', async (t) => {
  const { directory, mount, local, judge, disk } = await createPlace(t);
  await writeFile(`${local}/real.raw`, '');
  await symlink(`${local}/real.raw`, `${mount}/looks-good.raw`);
  await symlink(mount, `${directory}/alias`);
  t.is((await judge(disk(`${mount}/looks-good.raw`, 'raw'))).kind, 'elsewhere');
  t.is((await judge(disk(`${directory}/alias/not-there-yet.raw`, 'raw'))).kind, 'belongs');
});

test('an image that cannot be read, and a network, are elsewhere, with a reason', async (t) => {
  const { mount, image, judge, disk } = await createPlace(t);
  await writeFile(`${mount}/torn.qcow2`, 'QFI');
  image('-u', '-b', 'nbd://192.168.1.9/web', '-F', 'raw', `${mount}/remote.qcow2`, '1M');
  const network = `<disk type='network'><source protocol='rbd' name='p/web'/><target dev='vdb'/></disk>`;
  for (const [disks, reason] of [
    [disk(`${mount}/torn.qcow2`), /torn\.qcow2 stands on cannot be told/],
    [
      disk(`${mount}/remote.qcow2`),
      /remote\.qcow2 stands on cannot be told: it is nbd:\/\/.*, which is no file/,
    ],
    [network, /network disk \(rbd:p\/web\)/],
  ] as const) {
    const belonging = await judge(disks);
    t.is(belonging.kind, 'elsewhere');
    if (belonging.kind === 'elsewhere') t.regex(belonging.disks[0]?.reason ?? '', reason);
  }
});

test('a chain with an image missing is judged by where that would be, and one that closes a circle is refused', async (t) => {
  const { mount, local, image, judge, disk } = await createPlace(t);
  for (const place of [mount, local])
    image('-u', '-b', `${place}/lost`, '-F', 'qcow2', `${mount}/on-${path.basename(place)}`, '1M');
  t.is((await judge(disk(`${mount}/on-guests`))).kind, 'belongs');
  const away = await judge(disk(`${mount}/on-local`));
  t.is(away.kind, 'elsewhere');
  if (away.kind === 'elsewhere')
    t.deepEqual(
      away.disks.map(({ path: where }) => where),
      [`${local}/lost`],
    );
  image('-u', '-b', `${mount}/two`, '-F', 'qcow2', `${mount}/one`, '1M');
  image('-u', '-b', `${mount}/one`, '-F', 'qcow2', `${mount}/two`, '1M');
  const circle = await judge(disk(`${mount}/one`));
  t.is(circle.kind, 'elsewhere');
  if (circle.kind === 'elsewhere')
    t.regex(circle.disks[0]?.reason ?? '', /one stands on itself, by way of .*\/one$/);
});

test('what is not mounted here is judged by what the definition names', async (t) => {
  const { local, mount, judge } = await createPlace(t);
  const backing = (file: string) =>
    `<disk type='file'><driver type='qcow2'/><source file='${mount}/top.qcow2'/><target dev='vda'/>` +
    `<backingStore type='file'><format type='qcow2'/><source file='${file}'/><backingStore/></backingStore></disk>`;
  t.is((await judge(backing(`${mount}/base.qcow2`))).kind, 'belongs');
  t.is((await judge(backing(`${local}/base.qcow2`))).kind, 'elsewhere');
});

test('volumes are asked for at libvirt; a pool that does not tell is named', async (t) => {
  const { directory, mount, judge } = await createPlace(t);
  const volume = `<disk type='volume'><driver type='raw'/><source pool='guests' volume='web.raw'/><target dev='vda'/></disk>`;
  await writeFile(`${directory}/vol-path.sh`, `echo '${mount}/web.raw'; exit 0`);
  t.is((await judge(volume)).kind, 'belongs');
  t.true((await readFile(`${directory}/calls`, 'utf8')).includes('vol-path --pool=guests --vol=web.raw'));
  const inactive =
    'echo "error: failed to get vol" >&2; echo "error: storage pool is not active" >&2; exit 1';
  await writeFile(`${directory}/vol-path.sh`, inactive);
  const belonging = await judge(volume);
  t.is(belonging.kind, 'elsewhere');
  if (belonging.kind === 'elsewhere') {
    t.is(belonging.disks[0]?.path, 'guests/web.raw');
    t.regex(belonging.disks[0]?.reason ?? '', /storage pool is not active.*virsh pool-start guests/);
  }
});
