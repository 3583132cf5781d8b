// One core in a situation that several tests begin with.

import type { GroupReport, HeartbeatContent } from '../../../daemon/core/heartbeat.ts';
import type { GuestPolicy, Policy } from '../../../daemon/core/policy.ts';
import { examplePolicy, type Protection, protectedPolicy } from '../../sim/example.ts';
import {
  activeReport,
  apart,
  mirrored,
  type OneCore,
  type OneCoreOptions,
  oneCore,
  ownRun,
  peerRun,
  stoppedReport,
} from './one-core.ts';

export const ofPrimary = { generation: 3, owner: 'primary', writer: 'primary' } as const;
export const ofSecondary = { generation: 3, owner: 'secondary', writer: 'secondary' } as const;

/** A guest that can be handed over in every way. */
export const ableGuest: GuestPolicy = {
  priority: 0,
  after: [],
  readyMs: null,
  startDelayMs: 0,
  memoryMiB: 1024,
  handover: 'shutdown',
  saveMs: 9000,
  migrateMs: 60_000,
  cannot: { live: null, save: null },
};

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

/** The primary has been granted the group, which the secondary lets go of; the copies are the same. */
export function taking(protection: Protection = {}): OneCore & { readonly peer: Partial<GroupReport> } {
  const policy = protectedPolicy('primary', { disk: true, ...protection });
  const node = oneCore({ policy, record: ofSecondary });
  node.see(1, 'down');
  node.show(1, mirrored);
  const giver = { ...ofSecondary, phase: 'active', holdsRest: true } as const;
  node.go(1000, { peer: { ...giver, offer: true }, prompt: false });
  const phase = node.phase();
  if (phase?.kind !== 'claiming') throw new Error(`it does not claim, it is ${phase?.kind}`);
  const peer = {
    ...giver,
    phase: 'stopping',
    grant: { incarnation: ownRun, claim: phase.claim.id },
  } as const;
  node.go(1100, { peer });
  if (node.phase()?.kind !== 'starting') throw new Error('it was not granted');
  return { ...node, peer };
}

export const shop = 'guest:shop';
export const cellar = 'guest:cellar';

/** With a second group of two guests, which need nothing. */
export function withShop(policy: Policy): Policy {
  const [office] = policy.groups;
  if (office === undefined) throw new Error('there is no group');
  const guest = (id: string) => ({ id, kind: 'guest', needs: [], startMs: 3000, stopMs: 3000 }) as const;
  return {
    ...policy,
    groups: [office, { ...office, name: 'shop', resources: [guest(shop), guest(cellar)] }],
  };
}

/** The guests of the second group are seen to be this. */
export function seeShop(
  node: OneCore,
  at: number,
  ...kinds: readonly ['up' | 'down', 'up' | 'down' | 'unknown']
): void {
  for (const [index, resource] of [shop, cellar].entries()) {
    const kind = kinds[index] ?? 'down';
    const status = kind === 'unknown' ? { kind, message: 'its monitor does not answer' } : { kind };
    node.feed(at, { kind: 'resource-observed', group: 'shop', resource, status });
  }
}

/** The secondary, idle, whose peer runs the group, until 2 s. */
export function idle(options: OneCoreOptions = {}, says: Partial<HeartbeatContent> = {}): OneCore {
  const node = oneCore({ self: 'secondary', ...options });
  node.see(1, 'down');
  node.go(2000, { peer: { ...activeReport, owner: 'primary' }, says, prompt: false });
  return node;
}

/** The primary, which runs the group without a disk, until 2 s. */
export function owner(
  options: OneCoreOptions = {},
  peer: Partial<GroupReport> = {},
  says: Partial<HeartbeatContent> = {},
): OneCore {
  const node = oneCore({ record: ofPrimary, ...options });
  node.see(1, 'up');
  node.go(2000, { peer: { ...ofPrimary, ...peer }, says });
  return node;
}

/** The primary runs both groups, until 2 s; the secondary could. */
export function ownerOfTwo(peer: { readonly shop?: Partial<GroupReport> } = {}): OneCore {
  const policy = withShop(examplePolicy('primary'));
  const node = oneCore({ policy, record: ofPrimary });
  node.see(1, 'up');
  seeShop(node, 1, 'up', 'up');
  const groups = [
    { ...stoppedReport, ...ofPrimary },
    { ...stoppedReport, name: 'shop', ...peer.shop },
  ];
  node.go(2000, { says: { groups } });
  return node;
}

/** The primary has just been granted the group, which has no disk; its drivers have done nothing yet. */
export function starting(policy: Policy = examplePolicy('primary'), options: OneCoreOptions = {}): OneCore {
  const node = oneCore({ policy, ...options });
  node.see(1, 'down');
  node.go(1000, { prompt: false });
  const phase = node.phase();
  if (phase?.kind !== 'claiming') throw new Error(`it does not claim, it is ${phase?.kind}`);
  node.go(1050, { peer: { grant: { incarnation: ownRun, claim: phase.claim.id } } });
  if (node.phase()?.kind !== 'starting') throw new Error('it was not granted');
  return node;
}

export const phases = (node: OneCore) => node.state().groups.map(({ phase }) => phase.kind);

/**
 * An owner that was cut off and is frozen, and that hears its peer again, which would grant it to go on and whose daemon
 * was restarted meanwhile; its witness does not answer, since 3 s.
 */
export function frozenAndHeardAgain(protection: Protection = { disk: true }, run = peerRun + 1): OneCore {
  const node = runningOwner({}, protectedPolicy('primary', { ...protection, lease: true }));
  node.go(3000, { witness: { kind: 'held', term: 1, peerAlone: [] } });
  const { ttlMs = 0 } = node.state().policy.witness ?? {};
  const witness = { kind: 'unreachable', message: 'it does not answer' } as const;
  node.go(3000 + ttlMs, { peer: null, witness, gateway: 'unanswered' });
  if (protection.disk === true) node.show(3000 + ttlMs, apart);
  const { phase } = node.group();
  if (phase.kind !== 'frozen') throw new Error(`it is ${phase.kind}`);
  node.go(6000, { peer: { ...ofPrimary, grant: { incarnation: ownRun, claim: phase.claim.id } }, run });
  return node;
}
