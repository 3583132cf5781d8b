// What a libvirt domain is made of, read from its inactive definition (formatdomain.html). Pure.
// Unknown elements are passed over; what is needed and cannot be read is an error that says where.

import { BattitoError, exitCodes } from '../../errors.ts';
import { attribute, child, childrenOf, descend, type Element, parseXml, textOf } from '../xml.ts';
import { type DomainDisk, readDisk } from './domain-disk.ts';
import { type HugePages, memorySize, readHugePages } from './domain-memory.ts';

export type { DiskSource, DomainDisk } from './domain-disk.ts';
export type { HugePages } from './domain-memory.ts';

export interface DomainInterface {
  /** `network`, `bridge`, `direct`, `user`, `hostdev`, ... */
  readonly type: string;
  /** The network, bridge or host device that it is on; null where its type has none. */
  readonly source: string | null;
  readonly mac: string | null;
  readonly model: string | null;
}

export interface DomainHostdev {
  /** `pci`, `usb`, `scsi`, `mdev`, ... */
  readonly type: string;
  /** As libvirt writes addresses, e.g. `0000:03:00.0`; `vendor:product` for USB. */
  readonly address: string;
}

export interface DomainTpm {
  /** `emulator`: its state is a file on the host. Otherwise the device or socket of another kind. */
  readonly backend: string;
  /** Where the state of an emulated one is kept; null for one that is hardware or another program's. */
  readonly stateDirectory: string | null;
}

export interface DomainCpu {
  /** `host-passthrough`, `host-model`, `custom`, `maximum`; null: libvirt's default. */
  readonly mode: string | null;
  readonly model: string | null;
}

export interface DomainDefinition {
  readonly name: string;
  readonly uuid: string;
  /** `kvm` or `qemu`. */
  readonly type: string;
  readonly memoryMiB: number;
  /** How much of its memory is to be on huge pages of the host, by their size. */
  readonly hugePages: readonly HugePages[];
  readonly vcpus: number;
  readonly arch: string;
  readonly machine: string | null;
  readonly emulator: string | null;
  readonly cpu: DomainCpu;
  readonly onCrash: string;
  readonly disks: readonly DomainDisk[];
  /** The variables of its UEFI, which are state like a disk. Null: it has no UEFI. */
  readonly nvram: string | null;
  /** The code of its firmware, where the definition names it; it comes with a package. */
  readonly loader: string | null;
  /** Kernel and initrd that it boots from, on the host. */
  readonly bootFiles: readonly string[];
  readonly tpm: DomainTpm | null;
  readonly interfaces: readonly DomainInterface[];
  readonly hostdevs: readonly DomainHostdev[];
  /** Directories of the host that it sees. */
  readonly shares: readonly string[];
  /** Has it a channel for the guest agent? */
  readonly agent: boolean;
}

/** libvirt's own places for what a definition does not name; the same on every distribution. */
const nvramDirectory = '/var/lib/libvirt/qemu/nvram';
const tpmDirectory = '/var/lib/libvirt/swtpm';

/**
 * `where` names the definition in errors, e.g. a file; its own name is added when it has one. Throws BattitoError:
 * `xml-malformed`, `domain-incomplete` and, for containers and other machines than QEMU's, `domain-not-qemu`.
 */
export function parseDomain(xml: string, where = 'domain definition'): DomainDefinition {
  const root = parseXml(xml, where);
  if (root.name !== 'domain') {
    const said = `${where}: expected <domain>, found <${root.name}>`;
    throw incomplete(said);
  }
  const name = required(textOf(child(root, 'name')), where, '<name>');
  const at = `${where}: domain ${name}`;
  const type = required(attribute(root, 'type'), at, 'the attribute type of <domain>');
  if (!['kvm', 'qemu', 'hvf'].includes(type)) throw notQemu(at, type);
  const uuid = required(textOf(child(root, 'uuid')), at, '<uuid>');
  const devices = child(root, 'devices');
  const os = child(root, 'os');
  const cpu = child(root, 'cpu');
  const memoryMiB = readMemoryMiB(child(root, 'memory'), at);
  return {
    name,
    uuid: uuid.toLowerCase(),
    type,
    memoryMiB,
    hugePages: readHugePages(root, memoryMiB),
    vcpus: readCount(textOf(child(root, 'vcpu')) ?? '1', at, '<vcpu>'),
    arch: attribute(child(os, 'type'), 'arch') ?? 'x86_64',
    machine: attribute(child(os, 'type'), 'machine') ?? null,
    emulator: textOf(child(devices, 'emulator')) ?? null,
    cpu: { mode: attribute(cpu, 'mode') ?? null, model: textOf(child(cpu, 'model')) ?? null },
    onCrash: textOf(child(root, 'on_crash')) ?? 'destroy',
    disks: childrenOf(devices, 'disk').map(readDisk),
    nvram: readNvram(os, name),
    loader: textOf(child(os, 'loader')) ?? null,
    bootFiles: ['kernel', 'initrd', 'dtb'].flatMap((part) => textOf(child(os, part)) ?? []),
    tpm: readTpm(child(devices, 'tpm'), uuid.toLowerCase()),
    interfaces: childrenOf(devices, 'interface').map(readInterface),
    hostdevs: childrenOf(devices, 'hostdev').map(readHostdev),
    shares: childrenOf(devices, 'filesystem').flatMap((one) => attribute(child(one, 'source'), 'dir') ?? []),
    agent: childrenOf(devices, 'channel').some(isAgent),
  };
}

