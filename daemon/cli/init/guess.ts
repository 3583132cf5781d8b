// What follows from the facts without asking: which interface is what, who the other node is. Pure.
// `sure` means that nobody needs to be asked; all else is only what stands in brackets.

import type { DrbdEndpoint } from '../../drivers/drbd/endpoints.ts';
import { type HostAddress, type HostInterface, inNetwork, shortName } from './facts.ts';
import type { Facts } from './host.ts';

export interface Guess<Value> {
  readonly value: Value;
  readonly sure: boolean;
  /** What it was seen by, for the comment beside it. */
  readonly because: string;
}

/** Interfaces that can be the LAN: not those of guests, nor ports of a bridge. */
export function lanCandidates({ interfaces }: Facts): readonly HostInterface[] {
  return interfaces.filter(
    ({ kind, master, addresses }) =>
      kind !== 'loopback' && kind !== 'tun' && master === null && addresses.length > 0,
  );
}

export function guessLan(facts: Facts): Guess<HostInterface> | null {
  const candidates = lanCandidates(facts);
  for (const { gateway, interface: name } of facts.routes) {
    const found = candidates.find((one) => one.name === name);
    if (found === undefined) continue;
    const reaches = found.addresses.some((own) => inNetwork(gateway, own));
    return { value: found, sure: reaches, because: `the default route by ${gateway}` };
  }
  const [only, ...others] = candidates;
  if (only === undefined || others.length > 0) return null;
  return { value: only, sure: false, because: 'the only interface with an address' };
}

/** The address in the gateway's network where there are several. */
export function guessOwnAddress(facts: Facts, lan: HostInterface): Guess<HostAddress> | null {
  const gateways = facts.routes.filter((route) => route.interface === lan.name);
  const reaching = lan.addresses.filter((own) => gateways.some(({ gateway }) => inNetwork(gateway, own)));
  const [first, ...others] = reaching.length > 0 ? reaching : lan.addresses;
  if (first === undefined) return null;
  return { value: first, sure: others.length === 0, because: `the address of ${lan.name}` };
}

export interface Dedicated {
  readonly interface: HostInterface;
  readonly address: HostAddress;
}

/** Best first: what DRBD goes by, then what has a carrier, a private address, and no crowd on it. */
export function dedicatedCandidates(facts: Facts, lan: HostInterface | null): readonly Dedicated[] {
  const own = ownEndpoints(facts).map(({ address }) => address);
  const scored = lanCandidates(facts).flatMap((one) => {
    if (one.name === lan?.name || facts.routes.some((route) => route.interface === one.name)) return [];
    return one.addresses.flatMap((address) => {
      const isMirrors = own.includes(address.address);
      // Networks that libvirt or containers have made for themselves are bridges; the segment is one where DRBD says so.
      if (!isMirrors && one.kind === 'bridge') return [];
      if (lan?.addresses.some((other) => inNetwork(address.address, other)) === true) return [];
      const crowd = facts.neighbours.filter((each) => each.interface === one.name).length;
      const points = [
        isMirrors ? 16 : 0,
        one.carrier ? 8 : 0,
        isPrivate(address.address) ? 4 : 0,
        crowd === 1 ? 2 : 0,
        address.prefix >= 29 ? 1 : 0,
      ];
      return [{ interface: one, address, points: points.reduce((sum, each) => sum + each, 0) }];
    });
  });
  return scored.sort((one, other) => other.points - one.points);
}

export function guessDedicated(facts: Facts, lan: HostInterface | null): Guess<Dedicated> | null {
  const [best, ...others] = dedicatedCandidates(facts, lan);
  if (best === undefined) return null;
  const { address } = best.address;
  if (ownEndpoints(facts).some((each) => each.address === address)) {
    return { value: best, sure: true, because: 'the mirror goes by it' };
  }
  const answers = facts.neighbours.filter((each) => each.interface === best.interface.name);
  const seen = answers.length === 1 ? `; ${answers[0]?.address} answers there` : '';
  return {
    value: best,
    sure: others.length === 0 && best.interface.carrier && isPrivate(address),
    because: `${address} is a network of its own, without a default route${seen}`,
  };
}

/** RFC 1918 and RFC 3927. */
const isPrivate = (address: string) =>
  /^(10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.)/.test(address);

const isSelf = ({ node }: Facts, name: string) => shortName(name) === shortName(node);

function ownEndpoints(facts: Facts): readonly DrbdEndpoint[] {
  return facts.resources.flatMap(({ endpoints }) => endpoints.filter(({ host }) => isSelf(facts, host)));
}

/** The other hosts of all mirrors that this host has. */
export function mirrorPeers(facts: Facts): readonly DrbdEndpoint[] {
  return facts.resources.flatMap(({ endpoints }) =>
    endpoints.some(({ host }) => isSelf(facts, host))
      ? endpoints.filter(({ host }) => !isSelf(facts, host))
      : [],
  );
}

/** By the mirror, else by /etc/hosts, where one other host of the LAN stands, or who answers on the dedicated segment. */
export function guessPeerName(
  facts: Facts,
  own: HostAddress | null,
  dedicated: HostInterface | null,
): Guess<string> | null {
  const mirrored = [...new Set(mirrorPeers(facts).map(({ host }) => shortName(host)))];
  if (mirrored.length === 1) return { value: mirrored[0] ?? '', sure: true, because: "DRBD's configuration" };
  const only = (entries: readonly { readonly names: readonly string[] }[], because: string) => {
    const names = [...new Set(entries.map(({ names: [name = ''] }) => shortName(name)))];
    const [name] = names.filter((each) => each !== '' && !isSelf(facts, each));
    return names.length === 1 && name !== undefined ? { value: name, sure: false, because } : null;
  };
  const onLan = facts.hosts.filter(
    ({ address }) => own !== null && isOther(facts, address) && inNetwork(address, own),
  );
  const near = facts.neighbours.filter((each) => each.interface === dedicated?.name);
  const known = facts.hosts.filter(({ address }) => near.some((each) => each.address === address));
  return only(onLan, '/etc/hosts') ?? only(known, `who answers on ${dedicated?.name}`);
}

/** By /etc/hosts; `resolved`: what the name leads to. */
export function guessPeerAddress(
  facts: Facts,
  peer: string,
  own: HostAddress,
  resolved: readonly string[],
): Guess<string> | null {
  const listed = facts.hosts
    .filter(({ names }) => names.some((name) => shortName(name) === shortName(peer)))
    .map(({ address }) => address);
  for (const [addresses, because] of [
    [listed, '/etc/hosts'],
    [resolved, 'the name leads there'],
  ] as const) {
    const found = addresses.filter((address) => isOther(facts, address) && inNetwork(address, own));
    if (found[0] !== undefined) return { value: found[0], sure: false, because };
  }
  return null;
}

/** An IPv4 address that is not this host's, nor the gateway's. */
function isOther({ interfaces, routes }: Facts, address: string): boolean {
  return (
    /^\d+\.\d+\.\d+\.\d+$/.test(address) &&
    !address.startsWith('127.') &&
    !interfaces.some(({ addresses }) => addresses.some((own) => own.address === address)) &&
    !routes.some(({ gateway }) => gateway === address)
  );
}
