// The driver of each guest, whatever runs it, and how it is asked whether it is ready.

import { join } from 'node:path';
import type { Logger } from 'pino';
import type { GroupConfig, GuestConfig, LibvirtGuestConfig } from '../../config/config.ts';
import type { ResourceDriver, ResourceStatus } from '../../drivers/driver.ts';
import type { Libvirt } from '../../drivers/libvirt/connection.ts';
import { createLibvirtDriver, type DefinitionSource } from '../../drivers/libvirt/libvirt.ts';
import type { Passage } from '../../drivers/libvirt/migrate.ts';
import { agentCommand, agentWords } from '../../drivers/libvirt/shell.ts';
import { createQemuDriver } from '../../drivers/qemu/qemu.ts';
import { createReadinessProbe, type ReadinessProbe } from '../../drivers/readiness/readiness.ts';
import type { DefinitionStore } from '../definitions/store.ts';

export interface GuestDriver extends ResourceDriver {
  /** Since its process was started, as last seen; null: there is none. */
  upForMs(): number | null;
}

export interface GuestDriverOptions {
  readonly group: GroupConfig;
  readonly runDir: string;
  /** Null: no guest is a domain. */
  readonly libvirt: Libvirt | null;
  readonly definitions: Pick<DefinitionStore, 'named' | 'records' | 'inUse' | 'adopt'>;
  /** How it gets to the other node while it runs; null: not at all. */
  readonly passage: Passage | null;
  readonly logger: Logger;
  readonly onStatus: (status: ResourceStatus) => void;
}

/** On the group's storage, so that what is kept there is of the same moment as the disks, on either node. */
const saveFolder = '.battito-saved';

export function createGuestDriver(guest: GuestConfig, options: GuestDriverOptions): GuestDriver {
  const { group, runDir, libvirt, definitions, passage, logger, onStatus } = options;
  const common = { group: group.name, runDir, logger, onStatus };
  if (guest.driver === 'qemu') return createQemuDriver(guest, common);
  if (libvirt === null) throw new Error(`${guest.name} is a domain, and there is no libvirt`);
  const [filesystem] = group.filesystems;
  const saveDirectory = filesystem === undefined ? null : join(filesystem.mount, saveFolder);
  return createLibvirtDriver(guest, {
    ...common,
    libvirt,
    saveDirectory,
    passage,
    definitions: definitionOf(guest.name, definitions),
  });
}

/** What the node that ran it last had, as far as the nodes have told each other. */
function definitionOf(name: string, store: GuestDriverOptions['definitions']): DefinitionSource {
  return {
    async adopt(define, isDefined) {
      const records = store.named(name);
      const record = records.find(({ local }) => local !== null) ?? records[0];
      const version = record === undefined ? null : store.inUse(record);
      if (record === undefined || version === null || version.xml === null) return 'none';
      if (record.local === version.id && isDefined !== false) return 'current';
      return (await store.adopt(record.uuid, ({ xml }) => define(xml))) ? 'adopted' : 'failed';
    },
    isRemoved(uuid) {
      const record = store.records().find((one) => one.uuid === uuid);
      return record !== undefined && store.inUse(record)?.textDigest === null;
    },
  };
}

const agentTimeoutMs = 5000;

/** Null: it is ready when it runs. */
export function createGuestProbe(
  guest: GuestConfig,
  { libvirt, logger }: Pick<GuestDriverOptions, 'libvirt' | 'logger'>,
): ReadinessProbe | null {
  if (guest.readiness.kind === 'none') return null;
  const agent = libvirt === null || guest.driver !== 'libvirt' ? {} : agentOf(guest, libvirt);
  return createReadinessProbe(guest.readiness, { guest: guest.name, logger, ...agent });
}

function agentOf({ name }: LibvirtGuestConfig, libvirt: Libvirt) {
  const words = agentWords(name);
  return {
    agent: async (signal: AbortSignal) =>
      (await libvirt.run(words, { timeoutMs: agentTimeoutMs, signal })).kind === 'done',
    agentCommand: agentCommand(name, libvirt.uri),
  };
}
