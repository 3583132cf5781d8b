// A DRBD 8.4 resource mirrored between two modelled hosts (protocol C, one volume): roles, disks, connection,
// generations, fencing, resync, frozen IO, and the truth of who holds which writes. It does something only when
// something happens, takes time and chance from outside, and keeps the kernel's rules; the parts name their sources.

import { disconnect, noticeLater, tellPeer } from './drbd-connection.ts';
import { resumeIo } from './drbd-fencing.ts';
import { meet, seek } from './drbd-meeting.ts';
import { createMirror, flush, isLive, type Mirror, otherOf } from './drbd-mirror.ts';
import { promote } from './drbd-promotion.ts';
import {
  attach,
  carryOut,
  isSuspended,
  isWhole,
  losePower,
  putEmptyDisk,
  type Replica,
  refreshShown,
  settleTogether,
  takesWrites,
} from './drbd-replica.ts';
import { abortResync, continueResync } from './drbd-resync.ts';

/** The names of the two hosts; not roles. */
export type Side = 'primary' | 'secondary';

/** Time and chance of the modelled world. */
export interface Clockwork {
  /** Milliseconds. */
  now(): number;
  /** Runs act once, at now() + delayMs. */
  later(delayMs: number, act: () => void): void;
  /** From 0 up to, not including, 1. */
  random(): number;
}

export type Disk = 'up-to-date' | 'consistent' | 'outdated' | 'inconsistent' | 'diskless';
export type PeerDisk = Disk | 'unknown';
export type Connection = 'connected' | 'connecting' | 'standalone';
export type Fencing = 'dont-care' | 'resource-only' | 'resource-and-stonith';

/** What `drbdsetup events2` shows on one side. `unknown` everywhere: the host has no power. */
export interface StorageStatus {
  readonly role: 'primary' | 'secondary' | 'unknown';
  readonly disk: Disk | 'unknown';
  readonly connection: Connection | 'unknown';
  readonly peerRole: 'primary' | 'secondary' | 'unknown';
  readonly peerDisk: PeerDisk;
  /** By whom IO is held back: suspend-io, or DRBD until the peer is fenced. Where both do: `user`. */
  readonly suspended: 'no' | 'user' | 'fencing';
  readonly resync: { readonly direction: 'source' | 'target'; readonly percent: number } | null;
}

/** The exit code of the fence-peer handler: 3, 4, 5, 6, 7, and any other or none in time. */
export type HandlerAnswer = 'inconsistent' | 'outdated' | 'unreachable' | 'primary' | 'fenced' | 'unsure';

export interface DrbdOptions {
  readonly clock: Clockwork;
  readonly fencing: Fencing;
  /** After this time a lost connection is noticed: ping-int and ping-timeout. */
  readonly noticeMs: number;
  /** Two who look for each other meet within this time: connect-int. */
  readonly connectMs: number;
  /** A resync by bitmap; a full one takes four times as long. */
  readonly resyncMs: number;
  /** Calls the handler of this side; it answers once, or never. */
  readonly fencePeer: (side: Side, answer: (code: HandlerAnswer) => void) => void;
  /** Counts as unsure after this time. */
  readonly handlerTimeoutMs: number;
  /** Something that events2 shows has changed on this side; not told of a resync's percents. */
  readonly changed: (side: Side) => void;
  /** `up` (default): both hosts run, connected, in sync. `off`: neither has power; both were stopped in sync. */
  readonly initially?: 'up' | 'off';
}

/** `unchanged`: it was primary already. drbdadm's (-1), (-2), (-7); `not-up`: no power. */
export type PromoteOutcome =
  | 'done'
  | 'unchanged'
  | 'multiple-primaries'
  | 'need-up-to-date'
  | 'peer-not-outdated'
  | 'not-up';

export interface DrbdTruth {
  /** Both are primary with IO flowing to a disk of their own, and not connected to each other. */
  readonly bothWritable: boolean;
  /** Writes that this side holds and the other does not. */
  readonly only: Readonly<Record<Side, number>>;
  /** Those of them that a guest has been told are safe. */
  readonly onlyAcknowledged: Readonly<Record<Side, number>>;
  /** Acknowledged writes of this side that were overwritten without an operator's word. */
  readonly overwritten: Readonly<Record<Side, number>>;
  /** Detected, and at least one side stands alone since. */
  readonly splitBrain: boolean;
}

