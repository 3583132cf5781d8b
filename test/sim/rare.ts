// What the faults that are drawn one by one hardly ever come to, added to some schedules. Each has chances of its own, so
// that the other schedules stay as they are.

import { type Action, otherSide, type Side, sides } from '../../daemon/sim/action.ts';
import { type Chance, chanceOf } from '../../daemon/sim/engine.ts';
import { between, cutOff, hasDisk, pick, segments } from './drawing.ts';
import type { Step } from './schedule.ts';
import { gatewaysOf, groupsOf, type Setup } from './setups.ts';

/** Of the schedules of the tiers with a guard. */
const farewellShare = 0.1;
const unsureShare = 0.08;
/** Of those whose guests are on file systems. */
const mountShare = 0.15;
/** Of those with mirrored disks. */
const discardShare = 0.05;
/** Of those with mirrored disks, in either of two ways. */
const halfwayShare = 0.05;
/** Of those with a watchdog and no mirrored disk, whose role would tell the next daemon of it. */
const lateStartShare = 0.3;

const stepsAt = (atMs: number, actions: readonly Action[]) =>
  actions.map((action): Step => ({ atMs, action }));

/** From that time on, in order; empty for most seeds. `brittle`: the host whose disks may fail; those of both never do. */
export function drawRare(seed: number, setup: Setup, fromMs: number, brittle: Side): readonly Step[] {
  const [farewell, mount] = [chanceOf(seed, 'farewell'), chanceOf(seed, 'mount')];
  const hasFarewell = setup.guard !== 'none' && farewell() < farewellShare;
  const hasMount = mount() < mountShare;
  const discard = chanceOf(seed, 'discard');
  const hasDiscard = hasDisk(setup) && discard() < discardShare;
  const halfway = chanceOf(seed, 'halfway');
  const hasHalfway = hasDisk(setup) && halfway() < halfwayShare;
  const lateStart = chanceOf(seed, 'late start');
  const isReset = (setup.guard === 'lease' || setup.guard === 'both') && !hasDisk(setup);
  const hasLateStart = isReset && lateStart() < lateStartShare;
  const unsure = chanceOf(seed, 'unsure');
  const hasUnsure = setup.guard !== 'none' && unsure() < unsureShare;
  return [
    ...(hasFarewell ? drawFarewell(farewell, setup, fromMs) : []),
    ...(hasMount ? drawMount(mount, setup, fromMs) : []),
    ...(setup.gateways > 1 ? drawWaysOut(chanceOf(seed, 'ways'), setup, fromMs) : []),
    ...(hasDiscard ? drawDiscards(discard, setup, fromMs) : []),
    ...(hasHalfway ? drawHalfway(halfway, setup, fromMs, brittle) : []),
    ...(hasLateStart ? drawLateStart(lateStart, setup, fromMs) : []),
    ...(hasUnsure ? drawUnsure(unsure, setup, fromMs) : []),
  ];
}

/**
 * A person who gives up what was written on one node, as `battito drbd resolve` does: where the copies have parted, and
 * where they have not. Without a guard they part when the nodes lose each other and nothing else.
 */
function drawDiscards(chance: Chance, setup: Setup, fromMs: number): Step[] {
  const names = groupsOf(setup).map(({ name }) => name);
  const partedMs = fromMs + between(chance, 100, 3000);
  const metMs = partedMs + 3 * setup.deadtimeMs + between(chance, 500, 4000);
  const isParted = setup.guard === 'none' && chance() < 0.7;
  const parting: readonly Step[] = [
    { atMs: partedMs, action: { kind: 'partition' } },
    { atMs: metMs, action: { kind: 'heal' } },
  ];
  const requests = Array.from({ length: pick(chance, [1, 3, 6]) }, (): Step => {
    const groups = pick(chance, [names, names, [pick(chance, names)], []]);
    const request = { kind: 'discard-data', groups } as const;
    const atMs = (isParted ? metMs : fromMs) + between(chance, 100, 20_000);
    return { atMs, action: { kind: 'operator', host: pick(chance, sides), request } };
  });
  return [...(isParted ? parting : []), ...requests];
}

/**
 * Hosts that do not reach some of the gateways, for so long that a group is moved for it, or not quite; it comes and goes,
 * here and there.
 */
function drawWaysOut(chance: Chance, setup: Setup, fromMs: number): Step[] {
  const steps: Step[] = [];
  let atMs = fromMs + between(chance, 0, 15_000);
  const episodes = pick(chance, [1, 2, 4]);
  for (let episode = 0; episode < episodes; episode += 1) {
    const lastsMs = pick(chance, [3000, 12_000, 30_000, 50_000]);
    const host = pick(chance, sides);
    for (const gateway of gatewaysOf(setup).filter(() => chance() < 0.5)) {
      steps.push({ atMs, action: { kind: 'way-out', host, gateway, condition: 'shut' } });
      steps.push({ atMs: atMs + lastsMs, action: { kind: 'way-out', host, gateway, condition: 'open' } });
    }
    atMs += chance() < 0.7 ? lastsMs + between(chance, 0, 3000) : between(chance, 0, lastsMs);
  }
  return steps;
}

