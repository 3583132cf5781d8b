// How much a copy has that its peer's has not: DRBD's bitmap, which marks every block that was written to without the
// peer. 8.4 says it in /proc/drbd alone, since it forgets a connection that stands alone; DRBD 9 keeps it by peer.
// Sources: Linux 6.1, drbd_proc.c drbd_seq_show(); drbd-utils, user/v9/drbdsetup.c peer_device_status_json(). Pure.

import { listOf, parseJson } from './progress.ts';

/** KiB, of all volumes together. Null: a volume is not said, or has no disk and so no bitmap. */
export function outOfSyncOfProc(text: string, minors: readonly number[]): number | null {
  const blocks = text.split(/^(?= *\d+: cs:)/m);
  return sumOf(
    minors.map((minor) => {
      const block = blocks.find((one) => Number(/^ *(\d+): cs:/.exec(one)?.[1]) === minor);
      if (block === undefined || /\bds:Diskless\//.test(block)) return undefined;
      const said = /\boos:(\d+)/.exec(block)?.[1];
      return said === undefined ? undefined : Number(said);
    }),
  );
}

/** Output of `drbdsetup status --json RESOURCE`; with several peers of the one that lacks most. */
export function outOfSyncOfJson(json: string, resource: string): number | null {
  const connections = listOf(parseJson(json))
    .filter(({ name }) => name === resource)
    .flatMap(({ connections: found }) => listOf(found));
  const each = connections.map(({ peer_devices: devices }) =>
    sumOf(listOf(devices).map((device) => device['out-of-sync'])),
  );
  const known = each.filter((kib) => kib !== null);
  return known.length === 0 || known.length < each.length ? null : Math.max(...known);
}

/** Without a disk DRBD 9 gives a number that no disk has (-1 of 64 bits). */
const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

function sumOf(sizes: readonly unknown[]): number | null {
  if (sizes.length === 0 || !sizes.every(isSize)) return null;
  return sizes.reduce((sum, kib) => sum + kib, 0);
}
