// Guests whose memory is on huge pages: what of their host they take, and whether a host has set enough aside.

import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { checkGuestMemory } from '../../daemon/cli/check/guest-memory.ts';
import { withoutRoom } from '../../daemon/core/guests.ts';
import { parseDomain } from '../../daemon/drivers/libvirt/domain.ts';
import { guestMemoryMiB } from '../../daemon/runtime/guests/host-memory.ts';
import { type HostPages, readHostPages } from '../../daemon/runtime/guests/huge-pages.ts';
import { knownGuests } from '../../daemon/runtime/guests/known-guests.ts';
import { buildPolicy } from '../../daemon/runtime/policy.ts';
import { temporaryDirectory } from '../support.ts';
import { configOf, type DomainParts, domainXml, findingsOf, officeStorage } from './support/check-host.ts';
import { storeOf } from './support/definitions.ts';
import { useFakeVirsh } from './support/fake-libvirt.ts';

useFakeVirsh();

const backed = (name: string, pages = '', parts: DomainParts = {}) =>
  domainXml(name, { memoryMiB: 20_480, ...parts }).replace(
    '<vcpu>',
    `<memoryBacking><hugepages>${pages}</hugepages></memoryBacking><vcpu>`,
  );
const pagesOf = (pages: string, cpu = '') => parseDomain(backed('mail', pages, { cpu })).hugePages;

test('how much of a memory is on huge pages, and of which size, is read from its definition', (t) => {
  t.deepEqual(parseDomain(domainXml('mail')).hugePages, []);
  t.deepEqual(pagesOf(''), [{ pageKiB: null, memoryMiB: 20_480 }]);
  t.deepEqual(pagesOf("<page size='1' unit='G'/>"), [{ pageKiB: 1024 ** 2, memoryMiB: 20_480 }]);
  t.deepEqual(pagesOf("<page size='2048'/>"), [{ pageKiB: 2048, memoryMiB: 20_480 }]);
});

test('nodes of a guest may be on pages of different sizes, or on none', (t) => {
  const cell = (id: number, gib: number) => `<cell id='${id}' cpus='${id}' memory='${gib}' unit='GiB'/>`;
  const numa = `<cpu><numa>${cell(0, 12)}${cell(1, 4)}${cell(2, 4)}</numa></cpu>`;
  const [large, small] = ["<page size='1' unit='G' nodeset='0-1,^1'/>", "<page size='2' unit='M'/>"];
  t.deepEqual(pagesOf(large + small, numa), [
    { pageKiB: 1024 ** 2, memoryMiB: 12 * 1024 },
    { pageKiB: 2048, memoryMiB: 8 * 1024 },
  ]);
  t.deepEqual(pagesOf(large, numa), [{ pageKiB: 1024 ** 2, memoryMiB: 12 * 1024 }]);
  t.deepEqual(pagesOf("<page size='1' unit='G' nodeset='0'/>"), [{ pageKiB: 1024 ** 2, memoryMiB: 20_480 }]);
});

/** 62.5 GiB, of which 48 are set aside. */
const meminfo = 'MemTotal: 65536000 kB\nHugetlb: 50331648 kB\n';

test('at a takeover a guest on huge pages takes only its overhead of the rest, and its move takes as long as before', (t) => {
  const config = configOf(`${officeStorage}, guests: [all, { name: db, handover: save }]`);
  const store = storeOf([backed('mail'), backed('web'), backed('db'), domainXml('dns')]);
  const guests = knownGuests(config, store);
  t.deepEqual(
    (guests.get('office') ?? []).map(({ config: { name }, memoryMiB }) => [name, memoryMiB]),
    [
      ['db', 72],
      ['dns', 586],
      ['mail', 72],
      ['web', 72],
    ],
  );
  const free = guestMemoryMiB(meminfo, null);
  const policy = buildPolicy(config, 'primary', '', { guests, guestMemoryMiB: free, cores: 4 });
  const resources = policy.groups.flatMap((group) => group.resources);
  const wanted = resources.flatMap(({ id, guest }) => (guest === undefined ? [] : [{ id, guest }]));
  t.is(wanted.length, 4);
  t.deepEqual([...withoutRoom(wanted, free)], []);
  const saveMs = (id: string) => wanted.find((one) => one.id === id)?.guest.saveMs ?? 0;
  t.true(saveMs('guest:db') > (20_480 / 20) * 1000, `${saveMs('guest:db')} ms`);
});

