// Which devices a guest has for itself, so that it can go to the other node while it runs. By its definition and by DRBD's
// configuration, which are the same on both nodes, so that both come to the same answer. Pure.

import type { DrbdVolume } from '../../drivers/drbd/volumes.ts';
import type { DomainDefinition, DomainDisk } from '../../drivers/libvirt/domain.ts';
import { shellQuote } from '../../drivers/shell.ts';

/** `resources`: those that its disks are on, as far as they are told. */
export type LiveDevices =
  | { readonly kind: 'own'; readonly resources: readonly string[] }
  /** What keeps it from going while it runs, and the command that mends it. */
  | {
      readonly kind: 'none';
      readonly resources: readonly string[];
      readonly what: string;
      readonly next: string;
    };

/** What a group has for the disks of its guests. */
export interface GroupDevices {
  readonly drbd: readonly string[];
  /** Devices that file systems of the host are on, as the configuration names them. */
  readonly mounted: readonly string[];
  /** By resource, with the minors that it has on either node; one that is not in it goes by its name only. */
  readonly volumes: ReadonlyMap<string, readonly DrbdVolume[]>;
}

type Found = { readonly resource: string } | { readonly problem: string };

/** By the name of the resource, or by its minor. */
function resourceAt(path: string, { drbd, volumes }: GroupDevices): Found {
  const named = /^\/dev\/drbd\/by-res\/([^/]+)(?:\/\d+)?$/.exec(path)?.[1];
  if (named !== undefined && drbd.includes(named)) return { resource: named };
  const minor = /^\/dev\/drbd(\d+)$/.exec(path)?.[1];
  const none = { problem: 'no device of its group' };
  if (minor === undefined) return none;
  for (const resource of drbd) {
    const volume = volumes.get(resource)?.find(({ minors }) => minors.has(Number(minor)));
    if (volume === undefined) continue;
    const [only, ...others] = volume.minors;
    if (only !== undefined && others.length === 0) return { resource };
    const paths = [...volume.minors].map((one) => `/dev/drbd${one}`).join(' and ');
    const name = `/dev/drbd/by-res/${resource}/${volume.number}`;
    return { problem: `a device that is called otherwise on the other node (${paths}); name it ${name}` };
  }
  const isUnread = drbd.some((resource) => !volumes.has(resource));
  return isUnread ? { problem: 'a device by its number, whose resource is not known here' } : none;
}

/** A cache of the host would be of no use, and old, on the other one. */
export function liveDevicesOf({ name, disks }: DomainDefinition, group: GroupDevices): LiveDevices {
  const resources = new Set<string>();
  const problems: { readonly what: string; readonly next: string }[] = [];
  const edit = `virsh edit ${shellQuote(name)}   # then shut it down and start it once`;
  for (const disk of disks) {
    if (disk.source.kind === 'empty') continue;
    const found = 'path' in disk.source ? resourceAt(disk.source.path, group) : null;
    if (found !== null && 'resource' in found) resources.add(found.resource);
    const what = problemOf(disk, found, group);
    if (what === null) continue;
    const isMedium = disk.device === 'cdrom' || disk.device === 'floppy';
    const eject = `virsh change-media ${shellQuote(name)} ${disk.target} --eject`;
    problems.push({ what: `${disk.target} ${what}`, next: isMedium ? eject : edit });
  }
  if (resources.size === 0 && problems.length === 0) problems.push({ what: 'it has no disk', next: edit });
  const [problem] = problems;
  if (problem === undefined) return { kind: 'own', resources: [...resources] };
  return { kind: 'none', resources: [...resources], ...problem };
}

function problemOf({ device, source, cache }: DomainDisk, found: Found | null, group: GroupDevices) {
  if (device === 'cdrom' || device === 'floppy') return 'has a medium in it';
  if (source.kind !== 'block' || found === null)
    return 'is no block device, not a device of its group by its name, /dev/drbd/by-res/RESOURCE/0';
  if ('problem' in found) return `is ${source.path}, ${found.problem}`;
  const isMounted = group.mounted.some((path) => {
    const under = resourceAt(path, group);
    return 'resource' in under && under.resource === found.resource;
  });
  if (isMounted) return `is ${source.path}, which has a file system of the host`;
  if (cache === 'none' || cache === 'directsync') return null;
  return `goes through the cache of its host; it has to have cache='none'`;
}
