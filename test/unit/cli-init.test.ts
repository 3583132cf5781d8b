// `battito init` as it is typed: what is asked, what is written, and that nothing is when it is stopped or refused.

import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { generateKeyFile, loadKeyRing } from '../../daemon/config/key-file.ts';
import { loadConfig, parseConfig } from '../../daemon/config/load.ts';
import { temporaryDirectory } from '../support.ts';
import { run } from './fixtures/cli/terminal.ts';
import { type HostOptions, hostOf, mirrored, plain, recorded, typeInit } from './support/init-host.ts';

/** Where the files of a test go. */
const placesIn = (t: ExecutionContext) => {
  const directory = join(temporaryDirectory(t), 'etc');
  const config = join(directory, 'battito.yaml');
  return { directory, config, key: join(directory, 'key'), words: ['--config', config] };
};

const peer = ['--peer', 'secondary', '--peer-address', '192.168.1.3'];
const yes = ['--yes', '--address', '192.168.1.1'];

const guests = [
  {
    name: 'files',
    stays: '/var/lib/files.qcow2 is not on /srv/guests, so the other node has no copy of it',
    autostart: false,
  },
  { name: 'mail', stays: null, autostart: true },
  { name: 'web', stays: null, autostart: false },
];

test('On a host with a mirror only the floating address has to be given; all else is found and written', async (t) => {
  const { config, key, words } = placesIn(t);
  const host = hostOf({ ...mirrored, guests });
  const typed = await typeInit(host, [...words, ...yes]);
  t.is(typed.exitCode, 0, typed.error?.message);
  const loaded = loadConfig(config);
  t.like(loaded, {
    cluster: 'office',
    nodes: [
      { name: 'primary', address: '192.168.1.2' },
      { name: 'secondary', address: '192.168.1.3' },
    ],
    connectivity: { ping: ['192.168.1.254'] },
  });
  t.deepEqual(
    loaded.heartbeat.links.map(({ interface: name, mode }) => [name, mode]),
    [
      ['eth1', 'broadcast'],
      ['br0', 'unicast'],
    ],
  );
  t.like(loaded.heartbeat, {
    keyFile: key,
    keepaliveMs: 200,
    warntimeMs: 800,
    deadtimeMs: 2000,
    initdeadMs: 30_000,
  });
  const [group] = loaded.groups;
  t.like(group, { name: 'office', preferred: 'primary', failback: 'manual', drbd: ['r0'] });
  t.like(group?.addresses[0], { address: '192.168.1.1', prefix: 24, interface: 'br0' });
  t.like(group?.filesystems[0], { device: '/dev/drbd0', mount: '/srv/guests', type: 'ext4' });
  t.not(group?.allGuests, null, 'every guest on the mirror');
  t.is(statSync(key).mode & 0o777, 0o600);
  t.notThrows(() => loadKeyRing(key));
  t.deepEqual(host.storages, [{ devices: ['/dev/drbd0'], mounts: ['/srv/guests'] }]);
  t.deepEqual(
    host.ran.filter((line) => !/^(ip -j|drbdadm dump$|blkid -p|arping -D)/.test(line)),
    [],
    'it only looks',
  );
});

test('It says what brings both files to the other node, what to do then, and what is to be heeded', async (t) => {
  const { directory, config, key, words } = placesIn(t);
  const { stdout } = await typeInit(hostOf({ ...mirrored, guests }), [...words, ...yes]);
  t.regex(stdout, /^Found on primary$/m);
  t.regex(stdout, /^ {2}br0 .*the LAN: the default route by 192\.168\.1\.254$/m);
  t.regex(stdout, /^ {2}DRBD r0 +with secondary: \/dev\/drbd0, ext4 at \/srv\/guests$/m);
  const copy = `scp -p ${config} ${key} root@192.168.1.3:${directory}/ && ssh root@192.168.1.3 battito --config ${config} check`;
  t.true(stdout.includes(`\n       ${copy}\n`), stdout);
  const order = [
    'scp -p',
    'battito --config',
    'systemctl enable --now battito',
    'battito status && battito explain',
  ];
  const places = order.map((text) => stdout.lastIndexOf(text));
  t.deepEqual(
    places,
    places.toSorted((a, b) => a - b),
  );
  t.regex(stdout, /libvirt starts mail by itself at boot.*\n +virsh autostart --disable mail$/m);
  t.regex(stdout, /files stays on this host: .* is not on \/srv\/guests/);
  t.notRegex(stdout, /battito-key-1/, 'a key is never shown');
});

