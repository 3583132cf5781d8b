// Every kind of fault in a configuration: its line, its column, its key and its sentence.
// Each case edits one sound configuration: a text in it => what stands there instead (\n is a new line),
// and below it the one problem that this must give.

import test from 'ava';
import { formatProblem, parseConfig } from '../../daemon/config/load.ts';
import { casesIn, type Edit, problemsOf } from './support/config-cases.ts';

const sound = `cluster: office
nodes:
  primary: { address: 192.168.1.2 }
  secondary: { address: 192.168.1.3 }
heartbeat:
  keepalive: 200ms
  warntime: 800ms
  deadtime: 2s
  initdead: 30s
  links:
    - { interface: eth1 }
    - { interface: eth0, mode: unicast }
connectivity:
  ping: [192.168.1.254]
groups:
  office:
    preferred: primary
    failback: manual
    addresses: [192.168.1.1/24 dev eth0]
    guests:
      - name: mail
        driver: qemu
        memory: 64M
        disk: /srv/guests/mail.qcow2
        network: { bridge: br0, mac: "52:54:00:12:34:56" }
      - name: files
        driver: qemu
        memory: 1G
        disk: { file: /dev/vg/files, locking: auto }
        network: { bridge: br0, mac: "52:54:00:12:34:57" }
`;

const problemsAfter = (edits: readonly Edit[]) => problemsOf(sound, edits);

test('the configuration that the cases start from is sound', (t) => {
  t.deepEqual(problemsAfter([]), []);
});

