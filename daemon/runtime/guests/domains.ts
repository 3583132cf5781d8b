// Looks which domains this host's libvirt has, whose they are, and keeps their definitions: at each change, and every
// half minute. Guarantees: a libvirt that does not answer changes nothing; what it has is told to the store and to
// nobody else. Must not: define, start or stop anything.

import type { Logger } from 'pino';
import type { Config, GroupConfig } from '../../config/config.ts';
import type { Libvirt, ListedDomain } from '../../drivers/libvirt/connection.ts';
import { findBelonging } from '../../drivers/libvirt/disks.ts';
import { type DomainDefinition, parseDomain } from '../../drivers/libvirt/domain.ts';
import { isDefinitionEvent } from '../../drivers/libvirt/events.ts';
import { shellQuote } from '../../drivers/shell.ts';
import { monotonicMs } from '../clock.ts';
import { noGroup } from '../definitions/merge.ts';
import type { DefinitionStore } from '../definitions/store.ts';
import { takingGroup } from './known-guests.ts';

export interface DomainsOptions {
  readonly config: Config;
  readonly libvirt: Libvirt;
  readonly definitions: Pick<
    DefinitionStore,
    'changed' | 'removed' | 'absent' | 'named' | 'namesHere' | 'inUse'
  >;
  /** Every name of the block devices that a group has. */
  readonly devicesOf: (group: string) => readonly string[];
  /** Does DRBD tell them all now? */
  readonly devicesAreKnown: (group: string) => boolean;
  /** Does this node run the group? Only there is a domain that is gone a guest that was removed. */
  readonly runsHere: (group: string) => boolean;
  readonly logger: Logger;
  readonly everyMs?: number;
}

export interface Domains {
  /** What could not be told may be by now. */
  lookAtAll(): void;
  close(): Promise<void>;
}

interface Seen {
  readonly xml: string;
  readonly definition: DomainDefinition;
  /** Monotonic, when it was begun to be read. */
  readonly readAtMs: number;
}

/** Whose a domain is; `left`: the group that it was of until now. Null: nobody's. */
type Owner = { readonly group: string } | { readonly left: string } | null;

/** The rest after a look, as a multiple of the look, so that looking makes no slow host slower; and its bound. */
const restPerLook = 20;
const restMsMax = 5 * 60_000;
/** Several events come of one change. */
const settleMs = 200;

