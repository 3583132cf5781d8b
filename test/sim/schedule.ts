// A schedule is plain data that follows from one seed: a setup, faults with their ends, acts of people, and the time
// at which everything is mended. Which kinds of fault occur at all is drawn first (swarm testing), so that rare
// combinations are not drowned by the common ones.

import { type Action, type Side, sides } from '../../daemon/sim/action.ts';
import { type Chance, chanceOf } from '../../daemon/sim/engine.ts';
import { between, type Draw, type Fault, operatorAction, pick } from './drawing.ts';
import { faults, lostHost, lyingDevice } from './faults.ts';
import { drawRare } from './rare.ts';
import { withFewerHeartbeats, withRests } from './rest.ts';
import {
  departureBoundMs,
  drbdFencings,
  type Guard,
  plainSetup,
  type Setup,
  takeoverBoundMs,
} from './setups.ts';

/**
 * evidence, witnessed: one fault at a time, and the world settles before the next. evidence-many: several at once;
 * what then breaks S1 to S4 is measured. fenced-*: any combination of faults. lying: the same with a fencing device
 * that says off and does nothing; measured, since together with a partition nobody can tell it from an honest one.
 */
export const variants = [
  'evidence',
  'evidence-many',
  'witnessed',
  'fenced-device',
  'fenced-lease',
  'fenced-both',
  'lying',
] as const;
export type Variant = (typeof variants)[number];

/** In these the rules about two writers are measured, not promised. */
export const measuredVariants: ReadonlySet<Variant> = new Set(['evidence-many', 'lying']);

/** In these one fault has ended, and the world is calm, before the next begins. */
export const singleVariants: ReadonlySet<Variant> = new Set(['evidence', 'witnessed']);

export interface Step {
  /** Milliseconds of the world's time, moved on by whatever the steps before had to wait. */
  readonly atMs: number;
  readonly action: Action;
  /** Not before the world is calm again: one owner a group, nothing under way. */
  readonly whenCalm?: true;
  /** Earlier, once the world has been at rest for so long, milliseconds. */
  readonly restMs?: number;
}

export interface Schedule {
  readonly seed: number;
  readonly variant: Variant;
  readonly setup: Setup;
  readonly steps: readonly Step[];
  readonly healAtMs: number;
  /** As of a step. */
  readonly healRestMs?: number;
}

/** The world's clock at its beginning. */
export const startMs = 1000;

const shares: readonly (readonly [Variant, number])[] = [
  ['evidence', 0.3],
  ['evidence-many', 0.12],
  ['witnessed', 0.08],
  ['fenced-device', 0.16],
  ['fenced-lease', 0.18],
  ['fenced-both', 0.12],
  ['lying', 0.04],
];

export function variantShare(variant: Variant): number {
  return shares.find(([name]) => name === variant)?.[1] ?? 1;
}

export function variantOf(seed: number): Variant {
  let left = chanceOf(seed, 'variant')();
  for (const [variant, share] of shares) {
    left -= share;
    if (left < 0) return variant;
  }
  return 'evidence';
}

const guardOf: Readonly<Record<Variant, Guard>> = {
  evidence: 'none',
  'evidence-many': 'none',
  witnessed: 'witness',
  'fenced-device': 'device',
  'fenced-lease': 'lease',
  'fenced-both': 'both',
  lying: 'device',
};

/** keepalive, warntime, deadtime. */
const paces = [
  [200, 600, 1200],
  [200, 800, 2000],
  [200, 500, 1000],
  [250, 700, 1500],
] as const;

/** Each from a stream of its own, so that the rest is drawn as it was before there was the choice. */
function drawGuests(seed: number): Pick<Setup, 'guestsOn' | 'guests'> {
  return {
    guestsOn: chanceOf(seed, 'guestsOn')() < 0.4 ? 'filesystem' : 'device',
    guests: chanceOf(seed, 'guests')() < 1 / 3 ? 'ordered' : 'plain',
  };
}

