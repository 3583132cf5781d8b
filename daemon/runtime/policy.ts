// From the configuration to what the core must know of it.

import type {
  AddressConfig,
  Config,
  GroupConfig,
  GuestConfig,
  LinkConfig,
  NodeConfig,
} from '../config/config.ts';
import { isWithin } from '../config/paths.ts';
import type { GroupPolicy, Policy, ProbeTarget, ResourcePolicy } from '../core/policy.ts';
import { deriveTimings } from '../core/policy.ts';
import { BattitoError, exitCodes } from '../errors.ts';

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
export interface KnownGuest {
  readonly config: GuestConfig;
  /** 0: nobody knows. */
  readonly memoryMiB: number;
  /** DRBD resources that all its disks are on; absent: not known, or it is on more than that. */
  readonly devices?: readonly string[];
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

const unseen: HostSights = { guests: new Map(), guestMemoryMiB: null, cores: 4 };

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
    fencing: null,
    witness: null,
    watchdog: null,
  };
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
    return buildGuest(guest, alone ?? [...shared(onDevices, own), ...filesystems.map(({ id }) => id)], {
      isLive: alone !== undefined,
      // One that stands on its own devices does not wait for a file system, nor that one for it: no place for its memory.
      canSave: filesystems.length > 0 && alone === undefined,
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

/** Of the guests that are to go while they run: the devices that each has for itself, by their ids. */
function ownDevices(known: readonly KnownGuest[]): ReadonlyMap<KnownGuest, readonly string[]> {
  const usersOf = (name: string) => known.filter(({ devices }) => devices?.includes(name) === true).length;
  return new Map(
    known.flatMap((guest) => {
      const { config, devices = [] } = guest;
      const isOwn = devices.length > 0 && devices.every((name) => usersOf(name) === 1);
      return config.handover === 'live' && isOwn ? [[guest, devices.map(drbdId)] as const] : [];
    }),
  );
}

/** What else in the group stands on: devices that no guest has for itself. */
function shared(ids: readonly string[], own: ReturnType<typeof ownDevices>): readonly string[] {
  const taken = new Set([...own.values()].flat());
  return ids.filter((id) => !taken.has(id));
}

function buildGuest(
  { config, memoryMiB }: KnownGuest,
  needs: readonly string[],
  { isLive, canSave }: { readonly isLive: boolean; readonly canSave: boolean },
): ResourcePolicy {
  const { priority, after, readiness, startDelayMs, startTimeoutMs, shutdownTimeoutMs } = config;
  const agentMs = config.driver === 'libvirt' ? config.agentTimeoutMs : 0;
  const saveMs = shutdownTimeoutMs + (memoryMiB / savedMiBPerSecond) * 1000;
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
      saveMs: config.handover === 'save' || (config.handover === 'live' && canSave) ? saveMs : null,
      migrateMs: isLive ? shutdownTimeoutMs + (memoryMiB / migratedMiBPerSecond) * 1000 : null,
    },
  };
}
