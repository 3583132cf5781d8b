// The small world of the exhaustive search: two hosts with the real core as their daemons, the packets between them,
// what runs, what is on disk, and what may still go wrong. Plain data; time goes in steps of `gridMs`.

import type { LeaseAnswer, Ledger, ResourceAction } from '../../../daemon/core/events.ts';
import type { Echo, HeartbeatContent } from '../../../daemon/core/heartbeat.ts';
import type { Policy, ResourcePolicy, Timings } from '../../../daemon/core/policy.ts';
import { deriveTimings } from '../../../daemon/core/policy.ts';
import type { State } from '../../../daemon/core/state.ts';

export const gridMs = 500;

/** As in every configuration, but that it takes less long until a silence is a long one. */
export const timings: Timings = {
  ...deriveTimings({ keepaliveMs: 1000, warntimeMs: 2000, deadtimeMs: 4000, initdeadMs: 5000 }),
  staleAfterMs: 7000,
  soleAfterMs: 8000,
};

export const leaseMs = 3000;
export const watchdogMs = 5000;

export type HostIndex = 0 | 1;
export const hostIndexes = [0, 1] as const;
export const names = ['primary', 'secondary'] as const;
export const groupName = 'office';
export const gatewayId = 'gateway';
export const peerId = 'peer-lan';
export const addressId = 'address:192.168.1.1/24';
export const guestId = 'guest:mail';

export const otherHost = (index: HostIndex): HostIndex => (index === 0 ? 1 : 0);

export interface Message {
  readonly incarnation: number;
  readonly sequence: number;
  readonly echo: Echo | null;
  readonly content: HeartbeatContent;
  readonly sentAt: number;
}

export type Running = 'down' | 'up' | 'paused';

export interface Operation {
  readonly id: number;
  /** Index of the resource in its group. */
  readonly resource: number;
  readonly action: ResourceAction;
  readonly since: number;
  readonly cancelled: boolean;
}

export interface Write {
  readonly revision: number;
  readonly ledger: Ledger;
  readonly since: number;
}

/** A question to something outside: the fencing device, the watchdog's driver, the witness. */
export interface Errand {
  readonly operation: number;
  readonly since: number;
  /** Of the witness: what it has answered, on its way back. */
  readonly answer: LeaseAnswer | null;
}

export interface Host {
  /** Null: no daemon runs. */
  readonly state: State | null;
  readonly powered: boolean;
  readonly incarnation: number;
  /** When the daemon last ran by itself: its timer, and the answers to its probes. */
  readonly ranAt: number;
  readonly running: readonly Running[];
  readonly operations: readonly Operation[];
  /** Oldest first. */
  readonly writes: readonly Write[];
  readonly disk: Ledger;
  readonly fence: Errand | null;
  readonly lease: Errand | null;
  readonly arming: Errand | null;
  /** When the armed watchdog was fed last; null: not armed. */
  readonly fedAt: number | null;
  /** What this run of the daemon was given last, and of the run of its peer before that: replays. */
  readonly heard: Message | null;
  readonly heardBefore: Message | null;
  /** The run of its peer that has shown that it reads this run of the daemon; 0: none. */
  readonly readBy: number;
}

/** What ends with a daemon. */
export const noDaemon = {
  state: null,
  operations: [],
  writes: [],
  fence: null,
  lease: null,
  arming: null,
  heard: null,
  heardBefore: null,
  readBy: 0,
} as const;

/**
 * whole: a host loses everything. out, in: it cannot send, or receive. between: no path between the hosts, both have
 * the outside. heartbeats: the heartbeats alone are lost, both ways.
 */
export const cutKinds = ['none', 'whole', 'out', 'in', 'between', 'heartbeats'] as const;
export type CutKind = (typeof cutKinds)[number];

export interface Cut {
  readonly kind: CutKind;
  readonly host: HostIndex;
}

/** What may still happen. `faults`: crashes, losses of power, cuts, silent gateways and failing operations together. */
export interface Budget {
  readonly faults: number;
  readonly crashes: number;
  readonly powerLosses: number;
  readonly cuts: number;
  readonly gateways: number;
  readonly failures: number;
  /** How often a daemon starts again, with its host or alone. */
  readonly boots: number;
  /** Packets, and answers of the witness, lost without a cut. */
  readonly losses: number;
  /** Packets that take a step of time; the others come within the moment. */
  readonly delays: number;
  /** Steps of time in which a daemon does not get to run. */
  readonly lateness: number;
  readonly requests: number;
}

