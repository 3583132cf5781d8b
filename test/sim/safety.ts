// The rules about guests, disks and addresses (S1 to S4): what is true in the world, whatever the nodes believe.

import type { OperatorRequest } from '../../daemon/core/events.ts';
import type { Policy, ResourceKind } from '../../daemon/core/policy.ts';
import { tierOf } from '../../daemon/core/policy.ts';
import { otherSide, type Side, sides } from '../../daemon/sim/action.ts';
import type { Running } from '../../daemon/sim/trace.ts';
import type { Checker, Context, Rule, Violation } from './checkers.ts';

function kindsOf(policy: Policy): ReadonlyMap<string, ResourceKind> {
  return new Map(policy.groups.flatMap(({ resources }) => resources.map(({ id, kind }) => [id, kind])));
}

/** A breach that lasts: reported when it begins, its length known when it ends. */
function lasting(report: Context['report'], rule: Rule, message: string) {
  let breach: Violation | null = null;
  return (at: number, isOn: boolean) => {
    if (isOn && breach === null) breach = report(rule, at, null, message);
    if (!isOn && breach !== null) {
      breach.lastedMs = at - breach.at;
      breach = null;
    }
  };
}

interface Copies {
  readonly running: Record<Side, Running>;
  /** When it came up last, and whether a person who knows nothing of the daemon did that. */
  readonly upAt: Record<Side, number>;
  readonly handAt: Record<Side, number>;
  readonly judge: (at: number, isOn: boolean) => void;
}

/**
 * S1. A guest acts where its process runs and is not paused, on a host that has power and does not stand still. It
 * must never act on both hosts at the same instant, however short. A copy that a person started or resumed behind the
 * daemon's back does not count until it has stopped acting: nobody can keep a person from that.
 */
export function noGuestTwice({ policy, hosts, report }: Context): Checker {
  const kinds = kindsOf(policy);
  const guests = new Map<string, Copies>();
  for (const [id, kind] of kinds) {
    if (kind !== 'guest') continue;
    guests.set(id, {
      running: { primary: 'down', secondary: 'down' },
      upAt: { primary: -1, secondary: -1 },
      handAt: { primary: -1, secondary: -1 },
      judge: lasting(report, 'S1', `${id} runs on both hosts`),
    });
  }
  const acts = ({ running, upAt, handAt }: Copies, side: Side) =>
    running[side] === 'up' && hosts.goesOn(side) && upAt[side] !== handAt[side];
  const judge = (copies: Copies, at: number) =>
    copies.judge(at, acts(copies, 'primary') && acts(copies, 'secondary'));
  return {
    rule: 'S1',
    running({ at, side, resource, running }) {
      const copies = guests.get(resource);
      if (copies === undefined) return;
      if (copies.running[side] !== 'up' && running === 'up') copies.upAt[side] = at;
      copies.running[side] = running;
      judge(copies, at);
    },
    action({ at, action }) {
      if (action.kind !== 'start-by-hand') return;
      const copies = guests.get(action.resource);
      const side = action.host;
      if (copies === undefined || (copies.running[side] === 'up' && copies.upAt[side] !== at)) return;
      copies.handAt[side] = at;
      judge(copies, at);
    },
    hostsChanged(at) {
      for (const copies of guests.values()) judge(copies, at);
    },
    ended(at) {
      for (const copies of guests.values()) copies.judge(at, false);
    },
  };
}

interface Device {
  readonly id: string;
  readonly group: string;
  /** The guests that write to it. */
  readonly guests: readonly string[];
}

function devicesOf({ groups }: Policy): readonly Device[] {
  return groups.flatMap(({ name, resources }) =>
    resources
      .filter(({ kind }) => kind === 'drbd')
      .map(({ id }) => ({
        id,
        group: name,
        guests: resources
          .filter(({ kind: other, needs }) => other === 'guest' && needs.includes(id))
          .map((guest) => guest.id),
      })),
  );
}

/** What runs where, by the truth. */
function runningOf() {
  const running = new Map<string, Record<Side, Running>>();
  return {
    set: (id: string, side: Side, now: Running) => {
      const both = running.get(id) ?? { primary: 'down', secondary: 'down' };
      both[side] = now;
      running.set(id, both);
    },
    get: (id: string, side: Side): Running => running.get(id)?.[side] ?? 'down',
  };
}

