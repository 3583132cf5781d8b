// Runs one schedule: the faults with the real cores, then the mending, then the demand that the world comes to rest.
// The same schedule gives the same result, event by event.

import type { GroupPolicy } from '../../daemon/core/policy.ts';
import type { State } from '../../daemon/core/state.ts';
import { type Action, otherSide, type Side, sides } from '../../daemon/sim/action.ts';
import type { Trace } from '../../daemon/sim/trace.ts';
import { createWorld, type World } from '../../daemon/sim/world.ts';
import { describe, ownerOf, unrest, waitsForDecision } from './calm.ts';
import { createCheckers, type Rule, safetyRules, type Violation } from './checkers.ts';
import {
  makeSchedule,
  measuredVariants,
  type Schedule,
  type Step,
  type Variant,
  variantOf,
} from './schedule.ts';
import {
  departureBoundMs,
  groupsOf,
  policyOf,
  type Setup,
  takeoverBoundMs,
  worldOptionsOf,
} from './setups.ts';

/** How long a schedule waits for calm before the next single fault, and how long the world may take to converge. */
const calmMs = 15_000;
export const convergenceMs = 45_000;

export interface Result {
  readonly seed: number;
  readonly variant: Variant;
  readonly violations: readonly Violation[];
  readonly simulatedMs: number;
  /** Events of the cores. */
  readonly steps: number;
  /** What a takeover after the owner's loss of power took, milliseconds. */
  readonly takeoversMs: readonly number[];
  readonly convergedMs: number | null;
  /** Two copies have parted, and a person was told how to choose between them. */
  readonly isParted: boolean;
}

export interface RunOptions {
  /** Besides the checkers: a story listens, too. */
  readonly listen?: (trace: Trace) => void;
}

interface Run {
  readonly schedule: Schedule;
  readonly world: World;
  readonly report: (rule: Rule, side: Side | null, message: string) => void;
  readonly takeoversMs: number[];
  /** Has anything been done to the world since it was calm? */
  isDisturbed: boolean;
  isParted: boolean;
  /** Is something to happen at an effect that may be yet to come? */
  isArmed: boolean;
  /** Until when a host or a daemon stands still. */
  stillUntil: number;
  /** How much later than planned, since the world was waited for. */
  lateMs: number;
}

export function runSchedule(schedule: Schedule, { listen }: RunOptions = {}): Result {
  const { setup, seed, variant } = schedule;
  const extra: Violation[] = [];
  const checkers = createCheckers(policyOf(setup, 'primary'), (side) => world.ledgerOnDisk(side));
  const trace = (event: Trace) => {
    checkers.see(event);
    listen?.(event);
  };
  const world: World = createWorld({ ...worldOptionsOf(setup, seed), trace });
  const report = (rule: Rule, side: Side | null, message: string) => {
    extra.push({ rule, at: world.now(), side, message, lastedMs: null });
  };
  const run: Run = {
    schedule,
    world,
    report,
    takeoversMs: [],
    isDisturbed: true,
    isParted: false,
    isArmed: false,
    stillUntil: 0,
    lateMs: 0,
  };
  const beganMs = world.now();
  let convergedMs: number | null = null;
  try {
    applySetup(run);
    carryOut(run);
    convergedMs = converge(run);
  } catch (error) {
    report('crash', null, error instanceof Error ? error.message : String(error));
  }
  checkers.ended(world.now());
  return {
    seed,
    variant,
    violations: withoutConsequences(variant, [...checkers.violations, ...extra]),
    simulatedMs: world.now() - beganMs,
    steps: world.steps(),
    takeoversMs: run.takeoversMs,
    convergedMs,
    isParted: run.isParted,
  };
}

/** Where two writers are measured, not promised, what follows from two writers is not promised either. */
function withoutConsequences(variant: Variant, violations: readonly Violation[]): readonly Violation[] {
  const inOrder = violations.toSorted((a, b) => a.at - b.at);
  const isSpoiled = measuredVariants.has(variant) && violations.some(({ rule }) => safetyRules.has(rule));
  return isSpoiled ? inOrder.filter(({ rule }) => rule !== 'L1' && rule !== 'L2') : inOrder;
}

