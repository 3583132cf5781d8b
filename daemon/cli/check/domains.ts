// The libvirt domains of this node: which are guests of a group, which are left out and why, and what would keep a guest
// from being started here. Asks libvirt, the images and the daemon; changes nothing. It sees one node: on both it is run.

import { existsSync } from 'node:fs';
import { pino } from 'pino';
import type { Config, GroupConfig, LibvirtGuestConfig } from '../../config/config.ts';
import { readDrbdOptions } from '../../drivers/drbd/options.ts';
import type { DrbdVolume } from '../../drivers/drbd/volumes.ts';
import { createLibvirt, type Libvirt, type ListedDomain } from '../../drivers/libvirt/connection.ts';
import { parseDomain } from '../../drivers/libvirt/domain.ts';
import { isUsableName } from '../../drivers/libvirt/virsh.ts';
import { BattitoError } from '../../errors.ts';
import { domainMemory, qemuGuestMiB } from '../../runtime/guests/host-memory.ts';
import { type GuestsByGroup, takingGroup, usesLibvirt } from '../../runtime/guests/known-guests.ts';
import type { KnownDefinitions, StoredDefinition } from './definitions.ts';
import { type About, belongingOf, checkDomain, checkLeftOut, type Storage, sayUndefined } from './domain.ts';
import { checkNeeds, type Domain, type HostSight } from './domain-needs.ts';
import { type Finding, reporter } from './finding.ts';
import type { Besides } from './guest-memory.ts';
import { checkWaits } from './guest-waits.ts';
import { mountedPlaces } from './guests.ts';
import { checkAutostart, checkLibvirt, type LibvirtSight, thisLibvirt, virshWord } from './libvirt.ts';
import { membersOf } from './machine.ts';

export interface DomainsSight extends LibvirtSight {
  readonly exists: (path: string) => boolean;
  readonly isMounted: (place: string) => boolean;
}

export interface DomainsResult {
  readonly findings: readonly Finding[];
  /** All guests of the groups, with the memory that they take; 0: not known. */
  readonly known: GuestsByGroup;
  /** Domains of this host that are in no group, and take of its memory, now or from its next boot on. */
  readonly besides: readonly Besides[];
}

/** All that libvirt and its tools may take together. */
const patienceMs = 90_000;

export async function checkDomains(
  config: Config,
  node: string,
  definitions: KnownDefinitions,
  sight: Partial<DomainsSight> = {},
): Promise<DomainsResult> {
  const { groups } = config;
  if (!usesLibvirt(config)) return { findings: [], known: knownIn(groups, new Map()), besides: [] };
  const libvirt = createLibvirt({ uri: config.libvirt.uri, logger: pino({ level: 'silent' }) });
  try {
    return await look(config, node, definitions, libvirt, {
      ...thisLibvirt,
      exists: existsSync,
      isMounted: mountedPlaces(),
      ...sight,
    });
  } finally {
    await libvirt.close();
  }
}

