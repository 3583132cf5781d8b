// Rule S4: who announces an address, by what is true in the world.

import type { Policy } from '../../daemon/core/policy.ts';
import { type Action, type Side, sides } from '../../daemon/sim/action.ts';
import type { Checker, Context } from './checkers.ts';
import { runningOf } from './truth.ts';

/** Guests that are to go on may be held up by an operation of the peer's for this long; their address is there already. */
const resumingMs = 4000;

/**
 * S4. Where two nodes hold an address, the loser hears the winner within two keepalives of the heal (one for each to
 * prove that it reads the other), and lets the address go within one operation. A bad network takes a few more. And a
 * host whose guests stand paused does not announce the addresses of their group for longer than that, either, but while
 * its operator has it in maintenance: nothing is touched there.
 */
export function addressBoundMs({ timings }: Policy): number {
  return 2 * timings.keepaliveMs + timings.deadtimeMs;
}

interface Holders {
  readonly id: string;
  readonly guests: readonly string[];
  /** What its group has besides addresses: paused guests go on when all of it does what it is told. */
  readonly awaited: readonly string[];
  readonly isSet: Record<Side, boolean>;
  /** Since when both announce it; null: they do not. */
  since: number | null;
  /** Since when a side announces it although its guests are paused. */
  readonly frozenSince: Record<Side, number | null>;
  readonly stopMs: number;
  /** A person has set it, who knows nothing of the daemon: until it has been down. */
  readonly byHand: Record<Side, boolean>;
  /** Since when it cannot be moved; null: it can. */
  readonly brokenSince: Record<Side, number | null>;
  /** Nothing counts before this: it can be moved again, and the daemon has had the time to try. */
  countsFrom: number;
  /** Of these, on either host, and since when one does not. */
  readonly stuck: Map<string, number>;
  /** Until then guests may wait, paused, for what the other host could not let go of. */
  heldUntil: number;
}

/** What is destroyed may take this long, and so what hangs from before it was mended. */
const destroyMs = 10_000;

/** The daemon tries again after twice as long each time, and at the latest after this. */
const retryMsMax = 30_000;

const holdersOf = ({ groups }: Policy): readonly Holders[] =>
  groups.flatMap(({ resources }) =>
    resources
      .filter(({ kind }) => kind === 'address')
      .map(({ id, stopMs }) => ({
        id,
        stopMs,
        guests: resources.filter(({ kind }) => kind === 'guest').map((guest) => guest.id),
        awaited: resources.filter(({ kind }) => kind !== 'address').map(({ id }) => id),
        isSet: { primary: false, secondary: false },
        since: null,
        frozenSince: { primary: null, secondary: null },
        byHand: { primary: false, secondary: false },
        brokenSince: { primary: null, secondary: null },
        countsFrom: -Infinity,
        stuck: new Map(),
        heldUntil: -Infinity,
      })),
  );

