// The guests' definitions as this node knows them: what its own libvirt has, what the peer's has, what is in use, and the
// last versions. Guarantees: what concerns one guest happens in the order in which it was asked for; a definition that
// cannot be written to the disk is kept in memory, told, and written later; nothing of a version is ever changed.

import type { Logger } from 'pino';
import type * as z from 'zod';
import { monotonicMs } from '../clock.ts';
import { contentDigest, identityOf } from './content.ts';
import { type DefinitionFiles, unsound, type versionSchema } from './files.ts';
import {
  chooseInUse,
  type DefinitionRecord,
  type DefinitionVersion,
  emptyRecord,
  versionOf,
  withDecision,
  withEdit,
  withVersions,
} from './merge.ts';

/** The longest text of a definition, characters: with what goes with it, it fits into an answer of the channel. */
const textLengthMax = 384 * 1024;

export type ChangeResult = { readonly kind: 'taken' } | { readonly kind: 'refused'; readonly why: string };

export interface DefinitionStoreOptions {
  readonly files: DefinitionFiles;
  /** Node names. */
  readonly self: string;
  readonly peer: string;
  /** The node that runs the group; null: none, or not known. */
  readonly activeNode: (group: string) => string | null;
  readonly logger: Logger;
}

export interface DefinitionStore {
  /** Removed ones too; by name. */
  records(): readonly DefinitionRecord[];
  record(uuid: string): DefinitionRecord | undefined;
  /** Of the guests of this name that are not removed; more than one when the nodes each made their own. */
  named(name: string): readonly DefinitionRecord[];
  inUse(record: DefinitionRecord): DefinitionVersion | null;
  /** The names of those that this node's libvirt has, as far as it is on record. */
  namesHere(): readonly string[];
  /**
   * This node's libvirt has this inactive definition (with security info). `readAtMs`: monotonic, when it was begun to
   * be read, so that what was read before an `adopt` of the same guest is not taken for an edit. Asked with what is known
   * it does nothing.
   */
  changed(name: string, xml: string, group: string, readAtMs?: number): Promise<ChangeResult>;
  /** The guest was removed for good (on the node that has it). Its versions stay. */
  removed(name: string): Promise<void>;
  /** This node's libvirt does not have it, which says nothing about the guest. */
  absent(name: string): Promise<void>;
  /**
   * Has `define` give the definition in use to this node's libvirt. It resolves to what libvirt has then, which need not
   * be the same text; null: it could not. Nothing else is taken about this guest meanwhile.
   */
  adopt(
    uuid: string,
    define: (version: DefinitionVersion & { readonly xml: string }) => Promise<string | null>,
  ): Promise<boolean>;
  /** A person decides for what `from`, a version, says. */
  keep(uuid: string, from: string): Promise<void>;
  /** What the peer has. Null: taken; else what is wrong with it, and nothing of it is taken. */
  take(
    uuid: string,
    told: {
      readonly versions: readonly z.infer<typeof versionSchema>[];
      readonly local: string | null;
      readonly heads: readonly string[];
    },
  ): Promise<string | null>;
  /** Called after every change. */
  onChange(listener: (uuid: string) => void): void;
  /** Writes what could not be written before; and waits for what is under way. */
  flush(): Promise<void>;
}

