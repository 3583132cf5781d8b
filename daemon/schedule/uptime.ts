// For how long each group was up, day by day, on whichever node: what a summary of the week tells.
// Guarantees: bounded; time during which nobody looked counts for nothing, neither as up nor as down.

import * as z from 'zod';

const groupDay = z.object({
  upMs: z.number().nonnegative(),
  downMs: z.number().nonnegative(),
  /** How often it went down. */
  outages: z.int().nonnegative(),
  longestMs: z.number().nonnegative(),
});
export const uptimeSchema = z.object({
  days: z.array(
    z.object({
      /** Days since 1970, UTC. */
      day: z.int(),
      groups: z.record(z.string(), groupDay),
    }),
  ),
});
export type UptimeRecord = z.output<typeof uptimeSchema>;
type GroupDay = z.output<typeof groupDay>;

export interface GroupUptime extends GroupDay {
  readonly name: string;
}

export interface Uptime {
  /** What is so since the last look; `up`: names of the groups that are active on a node. To be called every second or so. */
  look(groups: readonly { readonly name: string; readonly isUp: boolean }[]): void;
  week(): readonly GroupUptime[];
  /** On how many of the last days, today among them, somebody looked, by the clock as it is now. */
  daysLooked(days: number): number;
  record(): UptimeRecord;
}

/** A week, today beside it. */
const daysTold = 8;
/** A clock that is wrong for a while makes days of its own, which take the place of none that is told. */
const daysKept = 2 * daysTold;
const dayMs = 24 * 3_600_000;
/** Looks further apart than this were not looks: the process, or the host, stood still. */
const lookMsMax = 30_000;

export function createUptime(
  known: UptimeRecord | null,
  clocks: { readonly wallMs: () => number; readonly monotonicMs: () => number },
): Uptime {
  const today = () => Math.floor(clocks.wallMs() / dayMs);
  let days = (known?.days ?? []).slice(-daysKept);
  const last = (count: number) => days.filter(({ day }) => day <= today() && day > today() - count);
  let lookedAt: number | null = null;
  const downSince = new Map<string, number>();
  /** In this run: until then nothing is known to have gone down. */
  const wasUp = new Set<string>();

  const current = () => {
    const day = today();
    const found = days.find((one) => one.day === day);
    if (found !== undefined) return found;
    const made: UptimeRecord['days'][number] = { day, groups: {} };
    days = [...days, made].slice(-daysKept);
    return made;
  };

  return {
    look(groups) {
      const now = clocks.monotonicMs();
      const sinceMs = lookedAt === null ? 0 : now - lookedAt;
      lookedAt = now;
      if (sinceMs > lookMsMax) downSince.clear();
      const { groups: counted } = current();
      for (const { name, isUp } of groups) {
        const before = counted[name] ?? { upMs: 0, downMs: 0, outages: 0, longestMs: 0 };
        const counts = sinceMs <= lookMsMax ? sinceMs : 0;
        if (isUp) {
          counted[name] = { ...before, upMs: before.upMs + counts };
          downSince.delete(name);
          wasUp.add(name);
          continue;
        }
        const since = downSince.get(name);
        downSince.set(name, since ?? now);
        counted[name] = {
          ...before,
          downMs: before.downMs + counts,
          outages: before.outages + (since === undefined && wasUp.has(name) ? 1 : 0),
          longestMs: Math.max(before.longestMs, now - (since ?? now)),
        };
      }
    },
    week() {
      const told = last(daysTold);
      const names = [...new Set(told.flatMap(({ groups }) => Object.keys(groups)))].sort();
      return names.map((name) => {
        const each = told.flatMap(({ groups }) => groups[name] ?? []);
        const sum = (of: (one: GroupDay) => number) => each.reduce((total, one) => total + of(one), 0);
        return {
          name,
          upMs: sum(({ upMs }) => upMs),
          downMs: sum(({ downMs }) => downMs),
          outages: sum(({ outages }) => outages),
          longestMs: Math.max(0, ...each.map(({ longestMs }) => longestMs)),
        };
      });
    },
    daysLooked: (count) => last(count).length,
    record: () => ({ days }),
  };
}
