// What `battito init` makes of what the tools of a host say, before anybody is asked.

import test from 'ava';
import {
  type HostInterface,
  inNetwork,
  readBmcAddress,
  readDefaultRoutes,
  readFileSystem,
  readHosts,
  readInterfaces,
  readNeighbours,
  readResources,
} from '../../daemon/cli/init/facts.ts';
import {
  dedicatedCandidates,
  guessDedicated,
  guessLan,
  guessOwnAddress,
  guessPeerAddress,
  guessPeerName,
} from '../../daemon/cli/init/guess.ts';
import { type Facts, lookAtHost } from '../../daemon/cli/init/host.ts';
import { type HostOptions, hostOf, mirrored, plain, recorded } from './support/init-host.ts';

const factsOf = (options: HostOptions = {}, node = 'primary') => lookAtHost(hostOf(options), node);

const card = (
  name: string,
  addresses: readonly string[],
  more: Partial<HostInterface> = {},
): HostInterface => ({
  name,
  kind: null,
  master: null,
  carrier: true,
  speedMbit: 1000,
  addresses: addresses.map((text) => {
    const [address = '', prefix] = text.split('/');
    return { address, prefix: Number(prefix) };
  }),
  ...more,
});

/** The facts of a host with these interfaces. */
const withInterfaces = async (
  interfaces: readonly HostInterface[],
  more: Partial<Facts> = {},
): Promise<Facts> => ({
  ...(await factsOf()),
  interfaces,
  neighbours: [],
  ...more,
});

test('Interfaces: what they are, their carrier, speed and IPv4 addresses', (t) => {
  const found = readInterfaces(recorded('init/addr.txt'), (name) => (name === 'eth1' ? 10_000 : null));
  const named = (name: string) => found.find((one) => one.name === name);
  t.like(named('lo'), { kind: 'loopback', master: null });
  t.like(named('eth0'), { kind: 'veth', master: 'br0', addresses: [] });
  t.like(named('br0'), {
    kind: 'bridge',
    carrier: true,
    addresses: [{ address: '192.168.1.2', prefix: 24 }],
  });
  t.like(named('eth1'), {
    carrier: true,
    speedMbit: 10_000,
    addresses: [{ address: '192.168.2.2', prefix: 24 }],
  });
  t.deepEqual(
    readInterfaces('', () => null),
    [],
  );
  t.deepEqual(
    readInterfaces('{"no": "list"}', () => null),
    [],
  );
});

test('Routes, neighbours, /etc/hosts', (t) => {
  t.deepEqual(readDefaultRoutes(recorded('init/route.txt')), [
    { gateway: '192.168.1.254', interface: 'br0' },
  ]);
  const metrics =
    '[{"dst":"default","gateway":"10.0.0.1","dev":"b","metric":200},{"dst":"default","gateway":"10.0.1.1","dev":"a","metric":100}]';
  t.deepEqual(
    readDefaultRoutes(metrics).map((route) => route.interface),
    ['a', 'b'],
    'the kernel takes the lowest metric',
  );
  t.deepEqual(readDefaultRoutes('not JSON'), []);
  t.deepEqual(readNeighbours(recorded('init/neigh.txt')), [
    { address: '192.168.2.3', interface: 'eth1' },
    { address: '192.168.1.254', interface: 'br0' },
  ]);
  const gone =
    '[{"dst":"10.0.0.9","dev":"eth1","state":["FAILED"]},{"dst":"10.0.0.8","dev":"eth1","state":["INCOMPLETE"]}]';
  t.deepEqual(readNeighbours(gone), []);
  t.deepEqual(readHosts('# nobody\n127.0.0.1\tlocalhost\n10.0.0.2 a.example.org a # me\n\n10.0.0.3\n'), [
    { address: '127.0.0.1', names: ['localhost'] },
    { address: '10.0.0.2', names: ['a.example.org', 'a'] },
  ]);
});

