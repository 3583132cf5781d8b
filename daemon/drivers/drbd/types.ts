// The words of the DRBD drivers: what is seen of a resource (of several volumes the worst), what may be done to it, what
// stands in the way.

import type { Code } from '../../why/explanations.ts';
import type { BasicAction, Disk, StorageAction, StorageStatus } from '../driver.ts';

export type { Disk, StorageStatus } from '../driver.ts';

/** What is done to a device. */
export type DrbdAction = BasicAction | StorageAction;

/** What is known beyond that, for people and for the drivers themselves. */
export interface DrbdDetail {
  /** Minor numbers of the volumes, in their order: /dev/drbdN. */
  readonly minors: readonly number[];
  /** Of the same volumes, in DRBD's own words: a disk that is Failed has not let go of its IO yet, one that is Diskless has. */
  readonly disks: readonly string[];
  /** Every reason for which IO is held back, as DRBD names them: user, fencing, no-data, quorum. */
  readonly suspendedBy: readonly string[];
  /** False: DRBD 9 has lost its quorum. Null: not said (8.4). */
  readonly quorum: boolean | null;
  /** DRBD 9.1.7 and later: a forced demotion still fails the IO of who has the device open. */
  readonly failsIo: boolean;
  /** Why it stands alone: DRBD said so, or it stands alone and nobody saw why. */
  readonly standsAlone: 'no' | 'split-brain' | 'unrelated' | 'unexplained';
}

/** Why nothing, or nothing good, can be said. */
export interface Trouble {
  /** Stable, kebab-case. */
  readonly code: Code;
  readonly what: string;
  readonly next: string;
}

/** One look at one resource. */
export interface DrbdView {
  readonly storage: StorageStatus;
  /** Null: DRBD does not have this resource up, or nothing is known. */
  readonly detail: DrbdDetail | null;
  /** Null: it is seen. */
  readonly trouble: Trouble | null;
}

export interface ResyncProgress {
  readonly direction: 'source' | 'target';
  /** Of what this resync has to copy, 0 to 100. */
  readonly percent: number;
  readonly leftKib: number | null;
  /** Estimated seconds; null: it stands still, or nothing is said. */
  readonly leftS: number | null;
}

/** A name that drbdadm takes for one resource, and not for an option or for all of them (drbd.conf(5)). */
export function isResourceName(name: string): boolean {
  return /^[A-Za-z0-9_][\w.+-]*$/.test(name) && name !== 'all';
}

export const unknownStorage: StorageStatus = {
  role: 'unknown',
  disk: 'unknown',
  connection: 'unknown',
  peerRole: 'unknown',
  peerDisk: 'unknown',
  suspended: 'no',
  resync: null,
};

/** DRBD's own names, so that messages can be looked up in its manual. */
export const diskNames: Readonly<Record<Disk, string>> = {
  'up-to-date': 'UpToDate',
  consistent: 'Consistent',
  outdated: 'Outdated',
  inconsistent: 'Inconsistent',
  diskless: 'Diskless',
  unknown: 'unknown',
};

export function troubleText({ what, next }: Trouble): string {
  return `${what}; ${next}`;
}
