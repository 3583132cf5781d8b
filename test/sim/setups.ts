// What a schedule is set up with: tier, times, storage, network and clocks, as plain data; and the policies and the
// world that follow from it. The times are short, so that a schedule is some twenty seconds of the world.

import type { ResourceAction } from '../../daemon/core/events.ts';
import type {
  GroupPolicy,
  GuestPolicy,
  Policy,
  ResourceId,
  ResourcePolicy,
} from '../../daemon/core/policy.ts';
import { deriveTimings } from '../../daemon/core/policy.ts';
import { maintenanceLeftMs, nextIncarnation } from '../../daemon/runtime/records/restarts.ts';
import { otherSide, type Side } from '../../daemon/sim/action.ts';
import type { DrbdTimes, WorldOptions } from '../../daemon/sim/world.ts';
import { forger } from './forger.ts';

/** What proves that a silent peer is off. `lease`: a witness and watchdogs. `witness`: a witness alone. */
export const guards = ['none', 'witness', 'device', 'lease', 'both'] as const;
export type Guard = (typeof guards)[number];

export const drbdFencings = ['dont-care', 'resource-only', 'resource-and-stonith'] as const;

/** Which hosts have power, and which daemons are started, at the beginning. */
export const beginnings = ['both', 'power-cut', 'primary-alone', 'secondary-alone'] as const;
export type Beginning = (typeof beginnings)[number];

export interface Setup {
  readonly guard: Guard;
  readonly beginning: Beginning;
  readonly drbd: NonNullable<DrbdTimes['fencing']> | 'none';
  /** Are the guests in a file system on their device, or on the device itself? */
  readonly guestsOn: 'device' | 'filesystem';
  /**
   * plain: they start beside each other, whatever memory there is, and are shut down. ordered: as in `ordered`. live: each
   * has a device of its own and goes to the other node while it runs.
   */
  readonly guests: 'plain' | 'ordered' | 'live';
  /** Of `live` guests: are they configured to go while they run, only mail, or none unless the operator wants it? */
  readonly liveBy: 'configuration' | 'both' | 'command';
  readonly groups: 1 | 2;
  /** How many gateways are asked; the peers compare how many of several answer. */
  readonly gateways: number;
  readonly failback: 'manual' | 'automatic';
  readonly keepaliveMs: number;
  readonly warntimeMs: number;
  readonly deadtimeMs: number;
  readonly initdeadMs: number;
  /** About how long a guest takes to start, and to shut down in order. */
  readonly startMs: number;
  readonly stopMs: number;
  readonly bootMs: number;
  /** Of every segment, all the time. */
  readonly loss: number;
  readonly duplicate: number;
  readonly late: number;
  readonly delayMs: number;
  readonly primaryPpm: number;
  readonly secondaryPpm: number;
}

export const plainSetup: Setup = {
  guard: 'none',
  beginning: 'both',
  drbd: 'none',
  guestsOn: 'device',
  guests: 'plain',
  liveBy: 'configuration',
  groups: 1,
  gateways: 1,
  failback: 'manual',
  keepaliveMs: 200,
  warntimeMs: 600,
  deadtimeMs: 1500,
  initdeadMs: 4000,
  startMs: 100,
  stopMs: 100,
  bootMs: 1000,
  loss: 0,
  duplicate: 0,
  late: 0,
  delayMs: 0,
  primaryPpm: 0,
  secondaryPpm: 0,
};

const guestMiB = 1024;
/** All guests of one group, not of both. */
const guestMemoryMiB = 2 * guestMiB;
const unordered = {
  after: [],
  readyMs: null,
  startDelayMs: 0,
  memoryMiB: guestMiB,
  handover: 'shutdown',
  saveMs: null,
  migrateMs: null,
  cannot: { live: 'it shares its disk', save: 'it cannot be saved' },
} as const;
/** It is saved, where nobody says anything else. */
const saved = { handover: 'save', saveMs: 1200, cannot: { ...unordered.cannot, save: null } } as const;

/** mail comes first and is waited for, web needs it; of both groups on one host the one of least priority is left out. */
const ordered: Readonly<Record<ResourceId, GuestPolicy>> = {
  'guest:mail': { ...unordered, priority: 10, readyMs: 800, startDelayMs: 100, ...saved },
  'guest:web': { ...unordered, priority: 0, after: ['guest:mail'] },
  'guest:till': { ...unordered, priority: 5, ...saved },
};

