// From the configuration to what the core must know of it.

import type {
  AddressConfig,
  Config,
  GroupConfig,
  GuestConfig,
  LinkConfig,
  NodeConfig,
  WatchdogConfig,
} from '../config/config.ts';
import { isWithin } from '../config/paths.ts';
import type { GroupPolicy, GuestPolicy, Policy, ProbeTarget, ResourcePolicy } from '../core/policy.ts';
import { deriveTimings } from '../core/policy.ts';
import { BattitoError, exitCodes } from '../errors.ts';
import type { GuestMemory } from './guests/host-memory.ts';
import type { LiveDevices } from './guests/live-devices.ts';

const addressDeadlineMs = 5000;
const guestMarginMs = 5000;
/** DRBD's own fence-peer handler is waited for by `drbdadm primary`. */
const promoteDeadlineMs = 30_000;
/** The driver tries for 10 s, then names who holds the device open. */
const demoteDeadlineMs = 15_000;
const mountDeadlineMs = 60_000;
const fsckDeadlineMs = 600_000;
const unmountDeadlineMs = 15_000;
/** A start is work for the processor. Of many cores not all: storage is the narrow place then. */
const startsAtOnce = (cores: number) => Math.min(16, Math.max(2, cores));
/** A page of memory is written to the mirror about this fast where nothing is known of the network. */
const savedMiBPerSecond = 20;
/** What is sent again, since the guest has changed it meanwhile, counted in. */
const migratedMiBPerSecond = 10;

export const addressId = (address: AddressConfig) => `address:${address.address}/${address.prefix}`;
export const drbdId = (resource: string) => `drbd:${resource}`;
export const filesystemId = (filesystem: { readonly mount: string }) => `filesystem:${filesystem.mount}`;
export const guestId = (guest: { readonly name: string }) => `guest:${guest.name}`;
export const gatewayProbeId = (address: string) => `gateway ${address}`;
export const peerProbeId = (peer: NodeConfig) => `address ${peer.address} of ${peer.name}`;
/** An address of the peer that is learned from its packets on a link. */
export const peerLinkProbeId = (peer: NodeConfig, link: LinkConfig) =>
  `${peer.name} on ${link.interface} ${link.mode}`;

/** Which of the two nodes this is. Throws BattitoError `node-unknown`. */
export function selfAndPeer(
  config: Config,
  node: string,
): { readonly self: NodeConfig; readonly peer: NodeConfig } {
  const [first, second] = config.nodes;
  if (first.name === node) return { self: first, peer: second };
  if (second.name === node) return { self: second, peer: first };
  throw new BattitoError(
    'node-unknown',
    `this host is called ${node}, but the nodes of the configuration are ${first.name} and ${second.name}`,
    { exitCode: exitCodes.config, next: `name the node: --node ${first.name} or --node ${second.name}` },
  );
}

/** A guest as it is known here: what is wished of it, and the memory that it takes. */
export interface KnownGuest extends GuestMemory {
  readonly config: GuestConfig;
  /** 0: nobody knows. */
  readonly memoryMiB: number;
  /** The DRBD resources that all its disks are on, or why it could not go while it runs; absent: not known yet. */
  readonly disks?: LiveDevices;
  /** Why the other node could not take it while it runs, as that has said; absent: it did not. */
  readonly unfit?: string;
}

/** What is seen of this host, beside its configuration. */
export interface HostSights {
  /** By group: its guests, also those that nobody named. A group that is not in it has those of the configuration. */
  readonly guests: ReadonlyMap<string, readonly KnownGuest[]>;
  /** What guests may have of its memory; null: it is not looked at. */
  readonly guestMemoryMiB: number | null;
  readonly cores: number;
}

/** As far as the configuration tells. */
function configuredGuests({ guests }: GroupConfig): readonly KnownGuest[] {
  return guests.map((config) => ({ config, memoryMiB: config.driver === 'qemu' ? config.memoryMiB : 0 }));
}

/** A host of which nothing is seen. */
export const unseen: HostSights = { guests: new Map(), guestMemoryMiB: null, cores: 4 };

export function buildPolicy(config: Config, node: string, software: string, host = unseen): Policy {
  const { self, peer } = selfAndPeer(config, node);
  return {
    self: self.name,
    peer: peer.name,
    software,
    configDigest: config.digest.slice(0, 16),
    timings: deriveTimings(config.heartbeat),
    links: config.heartbeat.links.map((link) => `${link.interface} ${link.mode}`),
    probes: buildProbes(config, peer),
    groups: config.groups.map((group) => buildGroup(group, host.guests.get(group.name))),
    parallelStarts: config.start.parallel ?? startsAtOnce(host.cores),
    guestMemoryMiB: host.guestMemoryMiB,
    fencing: config.fencing && { delayMs: config.fencing.delayMs, deadlineMs: config.fencing.timeoutMs },
    witness: config.witness === null ? null : { ttlMs: config.witness.ttlMs },
    watchdog: config.watchdog && { timeoutMs: resetWithinMs(config.watchdog) },
  };
}

/**
 * How long after the last feed a host is reset at the latest. The kernel feeds the device itself when the process that
 * has it open ends without disarming it, be it a moment before its time is up.
 */
function resetWithinMs({ timeoutMs }: WatchdogConfig): number {
  return 2 * timeoutMs;
}

