// The configuration: what a sound file becomes, its defaults, its digest, the example and the JSON Schema.

import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Config } from '../../daemon/config/config.ts';
import { formatDuration, parseDuration } from '../../daemon/config/duration.ts';
import { formatProblem, loadConfig, parseConfig } from '../../daemon/config/load.ts';
import { configSchema } from '../../daemon/config/schema.ts';
import { renderSchema, schemaFile } from '../../daemon/config/write-schema.ts';
import { BattitoError } from '../../daemon/errors.ts';
import { plainQemu } from '../guest/configs.ts';
import { temporaryDirectory } from '../support.ts';

const exampleFile = new URL('../../config/battito.yaml', import.meta.url);

const office = `cluster: office
nodes:
  primary: { address: 192.168.1.2 }
  secondary: { address: 192.168.1.3 }
heartbeat:
  key-file: /etc/battito/key
  keepalive: 200ms
  warntime: 800ms
  deadtime: 2s
  initdead: 30s
  links:
    - { interface: eth1 }                  # broadcast on the dedicated segment, UDP 694
    - { interface: eth0, mode: unicast }   # the LAN as a second path
connectivity:
  ping: [192.168.1.254]
groups:
  office:
    preferred: primary
    failback: manual                       # manual | automatic
    addresses: [192.168.1.1/24 dev eth0]
    guests:
      - name: mail
        driver: qemu
        memory: 64M
        disk: /srv/guests/mail.qcow2
        network: { bridge: br0, mac: "52:54:00:12:34:56" }
`;

const minimal = `cluster: office
nodes: { primary: { address: 192.168.1.2 }, secondary: { address: 192.168.1.3 } }
heartbeat: { links: [{ interface: eth1 }] }
groups: { office: { preferred: primary } }
`;

function configOf(text: string): Config {
  const parsed = parseConfig(text, 'battito.yaml');
  if (!parsed.ok) {
    throw new Error(parsed.problems.map(formatProblem).join('\n'));
  }
  return parsed.config;
}

test('the configuration of an office becomes these values', (t) => {
  const { digest, ...config } = configOf(office);
  t.regex(digest, /^[0-9a-f]{64}$/);
  t.deepEqual(config, {
    cluster: 'office',
    nodes: [
      { name: 'primary', address: '192.168.1.2' },
      { name: 'secondary', address: '192.168.1.3' },
    ],
    heartbeat: {
      keyFile: '/etc/battito/key',
      keepaliveMs: 200,
      warntimeMs: 800,
      deadtimeMs: 2000,
      initdeadMs: 30_000,
      links: [
        { mode: 'broadcast', interface: 'eth1', port: 694 },
        {
          mode: 'unicast',
          interface: 'eth0',
          port: 694,
          addresses: { primary: '192.168.1.2', secondary: '192.168.1.3' },
        },
      ],
    },
    connectivity: { ping: ['192.168.1.254'] },
    libvirt: { uri: 'qemu:///system' },
    start: { parallel: null, memoryReserveMiB: null },
    fencing: null,
    watchdog: null,
    drill: null,
    schedule: {
      readiness: '17 */6 * * *',
      definitions: '43 5 * * *',
      verify: '0 1 * * 6',
      summary: '0 7 * * 1',
      prune: '23 5 * * *',
      keepDays: 400,
    },
    notify: null,
    metrics: null,
    web: null,
    groups: [
      {
        name: 'office',
        preferred: 'primary',
        failback: 'manual',
        failbackDelayMs: 60_000,
        addresses: [{ address: '192.168.1.1', prefix: 24, family: 4, interface: 'eth0' }],
        drbd: [],
        filesystems: [],
        guests: [
          {
            ...plainQemu,
            name: 'mail',
            memoryMiB: 64,
            disk: { file: '/srv/guests/mail.qcow2', format: 'qcow2', locking: 'auto' },
            network: { bridge: 'br0', mac: '52:54:00:12:34:56', model: 'virtio-net-pci' },
          },
        ],
        allGuests: null,
      },
    ],
    witness: null,
  });
});

test('what a minimal file leaves out has the documented defaults', (t) => {
  const { heartbeat, connectivity, groups } = configOf(minimal);
  t.deepEqual(heartbeat, {
    keyFile: '/etc/battito/key',
    keepaliveMs: 200,
    warntimeMs: 800,
    deadtimeMs: 2000,
    initdeadMs: 30_000,
    links: [{ mode: 'broadcast', interface: 'eth1', port: 694 }],
  });
  t.deepEqual(connectivity, { ping: [] });
  t.deepEqual(groups, [
    {
      name: 'office',
      preferred: 'primary',
      failback: 'manual',
      failbackDelayMs: 60_000,
      addresses: [],
      drbd: [],
      filesystems: [],
      guests: [],
      allGuests: null,
    },
  ]);
});

