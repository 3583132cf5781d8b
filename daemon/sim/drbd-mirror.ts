// The two halves of a modelled DRBD resource and the cable between them, as the other parts of the model share it.

import type { DrbdOptions, Side } from './drbd.ts';
import { nthGeneration } from './drbd-generations.ts';
import { createReplica, type Replica, refreshShown } from './drbd-replica.ts';

export interface Mirror {
  readonly options: DrbdOptions;
  readonly replicas: Readonly<Record<Side, Replica>>;
  linkUp: boolean;
  /** Counts cuts: who watches for one cut is not told by the next. */
  cuts: number;
  sessions: number;
  /** An attempt to connect is under way. */
  seeking: boolean;
  /** Detected at the last meeting, and not healed since. */
  splitBrain: boolean;
  /** What an interrupted resync had still to do. */
  resyncLeftMs: number;
  readonly freshGeneration: () => number;
}

export function createMirror(options: DrbdOptions): Mirror {
  let generations = 1;
  const replica = (side: Side) => createReplica(side, nthGeneration(1));
  return {
    options,
    replicas: { primary: replica('primary'), secondary: replica('secondary') },
    linkUp: true,
    cuts: 0,
    sessions: 0,
    seeking: false,
    splitBrain: false,
    resyncLeftMs: 0,
    freshGeneration: () => {
      generations += 1;
      return nthGeneration(generations);
    },
  };
}

export const otherOf = ({ replicas }: Mirror, self: Replica): Replica =>
  self.side === 'primary' ? replicas.secondary : replicas.primary;

/** Does what this side sends reach the other over the connection that it believes in? */
export const isLive = (mirror: Mirror, self: Replica): boolean =>
  self.session !== 0 && mirror.linkUp && otherOf(mirror, self).session === self.session;

/** Shows what has changed. Ends everything that can change something. */
export function flush({ replicas: { primary, secondary }, options: { changed } }: Mirror): void {
  const here = refreshShown(primary);
  const there = refreshShown(secondary);
  if (here) changed('primary');
  if (there) changed('secondary');
}
