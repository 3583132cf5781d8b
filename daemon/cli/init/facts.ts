// What is known of a host before it is a node, read from what its tools say. Pure: who runs the tools is host.ts.
// What cannot be read is left out, never guessed.

import { parseConfigText, sections } from '../../drivers/drbd/config-text.ts';
import { type DrbdEndpoint, endpointsOf } from '../../drivers/drbd/endpoints.ts';
import { volumesOf } from '../../drivers/drbd/volumes.ts';
import { parseInterfaces } from '../../drivers/network.ts';

export interface HostAddress {
  readonly address: string;
  readonly prefix: number;
}

export interface HostInterface {
  readonly name: string;
  /** What the kernel calls it, e.g. `bridge`, `bond`, `vlan`, `veth`; null: a card. */
  readonly kind: string | null;
  /** The bridge or bond that it is a port of. */
  readonly master: string | null;
  readonly carrier: boolean;
  /** Megabits a second; null: it does not say. */
  readonly speedMbit: number | null;
  /** IPv4, in the kernel's order. */
  readonly addresses: readonly HostAddress[];
}

export interface DefaultRoute {
  readonly gateway: string;
  readonly interface: string;
}

export interface Neighbour {
  readonly address: string;
  readonly interface: string;
}

export interface HostsEntry {
  readonly address: string;
  readonly names: readonly string[];
}

export interface DrbdResource {
  readonly name: string;
  readonly endpoints: readonly DrbdEndpoint[];
  readonly devices: readonly DrbdVolumeFacts[];
}

export interface DrbdVolumeFacts {
  /** By the minor where both hosts have the same, else by the resource's name. */
  readonly device: string;
  /** What lies under it on this host; null where the files do not say. */
  readonly backing: string | null;
}

/** Lines of `ip -j -d addr show`; `speedOf`: what sysfs has for an interface. */
export function readInterfaces(
  json: string,
  speedOf: (name: string) => number | null,
): readonly HostInterface[] {
  const parsed = parseInterfaces(json);
  if (parsed.kind === 'unparseable') return [];
  const traits = new Map(records(json).map((entry) => [entry['ifname'], entry]));
  return parsed.interfaces.map(({ name, adminUp, carrier, addresses }) => {
    const { linkinfo, master, flags } = traits.get(name) ?? {};
    const { info_kind: kind } = isRecord(linkinfo) ? linkinfo : {};
    const isLoopback = Array.isArray(flags) && flags.includes('LOOPBACK');
    return {
      name,
      kind: isLoopback ? 'loopback' : typeof kind === 'string' ? kind : null,
      master: typeof master === 'string' ? master : null,
      carrier: adminUp && carrier,
      speedMbit: speedOf(name),
      addresses: addresses
        .filter(({ family }) => family === 4)
        .map(({ address, prefix }) => ({ address, prefix })),
    };
  });
}

/** `ip -j -4 route show default`: the kernel takes the one of the lowest metric. */
export function readDefaultRoutes(json: string): readonly DefaultRoute[] {
  const metric = (route: Readonly<Record<string, unknown>>) => Number(route['metric'] ?? 0);
  return records(json)
    .sort((one, other) => metric(one) - metric(other))
    .flatMap(({ dst, gateway, dev }) =>
      dst === 'default' && typeof gateway === 'string' && typeof dev === 'string'
        ? [{ gateway, interface: dev }]
        : [],
    );
}

/** `ip -j -4 neigh show`: who has answered there. */
export function readNeighbours(json: string): readonly Neighbour[] {
  return records(json).flatMap(({ dst, dev, lladdr, state }) => {
    const failed = Array.isArray(state) && state.includes('FAILED');
    const complete = typeof dst === 'string' && typeof dev === 'string' && typeof lladdr === 'string';
    return complete && !failed ? [{ address: dst, interface: dev }] : [];
  });
}

/** hosts(5). */
export function readHosts(text: string): readonly HostsEntry[] {
  return text.split('\n').flatMap((line) => {
    const [address, ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    return address === undefined || names.length === 0 ? [] : [{ address, names }];
  });
}

/** `drbdadm dump`: every resource that has this host, however its name is written. */
export function readResources(dump: string, node: string): readonly DrbdResource[] {
  return sections(parseConfigText(dump), 'resource').flatMap(({ words, body }) => {
    const name = words[1];
    if (name === undefined || body === null) return [];
    const endpoints = endpointsOf(body);
    const own = sections(body, 'on').find(({ words: [, host = ''] }) => shortName(host) === shortName(node));
    const devices = volumesOf(body).map(({ number, minors: [minor, ...others] }) => ({
      device: others.length === 0 ? `/dev/drbd${minor}` : `/dev/drbd/by-res/${name}/${number}`,
      backing: backingOf(own?.body ?? [], number),
    }));
    return [{ name, endpoints, devices }];
  });
}

type Body = ReturnType<typeof parseConfigText>;

function backingOf(body: Body, volume: number): string | null {
  const inVolume = body.find(({ words }) => words[0] === 'volume' && Number(words[1]) === volume)?.body;
  const disk = (inVolume ?? body).find((node) => node.body === null && node.words[0] === 'disk');
  return disk?.words[1]?.startsWith('/') === true ? disk.words[1] : null;
}

/** `blkid -p -u filesystem -o export`: the type and the names under which a file system may stand in /etc/fstab. */
export function readFileSystem(
  text: string,
): { readonly type: string; readonly tags: readonly string[] } | null {
  const values = new Map(text.split('\n').map((line) => [line.split('=')[0], line.replace(/^[^=]*=/, '')]));
  const type = values.get('TYPE');
  if (type === undefined) return null;
  const tags = ['UUID', 'LABEL'].flatMap((tag) => {
    const value = values.get(tag);
    return value === undefined ? [] : [`${tag}=${value}`];
  });
  return { type, tags };
}

/** `ipmitool lan print`: the BMC's own address; null: it has none. */
export function readBmcAddress(text: string): string | null {
  const address = /^IP Address\s*:\s*(\S+)/m.exec(text)?.[1];
  return address === undefined || address === '0.0.0.0' ? null : address;
}

export const shortName = (name: string) => name.split('.')[0] ?? name;

function records(json: string): Readonly<Record<string, unknown>>[] {
  try {
    const list: unknown = JSON.parse(json);
    return Array.isArray(list) ? list.filter(isRecord) : [];
  } catch {
    return []; // Nothing was said, or what an older tool says that has no JSON.
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An IPv4 address as a number; the callers have checked that it is one. */
const numberOf = (address: string) =>
  address.split('.').reduce((value, part) => value * 256 + Number(part), 0);

/** Whether an address lies in the network of another one. */
export function inNetwork(address: string, { address: other, prefix }: HostAddress): boolean {
  const size = 2 ** (32 - prefix);
  return Math.floor(numberOf(address) / size) === Math.floor(numberOf(other) / size);
}
