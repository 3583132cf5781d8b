// The guests of each group as they are known now: those that the configuration names, and, where it says `all`, those
// whose stored definition says that they live on the group's storage. A reading of both; nothing is asked of anybody.

import type { Config, GroupConfig, GuestConfig } from '../../config/config.ts';
import type { Belonging } from '../../drivers/libvirt/belonging.ts';
import { parseDomain } from '../../drivers/libvirt/domain.ts';
import { isUsableName } from '../../drivers/libvirt/virsh.ts';
import type { DefinitionStore } from '../definitions/store.ts';
import type { KnownGuest } from '../policy.ts';
import { domainMemory, type GuestMemory, qemuGuestMiB } from './host-memory.ts';
import { type GroupDevices, type LiveDevices, liveDevicesOf } from './live-devices.ts';

type Stored = Pick<DefinitionStore, 'records' | 'inUse'>;

/** By the group's name, in the order of the configuration; the others by name after them. */
export type GuestsByGroup = ReadonlyMap<string, readonly KnownGuest[]>;

/** What is known of guests beside their definitions. */
export interface GuestSights {
  readonly volumes: GroupDevices['volumes'];
  /** By name: why the other node could not take it while it runs. */
  readonly unfit: ReadonlyMap<string, string>;
}

export const nothingSeen: GuestSights = { volumes: new Map(), unfit: new Map() };

export function knownGuests({ groups }: Config, stored: Stored, sights = nothingSeen): GuestsByGroup {
  const inUse = stored
    .records()
    .map((record) => stored.inUse(record))
    .filter((version) => version !== null)
    .filter(({ textDigest }) => textDigest !== null);
  const named = new Set(groups.flatMap(({ guests }) => guests.map(({ name }) => name)));
  const xmlOf = (guest: GuestConfig) => inUse.find(({ name }) => name === guest.name)?.xml ?? null;
  const memoryOf = (guest: GuestConfig): GuestMemory => {
    if (guest.driver === 'qemu') return { memoryMiB: qemuGuestMiB(guest) };
    const xml = xmlOf(guest);
    return xml === null ? { memoryMiB: 0 } : memoryIn(xml);
  };
  const disksOf = (guest: GuestConfig, { drbd, filesystems }: GroupConfig): Pick<KnownGuest, 'disks'> => {
    const xml = guest.driver === 'libvirt' ? xmlOf(guest) : null;
    const mounted = filesystems.map(({ device }) => device);
    const disks = xml === null ? null : disksIn(xml, { drbd, mounted, volumes: sights.volumes });
    return disks === null ? {} : { disks };
  };
  const unfitOf = ({ name }: GuestConfig): Pick<KnownGuest, 'unfit'> => {
    const unfit = sights.unfit.get(name);
    return unfit === undefined ? {} : { unfit };
  };
  const others = ({ name: group, allGuests }: GroupConfig): readonly GuestConfig[] => {
    if (allGuests === null) return [];
    // One that virsh cannot be asked for would be `unknown` for ever, and hold its group up.
    const names = inUse.filter(
      ({ name, group: of }) => of === group && !named.has(name) && isUsableName(name),
    );
    return [...new Set(names.map(({ name }) => name))].sort().map((name) => ({ ...allGuests, name }));
  };
  return new Map(
    groups.map((group) => [
      group.name,
      [...group.guests, ...others(group)].map((config) => ({
        config,
        ...memoryOf(config),
        ...disksOf(config, group),
        ...unfitOf(config),
      })),
    ]),
  );
}

function disksIn(xml: string, devices: GroupDevices): LiveDevices | null {
  try {
    return liveDevicesOf(parseDomain(xml), devices);
  } catch {
    return null;
  }
}

/** Of a definition that cannot be read nothing is known; whoever starts it says what is wrong with it. */
function memoryIn(xml: string): GuestMemory {
  try {
    return domainMemory(parseDomain(xml));
  } catch {
    return { memoryMiB: 0 };
  }
}

export const usesLibvirt = ({ groups }: Config): boolean =>
  groups.some(
    ({ guests, allGuests }) => allGuests !== null || guests.some(({ driver }) => driver === 'libvirt'),
  );

/** The first group that takes whatever is on its storage, and has this on it; null: none, as far as can be seen here. */
export async function takingGroup(
  groups: readonly GroupConfig[],
  belongingTo: (group: GroupConfig) => Promise<Belonging>,
): Promise<string | null> {
  for (const group of groups) {
    if (group.allGuests === null) continue;
    const { kind } = await belongingTo(group);
    if (kind === 'belongs') return group.name;
  }
  return null;
}
