// Guests in the configuration: what a list of names, options and `all` becomes, and every fault in them with its place,
// its key and its sentence.

import { readFileSync } from 'node:fs';
import test from 'ava';
import fc from 'fast-check';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Config, GroupConfig } from '../../daemon/config/config.ts';
import { formatProblem, parseConfig } from '../../daemon/config/load.ts';
import { parseReadiness } from '../../daemon/config/readiness.ts';
import { renderSchema } from '../../daemon/config/write-schema.ts';
import { planReload } from '../../daemon/runtime/reload.ts';
import { plainDomain } from '../guest/configs.ts';
import { casesIn, type Edit, problemsOf } from './support/config-cases.ts';

const sound = `cluster: office
nodes: { primary: { address: 192.168.1.2 }, secondary: { address: 192.168.1.3 } }
heartbeat: { links: [{ interface: eth1 }] }
libvirt: { uri: qemu:///system }
start: { parallel: 4, memory-reserve: 1G }
groups:
  office:
    preferred: primary
    drbd: [r0]
    filesystems: [{ device: /dev/drbd0, mount: /srv/guests }]
    guests:
      - dns
      - { name: db, priority: 5, readiness: agent }
      - { name: mail, after: [dns] }
      - { name: web, after: [db, mail], handover: save }
      - { name: old, driver: qemu, memory: 64M, disk: /srv/guests/old.qcow2 }
  files:
    preferred: secondary
    guests: [files, backup]
`;

const problemsAfter = (...edits: Edit[]) => problemsOf(sound, edits).map(formatProblem);

function configOf(text: string): Config {
  const parsed = parseConfig(text, 'battito.yaml');
  if (!parsed.ok) throw new Error(parsed.problems.map(formatProblem).join('\n'));
  return parsed.config;
}

/** The one group, with these keys. */
const textOf = (keys: string, top = '') => `cluster: office
nodes: { primary: { address: 192.168.1.2 }, secondary: { address: 192.168.1.3 } }
heartbeat: { links: [{ interface: eth1 }] }
${top}groups: { office: { preferred: primary, ${keys} } }
`;

function groupOf(keys: string): GroupConfig {
  const [group] = configOf(textOf(keys)).groups;
  if (group === undefined) throw new Error('no group');
  return group;
}

test('the configuration that the cases start from is sound', (t) => {
  t.deepEqual(problemsAfter(), []);
});

test('a name alone is a libvirt domain with the options that are the default', (t) => {
  const { guests, allGuests } = groupOf('guests: [mail, { name: web }, { name: dns, driver: libvirt }]');
  t.deepEqual(
    guests,
    ['mail', 'web', 'dns'].map((name) => ({ name, ...plainDomain })),
  );
  t.is(allGuests, null);
});

test('all is every domain on the storage, alone or beside guests with options of their own', (t) => {
  t.like(groupOf('drbd: [r0], guests: all'), { guests: [], allGuests: plainDomain });
  t.deepEqual(Object.keys(groupOf('drbd: [r0], guests: [all]').allGuests ?? {}).includes('name'), false);
  const mixed = groupOf('drbd: [r0], guests: [{ name: mail, priority: 3 }, all]');
  t.deepEqual(mixed.guests, [{ name: 'mail', ...plainDomain, priority: 3 }]);
  t.deepEqual(mixed.allGuests, plainDomain);
});

test('every option of a libvirt domain is taken', (t) => {
  const { guests } =
    groupOf(`filesystems: [{ device: /dev/drbd0, mount: /srv/g }], guests: [dns, { name: mail,
    driver: libvirt, priority: -7, after: [dns], start-delay: 5s, readiness: "tcp [FD00:0::10]:25",
    readiness-timeout: 2m, handover: save, agent-timeout: 0s, shutdown-timeout: 3m, start-timeout: 90s }]`);
  t.deepEqual(guests[1], {
    name: 'mail',
    driver: 'libvirt',
    priority: -7,
    after: ['dns'],
    startDelayMs: 5000,
    readiness: { kind: 'tcp', host: 'fd00::10', port: 25, timeoutMs: 120_000 },
    handover: 'save',
    shutdownTimeoutMs: 180_000,
    startTimeoutMs: 90_000,
    agentTimeoutMs: 0,
  });
});

