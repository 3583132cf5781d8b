// The rules about what a daemon does and says (S5, S6, L3), read from the steps of its core.

import type { Effect, Event } from '../../daemon/core/events.ts';
import { explainObstacle } from '../../daemon/core/obstacles.ts';
import type { State } from '../../daemon/core/state.ts';
import type { Action, Side } from '../../daemon/sim/action.ts';
import type { Checker, Context, TraceOf } from './checkers.ts';

type Stepped = TraceOf<'stepped'>;

/** S5. Whatever brings something up finds the generation that it belongs to on this host's disk, with this owner. */
export function persistedFirst({ ledgerOnDisk, report }: Context): Checker {
  const check = ({ at, side, after }: Stepped, effect: Effect) => {
    if (effect.kind !== 'start-operation') return;
    if (effect.action !== 'start' && effect.action !== 'resume') return;
    const phase = after.groups.find(({ policy }) => policy.name === effect.group)?.phase;
    const generation = phase !== undefined && 'generation' in phase ? phase.generation : 0;
    const record = ledgerOnDisk(side).groups.find(({ name }) => name === effect.group);
    if (generation > 0 && record?.generation === generation && record.owner === after.policy.self) return;
    const onDisk = record === undefined ? 'nothing' : `generation ${record.generation} of ${record.owner}`;
    const message = `${effect.action} ${effect.resource} in generation ${generation}, on disk is ${onDisk}`;
    report('S5', at, side, message);
  };
  return {
    rule: 'S5',
    stepped(trace) {
      for (const effect of trace.effects) check(trace, effect);
    },
  };
}

/** What this run of a daemon has been given of its peer's packets. */
interface Delivered {
  incarnation: number | null;
  readonly sequences: number[];
  /** Has the peer, in that incarnation, shown that it reads this run? */
  isProven: boolean;
}

/**
 * S6. A packet that is of an earlier incarnation than one that this run of the daemon was given, or not newer than
 * one that it was given on the same link; or not newer than the one in its ledger when it started. It may change the
 * refusal counters of its link, and nothing else; and nothing is done because of it. And what its sender wrote without
 * having read this run of the daemon may be a capture: it is no proof that the peer is alive.
 */
export function replaysChangeNothing({ ledgerOnDisk, report }: Context): Checker {
  const delivered: Record<Side, Delivered> = {
    primary: { incarnation: null, sequences: [], isProven: false },
    secondary: { incarnation: null, sequences: [], isProven: false },
  };
  return {
    rule: 'S6',
    daemon({ side, runs }) {
      if (!runs) return;
      const newest = ledgerOnDisk(side).peer;
      const sequences = newest === null ? [] : Array.from({ length: 8 }, () => newest.sequence);
      delivered[side] = { incarnation: newest?.incarnation ?? null, sequences, isProven: false };
    },
    stepped({ at, side, event, before, after, effects }) {
      if (event.kind !== 'heartbeat-received') return;
      if (isReplay(delivered[side], event)) {
        if (effects.length === 0 && differOnlyInRefusals(before, after)) return;
        const done = effects.length > 0 ? `asked for ${effects[0]?.kind}` : 'changed the state';
        report('S6', at, side, `packet ${event.incarnation}/${event.sequence}, seen before, ${done}`);
        return;
      }
      take(delivered[side], event, before.incarnation);
      if (!delivered[side].isProven && after.peer.lastHeardAt !== before.peer.lastHeardAt)
        report(
          'S6',
          at,
          side,
          `packet ${event.incarnation}/${event.sequence} proves nothing, and was believed`,
        );
    },
  };
}

type Packet = Extract<Event, { readonly kind: 'heartbeat-received' }>;

function isReplay({ incarnation, sequences }: Delivered, packet: Packet): boolean {
  if (incarnation === null || packet.incarnation > incarnation) return false;
  return packet.incarnation < incarnation || packet.sequence <= (sequences[packet.link] ?? 0);
}

function take(delivered: Delivered, packet: Packet, run: number): void {
  if (packet.incarnation !== delivered.incarnation) {
    delivered.incarnation = packet.incarnation;
    delivered.sequences.length = 0;
    delivered.isProven = false;
  }
  delivered.isProven ||= packet.echo?.incarnation === run;
  delivered.sequences[packet.link] = packet.sequence;
}

function differOnlyInRefusals(before: State, after: State): boolean {
  const [was, is] = [before, after] as unknown as readonly Readonly<Record<string, unknown>>[];
  if (was === undefined || is === undefined) return false;
  if (Object.keys(was).some((key) => key !== 'links' && was[key] !== is[key])) return false;
  return before.links.every((link, index) => {
    const now = after.links[index];
    return (
      now !== undefined &&
      now.lastHeardAt === link.lastHeardAt &&
      now.lastSequence === link.lastSequence &&
      now.down === link.down &&
      now.fresh === link.fresh
    );
  });
}

