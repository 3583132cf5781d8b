// What `battito check` says of libvirt domains: which are guests and which are left out, what would keep one from being
// started here, and the command that mends each. On a scripted libvirt; its files are not read.

import { mkdir, symlink } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import type { StoredDefinition } from '../../daemon/cli/check/definitions.ts';
import { noDefinitions } from '../../daemon/cli/check/definitions.ts';
import { checkGuestMemory } from '../../daemon/cli/check/guest-memory.ts';
import { BattitoError } from '../../daemon/errors.ts';
import { temporaryDirectory } from '../support.ts';
import {
  configOf,
  diskXml,
  domainXml,
  type FakeHost,
  findingsOf,
  foundOn,
  officeStorage,
} from './support/check-host.ts';
import { uuidOf } from './support/definitions.ts';
import { useFakeVirsh } from './support/fake-libvirt.ts';

useFakeVirsh();

const answers = 'ok: URI answers';
const named = (guests: string) => `${officeStorage}, guests: [${guests}]`;
const sent = (name: string, xml = domainXml(name), group = 'office'): StoredDefinition => ({
  name,
  uuid: uuidOf(name),
  group,
  xml,
});
const fromPeer = (...stored: readonly StoredDefinition[]) => ({ ...noDefinitions, stored });

test('without libvirt domains nothing is asked', async (t) => {
  t.deepEqual(await findingsOf(t, { group: 'failback: manual', domains: { mail: { xml: '' } } }), {
    told: [],
    known: [],
    guests: [],
  });
});

test('guests whose disks are on the storage of their group are one line each, and are known with their memory', async (t) => {
  const domains = {
    mail: { xml: domainXml('mail') },
    web: { xml: domainXml('web', { memoryMiB: 1024 }) },
  };
  t.like(await findingsOf(t, { domains }), {
    told: [
      answers,
      'ok: mail: its disks are on the storage of office',
      'ok: web: its disks are on the storage of office',
    ],
    known: [
      ['mail', 586],
      ['web', 1100],
    ],
  });
});

test('of `all`, what lies partly on the storage is a problem, and what lies wholly elsewhere is said', async (t) => {
  const [image, scratch] = ['/srv/guests/half.raw', '/var/lib/libvirt/images/scratch.raw'];
  const backing =
    "<backingStore type='file'><format type='qcow2'/><source file='/var/lib/libvirt/images/base.qcow2'/><backingStore/></backingStore>";
  const { told, known } = await findingsOf(t, {
    domains: {
      half: { xml: domainXml('half', { devices: diskXml(image) + diskXml(scratch, 'vdb') }) },
      own: { xml: domainXml('own', { devices: diskXml(scratch) }) },
      thin: { xml: domainXml('thin', { devices: diskXml('/srv/guests/thin.qcow2', 'vda', backing) }) },
      router: { xml: domainXml('router', { devices: '' }) },
    },
  });
  const elsewhere = 'is not on /srv/guests, so the other node has no copy of it';
  t.deepEqual(told.slice(1), [
    `problem: half is left out of office, though it has a disk on its storage: disk vdb: ${scratch} ${elsewhere} | qemu-img convert -p -O raw ${scratch} /srv/guests/scratch.raw && virsh edit half   # while it is off: name the copy in disk vdb`,
    `info: own is no guest of a group, it stays on this node: ${scratch} ${elsewhere}`,
    `problem: thin is left out of office, though it has a disk on its storage: disk vda: /var/lib/libvirt/images/base.qcow2, which the image above it needs, ${elsewhere} | qemu-img rebase -f qcow2 -b '' /srv/guests/thin.qcow2   # while it is off: takes in what it needs of /var/lib/libvirt/images/base.qcow2`,
    'info: router is no guest of a group, it stays on this node: it has no disk to be moved with',
  ]);
  t.deepEqual(known, []);
});

test('a named guest with a disk elsewhere cannot fail over, and that is a problem', async (t) => {
  const rbd =
    "<disk type='network' device='disk'><source protocol='rbd' name='pool/web'/><target dev='vdb'/></disk>";
  const xml = domainXml('web', { devices: diskXml('/srv/guests/web.raw') + rbd });
  const { told } = await findingsOf(t, { group: named('web'), domains: { web: { xml } } });
  t.deepEqual(told.slice(1), [
    "problem: web: it cannot fail over with office: disk vdb: it is a network disk (rbd:pool/web), which is not on the group's storage | virsh edit web   # give it a disk on /srv/guests instead of vdb",
  ]);
});