const live: GuestPolicy = {
  ...unordered,
  priority: 0,
  handover: 'live',
  migrateMs: 3000,
  cannot: { ...unordered.cannot, live: null },
};
const devicesAlone: Readonly<Record<ResourceId, string>> = { 'guest:web': 'drbd:r2' };

const savingMs = 200;
const migratingMs = 400;
const promoteMs = 20;
const mountMs = 30;
/** How long DRBD asks a dead peer before it lets itself be promoted past it. */
const pingTimeoutMs = 500;
const pauseMs = 10;
const addressMs = 4;

export const fenceDelayMs = 500;
export const fenceDeadlineMs = 2000;
export const leaseMs = 2400;
export const watchdogMs = 1200;

function resourcesOf(setup: Setup, address: string, device: string, guests: readonly string[]) {
  const startMs = 2000;
  const stopMs = 1500;
  const hasDisk = setup.drbd !== 'none';
  const plain = { startMs, stopMs };
  const isMounted = hasDisk && setup.guestsOn === 'filesystem';
  const mount = device.replace('drbd:', 'filesystem:/srv/');
  const deviceOf = (id: string) => (setup.guests === 'live' ? (devicesAlone[id] ?? device) : device);
  const devices = [...new Set(guests.map(deviceOf))];
  const needsOf = (id: string) => [...(hasDisk ? [deviceOf(id)] : []), ...(isMounted ? [mount] : [])];
  const disk = (id: string) => ({ id, kind: 'drbd', needs: [], ...plain }) as const;
  return [
    { id: address, kind: 'address', needs: [], ...plain },
    ...(hasDisk ? devices.map(disk) : []),
    ...(isMounted ? [{ id: mount, kind: 'filesystem', needs: [device], ...plain } as const] : []),
    ...guests.map(
      (id) => ({ id, kind: 'guest', needs: needsOf(id), ...plain, ...orderOf(setup, id) }) as const,
    ),
  ] as readonly ResourcePolicy[];
}

function orderOf({ guests, liveBy }: Setup, id: ResourceId): Pick<ResourcePolicy, 'guest'> {
  const isLive = liveBy === 'configuration' || (liveBy === 'both' && id === 'guest:mail');
  const movable: GuestPolicy = isLive ? live : { ...live, handover: 'shutdown' };
  const guest = guests === 'ordered' ? ordered[id] : guests === 'live' ? movable : undefined;
  return guest === undefined ? {} : { guest };
}

export function groupsOf(setup: Setup): readonly GroupPolicy[] {
  const common = { failback: setup.failback, failbackDelayMs: 3000, interfaces: ['eth0'] } as const;
  const office: GroupPolicy = {
    ...common,
    name: 'office',
    preferred: 'primary',
    resources: resourcesOf(setup, 'address:192.168.1.1/24', 'drbd:r0', ['guest:mail', 'guest:web']),
  };
  const shop: GroupPolicy = {
    ...common,
    name: 'shop',
    preferred: 'secondary',
    resources: resourcesOf(setup, 'address:192.168.1.4/24', 'drbd:r1', ['guest:till']),
  };
  return setup.groups === 2 ? [office, shop] : [office];
}

export const gatewaysOf = ({ gateways }: Setup): readonly string[] =>
  Array.from({ length: gateways }, (_, index) => (index === 0 ? 'gateway' : `gateway-${index + 1}`));

export function policyOf(setup: Setup, self: Side): Policy {
  const { keepaliveMs, warntimeMs, deadtimeMs, initdeadMs, guard } = setup;
  const groups = groupsOf(setup);
  const floating = groups.flatMap(({ resources }) => resources.filter(({ kind }) => kind === 'address'));
  const hasDevice = guard === 'device' || guard === 'both';
  const hasWitness = guard === 'witness' || guard === 'lease' || guard === 'both';
  const hasWatchdog = guard === 'lease' || guard === 'both';
  return {
    self,
    peer: otherSide(self),
    software: '0',
    configDigest: 'same',
    timings: deriveTimings({ keepaliveMs, warntimeMs, deadtimeMs, initdeadMs }),
    links: ['eth1 broadcast', 'eth0 unicast'],
    probes: [
      ...gatewaysOf(setup).map((id) => ({ id, kind: 'gateway' }) as const),
      { id: 'peer-lan', kind: 'peer' },
      { id: 'peer-heartbeat', kind: 'peer' },
      ...floating.map(({ id }) => ({ id, kind: 'floating' }) as const),
    ],
    groups,
    parallelStarts: 4,
    guestMemoryMiB: setup.guests === 'ordered' ? guestMemoryMiB : null,
    fencing: hasDevice ? { delayMs: fenceDelayMs, deadlineMs: fenceDeadlineMs } : null,
    witness: hasWitness ? { ttlMs: leaseMs } : null,
    watchdog: hasWatchdog ? { timeoutMs: watchdogMs } : null,
  };
}

