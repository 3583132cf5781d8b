// Which devices a guest has for itself, so that it can go to the other node while it runs. By the names in its definition
// alone, so that both nodes come to the same answer. Pure.

import type { DomainDefinition } from '../drivers/libvirt/domain.ts';

/** What keeps a guest from going while it runs, and the command that mends it. */
export interface LiveObstacle {
  readonly what: string;
  readonly next: string;
}

export type LiveDevices =
  | { readonly kind: 'own'; readonly resources: readonly string[] }
  | ({ readonly kind: 'none' } & LiveObstacle);

/** Names of DRBD resources. A cache of the host would be of no use, and old, on the other one. */
export function liveDevicesOf({ name, disks }: DomainDefinition, resources: readonly string[]): LiveDevices {
  const edit = `virsh edit ${name}   # then shut it down and start it once`;
  const none = (what: string, next = edit): LiveDevices => ({ kind: 'none', what, next });
  const found: string[] = [];
  for (const { target, device, source, cache } of disks) {
    if (source.kind === 'empty') continue;
    if (device === 'cdrom' || device === 'floppy')
      return none(`${target} has a medium in it`, `virsh change-media ${name} ${target} --eject`);
    const path = source.kind === 'block' ? source.path : null;
    const resource = /^\/dev\/drbd\/by-res\/([^/]+)(\/\d+)?$/.exec(path ?? '')?.[1];
    if (resource === undefined || !resources.includes(resource)) {
      const where = path ?? 'no block device';
      return none(
        `${target} is ${where}, not a device of its group by its name, /dev/drbd/by-res/RESOURCE/0`,
      );
    }
    if (cache !== 'none' && cache !== 'directsync')
      return none(`${target} goes through the cache of its host; it has to have cache='none'`);
    found.push(resource);
  }
  return found.length === 0 ? none('it has no disk') : { kind: 'own', resources: [...new Set(found)] };
}
