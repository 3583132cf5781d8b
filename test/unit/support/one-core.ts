// One core alone, without a world: a test says what it hears, sees and is answered, and reads what it asks for.

import type {
  Effect,
  Event,
  LeaseAnswer,
  Ledger,
  LedgerGroup,
  OperatorRequest,
  Outcome,
  ProbeResult,
  RequestAnswer,
  ResourceAction,
  ResourceStatus,
  StorageStatus,
} from '../../../daemon/core/events.ts';
import type { Facts } from '../../../daemon/core/facts.ts';
import { factsOf } from '../../../daemon/core/facts.ts';
import type { GroupReport, HeartbeatContent } from '../../../daemon/core/heartbeat.ts';
import type { Policy } from '../../../daemon/core/policy.ts';
import { ownContent } from '../../../daemon/core/report.ts';
import type { ResourceState } from '../../../daemon/core/resource.ts';
import { type GroupState, initialState, noRecord, type State } from '../../../daemon/core/state.ts';
import { step } from '../../../daemon/core/step.ts';
import type { Untimed } from '../../../daemon/sim/world.ts';
import { disk, examplePolicy, type Side } from '../../sim/example.ts';

/** The present run of the core that is looked at, and of the peer for which the test speaks. */
export const ownRun = 50;
export const peerRun = 7;

/** A peer that has never had the group, does nothing with it and could run it. */
export const stoppedReport: GroupReport = {
  name: 'office',
  phase: 'stopped',
  generation: 0,
  owner: null,
  writer: null,
  holdsAddresses: false,
  holdsRest: false,
  claim: null,
  grant: null,
  offer: false,
  willing: true,
  alone: false,
  apart: false,
  outdated: false,
  wantsOutdated: false,
  discarding: false,
  stuck: false,
  inviting: [],
  sole: false,
  up: 0,
  total: 3,
  quarantined: 0,
};

/** A peer that hears us and has no group. */
export const peerContent: HeartbeatContent = {
  software: '0',
  configDigest: 'same',
  hears: [true, true],
  leaving: false,
  standby: false,
  freezeAfterMs: 1600,
  watchdogMs: null,
  maintenanceMinutes: 0,
  lan: true,
  gateways: null,
  groups: [],
};

/** A peer that runs the group. */
export const activeReport: Partial<GroupReport> = {
  phase: 'active',
  generation: 1,
  holdsAddresses: true,
  holdsRest: true,
};

/** A copy that is whole, connected and not in use. */
export const mirrored: StorageStatus = {
  role: 'secondary',
  disk: 'up-to-date',
  connection: 'connected',
  peerRole: 'secondary',
  peerDisk: 'up-to-date',
  suspended: 'no',
  resync: null,
};

/** The same copy without its mirror. */
export const apart: Partial<StorageStatus> = {
  connection: 'connecting',
  peerRole: 'unknown',
  peerDisk: 'unknown',
};

const done: Outcome = { kind: 'done' };

/** What is around the core while time passes: stays as it is until it is changed. */
export interface Surroundings {
  /** What the peer says of the group, twenty times a second; null: it is silent. */
  readonly peer: Partial<GroupReport> | null;
  /** What it says besides. */
  readonly says: Partial<HeartbeatContent>;
  /** Its run. */
  readonly run: number;
  /** Does it read what we send? */
  readonly hearsUs: boolean;
  readonly gateway: ProbeResult;
  /** What its addresses do while it is silent. */
  readonly addresses: ProbeResult;
  /** What the witness answers at once; null: nothing at all. */
  readonly witness: LeaseAnswer | null;
  /** What comes of arming it; null: nothing yet. */
  readonly watchdog: Outcome | null;
  /** Is everything that the drivers are asked for done at once? */
  readonly prompt: boolean;
}

export interface OneCoreOptions {
  readonly self?: Side;
  readonly policy?: Policy;
  /** What the ledger says of the group. */
  readonly record?: Partial<LedgerGroup>;
  /** What it says besides. */
  readonly ledger?: Partial<Ledger>;
  /** Is the ledger written? */
  readonly persists?: boolean;
  /** Has a daemon before it left the watchdog running? */
  readonly watchdogRuns?: boolean;
}

