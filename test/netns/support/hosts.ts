// What stands in a test network: its places, addresses and cables, and the ip(8) lines that build them.
// Only data and text; nothing here runs a command.

import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type HostName = 'primary' | 'secondary';
/** Every namespace of a network: the hosts, the client, and the switches of the two segments. */
export type Place = HostName | 'client' | 'lan' | 'hb';
export type Cable = 'lan' | 'heartbeat';
/** `carrier`: the host sees the carrier lost. `silent`: packets vanish, the carrier stays. */
export type CutKind = 'carrier' | 'silent';

export const hostNames: readonly HostName[] = ['primary', 'secondary'];
export const places: readonly Place[] = ['lan', 'hb', 'client', ...hostNames];
export const cables: readonly Cable[] = ['lan', 'heartbeat'];

export const gatewayAddress = '192.168.1.254';
export const clientAddress = '192.168.1.100';
/** The address that the example configuration keeps alive; nobody has it at first. */
export const floatingAddress = '192.168.1.1';

/** What a host keeps: `stateDir` is its disk, `runDir` is lost with the power, `logsDir` is the tester's. */
export interface TestHost {
  readonly name: HostName;
  readonly namespace: string;
  readonly address: string;
  readonly address6: string;
  readonly heartbeatAddress: string;
  readonly directory: string;
  readonly stateDir: string;
  readonly runDir: string;
  readonly logsDir: string;
  /** Stands for /proc/sys/kernel/random/boot_id: another UUID after each power-on. */
  readonly bootIdFile: string;
}

const hostNumbers: Readonly<Record<HostName, number>> = { primary: 2, secondary: 3 };

export function describeHost(name: HostName, namespace: string, root: string): TestHost {
  const number = hostNumbers[name];
  const directory = join(root, name);
  return {
    name,
    namespace,
    address: `192.168.1.${number}`,
    address6: `fd00:1::${number}`,
    heartbeatAddress: `10.0.0.${number - 1}`,
    directory,
    stateDir: join(directory, 'state'),
    runDir: join(directory, 'run'),
    logsDir: join(directory, 'logs'),
    bootIdFile: join(directory, 'boot-id'),
  };
}

/** An empty run directory and a new boot id, as after a boot; the state directory stays as it is. */
export function bootDirectories(host: TestHost): void {
  rmSync(host.runDir, { recursive: true, force: true });
  for (const directory of [host.stateDir, host.runDir, host.logsDir])
    mkdirSync(directory, { recursive: true });
  writeFileSync(host.bootIdFile, `${randomUUID()}\n`);
}

/** What the host's own network configuration does at boot; harmless when repeated. */
export function bootLines(host: TestHost): string[] {
  return [
    'link set lo up',
    'link set eth0 up',
    'link set eth1 up',
    'link set br0 up',
    `addr replace ${host.address}/24 brd + dev eth0`,
    `addr replace ${host.address6}/64 dev eth0 nodad`,
    `addr replace ${host.heartbeatAddress}/24 brd + dev eth1`,
  ];
}

/** The links that a host has by itself; all others were made by what ran on it. */
export const ownLinks: readonly string[] = ['lo', 'eth0', 'eth1', 'br0'];

// A bridge takes the lowest address of its ports unless it is told one, so its own would change with a cut.
const bridgeOptions = 'type bridge stp_state 0 forward_delay 0 mcast_snooping 0';

export function hostLines(host: TestHost): string[] {
  return [
    `link add br0 address 02:00:00:00:${hostNumbers[host.name]}0:01 ${bridgeOptions}`,
    ...bootLines(host),
  ];
}

export function clientLines(): string[] {
  return [
    'link set lo up',
    'link set eth0 up',
    `addr add ${clientAddress}/24 brd + dev eth0`,
    'addr add fd00:1::100/64 dev eth0 nodad',
  ];
}

export interface Switch {
  readonly place: 'lan' | 'hb';
  readonly bridge: string;
  readonly hostInterface: string;
}

export const switches: Readonly<Record<Cable, Switch>> = {
  lan: { place: 'lan', bridge: 'lan', hostInterface: 'eth0' },
  heartbeat: { place: 'hb', bridge: 'hb', hostInterface: 'eth1' },
};

/** The number by which the network's watcher knows a host's namespace (ip-netns(8), nsid). */
export const namespaceIds: Readonly<Record<HostName, number>> = { primary: 11, secondary: 12 };

/**
 * A switch: a bridge with one port a host, named after it. Port indexes differ from every index inside a host,
 * as the kernel would otherwise hold a carrier's notification back for up to a second (link_watch.c takes a
 * link whose peer has the same index for a plain one).
 */
export function switchLines(cable: Cable, namespaceOf: (place: Place) => string): string[] {
  const { bridge, hostInterface } = switches[cable];
  const members: readonly Place[] = cable === 'lan' ? [...hostNames, 'client'] : hostNames;
  const firstIndex = cable === 'lan' ? 101 : 201;
  return [
    'link set lo up',
    ...(cable === 'lan'
      ? hostNames.map((name) => `netns set ${namespaceOf(name)} ${namespaceIds[name]}`)
      : []),
    `link add ${bridge} address 02:00:00:00:0${cable === 'lan' ? 1 : 2}:fe ${bridgeOptions}`,
    `link set ${bridge} up`,
    ...members.flatMap((member, index) => [
      `link add ${member} index ${firstIndex + index} type veth peer name ${hostInterface} netns ${namespaceOf(member)}`,
      `link set ${member} addrgenmode none master ${bridge} up`,
    ]),
    ...(cable === 'lan'
      ? [`addr add ${gatewayAddress}/24 brd + dev lan`, 'addr add fd00:1::254/64 dev lan nodad']
      : []),
  ];
}

/** How a host's port at a switch should be; `off` is the host's power. */
export interface PortState {
  readonly off: boolean;
  readonly carrierCut: boolean;
  readonly silentCut: boolean;
}

/** A silent cut takes the port out of the bridge: its carrier stays up, and nobody is at the other end. */
export function portLines(cable: Cable, host: HostName, port: PortState): string[] {
  const master = port.silentCut ? 'nomaster' : `master ${switches[cable].bridge}`;
  return [`link set ${host} ${master}`, `link set ${host} ${port.off || port.carrierCut ? 'down' : 'up'}`];
}