test('a group without storage has guests on a storage that both nodes see, which is to be looked at', async (t) => {
  const domains = { web: { xml: domainXml('web') } };
  const { told } = await findingsOf(t, { group: 'guests: [web]', domains });
  t.deepEqual(told.slice(1), [
    'warning: web: office has no storage of its own, so both nodes must have vda, /srv/guests/web.raw, the very same | ls -lL /srv/guests/web.raw   # on both nodes; leave it if it is on a storage that both see',
  ]);
});

test('where the tools of DRBD do not tell its devices, a device is not called a wrong one', async (t) => {
  const device = (dev: string) =>
    `<disk type='block' device='disk'><driver type='raw'/><source dev='${dev}'/><target dev='vda'/></disk>`;
  const domains = {
    byNumber: { xml: domainXml('byNumber', { devices: device('/dev/drbd7') }) },
    byName: { xml: domainXml('byName', { devices: device('/dev/drbd/by-res/none-such/0') }) },
  };
  const { told } = await findingsOf(t, {
    group: 'drbd: [none-such], guests: [byNumber, byName]',
    domains,
  });
  t.deepEqual(told.slice(1), [
    'info: byNumber: whether /dev/drbd7 is a device of none-such cannot be told: see DRBD',
    'ok: byName: its disks are on the storage of office',
  ]);
});

test('before the first start of the daemons a guest of the other host is not known yet, which is no problem', async (t) => {
  const { told } = await findingsOf(t, { group: named('mail') });
  t.deepEqual(told.slice(1), [
    'info: mail: libvirt does not know it here yet: secondary sends its definition when both daemons run; then check again',
  ]);
});

test('a guest that nobody has defined is a problem, with the nearest name; one that the peer has sent is none', async (t) => {
  const host = { group: named('mial, web'), domains: { mail: { xml: domainXml('mail') } } };
  const { told, known } = await findingsOf(t, host, fromPeer(sent('web')));
  t.deepEqual(told.slice(1), [
    'problem: mial: libvirt does not know it here, and secondary has sent no definition: nothing can start it here; did you mean mail? | virsh list --all --name   # on both nodes: is it called otherwise? correct guests in the configuration; is it on secondary? battito guests says why it was not sent',
    'ok: web: its disks are on the storage of office; not defined here, but secondary has sent its definition',
  ]);
  t.deepEqual(known, [
    ['mial', 0],
    ['web', 586],
  ]);
});

test('what `all` takes on the other node is taken here by the definition that it has sent', async (t) => {
  const block = "<disk type='block' device='disk'><source dev='/dev/vg9/x'/><target dev='vda'/></disk>";
  const told = async (stored: StoredDefinition) => (await findingsOf(t, {}, fromPeer(stored))).told.slice(1);
  t.deepEqual(await told(sent('web')), [
    'ok: web: its disks are on the storage of office; not defined here, but secondary has sent its definition',
  ]);
  const [problem = ''] = await told(sent('web', domainXml('web', { devices: block })));
  t.regex(
    problem,
    /^problem: web: it cannot fail over with office: disk vda: \/dev\/vg9\/x .* \| on secondary: /,
  );
  t.deepEqual(await told(sent('web', domainXml('web', { devices: block }), 'another')), []);
});

test('what is not mounted here is said to be seen only on the other node', async (t) => {
  const { told } = await findingsOf(t, { mounted: false, domains: { mail: { xml: domainXml('mail') } } });
  t.is(
    told.at(-1),
    'info: /srv/guests is not mounted here: whether the images of office are there, and what they stand on, is to be seen only where it runs',
  );
});

