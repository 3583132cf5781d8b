// Looks at this host and changes nothing: tools that only read, each with a deadline, and files.
// A tool that is missing or says nothing leaves its part of the facts empty.

import { lookup } from 'node:dns/promises';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { CommandResult } from '../../drivers/command.ts';
import { parseMountinfo } from '../../drivers/filesystem/mountinfo.ts';
import {
  type DefaultRoute,
  type DrbdResource,
  type HostInterface,
  type HostsEntry,
  type Neighbour,
  readBmcAddress,
  readDefaultRoutes,
  readFileSystem,
  readHosts,
  readInterfaces,
  readNeighbours,
  readResources,
} from './facts.ts';
import type { GuestFact } from './guests.ts';

/** The doors to the host; a test gives its own. */
export interface Host {
  readonly run: (argv: readonly string[]) => Promise<CommandResult>;
  /** Undefined: it is not there, or may not be read. */
  readonly read: (file: string) => string | undefined;
  readonly list: (directory: string) => readonly string[];
  readonly exists: (path: string) => boolean;
  /** IPv4 addresses of a name. */
  readonly resolve: (name: string) => Promise<readonly string[]>;
  /** null: no libvirt answers here. */
  readonly guests: (storage: {
    readonly devices: readonly string[];
    readonly mounts: readonly string[];
  }) => Promise<readonly GuestFact[] | null>;
}

/** A file system on a DRBD device. */
export interface FoundFileSystem {
  readonly resource: string;
  readonly device: string;
  readonly type: string;
  /** Where it is mounted now, or is to be by /etc/fstab; null: nowhere. */
  readonly mount: string | null;
  /** The word in /etc/fstab by which it is meant; null: none. */
  readonly fstabSource: string | null;
}

export interface Facts {
  readonly node: string;
  readonly interfaces: readonly HostInterface[];
  readonly routes: readonly DefaultRoute[];
  readonly neighbours: readonly Neighbour[];
  readonly hosts: readonly HostsEntry[];
  readonly resources: readonly DrbdResource[];
  /** Why drbdadm could not say what it has; null: it could, or is not installed. */
  readonly drbdTrouble: string | null;
  readonly fileSystems: readonly FoundFileSystem[];
  readonly fstab: string;
  readonly bmc: { readonly device: string; readonly address: string | null } | null;
  readonly watchdogs: readonly { readonly device: string; readonly identity: string }[];
  /** Files of other programs that do the same work. */
  readonly others: readonly { readonly program: 'heartbeat' | 'keepalived'; readonly path: string }[];
}

const timeoutMs = 10_000;

export async function lookAtHost(host: Host, node: string): Promise<Facts> {
  const said = async (...argv: string[]) => {
    const { exitCode, stdout } = await host.run(argv);
    return exitCode === 0 ? stdout : '';
  };
  const interfacesNow = async () =>
    readInterfaces(await said('ip', '-j', '-d', 'addr', 'show'), (name) => speedOf(host, name));
  const [first, routes, neighbours] = await Promise.all([
    interfacesNow(),
    said('ip', '-j', '-4', 'route', 'show', 'default'),
    said('ip', '-j', '-4', 'neigh', 'show'),
  ]);
  // Every host has lo: where there is nothing, the kernel has broken its answer off.
  const interfaces = first.length > 0 ? first : await interfacesNow();
  const dump = await host.run(['drbdadm', 'dump']);
  const resources = readResources(dump.stdout, node);
  const fstab = host.read('/etc/fstab') ?? '';
  return {
    node,
    interfaces,
    routes: readDefaultRoutes(routes),
    neighbours: readNeighbours(neighbours),
    hosts: readHosts(host.read('/etc/hosts') ?? ''),
    resources,
    drbdTrouble: troubleOf(dump, resources),
    fileSystems: await findFileSystems(host, resources, fstab),
    fstab,
    bmc: await findBmc(host, said),
    watchdogs: host.list('/sys/class/watchdog').map((name) => ({
      device: `/dev/${name}`,
      identity: host.read(`/sys/class/watchdog/${name}/identity`)?.trim() ?? 'unknown',
    })),
    others: otherFiles.filter(({ path }) => host.exists(path)),
  };
}

