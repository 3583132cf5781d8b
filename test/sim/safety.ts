// The rules about who acts and who writes (S1, S2): what is true in the world, whatever the nodes believe.

import type { Policy, ResourceKind } from '../../daemon/core/policy.ts';
import { type Side, sides } from '../../daemon/sim/action.ts';
import type { Running } from '../../daemon/sim/trace.ts';
import type { Checker, Context, Rule, Violation } from './checkers.ts';
import { type Device, devicesOf, runningOf } from './truth.ts';

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

/**
 * S2. Both copies of a device are primary, have lost each other and take writes, and on each host somebody writes to
 * it: a guest that acts, or a file system that is mounted (its journal). From then on they diverge, and one side's work is lost. What a cut-off owner of the evidence tier writes
 * between the cut and its freeze is lost by design, and is no breach as long as nobody writes to the other copy yet.
 */
export function noTwoWriters({ policy, hosts, report }: Context): Checker {
  const running = runningOf();
  const writable = new Map<string, boolean>();
  const judges = devicesOf(policy).map((device) => ({
    device,
    judge: lasting(report, 'S2', `both copies of ${device.id} are written to`),
  }));
  const isWritten = ({ writers }: Device, side: Side) =>
    hosts.goesOn(side) && writers.some((id) => running.get(id, side) === 'up');
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