/**
 * S2. Both copies of a device are primary, have lost each other and take writes, and on each host a guest that writes
 * to it acts: from then on they diverge, and one side's work is lost. What a cut-off owner of the evidence tier writes
 * between the cut and its freeze is lost by design, and is no breach as long as nobody writes to the other copy yet.
 */
export function noTwoWriters({ policy, hosts, report }: Context): Checker {
  const running = runningOf();
  const writable = new Map<string, boolean>();
  const judges = devicesOf(policy).map((device) => ({
    device,
    judge: lasting(report, 'S2', `both copies of ${device.id} are written to`),
  }));
  const isWritten = ({ guests }: Device, side: Side) =>
    hosts.goesOn(side) && guests.some((id) => running.get(id, side) === 'up');
  const judgeAll = (at: number) => {
    for (const { device, judge } of judges) {
      const isBoth = writable.get(device.id) === true && sides.every((side) => isWritten(device, side));
      judge(at, isBoth);
    }
  };
  return {
    rule: 'S2',
    running({ at, side, resource, running: now }) {
      running.set(resource, side, now);
      judgeAll(at);
    },
    storage({ at, resource, bothWritable }) {
      writable.set(resource, bothWritable);
      judgeAll(at);
    },
    hostsChanged: judgeAll,
    ended(at) {
      for (const { judge } of judges) judge(at, false);
    },
  };
}

/**
 * S3. What is promoted without a person's word is up-to-date, or consistent when the other copy is off, marked as the
 * older one, on a disk that has failed, or idle and no newer; and no acknowledged write is missing in it. The evidence
 * tier gives up one thing: what a cut-off owner wrote until it froze or had stopped its guests, so there none of them
 * may act. What a failed disk took with it nobody can have. A forced promotion needs an accepted request on that side.
 */
export function newestDataOnly({ policy, hosts, report }: Context): Checker {
  const devices = new Map(devicesOf(policy).map((device) => [device.id, device]));
  const isFenced = tierOf(policy) === 'fenced';
  const running = runningOf();
  const accepted: Record<Side, Set<string>> = { primary: new Set(), secondary: new Set() };
  /** Guests that went down from paused: nothing was written after the pause. */
  const discarded: Record<Side, Set<string>> = { primary: new Set(), secondary: new Set() };
  const failed = new Set<Side>();
  const isFrozen = (id: string, side: Side) => {
    const guests = devices.get(id)?.guests ?? [];
    const isStill = (guest: string) => running.get(guest, side) === 'paused' || discarded[side].has(guest);
    const isLettingGo = running.get(id, side) === 'up';
    const nobodyActs = guests.every((guest) => running.get(guest, side) !== 'up');
    return nobodyActs && (isLettingGo || guests.some(isStill));
  };
  const heardAt: Record<Side, number> = { primary: -Infinity, secondary: -Infinity };
  /** The other host has power and runs nothing of it any more, and has not been heard for as long as a takeover waits. */
  const isCutOff = (id: string, side: Side, at: number) => {
    const guests = devices.get(id)?.guests ?? [];
    const other = otherSide(side);
    const isIdle = guests.every((guest) => running.get(guest, other) !== 'up');
    return isIdle && hosts.goesOn(other) && at - heardAt[side] >= policy.timings.deadtimeMs;
  };
  /** Promotions that were begun then; one that is under way cannot be taken back. */
  const cutOffAtStart = new Set<string>();
  return {
    rule: 'S3',
    stepped({ at, side, event, effects }) {
      for (const effect of effects) {
        if (effect.kind !== 'start-operation' || !devices.has(effect.resource)) continue;
        const key = `${side} ${effect.resource}`;
        if (effect.action === 'start' && isCutOff(effect.resource, side, at)) cutOffAtStart.add(key);
        else cutOffAtStart.delete(key);
      }
      if (event.kind === 'heartbeat-received') heardAt[side] = at;
    },
    running({ side, resource, running: now }) {
      if (now === 'up') discarded[side].delete(resource);
      else if (now === 'down' && running.get(resource, side) === 'paused') discarded[side].add(resource);
      running.set(resource, side, now);
    },
    action({ action }) {
      if (action.kind === 'disk-failure') failed.add(action.host);
    },
    answered({ side, request, answer }) {
      if (answer.kind === 'accepted') for (const name of acceptedGroups(request)) accepted[side].add(name);
    },
    promoted({ at, side, group, resource, disk, peerFencedOrOutdated, forced, newest }) {
      if (forced) {
        if (!accepted[side].has(group)) report('S3', at, side, `${resource} was forced, and nobody said so`);
        return;
      }
      const isPeerOlder = peerFencedOrOutdated || failed.has(otherSide(side));
      const isPeerIdle = newest && running.get(resource, otherSide(side)) === 'down';
      const isProven = disk === 'up-to-date' || (disk === 'consistent' && (isPeerOlder || isPeerIdle));
      if (!isProven) report('S3', at, side, `${resource} was promoted although it is ${disk}`);
      const wasCutOff = isCutOff(resource, side, at) || cutOffAtStart.has(`${side} ${resource}`);
      const isGivenUp = !isFenced && (isFrozen(resource, otherSide(side)) || wasCutOff);
      const isGone = failed.has(otherSide(side));
      if (!newest && !isGivenUp && !isGone)
        report('S3', at, side, `${resource} was promoted, but lacks later writes`);
    },
  };
}

