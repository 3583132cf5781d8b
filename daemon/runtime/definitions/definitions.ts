// The guests' definitions on both nodes, put together: the store, the channel to the peer, and what a person may ask.
// It decides nothing about who runs what, and nothing that fails here ends the daemon.

import type { Logger } from 'pino';
import type { Config, NodeConfig } from '../../config/config.ts';
import type { KeyRing } from '../../config/key-file.ts';
import type { GuestsSource } from '../../control/guests.ts';
import { type ChannelAddresses, createChannelAddresses } from '../peer-channel/addresses.ts';
import { createPeerChannel, type PeerChannel } from '../peer-channel/peer-channel.ts';
import { definitionsDirectory, openDefinitionFiles } from './files.ts';
import { createDefinitionStore, type DefinitionStore } from './store.ts';
import { definitionRoutes, startDefinitionsSync } from './sync.ts';
import { definitionsView } from './view.ts';

export interface DefinitionsOptions {
  readonly config: Pick<Config, 'cluster' | 'heartbeat'>;
  readonly self: NodeConfig;
  readonly peer: NodeConfig;
  /** Of the purpose `peer-channel`: `loadKeyRing(path, 'peer-channel')`. Asked for every connection. */
  readonly ring: () => KeyRing;
  readonly stateDir: string;
  /** The node that runs the group; null: none, or not known. */
  readonly activeNode: (group: string) => string | null;
  readonly isPeerAlive: () => boolean;
  readonly logger: Logger;
  /** Tests name others. */
  readonly addresses?: ChannelAddresses;
  readonly intervalMs?: number;
  readonly retryMs?: number;
}

export interface Definitions
  extends Pick<
    DefinitionStore,
    'changed' | 'removed' | 'absent' | 'adopt' | 'named' | 'namesHere' | 'inUse' | 'records' | 'onChange'
  > {
  readonly channel: PeerChannel;
  /** For the control API. */
  readonly source: GuestsSource;
  /** A fresh, authenticated heartbeat of the peer came from this address on the link with this index. */
  learn(link: number, address: string): void;
  /** With the peer, as a whole. @returns what went wrong; null: nothing */
  compareNow(): Promise<string | null>;
  close(): Promise<void>;
}

/** Rejects when the directory for the definitions cannot be used. */
export async function createDefinitions(options: DefinitionsOptions): Promise<Definitions> {
  const { config, self, peer, ring, stateDir, activeNode, isPeerAlive, logger } = options;
  const { addresses = createChannelAddresses({ config, self, peer }) } = options;
  const files = await openDefinitionFiles(definitionsDirectory(stateDir), logger);
  const names = { self: self.name, peer: peer.name };
  const store = createDefinitionStore({ files, ...names, activeNode, logger });
  let wake = () => {};
  const channel = createPeerChannel({
    cluster: config.cluster,
    ...names,
    ring,
    ownAddresses: addresses.own,
    peerAddresses: addresses.peer,
    routes: definitionRoutes(store, () => wake()),
    logger,
  });
  const sync = startDefinitionsSync({
    store,
    request: channel.request,
    isPeerAlive,
    logger,
    ...(options.intervalMs === undefined ? {} : { intervalMs: options.intervalMs }),
    ...(options.retryMs === undefined ? {} : { retryMs: options.retryMs }),
  });
  wake = sync.wake;
  const { changed, removed, absent, adopt, named, namesHere, inUse, records, onChange } = store;
  return {
    ...{ changed, removed, absent, adopt, named, namesHere, inUse, records, onChange },
    channel,
    source: definitionsView({ store, sync, ...names, damaged: files.damaged }),
    compareNow: sync.compareNow,
    learn(link, address) {
      if (addresses.learn(link, address)) wake();
    },
    async close() {
      await sync.close();
      await channel.close();
    },
  };
}
