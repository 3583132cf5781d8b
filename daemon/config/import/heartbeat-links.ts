// The paths of ha.cf: bcast, mcast and ucast.

import { isMulticastIPv4 } from '../values.ts';
import { type DraftLink, type Noted, noteOf, type Surroundings, unique } from './draft.ts';
import type { Directive } from './ha-cf.ts';
import type { Place, Problems } from './source.ts';
import { withoutAlias } from './words.ts';

export interface LinkSources {
  readonly directives: readonly Directive[];
  /** In the order of the nodes. */
  readonly nodes: readonly { readonly name: string; readonly address: string }[];
  readonly surroundings: Surroundings;
}

/** The last udpport; null: none is given. */
export function portOf(directives: readonly Directive[], problems: Problems): Noted<number> | null {
  const given = directives.findLast(({ name }) => name === 'udpport');
  if (given === undefined) return null;
  const port = parsePort(given.values.at(-1));
  if (port === undefined) problems.add(given.place, 'udpport takes a number from 1 to 65535');
  return port === undefined ? null : { value: port, note: noteOf(given.place) };
}

function parsePort(text = ''): number | undefined {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}

export function linksOf(sources: LinkSources, problems: Problems): readonly Noted<DraftLink>[] {
  const { directives } = sources;
  const port = portOf(directives, problems)?.value ?? 694;
  const links = directives.flatMap(({ name, values, place }): Noted<DraftLink>[] => {
    if (name === 'bcast') {
      return values.map((value) => ({ value: { interface: withoutAlias(value) }, note: noteOf(place) }));
    }
    return name === 'mcast' ? multicast(values, place, port, problems) : [];
  });
  const all = [...links, ...unicast(sources, problems)];
  return unique(all, (link) => JSON.stringify([link.interface, link.mode ?? 'broadcast', link.port ?? port]));
}

function multicast(
  values: readonly string[],
  place: Place,
  defaultPort: number,
  problems: Problems,
): Noted<DraftLink>[] {
  const [name, group = '', portText, ttl, ...rest] = values;
  const port = portText === undefined ? defaultPort : parsePort(portText);
  if (name === undefined || !isMulticastIPv4(group) || port === undefined || rest.length > 1) {
    problems.add(place, 'mcast takes INTERFACE GROUP PORT TTL LOOP, such as eth0 239.0.0.43 694 1 0');
    return [];
  }
  const note = noteOf(
    place,
    ttl === undefined || ttl === '1' ? '' : `not with TTL ${ttl}: packets stay in the segment`,
  );
  const own = port === defaultPort ? {} : { port };
  return [{ value: { interface: withoutAlias(name), mode: 'multicast', group, ...own }, note }];
}

/** `ucast` names the interface and an end of it; both nodes' ends may stand there, and the own one is passed over. */
function unicast({ directives, nodes, surroundings }: LinkSources, problems: Problems): Noted<DraftLink>[] {
  const ends = new Map<string, { readonly place: Place; readonly addresses: string[] }>();
  for (const { name, values, place } of directives) {
    if (name !== 'ucast') continue;
    const [given, address, ...rest] = values;
    if (given === undefined || address === undefined || rest.length > 0) {
      problems.add(place, 'ucast takes INTERFACE ADDRESS, such as eth1 192.168.2.3');
      continue;
    }
    const link = ends.get(withoutAlias(given)) ?? { place, addresses: [] };
    if (!link.addresses.includes(address)) link.addresses.push(address);
    ends.set(withoutAlias(given), link);
  }
  return [...ends].map(([name, { place, addresses }]) => {
    const owners = ownersOf(name, addresses, nodes, surroundings);
    if (owners === null) {
      const what = `broadcast reaches both ends, ${addresses.join(' and ')} alone would not say whose is whose`;
      return { value: { interface: name }, note: noteOf(place, what) };
    }
    const isLan = nodes.every((node) => owners[node.name] === node.address);
    return {
      value: { interface: name, mode: 'unicast', ...(isLan ? {} : { addresses: owners }) },
      note: noteOf(place),
    };
  });
}

/** Whose end each address is; null where that is not clear. */
function ownersOf(
  link: string,
  addresses: readonly string[],
  nodes: LinkSources['nodes'],
  { node: self, interfaces }: Surroundings,
): Readonly<Record<string, string>> | null {
  const [first, second] = nodes;
  if (first === undefined || second === undefined || addresses.length > 2) return null;
  if (addresses.every((address) => address === first.address || address === second.address)) {
    return { [first.name]: first.address, [second.name]: second.address };
  }
  const own = interfaces.filter((local) => local.interface === link).map(({ address }) => address);
  const here = nodes.find(({ name }) => name === self);
  const there = nodes.find(({ name }) => name !== self);
  const [theirs, ...more] = addresses.filter((address) => !own.includes(address));
  const ours = addresses.find((address) => own.includes(address)) ?? own[0];
  if (here === undefined || there === undefined || ours === undefined || theirs === undefined) return null;
  return more.length > 0 ? null : { [here.name]: ours, [there.name]: theirs };
}