test('At the usual place the line is the one that people type', async (t) => {
  const { stderr, exitCode, stdout } = await typeInit(hostOf(mirrored), [...yes, '--dry-run']);
  t.is(exitCode, 0);
  t.true(parseConfig(stdout, 'printed').ok, 'only the configuration is on standard output');
  t.regex(stdout, /key-file: \/etc\/battito\/key\n/);
  t.regex(stderr, /Found on primary/);
  const json = JSON.parse((await typeInit(hostOf(mirrored), [...yes, '--dry-run', '--json'])).stdout);
  t.is(
    json.next[0].command,
    'scp -p /etc/battito/battito.yaml /etc/battito/key root@192.168.1.3:/etc/battito/ && ssh root@192.168.1.3 battito check',
  );
  t.like(json, { written: false, file: '/etc/battito/battito.yaml', configuration: stdout });
});

test('--dry-run writes nothing, also where there is a configuration already', async (t) => {
  const { directory, config, words } = placesIn(t);
  const fresh = await typeInit(hostOf(), [...words, ...yes, ...peer, '--dry-run']);
  t.is(fresh.exitCode, 0);
  t.false(existsSync(directory));
  mkdirSync(directory);
  writeFileSync(config, 'mine\n');
  t.is((await typeInit(hostOf(), [...words, ...yes, ...peer, '--dry-run'])).exitCode, 0);
  t.deepEqual(readdirSync(directory), ['battito.yaml']);
  t.is(readFileSync(config, 'utf8'), 'mine\n');
});

test('With --yes every answer that is missing is named by its flag, all at once, and nothing is written', async (t) => {
  const { directory, words } = placesIn(t);
  const { exitCode, error } = await typeInit(hostOf(), [...words, '--yes']);
  t.is(exitCode, 64);
  t.deepEqual(
    error?.message.split('\n').map((line) => line.split(' ')[0]),
    ['--peer', '--peer-address', '--address'],
  );
  const blind = await typeInit(hostOf({ said: {} }), [...words, '--yes']);
  t.regex(blind.error?.message ?? '', /^--lan is missing/);
  t.false(existsSync(directory));
});

