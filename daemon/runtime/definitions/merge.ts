// Which version of a guest's definition is the newest, and where two were made without knowing of each other. Pure: the
// same versions give the same answer on both nodes, in whatever order they came.
//
// Every version names those that it was made from. What nothing was made from is a head. One head: it is in use. Several
// heads that say the same count as one. Several that differ are a conflict, and all of them stay until a version is made
// from all of them, which a person asks for; until then stays what was in use, else the active node's.

import { textDigest } from './content.ts';

export interface DefinitionVersion {
  /** Hex SHA-256 over what makes the version: the guest, its parents, group, and text. */
  readonly id: string;
  readonly parents: readonly string[];
  /** One more than the largest of its parents. */
  readonly counter: number;
  /** The node where it was made, and its wall clock then (ISO 8601): for people. */
  readonly node: string;
  readonly takenAt: string;
  readonly name: string;
  /** Or `noGroup`. */
  readonly group: string;
  /** Hex SHA-256 of the text; null: the guest was removed. */
  readonly textDigest: string | null;
  /** Null: removed, or too old to be kept. */
  readonly xml: string | null;
  /** Hex SHA-256 of what the text says; null: removed. */
  readonly content: string | null;
}

export interface DefinitionRecord {
  readonly uuid: string;
  /** Oldest first. */
  readonly versions: readonly DefinitionVersion[];
  /** Ids: what this node's libvirt has, and what the peer's has as it said last. */
  readonly local: string | null;
  readonly peerLocal: string | null;
  /** In a conflict: what the node that was active when it was found has; it stays in use. */
  readonly settled: string | null;
  /** The heads that the peer has, as it said last; null: it has never said. */
  readonly peerHeads: readonly string[] | null;
}

/** The group of a guest that a group has let go, since its disks are elsewhere now. */
export const noGroup = '';

/** Versions with their text; of older ones only who descends from whom, for as many as `ancestryMax`. */
export const historyMax = 10;
const ancestryMax = 200;

export const emptyRecord = (uuid: string): DefinitionRecord => ({
  uuid,
  versions: [],
  local: null,
  peerLocal: null,
  settled: null,
  peerHeads: null,
});

export function versionId(
  uuid: string,
  version: Pick<DefinitionVersion, 'parents' | 'group' | 'textDigest'>,
): string {
  return textDigest(JSON.stringify([uuid, version.parents.toSorted(), version.group, version.textDigest]));
}

export const versionOf = ({ versions }: DefinitionRecord, id: string | null) =>
  versions.find((version) => version.id === id);

/** Those that nothing was made from, the newest first. */
export function headsOf({ versions }: Pick<DefinitionRecord, 'versions'>): readonly DefinitionVersion[] {
  const parents = new Set(versions.flatMap((version) => version.parents));
  return versions.filter(({ id }) => !parents.has(id)).toSorted(newestFirst);
}

const newestFirst = (a: DefinitionVersion, b: DefinitionVersion) =>
  b.counter - a.counter || (a.id < b.id ? 1 : -1);

const saysTheSame = (a: DefinitionVersion, b: DefinitionVersion) =>
  a.content === b.content && a.group === b.group;

/** Of heads that say the same the newest. More than one: a conflict. */
export function branchesOf(record: Pick<DefinitionRecord, 'versions'>): readonly DefinitionVersion[] {
  const heads = headsOf(record);
  return heads.filter((head, index) => heads.findIndex((other) => saysTheSame(other, head)) === index);
}

/** Is `id` the version itself, or one that it was made from? */
export function isWithin(record: DefinitionRecord, id: string, version: DefinitionVersion): boolean {
  const [seen, waiting] = [new Set<string>(), [version.id]];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (next === id) return true;
    if (seen.has(next)) continue;
    seen.add(next);
    waiting.push(...(versionOf(record, next)?.parents ?? []));
  }
  return false;
}

export interface Choice {
  readonly version: DefinitionVersion;
  /** `only`: there is no other; `settled`: in a conflict, the one that was so before, or the active node's; `arbitrary`: neither is known. */
  readonly why: 'only' | 'settled' | 'arbitrary';
}