async function look(
  config: Config,
  node: string,
  { stored, told }: KnownDefinitions,
  libvirt: Libvirt,
  sight: DomainsSight,
): Promise<DomainsResult> {
  const signal = AbortSignal.timeout(patienceMs);
  const { groups } = config;
  const connection = await checkLibvirt(libvirt, sight, signal);
  const report = reporter('guests');
  const listing = connection.answers ? await libvirt.list({ signal, timeoutMs: listTimeoutMs }) : null;
  const listed = listing?.kind === 'done' ? listing.domains : null;
  if (listing?.kind === 'failed')
    report.problem('libvirt-unusable', listing.message, `${virshWord(libvirt.uri)} list --all`);

  const mounts = groups.flatMap(({ filesystems }) => filesystems.map(({ mount }) => mount));
  const host: HostSight = {
    libvirt,
    answers: connection.answers,
    peer: membersOf(config, node)?.peer.name ?? 'the other node',
    isFirst: told === null && stored.length === 0,
    virsh: virshWord(libvirt.uri),
    exists: sight.exists,
    mounts,
    away: mounts.filter((mount) => !sight.isMounted(mount)),
    signal,
  };
  const storages = new Map<string, Storage>();
  for (const group of groups) storages.set(group.name, await storageOf(group, signal));
  const about: About = { ...host, report, storages };
  const domains = [...(await readListed(listed ?? [], about)), ...readStored(stored, listed ?? [], about)];
  const others = domains.filter(({ name }) => !isNamed(groups, name));
  const owners = new Map<string, string>();
  for (const domain of others) {
    const owner = await ownerOf(domain, config, stored, about);
    if (owner !== null) owners.set(domain.name, owner);
  }
  const guests = new Map(groups.map((group) => [group.name, guestsOf(group, domains, owners)]));
  const all = [...guests.values()].flat();
  const known = knownIn(groups, guests);
  const names = new Map([...known].map(([group, some]) => [group, some.map(({ config }) => config.name)]));

  const needs = reporter('guests');
  const defined = all.flatMap(({ domain }) => (domain === null ? [] : [domain]));
  const unusable = await checkNeeds(needs, defined, host);
  for (const group of groups) {
    for (const { config: guest, domain } of guests.get(group.name) ?? []) {
      if (domain === null) sayUndefined(about, guest.name, listed);
      else await checkDomain(about, { group, guest, domain, unusable });
    }
    checkWaits(about, group, names);
    sayAway(about, group, guests.get(group.name)?.length ?? 0);
  }
  const besides: Besides[] = [];
  for (const domain of others.filter(({ name }) => !owners.has(name))) {
    if (domain.listed === null) continue;
    await checkLeftOut(about, groups, domain);
    const { memoryMiB } = domainMemory(domain.definition);
    if (await takesMemory(domain.listed, host)) besides.push({ name: domain.name, memoryMiB });
  }
  const domainNames = all.map(({ config: guest }) => guest.name);
  checkAutostart(report, domainNames, listed, host.virsh, sight);
  return {
    findings: [...connection.findings, ...report.findings, ...needs.findings],
    known,
    besides,
  };
}

async function takesMemory(
  { name, autostart }: ListedDomain,
  { libvirt, signal }: HostSight,
): Promise<boolean> {
  if (autostart) return true;
  const answer = await libvirt.state(name, { signal, timeoutMs: listTimeoutMs });
  return answer.kind === 'done' && answer.state !== null && answer.state.state !== 'shut off';
}

interface Guest {
  readonly config: LibvirtGuestConfig;
  /** Null: nobody has defined it, as far as this node knows. */
  readonly domain: Domain | null;
}

/** Those that are named, and those that `all` takes: `owners` has their group. */
function guestsOf(
  { name: group, guests, allGuests }: GroupConfig,
  domains: readonly Domain[],
  owners: ReadonlyMap<string, string>,
): readonly Guest[] {
  const named = guests
    .filter((guest) => guest.driver === 'libvirt')
    .map((config) => ({ config, domain: domains.find(({ name }) => name === config.name) ?? null }));
  if (allGuests === null) return named;
  const others = domains.filter(({ name }) => owners.get(name) === group);
  return [...named, ...others.map((domain) => ({ config: { ...allGuests, name: domain.name }, domain }))];
}

const listTimeoutMs = 10_000;

const isNamed = (groups: readonly GroupConfig[], name: string) =>
  groups.some(({ guests }) => guests.some((guest) => guest.name === name));

