// Rules between the keys of `fencing`: devices that exist and are used, a password that is not in everybody's file, and
// never a device of which nobody knows whose power it cuts.

import { at, itemsAt, mappingAt, unknownName } from './claims.ts';
import type { Finding, Path } from './document.ts';
import { expectedForOption, outletsOf } from './fencing.ts';
import { expectedDeviceName } from './schema-fencing.ts';
import { namePattern } from './values.ts';

const secretPattern = /^(?!.*_(script|path|file)$).*(passw|secret|token|community|hexadecimal_kg|api_?key)/;

/**
 * They cut a node off from its storage or its network, tell others that it is dead, or do nothing at all, and its guests,
 * whose disks are in it, run on; or they ask it to end itself, and read off as soon as they have asked (fence_sbd).
 */
const cutNoPower: ReadonlySet<string> = new Set([
  ...['fence_ack_manual', 'fence_brocade', 'fence_cisco_mds', 'fence_compute', 'fence_crosslink'],
  ...['fence_dummy', 'fence_evacuate', 'fence_heuristics_ping', 'fence_ifmib', 'fence_kdump', 'fence_mpath'],
  ...['fence_sanbox2', 'fence_sbd', 'fence_scsi'],
]);

export function checkFencing(file: unknown, nodes: readonly string[]): Finding[] {
  if (at(file, 'fencing') === undefined) return [];
  const devices = Object.keys(mappingAt(file, 'fencing', 'devices'));
  return [...devices.flatMap((name) => checkDevice(file, name, nodes)), ...checkLevels(file, devices, nodes)];
}

function checkDevice(file: unknown, name: string, nodes: readonly string[]): Finding[] {
  const path: Path = ['fencing', 'devices', name];
  const device = at(file, ...path);
  const findings: Finding[] = [];
  const add = (keys: Path, target: 'key' | 'value', found: string, expected: string) =>
    void findings.push({
      path: [...path, ...keys],
      target,
      message: `${found}; expected ${expected}`,
      expected,
    });
  if (!namePattern.test(name)) add([], 'key', `found ${JSON.stringify(name)}`, expectedDeviceName);
  const [agent, script] = [at(device, 'agent'), at(device, 'script')];
  if (typeof device === 'object' && device !== null && (agent === undefined) === (script === undefined)) {
    add(
      [],
      'key',
      agent === undefined ? 'neither agent nor script' : 'both agent and script',
      'one of the two',
    );
  }
  if (typeof agent === 'string' && cutNoPower.has(agent))
    add(['agent'], 'value', `${agent} leaves a node its power`, 'an agent that cuts the power');
  for (const option of Object.keys(mappingAt(device, 'options'))) {
    const plain = option.toLowerCase().replaceAll('-', '_');
    const own = expectedForOption(plain, typeof agent === 'string' ? agent : '');
    if (!/^[a-z][a-z0-9_-]*$/.test(option))
      add(['options', option], 'key', 'not an option', 'a name such as ip');
    else if (own !== null) add(['options', option], 'key', 'not to be given here', own);
    else if (secretPattern.test(plain)) {
      const line = `${option}=... in the file that \`secrets\` names, mode 0600`;
      add(['options', option], 'key', 'not to be kept in a file that others may read', line);
    }
  }
  const plugs = at(device, 'plugs') === undefined ? null : Object.keys(mappingAt(device, 'plugs'));
  for (const option of ['plug', 'port']) {
    if (plugs === null || at(device, 'options', option) === undefined) continue;
    add(['options', option], 'key', 'the outlets are named twice', 'either plugs or this option');
  }
  const expected = `one of the nodes ${nodes.join(', ')}`;
  for (const node of plugs ?? []) {
    if (nodes.length === 0 || nodes.includes(node)) continue;
    findings.push(
      unknownName({ path: [...path, 'plugs', node], target: 'key', name: node, names: nodes, expected }),
    );
  }
  return findings;
}

