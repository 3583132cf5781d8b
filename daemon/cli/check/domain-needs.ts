// What the definitions of domains need of the host that starts them: networks, bridges, pools, machine types,
// processors, firmware, devices. Each is looked for once, and told with the guests that need it.

import { isWithin } from '../../config/paths.ts';
import { compareProcessor, listOf, readCapabilities, readPool } from '../../drivers/libvirt/capabilities.ts';
import type { Libvirt, ListedDomain } from '../../drivers/libvirt/connection.ts';
import type { DomainDefinition, DomainHostdev } from '../../drivers/libvirt/domain.ts';
import { isBridge } from '../../drivers/libvirt/fitness.ts';
import { resolved } from '../../drivers/libvirt/real-path.ts';
import { shellQuote } from '../../drivers/shell.ts';
import type { Reporter } from './finding.ts';

/** A domain as this node knows it. */
export interface Domain {
  readonly name: string;
  readonly definition: DomainDefinition;
  readonly xml: string;
  /** Null: libvirt does not have it here, or does not say so; the other node has sent its definition. */
  readonly listed: ListedDomain | null;
}

export interface HostSight {
  readonly libvirt: Libvirt;
  /** Does libvirt answer? If not, only what is not libvirt's is looked at. */
  readonly answers: boolean;
  readonly peer: string;
  /** No daemon runs here, and none has ever been sent a definition: so it is before the first start. */
  readonly isFirst: boolean;
  /** How a person calls virsh for this connection. */
  readonly virsh: string;
  /** existsSync; a test gives its own. */
  readonly exists: (path: string) => boolean;
  /** Mount points of the groups; and those of them where nothing is mounted now. */
  readonly mounts: readonly string[];
  readonly away: readonly string[];
  readonly signal: AbortSignal;
}

/** What is to be done to a definition is done where it is. */
export function whereDefined({ listed }: Domain, { answers, peer }: HostSight): string {
  return listed === null && answers ? `on ${peer}: ` : '';
}

function editCommand(domain: Domain, host: HostSight): string {
  return `${whereDefined(domain, host)}${host.virsh} edit ${shellQuote(domain.name)}`;
}

/** @returns pools that cannot be used now, so that nothing is known of their volumes */
export async function checkNeeds(
  report: Reporter,
  guests: readonly Domain[],
  host: HostSight,
): Promise<ReadonlySet<string>> {
  if (host.libvirt.local) {
    checkInterfaces(report, guests, host);
    checkFiles(report, guests, host);
    for (const guest of guests)
      for (const device of guest.definition.hostdevs) checkHostdev(report, guest, device, host);
  }
  if (!host.answers) return new Set();
  await checkListed(report, 'net', guests, host);
  const pools = await checkListed(report, 'pool', guests, host);
  await checkMachines(report, guests, host);
  return pools;
}

/** By what they need: the names of the guests that do. */
function needing(
  guests: readonly Domain[],
  needsOf: (definition: DomainDefinition) => readonly (string | null)[],
): ReadonlyMap<string, readonly string[]> {
  const needs = new Map<string, string[]>();
  for (const { name, definition } of guests) {
    for (const need of new Set(needsOf(definition)))
      if (need !== null) needs.set(need, [...(needs.get(need) ?? []), name]);
  }
  return needs;
}

const namesMax = 4;

/** `mail, web and 7 more`. */
export function listed(names: readonly string[]): string {
  const more = names.length - namesMax;
  return more > 0 ? `${names.slice(0, namesMax).join(', ')} and ${more} more` : names.join(', ');
}

const plural = (names: readonly string[], one: string, more: string) => (names.length === 1 ? one : more);

function checkInterfaces(report: Reporter, guests: readonly Domain[], host: HostSight): void {
  const sources = (type: string) =>
    needing(guests, ({ interfaces }) =>
      interfaces.filter((one) => one.type === type).map(({ source }) => source),
    );
  for (const [bridge, names] of sources('bridge')) {
    const place = `/sys/class/net/${bridge}`;
    if (isBridge(bridge, host.exists)) continue;
    const isOther = host.exists(place);
    report.problem(
      'bridge-missing',
      `${isOther ? `${bridge} is not a bridge` : `there is no bridge ${bridge} here`}: ${listed(names)} cannot start`,
      isOther
        ? `ip -brief link show type bridge   # shows the bridges; on which one are they on ${host.peer}?`
        : `ip link add ${shellQuote(bridge)} type bridge   # and make it permanent`,
    );
  }
  for (const [name, names] of sources('direct')) {
    if (host.exists(`/sys/class/net/${name}`)) continue;
    report.problem(
      'interface-missing',
      `there is no interface ${name} here: ${listed(names)} cannot start`,
      `ip -brief link   # shows the names there are; the same one has to be on both nodes`,
    );
  }
}

