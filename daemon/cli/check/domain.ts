// One domain: whether it can fail over with its group, and if not, which disk keeps it back and what mends that.

import type { GroupConfig, LibvirtGuestConfig } from '../../config/config.ts';
import { isWithin } from '../../config/paths.ts';
import { namePattern } from '../../config/values.ts';
import {
  type Belonging,
  type DiskElsewhere,
  type DomainFacts,
  type GroupStorage,
  judgeBelonging,
} from '../../drivers/libvirt/belonging.ts';
import type { ListedDomain } from '../../drivers/libvirt/connection.ts';
import { gatherFacts } from '../../drivers/libvirt/disks.ts';
import type { DiskSource, DomainDefinition } from '../../drivers/libvirt/domain.ts';
import { isUsableName } from '../../drivers/libvirt/virsh.ts';
import { shellQuote } from '../../drivers/shell.ts';
import { type GroupDevices, liveDevicesOf } from '../../runtime/guests/live-devices.ts';
import { nearestWord } from '../arguments.ts';
import { sayApart, sayMissing } from './domain-files.ts';
import { type Domain, type HostSight, whereDefined } from './domain-needs.ts';
import type { Reporter } from './finding.ts';

/** What a group has for the disks of its guests. */
export interface Storage extends GroupStorage {
  readonly volumes: GroupDevices['volumes'];
  /** Not all of its devices could be told. */
  readonly isUnsure: boolean;
}

export interface About extends HostSight {
  readonly report: Reporter;
  readonly storages: ReadonlyMap<string, Storage>;
}

/** File names end with 255 bytes; the longest that is made of a guest's name has this many more. */
const nameBytesMax = 255 - '.libvirt-frozen'.length;

/** A guest that a group names and nobody has defined, as far as this node knows. */
export function sayUndefined(
  { report, answers, peer, virsh, isFirst }: About,
  name: string,
  listed: readonly ListedDomain[] | null,
): void {
  const near = nearestWord(
    name,
    (listed ?? []).map((domain) => domain.name),
  );
  const hint = near === undefined ? '' : `; did you mean ${near}?`;
  if (!answers) {
    report.info(`${name}: ${peer} has sent no definition of it; whether libvirt has one here cannot be told`);
    return;
  }
  if (isFirst && near === undefined) {
    report.info(
      `${name}: libvirt does not know it here yet: ${peer} sends its definition when both daemons run; then check again`,
    );
    return;
  }
  report.problem(
    'domain-unknown',
    `${name}: libvirt does not know it here, and ${peer} has sent no definition: nothing can start it here${hint}`,
    `${virsh} list --all --name   # on both nodes: is it called otherwise? correct guests in the configuration; is it on ${peer}? battito guests says why it was not sent`,
  );
}

export interface GuestOfGroup {
  readonly group: GroupConfig;
  readonly guest: LibvirtGuestConfig;
  readonly domain: Domain;
  /** Storage pools that are told of already. */
  readonly unusable: ReadonlySet<string>;
}