function buildProbes(config: Config, peer: NodeConfig): readonly ProbeTarget[] {
  return [
    ...config.connectivity.ping.map((address) => ({ id: gatewayProbeId(address), kind: 'gateway' as const })),
    { id: peerProbeId(peer), kind: 'peer' },
    ...config.heartbeat.links.flatMap((link) =>
      link.mode === 'unicast' ? [] : [{ id: peerLinkProbeId(peer, link), kind: 'peer' as const }],
    ),
    ...config.groups.flatMap((group) =>
      group.addresses.map((address) => ({ id: addressId(address), kind: 'floating' as const })),
    ),
  ];
}

function buildGroup(group: GroupConfig, known: readonly KnownGuest[] = configuredGuests(group)): GroupPolicy {
  const addresses = group.addresses.map(
    (address): ResourcePolicy => ({
      id: addressId(address),
      kind: 'address',
      needs: [],
      startMs: addressDeadlineMs,
      stopMs: addressDeadlineMs,
    }),
  );
  const devices = group.drbd.map(
    (resource): ResourcePolicy => ({
      id: drbdId(resource),
      kind: 'drbd',
      needs: [],
      startMs: promoteDeadlineMs,
      stopMs: demoteDeadlineMs,
    }),
  );
  const onDevices = devices.map(({ id }) => id);
  const filesystems = group.filesystems.map(
    (filesystem): ResourcePolicy => ({
      id: filesystemId(filesystem),
      kind: 'filesystem',
      // Mounted before what it lies under, it would be hidden by that; unmounted after it, it would hold it.
      needs: [
        ...shared(onDevices, ownDevices(known)),
        ...group.filesystems.filter(({ mount }) => isWithin(filesystem.mount, mount)).map(filesystemId),
      ],
      startMs: filesystem.fsck ? fsckDeadlineMs : mountDeadlineMs,
      stopMs: unmountDeadlineMs,
    }),
  );
  const own = ownDevices(known);
  const guests = known.map((guest) => {
    const alone = own.get(guest);
    // Its memory is saved in the first file system, if there is one.
    const all = [...shared(onDevices, own), ...filesystems.map(({ id }) => id)];
    const needs = alone === undefined ? all : [...alone, ...(filesystems.length > 0 ? all : [])];
    return buildGuest(guest, needs, {
      live: alone === undefined ? whyNotLive(guest, known) : null,
      save: whyNotSaved(guest, group),
    });
  });
  return {
    name: group.name,
    preferred: group.preferred,
    failback: group.failback,
    failbackDelayMs: group.failbackDelayMs,
    interfaces: [...new Set(group.addresses.map((address) => address.interface))],
    resources: [...addresses, ...devices, ...filesystems, ...guests],
  };
}

const usersOf = (known: readonly KnownGuest[], name: string) =>
  known.filter(({ disks }) => disks?.resources.includes(name) === true);

/** The devices that each guest has for itself, by their ids, where it has no other disks. */
function ownDevices(known: readonly KnownGuest[]): ReadonlyMap<KnownGuest, readonly string[]> {
  return new Map(
    known.flatMap((guest) => {
      const { disks } = guest;
      const isOwn =
        disks?.kind === 'own' && disks.resources.every((name) => usersOf(known, name).length === 1);
      return isOwn ? [[guest, disks.resources.map(drbdId)] as const] : [];
    }),
  );
}

/** Of a guest that has no devices of its own. */
function whyNotLive(guest: KnownGuest, known: readonly KnownGuest[]): string {
  const { config, disks } = guest;
  if (config.driver === 'qemu') return 'only a libvirt domain can';
  if (disks === undefined) return 'its definition is not known yet';
  if (disks.kind === 'none') return disks.what;
  const users = disks.resources.flatMap((name) => usersOf(known, name)).filter((one) => one !== guest);
  return `it shares its disk with ${[...new Set(users.map((one) => one.config.name))].join(', ')}`;
}

function whyNotSaved({ config }: KnownGuest, { name, filesystems }: GroupConfig): string | null {
  if (config.driver === 'qemu') return 'only a libvirt domain can';
  return filesystems.length > 0 ? null : `${name} has no file system for its memory`;
}

/** What else in the group stands on: devices that no guest has for itself. */
function shared(ids: readonly string[], own: ReturnType<typeof ownDevices>): readonly string[] {
  const taken = new Set([...own.values()].flat());
  return ids.filter((id) => !taken.has(id));
}

function buildGuest(
  { config, memoryMiB, hugePages = [], unfit }: KnownGuest,
  needs: readonly string[],
  cannot: GuestPolicy['cannot'],
): ResourcePolicy {
  const { priority, after, readiness, startDelayMs, startTimeoutMs, shutdownTimeoutMs } = config;
  // All of it is written or sent, whatever pages it is on.
  const wholeMiB = hugePages.reduce((sum, pages) => sum + pages.memoryMiB, memoryMiB);
  const agentMs = config.driver === 'libvirt' ? config.agentTimeoutMs : 0;
  return {
    id: guestId(config),
    kind: 'guest',
    needs,
    startMs: startTimeoutMs + guestMarginMs,
    stopMs: agentMs + shutdownTimeoutMs + 2 * guestMarginMs,
    guest: {
      priority,
      after: after.map((name) => guestId({ name })),
      readyMs: readiness.kind === 'none' ? null : readiness.timeoutMs,
      startDelayMs,
      memoryMiB,
      handover: config.handover,
      saveMs: cannot.save === null ? shutdownTimeoutMs + (wholeMiB / savedMiBPerSecond) * 1000 : null,
      migrateMs: cannot.live === null ? shutdownTimeoutMs + (wholeMiB / migratedMiBPerSecond) * 1000 : null,
      cannot: { ...cannot, live: cannot.live ?? unfit ?? null },
    },
  };
}
