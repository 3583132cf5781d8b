// What the demo looks for on its hosts: guests that go on counting, a peer that is late, a group that runs.

import { setTimeout as sleep } from 'node:timers/promises';
import type { HostName } from '../netns/support/hosts.ts';
import type { GuestName, Office } from '../netns/support/office.ts';
import { monotonicMs, waitFor } from '../support.ts';

export const patienceMs = 20_000;

export interface Moment {
  readonly atMs: number;
  readonly text: string;
}

/** A guest that was started again and counts: what it had shown at last, and what it went on from. */
export interface Restored extends Moment {
  readonly last: number;
  readonly from: number;
}

/** Waits for a guest's next start, and until it counts; `starts` it had so far. Null: it was not seen to. */
export async function goesOn(office: Office, guest: GuestName, starts: number): Promise<Restored | null> {
  const look = { timeoutMs: patienceMs, intervalMs: 5 };
  try {
    await waitFor(`${guest} starts`, () => office.starts(guest).length > starts, look);
    const atMs = monotonicMs();
    const shown = office.shown(guest);
    const start = shown.findLastIndex(({ what }) => what === 'start');
    const from = shown[start]?.count ?? Number.NaN;
    const last = Math.max(...shown.slice(0, start).map(({ count }) => count));
    await waitFor(`${guest} counts`, () => office.lastCount(guest) > from + 1, look);
    return { last, from, atMs, text: `guest ${guest} goes on counting from ${from}` };
  } catch {
    return null; // It is missed in what is checked.
  }
}

/** When the survivor found its peer late, which is no note of its history; null when that was not seen. */
export async function momentLate(office: Office): Promise<Moment | null> {
  const untilMs = monotonicMs() + patienceMs;
  while (monotonicMs() < untilMs) {
    const { verdict, peer } = await office.status('secondary');
    if (verdict.kind === 'late') return { atMs: monotonicMs() - verdict.forMs, text: `${peer.name} is late` };
    if (verdict.kind !== 'alive') return null;
    await sleep(20);
  }
  return null;
}

export async function runsOn(office: Office, host: HostName): Promise<void> {
  await waitFor(`${host} runs the group`, async () => (await office.phase(host)) === 'active', {
    timeoutMs: patienceMs,
  });
}