test('a guest that QEMU runs has the same options, but for what needs libvirt', (t) => {
  const { guests } = groupOf(
    'guests: [dns, { name: old, driver: qemu, memory: 1G, disk: /srv/old, after: [dns], priority: -1, readiness: ping 10.0.0.9 }]',
  );
  t.deepEqual(guests[1], {
    name: 'old',
    driver: 'qemu',
    priority: -1,
    after: ['dns'],
    startDelayMs: 0,
    readiness: { kind: 'ping', address: '10.0.0.9', timeoutMs: 60_000 },
    handover: 'shutdown',
    memoryMiB: 1024,
    cpus: 1,
    disk: { file: '/srv/old', format: 'raw', locking: 'auto' },
    accel: 'auto',
    shutdownTimeoutMs: 60_000,
    startTimeoutMs: 30_000,
  });
});

test('libvirt and the starts have defaults, and what is given is taken', (t) => {
  t.like(configOf(textOf('guests: []')), {
    libvirt: { uri: 'qemu:///system' },
    start: { parallel: null, memoryReserveMiB: null },
  });
  const top =
    'libvirt: { uri: qemu+ssh://root@10.0.0.1/system }\nstart: { parallel: 64, memory-reserve: 2G }\n';
  t.like(configOf(textOf('guests: []', top)), {
    libvirt: { uri: 'qemu+ssh://root@10.0.0.1/system' },
    start: { parallel: 64, memoryReserveMiB: 2048 },
  });
});

for (const [text, form] of [
  ['none', { kind: 'none' }],
  ['agent', { kind: 'agent' }],
  ['tcp 192.168.1.10:25', { kind: 'tcp', host: '192.168.1.10', port: 25 }],
  ['tcp   mail.example.org:65535', { kind: 'tcp', host: 'mail.example.org', port: 65_535 }],
  ['tcp 10-of-us:1', { kind: 'tcp', host: '10-of-us', port: 1 }],
  ['tcp [FE80:0::1]:80', { kind: 'tcp', host: 'fe80::1', port: 80 }],
  ['ping 192.168.1.10', { kind: 'ping', address: '192.168.1.10' }],
  ['ping FD00:0::A', { kind: 'ping', address: 'fd00::a' }],
] as const) {
  test(`readiness: ${text} is understood`, (t) => t.deepEqual(parseReadiness(text), form));
}

test('readiness that is understood names one host and a port that there is', (t) => {
  const word = fc.constantFrom('none', 'agent', 'tcp', 'ping', 'TCP');
  const target = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.domain(),
    fc.string(),
    fc
      .tuple(fc.oneof(fc.ipV4(), fc.domain(), fc.ipV6(), fc.string()), fc.nat(99_999))
      .map(([host, port]) => `${host}:${port}`),
    fc.tuple(fc.ipV6(), fc.nat(99_999)).map(([host, port]) => `[${host}]:${port}`),
  );
  const kinds = new Set<string>();
  const check = () =>
    fc.assert(
      fc.property(word, target, (first, second) => {
        const form = parseReadiness(`${first} ${second}`);
        if (form === undefined) return;
        kinds.add(form.kind);
        if (form.kind === 'tcp' && !(form.port >= 1 && form.port <= 65_535 && /^[\w.:-]+$/.test(form.host)))
          throw new Error(JSON.stringify(form));
        if (form.kind === 'ping' && !/^[\da-f.:]+$/.test(form.address)) throw new Error(form.address);
      }),
      { numRuns: 2000 },
    );
  t.notThrows(check);
  t.deepEqual([...kinds].toSorted(), ['ping', 'tcp']);
});