const wrong: readonly (readonly [words: readonly string[], message: RegExp])[] = [
  [['--peer', 'primary'], /^--peer: primary is this host$/],
  [['--peer', 'two words'], /^--peer: "two words" is not the name of a host$/],
  [['--peer-address', '192.168.1.2'], /^--peer-address: 192\.168\.1\.2 is this host's own, on br0$/],
  [['--peer-address', '192.168.1.254'], /^--peer-address: 192\.168\.1\.254 is the gateway$/],
  [['--peer-address', '10.9.9.9'], /10\.9\.9\.9 is not in the network of 192\.168\.1\.2\/24 on br0$/],
  [['--peer-address', '192.168.1.255'], /is the broadcast address of 192\.168\.1\.2\/24/],
  [['--peer-address', 'there'], /"there" is not an IPv4 address/],
  [
    ['--address', '192.168.1.2'],
    /^--address: 192\.168\.1\.2 is this host's own address; the floating address is one more$/,
  ],
  [['--address', '192.168.1.3'], /is the address of secondary/],
  [['--address', '192.168.1.254'], /is the gateway/],
  [['--address', '192.168.1.0'], /is the network itself/],
  [['--address', '10.1.1.1'], /if it is meant: 10\.1\.1\.1\/24 dev INTERFACE$/],
  [['--address', '192.168.1'], /"192\.168\.1" is not an address/],
  [['--address', '192.168.1.1', '--address', '192.168.1.1'], /192\.168\.1\.1 is named twice/],
  [['--address', 'fd00::1'], /fd00::1 needs its prefix length/],
  [['--address', '192.168.1.1/99'], /is not an address such as/],
  [['--lan', 'eth7'], /^--lan: there is no interface with an IPv4 address "eth7"/],
  [['--dedicated', 'br0'], /^--dedicated: there is no interface/],
  [
    ['--gateway', '192.168.1.2'],
    /^--gateway: 192\.168\.1\.2 is this host's own address; it must be beyond both nodes/,
  ],
  [['--drbd', 'r1'], /^--drbd: there is no DRBD resource "r1"; did you mean r0\?$/],
  [['--mount', '/srv/guests'], /^--mount takes DEVICE=DIRECTORY/],
  [['--mount', '/dev/drbd7=/srv/x'], /^--mount: there is no device of these resources "\/dev\/drbd7"/],
  [['--mount', '/dev/drbd0=/etc'], /^--mount: "\/etc" should be a directory of its own/],
  [['--guests', 'mial'], /^--guests: there is no guest "mial"; did you mean mail\?$/],
  [['--guests', 'files'], /^--guests: files cannot move: .* is not on/],
  [['--preferred', 'tertiary'], /^--preferred: there is no node "tertiary"/],
  [['--failback', 'never'], /^--failback: there is no failback "never"; there is manual, automatic$/],
  [['--deadtime', '2'], /^--deadtime: "2" is not a time/],
  [['--deadtime', '100ms'], /^--deadtime: 100ms is too short/],
  [['--cluster', 'a b'], /^--cluster: "a b" is not a name/],
];

for (const [words, message] of wrong) {
  test(`A flag that cannot be is refused by its name: ${words.join(' ')}`, async (t) => {
    const { directory, words: place } = placesIn(t);
    const rest = words.includes('--address') ? [] : ['--address', '192.168.1.1'];
    const host = hostOf({ ...mirrored, guests });
    const { exitCode, error } = await typeInit(host, [...place, '--yes', ...rest, ...words]);
    t.is(exitCode, 64, error?.message);
    t.regex(error?.message ?? '', message);
    t.false(existsSync(directory), 'nothing is written');
  });
}

test('At a terminal: only what cannot be known is asked; Enter takes what is in brackets', async (t) => {
  const { config, words } = placesIn(t);
  const answers = ['', '192.168.1.1', '', '', ''];
  const typed = await typeInit(hostOf({ ...mirrored, guests }), words, { answers });
  t.is(typed.exitCode, 0, typed.error?.message);
  t.deepEqual(typed.questions, [
    'Address of secondary on the LAN [192.168.1.3]: ',
    'Floating address, which clients use: ',
    'Guests that move with it: all on its storage (now mail, web), names, or none [all]: ',
    'Where it all runs when both hosts could run it [primary]: ',
    `Write ${config} and ${config.replace('battito.yaml', 'key')} [yes]: `,
  ]);
  t.is(loadConfig(config).groups[0]?.preferred, 'primary');
});

test('A bad answer is told what is wrong with it, and asked for again', async (t) => {
  const { config, words } = placesIn(t);
  const bad = ['192.168.1.2', 'nonsense', '192.168.1.3'];
  const answers = [
    ...bad,
    '',
    '192.168.1.3',
    '192.168.1.1',
    'mail, wbe',
    'mail,web',
    'nobody',
    'secondary',
    'yes',
  ];
  const typed = await typeInit(hostOf({ ...mirrored, guests }), words, { answers });
  t.is(typed.exitCode, 0, typed.error?.message);
  t.is(typed.questions.filter((text) => text.startsWith('Address of secondary')).length, 3);
  t.is(typed.questions.filter((text) => text.startsWith('Floating')).length, 3);
  for (const problem of [
    "192.168.1.2 is this host's own, on br0",
    '"nonsense" is not an IPv4 address',
    'this cannot be known here; an answer is needed',
    '192.168.1.3 is the address of secondary',
    'there is no guest "wbe"; did you mean web?',
    'there is no node "nobody"',
  ]) {
    t.true(typed.stdout.includes(`  ${problem}`), problem);
  }
  const [group] = loadConfig(config).groups;
  t.is(group?.preferred, 'secondary');
  t.deepEqual(
    group?.guests.map(({ name }) => name),
    ['mail', 'web'],
  );
});

test('Stopped at whichever question, it leaves nothing', async (t) => {
  const all = ['', '192.168.1.1', '', '', 'no'];
  for (let count = 0; count <= all.length; count += 1) {
    const { directory, words } = placesIn(t);
    const answers = all.slice(0, count);
    const typed = await typeInit(hostOf({ ...mirrored, guests }), words, { answers });
    t.is(typed.exitCode, 1, `after ${count}`);
    t.is(typed.error?.message, 'stopped before the end; nothing was written');
    t.is(typed.questions.length, Math.min(count + 1, all.length));
    t.false(existsSync(directory));
  }
});

test('A flag answers its question also at a terminal', async (t) => {
  const { words } = placesIn(t);
  const flags = [
    '--peer-address',
    '192.168.1.3',
    '--address',
    '192.168.1.1',
    '--guests',
    'none',
    '--preferred',
    'secondary',
  ];
  const typed = await typeInit(hostOf({ ...mirrored, guests }), [...words, ...flags], { answers: ['yes'] });
  t.is(typed.exitCode, 0);
  t.is(typed.questions.length, 1, 'only whether to write');
});

test('Without a terminal, and with --json, it says that --yes is needed', async (t) => {
  const { directory, words } = placesIn(t);
  const without = await run(['init', ...words]);
  t.is(without.exitCode, 64);
  t.regex(
    without.stderr,
    /there is no terminal to answer at\nnext: did you mean `battito init --yes --address ADDRESS`/,
  );
  const json = await run(['init', '--json', ...words], { ask: async () => '' });
  t.is(json.exitCode, 64);
  t.regex(json.stdout, /"init asks no questions with --json"/);
  t.false(existsSync(directory));
});

test('A configuration that is there is kept unless --force says otherwise, and then beside the new one', async (t) => {
  const { directory, config, key, words } = placesIn(t);
  mkdirSync(directory);
  writeFileSync(config, 'mine\n');
  const refused = await typeInit(hostOf(mirrored), words, { answers: [] });
  t.is(refused.error?.code, 'init-exists');
  t.regex(refused.error?.message ?? '', /is there already; it was not touched$/);
  t.deepEqual(refused.questions, [], 'before anything is asked');
  t.deepEqual(readdirSync(directory), ['battito.yaml']);

  generateKeyFile(key);
  const secret = readFileSync(key, 'utf8');
  const forced = await typeInit(hostOf(mirrored), [...words, ...yes, '--force']);
  t.is(forced.exitCode, 0, forced.error?.message);
  t.is(readFileSync(key, 'utf8'), secret, 'the other node may have that key');
  t.regex(forced.stdout, /key: kept as it is/);
  const [backup, ...more] = readdirSync(directory).filter((name) =>
    /^battito\.yaml\.\d{8}T\d{6}Z$/.test(name),
  );
  t.deepEqual(more, []);
  t.is(readFileSync(join(directory, backup ?? ''), 'utf8'), 'mine\n');
  t.is(loadConfig(config).cluster, 'office');
  t.is(readdirSync(directory).length, 3, 'no temporary file is left');
});

test('Where the old configuration goes can be said; a file that is there is not overwritten by it either', async (t) => {
  const { directory, config, words } = placesIn(t);
  mkdirSync(directory);
  writeFileSync(config, 'mine\n');
  const old = join(directory, 'old.yaml');
  const forced = await typeInit(hostOf(mirrored), [...words, ...yes, `--force=${old}`]);
  t.is(forced.exitCode, 0, forced.error?.message);
  t.is(readFileSync(old, 'utf8'), 'mine\n');
  const written = readFileSync(config, 'utf8');
  const again = await typeInit(hostOf(mirrored), [...words, ...yes, '--cluster', 'other', `--force=${old}`]);
  t.is(again.error?.code, 'init-exists');
  t.true(again.error?.message.startsWith(`${old} is there already`));
  t.is(readFileSync(old, 'utf8'), 'mine\n');
  t.is(readFileSync(config, 'utf8'), written);
  t.deepEqual(readdirSync(directory).sort(), ['battito.yaml', 'key', 'old.yaml']);
});

test('A key that is there and is none is told before anything is asked', async (t) => {
  const { directory, config, key, words } = placesIn(t);
  mkdirSync(directory);
  writeFileSync(key, 'rubbish\n', { mode: 0o600 });
  const typed = await typeInit(hostOf(mirrored), words, { answers: [] });
  t.is(typed.exitCode, 78);
  t.regex(typed.error?.message ?? '', /expected battito-key-1/);
  t.deepEqual(typed.questions, []);
  t.false(existsSync(config));
});

test('Where it cannot be written it says so first, and nothing is half done', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'file');
  writeFileSync(file, '');
  const typed = await typeInit(hostOf(mirrored), ['--config', join(file, 'battito.yaml'), ...yes]);
  t.is(typed.error?.code, 'init-unwritable');
  t.deepEqual(readdirSync(directory), ['file']);
});