test('every key that a file can give is taken', (t) => {
  const config = configOf(`cluster: Buero_2
nodes: { a.example.org: { address: 10.0.0.1 }, b: { address: 10.0.0.2 } }
heartbeat:
  port: 1694
  keepalive: 10ms
  links:
    - { interface: eth1, mode: multicast, port: 700 }
    - { interface: eth1, mode: multicast, group: 239.1.2.3 }
    - { interface: eth0, mode: unicast, addresses: { b: 10.1.0.2, a.example.org: 10.1.0.1 } }
connectivity: { ping: [10.0.0.254, "FE80:0::FE"] }
groups:
  one:
    preferred: b
    failback: automatic
    failback-delay: 0s
    addresses: ["  2001:DB8:0::1/64   dev eth0 "]
    guests:
      - { name: x, driver: qemu, memory: 2G, cpus: 4, disk: { file: /dev/drbd0, format: qcow2, locking: "off" },
          network: { bridge: br0, mac: 52:54:00:AB:CD:EF, model: e1000 }, vnc: "127.0.0.1:1", serial: /var/log/x,
          accel: tcg, shutdown-timeout: 1m, start-timeout: 1h }
      - { name: y, driver: qemu, memory: 1M, disk: { file: /srv/y.img } }
`);
  t.deepEqual(config.heartbeat.links, [
    { mode: 'multicast', interface: 'eth1', port: 700, group: '239.255.66.94' },
    { mode: 'multicast', interface: 'eth1', port: 1694, group: '239.1.2.3' },
    {
      mode: 'unicast',
      interface: 'eth0',
      port: 1694,
      addresses: { 'a.example.org': '10.1.0.1', b: '10.1.0.2' },
    },
  ]);
  t.deepEqual(config.connectivity.ping, ['10.0.0.254', 'fe80::fe']);
  const [group] = config.groups;
  t.deepEqual(group?.addresses, [{ address: '2001:db8::1', prefix: 64, family: 6, interface: 'eth0' }]);
  t.is(group?.failbackDelayMs, 0);
  t.deepEqual(group?.guests[0], {
    name: 'x',
    driver: 'qemu',
    priority: 0,
    after: [],
    startDelayMs: 0,
    readiness: { kind: 'none' },
    handover: 'shutdown',
    memoryMiB: 2048,
    cpus: 4,
    disk: { file: '/dev/drbd0', format: 'qcow2', locking: 'off' },
    network: { bridge: 'br0', mac: '52:54:00:ab:cd:ef', model: 'e1000' },
    vnc: '127.0.0.1:1',
    serial: '/var/log/x',
    accel: 'tcg',
    shutdownTimeoutMs: 60_000,
    startTimeoutMs: 3_600_000,
  });
  t.like(group?.guests[1], { disk: { file: '/srv/y.img', format: 'raw', locking: 'auto' } });
});

test('the digest depends neither on comments, nor on the order of keys, nor on how a value is spelt', (t) => {
  const shuffled = `# another comment
groups:
  office:
    guests:
      - network: { mac: 52:54:00:12:34:56, bridge: br0, model: virtio-net-pci }
        disk: { file: /srv/guests/mail.qcow2 }
        memory: 64M
        driver: qemu
        name: mail
    addresses: ["192.168.1.1/24  dev eth0"]
    preferred: primary
connectivity: { ping: [192.168.1.254] }
heartbeat:
  links: [{ interface: eth1, port: 694 }, { mode: unicast, interface: eth0,
    addresses: { secondary: 192.168.1.3, primary: 192.168.1.2 } }]
  deadtime: 2000ms
nodes: { secondary: { address: 192.168.1.3 }, primary: { address: 192.168.1.2 } }
cluster: office
`;
  t.is(configOf(shuffled).digest, configOf(office).digest);
});

test('the digest does not depend on the order of groups, yet does on the order of guests and on every value', (t) => {
  const groups = ['a: { preferred: primary }', 'b: { preferred: secondary }'];
  const withGroups = (...items: string[]) =>
    configOf(minimal.replace(/groups: .*/, `groups: { ${items.join(', ')} }`));
  const [inOrder, reversed] = [withGroups(...groups), withGroups(...groups.toReversed())];
  t.is(inOrder.digest, reversed.digest);
  t.deepEqual(
    reversed.groups.map(({ name }) => name),
    ['b', 'a'],
  );

  const guest = (name: string) => `{ name: ${name}, driver: qemu, memory: 1M, disk: /srv/${name} }`;
  const withGuests = (...names: string[]) =>
    withGroups(`a: { preferred: primary, guests: [${names.map(guest).join(', ')}] }`).digest;
  t.not(withGuests('x', 'y'), withGuests('y', 'x'));
  t.not(configOf(office.replace('2s', '3s')).digest, configOf(office).digest);
  t.not(configOf(office.replace('64M', '65M')).digest, configOf(office).digest);
});

test('the digest of the office configuration stays the same from release to release', (t) => {
  t.is(configOf(office).digest, '7b7cf9eaad970d3ada14a7dadbb725118bb582fe3a56e72d24b521419ce650dd');
});