/** DRBD's tools tell its devices; those that go by the resource's name are known without them. */
async function storageOf(group: GroupConfig, signal: AbortSignal): Promise<Storage> {
  const devices: string[] = [];
  const volumes = new Map<string, readonly DrbdVolume[]>();
  let isUnsure = false;
  for (const resource of group.drbd) {
    const reading = await readDrbdOptions(resource, signal);
    if (reading.kind === 'failed') isUnsure = true;
    else volumes.set(resource, reading.volumes);
    const paths = reading.kind === 'failed' ? [] : reading.devices.map(({ path }) => path);
    const numbers = paths.length === 0 ? [0] : paths.map((_, volume) => volume);
    devices.push(...paths, ...numbers.map((volume) => `/dev/drbd/by-res/${resource}/${volume}`));
  }
  return { devices, volumes, mounts: group.filesystems.map(({ mount }) => mount), isUnsure };
}

/** Asked by their UUIDs: a name may be taken for an id. */
async function readListed(listed: readonly ListedDomain[], about: About): Promise<readonly Domain[]> {
  const domains: Domain[] = [];
  for (const one of listed) {
    const dumped = await about.libvirt.dumpXml(one.uuid, {
      signal: about.signal,
      timeoutMs: listTimeoutMs,
    });
    if (dumped.kind === 'done') domains.push(...parsed(one.name, dumped.stdout, one, about));
    else if (dumped.code !== 'libvirt-no-domain') {
      const next = `${about.virsh} dumpxml --inactive ${one.uuid}`;
      about.report.problem(
        'definitions-unreadable',
        `${one.name}: its definition cannot be read: ${dumped.message}`,
        next,
      );
    }
  }
  return domains;
}

function readStored(
  stored: readonly StoredDefinition[],
  listed: readonly ListedDomain[],
  about: About,
): readonly Domain[] {
  return stored
    .filter(({ name }) => !listed.some((one) => one.name === name))
    .flatMap(({ name, xml }) => parsed(name, xml, null, about));
}

function parsed(
  name: string,
  xml: string,
  listed: ListedDomain | null,
  { report, virsh }: About,
): readonly Domain[] {
  try {
    return [{ name, xml, definition: parseDomain(xml, `definition of ${name}`), listed }];
  } catch (error) {
    if (!(error instanceof BattitoError)) throw error;
    report.problem(error.code, error.message, error.next ?? `${virsh} edit ${name}`);
    return [];
  }
}

/** The group whose `all` takes it. Where the storage is not in use it may not be told, but the other node has said it. */
async function ownerOf(
  { name, definition }: Domain,
  { groups }: Config,
  stored: readonly StoredDefinition[],
  about: About,
): Promise<string | null> {
  const taking = await takingGroup(groups, (group) => belongingOf(definition, group, about));
  if (taking !== null) return taking;
  const said = stored.find((one) => one.name === name)?.group;
  return groups.find((group) => group.allGuests !== null && group.name === said)?.name ?? null;
}

/** What only the node can tell that has the storage in use. */
function sayAway({ report, away }: About, { filesystems, name }: GroupConfig, count: number): void {
  const here = filesystems.filter(({ mount }) => away.includes(mount)).map(({ mount }) => mount);
  if (here.length === 0 || count === 0) return;
  report.info(
    `${here.join(', ')} ${here.length === 1 ? 'is' : 'are'} not mounted here: whether the images of ${name} are there, and what they stand on, is to be seen only where it runs`,
  );
}

function knownIn(
  groups: readonly GroupConfig[],
  guests: ReadonlyMap<string, readonly Guest[]>,
): GuestsByGroup {
  return new Map(
    groups.map((group) => {
      const own = group.guests
        .filter((guest) => guest.driver === 'qemu')
        .map((config) => ({ config, memoryMiB: qemuGuestMiB(config) }));
      // One that nobody can ask for is not started.
      const usable = (guests.get(group.name) ?? []).filter(({ config }) => isUsableName(config.name));
      const domains = usable.map(({ config, domain }) => ({
        config,
        ...(domain === null ? { memoryMiB: 0 } : domainMemory(domain.definition)),
      }));
      return [group.name, [...own, ...domains]];
    }),
  );
}
