// One host's half of a modelled DRBD resource: what its kernel knows (lost with the power), what its metadata keeps,
// and the truth about its blocks. Facts from drbd_nl.c drbd_adm_attach() and drbd_state.c (8.4).

import type { Connection, Disk, Fencing, PeerDisk, Side, StorageStatus } from './drbd.ts';
import { createGenerations, type Generations, justCreated, startGeneration } from './drbd-generations.ts';

/** What the metadata says of the time before the power went (MDF_* flags). */
interface Metadata {
  consistent: boolean;
  wasUpToDate: boolean;
  peerOutdated: boolean;
  /** CrashedPrimary, or PrimaryInd: it was primary and did not say so before it went. */
  crashedPrimary: boolean;
}

export interface Resync {
  readonly source: Replica;
  readonly target: Replica;
  readonly session: number;
  readonly startedAtMs: number;
  readonly durationMs: number;
  running: boolean;
  /** It would be through, but the link is cut and nobody has noticed. */
  stalled: boolean;
}

export interface Replica {
  readonly side: Side;
  readonly metadata: Metadata;
  readonly generations: Generations;

  powered: boolean;
  /** Counts starts of the host: what was under way in an earlier one is void. */
  boot: number;
  role: 'primary' | 'secondary';
  disk: Disk;
  connection: Connection;
  peerRole: 'primary' | 'secondary' | 'unknown';
  peerDisk: PeerDisk;
  userSuspended: boolean;
  fencingSuspended: boolean;
  /** NEW_CUR_UUID: the peer was lost while IO was held back; a new generation is due when it flows again. */
  generationDue: boolean;
  crashedPrimary: boolean;
  /** The connection it believes in; 0: none. It is a connection only while the other side has the same. */
  session: number;
  connectCount: number;
  discardMyData: boolean;
  /** allow-two-primaries; what is set by hand lasts until it connects by its configuration again. */
  twoAllowed: boolean;
  /** What of that was told to the peer over a cable that is cut, and gets there if the connection outlives the cut. */
  twoOnItsWay: boolean | null;
  /** A disconnect waits for the peer's word, or for the peer's loss. */
  leaving: boolean;
  whenLost: Array<() => void>;
  /** A diskless primary: the generation it has shown to its users (ed_uuid). */
  exposed: number;
  resync: Resync | null;

  openers: number;
  /** Writes of guests not yet begun, since IO is held back. */
  waiting: number;
  /** Writes on the local disk whose acknowledgement by the peer is outstanding. */
  inFlight: number;

  // The truth.
  /** The disk itself has failed. */
  broken: boolean;
  /** Writes only this replica holds, and how many of them a guest has been told are safe. */
  only: number;
  onlyAcknowledged: number;
  /** Acknowledged writes that a resync has overwritten though nobody had said --discard-my-data. */
  overwritten: number;

  shown: StorageStatus;
}

/** Of what has no power, or does not say. */
export const nothingKnown: StorageStatus = {
  role: 'unknown',
  disk: 'unknown',
  connection: 'unknown',
  peerRole: 'unknown',
  peerDisk: 'unknown',
  suspended: 'no',
  resync: null,
};

export function createReplica(side: Side, generation: number): Replica {
  return {
    side,
    metadata: { consistent: true, wasUpToDate: true, peerOutdated: false, crashedPrimary: false },
    generations: createGenerations(generation),
    powered: false,
    boot: 0,
    role: 'secondary',
    disk: 'diskless',
    connection: 'standalone',
    peerRole: 'unknown',
    peerDisk: 'unknown',
    userSuspended: false,
    fencingSuspended: false,
    generationDue: false,
    crashedPrimary: false,
    session: 0,
    connectCount: 0,
    discardMyData: false,
    twoAllowed: false,
    twoOnItsWay: null,
    leaving: false,
    whenLost: [],
    exposed: generation,
    resync: null,
    openers: 0,
    waiting: 0,
    inFlight: 0,
    broken: false,
    only: 0,
    onlyAcknowledged: 0,
    overwritten: 0,
    shown: nothingKnown,
  };
}

export const isSuspended = (self: Replica): boolean => self.userSuspended || self.fencingSuspended;

/** At least Consistent: usable in itself, whether or not it is the newest. */
export const isWhole = (disk: PeerDisk): boolean => disk === 'up-to-date' || disk === 'consistent';

/** Nobody can take it for the newest: no more fencing is needed. */
export const isPassed = (disk: PeerDisk): boolean => disk === 'outdated' || disk === 'inconsistent';

/** Has it blocks that a write goes to? */
export const takesWrites = (self: Replica): boolean =>
  self.disk === 'up-to-date' || (self.disk === 'inconsistent' && self.session !== 0);