test('a definition that cannot be read, and a transient domain, are told', async (t) => {
  const { told } = await findingsOf(t, {
    domains: {
      lxc: { xml: domainXml('lxc', { type: 'lxc' }) },
      mail: { xml: domainXml('mail'), transient: true },
    },
  });
  t.regex(
    told[1] ?? '',
    /^problem: definition of lxc: domain lxc is a container \(type lxc\): .* \| leave it out/,
  );
  t.is(
    told[2],
    'problem: mail: it is transient, so that nothing is left of it once it is off | virsh dumpxml mail >mail.xml && virsh define mail.xml',
  );
  t.is(told.length, 3);
});

test('a guest that libvirt starts with the host is a problem; another domain may be', async (t) => {
  const own = domainXml('own', { devices: diskXml('/var/own.raw') });
  const { told } = await findingsOf(t, {
    domains: {
      mail: { xml: domainXml('mail'), autostart: true },
      own: { xml: own, autostart: true },
    },
  });
  t.deepEqual(
    told.filter((line) => line.includes('by itself')),
    [
      'problem: mail: libvirt starts it by itself with this host, even while it runs on the other one | virsh autostart --disable mail',
    ],
  );
});

test('who is to wait for a guest that there is not waits for nobody, which is a problem where all are known', async (t) => {
  const waits = (name: string) => `[all, { name: web, after: [${name}] }]`;
  const domains = { mail: { xml: domainXml('mail') }, web: { xml: domainXml('web') } };
  const told = async (guests: string, changes: FakeHost = {}, definitions = noDefinitions) =>
    (
      await findingsOf(t, { group: `${officeStorage}, guests: ${guests}`, domains, ...changes }, definitions)
    ).told.filter((line) => !/^(ok|problem: nobody)/.test(line));
  const mend = (name: string) =>
    `battito guests   # which there are; then correct \`after\` of ${name} in the configuration, on both nodes`;
  t.deepEqual(await told(waits('mail')), []);
  t.deepEqual(await told(waits('mial')), [
    `problem: web: it is to start after mial, which is none of office's guests: it waits for nobody; did you mean mail? | ${mend('web')}`,
  ]);
  t.deepEqual(await told(waits('database'), {}, fromPeer(sent('web'))), [
    `problem: web: it is to start after database, which is none of office's guests: it waits for nobody | ${mend('web')}`,
  ]);
  const unsure = [
    'info: web: whether there is a guest database, which it waits for, cannot be told yet: secondary has sent no definition of it',
  ];
  t.deepEqual(await told(waits('database')), unsure, 'before the first start');
  t.deepEqual(await told(waits('database'), { down: true }, fromPeer(sent('web'))), unsure);
  const dns = { xml: domainXml('dns', { devices: diskXml('/srv/shop/dns.raw') }) };
  const shop =
    'shop: { preferred: primary, filesystems: [{ device: /dev/vg0/shop, mount: /srv/shop }], guests: all';
  t.deepEqual(
    await told(`${waits('dns')} }, ${shop}`, { domains: { ...domains, dns }, files: ['/srv/shop/dns.raw'] }),
    [
      `problem: web: it is to start after dns, which is one of group shop, not of office's guests: it waits for nobody | ${mend('web')}`,
    ],
  );
});

test('names that virsh, a file or the configuration cannot take are told', async (t) => {
  const names = ['4711', 'n'.repeat(241), 'a mail server'];
  const domains = Object.fromEntries(names.map((name) => [name, { xml: domainXml(name) }]));
  const { told } = await findingsOf(t, { domains });
  const without = (text: string) => text.replaceAll('n'.repeat(241), 'NNN');
  t.deepEqual(told.slice(1).map(without), [
    `problem: 4711: virsh takes this name for an id, so that it cannot be asked for, nor be started | virsh domrename ${uuidOf('4711')} NEW-NAME   # while it is off`,
    `problem: NNN: the name is too long, at most 240 bytes fit into a file's name | virsh domrename ${uuidOf('n'.repeat(241))} NEW-NAME   # while it is off`,
    'info: a mail server: a name with blanks, with other letters, or of more than 31: the configuration cannot name it, to give it options or in `after`; with `all` it is started like the others',
    'ok: a mail server: its disks are on the storage of office',
  ]);
});

test('what a definition of the other node holds reaches no terminal as it is', async (t) => {
  const xml = domainXml('web', { devices: diskXml('/iso/&#27;[2J') });
  const { told } = await findingsOf(t, { group: named('web') }, fromPeer(sent('web', xml)));
  t.regex(told[1] ?? '', /^problem: web: it cannot fail over/);
  t.false(told.join('').includes('\u001b'));
});

