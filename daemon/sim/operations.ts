// The daemon's operations on the resources of a modelled host, and all the ways in which they can go wrong. An
// operation's effect and the word of it are two things: either can come without the other, or long after it.

import type { Effect, Outcome, ResourceAction } from '../core/events.ts';
import { isStorage, type ResourcePolicy } from '../core/policy.ts';
import { post } from './daemon.ts';
import { beginMigration, finishMigration } from './migration.ts';
import {
  about,
  daemonStandsStill,
  type Host,
  type Operation,
  standsStill,
  type Thing,
  thingOf,
} from './model.ts';
import { changeThing, lookSoon, seeUp } from './resources.ts';
import { changeDevice } from './storage.ts';

const done: Outcome = { kind: 'done' };
const tooLate: Outcome = { kind: 'failed', code: 'too-late', message: 'it was taken down meanwhile' };
/** From an abort to a driver's end. */
const graceMs = 40;
/** How long after its deadline what is late comes to effect: also when a lease and a watchdog have run out. */
const lateMs = 4000;
/** How often a driver looks whether an earlier command has ended. */
const lookAgainMs = 100;

const defaultDurations = (resource: ResourcePolicy, action: ResourceAction): number => {
  if (resource.kind === 'address') return 4;
  if (isStorage(resource.kind)) return 30;
  return action === 'start' ? 100 : 20;
};

export function begin(host: Host, effect: Extract<Effect, { readonly kind: 'start-operation' }>): void {
  const { model } = host;
  const thing = thingOf(host, effect.resource);
  if (thing === null) throw new Error(`${host.side} has no ${effect.resource}`);
  const { operation: id, action, forced, deadlineMs } = effect;
  const { run, boot } = host;
  const operation: Operation = {
    id,
    thing,
    action,
    forced,
    deadlineMs,
    since: model.agenda.now(),
    run,
    boot,
    told: false,
    over: false,
    hangs: false,
  };
  thing.operation = operation;
  if (action === 'start') thing.begun = operation;
  if (action === 'allow-two') thing.allowing = [...thing.allowing.filter(isUnderWay), operation];
  trace(operation, 'started');
  model.agenda.later(deadlineMs / host.clock.rate, overdue, operation);
  const tookMs = about(host.chance, (model.options.durations ?? defaultDurations)(thing.policy, action));
  const breakage = breakageOf(thing, action);
  if (action === 'migrate' && (breakage === 'ok' || breakage === 'late')) beginMigration(operation);
  switch (breakage) {
    case 'ok':
      model.agenda.later(tookMs, takeEffect, operation);
      return;
    case 'fails':
      model.agenda.later(tookMs, fail, operation);
      return;
    case 'late':
      model.agenda.later(deadlineMs + graceMs + about(host.chance, lateMs), takeEffect, operation);
      return;
    case 'hangs':
    case 'stuck':
      operation.over = true;
      operation.hangs = true;
      return;
  }
}

/** What goes another way when it is broken; by force it goes, unless it is stuck. */
const gentle: ReadonlySet<ResourceAction> = new Set(['start', 'stop', 'save', 'migrate']);

function breakageOf({ broken }: Thing, action: ResourceAction): Thing['broken'] {
  return broken === 'stuck' || gentle.has(action) ? broken : 'ok';
}

function trace({ id, thing, action }: Operation, outcome: Outcome | 'started' | 'cancelled'): void {
  const { host, group, policy } = thing;
  const { model, side } = host;
  if (model.trace === null) return;
  const at = model.agenda.now();
  model.trace({ kind: 'operation', at, side, operation: id, group, resource: policy.id, action, outcome });
}

function takeEffect(operation: Operation): void {
  const { thing, boot } = operation;
  const { host } = thing;
  if (operation.over || host.boot !== boot || !host.up || standsStill(host, takeEffect, operation)) return;
  const { action, since } = operation;
  if (action === 'forbid-two' && thing.allowing.some(isUnderWay)) {
    if (operation.told || operation.run !== host.run) operation.over = true;
    else host.model.agenda.later(lookAgainMs, takeEffect, operation);
    return;
  }
  operation.over = true;
  const bringsUp = action === 'start' || action === 'resume';
  if (bringsUp && since < thing.takenDownAt) {
    tell(operation, tooLate);
    return;
  }
  if (action === 'stop' || action === 'save' || action === 'destroy')
    thing.takenDownAt = host.model.agenda.now();
  if (action === 'migrate') {
    finishMigration(operation, (problem, isKnown) => {
      if (isKnown || problem === null) end(operation, problem);
      else tell(operation, { kind: 'unknown', message: problem });
    });
    return;
  }
  if (thing.device === null) {
    end(operation, changeThing(thing, action));
    return;
  }
  changeDevice(operation, (problem) => end(operation, problem));
}

/** An earlier command, whose daemon may be gone: as the driver does, what undoes it waits for its end. */
const isUnderWay = ({ over, boot, thing }: Operation) => !over && boot === thing.host.boot;

function fail(operation: Operation): void {
  if (standsStill(operation.thing.host, fail, operation)) return;
  operation.over = true;
  end(operation, 'it is broken');
}

function end(operation: Operation, problem: string | null): void {
  tell(operation, problem === null ? done : { kind: 'failed', code: 'broken', message: problem });
}

/** Once for each operation of the daemon that runs; whatever happens later is news that its driver sees. */
function tell(operation: Operation, outcome: Outcome): void {
  const { thing, id, run } = operation;
  const { host } = thing;
  if (operation.told || host.run !== run) {
    lookSoon(thing, 20);
    return;
  }
  operation.told = true;
  if (thing.operation === operation) thing.operation = null;
  trace(operation, outcome);
  post(host, { kind: 'operation-finished', at: 0, operation: id, outcome });
  if (outcome.kind !== 'done' || operation.action === 'reject') lookSoon(thing, 20);
  else if (thing.running === 'up') seeUp(thing);
}

function overdue(operation: Operation): void {
  const { thing, run, deadlineMs } = operation;
  if (operation.told || thing.host.run !== run) return;
  if (daemonStandsStill(thing.host, overdue, operation)) return;
  abort(operation, `it did not end within ${deadlineMs} ms`);
}

export function cancel(host: Host, id: number): boolean {
  for (const { operation } of host.things) {
    if (operation?.id !== id || operation.run !== host.run) continue;
    if (!operation.told) {
      trace(operation, 'cancelled');
      abort(operation, 'it was cancelled');
    }
    return true;
  }
  return false;
}

/** The driver is told to end it. It may be too late for that, and nobody knows. DRBD cannot be told at all. */
function abort(operation: Operation, message: string): void {
  const { thing } = operation;
  const { host } = thing;
  const isLate = breakageOf(thing, operation.action) === 'late';
  if (thing.device === null && !isLate && host.chance() < 0.5) operation.over = true;
  host.model.agenda.later(about(host.chance, graceMs), giveUp, { operation, message });
}

function giveUp({ operation, message }: { readonly operation: Operation; readonly message: string }): void {
  if (!operation.told && operation.thing.host.run === operation.run) {
    tell(operation, { kind: 'unknown', message });
  }
}

/** The daemon is gone: what its children and the kernel were about, they may carry through. */
export function orphan(host: Host): void {
  for (const thing of host.things) {
    const { operation } = thing;
    if (operation === null) continue;
    operation.told = true;
    if (thing.device === null && host.chance() < 0.5) operation.over = true;
    thing.operation = null;
  }
}