function checkFiles(report: Reporter, guests: readonly Domain[], host: HostSight): void {
  for (const [loader, names] of needing(guests, (definition) => [definition.loader])) {
    if (host.exists(loader) || host.away.some((mount) => isWithin(loader, mount))) continue;
    report.problem(
      'firmware-missing',
      `there is no firmware ${loader} here: ${listed(names)} cannot start`,
      `apt-get install ovmf   # or, on ${host.peer}: dpkg -S ${shellQuote(loader)}, and install that here`,
    );
  }
  for (const [emulator, names] of needing(guests, (definition) => [definition.emulator])) {
    if (host.exists(emulator)) continue;
    report.problem(
      'emulator-missing',
      `there is no emulator ${emulator} here: ${listed(names)} cannot start`,
      `apt-get install qemu-system   # or, on ${host.peer}: dpkg -S ${shellQuote(emulator)}, and install that here`,
    );
  }
  const emulated = needing(guests, ({ tpm }) => [tpm?.backend === 'emulator' ? 'swtpm' : null]).get('swtpm');
  if (emulated !== undefined && !host.exists('/usr/bin/swtpm')) {
    report.problem(
      'swtpm-missing',
      `swtpm is missing: ${listed(emulated)}, with an emulated TPM, cannot start`,
      'apt-get install swtpm swtpm-tools',
    );
  }
  const kvm = guests.filter(({ definition }) => definition.type === 'kvm').map(({ name }) => name);
  if (kvm.length > 0 && !host.exists('/dev/kvm')) {
    report.problem(
      'kvm-missing',
      `/dev/kvm is missing: ${listed(kvm)}, of type kvm, cannot start`,
      'modprobe kvm_intel || modprobe kvm_amd   # and allow virtualisation in the firmware',
    );
  }
}

function checkHostdev(
  report: Reporter,
  guest: Domain,
  { type, address }: DomainHostdev,
  host: HostSight,
): void {
  const { name } = guest;
  const what = `the ${type} device ${address}`;
  const edit = editCommand(guest, host);
  const look: Readonly<Record<string, string>> = {
    pci: `lspci -s ${shellQuote(address)}`,
    usb: /^\w+:\w+$/.test(address) ? `lsusb -d ${address}` : 'lsusb',
  };
  const see = look[type] ?? `${host.virsh} nodedev-list`;
  if (type === 'pci' && !host.exists(`/sys/bus/pci/devices/${address}`)) {
    report.problem(
      'host-device-missing',
      `${name}: ${what} is not in this host: it cannot start here`,
      `${edit}   # take the <hostdev> out, or have the same device at the same address: ${see}, on both nodes`,
    );
    return;
  }
  report.warning(
    'host-device-needed',
    `${name}: it has ${what} of its host: it fails over only as long as ${host.peer} has the same one at the same address`,
    `${see}   # on both nodes; not there? ${edit}, and take the <hostdev> out`,
  );
}

