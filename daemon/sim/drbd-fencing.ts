// Calling the fence-peer handler, what its answers do, and IO that waits for them. Facts from drbd_nl.c
// conn_try_outdate_peer() and drbd_adm_resume_io(), drbd_state.c w_after_conn_state_ch() (8.4).

import type { HandlerAnswer, PeerDisk } from './drbd.ts';
import { flush, isLive, type Mirror, otherOf } from './drbd-mirror.ts';
import {
  carryOut,
  isPassed,
  isSuspended,
  isWhole,
  makeGeneration,
  type Replica,
  settleAlone,
} from './drbd-replica.ts';

/**
 * conn_try_outdate_peer(): asks the handler, unless this copy is not even Consistent, and tells whether the peer's
 * copy is known to be passed now. What held IO back for it is released where the answer allows.
 */
export function fencePeer(mirror: Mirror, self: Replica, told: (isFenced: boolean) => void): void {
  const { fencing, clock, handlerTimeoutMs } = mirror.options;
  if (self.connection === 'connected') {
    told(false);
    return;
  }
  if (!isWhole(self.disk)) {
    self.fencingSuspended = false;
    if (!isSuspended(self)) letFlow(mirror, self);
    told(false);
    return;
  }
  if (fencing === 'dont-care') {
    told(true);
    return;
  }
  const { boot, connectCount } = self;
  let isAnswered = false;
  const answer = (code: HandlerAnswer) => {
    if (isAnswered || self.boot !== boot) return;
    isAnswered = true;
    // A connection that came and went meanwhile makes the answer worthless.
    if (self.connection !== 'connected' && self.connectCount === connectCount) takeAnswer(mirror, self, code);
    told(isPassed(self.peerDisk));
    flush(mirror);
  };
  clock.later(0, () => {
    if (self.boot === boot) mirror.options.fencePeer(self.side, answer);
  });
  clock.later(handlerTimeoutMs, () => answer('unsure'));
}

function takeAnswer(mirror: Mirror, self: Replica, code: HandlerAnswer): void {
  switch (code) {
    case 'inconsistent':
      self.peerDisk = 'inconsistent';
      break;
    case 'outdated':
    case 'fenced':
      self.peerDisk = 'outdated';
      break;
    case 'unreachable':
      // Only one who is up to date may take an unreachable peer for passed.
      if (self.disk === 'up-to-date') self.peerDisk = 'outdated';
      break;
    case 'primary':
      // A primary cannot outdate itself: the change of state is refused, and its IO stays as it is.
      if (self.role === 'secondary' && isWhole(self.disk)) self.disk = 'outdated';
      break;
    case 'unsure':
      return;
  }
  if (self.fencingSuspended && isPassed(self.peerDisk)) thaw(mirror, self);
}

function thaw(mirror: Mirror, self: Replica): void {
  if (self.generationDue) makeGeneration(self, mirror.freshGeneration());
  self.fencingSuspended = false;
  settleAlone(self);
  if (!isSuspended(self)) letFlow(mirror, self);
}

/** IO is held back no more: what waited is carried out. */
export function letFlow(mirror: Mirror, self: Replica): void {
  if (self.connection !== 'connected') settleAlone(self);
  const writes = self.waiting;
  self.waiting = 0;
  if (writes > 0 && self.role === 'primary') {
    const peer = otherOf(mirror, self);
    carryOut(self, peer, writes, isLive(mirror, self));
  }
}

/** `drbdadm resume-io`: in 8.4 it ends every suspension, DRBD's own for fencing as well. */
export function resumeIo(mirror: Mirror, self: Replica): void {
  if (!self.powered) return;
  if (self.generationDue) {
    if (self.disk === 'diskless') self.generationDue = false;
    else makeGeneration(self, mirror.freshGeneration());
  }
  self.userSuspended = false;
  self.fencingSuspended = false;
  letFlow(mirror, self);
}

/** A primary that does not know what became of its peer's copy asks, each time that a connection has ended. */
export function fenceLostPeer(mirror: Mirror, self: Replica): void {
  if (!self.powered || self.role !== 'primary' || self.peerDisk !== 'unknown') return;
  if (mirror.options.fencing === 'dont-care') return;
  fencePeer(mirror, self, () => {});
}

/** "Lost contact to peer's copy of the data": whoever goes on writing begins a generation, at the latest with its IO. */
export function loseSightOf(mirror: Mirror, self: Replica, before: PeerDisk): void {
  const hadSight = before === 'inconsistent' || isWhole(before);
  const hasSight = self.peerDisk === 'inconsistent' || isWhole(self.peerDisk);
  if (!hadSight || hasSight) return;
  if (self.role !== 'primary' && self.peerRole !== 'primary') return;
  if (self.disk !== 'up-to-date' || self.generations.bitmap !== 0) return;
  if (isSuspended(self)) self.generationDue = true;
  else makeGeneration(self, mirror.freshGeneration());
}
