// What protects the pair, for people: the tier, whether what it rests on works now, and the witness.

import type { Policy, Tier } from '../core/policy.ts';
import { tierOf } from '../core/policy.ts';
import { leaseIsValid, peerWatchdogMs } from '../core/safeguards.ts';
import type { State } from '../core/state.ts';
import type { WitnessSight } from '../drivers/witness/witness.ts';
import type { Attention, WitnessView } from './api.ts';
import { item } from './attention-item.ts';

/**
 * `lacks`: why nothing could prove a dead peer off just now, so that nothing would be taken over from it; null: it could
 * be tried.
 */
export function tierInForce(
  state: State,
  sight: WitnessSight | null,
  fencingLacks: string | null = null,
): { readonly tier: Tier; readonly lacks: string | null } {
  const { policy, fence, watchdog } = state;
  const fenceError = fence.lastError ?? fencingLacks;
  const device = policy.fencing === null || fenceError === null ? null : `fencing: ${fenceError}`;
  const lease = [
    policy.watchdog === null || watchdog.lastError === null ? null : `watchdog: ${watchdog.lastError}`,
    policy.watchdog === null || peerWatchdogMs(state) !== null
      ? null
      : `watchdog: ${policy.peer} says of none`,
    sight === null || sight.trouble === null ? null : `witness: ${sight.trouble.message}`,
  ].filter((why) => why !== null);
  return { tier: tierOf(policy), lacks: lacksOf(policy, device, lease) };
}

/** `device`: why none powers the peer off; `lease`: why the right to run cannot be had from the witness. */
export function lacksOf(policy: Policy, device: string | null, lease: readonly string[]): string | null {
  // Each is a way of its own.
  const ways = [
    ...(policy.fencing === null ? [] : [device]),
    ...(policy.witness === null ? [] : [lease.length === 0 ? null : lease.join('; ')]),
  ];
  const broken = ways.filter((why) => why !== null);
  return ways.length > 0 && broken.length === ways.length ? broken.join('; ') : null;
}

export function witnessView(state: State, sight: WitnessSight | null, nowMs: number): WitnessView | null {
  if (sight === null) return null;
  const { askedAt, holder, leftMs, trouble, away } = sight;
  const isOurs = leaseIsValid(state);
  const ownMs = Math.max(0, (state.lease.validUntil ?? nowMs) - nowMs);
  const passedMs = askedAt === null ? null : Math.max(0, nowMs - askedAt);
  return {
    // What this node counts on; of what another one has, what the witness said.
    holder: isOurs ? state.policy.self : holder,
    leftMs: isOurs ? ownMs : leftMs === null ? null : Math.max(0, leftMs - (passedMs ?? 0)),
    answeredMs: passedMs,
    trouble,
    away,
  };
}

/** While the peers hear each other a lost witness is a warning and no more. */
export function attentionOfWitness(state: State, sight: WitnessSight | null): readonly Attention[] {
  if (sight === null) return [];
  const { self, peer } = state.policy;
  const { trouble, away } = sight;
  if (trouble !== null && state.verdict.kind === 'alive') {
    const message = `the witness cannot be used: ${trouble.message}; as long as that lasts, ${self} could not take over`;
    return [item('warning', 'witness-unreachable', message, trouble.next)];
  }
  if (trouble !== null) {
    const message = `neither ${peer} nor the witness answers, so nothing is started here, and what runs here is frozen when the lease ends: ${trouble.message}`;
    const vouched = state.verdict.kind === 'departed' || state.verdict.kind === 'fenced';
    if (!vouched) return [item('alarm', 'witness-unreachable', message, trouble.next)];
    return [
      item('warning', 'witness-unreachable', `the witness cannot be used: ${trouble.message}`, trouble.next),
    ];
  }
  return away.map(({ message, next }) =>
    item('warning', 'witness-endpoint-away', `an endpoint of the witness: ${message}`, next),
  );
}
