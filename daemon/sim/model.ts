// What the parts of the modelled world share: its hosts, their clocks, and what each remembers. Mutable, unlike the
// core: this is the world, not what a node thinks of it. Decides nothing.

import type {
  Effect,
  Event,
  Ledger,
  LoneMarks,
  OperatorRequest,
  RequestAnswer,
  ResourceAction,
  StorageStatus,
} from '../core/events.ts';
import type { Echo, HeartbeatContent } from '../core/heartbeat.ts';
import type { GroupName, Policy, ProbeTarget, ResourceId, ResourcePolicy } from '../core/policy.ts';
import type { State } from '../core/state.ts';
import type {
  Breakage,
  DriversCondition,
  FenceCondition,
  Segment,
  Side,
  WitnessCondition,
} from './action.ts';
import type { Drbd, HandlerAnswer } from './drbd.ts';
import type { Agenda, Chance } from './engine.ts';
import type { Running, Trace } from './trace.ts';
import type { TimedNote, WorldOptions } from './world.ts';

/** As it left its sender: one object for every link and for the record. */
export interface Packet {
  readonly from: Host;
  readonly incarnation: number;
  readonly sequence: number;
  readonly echo: Echo | null;
  readonly content: HeartbeatContent;
}

/** A mirrored device: one for both hosts. */
export interface Device {
  readonly drbd: Drbd;
  /** What the trace was told last. */
  bothWritable: boolean;
  readonly shown: Record<Side, Pick<StorageStatus, 'disk' | 'connection'>>;
}

/** What a copy of a guest's disk holds. */
export interface GuestDisk {
  /** Its saved memory, and the process that this was; null: none. */
  readonly image: { readonly number: number; readonly process: number } | null;
  /** The process that wrote to it last. */
  readonly writer: number;
}

/** A resource on one host. */
export interface Thing {
  readonly host: Host;
  readonly group: GroupName;
  readonly policy: ResourcePolicy;
  readonly device: Device | null;
  /** The devices that it holds open while it is not down. */
  disks: readonly Thing[];
  running: Running;
  broken: Breakage;
  /** When it was last taken down: no earlier start comes through after that. */
  takenDownAt: number;
  /** Of the daemon that runs; an older one's goes on by itself. */
  operation: Operation | null;
  /** The last start, which may go on when its daemon has broken it off, or is gone. */
  begun: Operation | null;
  /** Of a device: the commands that allow two primaries; they may outlive their daemon. */
  allowing: readonly Operation[];
  /** Is a write, or a look, on the agenda? */
  writing: boolean;
  looking: boolean;
  /** Of a guest whose readiness is waited for: is it being asked, and from when on does it answer? Infinity: never. */
  asking: boolean;
  answersAt: number;
  /** Of a guest: what this host's copy of its disk holds. */
  copy: GuestDisk;
  /** What was written here and the peer has not acknowledged; it gets there in its order, also if the disk here fails. */
  held: Partial<GuestDisk>;
  /** Of a guest: the number of the process that runs. */
  process: number;
  /** Of a guest that comes in: the migration, and the process whose whole memory is here; null: it does not. */
  arrival: { readonly operation: Operation; process: number | null } | null;
  /** It cannot be saved, for what it is made of. */
  readonly refusesSave: boolean;
}

export interface Operation {
  readonly id: number;
  readonly thing: Thing;
  readonly action: ResourceAction;
  readonly forced: boolean;
  readonly deadlineMs: number;
  readonly since: number;
  /** The daemon and the boot that it belongs to. */
  readonly run: number;
  readonly boot: number;
  /** Its outcome has been told, or never will be. */
  told: boolean;
  /** Its effect has come, or never will. */
  over: boolean;
  /** It never will, and it does not end by itself. */
  hangs: boolean;
}

/** Something asked of the outside world by one run of a daemon. */
export interface Errand {
  readonly kind: 'fence' | 'lease' | 'watchdog';
  readonly id: number;
  readonly host: Host;
  readonly run: number;
  readonly deadlineMs: number;
  readonly marks: LoneMarks;
  told: boolean;
}

export interface ProbeRun {
  readonly host: Host;
  readonly target: ProbeTarget;
  readonly segment: Segment;
  readonly intervalMs: number;
  stopped: boolean;
}

/** A state file. */
export interface Saved {
  /** 0: there is none. */
  readonly incarnation: number;
  readonly ledger: Ledger;
  readonly boot: number;
  /** End of maintenance by the wall clock, milliseconds, for another boot; null: none. */
  readonly maintenanceEnds: number | null;
}

export interface Write {
  readonly host: Host;
  readonly run: number;
  readonly revision: number;
  readonly ledger: Ledger;
}

export interface Host {
  readonly model: Model;
  readonly side: Side;
  readonly policy: Policy;
  readonly chance: Chance;
  readonly things: readonly Thing[];
  readonly notes: TimedNote[];