/** Also from a stream of its own: two primaries are for disks whose IO stands still when they lose each other. */
function withLiveGuests(setup: Setup, seed: number): Setup {
  const isFit = setup.drbd === 'resource-and-stonith' && setup.guests === 'plain';
  if (!isFit || chanceOf(seed, 'live')() >= liveShare) return setup;
  const liveBy = pick<Setup['liveBy']>(chanceOf(seed, 'liveBy'), [
    'command',
    'both',
    'configuration',
    'configuration',
  ]);
  return { ...setup, guestsOn: 'device', guests: 'live', liveBy };
}

const liveShare = 0.3;

/** And from one more: several gateways, of which a host may reach some. */
function withGateways(setup: Setup, seed: number): Setup {
  const chance = chanceOf(seed, 'gateways');
  return chance() < gatewaysShare ? { ...setup, gateways: pick(chance, [2, 3]) } : setup;
}

const gatewaysShare = 0.04;

function drawSetup(chance: Chance, variant: Variant, guests: ReturnType<typeof drawGuests>): Setup {
  const guard = guardOf[variant];
  const [keepaliveMs, warntimeMs, deadtimeMs] = pick(chance, paces);
  const hasDisk = chance() < 0.6;
  const isFenced = guard !== 'none' && guard !== 'witness';
  const isBadNetwork = chance() < 0.25;
  const drifts = chance() < 0.3;
  const ppm = () => (drifts ? Math.round((chance() - 0.5) * 400) : 0);
  return {
    ...plainSetup,
    guard,
    beginning: pick(chance, [
      'both',
      'both',
      'both',
      'both',
      'power-cut',
      'primary-alone',
      'secondary-alone',
    ]),
    // The fenced tiers' word on data needs IO that stands still until the other copy is known to be older.
    drbd: !hasDisk ? 'none' : isFenced ? 'resource-and-stonith' : pick(chance, drbdFencings),
    ...guests,
    groups: chance() < 0.2 ? 2 : 1,
    failback: chance() < 0.2 ? 'automatic' : 'manual',
    keepaliveMs,
    warntimeMs,
    deadtimeMs,
    initdeadMs: between(chance, deadtimeMs + 500, 5000),
    startMs: pick(chance, [20, 100, 600]),
    stopMs: pick(chance, [20, 100, 1000]),
    bootMs: between(chance, 300, 2000),
    ...(isBadNetwork && {
      loss: pick(chance, [0, 0.02, 0.1]),
      duplicate: pick(chance, [0, 0.1]),
      late: pick(chance, [0, 0.2]),
      delayMs: pick(chance, [5, 60, Math.round(warntimeMs * 0.7)]),
    }),
    primaryPpm: ppm(),
    secondaryPpm: ppm(),
  };
}

/** How the two hosts come up, and when the last of them does so. */
function drawBeginning(chance: Chance, setup: Setup): { steps: Step[]; endsMs: number } {
  const start = (host: Side, atMs: number): Step => ({ atMs, action: { kind: 'start-daemon', host } });
  const on = (host: Side, atMs: number): Step => ({ atMs, action: { kind: 'power-on', host } });
  const off = (host: Side): Step => ({ atMs: startMs, action: { kind: 'power-loss', host } });
  const soon = () => startMs + between(chance, 10, 300);
  const later = () => startMs + between(chance, 500, setup.initdeadMs + 4000);
  switch (setup.beginning) {
    case 'both':
      return { steps: sides.map((side) => start(side, soon())), endsMs: startMs + 1500 };
    case 'power-cut': {
      const times = { primary: later(), secondary: later() };
      const steps = [...sides.map(off), ...sides.map((side) => on(side, times[side]))];
      return { steps, endsMs: Math.max(times.primary, times.secondary) + setup.bootMs + 1000 };
    }
    case 'primary-alone':
    case 'secondary-alone': {
      const [first, second] = setup.beginning === 'primary-alone' ? sides : sides.toReversed();
      const lateMs = later();
      const steps = [off(second as Side), start(first as Side, soon()), on(second as Side, lateMs)];
      return { steps, endsMs: lateMs + setup.bootMs + 1000 };
    }
  }
}

