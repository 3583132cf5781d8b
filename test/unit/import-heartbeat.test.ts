// `battito import heartbeat`: every directive and resource becomes what is equal to it, or a comment, and the result is a
// configuration that our own loader takes.

import test from 'ava';
import fc from 'fast-check';
import type { Surroundings } from '../../daemon/config/import/draft.ts';
import { parseHaCf } from '../../daemon/config/import/ha-cf.ts';
import { collectProblems, linesOf } from '../../daemon/config/import/source.ts';
import { BattitoError } from '../../daemon/errors.ts';
import { given, haCf, heartbeat, nowhere, pair, problemsOf } from './support/import.ts';

test('An office pair becomes one group with the same timings, paths, addresses, disks and guests', async (t) => {
  const files = pair({
    'ha.cf': `# two hosts
debugfile /var/log/ha-debug   # a comment behind a value
keepalive 500ms
deadtime 10
warntime 4s
initdead 60
udpport 6940
bcast eth1, eth2
mcast eth0 239.0.0.42 694 1 0
auto_failback off
watchdog /dev/watchdog
node alpha beta
ping 192.168.1.254
respawn hacluster /usr/lib/heartbeat/ipfail
`,
    haresources: `# the only group
alpha 192.168.1.1/24/eth0 \\
\tdrbddisk::r0 Filesystem::/dev/drbd0::/srv/r0/::ext4::noatime \\
\tlibvirt::mail::web MailTo::root@office.example
`,
  });
  const { config, yaml, draft } = await heartbeat(t, files);
  const { groups, nodes, connectivity, watchdog } = config;
  t.deepEqual(nodes, [
    { name: 'alpha', address: '192.168.1.2' },
    { name: 'beta', address: '192.168.1.3' },
  ]);
  t.like(config.heartbeat, { keepaliveMs: 500, warntimeMs: 4000, deadtimeMs: 10_000, initdeadMs: 60_000 });
  t.deepEqual(config.heartbeat.links, [
    { mode: 'broadcast', interface: 'eth1', port: 6940 },
    { mode: 'broadcast', interface: 'eth2', port: 6940 },
    { mode: 'multicast', interface: 'eth0', port: 694, group: '239.0.0.42' },
  ]);
  t.deepEqual(connectivity.ping, ['192.168.1.254']);
  t.deepEqual(watchdog, { device: '/dev/watchdog', timeoutMs: 10_000 });
  t.is(groups.length, 1);
  t.like(groups[0], { name: 'office', preferred: 'alpha', failback: 'manual', drbd: ['r0'] });
  t.deepEqual(groups[0]?.addresses, [{ address: '192.168.1.1', prefix: 24, family: 4, interface: 'eth0' }]);
  t.like(groups[0]?.filesystems[0], {
    device: '/dev/drbd0',
    mount: '/srv/r0',
    type: 'ext4',
    options: 'noatime',
  });
  t.deepEqual(
    groups[0]?.guests.map(({ name, driver }) => `${name} ${driver}`),
    ['mail libvirt', 'web libvirt'],
  );
  t.regex(yaml, /^ {2}deadtime: 10s # ha\.cf:4$/m);
  t.regex(yaml, /^# ha\.cf:2: debugfile \/var\/log\/ha-debug -- /m);
  t.like(config.notify?.channels, [{ name: 'mail', way: { kind: 'sendmail', to: ['root@office.example'] } }]);
  t.regex(yaml, /^ {6}mail:\n {8}- root@office\.example # haresources:4$/m);
  t.true(draft.check.some((text) => text.includes('battito notify test')));
  t.true(draft.check.some((text) => text.includes('192.168.1.2')));
});

/** As Heartbeat 3.0 knows them, each with a value that it takes. */
const everyDirective = `
apiauth ipfail uid=hacluster
autojoin none
auto_failback on
baud 19200
bcast eth1
cluster linux-ha
compression bz2
compression_threshold 2
config_writes_enabled on
conn_logd_time 60
coredumps true
coreroot /var/lib/heartbeat
crm off
deadping 30
deadtime 30
debug 0
debugfile /var/log/ha-debug
env A=B
hbaping fc0
hbaping_group g fc0 fc1
hbgenmethod time
hopfudge 1
initdead 120
keepalive 2
log_badpack on
log_config_changes on
log_pengine_inputs on
logfacility local0
logfile /var/log/ha-log
max_rexmit_delay 250
mcast eth0 225.0.0.1 694 1 0
mcast6 eth0 ff02::1 694 1 0
memreserve 6500
msgfmt netstring
node alpha beta
normalpoll true
openais x
ping 192.168.1.254
ping_group routers 192.168.1.252 192.168.1.253
quorum_server witness
realtime on
respawn hacluster /usr/lib/heartbeat/ccm
rtprio 5
serial /dev/ttyS0 /dev/ttyS1
stonith baytech /etc/ha.d/conf/stonith.baytech
stonith_host * external/ipmi 10.0.9.2 admin hidden
traditional_compression off
ucast eth2 192.168.2.3
udpport 694
use_apphbd yes
use_logd yes
uuidfrom file
warntime 10
watchdog /dev/watchdog
`;

test('Every directive of Heartbeat has an equal or a comment with the reason', async (t) => {
  const { yaml, draft } = await heartbeat(t, pair({ 'ha.cf': everyDirective }));
  const lines = everyDirective.split('\n');
  // What says what is so here anyway needs no word.
  const silent = ['autojoin', 'crm'];
  for (const [index, line] of lines.entries()) {
    const name = line.split(' ')[0] ?? '';
    if (name !== '' && !silent.includes(name)) t.regex(yaml, new RegExp(`ha\\.cf:${index + 1}\\b`), line);
  }
  t.true(draft.remarks.every(({ why }) => why.length > 10));
  t.false(yaml.includes('hidden'), 'a password of a fencing device');
  t.regex(yaml, /stonith_host \* external\/ipmi \.\.\. -- write it as a device with agent: fence_ipmilan/);
});

test('auto_failback and its older forms say whether a group goes back', async (t) => {
  const without = haCf.replace('auto_failback off\n', '');
  for (const [line, failback] of [
    ['auto_failback on', 'automatic'],
    ['auto_failback legacy', 'automatic'],
    ['auto_failback no', 'manual'],
    ['nice_failback on', 'manual'],
    ['nice_failback off', 'automatic'],
    ['', 'automatic'],
  ] as const) {
    const { config } = await heartbeat(t, pair({ 'ha.cf': `${without}${line}\n` }));
    t.is(config.groups[0]?.failback, failback, line);
  }
});

test('Times without a unit are seconds; what is left out is what Heartbeat would take', async (t) => {
  const base = 'bcast eth1\nnode alpha beta\n';
  for (const [lines, expected] of [
    ['keepalive 0.5\ndeadtime 1500ms\n', [500, 1000, 1500, 12_000]],
    ['keepalive 100000us\ndeadtime 6s\n', [100, 3000, 6000, 12_000]],
    ['keepalive 1sec\ndeadtime 1m\n', [1000, 30_000, 60_000, 60_000]],
    ['', [1000, 15_000, 30_000, 30_000]],
    ['deadtime 30\nwarntime 40\n', [1000, 15_000, 30_000, 30_000]],
    ['keepalive 1ms\ndeadtime 1\n', [10, 500, 1000, 12_000]],
  ] as const) {
    const { config } = await heartbeat(t, pair({ 'ha.cf': `${base}${lines}` }));
    const { keepaliveMs, warntimeMs, deadtimeMs, initdeadMs } = config.heartbeat;
    t.deepEqual([keepaliveMs, warntimeMs, deadtimeMs, initdeadMs], [...expected], lines);
  }
});

const addressForms: readonly (readonly [resource: string, address: string])[] = [
  ['192.168.1.1/24/eth0', '192.168.1.1/24 eth0'],
  ['IPaddr::192.168.1.1/24/eth0', '192.168.1.1/24 eth0'],
  ['IPaddr2::192.168.1.1/24/eth0/192.168.1.255', '192.168.1.1/24 eth0'],
  ['IPaddr2::192.168.1.1/255.255.255.128/eth0:1/192.168.1.127', '192.168.1.1/25 eth0'],
  ['IPAddr::192.168.1.1/24/br0', '192.168.1.1/24 br0'],
  ['192.168.1.1', '192.168.1.1/28 lan0'],
  ['IPaddr::192.168.1.1/24', '192.168.1.1/24 lan0'],
  ['IPaddr2::192.168.1.1/24/192.168.1.255', '192.168.1.1/24 lan0'],
  ['IPaddr::192.168.1.1//eth0', '192.168.1.1/28 eth0'],
  ['IPv6addr::2001:db8::7/64/eth0', '2001:db8::7/64 eth0'],
  ['IPv6addr::2001:DB8:0:0:1::7/64/eth0', '2001:db8::1:0:0:7/64 eth0'],
];

for (const [resource, expected] of addressForms) {
  test(`An address as ${resource}`, async (t) => {
    const files = pair({ haresources: `alpha ${resource}\n` });
    const { config } = await heartbeat(t, files, { given: { ...given, interface: 'lan0', prefix: 28 } });
    const [found] = config.groups[0]?.addresses ?? [];
    t.is(`${found?.address}/${found?.prefix} ${found?.interface}`, expected);
  });
}

test('An address without interface takes that of another line, or of this machine if it is a node', async (t) => {
  const both = pair({ haresources: 'alpha 192.168.1.1 192.168.1.9/24/br0\n' });
  const told = await heartbeat(t, both);
  t.like(told.config.groups[0]?.addresses[0], { address: '192.168.1.1', prefix: 24, interface: 'br0' });
  const alone = pair({ haresources: 'alpha 192.168.1.1\n' });
  const interfaces = [{ interface: 'lan0', address: '192.168.1.2', prefix: 25 }];
  const here = await heartbeat(t, alone, { around: { ...nowhere, node: 'alpha', interfaces } });
  t.like(here.config.groups[0]?.addresses[0], { prefix: 25, interface: 'lan0' });
  t.deepEqual(await problemsOf(t, () => heartbeat(t, alone, { around: { ...nowhere, interfaces } })), [
    'haresources:1: 192.168.1.1 names no interface; say which: --interface eth0',
    'haresources:1: 192.168.1.1 names no prefix length; say which: --prefix 24',
  ]);
});

test('Lines of one node are one group, those of the other node another one that prefers it', async (t) => {
  const haresources = `alpha 192.168.1.1/24/eth0
beta 192.168.1.8/24/eth0 drbddisk::r1
alpha 192.168.1.9/24/eth0 drbddisk::r0
alpha drbddisk::r0 Filesystem::-Ldata::/srv/data
`;
  const { config } = await heartbeat(t, pair({ haresources }));
  t.deepEqual(
    config.groups.map(({ name, preferred, addresses, drbd, filesystems }) => ({
      name,
      preferred,
      addresses: addresses.map(({ address }) => address),
      drbd,
      devices: filesystems.map(({ device }) => device),
    })),
    [
      {
        name: 'alpha',
        preferred: 'alpha',
        addresses: ['192.168.1.1', '192.168.1.9'],
        drbd: ['r0'],
        devices: ['/dev/disk/by-label/data'],
      },
      { name: 'beta', preferred: 'beta', addresses: ['192.168.1.8'], drbd: ['r1'], devices: [] },
    ],
  );
});

const guestForms: readonly (readonly [resource: string, guests: readonly string[], script?: string])[] = [
  ['VirtualDomain::/etc/libvirt/qemu/mail.xml', ['mail']],
  ['kvm::mail', ['mail']],
  ['libvirt-guest::mail::web', ['mail', 'web']],
  ['start_vms', ['all']],
  [
    'officeguests',
    ['mail', 'web'],
    'virsh start mail # virsh start old\nvirsh -c qemu:///system start "web"\n',
  ],
  ['boot', ['files'], '#!/bin/sh\nvirsh create --console /etc/libvirt/qemu/files.xml\n'],
  ['boot::mail', ['mail'], 'case $2 in start) virsh start "$1" ;; esac\n'],
  ['boot', ['all'], 'for g in `cat /etc/guests`; do virsh start $g; done\n'],
];

for (const [resource, guests, script] of guestForms) {
  test(`Guests that ${resource} starts${script === undefined ? '' : ` by its script: ${guests}`}`, async (t) => {
    const files = pair({
      haresources: `alpha drbddisk::r0 ${resource}\n`,
      ...(script === undefined ? {} : { [`resource.d/${resource.split('::')[0]}`]: script }),
    });
    const { config } = await heartbeat(t, files);
    const group = config.groups[0];
    const found = [
      ...(group?.allGuests === null ? [] : ['all']),
      ...(group?.guests ?? []).map(({ name }) => name),
    ];
    t.deepEqual(found, [...guests]);
  });
}

test('What is no part of a group is a comment with the reason', async (t) => {
  const resources = [
    'SendArp::192.168.1.1/eth0 apache mysqld-3306 LVM::vg0 ldirectord::/etc/ha.d/ldirectord.cf drbdupper::r0-U',
    'Filesystem::nas:/export::/srv/nas::nfs Filesystem::/srv/r0/x::/srv/x::none::bind xendomains kvm-mail runqemu',
  ].join(' ');
  const files = pair({
    haresources: `alpha 192.168.1.1/24/eth0 ${resources}\n`,
    'resource.d/runqemu': 'qemu-system-x86_64 -m 1024 -drive file=/srv/a.img\n',
  });
  const { draft, yaml } = await heartbeat(t, files);
  const remarks = draft.groups[0]?.remarks ?? [];
  t.deepEqual(
    remarks.map(({ text }) => text),
    resources.split(' '),
  );
  const why = (start: string) => remarks.find(({ text }) => text.startsWith(start))?.why ?? '';
  t.regex(why('apache'), /put it into a guest/);
  t.regex(why('Filesystem::nas'), /fstab/);
  t.true(draft.check.some((text) => text.startsWith('Nothing starts apache, mysqld-3306 at a takeover')));
  t.regex(why('kvm-mail'), /name them under guests/);
  t.regex(why('runqemu'), /driver: qemu/);
  for (const { text } of remarks) t.true(yaml.includes(`# haresources:1: ${text}`), text);
});

test('Who was mailed is mailed; a name that is no whole address is said', async (t) => {
  const files = (line: string) => pair({ haresources: `alpha 192.168.1.1/24/eth0 ${line}\n` });
  const two = await heartbeat(t, files('MailTo::root@office.example,admin@office.example::Takeover'));
  t.deepEqual(
    two.draft.mail.map(({ value }) => value),
    ['root@office.example', 'admin@office.example'],
  );
  for (const line of ['MailTo::root', 'MailTo']) {
    const { draft, config } = await heartbeat(t, files(line));
    t.is(config.notify, null);
    t.regex(draft.groups[0]?.remarks[0]?.why ?? '', /nobody is told yet: .* under notify/);
  }
});

test('A path by ucast has both ends where they are known, else it is a broadcast', async (t) => {
  const lines = (...ucast: string[]) =>
    pair({ 'ha.cf': haCf.replace('bcast eth1', ucast.map((line) => `ucast ${line}`).join('\n')) });
  const lan = await heartbeat(t, lines('eth0 192.168.1.2', 'eth0 192.168.1.3'));
  t.like(lan.config.heartbeat.links[0], {
    mode: 'unicast',
    addresses: { alpha: '192.168.1.2', beta: '192.168.1.3' },
  });
  const peerOnly = await heartbeat(t, lines('eth0:0 192.168.1.3'));
  t.like(peerOnly.config.heartbeat.links[0], { mode: 'unicast', interface: 'eth0' });
  const around: Surroundings = {
    ...nowhere,
    node: 'beta',
    interfaces: [{ interface: 'eth1', address: '10.0.0.3', prefix: 24 }],
  };
  for (const ends of [['eth1 10.0.0.2'], ['eth1 10.0.0.3', 'eth1 10.0.0.2']]) {
    const segment = await heartbeat(t, lines(...ends), { around });
    t.like(segment.config.heartbeat.links[0], { addresses: { alpha: '10.0.0.2', beta: '10.0.0.3' } });
  }
  const unknown = await heartbeat(t, lines('eth1 10.0.0.2', 'eth1 10.0.0.3'));
  t.like(unknown.config.heartbeat.links[0], { mode: 'broadcast', interface: 'eth1' });
  t.regex(unknown.yaml, /eth1 } # ha\.cf:6: broadcast reaches both ends/);
});

test('Without a path over a network the LAN is one, and it is said', async (t) => {
  const { config, yaml } = await heartbeat(
    t,
    pair({ 'ha.cf': haCf.replace('bcast eth1', 'serial /dev/ttyS0') }),
  );
  t.like(config.heartbeat.links[0], { mode: 'unicast', interface: 'eth0' });
  t.regex(yaml, /# an addition: ha\.cf has no path over a network/);
  t.regex(yaml, /# ha\.cf:6: serial \/dev\/ttyS0 -- there are no serial links/);
});

test('Full host names are cut to the short ones, by which the daemons know themselves', async (t) => {
  const files = pair({
    'ha.cf': haCf
      .replace('node alpha', 'node alpha.office.example')
      .replace('node beta', 'node beta.office.example'),
    haresources: 'Alpha.office.example 192.168.1.1/24/eth0\n',
  });
  const { config } = await heartbeat(t, files);
  t.deepEqual(
    config.nodes.map(({ name }) => name),
    ['alpha', 'beta'],
  );
  t.is(config.groups[0]?.preferred, 'alpha');
});

test("The nodes' addresses are taken from their names, but not Debian's loopback address", async (t) => {
  const known: Readonly<Record<string, readonly string[]>> = { alpha: ['127.0.1.1'], beta: ['10.0.0.3'] };
  const around: Surroundings = {
    node: 'alpha',
    interfaces: [
      { interface: 'eth1', address: '10.9.0.2', prefix: 24 },
      { interface: 'eth0', address: '10.0.0.2', prefix: 24 },
    ],
    resolve: async (name) => known[name] ?? [],
  };
  const { config } = await heartbeat(t, pair(), { given: { ...given, addresses: new Map() }, around });
  t.deepEqual(
    config.nodes.map(({ address }) => address),
    ['10.0.0.2', '10.0.0.3'],
  );
});

for (const method of ['crc', 'md5', 'sha1'] as const) {
  test(`A key for ${method} is not taken over, and is shown nowhere`, async (t) => {
    const text = `# keys\nauth 7\n7 ${method}${method === 'crc' ? '' : ' tr0ub4dor'}\n`;
    const { draft, yaml } = await heartbeat(t, pair({ authkeys: text }));
    t.regex(draft.safer[0] ?? '', new RegExp(`^${method} of authkeys`));
    t.regex(yaml, /^# authkeys:3: .* battito keygen makes one$/m);
    t.false(JSON.stringify([draft, yaml]).includes('tr0ub4dor'));
  });
}

test('Without authkeys the rest is imported all the same', async (t) => {
  const { draft } = await heartbeat(t, pair({ authkeys: null }));
  t.regex(draft.safer[0] ?? '', /HMAC-SHA256/);
});

const refused: readonly (readonly [
  what: string,
  changes: Readonly<Record<string, string>>,
  problems: readonly RegExp[],
])[] = [
  [
    'three nodes',
    { 'ha.cf': `${haCf}node gamma\n` },
    [/^ha\.cf:11: expected two nodes, found 3: alpha, beta, gamma; /],
  ],
  [
    'one node',
    { 'ha.cf': haCf.replace('node beta\n', '') },
    [/^ha\.cf:8: expected two nodes, found 1: alpha$/],
  ],
  ['no node', { 'ha.cf': 'bcast eth0\n' }, [/^ha\.cf: expected two nodes, found none$/]],
  [
    'a node that ha.cf does not have',
    { haresources: 'alpah 192.168.1.1/24/eth0\n' },
    [/^haresources:1: "alpah" is none of the nodes of ha\.cf, alpha and beta; did you mean "alpha"\?$/],
  ],
  [
    'an unknown directive',
    { 'ha.cf': `${haCf}keepalve 2\n` },
    [/^ha\.cf:11: "keepalve" is no .*"keepalive"\?$/],
  ],
  [
    'a directive without a value',
    { 'ha.cf': `${haCf}udpport # 694\n` },
    [/^ha\.cf:11: udpport has no value$/],
  ],
  [
    'a time that is none',
    { 'ha.cf': `${haCf}deadtime soon\n` },
    [/^ha\.cf:11: deadtime takes a time such as 2/],
  ],
  [
    'a variable',
    { 'ha.cf': `${haCf}ucast eth0 \${PEER}\n` },
    [/^ha\.cf:11: Heartbeat does not expand \$\{PEER\}/],
  ],
  ['a port', { 'ha.cf': `${haCf}udpport 99999\n` }, [/^ha\.cf:11: udpport takes a number from 1 to 65535$/]],
  ['a group that is none', { 'ha.cf': `${haCf}mcast eth0 192.168.1.9 694\n` }, [/^ha\.cf:11: mcast takes/]],
  [
    'deadtime too short',
    { 'ha.cf': `${haCf}deadtime 4\n` },
    [/^ha\.cf:11: deadtime 4s is not more than two keep/],
  ],
  [
    'initdead too short',
    { 'ha.cf': `${haCf}initdead 5\n` },
    [/^ha\.cf:11: initdead 5s is less than deadtime 30s/],
  ],
  [
    'Pacemaker',
    { 'ha.cf': `${haCf}crm respawn\n` },
    [/^ha\.cf:11: with crm the resources are those of Pacemaker/],
  ],
  [
    'Pacemaker by its name',
    { 'ha.cf': `${haCf}pacemaker on\n` },
    [/^ha\.cf:11: with pacemaker the resources/],
  ],
  [
    'failback that is none',
    { 'ha.cf': `${haCf}auto_failback maybe\n` },
    [/^ha\.cf:11: auto_failback takes on, off/],
  ],
  ['no resources', { haresources: '# nothing\n\n' }, [/^haresources: there is no line of resources/]],
  [
    'a line that should go on',
    { haresources: 'alpha 192.168.1.1/24/eth0\n  drbddisk::r0\n' },
    [/^haresources:2: a resource line begins with a node, not with drbddisk::r0; /],
  ],
  [
    'a blank behind the backslash',
    { haresources: 'alpha 192.168.1.1/24/eth0 \\ \n' },
    [/^haresources:1: the backslash has to be the last character of the line$/],
  ],
  [
    'a wrong address',
    { haresources: 'alpha IPaddr::192.168.1.999/24/eth0\n' },
    [/^haresources:1: IPaddr takes/],
  ],
  [
    'a wrong prefix',
    { haresources: 'alpha IPaddr::192.168.1.1/33/eth0\n' },
    [/^haresources:1: IPaddr takes/],
  ],
  [
    'every DRBD resource',
    { haresources: 'alpha drbddisk\n' },
    [/^haresources:1: drbddisk without a name stands for/],
  ],
  [
    'half a file system',
    { haresources: 'alpha Filesystem::/dev/drbd0\n' },
    [/^haresources:1: Filesystem takes/],
  ],
  [
    'a mount point of the system',
    { haresources: 'alpha drbddisk::r0 Filesystem::/dev/drbd0::/home::ext4\n' },
    [/^haresources:1: mount point \/home: expected a directory of its own/],
  ],
  [
    'guests that nobody knows',
    { haresources: 'alpha 192.168.1.1/24/eth0 kvm\n' },
    [/^haresources:1: which guests/],
  ],
  [
    'a guest with no name',
    { haresources: 'alpha drbddisk::r0 kvm::a,b\n' },
    [/^haresources:1: .*"a,b" cannot be/],
  ],
  ['no key', { authkeys: '1 sha1 x\n' }, [/^authkeys:2: there is no line "auth NUMBER"/]],
  [
    'a key that is not there',
    { authkeys: 'auth 2\n1 sha1 x\n' },
    [/^authkeys:1: there is no key with the number 2$/],
  ],
  [
    'an unknown method',
    { authkeys: 'auth 1\n1 sha9 x\n' },
    [/^authkeys:2: expected crc, md5 or sha1/, /authkeys:1/],
  ],
  [
    'a method without a key',
    { authkeys: 'auth 1\n1 md5\n' },
    [/^authkeys:2: md5 needs a key/, /^authkeys:1: /],
  ],
  [
    'several things at once',
    { 'ha.cf': `${haCf}keepalve 2\nudpport x\n`, haresources: 'gamma 192.168.1.1\n', authkeys: 'auth\n' },
    [/ha\.cf:11/, /haresources:1: "gamma"/, /authkeys:1/, /authkeys:2/, /ha\.cf:12/],
  ],
];

for (const [what, changes, expected] of refused) {
  test(`Refused with its line: ${what}`, async (t) => {
    const problems = await problemsOf(t, () => heartbeat(t, pair(changes)));
    t.is(problems.length, expected.length, problems.join('\n'));
    for (const [index, pattern] of expected.entries()) t.regex(problems[index] ?? '', pattern);
  });
}

test('A node whose address nobody knows has to be said', async (t) => {
  const without = { ...given, addresses: new Map([['alpha', '192.168.1.2']]) };
  t.deepEqual(await problemsOf(t, () => heartbeat(t, pair(), { given: without })), [
    'the address of beta is not known here; say it: --address beta=192.168.1.2',
  ]);
  const foreign = { ...given, addresses: new Map([...given.addresses, ['gamma', '192.168.1.4']]) };
  t.deepEqual(await problemsOf(t, () => heartbeat(t, pair(), { given: foreign })), [
    '--address gamma=...: there is no such node, only alpha and beta',
  ]);
});

test('Whatever stands in ha.cf, it is understood or refused with a line', (t) => {
  const words = [
    'keepalive',
    'node',
    'alpha',
    '2',
    'bcast',
    'ucast',
    '$x',
    '#',
    ',',
    '\t',
    '\r',
    '\u0000',
    '::',
  ];
  const line = fc.array(fc.constantFrom(...words), { maxLength: 6 }).map((parts) => parts.join(' '));
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
      const problems = collectProblems('mend it');
      const directives = parseHaCf(linesOf(lines.join('\n'), 'ha.cf'), problems);
      t.true(directives.every(({ values }) => values.length > 0));
      const content = lines.filter((text) => text.replace(/#.*/s, '').trim() !== '').length;
      try {
        problems.throwIfAny();
        t.is(directives.length, content);
      } catch (error) {
        t.true(error instanceof BattitoError);
      }
    }),
  );
});