const cases = String.raw`
a typo in a key
  keepalive: => keepalve:
  6:3: heartbeat.keepalve: unknown key; did you mean "keepalive"?
an underscore in a key
  failback: => failback_delay:
  18:5: groups.office.failback_delay: unknown key; did you mean "failback-delay"?
a key like no other
  cluster: office => cluster: office\ncolour: red
  2:1: colour: unknown key; expected one of the keys cluster, nodes, heartbeat, connectivity, libvirt, start, fencing, witness, watchdog, drill, schedule, notify, metrics, web, groups
a typo deep in a guest
  bridge: br0, mac => modle: e1000, bridge: br0, mac
  25:20: groups.office.guests[0].network.modle: unknown key; did you mean "model"?
a typo in the long form of a disk
  locking: auto => fromat: raw
  29:38: groups.office.guests[1].disk.fromat: unknown key; did you mean "format"?
a missing key
      preferred: primary\n =>
  17:5: groups.office.preferred: missing; expected the name of a node
a missing section
  cluster: office\n =>
  1:1: cluster: missing; expected a name of letters, digits, dots, dashes and underscores (at most 31, a letter or digit first)
a missing key of a guest
          memory: 64M\n =>
  21:9: groups.office.guests[0].memory: missing; expected a size such as 64M or 1G
a number for a duration
  200ms => 200
  6:14: heartbeat.keepalive: expected a duration such as 200ms or 2s, found 200
a duration without a known unit
  30s => 30 seconds
  9:13: heartbeat.initdead: expected a duration such as 200ms or 2s, found "30 seconds"
a duration that is too long
  30s => 200h
  9:13: heartbeat.initdead: expected a duration from 0s to 168h, found "200h"
a keepalive that is too short
  200ms => 9ms
  6:14: heartbeat.keepalive: expected a duration from 10ms to 168h, found "9ms"
a warntime of less than two keepalives
  800ms => 399ms
  7:13: heartbeat.warntime: expected at least twice keepalive, which is 200ms, found 399ms
a deadtime before warntime
  2s => 500ms
  8:13: heartbeat.deadtime: expected more than warntime, which is 800ms, found 500ms
an initdead before deadtime
  30s => 1s
  9:13: heartbeat.initdead: expected at least deadtime, which is 2s, found 1s
a timing out of order with a default
    warntime: 800ms\n  deadtime: 2s\n  initdead: 30s\n =>   initdead: 1s\n
  7:13: heartbeat.initdead: expected at least deadtime, which is 2s by default, found 1s
a keepalive beyond the default warntime
    keepalive: 200ms\n  warntime: 800ms\n =>   keepalive: 401ms\n
  6:14: heartbeat.keepalive: expected at most half of warntime, which is 800ms by default, found 401ms
one node
    secondary: { address: 192.168.1.3 }\n =>
  2:1: nodes: expected exactly two nodes, found 1
three nodes
  heartbeat: =>   third: { address: 192.168.1.4 }\nheartbeat:
  2:1: nodes: expected exactly two nodes, found 3
two nodes with one address
  192.168.1.3 => 192.168.1.2
  4:25: nodes.secondary.address: the same as nodes.primary.address; expected each node its own address
a node address that is none
  192.168.1.3 => 192.168.1.300
  4:25: nodes.secondary.address: expected an IPv4 address such as 192.168.1.2, found "192.168.1.300"
a cluster name with a space
  cluster: office => cluster: my office
  1:10: cluster: expected a name of letters, digits, dots, dashes and underscores (at most 31, a letter or digit first), found "my office"
a cluster name that is a number
  cluster: office => cluster: 7
  1:10: cluster: expected a name of letters, digits, dots, dashes and underscores (at most 31, a letter or digit first), in quotes, found 7
a group name with a slash
    office: =>   a/b:
  16:3: groups."a/b": expected a name of letters, digits, dots, dashes and underscores (at most 31, a letter or digit first), found "a/b"
a preferred node that does not exist
  preferred: primary => preferred: primry
  17:16: groups.office.preferred: expected one of the nodes primary, secondary, found "primry"; did you mean "primary"?
a word that is not among the choices
  failback: manual => failback: automatc
  18:15: groups.office.failback: expected manual or automatic, found "automatc"; did you mean "automatic"?
an unknown driver
  driver: qemu => driver: xen
  22:17: groups.office.guests[0].driver: expected libvirt or qemu, found "xen"
no links
  \n    - { interface: eth1 }\n    - { interface: eth0, mode: unicast } =>  []
  10:10: heartbeat.links: expected a list of at least one link, found an empty list
an interface name that is too long
  interface: eth1 => interface: enp0s31f6000000x
  11:20: heartbeat.links[0].interface: expected the name of a network interface such as eth0 (at most 15 characters), found "enp0s31f6000000x"
a port that is out of range
  interface: eth1 => interface: eth1, port: 70000
  11:32: heartbeat.links[0].port: expected a UDP port from 1 to 65535, found 70000
the same link twice
  { interface: eth1 } => { port: 694, mode: unicast, interface: eth0 }
  12:7: heartbeat.links[1]: the same as heartbeat.links[0]; expected each link to differ in interface, mode or port
a group on a link that is not multicast
  interface: eth1 => interface: eth1, group: 239.1.1.1
  11:26: heartbeat.links[0].group: only a link with mode multicast takes this key; this one is broadcast
a multicast group that is none
  interface: eth1 => interface: eth1, mode: multicast, group: 10.0.0.1
  11:50: heartbeat.links[0].group: expected an IPv4 multicast address such as 239.255.66.94, found "10.0.0.1"
addresses on a link that is not unicast
  interface: eth1 => interface: eth1, addresses: {}
  11:26: heartbeat.links[0].addresses: only a link with mode unicast takes this key; this one is broadcast
unicast addresses without one node
  mode: unicast => mode: unicast, addresses: { primary: 10.0.0.1 }
  12:52: heartbeat.links[1].addresses.secondary: missing; expected an address for each of primary and secondary
a ping address that is none
  192.168.1.254 => gateway
  14:10: connectivity.ping[0]: expected an IPv4 or IPv6 address, found "gateway"
a ping address that is a floating one
  192.168.1.254 => 192.168.1.1
  14:10: connectivity.ping[0]: 192.168.1.1 is a floating address; expected an address beyond both nodes, such as the gateway
a floating address without a prefix
  192.168.1.1/24 => 192.168.1.1
  19:17: groups.office.addresses[0]: expected an address such as 192.168.1.1/24 dev eth0, found "192.168.1.1 dev eth0"
a floating address with too long a prefix
  192.168.1.1/24 => 192.168.1.1/33
  19:17: groups.office.addresses[0]: expected an address such as 192.168.1.1/24 dev eth0, found "192.168.1.1/33 dev eth0"
a floating address that is a node's own
  192.168.1.1/24 => 192.168.1.2/24
  19:17: groups.office.addresses[0]: 192.168.1.2 is the own address of node primary; expected an address that no node has of its own
the same floating address twice
  [192.168.1.1/24 dev eth0] => [fe80::1/64 dev eth0, FE80:0::1/64 dev eth1]
  19:38: groups.office.addresses[1]: the same as groups.office.addresses[0]; expected each floating address once
the same guest name twice
  name: files => name: mail
  26:15: groups.office.guests[1].name: the same as groups.office.guests[0].name; expected each guest to have its own name
the same MAC address twice
  34:57 => 34:56
  30:38: groups.office.guests[1].network.mac: the same as groups.office.guests[0].network.mac; expected each guest to have its own MAC address
the same disk twice
  /dev/vg/files => /srv//guests/mail.qcow2
  29:23: groups.office.guests[1].disk.file: the same as groups.office.guests[0].disk; expected each disk to be mounted once, or to belong to one guest
a device that is mounted, and written to by a guest
  guests:\n => filesystems: [{ device: /dev/vg/../vg/files, mount: /srv/files }]\n    guests:\n
  30:23: groups.office.guests[1].disk.file: the same as groups.office.filesystems[0].device; expected each disk to be mounted once, or to belong to one guest
a device that another group mounts
  groups:\n => groups:\n  files: { preferred: primary, filesystems: [{ device: /srv/guests/mail.qcow2, mount: /srv/files }] }\n
  25:15: groups.office.guests[0].disk: the same as groups.files.filesystems[0].device; expected each disk to be mounted once, or to belong to one guest
/ as a mount point
  guests:\n => filesystems: [{ device: /dev/drbd0, mount: / }]\n    guests:\n
  20:48: groups.office.filesystems[0].mount: expected a directory of its own such as /srv/guests, not one of the system, found "/"
/etc/ as a mount point
  guests:\n => filesystems: [{ device: /dev/drbd0, mount: /etc/ }]\n    guests:\n
  20:48: groups.office.filesystems[0].mount: expected a directory of its own such as /srv/guests, not one of the system, found "/etc/"
/var//lib as a mount point
  guests:\n => filesystems: [{ device: /dev/drbd0, mount: /var//lib }]\n    guests:\n
  20:48: groups.office.filesystems[0].mount: expected a directory of its own such as /srv/guests, not one of the system, found "/var//lib"
/proc/mounts as a mount point
  guests:\n => filesystems: [{ device: /dev/drbd0, mount: /proc/mounts }]\n    guests:\n
  20:48: groups.office.filesystems[0].mount: expected a directory of its own such as /srv/guests, not one of the system, found "/proc/mounts"
/home as a mount point
  guests:\n => filesystems: [{ device: /dev/drbd0, mount: /home }]\n    guests:\n
  20:48: groups.office.filesystems[0].mount: expected a directory of its own such as /srv/guests, not one of the system, found "/home"
a mount point that goes up
  guests:\n => filesystems: [{ device: /dev/drbd0, mount: /srv/../etc }]\n    guests:\n
  20:48: groups.office.filesystems[0].mount: expected a path without "..", found "/srv/../etc"
a mount point with a slash at its end
  guests:\n => filesystems: [{ device: /dev/drbd0, mount: /srv/guests/ }]\n    guests:\n
  20:48: groups.office.filesystems[0].mount: expected a path without a slash at its end, found "/srv/guests/"
a mount point that is no path
  guests:\n => filesystems: [{ device: /dev/drbd0, mount: srv }]\n    guests:\n
  20:48: groups.office.filesystems[0].mount: expected an absolute path, found "srv"
a device by its UUID
  guests:\n => filesystems: [{ device: "UUID=123", mount: /srv/guests }]\n    guests:\n
  20:29: groups.office.filesystems[0].device: expected a device such as /dev/drbd0, not a UUID, found "UUID=123"
a device by its label
  guests:\n => filesystems: [{ device: "LABEL=/guests", mount: /srv/guests }]\n    guests:\n
  20:29: groups.office.filesystems[0].device: expected a device such as /dev/drbd0, not a LABEL, found "LABEL=/guests"
a device that is no path
  guests:\n => filesystems: [{ device: drbd0, mount: /srv/guests }]\n    guests:\n
  20:29: groups.office.filesystems[0].device: expected an absolute path, found "drbd0"
a mount under one that comes later
  guests:\n => filesystems: [{ device: /dev/drbd0, mount: /srv/x/mail }, { device: /dev/drbd1, mount: /srv/x }]\n    guests:\n
  20:48: groups.office.filesystems[0].mount: /srv/x/mail is under /srv/x, which is groups.office.filesystems[1].mount; expected a file system under another one to come after it, in the same group
a mount under one of another group
  groups:\n  office:\n => groups:\n  files: { preferred: primary, filesystems: [{ device: /dev/drbd0, mount: /srv/x }] }\n  office:\n    filesystems: [{ device: /dev/drbd1, mount: /srv/x/mail }]\n
  18:48: groups.office.filesystems[0].mount: /srv/x/mail is under /srv/x, which is groups.files.filesystems[0].mount; expected a file system under another one to come after it, in the same group
all resources at once
  guests:\n => drbd: [all]\n    guests:\n
  20:12: groups.office.drbd[0]: expected the name of one DRBD resource such as r0 (all is drbdadm's word for every one), found "all"
a disk that is no path
  disk: /srv/guests/mail.qcow2 => disk: mail.qcow2
  24:15: groups.office.guests[0].disk: expected an absolute path, found "mail.qcow2"
a disk that is neither path nor mapping
  disk: /srv/guests/mail.qcow2 => disk: 5
  24:15: groups.office.guests[0].disk: expected an absolute path, or a mapping with the keys file, format, locking, found 5
a size without a unit
  memory: 64M => memory: 64
  23:17: groups.office.guests[0].memory: expected a size such as 64M or 1G, found 64
a multicast MAC address
  "52:54:00:12:34:56" => "53:54:00:12:34:56"
  25:38: groups.office.guests[0].network.mac: expected a MAC address of one card such as 52:54:00:12:34:56, found "53:54:00:12:34:56"
a section that was left empty
    ping: [192.168.1.254]\n =>
  13:1: connectivity: expected a mapping with the keys ping, found nothing
a list where a mapping belongs
  { address: 192.168.1.3 } => [192.168.1.3]
  4:14: nodes.secondary: expected a mapping with the keys address, found a list
a key given twice
    deadtime: 2s\n =>   deadtime: 2s\n  keepalive: 200ms\n
  9:3: heartbeat.keepalive: given twice; the first is in line 6
an unclosed bracket
  [192.168.1.254] => [192.168.1.254
  15:1: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]
a tab for indentation
  cluster: => \tcluster:
  1:1: not valid YAML: Tabs are not allowed as indentation
an alias of nothing
  cluster: office => cluster: *name
  1:10: not valid YAML: *name is used, but nothing before it is marked &name
an unknown tag
  cluster: office => cluster: !name office
  1:10: not valid YAML: Unresolved tag: !name
a second document
  groups: => ---\ngroups:
  15:1: expected one document, found 2; the second one starts here
a node name with a space
    secondary: =>   my secondary:
  4:3: nodes."my secondary": expected a name of letters, digits, dots, dashes and underscores (at most 63, a letter or digit first), found "my secondary"
a reserved key
  groups: => groups:\n  __proto__: { preferred: primary }
  16:3: groups.__proto__: expected a name of letters, digits, dots, dashes and underscores (at most 31, a letter or digit first), found "__proto__"
a foreign name in unicast addresses
  mode: unicast => mode: unicast, addresses: { primary: 10.0.0.1, secondary: 10.0.0.2, tertiary: 10.0.0.3 }
  12:94: heartbeat.links[1].addresses.tertiary: expected one of the nodes primary, secondary, found "tertiary"
a word without quotes that YAML takes for another thing
  locking: auto => locking: false
  29:47: groups.office.guests[1].disk.locking: expected auto or off, found false
`;