/** A guest of a group, named or by `all`. */
export async function checkDomain(about: About, { group, guest, domain, unusable }: GuestOfGroup) {
  const { report, libvirt, virsh, peer, answers } = about;
  const { name, definition, listed } = domain;
  const before = report.findings.length;
  sayName(about, domain);
  if (listed?.persistent === false) {
    const file = shellQuote(`${name}.xml`);
    report.problem(
      'domain-transient',
      `${name}: it is transient, so that nothing is left of it once it is off`,
      `${virsh} dumpxml ${shellQuote(name)} >${file} && ${virsh} define ${file}`,
    );
  }
  const facts = await factsOf(definition, group, about);
  const belonging = judgeBelonging(definition, facts);
  if (libvirt.local) {
    sayDisks(about, { group, domain, belonging, unusable });
    for (const one of belonging.apart) sayApart(about, domain, one);
    const mounts = group.filesystems.map(({ mount }) => mount);
    sayMissing(about, domain, { facts, isInUse: mounts.map((mount) => !about.away.includes(mount)) });
  }
  if (guest.handover !== 'shutdown' && definition.cpu.mode === 'host-passthrough') {
    report.info(
      `${name}: its processor is its host's own (host-passthrough): a memory that was saved here goes on only on one of the same kind`,
    );
  }
  if (guest.readiness.kind === 'agent' && !definition.agent) {
    report.warning(
      'agent-channel-missing',
      `${name}: it is ready when its agent answers (readiness), and its definition has no channel to the agent: each start is told as not ready, and the guests after it wait ${guest.readiness.timeoutMs / 1000} s for nothing`,
      `${whereDefined(domain, about)}${virsh} edit ${shellQuote(name)}   # under <devices>: ${agentChannel}; then shut it down and start it; in the guest: apt-get install qemu-guest-agent`,
    );
  }
  if (guest.handover === 'live') sayLive(about, group, definition);
  if (libvirt.local && belonging.kind === 'elsewhere') return;
  if (report.findings.slice(before).some(({ level }) => level !== 'info')) return;
  const where = !libvirt.local
    ? `it is at ${libvirt.uri}`
    : belonging.kind === 'diskless'
      ? 'it has no disk'
      : `its disks are on the storage of ${group.name}`;
  const isHere = listed !== null || !answers;
  const by = isHere ? '' : `; not defined here, but ${peer} has sent its definition`;
  report.ok(`${name}: ${where}${by}`);
}

/** As virt-install writes it (formatdomain.html, "Channel"). */
const agentChannel = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>";

/** It is handed over all the same, in another way. */
function sayLive({ report, storages }: About, group: GroupConfig, definition: DomainDefinition): void {
  const { name, drbd, filesystems } = group;
  const mounted = filesystems.map(({ device }) => device);
  const volumes = storages.get(name)?.volumes ?? new Map();
  const found = liveDevicesOf(definition, { drbd, mounted, volumes });
  if (found.kind === 'none')
    report.warning(
      'guest-not-live',
      `${definition.name}: it cannot go to the other node while it runs: ${found.what}`,
      found.next,
    );
}

function sayName({ report, virsh }: About, { name, definition }: Domain): void {
  const rename = `${virsh} domrename ${definition.uuid} NEW-NAME   # while it is off`;
  if (!isUsableName(name)) {
    report.problem(
      'domain-name-unusable',
      `${name}: virsh takes this name for an id, so that it cannot be asked for, nor be started`,
      rename,
    );
  } else if (Buffer.byteLength(name) > nameBytesMax) {
    report.problem(
      'domain-name-unusable',
      `${name}: the name is too long, at most ${nameBytesMax} bytes fit into a file's name`,
      rename,
    );
  } else if (!namePattern.test(name)) {
    report.info(
      `${name}: a name with blanks, with other letters, or of more than 31: the configuration cannot name it, to give it options or in \`after\`; with \`all\` it is started like the others`,
    );
  }
}

interface Disks {
  readonly group: GroupConfig;
  readonly domain: Domain;
  readonly belonging: Belonging;
  readonly unusable: ReadonlySet<string>;
}

function sayDisks(about: About, { group, domain, belonging, unusable }: Disks): void {
  if (belonging.kind !== 'elsewhere') return;
  const { report, storages } = about;
  const { name, definition } = domain;
  const storage = storages.get(group.name);
  const hasStorage = group.drbd.length > 0 || group.filesystems.length > 0;
  for (const disk of belonging.disks) {
    const source = definition.disks.find(({ target }) => target === disk.target)?.source;
    if (source?.kind === 'volume' && unusable.has(source.pool)) continue;
    if (!hasStorage) {
      report.warning(
        'guest-disk-apart',
        `${name}: ${group.name} has no storage of its own, so both nodes must have ${disk.target}, ${disk.path}, the very same`,
        `ls -lL ${shellQuote(disk.path)}   # on both nodes; leave it if it is on a storage that both see`,
      );
    } else if (storage?.isUnsure === true && source?.kind === 'block') {
      report.info(
        `${name}: whether ${disk.path} is a device of ${group.drbd.join(', ')} cannot be told: see DRBD`,
      );
    } else {
      report.problem(
        'guest-disk-apart',
        `${name}: it cannot fail over with ${group.name}: disk ${disk.target}: ${disk.reason}`,
        mendDisk(about, group, domain, disk),
      );
    }
  }
}

