// The guests of each group as this node has them on record, for commands that ask no daemon: those of `all` are known
// only where the daemon keeps their definitions.

import { resolve } from 'node:path';
import type { Config } from '../config/config.ts';
import { definitionsDirectory, readDefinitionRecords } from '../runtime/definitions/files.ts';
import { chooseInUse, type DefinitionRecord } from '../runtime/definitions/merge.ts';
import { type GuestsByGroup, knownGuests } from '../runtime/guests/known-guests.ts';

export interface StoredGuests {
  readonly guests: GuestsByGroup;
  /** Does a group take `all`, and nobody here can tell what that is? */
  readonly areLeftOut: boolean;
}

/** Reads the state directory, where a group takes `all`. */
export async function storedGuests(config: Config, stateDir: string): Promise<StoredGuests> {
  const wantsAll = config.groups.some(({ allGuests }) => allGuests !== null);
  const records = wantsAll ? await readStored(resolve(stateDir)) : [];
  const inUse = (record: DefinitionRecord) => chooseInUse(record, null)?.version ?? null;
  return {
    guests: knownGuests(config, { records: () => records ?? [], inUse }),
    areLeftOut: records === null,
  };
}

/** Null: it cannot be read. */
async function readStored(stateDir: string): Promise<readonly DefinitionRecord[] | null> {
  try {
    return await readDefinitionRecords(definitionsDirectory(stateDir));
  } catch {
    return null;
  }
}