/** Rounded up: it is what the host has to have. */
function readMemoryMiB(element: Element | undefined, at: string): number {
  const text = required(textOf(element), at, '<memory>');
  const size = memorySize(text, attribute(element, 'unit'));
  if (size.kind === 'unit') throw incomplete(`${at}: <memory> has the unknown unit ${size.unit}`);
  if (size.kind === 'amount') throw incomplete(`${at}: <memory> is no amount: ${text}`);
  return Math.ceil(size.bytes / 1024 ** 2);
}

function readCount(text: string, at: string, what: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw incomplete(`${at}: ${what} is no number: ${text}`);
  return Number(text);
}

/** With `firmware='efi'` and no <nvram> libvirt makes the file at the first start, at its usual place. */
function readNvram(os: Element | undefined, name: string): string | null {
  const nvram = child(os, 'nvram');
  const named =
    textOf(nvram) ?? attribute(child(nvram, 'source'), 'file') ?? attribute(child(nvram, 'source'), 'dev');
  if (named !== undefined) return named;
  const loader = child(os, 'loader');
  const isUefi =
    nvram !== undefined ||
    attribute(os, 'firmware') === 'efi' ||
    (attribute(loader, 'type') === 'pflash' && attribute(loader, 'stateless') !== 'yes');
  if (!isUefi || attribute(loader, 'stateless') === 'yes') return null;
  return `${nvramDirectory}/${name}_VARS.fd`;
}

function readTpm(tpm: Element | undefined, uuid: string): DomainTpm | null {
  if (tpm === undefined) return null;
  const backend = child(tpm, 'backend');
  const type = attribute(backend, 'type') ?? 'unknown';
  if (type !== 'emulator') return { backend: type, stateDirectory: null };
  const named = attribute(child(backend, 'source'), 'path');
  return { backend: type, stateDirectory: named ?? `${tpmDirectory}/${uuid}` };
}

function readInterface(element: Element): DomainInterface {
  const source = child(element, 'source');
  const named = ['network', 'bridge', 'dev', 'portgroup', 'path'].flatMap(
    (key) => attribute(source, key) ?? [],
  );
  return {
    type: attribute(element, 'type') ?? 'unknown',
    source: named[0] ?? null,
    mac: attribute(child(element, 'mac'), 'address') ?? null,
    model: attribute(child(element, 'model'), 'type') ?? null,
  };
}

function readHostdev(element: Element): DomainHostdev {
  const source = child(element, 'source');
  const address = child(source, 'address');
  const type = attribute(element, 'type') ?? attribute(element, 'mode') ?? 'unknown';
  const hex = (key: string, digits: number) =>
    Number(attribute(address, key) ?? 0)
      .toString(16)
      .padStart(digits, '0');
  switch (type) {
    case 'pci':
      return {
        type,
        address: `${hex('domain', 4)}:${hex('bus', 2)}:${hex('slot', 2)}.${hex('function', 1)}`,
      };
    case 'usb': {
      const [vendor, product] = [child(source, 'vendor'), child(source, 'product')].map((one) =>
        attribute(one, 'id')?.replace(/^0x/, ''),
      );
      if (vendor !== undefined) return { type, address: `${vendor}:${product ?? ''}` };
      return { type, address: `bus ${attribute(address, 'bus')}, device ${attribute(address, 'device')}` };
    }
    default:
      return {
        type,
        address: attribute(address, 'uuid') ?? attribute(child(source, 'adapter'), 'name') ?? '',
      };
  }
}

function isAgent(channel: Element): boolean {
  return /^org\.qemu\.guest_agent\./.test(attribute(descend(channel, 'target'), 'name') ?? '');
}

function required(value: string | undefined, at: string, what: string): string {
  if (value === undefined) throw incomplete(`${at}: ${what} is missing`);
  return value;
}

function incomplete(message: string): BattitoError {
  return new BattitoError('domain-incomplete', message, {
    exitCode: exitCodes.config,
    next: 'define the guest with libvirt and take what `virsh dumpxml --inactive NAME` prints',
  });
}

function notQemu(at: string, type: string): BattitoError {
  const what = ['lxc', 'vz', 'openvz'].includes(type) ? 'a container' : 'a machine of another hypervisor';
  return new BattitoError(
    'domain-not-qemu',
    `${at} is ${what} (type ${type}): Battito moves QEMU and KVM machines only`,
    { exitCode: exitCodes.config, next: 'leave it out of the group; what it serves stays on its host' },
  );
}
