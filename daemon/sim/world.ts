// Two hosts with the real, unchanged core in a modelled world. Everything that happens follows from the seed, the
// policies and the actions; the same ones give the same world, event by event.
// It knows nothing of what ought to be: checkers listen to its trace.

import type {
  Effect,
  Event,
  Ledger,
  Note,
  RequestAnswer,
  ResourceAction,
  StorageStatus,
} from '../core/events.ts';
import type { GroupName, Policy, ProbeTarget, ResourceId, ResourcePolicy } from '../core/policy.ts';
import type { State } from '../core/state.ts';
import { act } from './acting.ts';
import type { Action, Segment, Side } from './action.ts';
import { beginWith, createModel } from './create.ts';
import { inject } from './daemon.ts';
import type { Restarts } from './ledger-file.ts';
import { isComing } from './life.ts';
import { peerOf, thingOf } from './model.ts';
import { type Forger, reaches } from './network.ts';
import { leaseHolder } from './outside.ts';
import type { Running, Trace } from './trace.ts';

/** An event without its time, which the host's clock gives it. */
export type Untimed = Event extends infer E ? (E extends Event ? Omit<E, 'at'> : never) : never;

export interface TimedNote extends Note {
  /** Milliseconds of the world's time. */
  readonly at: number;
}

export interface World {
  /** Milliseconds; begins at 1000, and with `start` at 2000. The hosts' own clocks differ. */
  now(): number;
  run(ms: number): void;
  /** Runs until `done` holds after some event; false: it did not within `limitMs`. */
  runUntil(done: () => boolean, limitMs: number): boolean;
  /** Does it now. `operator`: what the daemon answered; undefined: it does not run, or not at the moment. */
  apply(action: Action): RequestAnswer | undefined;
  /** Does it at this time of the world, milliseconds; not before now. */
  at(ms: number, action: Action): void;
  /** Feeds the daemon of this side an event that the world does not make by itself; nothing, if it does not run. */
  inject(side: Side, event: Untimed): readonly Effect[];

  policy(side: Side): Policy;
  /** Of the daemon's core; null: it does not run. */
  state(side: Side): State | null;
  /** Has the host power (it may still boot). */
  powered(side: Side): boolean;
  /** Runs the daemon, though perhaps not at the moment (paused). */
  daemonRuns(side: Side): boolean;
  /** Does the host boot, or is its daemon to be started again by itself? */
  isComing(side: Side): boolean;
  /** Is a daemon to die, or its host to lose its power, at an effect that is yet to come? */
  isArmed(side: Side): boolean;
  /** The truth on the host. */
  running(side: Side, resource: ResourceId): Running;
  /** A DRBD device as the host's kernel shows it; null: no such resource. */
  storage(side: Side, resource: ResourceId): StorageStatus | null;
  /** May a device be primary on both hosts, by the kernel of this one? */
  allowsTwo(side: Side, resource: ResourceId): boolean;
  /** Is the copy of this side the one that nothing is missing from? */
  isNewest(side: Side, resource: ResourceId): boolean;
  notes(side: Side): readonly TimedNote[];
  ledgerOnDisk(side: Side): Ledger;
  /** Do packets from this side reach the other host on the segment? */
  reaches(from: Side, segment: Segment): boolean;
  /** Who has the lease now, by the witness's own clock. */
  leaseHolder(): Side | null;
  /** The groups whose disks this side wrote to without their mirror, by the record of the witness. */
  leaseMarks(side: Side): readonly GroupName[];
  /** What forgers sent to this side, and it refused. */
  refusedForgeries(side: Side): number;
  /** Events of the cores so far, both nodes. */
  steps(): number;
}

export interface WorldOptions {
  readonly seed: number;
  readonly policy: (side: Side) => Policy;
  /** Cores to begin with as if they had been running; without one the host is up and its daemon is not. */
  readonly start?: Partial<Record<Side, State>>;
  readonly trace?: (trace: Trace) => void;
  /** About how long an operation takes on this resource, milliseconds; half to one and a half times as long. */
  readonly durations?: (resource: ResourcePolicy, action: ResourceAction) => number;
  /** Does the daemon start when its host boots? Default true. */
  readonly boots?: boolean;
  /** From power to the daemon's start, milliseconds. Default 4000. */
  readonly bootMs?: number;
  /** Does systemd start a daemon again that died? Default true, after about 200 ms. */
  readonly restartsDaemon?: boolean;
  /** Where a probe's target is. Default: by its name. */
  readonly probeSegment?: (target: ProbeTarget) => Segment;
  readonly drbd?: DrbdTimes;
  /** What can be wrong with guests. Default: nothing. */
  readonly guests?: GuestTrouble;
  /** What a daemon that starts makes of its wall clock. Default: incarnations count up, and nobody sets a clock. */
  readonly restarts?: Restarts;
  /** What a forger can make of a packet, and what the receiver makes of that. Default: nobody forges. */
  readonly forger?: Forger;
}

/** Shares, 0 to 1. */
export interface GuestTrouble {
  /** Of the starts of a guest that is asked whether it is ready: it never says so. */
  readonly neverReady: number;
  /** Of the guests: what they are made of does not let them be saved. */
  readonly refusesSave: number;
  /** Of the guests that go to the other host while they run: the word that they have come is lost. */
  readonly losesArrival: number;
}

/** How the mirrored devices are set up, milliseconds. */
export interface DrbdTimes {
  /** May IO go on without the peer before the fence-peer handler has said so? `stonith`: not. */
  readonly fencing?: 'dont-care' | 'resource-only' | 'resource-and-stonith';
  /** From the loss of the link to its being noticed. */
  readonly noticeMs?: number;
  readonly connectMs?: number;
  readonly resyncMs?: number;
  readonly handlerTimeoutMs?: number;
}

export function createWorld(options: WorldOptions): World {
  const model = createModel(options);
  const { agenda, hosts } = model;
  const perform = (action: Action) => void act(model, action);
  if (options.start !== undefined) beginWith(model, options.start);
  return {
    now: agenda.now,
    run: (ms) => void agenda.run(agenda.now() + ms, null),
    runUntil: (done, limitMs) => agenda.run(agenda.now() + limitMs, done),
    apply: (action) => act(model, action),
    at: (ms, action) => agenda.at(ms, perform, action),
    inject: (side, event) => inject(hosts[side], event),
    policy: (side) => hosts[side].policy,
    state: (side) => hosts[side].state,
    powered: (side) => hosts[side].powered,
    daemonRuns: (side) => hosts[side].state !== null,
    isComing: (side) => isComing(hosts[side]),
    isArmed: (side) => hosts[side].crashIn > 0 || hosts[side].powerLossIn > 0,
    running: (side, resource) => thingOf(hosts[side], resource)?.running ?? 'down',
    storage: (side, resource) => thingOf(hosts[side], resource)?.device?.drbd.status(side) ?? null,
    allowsTwo: (side, resource) => thingOf(hosts[side], resource)?.device?.drbd.allowsTwo(side) ?? false,
    isNewest: (side, resource) => thingOf(hosts[side], resource)?.device?.drbd.isNewest(side) ?? true,
    notes: (side) => hosts[side].notes,
    ledgerOnDisk: (side) => hosts[side].saved.ledger,
    reaches: (from, segment) => reaches(hosts[from], peerOf(hosts[from]), segment),
    leaseHolder: () => leaseHolder(hosts.primary),
    leaseMarks: (side) => model.lease.alone[side],
    refusedForgeries: (side) => hosts[side].refusedForgeries,
    steps: () => model.steps,
  };
}
