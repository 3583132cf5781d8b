// How far a resync is. 8.4 says it in /proc/drbd alone, DRBD 9 in `drbdsetup status --json`. Pure.
// Sources: drbd_proc.c drbd_syncer_progress(); drbd-utils, user/v9/drbdsetup.c peer_device_status_json().

import type { ResyncProgress } from './types.ts';

/** The slowest volume counts; `minors` are the resource's. Null: no resync of them is under way. */
export function parseProcDrbd(text: string, minors: readonly number[]): ResyncProgress | null {
  const found = text.split(/^(?= *\d+: cs:)/m).flatMap((block): ResyncProgress[] => {
    const head = /^ *(\d+): cs:(\w+)/.exec(block);
    const minor = Number(head?.[1]);
    const direction = directionOf(head?.[2]);
    const percent = /sync'ed:\s*([\d.]+)%/.exec(block)?.[1];
    if (direction === null || !minors.includes(minor) || percent === undefined) return [];
    const oos = /\boos:(\d+)/.exec(block)?.[1];
    const finish = /finish: (\d+):(\d\d):(\d\d)/.exec(block);
    const isStalled = block.includes('(stalled)');
    const leftS =
      finish === null || isStalled
        ? null
        : Number(finish[1]) * 3600 + Number(finish[2]) * 60 + Number(finish[3]);
    return [{ direction, percent: Number(percent), leftKib: oos === undefined ? null : Number(oos), leftS }];
  });
  return slowest(found);
}

/** Output of `drbdsetup status --json RESOURCE`. Null also when it cannot be understood. */
export function parseStatusJson(json: string, resource: string): ResyncProgress | null {
  const found = listOf(parseJson(json))
    .filter(({ name }) => name === resource)
    .flatMap(({ connections }) => listOf(connections))
    .flatMap(({ peer_devices: peerDevices }) => listOf(peerDevices))
    .flatMap((device): ResyncProgress[] => {
      const direction = directionOf(device['replication-state']);
      const percent = device['percent-resync-done'] ?? device['percent-in-sync'];
      if (direction === null || typeof percent !== 'number') return [];
      const { 'out-of-sync': oos, 'estimated-seconds-to-finish': seconds } = device;
      const leftKib = typeof oos === 'number' ? oos : null;
      return [{ direction, percent, leftKib, leftS: typeof seconds === 'number' ? seconds : null }];
    });
  return slowest(found);
}

/** "12 %, 3.4 GiB left at 12 MiB/s, about 5 min", for messages. The rate is the one by which DRBD estimates the time. */
export function progressText({ percent, leftKib, leftS }: ResyncProgress): string {
  const parts = [`${Math.floor(percent)} %`];
  if (leftKib !== null) {
    const rate = leftS === null || leftS < 1 ? '' : ` at ${sizeText(Math.round(leftKib / leftS))}/s`;
    parts.push(`${sizeText(leftKib)} left${rate}`);
  }
  if (leftS !== null) parts.push(`about ${durationText(leftS)}`);
  return parts.join(', ');
}

/** `1.2 GiB`, for messages. */
export function sizeText(kib: number): string {
  if (kib >= 1024 * 1024) return `${(kib / 1024 / 1024).toFixed(1)} GiB`;
  return kib >= 1024 ? `${Math.round(kib / 1024)} MiB` : `${kib} KiB`;
}

function durationText(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}

function directionOf(replication: unknown): ResyncProgress['direction'] | null {
  if (replication === 'SyncSource' || replication === 'PausedSyncS') return 'source';
  return replication === 'SyncTarget' || replication === 'PausedSyncT' ? 'target' : null;
}

function slowest(found: readonly ResyncProgress[]): ResyncProgress | null {
  const [first, ...rest] = found;
  if (first === undefined) return null;
  return rest.reduce(
    (sum, one) => ({
      direction: one.direction === 'target' ? 'target' : sum.direction,
      percent: Math.min(sum.percent, one.percent),
      leftKib: sum.leftKib === null || one.leftKib === null ? null : sum.leftKib + one.leftKib,
      leftS: sum.leftS === null || one.leftS === null ? null : Math.max(sum.leftS, one.leftS),
    }),
    first,
  );
}

/** Undefined: it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The objects of a list; none, where it is something else. */
export function listOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  if (!Array.isArray(value)) return [];
  return value.filter((item) => typeof item === 'object' && item !== null);
}