test('media and state outside the storage are told, with what brings them onto it', async (t) => {
  const drive = (file: string, target: string) =>
    `<disk type='file' device='cdrom'><driver type='raw'/><source file='${file}'/><target dev='${target}'/></disk>`;
  const os = "<loader type='pflash'>/usr/share/OVMF/CODE.fd</loader><nvram>/var/lib/mail_VARS.fd</nvram>";
  const devices = `${diskXml('/srv/guests/mail.raw')}${drive('/iso/here.iso', 'sda')}${drive('/iso/gone.iso', 'sdb')}<tpm><backend type='emulator'/></tpm>`;
  const files = ['/iso/here.iso', '/usr/share/OVMF/CODE.fd', '/usr/bin/swtpm'];
  const { told } = await findingsOf(t, {
    domains: { mail: { xml: domainXml('mail', { os, devices }) } },
    files,
  });
  const tpm = `/var/lib/libvirt/swtpm/${uuidOf('mail')}`;
  t.deepEqual(told.slice(1), [
    "warning: mail: the medium in sda, /iso/here.iso, is not on the group's storage; where it is missing the guest does not start (it is here; is it on secondary?) | virsh change-media mail sda --eject --config",
    'problem: mail: /iso/gone.iso, which it names, is not here: it cannot start here | virsh change-media mail sdb --eject --config',
    "warning: mail: /var/lib/mail_VARS.fd is not on the group's storage: the variables of its UEFI, with the order it boots in; the other node starts with others | cp /var/lib/mail_VARS.fd /srv/guests/ && virsh edit mail   # and name the copy in <nvram>",
    `warning: mail: ${tpm} is not on the group's storage: the state of its TPM; what is sealed with it cannot be opened on the other node | cp -a ${tpm} /srv/guests/ && virsh edit mail   # and name the copy in <backend>, which newer versions of libvirt take: <source type='dir' path='...'/>`,
  ]);
});

test('networks, bridges and interfaces that are missing are told once, with all who need them', async (t) => {
  const card = (type: string, source: string) => `<interface type='${type}'><source ${source}/></interface>`;
  const devices = (name: string, cards: string) =>
    domainXml(name, { devices: diskXml(`/srv/guests/${name}`) + cards });
  const all = ['lan', 'lost', 'late', 'quiet'].map((name) => card('network', `network='${name}'`)).join('');
  const bridges = ['br0', 'br7', 'eth0'].map((name) => card('bridge', `bridge='${name}'`)).join('');
  const { told } = await findingsOf(t, {
    domains: {
      mail: { xml: devices('mail', all + bridges) },
      web: {
        xml: devices('web', card('network', "network='lost'") + card('direct', "dev='eth9' mode='bridge'")),
      },
    },
    networks: ['lan', '-late', '*quiet'],
    files: ['/sys/class/net/br0', '/sys/class/net/br0/bridge', '/sys/class/net/eth0'],
  });
  t.deepEqual(told.slice(3), [
    'problem: there is no bridge br7 here: mail cannot start | ip link add br7 type bridge   # and make it permanent',
    'problem: eth0 is not a bridge: mail cannot start | ip -brief link show type bridge   # shows the bridges; on which one are they on secondary?',
    'problem: there is no interface eth9 here: web cannot start | ip -brief link   # shows the names there are; the same one has to be on both nodes',
    'problem: libvirt has no network lost here: mail, web cannot start | ssh secondary virsh net-dumpxml lost >lost.xml && virsh net-define lost.xml && virsh net-start lost && virsh net-autostart lost',
    'problem: the network late is not active here: mail cannot start | virsh net-start late && virsh net-autostart late',
    'warning: the network quiet, which mail has, is not started when this host boots | virsh net-autostart quiet',
  ]);
});

test('a bridge of Open vSwitch is one', async (t) => {
  const xml = domainXml('mail', {
    devices: `${diskXml('/srv/guests/mail.raw')}<interface type='bridge'><source bridge='ovs0'/></interface>`,
  });
  const files = ['/sys/class/net/ovs0', '/sys/class/net/ovs-system'];
  const { told } = await findingsOf(t, { domains: { mail: { xml } }, files });
  t.is(told.length, 2);
});

