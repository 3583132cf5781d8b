// Feeds events to the core, one at a time, and hands its effects to whoever carries them out.
// Guarantees: events are taken in the order they came; before time is judged, packets that lie in the sockets are
// read; a broken invariant of the core is fatal, never skipped.

import type { LatenessView } from '../control/api.ts';
import type { Effect, Event } from '../core/events.ts';
import type { State } from '../core/state.ts';
import { step } from '../core/step.ts';
import { createHistogram, type HistogramReading } from '../metrics/histogram.ts';
import { monotonicMs } from './clock.ts';

/** An event without its time, which the loop gives it. */
export type Untimed<E extends Event = Event> = E extends Event ? Omit<E, 'at'> : never;

export interface Loop {
  post(event: Untimed): void;
  state(): State;
  /** Heartbeats given up because the queue was full. */
  dropped(): number;
  /** How much later than the core wished it was asked to judge the time. */
  lateness(): HistogramReading;
  stop(): void;
}

export interface LoopOptions {
  readonly initial: State;
  /** Called before the core sees the event. */
  readonly record: (event: Event, state: State) => void;
  /** Called before the effects of that event are carried out. */
  readonly recordEffects: (effects: readonly Effect[]) => void;
  readonly carryOut: (effect: Effect) => void;
  /** Called when the core has judged the time and its effects were carried out: the sign that it still decides. */
  readonly onDecided: (state: State) => void;
  /** The core threw: nothing may be decided any more. */
  readonly onBroken: (error: unknown) => void;
}

const queueMax = 1000;
/** Turns of the event loop given to waiting packets after a stall, at most. */
const catchUpTurns = 20;
/** Seconds; close where fast timings have to be judged. */
const latenessBounds = [
  ...[0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.05],
  ...[0.1, 0.2, 0.3, 0.5, 1, 2, 5],
];

export function latenessView({ bounds, cumulative, count, longest }: HistogramReading): LatenessView {
  const usual = bounds[cumulative.findIndex((upTo) => upTo >= count * 0.999)] ?? longest;
  const longestMs = Math.round(longest * 1000);
  return { count, usualMs: Math.min(longestMs, Math.round(usual * 1000)), longestMs };
}

export function startLoop(options: LoopOptions): Loop {
  const { initial, record, recordEffects, carryOut, onDecided, onBroken } = options;
  let state = initial;
  let queue: Event[] = [];
  let busy = false;
  let stopped = false;
  let droppedCount = 0;
  let arrivals = 0;
  const lateness = createHistogram(latenessBounds);
  let timer: NodeJS.Timeout | undefined;

  const drain = () => {
    if (busy || stopped) return;
    busy = true;
    try {
      while (queue.length > 0 && !stopped) {
        const events = queue;
        queue = [];
        for (const event of events) {
          record(event, state);
          const { state: next, effects } = step(state, event);
          state = next;
          recordEffects(effects);
          // The peer waits for what is done, nobody for what is said of it.
          for (const effect of effects) if (effect.kind !== 'note') carryOut(effect);
          for (const effect of effects) if (effect.kind === 'note') carryOut(effect);
          if (event.kind === 'time-passed') onDecided(state);
        }
      }
    } catch (error) {
      stopped = true;
      clearTimeout(timer);
      onBroken(error);
      return;
    } finally {
      busy = false;
    }
    arm();
  };

  const arm = () => {
    if (stopped) return;
    clearTimeout(timer);
    timer = setTimeout(onTime, Math.max(0, Math.ceil(state.wakeAt - monotonicMs())));
  };

  const onTime = () => {
    const lateMs = monotonicMs() - state.wakeAt;
    lateness.observe(Math.max(0, lateMs) / 1000);
    const turns = lateMs > state.policy.timings.keepaliveMs / 2 ? catchUpTurns : 1;
    catchUp(turns, arrivals);
  };

  /** Lets the sockets be read first: after a stall as long as packets keep coming, else for one turn. */
  const catchUp = (turns: number, seen: number) => {
    setImmediate(() => {
      if (stopped) return;
      if (turns > 1 && (arrivals > seen || turns === catchUpTurns)) return catchUp(turns - 1, arrivals);
      post({ kind: 'time-passed' });
    });
  };

  const post = (event: Untimed) => {
    if (stopped) return;
    if (event.kind === 'heartbeat-received') {
      arrivals += 1;
      if (queue.length >= queueMax) {
        droppedCount += 1;
        return;
      }
    }
    queue.push({ ...event, at: monotonicMs() } as Event);
    drain();
  };

  return {
    post,
    state: () => state,
    dropped: () => droppedCount,
    lateness: lateness.read,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
