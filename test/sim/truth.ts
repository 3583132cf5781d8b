// What the checkers know of a policy's devices, and of what runs where.

import type { Policy } from '../../daemon/core/policy.ts';
import type { Side } from '../../daemon/sim/action.ts';
import type { Running } from '../../daemon/sim/trace.ts';

export interface Device {
  readonly id: string;
  readonly group: string;
  /** The guests that write to it; and with them the file systems on it, which write while they are mounted. */
  readonly guests: readonly string[];
  readonly writers: readonly string[];
}

export function devicesOf({ groups }: Policy): readonly Device[] {
  return groups.flatMap(({ name, resources }) =>
    resources
      .filter(({ kind }) => kind === 'drbd')
      .map(({ id }) => {
        const on = resources.filter(({ needs }) => needs.includes(id));
        const guests = on.filter(({ kind }) => kind === 'guest').map((guest) => guest.id);
        return { id, group: name, guests, writers: on.map((writer) => writer.id) };
      }),
  );
}

/** What runs where, by the truth. */
export function runningOf() {
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