const cases = String.raw`
a guest that waits for one that there is not
  after: [dns] => after: [dsn]
  14:31: groups.office.guests[2].after[0]: expected another guest of group office (dns, db, web, old), found "dsn"; did you mean "dns"?
a guest that waits for one that is like no other
  after: [dns] => after: [ldap]
  14:31: groups.office.guests[2].after[0]: expected another guest of group office (dns, db, web, old), found "ldap"
a guest that waits, and is alone
  [files, backup] => [{ name: files, after: [backup] }]
  19:37: groups.files.guests[0].after[0]: expected another guest of group files (there is none), found "backup"
a guest that waits for itself
  after: [dns] => after: [mail]
  14:31: groups.office.guests[2].after[0]: mail cannot wait for itself; expected another guest of group office (dns, db, web, old)
a guest that waits for one of another group
  after: [dns] => after: [files]
  14:31: groups.office.guests[2].after[0]: files is a guest of group files, whose start is not waited for; expected another guest of group office (dns, db, web, old)
a guest that waits for all
  after: [dns] => after: [all]
  14:31: groups.office.guests[2].after[0]: expected another guest of group office (dns, db, web, old), found "all"
a guest that waits for one twice
  after: [dns] => after: [dns, dns]
  14:36: groups.office.guests[2].after[1]: the same as groups.office.guests[2].after[0]; expected each guest once
a guest that waits for none in a list
  after: [dns] => after: dns
  14:30: groups.office.guests[2].after: expected a list of guests such as [dns], found "dns"
a guest that waits for a number
  after: [dns] => after: [7]
  14:31: groups.office.guests[2].after[0]: expected the name of a guest, in quotes, found 7
two guests that wait for each other
  - dns => - { name: dns, after: [mail] }
  12:30: groups.office.guests[0].after[0]: each would wait for the next one for ever: dns -> mail -> dns; expected no circle: take one of these names out
three guests that wait for each other
  - dns => - { name: dns, after: [web] }
  12:30: groups.office.guests[0].after[0]: each would wait for the next one for ever: dns -> web -> mail -> dns; expected no circle: take one of these names out
a guest that waits for one with a lower priority
  name: mail, => name: mail, priority: 10,
  14:45: groups.office.guests[2].after[0]: mail with priority 10 would wait for dns with priority 0, which starts later; expected a priority of at least 10 for dns, or at most 0 for mail
a guest that is first, and waits for one on the storage
  [files, backup] => [all, { name: files, priority: 2, after: [backup] }]\n    drbd: [r1]
  19:55: groups.files.guests[1].after[0]: files with priority 2 would wait for backup with priority 0, which starts later; expected a priority of at most 0 for files, or backup with a priority of its own in this list
the same guest in two groups
  [files, backup] => [files, mail]
  19:21: groups.files.guests[1]: the same as groups.office.guests[2].name; expected each guest to have its own name
the same guest twice in a group
  - dns\n => - dns\n      - dns\n
  13:9: groups.office.guests[1]: the same as groups.office.guests[0]; expected each guest to have its own name
a guest called all
  name: mail, => name: all,
  14:17: groups.office.guests[2].name: expected the name of one guest, found "all", which as an item of its own (- all) stands for every libvirt domain on the storage of the group
all, twice in a group
  - dns\n => - dns\n      - all\n      - all\n
  14:9: groups.office.guests[2]: the same as groups.office.guests[1]; expected all once in a group
all in a group without storage
  [files, backup] => [files, all]
  19:21: groups.files.guests[1]: there is no storage by which its guests could be told; expected drbd or filesystems in group files, or its guests by their names
all instead of a list, in a group with lists of storage that are empty
  [files, backup] => all\n    drbd: []\n    filesystems: []
  19:13: groups.files.guests: there is no storage by which its guests could be told; expected drbd or filesystems in group files, or its guests by their names
a word instead of a list
  [files, backup] => everything
  19:13: groups.files.guests: expected all, or a list of guests, found "everything"
a mapping instead of a list
  [files, backup] => { name: files }
  19:13: groups.files.guests: expected all, or a list of guests, found a mapping
a list that was left empty
  [files, backup] =>
  19:5: groups.files.guests: expected all, or a list of guests, found nothing
a guest whose name has a space
  - dns => - my dns
  12:9: groups.office.guests[0]: expected all, the name of a libvirt domain (letters, digits, dots, dashes and underscores, at most 31) or a mapping with the key name, found "my dns"
a guest whose name is a number
  [files, backup] => [files, 2026]
  19:21: groups.files.guests[1]: expected the name of a guest, in quotes, found 2026
a guest without a name
  - dns => - { priority: 1 }
  12:9: groups.office.guests[0].name: missing; expected a name of letters, digits, dots, dashes and underscores (at most 31, a letter or digit first)
a list in the list
  - dns => - [dns]
  12:9: groups.office.guests[0]: expected all, the name of a libvirt domain (letters, digits, dots, dashes and underscores, at most 31) or a mapping with the key name, found a list
a typo in an option
  readiness: agent => rediness: agent
  13:34: groups.office.guests[1].rediness: unknown key; did you mean "readiness"?
a disk without a driver
  driver: qemu,  =>
  16:9: groups.office.guests[4].driver: missing; expected driver: qemu, since there is a disk (a libvirt domain has it in its definition)
a disk of a libvirt domain
  - dns => - { name: dns, driver: libvirt, disk: /srv/dns.raw }
  12:39: groups.office.guests[0].disk: only a guest with driver qemu takes this key; this one is a libvirt domain, whose definition has it: virsh edit dns
the memory of a libvirt domain
  - dns => - { name: dns, memory: 1G }
  12:22: groups.office.guests[0].memory: only a guest with driver qemu takes this key; this one is a libvirt domain by default: write driver: qemu and a disk, or see virsh edit dns
driver qemu without a disk
  , disk: /srv/guests/old.qcow2 =>
  16:9: groups.office.guests[4].disk: missing; expected the path of an image, such as /srv/guests/mail.qcow2
agent-timeout with driver qemu
  driver: qemu => agent-timeout: 10s, driver: qemu
  16:22: groups.office.guests[4].agent-timeout: only a guest with driver libvirt takes this key; this one is qemu, which does not ask an agent
readiness by the agent with driver qemu
  driver: qemu => driver: qemu, readiness: agent
  16:47: groups.office.guests[4].readiness: expected none, tcp HOST:PORT or ping ADDRESS, found "agent": driver qemu has no channel to a guest agent
a handover that saves, with driver qemu
  driver: qemu => driver: qemu, handover: save
  16:46: groups.office.guests[4].handover: expected shutdown, found "save": driver qemu cannot; a libvirt domain can
a live handover, with driver qemu
  driver: qemu => driver: qemu, handover: live
  16:46: groups.office.guests[4].handover: expected shutdown, found "live": driver qemu cannot; a libvirt domain can
a handover that saves, in a group without a file system
  [files, backup] => [files, { name: backup, handover: save }]
  19:47: groups.files.guests[1].handover: expected shutdown, found "save": group files has no file system, on which the memory would be saved for the other node
a live handover, in a group without a device
  [files, backup] => [files, { name: backup, handover: live }]
  19:47: groups.files.guests[1].handover: expected shutdown, found "live": group files has no DRBD device, so the other node would not have its disk
a typo in a handover
  handover: save => handover: svae
  15:51: groups.office.guests[3].handover: expected shutdown, save or live, found "svae"; did you mean "save"?
a priority that is too high
  priority: 5 => priority: 1001
  13:31: groups.office.guests[1].priority: expected a whole number from -1000 to 1000, found 1001
a priority that is no whole number
  priority: 5 => priority: 0.5
  13:31: groups.office.guests[1].priority: expected a whole number from -1000 to 1000, found 0.5
a delay without a unit
  priority: 5 => start-delay: 5
  13:34: groups.office.guests[1].start-delay: expected a duration such as 200ms or 2s, found 5
a time for readiness that is too short
  readiness: agent => readiness: agent, readiness-timeout: 999ms
  13:71: groups.office.guests[1].readiness-timeout: expected a duration from 1s to 168h, found "999ms"
a time for readiness that is not waited for
  readiness: agent => readiness-timeout: 30s
  13:34: groups.office.guests[1].readiness-timeout: nothing is waited for without readiness; expected readiness: agent, tcp HOST:PORT or ping ADDRESS beside it
a time for readiness: none
  readiness: agent => readiness: none, readiness-timeout: 30s
  13:51: groups.office.guests[1].readiness-timeout: nothing is waited for without readiness; expected readiness: agent, tcp HOST:PORT or ping ADDRESS beside it
readiness of no kind that there is
  readiness: agent => readiness: http
  13:45: groups.office.guests[1].readiness: expected none, agent, tcp HOST:PORT or ping ADDRESS, such as tcp 192.168.1.10:25, found "http"
readiness that was left empty
  readiness: agent => readiness:
  13:34: groups.office.guests[1].readiness: expected none, agent, tcp HOST:PORT or ping ADDRESS, such as tcp 192.168.1.10:25, found nothing
readiness by the agent at an address
  readiness: agent => readiness: agent 10.0.0.1
  13:45: groups.office.guests[1].readiness: expected none, agent, tcp HOST:PORT or ping ADDRESS, such as tcp 192.168.1.10:25, found "agent 10.0.0.1"
readiness by TCP without a host
  readiness: agent => readiness: tcp
  13:45: groups.office.guests[1].readiness: expected tcp HOST:PORT, such as tcp 192.168.1.10:25, found "tcp"
readiness by TCP without a port
  readiness: agent => readiness: tcp 10.0.0.1
  13:45: groups.office.guests[1].readiness: expected tcp HOST:PORT, such as tcp 192.168.1.10:25, found "tcp 10.0.0.1"
readiness by TCP with something behind it
  readiness: agent => readiness: tcp 10.0.0.1:25 80
  13:45: groups.office.guests[1].readiness: expected tcp HOST:PORT, such as tcp 192.168.1.10:25, found "tcp 10.0.0.1:25 80"
readiness by TCP at port 0
  readiness: agent => readiness: tcp 10.0.0.1:0
  13:45: groups.office.guests[1].readiness: expected a port from 1 to 65535, such as tcp 192.168.1.10:25, found "tcp 10.0.0.1:0"
readiness by TCP at a port that is out of range
  readiness: agent => readiness: tcp 10.0.0.1:65536
  13:45: groups.office.guests[1].readiness: expected a port from 1 to 65535, such as tcp 192.168.1.10:25, found "tcp 10.0.0.1:65536"
readiness by TCP over IPv6 without brackets
  readiness: agent => readiness: tcp fd00::10:25
  13:45: groups.office.guests[1].readiness: expected an IPv6 address in brackets, such as tcp [fd00::10]:25, found "tcp fd00::10:25"
readiness by TCP with brackets around a name
  readiness: agent => readiness: "tcp [mail]:25"
  13:45: groups.office.guests[1].readiness: expected an IPv6 address of one host in the brackets, such as tcp [fd00::10]:25, found "tcp [mail]:25"
readiness by TCP at an address of no host
  readiness: agent => readiness: tcp 192.168.1.300:25
  13:45: groups.office.guests[1].readiness: expected an address or a name of one host before the port, such as tcp 192.168.1.10:25, found "tcp 192.168.1.300:25"
readiness by ping without an address
  readiness: agent => readiness: ping
  13:45: groups.office.guests[1].readiness: expected ping and an IPv4 or IPv6 address, such as ping 192.168.1.10, found "ping"
readiness by ping of a name
  readiness: agent => readiness: ping mail
  13:45: groups.office.guests[1].readiness: expected ping and an IPv4 or IPv6 address, such as ping 192.168.1.10, found "ping mail"
no start at once
  parallel: 4 => parallel: 0
  5:20: start.parallel: expected a whole number from 1 to 64, found 0
too many starts at once
  parallel: 4 => parallel: 65
  5:20: start.parallel: expected a whole number from 1 to 64, found 65
a reserve without a unit
  memory-reserve: 1G => memory-reserve: 1024
  5:39: start.memory-reserve: expected a size such as 512M or 1G, found 1024
a typo in a key of the starts
  parallel: 4 => paralel: 4
  5:10: start.paralel: unknown key; did you mean "parallel"?
a URI of another hypervisor
  qemu:///system => lxc:///system
  4:17: libvirt.uri: expected a URI of libvirt's QEMU driver such as qemu:///system, found "lxc:///system"
`;