function applySetup({ schedule: { setup }, world }: Run): void {
  const { primaryPpm, secondaryPpm } = setup;
  if (primaryPpm !== 0) world.apply({ kind: 'clock-drift', host: 'primary', ppm: primaryPpm });
  if (secondaryPpm !== 0) world.apply({ kind: 'clock-drift', host: 'secondary', ppm: secondaryPpm });
  resetNetwork(world, setup);
}

function resetNetwork(world: World, { loss, duplicate, late, delayMs }: Setup): void {
  for (const segment of ['dedicated', 'lan'] as const) {
    world.apply({ kind: 'network', segment, loss, duplicate, late, delayMs });
  }
}

const runTo = (world: World, ms: number) => world.run(Math.max(0, ms - world.now()));

function carryOut(run: Run): void {
  const { world, schedule } = run;
  const { steps, setup } = schedule;
  const groups = groupsOf(setup);
  for (const [index, step] of steps.entries()) {
    runTo(world, step.atMs + run.lateMs);
    if (step.whenCalm) {
      const from = world.now();
      if (!becomesCalm(world, groups)) return;
      run.lateMs += world.now() - from;
      run.isDisturbed = false;
    }
    if (!isTrue(world, step.action)) continue;
    if (mustTakeOver(run, step)) expectTakeover(run, step.action, steps[index + 1]);
    else world.apply(step.action);
    run.isDisturbed = true;
    const { action } = step;
    if (action.kind === 'pause-host' || action.kind === 'pause-daemon')
      run.stillUntil = Math.max(run.stillUntil, world.now() + action.ms);
    run.isArmed ||= step.action.kind === 'crash-at-effect' || step.action.kind === 'power-loss-at-effect';
  }
  runTo(world, schedule.healAtMs + run.lateMs);
}

/** Whoever looks after the hosts does his part meanwhile. */
function becomesCalm(world: World, groups: readonly GroupPolicy[]): boolean {
  const isCalm = () => unrest(world, groups) === null;
  for (let waitedMs = 0; waitedMs < calmMs; waitedMs += lookMs) {
    if (world.runUntil(isCalm, lookMs)) return true;
    attend(world);
  }
  return false;
}

/** The modelled operator says that a host is off only when it has no power. */
function isTrue(world: World, action: Action): boolean {
  if (action.kind !== 'operator' || action.request.kind !== 'confirm-peer-off') return true;
  const { node } = action.request;
  return sides.every((side) => side !== node || !world.powered(side));
}

/** L2 is about a world that was calm, and a loss of power, or an orderly departure, that is alone. */
function mustTakeOver(run: Run, { action, whenCalm }: Step): boolean {
  if (run.world.now() < run.stillUntil) return false;
  if (whenCalm !== true || run.isDisturbed || run.isArmed || hasWorseCopy(run.world, run.schedule.setup))
    return false;
  if (action.kind === 'stop-daemon') return true;
  if (action.kind !== 'power-loss') return false;
  return groupsOf(run.schedule.setup).some((group) => ownerOf(run.world, group) === action.host);
}

/** A copy that was not up-to-date when the owner was lost may have to wait for it. */
function hasWorseCopy(world: World, setup: Setup): boolean {
  return groupsOf(setup).some(({ resources }) =>
    resources.some(({ id, kind }) =>
      sides.some((side) => kind === 'drbd' && world.storage(side, id)?.disk !== 'up-to-date'),
    ),
  );
}