for (const generation of ['8.4', '9']) {
  test(`Resources of DRBD ${generation}: between whom, by which addresses, on which disks`, (t) => {
    const [r0, ...others] = readResources(recorded(`drbd/dump-${generation}.txt`), 'primary.example.org');
    t.deepEqual(others, []);
    t.is(r0?.name, 'r0');
    t.deepEqual(r0?.endpoints, [
      { host: 'primary', address: '192.168.2.2', port: 7789 },
      { host: 'secondary', address: '192.168.2.3', port: 7789 },
    ]);
    t.deepEqual(r0?.devices, [{ device: '/dev/drbd0', backing: '/dev/vg0/guests' }]);
  });
}

test('Several resources and volumes; a device whose minor is another one there goes by the name of its resource', (t) => {
  const text = `resource a { on x { volume 0 { device minor 1; disk /dev/vg/a0; } volume 1 { device minor 2; disk /dev/vg/a1; } }
    on y { volume 0 { device minor 1; disk /dev/vg/a0; } volume 1 { device minor 3; disk /dev/vg/a1; } } }
    resource b { on x { device /dev/drbd5 minor 5; disk /dev/sdb1; } on y { device /dev/drbd5 minor 5; disk /dev/sdc1; } }`;
  t.deepEqual(
    readResources(text, 'x').map(({ name, devices }) => [name, devices]),
    [
      [
        'a',
        [
          { device: '/dev/drbd1', backing: '/dev/vg/a0' },
          { device: '/dev/drbd/by-res/a/1', backing: '/dev/vg/a1' },
        ],
      ],
      ['b', [{ device: '/dev/drbd5', backing: '/dev/sdb1' }]],
    ],
  );
});

test('A file system, and a BMC, as far as they say what they are', (t) => {
  const found = readFileSystem(recorded('init/blkid.txt'));
  t.is(found?.type, 'ext4');
  t.regex(found?.tags[0] ?? '', /^UUID=[0-9a-f-]{36}$/);
  t.is(readFileSystem(''), null);
  t.is(readBmcAddress(recorded('init/lan-print.txt')), null, 'a BMC that has no address');
  const set = recorded('init/lan-print.txt').replace(': 0.0.0.0\n', ': 10.0.9.2\n');
  t.is(readBmcAddress(set), '10.0.9.2');
  t.is(readBmcAddress(''), null);
});

test('Networks', (t) => {
  t.true(inNetwork('192.168.1.254', { address: '192.168.1.2', prefix: 24 }));
  t.false(inNetwork('192.168.2.2', { address: '192.168.1.2', prefix: 24 }));
  t.true(inNetwork('192.168.2.2', { address: '192.168.1.2', prefix: 16 }));
  t.true(inNetwork('10.0.0.1', { address: '10.0.0.0', prefix: 31 }));
  t.false(inNetwork('255.255.255.2', { address: '255.255.255.1', prefix: 32 }));
});

test('The LAN is where the default route goes by, the segment the one without; a network of guests is neither', async (t) => {
  const facts = await factsOf();
  const lan = guessLan(facts);
  t.is(lan?.value.name, 'br0');
  t.true(lan?.sure);
  const own = lan === null ? null : guessOwnAddress(facts, lan.value);
  t.like(own, { value: { address: '192.168.1.2' }, sure: true });
  const dedicated = guessDedicated(facts, lan?.value ?? null);
  t.is(dedicated?.value.interface.name, 'eth1');
  t.true(dedicated?.sure, 'nothing else can be it');
  t.regex(dedicated?.because ?? '', /192\.168\.2\.3 answers there/);
  t.deepEqual(
    dedicatedCandidates(facts, lan?.value ?? null).map((one) => one.interface.name),
    ['eth1'],
    'virbr0 is none',
  );
});

