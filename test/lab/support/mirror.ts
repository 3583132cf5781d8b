// A DRBD mirror on the nodes' second disks over the dedicated segment: by the resource that is shipped, with the lab's
// disks and addresses in it; brought up, in step without a first synchronisation, since both new disks hold nothing.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from './lab.ts';
import type { LabNode } from './node.ts';
import { nodeNames, nodePlans } from './plan.ts';

export interface MirrorOptions {
  /** The shipped resource; the one of this checkout when left out. */
  readonly example?: string;
  /** False: IO goes on without an answer of Battito's, which need not be installed. */
  readonly asksBattito?: boolean;
}

/** The device that a mirror's primary reads and writes. */
export const mirrorDevice = '/dev/drbd0';
const backingDevice = '/dev/vdb';
/** What an administrator sets in the shipped resource. */
const exampleDisk = 'disk /dev/vg0/guests;';
const exampleAddresses = { primary: 'address 192.168.2.2:', secondary: 'address 192.168.2.3:' } as const;
/** The shipped resource waits for its peer as long as it takes. */
const connectTimeoutMs = 90_000;
const exampleFile = join(import.meta.dirname, '../../../config/drbd-r0.res');

/** Puts another text in every place of one that must be there so often. */
function swap(text: string, from: string, to: string, times: number): string {
  const parts = text.split(from);
  if (parts.length - 1 !== times)
    throw new Error(
      `the shipped resource has ${JSON.stringify(from)} ${parts.length - 1} times, not ${times}`,
    );
  return parts.join(to);
}

/** The shipped resource as an administrator of these two nodes would edit it: all else is left as it is. */
export function mirrorConfig({
  example = readFileSync(exampleFile, 'utf8'),
  asksBattito = false,
}: MirrorOptions = {}): string {
  const onDisk = swap(example, exampleDisk, `disk ${backingDevice};`, nodeNames.length);
  const addressed = nodeNames.reduce(
    (text, name) => swap(text, exampleAddresses[name], `address ${nodePlans[name].heartbeat}:`, 1),
    onDisk,
  );
  // With four blanks it is the one that stands, in the section that DRBD 8.4 wants, and not the one for DRBD 9.
  const fencing = '\n    fencing resource-and-stonith;';
  return asksBattito ? addressed : swap(addressed, fencing, '\n    fencing dont-care;', 1);
}

/** A mirror on blank disks: Connected, Secondary and UpToDate on both nodes when this returns. */
export async function createMirror(lab: Lab, options: MirrorOptions = {}): Promise<void> {
  await lab.both((node) => node.writeFile('/etc/drbd.d/r0.res', mirrorConfig(options)));
  // Yes to nothing: the disks are blank. wait-connect: DRBD says itself when the two have found each other.
  await lab.both((node) =>
    node.run('drbdadm --force create-md r0 && drbdadm up r0 && drbdadm wait-connect r0', {
      timeoutMs: connectTimeoutMs,
    }),
  );
  await lab.primary.run('drbdadm new-current-uuid --clear-bitmap r0/0');
  await lab.both((node) => mirrorIs(node, { connection: 'Connected', disks: 'UpToDate/UpToDate' }));
}

export interface MirrorState {
  readonly connection: string;
  /** Ours and the peer's, e.g. `Primary/Secondary`. */
  readonly roles: string;
  readonly disks: string;
}

export async function readMirror(node: LabNode, resource = 'r0'): Promise<MirrorState> {
  const text = await node.run(
    `drbdadm cstate ${resource}; drbdadm role ${resource}; drbdadm dstate ${resource}`,
  );
  const [connection = '', roles = '', disks = ''] = text.trim().split('\n');
  return { connection, roles, disks };
}

/** Waits until the mirror, as this node sees it, is as wanted. */
export async function mirrorIs(
  node: LabNode,
  wanted: Partial<MirrorState>,
  resource = 'r0',
  timeoutMs = 60_000,
) {
  const command = `drbdadm cstate ${resource}; drbdadm role ${resource}; drbdadm dstate ${resource}`;
  const look = (text: string) => {
    const [connection, roles, disks] = text.trim().split('\n');
    const seen: Partial<Record<keyof MirrorState, string | undefined>> = { connection, roles, disks };
    return Object.entries(wanted).every(([key, value]) => seen[key as keyof MirrorState] === value);
  };
  await node.until(`${resource} is ${JSON.stringify(wanted)}`, command, look, { timeoutMs });
}
