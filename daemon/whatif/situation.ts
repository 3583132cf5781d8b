// How a story begins: who holds what, what is broken, and what has happened before the fault that is asked about.
// Plain data; stage.ts makes a modelled world of it.

import type { Ledger } from '../core/events.ts';
import type { PhaseKind } from '../core/heartbeat.ts';
import type { GroupName, Policy, ResourceId } from '../core/policy.ts';
import type { Obstacle, VerdictKind } from '../core/state.ts';
import type { Action, Side } from '../sim/action.ts';
import { sides } from '../sim/action.ts';
import type { HostNames } from '../sim/action-text.ts';
import { modelPolicy } from './modelled.ts';

export interface HostStart {
  /** Does its daemon run at the beginning? */
  readonly daemon: boolean;
  readonly ledger: Ledger;
  /** What runs on it at the beginning: its daemon adopts it, as after a restart. */
  readonly running: readonly ResourceId[];
}

/** What one node must have come to before the story begins. */
export interface Expected {
  readonly side: Side;
  readonly verdict: VerdictKind;
  readonly groups: readonly {
    readonly name: GroupName;
    readonly phase: PhaseKind;
    readonly obstacle: Obstacle | null;
    readonly sole: boolean;
    /** Does it take the other node for able to run the group? null: not heard. */
    readonly peerWilling: boolean | null;
  }[];
}

export interface Situation {
  readonly kind: 'live' | 'configuration';
  readonly names: HostNames;
  /** As the nodes know it; the model's own is derived from it. */
  readonly policies: Readonly<Record<Side, Policy>>;
  readonly self: Side | null;
  readonly hosts: Readonly<Record<Side, HostStart>>;
  /** Done before the daemons have met. */
  readonly first: readonly Action[];
  /** Done one after the other once the daemons have met and hold what they hold. */
  readonly later: readonly Action[];
  /** Simulated after that, milliseconds; and what is done then. */
  readonly waitMs: number;
  readonly last: readonly Action[];
  readonly expected: readonly Expected[];
  /** Where each group is. */
  readonly holders: readonly { readonly name: GroupName; readonly on: Side | null }[];
  /** What became of a peer that is silent; null: both are heard. */
  readonly lost: { readonly side: Side; readonly how: 'power' | 'daemon' | 'left' | 'cut-off' } | null;
  readonly assumptions: readonly string[];
}

export const emptyLedger: Ledger = {
  groups: [],
  peer: null,
  standby: false,
  left: false,
  maintenanceUntil: null,
};

export const sideOf = (names: HostNames, node: string): Side | null =>
  sides.find((side) => names[side] === node) ?? null;

/** Cuts the link that the model has and the cluster has not. */
export function phantomCut(policy: Policy): readonly Action[] {
  return modelPolicy(policy).hasPhantom
    ? [{ kind: 'cut', host: 'primary', segment: 'dedicated', direction: 'both' }]
    : [];
}

/** Both nodes are well, and each group is where it is preferred. */
export function healthySituation(policies: Readonly<Record<Side, Policy>>): Situation {
  const names = { primary: policies.primary.self, secondary: policies.secondary.self };
  const { groups } = policies.primary;
  const holders = groups.map(({ name, preferred }) => ({ name, on: sideOf(names, preferred) }));
  const host: HostStart = { daemon: true, ledger: emptyLedger, running: [] };
  return {
    kind: 'configuration',
    names,
    policies,
    self: null,
    hosts: { primary: host, secondary: host },
    first: phantomCut(policies.primary),
    later: [],
    waitMs: 0,
    last: [],
    expected: sides.map((side) => ({
      side,
      verdict: 'alive',
      groups: holders.map(({ name, on }) => ({
        name,
        phase: on === side ? 'active' : 'stopped',
        obstacle: null,
        sole: false,
        peerWilling: true,
      })),
    })),
    holders,
    lost: null,
    assumptions: [],
  };
}