/** An address is announced where it is set on a host that goes on and whose LAN cable takes packets out. */
export function addressOnce({ policy, hosts, report }: Context): Checker {
  const boundMs = addressBoundMs(policy);
  const isOnLan: Record<Side, boolean> = { primary: true, secondary: true };
  const isLeftAlone: Record<Side, boolean> = { primary: false, secondary: false };
  const addresses = holdersOf(policy);
  const running = runningOf();
  const breach = (holders: Holders, side: Side | null, since: number, at: number, what: string) => {
    const isHeld = side !== null && holders.stuck.size > 0;
    const from = side === null ? since : Math.max(since, holders.heldUntil);
    const lastedMs = isHeld ? 0 : at - Math.max(from, holders.countsFrom);
    const limitMs = side === null ? boundMs : boundMs + resumingMs;
    if (lastedMs <= limitMs || isExcused(holders)) return;
    const times = `for ${Math.round(lastedMs)} ms, the bound is ${Math.round(limitMs)} ms`;
    report('S4', since, side, `${holders.id} was announced by ${what} ${times}`).lastedMs = lastedMs;
  };
  const isExcused = ({ byHand, brokenSince }: Holders) =>
    sides.some((side) => byHand[side] || brokenSince[side] !== null);
  const announces = ({ isSet }: Holders, side: Side) => isSet[side] && isOnLan[side] && hosts.goesOn(side);
  const isFrozen = ({ guests }: Holders, side: Side) =>
    guests.some((id) => running.get(id, side) === 'paused') &&
    guests.every((id) => running.get(id, side) !== 'up');
  const judge = (holders: Holders, at: number, isEnd = false) => {
    const isBoth = !isEnd && sides.every((side) => announces(holders, side));
    if (!isBoth && holders.since !== null) breach(holders, null, holders.since, at, 'both hosts');
    holders.since = isBoth ? (holders.since ?? at) : null;
    for (const side of sides) {
      const since = holders.frozenSince[side];
      const isKept = !isEnd && !isLeftAlone[side] && announces(holders, side) && isFrozen(holders, side);
      if (!isKept && since !== null) breach(holders, side, since, at, 'a host with paused guests');
      holders.frozenSince[side] = isKept ? (since ?? at) : null;
    }
  };
  const breakOrMend = (holders: Holders, side: Side, at: number, isBroken: boolean) => {
    const since = holders.brokenSince[side];
    holders.brokenSince[side] = isBroken ? (since ?? at) : null;
    if (isBroken || since === null) return;
    const retryMs = Math.min(retryMsMax, at - since) + holders.stopMs;
    holders.countsFrom = Math.max(holders.countsFrom, at + retryMs);
  };
  /** What is paused goes on once it can be told of it. */
  const holdWhileUntold = (side: Side, at: number, isUntold: boolean) => {
    const key = `${side} drivers`;
    for (const holders of addresses) {
      if (isUntold) holders.stuck.set(key, at);
      else if (holders.stuck.delete(key)) holders.heldUntil = Math.max(holders.heldUntil, at);
    }
  };
  const holdOrLetGo = (resource: string, side: Side, at: number, isBroken: boolean) => {
    const key = `${side} ${resource}`;
    for (const holders of addresses.filter(({ awaited }) => awaited.includes(resource))) {
      const since = holders.stuck.get(key);
      if (isBroken) holders.stuck.set(key, since ?? at);
      if (isBroken || since === undefined) continue;
      holders.stuck.delete(key);
      holders.heldUntil = at + destroyMs + Math.min(retryMsMax, at - since) + holders.stopMs;
    }
  };
  const isNoNews = ({ brokenSince }: Holders, action: Action) =>
    action.kind === 'break' && (action.how === 'ok') === (brokenSince[action.host] === null);
  const judgeAll = (at: number) => {
    for (const holders of addresses) judge(holders, at);
  };
  return {
    rule: 'S4',
    stepped({ at, side, after }) {
      const isMaintained = after.maintenanceUntil !== null;
      if (isMaintained === isLeftAlone[side]) return;
      isLeftAlone[side] = isMaintained;
      judgeAll(at);
    },
    running({ at, side, resource, running: now }) {
      running.set(resource, side, now);
      for (const holders of addresses) {
        if (holders.id === resource) holders.isSet[side] = now === 'up';
        if (holders.id === resource || holders.guests.includes(resource)) judge(holders, at);
        if (holders.id === resource && now !== 'up') holders.byHand[side] = false;
      }
    },
    action({ at, action }) {
      if (action.kind === 'drivers') holdWhileUntold(action.host, at, action.condition === 'unsure');
      if (action.kind === 'start-by-hand' || action.kind === 'break') {
        if (action.kind === 'break') holdOrLetGo(action.resource, action.host, at, action.how !== 'ok');
        const holders = addresses.find(({ id }) => id === action.resource);
        if (holders === undefined || isNoNews(holders, action)) return;
        judge(holders, at, true); // What was before is no part of it.
        if (action.kind === 'start-by-hand') holders.byHand[action.host] = true;
        else breakOrMend(holders, action.host, at, action.how !== 'ok');
        judge(holders, at);
        return;
      }
      const isCable = (action.kind === 'cut' || action.kind === 'mend') && action.segment === 'lan';
      if (!isCable || (action.kind === 'cut' && action.direction === 'in')) return;
      isOnLan[action.host] = action.kind === 'mend';
      judgeAll(at);
    },
    hostsChanged: judgeAll,
    ended(at) {
      for (const holders of addresses) judge(holders, at, true);
    },
  };
}