interface Packet {
  readonly echo?: number;
  readonly sequence?: number;
  readonly link?: number;
  readonly incarnation?: number;
  readonly says?: Partial<HeartbeatContent>;
}

export type OneCore = ReturnType<typeof oneCore>;

const tickMs = 50;

export function oneCore(options: OneCoreOptions = {}) {
  const { self = 'primary', policy = examplePolicy(self), persists = true, watchdogRuns } = options;
  const ledger = {
    groups: [{ ...noRecord('office'), ...options.record }],
    peer: null,
    standby: false,
    left: false,
    maintenanceUntil: null,
    ...options.ledger,
  };
  let state: State = initialState({ at: 0, policy, incarnation: ownRun, ledger, watchdogRuns });
  const effects: Effect[] = [];
  const asked: string[] = [];
  let storage: StorageStatus = mirrored;
  let sequence = 0;
  let around: Surroundings = {
    peer: {},
    says: {},
    run: peerRun,
    hearsUs: true,
    gateway: 'answered',
    addresses: 'unanswered',
    witness: null,
    watchdog: done,
    prompt: true,
  };

  const group = (): GroupState => {
    const [first] = state.groups;
    if (first === undefined) throw new Error('there is no group');
    return first;
  };
  const resource = (id: string): ResourceState => {
    const found = group().resources.find((other) => other.id === id);
    if (found === undefined) throw new Error(`there is no ${id}`);
    return found;
  };
  const ofKind = <K extends Effect['kind']>(kind: K, among: readonly Effect[] = effects) =>
    among.filter((effect): effect is Extract<Effect, { readonly kind: K }> => effect.kind === kind);

  function feed(at: number, event: Untimed): readonly Effect[] {
    const next = step(state, { ...event, at } as Event);
    state = next.state;
    effects.push(...next.effects);
    for (const effect of next.effects) {
      if (effect.kind === 'start-operation') asked.push(`${effect.action} ${effect.resource}`);
      if (effect.kind === 'persist-ledger' && persists)
        feed(at, { kind: 'ledger-persisted', revision: effect.revision });
    }
    return next.effects;
  }

  /** A packet of the peer. `report`: what it says of the group; null: nothing. */
  function hear(at: number, report: Partial<GroupReport> | null = {}, how: Packet = {}) {
    sequence = Math.max(sequence + 1, how.sequence ?? 0);
    const content: HeartbeatContent = {
      ...peerContent,
      freezeAfterMs: policy.timings.freezeAfterMs,
      watchdogMs: policy.witness === null ? null : (policy.watchdog?.timeoutMs ?? null),
      groups: report === null ? [] : [{ ...stoppedReport, ...report }],
      ...how.says,
    };
    return feed(at, {
      kind: 'heartbeat-received',
      link: how.link ?? 0,
      incarnation: how.incarnation ?? peerRun,
      sequence: how.sequence ?? sequence,
      echo: { incarnation: ownRun, sequence: how.echo ?? state.sequence },
      content,
    });
  }

  function seeOne(at: number, id: string, status: ResourceStatus) {
    return feed(at, { kind: 'resource-observed', group: 'office', resource: id, status });
  }

  /** The guests and the address; a disk is shown, not seen. */
  function see(at: number, kind: 'up' | 'down' | 'paused'): void {
    for (const policyOf of group().policy.resources)
      if (policyOf.kind !== 'drbd') seeOne(at, policyOf.id, { kind });
  }

  /** What DRBD shows of the disk has changed. */
  function show(at: number, changed: Partial<StorageStatus> = {}) {
    storage = { ...storage, ...changed };
    return feed(at, { kind: 'storage-observed', group: 'office', resource: disk, storage });
  }

  /** What DRBD shows once an operation has been carried out. */
  function shown(action: ResourceAction): Partial<StorageStatus> {
    switch (action) {
      case 'start':
        return { role: 'primary' };
      case 'stop':
      case 'destroy':
        return { role: 'secondary', suspended: 'no' };
      case 'freeze':
        return { suspended: 'user' };
      case 'resume':
        return { suspended: 'no' };
      case 'outdate':
        return { disk: 'outdated' };
      case 'connect':
      case 'discard':
        return { connection: 'connected', peerDisk: 'up-to-date' };
      case 'allow-two':
      case 'forbid-two':
        return {};
      default:
        throw new Error(`${action} is for guests only`);
    }
  }

  /** The operation under way on the resource ends. */
  function finish(at: number, id: string, outcome: Outcome = done): readonly Effect[] {
    const { operation } = resource(id);
    if (operation === null) throw new Error(`nothing is under way on ${id}`);
    return feed(at, { kind: 'operation-finished', operation: operation.id, outcome });
  }

  /** The drivers carry out everything that they have been asked for, and what follows from it. */
  function obey(at: number): void {
    for (;;) {
      const busy = group().resources.find(({ operation }) => operation !== null);
      if (busy?.operation == null) return;
      if (busy.id === disk) show(at, shown(busy.operation.action));
      finish(at, busy.id);
    }
  }

  function answerLease(at: number, answer: LeaseAnswer): readonly Effect[] {
    const { operation } = state.lease;
    if (operation === null) throw new Error('the witness was not asked');
    return feed(at, { kind: 'lease-answered', operation, answer });
  }

  function finishFencing(at: number, outcome: Outcome = done): readonly Effect[] {
    const { operation } = state.fence;
    if (operation === null) throw new Error('the device was not asked');
    return feed(at, { kind: 'operation-finished', operation, outcome });
  }

  function probe(at: number, target: string, result: ProbeResult): readonly Effect[] {
    return feed(at, { kind: 'probe-reported', target, result });
  }

  function react(at: number): void {
    const { watchdog } = state;
    if (around.watchdog !== null && watchdog.operation !== null)
      feed(at, { kind: 'operation-finished', operation: watchdog.operation, outcome: around.watchdog });
    if (around.witness !== null && state.lease.operation !== null) answerLease(at, around.witness);
    if (around.prompt) obey(at);
  }

  function tick(at: number): void {
    const echo = around.hearsUs ? {} : { echo: 0 };
    if (around.peer === null) {
      for (const { id, kind } of policy.probes) {
        if (kind === 'peer') probe(at, id, around.addresses);
        if (kind === 'floating' && resource(id).status?.kind === 'down') probe(at, id, around.addresses);
      }
    } else hear(at, around.peer, { ...echo, says: around.says, incarnation: around.run });
    probe(at, 'gateway', around.gateway);
    react(at);
  }

  return {
    feed,
    hear,
    see,
    seeOne,
    show,
    finish,
    obey,
    probe,
    answerLease,
    finishFencing,
    asked,
    effects,
    ofKind,
    group,
    resource,
    state: () => state,
    phase: () => state.groups[0]?.phase,
    facts: (): Facts => factsOf(state, group()),
    /** What it says of the group in its heartbeats. */
    report: (): GroupReport | undefined => ownContent(state).groups[0],
    record: (): LedgerGroup | undefined => state.ledger.groups[0],
    /** What the drivers were asked to do with one resource, `forced` where they were told to. */
    askedOf: (id: string) =>
      ofKind('start-operation')
        .filter((effect) => effect.resource === id)
        .map(({ action, forced }) => (forced ? `${action}, forced` : action)),
    codes: () => ofKind('note').map(({ note }) => note.code),
    /** Time passes, fine enough that none of it is a stall, with all that goes on around the core. */
    go(untilMs: number, changes: Partial<Surroundings> = {}): void {
      around = { ...around, ...changes };
      for (let at = state.now + tickMs; at < untilMs; at += tickMs) tick(at);
      if (untilMs > state.now) tick(untilMs);
    },
    /** Time passes, and nothing is heard, answered or carried out. */
    pass(untilMs: number): void {
      while (state.wakeAt < untilMs) feed(state.wakeAt, { kind: 'time-passed' });
      feed(untilMs, { kind: 'time-passed' });
    },
    request(at: number, request: OperatorRequest): RequestAnswer {
      const [answered] = ofKind('answer-request', feed(at, { kind: 'operator-requested', id: 1, request }));
      if (answered === undefined) throw new Error('no answer');
      return answered.answer;
    },
    /** DRBD asks that the peer be kept from its data. */
    askOutdating: (at: number, id: number) =>
      feed(at, { kind: 'outdating-requested', group: 'office', resource: disk, id }),
    /** What DRBD has been told, `id answer`. */
    outdatings: () => ofKind('answer-outdating').map(({ id, answer }) => `${id} ${answer}`),
  };
}
