// Runs one schedule: the faults with the real cores, then the mending, then the demand that the world comes to rest.
// The same schedule gives the same result, event by event.

import type { GroupPolicy } from '../../daemon/core/policy.ts';
import { type Action, type Side, sides } from '../../daemon/sim/action.ts';
import type { Trace } from '../../daemon/sim/trace.ts';
import { createWorld, type World } from '../../daemon/sim/world.ts';
import { createPartings, describe, type Partings, unrest, waitsForDecision } from './calm.ts';
import { createCheckers, type Rule, safetyRules, type Violation } from './checkers.ts';
import { createFaultCount, type FaultCount } from './fault-count.ts';
import { acceptData, attend, heal, resetNetwork } from './mending.ts';
import { createStir, runToRest, type Stir } from './rest.ts';
import { makeSchedule, measuredVariants, type Schedule, type Variant, variantOf } from './schedule.ts';
import { groupsOf, policyOf, type Setup, worldOptionsOf } from './setups.ts';
import { expectTakeover, mustTakeOver } from './takeover.ts';

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
  /** How often rule L2 was judged, and how often it could not be: the world was not as it takes, or the time too short. */
  readonly takeoverChecks: { readonly done: number; readonly skipped: number };
  readonly convergedMs: number | null;
  /** Two copies have parted, and a person was told how to choose between them. */
  readonly isParted: boolean;
  /** Groups of which a person had to say that the data of one copy be used. */
  readonly accepted: number;
  /** Steps of the schedule that were not carried out, since the world did not come to rest before them, or would be lies. */
  readonly dropped: number;
  /** Faults that were carried out, the beginning not counted. */
  readonly faults: number;
  /** When each step was come to, and at last the mending, had the world not been waited for; milliseconds. */
  readonly reachedMs: readonly number[];
  /** No more than one fault from a calm world, of those that the evidence tier promises to survive, whatever the variant. */
  readonly isSingle: boolean;
}

export interface RunOptions {
  /** Besides the checkers: a story listens, too. */
  readonly listen?: (trace: Trace) => void;
  /** The faults end now, milliseconds of the world's time. */
  readonly mends?: (at: number) => void;
}

export interface Run {
  readonly schedule: Schedule;
  readonly world: World;
  readonly report: (rule: Rule, side: Side | null, message: string) => void;
  readonly takeoversMs: number[];
  readonly takeoverChecks: { done: number; skipped: number };
  readonly partings: Partings;
  readonly faults: FaultCount;
  isParted: boolean;
  accepted: number;
  dropped: number;
  /** Has anything been done to the world since it was calm? */
  isDisturbed: boolean;
  /** Is something to happen at an effect that may be yet to come? */
  isArmed: boolean;
  /** By host: file systems that cannot be mounted or let go of, and guests that are slow to start and to end. */
  readonly broken: Set<string>;
  /** Until when a host or a daemon stands still, or packets that were delayed may arrive. */
  stillUntil: number;
  /** How late packets are at the most on the segments whose quality a fault has changed. */
  readonly delaysMs: Map<string, number>;
  /** What is wrong, and is noticed only by and by. */
  readonly latent: Set<string>;
  readonly stir: Stir;
  /** How long the world was waited for until it was calm. */
  waitedMs: number;
  /** How much later than planned, since the world was waited for; or earlier, since it was at rest. */
  lateMs: number;
  readonly reachedMs: number[];
}

export function runSchedule(schedule: Schedule, { listen, mends }: RunOptions = {}): Result {
  const { setup, seed, variant } = schedule;
  const extra: Violation[] = [];
  const isLossy = setup.loss > 0;
  const checkers = createCheckers(policyOf(setup, 'primary'), (side) => world.ledgerOnDisk(side), isLossy);
  const partings = createPartings();
  const stir = createStir();
  const trace = (event: Trace) => {
    checkers.see(event);
    partings.see(event);
    stir.see(event);
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
    takeoverChecks: { done: 0, skipped: 0 },
    partings,
    faults: createFaultCount(),
    isParted: false,
    accepted: 0,
    dropped: 0,
    isDisturbed: true,
    isArmed: false,
    broken: new Set(),
    stillUntil: 0,
    delaysMs: new Map(),
    latent: new Set(),
    stir,
    waitedMs: 0,
    lateMs: 0,
    reachedMs: [],
  };
  const beganMs = world.now();
  let convergedMs: number | null = null;
  try {
    applySetup(run);
    carryOut(run);
    mends?.(world.now());
    convergedMs = converge(run);
  } catch (error) {
    report('crash', null, error instanceof Error ? error.message : String(error));
  }
  checkers.ended(world.now());
  const isSingle = variant === 'evidence-many' && run.faults.isSingle();
  const all = [...checkers.violations, ...extra];
  return {
    seed,
    variant,
    violations: measuredVariants.has(variant) && !isSingle ? withoutConsequences(all) : inOrder(all),
    simulatedMs: world.now() - beganMs,
    steps: world.steps(),
    takeoversMs: run.takeoversMs,
    takeoverChecks: run.takeoverChecks,
    convergedMs,
    isParted: run.isParted,
    accepted: run.accepted,
    dropped: run.dropped,
    faults: run.faults.count(),
    reachedMs: run.reachedMs,
    isSingle,
  };
}

const inOrder = (violations: readonly Violation[]) => violations.toSorted((a, b) => a.at - b.at);

