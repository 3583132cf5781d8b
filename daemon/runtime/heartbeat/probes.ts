// The probes that the core paces, and the peer's addresses on the links, learned from its packets.

import { networkInterfaces } from 'node:os';
import type { Logger } from 'pino';
import type { Config, NodeConfig } from '../../config/config.ts';
import type { ProbePace } from '../../core/events.ts';
import type { Probe, ProbeTarget } from '../../drivers/probe/probe.ts';
import { createProbe } from '../../drivers/probe/probe.ts';
import type { Untimed } from '../loop.ts';
import { addressId, gatewayProbeId, peerLinkProbeId, peerProbeId } from '../policy.ts';

export interface Probes {
  pace(paces: readonly ProbePace[]): void;
  /** The peer's packets on a link come from this address. */
  learn(link: number, address: string): void;
  close(): Promise<void>;
}

export interface ProbesOptions {
  readonly config: Config;
  readonly peer: NodeConfig;
  readonly logger: Logger;
  readonly post: (event: Untimed) => void;
}

export function createProbes({ config, peer, logger, post }: ProbesOptions): Probes {
  const probes = new Map<string, Probe>();
  const learned = new Map<number, string>();
  let intervals = new Map<string, number>();

  const add = (id: string, target: ProbeTarget) => {
    const probe = createProbe({
      target,
      logger,
      onResult: ({ kind }) => post({ kind: 'probe-reported', target: id, result: kind }),
    });
    probes.set(id, probe);
    const interval = intervals.get(id);
    if (interval !== undefined) probe.setPace(interval);
  };

  for (const address of config.connectivity.ping) add(gatewayProbeId(address), { kind: 'icmp', address });
  for (const group of config.groups) {
    for (const floating of group.addresses) {
      const { address, family, interface: name } = floating;
      add(
        addressId(floating),
        family === 4 ? { kind: 'arp', address, interface: name } : { kind: 'icmp', address },
      );
    }
  }
  add(peerProbeId(peer), peerTarget(peer.address));

  return {
    pace(paces) {
      intervals = new Map(paces.map(({ target, intervalMs }) => [target, intervalMs]));
      for (const [id, probe] of probes) probe.setPace(intervals.get(id) ?? null);
    },
    learn(index, address) {
      const link = config.heartbeat.links[index];
      if (link === undefined || link.mode === 'unicast' || learned.get(index) === address) return;
      learned.set(index, address);
      const id = peerLinkProbeId(peer, link);
      void probes.get(id)?.close();
      add(id, { kind: 'arp', address, interface: link.interface });
    },
    async close() {
      await Promise.all([...probes.values()].map((probe) => probe.close()));
    },
  };
}

/** By ARP when the address is on one of our own segments, since no firewall stops that; else by ICMP. */
function peerTarget(address: string): ProbeTarget {
  for (const [name, views] of Object.entries(networkInterfaces())) {
    for (const view of views ?? []) {
      if (view.family === 'IPv4' && sameNetwork(address, view.address, view.netmask)) {
        return { kind: 'arp', address, interface: name };
      }
    }
  }
  return { kind: 'icmp', address };
}

function sameNetwork(a: string, b: string, netmask: string): boolean {
  const bits = (text: string) => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const mask = bits(netmask);
  return mask !== 0 && (bits(a) & mask) === (bits(b) & mask);
}
