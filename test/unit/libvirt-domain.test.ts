// What is read from definitions as virt-install and virt-manager make them, and from broken ones.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { parseDomain } from '../../daemon/drivers/libvirt/domain.ts';
import { BattitoError } from '../../daemon/errors.ts';

const read = (name: string) =>
  readFileSync(path.join(import.meta.dirname, 'fixtures', 'libvirt', `${name}.xml`), 'utf8');
const parse = (name: string) => parseDomain(read(name), `${name}.xml`);

test('a guest on one image: its size, machine, disk, card and agent', (t) => {
  t.deepEqual(parse('plain'), {
    name: 'mail',
    uuid: '0b8b2c1e-5a52-4f0e-9a4a-0c4f7f6f3a01',
    type: 'kvm',
    memoryMiB: 2048,
    hugePages: [],
    vcpus: 2,
    arch: 'x86_64',
    machine: 'pc-q35-7.2',
    emulator: '/usr/bin/qemu-system-x86_64',
    cpu: { mode: 'host-passthrough', model: null },
    onCrash: 'destroy',
    disks: [
      {
        target: 'vda',
        device: 'disk',
        source: { kind: 'file', path: '/srv/guests/mail.qcow2' },
        format: 'qcow2',
        cache: 'none',
        readonly: false,
        shareable: false,
        optional: false,
        backing: [],
        data: [],
      },
      {
        target: 'sda',
        device: 'cdrom',
        source: { kind: 'empty' },
        format: null,
        cache: null,
        readonly: true,
        shareable: false,
        optional: false,
        backing: [],
        data: [],
      },
    ],
    nvram: null,
    loader: null,
    bootFiles: [],
    tpm: null,
    interfaces: [{ type: 'bridge', source: 'br0', mac: '52:54:00:6b:3c:58', model: 'virtio' }],
    hostdevs: [],
    shares: [],
    agent: true,
  });
});

test('UEFI without a file of its own has the one that libvirt makes; an emulated TPM has its state by UUID', (t) => {
  const domain = parse('uefi-tpm');
  t.like(domain, {
    name: 'windows & co',
    uuid: '3f1c2b9a-77c1-4e0b-8c53-51b7d2e0a702',
    memoryMiB: 8192,
    vcpus: 4,
    nvram: '/var/lib/libvirt/qemu/nvram/windows & co_VARS.fd',
    tpm: {
      backend: 'emulator',
      stateDirectory: '/var/lib/libvirt/swtpm/3f1c2b9a-77c1-4e0b-8c53-51b7d2e0a702',
    },
    cpu: { mode: 'custom', model: 'Skylake-Server' },
    onCrash: 'preserve',
    agent: false,
  });
  t.deepEqual(
    domain.interfaces.map(({ type, source }) => [type, source]),
    [
      ['network', 'default'],
      ['direct', 'eth0'],
    ],
  );
});

test('UEFI with its own file; a DRBD device, two images, one of them elsewhere', (t) => {
  const domain = parse('uefi-nvram');
  t.is(domain.nvram, '/srv/guests/files_VARS.fd');
  t.is(domain.loader, '/usr/share/OVMF/OVMF_CODE_4M.fd');
  t.is(domain.memoryMiB, 1536);
  t.deepEqual(
    domain.disks.map(({ target, source, readonly, shareable }) => [target, source, readonly, shareable]),
    [
      ['vda', { kind: 'block', path: '/dev/drbd/by-res/r1/0' }, false, true],
      ['vdb', { kind: 'file', path: '/srv/guests/data.qcow2' }, false, false],
      ['vdc', { kind: 'file', path: '/var/lib/libvirt/images/scratch.qcow2' }, true, false],
    ],
  );
});

test('volumes, network disks, directories, shares, and a kernel of the host', (t) => {
  const domain = parse('volumes');
  t.is(domain.memoryMiB, 512);
  t.is(domain.arch, 'aarch64');
  t.deepEqual(
    domain.disks.map(({ device, source }) => [device, source]),
    [
      ['disk', { kind: 'volume', pool: 'guests', volume: 'web.qcow2' }],
      ['disk', { kind: 'network', protocol: 'rbd', name: 'pool/web-data' }],
      ['floppy', { kind: 'directory', path: '/srv/drivers' }],
    ],
  );
  t.deepEqual(domain.shares, ['/srv/share']);
  t.deepEqual(domain.bootFiles, ['/srv/guests/vmlinuz', '/boot/initrd.img']);
});

test('a chain of images that the definition names, down to its end', (t) => {
  const domain = parse('backing');
  t.is(domain.memoryMiB, 700);
  t.deepEqual(domain.disks[0]?.backing, [
    { source: { kind: 'file', path: '/srv/guests/golden-2.qcow2' }, format: 'qcow2' },
    { source: { kind: 'block', path: '/dev/vg0/golden' }, format: 'raw' },
  ]);
});

