// Remarks as they travel in a heartbeat: tuples, in whole seconds, so that a payload changes once a second at most.
// Guarantees: they take no more room than there is, guests are left out first; of what is read, all is within bounds
// or nothing is taken. A guest whose name is libvirt's alone, and would not do in a configuration, is left out by itself.
// Fields may be added at the end of a tuple.

import * as z from 'zod';
import { groupsMax, namePattern } from '../../config/values.ts';
import type { DiskRemark, GroupRemarks, GuestRemark } from '../../control/api.ts';

/** By position: only ever append. */
const roles = ['unknown', 'primary', 'secondary'] as const satisfies readonly DiskRemark['role'][];
const disks = [
  'unknown',
  'up-to-date',
  'consistent',
  'outdated',
  'inconsistent',
  'diskless',
] as const satisfies readonly DiskRemark['disk'][];
const connections = [
  'unknown',
  'standalone',
  'connecting',
  'connected',
] as const satisfies readonly DiskRemark['connection'][];
const reasons = [
  'no',
  'split-brain',
  'unrelated',
  'unexplained',
] as const satisfies readonly DiskRemark['standsAlone'][];
/** Their order is the wire format: only ever append. */
const guestStatuses = [
  'unknown',
  'up',
  'down',
  'paused',
  'failed',
  'incoming',
] as const satisfies readonly GuestRemark['status'][];

/** More do not fit into a packet. */
const rowsMax = 200;
const name = z.string().regex(namePattern);
const oneOf = (words: readonly string[]) =>
  z
    .int()
    .min(0)
    .max(words.length - 1);
/** A hundred years. */
const seconds = z.int().min(0).max(3_155_760_000).nullable();
/** An exbibyte, more than DRBD can have. */
const kib = z
  .int()
  .min(0)
  .max(2 ** 50)
  .nullable();
const wireDisk = z
  .tuple([
    name,
    oneOf(roles),
    oneOf(disks),
    oneOf(connections),
    oneOf(reasons),
    seconds, // written to alone for
    z.union([z.literal(0), z.literal(1)]), // or longer
    kib, // changed
  ])
  .rest(z.unknown());
/** Its name is looked at afterwards. */
const wireGuest = z.tuple([z.string(), oneOf(guestStatuses), seconds]).rest(z.unknown());
const wireGroup = z
  .tuple([
    name,
    z.array(wireDisk).min(1).max(rowsMax),
    z.union([z.literal(0), z.array(wireGuest).max(rowsMax)]),
  ])
  .rest(z.unknown());
const wireRemarks = z.array(wireGroup).max(groupsMax);

const isNamed = (guest: GuestRemark) => namePattern.test(guest.name);

const toSeconds = (ms: number | null) => (ms === null ? null : Math.floor(ms / 1000));
const toMs = (span: number | null) => (span === null ? null : span * 1000);

function packGroup({ group, disks: all, guests }: GroupRemarks): z.infer<typeof wireGroup> {
  return [
    group,
    all.map((disk) => [
      disk.resource,
      roles.indexOf(disk.role),
      disks.indexOf(disk.disk),
      connections.indexOf(disk.connection),
      reasons.indexOf(disk.standsAlone),
      toSeconds(disk.aloneForMs),
      disk.aloneLonger ? 1 : 0,
      disk.changedKib,
    ]),
    guests === null
      ? 0
      : guests
          .filter(isNamed)
          .map((guest) => [guest.name, guestStatuses.indexOf(guest.status), toSeconds(guest.upForMs)]),
  ];
}

/** As JSON of at most so many bytes: whole, without the guests, or null. */
export function encodeRemarks(remarks: readonly GroupRemarks[], bytesMax: number): string | null {
  if (remarks.length === 0) return null;
  const withoutGuests = remarks.map((group) => ({ ...group, guests: null }));
  const texts = [remarks, withoutGuests].map((shortened) => JSON.stringify(shortened.map(packGroup)));
  return texts.find((text) => Buffer.byteLength(text) <= bytesMax) ?? null;
}

/** Of what a heartbeat has of them; nothing where there is none, or anything of it is not as it must be. */
export function decodeRemarks(wire: unknown): readonly GroupRemarks[] {
  const { data = [] } = wireRemarks.safeParse(wire);
  return data.map(([group, all, guests]) => ({
    group,
    disks: all.map(unpackDisk),
    guests: guests === 0 ? null : guests.map(unpackGuest).filter(isNamed),
  }));
}

function unpackDisk(wire: z.infer<typeof wireDisk>): DiskRemark {
  const [resource, role, disk, connection, standsAlone, aloneFor, longer, changedKib] = wire;
  return {
    resource,
    role: roles[role] ?? 'unknown',
    disk: disks[disk] ?? 'unknown',
    connection: connections[connection] ?? 'unknown',
    standsAlone: reasons[standsAlone] ?? 'no',
    aloneForMs: toMs(aloneFor),
    aloneLonger: longer === 1,
    changedKib,
  };
}

function unpackGuest([guest, status, upFor]: z.infer<typeof wireGuest>): GuestRemark {
  return { name: guest, status: guestStatuses[status] ?? 'unknown', upForMs: toMs(upFor) };
}