/** Where two writers are measured, not promised, what follows from two writers is not promised either. */
function withoutConsequences(violations: readonly Violation[]): readonly Violation[] {
  const isSpoiled = violations.some(({ rule }) => safetyRules.has(rule));
  return inOrder(violations).filter(({ rule }) => !isSpoiled || (rule !== 'L1' && rule !== 'L2'));
}

function applySetup({ schedule: { setup }, world }: Run): void {
  const { primaryPpm, secondaryPpm } = setup;
  if (primaryPpm !== 0) world.apply({ kind: 'clock-drift', host: 'primary', ppm: primaryPpm });
  if (secondaryPpm !== 0) world.apply({ kind: 'clock-drift', host: 'secondary', ppm: secondaryPpm });
  resetNetwork(world, setup);
}

/** To what is planned for that time, or earlier. */
function runTo(
  run: Run,
  groups: readonly GroupPolicy[],
  planned: { atMs: number; restMs?: number | undefined },
) {
  const { world, stir, stillUntil, latent } = run;
  const resting = { world, groups, stir, stillUntil, isLatent: latent.size > 0 };
  run.lateMs -= runToRest(resting, planned.atMs + run.lateMs, planned.restMs);
  run.reachedMs.push(Math.round(world.now() - run.waitedMs));
}

function carryOut(run: Run): void {
  const { world, schedule } = run;
  const { steps, setup } = schedule;
  const groups = groupsOf(setup);
  for (const [index, step] of steps.entries()) {
    runTo(run, groups, step);
    if (step.whenCalm) {
      const from = world.now();
      if (!becomesCalm(world, groups, step.restMs === undefined ? lookMs : firstLookMs)) {
        run.dropped += steps.length - index;
        return;
      }
      run.waitedMs += world.now() - from;
      run.lateMs += world.now() - from;
      run.isDisturbed = false;
    }
    if (!isTrue(world, step.action)) {
      run.dropped += 1;
      continue;
    }
    const { action } = step;
    run.faults.see(step);
    if (mustTakeOver(run, step)) expectTakeover(run, action, steps[index + 1]);
    else world.apply(action);
    run.isDisturbed = true;
    if (action.kind === 'pause-host' || action.kind === 'pause-daemon')
      run.stillUntil = Math.max(run.stillUntil, world.now() + action.ms);
    if (action.kind === 'network') {
      const wasMs = run.delaysMs.get(action.segment) ?? 0;
      run.stillUntil = Math.max(run.stillUntil, world.now() + wasMs);
      run.delaysMs.set(action.segment, action.delayMs);
    }
    if (action.kind === 'break') {
      if (action.how === 'ok') run.broken.delete(`${action.host} ${action.resource}`);
      else if (isSlowing(action)) run.broken.add(`${action.host} ${action.resource}`);
    }
    noteLatent(run.latent, action, setup);
    run.isArmed ||= action.kind === 'crash-at-effect' || action.kind === 'power-loss-at-effect';
  }
  runTo(run, groups, { atMs: schedule.healAtMs, restMs: schedule.healRestMs });
}

/** What is broken so makes a takeover take longer, or impossible. */
const isSlowing = ({ resource, how }: Extract<Action, { kind: 'break' }>) =>
  how === 'late' || resource.startsWith('filesystem:');

function noteLatent(latent: Set<string>, action: Action, setup: Setup): void {
  const note = (what: string, isWrong: boolean) => {
    if (isWrong) latent.add(what);
    else latent.delete(what);
  };
  if (action.kind === 'gateway') note('gateway', action.condition !== 'on');
  else if (action.kind === 'witness') note('witness', action.condition !== 'up');
  else if (action.kind === 'drivers') note(`drivers ${action.host}`, action.condition !== 'ok');
  else if (action.kind === 'way-out') note(`${action.host} ${action.gateway}`, action.condition !== 'open');
  else if (action.kind === 'network') note(action.segment, action.loss !== setup.loss);
}

/** Whoever looks after the hosts does his part meanwhile. */
function becomesCalm(world: World, groups: readonly GroupPolicy[], firstMs: number): boolean {
  const isCalm = () => unrest(world, groups) === null;
  for (let waitedMs = 0; waitedMs < calmMs; waitedMs += lookMs) {
    if (world.runUntil(isCalm, waitedMs === 0 ? firstMs : lookMs)) return true;
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

/** How often somebody looks after the hosts; and how soon, before what would also come forward. */
const lookMs = 2500;
const firstLookMs = 600;
/** Who waits for a person's choice then waits for nothing else: DRBD has been told to connect again meanwhile. */
const decisionMs = 25_000;
/** After this time copies that both nodes refuse are accepted by a person. */
const partedMs = 12_000;

/** L1. Returns how long it took, milliseconds. Once a person has accepted data, the same time is there for what follows. */
function converge(run: Run): number | null {
  const { world, schedule, report } = run;
  const groups = groupsOf(schedule.setup);
  const isCalm = () => unrest(world, groups) === null;
  heal(world, schedule.setup);
  const from = world.now();
  let until = from + convergenceMs;
  let wasWaiting = false;
  while (world.now() < until) {
    attend(world);
    if (world.runUntil(isCalm, lookMs)) return world.now() - from;
    const accepted = world.now() - from > partedMs ? acceptData(world, groups) : 0;
    if (accepted > 0 && run.accepted === 0) until = world.now() + convergenceMs;
    run.accepted += accepted;
    const isWaiting =
      until - world.now() < convergenceMs - decisionMs && waitsForDecision(world, groups, run.partings);
    if (isWaiting && wasWaiting) break;
    wasWaiting = isWaiting;
  }
  if (waitsForDecision(world, groups, run.partings)) {
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
