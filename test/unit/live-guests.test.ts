// Which guests of a configuration may go to the other node while they run, and what each of them stands on.

import { readFile } from 'node:fs/promises';
import test from 'ava';
import { parseConfigText } from '../../daemon/drivers/drbd/config-text.ts';
import { volumesOf } from '../../daemon/drivers/drbd/volumes.ts';
import { parseDomain } from '../../daemon/drivers/libvirt/domain.ts';
import { liveDevicesOf } from '../../daemon/runtime/guests/live-devices.ts';
import { buildPolicy, type KnownGuest } from '../../daemon/runtime/policy.ts';
import { configOf } from './support/check-host.ts';

interface Disk {
  readonly dev: string;
  readonly cache?: string;
  readonly device?: string;
}

function definitionOf(...disks: readonly Disk[]) {
  const parts = disks.map(
    ({ dev, cache = 'none', device = 'disk' }, index) => `<disk type='block' device='${device}'>
      <driver name='qemu' type='raw' cache='${cache}'/><source dev='${dev}'/><target dev='vd${'ab'[index]}' bus='virtio'/></disk>`,
  );
  return parseDomain(`<domain type='kvm'><name>mail</name><uuid>7c5cea09-6ec0-4fac-92e5-92bbe48a3436</uuid>
    <memory unit='MiB'>512</memory><vcpu>1</vcpu><devices>${parts.join('')}</devices></domain>`);
}

const groupOf = (...drbd: readonly string[]) => ({ drbd, mounted: [], volumes: new Map() });
const byName = '/dev/drbd/by-res/r0/0';

test('a guest goes while it runs where all its disks are devices of its group, by name and past the cache', (t) => {
  const found = liveDevicesOf(
    definitionOf({ dev: byName }, { dev: '/dev/drbd/by-res/r1', cache: 'directsync' }),
    groupOf('r0', 'r1'),
  );
  t.deepEqual(found, { kind: 'own', resources: ['r0', 'r1'] });
});

/** As `drbdadm dump` has them. */
const volumesIn = (...minors: readonly string[]) =>
  volumesOf(parseConfigText(`resource r0 { on primary { ${minors[0]} } on secondary { ${minors[1]} } }`));

test('a device by its minor is that of its resource where both nodes call it so', (t) => {
  const goes = (path: string, ...minors: readonly string[]) =>
    liveDevicesOf(definitionOf({ dev: path }), {
      ...groupOf('r0'),
      volumes: new Map([['r0', volumesIn(...minors)]]),
    });
  const own = { kind: 'own', resources: ['r0'] } as const;
  t.deepEqual(goes('/dev/drbd7', 'device /dev/drbd7 minor 7;', 'device minor 7;'), own);
  t.deepEqual(goes('/dev/drbd7', 'volume 1 { device minor 7; }', 'volume 1 { device /dev/drbd7; }'), own);
  t.like(goes('/dev/drbd7', 'device minor 7;', 'device minor 8;'), {
    kind: 'none',
    what: 'vda is /dev/drbd7, a device that is called otherwise on the other node (/dev/drbd7 and /dev/drbd8); name it /dev/drbd/by-res/r0/0',
  });
  t.like(goes('/dev/drbd8', 'device minor 7;', 'device minor 7;'), {
    kind: 'none',
    what: 'vda is /dev/drbd8, no device of its group',
  });
  t.deepEqual(goes('/dev/drbd/by-res/r0/0', 'device minor 7;', 'device minor 8;'), own);
});

test('the recorded configurations of DRBD tell the minors of both nodes', async (t) => {
  for (const name of ['dump-8.4.txt', 'dump-9.txt']) {
    const text = await readFile(new URL(`fixtures/drbd/${name}`, import.meta.url), 'utf8');
    t.deepEqual(volumesOf(parseConfigText(text)), [{ number: 0, minors: new Set([0]) }], name);
  }
});

