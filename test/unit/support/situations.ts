// One core in a situation that several tests begin with.

import type { Policy } from '../../../daemon/core/policy.ts';
import { type Protection, protectedPolicy } from '../../sim/example.ts';
import { apart, type OneCore, oneCore } from './one-core.ts';

export const ofPrimary = { generation: 3, owner: 'primary', writer: 'primary' } as const;
export const ofSecondary = { generation: 3, owner: 'secondary', writer: 'secondary' } as const;

/** The primary runs the group, its guests are on the disk, and both copies are the same, until 2 s. */
export function runningOwner(
  protection: Protection = {},
  policy: Policy = protectedPolicy('primary', { disk: true, ...protection }),
): OneCore {
  const node = oneCore({ policy, record: ofPrimary });
  node.see(1, 'up');
  node.show(1, { role: 'primary' });
  node.go(2000, { peer: ofPrimary });
  return node;
}

/** The same node, cut off at 2 s: it freezes, and was asked to at `endedAt`, when its right to run anything ended. */
export function freezingOwner(policy?: Policy): OneCore & { readonly endedAt: number } {
  const node = runningOwner({}, policy);
  node.go(2500, { peer: null, gateway: 'unanswered', prompt: false });
  node.show(2500, apart);
  const endedAt = (node.state().peer.contactAt ?? 0) + node.state().policy.timings.freezeAfterMs;
  node.go(endedAt - 1);
  if (node.phase()?.kind !== 'active') throw new Error('it freezes too early');
  node.go(endedAt);
  if (node.phase()?.kind !== 'frozen') throw new Error('it does not freeze');
  return { ...node, endedAt };
}
