// The rules about guests beside each other (S8, S9): what memory they go on from, and when they may start.

import type { Effect } from '../../daemon/core/events.ts';
import type { GuestPolicy, ResourceId } from '../../daemon/core/policy.ts';
import type { State } from '../../daemon/core/state.ts';
import type { Side } from '../../daemon/sim/action.ts';
import type { Checker, Context, TraceOf } from './checkers.ts';

/**
 * S8. Memory that was saved is gone on from once, where nothing that was written is missing (rule S3 is about the rest), and on
 * the disk that it was saved with. A guest that a person has started behind the daemon's back does not count until it
 * has been seen down again: what its memory was worth, he knew.
 */
export function memoryUsedOnce({ report }: Context): Checker {
  /** Images, and where each was gone on from last. */
  const used = new Map<number, Side>();
  const byHand = new Set<string>();
  let hasLostDisk = false;
  let isOlderUsed = false;
  return {
    rule: 'S8',
    action({ action }) {
      if (action.kind === 'start-by-hand') byHand.add(action.resource);
      if (action.kind === 'disk-failure' || action.kind === 'replace-disk') hasLostDisk = true;
      // What came of it there went with the disk: who puts an empty one in has the other copy used, and the memory that is of it.
      if (action.kind === 'replace-disk')
        for (const [image, side] of used) if (side === action.host) used.delete(image);
      // With the disk that had the newer data gone, a person has older ones used, and the memory that is of them.
      const accepts = action.kind === 'operator' && action.request.kind === 'accept-data';
      isOlderUsed ||= hasLostDisk && accepts;
    },
    restored({ at, side, resource, image, sameDisk, lastingly, newest }) {
      if (!sameDisk && !byHand.has(resource))
        report('S8', at, side, `${resource} goes on from memory that its disk is no longer of`);
      if (used.has(image) && newest && !isOlderUsed)
        report('S8', at, side, `${resource} goes on from memory that was gone on from before`);
      if (lastingly) used.set(image, side);
      byHand.delete(resource);
    },
  };
}

interface Ordered {
  readonly id: ResourceId;
  readonly group: number;
  readonly place: number;
  readonly guest: GuestPolicy;
  readonly startMs: number;
  /** Of its group, those that come before it. */
  readonly before: Ordered[];
}

/** What a run of a daemon has been told of a guest, by its own clock, milliseconds. */
interface Told {
  kind: string | null;
  since: number;
  answeredAt: number | null;
}

function orderedGuests({ groups }: Context['policy']): readonly Ordered[] {
  const guests = groups.flatMap(({ resources }, group) =>
    resources.flatMap(({ id, guest, startMs }, place): Ordered[] =>
      guest === undefined ? [] : [{ id, group, place, guest, startMs, before: [] }],
    ),
  );
  for (const one of guests) {
    const isBefore = (other: Ordered) =>
      other.group === one.group &&
      (one.guest.after.includes(other.id) || other.guest.priority > one.guest.priority);
    one.before.push(...guests.filter(isBefore));
  }
  return guests;
}

/** One that has failed so often in a row is down, and is waited for no longer. */
const triesAwaited = 3;

/**
 * S9. A guest is not asked to start while one of its group that comes before it is not up, and has neither been given up nor left
 * out, nor been tried often enough; nor before that one has answered and its pause is over, for as long as its readiness is waited for. And the
 * guests of a host, with all that are being started, never have more memory than there is for them.
 */
export function startsInOrder({ policy, report }: Context): Checker {
  const guests = orderedGuests(policy);
  if (guests.length === 0) return { rule: 'S9' };
  const byId = new Map(guests.map((one) => [one.id, one]));
  const nothing = (): Told[] => guests.map(() => ({ kind: null, since: 0, answeredAt: null }));
  const told: Record<Side, Told[]> = { primary: nothing(), secondary: nothing() };
  const seenIn = (state: State, { group, place }: Ordered) => state.groups[group]?.resources[place];
  const listen = ({ side, event, before, after }: Stepped) => {
    for (let index = 0; index < guests.length; index += 1) {
      const one = guests[index] as Ordered;
      const seen = seenIn(after, one);
      const known = told[side][index] as Told;
      const answers = event.kind === 'guest-answered' && event.resource === one.id;
      if (seen === seenIn(before, one) && known.kind !== null && !answers) continue;
      const kind = seen?.status?.kind ?? null;
      if (kind !== known.kind) Object.assign(known, { kind, since: after.now, answeredAt: null });
      if (answers && kind === 'up') known.answeredAt ??= after.now;
    }
  };
  const holdsUp = (side: Side, state: State, other: Ordered): string | null => {
    const { now } = state;
    const seen = seenIn(state, other);
    if (seen === undefined || seen.quarantined !== null || seen.leftOut) return null;
    const { kind, since, answeredAt } = told[side][guests.indexOf(other)] as Told;
    const { readyMs, startDelayMs } = other.guest;
    if (kind === null || kind === 'down') return seen.failures >= triesAwaited ? null : 'down';
    if (kind !== 'up') return now < since + other.startMs ? kind : null;
    const readyAt = readyMs === null ? since : answeredAt;
    if (readyAt === null) return now < since + (readyMs ?? 0) ? 'not ready' : null;
    return now < readyAt + startDelayMs ? 'only just ready' : null;
  };
  const memoryOf = (state: State) => {
    let sumMiB = 0;
    for (const one of guests) {
      const seen = seenIn(state, one);
      const isAway = seen?.status?.kind === 'down' && seen.operation === null && !seen.inDoubt;
      if (!isAway) sumMiB += one.guest.memoryMiB;
    }
    return sumMiB;
  };
  const judge = ({ at, side, after }: Stepped, effect: Effect) => {
    if (effect.kind !== 'start-operation' || effect.action !== 'start') return;
    const guest = byId.get(effect.resource);
    if (guest === undefined) return;
    for (const other of guest.before) {
      const why = holdsUp(side, after, other);
      if (why !== null) report('S9', at, side, `start ${guest.id} while ${other.id} is ${why}`);
    }
    const limitMiB = policy.guestMemoryMiB ?? Infinity;
    const sumMiB = memoryOf(after);
    if (sumMiB > limitMiB)
      report('S9', at, side, `start ${guest.id} although that makes ${sumMiB} of ${limitMiB} MiB`);
  };
  return {
    rule: 'S9',
    daemon({ side }) {
      told[side] = nothing();
    },
    stepped(trace) {
      if (trace.before.groups === trace.after.groups) return;
      listen(trace);
      for (const effect of trace.effects) judge(trace, effect);
    },
  };
}

type Stepped = TraceOf<'stepped'>;
