// Who is served by what while the modelled world runs, and what runs on both hosts at once. It goes by the truth: a
// thing serves where it runs, on a host that does not stand still and whose LAN cable is whole.

import type { ResourceId } from '../core/policy.ts';
import { type Action, otherSide, type Side, sides } from '../sim/action.ts';
import type { Running, Trace } from '../sim/trace.ts';

/** Milliseconds of the world's time. */
export interface Span {
  readonly from: number;
  /** null: it lasts. */
  readonly to: number | null;
}

export interface Service {
  readonly listen: (trace: Trace) => void;
  isServed(resource: ResourceId): boolean;
  /** When nobody served it, from then on. */
  gaps(resource: ResourceId, sinceMs: number): readonly Span[];
  /** For how long it ran on both hosts from then on, milliseconds. */
  doubledMs(resource: ResourceId, sinceMs: number, untilMs: number): number;
  /** For how long it ran on one host while a start of it was under way on the other one, milliseconds. */
  overlapMs(resource: ResourceId, sinceMs: number, untilMs: number): number;
}

interface Change {
  readonly at: number;
  readonly served: boolean;
  readonly doubled: boolean;
  readonly overlaps: boolean;
}

const unknown: Change = { at: 0, served: false, doubled: false, overlaps: false };

export function createService(): Service {
  const running = new Map<ResourceId, Record<Side, Running>>();
  const changes = new Map<ResourceId, Change[]>();
  /** What is being started on a host. */
  const starting: Record<Side, Set<ResourceId>> = { primary: new Set(), secondary: new Set() };
  const lan: Record<Side, boolean> = { primary: true, secondary: true };
  const pausedUntil: Record<Side, number> = { primary: -Infinity, secondary: -Infinity };
  let seenAt = -Infinity;

  const refresh = (at: number) => {
    seenAt = at;
    for (const [resource, on] of running) {
      const runs = (side: Side) => on[side] === 'up' && pausedUntil[side] <= at;
      const served = sides.some((side) => runs(side) && lan[side]);
      const doubled = sides.every(runs);
      const isStarting = (side: Side) =>
        starting[side].has(resource) && on[side] !== 'up' && pausedUntil[side] <= at;
      const overlaps = sides.some((side) => runs(side) && isStarting(otherSide(side)));
      const list = changes.get(resource) ?? [];
      changes.set(resource, list);
      const last = list.at(-1) ?? unknown;
      const isNew = last.served !== served || last.doubled !== doubled || last.overlaps !== overlaps;
      if (isNew) list.push({ at, served, doubled, overlaps });
    }
  };
  /** Hosts that have gone on by now, at the time at which they did. */
  const goOn = (at: number) => {
    const due = sides.map((side) => pausedUntil[side]).filter((until) => until > seenAt && until <= at);
    for (const until of due.toSorted((a, b) => a - b)) refresh(until);
  };
  const changesOf = (resource: ResourceId) => changes.get(resource) ?? [];

  return {
    listen(trace) {
      goOn(trace.at);
      if (trace.kind === 'running') {
        const on = running.get(trace.resource) ?? { primary: 'down', secondary: 'down' };
        running.set(trace.resource, { ...on, [trace.side]: trace.running });
        refresh(trace.at);
      } else if (trace.kind === 'operation' && trace.action === 'start') {
        if (trace.outcome === 'started') starting[trace.side].add(trace.resource);
        else if (trace.outcome !== 'cancelled') starting[trace.side].delete(trace.resource);
        refresh(trace.at);
      } else if (trace.kind === 'powered' || (trace.kind === 'daemon' && !trace.runs)) {
        starting[trace.side].clear(); // A daemon that dies tells no more of what it had begun.
        refresh(trace.at);
      } else if (trace.kind === 'action') {
        const { action, at } = trace;
        noteCables(lan, action);
        if (action.kind === 'pause-host') pausedUntil[action.host] = at + action.ms;
        refresh(at);
      }
    },
    isServed: (resource) => changesOf(resource).at(-1)?.served ?? false,
    gaps: (resource, sinceMs) => spans(changesOf(resource), sinceMs, ({ served }) => !served),
    doubledMs: (resource, sinceMs, untilMs) =>
      total(
        spans(changesOf(resource), sinceMs, ({ doubled }) => doubled),
        untilMs,
      ),
    overlapMs: (resource, sinceMs, untilMs) =>
      total(
        spans(changesOf(resource), sinceMs, ({ overlaps }) => overlaps),
        untilMs,
      ),
  };
}

const total = (list: readonly Span[], untilMs: number): number =>
  list.reduce((sum, { from, to }) => sum + (to ?? untilMs) - from, 0);

function noteCables(lan: Record<Side, boolean>, action: Action): void {
  if ((action.kind === 'cut' || action.kind === 'mend') && action.segment === 'lan') {
    lan[action.host] = action.kind === 'mend';
  }
}

/** When it was so, from then on. */
function spans(
  changes: readonly Change[],
  sinceMs: number,
  isSo: (change: Change) => boolean,
): readonly Span[] {
  const before = changes.findLast(({ at }) => at < sinceMs) ?? unknown;
  const list: Span[] = [];
  let from = isSo(before) ? sinceMs : null;
  for (const change of changes) {
    if (change.at < sinceMs) continue;
    if (isSo(change) && from === null) from = change.at;
    if (!isSo(change) && from !== null) {
      list.push({ from, to: change.at });
      from = null;
    }
  }
  return from === null ? list : [...list, { from, to: null }];
}
