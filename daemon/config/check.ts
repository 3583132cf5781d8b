// Rules between keys: order of the timings, things that must differ, names that must exist.
// They look at the plain values of the file, valid or not, and pass over whatever the schema has refused already,
// so that their findings stand beside the schema's and nobody mends a file in rounds.

import { at, type Claim, claim, itemsAt, mappingAt, repeated, unknownName } from './claims.ts';
import type { Finding, Path } from './document.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { checkFencing } from './fencing-rules.ts';
import { checkOrder } from './guest-order.ts';
import { checkGuests } from './guest-rules.ts';
import { checkNotify } from './notify-rules.ts';
import { defaultTimings } from './schema.ts';
import { expectedName, expectedNodeName } from './schema-parts.ts';
import { defaultWatchdog } from './schema-watchdog.ts';
import { checkStorage } from './storage-rules.ts';
import { checkTimings } from './timing-rules.ts';
import {
  canonicalHostAddress,
  groupsMax,
  namePattern,
  nodeNamePattern,
  parseFloatingAddress,
} from './values.ts';
import { checkWeb } from './web-rules.ts';
import { checkWitness } from './witness-rules.ts';

/** Every broken rule between keys, in no particular order. */
export function checkRules(file: unknown): Finding[] {
  const nodes = Object.keys(mappingAt(file, 'nodes'));
  return [
    ...checkTimings(file),
    ...checkWatchdog(file),
    ...checkNodes(file),
    ...checkLinks(file, nodes),
    ...checkGroups(file, nodes),
    ...checkAddresses(file),
    ...checkStorage(file),
    ...checkGuests(file),
    ...checkOrder(file),
    ...checkFencing(file, nodes),
    ...checkWitness(file),
    ...checkDrill(file),
    ...checkNotify(file),
    ...checkWeb(file),
  ];
}

/** Whoever stands still for less than deadtime is not given up by the peer, and should not be reset. */
function checkWatchdog(file: unknown): Finding[] {
  if (at(file, 'watchdog') === undefined) return [];
  const durationOf = (path: Path, otherwise: string) => {
    const given = at(file, ...path) ?? otherwise;
    return typeof given === 'string' ? parseDuration(given) : undefined;
  };
  const path = ['watchdog', 'timeout'];
  const timeoutMs = durationOf(path, defaultWatchdog.timeout);
  const deadtimeMs = durationOf(['heartbeat', 'deadtime'], defaultTimings.deadtime);
  if (timeoutMs === undefined || deadtimeMs === undefined || timeoutMs >= deadtimeMs) return [];
  const expected = `at least deadtime, which is ${formatDuration(deadtimeMs)}`;
  const byDefault = at(file, ...path) === undefined ? ' by default' : '';
  return [
    { path, message: `expected ${expected}, found ${formatDuration(timeoutMs)}${byDefault}`, expected },
  ];
}

/** Without a device there is nothing that a drill of fencing could ask. */
function checkDrill(file: unknown): Finding[] {
  if (at(file, 'drill', 'kind') !== 'fence' || at(file, 'fencing') !== undefined) return [];
  const expected = 'handover, since no fencing device is configured';
  return [{ path: ['drill', 'kind'], message: `expected ${expected}, found fence`, expected }];
}

function checkNames(path: Path, names: readonly string[], pattern: RegExp, expected: string): Finding[] {
  return names
    .filter((name) => !pattern.test(name))
    .map((name) => ({
      path: [...path, name],
      target: 'key',
      message: `expected ${expected}, found ${JSON.stringify(name)}`,
      expected,
      found: JSON.stringify(name),
    }));
}

function checkNodes(file: unknown): Finding[] {
  const nodes = mappingAt(file, 'nodes');
  const names = Object.keys(nodes);
  const findings = checkNames(['nodes'], names, nodeNamePattern, expectedNodeName);
  const given = at(file, 'nodes');
  if (names.length !== 2 && typeof given === 'object' && given !== null && !Array.isArray(given)) {
    const message = `expected exactly two nodes, found ${names.length}`;
    findings.push({
      path: ['nodes'],
      target: 'key',
      message,
      expected: 'exactly two nodes',
      found: String(names.length),
    });
  }
  const claims = names.map((name) => claim(nodes, [name, 'address'], ['nodes']));
  return [...findings, ...repeated(claims, 'each node its own address')];
}