  /** mains: current at the socket. powered: switched on. up: its kernel runs. */
  mains: boolean;
  powered: boolean;
  up: boolean;
  /** How many times it has been powered on. */
  boot: number;
  pausedUntil: number;
  /** The host's clock showed `origin` at `base` of the world's time and goes at `rate`. */
  readonly clock: { base: number; origin: number; rate: number };
  /** By how much its wall clock has been set forward, milliseconds. */
  wallOffsetMs: number;

  /** null: the daemon does not run. */
  state: State | null;
  /** Changes whenever a daemon starts or ends. */
  run: number;
  incarnation: number;
  staysDown: boolean;
  /** Somebody asked for the daemon while the host booted. */
  wanted: boolean;
  daemonPausedUntil: number;
  /** The world's time at which it is woken next, and what its own clock is to show then; Infinity: it is not. */
  wakeDue: number;
  wakeFor: number;
  /** Events that came while it did not run, in order, and how many packets of each link are among them. */
  waiting: Event[];
  waitingPackets: number[];
  /** Effects until it dies, or its host; 0: it does not. */
  crashIn: number;
  powerLossIn: number;
  drivers: DriversCondition;
  /** Operators' requests that the daemon has not answered, and its last answer. */
  readonly questions: Map<number, OperatorRequest>;
  answer: { readonly id: number; readonly answer: RequestAnswer } | null;
  readonly errands: Map<number, Errand>;
  /** Handlers of DRBD that wait for the daemon's answer. */
  readonly handlers: Map<number, (answer: HandlerAnswer) => void>;

  readonly cableOut: Record<Segment, boolean>;
  readonly cableIn: Record<Segment, boolean>;
  /** Gateways that do not answer this host. */
  readonly shutWays: Set<string>;
  /** What it sent lately, oldest first; and the last packets of earlier incarnations. */
  readonly sent: Packet[];
  readonly sentBefore: Packet[];
  /** What forgers sent to it and it refused. */
  refusedForgeries: number;
  readonly probes: Map<string, ProbeRun>;

  saved: Saved;
  readonly savedBefore: Saved[];
  /** Under way, oldest first. */
  readonly writes: Write[];
  diskFreeAt: number;
  diskFull: boolean;
  stateFile: 'ok' | 'lost' | 'old';

  /** The device that powers this host off. */
  fenceDevice: FenceCondition;
  /** Counts on while everything else stands still; null: not armed. */
  watchdog: { readonly timeoutMs: number; pettedAt: number } | null;
  watchdogWatched: boolean;
}

/** How often (0 to 1) a packet is lost, comes twice, or comes up to `delayMs` late and so out of order. */
export interface Quality {
  readonly loss: number;
  readonly duplicate: number;
  readonly late: number;
  readonly delayMs: number;
}

export interface Model {
  readonly agenda: Agenda;
  readonly options: WorldOptions;
  readonly trace: ((trace: Trace) => void) | null;
  readonly hosts: Readonly<Record<Side, Host>>;
  readonly networkChance: Chance;
  readonly outsideChance: Chance;
  readonly quality: Record<Segment, Quality>;
  readonly carryOut: (host: Host, effect: Effect) => void;
  partitioned: boolean;
  gatewayUp: boolean;
  witness: WitnessCondition;
  /** The record of the witness. `last`: who had it last, also when nobody has it. */
  readonly lease: {
    holder: Side | null;
    last: Side | null;
    term: number;
    alone: Record<Side, readonly GroupName[]>;
    expiresAt: number;
  };
  steps: number;
  nextHandler: number;
  nextRequest: number;
  nextProcess: number;
}

export const peerOf = ({ model, side }: Host): Host =>
  side === 'primary' ? model.hosts.secondary : model.hosts.primary;

/** What the host's CLOCK_MONOTONIC shows now, milliseconds. */
export function hostClock({ clock, model }: Host): number {
  return clock.origin + (model.agenda.now() - clock.base) * clock.rate;
}

/** The wall clock at the world's beginning, milliseconds since 1970; small, so that it is quick to compute with. */
const wallStartMs = 1_000_000_000;

/** What Date.now() shows on the host; a clock that was set back too far stands at 1970. */
export function wallClock({ model, wallOffsetMs }: Host): number {
  return Math.max(0, Math.floor(wallStartMs + model.agenda.now() + wallOffsetMs));
}

/** The host does not run at the moment: what it was about to do, it does when it goes on. */
export function standsStill<A>(host: Host, act: (argument: A) => void, argument: A): boolean {
  const { agenda } = host.model;
  if (host.pausedUntil <= agenda.now()) return false;
  agenda.at(host.pausedUntil, act, argument);
  return true;
}

/** The same of its daemon alone. */
export function daemonStandsStill<A>(host: Host, act: (argument: A) => void, argument: A): boolean {
  const until = Math.max(host.pausedUntil, host.daemonPausedUntil);
  if (until <= host.model.agenda.now()) return false;
  host.model.agenda.at(until, act, argument);
  return true;
}

/** About this long: half to one and a half times. */
export function about(chance: Chance, ms: number): number {
  return ms * (0.5 + chance());
}

export function thingOf(host: Host, id: ResourceId): Thing | null {
  for (const thing of host.things) if (thing.policy.id === id) return thing;
  return null;
}