test('a part that is written once and referred to by an alias is taken as if written twice', (t) => {
  const aliased = office
    .replace('192.168.1.2 }', '&own 192.168.1.2 }')
    .replace('mode: unicast }', 'mode: unicast, addresses: { primary: *own, secondary: 192.168.1.3 } }');
  t.is(configOf(aliased).digest, configOf(office).digest);
});

test('the example says the same as the configuration of an office, and its schema accepts it', (t) => {
  const example = readFileSync(exampleFile, 'utf8');
  t.true(example.startsWith('# yaml-language-server: $schema=./battito.schema.json\n'));
  // Its guests are on a bridge that has the LAN's card as a port.
  const unbridged = example.replace('interface: br0', 'interface: eth0').replace('dev br0', 'dev eth0');
  t.deepEqual(parse(unbridged), parse(office));
  t.true(configSchema.safeParse(parse(example)).success);
  t.deepEqual(configOf(unbridged), configOf(office));
});

test('the JSON Schema in the repository is up to date: npm run schema writes it', (t) => {
  t.is(readFileSync(schemaFile, 'utf8'), renderSchema());
});

test('the JSON Schema accepts the example, refuses a typo, and describes every key', (t) => {
  const schema = JSON.parse(renderSchema());
  const validator = z.fromJSONSchema(schema);
  t.is(schema.$schema, 'https://json-schema.org/draft/2020-12/schema');
  t.true(validator.safeParse(parse(office)).success);
  t.true(validator.safeParse(parse(minimal)).success);
  t.false(validator.safeParse(parse(office.replace('keepalive', 'keepalve'))).success);
  t.false(validator.safeParse(parse(office.replace('200ms', '200'))).success);

  const undescribed: string[] = [];
  JSON.stringify(schema, (_key, value) => {
    for (const [name, inner] of Object.entries(value?.properties ?? {})) {
      if (!(inner as { description?: string }).description) {
        undescribed.push(name);
      }
    }
    return value;
  });
  t.deepEqual(undescribed, []);
});

test('loadConfig reads a file and takes a byte order mark and CRLF in its stride', (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'battito.yaml');
  writeFileSync(file, `\ufeff${office.replaceAll('\n', '\r\n')}`);
  t.deepEqual(loadConfig(file), configOf(office));
});

test('loadConfig throws one error that lists every problem, counts them, and says what to do', (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'battito.yaml');
  writeFileSync(file, office.replace('keepalive', 'keepalve').replace('2s', '2'));
  const error = t.throws(() => loadConfig(file), { instanceOf: BattitoError });
  t.is(error.code, 'config-invalid');
  t.is(error.exitCode, 78);
  t.deepEqual(error.message.split('\n'), [
    `${file}:7:3: heartbeat.keepalve: unknown key; did you mean "keepalive"?`,
    `${file}:9:13: heartbeat.deadtime: expected a duration such as 200ms or 2s, found 2`,
    `2 problems in ${file}`,
  ]);
  t.regex(error.next ?? '', /battito check/);
});

test('loadConfig says why a file cannot be read', (t) => {
  const directory = temporaryDirectory(t);
  const missing = t.throws(() => loadConfig(join(directory, 'none.yaml')), { instanceOf: BattitoError });
  t.is(missing.code, 'config-unreadable');
  t.is(missing.exitCode, 78);
  t.is(
    missing.message,
    `${join(directory, 'none.yaml')}: cannot read the configuration: there is no such file`,
  );
  t.regex(missing.next ?? '', /--config/);
  const isDirectory = t.throws(() => loadConfig(directory), { instanceOf: BattitoError });
  t.is(isDirectory.code, 'config-unreadable');
  const file = join(directory, 'secret.yaml');
  writeFileSync(file, office);
  chmodSync(file, 0);
  if (process.getuid?.() === 0) {
    t.log('permission denied is not tested: root may read every file');
    return;
  }
  t.is(t.throws(() => loadConfig(file), { instanceOf: BattitoError }).code, 'config-unreadable');
});

test('a duration that is formatted and parsed is the same duration', (t) => {
  const durations = fc.oneof(
    fc.nat(),
    fc
      .tuple(fc.nat(10_000), fc.constantFrom(1, 1000, 60_000, 3_600_000))
      .map(([count, unitMs]) => count * unitMs),
  );
  t.notThrows(() =>
    fc.assert(
      fc.property(durations, (durationMs) => parseDuration(formatDuration(durationMs)) === durationMs),
    ),
  );
});

test('what is not a whole number with a unit is not a duration', (t) => {
  for (const text of [
    '',
    's',
    '1',
    '1.5s',
    '-1s',
    '1 s',
    '1d',
    '1S',
    '1s ',
    '1s1ms',
    '0x1s',
    '9999999999999h',
  ]) {
    t.is(parseDuration(text), undefined, text);
  }
  t.deepEqual(['0s', '200ms', '2s', '1m', '1h'].map(parseDuration), [0, 200, 2000, 60_000, 3_600_000]);
  t.deepEqual([0, 1500, 2000, 60_000, 3_600_000].map(formatDuration), ['0s', '1500ms', '2s', '1m', '1h']);
});