for (const { title, edit, problem } of casesIn(cases)) {
  test(`${title} is told with its place and key`, (t) => {
    t.deepEqual(problemsAfter(edit), [`battito.yaml:${problem}`]);
  });
}

test('of many guests not every one is listed, and the nearest is still shown', (t) => {
  const names = Array.from({ length: 9 }, (_, index) => `worker-${index}`);
  const keys = `guests: [{ name: mail, after: [worker-x3] }, ${names.join(', ')}]`;
  const parsed = parseConfig(textOf(keys), 'battito.yaml');
  t.deepEqual(parsed.ok ? [] : parsed.problems.map(({ message }) => message), [
    'expected another guest of group office, found "worker-x3"; did you mean "worker-3"?',
  ]);
});

test('two circles are told apart, and each is told once', (t) => {
  const keys =
    'guests: [{ name: a, after: [b, c] }, { name: b, after: [a] }, { name: c, after: [d] }, { name: d, after: [c] }]';
  const parsed = parseConfig(textOf(keys), 'battito.yaml');
  t.deepEqual(parsed.ok ? [] : parsed.problems.map(({ path, found }) => `${path} ${found}`), [
    'groups.office.guests[0].after[0] a -> b -> a',
    'groups.office.guests[2].after[0] c -> d -> c',
  ]);
});