/** How long the one that went on is watched, milliseconds. */
const giveWayMs = 3000;

/**
 * S7. Where two copies of a guest have met, exactly one gives way. Watched from when both run until one of them has
 * been alone for a while, or until something is done to the world while only one of them runs.
 */
export function oneGivesWay({ policy, report }: Context): Checker {
  const guests = new Map<string, Met>();
  for (const { id, kind } of policy.groups.flatMap(({ resources }) => resources)) {
    if (kind !== 'guest') continue;
    guests.set(id, { up: { primary: false, secondary: false }, byHand: false, watchedUntil: -1 });
  }
  // A host that loses its power says so only after its guests have gone.
  let pending: { readonly at: number; readonly side: Side; readonly guest: string } | null = null;
  const confirm = (now: number) => {
    if (pending === null || now <= pending.at) return;
    const { at, side, guest } = pending;
    pending = null;
    report('S7', at, side, `both copies of ${guest} were given up`);
  };
  return {
    rule: 'S7',
    running({ at, side, resource, running }) {
      const guest = guests.get(resource);
      if (guest === undefined) return;
      confirm(at);
      const { up } = guest;
      const wasUp = up[side];
      up[side] = running !== 'down'; // Paused, it can go on.
      if (wasUp === up[side]) return;
      if (up.primary && up.secondary) guest.watchedUntil = guest.byHand ? -1 : Infinity;
      else if (up.primary || up.secondary) guest.watchedUntil = Math.min(guest.watchedUntil, at + giveWayMs);
      else {
        if (at < guest.watchedUntil) pending = { at, side, guest: resource };
        guest.watchedUntil = -1;
        guest.byHand = false;
      }
    },
    action({ action }) {
      const touched = touchedGuest(action);
      for (const [id, guest] of guests) {
        if (touched === id) guest.byHand = true;
        if (touched === id || !(guest.up.primary && guest.up.secondary)) guest.watchedUntil = -1;
      }
    },
    hostsChanged(at) {
      if (pending?.at === at) pending = null;
      for (const guest of guests.values()) guest.watchedUntil = -1;
    },
    stepped({ at }) {
      if (pending !== null) confirm(at);
    },
  };
}

interface Met {
  readonly up: Record<Side, boolean>;
  /** A person, or death, had a hand in it since it was last down everywhere. */
  byHand: boolean;
  watchedUntil: number;
}

function touchedGuest(action: Action): string | null {
  switch (action.kind) {
    case 'guest-dies':
      return action.guest;
    case 'start-by-hand':
    case 'stop-by-hand':
      return action.resource;
    default:
      return null;
  }
}

/** S8. In an orderly stop a guest waits for the addresses, a disk for its guests; what cannot be stopped holds nobody up. */
export function stopsInOrder({ report }: Context): Checker {
  const check = ({ at, side, after }: Stepped, effect: Effect) => {
    if (effect.kind !== 'start-operation' || effect.action !== 'stop') return;
    const group = after.groups.find(({ policy }) => policy.name === effect.group);
    if (group === undefined) return;
    const isAddress = effect.resource.startsWith('address:');
    for (const { id, status, failures } of group.resources) {
      const policy = group.policy.resources.find((one) => one.id === id);
      const isFirst = policy?.needs.includes(effect.resource) || (policy?.kind === 'address' && !isAddress);
      if (!isFirst || status?.kind === 'down' || failures > 1) continue;
      report('S8', at, side, `stop ${effect.resource} while ${id} is ${status?.kind ?? 'not seen'}`);
    }
  };
  return {
    rule: 'S8',
    stepped(trace) {
      for (const effect of trace.effects) check(trace, effect);
    },
  };
}

/** Alarms that say that something is held back until somebody acts. */
const heldBack = new Set(['block', 'quarantined', 'ledger-not-written']);

/** L3. A refusal, a block and the alarm about it each name what a person can do. */
export function reasonsGiven({ report }: Context): Checker {
  return {
    rule: 'L3',
    answered({ at, side, request, answer }) {
      if (answer.kind === 'refused' && (answer.next.trim() === '' || answer.message.trim() === ''))
        report('L3', at, side, `${request.kind} was refused without a word on what to do`);
    },
    note({ at, side, note }) {
      if (note.severity === 'alarm' && heldBack.has(note.code) && (note.next ?? '').trim() === '')
        report('L3', at, side, `the alarm ${note.code} does not say what to do`);
    },
    stepped({ at, side, before, after }) {
      if (before.groups === after.groups) return;
      after.groups.forEach((group, index) => {
        const { phase, policy } = group;
        if (phase.kind !== 'blocked' || before.groups[index]?.phase === phase) return;
        const { why, next } = explainObstacle(phase.obstacle, after.policy.peer, policy.name);
        if (why.trim() === '' || next.trim() === '')
          report('L3', at, side, `${policy.name} is blocked by ${phase.obstacle}, unexplained`);
      });
    },
  };
}