export interface Drbd {
  status(side: Side): StorageStatus;
  /**
   * `drbdadm primary [--force]`. May ask the handler, up to four times. `alone`: `disconnect` before and `connect`
   * after. A host that loses power meanwhile is never told.
   */
  promote(
    side: Side,
    options: { readonly force: boolean; readonly alone: boolean },
    done: (outcome: PromoteOutcome) => void,
  ): void;
  demote(side: Side, done: (outcome: 'done' | 'held-open') => void): void;
  /** suspend-io. */
  suspend(side: Side): void;
  /** resume-io: as in 8.4 this ends the suspension for fencing, too. */
  resume(side: Side): void;
  /** drbdadm outdate: refused on a primary, when connected, and where the data is less than outdated. */
  outdate(side: Side): 'done' | 'refused';
  /** Does nothing unless the side stands alone. A primary cannot discard its data. */
  connect(side: Side, options: { readonly discardMyData: boolean }): void;
  disconnect(side: Side): void;
  /** net-options --allow-two-primaries: told to the other side where they are connected. Refused while both are primary. */
  allowTwo(side: Side, allowed: boolean): 'done' | 'refused';
  allowsTwo(side: Side): boolean;
  open(side: Side): void;
  close(side: Side): void;
  /**
   * `written`: acknowledged. `blocked`: not yet; IO is suspended (it is carried out later, if somebody still has the
   * device open), or it is on the local disk and the peer's word is outstanding. `error`: not primary, or no data.
   */
  write(side: Side): 'written' | 'blocked' | 'error';
  /** Is there a copy that can be read, its own or its peer's? Without one every read is an error. */
  isReadable(side: Side): boolean;
  link(up: boolean): void;
  powerLoss(side: Side): void;
  /** drbdadm up. */
  powerOn(side: Side): void;
  /** Also after the next powerOn the side is diskless. */
  diskFailure(side: Side): void;
  /** Without power: an empty disk with fresh metadata takes the place of the failed one, whose data nobody has. */
  replaceDisk(side: Side): void;
  truth(): DrbdTruth;
  /** Nobody holds an acknowledged write that is missing in what this side reads: its own disk, or its peer's without one. */
  isNewest(side: Side): boolean;
}

function demote(mirror: Mirror, self: Replica, done: (outcome: 'done' | 'held-open') => void): void {
  const { boot } = self;
  const isHeld = self.powered && self.role === 'primary' && (self.openers > 0 || self.inFlight > 0);
  if (!isHeld && self.powered && self.role === 'primary') {
    self.role = 'secondary';
    self.waiting = 0;
    tellPeer(mirror, self);
  }
  mirror.options.clock.later(0, () => {
    if (self.boot === boot) done(isHeld ? 'held-open' : 'done');
  });
}

function outdate(self: Replica): 'done' | 'refused' {
  if (!self.powered || self.role === 'primary' || self.connection === 'connected') return 'refused';
  if (isWhole(self.disk)) self.disk = 'outdated';
  return self.disk === 'outdated' ? 'done' : 'refused';
}

function allowTwo(mirror: Mirror, self: Replica, allowed: boolean): 'done' | 'refused' {
  if (!self.powered || (!allowed && self.role === 'primary' && self.peerRole === 'primary')) return 'refused';
  self.twoAllowed = allowed;
  if (self.session !== 0) self.twoOnItsWay = allowed;
  if (isLive(mirror, self)) deliverTwo(mirror);
  return 'done';
}

function deliverTwo({ replicas: { primary, secondary } }: Mirror): void {
  const [fromPrimary, fromSecondary] = [primary.twoOnItsWay, secondary.twoOnItsWay]; // They may have crossed.
  if (fromPrimary !== null) secondary.twoAllowed = fromPrimary;
  if (fromSecondary !== null) primary.twoAllowed = fromSecondary;
  primary.twoOnItsWay = null;
  secondary.twoOnItsWay = null;
}

function setLink(mirror: Mirror, up: boolean): void {
  if (mirror.linkUp === up) return;
  mirror.linkUp = up;
  const { primary, secondary } = mirror.replicas;
  if (!up) {
    mirror.cuts += 1;
    noticeLater(mirror, primary, mirror.options.noticeMs);
    noticeLater(mirror, secondary, mirror.options.noticeMs);
    return;
  }
  if (isLive(mirror, primary)) {
    // Nobody noticed: what was under way goes on.
    deliverTwo(mirror);
    for (const self of [primary, secondary]) {
      settleTogether(self);
      tellPeer(mirror, self);
    }
    continueResync(mirror, primary);
    const leaver = [primary, secondary].find((self) => self.leaving);
    if (leaver !== undefined) disconnect(mirror, leaver);
  }
  seek(mirror);
}

function powerLoss(mirror: Mirror, self: Replica): void {
  if (!self.powered) return;
  abortResync(mirror, self);
  losePower(self);
  const peer = otherOf(mirror, self);
  if (mirror.linkUp) noticeLater(mirror, peer, mirror.options.noticeMs);
}

function powerOn(mirror: Mirror, self: Replica): void {
  if (self.powered) return;
  self.powered = true;
  attach(self, mirror.options.fencing);
  self.connection = 'connecting';
  seek(mirror);
}