export function createDefinitionStore(options: DefinitionStoreOptions): DefinitionStore {
  const { files, self, peer, activeNode, logger } = options;
  const records = new Map(files.records.map((record) => [record.uuid, record]));
  const tails = new Map<string, Promise<unknown>>();
  const adoptedAtMs = new Map<string, number>();
  const unwritten = new Set<string>();
  const listeners: ((uuid: string) => void)[] = [];

  const choose = (record: DefinitionRecord) => {
    const group = record.versions.at(-1)?.group;
    const node = group === undefined ? null : activeNode(group);
    const local = node === self ? record.local : node === peer ? record.peerLocal : null;
    return chooseInUse(record, node === null ? null : { node, local });
  };

  const write = async (record: DefinitionRecord) => {
    try {
      await files.save(record);
      unwritten.delete(record.uuid);
    } catch (error) {
      const isNews = unwritten.size === 0;
      unwritten.add(record.uuid);
      if (isNews)
        logger.error(
          { err: error, uuid: record.uuid, next: 'make room for, or mend, the state directory' },
          'a definition cannot be written to the disk; it is kept in memory and tried again',
        );
    }
  };

  const enqueue = <T>(uuid: string, work: () => Promise<T>): Promise<T> => {
    const result = (tails.get(uuid) ?? Promise.resolve()).then(work);
    tails.set(
      uuid,
      result.catch(() => {}),
    );
    return result;
  };

  const named = (name: string) =>
    [...records.values()].filter((record) => {
      const version = choose(record)?.version;
      return version?.name === name && version.textDigest !== null;
    });

  /** One after the other: a name may pass from one guest to another. Of two guests that have it, ours. */
  const writeText = (name: string) =>
    enqueue(`text of ${name}`, () => {
      const having = named(name);
      const record = having.find(({ local }) => local !== null) ?? having[0];
      return files.saveText(name, record === undefined ? null : (choose(record)?.version.xml ?? null));
    });

  const put = async (before: DefinitionRecord, changed: DefinitionRecord) => {
    if (changed === before) return;
    const choice = choose(changed);
    // In a conflict only: what was in use while the nodes did not know of each other decides nothing.
    const settled = choice?.why === 'settled' ? choice.version.id : null;
    const after = { ...changed, settled: choice?.why === 'arbitrary' ? changed.settled : settled };
    const names = [choose(before)?.version.name, choice?.version.name];
    records.set(after.uuid, after);
    await write(after);
    for (const name of new Set(names)) if (name !== undefined) await writeText(name);
    for (const listener of listeners) listener(after.uuid);
  };

  const update = (uuid: string, change: (record: DefinitionRecord) => DefinitionRecord) =>
    enqueue(uuid, async () => {
      const before = records.get(uuid) ?? emptyRecord(uuid);
      await put(before, change(before));
    });

  const editOf = (name: string, group: string, xml: string | null) => ({
    name,
    group,
    xml,
    content: xml === null ? null : contentDigest(xml),
    node: self,
    takenAt: new Date().toISOString(),
  });

  const removal = (record: DefinitionRecord) => {
    const local = versionOf(record, record.local);
    return local === undefined ? record : withEdit(record, editOf(local.name, local.group, null));
  };

  /** What this node's libvirt calls it; null: it does not have it. */
  const nameHere = (record: DefinitionRecord) => {
    const local = versionOf(record, record.local);
    return local === undefined || local.textDigest === null ? null : local.name;
  };

  const here = (name: string) => [...records.values()].filter((record) => nameHere(record) === name);

  /** Null: it is this guest's. */
  const refusalOf = (xml: string, name: string, uuid: string | null) => {
    if (xml.length > textLengthMax) return `it is longer than ${textLengthMax} characters`;
    const identity = identityOf(xml);
    if ('error' in identity) return identity.error;
    const isIts = identity.name === name && (uuid === null || identity.uuid === uuid);
    return isIts ? null : `it is the definition of ${identity.name}, ${identity.uuid}`;
  };

  return {
    records: () => [...records.values()].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1)),
    record: (uuid) => records.get(uuid),
    named,
    inUse: (record) => choose(record)?.version ?? null,
    namesHere: () => [...records.values()].flatMap((record) => nameHere(record) ?? []),
    async changed(name, xml, group, readAtMs = monotonicMs()) {
      const why = refusalOf(xml, name, null);
      const identity = identityOf(xml);
      if (why !== null || 'error' in identity) {
        logger.warn({ guest: name, why }, `the definition of ${name} is not stored: ${why}`);
        return { kind: 'refused', why: why ?? '' };
      }
      // Libvirt has a name once only: who had it before is no more.
      const replaced = here(name).filter(({ uuid }) => uuid !== identity.uuid);
      await Promise.all(replaced.map(({ uuid }) => update(uuid, removal)));
      await update(identity.uuid, (record) => {
        const isOld = readAtMs < (adoptedAtMs.get(identity.uuid) ?? Number.NEGATIVE_INFINITY);
        return isOld ? record : withEdit(record, editOf(name, group, xml));
      });
      return { kind: 'taken' };
    },
    async removed(name) {
      // It may be adopted at this moment, under another name.
      const remove = (record: DefinitionRecord) => (nameHere(record) === name ? removal(record) : record);
      await Promise.all(here(name).map(({ uuid }) => update(uuid, remove)));
    },
    async absent(name) {
      await Promise.all(here(name).map(({ uuid }) => update(uuid, (record) => ({ ...record, local: null }))));
    },
    adopt: (uuid, define) =>
      enqueue(uuid, async () => {
        const before = records.get(uuid);
        const version = before === undefined ? undefined : choose(before)?.version;
        if (before === undefined || version === undefined || version.xml === null) return false;
        const xml = await define({ ...version, xml: version.xml });
        if (xml === null) return false;
        adoptedAtMs.set(uuid, monotonicMs());
        const adopted = before.local === version.id ? before : { ...before, local: version.id };
        await put(before, withEdit(adopted, editOf(version.name, version.group, xml)));
        return true;
      }),
    keep: (uuid, from) =>
      update(uuid, (record) => {
        const chosen = versionOf(record, from);
        if (chosen === undefined) return record;
        return withDecision(record, chosen, { node: self, takenAt: new Date().toISOString() });
      }),
    async take(uuid, { versions, local, heads }) {
      for (const version of versions) {
        const why =
          unsound(uuid, version) ??
          (version.xml === null ? null : refusalOf(version.xml, version.name, uuid));
        if (why !== null) return why;
      }
      const taken = versions.map((version) =>
        version.xml === null ? version : { ...version, content: contentDigest(version.xml) },
      );
      let why: string | null = null;
      await update(uuid, (record) => {
        const told = { ...record, peerLocal: local, peerHeads: heads };
        const merged = withVersions(told, taken);
        why = heads.some((head) => !isWhole(merged, head)) ? 'its newest version is not with it' : null;
        return why !== null || JSON.stringify(merged) === JSON.stringify(record) ? record : merged;
      });
      return why;
    },
    onChange: (listener) => void listeners.push(listener),
    async flush() {
      await Promise.all(tails.values());
      // Who is active may have become known since the conflict was found.
      for (const record of records.values()) {
        const choice = choose(record);
        if (choice?.why === 'settled' && choice.version.id !== record.settled)
          await update(record.uuid, (now) => ({ ...now }));
      }
      for (const uuid of [...unwritten]) {
        const record = records.get(uuid);
        if (record !== undefined) await enqueue(uuid, () => write(records.get(uuid) ?? record));
      }
    },
  };
}

function isWhole(record: DefinitionRecord, id: string): boolean {
  const version = versionOf(record, id);
  return version !== undefined && (version.xml !== null || version.textDigest === null);
}

export const nameOf = ({ versions, uuid }: DefinitionRecord) => versions.at(-1)?.name ?? uuid;
