// What `battito check` says of the files that a domain names on its group's storage: on real images, in a directory that
// plays the group's file system.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { temporaryDirectory } from '../support.ts';
import { type DomainParts, diskXml, domainXml, findingsOf } from './support/check-host.ts';
import { useFakeVirsh } from './support/fake-libvirt.ts';

useFakeVirsh();

async function createStorage(t: ExecutionContext) {
  const mount = path.join(temporaryDirectory(t), 'guests');
  await mkdir(mount);
  const told = async (
    devices: string,
    {
      mounted = true,
      pools = [],
      ...parts
    }: DomainParts & { readonly mounted?: boolean; readonly pools?: readonly string[] } = {},
  ) => {
    const group = `filesystems: [{ device: /dev/vg0/guests, mount: ${mount} }], guests: [mail]`;
    const domains = { mail: { xml: domainXml('mail', { ...parts, devices }) } };
    const { told: lines } = await findingsOf(t, {
      group,
      domains,
      mounted,
      pools,
      sight: { exists: existsSync },
    });
    return lines.slice(1).map((line) => line.replaceAll(mount, '/srv/guests'));
  };
  const image = (name: string, ...argv: readonly string[]) =>
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', ...argv, path.join(mount, name), '1M'], {
      cwd: mount,
    });
  return { mount, told, image };
}

const well = 'ok: mail: its disks are on the storage of office';
const drive = (file: string, policy = '') =>
  `<disk type='file' device='cdrom'><driver type='raw'/><source file='${file}'${policy}/><target dev='sda'/></disk>`;
const optional = " startupPolicy='optional'";

test('an image that is gone from the storage is told where that is mounted, and only there', async (t) => {
  const { mount, told } = await createStorage(t);
  const disk = diskXml(`${mount}/typo.raw`);
  t.deepEqual(await told(disk), [
    'problem: mail: disk vda: /srv/guests/typo.raw does not exist: it cannot start | ls -l /srv/guests   # is it called otherwise? virsh edit mail; else bring it back from the backup',
  ]);
  t.deepEqual((await told(disk, { mounted: false }))[0], well);
  await writeFile(`${mount}/typo.raw`, '');
  t.deepEqual(await told(disk), [well]);
});

test('an image under the image that is gone is told, and that one alone', async (t) => {
  const { mount, told, image } = await createStorage(t);
  image('base.qcow2');
  image('middle.qcow2', '-b', 'base.qcow2', '-F', 'qcow2');
  image(
    'top.qcow2',
    '-b',
    `json:{"driver":"qcow2","file":{"driver":"file","filename":"${mount}/middle.qcow2"}}`,
    '-F',
    'qcow2',
  );
  const disk = diskXml(`${mount}/top.qcow2`, 'vda', '<shareable/>');
  t.deepEqual(await told(disk), [well]);
  await rm(`${mount}/base.qcow2`);
  t.deepEqual(
    (await told(disk)).map((line) => line.split(' | ')[0]),
    [
      'problem: mail: disk vda: /srv/guests/base.qcow2, which the image above it needs, does not exist: it cannot start',
    ],
  );
});

test('a file with the data of an image that is elsewhere is told with what takes them in, and one that is gone as gone', async (t) => {
  const { mount, told, image } = await createStorage(t);
  const away = path.join(path.dirname(mount), 'mail.raw');
  image('mail.qcow2', '-o', `data_file=${away},data_file_raw=on`);
  image('web.qcow2', '-o', 'data_file=web.raw');
  const disk = (name: string) => diskXml(`${mount}/${name}.qcow2`, 'vda', '<shareable/>');
  t.deepEqual(await told(disk('mail')), [
    `problem: mail: it cannot fail over with office: disk vda: ${away}, which holds the data of the image, is not on /srv/guests, so the other node has no copy of it | qemu-img convert -p -O qcow2 /srv/guests/mail.qcow2 /srv/guests/mail.qcow2.whole && mv /srv/guests/mail.qcow2.whole /srv/guests/mail.qcow2   # while it is off: takes in the data of ${away}; take <dataStore> out of its definition where it is there: virsh edit mail`,
  ]);
  t.deepEqual(await told(disk('web')), [well]);
  await rm(`${mount}/web.raw`);
  t.regex(
    (await told(disk('web')))[0] ?? '',
    /^problem: mail: disk vda: \/srv\/guests\/web\.raw, which holds the data of the image, does not exist: it cannot start \|/,
  );
});