function diskFailure(mirror: Mirror, self: Replica): void {
  if (self.broken) return;
  self.broken = true;
  if (!self.powered) return;
  const peer = otherOf(mirror, self);
  self.exposed = self.generations.current;
  self.disk = 'diskless';
  const isTold = isLive(mirror, self);
  abortResync(mirror, self);
  if (isTold) abortResync(mirror, peer);
  tellPeer(mirror, self);
}

function connect(mirror: Mirror, self: Replica, discardMyData: boolean): void {
  if (!self.powered || self.connection !== 'standalone') return;
  if (discardMyData && self.role === 'primary') return;
  self.connection = 'connecting';
  self.twoAllowed = false;
  self.discardMyData = discardMyData;
  seek(mirror);
}

function write(mirror: Mirror, self: Replica): 'written' | 'blocked' | 'error' {
  if (!self.powered || self.role !== 'primary') return 'error';
  if (isSuspended(self)) {
    self.waiting += 1;
    return 'blocked';
  }
  return carryOut(self, otherOf(mirror, self), 1, isLive(mirror, self));
}

function isReadable(mirror: Mirror, self: Replica): boolean {
  return self.powered && (takesWrites(self) || (isLive(mirror, self) && takesWrites(otherOf(mirror, self))));
}

function status({ options: { clock } }: Mirror, { shown, resync }: Replica): StorageStatus {
  if (shown.resync === null || resync === null) return shown;
  const share = (clock.now() - resync.startedAtMs) / resync.durationMs;
  const percent = Math.min(99, Math.floor(100 * share));
  return { ...shown, resync: { direction: shown.resync.direction, percent } };
}

function truth({ replicas: { primary, secondary }, splitBrain, ...rest }: Mirror): DrbdTruth {
  const isWritable = (self: Replica) => self.role === 'primary' && !isSuspended(self) && takesWrites(self);
  const isJoined = primary.session !== 0 && primary.session === secondary.session && rest.linkUp;
  return {
    bothWritable: isWritable(primary) && isWritable(secondary) && !isJoined,
    only: { primary: primary.only, secondary: secondary.only },
    onlyAcknowledged: { primary: primary.onlyAcknowledged, secondary: secondary.onlyAcknowledged },
    overwritten: { primary: primary.overwritten, secondary: secondary.overwritten },
    splitBrain: splitBrain && (primary.connection === 'standalone' || secondary.connection === 'standalone'),
  };
}

function start(mirror: Mirror): void {
  for (const self of [mirror.replicas.primary, mirror.replicas.secondary]) {
    self.powered = true;
    attach(self, mirror.options.fencing);
    self.connection = 'connecting';
  }
  meet(mirror);
  refreshShown(mirror.replicas.primary);
  refreshShown(mirror.replicas.secondary);
}

export function createDrbd(options: DrbdOptions): Drbd {
  const mirror = createMirror(options);
  const { replicas } = mirror;
  if (options.initially !== 'off') start(mirror);
  /** What is done with one side, and then shown. */
  const command =
    (act: (mirror: Mirror, self: Replica) => void) =>
    (side: Side): void => {
      act(mirror, replicas[side]);
      flush(mirror);
    };
  return {
    status: (side) => status(mirror, replicas[side]),
    promote: (side, how, done) => {
      promote(mirror, replicas[side], how, done);
      flush(mirror);
    },
    demote: (side, done) => {
      demote(mirror, replicas[side], done);
      flush(mirror);
    },
    suspend: command((_, self) => {
      if (self.powered) self.userSuspended = true;
    }),
    resume: command(resumeIo),
    outdate: (side) => {
      const answer = outdate(replicas[side]);
      flush(mirror);
      return answer;
    },
    connect: (side, { discardMyData }) => {
      connect(mirror, replicas[side], discardMyData);
      flush(mirror);
    },
    disconnect: command(disconnect),
    allowTwo: (side, allowed) => allowTwo(mirror, replicas[side], allowed),
    allowsTwo: (side) => replicas[side].twoAllowed,
    open: (side) => {
      const self = replicas[side];
      if (self.powered && self.role === 'primary') self.openers += 1;
    },
    close: (side) => {
      const self = replicas[side];
      self.openers = Math.max(0, self.openers - 1);
      if (self.openers === 0) self.waiting = 0;
    },
    write: (side) => write(mirror, replicas[side]),
    isReadable: (side) => isReadable(mirror, replicas[side]),
    link: (up) => {
      setLink(mirror, up);
      flush(mirror);
    },
    powerLoss: command(powerLoss),
    powerOn: command(powerOn),
    diskFailure: command(diskFailure),
    replaceDisk: command((_, self) => putEmptyDisk(self)),
    truth: () => truth(mirror),
    isNewest: (side) => {
      const self = replicas[side];
      const other = otherOf(mirror, self);
      if (!self.broken) return other.onlyAcknowledged === 0;
      return self.connection === 'connected' && !other.broken && self.onlyAcknowledged === 0;
    },
  };
}
