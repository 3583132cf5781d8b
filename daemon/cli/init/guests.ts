// Which domains of libvirt there are here, and which of them could move with the group. Asks, changes nothing.

import { existsSync } from 'node:fs';
import { pino } from 'pino';
import { defaultLibvirtUri } from '../../config/schema.ts';
import type { GroupStorage } from '../../drivers/libvirt/belonging.ts';
import { createLibvirt } from '../../drivers/libvirt/connection.ts';
import { findBelonging } from '../../drivers/libvirt/disks.ts';
import { parseDomain } from '../../drivers/libvirt/domain.ts';

export interface GuestFact {
  readonly name: string;
  /** null: all of its disks lie on the storage of the group; else why it stays on this host. */
  readonly stays: string | null;
  /** Would libvirt itself start it with the host? */
  readonly autostart: boolean;
}

/** A cold libvirtd takes seconds for its first answer. */
const timeoutMs = 30_000;

/** @returns null where no libvirt answers */
export async function findGuests(
  storage: GroupStorage,
  uri: string = defaultLibvirtUri,
): Promise<readonly GuestFact[] | null> {
  // Without this directory there is no libvirt of the system here, and virsh would wait for none.
  if (uri === defaultLibvirtUri && !existsSync('/etc/libvirt')) return null;
  const libvirt = createLibvirt({ uri, logger: pino({ level: 'silent' }) });
  try {
    const listing = await libvirt.list({ timeoutMs });
    if (listing.kind === 'failed') return null;
    const guests: GuestFact[] = [];
    for (const { name, autostart, persistent } of listing.domains) {
      if (!persistent) continue;
      const xml = await libvirt.dumpXml(name, { timeoutMs });
      const stays = xml.kind === 'failed' ? xml.message : await whyItStays(xml.stdout);
      guests.push({ name, stays, autostart });
    }
    return guests.sort((one, other) => (one.name < other.name ? -1 : 1));
  } finally {
    await libvirt.close();
  }

  async function whyItStays(xml: string): Promise<string | null> {
    try {
      const found = await findBelonging(parseDomain(xml), storage, { libvirt });
      if (found.kind === 'belongs') return null;
      return found.kind === 'diskless'
        ? 'it has no disk'
        : (found.disks[0]?.reason ?? 'its disks lie elsewhere');
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
}