export function worldOptionsOf(setup: Setup, seed: number): WorldOptions {
  return {
    seed,
    policy: (side) => policyOf(setup, side),
    bootMs: setup.bootMs,
    durations: (resource, action) => durationMs(setup, resource, action),
    restarts: { nextIncarnation, maintenanceLeftMs },
    forger,
    guests: { neverReady: 0.1, refusesSave: 0.2, losesArrival: 0.05 },
    ...(setup.drbd !== 'none' && { drbd: { fencing: setup.drbd } }),
  };
}

function durationMs(setup: Setup, { kind }: ResourcePolicy, action: ResourceAction): number {
  if (kind === 'address') return addressMs;
  if (kind === 'drbd') return action === 'freeze' || action === 'resume' ? pauseMs : promoteMs;
  if (kind === 'filesystem') return mountMs;
  if (action === 'start') return setup.startMs;
  if (action === 'save') return savingMs;
  if (action === 'migrate') return migratingMs;
  return action === 'stop' ? setup.stopMs : pauseMs;
}

const storageMs = ({ guestsOn }: Setup) => promoteMs + (guestsOn === 'filesystem' ? mountMs : 0);

/** What guests wait for each other, milliseconds: for mail to be ready, then for the next look of the core, and for web. */
function orderMs({ guests, keepaliveMs, startMs }: Setup): number {
  if (guests !== 'ordered') return 0;
  const { readyMs, startDelayMs } = ordered['guest:mail'] ?? unordered;
  return (readyMs ?? 0) + startDelayMs + keepaliveMs + 1.5 * startMs;
}

/** A guest that cannot be saved is shut down after that. */
const leavingMs = ({ guests, stopMs }: Setup) =>
  stopMs + (guests === 'ordered' ? savingMs : guests === 'live' ? 2 * (migratingMs + promoteMs) : 0);
const savesAgainMs = ({ guests }: Setup) => (guests === 'ordered' ? 1000 : 0);

/** From the word to a daemon that it stop until everything runs on the other host, milliseconds: rule L2. */
export function departureBoundMs(setup: Setup): number {
  const words = 4 * (setup.keepaliveMs + setup.delayMs) + (setup.loss > 0 ? setup.deadtimeMs : 0);
  const operationsMs = 1.5 * (setup.startMs + leavingMs(setup) + 2 * storageMs(setup) + 2 * addressMs);
  return words + operationsMs + savesAgainMs(setup) + orderMs(setup) + 500;
}

/** From the loss of the owner's power until everything runs on the other host, milliseconds: rule L2. */
export function takeoverBoundMs(setup: Setup): number {
  const { timings } = policyOf(setup, 'primary');
  const verdictMs = timings.takeoverAfterMs + 2 * setup.delayMs + setup.keepaliveMs;
  const leaseFreeMs = leaseMs + watchdogMs * 1.05 + timings.takeoverAfterMs;
  const proofMs: Readonly<Record<Guard, number>> = {
    none: 0,
    witness: leaseMs + timings.takeoverAfterMs,
    device: fenceDelayMs + fenceDeadlineMs,
    lease: leaseFreeMs,
    both: fenceDelayMs + fenceDeadlineMs,
  };
  const disconnectMs = setup.drbd === 'none' ? 0 : pingTimeoutMs;
  // With lost packets the outside may fall silent for a moment, and then has to be there for as long again.
  const lossMs = setup.loss > 0 ? timings.takeoverAfterMs : 0;
  const operationsMs = 1.5 * (setup.startMs + storageMs(setup) + addressMs) + disconnectMs + 200;
  return verdictMs + proofMs[setup.guard] + operationsMs + orderMs(setup) + lossMs;
}
