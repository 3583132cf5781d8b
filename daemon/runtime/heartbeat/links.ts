// The heartbeat links: what comes in on them is decoded, counted and handed to the core.

import type { Logger } from 'pino';
import type { Config, NodeConfig } from '../../config/config.ts';
import type { KeyRing } from '../../config/key-file.ts';
import { admission } from '../../core/membership.ts';
import type { State } from '../../core/state.ts';
import { type Link, openLink } from '../../drivers/link/link.ts';
import { createIdentity } from '../../drivers/link/wire.ts';
import type { Loop } from '../loop.ts';
import type { GapsFile } from './gaps-file.ts';
import { createHeartbeatDecoder } from './heartbeat-codec.ts';
import type { PeerRemarks } from './peer-remarks.ts';

export interface LinksOptions {
  readonly config: Config;
  readonly self: NodeConfig;
  readonly peer: NodeConfig;
  readonly ring: () => KeyRing;
  readonly state: () => State;
  readonly post: Loop['post'];
  readonly gaps: GapsFile;
  readonly peerRemarks: PeerRemarks;
  /** The peer has sent from this address on the link of this index. */
  readonly learn: (index: number, from: string) => void;
  readonly logger: Logger;
}

export function openLinks(options: LinksOptions): readonly Link[] {
  const { config, self, peer, ring, state, post, gaps, peerRemarks, logger } = options;
  const identity = createIdentity({ cluster: config.cluster, self: self.name, peer: peer.name });
  return config.heartbeat.links.map((link, index) => {
    const decoder = createHeartbeatDecoder({ sender: peer.name, receiver: self.name });
    return openLink({
      ...{ index, config: link, self, peer, identity, ring, logger },
      onPacket: ({ incarnation, sequence, payload, from }) => {
        const { echo, content, remarks } = decoder.decode(payload);
        const packet = { link: index, incarnation, sequence };
        const isNew = admission(state(), packet) === 'admitted';
        if (isNew && content !== null) gaps.heard(packet, state());
        const { peer: before } = state();
        if (content === null) post({ kind: 'heartbeat-not-understood', ...packet });
        else post({ kind: 'heartbeat-received', ...packet, echo, content });
        const { peer: known } = state();
        peerRemarks.learn(packet, remarks, before, known);
        // A replay comes from whoever plays it: only a sender that reads us shows where the peer is.
        if (isNew && known.proven && known.incarnation === incarnation) options.learn(index, from);
      },
      onStatus: (status) =>
        post({ kind: 'link-observed', link: index, down: status.kind === 'up' ? null : status.reason }),
    });
  });
}