function checkLinks(file: unknown, nodes: readonly string[]): Finding[] {
  const findings: Finding[] = [];
  const claims: Claim[] = [];
  for (const [path, link] of itemsAt(file, 'heartbeat', 'links')) {
    const mode = at(link, 'mode') ?? 'broadcast';
    const port = at(link, 'port') ?? at(file, 'heartbeat', 'port') ?? 694;
    const name = at(link, 'interface');
    if (typeof name === 'string') {
      claims.push({ path, same: JSON.stringify([name, mode, port]) });
    }
    for (const [key, only] of [
      ['group', 'multicast'],
      ['addresses', 'unicast'],
    ] as const) {
      if (at(link, key) !== undefined && mode !== only) {
        const message = `only a link with mode ${only} takes this key; this one is ${String(mode)}`;
        findings.push({ path: [...path, key], target: 'key', message, expected: `mode ${only}` });
      }
    }
    if (mode === 'unicast' && nodes.length === 2) {
      findings.push(...checkLinkAddresses(link, path, nodes));
    }
  }
  return [...findings, ...repeated(claims, 'each link to differ in interface, mode or port')];
}

function checkLinkAddresses(link: unknown, linkPath: Path, nodes: readonly string[]): Finding[] {
  const addresses = mappingAt(link, 'addresses');
  const path = [...linkPath, 'addresses'];
  const names = Object.keys(addresses);
  if (names.length === 0 && at(link, 'addresses') === undefined) {
    return [];
  }
  const expected = `an address for each of ${nodes.join(' and ')}`;
  const missing = nodes
    .filter((node) => !names.includes(node))
    .map((node): Finding => ({ path: [...path, node], message: `missing; expected ${expected}`, expected }));
  const foreign = names
    .filter((name) => !nodes.includes(name))
    .map((name) => unknownNode([...path, name], 'key', name, nodes));
  const claims = names.map((name) => claim(addresses, [name], path));
  return [...missing, ...foreign, ...repeated(claims, 'each node its own address')];
}

function unknownNode(path: Path, target: 'key' | 'value', name: string, nodes: readonly string[]): Finding {
  return unknownName({ path, target, name, names: nodes, expected: `one of the nodes ${nodes.join(', ')}` });
}

function checkGroups(file: unknown, nodes: readonly string[]): Finding[] {
  const groups = mappingAt(file, 'groups');
  const findings = checkNames(['groups'], Object.keys(groups), namePattern, expectedName);
  const given = at(file, 'groups');
  if (
    typeof given === 'object' &&
    given !== null &&
    Object.keys(given).length === 0 &&
    !Array.isArray(given)
  ) {
    const message = 'expected at least one group, found none';
    findings.push({
      path: ['groups'],
      target: 'key',
      message,
      expected: 'at least one group',
      found: 'none',
    });
  }
  const count = Object.keys(groups).length;
  if (count > groupsMax) {
    const expected = `at most ${groupsMax} groups`;
    const message = `expected ${expected}, found ${count}`;
    findings.push({ path: ['groups'], target: 'key', message, expected, found: String(count) });
  }
  for (const name of Object.keys(groups)) {
    const preferred = at(groups, name, 'preferred');
    if (typeof preferred === 'string' && nodes.length > 0 && !nodes.includes(preferred)) {
      findings.push(unknownNode(['groups', name, 'preferred'], 'value', preferred, nodes));
    }
  }
  return findings;
}

/** Floating addresses, the nodes' own and the addresses to ping must all be different things. */
function checkAddresses(file: unknown): Finding[] {
  const owners = new Map<string, string>();
  for (const name of Object.keys(mappingAt(file, 'nodes'))) {
    owners.set(String(at(file, 'nodes', name, 'address')), `the own address of node ${name}`);
  }
  for (const [path] of itemsAt(file, 'heartbeat', 'links')) {
    for (const [name, address] of Object.entries(mappingAt(file, ...path, 'addresses'))) {
      owners.set(String(address), owners.get(String(address)) ?? `the own address of node ${name} on a link`);
    }
  }
  const floating: Claim[] = Object.keys(mappingAt(file, 'groups')).flatMap((name) =>
    itemsAt(file, 'groups', name, 'addresses').map(([path, text]) => ({
      path,
      same: typeof text === 'string' ? (parseFloatingAddress(text)?.address ?? '') : '',
    })),
  );
  const owned = (claims: readonly Claim[], expected: string): Finding[] =>
    claims
      .filter(({ same }) => owners.has(same))
      .map(({ path, same }) => ({
        path,
        message: `${same} is ${owners.get(same)}; expected ${expected}`,
        expected,
      }));
  const findings = owned(floating, 'an address that no node has of its own');
  for (const { same } of floating) {
    owners.set(same, owners.get(same) ?? 'a floating address');
  }
  owners.delete('');
  const pinged = itemsAt(file, 'connectivity', 'ping').map(([path, text]) => ({
    path,
    same: typeof text === 'string' ? (canonicalHostAddress(text) ?? '') : '',
  }));
  return [
    ...findings,
    ...owned(pinged, 'an address beyond both nodes, such as the gateway'),
    ...repeated(floating, 'each floating address once'),
  ];
}
