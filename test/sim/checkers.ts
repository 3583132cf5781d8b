// What must never happen, and what must always: each rule is a small object that listens to the trace of a world.
// Checkers see the truth that no node sees, and know nothing of how the core decides. Every one is O(1) per event.

import type { Ledger } from '../../daemon/core/events.ts';
import type { Policy } from '../../daemon/core/policy.ts';
import { type Side, sides } from '../../daemon/sim/action.ts';
import type { Trace } from '../../daemon/sim/trace.ts';
import { addressOnce } from './addresses.ts';
import { persistedFirst, reasonsGiven, replaysChangeNothing, stopsInOrder } from './conduct.ts';
import { movesSeldom } from './connections.ts';
import { newestDataOnly } from './data.ts';
import { lastCopyKept } from './last-copy.ts';
import { memoryUsedOnce, startsInOrder } from './order.ts';
import { notRestarted } from './restarts.ts';
import { noGuestTwice, noTwoWriters } from './safety.ts';
import { provenDataOnly } from './unmirrored.ts';
import { nobodyWellPoweredOff } from './wellness.ts';
import { wishesHeeded } from './wishes.ts';

/** The rules, in the words that a report shows. */
export const rules = {
  S1: 'no guest runs on two hosts at once',
  S2: 'no two copies of a disk can be written to at once',
  S3: 'only the newest, up-to-date data is promoted, unless a person has accepted less',
  S4: 'an address is on two live, connected hosts for no longer than the bound',
  S5: 'a generation is on disk before its first step',
  S6: 'a replayed or forged packet changes a counter and nothing else',
  S7: 'what is stopped in order is stopped in order: addresses first, disks last',
  S8: 'saved memory is gone on from once, and on the disk that it was saved with',
  S9: 'a guest starts after those that come before it, and only where there is memory for it',
  S10: 'a host that is well is not powered off',
  S11: 'a guest is neither moved while it runs nor saved where the operator wants it otherwise',
  S12: 'a group follows better connections only once they have been better for a while, and not to and fro',
  S13: 'the only copy of a disk that is left is not marked as the older one',
  S14: 'a guest is not ended only to be started again where it was',
  L1: 'after the faults have ended, every group has exactly one owner within the bound',
  L2: 'a group whose owner lost its power, or left, runs on the other host within the bound',
  L3: 'nothing is refused or held back without a word on what a person can do',
  crash: 'the core does not throw',
} as const;

export type Rule = keyof typeof rules;

/** What keeps a tier's promise from being whole: these are what evidence alone cannot exclude when faults add up. */
export const safetyRules: ReadonlySet<Rule> = new Set(['S1', 'S2', 'S3', 'S4', 'S8']);

export interface Violation {
  readonly rule: Rule;
  /** Milliseconds of the world's time. */
  readonly at: number;
  readonly side: Side | null;
  readonly message: string;
  /** Of something that lasts, once it has ended: for how long, milliseconds. */
  lastedMs: number | null;
}

export type TraceOf<K extends Trace['kind']> = Extract<Trace, { readonly kind: K }>;

type Handlers = { readonly [K in Trace['kind']]?: (trace: TraceOf<K>) => void };

export type Checker = Handlers & {
  readonly rule: Rule;
  /** A host lost or got power, stood still or went on. */
  readonly hostsChanged?: (at: number) => void;
  readonly ended?: (at: number) => void;
};

/** What a checker may know besides the trace. */
export interface Context {
  /** Of either node: the names, kinds and times in it are the same. */
  readonly policy: Policy;
  readonly hosts: Hosts;
  readonly ledgerOnDisk: (side: Side) => Ledger;
  readonly report: (rule: Rule, at: number, side: Side | null, message: string) => Violation;
  /** Packets are lost by chance, all the time. */
  readonly isLossy: boolean;
}

export interface Hosts {
  /** Has the host power, and does it not stand still? Only such a host does anything. */
  readonly goesOn: (side: Side) => boolean;
}

export interface Checkers {
  readonly see: (trace: Trace) => void;
  readonly ended: (at: number) => void;
  readonly violations: readonly Violation[];
}

/** Of one rule a schedule reports no more than this. */
const maxPerRule = 3;

const makers = [
  noGuestTwice,
  noTwoWriters,
  newestDataOnly,
  provenDataOnly,
  addressOnce,
  persistedFirst,
  replaysChangeNothing,
  stopsInOrder,
  movesSeldom,
  memoryUsedOnce,
  startsInOrder,
  reasonsGiven,
  nobodyWellPoweredOff,
  wishesHeeded,
  lastCopyKept,
  notRestarted,
];

export function createCheckers(
  policy: Policy,
  ledgerOnDisk: (side: Side) => Ledger,
  isLossy = false,
): Checkers {
  const violations: Violation[] = [];
  const powered: Record<Side, boolean> = { primary: true, secondary: true };
  const stillUntil: Record<Side, number> = { primary: 0, secondary: 0 };
  let now = 0;
  let nextChange = Infinity;

  const report: Context['report'] = (rule, at, side, message) => {
    const violation: Violation = { rule, at, side, message, lastedMs: null };
    if (violations.filter((other) => other.rule === rule).length < maxPerRule) violations.push(violation);
    return violation;
  };
  const hosts: Hosts = { goesOn: (side) => powered[side] && now >= stillUntil[side] };
  const checkers: readonly Checker[] = makers.map((make) =>
    make({ policy, hosts, ledgerOnDisk, report, isLossy }),
  );
  const byKind = new Map<string, Array<(trace: never) => void>>();
  for (const checker of checkers) {
    for (const [kind, handler] of Object.entries(checker)) {
      if (typeof handler !== 'function' || kind === 'hostsChanged' || kind === 'ended') continue;
      byKind.set(kind, [...(byKind.get(kind) ?? []), handler as (trace: never) => void]);
    }
  }
  const changed = () => {
    const coming = sides.map((side) => stillUntil[side]).filter((at) => at > now);
    nextChange = Math.min(Infinity, ...coming);
    for (const checker of checkers) checker.hostsChanged?.(now);
  };
  const advance = (at: number) => {
    while (at >= nextChange) {
      now = nextChange;
      changed();
    }
    now = at;
  };
  return {
    violations,
    see(trace) {
      advance(trace.at);
      if (trace.kind === 'powered') {
        powered[trace.side] = trace.on;
        stillUntil[trace.side] = 0;
        changed();
      } else if (trace.kind === 'action' && trace.action.kind === 'pause-host') {
        const { host, ms } = trace.action;
        stillUntil[host] = Math.max(stillUntil[host], trace.at + ms);
        changed();
      }
      const handlers = byKind.get(trace.kind);
      if (handlers === undefined) return;
      for (const handler of handlers) handler(trace as never);
    },
    ended(at) {
      advance(at);
      for (const checker of checkers) checker.ended?.(at);
    },
  };
}
