// How a modelled connection ends and is noticed to have ended, and what it leaves behind: frozen IO, a new generation,
// a call for fencing. Facts from drbd_state.c sanitize_state() and after_state_ch(), drbd_receiver.c
// conn_disconnect(), drbd_nl.c conn_try_disconnect() (8.4).

import { fenceLostPeer, loseSightOf } from './drbd-fencing.ts';
import { seek } from './drbd-meeting.ts';
import { flush, isLive, type Mirror, otherOf } from './drbd-mirror.ts';
import { isPassed, isSuspended, isWhole, makeGeneration, type Replica, settleAlone } from './drbd-replica.ts';
import { abortResync } from './drbd-resync.ts';

/** `outdated`: both have agreed that the peer's copy is passed from now on. */
export function lose(
  mirror: Mirror,
  self: Replica,
  next: 'connecting' | 'standalone',
  peer: 'lost' | 'outdated' = 'lost',
): void {
  const peerDiskBefore = self.peerDisk;
  abortResync(mirror, self);
  self.session = 0;
  self.twoOnItsWay = null;
  self.connection = self.leaving ? 'standalone' : next;
  self.leaving = false;
  self.peerRole = 'unknown';
  if (peer === 'outdated') self.peerDisk = 'outdated';
  else if (!isPassed(self.peerDisk)) self.peerDisk = 'unknown';

  const { fencing } = mirror.options;
  const isHeld = fencing === 'resource-and-stonith' && self.role === 'primary' && self.disk !== 'diskless';
  if (isHeld && self.peerDisk === 'unknown') self.fencingSuspended = true;
  loseSightOf(mirror, self, peerDiskBefore);
  if (!isSuspended(self)) settleAlone(self);
  fenceLostPeer(mirror, self);

  const { whenLost } = self;
  if (whenLost.length > 0) {
    self.whenLost = [];
    for (const act of whenLost) act();
  }
  seek(mirror);
}

/** The side finds out after this time, unless the connection works again by then. */
export function noticeLater(mirror: Mirror, self: Replica, delayMs: number): void {
  const { session, boot } = self;
  const { cuts } = mirror;
  if (session === 0) return;
  mirror.options.clock.later(delayMs, () => {
    if (self.boot !== boot || self.session !== session) return;
    const isPeerGone = otherOf(mirror, self).session !== session;
    if (!isPeerGone && (mirror.linkUp || mirror.cuts !== cuts)) return;
    lose(mirror, self, 'connecting');
    flush(mirror);
  });
}

/**
 * `drbdadm disconnect`. With fencing, a secondary that leaves a primary is outdated, and a primary outdates who it
 * leaves. A peer that does not answer is waited for until it is known to be lost.
 */
export function disconnect(mirror: Mirror, self: Replica): void {
  if (self.connection === 'standalone') return;
  if (self.session === 0) {
    self.connection = 'standalone';
    self.discardMyData = false;
    fenceLostPeer(mirror, self);
    return;
  }
  if (!isLive(mirror, self)) {
    self.leaving = true;
    return;
  }
  const peer = otherOf(mirror, self);
  const isFenced = mirror.options.fencing !== 'dont-care';
  const passes = isFenced && self.role === 'primary' && isWhole(peer.disk);
  const isPassedBy = isFenced && peer.role === 'primary' && isWhole(self.disk);
  if (passes) peer.disk = 'outdated';
  if (isPassedBy) self.disk = 'outdated';
  lose(mirror, self, 'standalone', passes ? 'outdated' : 'lost');
  lose(mirror, peer, 'connecting', isPassedBy ? 'outdated' : 'lost');
}

/** Tells the peer what role and disk this side has now, as far as the cable carries it. */
export function tellPeer(mirror: Mirror, self: Replica): void {
  if (!isLive(mirror, self)) return;
  const peer = otherOf(mirror, self);
  const { peerDisk, peerRole } = peer;
  peer.peerRole = self.role;
  peer.peerDisk = self.disk;
  if (self.disk !== 'diskless') return;
  loseSightOf(mirror, peer, peerDisk);
  const { generations, disk } = peer;
  // A primary begins to write through this side's disk alone.
  const isNewWriter = peerRole === 'secondary' && self.role === 'primary';
  if (isNewWriter && disk === 'up-to-date' && generations.bitmap === 0) {
    makeGeneration(peer, mirror.freshGeneration());
  }
  self.exposed = generations.current;
}
