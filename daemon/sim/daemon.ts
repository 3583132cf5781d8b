// The daemon's process on a modelled host, as daemon/runtime/loop.ts runs it: events in the order they came, waking
// when the core asked for it, and after a pause the sockets before the clock. Decides nothing.

import type { Effect, Event } from '../core/events.ts';
import { step } from '../core/step.ts';
import { type Host, hostClock } from './model.ts';
import type { Untimed } from './world.ts';

/** About what a UDP socket of the usual size holds. */
const socketHolds = 200;

/** Its time is set when the daemon takes it in. */
export function post(host: Host, event: Event): void {
  if (host.state === null) return;
  const now = host.model.agenda.now();
  if (host.pausedUntil <= now && host.daemonPausedUntil <= now) {
    dispatch(host, event);
    return;
  }
  if (event.kind === 'heartbeat-received') {
    const held = host.waitingPackets[event.link] ?? 0;
    if (held >= socketHolds) return;
    host.waitingPackets[event.link] = held + 1;
  }
  host.waiting.push(event);
}

/** An event from outside of the world; what the core made of it, nothing if the daemon does not run now. */
export function inject(host: Host, event: Untimed): readonly Effect[] {
  const now = host.model.agenda.now();
  const timed = { ...event, at: 0 } as Event;
  if (host.pausedUntil <= now && host.daemonPausedUntil <= now) return dispatch(host, timed);
  post(host, timed);
  return [];
}

function dispatch(host: Host, event: Event): readonly Effect[] {
  const { model, state: before, run } = host;
  if (before === null) return [];
  (event as { at: number }).at = hostClock(host);
  const { state: after, effects } = step(before, event);
  host.state = after;
  model.steps += 1;
  const { trace } = model;
  if (trace !== null) {
    trace({ kind: 'stepped', at: model.agenda.now(), side: host.side, event, before, after, effects });
  }
  for (const effect of effects) {
    model.carryOut(host, effect);
    if (host.run !== run) return effects;
  }
  arm(host);
  return effects;
}

/** As setTimeout: whole milliseconds, and up to one late. A wake-up that comes too early is put off when it comes. */
function arm(host: Host): void {
  if (host.state === null) return;
  const { agenda } = host.model;
  const { wakeAt } = host.state;
  if (wakeAt >= host.wakeFor) return;
  const dueMs = (wakeAt - hostClock(host)) / host.clock.rate;
  host.wakeFor = wakeAt;
  host.wakeDue = agenda.now() + Math.max(0, dueMs) + host.chance();
  agenda.at(host.wakeDue, wake, host);
}

function wake(host: Host): void {
  const now = host.model.agenda.now();
  if (host.state === null || now !== host.wakeDue) return; // Another one is due.
  host.wakeDue = Infinity;
  host.wakeFor = Infinity;
  if (host.pausedUntil > now || host.daemonPausedUntil > now) return; // Its thaw wakes it.
  if (hostClock(host) < host.state.wakeAt) arm(host);
  else dispatch(host, { kind: 'time-passed', at: 0 });
}

/** The process does not run for a while, alone or with its host. */
export function pauseDaemon(host: Host, untilMs: number): void {
  host.daemonPausedUntil = Math.max(host.daemonPausedUntil, untilMs);
  host.model.agenda.at(untilMs, thaw, host);
}

/** Files are read in the order in which they became ready; the time is looked at when all are read. */
function thaw(host: Host): void {
  const now = host.model.agenda.now();
  if (host.state === null || host.pausedUntil > now || host.daemonPausedUntil > now) return;
  const { waiting, run } = host;
  host.waiting = [];
  host.waitingPackets = [];
  const packetsFirst = host.chance() < 0.5;
  if (packetsFirst) {
    for (const event of waiting) {
      if (event.kind === 'heartbeat-received' && host.run === run) dispatch(host, event);
    }
  }
  for (const event of waiting) {
    if (host.run !== run) return;
    if (!packetsFirst || event.kind !== 'heartbeat-received') dispatch(host, event);
  }
  if (host.run === run) dispatch(host, { kind: 'time-passed', at: 0 });
}
