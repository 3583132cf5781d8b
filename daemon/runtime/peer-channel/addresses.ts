// Where the channel between the nodes listens and calls: the addresses of the heartbeat links, with their port in TCP.
// The peer's address on a broadcast or multicast link is learned from its heartbeats.

import type { Config, NodeConfig } from '../../config/config.ts';
import { readInterface, resolveEndpoint } from '../../drivers/link/interface.ts';
import type { ChannelAddress } from './tls.ts';
import { nameOf } from './tls.ts';

export interface ChannelAddresses {
  /** A fresh, authenticated heartbeat came from this address on the link with this index. Is that news? */
  learn(link: number, address: string): boolean;
  /** Those that the interfaces have now. */
  own(): readonly ChannelAddress[];
  /** In the order of the links. */
  peer(): readonly ChannelAddress[];
}

export function createChannelAddresses(options: {
  readonly config: Pick<Config, 'heartbeat'>;
  readonly self: NodeConfig;
  readonly peer: NodeConfig;
}): ChannelAddresses {
  const { config, self, peer } = options;
  const { links } = config.heartbeat;
  const learned = new Map<number, string>();
  return {
    learn(link, address) {
      const isNews = learned.get(link) !== address;
      learned.set(link, address);
      return isNews;
    },
    own: () =>
      distinct(
        links.flatMap((link) => {
          const view = readInterface(link.interface);
          if (view.kind !== 'usable') return [];
          const endpoint = resolveEndpoint(link, self, peer, view.addresses);
          return endpoint.kind === 'none' ? [] : [{ address: endpoint.interfaceAddress, port: link.port }];
        }),
      ),
    peer: () =>
      distinct(
        links.flatMap((link, index) => {
          const configured =
            link.mode === 'unicast' ? (link.addresses[peer.name] ?? peer.address) : undefined;
          const address = configured ?? learned.get(index);
          return address === undefined ? [] : [{ address, port: link.port }];
        }),
      ),
  };
}

function distinct(addresses: readonly ChannelAddress[]): readonly ChannelAddress[] {
  return [...new Map(addresses.map((address) => [nameOf(address), address])).values()];
}
