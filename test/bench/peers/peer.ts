// What the bench wants of a cluster manager, ours or another one: how it is installed, configured, started, asked for a
// handover, and when it is at rest. Who has the address is never its own word: the kernels of both hosts are asked.

import type { TestNetwork } from '../../netns/support/cluster.ts';
import type { HostName } from '../../netns/support/hosts.ts';
import type { HostSystem } from './host-system.ts';

export const peerNames = ['battito', 'keepalived', 'heartbeat', 'pacemaker', 'ucarp'] as const;
export type PeerName = (typeof peerNames)[number];

/** Both hosts of a network, and what each peer keeps on them. */
export interface Site {
  readonly network: TestNetwork;
  /** The Debian system that a host runs; ours runs beside it, from this checkout. */
  system(host: HostName): HostSystem;
}

/** One way of running a peer: its timings. */
export interface Configuration {
  /** Kebab-case; the name in the JSON output and of `--only`. */
  readonly id: string;
  readonly peer: PeerName;
  /** As a reader of the table knows it. */
  readonly label: string;
  /** From the last sign of a node until the other one acts on it, as configured; equal ones are compared. */
  readonly windowMs: number;
}

/** A peer in one configuration on the hosts of one site. */
export interface Cluster {
  /** Writes its files on both hosts. */
  configure(): Promise<void>;
  start(host: HostName): Promise<void>;
  /** Both know each other, and nothing is under way. A throw is a no that says why. */
  isAtRest(): Promise<boolean>;
  /** Asks, as its operator would, that the other host takes the address; need not wait for it. */
  handOver(from: HostName): Promise<void>;
}

export interface Peer {
  readonly name: PeerName;
  /** Debian packages; none for ours. The first one gives the version. */
  readonly packages: readonly string[];
  readonly configurations: readonly Configuration[];
  open(site: Site, configuration: Configuration): Cluster;
}