test('Of several segments the one of the mirror is taken; without one, the best is only suggested', async (t) => {
  const interfaces = [
    card('lan0', ['192.168.1.2/24']),
    card('mgmt', ['172.31.255.2/24']),
    card('hb0', ['192.168.2.2/30'], { carrier: false }),
  ];
  const routes = [{ gateway: '192.168.1.254', interface: 'lan0' }];
  const facts = await withInterfaces(interfaces, { routes });
  const lan = guessLan(facts)?.value ?? null;
  const without = guessDedicated(facts, lan);
  t.is(without?.value.interface.name, 'mgmt', 'it has a carrier');
  t.false(without?.sure);
  const { resources } = await factsOf(mirrored);
  const byMirror = guessDedicated({ ...facts, resources }, lan);
  t.is(byMirror?.value.interface.name, 'hb0');
  t.true(byMirror?.sure);
});

test('A public address without a default route is a segment only if somebody says so', async (t) => {
  const routes = [{ gateway: '192.168.1.254', interface: 'lan0' }];
  const facts = await withInterfaces([card('lan0', ['192.168.1.2/24']), card('wan0', ['203.0.113.5/24'])], {
    routes,
  });
  const lan = guessLan(facts)?.value ?? null;
  t.like(guessDedicated(facts, lan), { sure: false });
  const alone = await withInterfaces([card('lan0', ['192.168.1.2/24'])], { routes });
  t.is(guessDedicated(alone, guessLan(alone)?.value ?? null), null);
});

test('Without a default route nothing is sure; with two interfaces nothing is suggested', async (t) => {
  const one = await withInterfaces([card('lan0', ['192.168.1.2/24'])], { routes: [] });
  t.like(guessLan(one), { sure: false, value: { name: 'lan0' } });
  const two = await withInterfaces([card('a', ['192.168.1.2/24']), card('b', ['192.168.2.2/24'])], {
    routes: [],
  });
  t.is(guessLan(two), null);
});

test('Of several addresses the one in the network of the gateway is the own one; two of those have to be asked', async (t) => {
  const routes = [{ gateway: '192.168.1.254', interface: 'lan0' }];
  const lan = card('lan0', ['10.9.9.9/24', '192.168.1.2/24']);
  t.like(guessOwnAddress(await withInterfaces([lan], { routes }), lan), {
    value: { address: '192.168.1.2' },
    sure: true,
  });
  const double = card('lan0', ['192.168.1.2/24', '192.168.1.1/24']);
  t.like(guessOwnAddress(await withInterfaces([double], { routes }), double), {
    value: { address: '192.168.1.2' },
    sure: false,
  });
});

test('The other node: by the mirror, by /etc/hosts, or by who answers on the segment', async (t) => {
  const own = { address: '192.168.1.2', prefix: 24 };
  const eth1 = card('eth1', ['192.168.2.2/24']);
  t.like(guessPeerName(await factsOf(mirrored), own, eth1), { value: 'secondary', sure: true });
  const hosts = (text: string) => factsOf({ said: plain, files: { '/etc/hosts': text } });
  const one = await hosts('192.168.1.2 primary\n192.168.1.254 gate\n192.168.1.3 secondary.example.org\n');
  t.like(guessPeerName(one, own, eth1), { value: 'secondary', sure: false, because: '/etc/hosts' });
  t.is(guessPeerAddress(one, 'secondary', own, [])?.value, '192.168.1.3');
  const many = await hosts('192.168.1.3 secondary\n192.168.1.4 printer\n');
  t.is(guessPeerName(many, own, eth1), null, 'nobody knows which');
  const near = await hosts('192.168.2.3 second-hb\n');
  t.like(guessPeerName(near, own, eth1), { value: 'second-hb', sure: false });
  t.is(guessPeerAddress(near, 'second-hb', own, []), null, 'its address on the LAN is another one');
  t.is(
    guessPeerAddress(near, 'other', own, ['127.0.1.1', '192.168.1.7'])?.value,
    '192.168.1.7',
    'by its name',
  );
});