/** The command that brings a disk onto the group's storage. */
function mendDisk(about: About, group: GroupConfig, domain: Domain, disk: DiskElsewhere): string {
  const { definition } = domain;
  const there = whereDefined(domain, about);
  const edit = `${about.virsh} edit ${shellQuote(domain.name)}`;
  const found = definition.disks.find(({ target }) => target === disk.target);
  const place = group.filesystems[0]?.mount;
  const source = found?.source;
  if (source === undefined || !('path' in source)) {
    return `${there}${edit}   # give it a disk on ${place ?? `a device of ${group.drbd.join(', ')}`} instead of ${disk.target}`;
  }
  const format = found?.format ?? 'raw';
  if (disk.role === 'data') {
    const [image, whole] = [source.path, `${source.path}.whole`].map(shellQuote);
    return `${there}qemu-img convert -p -O qcow2 ${image} ${whole} && mv ${whole} ${image}   # while it is off: takes in the data of ${disk.path}; take <dataStore> out of its definition where it is there: ${edit}`;
  }
  if (disk.path !== source.path)
    return `${there}qemu-img rebase -f ${format} -b '' ${shellQuote(source.path)}   # while it is off: takes in what it needs of ${disk.path}`;
  if (place === undefined)
    return `${there}drbdadm sh-dev ${group.drbd[0]}   # copy it there while it is off (qemu-img convert -n -O raw), then: ${edit}`;
  const base = disk.path.slice(disk.path.lastIndexOf('/') + 1);
  const copy = shellQuote(`${place}/${base}`);
  return `${there}qemu-img convert -p -O ${format} ${shellQuote(disk.path)} ${copy} && ${edit}   # while it is off: name the copy in disk ${disk.target}`;
}

/** A domain that `all` takes into no group. */
export async function checkLeftOut(
  about: About,
  groups: readonly GroupConfig[],
  domain: Domain,
): Promise<void> {
  const { report, storages, libvirt } = about;
  const { name, definition } = domain;
  const wanting = groups.filter(({ allGuests }) => allGuests !== null);
  if (wanting.length === 0 || !libvirt.local) return;
  let apart: Belonging | undefined;
  for (const group of wanting) {
    const belonging = await belongingOf(definition, group, about);
    if (belonging.kind !== 'elsewhere') {
      apart = belonging;
      continue;
    }
    const storage = storages.get(group.name) ?? { devices: [], mounts: [] };
    apart ??= belonging;
    const isMeant = belonging.partly || definition.disks.some(({ source }) => isOn(source, storage));
    if (!isMeant) continue;
    for (const disk of belonging.disks) {
      report.problem(
        'domain-not-in-group',
        `${name} is left out of ${group.name}, though it has a disk on its storage: disk ${disk.target}: ${disk.reason}`,
        mendDisk(about, group, domain, disk),
      );
    }
    return;
  }
  if (apart?.kind === 'elsewhere') {
    const reasons = apart.disks.map(({ reason }) => reason).join('; ');
    report.info(`${name} is no guest of a group, it stays on this node: ${reasons}`);
  } else {
    report.info(`${name} is no guest of a group, it stays on this node: it has no disk to be moved with`);
  }
}

export async function belongingOf(
  definition: DomainDefinition,
  group: GroupConfig,
  about: Pick<About, 'storages' | 'libvirt' | 'signal'>,
): Promise<Belonging> {
  return judgeBelonging(definition, await factsOf(definition, group, about));
}

function factsOf(
  definition: DomainDefinition,
  group: GroupConfig,
  { storages, libvirt, signal }: Pick<About, 'storages' | 'libvirt' | 'signal'>,
): Promise<DomainFacts> {
  const storage = storages.get(group.name) ?? { devices: [], mounts: [] };
  return gatherFacts(definition, storage, { libvirt, signal });
}

/** By its name alone; what it stands on may be elsewhere. */
function isOn(source: DiskSource, { mounts, devices }: GroupStorage): boolean {
  if (!('path' in source)) return false;
  const { path } = source;
  return devices.includes(path) || mounts.some((mount) => isWithin(path, mount));
}
