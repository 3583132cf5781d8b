// What rule S14 knows of each host: its groups as its node sees them, and its guests as they are.

import type { GroupName, Policy, ResourceId } from '../../daemon/core/policy.ts';
import type { GroupState } from '../../daemon/core/state.ts';
import type { Running } from '../../daemon/sim/trace.ts';

/** A guest on one host. */
export interface Copy {
  running: Running;
  /** When it last acted. */
  actedAt: number;
  /** It came up where its node had no right to it: by hand, or late, of an earlier run of the daemon. */
  isStray: boolean;
  /** The row of the table by which its node is ending it, or has, where nothing excuses a start here afterwards. */
  endedBy: string | null;
}

/** A group on one host. */
export interface Part {
  readonly name: GroupName;
  readonly isMirrored: boolean;
  readonly copies: ReadonlyMap<ResourceId, Copy>;
  /** By its node; null: it has not said. */
  phase: GroupState['phase']['kind'] | null;
  phaseSince: number;
  /** While it is frozen: the run of the other daemon that its node had heard last before. */
  heardRun: number | null;
  /** The record of this host was lost, or replaced by an old one, since its node last ran it by one. */
  isRecordLost: boolean;
  /** Why it is being stopped excuses a start here afterwards. */
  isStopDue: boolean;
  /** When this host last had a part in it. */
  hadAt: number;
}

const having: ReadonlySet<string> = new Set(['starting', 'active', 'frozen', 'stopping']);

export const isThere = (running: Running) => running === 'up' || running === 'paused';

/** Its node wants it up, or has not let go of it, or a guest of it is there. */
export const has = ({ phase, copies }: Part) =>
  (phase !== null && having.has(phase)) || copies.values().some(({ running }) => running !== 'down');

export const spare = (copy: Copy | undefined) => {
  if (copy !== undefined) copy.endedBy = null;
};

export const forgive = ({ copies }: Part) => {
  for (const copy of copies.values()) spare(copy);
};

/** Since when nothing of it has acted here, as far as that is known; of a group that runs, for how long news takes. */
export function stillSince({ phase, phaseSince, copies }: Part, at: number, newsMs: number): number {
  const paused = copies.values().filter(({ running }) => running === 'paused');
  const frozenAt = phase === 'frozen' ? phaseSince : at;
  return Math.min(at - newsMs, frozenAt, ...paused.map(({ actedAt }) => actedAt));
}

export function partsOf({ groups }: Policy): ReadonlyMap<GroupName, Part> {
  const fresh = () => ({ running: 'down', actedAt: -Infinity, isStray: false, endedBy: null }) as const;
  return new Map(
    groups.map(({ name, resources }) => {
      const guests = resources.filter(({ kind }) => kind === 'guest');
      const isMirrored = resources.some(({ kind }) => kind === 'drbd');
      const copies = new Map<ResourceId, Copy>(guests.map(({ id }) => [id, fresh()]));
      const phase = {
        phase: null,
        phaseSince: -Infinity,
        heardRun: null,
        isRecordLost: false,
        isStopDue: false,
      };
      return [name, { name, isMirrored, copies, ...phase, hadAt: -Infinity }];
    }),
  );
}