function expectTakeover(run: Run, action: Action, following: Step | undefined): void {
  const { world, schedule } = run;
  const { setup } = schedule;
  if (action.kind !== 'power-loss' && action.kind !== 'stop-daemon') return;
  const groups = groupsOf(setup);
  const survivor = otherSide(action.host);
  const leaves = action.kind === 'stop-daemon';
  const nextMs = Math.min(following?.atMs ?? Infinity, schedule.healAtMs) + run.lateMs;
  const boundMs = leaves ? departureBoundMs(setup) : takeoverBoundMs(setup);
  const from = world.now();
  world.apply(action);
  const isDone = () =>
    groups.every((group) => ownerOf(world, group) === survivor) &&
    (!leaves || world.state(survivor)?.verdict.kind === 'departed');
  const limitMs = Math.min(boundMs, nextMs - from);
  if (world.runUntil(isDone, Math.max(0, limitMs))) {
    if (!leaves) run.takeoversMs.push(world.now() - from);
  } else if (limitMs >= boundMs) {
    run.report('L2', survivor, `not taken over within ${Math.round(boundMs)} ms: ${describe(world, groups)}`);
  }
}

/** The end of all faults. What a person must do besides (start daemons, end standby, retry) is done again and again. */
function heal({ world, schedule: { setup } }: Run): void {
  world.apply({ kind: 'heal' });
  world.apply({ kind: 'gateway', condition: 'on' });
  world.apply({ kind: 'witness', condition: 'up' });
  resetNetwork(world, setup);
  for (const host of sides) {
    for (const segment of ['dedicated', 'lan'] as const) world.apply({ kind: 'mend', host, segment });
    world.apply({ kind: 'fence-device', host, condition: 'ok' });
    world.apply({ kind: 'state-disk', host, condition: 'ok' });
    world.apply({ kind: 'drivers', host, condition: 'ok' });
    for (const { resources } of groupsOf(setup)) {
      for (const { id } of resources) world.apply({ kind: 'break', host, resource: id, how: 'ok' });
    }
  }
}

function attend(world: World): void {
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

/** Where both nodes say that neither copy may be used without a person's word, he gives it to the better one. */
function acceptData(world: World, groups: readonly GroupPolicy[]): void {
  for (const { name, resources } of groups) {
    const isHeld = sides.every((side) => isBlockedByData(world.state(side), name));
    const device = resources.find(({ kind }) => kind === 'drbd')?.id ?? '';
    const host = sides.find((side) => world.storage(side, device)?.disk !== 'diskless');
    if (!isHeld || host === undefined) continue;
    world.apply({ kind: 'operator', host, request: { kind: 'accept-data', groups: [name] } });
  }
}

function isBlockedByData(state: State | null, name: string): boolean {
  const phase = state?.groups.find(({ policy }) => policy.name === name)?.phase;
  return (
    phase?.kind === 'blocked' && (phase.obstacle === 'outdated-data' || phase.obstacle === 'unproven-data')
  );
}

const lookMs = 2500;
/** After this time copies that both nodes refuse are accepted by a person. */
const partedMs = 12_000;

/** L1. Returns how long it took, milliseconds. */
function converge(run: Run): number | null {
  const { world, schedule, report } = run;
  const groups = groupsOf(schedule.setup);
  const isCalm = () => unrest(world, groups) === null;
  heal(run);
  const from = world.now();
  while (world.now() - from < convergenceMs) {
    attend(world);
    if (world.runUntil(isCalm, lookMs)) return world.now() - from;
    if (world.now() - from > partedMs) acceptData(world, groups);
  }
  if (waitsForDecision(world, groups)) {
    run.isParted = true;
    return null;
  }
  report(
    'L1',
    null,
    `not at rest ${convergenceMs} ms after the faults have ended: ${describe(world, groups)}`,
  );
  return null;
}

/** Is the rule promised where the schedule plays? Otherwise what breaks it is measured. */
export function isPromised(rule: Rule, variant: Variant): boolean {
  return !(measuredVariants.has(variant) && safetyRules.has(rule));
}

export interface Wanted {
  readonly seedFrom: number;
  readonly count: number;
  readonly variant?: Variant | undefined;
}

/** The results of the schedules of `count` seeds, in order; with a variant, of those seeds that have it. */
export function* runMany({ seedFrom, count, variant }: Wanted): Generator<Result> {
  let seed = seedFrom;
  for (let done = 0; done < count; seed += 1) {
    if (variant !== undefined && variantOf(seed) !== variant) continue;
    done += 1;
    yield runSchedule(makeSchedule(seed));
  }
}
