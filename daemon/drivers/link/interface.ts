// What the kernel says about a link's network interface, and the UDP addresses that follow from it.
// Guarantees: reads only, never throws. Source: sysfs-class-net (kernel ABI documentation) and getifaddrs(3).

import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { LinkConfig, NodeConfig } from '../../config/config.ts';
import { assertNever } from '../never.ts';

export interface InterfaceAddress {
  readonly address: string;
  readonly netmask: string;
}

/** `unusable`: present but cannot carry packets now; its addresses cannot be seen then. */
export type InterfaceView =
  | { readonly kind: 'missing'; readonly reason: string }
  | { readonly kind: 'unusable'; readonly reason: string }
  | { readonly kind: 'usable'; readonly index: string; readonly addresses: readonly InterfaceAddress[] };

/** Where a link's socket is bound, where it sends to, and the interface's own address. */
export type Endpoint =
  | {
      readonly kind: 'endpoint';
      readonly bindAddress: string;
      readonly peerAddress: string;
      readonly interfaceAddress: string;
    }
  | { readonly kind: 'none'; readonly reason: string };

const flagUp = 0x1; // IFF_UP, linux/if.h

export function readInterface(name: string): InterfaceView {
  try {
    const directory = `/sys/class/net/${name}`;
    const index = read(`${directory}/ifindex`);
    if (index === undefined) return { kind: 'missing', reason: `interface ${name} does not exist` };
    const addresses = readAddresses(name);
    // Looked at after the addresses, which are hidden without carrier: a cable pulled in between is not "no address".
    const problem = findProblem(name, directory);
    return problem === undefined
      ? { kind: 'usable', index, addresses }
      : { kind: 'unusable', reason: problem };
  } catch (error) {
    return { kind: 'unusable', reason: `the state of ${name} cannot be read: ${(error as Error).message}` };
  }
}

function findProblem(name: string, directory: string): string | undefined {
  const up = (Number(read(`${directory}/flags`) ?? 0) & flagUp) !== 0;
  if (!up) return `interface ${name} is down`;
  // operstate follows carrier a moment later in both directions; only both together mean that packets flow.
  const operational = ['up', 'unknown'].includes(read(`${directory}/operstate`) ?? '');
  return read(`${directory}/carrier`) === '1' && operational ? undefined : `no carrier on ${name}`;
}

/** sysfs answers EINVAL for what an interface that is down cannot know. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'EINVAL' || code === 'ENODEV') return undefined;
    throw error;
  }
}

/** IPv4 addresses in the kernel's order, those with a label (`eth0:1`) included. */
function readAddresses(name: string): readonly InterfaceAddress[] {
  return Object.entries(networkInterfaces())
    .filter(([label]) => label === name || label.startsWith(`${name}:`))
    .flatMap(([, addresses]) => addresses ?? [])
    .filter((address) => address.family === 'IPv4')
    .map(({ address, netmask }) => ({ address, netmask }));
}

/**
 * Of several IPv4 addresses on the interface, a broadcast or multicast link takes the node's own LAN address if it
 * is there, else the first; a broadcast link passes over those whose prefix has no broadcast address (/31, /32).
 * A unicast link takes its configured address, which must be on the interface.
 */
export function resolveEndpoint(
  config: LinkConfig,
  self: NodeConfig,
  peer: NodeConfig,
  addresses: readonly InterfaceAddress[],
): Endpoint {
  if (addresses.length === 0) return { kind: 'none', reason: `${config.interface} has no IPv4 address` };
  switch (config.mode) {
    case 'broadcast': {
      const own = preferOwn(
        addresses.filter((candidate) => hasBroadcast(candidate.netmask)),
        self,
      );
      if (own === undefined) {
        return { kind: 'none', reason: `${config.interface} has no IPv4 address with a broadcast address` };
      }
      const broadcast = broadcastAddress(own);
      return endpoint(broadcast, broadcast, own.address);
    }
    case 'multicast': {
      const interfaceAddress = preferOwn(addresses, self)?.address ?? self.address;
      return endpoint(config.group, config.group, interfaceAddress);
    }
    case 'unicast': {
      const own = config.addresses[self.name] ?? self.address;
      if (!addresses.some(({ address }) => address === own)) {
        return { kind: 'none', reason: `${config.interface} does not have the address ${own}` };
      }
      return endpoint(own, config.addresses[peer.name] ?? peer.address, own);
    }
    default:
      return assertNever(config);
  }
}

function endpoint(bindAddress: string, peerAddress: string, interfaceAddress: string): Endpoint {
  return { kind: 'endpoint', bindAddress, peerAddress, interfaceAddress };
}

function preferOwn(addresses: readonly InterfaceAddress[], self: NodeConfig): InterfaceAddress | undefined {
  return addresses.find(({ address }) => address === self.address) ?? addresses[0];
}

function hasBroadcast(netmask: string): boolean {
  return toNumber(netmask) < 0xff_ff_ff_fe; // /31 has no broadcast address: RFC 3021.
}

/** The address with all host bits set, e.g. 192.168.1.255 for 192.168.1.2/24. */
export function broadcastAddress({ address, netmask }: InterfaceAddress): string {
  const value = (toNumber(address) | ~toNumber(netmask)) >>> 0;
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.');
}

function toNumber(dotted: string): number {
  return dotted.split('.').reduce((value, part) => ((value << 8) | Number(part)) >>> 0, 0);
}