for (const { title, edit, problem } of casesIn(cases)) {
  test(`${title} is told with its place and key`, (t) => {
    t.deepEqual(problemsAfter([edit]).map(formatProblem), [`battito.yaml:${problem}`]);
  });
}

test('a mount under one that comes before it in its group is sound, and so is one beside it', (t) => {
  const entries = ['/srv/x', '/srv/x/mail', '/srv/xy', '/srv/x/mail/new', '/var/lib/libvirt']
    .map((mount, minor) => `{ device: /dev/drbd${minor}, mount: ${mount} }`)
    .join(', ');
  t.deepEqual(problemsAfter([['    guests:\n', `    filesystems: [${entries}]\n    guests:\n`]]), []);
});

test('what only follows from an error in the YAML is not told', (t) => {
  const problems = problemsAfter([['bridge: br0', 'bridge: br [0]']]).map(formatProblem);
  t.is(problems[0], 'battito.yaml:25:31: not valid YAML: Unexpected flow-seq-start at node end');
  t.true(problems.length <= 3, problems.join('\n'));
});

test('a file without content, of the wrong shape or without groups is told at its place', (t) => {
  const only = (text: string) => problemsAfter([[sound, text]]).map(formatProblem);
  const keys =
    'cluster, nodes, heartbeat, connectivity, libvirt, start, fencing, witness, watchdog, drill, schedule, notify, metrics, web, groups';
  const empty =
    'battito.yaml:1:1: the file is empty; expected a configuration, such as the example battito.yaml';
  t.deepEqual(only(''), [empty]);
  t.deepEqual(only('# nothing\n'), [empty]);
  t.deepEqual(only('---\n...\n'), [empty]);
  t.deepEqual(only('- office\n'), [
    `battito.yaml:1:1: expected a mapping with the keys ${keys}, found a list`,
  ]);
  t.deepEqual(only(`${sound.slice(0, sound.indexOf('groups:'))}groups: {}\n`), [
    'battito.yaml:15:1: groups: expected at least one group, found none',
  ]);
});

