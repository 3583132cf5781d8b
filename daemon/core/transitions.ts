// The group machine: one table. Every change of a group's phase is a row here; its `reason` is what is logged.
// Guards read facts only. For a given phase at most one guard may hold (a test searches for overlaps), so the
// order of the rows means nothing.

import type { RuleId } from './codes.ts';
import type { Facts } from './facts.ts';
import type { PhaseKind } from './heartbeat.ts';
import type { StopReason } from './state.ts';

export interface Transition {
  readonly id: RuleId;
  readonly from: PhaseKind;
  readonly to: PhaseKind;
  readonly when: (facts: Facts) => boolean;
  /** For `stopping`: in order or at once, and what for. */
  readonly stop?: StopReason;
  readonly severity: 'info' | 'warning' | 'alarm';
  readonly reason: string;
  /** What a person may do about an alarm; of a blocked group its obstacle says. */
  readonly next?: string;
}

const mayTakeOver = (f: Facts) =>
  f.peerGone && f.obstacle === null && f.eligible && f.allDown && !f.grantOutstanding;

const peerLetsGo = (f: Facts) => !f.peerMayHoldAddresses && !f.peerMayHoldRest;

/** Alive, and there is a reason to ask the peer for the group. */
const wantsClaim = (f: Facts) =>
  f.verdict === 'alive' &&
  f.eligible &&
  f.allDown &&
  !f.grantOutstanding &&
  (f.offeredToUs || f.pulled || (peerLetsGo(f) && f.chosen));

const mayLeaveToPeer = (f: Facts) =>
  !f.cannotStart && !f.settled && !f.mustLeaveAlone && !f.outranked && !f.mustFreeze && !f.inMaintenance;

const stray = (f: Facts) => f.allObserved && f.anyUp && !f.inMaintenance;

