// Makes a configuration of what Heartbeat has been told by ha.cf, haresources and authkeys. Behaviour is kept where
// there is an equal; each line that has none is a remark. What keeps a file from being imported is told at once.

import { isIP } from 'node:net';
import { parseDuration } from '../duration.ts';
import type { AuthMethod } from './authkeys.ts';
import {
  type Draft,
  type Given,
  type Noted,
  noteOf,
  type Remark,
  type Surroundings,
  unique,
} from './draft.ts';
import { type Directive, whyNoEqual } from './ha-cf.ts';
import type { ResourceLine } from './haresources.ts';
import { adviceOn } from './heartbeat-advice.ts';
import { groupsOf } from './heartbeat-groups.ts';
import { linksOf, portOf } from './heartbeat-links.ts';
import { timingsOf } from './heartbeat-timings.ts';
import { findNodeAddresses, type NamedNode } from './node-addresses.ts';
import type { ReadScript } from './resource-agents.ts';
import type { Problems } from './source.ts';
import { asName, parseBoolean } from './words.ts';

export interface HeartbeatFiles {
  /** For problems that are in no line of it. */
  readonly haCfPath: string;
  readonly directives: readonly Directive[];
  readonly nodes: readonly NamedNode[];
  readonly resources: readonly ResourceLine[];
  /** null: there was no authkeys to be read. */
  readonly auth: AuthMethod | null;
  readonly readScript: ReadScript;
}

/** The two nodes of ha.cf; another number is a problem. A full host name is cut, as a daemon's own is. */
export function nodesOf(directives: readonly Directive[], haCfPath: string, problems: Problems) {
  const found = directives
    .filter(({ name }) => name === 'node')
    .flatMap(({ values, place }) => values.map((value) => ({ given: value, place })));
  const names = [...new Set(found.map(({ given }) => given))];
  const at = found.at(-1)?.place ?? null;
  if (names.length !== 2) {
    const which = names.length === 0 ? '' : `: ${names.join(', ')}`;
    const message = `expected two nodes, found ${names.length === 0 ? 'none' : names.length}${which}`;
    const advice = names.length > 2 ? '; Battito is for two, and the others have to go first' : '';
    problems.add(at, `${at === null ? `${haCfPath}: ` : ''}${message}${advice}`);
  }
  const short = names.map((name) => name.split('.')[0] ?? name);
  const mayCut = new Set(short).size === names.length;
  return names.map((given, index): NamedNode => {
    const place = found.find((node) => node.given === given)?.place ?? { file: haCfPath, line: 1 };
    const name = mayCut ? (short[index] ?? given) : given;
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name))
      problems.add(place, `"${given}" is no name of a host`);
    return { given, name, note: noteOf(place, name === given ? '' : `${given}, by its short name`) };
  });
}

export async function importHeartbeat(
  files: HeartbeatFiles,
  given: Given,
  surroundings: Surroundings,
  problems: Problems,
): Promise<Draft> {
  const { directives, nodes } = files;
  const here = nodes.find(({ name, given: full }) => [name, full].includes(surroundings.node));
  const around: Surroundings =
    here === undefined ? { ...surroundings, interfaces: [] } : { ...surroundings, node: here.name };
  checkManager(directives, problems);
  const addresses = await findNodeAddresses(nodes, given, around, problems);
  const timings = timingsOf(directives, problems);
  const { groups, mail } = groupsOf(files, given, around, problems);
  const own = addresses.map(({ value }) => value);
  const found = linksOf({ directives, nodes: own, surroundings: around }, problems);
  const lan = groups
    .flatMap((group) => group.addresses)[0]
    ?.value.split(' ')
    .at(-1);
  if (found.length === 0 && lan === undefined) {
    problems.add(
      null,
      `${files.haCfPath}: there is no network path for heartbeats: no bcast, mcast or ucast`,
    );
  }
  const added = 'an addition: ha.cf has no path over a network';
  const links =
    found.length === 0 && lan !== undefined
      ? [{ value: { interface: lan, mode: 'unicast' as const }, note: added }]
      : found;
  const ping = await pingsOf(directives, around);
  const draft = {
    service: 'heartbeat' as const,
    cluster: clusterOf(directives, nodes),
    nodes: addresses,
    timings,
    port: portOf(directives, problems),
    links,
    ping: ping.addresses,
    mail,
    watchdog: watchdogOf(directives, parseDuration(timings.deadtime.value) ?? 0),
    groups,
    remarks: [
      ...keyRemark(files.auth),
      ...[...remarksOf(directives), ...ping.remarks].sort((a, b) => a.place.line - b.place.line),
    ],
  };
  return { ...draft, ...adviceOn(draft, files) };
}

/** With `crm`, also called `pacemaker`, the resources are Pacemaker's and haresources is not read. */
function checkManager(directives: readonly Directive[], problems: Problems): void {
  const crm = directives.findLast(({ name }) => name === 'crm' || name === 'pacemaker');
  if (crm === undefined || parseBoolean(crm.values.at(-1) ?? '') === false) return;
  problems.add(
    crm.place,
    `with ${crm.name} the resources are those of Pacemaker (crm configure show), and Heartbeat passes over haresources; take this line out if haresources has what is wanted`,
  );
}