test('pools that are missing or not active are told, and nothing more of the disks in them', async (t) => {
  const volume = (pool: string, target: string) =>
    `<disk type='volume' device='disk'><driver type='raw'/><source pool='${pool}' volume='v.raw'/><target dev='${target}'/></disk>`;
  const xml = domainXml('web', {
    devices: volume('images', 'vda') + volume('off', 'vdb') + volume('srv/guests/pool', 'vdc'),
  });
  const { told } = await findingsOf(t, {
    group: named('web'),
    domains: { web: { xml } },
    pools: ['-off', '-srv/guests/pool'],
  });
  t.deepEqual(told.slice(1), [
    'problem: libvirt has no storage pool images here: web cannot start | ssh secondary virsh pool-dumpxml images >images.xml && virsh pool-define images.xml && virsh pool-start images && virsh pool-autostart images',
    'problem: the storage pool off is not active here: web cannot start | virsh pool-start off && virsh pool-autostart off',
    'info: storage pool srv/guests/pool lies on /srv/guests: libvirt is asked to look at it again where a guest does not find its disk in it',
  ]);
});

const capabilities = (firmware: string, models = '') =>
  `<domainCapabilities><os supported='yes'><enum name='firmware'>${firmware}</enum></os><cpu><mode name='custom' supported='yes'>${models}</mode></cpu></domainCapabilities>`;

test('emulator, firmware, KVM and TPM of other hosts are missed here', async (t) => {
  const os = "<loader type='pflash'>/usr/share/other/CODE.fd</loader><nvram>/srv/guests/vars.fd</nvram>";
  const emulator = '<emulator>/usr/libexec/qemu-kvm</emulator>';
  const devices = `${emulator}${diskXml('/srv/guests/web.raw')}<tpm><backend type='emulator'><source path='/srv/guests/tpm'/></backend></tpm>`;
  const xml = domainXml('web', { type: 'kvm', os, devices });
  const { told } = await findingsOf(t, {
    domains: { web: { xml } },
    capabilities: 'error: Cannot check QEMU binary /usr/libexec/qemu-kvm: No such file or directory',
  });
  t.deepEqual(told.slice(2), [
    'problem: there is no firmware /usr/share/other/CODE.fd here: web cannot start | apt-get install ovmf   # or, on secondary: dpkg -S /usr/share/other/CODE.fd, and install that here',
    'problem: there is no emulator /usr/libexec/qemu-kvm here: web cannot start | apt-get install qemu-system   # or, on secondary: dpkg -S /usr/libexec/qemu-kvm, and install that here',
    'problem: swtpm is missing: web, with an emulated TPM, cannot start | apt-get install swtpm swtpm-tools',
    'problem: /dev/kvm is missing: web, of type kvm, cannot start | modprobe kvm_intel || modprobe kvm_amd   # and allow virtualisation in the firmware',
  ]);
});

test('a machine type, a processor and a firmware that this libvirt does not have are told', async (t) => {
  const cpu = "<cpu mode='custom' match='exact' check='partial'><model>Skylake-Server</model></cpu>";
  const unchecked = cpu.replace('partial', 'none');
  const os = '<loader/><nvram>/srv/guests/uefi.fd</nvram>';
  const domains = {
    mail: { xml: domainXml('mail', { cpu }) },
    dns: { xml: domainXml('dns', { cpu: unchecked }) },
    uefi: { xml: domainXml('uefi', { os }) },
  };
  const lacking = await findingsOf(t, { domains, capabilities: capabilities(''), lacksCpu: true });
  t.deepEqual(lacking.told.slice(4), [
    'problem: libvirt has no UEFI firmware to choose from here: uefi cannot start | apt-get install ovmf',
    "problem: mail: this host's processor is no Skylake-Server with all that the definition asks for: it cannot start here | virsh edit mail   # <cpu> with a model that both nodes have; here, and on secondary: virsh domcapabilities | grep \"usable='yes'\"",
  ]);
  const well = await findingsOf(t, { domains, capabilities: capabilities('<value>efi</value>') });
  t.is(well.told.length, 4);
  const silent = await findingsOf(t, { domains });
  t.is(silent.told.length, 4, 'what is not told is no fault');
  const other = await findingsOf(t, {
    domains: { mail: { xml: domainXml('mail', { machine: 'pc-q35-99.2' }) } },
    capabilities:
      "error: failed to get emulator capabilities\nerror: invalid argument: the machine 'pc-q35-99.2' is not supported by emulator '/usr/bin/qemu-system-x86_64'",
  });
  t.deepEqual(other.told.slice(2), [
    "problem: machine type pc-q35-99.2: the machine 'pc-q35-99.2' is not supported by emulator '/usr/bin/qemu-system-x86_64': mail cannot start here | virsh edit mail   # a machine type that both nodes have: virsh capabilities | grep canonical; or bring QEMU to the same version on both: apt-get install qemu-system-x86",
  ]);
});