test('a guest waits for domains that only libvirt knows where its group has all', (t) => {
  t.deepEqual(groupOf('drbd: [r0], guests: [all, { name: mail, after: [dns] }]').guests[0]?.after, ['dns']);
});

test('an order without a contradiction is sound, however the guests are listed', (t) => {
  const check = () =>
    fc.assert(
      fc.property(
        fc.array(fc.record({ priority: fc.integer({ min: -3, max: 3 }), waits: fc.array(fc.nat(9)) }), {
          minLength: 1,
          maxLength: 8,
        }),
        fc.infiniteStream(fc.nat()),
        (drawn, chance) => {
          // Each waits only for some before it in the order of the priorities: no circle can come about.
          const sorted = drawn.toSorted((a, b) => b.priority - a.priority);
          const items = sorted.map(({ priority, waits }, index) => {
            const after = [...new Set(waits.filter((other) => other < index))].map((other) => `g${other}`);
            return `{ name: g${index}, priority: ${priority}, after: [${after.join(', ')}] }`;
          });
          const keyed = items.map((item) => [chance.next().value ?? 0, item] as const);
          const shuffled = keyed.toSorted(([a], [b]) => a - b).map(([, item]) => item);
          groupOf(`guests: [${shuffled.join(', ')}]`);
        },
      ),
    );
  t.notThrows(check);
});