function checkLevels(file: unknown, devices: readonly string[], nodes: readonly string[]): Finding[] {
  const path: Path = ['fencing', 'nodes'];
  const given = Object.keys(mappingAt(file, ...path));
  if (at(file, ...path) === undefined || nodes.length !== 2) return [];
  const findings = given
    .filter((node) => !nodes.includes(node))
    .map((node) => {
      const expected = `one of the nodes ${nodes.join(', ')}`;
      return unknownName({ path: [...path, node], target: 'key', name: node, names: nodes, expected });
    });
  for (const node of nodes.filter((name) => !given.includes(name))) {
    const expected = `devices for each of ${nodes.join(' and ')}, since either may have to be switched off`;
    findings.push({ path: [...path, node], message: `missing; expected ${expected}`, expected });
  }
  const used = nodes.flatMap((node) => usesOf(file, node));
  findings.push(...checkTwice(used));
  for (const { path: where, device, node } of used) {
    if (!devices.includes(device)) {
      const expected =
        devices.length === 0 ? 'a device under fencing.devices' : `one of ${devices.join(', ')}`;
      findings.push(unknownName({ path: where, target: 'value', name: device, names: devices, expected }));
      continue;
    }
    findings.push(...checkUse(file, where, device, node, used));
  }
  findings.push(...checkTwins(file, used));
  for (const device of devices.filter((name) => used.every((use) => use.device !== name))) {
    const expected = 'each device in a level of a node under fencing.nodes';
    const message = `no node has it; expected ${expected}`;
    findings.push({ path: ['fencing', 'devices', device], target: 'key', message, expected });
  }
  return findings;
}

/** It would be told twice, and have two of the shares of time. */
function checkTwice(used: readonly Use[]): Finding[] {
  const expected = 'each device once in a level';
  const inOneLevel = (a: Use, b: Use) => a.level === b.level && a.node === b.node && a.device === b.device;
  return used.flatMap((use, index) =>
    used.findIndex((other) => inOneLevel(use, other)) === index
      ? []
      : [{ path: use.path, message: `${use.device} stands there twice; expected ${expected}`, expected }],
  );
}

interface Use {
  readonly path: Path;
  readonly level: number;
  readonly device: string;
  readonly node: string;
}

function usesOf(file: unknown, node: string): readonly Use[] {
  return itemsAt(file, 'fencing', 'nodes', node)
    .flatMap(([path], level) =>
      itemsAt(file, ...path).map(([where, device]) => ({ path: where, level, device })),
    )
    .flatMap(({ device, ...use }) => (typeof device === 'string' ? [{ ...use, device, node }] : []));
}

/** A script is told the node's name. An agent is told an outlet at the most, so one for both nodes needs two of them. */
function checkUse(file: unknown, path: Path, device: string, node: string, used: readonly Use[]): Finding[] {
  const value = at(file, 'fencing', 'devices', device);
  const plugs = at(value, 'plugs') === undefined ? null : mappingAt(value, 'plugs');
  const isShared = used.some((other) => other.device === device && other.node !== node);
  const outlets = (of: string) => outletsOf(String(plugs?.[of] ?? ''), mappingAt(value, 'options'));
  if (plugs !== null && outlets(node).length === 0) {
    const expected = `its outlet under fencing.devices.${device}.plugs`;
    return [{ path, message: `${device} has no outlet of ${node}; expected ${expected}`, expected }];
  }
  if (!isShared) return [];
  const other = used.find((use) => use.device === device && use.node !== node)?.node ?? '';
  if (outlets(node).some((outlet) => outlets(other).includes(outlet))) {
    const expected = 'an outlet of its own for each node';
    return [
      { path, message: `${device} has the same outlet for both nodes; expected ${expected}`, expected },
    ];
  }
  if (plugs === null && at(value, 'script') === undefined) {
    const expected = `a device of its own for each node, or plugs: { ${node}: ..., ${other}: ... } in it`;
    const message = `${device} would switch off the same host for both nodes; expected ${expected}`;
    return [{ path, message, expected }];
  }
  return [];
}

/** Two devices of different nodes that are one: written by copying, and the address left as it was. */
function checkTwins(file: unknown, used: readonly Use[]): Finding[] {
  const target = ({ device, node }: Use) => {
    const value = at(file, 'fencing', 'devices', device);
    const options = mappingAt(value, 'options');
    const agent = at(value, 'agent');
    // Else its address is in the file of secrets.
    const hasAddress = ['ip', 'ipaddr'].some((name) => options[name] !== undefined);
    if (typeof agent !== 'string' || !hasAddress) return null;
    const sorted = Object.entries(options)
      .map(([name, option]) => `${name}=${String(option)}`)
      .sort();
    return JSON.stringify([agent, sorted, at(value, 'plugs', node) ?? null]);
  };
  return used.flatMap((use) => {
    const own = target(use);
    const twin = used.find(
      (one) => own !== null && one.node !== use.node && one.device !== use.device && target(one) === own,
    );
    if (twin === undefined) return [];
    const expected = 'the address of a device of its own for each node';
    const message = `${use.device} is the same device as ${twin.device} of ${twin.node}, which would be switched off for ${use.node}; expected ${expected}`;
    return [{ path: use.path, message, expected }];
  });
}