test('a timing that is out of order with its neighbour is told where it was given', (t) => {
  const timings = (given: string) =>
    problemsAfter([[sound.slice(sound.indexOf('  keepalive'), sound.indexOf('  links')), given]]).map(
      formatProblem,
    );
  t.deepEqual(timings('  initdead: 1s\n'), [
    'battito.yaml:6:13: heartbeat.initdead: expected at least deadtime, which is 2s by default, found 1s',
  ]);
  t.deepEqual(timings('  keepalive: 1s\n'), [
    'battito.yaml:6:14: heartbeat.keepalive: expected at most half of warntime, which is 800ms by default, found 1s',
  ]);
  t.deepEqual(timings('  deadtime: 1m\n'), [
    'battito.yaml:6:13: heartbeat.deadtime: expected at most initdead, which is 30s by default, found 1m',
  ]);
  t.deepEqual(timings('  deadtime: 30s\n'), []);
});

test('all problems of a file are told at once, in reading order, each with what was expected', (t) => {
  const problems = problemsAfter([
    ['keepalive', 'keepalve'],
    ['2s', '100ms'],
    ['192.168.1.3', '192.168.1.2'],
    ['  ping', '  pong'],
    ['primary\n', 'tertiary\n'],
    ['memory: 64M', 'memory: lots'],
    ['34:57', '34:56'],
    ['driver: qemu\n        memory: 1G', 'driver: qemu\n        driver: qemu\n        memory: 1G'],
  ]);
  t.deepEqual(
    problems.map(({ line, column, path }) => `${line}:${column} ${path}`),
    [
      '4:25 nodes.secondary.address',
      '6:3 heartbeat.keepalve',
      '8:13 heartbeat.deadtime',
      '14:3 connectivity.pong',
      '17:16 groups.office.preferred',
      '23:17 groups.office.guests[0].memory',
      '28:9 groups.office.guests[1].driver',
      '31:38 groups.office.guests[1].network.mac',
    ],
  );
  t.true(problems.every(({ expected }) => expected.length > 0));
  t.is(problems[1]?.suggestion, 'keepalive');
  t.is(problems[5]?.found, '"lots"');
});

test('problems behind a wrong name are told as well', (t) => {
  const problems = problemsAfter([['  primary: { address: 192.168.1.2 }', '  my node: { address: here }']]);
  t.deepEqual(
    problems.map(({ path }) => path),
    ['nodes."my node"', 'nodes."my node".address', 'groups.office.preferred'],
  );
});

test('no text makes the parser throw', (t) => {
  for (let length = 0; length < sound.length; length += 7) {
    const cut = sound.slice(0, length);
    t.notThrows(() => parseConfig(cut, 'cut.yaml'));
    t.notThrows(() =>
      parseConfig(`${cut}[*a, &a [*a], ? {b: }, - }\n${sound.slice(length)}`, 'spliced.yaml'),
    );
  }
  t.false(parseConfig('a: &a [*a]\n', 'cycle.yaml').ok);
});