export function watchDomains(options: DomainsOptions): Domains {
  const {
    config,
    libvirt,
    definitions,
    devicesOf,
    devicesAreKnown,
    runsHere,
    logger,
    everyMs = 30_000,
  } = options;
  const closing = new AbortController();
  const { signal } = closing;
  /** By name: the group of each domain that was there at the last look. */
  let last = new Map<string, string>();
  const told = new Map<string, string>();
  /** Of these the definition was read; when only some were told to have changed, the others are not read again. */
  const known = new Set<string>();
  let changed = new Set<string>();
  let isAllWanted = true;
  let allAtMs = 0;
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | null = null;
  let isWanted = false;

  const tellOnce = (about: string, what: string, next: string) => {
    if (told.get(about) === what) return;
    told.set(about, what);
    logger.warn({ guest: about, next }, what);
  };

  const read = async ({ name }: ListedDomain): Promise<Seen | null> => {
    const readAtMs = monotonicMs();
    const dumped = await libvirt.dumpXml(name, { secrets: true, signal });
    if (dumped.kind === 'failed') return null;
    try {
      return { xml: dumped.stdout, definition: parseDomain(dumped.stdout), readAtMs };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      tellOnce(
        name,
        `the definition of ${name} cannot be read: ${why}`,
        `mend it: virsh edit ${shellQuote(name)}`,
      );
      return null;
    }
  };

  const groupOf = async (definition: DomainDefinition): Promise<Owner> => {
    const { name } = definition;
    const naming = config.groups.find(({ guests }) =>
      guests.some((guest) => guest.driver === 'libvirt' && guest.name === name),
    );
    if (naming !== undefined) return { group: naming.name };
    const taking = await takingGroup(config.groups, (group) => {
      const storage = { devices: devicesOf(group.name), mounts: mountsOf(group) };
      return findBelonging(definition, storage, { libvirt, signal });
    });
    if (taking !== null) return { group: taking };
    // Where its storage is not in use it may not be told; the node that has it in use has said whose it is.
    const [record] = definitions.named(name);
    const inUse = record === undefined ? null : definitions.inUse(record);
    if (record === undefined || inUse === null || inUse.group === noGroup) return null;
    // An older definition, which the node that takes the group over may still have, says nothing of where the disks are.
    const isNewest = record.uuid === definition.uuid && record.local === inUse.id;
    return isNewest && (await isGone(definition, inUse.group))
      ? { left: inUse.group }
      : { group: inUse.group };
  };

  /**
   * Is nothing of it on the storage of the group that had it, neither by its definition nor as it runs? Only the node that
   * has that in use can say so; and not while DRBD does not tell its devices.
   */
  const isGone = async (definition: DomainDefinition, name: string): Promise<boolean> => {
    const group = config.groups.find((one) => one.name === name);
    if (group === undefined || !runsHere(name) || !devicesAreKnown(name)) return false;
    const storage = { devices: devicesOf(name), mounts: mountsOf(group) };
    const isAway = async (one: DomainDefinition) => {
      const belonging = await findBelonging(one, storage, { libvirt, signal });
      return belonging.kind === 'diskless' || (belonging.kind === 'elsewhere' && belonging.uses === false);
    };
    if (!(await isAway(definition))) return false;
    // What was edited while it runs is so once it has been off.
    const live = await libvirt.look(['dumpxml', `--domain=${definition.name}`], { signal });
    const running = live.kind === 'done' ? parsed(live.stdout) : null;
    return running !== null && (await isAway(running));
  };

  /** A guest whose disks were moved away is not started with the group any more; the peer keeps what it knows of it. */
  const letGo = async (name: string, { xml, readAtMs }: Seen, group: string) => {
    await definitions.changed(name, xml, noGroup, readAtMs);
    tellOnce(
      name,
      `${name} is no longer of ${group}: no disk of it is on the group's storage. Neither node starts it with the group; if it runs, it is stopped with the group for as long as it has not been off`,
      "battito check says where its disks are; back on the group's storage, it is taken again",
    );
  };

  const look = async (isAll: boolean) => {
    const names = changed;
    [isAllWanted, changed] = [false, new Set()];
    const listing = await libvirt.list({ signal });
    if (listing.kind === 'failed') {
      isAllWanted = true;
      return;
    }
    const found = new Map<string, string>();
    const left = new Set<string>();
    for (const domain of listing.domains) {
      const before = last.get(domain.name);
      if (!domain.persistent) {
        if (before !== undefined) found.set(domain.name, before);
        continue;
      }
      if (!isAll && known.has(domain.name) && !names.has(domain.name)) {
        if (before !== undefined) found.set(domain.name, before);
        continue;
      }
      const seen = await read(domain);
      if (seen === null) known.delete(domain.name);
      else known.add(domain.name);
      if (seen === null) {
        if (before !== undefined) found.set(domain.name, before);
        continue;
      }
      const owner = await groupOf(seen.definition);
      if (owner === null) continue;
      if ('left' in owner) {
        left.add(domain.name);
        await letGo(domain.name, seen, owner.left);
        continue;
      }
      found.set(domain.name, owner.group);
      told.delete(domain.name);
      await definitions.changed(domain.name, seen.xml, owner.group, seen.readAtMs);
    }
    for (const [name, group] of last) {
      if (found.has(name) || left.has(name)) continue;
      if (runsHere(group)) await definitions.removed(name);
      else await definitions.absent(name);
    }
    // What went while nobody looked. Whether somebody removed the guest, or this host lost it, cannot be told.
    const listed = new Set(listing.domains.map(({ name }) => name));
    for (const name of definitions.namesHere())
      if (!listed.has(name) && !last.has(name)) await definitions.absent(name);
    last = found;
  };

  const wake = () => {
    isWanted = true;
    if (looking !== null || signal.aborted) return;
    clearTimeout(timer);
    looking = (async () => {
      while (isWanted && !signal.aborted) {
        isWanted = false;
        const beganAtMs = monotonicMs();
        const isAll = isAllWanted || beganAtMs >= allAtMs;
        await look(isAll).catch((error: unknown) => {
          if (!signal.aborted) logger.error({ err: error }, 'the domains could not be looked at');
        });
        const endedAtMs = monotonicMs();
        const restMs = Math.min(restMsMax, (endedAtMs - beganAtMs) * restPerLook);
        if (isAll) allAtMs = endedAtMs + Math.max(everyMs, restMs);
      }
      looking = null;
      if (!signal.aborted) timer = setTimeout(wake, Math.max(0, allAtMs - monotonicMs()));
    })();
  };

  const wakeSoon = () => {
    if (signal.aborted) return;
    clearTimeout(timer);
    timer = setTimeout(wake, settleMs);
  };
  const lookAtAll = () => {
    isAllWanted = true;
    wakeSoon();
  };

  const unsubscribe = libvirt.subscribe(null, (event) => {
    if (event === null) return lookAtAll();
    if (!isDefinitionEvent(event)) return;
    changed.add(event.domain);
    wakeSoon();
  });
  wake();

  return {
    lookAtAll,
    async close() {
      closing.abort();
      unsubscribe();
      clearTimeout(timer);
      await looking;
    },
  };
}

function parsed(xml: string): DomainDefinition | null {
  try {
    return parseDomain(xml);
  } catch {
    return null;
  }
}

const mountsOf = ({ filesystems }: GroupConfig) => filesystems.map(({ mount }) => mount);