const otherFiles = [
  { program: 'heartbeat', path: '/etc/ha.d/ha.cf' },
  { program: 'heartbeat', path: '/etc/heartbeat/ha.cf' },
  { program: 'keepalived', path: '/etc/keepalived/keepalived.conf' },
] as const;

/** Of one that is down, and of many that are no cards, the kernel has -1 or refuses. */
function speedOf(host: Host, name: string): number | null {
  const speed = Number(host.read(`/sys/class/net/${name}/speed`) ?? -1);
  return Number.isInteger(speed) && speed > 0 ? speed : null;
}

function troubleOf(dump: CommandResult, resources: readonly DrbdResource[]): string | null {
  if (dump.exitCode === 0 || dump.startError !== undefined || resources.length > 0) return null;
  const [line] = dump.stderr.split('\n').filter((each) => each.trim() !== '');
  return /no resources defined/i.test(dump.stderr) ? null : (line?.trim() ?? null);
}

async function findFileSystems(
  host: Host,
  resources: readonly DrbdResource[],
  fstab: string,
): Promise<readonly FoundFileSystem[]> {
  const parsed = parseMountinfo(host.read('/proc/self/mountinfo') ?? '');
  const mounts = parsed.kind === 'parsed' ? parsed.mounts : [];
  const found = resources.flatMap((resource) =>
    resource.devices.map(async ({ device, backing }, volume): Promise<FoundFileSystem[]> => {
      const names = [device, `/dev/drbd/by-res/${resource.name}/${volume}`];
      const mounted = mounts.find(({ source, root }) => names.includes(source) && root === '/');
      // A device that is secondary cannot be read, and what lies under it has the same content.
      const probed = (await probe(host, device)) ?? (backing === null ? null : await probe(host, backing));
      const type = mounted?.type ?? probed?.type;
      if (type === undefined) return [];
      const entry = fstabEntry(fstab, [...names, ...(probed?.tags ?? [])]);
      return [
        {
          resource: resource.name,
          device,
          type,
          mount: mounted?.mountPoint ?? entry?.place ?? null,
          fstabSource: entry?.source ?? null,
        },
      ];
    }),
  );
  return (await Promise.all(found)).flat();
}

async function probe(host: Host, device: string) {
  const { exitCode, stdout } = await host.run([
    ...['blkid', '-p', '-u', 'filesystem', '-o', 'export'],
    device,
  ]);
  return exitCode === 0 ? readFileSystem(stdout) : null;
}

function fstabEntry(fstab: string, names: readonly string[]) {
  for (const line of fstab.split('\n')) {
    const [source = '', place = ''] = line.trim().split(/\s+/);
    if (names.includes(source.replaceAll('"', '')) && place.startsWith('/')) return { source, place };
  }
  return undefined;
}

const bmcDevices = ['/dev/ipmi0', '/dev/ipmi/0', '/dev/ipmidev/0'];

async function findBmc(host: Host, said: (...argv: string[]) => Promise<string>): Promise<Facts['bmc']> {
  const device = bmcDevices.find((path) => host.exists(path));
  return device === undefined
    ? null
    : { device, address: readBmcAddress(await said('ipmitool', 'lan', 'print')) };
}

/** The host that this process runs on. */
export async function thisHost(): Promise<Host> {
  const { runCommand } = await import('../../drivers/command.ts');
  const { findGuests } = await import('./guests.ts');
  const { searchSystemDirectories } = await import('../check/machine.ts');
  searchSystemDirectories();
  const quietly = <T>(look: () => T): T | undefined => {
    try {
      return look();
    } catch {
      return undefined;
    }
  };
  return {
    run: (argv) => runCommand(argv, { timeoutMs, env: { LC_ALL: 'C' } }),
    read: (file) => quietly(() => readFileSync(file, 'utf8')),
    list: (directory) => quietly(() => readdirSync(directory).sort()) ?? [],
    exists: existsSync,
    resolve: async (name) => {
      const found = await lookup(name, { family: 4, all: true }).catch(() => []);
      return found.map(({ address }) => address);
    },
    guests: findGuests,
  };
}
