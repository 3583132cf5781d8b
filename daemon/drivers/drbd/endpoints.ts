// Between which addresses a resource is mirrored, by its files, and what of that cannot be right on this host: for
// `battito check`. Pure.

import type { Code } from '../../why/explanations.ts';
import { type ConfigNode, sections } from './config-text.ts';
import type { DrbdFinding } from './options-check.ts';

/** One host's end of a connection. */
export interface DrbdEndpoint {
  /** As `on NAME` has it, which is the host's own name (uname -n). */
  readonly host: string;
  /** IPv4 or IPv6, without brackets. */
  readonly address: string;
  readonly port: number;
}

/** Of `drbdadm dump`: `on NAME { address ipv4 A:P; }`, and of DRBD 9 also `connection { host NAME address ipv4 A:P; }`. */
export function endpointsOf(nodes: readonly ConfigNode[]): readonly DrbdEndpoint[] {
  const found = sections(nodes, 'on').flatMap(({ words, body }) =>
    (body ?? []).flatMap((node) => endpointOf(words[1], node.words)),
  );
  if (found.length > 0) return found;
  return sections(nodes, 'connection').flatMap(({ body }) => hostsOf(body ?? []));
}

function hostsOf(body: readonly ConfigNode[]): readonly DrbdEndpoint[] {
  return body.flatMap(({ words, body: inner }) =>
    words[0] === 'host' ? endpointOf(words[1], words.slice(2)) : hostsOf(inner ?? []),
  );
}

function endpointOf(host: string | undefined, words: readonly string[]): readonly DrbdEndpoint[] {
  const [setting] = words;
  const [, address = '', port] = /^\[?([^\s[\]]+?)\]?:(\d+)$/.exec(words.at(-1) ?? '') ?? [];
  return setting === 'address' && host !== undefined && port !== undefined
    ? [{ host, address, port: Number(port) }]
    : [];
}

/** The two nodes, and every address that this host has. */
export interface HostFacts {
  readonly self: string;
  readonly peer: string;
  readonly addresses: readonly string[];
}

export function checkEndpoints(
  resource: string,
  endpoints: readonly DrbdEndpoint[],
  { self, peer, addresses }: HostFacts,
): readonly DrbdFinding[] {
  if (endpoints.length === 0) return []; // Something that DRBD understands and this does not.
  const file = `/etc/drbd.d/${resource}.res`;
  const problem = (code: Code, what: string, why: string, next: string): readonly DrbdFinding[] => [
    { level: 'problem', code, what, why, next },
  ];
  // A host may be known to DRBD by its full name, and to Battito by the short one.
  const of = (node: string) => endpoints.find(({ host }) => host === node || host.split('.')[0] === node);
  const own = of(self);
  const other = of(peer);
  if (own === undefined || other === undefined) {
    return problem(
      'drbd-hosts',
      `${resource} is between ${endpoints.map(({ host }) => host).join(' and ')}, not between ${self} and ${peer}`,
      'DRBD goes by the names of the hosts, and has no resource for one that it does not know',
      `correct the names after \`on\` in ${file}, on both nodes`,
    );
  }
  if (other.address === own.address || addresses.includes(other.address)) {
    return problem(
      'drbd-peer-address',
      `the address of ${peer} for ${resource}, ${other.address}, is one of this host`,
      'the mirror would never meet its peer',
      `correct \`address\` under \`on ${peer}\` in ${file}, on both nodes, then: drbdadm adjust ${resource}`,
    );
  }
  if (!addresses.includes(own.address)) {
    return problem(
      'drbd-own-address',
      `no interface of this host has ${own.address}, the address of ${self} for ${resource}`,
      'the mirror cannot be connected',
      `ip address add ${own.address}/24 dev INTERFACE   # and make it permanent, or correct it under \`on ${self}\` in ${file}`,
    );
  }
  return [];
}
