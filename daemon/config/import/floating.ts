// Floating addresses as they are written elsewhere, made whole: Heartbeat asks the routing table for the interface and
// the prefix that a line leaves out; here they are taken from this machine if it is one of the nodes, from the other
// lines, or from the command line, and never guessed.

import { canonicalHostAddress } from '../values.ts';
import type { Given, LocalAddress, Noted } from './draft.ts';
import { noteOf } from './draft.ts';
import type { Place, Problems } from './source.ts';
import { isInNetwork, type WrittenAddress } from './words.ts';

export interface FoundAddress {
  readonly place: Place;
  readonly written: WrittenAddress;
}

/** @param networks what this machine has, or nothing where it is none of the nodes */
export function wholeAddresses(
  found: readonly FoundAddress[],
  networks: readonly LocalAddress[],
  given: Given,
  problems: Problems,
): ReadonlyMap<FoundAddress, Noted<string>> {
  const told: LocalAddress[] = found.flatMap(({ written: { address, prefix, interface: name } }) =>
    prefix === null || name === null ? [] : [{ address, prefix, interface: name }],
  );
  const whole = new Map<FoundAddress, Noted<string>>();
  for (const item of found) {
    const text = wholeAddress(item, [...told, ...networks], given, problems);
    if (text !== null) whole.set(item, text);
  }
  return whole;
}

function wholeAddress(
  { place, written }: FoundAddress,
  networks: readonly LocalAddress[],
  given: Given,
  problems: Problems,
): Noted<string> | null {
  const address = canonicalHostAddress(written.address);
  if (address === undefined) {
    problems.add(place, `${written.address} is no address that a host can have`);
    return null;
  }
  const network = networks.find((local) => isInNetwork(address, local.address, local.prefix));
  const name = written.interface ?? given.interface ?? network?.interface;
  const prefix = written.prefix ?? given.prefix ?? network?.prefix;
  if (name === undefined) {
    problems.add(place, `${address} names no interface; say which: --interface eth0`);
  }
  if (prefix === undefined) {
    problems.add(place, `${address} names no prefix length; say which: --prefix 24`);
  }
  if (name === undefined || prefix === undefined) return null;
  const additions = [
    ...(written.interface === null ? ['the interface is an addition'] : []),
    ...(written.prefix === null ? ['the prefix length is an addition'] : []),
    ...(written.label === null ? [] : [`without the label ${written.label}`]),
  ];
  return { value: `${address}/${prefix} dev ${name}`, note: noteOf(place, additions.join(', ')) };
}
