// A modelled world for two real cores: hosts, cables, a gateway, guests and addresses. Time and chance come from the
// seed. It holds what must never happen (the same guest twice) and notes it the moment it does.

import type {
  Effect,
  Event,
  Ledger,
  Note,
  OperatorRequest,
  RequestAnswer,
  ResourceAction,
} from '../../daemon/core/events.ts';
import type { Policy } from '../../daemon/core/policy.ts';
import { initialState, type State } from '../../daemon/core/state.ts';
import { step } from '../../daemon/core/step.ts';
import { address, examplePolicy, mulberry32, otherOf, type Side } from './example.ts';

type Cable = 'heartbeat' | 'lan';
type Running = 'up' | 'down' | 'paused';
type Untimed = Event extends infer E ? (E extends Event ? Omit<E, 'at'> : never) : never;

const linkCables: readonly Cable[] = ['heartbeat', 'lan'];

interface Host {
  readonly side: Side;
  powered: boolean;
  state: State | null;
  incarnation: number;
  ledger: Ledger;
  readonly cables: Record<Cable, boolean>;
  readonly resources: Map<string, Running>;
  readonly broken: Map<string, string>;
  readonly notes: Array<Note & { readonly at: number }>;
  paces: ReadonlyMap<string, number>;
  probeRun: number;
  frozenUntil: number;
  diskBroken: boolean;
  /** Operations under way; a cancelled one ends soon, and nobody knows what came of it. */
  readonly running: Set<number>;
}

export interface World {
  now(): number;
  run(durationMs: number): void;
  /** Runs until `done` holds; throws with both nodes' notes when it does not within `limitMs`. */
  runUntil(what: string, done: () => boolean, limitMs?: number): void;
  /** `observes: false`: its drivers cannot tell yet what runs. */
  boot(side: Side, options?: { readonly observes?: boolean }): void;
  observe(side: Side): void;
  killDaemon(side: Side): void;
  powerLoss(side: Side): void;
  stop(side: Side): void;
  cut(side: Side, cable: Cable): void;
  mend(side: Side, cable: Cable): void;
  gateway(up: boolean): void;
  /** The nodes cannot reach each other, though both reach the outside. */
  partition(on: boolean): void;
  /** The daemon alone does not run for this long. */
  stall(side: Side, durationMs: number): void;
  /** The state file cannot be written. */
  breakDisk(side: Side, broken: boolean): void;
  breakResource(side: Side, resource: string, message: string): void;
  setResource(side: Side, resource: string, running: Running): void;
  ask(side: Side, request: OperatorRequest): RequestAnswer;
  inject(side: Side, event: Untimed): readonly Effect[];
  phase(side: Side): string;
  state(side: Side): State;
  resource(side: Side, id: string): Running;
  notes(side: Side): readonly (Note & { readonly at: number })[];
  /** Actions carried out, `primary start guest:mail` and so on. */
  readonly log: string[];
  readonly violations: string[];
}

export interface WorldOptions {
  readonly seed?: number;
  readonly policy?: (side: Side) => Policy;
  /** About how long a guest takes to start, and to shut down. */
  readonly startMs?: number;
  readonly stopMs?: number;
  readonly lossy?: Lossy;
}

/** How often (0 to 1) a packet is lost, comes twice, or comes up to `delayMs` late and so out of order. */
export interface Lossy {
  readonly loss: number;
  readonly duplicate: number;
  readonly late: number;
  readonly delayMs: number;
}

