// The small things done by schedule: definitions are compared as a whole, the week is summed up, old records go.

import type { Status } from '../control/api.ts';
import type { GuestDefinitions } from '../control/guests.ts';
import { leadTurn } from './lead.ts';
import type { Task } from './task.ts';

export interface DefinitionsTaskOptions {
  readonly schedule: string | null;
  readonly status: () => Status;
  /** Compares with the peer now. @returns what went wrong; null: nothing */
  readonly compare: () => Promise<string | null>;
  readonly list: () => GuestDefinitions;
}

export function definitionsTask({ schedule, status, compare, list }: DefinitionsTaskOptions): Task {
  const title = "the scheduled comparison of the guests' definitions";
  return {
    ...{ name: 'definitions', title, schedule, heavy: false, madeUp: true },
    turn() {
      const { verdict, peer } = status();
      if (verdict.kind === 'alive') return { mine: true, obstacle: null };
      const obstacle = {
        message: `${peer.name} is ${verdict.kind}`,
        next: 'battito status',
        isDeliberate: false,
      };
      return { mine: true, obstacle };
    },
    async run() {
      const problem = await compare();
      const code = 'definitions-failed';
      if (problem !== null)
        return { kind: 'failed', code, severity: 'warning', message: problem, next: 'battito guests' };
      const { guests, damaged } = list();
      const apart = guests
        .filter(({ state }) => state !== 'same')
        .map(({ name, state }) => `${name} (${state})`);
      if (apart.length + damaged.length === 0) {
        const count = guests.length === 1 ? 'the definition' : `the definitions of ${guests.length} guests`;
        return {
          kind: 'done',
          message: guests.length === 0 ? 'there are none yet' : `${count}: the same on both`,
        };
      }
      const what = [...apart, ...damaged.map((file) => `${file} is damaged`)].join(', ');
      return {
        kind: 'failed',
        code,
        severity: 'warning',
        message: `not the same: ${what}`,
        next: 'battito guests',
      };
    },
  };
}

export interface SummaryTaskOptions {
  readonly schedule: string | null;
  readonly status: () => Status;
  readonly send: () => void;
}

export function summaryTask({ schedule, status, send }: SummaryTaskOptions): Task {
  return {
    ...{ name: 'summary', title: 'the summary of the week', schedule, heavy: false, madeUp: true },
    turn: () => leadTurn(status()),
    run() {
      send();
      return Promise.resolve({ kind: 'done', message: 'handed to those who are notified' });
    },
  };
}

export interface PruneTaskOptions {
  readonly schedule: string | null;
  readonly keepDays: number;
  readonly wallMs: () => number;
  /** On how many of so many last days this daemon ran, by the clock as it is now. */
  readonly daysRun: (days: number) => number;
  /** Removes what is older. @returns how many entries, or files, went */
  readonly history: (olderThanMs: number) => Promise<number>;
  readonly journal: (olderThanMs: number) => Promise<number>;
}

/** A clock is believed once the daemon has run by it on so many of so many days: a wrong date must cost no record. */
const runWanted = 7;
const runWithin = 14;
const dayMs = 24 * 3_600_000;
const countOf = (count: number, one: string, more = `${one}s`) => `${count} ${count === 1 ? one : more}`;

export function pruneTask({ schedule, keepDays, wallMs, daysRun, history, journal }: PruneTaskOptions): Task {
  return {
    ...{ name: 'prune', title: 'the scheduled pruning of old records', schedule, heavy: false, madeUp: true },
    turn: () => ({ mine: true, obstacle: null }),
    async run() {
      const run = daysRun(runWithin);
      if (run < runWanted) {
        const message = `by the clock of this node its daemon has run on ${run} of the last ${runWithin} days: nothing goes before it was ${runWanted}, since the clock may be wrong`;
        return { kind: 'left-out', message, next: 'timedatectl   # is the date right?' };
      }
      const before = wallMs() - keepDays * dayMs;
      try {
        const [entries, files] = [await history(before), await journal(before)];
        const what = [
          countOf(entries, 'note'),
          countOf(files, 'file of the journal', 'files of the journal'),
        ];
        const gone = entries + files === 0 ? 'nothing is' : `gone: ${what.join(' and ')}`;
        return { kind: 'done', message: `${gone} older than ${keepDays} days` };
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        return {
          kind: 'failed',
          code: 'prune-failed',
          severity: 'warning',
          message,
          next: 'df -h /var/lib/battito',
        };
      }
    },
  };
}
