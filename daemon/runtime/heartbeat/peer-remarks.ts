// The peer's remarks, as its newest heartbeat had them. Guarantee: only a packet whose content the core has taken
// counts, so what is refused, replayed or unproven says nothing here either, and makes nothing look younger than it is.

import type { GroupRemarks } from '../../control/api.ts';
import type { HeardRemarks } from '../../control/remarks.ts';
import type { PeerState } from '../../core/state.ts';
import { monotonicMs } from '../clock.ts';

interface Packet {
  readonly incarnation: number;
  readonly sequence: number;
}

export interface PeerRemarks {
  /** `before` and `after`: what the core knew of the peer when the packet came, and once it had judged it. */
  learn(packet: Packet, remarks: readonly GroupRemarks[], before: PeerState, after: PeerState): void;
  /** Null: no packet was taken in this run. */
  latest(): HeardRemarks | null;
}

export function createPeerRemarks(): PeerRemarks {
  let latest: HeardRemarks | null = null;
  return {
    learn(packet, remarks, before, after) {
      if (isNewest(packet, after) && !isNewest(packet, before)) latest = { remarks, atMs: monotonicMs() };
    },
    latest: () => latest,
  };
}

function isNewest({ incarnation, sequence }: Packet, peer: PeerState): boolean {
  return peer.proven && peer.incarnation === incarnation && peer.lastSequence === sequence;
}
