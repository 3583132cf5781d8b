// `drbdadm primary [--force]`: its tries, what it asks for, and what stands against it. Facts from drbd_nl.c
// drbd_set_role() and drbd_state.c is_valid_state() (8.4).

import type { PromoteOutcome } from './drbd.ts';
import { disconnect, lose, tellPeer } from './drbd-connection.ts';
import { fencePeer } from './drbd-fencing.ts';
import { seek } from './drbd-meeting.ts';
import { flush, isLive, type Mirror, otherOf } from './drbd-mirror.ts';
import { isWhole, makeGeneration, type Replica } from './drbd-replica.ts';
import { startResync } from './drbd-resync.ts';

const triesMax = 4;

/** ping-timeout: how soon a promotion finds out that nobody is there. The DRBD default. */
const pingTimeoutMs = 500;

interface Promotion {
  readonly self: Replica;
  readonly boot: number;
  readonly force: boolean;
  readonly finish: (outcome: PromoteOutcome) => void;
  tries: number;
  /** What stood against the last try. */
  refusal: PromoteOutcome;
  hasWaited: boolean;
  /** The local disk is taken for up to date: by force, or since the peer's is passed. */
  raisesDisk: 'no' | 'fenced' | 'forced';
  /** Forced into a split brain: the peer's disk is taken for outdated. */
  passesPeer: boolean;
}

export function promote(
  mirror: Mirror,
  self: Replica,
  options: { readonly force: boolean; readonly alone: boolean },
  done: (outcome: PromoteOutcome) => void,
): void {
  const { clock } = mirror.options;
  const { boot } = self;
  const tell = (outcome: PromoteOutcome) => {
    clock.later(0, () => {
      if (self.boot === boot) done(outcome);
    });
  };
  if (!self.powered || self.role === 'primary') {
    tell(self.powered ? 'unchanged' : 'not-up');
    return;
  }
  const leaves = options.alone && self.connection !== 'standalone';
  const finish = (outcome: PromoteOutcome) => {
    if (options.alone && self.connection === 'standalone') {
      self.connection = 'connecting';
      self.twoAllowed = false;
      seek(mirror);
    }
    tell(outcome);
  };
  const { force } = options;
  const promotion: Promotion = {
    self,
    boot,
    force,
    finish,
    tries: 0,
    refusal: 'not-up',
    hasWaited: false,
    raisesDisk: 'no',
    passesPeer: false,
  };
  if (leaves) {
    disconnect(mirror, self);
    if (self.leaving) {
      self.whenLost.push(() => attempt(mirror, promotion));
      return;
    }
  }
  attempt(mirror, promotion);
}

/** What is_valid_state() has against this side as a primary; null: nothing. */
function objection(mirror: Mirror, { self, raisesDisk, passesPeer }: Promotion): PromoteOutcome | null {
  // A disk that has failed meanwhile is not raised (is_valid_transition(): SS_IS_DISKLESS).
  const disk = raisesDisk === 'no' || self.disk === 'diskless' ? self.disk : 'up-to-date';
  if (self.connection === 'connected') {
    const isAllowed = self.twoAllowed && otherOf(mirror, self).twoAllowed;
    if (self.peerRole === 'primary' && !isAllowed) return 'multiple-primaries';
    return disk === 'up-to-date' || self.peerDisk === 'up-to-date' ? null : 'need-up-to-date';
  }
  if (disk !== 'up-to-date') return 'need-up-to-date';
  const isFencing = mirror.options.fencing !== 'dont-care';
  return isFencing && !passesPeer && self.peerDisk === 'unknown' ? 'peer-not-outdated' : null;
}

function attempt(mirror: Mirror, promotion: Promotion): void {
  const { self, force, finish } = promotion;
  if (self.boot !== promotion.boot) return;
  if (self.session !== 0 && !isLive(mirror, self)) {
    waitForPing(mirror, promotion);
    return;
  }
  if (promotion.tries === triesMax) {
    finish(promotion.refusal);
    return;
  }
  const refusal = objection(mirror, promotion);
  promotion.tries += 1;
  if (refusal === null) {
    const wasPrimary = self.role === 'primary'; // By another promotion, meanwhile.
    becomePrimary(mirror, promotion);
    finish(wasPrimary ? 'unchanged' : 'done');
    return;
  }
  promotion.refusal = refusal;
  if (refusal === 'multiple-primaries') {
    if (promotion.hasWaited) finish(refusal);
    else again(mirror, promotion, pingTimeoutMs + 100);
  } else if (refusal === 'need-up-to-date') {
    if (force && self.disk !== 'diskless' && promotion.raisesDisk === 'no') {
      promotion.raisesDisk = 'forced';
      attempt(mirror, promotion);
    } else if (self.disk === 'consistent' && !promotion.passesPeer) {
      fencePeer(mirror, self, (isFenced) => {
        if (isFenced) promotion.raisesDisk = 'fenced';
        attempt(mirror, promotion);
      });
    } else finish(refusal);
  } else {
    fencePeer(mirror, self, (isFenced) => {
      if (!isFenced && force) promotion.passesPeer = true;
      attempt(mirror, promotion);
    });
  }
}

/** "Detect dead peers as soon as possible": a promotion sends a ping of its own. */
function waitForPing(mirror: Mirror, promotion: Promotion): void {
  const { self } = promotion;
  const { session } = self;
  mirror.options.clock.later(pingTimeoutMs, () => {
    if (self.boot !== promotion.boot) return;
    if (self.session === session && !isLive(mirror, self)) lose(mirror, self, 'connecting');
    attempt(mirror, promotion);
    flush(mirror);
  });
}

function again(mirror: Mirror, promotion: Promotion, delayMs: number): void {
  promotion.hasWaited = true;
  mirror.options.clock.later(delayMs, () => {
    attempt(mirror, promotion);
    flush(mirror);
  });
}

function becomePrimary(mirror: Mirror, { self, raisesDisk, passesPeer }: Promotion): void {
  self.role = 'primary';
  self.discardMyData = false;
  if (raisesDisk !== 'no' && self.disk !== 'diskless') self.disk = 'up-to-date';
  if (passesPeer && self.connection !== 'connected') self.peerDisk = 'outdated';
  const isAlone = self.connection !== 'connected' || self.peerDisk === 'diskless';
  const isForced = raisesDisk === 'forced';
  if (self.disk !== 'diskless' && (isForced || (isAlone && self.generations.bitmap === 0))) {
    makeGeneration(self, mirror.freshGeneration());
  }
  tellPeer(mirror, self);
  const peer = otherOf(mirror, self);
  if (isForced && isLive(mirror, self) && !isWhole(peer.disk) && peer.disk !== 'diskless') {
    startResync(mirror, self, peer, { full: false, isWanted: true });
  }
}