/** Nothing more may happen. */
export const noBudget: Budget = {
  faults: 0,
  crashes: 0,
  powerLosses: 0,
  cuts: 0,
  gateways: 0,
  failures: 0,
  boots: 0,
  losses: 0,
  delays: 0,
  lateness: 0,
  requests: 0,
};

/** As many as there are. */
export const unlimited = 99;

export interface Witness {
  readonly holder: HostIndex | null;
  readonly term: number;
  readonly expiresAt: number;
}

export interface World {
  readonly now: number;
  readonly hosts: readonly [Host, Host];
  /** On the way to each host, oldest first. */
  readonly inFlight: readonly [readonly Message[], readonly Message[]];
  readonly cut: Cut;
  readonly gatewayUp: boolean;
  readonly witness: Witness;
  readonly budget: Budget;
}

export type Guard = 'none' | 'device' | 'lease';
export type Request = 'handover' | 'takeover' | 'stop';

export interface Setup {
  readonly name: string;
  /** In words: what is in it. */
  readonly what: string;
  readonly guard: Guard;
  readonly hasAddress: boolean;
  /** steady: the primary has run the group for long. cold: nothing has ever run, each daemon starts at any time. */
  readonly beginning: 'steady' | 'cold';
  readonly cuts: readonly CutKind[];
  /** Does a cut end, at any time? */
  readonly mends: boolean;
  readonly requests: readonly Request[];
  readonly budget: Budget;
  /** Packets on the way to one host at once; the oldest gives way. */
  readonly inFlightMax: 1 | 2;
  /** Steps that an operation may take: to pause or end a thing at once; anything else, and a write. */
  readonly quickSteps: number;
  readonly slowSteps: number;
  /** An answer of the fencing device, the witness or the watchdog's driver. */
  readonly errandSteps: number;
}

export const noLedger: Ledger = {
  groups: [],
  peer: null,
  standby: false,
  left: false,
  maintenanceUntil: null,
};

function resourcesOf({ hasAddress }: Setup): readonly ResourcePolicy[] {
  const times = { needs: [], startMs: 5000, stopMs: 5000 };
  const guest: ResourcePolicy = { id: guestId, kind: 'guest', ...times };
  return hasAddress ? [{ id: addressId, kind: 'address', ...times }, guest] : [guest];
}

export function policyOf(setup: Setup, index: HostIndex): Policy {
  const { guard, hasAddress } = setup;
  return {
    self: names[index],
    peer: names[otherHost(index)],
    software: '0',
    configDigest: 'same',
    timings,
    links: ['all paths'],
    probes: [
      { id: gatewayId, kind: 'gateway' },
      { id: peerId, kind: 'peer' },
      ...(hasAddress ? [{ id: addressId, kind: 'floating' } as const] : []),
    ],
    groups: [
      {
        name: groupName,
        preferred: 'primary',
        failback: 'manual',
        failbackDelayMs: 60_000,
        interfaces: ['eth0'],
        resources: resourcesOf(setup),
      },
    ],
    parallelStarts: 4,
    guestMemoryMiB: null,
    fencing: guard === 'device' ? { delayMs: gridMs, deadlineMs: 3000 } : null,
    witness: guard === 'lease' ? { ttlMs: leaseMs } : null,
    watchdog: guard === 'lease' ? { timeoutMs: watchdogMs } : null,
  };
}

/** Do packets of this host get to the other one? */
export function carriesFrom({ cut }: World, from: HostIndex): boolean {
  switch (cut.kind) {
    case 'none':
      return true;
    case 'out':
      return cut.host !== from;
    case 'in':
      return cut.host === from;
    default:
      return false;
  }
}

/** Does what this host asks of the outside get there, and back? */
export function reachesOutside({ cut }: World, from: HostIndex): boolean {
  const isOneHosts = cut.kind === 'whole' || cut.kind === 'out' || cut.kind === 'in';
  return !isOneHosts || cut.host !== from;
}

/** Do the two hosts' own addresses reach each other? */
export function lanJoins({ cut }: World): boolean {
  return cut.kind === 'none' || cut.kind === 'heartbeats';
}
