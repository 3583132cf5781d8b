// What people do about a world in trouble: mend what is broken, start what is off, answer what waits for an answer.

import type { GroupPolicy } from '../../daemon/core/policy.ts';
import type { State } from '../../daemon/core/state.ts';
import { type Action, type Side, sides } from '../../daemon/sim/action.ts';
import type { World } from '../../daemon/sim/world.ts';
import { gatewaysOf, groupsOf, type Setup } from './setups.ts';

/** As the setup says that it always is. */
export function resetNetwork(world: World, { loss, duplicate, late, delayMs }: Setup): void {
  for (const segment of ['dedicated', 'lan'] as const) {
    world.apply({ kind: 'network', segment, loss, duplicate, late, delayMs });
  }
}

/** The end of all faults. What a person must do besides (start daemons, end standby, retry) is done again and again. */
export function heal(world: World, setup: Setup): void {
  world.apply({ kind: 'heal' });
  world.apply({ kind: 'gateway', condition: 'on' });
  world.apply({ kind: 'witness', condition: 'up' });
  resetNetwork(world, setup);
  for (const host of sides) {
    for (const segment of ['dedicated', 'lan'] as const) world.apply({ kind: 'mend', host, segment });
    for (const gateway of setup.gateways > 1 ? gatewaysOf(setup) : [])
      world.apply({ kind: 'way-out', host, gateway, condition: 'open' });
    world.apply({ kind: 'fence-device', host, condition: 'ok' });
    world.apply({ kind: 'state-disk', host, condition: 'ok' });
    world.apply({ kind: 'drivers', host, condition: 'ok' });
    for (const { resources } of groupsOf(setup)) {
      for (const { id } of resources) world.apply({ kind: 'break', host, resource: id, how: 'ok' });
    }
  }
}

export function attend(world: World): void {
  for (const host of sides) {
    if (!world.powered(host)) world.apply({ kind: 'power-on', host });
    else if (!world.daemonRuns(host)) world.apply({ kind: 'start-daemon', host });
    const state = world.state(host);
    if (state === null) continue;
    const ask = (request: Extract<Action, { kind: 'operator' }>['request']) =>
      world.apply({ kind: 'operator', host, request });
    if (state.standby) ask({ kind: 'standby', on: false });
    if (state.maintenanceUntil !== null) ask({ kind: 'maintenance', durationMs: 0 });
    const isGivenUp = state.groups.some(({ resources }) => resources.some((one) => one.quarantined !== null));
    if (isGivenUp) ask({ kind: 'retry', groups: [] });
  }
}

/** From the best copy to the worst. */
const disks = ['up-to-date', 'consistent', 'outdated', 'inconsistent'];

/**
 * Where both nodes say that neither copy may be used without a person's word, he gives it to the better one; of two that
 * look alike to the one that lacks nothing, since he knows which disk is new. The answer: of how many groups.
 */
export function acceptData(world: World, groups: readonly GroupPolicy[]): number {
  let count = 0;
  for (const { name, resources } of groups) {
    const isHeld = sides.every((side) => isBlockedByData(world.state(side), name));
    const device = resources.find(({ kind }) => kind === 'drbd')?.id ?? '';
    const diskRank = (side: Side) => disks.indexOf(world.storage(side, device)?.disk ?? 'up-to-date');
    const rank = (side: Side) => diskRank(side) + (world.isNewest(side, device) ? 0 : 0.5);
    const [host] = sides.filter((side) => diskRank(side) >= 0).toSorted((a, b) => rank(a) - rank(b));
    if (!isHeld || host === undefined) continue;
    const request = { kind: 'accept-data', groups: [name] } as const;
    if (world.apply({ kind: 'operator', host, request })?.kind === 'accepted') count += 1;
  }
  return count;
}

function isBlockedByData(state: State | null, name: string): boolean {
  const phase = state?.groups.find(({ policy }) => policy.name === name)?.phase;
  return (
    phase?.kind === 'blocked' && (phase.obstacle === 'outdated-data' || phase.obstacle === 'unproven-data')
  );
}