export const transitions: readonly Transition[] = [
  {
    id: 'found-running',
    from: 'observing',
    to: 'active',
    when: (f) => f.allLookedAt && f.isRunning && !f.ledgerFrozen && !f.anyPaused,
    severity: 'info',
    reason: 'the daemon has started and the group is running here: adopted as it is',
  },
  {
    id: 'found-frozen',
    from: 'observing',
    to: 'frozen',
    when: (f) => f.allLookedAt && f.isRunning && (f.ledgerFrozen || f.anyPaused),
    severity: 'warning',
    reason: 'the daemon has started and the group is frozen here: kept frozen until the peer has been heard',
  },
  {
    id: 'found-stopped',
    from: 'observing',
    to: 'stopped',
    when: (f) => f.allObserved && !f.isRunning,
    severity: 'info',
    reason: 'the daemon has started and the group is not running here',
  },
  {
    id: 'take-over',
    from: 'stopped',
    to: 'starting',
    when: mayTakeOver,
    severity: 'warning',
    reason: 'the peer is gone, nobody runs the group',
  },
  {
    id: 'claim',
    from: 'stopped',
    to: 'claiming',
    when: wantsClaim,
    severity: 'info',
    reason: 'the peer is asked to agree that this node runs the group',
  },
  {
    id: 'block',
    from: 'stopped',
    to: 'blocked',
    when: (f) => f.obstacle !== null && !stray(f),
    severity: 'alarm',
    reason: 'the peer is silent, but the group may not be started here',
  },
  {
    id: 'stop-stray',
    from: 'stopped',
    to: 'stopping',
    when: stray,
    stop: 'stray',
    severity: 'alarm',
    reason: 'a part of the group was started here by hand although this node does not own the group',
    next: 'start and stop guests of a group with `battito takeover` and `battito handover` only',
  },
  {
    id: 'unblock',
    from: 'blocked',
    to: 'stopped',
    when: (f) => f.obstacle === null || stray(f),
    severity: 'info',
    reason: 'what held the group back is gone',
  },
  {
    id: 'claim-granted',
    from: 'claiming',
    to: 'starting',
    when: (f) => f.granted && f.eligible,
    severity: 'info',
    reason: 'the peer agreed that this node runs the group',
  },
  {
    id: 'claim-dropped',
    from: 'claiming',
    to: 'stopped',
    when: (f) =>
      (f.claimIsStale || !wantsClaim({ ...f, grantOutstanding: false })) && !(f.granted && f.eligible),
    severity: 'info',
    reason: 'there is no longer this reason to ask for the group',
  },
  {
    id: 'claim-yielded',
    from: 'claiming',
    to: 'stopped',
    when: (f) =>
      wantsClaim({ ...f, grantOutstanding: false }) && !f.claimIsStale && !f.granted && f.grantOutstanding,
    severity: 'info',
    reason: 'both nodes asked at once and the other one goes first',
  },
  {
    id: 'started',
    from: 'starting',
    to: 'active',
    when: (f) => f.settled && !f.outranked && !f.mustFreeze,
    severity: 'info',
    reason: 'everything of the group that can be up is up',
  },
  {
    id: 'start-frozen',
    from: 'starting',
    to: 'frozen',
    when: (f) => f.mustFreeze && !f.outranked && !f.inMaintenance,
    severity: 'alarm',
    reason: 'this node hears neither its peer nor the outside: frozen, since the peer may take over',
    next: 'mend the network of this node; it goes on by itself if the peer has not taken over',
  },
  {
    id: 'start-outranked',
    from: 'starting',
    to: 'stopping',
    when: (f) => f.outranked && !f.inMaintenance,
    stop: 'yield',
    severity: 'alarm',
    reason: 'the peer runs the group with a better right: given up here',
    next: 'see with `battito history` on both nodes how both came to run it',
  },
  {
    id: 'freeze',
    from: 'active',
    to: 'frozen',
    when: (f) => f.mustFreeze && !f.outranked && !f.inMaintenance,
    severity: 'alarm',
    reason: 'this node hears neither its peer nor the outside: frozen, since the peer may take over',
    next: 'mend the network of this node; it goes on by itself if the peer has not taken over',
  },
  {
    id: 'yield',
    from: 'active',
    to: 'stopping',
    when: (f) => f.outranked && !f.inMaintenance,
    stop: 'yield',
    severity: 'alarm',
    reason: 'the peer runs the group with a better right: given up here',
    next: 'see with `battito history` on both nodes how both came to run it',
  },
  {
    id: 'hand-over',
    from: 'active',
    to: 'stopping',
    when: (f) => f.grantOutstanding && !f.outranked && !f.mustFreeze && !f.inMaintenance,
    stop: 'handover',
    severity: 'info',
    reason: 'the peer takes the group over in an orderly way',
  },
  {
    id: 'leave',
    from: 'active',
    to: 'stopping',
    when: (f) => f.mustLeaveAlone && !f.grantOutstanding && !f.outranked && !f.mustFreeze && !f.inMaintenance,
    stop: 'leave',
    severity: 'warning',
    reason: 'the daemon stops and nobody can take the group over: stopped in order',
  },
  {
    id: 'own-stray',
    from: 'active',
    to: 'starting',
    when: (f) =>
      f.unowned &&
      !f.peerMayHoldAddresses &&
      (!f.peerMayHoldRest || f.peerFrozen) &&
      f.obstacle === null &&
      !f.grantOutstanding &&
      !f.outranked &&
      !f.mustFreeze &&
      !f.mustLeaveAlone &&
      !f.inMaintenance,
    severity: 'warning',
    reason:
      'the group was found running here with no record of it, and nobody else runs it: owned from now on',
  },
  {
    id: 'leave-while-starting',
    from: 'starting',
    to: 'stopping',
    when: (f) => f.mustLeaveAlone && !f.settled && !f.outranked && !f.mustFreeze && !f.inMaintenance,
    stop: 'leave',
    severity: 'warning',
    reason: 'the daemon stops and nobody can take the group over: stopped in order',
  },
  {
    id: 'resume',
    from: 'frozen',
    to: 'starting',
    when: (f) => f.granted && !f.outranked && !f.superseded && !f.inMaintenance,
    severity: 'info',
    reason: 'the peer is back, did not take over and agrees: the frozen guests go on',
  },
  {
    id: 'resume-by-lease',
    from: 'frozen',
    to: 'starting',
    when: (f) =>
      f.leaseRegained &&
      f.verdict !== 'alive' &&
      !f.grantOutstanding &&
      !f.mustLeaveAlone &&
      !f.inMaintenance,
    severity: 'info',
    reason: 'the lease is ours again and nobody else has had it: the frozen guests go on',
  },
  {
    id: 'discard',
    from: 'frozen',
    to: 'stopping',
    when: (f) => (f.outranked || f.superseded) && !f.inMaintenance,
    stop: 'discard',
    severity: 'warning',
    reason: 'the peer took over while this node was cut off: the frozen copies are discarded',
  },
  {
    id: 'discard-when-fenced',
    from: 'frozen',
    to: 'stopping',
    when: (f) =>
      ((f.peerProvenOff && !f.leaseRegained && !f.leaseUnread) || f.grantOutstanding || f.mustLeaveAlone) &&
      !f.granted &&
      !f.outranked &&
      !f.superseded &&
      !f.inMaintenance,
    stop: 'discard',
    severity: 'warning',
    reason: 'the frozen copies are discarded, and the group is started afresh where it belongs',
  },
  {
    id: 'stop-at-once',
    from: 'stopping',
    to: 'stopping',
    when: (f) => f.mustFreeze && f.stopsInOrder && !f.allDown && !f.inMaintenance,
    stop: 'discard',
    severity: 'alarm',
    reason: 'this node was cut off while it stopped the group in order: the rest is stopped at once',
    next: 'mend the network of this node',
  },
  {
    id: 'give-back',
    from: 'starting',
    to: 'stopping',
    when: (f) =>
      f.cannotStart && !f.settled && !f.mustLeaveAlone && !f.outranked && !f.mustFreeze && !f.inMaintenance,
    stop: 'leave',
    severity: 'alarm',
    reason:
      'the state file cannot be written or the watchdog not be armed, so nothing may be started: left to the peer',
    next: 'free space in the state directory, or mend the watchdog; `battito status` says which',
  },
  {
    id: 'decline',
    from: 'starting',
    to: 'stopping',
    when: (f) => f.dataUnusable && mayLeaveToPeer(f),
    stop: 'decline',
    severity: 'alarm',
    reason: 'the data here are older than those of the peer, or may be: left to it',
    next: 'mend the connection of the disks between the nodes',
  },
  {
    id: 'decline-stuck',
    from: 'starting',
    to: 'stopping',
    when: (f) => f.peerStuck && f.peerMayHoldRest && f.restDown && !f.dataUnusable && mayLeaveToPeer(f),
    stop: 'decline',
    severity: 'alarm',
    reason: 'the peer cannot let go of the group: left to it',
    next: 'see with `battito status` on the peer what holds it',
  },
  {
    id: 'take-back',
    from: 'stopping',
    to: 'starting',
    when: (f) =>
      f.stuck &&
      (f.verdict === 'alive' || f.peerProvenOff) &&
      !f.peerWrote &&
      !f.peerMayHoldAddresses &&
      !f.peerMayHoldRest &&
      !f.grantOutstanding &&
      !f.allDown &&
      !f.mustFreeze &&
      !f.inMaintenance,
    severity: 'alarm',
    reason: 'a part of the group cannot be let go of, so the handover is undone: it goes on here',
    next: 'close what `battito status` names as the holder, then run `battito handover` again',
  },
  {
    id: 'stopped',
    from: 'stopping',
    to: 'stopped',
    when: (f) => f.allDown,
    severity: 'info',
    reason: 'nothing of the group runs here any more',
  },
];