test('A mounted mirror: which device, which type, where', async (t) => {
  const facts = await factsOf(mirrored);
  t.deepEqual(facts.fileSystems, [
    { resource: 'r0', device: '/dev/drbd0', type: 'ext4', mount: '/srv/guests', fstabSource: null },
  ]);
  t.is(facts.drbdTrouble, null);
});

test('A mirror that is secondary cannot be read: its disk is, and /etc/fstab is known by its UUID', async (t) => {
  const uuid = /UUID=\S+/.exec(recorded('init/blkid.txt'))?.[0] ?? '';
  const said = {
    ...plain,
    'drbdadm dump': recorded('drbd/dump-9.txt'),
    'blkid -p -u filesystem -o export /dev/drbd0': { exitCode: 2 },
    'blkid -p -u filesystem -o export /dev/vg0/guests': recorded('init/blkid.txt'),
  };
  const facts = await factsOf({ said, files: { '/etc/fstab': `${uuid} /srv/mail ext4 defaults 0 2\n` } });
  t.deepEqual(facts.fileSystems, [
    { resource: 'r0', device: '/dev/drbd0', type: 'ext4', mount: '/srv/mail', fstabSource: uuid },
  ]);
  const blank = await factsOf({
    said: { ...said, 'blkid -p -u filesystem -o export /dev/vg0/guests': { exitCode: 2 } },
  });
  t.deepEqual(blank.fileSystems, [], 'a blank disk has none');
});

test('A BMC, watchdogs, and other programs that do the same are found; DRBD that cannot be read is told', async (t) => {
  const facts = await factsOf({
    said: {
      ...plain,
      'ipmitool lan print': recorded('init/lan-print.txt').replace(': 0.0.0.0\n', ': 10.0.9.2\n'),
      'drbdadm dump': { exitCode: 10, stderr: "drbd.d/r0.res:3: Parse error: 'resource' expected\n" },
    },
    files: {
      '/dev/ipmi0': '',
      '/etc/ha.d/ha.cf': '',
      '/etc/keepalived/keepalived.conf': '',
      '/sys/class/watchdog/watchdog0/identity': 'iTCO_wdt\n',
      '/sys/class/net/eth1/speed': '1000\n',
      '/sys/class/net/br0/speed': '-1\n',
    },
    directories: { '/sys/class/watchdog': ['watchdog0'] },
  });
  t.deepEqual(facts.bmc, { device: '/dev/ipmi0', address: '10.0.9.2' });
  t.deepEqual(facts.watchdogs, [{ device: '/dev/watchdog0', identity: 'iTCO_wdt' }]);
  t.deepEqual(
    facts.others.map(({ program }) => program),
    ['heartbeat', 'keepalived'],
  );
  t.regex(facts.drbdTrouble ?? '', /Parse error/);
  const speeds = new Map(facts.interfaces.map(({ name, speedMbit }) => [name, speedMbit]));
  t.is(speeds.get('eth1'), 1000);
  t.is(speeds.get('br0'), null);
});

test('A list of interfaces that the kernel has broken off is asked for again', async (t) => {
  const host = hostOf();
  let asked = 0;
  const facts = await lookAtHost(
    {
      ...host,
      run: async (argv) => {
        const result = await host.run(argv);
        if (argv.join(' ') !== 'ip -j -d addr show') return result;
        asked += 1;
        return asked === 1 ? { ...result, stdout: '[]', stderr: 'Dump terminated\n' } : result;
      },
    },
    'primary',
  );
  t.is(asked, 2);
  t.is(guessLan(facts)?.value.name, 'br0');
});

test('A host without DRBD, libvirt, BMC or even ip is a host of which little is known, and no error', async (t) => {
  const host = hostOf({ said: {} });
  const facts = await lookAtHost(host, 'primary');
  t.like(facts, { interfaces: [], routes: [], resources: [], drbdTrouble: null, fileSystems: [], bmc: null });
  t.false(
    host.ran.some((line) => line.startsWith('ipmitool')),
    'a BMC that is not there is not asked',
  );
});