function clusterOf(directives: readonly Directive[], nodes: readonly NamedNode[]): Noted<string> {
  const given = directives.findLast(({ name }) => name === 'cluster');
  const names = nodes.map(({ name }) => name).join('-');
  if (given === undefined) return { value: asName(names, 'office'), note: 'a name of your own' };
  return { value: asName(given.values.join('-'), 'office'), note: noteOf(given.place) };
}

async function pingsOf(directives: readonly Directive[], { resolve }: Surroundings) {
  const remarks: Remark[] = [];
  const found: Noted<string>[] = [];
  for (const { name, values, place, text } of directives) {
    if (name !== 'ping' && name !== 'ping_group') continue;
    const hosts = name === 'ping' ? values : values.slice(1);
    for (const host of hosts) {
      const address = isIP(host) > 0 ? host : (await resolve(host))[0];
      const more = [
        ...(address === host ? [] : [host]),
        ...(name === 'ping' ? [] : ['each of them counts, not the group as one']),
      ].join(', ');
      if (address === undefined) {
        remarks.push({
          place,
          text,
          why: `${host} is not known here; give its address under connectivity.ping`,
        });
      } else found.push({ value: address, note: noteOf(place, more) });
    }
    if (hosts.length === 0) remarks.push({ place, text, why: 'the group names no address' });
  }
  return { addresses: unique(found), remarks };
}

function watchdogOf(directives: readonly Directive[], deadtimeMs: number): Draft['watchdog'] {
  const given = directives.findLast(({ name }) => name === 'watchdog');
  const device = given?.values.at(-1);
  if (given === undefined || device === undefined) return null;
  const seconds = Math.min(600, Math.max(5, Math.ceil(deadtimeMs / 1000)));
  return { value: { device, timeout: `${seconds}s` }, note: noteOf(given.place) };
}

function keyRemark(auth: AuthMethod | null): Remark[] {
  if (auth === null) return [];
  const { place, method } = auth;
  return [{ place, text: `${method} ...`, why: 'its key is not taken over; battito keygen makes one' }];
}

/** Nothing is lost without a word. */
function remarksOf(directives: readonly Directive[]): Remark[] {
  return directives.flatMap(({ name, values, place, text }): Remark[] => {
    const why = whyNoEqual(name);
    if (name === 'autojoin' && values.at(-1) === 'none') return [];
    if (why !== undefined) return [{ place, text, why }];
    if (name === 'stonith' || name === 'stonith_host') return [stonith({ name, values, place, text })];
    return name === 'respawn' ? [respawn({ name, values, place, text })] : [];
  });
}

/** Heartbeat's plug-ins and the fence agents that speak to the same devices. */
const fenceAgents: Readonly<Record<string, string>> = {
  'external/ipmi': 'fence_ipmilan',
  ipmilan: 'fence_ipmilan',
  apcmaster: 'fence_apc',
  apcmastersnmp: 'fence_apc_snmp',
  apcsmart: 'fence_apc',
  'external/riloe': 'fence_ilo',
  'external/drac5': 'fence_drac5',
  'external/vmware': 'fence_vmware_soap',
  'external/libvirt': 'fence_virsh',
  bladehpi: 'fence_bladecenter',
  baytech: 'fence_baytech',
  wti_nps: 'fence_wti',
  wti_mpc: 'fence_wti',
};

/** Passwords stand in such a line, so only its beginning is shown. */
function stonith({ name, values, place }: Directive): Remark {
  const type = values[name === 'stonith' ? 0 : 1] ?? '';
  const text = name === 'stonith' ? `${name} ${type} ...` : `${name} ${values[0] ?? ''} ${type} ...`;
  const agent = Object.hasOwn(fenceAgents, type.toLowerCase()) ? fenceAgents[type.toLowerCase()] : undefined;
  const why =
    agent === undefined
      ? /ssh|null|meatware|suicide/i.test(type)
        ? `${type} cuts no power; use a device that does, see "Fencing" in docs/fencing.md, or battito fence confirm`
        : 'write it as a device under fencing, see "Fencing" in docs/fencing.md'
      : `write it as a device with agent: ${agent} under fencing, and its password into a file, see "Fencing" in docs/fencing.md`;
  return { place, text, why };
}

function respawn({ values, place, text }: Directive): Remark {
  const program = values[1]?.split('/').at(-1) ?? '';
  if (program === 'ipfail') {
    return { place, text, why: 'built in: a group goes to the node that reaches more of connectivity.ping' };
  }
  if (program === 'dopd') {
    const why =
      'built in: in the DRBD resource replace the handler drbd-peer-outdater by "/usr/bin/battito drbd fence-peer"';
    return { place, text, why };
  }
  return { place, text, why: 'let systemd run this program on both nodes' };
}