test('devices of the host go with it only where the other node has the same', async (t) => {
  const pci = (bus: string) =>
    `<hostdev mode='subsystem' type='pci'><source><address domain='0' bus='${bus}' slot='0' function='1'/></source></hostdev>`;
  const usb =
    "<hostdev mode='subsystem' type='usb'><source><vendor id='0x0658'/><product id='0x0200'/></source></hostdev>";
  const xml = domainXml('pbx', { devices: diskXml('/srv/guests/pbx') + pci('0x3b') + pci('0x4b') + usb });
  const files = ['/sys/bus/pci/devices/0000:3b:00.1'];
  const { told } = await findingsOf(t, { domains: { pbx: { xml } }, files });
  t.deepEqual(told.slice(2), [
    'warning: pbx: it has the pci device 0000:3b:00.1 of its host: it fails over only as long as secondary has the same one at the same address | lspci -s 0000:3b:00.1   # on both nodes; not there? virsh edit pbx, and take the <hostdev> out',
    'problem: pbx: the pci device 0000:4b:00.1 is not in this host: it cannot start here | virsh edit pbx   # take the <hostdev> out, or have the same device at the same address: lspci -s 0000:4b:00.1, on both nodes',
    'warning: pbx: it has the usb device 0658:0200 of its host: it fails over only as long as secondary has the same one at the same address | lsusb -d 0658:0200   # on both nodes; not there? virsh edit pbx, and take the <hostdev> out',
  ]);
});

test("a saved memory and a processor that is the host's own are noted together", async (t) => {
  const xml = domainXml('mail', { cpu: "<cpu mode='host-passthrough'/>" });
  const told = async (handover: string) =>
    (
      await findingsOf(t, {
        group: named(`{ name: mail, handover: ${handover} }`),
        domains: { mail: { xml } },
      })
    ).told;
  t.is((await told('shutdown')).length, 2);
  t.is(
    (await told('save'))[1],
    "info: mail: its processor is its host's own (host-passthrough): a memory that was saved here goes on only on one of the same kind",
  );
});

test('a guest that is ready when its agent answers needs a channel to that', async (t) => {
  const told = async (readiness: string, channel = '') => {
    const devices = diskXml('/srv/guests/mail.raw') + channel;
    const domains = { mail: { xml: domainXml('mail', { devices }) } };
    return (await findingsOf(t, { group: named(`{ name: mail, ${readiness} }`), domains })).told.slice(1);
  };
  const well = ['ok: mail: its disks are on the storage of office'];
  const channel = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>";
  t.deepEqual(await told('readiness: agent, readiness-timeout: 90s'), [
    `warning: mail: it is ready when its agent answers (readiness), and its definition has no channel to the agent: each start is told as not ready, and the guests after it wait 90 s for nothing | virsh edit mail   # under <devices>: ${channel}; then shut it down and start it; in the guest: apt-get install qemu-guest-agent`,
  ]);
  t.deepEqual(await told('readiness: agent', channel), well);
  t.deepEqual(await told('readiness: tcp 192.168.1.10:25'), well);
});

test('a guest that is to move while it runs, and cannot, is told with what mends it', async (t) => {
  const group = `drbd: [r0], ${named('{ name: mail, handover: live }')}`;
  const { told } = await findingsOf(t, { group, domains: { mail: { xml: domainXml('mail') } } });
  t.deepEqual(
    told.filter((line) => line.includes('while it runs')),
    [
      'warning: mail: it cannot go to the other node while it runs: vda is no block device, not a device of its group by its name, /dev/drbd/by-res/RESOURCE/0 | virsh edit mail   # then shut it down and start it once',
    ],
  );
});

