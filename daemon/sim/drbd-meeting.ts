// Two halves that look for each other meet: who has what, who follows whom, or that they part again.
// Facts from drbd_receiver.c drbd_sync_handshake() and receive_state(), drbd_state.c is_valid_state() (8.4).

import { fenceLostPeer, letFlow, loseSightOf } from './drbd-fencing.ts';
import { compareGenerations, type Verdict } from './drbd-generations.ts';
import { flush, type Mirror, otherOf } from './drbd-mirror.ts';
import {
  isSuspended,
  isWhole,
  makeGeneration,
  type Replica,
  settleAlone,
  settleTogether,
} from './drbd-replica.ts';
import { startResync } from './drbd-resync.ts';

/** If both look for each other and the cable is whole, they meet within the connect interval. */
export function seek(mirror: Mirror): void {
  if (mirror.seeking || !canMeet(mirror)) return;
  const { clock, connectMs } = mirror.options;
  mirror.seeking = true;
  clock.later(connectMs * (0.1 + 0.9 * clock.random()), () => {
    mirror.seeking = false;
    if (!canMeet(mirror)) return;
    meet(mirror);
    flush(mirror);
  });
}

const canMeet = ({ linkUp, replicas: { primary, secondary } }: Mirror) =>
  linkUp &&
  primary.powered &&
  secondary.powered &&
  primary.connection === 'connecting' &&
  secondary.connection === 'connecting';

/** What each side makes of the other. `refused`: those who will not go on. */
type Meeting =
  | { readonly kind: 'refused'; readonly by: readonly Replica[]; readonly isSplitBrain: boolean }
  | { readonly kind: 'equal' }
  | {
      readonly kind: 'resync';
      readonly source: Replica;
      readonly target: Replica;
      readonly full: boolean;
      readonly isWanted: boolean;
    };

/** Now: both look for each other and the cable is whole. */
export function meet(mirror: Mirror): void {
  const { primary, secondary } = mirror.replicas;
  const meeting = judge(mirror);
  primary.discardMyData = false;
  secondary.discardMyData = false;
  if (meeting.kind === 'refused') {
    part(mirror, meeting.by, meeting.isSplitBrain);
    return;
  }
  if (meeting.kind === 'equal') {
    // Writes that wait for the peer's word must not be sent again to a host that has started anew since.
    const held = [primary, secondary].find(
      (self) => self.generationDue && isSuspended(self) && otherOf(mirror, self).disk === 'consistent',
    );
    if (held !== undefined) {
      settleAlone(held);
      makeGeneration(held, mirror.freshGeneration());
      held.userSuspended = false;
      fenceLostPeer(mirror, held);
      seek(mirror);
      return;
    }
  }
  join(mirror, meeting);
}

function judge(mirror: Mirror): Meeting {
  const { primary, secondary } = mirror.replicas;
  const both = [primary, secondary];
  const refused = (by: readonly Replica[], isSplitBrain = false): Meeting => ({
    kind: 'refused',
    by,
    isSplitBrain,
  });
  if (primary.discardMyData && secondary.discardMyData) return refused(both);
  if (primary.twoAllowed !== secondary.twoAllowed) return refused(both); // "incompatible allow-two-primaries settings"
  const stranger = both.find((self) => isStranger(self, otherOf(mirror, self)));
  if (stranger !== undefined) return refused([stranger]);

  const isCompared = primary.disk !== 'diskless' && secondary.disk !== 'diskless';
  const verdict: Verdict = isCompared ? compareHalves(mirror) : { kind: 'equal', rule: 0 };
  if (verdict.kind === 'unrelated') return refused(both);
  const isDecided = verdict.kind === 'split-brain' && primary.discardMyData !== secondary.discardMyData;
  if (verdict.kind === 'split-brain' && !isDecided) return refused(both, true);
  if (verdict.kind !== 'equal') {
    const isFromSelf = verdict.kind === 'resync' ? verdict.from === 'self' : secondary.discardMyData;
    const source = isFromSelf ? primary : secondary;
    const target = isFromSelf ? secondary : primary;
    if (source.disk === 'inconsistent') return refused([source]);
    const isBothPrimary = source.role === 'primary' && target.role === 'primary';
    if (isBothPrimary) return refused(both);
    if (target.role === 'primary' && isWhole(target.disk)) return refused([target]);
    const full = verdict.kind === 'resync' && verdict.full;
    return { kind: 'resync', source, target, full, isWanted: isDecided || target.discardMyData };
  }
  const areBoth = primary.role === 'primary' && secondary.role === 'primary';
  if (areBoth && !primary.twoAllowed) return refused(both);
  return { kind: 'equal' };
}

