// Which guests of libvirt `battito init` finds, and which of them could move: with a virsh that says what it is told to.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { findGuests } from '../../daemon/cli/init/guests.ts';
import { temporaryDirectory } from '../support.ts';
import { useFakeVirsh } from './support/fake-libvirt.ts';

useFakeVirsh();

const uuidOf = (index: number) => `00000000-0000-4000-8000-00000000000${index}`;
const domain = (name: string, index: number, disks: string, type = 'kvm') =>
  `<domain type='${type}'><name>${name}</name><uuid>${uuidOf(index)}</uuid><memory>1024</memory><devices>${disks}</devices></domain>`;
const disk = (file: string) =>
  `<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${file}'/><target dev='vda'/></disk>`;

/** A libvirt that has these domains, in this order. @returns its connection */
function libvirtOf(
  t: ExecutionContext,
  domains: readonly (readonly [name: string, xml: string, ...flags: string[]])[],
) {
  const directory = temporaryDirectory(t);
  const write = (name: string, text: string) => writeFileSync(join(directory, name), text);
  const those = (wanted: (flags: readonly string[]) => boolean) =>
    domains.flatMap(([, , ...flags], index) => (wanted(flags) ? [uuidOf(index)] : [])).join('\n');
  const autostart = those((flags) => flags.includes('autostart'));
  const persistent = those((flags) => !flags.includes('transient'));
  const names = domains.map(([name], index) => `${uuidOf(index)} ${name}`).join('\n');
  write('listed', `${autostart}\nlasting:${persistent}\nnames:${names}\n`);
  write('list.sh', 'cat "$dir/listed"; exit 0\n');
  write(
    'dumpxml.sh',
    'name=$(echo "$2" | sed s/--domain=//); cat "$dir/$name.xml" && exit 0; echo "error: no such" >&2; exit 1\n',
  );
  for (const [name, xml] of domains) write(`${name}.xml`, xml);
  return { uri: `fake://${directory}`, directory };
}

test('A guest moves whose disks all lie on the storage; of all others it is said why they stay', async (t) => {
  const mount = join(temporaryDirectory(t), 'guests');
  mkdirSync(mount);
  const { uri } = libvirtOf(t, [
    ['web', domain('web', 0, disk(`${mount}/web.raw`)), 'autostart'],
    ['half', domain('half', 1, disk(`${mount}/half.raw`) + disk('/var/lib/half.raw').replace('vda', 'vdb'))],
    ['mail', domain('mail', 2, disk(`${mount}/mail.raw`))],
    ['live-cd', domain('live-cd', 3, '')],
    ['box', domain('box', 4, '', 'lxc')],
    ['gone', domain('gone', 5, disk(`${mount}/gone.raw`)), 'transient'],
  ]);
  const found = await findGuests({ devices: [], mounts: [mount] }, uri);
  t.deepEqual(
    found?.map(({ name, autostart, stays }) => [name, autostart, stays === null]),
    [
      ['box', false, false],
      ['half', false, false],
      ['live-cd', false, false],
      ['mail', false, true],
      ['web', true, true],
    ],
    'a transient one is gone once it is off',
  );
  const why = new Map(found?.map(({ name, stays }) => [name, stays]));
  t.regex(why.get('half') ?? '', /^\/var\/lib\/half\.raw is not on /);
  t.regex(why.get('box') ?? '', /is a container/);
  t.is(why.get('live-cd'), 'it has no disk');
});

test('Where no libvirt answers nothing is known of guests', async (t) => {
  const { uri, directory } = libvirtOf(t, []);
  writeFileSync(
    join(directory, 'list.sh'),
    'echo "error: Failed to connect socket to x: No such file" >&2; exit 1\n',
  );
  t.is(await findGuests({ devices: [], mounts: [] }, uri), null);
});
