// Of which resource a device is, and whether the group that uses it has that one: a device of another resource, or of
// one that nobody promotes, cannot be mounted at a takeover. Looks only.

import { stat } from 'node:fs/promises';
import { runCommand } from '../command.ts';
import { checkDrbdDevice, drbdMajor, majorOf, minorOf } from './kernel.ts';
import { type DrbdDevice, parseDevices } from './options.ts';
import type { Trouble } from './types.ts';

/** The devices of each resource, as far as they could be read. */
export type DevicesOf = ReadonlyMap<string, readonly DrbdDevice[]>;

export interface DeviceUse {
  readonly path: string;
  readonly group: string;
  /** The resources of that group. */
  readonly resources: readonly string[];
  /** The group that has this resource; undefined: none. */
  readonly groupOf: (resource: string) => string | undefined;
}

/** What can be told of a path: links go by what they lead to, and by their name while they lead nowhere. */
type Sight = { readonly minor: number } | { readonly resource: string };

const timeoutMs = 5000;

async function sightOf(path: string): Promise<Sight | null> {
  const found = await stat(path).catch(() => null);
  if (found !== null && (await checkDrbdDevice(path)) === null) return { minor: minorOf(found.rdev) };
  const minor = /^\/dev\/drbd(\d+)$/.exec(path)?.[1];
  if (minor !== undefined) return { minor: Number(minor) };
  const resource = /^\/dev\/drbd\/by-res\/([^/]+)(\/\d+)?$/.exec(path)?.[1];
  return resource === undefined ? null : { resource };
}

const has = (sight: Sight, name: string, devices: readonly DrbdDevice[]) =>
  'minor' in sight ? devices.some(({ minor }) => minor === sight.minor) : sight.resource === name;

/** The one of these resources that has the device; undefined: none, or it cannot be told. */
export async function resourceOf(
  path: string,
  resources: readonly string[],
  devicesOf: DevicesOf,
): Promise<string | undefined> {
  const sight = await sightOf(path);
  return sight === null ? undefined : resources.find((name) => has(sight, name, devicesOf.get(name) ?? []));
}

/** Null: the device is of one of the group's resources, or of no DRBD at all, or it cannot be told. Never rejects. */
export async function checkBelonging(
  use: DeviceUse,
  devicesOf: DevicesOf,
  signal: AbortSignal,
): Promise<Trouble | null> {
  const { path, group, resources } = use;
  const sight = await sightOf(path);
  if (sight === null) return null;
  if (resources.length === 0) return withoutResource(use, await ownerOf(sight, devicesOf, signal));
  if (resources.some((name) => has(sight, name, devicesOf.get(name) ?? []))) return null;
  // Of a resource whose devices are not known the device may be one.
  if ('minor' in sight && resources.some((name) => (devicesOf.get(name) ?? []).length === 0)) return null;
  const names = (devices: readonly DrbdDevice[] = []) => devices.map((device) => device.path).join(', ');
  const own = resources.map((name) => {
    const paths = names(devicesOf.get(name));
    return paths === '' ? name : `${name}, which has ${paths}`;
  });
  return {
    code: 'foreign-drbd-device',
    what: `${path} is no device of ${own.join(', or of ')}`,
    next: `drbdadm sh-dev ${resources[0]}   # shows its devices; correct the device, or the list drbd, of group ${group}`,
  };
}

function withoutResource({ path, group, groupOf }: DeviceUse, owner: string | undefined): Trouble {
  const code = 'no-drbd-resource';
  const what = `${path} is a device of ${owner ?? 'DRBD'}, but group ${group} has no \`drbd:\`, so nothing makes it primary`;
  if (owner === undefined) {
    const next = `add \`drbd: [RESOURCE]\` to group ${group}; drbdadm sh-resources   # shows the names`;
    return { code, what, next };
  }
  const other = groupOf(owner);
  return other === undefined
    ? { code, what, next: `add \`drbd: [${owner}]\` to group ${group}` }
    : { code, what, next: `move what uses it to group ${other}, which has ${owner}` };
}

/** By the files of DRBD, also of resources that the configuration does not name. */
async function ownerOf(sight: Sight, devicesOf: DevicesOf, signal: AbortSignal): Promise<string | undefined> {
  if ('resource' in sight) return sight.resource;
  const known = [...devicesOf].find(([name, devices]) => has(sight, name, devices));
  if (known !== undefined) return known[0];
  const run = (argv: readonly string[]) => runCommand(argv, { timeoutMs, signal });
  const listed = await run(['drbdadm', 'sh-resources']);
  const others = (listed.exitCode === 0 ? listed.stdout : '').split(/\s+/).filter((name) => name !== '');
  for (const name of others.filter((other) => !devicesOf.has(other))) {
    const { exitCode, stdout } = await run(['drbdadm', 'sh-dev', name]);
    if (exitCode === 0 && has(sight, name, parseDevices(stdout))) return name;
  }
  return undefined;
}

/** Equal for two names of one device; null: nothing can be told. */
export async function identityOf(path: string, devicesOf: DevicesOf): Promise<string | null> {
  const found = await stat(path).catch(() => null);
  if (found !== null && (found.isBlockDevice() || found.isCharacterDevice())) {
    return `${majorOf(found.rdev)}:${minorOf(found.rdev)}`;
  }
  const sight = await sightOf(path);
  if (sight === null) return null;
  const [only, ...others] = 'minor' in sight ? [sight] : (devicesOf.get(sight.resource) ?? []);
  return only === undefined || others.length > 0 ? null : `${drbdMajor}:${only.minor}`;
}
