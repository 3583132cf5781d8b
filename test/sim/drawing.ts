// What a fault is: one physical cause or one act of a person, how it begins and ends; and what drawing one takes. The
// faults themselves are in faults.ts.

import type { OperatorRequest } from '../../daemon/core/events.ts';
import { handoverModes } from '../../daemon/core/policy.ts';
import { type Action, otherSide, type Segment, type Side, sides } from '../../daemon/sim/action.ts';
import type { Chance } from '../../daemon/sim/engine.ts';
import { groupsOf, type Setup } from './setups.ts';

export interface Episode {
  readonly begin: readonly Action[];
  readonly end: readonly Action[];
  readonly lastsMs: number;
}

export interface Draw {
  readonly chance: Chance;
  /** Of how a guest fails: a stream of its own, as for the setup of guests. */
  readonly guestChance: Chance;
  /** Of how the operator wants guests to go: a stream of its own, too. */
  readonly wishChance: Chance;
  readonly setup: Setup;
  /** Whose disk may fail: with both gone there is nothing left to run. */
  readonly brittle: Side;
  /** Whom most of it hits, so that faults meet on one host; null: either. */
  readonly victim: Side | null;
}

export interface Fault {
  readonly name: string;
  /** Is it one physical cause that the evidence tier promises to survive? */
  readonly isSingle: boolean;
  readonly applies?: (setup: Setup) => boolean;
  readonly draw: (draw: Draw) => Episode;
}

export const pick = <T>(chance: Chance, values: readonly T[]): T =>
  values[Math.floor(chance() * values.length)] as T;

/** Whole milliseconds, small ones more often. */
export const between = (chance: Chance, low: number, high: number): number =>
  Math.round(low + (high - low) * chance() ** 2);

export const host = ({ chance, victim }: Draw): Side =>
  victim !== null && chance() < 0.8 ? victim : pick(chance, sides);
export const segments: readonly Segment[] = ['dedicated', 'lan'];

export const episode = (
  begin: Action | readonly Action[],
  end: Action | readonly Action[] = [],
  lastsMs = 0,
): Episode => ({ begin: [begin].flat(), end: [end].flat(), lastsMs });

/** Every cable of a host, or of both, is cut at once. */
export const cutOff = (
  hosts: readonly Side[],
  cables: readonly Segment[],
  lastsMs: number,
  direction: 'both' | 'out' = 'both',
): Episode => {
  const cut = hosts.flatMap((at) => cables.map((segment) => ({ host: at, segment })));
  return episode(
    cut.map((cable) => ({ kind: 'cut', ...cable, direction }) as const),
    cut.map((cable) => ({ kind: 'mend', ...cable }) as const),
    lastsMs,
  );
};

/** Long enough for a takeover, or hardly noticed. */
export const while_ = ({ chance, setup }: Draw) => between(chance, 100, 4 * setup.deadtimeMs);

/** In this time a daemon that has nothing else to do has sent twenty heartbeats. */
export const effectsMs = 5000;

export const hasLease = ({ guard }: Setup) => guard === 'witness' || guard === 'lease' || guard === 'both';
export const hasDevice = ({ guard }: Setup) => guard === 'device' || guard === 'both';
export const hasDisk = ({ drbd }: Setup) => drbd !== 'none';

export const resources = ({ chance, setup }: Draw, kinds: readonly string[]) =>
  pick(
    chance,
    groupsOf(setup).flatMap((group) => group.resources.filter(({ kind }) => kinds.includes(kind))),
  ).id;

/** What a person may want at the worst moment. `confirm-peer-off` is said only of a host that has no power. */
export function operatorAction(draw: Draw): Action {
  const { chance, setup } = draw;
  const at = host(draw);
  const names = groupsOf(setup).map(({ name }) => name);
  const groups = pick(chance, [[], [], [pick(chance, names)]]);
  const request = pick<OperatorRequest>(chance, [
    { kind: 'takeover', groups },
    { kind: 'takeover', groups },
    { kind: 'handover', groups },
    { kind: 'handover', groups },
    { kind: 'standby', on: true },
    { kind: 'standby', on: false },
    { kind: 'maintenance', durationMs: pick(chance, [3000, 60_000]) },
    { kind: 'maintenance', durationMs: pick(chance, [0, 60_000]) },
    { kind: 'retry', groups },
    { kind: 'confirm-peer-off', node: otherSide(at), force: chance() < 0.3 },
    { kind: 'accept-data', groups: names },
  ]);
  return { kind: 'operator', host: at, request: withWish(request, draw) };
}

/** Where it makes a difference, half of them say how guests are to go. */
function withWish(request: OperatorRequest, { wishChance, setup }: Draw): OperatorRequest {
  if (request.kind !== 'handover' && (request.kind !== 'standby' || !request.on)) return request;
  if (setup.guests === 'plain' || wishChance() < 0.5) return request;
  return { ...request, guests: pick(wishChance, handoverModes) };
}
