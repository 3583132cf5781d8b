// The files of the guests' definitions, one a guest, and beside each the text that is in use, for a person who has only
// that. Guarantees: after a power cut a file is the old one or the new one; what a cut left half written is removed; a
// file that makes no sense is put aside under another name, and the others are read all the same. They hold secrets
// (a VNC password is in the definition): mode 0600, in a directory of mode 0700.

import { chmod, mkdir, readdir, readFile, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import * as z from 'zod';
import { writeDurably } from '../records/durable-file.ts';
import { contentDigest, guestNamePattern, textDigest, uuidPattern } from './content.ts';
import { type DefinitionRecord, versionId } from './merge.ts';

const digest = z.string().regex(/^[0-9a-f]{64}$/);

/** A version as it is stored, and told to the peer. */
export const versionSchema = z.object({
  id: digest,
  parents: z.array(digest).max(100),
  counter: z.int().positive().max(1_000_000_000),
  node: z.string().max(63),
  takenAt: z.iso.datetime(),
  /** Becomes a file's name. */
  name: z.string().regex(guestNamePattern),
  group: z.string().max(63),
  textDigest: digest.nullable(),
  xml: z.string().nullable(),
  content: digest.nullable(),
});

/** Raised when what counts as the content of a text changes: then it is worked out anew. */
const contentForm = 1;

const fileSchema = z.object({
  format: z.literal(1),
  contentForm: z.int(),
  uuid: z.string().regex(uuidPattern),
  local: digest.nullable(),
  peerLocal: digest.nullable(),
  settled: digest.nullable(),
  peerHeads: z.array(digest).nullable(),
  versions: z.array(versionSchema),
});

/** In the state directory. */
export const definitionsDirectory = (stateDir: string) => join(stateDir, 'definitions');

export interface DefinitionFiles {
  /** What was there at the beginning. */
  readonly records: readonly DefinitionRecord[];
  /** Files that were put aside. */
  readonly damaged: readonly string[];
  /** Rejects with the system's error. */
  save(record: DefinitionRecord): Promise<void>;
  /** Null: there is none any more. Never rejects: it is a convenience. */
  saveText(name: string, xml: string | null): Promise<void>;
}

/** Rejects when the directory cannot be used. */
export async function openDefinitionFiles(directory: string, logger: Logger): Promise<DefinitionFiles> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  const records: DefinitionRecord[] = [];
  const damaged: string[] = [];
  for (const name of (await readdir(directory)).sort()) {
    const path = join(directory, name);
    if (name.endsWith('.new')) await unlink(path);
    if (!name.endsWith('.json')) continue;
    try {
      records.push(recordFrom(name, await readFile(path, 'utf8')));
    } catch (error) {
      const aside = `${path}.damaged`;
      await rename(path, aside);
      damaged.push(aside);
      logger.error(
        { file: aside, err: error, next: 'nothing to do where the peer still has it; else look into it' },
        `the stored definition ${name} is damaged and was put aside`,
      );
    }
  }
  const texts = new Map<string, string | null>();
  return {
    records,
    damaged,
    save: (record) =>
      writeDurably(
        join(directory, `${record.uuid}.json`),
        `${JSON.stringify({ format: 1, contentForm, ...record }, null, 1)}\n`,
      ),
    async saveText(name, xml) {
      if (texts.get(name) === xml) return;
      const path = join(directory, `${name}.xml`);
      try {
        if (xml === null) await unlink(path);
        else await writeDurably(path, xml);
        texts.set(name, xml);
      } catch (error) {
        texts.delete(name);
        if ((error as NodeJS.ErrnoException).code === 'ENOENT' && xml === null) return;
        logger.warn({ err: error, file: path }, `the plain text of ${name} could not be written`);
      }
    },
  };
}

/** As they are on the disk, for whoever only reads; what cannot be read is left out. Rejects when the directory cannot be read. */
export async function readDefinitionRecords(directory: string): Promise<readonly DefinitionRecord[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.json')).sort();
  const read = names.map(async (name) => recordFrom(name, await readFile(join(directory, name), 'utf8')));
  const records = await Promise.allSettled(read);
  return records.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
}

function recordFrom(name: string, text: string): DefinitionRecord {
  const file = fileSchema.parse(JSON.parse(text));
  const { format: _, contentForm: form, ...record } = file;
  if (name !== `${record.uuid}.json`) throw new Error(`it is about ${record.uuid}`);
  for (const version of record.versions) {
    const problem = unsound(record.uuid, version);
    if (problem !== null) throw new Error(problem);
  }
  if (form === contentForm) return record;
  const versions = record.versions.map((version) =>
    version.xml === null ? version : { ...version, content: contentDigest(version.xml) },
  );
  return { ...record, versions };
}

/** What does not fit together in a version, wherever it comes from; null: nothing. */
export function unsound(uuid: string, version: z.infer<typeof versionSchema>): string | null {
  if (version.id !== versionId(uuid, version)) return `version ${version.id} is not what its name says`;
  if (version.xml !== null && textDigest(version.xml) !== version.textDigest)
    return `the text of version ${version.id} is not the one that was stored`;
  return null;
}