test('the digest contains every option, and a default that is written out is no difference', (t) => {
  const keys = (guest: string) =>
    textOf(`filesystems: [{ device: /dev/drbd0, mount: /srv/g }], guests: [dns, ${guest}]`);
  const digestOf = (text: string) => configOf(text).digest;
  const plain = digestOf(keys('mail'));
  const written = `{ name: mail, driver: libvirt, priority: 0, after: [], start-delay: 0s, readiness: none, handover: shutdown,
    agent-timeout: 20s, shutdown-timeout: 60s, start-timeout: 1m }`;
  t.is(digestOf(keys(written)), plain);
  t.is(digestOf(keys('mail').replace('groups', 'libvirt: {}\nstart: {}\ngroups')), plain);
  const others = [
    'priority: -1',
    'after: [dns]',
    'start-delay: 1s',
    'readiness: agent',
    'readiness: agent, readiness-timeout: 61s',
    'readiness: ping 10.0.0.1',
    'readiness: tcp a:1',
    'readiness: tcp a:2',
    'handover: save',
    'agent-timeout: 21s',
    'shutdown-timeout: 61s',
    'start-timeout: 61s',
  ].map((option) => keys(`{ name: mail, ${option} }`));
  others.push(
    keys('mail, all'),
    keys('mail').replace('groups', 'start: { parallel: 2 }\ngroups'),
    keys('mail').replace('groups', 'start: { memory-reserve: 1G }\ngroups'),
    keys('mail').replace('groups', 'libvirt: { uri: qemu:///session }\ngroups'),
  );
  const digests = [plain, ...others.map(digestOf)];
  t.is(new Set(digests).size, digests.length);
  const both = (after: string) => digestOf(keys(`ldap, { name: mail, after: [${after}] }`));
  t.is(both('dns, ldap'), both('ldap, dns'));
});