/** A diskless primary knows the data that its users have seen, and takes no other. */
const isStranger = (self: Replica, peer: Replica) =>
  self.disk === 'diskless' && self.role === 'primary' && self.exposed !== peer.generations.current;

/** The comparison, and what an inconsistent disk makes of it: it never is the one to follow. */
function compareHalves({ options: { clock }, replicas: { primary, secondary } }: Mirror): Verdict {
  const verdict = compareGenerations(primary.generations, secondary.generations, {
    selfCrashedPrimary: primary.crashedPrimary,
    peerCrashedPrimary: secondary.crashedPrimary,
    selfPrimary: primary.role === 'primary',
    peerPrimary: secondary.role === 'primary',
    tieToSelf: primary.crashedPrimary && secondary.crashedPrimary && clock.random() < 0.5,
  });
  const isHere = primary.disk === 'inconsistent';
  if (verdict.kind === 'unrelated' || isHere === (secondary.disk === 'inconsistent')) return verdict;
  const full = verdict.kind === 'split-brain' ? verdict.ambiguous : verdict.kind === 'resync' && verdict.full;
  return { kind: 'resync', rule: verdict.rule, from: isHere ? 'peer' : 'self', full };
}

/** Who refuses goes StandAlone. Where both would, one may see the other hang up before it has understood why. */
function part(mirror: Mirror, by: readonly Replica[], isSplitBrain: boolean): void {
  const { clock } = mirror.options;
  const { primary, secondary } = mirror.replicas;
  if (isSplitBrain) mirror.splitBrain = true;
  const chance = by.length === 2 ? clock.random() : 1;
  const spared = chance < 0.1 ? primary : chance < 0.2 ? secondary : null;
  for (const self of by) if (self !== spared) self.connection = 'standalone';
  fenceLostPeer(mirror, primary);
  fenceLostPeer(mirror, secondary);
}

function join(mirror: Mirror, meeting: Exclude<Meeting, { kind: 'refused' }>): void {
  const { primary, secondary } = mirror.replicas;
  mirror.sessions += 1;
  mirror.splitBrain = false;
  const peerDisksBefore = [primary.peerDisk, secondary.peerDisk] as const;
  for (const self of [primary, secondary]) {
    self.session = mirror.sessions;
    self.connection = 'connected';
    self.connectCount += 1;
    if (self.disk === 'consistent' || self.disk === 'outdated') self.disk = 'up-to-date';
  }
  for (const self of [primary, secondary]) {
    const peer = otherOf(mirror, self);
    self.peerRole = peer.role;
    self.peerDisk = peer.disk;
    if (self.disk === 'diskless') self.exposed = peer.generations.current;
    settleTogether(self);
  }
  if (meeting.kind === 'resync') startResync(mirror, meeting.source, meeting.target, meeting);
  loseSightOf(mirror, primary, peerDisksBefore[0]);
  loseSightOf(mirror, secondary, peerDisksBefore[1]);
  if (primary.disk === 'up-to-date' && secondary.disk === 'up-to-date') {
    primary.crashedPrimary = false;
    secondary.crashedPrimary = false;
  }
  for (const self of [primary, secondary]) {
    if (self.fencingSuspended) self.generationDue = false;
    self.fencingSuspended = false;
    if (!isSuspended(self)) letFlow(mirror, self);
  }
}
