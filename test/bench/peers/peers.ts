// Every peer, and every configuration of them, in the order of the table.

import { battito } from './battito.ts';
import { heartbeat } from './heartbeat.ts';
import { keepalived } from './keepalived.ts';
import { pacemaker } from './pacemaker.ts';
import type { Configuration, Peer, PeerName } from './peer.ts';
import { ucarp } from './ucarp.ts';

export const peers: Readonly<Record<PeerName, Peer>> = { battito, keepalived, heartbeat, pacemaker, ucarp };

/** Equal windows are neighbours, ours first. */
export const configurations: readonly Configuration[] = Object.values(peers)
  .flatMap((peer) => peer.configurations)
  .sort((a, b) => a.windowMs - b.windowMs);

/** Ours with the same window: whom a peer's figures are held against. */
export function ours(windowMs: number): Configuration | undefined {
  return battito.configurations.find((each) => each.windowMs === windowMs);
}