test('a reload takes the order of the guests, and names what their drivers were made with', (t) => {
  const running = configOf(sound);
  const plan = (...edits: Edit[]) =>
    planReload(running, configOf(edits.reduce((text, [from, to]) => text.replace(from, to), sound)));
  t.deepEqual(plan(), { applied: [], needsRestart: [] });
  t.deepEqual(
    plan(
      ['priority: 5', 'priority: 6'],
      ['after: [dns]', 'after: [old], start-delay: 1s'],
      ['parallel: 4', 'parallel: 5'],
    ),
    {
      applied: [
        'start.parallel',
        'groups.office.guests.db.priority',
        'groups.office.guests.mail.after',
        'groups.office.guests.mail.startDelayMs',
      ],
      needsRestart: [],
    },
  );
  t.deepEqual(
    plan(['handover: save', 'handover: shutdown'], ['readiness: agent', 'agent-timeout: 1s'], ['1G', '2G']),
    {
      applied: [],
      needsRestart: [
        'start.memoryReserveMiB',
        'groups.office.guests.db.readiness.kind',
        'groups.office.guests.db.readiness.timeoutMs',
        'groups.office.guests.db.agentTimeoutMs',
        'groups.office.guests.web.handover',
      ],
    },
  );
  for (const list of ['[backup, files]', '[files]', '[files, backup, new]', '[]'])
    t.deepEqual(
      plan(['[files, backup]', list]),
      { applied: [], needsRestart: ['groups.files.guests'] },
      list,
    );
  t.deepEqual(plan(['- dns', '- dns\n      - all']).needsRestart, ['groups.office.allGuests']);
});

test('what the example shows in comments is sound, and the JSON Schema accepts it', (t) => {
  const example = readFileSync(new URL('../../config/battito.yaml', import.meta.url), 'utf8');
  const shown = example.replace(
    /^( *)# (?=(?:libvirt|fencing|witness|watchdog|drill|schedule|notify|metrics|web|start|drbd|filesystems):|- | {2})/gm,
    '$1',
  );
  const config = configOf(shown);
  t.like(config.groups[0], { drbd: ['r0'], filesystems: [{ mount: '/srv/guests' }] });
  t.deepEqual(
    config.groups[0]?.guests.map(({ name, driver }) => `${name} ${driver}`),
    ['mail qemu', 'files libvirt', 'web libvirt'],
  );
  t.like(config.groups[0]?.guests[2], { after: ['mail'], readiness: { kind: 'tcp' }, startDelayMs: 5000 });
  t.like(config, { start: { parallel: 4 }, libvirt: { uri: 'qemu:///system' }, witness: { ttlMs: 9000 } });
  t.deepEqual(config.metrics, {
    textfile: '/var/lib/prometheus/node-exporter/battito.prom',
    intervalMs: 15_000,
  });
  t.deepEqual(config.drill, { schedule: '0 4 * * 0', kind: 'handover', settledMs: 600_000 });
  t.true(z.fromJSONSchema(JSON.parse(renderSchema())).safeParse(parse(shown)).success);
  t.true(z.fromJSONSchema(JSON.parse(renderSchema())).safeParse(parse(sound)).success);
});