/** The kinds that this schedule draws from: two or three in every third schedule, which so meet often. */
function swarm(chance: Chance, from: readonly Fault[]): readonly Fault[] {
  if (chance() < 0.35) return [pick(chance, from), pick(chance, from), pick(chance, from)];
  const share = pick(chance, [0.15, 0.35, 0.7]);
  const chosen = from.filter(() => chance() < share);
  return chosen.length > 0 ? chosen : [pick(chance, from)];
}

function drawSingles(draw: Draw, beginsMs: number): Step[] {
  const { chance, setup } = draw;
  const kinds = swarm(
    chance,
    faults.filter(({ isSingle, applies }) => isSingle && applies?.(setup) !== false),
  );
  const steps: Step[] = [];
  const count = pick(chance, [1, 1, 2, 3]);
  const power = faults.find(({ name }) => name === 'power');
  let atMs = beginsMs;
  for (let index = 0; index < count; index += 1) {
    const kind = power !== undefined && chance() < 0.2 ? power : pick(chance, kinds);
    const { begin, end, lastsMs } = kind.draw(draw);
    const isAfterPerson = chance() < 0.2;
    if (isAfterPerson) {
      steps.push({ atMs, action: operatorAction(draw), whenCalm: true });
      atMs += between(chance, 20, 1500);
    }
    begin.forEach((action, at) => {
      steps.push({ atMs, action, ...(at === 0 && !isAfterPerson && { whenCalm: true }) });
    });
    for (const action of end) steps.push({ atMs: atMs + lastsMs, action });
    const people = pick(chance, [0, 0, 1, 2]);
    for (let person = 0; person < people; person += 1) {
      steps.push({ atMs: atMs + between(chance, 0, lastsMs + 2000), action: operatorAction(draw) });
    }
    atMs += lastsMs + between(chance, 100, 3000);
  }
  return inOrder(steps);
}

interface Mixture {
  readonly kinds: readonly Fault[];
  /** Share of acts of people, and of faults that end before everything is mended. */
  readonly people: number;
  readonly ends: number;
}

function drawRound({ kinds, people, ends }: Mixture, draw: Draw, beginsMs: number): Step[] {
  const { chance } = draw;
  const spanMs = pick(chance, [500, 2000, 6000, 12_000]);
  const count = 1 + between(chance, 0, 12);
  const steps: Step[] = [];
  for (let index = 0; index < count; index += 1) {
    const atMs = beginsMs + Math.round(chance() * spanMs);
    if (chance() < people) {
      steps.push({ atMs, action: operatorAction(draw) });
      continue;
    }
    const { begin, end, lastsMs } = pick(chance, kinds).draw(draw);
    for (const action of begin) steps.push({ atMs, action });
    if (chance() < ends) for (const action of end) steps.push({ atMs: atMs + lastsMs, action });
  }
  return steps;
}

const inOrder = (steps: readonly Step[]) => steps.toSorted((a, b) => a.atMs - b.atMs);

/** The first step waits until the world is calm. */
const afterCalm = (steps: readonly Step[]) =>
  inOrder(steps).map((step, index): Step => (index === 0 ? { ...step, whenCalm: true } : step));

/** What else happens falls into the time in which a host is lost. */
function drawLoss(draw: Draw, beginsMs: number): Step[] {
  const { begin, end, lastsMs } = lostHost.draw(draw);
  const atMs = beginsMs + between(draw.chance, 0, 3000);
  return [
    ...begin.map((action) => ({ atMs, action })),
    ...end.map((action) => ({ atMs: atMs + lastsMs, action })),
  ];
}

/** One round of faults, or two, the second in a world that has a history. */
function drawMany(draw: Draw, beginsMs: number, extra: readonly Fault[]): Step[] {
  const { chance, setup } = draw;
  const possible = faults.filter(({ applies }) => applies?.(setup) !== false);
  const kinds = [...swarm(chance, possible), ...extra];
  const people = pick(chance, [0, 0, 0.2, 0.5]);
  const isCalm = chance() < 0.8;
  if (chance() < 0.75) {
    const mixture = { kinds, people, ends: pick(chance, [0.3, 0.7, 1]) };
    const losing = setup.guard !== 'none' && chance() < 0.6 ? drawLoss(draw, beginsMs) : [];
    const steps = [...losing, ...drawRound(mixture, draw, beginsMs)];
    return isCalm ? afterCalm(steps) : inOrder(steps);
  }
  const mixture = { kinds, people: people / 2, ends: 1 };
  const first = afterCalm(drawRound(mixture, draw, beginsMs));
  const lastMs = Math.max(...first.map(({ atMs }) => atMs));
  return [...first, ...afterCalm(drawRound(mixture, draw, lastMs + 500))];
}