/** What is written for a host, as the loader reads it. */
const configOf = async (t: ExecutionContext, options: HostOptions, words: readonly string[]) => {
  const typed = await typeInit(hostOf(options), ['--yes', '--dry-run', ...words]);
  t.is(typed.exitCode, 0, typed.error?.message);
  const parsed = parseConfig(typed.stdout, 'printed');
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return { config: parsed.config, ...typed };
};

test('Without a mirror and without guests it is an address that moves', async (t) => {
  const { config, stdout } = await configOf(t, {}, [
    ...peer,
    '--address',
    '192.168.1.1',
    '--address',
    'fd00:1::1/64',
  ]);
  t.like(config.groups[0], { drbd: [], filesystems: [], guests: [], allGuests: null });
  t.deepEqual(
    config.groups[0]?.addresses.map(({ address, prefix }) => `${address}/${prefix}`),
    ['192.168.1.1/24', 'fd00:1::1/64'],
  );
  t.regex(stdout, /# guests: all #/);
});

test('Flags change what is settled by default', async (t) => {
  const words = [
    '--deadtime',
    '20s',
    '--failback',
    'automatic',
    '--cluster',
    'shop',
    '--dedicated',
    'none',
    '--gateway',
    'none',
  ];
  const { config, stderr } = await configOf(t, {}, [...peer, '--address', '192.168.1.1', ...words]);
  t.like(config.heartbeat, { keepaliveMs: 2000, warntimeMs: 8000, deadtimeMs: 20_000, initdeadMs: 40_000 });
  t.is(config.heartbeat.links.length, 1);
  t.deepEqual(config.connectivity.ping, []);
  t.is(config.cluster, 'shop');
  t.like(config.groups[0], { name: 'shop', failback: 'automatic' });
  t.regex(stderr, /all heartbeats go by br0/);
  t.regex(stderr, /nothing beyond the two hosts is pinged/);
});

test('A mirror without a file system is only promoted; where it is mounted can be said, or that it is not', async (t) => {
  const said = { ...plain, 'drbdadm dump': recorded('drbd/dump-8.4.txt') };
  const blank = { said, files: { '/etc/hosts': '192.168.1.3 secondary\n' }, guests: [] };
  const address = ['--address', '192.168.1.1'];
  const none = await configOf(t, blank, address);
  t.like(none.config.groups[0], { drbd: ['r0'], filesystems: [] });
  t.regex(none.stderr, /nothing is known to use \/dev\/drbd0/);
  const named = await configOf(t, blank, [...address, '--mount', '/dev/drbd0=/srv/data']);
  t.like(named.config.groups[0]?.filesystems[0], { device: '/dev/drbd0', mount: '/srv/data', type: 'ext4' });
  const unmounted = await configOf(t, mirrored, [...address, '--mount', '/dev/drbd0=none']);
  t.deepEqual(unmounted.config.groups[0]?.filesystems, []);
  const left = await configOf(t, mirrored, [...address, '--drbd', 'none']);
  t.like(left.config.groups[0], { drbd: [], filesystems: [] });
});

test('A segment of two addresses has no broadcast: both are named there, as DRBD knows them', async (t) => {
  const addresses = recorded('init/addr.txt').replace(
    '"local":"192.168.2.2","prefixlen":24',
    '"local":"192.168.2.2","prefixlen":31',
  );
  const options = { ...mirrored, said: { ...mirrored.said, 'ip -j -d addr show': addresses } };
  const { config } = await configOf(t, options, ['--address', '192.168.1.1']);
  t.like(config.heartbeat.links[0], {
    mode: 'unicast',
    interface: 'eth1',
    addresses: { primary: '192.168.2.2', secondary: '192.168.2.3' },
  });
});

test('A line of /etc/fstab that mounts the mirror at boot is pointed at, with what mends it', async (t) => {
  const files = { ...mirrored.files, '/etc/fstab': '/dev/drbd0 /srv/guests ext4 defaults 0 2\n' };
  const { stderr } = await configOf(t, { ...mirrored, files }, ['--address', '192.168.1.1']);
  t.regex(
    stderr,
    /\/etc\/fstab has \/dev\/drbd0 mounted at \/srv\/guests at boot, .*\n +take the line out of \/etc\/fstab/,
  );
  const noauto = { ...mirrored.files, '/etc/fstab': '/dev/drbd0 /srv/guests ext4 noauto 0 0\n' };
  const quiet = await configOf(t, { ...mirrored, files: noauto }, ['--address', '192.168.1.1']);
  t.notRegex(quiet.stderr, /fstab/);
});

test('Heartbeat and keepalived are pointed at, with the command that takes over what they were told', async (t) => {
  const files = { ...mirrored.files, '/etc/ha.d/ha.cf': '', '/etc/keepalived/keepalived.conf': '' };
  const { stderr } = await configOf(t, { ...mirrored, files }, ['--address', '192.168.1.1']);
  t.regex(stderr, /battito import heartbeat \/etc\/ha\.d /);
  t.regex(stderr, /battito import keepalived \/etc\/keepalived\/keepalived\.conf /);
});

test('A BMC and a watchdog are prepared as comments, which are a configuration once they are none', async (t) => {
  const options: HostOptions = {
    said: {
      ...mirrored.said,
      'ipmitool lan print': recorded('init/lan-print.txt').replace(': 0.0.0.0\n', ': 10.0.9.2\n'),
    },
    files: { ...mirrored.files, '/dev/ipmi0': '', '/sys/class/watchdog/watchdog0/identity': 'iTCO_wdt\n' },
    directories: { '/sys/class/watchdog': ['watchdog0'] },
  };
  const { stdout, config } = await configOf(t, options, ['--address', '192.168.1.1']);
  t.is(config.fencing, null);
  t.is(config.watchdog, null);
  const taken = stdout
    .replaceAll(/^# (fencing:|watchdog:| {2}.*)/gm, '$1')
    .replace('ADDRESS-OF-THE-BMC-OF-secondary', '10.0.9.3');
  const parsed = parseConfig(taken, 'taken');
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  t.is(parsed.config.fencing?.devices[0]?.options['ip'], '10.0.9.2');
  t.deepEqual(Object.keys(parsed.config.fencing?.nodes ?? {}), ['primary', 'secondary']);
  t.like(parsed.config.watchdog, { device: '/dev/watchdog0', timeoutMs: 5000 });
});

test('A floating address that somebody has already is told: another host, or this one', async (t) => {
  const taken = { ...mirrored, said: { ...mirrored.said, 'arping -D': { exitCode: 1 } } };
  t.regex(
    (await configOf(t, taken, ['--address', '192.168.1.1'])).stderr,
    /somebody on the LAN answers for 192\.168\.1\.1/,
  );
  const here = recorded('init/addr.txt').replace(
    '{"family":"inet","local":"192.168.1.2"',
    '{"family":"inet","local":"192.168.1.1","prefixlen":24,"scope":"global"},{"family":"inet","local":"192.168.1.2"',
  );
  const own = { ...mirrored, said: { ...mirrored.said, 'ip -j -d addr show': here } };
  const { stderr, config } = await configOf(t, own, [
    '--address',
    '192.168.1.1',
    '--own-address',
    '192.168.1.2',
  ]);
  t.regex(stderr, /192\.168\.1\.1 is on br0 of this host now; Battito alone may set it/);
  t.is(config.nodes[0].address, '192.168.1.2');
});

test('Names that YAML would take for something else stay names', async (t) => {
  const typed = await typeInit(
    hostOf(),
    [
      '--yes',
      '--dry-run',
      '--peer',
      '123',
      '--peer-address',
      '192.168.1.3',
      '--address',
      '192.168.1.1',
      '--cluster',
      'null',
    ],
    { node: 'true' },
  );
  const parsed = parseConfig(typed.stdout, 'printed');
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  t.deepEqual(parsed.config.nodes.map(({ name }) => name).sort(), ['123', 'true']);
  t.is(parsed.config.cluster, 'null');
});