/** drbd_adm_attach(): what the metadata makes of the disk, and of the peer's. */
export function attach(self: Replica, fencing: Fencing): void {
  const { consistent, wasUpToDate, peerOutdated, crashedPrimary } = self.metadata;
  self.peerDisk = peerOutdated ? 'outdated' : 'unknown';
  self.crashedPrimary = crashedPrimary;
  self.exposed = self.generations.current;
  if (self.broken) self.disk = 'diskless';
  else if (!consistent) self.disk = 'inconsistent';
  else if (!wasUpToDate) self.disk = 'outdated';
  else self.disk = peerOutdated || fencing === 'dont-care' ? 'up-to-date' : 'consistent';
}

/** The kernel keeps the flags on disk with every change of state; what counts is how it left them. */
function keepMetadata(self: Replica): void {
  if (self.disk === 'diskless') return;
  const { metadata } = self;
  metadata.consistent = self.disk !== 'inconsistent';
  metadata.wasUpToDate = isWhole(self.disk);
  metadata.peerOutdated = isPassed(self.peerDisk);
  const isPrimary = self.role === 'primary' || (self.peerDisk === 'diskless' && self.peerRole === 'primary');
  metadata.crashedPrimary = self.crashedPrimary || isPrimary;
}

export function losePower(self: Replica): void {
  keepMetadata(self);
  self.powered = false;
  self.boot += 1;
  self.role = 'secondary';
  self.connection = 'standalone';
  self.peerRole = 'unknown';
  self.peerDisk = 'unknown';
  self.userSuspended = false;
  self.fencingSuspended = false;
  self.generationDue = false;
  self.session = 0;
  self.discardMyData = false;
  self.twoAllowed = false;
  self.twoOnItsWay = null;
  self.leaving = false;
  self.whenLost = [];
  if (self.resync !== null) self.resync.running = false;
  self.resync = null;
  self.openers = 0;
  self.waiting = 0;
  self.inFlight = 0;
}

/** drbdadm create-md on a new disk. */
export function putEmptyDisk(self: Replica): void {
  if (self.powered || !self.broken) return;
  const nothing = { consistent: false, wasUpToDate: false, peerOutdated: false, crashedPrimary: false };
  Object.assign(self.metadata, nothing);
  Object.assign(self.generations, createGenerations(justCreated));
  self.broken = false;
  self.only = 0;
  self.onlyAcknowledged = 0;
}

export function makeGeneration(self: Replica, fresh: number): void {
  startGeneration(self.generations, fresh);
  self.exposed = fresh;
  self.generationDue = false;
}

/** `live`: both believe in the same connection and the cable carries it. */
export function carryOut(self: Replica, peer: Replica, writes: number, live: boolean) {
  const here = takesWrites(self);
  if (self.session === 0 || (!live && self.peerDisk === 'diskless')) {
    if (self.disk !== 'up-to-date') return 'error';
    self.only += writes;
    self.onlyAcknowledged += writes;
    return 'written';
  }
  if (!live) {
    if (here) self.only += writes;
    self.inFlight += writes;
    return 'blocked';
  }
  const there = takesWrites(peer);
  if (!here && !there) return 'error';
  if (here !== there) {
    const holder = here ? self : peer;
    holder.only += writes;
    holder.onlyAcknowledged += writes;
  }
  return 'written';
}

/** The peer is lost and IO goes on: what waited for its word counts as done (tl_clear), on a good disk. */
export function settleAlone(self: Replica): void {
  if (self.disk === 'up-to-date') self.onlyAcknowledged += self.inFlight;
  self.inFlight = 0;
}

/** What waited for the peer's word has reached it. */
export function settleTogether(self: Replica): void {
  if (self.disk !== 'diskless') self.only = Math.max(0, self.only - self.inFlight);
  self.inFlight = 0;
}

export function refreshShown(self: Replica): boolean {
  const { shown } = self;
  if (!self.powered) {
    if (shown === nothingKnown) return false;
    self.shown = nothingKnown;
    return true;
  }
  const suspended = self.userSuspended ? 'user' : self.fencingSuspended ? 'fencing' : 'no';
  const direction = self.resync === null ? null : self.resync.source === self ? 'source' : 'target';
  const isSame =
    shown.role === self.role &&
    shown.disk === self.disk &&
    shown.connection === self.connection &&
    shown.peerRole === self.peerRole &&
    shown.peerDisk === self.peerDisk &&
    shown.suspended === suspended &&
    (shown.resync === null ? null : shown.resync.direction) === direction;
  if (isSame) return false;
  self.shown = {
    role: self.role,
    disk: self.disk,
    connection: self.connection,
    peerRole: self.peerRole,
    peerDisk: self.peerDisk,
    suspended,
    resync: direction === null ? null : { direction, percent: 0 },
  };
  return true;
}
