// Rules between the keys of the witness and the rest: what belongs together, and that it does not fall with a node.
// There is no rule for its time against those of the heartbeats: docs/decisions/0017-witness-in-etcd.md has the reason.

import { at, itemsAt, mappingAt, repeated } from './claims.ts';
import type { Finding, Path } from './document.ts';
import { parseFloatingAddress } from './values.ts';
import { addressOfEndpoint, parseEndpoint } from './witness.ts';

interface Endpoint {
  readonly path: Path;
  readonly endpoint: string;
}

export function checkWitness(file: unknown): Finding[] {
  const endpoints = itemsAt(file, 'witness', 'endpoints').flatMap(([path, text]): Endpoint[] => {
    const endpoint = typeof text === 'string' ? parseEndpoint(text) : undefined;
    return endpoint === undefined ? [] : [{ path, endpoint }];
  });
  const claims = endpoints.map(({ path, endpoint }) => ({ path, same: endpoint }));
  return [
    ...repeated(claims, 'each endpoint once'),
    ...checkPairs(file),
    ...checkTransport(file, endpoints),
    ...checkPlaces(file, endpoints),
  ];
}

function checkPairs(file: unknown): Finding[] {
  const pairs = [
    ['certificate', 'key'],
    ['user', 'password-file'],
  ] as const;
  return pairs.flatMap(([one, other]): Finding[] => {
    const [has, hasOther] = [one, other].map((name) => at(file, 'witness', name) !== undefined);
    if (has === hasOther) return [];
    const [given, missing] = has ? [one, other] : [other, one];
    const expected = `${missing} beside ${given}`;
    return [
      { path: ['witness', given], target: 'key', message: `expected ${expected}, found none`, expected },
    ];
  });
}

/** Whoever can read the wire could use the password, or answer instead of the witness. */
function checkTransport(file: unknown, endpoints: readonly Endpoint[]): Finding[] {
  const plain = endpoints.filter(({ endpoint }) => endpoint.startsWith('http:'));
  if (plain.length === 0) return [];
  if (plain.length < endpoints.length) {
    const expected = 'https:// for every endpoint, or for none';
    return plain.map(({ path, endpoint }) => ({
      path,
      message: `expected ${expected}, found ${endpoint}`,
      expected,
    }));
  }
  return ['ca', 'certificate', 'user'].flatMap((name): Finding[] => {
    if (at(file, 'witness', name) === undefined) return [];
    const expected = 'endpoints with https://';
    const message = `only ${expected} take this key; these are without TLS`;
    return [{ path: ['witness', name], target: 'key', message, expected }];
  });
}

/**
 * Whatever is lost with one node must leave most of the members: else the other node can be lent nothing just when it
 * is to take over. And the witness must be there before a floating address is.
 */
function checkPlaces(file: unknown, endpoints: readonly Endpoint[]): Finding[] {
  const own = Object.keys(mappingAt(file, 'nodes')).map((name) => ({
    name,
    addresses: [
      at(file, 'nodes', name, 'address'),
      ...itemsAt(file, 'heartbeat', 'links').map(([path]) => at(file, ...path, 'addresses', name)),
    ],
  }));
  const floating = Object.keys(mappingAt(file, 'groups')).flatMap((name) =>
    itemsAt(file, 'groups', name, 'addresses').map(([, text]) =>
      typeof text === 'string' ? parseFloatingAddress(text)?.address : undefined,
    ),
  );
  const on = (addresses: readonly unknown[]) =>
    endpoints.filter(({ endpoint }) => addresses.includes(addressOfEndpoint(endpoint)));
  const onFloating = on(floating).map(({ path, endpoint }): Finding => {
    const expected = 'an address that does not move with a group';
    return { path, message: `${endpoint} is a floating address; expected ${expected}`, expected };
  });
  const onNodes = own.flatMap(({ name, addresses }): Finding[] => {
    const fallen = on(addresses);
    if (fallen.length * 2 < endpoints.length) return [];
    const expected = 'most endpoints beyond each node';
    return fallen.map(({ path, endpoint }) => ({
      path,
      message: `${endpoint} is on node ${name} and is lost with it, just when the other node needs the lease; expected ${expected}`,
      expected,
    }));
  });
  return [...onFloating, ...onNodes];
}
