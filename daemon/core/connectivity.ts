// How well this node reaches the outside, by the gateways that answer it, and whether its peer reaches more of them. That is
// a reason to move, and never a condition: nothing is held back by it, and nothing is taken.

import type { MonotonicMs } from './policy.ts';
import type { State } from './state.ts';

/** What is known of both nodes' gateways beside each other. */
export interface OutsideState {
  /** Since when, without a gap, the peer has reached more of them than this node; null: it does not. */
  readonly fewerSince: MonotonicMs | null;
  /** When the peer last reached fewer than this node; null: not in this run. */
  readonly peerFewerAt: MonotonicMs | null;
}

export const noComparison: OutsideState = { fewerSince: null, peerFewerAt: null };

/** Is there a gateway that answers, or none that was asked in vain? What could not be asked proves nothing. */
export function gatewayAnswers(state: State): boolean {
  return gatewaysOf(state).length === 0 || gatewaysReached(state) > 0;
}

/** For the peer to compare; null: there are none. */
export function gatewaysToCompare(state: State): number | null {
  return gatewaysOf(state).length > 0 ? gatewaysReached(state) : null;
}

/** How many gateways answer, or were not asked in vain. */
function gatewaysReached(state: State): number {
  return gatewaysOf(state).filter(({ id }) => !isLost(state, id)).length;
}

const gatewaysOf = ({ policy }: State) => policy.probes.filter(({ kind }) => kind === 'gateway');

function isLost(state: State, id: string): boolean {
  const probe = state.probes.find(({ target }) => target === id);
  const silentMs = state.now - (probe?.lastAnsweredAt ?? state.startedAt);
  const askedMs = state.now - (probe?.lastUnansweredAt ?? -Infinity);
  const patienceMs = gatewayPatienceMs(state);
  const stalledMs = state.now - (state.stalls.lastAt ?? -Infinity);
  return silentMs > patienceMs && askedMs < patienceMs && stalledMs > patienceMs;
}

/** A gateway is asked once a second while all is well; it is lost after this long without an answer. */
function gatewayPatienceMs(state: State): number {
  return Math.max(state.policy.timings.deadtimeMs * 2, 5000);
}

/** How many more gateways the peer reaches than this node; 0 where that cannot be told: it may have other ones. */
function leadOfPeer(state: State): number {
  const { content } = state.peer;
  const own = gatewaysToCompare(state);
  if (state.verdict.kind !== 'alive' || content === null || own === null) return 0;
  const isSame = content.configDigest === state.policy.configDigest;
  if (isSame && content.gateways !== null) return content.gateways - own;
  // Of other ones, or of an older version, only this is told: that it reaches one, where this node reaches none.
  return own === 0 && content.lan ? 1 : 0;
}

export function compareOutside(state: State): State {
  const lead = leadOfPeer(state);
  const fewerSince = lead > 0 ? (state.outside.fewerSince ?? state.now) : null;
  const peerFewerAt = lead < 0 ? state.now : state.outside.peerFewerAt;
  const isSame = fewerSince === state.outside.fewerSince && peerFewerAt === state.outside.peerFewerAt;
  return isSame ? state : { ...state, outside: { fewerSince, peerFewerAt } };
}

/**
 * A peer that is better connected only for a moment is no reason to move: so many deadtimes without a gap. Of a gateway
 * that both lose, or that comes back to both, one node knows a moment before the other; and a daemon that has just been
 * started, or stood still, takes it for reached for a while. So also where none is left here, for longer than that.
 */
export const steadyDeadtimes = 15;

export function peerReachesMore(state: State): boolean {
  const { outside, now, policy } = state;
  const steadyMs = gatewayAnswers(state)
    ? steadyDeadtimes * policy.timings.deadtimeMs
    : 2 * gatewayPatienceMs(state);
  return outside.fewerSince !== null && now - outside.fewerSince >= steadyMs;
}

/** The peer has not been the worse connected one for so long. */
export function isPeerNoWorse({ outside, now }: State, forMs: number): boolean {
  return outside.peerFewerAt === null || now - outside.peerFewerAt > forMs;
}
