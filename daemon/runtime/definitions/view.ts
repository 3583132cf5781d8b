// The guests' definitions as a person asks for them by the control API.

import type {
  GuestDefinition,
  GuestDefinitions,
  GuestSide,
  GuestsSource,
  GuestVersion,
} from '../../control/guests.ts';
import { BattitoError } from '../../errors.ts';
import { monotonicMs } from '../clock.ts';
import {
  branchesOf,
  type DefinitionRecord,
  type DefinitionVersion,
  headsOf,
  noGroup,
  sideOf,
  versionOf,
} from './merge.ts';
import type { DefinitionStore } from './store.ts';
import type { DefinitionsSync } from './sync.ts';

export interface DefinitionsViewOptions {
  readonly store: DefinitionStore;
  readonly sync: Pick<DefinitionsSync, 'state'>;
  /** Node names. */
  readonly self: string;
  readonly peer: string;
  readonly damaged: readonly string[];
}

export function definitionsView({ store, sync, self, peer, damaged }: DefinitionsViewOptions): GuestsSource {
  const existing = () =>
    store.records().flatMap((record) => {
      const inUse = store.inUse(record);
      return inUse === null || inUse.textDigest === null ? [] : [{ record, inUse }];
    });

  const sides = (record: DefinitionRecord) => {
    const inUse = store.inUse(record);
    const heads = headsOf(record).map(({ id }) => id);
    return {
      [self]: sideOf(record, { node: self, local: record.local, heads }, inUse),
      [peer]: sideOf(record, { node: peer, local: record.peerLocal, heads: record.peerHeads ?? [] }, inUse),
    };
  };

  const definition = (record: DefinitionRecord, inUse: DefinitionVersion): GuestDefinition => ({
    name: inUse.name,
    uuid: record.uuid,
    group: inUse.group,
    state: stateOf(record, store.named(inUse.name).length > 1),
    sides: [
      { node: self, libvirt: libvirtOf(record, record.local, inUse), stored: true },
      {
        node: peer,
        libvirt: libvirtOf(record, record.peerLocal, inUse),
        stored: record.peerHeads === null ? null : record.peerHeads.includes(inUse.id),
      },
    ],
    inUse: { id: inUse.id, node: inUse.node, takenAt: inUse.takenAt },
  });

  return {
    list(): GuestDefinitions {
      const { comparedAtMs, problem } = sync.state();
      const guests = existing()
        .filter(({ record, inUse }) => inUse.group !== noGroup || branchesOf(record).length > 1)
        .map(({ record, inUse }) => definition(record, inUse))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
      const comparedMs = comparedAtMs === null ? null : Math.round(monotonicMs() - comparedAtMs);
      return { self, peer, comparedMs, problem, guests, damaged };
    },
    texts(uuid) {
      const record = store.record(uuid);
      if (record === undefined) return null;
      const each = sides(record);
      const hide = newMask();
      const text = (node: string) => {
        const xml = each[node]?.xml ?? null;
        return xml === null ? null : hide(xml);
      };
      const [ours, theirs] = [each[self], each[peer]];
      const same = ours?.content === theirs?.content && ours?.group === theirs?.group;
      return { name: store.inUse(record)?.name ?? uuid, same, self: text(self), peer: text(peer) };
    },
    history(uuid) {
      const record = store.record(uuid);
      if (record === undefined) return null;
      const inUse = store.inUse(record);
      return record.versions
        .filter(({ xml, textDigest }) => xml !== null || textDigest === null)
        .map((version) => versionView(record, version, inUse))
        .reverse();
    },
    async keep(uuid, node) {
      const record = store.record(uuid);
      const chosen = record === undefined ? undefined : sides(record)[node];
      if (record === undefined || chosen === undefined || chosen === null) {
        throw new BattitoError('no-such-definition', `${node} has no definition of this guest`, {
          next: `the nodes are ${self} and ${peer}; \`battito guests\` shows what each has`,
        });
      }
      const before = headsOf(record).length;
      await store.keep(uuid, chosen.id);
      return before > 1
        ? `the definition of ${chosen.name} that was made on ${chosen.node} at ${chosen.takenAt} is kept; the others are in its history`
        : `there is nothing to decide: ${chosen.name} has one definition`;
    },
  };

  function versionView(
    record: DefinitionRecord,
    version: DefinitionVersion,
    inUse: DefinitionVersion | null,
  ): GuestVersion {
    const { id, textDigest, parents, counter, node, takenAt, name, group } = version;
    const on = [...(record.local === id ? [self] : []), ...(record.peerLocal === id ? [peer] : [])];
    const isInUse = inUse?.id === id;
    return {
      id,
      sha256: textDigest,
      parents,
      counter,
      node,
      takenAt,
      name,
      group,
      inUse: isInUse,
      definedOn: on,
    };
  }
}

function stateOf(record: DefinitionRecord, isNameTaken: boolean): GuestDefinition['state'] {
  if (branchesOf(record).length > 1) return 'conflict';
  if (isNameTaken) return 'name-taken';
  const heads = headsOf(record);
  const { peerHeads } = record;
  const isThere = peerHeads !== null && heads.every(({ id }) => peerHeads.includes(id));
  return isThere ? 'same' : 'not-yet';
}

function libvirtOf(
  record: DefinitionRecord,
  id: string | null,
  inUse: DefinitionVersion,
): GuestSide['libvirt'] {
  const local = versionOf(record, id);
  if (id === null || local?.textDigest === null) return 'none';
  return local?.content === inUse.content ? 'in-use' : 'other';
}

/** Hides passwords in texts that are shown together: equal ones look equal, and none can be guessed at. */
export function newMask(): (xml: string) => string {
  const known = new Map<string, number>();
  return (xml) =>
    xml.replaceAll(/\b(passwd|password)=(["'])(.*?)\2/g, (_all, name, quote, secret) => {
      if (!known.has(secret)) known.set(secret, known.size + 1);
      return `${name}=${quote}(hidden ${known.get(secret)})${quote}`;
    });
}