const node = (
  counts: readonly (readonly [number, number])[],
  defaultKiB: number | null = 2048,
): HostPages => ({
  defaultKiB,
  counts: new Map(counts),
});

test('check sets guests on huge pages against those of the host, and says how to have more', async (t) => {
  const config = configOf(`${officeStorage}, guests: all`);
  const told = async (host: HostPages, ...xmls: readonly string[]) => {
    const domains = Object.fromEntries(xmls.map((xml, index) => [['mail', 'web'][index], { xml }]));
    const known = new Map([['office', (await findingsOf(t, { domains })).guests]]);
    const sight = { memory: async () => guestMemoryMiB(meminfo, null), pages: async () => host };
    const findings = await checkGuestMemory(config, { known, besides: [] }, 'primary', sight);
    return findings.map(({ level, message, mend }) => `${level}: ${message} | ${mend}`);
  };
  const room = (guests: string, miB: number) =>
    `ok: all ${guests} guests take ${miB} MiB of the 11648 MiB for guests on primary | null`;
  const both = [backed('mail'), backed('web')] as const;
  t.deepEqual(await told(node([[2048, 20_480]]), ...both), [
    room('2', 144),
    'ok: mail, web: on huge pages of 2 MiB, 20480 of the 20480 on primary | null',
  ]);
  t.deepEqual(await told(node([[2048, 12_288]]), ...both), [
    room('2', 144),
    'problem: the memory of mail, web is to be on huge pages of 2 MiB: 20480 of them, and primary has 12288, so that 8192 are missing: if it has to run them all, not all can start | echo vm.nr_hugepages=20480 >/etc/sysctl.d/80-huge-pages.conf && sysctl -p /etc/sysctl.d/80-huge-pages.conf && grep HugePages_Total /proc/meminfo   # fewer than 20480? free memory is in pieces: reboot',
  ]);
  const large = backed('mail', "<page size='1' unit='G'/>");
  const place = '/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages';
  const [, problem] = await told(node([[1024 ** 2, 16]]), large);
  t.is(
    problem,
    `problem: the memory of mail is to be on huge pages of 1 GiB: 20 of them, and primary has 16, so that 4 are missing: if it has to run them all, not all can start | echo 20 >${place} && cat ${place}   # fewer than 20? and for each boot: hugepagesz=1G hugepages=20 on the kernel's command line (/etc/default/grub, update-grub), and reboot`,
  );
  const [, none] = await told(node([[2048, 9]]), large);
  t.regex(
    none ?? '',
    /^problem: .* huge pages of 1 GiB, which the kernel of primary does not have: it cannot start here \|/,
  );
  const [, nothing] = await told(node([], null), ...both);
  t.regex(
    nothing ?? '',
    /^problem: .* huge pages, which the kernel of primary does not have: they cannot start here \|/,
  );
});

test('the huge pages of a host are read as the kernel has them; those that it may make count, borrowed ones do not', async (t) => {
  const directory = temporaryDirectory(t);
  const place = path.join(directory, 'hugepages-2048kB');
  const files = { nr_hugepages: 70, surplus_hugepages: 6, nr_overcommit_hugepages: 10 };
  await mkdir(place);
  for (const [name, count] of Object.entries(files)) await writeFile(path.join(place, name), `${count}\n`);
  const file = path.join(directory, 'meminfo');
  await writeFile(file, 'MemTotal: 4022020 kB\nHugepagesize:       2048 kB\n');
  t.deepEqual(await readHostPages({ directory, meminfo: file }), node([[2048, 74]]));
  await writeFile(file, 'MemTotal: 4022020 kB\n');
  t.deepEqual(await readHostPages({ directory: `${directory}/none`, meminfo: file }), node([], null));
  await writeFile(path.join(place, 'nr_hugepages'), 'many\n');
  await t.throwsAsync(readHostPages({ directory, meminfo: file }), {
    code: 'host-memory-unknown',
    message: /hugepages-2048kB\/nr_hugepages is no number: many/,
  });
});