test('not on a device that has a file system of the host, whatever its name', (t) => {
  const volumes = new Map([['r0', volumesIn('device minor 0;', 'device minor 0;')]]);
  for (const dev of ['/dev/drbd0', byName]) {
    const group = { drbd: ['r0'], mounted: ['/dev/drbd0'], volumes };
    t.like(liveDevicesOf(definitionOf({ dev }), group), {
      kind: 'none',
      what: `vda is ${dev}, which has a file system of the host`,
    });
  }
});

for (const [title, disks, said] of [
  [
    'a device by its number, of which nothing is known,',
    [{ dev: '/dev/drbd0' }],
    /vda is \/dev\/drbd0, a device by its number, whose resource is not known here/,
  ],
  ['a device of another group', [{ dev: '/dev/drbd/by-res/r9/0' }], /vda is \/dev\/drbd\/by-res\/r9\/0/],
  ['a cache', [{ dev: byName, cache: 'writeback' }], /cache='none'/],
  ['a medium', [{ dev: byName }, { dev: '/dev/sr0', device: 'cdrom' }], /vdb has a medium in it/],
  ['no disk', [], /no disk/],
] as const) {
  test(`not with ${title}; what mends that is said`, (t) => {
    const found = liveDevicesOf(definitionOf(...disks), groupOf('r0'));
    t.is(found.kind, 'none');
    t.regex(found.kind === 'none' ? found.what : '', said);
    t.regex(found.kind === 'none' ? found.next : '', /^virsh (edit|change-media) mail/);
  });
}

/** What stands on what in a group with these guests, and who may go while it runs. */
function standing(guests: string, devices: Readonly<Record<string, readonly string[]>>, more = '') {
  const config = configOf(`drbd: [r0, r1, r2], guests: ${guests}${more}`);
  const [group] = config.groups;
  const known = (group?.guests ?? []).map((guest): KnownGuest => {
    const own = devices[guest.name];
    const disks = own === undefined ? undefined : ({ kind: 'own', resources: own } as const);
    return { config: guest, memoryMiB: 600, ...(disks !== undefined && { disks }) };
  });
  const sights = { guests: new Map([['office', known]]), guestMemoryMiB: null, cores: 2 };
  const [office] = buildPolicy(config, 'primary', '1', sights).groups;
  return Object.fromEntries(
    (office?.resources ?? [])
      .filter(({ kind }) => kind !== 'drbd')
      .map(({ id, needs, guest }) => [
        id,
        [
          ...needs,
          ...(guest?.migrateMs == null ? [] : ['live']),
          ...(guest?.saveMs == null ? [] : ['saved']),
        ].join(' '),
      ]),
  );
}

test('who goes while it runs stands on its own devices, and nobody else on those', (t) => {
  const guests = '[{ name: mail, handover: live }, { name: web, handover: live }, files]';
  t.deepEqual(standing(guests, { mail: ['r0'], web: ['r1'] }), {
    'guest:mail': 'drbd:r0 live',
    'guest:web': 'drbd:r1 live',
    'guest:files': 'drbd:r2',
  });
});

test('two that share a device, and one of which nothing is known, stay where everybody is', (t) => {
  const all = 'drbd:r0 drbd:r1 drbd:r2';
  const guests =
    '[{ name: mail, handover: live }, { name: web, handover: live }, { name: dns, handover: live }]';
  t.deepEqual(standing(guests, { mail: ['r0'], web: ['r0', 'r1'] }), {
    'guest:mail': all,
    'guest:web': all,
    'guest:dns': all,
  });
});

const mounted = 'filesystems: [{ device: /dev/drbd2, mount: /srv/guests }]';

test('a file system beside it does not stand on its device, and is where its memory is saved', (t) => {
  for (const handover of ['live', 'save', 'shutdown']) {
    t.deepEqual(standing(`[{ name: mail, handover: ${handover} }]`, { mail: ['r0'] }, `, ${mounted}`), {
      'filesystem:/srv/guests': 'drbd:r1 drbd:r2',
      'guest:mail': 'drbd:r0 drbd:r1 drbd:r2 filesystem:/srv/guests live saved',
    });
  }
});