const acceptedGroups = (request: OperatorRequest) =>
  request.kind === 'accept-data' ? request.groups : ([] as const);

/** Guests that are to go on may be held up by an operation of the peer's for this long; their address is there already. */
const resumingMs = 4000;

/**
 * S4. Where two nodes hold an address, the loser hears the winner within two keepalives of the heal (one for each to
 * prove that it reads the other), and lets the address go within one operation. A bad network takes a few more. And a
 * host whose guests stand paused does not announce the addresses of their group for longer than that, either.
 */
export function addressBoundMs({ timings }: Policy): number {
  return 2 * timings.keepaliveMs + timings.deadtimeMs;
}

interface Holders {
  readonly id: string;
  readonly guests: readonly string[];
  readonly isSet: Record<Side, boolean>;
  /** Since when both announce it; null: they do not. */
  since: number | null;
  /** Since when a side announces it although its guests are paused. */
  readonly frozenSince: Record<Side, number | null>;
  /** Somebody else has had a hand in it, or it cannot be moved: until it has been down. */
  readonly isExcused: Record<Side, boolean>;
}

const holdersOf = ({ groups }: Policy): readonly Holders[] =>
  groups.flatMap(({ resources }) =>
    resources
      .filter(({ kind }) => kind === 'address')
      .map(({ id }) => ({
        id,
        guests: resources.filter(({ kind }) => kind === 'guest').map((guest) => guest.id),
        isSet: { primary: false, secondary: false },
        since: null,
        frozenSince: { primary: null, secondary: null },
        isExcused: { primary: false, secondary: false },
      })),
  );

/** An address is announced where it is set on a host that goes on and whose LAN cable takes packets out. */
export function addressOnce({ policy, hosts, report }: Context): Checker {
  const boundMs = addressBoundMs(policy);
  const isOnLan: Record<Side, boolean> = { primary: true, secondary: true };
  const addresses = holdersOf(policy);
  const running = runningOf();
  const breach = (holders: Holders, side: Side | null, since: number, at: number, what: string) => {
    const lastedMs = at - since;
    const limitMs = side === null ? boundMs : boundMs + resumingMs;
    if (lastedMs <= limitMs || sides.some((one) => holders.isExcused[one])) return;
    const times = `for ${Math.round(lastedMs)} ms, the bound is ${Math.round(limitMs)} ms`;
    report('S4', since, side, `${holders.id} was announced by ${what} ${times}`).lastedMs = lastedMs;
  };
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
      const isKept = !isEnd && announces(holders, side) && isFrozen(holders, side);
      if (!isKept && since !== null) breach(holders, side, since, at, 'a host with paused guests');
      holders.frozenSince[side] = isKept ? (since ?? at) : null;
    }
  };
  const judgeAll = (at: number) => {
    for (const holders of addresses) judge(holders, at);
  };
  return {
    rule: 'S4',
    running({ at, side, resource, running: now }) {
      running.set(resource, side, now);
      for (const holders of addresses) {
        if (holders.id === resource) holders.isSet[side] = now === 'up';
        if (holders.id === resource || holders.guests.includes(resource)) judge(holders, at);
        if (holders.id === resource && now !== 'up') holders.isExcused[side] = false;
      }
    },
    action({ at, action }) {
      if (action.kind === 'start-by-hand' || (action.kind === 'break' && action.how !== 'ok')) {
        for (const holders of addresses) {
          if (holders.id === action.resource) holders.isExcused[action.host] = true;
        }
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
