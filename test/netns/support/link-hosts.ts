// The two hosts of the link tests: their addresses, links and heartbeats.

import type { ExecutionContext } from 'ava';
import type { LinkConfig } from '../../../daemon/config/config.ts';
import { type Host, type Lab, type LabNode, labFor } from './link-lab.ts';

export type { Host } from './link-lab.ts';

export const port = 694;
export const secret = '11'.repeat(32);
const hosts = { primary: 2, secondary: 3 } as const;
export const address = (host: Host, segment = 101) => `192.168.${segment}.${hosts[host]}`;

export const broadcast = (device: string): LinkConfig => ({ mode: 'broadcast', interface: device, port });
const multicast = (device: string): LinkConfig => ({
  mode: 'multicast',
  interface: device,
  group: '239.192.1.1',
  port,
});
export const unicast = (device: string, segment = 101): LinkConfig => ({
  mode: 'unicast',
  interface: device,
  addresses: { primary: address('primary', segment), secondary: address('secondary', segment) },
  port,
});
export const allModes = [broadcast('eth1'), multicast('eth1'), unicast('eth1')];
export const allIndexes = [0, 1, 2];

/** A lab with the dedicated segment (eth1, 192.168.101.0/24). */
export function segmentFor(t: ExecutionContext): Lab {
  const lab = labFor(t);
  lab.addSegment('br1', '192.168.101.9/24');
  for (const host of ['primary', 'secondary'] as const)
    lab.plugIn(host, 'eth1', 'br1', `${address(host)}/24`);
  return lab;
}

export async function startHost(lab: Lab, host: Host, links: readonly LinkConfig[]): Promise<LabNode> {
  const node = await lab.startNode(host);
  const config = (name: Host) => ({ name, address: address(name) });
  const peer = host === 'primary' ? 'secondary' : 'primary';
  node.order({ kind: 'open', self: config(host), peer: config(peer), links, secrets: [secret] });
  return node;
}

/** Both hosts with these links, sending heartbeats, once every link is up and has been heard at both ends. */
export async function startPair(
  lab: Lab,
  links: readonly LinkConfig[],
): Promise<readonly [LabNode, LabNode]> {
  const pair = await Promise.all([startHost(lab, 'primary', links), startHost(lab, 'secondary', links)]);
  for (const node of pair) node.order({ kind: 'beat', intervalMs: 100 });
  const indexes = links.map((_, index) => index);
  for (const node of pair) {
    for (const index of indexes) await node.untilStatus(index, 'up');
    await node.untilPackets(indexes);
  }
  return pair;
}

/** Statuses of one link in order, as `up` or the reason. */
export function history(node: LabNode, linkIndex: number): readonly string[] {
  return node.events.flatMap((event) =>
    event.kind === 'status' && event.linkIndex === linkIndex
      ? [event.status.kind === 'up' ? 'up' : event.status.reason]
      : [],
  );
}
