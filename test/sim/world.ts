// The modelled world of daemon/sim in the words of the unit tests: one group, hosts that do nothing by themselves,
// and a list of what went wrong. Holds no model of its own.

import type { OperatorRequest, RequestAnswer } from '../../daemon/core/events.ts';
import type { Policy } from '../../daemon/core/policy.ts';
import type { State } from '../../daemon/core/state.ts';
import { type Action, type ActionOf, type Segment, sides } from '../../daemon/sim/action.ts';
import type { Trace } from '../../daemon/sim/trace.ts';
import { createWorld as createModel } from '../../daemon/sim/world.ts';
import { address, examplePolicy, type Side } from './example.ts';

export interface WorldOptions {
  readonly seed?: number;
  readonly policy?: (side: Side) => Policy;
  /** About how long a guest takes to start, and to shut down. */
  readonly startMs?: number;
  readonly stopMs?: number;
  readonly lossy?: Omit<ActionOf<'network'>, 'kind' | 'segment'>;
}

export type World = ReturnType<typeof createWorld>;

const calm = { loss: 0, duplicate: 0, late: 0, delayMs: 0 };
type Cable = 'heartbeat' | 'lan';
const segmentOf = (cable: Cable): Segment => (cable === 'lan' ? 'lan' : 'dedicated');

export function createWorld({
  seed = 1,
  startMs = 100,
  stopMs = 20,
  lossy = calm,
  ...options
}: WorldOptions = {}) {
  /** Actions carried out, `primary start guest:mail` and so on. */
  const log: string[] = [];
  const violations: string[] = [];
  const see = (trace: Trace) => {
    const found = (what: string) => violations.push(`${trace.at.toFixed(0)} ms: ${what}`);
    if (trace.kind === 'operation' && typeof trace.outcome === 'string') {
      const { side, action, resource, outcome } = trace;
      log.push(outcome === 'started' ? `${side} ${action} ${resource}` : `${side} cancel`);
    }
    if (trace.kind === 'running' && trace.running === 'up' && trace.resource !== address) {
      const isTwice = sides.every((side) => model.running(side, trace.resource) === 'up');
      if (isTwice) found(`${trace.resource} runs on both hosts`);
    }
    if (trace.kind !== 'stepped' || !trace.effects.some(({ kind }) => kind === 'exit')) return;
    const { persistedRevision, ledgerRevision } = trace.after;
    if (persistedRevision < ledgerRevision) found(`${trace.side} left before its ledger was on disk`);
  };
  const model = createModel({
    seed,
    policy: options.policy ?? examplePolicy,
    trace: see,
    boots: false,
    bootMs: 0,
    restartsDaemon: false,
    durations: ({ kind }, action) =>
      kind === 'address' ? 4 : action === 'start' ? startMs : action === 'stop' ? stopMs : 20,
  });
  const { apply, run, runUntil } = model;
  const does = (action: Action) => void apply(action);
  for (const segment of ['dedicated', 'lan'] as const) apply({ kind: 'network', segment, ...lossy });

  return {
    log,
    violations,
    now: model.now,
    run,
    inject: model.inject,
    resource: model.running,
    notes: model.notes,
    phase: (side: Side) => model.state(side)?.groups[0]?.phase.kind ?? 'no daemon',
    state(side: Side): State {
      const state = model.state(side);
      if (state === null) throw new Error(`no daemon on ${side}`);
      return state;
    },
    /** Throws with both nodes' notes when it does not come to that within `limitMs`. */
    runUntil(what: string, done: () => boolean, limitMs = 60_000): void {
      if (runUntil(done, limitMs)) return;
      const story = sides.flatMap((side) => model.notes(side).map((note) => ({ ...note, side })));
      const last = story.toSorted((a, b) => a.at - b.at).slice(-40);
      const lines = last.map(({ at, side, message }) => `${at.toFixed(0)} ${side} ${message}\n`);
      throw new Error(`${what} did not happen within ${limitMs} ms:\n${lines.join('')}`);
    },
    /** Power and a daemon. `observes: false`: its drivers cannot tell yet what runs. */
    boot(host: Side, { observes = true }: { readonly observes?: boolean } = {}): void {
      apply({ kind: 'drivers', host, condition: observes ? 'ok' : 'silent' });
      apply({ kind: 'power-on', host });
      apply({ kind: 'start-daemon', host });
    },
    observe: (host: Side) => does({ kind: 'drivers', host, condition: 'ok' }),
    killDaemon: (host: Side) => does({ kind: 'kill-daemon', host, staysDown: true }),
    powerLoss: (host: Side) => does({ kind: 'power-loss', host }),
    stop: (host: Side) => does({ kind: 'stop-daemon', host }),
    cut: (host: Side, cable: Cable) =>
      does({ kind: 'cut', host, segment: segmentOf(cable), direction: 'both' }),
    mend: (host: Side, cable: Cable) => does({ kind: 'mend', host, segment: segmentOf(cable) }),
    gateway: (up: boolean) => does({ kind: 'gateway', condition: up ? 'on' : 'off' }),
    partition: (on: boolean) => does({ kind: on ? 'partition' : 'heal' }),
    /** The daemon alone does not run for this long. */
    stall: (host: Side, ms: number) => does({ kind: 'pause-daemon', host, ms }),
    breakDisk: (host: Side, on: boolean) => does({ kind: 'state-disk', host, condition: on ? 'full' : 'ok' }),
    breakResource: (host: Side, resource: string) => does({ kind: 'break', host, resource, how: 'fails' }),
    setResource: (host: Side, resource: string, running: 'up' | 'down') =>
      does({ kind: running === 'up' ? 'start-by-hand' : 'stop-by-hand', host, resource }),
    ask: (host: Side, request: OperatorRequest): RequestAnswer =>
      apply({ kind: 'operator', host, request }) ?? {
        kind: 'refused',
        code: 'node-stopping',
        message: 'no answer',
        next: '',
      },
  };
}
