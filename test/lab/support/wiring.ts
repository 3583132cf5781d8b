// A lab's cables and switches: network namespaces with bridges, and a tap for each card of a node.
// The taps are the truth about cut cables, so nothing has to be remembered from one command to the next.

import { existsSync } from 'node:fs';
import { BattitoError, exitCodes } from '../../../daemon/errors.ts';
import { ipBatch, output } from '../../netns/support/namespaces.ts';
import type { LabPlaces } from './places.ts';
import {
  bridgeName,
  type Cable,
  cables,
  lanPrefixBits,
  mgmtAddress,
  type NodeName,
  networks,
  nodeNames,
  type Outsider,
  ourAddress,
  outsiderAddresses,
  outsiderCard,
  outsiders,
  tapName,
} from './plan.ts';

/** Makes the namespaces and everything in them. The names must be free. */
export async function layCables({ namespace, namespaceOf, namespaces }: LabPlaces): Promise<void> {
  if (!existsSync('/dev/net/tun')) {
    throw new BattitoError(
      'lab-no-tun',
      'this machine has no /dev/net/tun, so its nodes can have no network cards',
      {
        exitCode: exitCodes.unavailable,
        next: 'modprobe tun; in a container, the device must be let in (--privileged, or --device /dev/net/tun).',
      },
    );
  }
  await ipBatch(
    undefined,
    namespaces.map((name) => `netns add ${name}`),
  );
  // The switches themselves say nothing on the networks, and answer to nobody but on the management network.
  await inNamespace(namespace, [
    'sysctl',
    '-qw',
    'net.ipv6.conf.all.disable_ipv6=1',
    'net.ipv4.conf.all.arp_ignore=1',
  ]);
  await ipBatch(namespace, [
    'link set lo up',
    ...networks.flatMap((network) => [
      `link add ${bridgeName(network)} address ${ourAddress(network)} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
      `link set ${bridgeName(network)} up`,
      ...nodeNames.flatMap((node) => [
        `tuntap add ${tapName(network, node)} mode tap`,
        `link set ${tapName(network, node)} master ${bridgeName(network)} up`,
      ]),
    ]),
    `addr add ${mgmtAddress} dev ${bridgeName('mgmt')}`,
    ...outsiders.flatMap((outsider) => [
      `link add ${outsider} type veth peer name eth0 netns ${namespaceOf[outsider]}`,
      `link set ${outsider} master ${bridgeName('lan')} up`,
    ]),
  ]);
  for (const outsider of outsiders) {
    await ipBatch(namespaceOf[outsider], [
      'link set lo up',
      `link set eth0 address ${outsiderCard(outsider)} up`,
      `addr add ${outsiderAddresses[outsider]}/${lanPrefixBits} dev eth0`,
    ]);
  }
}

export function inNamespace(namespace: string, argv: readonly string[]): Promise<string> {
  return output(['ip', 'netns', 'exec', namespace, ...argv]);
}

/** Returns when it is so. What comes to the port meanwhile is lost. */
export async function setPort(places: LabPlaces, node: NodeName, cable: Cable, up: boolean): Promise<void> {
  await ipBatch(places.namespace, [`link set ${tapName(cable, node)} ${up ? 'up' : 'down'}`]);
}

export async function setOutsider(places: LabPlaces, outsider: Outsider, up: boolean): Promise<void> {
  await ipBatch(places.namespace, [`link set ${outsider} ${up ? 'up' : 'down'}`]);
}

/** Whether the nodes' ports on the LAN's switch let anything through to each other; all else on the LAN they reach. */
export async function setParted({ namespace }: LabPlaces, parted: boolean): Promise<void> {
  await ipBatch(namespace, partingLines(parted));
}

/** Ports of a bridge that are isolated reach the others, and not each other (ip-link(8), bridge_slave). */
const partingLines = (parted: boolean) =>
  nodeNames.map(
    (node) => `link set dev ${tapName('lan', node)} type bridge_slave isolated ${parted ? 'on' : 'off'}`,
  );

/** The cables of a node that are cut now. */
export async function cutCables({ namespace }: LabPlaces, node: NodeName): Promise<Cable[]> {
  const text = await output(['ip', '-n', namespace, '-j', 'link', 'show']);
  const links = JSON.parse(text) as readonly { readonly ifname: string; readonly flags: readonly string[] }[];
  const isUp = (name: string) => links.some(({ ifname, flags }) => ifname === name && flags.includes('UP'));
  return cables.filter((cable) => !isUp(tapName(cable, node)));
}

/** Everything as after {@link layCables}. */
export async function mendAll(places: LabPlaces): Promise<void> {
  const ports = [...cables.flatMap((cable) => nodeNames.map((node) => tapName(cable, node))), ...outsiders];
  await ipBatch(places.namespace, [...ports.map((port) => `link set ${port} up`), ...partingLines(false)]);
}
