// May what is frozen go on by the word of the peer? A peer that remembers what it did meanwhile is believed. One whose
// daemon was restarted since, or may have been because the one here was, may have lost its record; then the witness is
// asked, which has not.

import type { Claim, GroupReport } from './heartbeat.ts';
import { isReadOfPeerRun } from './mirror.ts';
import { leaseIsValid } from './safeguards.ts';
import type { GroupState, State } from './state.ts';

function mayHaveForgotten({ policy, peer }: State, { phase }: GroupState): boolean {
  return policy.witness !== null && phase.kind === 'frozen' && phase.peerRun !== peer.incarnation;
}

/** Frozen, and the witness is still to be asked what a peer that may have forgotten it did. */
export function awaitsWitness(state: State, group: GroupState): boolean {
  if (!mayHaveForgotten(state, group)) return false;
  const { lease } = state;
  return !isReadOfPeerRun(state) || (lease.readAt ?? -Infinity) < group.since;
}

/** What this node asks the peer for; nothing while it waits for the witness, so that a person may give the group away. */
export function ownClaim(state: State, group: GroupState): Claim | null {
  return 'claim' in group.phase && !awaitsWitness(state, group) ? group.phase.claim : null;
}

/**
 * Frozen, and older than what ran since. Of a group with mirrored disks the witness has on record whether the peer wrote
 * to them; of another one it only knows whether anybody else has had the lease.
 */
export function isSuperseded(state: State, group: GroupState, report: GroupReport | null): boolean {
  const { phase, policy, resources } = group;
  if (phase.kind !== 'frozen' || report === null) return false;
  if (report.generation > phase.generation || state.lease.peerAlone.includes(policy.name)) return true;
  const isOnRecord = resources.some(({ storage }) => storage !== null);
  if (isOnRecord || !mayHaveForgotten(state, group) || awaitsWitness(state, group)) return false;
  return !(leaseIsValid(state) && state.lease.unbroken);
}
