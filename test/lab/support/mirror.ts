// DRBD mirrors on the nodes' further disks over the dedicated segment: by the resource that is shipped, with the lab's
// disks and addresses in it; brought up, in step without a first synchronisation, since both new disks hold nothing.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from './lab.ts';
import type { LabNode } from './node.ts';
import { nodeNames, nodePlans } from './plan.ts';

export interface Mirror {
  /** Of the resource. */
  readonly name: string;
  /** What its primary reads and writes. */
  readonly device: string;
  readonly backingDevice: string;
  readonly port: number;
}

/** As it is shipped; it carries the group's file system. */
export const fileMirror: Mirror = {
  name: 'r0',
  device: '/dev/drbd0',
  backingDevice: '/dev/vdb',
  port: 7789,
};
/** For a guest that has it to itself. */
export const guestMirror: Mirror = {
  name: 'r1',
  device: '/dev/drbd1',
  backingDevice: '/dev/vdc',
  port: 7790,
};

export interface MirrorOptions {
  readonly mirror?: Mirror;
  /** The shipped resource; the one of this checkout when left out. */
  readonly example?: string;
  /** Hosts that are so slow that half a second of silence says nothing of a peer. */
  readonly slowHosts?: boolean;
  /** False: IO goes on without an answer of Battito's, which need not be installed. */
  readonly asksBattito?: boolean;
}

export const mirrorDevice = fileMirror.device;
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
  mirror = fileMirror,
  example = readFileSync(exampleFile, 'utf8'),
  slowHosts = false,
  asksBattito = false,
}: MirrorOptions = {}): string {
  const { name, device, backingDevice, port } = mirror;
  const named = swap(example, `\nresource ${fileMirror.name} {`, `\nresource ${name} {`, 1);
  const perNode = [
    [`device ${fileMirror.device};`, `device ${device};`],
    [`:${fileMirror.port};`, `:${port};`],
    [exampleDisk, `disk ${backingDevice};`],
  ] as const;
  const onDisk = perNode.reduce((text, [from, to]) => swap(text, from, to, nodeNames.length), named);
  const addressed = nodeNames.reduce(
    (text, name) => swap(text, exampleAddresses[name], `address ${nodePlans[name].heartbeat}:`, 1),
    onDisk,
  );
  // With four blanks it is the one that stands, in the section that DRBD 8.4 wants, and not the one for DRBD 9.
  const fencing = '\n    fencing resource-and-stonith;';
  const asking = asksBattito ? addressed : swap(addressed, fencing, '\n    fencing dont-care;', 1);
  return slowHosts ? swap(asking, '\n    ping-timeout 5;', '\n    ping-timeout 30;', 1) : asking;
}

/** A mirror on blank disks: Connected, Secondary and UpToDate on both nodes when this returns. */
export async function createMirror(lab: Lab, options: MirrorOptions = {}): Promise<void> {
  const { name } = options.mirror ?? fileMirror;
  await lab.both((node) => node.writeFile(`/etc/drbd.d/${name}.res`, mirrorConfig(options)));
  // Yes to nothing: the disks are blank. wait-connect: DRBD says itself when the two have found each other.
  await lab.both((node) =>
    node.run(`drbdadm --force create-md ${name} && drbdadm up ${name} && drbdadm wait-connect ${name}`, {
      timeoutMs: connectTimeoutMs,
    }),
  );
  await lab.primary.run(`drbdadm new-current-uuid --clear-bitmap ${name}/0`);
  await lab.both((node) => mirrorIs(node, { connection: 'Connected', disks: 'UpToDate/UpToDate' }, name));
}

export interface MirrorState {
  readonly connection: string;
  /** Ours and the peer's, e.g. `Primary/Secondary`. */
  readonly roles: string;
  readonly disks: string;
}

export async function readMirror(node: LabNode, resource = fileMirror.name): Promise<MirrorState> {
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
  resource = fileMirror.name,
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