test('a medium, a share and a kernel that are gone from the storage are told with what takes them out', async (t) => {
  const { mount, told } = await createStorage(t);
  await writeFile(`${mount}/mail.raw`, '');
  const share = `<filesystem type='mount'><source dir='${mount}/share'/><target dir='t'/></filesystem>`;
  const devices = diskXml(`${mount}/mail.raw`) + drive(`${mount}/gone.iso`) + share;
  const missing = (file: string) =>
    `problem: mail: /srv/guests/${file}, which it names, is not here: it cannot start here`;
  t.deepEqual(await told(devices, { os: `<kernel>${mount}/vmlinuz</kernel>` }), [
    `${missing('gone.iso')} | virsh change-media mail sda --eject --config`,
    `${missing('share')} | virsh edit mail   # name what is there instead of it`,
    `${missing('vmlinuz')} | virsh edit mail   # name what is there instead of it`,
  ]);
});

test('what a guest may start without keeps it from nothing', async (t) => {
  const { mount, told } = await createStorage(t);
  await writeFile(`${mount}/mail.raw`, '');
  const disk = diskXml(`${mount}/mail.raw`);
  t.deepEqual(await told(disk + drive(`${mount}/gone.iso`, optional)), [
    'info: mail: the medium in sda, /srv/guests/gone.iso, is not there: it starts without it',
    well,
  ]);
  t.deepEqual(await told(disk + drive('/nonexistent/gone.iso', optional)), [
    "info: mail: the medium in sda, /nonexistent/gone.iso, is not on the group's storage; where it is missing the guest starts without it",
    well,
  ]);
  t.regex(
    (await told(disk + drive('/nonexistent/gone.iso', " startupPolicy='requisite'")))[0] ?? '',
    /^problem: mail: \/nonexistent\/gone\.iso, which it names, is not here: it cannot start here/,
  );
  const data = diskXml(`${mount}/data.raw`, 'vdb').replace("data.raw'", `data.raw'${optional}`);
  t.regex(
    (await told(disk + data))[0] ?? '',
    /^warning: mail: disk vdb: \/srv\/guests\/data\.raw does not exist: it starts without it \(startupPolicy\) \|/,
  );
});

// ---- on a standby, where nothing is mounted ----

const volume = (pool: string) =>
  `<disk type='volume' device='disk'><driver type='raw'/><source pool='${pool}' volume='mail.raw'/><target dev='vda'/></disk>`;
const seenLater = (pool: string) =>
  `info: storage pool ${pool} lies on /srv/guests: libvirt is asked to look at it again where a guest does not find its disk in it`;

test('a name that leads onto the storage is on it, also while that is not mounted', async (t) => {
  const { mount, told } = await createStorage(t);
  const beside = path.dirname(mount);
  await symlink(`${mount}/images`, `${beside}/images`);
  await symlink('guests/mail.raw', `${beside}/mail.raw`);
  await symlink('images/web', `${beside}/web`);
  for (const file of ['images/mail.raw', 'mail.raw', 'web/mail.raw'])
    t.is((await told(diskXml(`${beside}/${file}`), { mounted: false }))[0], well, file);
  const pool = `${beside}/images`.slice(1);
  const [, said] = await told(volume(pool), { mounted: false, pools: [`-${pool}`] });
  t.is(said, seenLater(pool));
  await symlink(`${beside}/elsewhere/mail.raw`, `${beside}/away.raw`);
  await symlink('round.raw', `${beside}/round.raw`);
  for (const file of ['away.raw', 'round.raw'])
    t.regex(
      (await told(diskXml(`${beside}/${file}`), { mounted: false }))[0] ?? '',
      /^problem: mail: it cannot fail over/,
    );
});

test('a pool on storage that is not mounted here, or is that itself, is no fault, active or not', async (t) => {
  const xml = (pool: string) => domainXml('mail', { devices: volume(pool) });
  const lost = 'echo "error: Storage volume not found: no storage vol with matching path" >&2; exit 1';
  const told = async (pool: string, mounted = false) => {
    const domains = { mail: { xml: xml(pool.replace('-', '')) } };
    const host = {
      group: 'filesystems: [{ device: /dev/vg0/guests, mount: /srv/guests }], guests: [mail]',
      domains,
    };
    return (
      await findingsOf(t, { ...host, pools: [pool], mounted, scripts: { 'vol-path.sh': lost } })
    ).told.slice(1);
  };
  const away = /^info: \/srv\/guests is not mounted here/;
  for (const pool of ['srv/guests/pool', '-srv/guests/pool', 'srv/guests', '-srv/guests']) {
    const [first, second, ...more] = await told(pool);
    t.regex(first ?? '', away, pool);
    t.is(second, seenLater(pool.replace('-', '')));
    t.deepEqual(more, []);
  }
  t.regex(
    (await told('srv/guests', true))[0] ?? '',
    /^problem: mail: it cannot fail over .* Storage volume not found/,
  );
  t.deepEqual(await told('-srv/guests', true), [seenLater('srv/guests')]);
});