// ---- libvirt itself ----

const unitOf = (masked: boolean) => ({ unit: async () => ({ unit: 'virtqemud.service', masked }) });

test('a libvirt that hangs is told with its unit, and its guests are judged by what is stored', async (t) => {
  const { told } = await findingsOf(
    t,
    { group: named('mail, web'), hangs: true, sight: { ...unitOf(false), answerTimeoutMs: 200 } },
    fromPeer(sent('web')),
  );
  t.deepEqual(told, [
    'problem: URI does not answer: virtqemud.service is there and hangs, its guests run on; what it has could not be checked | systemctl status virtqemud.service; dmesg | tail   # what does it wait for? then: systemctl restart virtqemud.service',
    'info: mail: secondary has sent no definition of it; whether libvirt has one here cannot be told',
    'ok: web: its disks are on the storage of office',
  ]);
});

test('a libvirt that is down, or masked, is told with its unit; what it would start is seen by its links', async (t) => {
  const directory = temporaryDirectory(t);
  await symlink('/etc/libvirt/qemu/web.xml', path.join(directory, 'web.xml'));
  await mkdir(path.join(directory, 'other'));
  const told = async (masked: boolean) => {
    const host = {
      group: named('web'),
      sight: { ...unitOf(masked), autostartDirectory: directory },
      down: true,
    };
    return (await findingsOf(t, host, fromPeer(sent('web')))).told.map((line) =>
      line.replaceAll(directory, 'DIR'),
    );
  };
  t.deepEqual(await told(false), [
    'problem: nobody answers for URI: virtqemud.service does not run; what it has could not be checked | systemctl enable --now virtqemud.service   # it does not start? journalctl -u virtqemud.service -n 30',
    'ok: web: its disks are on the storage of office',
    'problem: web: libvirt starts it by itself with this host, even while it runs on the other one | rm DIR/web.xml   # once libvirt answers: virsh autostart --disable',
  ]);
  t.is(
    (await told(true))[0],
    'problem: nobody answers for URI: virtqemud.service is masked; what it has could not be checked | systemctl unmask virtqemud.service && systemctl enable --now virtqemud.service',
  );
});

test('the service that stops and starts guests by itself is a problem, and its end is not to stop them', async (t) => {
  const told = async (load: string, active: string, file: string) => {
    const factsOf = async (name: string) => ({ name, load, active, file });
    const { told: lines } = await findingsOf(t, { sight: { factsOf } });
    return lines.slice(1);
  };
  const why =
    "it stops or suspends guests when this host goes down, and may start them when it boots, behind Battito's back";
  t.deepEqual(await told('loaded', 'inactive', 'enabled'), [
    `problem: libvirt-guests.service is enabled: ${why} | systemctl disable libvirt-guests`,
  ]);
  const standby =
    'battito standby && systemctl disable --now libvirt-guests; battito standby off   # its end stops what runs here, so that goes first';
  t.deepEqual(await told('loaded', 'active', 'enabled'), [
    `problem: libvirt-guests.service is enabled: ${why} | ${standby}`,
  ]);
  t.deepEqual(await told('loaded', 'active', 'disabled'), [
    `problem: libvirt-guests.service is active: ${why} | ${standby}`,
  ]);
  t.deepEqual(await told('loaded', 'inactive', 'disabled'), []);
  t.deepEqual(await told('masked', 'inactive', 'masked'), []);
});

test.serial('without virsh it is said what to install', async (t) => {
  const { PATH } = process.env;
  process.env['PATH'] = '/nonexistent';
  try {
    const { told } = await findingsOf(t, { domains: {} });
    t.deepEqual(told, [
      'problem: virsh is missing: no domain can be started or stopped here | apt-get install libvirt-clients libvirt-daemon-system',
    ]);
  } finally {
    process.env['PATH'] = PATH;
  }
});

// ---- memory ----