/** Of the schedules this share has a loss of power, or a departure, with so much quiet after it that rule L2 can judge. */
const quietShare = 0.15;

interface QuietLoss {
  readonly steps: readonly Step[];
  /** Nothing else before this. */
  readonly quietUntilMs: number;
}

/** Of a host that probably owns something: the preferred one more often. */
function drawQuietLoss(chance: Chance, setup: Setup, atMs: number): QuietLoss {
  const host = chance() < 0.75 ? 'primary' : 'secondary';
  const leaves = chance() < 0.15;
  const boundMs = leaves ? departureBoundMs(setup) : takeoverBoundMs(setup);
  const action: Action = leaves ? { kind: 'stop-daemon', host } : { kind: 'power-loss', host };
  return { steps: [{ atMs, action, whenCalm: true }], quietUntilMs: atMs + Math.ceil(boundMs) + 10 };
}

/** What a person does about it. */
const comesBack = ({ steps: [lost], quietUntilMs: atMs }: QuietLoss): readonly Step[] => {
  if (lost?.action.kind === 'stop-daemon')
    return [{ atMs, action: { kind: 'start-daemon', host: lost.action.host } }];
  if (lost?.action.kind !== 'power-loss') return [];
  return [{ atMs, action: { kind: 'power-on', host: lost.action.host } }];
};

/** Patient: with more heartbeats, and each step at the time that was drawn for it. */
export function makeSchedule(seed: number, isPatient = false): Schedule {
  const schedule = drawSchedule(seed, isPatient);
  return isPatient ? schedule : withRests(schedule);
}

function drawSchedule(seed: number, isPatient: boolean): Schedule {
  const variant = variantOf(seed);
  const chance = chanceOf(seed, 'schedule');
  const plain = drawSetup(chance, variant, drawGuests(seed));
  const whole = withGateways(withLiveGuests(plain, seed), seed);
  const setup = isPatient ? whole : withFewerHeartbeats(whole);
  const victim = chance() < 0.5 ? pick(chance, sides) : null;
  const draw: Draw = {
    chance,
    guestChance: chanceOf(seed, 'guest'),
    wishChance: chanceOf(seed, 'wish'),
    setup,
    brittle: pick(chance, sides),
    victim,
  };
  const { steps: beginning, endsMs } = drawBeginning(chance, setup);
  const isSingle = singleVariants.has(variant) || (!measuredVariants.has(variant) && chance() < 0.15);
  const lossChance = chanceOf(seed, 'loss');
  const isQuiet = lossChance() < quietShare;
  const first = isQuiet && !isSingle ? drawQuietLoss(lossChance, setup, endsMs) : null;
  const early = first === null ? [] : [...first.steps, ...comesBack(first)];
  const faultsFromMs = first === null ? endsMs : first.quietUntilMs + 10;
  const drawn = isSingle
    ? drawSingles(draw, endsMs)
    : drawMany(draw, faultsFromMs, variant === 'lying' ? [lyingDevice] : []);
  const rare = isSingle ? [] : drawRare(seed, setup, faultsFromMs, draw.brittle);
  const met = rare.length === 0 ? drawn : inOrder([...rare, ...drawn]);
  const before = [...inOrder(beginning), ...early, ...met];
  const lastMs = Math.max(...before.map(({ atMs }) => atMs));
  // Where one fault has ended before the next, the loss is the last one, in a world that has a history.
  const last = isQuiet && isSingle ? drawQuietLoss(lossChance, setup, lastMs + 100) : null;
  return {
    seed,
    variant,
    setup,
    steps: [...before, ...(last?.steps ?? [])],
    healAtMs: Math.max(lastMs + between(chance, 100, 2000), last?.quietUntilMs ?? 0),
  };
}
