// A DRBD mirror on the nodes' second disks over the dedicated segment: written, brought up, in step without a first
// synchronisation, since both new disks hold nothing.

import type { Lab } from './lab.ts';
import type { LabNode } from './node.ts';
import { type NodeName, nodeNames, nodePlans } from './plan.ts';

export interface MirrorOptions {
  readonly resource?: string;
  /** DRBD 8.4 has it in the disk section. */
  readonly fencing?: 'dont-care' | 'resource-only' | 'resource-and-stonith';
  /** Commands by handler, e.g. `fence-peer`; DRBD calls them with DRBD_RESOURCE in their environment. */
  readonly handlers?: Readonly<Record<string, string>>;
  /** More lines for the net and disk sections, e.g. `c-max-rate 1M;`. */
  readonly net?: readonly string[];
  readonly disk?: readonly string[];
}

/** The device that a mirror's primary reads and writes. */
export const mirrorDevice = '/dev/drbd0';
const backingDevice = '/dev/vdb';
const port = 7788;
const connectTimeoutSeconds = 60;

/** Battito's own handler. */
export const battitoHandlers = { 'fence-peer': '/usr/bin/battito drbd fence-peer' } as const;

export function mirrorConfig(options: MirrorOptions = {}): string {
  const { resource = 'r0', fencing = 'dont-care', handlers = {}, net = [], disk = [] } = options;
  const section = (name: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : [`  ${name} {`, ...lines.map((line) => `    ${line}`), '  }'];
  const host = (name: NodeName) => [`address ${nodePlans[name].heartbeat}:${port};`];
  return [
    `resource ${resource} {`,
    `  device ${mirrorDevice};`,
    `  disk ${backingDevice};`,
    '  meta-disk internal;',
    ...section('net', ['protocol C;', 'ping-int 1;', 'ping-timeout 5;', 'connect-int 1;', ...net]),
    ...section('startup', [`wfc-timeout ${connectTimeoutSeconds};`]),
    ...section('disk', [`fencing ${fencing};`, ...disk]),
    ...section(
      'handlers',
      Object.entries(handlers).map(([name, command]) => `${name} "${command}";`),
    ),
    ...nodeNames.flatMap((name) => section(`on ${name}`, host(name))),
    '}',
    '',
  ].join('\n');
}

/** Writes the resource's file on both nodes; takes effect with the next `drbdadm up` or `adjust`. */
export async function writeMirrorConfig(lab: Lab, options: MirrorOptions = {}): Promise<void> {
  const { resource = 'r0' } = options;
  await lab.both((node) => node.writeFile(`/etc/drbd.d/${resource}.res`, mirrorConfig(options)));
}

/** A mirror on blank disks: Connected, Secondary and UpToDate on both nodes when this returns. */
export async function createMirror(lab: Lab, options: MirrorOptions = {}): Promise<void> {
  const { resource = 'r0' } = options;
  await writeMirrorConfig(lab, options);
  // Yes to nothing: the disks are blank. wait-connect: DRBD says itself when the two have found each other.
  await lab.both((node) =>
    node.run(
      `drbdadm --force create-md ${resource} && drbdadm up ${resource} && ` +
        `drbdadm wait-connect ${resource}`,
    ),
  );
  await lab.primary.run(`drbdadm new-current-uuid --clear-bitmap ${resource}/0`);
  await lab.both((node) => mirrorIs(node, { connection: 'Connected', disks: 'UpToDate/UpToDate' }, resource));
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
