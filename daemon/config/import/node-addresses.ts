// The nodes' own addresses, which Heartbeat does not need and a configuration here does: from the command line, else
// from what this machine knows of their names (/etc/hosts, DNS).

import { isHostIPv4 } from '../values.ts';
import type { Given, Noted, Surroundings } from './draft.ts';
import type { Problems } from './source.ts';
import { isInNetwork } from './words.ts';

export interface NamedNode {
  /** As the file has it, and as it is here. */
  readonly given: string;
  readonly name: string;
  readonly note: string;
}

/** The two addresses in the order of the nodes; what is missing is a problem. */
export async function findNodeAddresses(
  nodes: readonly NamedNode[],
  given: Given,
  surroundings: Surroundings,
  problems: Problems,
): Promise<readonly Noted<{ readonly name: string; readonly address: string }>[]> {
  if (nodes.length !== 2) return []; // That is said already.
  const names = nodes.map(({ name }) => name);
  for (const name of given.addresses.keys()) {
    if (nodes.every((node) => node.name !== name && node.given !== name)) {
      problems.add(null, `--address ${name}=...: there is no such node, only ${names.join(' and ')}`);
    }
  }
  const found = await Promise.all(
    nodes.map(async (node) => {
      const said = given.addresses.get(node.name) ?? given.addresses.get(node.given);
      if (said !== undefined) return { node, address: said, how: 'by --address' };
      const known = (await surroundings.resolve(node.given)).find(isOwn);
      return { node, address: known ?? null, how: 'by its name' };
    }),
  );
  const peer = found.find(
    ({ node, address }) => node.name !== surroundings.node && address !== null,
  )?.address;
  return found.flatMap(({ node, address, how }) => {
    const own = address ?? ownAddress(node, peer ?? null, surroundings);
    if (own !== null) {
      const from = address === null ? 'of this machine' : how;
      return [{ value: { name: node.name, address: own }, note: `${node.note}; address ${from}` }];
    }
    const message = `the address of ${node.name} is not known here; say it: --address ${node.name}=192.168.1.2`;
    problems.add(null, message);
    return [];
  });
}

/** Debian gives a host's own name a loopback address. */
const isOwn = (address: string) => isHostIPv4(address) && !address.startsWith('127.');

/** What this machine has in the network of its peer, if it is that node. */
function ownAddress({ name }: NamedNode, peer: string | null, { node, interfaces }: Surroundings) {
  if (name !== node || peer === null) return null;
  const near = interfaces.find(
    ({ address, prefix }) => isOwn(address) && address !== peer && isInNetwork(peer, address, prefix),
  );
  return near?.address ?? null;
}