/** Networks, or pools. @returns those that cannot be used */
async function checkListed(
  report: Reporter,
  kind: 'net' | 'pool',
  guests: readonly Domain[],
  host: HostSight,
): Promise<ReadonlySet<string>> {
  const needed =
    kind === 'net'
      ? needing(guests, ({ interfaces }) =>
          interfaces.filter(({ type }) => type === 'network').map(({ source }) => source),
        )
      : needing(guests, ({ disks }) =>
          disks.map(({ source }) => (source.kind === 'volume' ? source.pool : null)),
        );
  const bad = new Set<string>();
  if (needed.size === 0) return bad;
  const { libvirt, virsh, peer, signal } = host;
  const [word, daemon] = kind === 'net' ? ['network', 'virtnetworkd'] : ['storage pool', 'virtstoraged'];
  const here = await listOf(libvirt, kind, signal);
  if (here.kind === 'failed') {
    report.problem(
      'libvirt-not-listed',
      `the ${word}s of libvirt cannot be listed: ${here.message}`,
      `systemctl enable --now ${daemon}.socket   # where libvirt is modular; else: ${virsh} ${kind}-list --all`,
    );
    return new Set(needed.keys());
  }
  for (const [name, names] of needed) {
    const found = here.all.find((one) => one.name === name);
    const quoted = shellQuote(name);
    const file = shellQuote(`${name}.xml`);
    const start = `${virsh} ${kind}-start ${quoted}`;
    const atBoot = `${virsh} ${kind}-autostart ${quoted}`;
    if (found === undefined) {
      bad.add(name);
      report.problem(
        'libvirt-object-missing',
        `libvirt has no ${word} ${name} here: ${listed(names)} cannot start`,
        `ssh ${peer} virsh ${kind}-dumpxml ${quoted} >${file} && ${virsh} ${kind}-define ${file} && ${start} && ${atBoot}`,
      );
      continue;
    }
    const pool = kind === 'pool' ? await readPool(libvirt, name, signal) : null;
    const place = pool === null ? undefined : await mountUnder(pool.target, host);
    // A start of the guest has it looked at again, and starts it if it is a directory.
    if (place !== undefined && (found.active || pool?.type === 'dir')) {
      // libvirt knows what was in it when it looked, with the host's start perhaps.
      if (!found.active || host.away.includes(place)) bad.add(name);
      report.info(
        `storage pool ${name} lies on ${place}: libvirt is asked to look at it again where a guest does not find its disk in it`,
      );
    } else if (!found.active) {
      bad.add(name);
      report.problem(
        'libvirt-object-inactive',
        `the ${word} ${name} is not active here: ${listed(names)} cannot start`,
        `${start} && ${atBoot}`,
      );
    } else if (!found.autostart) {
      report.warning(
        'libvirt-object-inactive',
        `the ${word} ${name}, which ${listed(names)} ${plural(names, 'has', 'have')}, is not started when this host boots`,
        atBoot,
      );
    }
  }
  return bad;
}

/** The group's mount point that a place is, or lies below, by whatever name; undefined: none. */
async function mountUnder(place: string, { mounts }: HostSight): Promise<string | undefined> {
  const real = await resolved(place);
  for (const mount of mounts) {
    const outer = await resolved(mount);
    if (real === outer || isWithin(real, outer)) return mount;
  }
  return undefined;
}

/** Emulator, machine type, processor, firmware: asked once for each machine that is defined. */
async function checkMachines(report: Reporter, guests: readonly Domain[], host: HostSight): Promise<void> {
  const { libvirt, signal, virsh, peer } = host;
  const machines = Map.groupBy(guests, ({ definition: { type, arch, machine, emulator } }) =>
    JSON.stringify([type, arch, machine, emulator]),
  );
  for (const alike of machines.values()) {
    const [first] = alike;
    if (first === undefined) continue;
    const names = alike.map(({ name }) => name);
    const { arch, machine, type } = first.definition;
    const answer = await readCapabilities(libvirt, first.definition, signal);
    if (answer.kind === 'unknown') continue;
    if (answer.kind === 'unsupported') {
      if (answer.what === 'emulator' && first.definition.emulator !== null) continue; // Its file is missing; told.
      const mends = {
        machine: `${editCommand(first, host)}   # a machine type that both nodes have: ${virsh} capabilities | grep canonical; or bring QEMU to the same version on both: apt-get install qemu-system-x86`,
        emulator: `apt-get install qemu-system   # for ${arch}`,
        type: `${editCommand(first, host)}   # another type than ${type} in <domain type='...'>; or: modprobe kvm_intel || modprobe kvm_amd`,
      };
      const what = answer.what === 'machine' ? `machine type ${machine}` : `a machine of ${type} for ${arch}`;
      report.problem(
        'machine-unsupported',
        `${what}: ${answer.message}: ${listed(names)} cannot start here`,
        mends[answer.what],
      );
      continue;
    }
    const { firmware, models } = answer.capabilities;
    const uefi = alike.filter(({ definition: { nvram, loader } }) => nvram !== null && loader === null);
    if (uefi.length > 0 && firmware !== null && !firmware.includes('efi')) {
      report.problem(
        'firmware-missing',
        `libvirt has no UEFI firmware to choose from here: ${listed(uefi.map(({ name }) => name))} cannot start`,
        'apt-get install ovmf',
      );
    }
    for (const guest of alike) {
      const { name, definition, xml } = guest;
      const { model } = definition.cpu;
      const fit = await compareProcessor(libvirt, definition, xml, signal);
      if (fit === 'fits' || (fit === 'unknown' && models.get(model ?? '') !== false)) continue;
      report.problem(
        'machine-unsupported',
        `${name}: this host's processor is no ${model} with all that the definition asks for: it cannot start here`,
        `${editCommand(guest, host)}   # <cpu> with a model that both nodes have; here, and on ${peer}: ${virsh} domcapabilities | grep "usable='yes'"`,
      );
    }
  }
}