export function createWorld(options: WorldOptions = {}): World {
  const random = mulberry32(options.seed ?? 1);
  const policyOf = options.policy ?? examplePolicy;
  const { startMs = 100, stopMs = 20, lossy = { loss: 0, duplicate: 0, late: 0, delayMs: 0 } } = options;
  const log: string[] = [];
  const violations: string[] = [];
  const answers = new Map<number, RequestAnswer>();
  let now = 1000;
  let nextRequest = 1;
  let order = 0;
  let gatewayUp = true;
  let partitioned = false;
  let agenda: Array<{ readonly at: number; readonly order: number; readonly act: () => void }> = [];

  const host = (side: Side): Host => ({
    side,
    powered: true,
    state: null,
    incarnation: 0,
    ledger: { groups: [], peer: null, standby: false, maintenanceUntil: null },
    cables: { heartbeat: true, lan: true },
    resources: new Map(
      policyOf(side).groups.flatMap(({ resources }) => resources.map(({ id }) => [id, 'down' as Running])),
    ),
    broken: new Map(),
    notes: [],
    paces: new Map(),
    probeRun: 0,
    frozenUntil: 0,
    diskBroken: false,
    running: new Set(),
  });
  const hosts: Record<Side, Host> = { primary: host('primary'), secondary: host('secondary') };

  const later = (delayMs: number, act: () => void) => {
    agenda.push({ at: now + delayMs, order: order++, act });
  };
  const connected = (cable: Cable) =>
    !partitioned && hosts.primary.cables[cable] && hosts.secondary.cables[cable];

  /** Only for the run of the daemon that asked. */
  const toRun = (target: Host, event: Untimed) => {
    const { incarnation } = target;
    return () => {
      if (target.incarnation === incarnation && target.state !== null) feed(target, event);
    };
  };

  const feed = (target: Host, event: Untimed): readonly Effect[] => {
    if (target.state === null) return [];
    if (now < target.frozenUntil) {
      agenda.push({ at: target.frozenUntil, order: order++, act: toRun(target, event) });
      return [];
    }
    const { state, effects } = step(target.state, { ...event, at: now } as Event);
    target.state = state;
    for (const effect of effects) carryOut(target, effect);
    const { wakeAt, incarnation } = { ...state, incarnation: target.incarnation };
    agenda.push({
      at: Math.max(wakeAt, now + 0.01),
      order: order++,
      act: () => {
        if (target.incarnation === incarnation && target.state?.wakeAt === wakeAt)
          feed(target, { kind: 'time-passed' });
      },
    });
    return effects;
  };

  const carryOut = (source: Host, effect: Effect) => {
    const target = hosts[otherOf(source.side)];
    switch (effect.kind) {
      case 'send-heartbeat':
        linkCables.forEach((cable, link) => {
          const { sequence, echo, content } = effect;
          const packet = {
            kind: 'heartbeat-received' as const,
            link,
            incarnation: source.incarnation,
            sequence,
            echo,
            content,
          };
          if (!connected(cable) || !source.powered) return;
          const copies = random() < lossy.loss ? 0 : random() < lossy.duplicate ? 2 : 1;
          for (let copy = 0; copy < copies; copy += 1) {
            const lateMs = random() < lossy.late ? random() * lossy.delayMs : 0;
            later(0.2 + random() * 3 + lateMs, () => {
              if (connected(cable) && target.powered && target.state !== null) feed(target, packet);
            });
          }
        });
        return;
      case 'pace-probes':
        source.paces = new Map(effect.paces.map(({ target: id, intervalMs }) => [id, intervalMs]));
        source.probeRun += 1;
        for (const [id, intervalMs] of source.paces) probe(source, id, intervalMs, source.probeRun, 1);
        return;
      case 'start-operation':
        return operate(source, effect);
      case 'persist-ledger':
        later(1 + random() * 5, () => {
          if (source.diskBroken) {
            toRun(source, {
              kind: 'ledger-not-persisted',
              revision: effect.revision,
              message: 'no space left',
            })();
            return;
          }
          source.ledger = effect.ledger;
          toRun(source, { kind: 'ledger-persisted', revision: effect.revision })();
        });
        return;
      case 'note':
        source.notes.push({ ...effect.note, at: now });
        return;
      case 'answer-request':
        answers.set(effect.id, effect.answer);
        return;
      case 'exit':
        if (source.state !== null && source.state.persistedRevision < source.state.ledgerRevision) {
          violations.push(`${now.toFixed(0)} ms: ${source.side} left before its ledger was on disk`);
        }
        source.state = null;
        return;
      default:
        return;
      case 'cancel-operation':
        log.push(`${source.side} cancel`);
        cancel(source, effect.operation);
        return;
    }
  };

  const probe = (source: Host, id: string, intervalMs: number, probeRun: number, delayMs: number) => {
    const { incarnation } = source;
    later(delayMs, () => {
      if (source.incarnation !== incarnation || source.probeRun !== probeRun) return;
      const result = probeResult(source, id);
      later(intervalMs, () => {
        if (source.incarnation === incarnation && source.probeRun === probeRun)
          probe(source, id, intervalMs, probeRun, 0);
      });
      feed(source, { kind: 'probe-reported', target: id, result });
    });
  };

  const probeResult = (source: Host, id: string) => {
    const peer = hosts[otherOf(source.side)];
    const cable: Cable = id === 'peer-heartbeat' ? 'heartbeat' : 'lan';
    if (!source.cables[cable]) return 'failed' as const;
    if (id === 'gateway') return gatewayUp ? ('answered' as const) : ('unanswered' as const);
    const there =
      !partitioned &&
      peer.powered &&
      peer.cables[cable] &&
      (id !== address || peer.resources.get(address) === 'up');
    return there ? ('answered' as const) : ('unanswered' as const);
  };

  const operate = (source: Host, effect: Extract<Effect, { kind: 'start-operation' }>) => {
    const { operation, resource, action } = effect;
    log.push(`${source.side} ${action} ${resource}`);
    const guestMs = action === 'start' ? startMs : action === 'stop' ? stopMs : 20;
    const tookMs = resource === address ? 4 : guestMs * (0.5 + random());
    source.running.add(operation);
    const { incarnation } = source;
    later(tookMs, () => {
      if (!source.powered) return;
      if (!source.running.delete(operation)) return; // Cancelled.
      const broken = action === 'start' ? source.broken.get(resource) : undefined;
      if (broken === undefined)
        set(source, resource, after(action, source.resources.get(resource) ?? 'down', resource));
      if (source.incarnation !== incarnation) return;
      const outcome =
        broken === undefined
          ? { kind: 'done' as const }
          : { kind: 'failed' as const, code: 'broken', message: broken };
      feed(source, { kind: 'operation-finished', operation, outcome });
    });
  };

  const cancel = (source: Host, operation: number) => {
    if (!source.running.delete(operation)) return;
    const outcome = { kind: 'unknown' as const, message: 'it was cancelled' };
    const tell = toRun(source, { kind: 'operation-finished', operation, outcome });
    later(5 + random() * 20, () => {
      tell();
      if (source.powered) seen(source);
    });
  };

  const set = (target: Host, resource: string, running: Running) => {
    target.resources.set(resource, running);
    if (resource === address || running !== 'up') return;
    if (hosts[otherOf(target.side)].resources.get(resource) === 'up') {
      violations.push(`${now.toFixed(0)} ms: ${resource} runs on both hosts`);
    }
  };

  const seen = (target: Host) => {
    for (const { name, resources } of policyOf(target.side).groups) {
      for (const { id } of resources) {
        feed(target, {
          kind: 'resource-observed',
          group: name,
          resource: id,
          status: { kind: target.resources.get(id) ?? 'down' },
        });
      }
    }
  };

  const run = (until: number, done: () => boolean) => {
    while (!done()) {
      let best: (typeof agenda)[number] | undefined;
      for (const item of agenda) {
        if (best === undefined || item.at < best.at || (item.at === best.at && item.order < best.order))
          best = item;
      }
      if (best === undefined || best.at > until) {
        now = until;
        return false;
      }
      agenda = agenda.filter((item) => item !== best);
      now = Math.max(now, best.at);
      best.act();
    }
    return true;
  };

  const world: World = {
    log,
    violations,
    now: () => now,
    run: (durationMs) => void run(now + durationMs, () => false),
    runUntil(what, done, limitMs = 60_000) {
      if (run(now + limitMs, done)) return;
      const story = (['primary', 'secondary'] as const).flatMap((side) =>
        hosts[side].notes.map((note) => ({ ...note, side })),
      );
      const lines = story
        .toSorted((a, b) => a.at - b.at)
        .map((note) => `${note.at.toFixed(0)} ${note.side} ${note.message}`);
      throw new Error(`${what} did not happen within ${limitMs} ms:\n${lines.slice(-40).join('\n')}`);
    },
    boot(side, { observes = true } = {}) {
      const target = hosts[side];
      target.powered = true;
      target.incarnation += 1;
      target.probeRun += 1;
      target.state = initialState({
        at: now,
        policy: policyOf(side),
        incarnation: target.incarnation,
        ledger: target.ledger,
      });
      feed(target, { kind: 'carrier-observed', interface: 'eth0', carrier: target.cables.lan });
      if (observes) seen(target);
    },
    observe: (side) => seen(hosts[side]),
    killDaemon(side) {
      hosts[side].state = null;
    },
    powerLoss(side) {
      const target = hosts[side];
      target.powered = false;
      target.state = null;
      for (const id of target.resources.keys()) target.resources.set(id, 'down');
    },
    stop: (side) => void feed(hosts[side], { kind: 'stop-requested' }),
    cut(side, cable) {
      hosts[side].cables[cable] = false;
      if (cable === 'lan') feed(hosts[side], { kind: 'carrier-observed', interface: 'eth0', carrier: false });
    },
    mend(side, cable) {
      hosts[side].cables[cable] = true;
      if (cable === 'lan') feed(hosts[side], { kind: 'carrier-observed', interface: 'eth0', carrier: true });
    },
    gateway(up) {
      gatewayUp = up;
    },
    partition(on) {
      partitioned = on;
    },
    stall(side, durationMs) {
      hosts[side].frozenUntil = now + durationMs;
    },
    breakDisk(side, broken) {
      hosts[side].diskBroken = broken;
    },
    breakResource: (side, resource, message) => void hosts[side].broken.set(resource, message),
    setResource(side, resource, running) {
      set(hosts[side], resource, running);
      seen(hosts[side]);
    },
    ask(side, request) {
      const id = nextRequest++;
      feed(hosts[side], { kind: 'operator-requested', id, request });
      return answers.get(id) ?? { kind: 'refused', message: 'no answer', next: '' };
    },
    inject: (side, event) => feed(hosts[side], event),
    phase: (side) => hosts[side].state?.groups[0]?.phase.kind ?? 'no daemon',
    state(side) {
      const { state } = hosts[side];
      if (state === null) throw new Error(`no daemon on ${side}`);
      return state;
    },
    resource: (side, id) => hosts[side].resources.get(id) ?? 'down',
    notes: (side) => hosts[side].notes,
  };
  return world;
}

function after(action: ResourceAction, before: Running, resource: string): Running {
  switch (action) {
    case 'start':
    case 'resume':
      return 'up';
    case 'freeze':
      return resource === address || before === 'down' ? 'down' : 'paused';
    case 'stop':
    case 'destroy':
      return 'down';
    default:
      return before;
  }
}