test('a file that holds the data of an image is read, also of one under it', (t) => {
  const store = (file: string) =>
    `<dataStore type='file'><format type='raw'/><source file='${file}'/></dataStore>`;
  const disk = `<disk type='file'><driver type='qcow2'/><source file='/srv/guests/a'>${store('/srv/guests/a.raw')}</source>
    <backingStore type='file'><format type='qcow2'/><source file='/srv/guests/b'>${store('/var/b.raw')}</source></backingStore><target dev='vda'/></disk>`;
  const xml = `<domain type='kvm'><name>mail</name><uuid>u</uuid><memory>1</memory><devices>${disk}</devices></domain>`;
  t.like(parseDomain(xml).disks[0], {
    backing: [{ source: { kind: 'file', path: '/srv/guests/b' }, format: 'qcow2' }],
    data: [
      { kind: 'file', path: '/srv/guests/a.raw' },
      { kind: 'file', path: '/var/b.raw' },
    ],
  });
});

test('devices of the host are named as lspci and lsusb name them; decimal megabytes are rounded up', (t) => {
  const domain = parse('hostdev');
  t.deepEqual(domain.hostdevs, [
    { type: 'pci', address: '0000:3b:00.1' },
    { type: 'usb', address: '0658:0200' },
  ]);
  t.is(domain.memoryMiB, 954);
  t.deepEqual(domain.tpm, { backend: 'passthrough', stateDirectory: null });
  t.deepEqual(domain.interfaces[0], { type: 'user', source: null, mac: '52:54:00:aa:bb:cc', model: null });
});

function refused(t: ExecutionContext, xml: string, code: string, message: RegExp): void {
  const error = t.throws(() => parseDomain(xml, 'mail.xml'), { instanceOf: BattitoError });
  t.is<string | undefined, string>(error?.code, code);
  t.regex(error?.message ?? '', message);
  t.truthy(error?.next);
}

test('a container is refused politely', (t) => {
  refused(t, read('lxc'), 'domain-not-qemu', /^mail\.xml: domain box is a container \(type lxc\)/);
  refused(
    t,
    read('plain').replace("'kvm'", "'xen'"),
    'domain-not-qemu',
    /of another hypervisor \(type xen\)/,
  );
});

test('characters that are written by name or number are read, and no others', (t) => {
  const named = read('plain').replace('<name>mail<', '<name>b&#xFC;ro &lt;&#49;&gt; &amp;amp; &copy;<');
  t.is(parseDomain(named.replace("bridge='br0'", "bridge='br&#48;'")).name, 'büro <1> &amp; &copy;');
  t.is(parseDomain(named.replace("bridge='br0'", "bridge='br&#48;'")).interfaces[0]?.source, 'br0');
});

test('XML that is broken is refused with its place', (t) => {
  refused(t, read('plain').replace('</vcpu>', ''), 'xml-malformed', /^mail\.xml: line \d+, column \d+: /);
  refused(t, read('plain').slice(0, 900), 'xml-malformed', /^mail\.xml: line \d+/);
  refused(t, '', 'xml-malformed', /^mail\.xml: /);
  refused(t, 'error: failed to get domain', 'xml-malformed', /^mail\.xml: /);
  refused(t, `${read('plain')}${read('plain')}`, 'xml-malformed', /^mail\.xml: /);
  const bomb =
    '<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><domain type="kvm"><name>&b;</name></domain>';
  refused(t, bomb, 'xml-malformed', /document type/);
});

test('what is missing or makes no sense is named', (t) => {
  const plain = read('plain');
  refused(t, '<network/>', 'domain-incomplete', /expected <domain>, found <network>/);
  refused(t, plain.replace(/<uuid>.*<\/uuid>/, ''), 'domain-incomplete', /domain mail: <uuid> is missing/);
  refused(
    t,
    plain.replace("unit='KiB'>2097152", "unit='fists'>7"),
    'domain-incomplete',
    /unknown unit fists/,
  );
  refused(t, plain.replace("unit='KiB'>2097152", "unit='KiB'>much"), 'domain-incomplete', /no amount: much/);
  refused(t, plain.replace("'static'>2<", "'static'>two<"), 'domain-incomplete', /<vcpu> is no number: two/);
});

test('what the installed libvirt prints is read', (t) => {
  const xml = execFileSync('virsh', ['-q', '-c', 'test:///default', 'dumpxml', '--inactive', 'test'], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  const domain = parseDomain(xml.replace("type='test'", "type='kvm'"));
  t.like(domain, { name: 'test', memoryMiB: 8192, vcpus: 2, arch: 'i686' });
  t.deepEqual(domain.disks[0]?.source, { kind: 'file', path: '/guest/diskimage1' });
});