const libvirtGuest = (name: string, priority: number, memoryMiB: number) => {
  const [guest] = configOf(`guests: [{ name: ${name}, priority: ${priority} }]`).groups[0]?.guests ?? [];
  if (guest === undefined) throw new Error('no guest');
  return { config: guest, memoryMiB };
};

test('the memory of all guests of all groups is set against that of this host, and who is left out is named', async (t) => {
  const known = new Map([
    ['office', [libvirtGuest('mail', 0, 3000), libvirtGuest('dns', 10, 500)]],
    ['shop', [libvirtGuest('web', 5, 2000), libvirtGuest('new', 0, 0)]],
  ]);
  const told = async (freeMiB: number) =>
    (
      await checkGuestMemory(configOf('failback: manual'), { known, besides: [] }, 'primary', {
        memory: async () => freeMiB,
      })
    ).map(({ level, message, mend }) => `${level}: ${message} | ${mend}`);
  const unknown = 'info: what new takes of it is not known: there is no definition here | null';
  t.deepEqual(await told(5500), [
    'ok: all 4 guests take 5500 MiB of the 5500 MiB for guests on primary | null',
    unknown,
  ]);
  t.deepEqual(await told(5499), [
    'problem: all guests together take 5500 MiB, and primary has 5499 MiB for guests: if it has to run them all it leaves out mail (3000 MiB, priority 0) | virsh setmaxmem mail SIZE --config   # or `priority` for what must run, or a smaller start.memory-reserve',
    unknown,
  ]);
});

test('a reserve that is more than the host has is a problem of its own; no guests, no words', async (t) => {
  const refuse = async () => {
    throw new BattitoError('memory-reserve-too-large', 'too much', { next: 'configure less' });
  };
  const known = new Map([['office', [libvirtGuest('mail', 0, 3000)]]]);
  const config = configOf('failback: manual');
  t.deepEqual(await checkGuestMemory(config, { known, besides: [] }, 'primary', { memory: refuse }), [
    {
      ...{ area: 'memory', level: 'problem', code: 'memory-reserve-too-large' },
      ...{ message: 'too much', mend: 'configure less' },
    },
  ]);
  const nothing = { known: new Map(), besides: [] };
  t.deepEqual(await checkGuestMemory(config, nothing, 'primary', { memory: refuse }), []);
});

test('what domains of no group take of the memory is to be kept free for them', async (t) => {
  const elsewhere = { devices: diskXml('/var/lib/libvirt/images/x.raw') };
  const domains = {
    mail: { xml: domainXml('mail') },
    firewall: { xml: domainXml('firewall', { ...elsewhere, memoryMiB: 4096 }) },
    'at boot': { xml: domainXml('at boot', { ...elsewhere, memoryMiB: 1024 }), autostart: true },
    off: { xml: domainXml('off', elsewhere) },
  };
  const script = `for name in firewall off; do
  echo "Domain: '$name'"; [ $name = off ] && echo '  state.state=5' || echo '  state.state=1'; echo '  state.reason=1'; echo
done; exit 0`;
  const { besides, known } = await foundOn(t, { domains, scripts: { 'domstats.sh': script } });
  t.deepEqual(
    besides.map(({ name }) => name),
    ['firewall', 'at boot'],
  );
  const config = configOf('failback: manual');
  const told = async (memoryReserveMiB: number | null) => {
    const start = { ...config.start, memoryReserveMiB };
    const sight = { memory: async () => 8192, totalMiB: 16_384 };
    const findings = await checkGuestMemory({ ...config, start }, { known, besides }, 'primary', sight);
    return findings.filter(({ level }) => level !== 'ok').map(({ message, mend }) => `${message} | ${mend}`);
  };
  const mend = 'start: { memory-reserve: 6104M }   # or more, on both nodes alike';
  const what = (reserve: string) =>
    `firewall (4184 MiB), at boot (1100 MiB): on primary beside the guests of the groups, now or from its next boot on, and ${reserve} configured: in a takeover the kernel may run out of memory and end one of them`;
  t.deepEqual(await told(null), [`${what('no start.memory-reserve is')} | ${mend}`]);
  t.deepEqual(await told(512), [`${what('a start.memory-reserve of 512 MiB is')} | ${mend}`]);
  t.deepEqual(await told(8192), []);
});