/** `activeLocal`: what the libvirt of the node that runs the guest's group has; null: not known, or nobody runs it. */
export function chooseInUse(
  record: DefinitionRecord,
  active: { readonly node: string; readonly local: string | null } | null,
): Choice | null {
  const branches = branchesOf(record);
  const [first] = branches;
  if (first === undefined) return null;
  if (branches.length === 1) return { version: first, why: 'only' };
  const from = (id: string | null) =>
    id === null ? [] : branches.filter((branch) => isWithin(record, id, branch));
  const settled = from(record.settled);
  if (settled.length === 1 && settled[0]) return { version: settled[0], why: 'settled' };
  const ofActive = active === null ? [] : from(active.local);
  const own = ofActive.length === 1 ? ofActive[0] : ofActive.find(({ node }) => node === active?.node);
  return own === undefined ? { version: first, why: 'arbitrary' } : { version: own, why: 'settled' };
}

/** What a node would start: of the heads that it has, the one that continues what its libvirt has, else what is in use. */
export function sideOf(
  record: DefinitionRecord,
  side: { readonly node: string; readonly local: string | null; readonly heads: readonly string[] },
  inUse: DefinitionVersion | null,
): DefinitionVersion | null {
  const heads = branchesOf({ versions: record.versions.filter(({ id }) => side.heads.includes(id)) });
  const [first = null] = heads;
  if (heads.length < 2) return first;
  const { local } = side;
  const continued = local === null ? [] : heads.filter((head) => isWithin(record, local, head));
  if (continued.length === 1 && continued[0]) return continued[0];
  return heads.find(({ node }) => node === side.node) ?? heads.find(({ id }) => id === inUse?.id) ?? first;
}

export interface Edit {
  readonly name: string;
  readonly group: string;
  readonly node: string;
  readonly takenAt: string;
  /** Null: the guest was removed. */
  readonly xml: string | null;
  readonly content: string | null;
}

/** This node's libvirt has something else than it had. What every node knows already makes no new version. */
export function withEdit(record: DefinitionRecord, edit: Edit): DefinitionRecord {
  const local = versionOf(record, record.local);
  const says = (version: DefinitionVersion) =>
    version.content === edit.content && version.group === edit.group;
  if (local !== undefined && says(local)) return record;
  const head = headsOf(record).find(says);
  if (head !== undefined) return { ...record, local: head.id };
  if (local === undefined) {
    const known = record.versions.toSorted(newestFirst).find(says);
    if (known !== undefined) return { ...record, local: known.id };
  }
  // Heads that say what we had are continued with it: they were no conflict, and must not become one.
  const same = local === undefined ? [] : headsOf(record).filter((one) => saysTheSame(one, local));
  const parents = local === undefined ? [] : [local, ...same];
  const version = newVersion(record, edit, parents);
  return withVersions({ ...record, local: version.id }, [version]);
}

/** A person has decided: the content of `chosen` for all; every branch ends in it. */
export function withDecision(
  record: DefinitionRecord,
  chosen: DefinitionVersion,
  { node, takenAt }: Pick<Edit, 'node' | 'takenAt'>,
): DefinitionRecord {
  const heads = headsOf(record);
  if (branchesOf(record).length === 1 && heads.some((head) => saysTheSame(head, chosen))) return record;
  const version = newVersion(record, { ...chosen, node, takenAt }, heads);
  const local = versionOf(record, record.local);
  const isHere = local !== undefined && saysTheSame(local, version);
  return withVersions({ ...record, local: isHere ? version.id : record.local }, [version]);
}

function newVersion(
  { uuid }: DefinitionRecord,
  edit: Edit,
  from: readonly DefinitionVersion[],
): DefinitionVersion {
  const made = {
    parents: [...new Set(from.map(({ id }) => id))].sort(),
    group: edit.group,
    textDigest: edit.xml === null ? null : textDigest(edit.xml),
  };
  const { name, node, takenAt, xml, content } = edit;
  const counter = 1 + Math.max(0, ...from.map((parent) => parent.counter));
  return { id: versionId(uuid, made), ...made, counter, node, takenAt, name, xml, content };
}

/** With versions that may be known already; what has become too old loses its text, then goes. */
export function withVersions(record: DefinitionRecord, more: readonly DefinitionVersion[]): DefinitionRecord {
  const all = new Map(record.versions.map((version) => [version.id, version]));
  for (const version of more) {
    const known = all.get(version.id);
    if (known === undefined || known.xml === null) all.set(version.id, version);
  }
  const versions = [...all.values()].sort(newestFirst);
  const needed = new Set([
    ...headsOf({ versions }).map(({ id }) => id),
    ...[record.local, record.peerLocal, record.settled].filter((id) => id !== null),
  ]);
  const kept = versions.filter(({ id }, index) => index < ancestryMax || needed.has(id));
  const trimmed = kept.map((version, index) =>
    index < historyMax || needed.has(version.id) ? version : { ...version, xml: null },
  );
  return { ...record, versions: trimmed.reverse() };
}
