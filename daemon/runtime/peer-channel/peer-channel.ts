// The channel between the two daemons, for what does not fit into a heartbeat: questions and answers, authenticated and
// encrypted with keys made from the shared one. docs/decisions/0012-peer-channel.md says why it is built like this.
// Guarantees: no failure of network or peer throws; whatever is asked ends within its deadlines. It decides nothing: no
// rule about who runs what may depend on it.

import type { Logger } from 'pino';
import type { KeyRing } from '../../config/key-file.ts';
import { type AdmissionLimits, admissionLimits, createAdmission } from './admission.ts';
import { type ChannelRequest, type ChannelTunnel, createChannelClient } from './client.ts';
import { channelKeys } from './keys.ts';
import { listenToPeer } from './listener.ts';
import { type ChannelRoutes, type ChannelTunnels, createChannelServer } from './server.ts';
import type { ChannelAddress } from './tls.ts';

export interface ChannelLimits extends AdmissionLimits {
  readonly connectionsMax: number;
  readonly handshakeMs: number;
  readonly connectMs: number;
  readonly answerMs: number;
  readonly recheckMs: number;
}

const channelLimits: ChannelLimits = {
  ...admissionLimits,
  connectionsMax: 8,
  handshakeMs: 5000,
  connectMs: 3000,
  answerMs: 10_000,
  recheckMs: 1000,
};

export interface PeerChannelOptions {
  readonly cluster: string;
  /** Node names. */
  readonly self: string;
  readonly peer: string;
  /** Of the purpose `peer-channel`; asked for every connection, so that keys can change while it is open. */
  readonly ring: () => KeyRing;
  readonly ownAddresses: () => readonly ChannelAddress[];
  /** Asked for every question, in the order in which they are tried. */
  readonly peerAddresses: () => readonly ChannelAddress[];
  readonly routes: ChannelRoutes;
  readonly logger: Logger;
  readonly limits?: Partial<ChannelLimits>;
}

export interface PeerChannel {
  /** Paths begin with a version, e.g. `/v1/definitions`; a peer that does not know one answers 404. */
  readonly request: ChannelRequest;
  /** Bytes both ways, for what libvirt on the two nodes has to say to each other. */
  readonly tunnel: ChannelTunnel;
  /** From now on the peer may ask this, too. */
  serve(more: { readonly routes: ChannelRoutes; readonly tunnels: ChannelTunnels }): void;
  /** Where it listens, as far as it has come. */
  listening(): readonly ChannelAddress[];
  /** Attempts of others without the key. */
  refused(): number;
  close(): Promise<void>;
}

/** Opens in the next turn of the loop. Never throws. */
export function createPeerChannel(options: PeerChannelOptions): PeerChannel {
  const { cluster, self, peer, ring, ownAddresses, peerAddresses, routes, logger } = options;
  const limits = { ...channelLimits, ...options.limits };
  const closing = new AbortController();
  const admission = createAdmission({
    limits,
    isPeer: (address) => peerAddresses().some((known) => known.address === address),
    logger,
  });
  const served: {
    routes: Record<string, ChannelRoutes[string]>;
    tunnels: Record<string, ChannelTunnels[string]>;
  } = {
    routes: { ...routes },
    tunnels: {},
  };
  const server = createChannelServer({
    keys: () => channelKeys(ring(), { cluster, caller: peer, answerer: self }),
    routes: served.routes,
    tunnels: served.tunnels,
    admission,
    logger,
    connectionsMax: limits.connectionsMax,
    handshakeMs: limits.handshakeMs,
    connectionMs: limits.answerMs + limits.connectMs,
  });
  const listener = listenToPeer({
    addresses: ownAddresses,
    onSocket: (socket) => server.take(socket),
    logger,
    recheckMs: limits.recheckMs,
  });
  const { request, tunnel } = createChannelClient({
    addresses: peerAddresses,
    keys: () => channelKeys(ring(), { cluster, caller: self, answerer: peer }),
    connectMs: limits.connectMs,
    answerMs: limits.answerMs,
  });
  return {
    request: (method, path, body, signal) =>
      request(
        method,
        path,
        body,
        signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]),
      ),
    tunnel: (path, signal) => tunnel(path, AbortSignal.any([signal, closing.signal])),
    serve({ routes: more, tunnels }) {
      Object.assign(served.routes, more);
      Object.assign(served.tunnels, tunnels);
    },
    listening: listener.listening,
    refused: admission.refused,
    async close() {
      closing.abort();
      server.close();
      await listener.close();
    },
  };
}
