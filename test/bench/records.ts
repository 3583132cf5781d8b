// Reads what the daemons recorded: notes of the history through the control API, and heartbeats in the journal.

import { setTimeout as sleep } from 'node:timers/promises';
import type { HistoryEntry } from '../../daemon/control/api.ts';
import type { Event } from '../../daemon/core/events.ts';
import { journalDirectory, readJournal } from '../../daemon/incident/read.ts';
import type { HostName } from '../netns/support/hosts.ts';
import type { Office } from '../netns/support/office.ts';
import { waitFor } from '../support.ts';

/** A moment from which on, or a stretch in which, records count; CLOCK_MONOTONIC in milliseconds. */
export interface Stretch {
  readonly fromMs: number;
  readonly untilMs?: number;
}

export async function notesIn(office: Office, host: HostName, stretch: Stretch): Promise<HistoryEntry[]> {
  const notes = await office.history(host);
  return notes.filter(({ monotonicMs }) => isIn(monotonicMs, stretch));
}

/** Waits for the first note with that code from `fromMs` on. */
export function waitForNote(
  office: Office,
  host: HostName,
  code: string,
  fromMs: number,
): Promise<HistoryEntry> {
  return waitFor(`${host} notes ${code}`, async () =>
    (await notesIn(office, host, { fromMs })).find((note) => note.code === code),
  );
}

export interface HeardHeartbeat {
  readonly atMs: number;
  readonly incarnation: number;
  readonly sequence: number;
}

/** The journal is flushed once a second. */
const journalDelayMs = 2500;

/** The heartbeats that a node took in, on whichever link, in the order it did. */
export async function heardHeartbeats(
  office: Office,
  host: HostName,
  stretch: Stretch,
): Promise<HeardHeartbeat[]> {
  await sleep(journalDelayMs);
  const heard: HeardHeartbeat[] = [];
  const take = (event: Event) => {
    if (event.kind !== 'heartbeat-received' || !isIn(event.at, stretch)) return;
    heard.push({ atMs: event.at, incarnation: event.incarnation, sequence: event.sequence });
  };
  await readJournal(journalDirectory(office.network.hosts[host].stateDir), [{ event: take }]);
  return heard;
}

function isIn(atMs: number, { fromMs, untilMs }: Stretch): boolean {
  return atMs >= fromMs && atMs <= (untilMs ?? Infinity);
}