/** A file system that is not mounted or let go of as it should be, for a while. */
function drawMount(chance: Chance, setup: Setup, fromMs: number): Step[] {
  const mounts = groupsOf(setup).flatMap(({ resources }) =>
    resources.filter(({ kind }) => kind === 'filesystem').map(({ id }) => id),
  );
  if (mounts.length === 0) return [];
  const [host, resource] = [pick(chance, sides), pick(chance, mounts)];
  const how = pick(chance, ['fails', 'hangs', 'late', 'stuck'] as const);
  const atMs = fromMs + between(chance, 0, 4000);
  const endsMs = atMs + 2000 + between(chance, 0, 8000);
  return [
    { atMs, action: { kind: 'break', host, resource, how } },
    { atMs: endsMs, action: { kind: 'break', host, resource, how: 'ok' } },
  ];
}

/** A group is on its way to a host when that loses its disk, or both lose each other. */
function drawHalfway(chance: Chance, setup: Setup, fromMs: number, brittle: Side): Step[] {
  const fails = chance() < 0.5;
  const host = fails ? brittle : pick(chance, sides);
  const atMs = fromMs + between(chance, 100, 3000);
  const soonMs = atMs + between(chance, 5, 300 + setup.stopMs + setup.startMs);
  const wish: Action =
    setup.guests === 'live'
      ? { kind: 'operator', host: otherSide(host), request: { kind: 'standby', on: true, guests: 'live' } }
      : { kind: 'operator', host, request: { kind: 'takeover', groups: [] } };
  const goes: Step = { atMs, action: wish };
  if (fails) return [goes, { atMs: soonMs, action: { kind: 'disk-failure', host } }];
  const healMs = soonMs + between(chance, 500, 5000);
  return [goes, { atMs: soonMs, action: { kind: 'partition' } }, { atMs: healMs, action: { kind: 'heal' } }];
}

/** Guests that are being started, and come up late, when their host is cut off and its daemon is killed. */
function drawLateStart(chance: Chance, setup: Setup, fromMs: number): Step[] {
  const host = pick(chance, sides);
  const guests = groupsOf(setup).flatMap(({ resources }) => resources.filter(({ kind }) => kind === 'guest'));
  const atMs = fromMs + between(chance, 100, 2000);
  const cutMs = atMs + between(chance, 50, 1500);
  const killedMs = cutMs + between(chance, 0, 500);
  const mendedMs = killedMs + 6000 + between(chance, 0, 6000);
  const { begin, end } = cutOff([host], segments, 0);
  const breakAll = (how: 'late' | 'ok') =>
    guests.map(({ id }) => ({ kind: 'break', host, resource: id, how }) as const);
  const request = { kind: 'takeover', groups: [] } as const;
  return [
    ...stepsAt(atMs, [...breakAll('late'), { kind: 'operator', host, request }]),
    ...stepsAt(cutMs, begin),
    ...stepsAt(killedMs, [{ kind: 'kill-daemon', host, staysDown: false }]),
    ...stepsAt(mendedMs, [...end, ...breakAll('ok')]),
  ];
}

/**
 * A host, or only its daemon, comes back when it cannot be told for a while what runs on it; the other one, which may have
 * taken everything, is gone meanwhile, or cut off, or neither.
 */
function drawUnsure(chance: Chance, setup: Setup, fromMs: number): Step[] {
  const host = pick(chance, sides);
  const other = otherSide(host);
  const atMs = fromMs + between(chance, 100, 2000);
  const reboots = chance() < 0.6;
  const fate = pick(chance, ['power', 'cut', 'none'] as const);
  const fates = {
    power: { begin: [{ kind: 'power-loss', host: other }], end: [{ kind: 'power-on', host: other }] },
    cut: cutOff([other], segments, 0),
    none: { begin: [], end: [] },
  } as const;
  const goesMs = atMs + between(chance, 500, 4 * setup.deadtimeMs + 4000);
  const backMs = goesMs + between(chance, 50, 2000);
  const sureMs = backMs + setup.bootMs + between(chance, 500, 8000);
  const mendedMs = sureMs + between(chance, 500, 8000);
  return [
    ...stepsAt(atMs, reboots ? [{ kind: 'power-loss', host }] : []),
    ...stepsAt(goesMs, fates[fate].begin),
    ...stepsAt(backMs, [
      { kind: 'drivers', host, condition: 'unsure' },
      reboots ? { kind: 'power-on', host } : { kind: 'kill-daemon', host, staysDown: false },
    ]),
    ...stepsAt(sureMs, [{ kind: 'drivers', host, condition: 'ok' }]),
    ...stepsAt(mendedMs, fates[fate].end),
  ];
}

/**
 * A node says goodbye and comes back when the other one, which has everything since, is cut off from all; and a person
 * who sees the silence accepts the data.
 */
function drawFarewell(chance: Chance, setup: Setup, fromMs: number): Step[] {
  const giver = pick(chance, sides);
  const groups = groupsOf(setup).map(({ name }) => name);
  const cutMs = fromMs + between(chance, 50, 2500);
  const { begin, end } = cutOff([otherSide(giver)], segments, 0);
  const backMs = cutMs + between(chance, 50, 2000);
  const blockedMs = backMs + setup.initdeadMs;
  const accept: Action = { kind: 'operator', host: giver, request: { kind: 'accept-data', groups } };
  const mendedMs = blockedMs + 4000 + between(chance, 100, 4000);
  return [
    { atMs: fromMs, action: { kind: 'stop-daemon', host: giver }, whenCalm: true },
    ...begin.map((action) => ({ atMs: cutMs, action })),
    { atMs: backMs, action: { kind: 'start-daemon', host: giver } },
    ...[100, 800, 2000].map((ms) => ({ atMs: blockedMs + ms, action: accept })),
    ...end.map((action) => ({ atMs: mendedMs, action })),
  ];
}
