// What this host must have: its own address, the links' interfaces, the programs, the right to use them.

import { accessSync, constants } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { delimiter, isAbsolute, join } from 'node:path';
import type { Config, LinkConfig, NodeConfig } from '../../config/config.ts';
import { type InterfaceView, readInterface, resolveEndpoint } from '../../drivers/link/interface.ts';
import { type Finding, type Reporter, reporter } from './finding.ts';

/** The host as the checks see it. */
export interface Machine {
  readonly isRoot: boolean;
  readonly interfaceView: (name: string) => InterfaceView;
  /** Every address of this host. */
  readonly addresses: readonly string[];
  /** By its name, or by its path. */
  readonly hasProgram: (name: string) => boolean;
}

export function thisMachine(): Machine {
  return {
    isRoot: process.geteuid?.() === 0,
    interfaceView: readInterface,
    addresses: Object.values(networkInterfaces()).flatMap((list) =>
      (list ?? []).map(({ address }) => address),
    ),
    hasProgram,
  };
}

/** Where the daemon looks, whatever the PATH of the person who asks. */
const systemDirectories = ['/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** For the tools that a check asks: an ordinary user's PATH has none of the directories for root. */
export function searchSystemDirectories(): void {
  process.env['PATH'] = [process.env['PATH'] ?? '', ...systemDirectories].join(delimiter);
}

/** Ports below this one are for root: ip_unprivileged_port_start in ip-sysctl. */
const privilegedPorts = 1024;

function hasProgram(name: string): boolean {
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((directory) => directory !== '');
  const directories = isAbsolute(name) ? ['/'] : [...path, ...systemDirectories];
  return directories.some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

export function checkMachine(config: Config, node: string, machine: Machine): readonly Finding[] {
  return [
    ...checkNode(config, node, machine),
    ...checkLinks(config, node, machine),
    ...checkAddresses(config, machine),
    ...checkPrograms(config, machine),
  ];
}

/** This node and the other one; undefined when the configuration does not know this one. */
export function membersOf(
  { nodes: [first, second] }: Config,
  node: string,
): { readonly self: NodeConfig; readonly peer: NodeConfig } | undefined {
  if (node === first.name) return { self: first, peer: second };
  return node === second.name ? { self: second, peer: first } : undefined;
}

function checkNode(config: Config, node: string, machine: Machine): readonly Finding[] {
  const report = reporter('this node');
  const members = membersOf(config, node);
  if (members === undefined) {
    const names = config.nodes.map(({ name }) => name).join(' and ');
    report.problem(
      'node-unknown',
      `this node would be "${node}", but the nodes are ${names}`,
      `hostnamectl set-hostname ${config.nodes[0].name}   # or give --node NAME`,
    );
  } else if (machine.addresses.includes(members.self.address)) {
    report.ok(`${node} has its address ${members.self.address}`);
  } else {
    const { address } = members.self;
    report.problem(
      'node-address-missing',
      `no interface has ${address}, the address of ${node}`,
      `ip address add ${address}/24 dev INTERFACE   # and make it permanent, or correct nodes.${node}.address`,
    );
  }
  if (machine.isRoot) report.ok('runs as root');
  else
    report.warning(
      'not-root',
      'this check does not run as root and cannot see everything',
      'sudo battito check',
    );
  return report.findings;
}

function checkLinks(config: Config, node: string, machine: Machine): readonly Finding[] {
  const report = reporter('heartbeat links');
  for (const link of config.heartbeat.links) checkLink(report, link, config, node, machine);
  const interfaces = new Set(config.heartbeat.links.map((link) => link.interface));
  if (interfaces.size < 2) {
    report.warning(
      'one-interface',
      'all heartbeats go through one interface: a cut cable looks like a dead node',
      'add a link on another interface under heartbeat.links',
    );
  }
  const low = config.heartbeat.links.find(({ port }) => port < privilegedPorts);
  if (low !== undefined && !machine.isRoot) {
    report.warning(
      'port-for-root',
      `UDP port ${low.port} is for root`,
      'run the daemon as root, as its systemd unit does: systemctl start battito',
    );
  }
  return report.findings;
}

function checkLink(report: Reporter, link: LinkConfig, config: Config, node: string, machine: Machine): void {
  const name = `${link.interface} (${link.mode}, UDP ${link.port})`;
  if (!checkInterface(report, link.interface, name, machine)) return;
  const view = machine.interfaceView(link.interface);
  const members = membersOf(config, node);
  if (view.kind !== 'usable' || members === undefined) return;
  const endpoint = resolveEndpoint(link, members.self, members.peer, view.addresses);
  if (endpoint.kind === 'none') {
    report.problem(
      'link-address-missing',
      `${name}: ${endpoint.reason}`,
      `ip address add ADDRESS/24 dev ${link.interface}   # and make it permanent`,
    );
  } else {
    report.ok(`${name}: ${endpoint.interfaceAddress} to ${endpoint.peerAddress}`);
  }
}

/** Tells what is wrong with an interface. @returns whether it can be used now */
function checkInterface(report: Reporter, name: string, what: string, machine: Machine): boolean {
  const view = machine.interfaceView(name);
  if (view.kind === 'missing') {
    report.problem(
      'interface-missing',
      `${what}: ${view.reason}`,
      `ip -brief link   # shows the names there are; then correct ${name}`,
    );
  } else if (view.kind === 'unusable') {
    report.warning(
      'interface-down',
      `${what}: ${view.reason}`,
      `ip link set dev ${name} up   # and look at its cable`,
    );
  }
  return view.kind === 'usable';
}

function checkAddresses(config: Config, machine: Machine): readonly Finding[] {
  const report = reporter('floating addresses');
  for (const group of config.groups) {
    for (const { address, prefix, interface: name } of group.addresses) {
      const what = `${address}/${prefix} of ${group.name} on ${name}`;
      if (checkInterface(report, name, what, machine)) report.ok(what);
    }
  }
  if (config.connectivity.ping.length === 0) {
    report.warning(
      'no-gateway',
      'nothing to ping: this node cannot well tell "I am cut off" from "the peer is dead"',
      'ping: [192.168.1.254]   # under `connectivity`, with your gateway: ip route show default',
    );
  }
  return report.findings;
}

function checkPrograms(config: Config, machine: Machine): readonly Finding[] {
  const report = reporter('programs');
  const guests = config.groups.flatMap((group) => group.guests);
  const families = new Set(config.groups.flatMap(({ addresses }) => addresses.map(({ family }) => family)));
  const needed: [program: string, debianPackage: string, wanted: boolean][] = [
    ['ip', 'iproute2', true],
    ['arping', 'iputils-arping', true],
    ['ping', 'iputils-ping', true],
    ['qemu-system-x86_64', 'qemu-system-x86', guests.some(({ driver }) => driver === 'qemu')],
  ];
  for (const [program, debianPackage, wanted] of needed) {
    if (!wanted) continue;
    if (machine.hasProgram(program)) report.ok(program);
    else report.problem('program-missing', `${program} is missing`, `apt-get install ${debianPackage}`);
  }
  if (families.has(6) && !machine.hasProgram('ndptool')) {
    report.warning(
      'program-missing',
      'ndptool is missing: after a takeover by a runbook neighbours learn late where an IPv6 address has gone',
      'apt-get install libndp-tools',
    );
  }
  return report.findings;
}
