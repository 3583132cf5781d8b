// A configuration that was imported, as the text of battito.yaml: every value with where it comes from, every line that
// has no equal as a comment where its equal would stand.

import { Document, isMap, type Node, type Scalar, YAMLMap, type YAMLSeq } from 'yaml';
import { type Draft, type DraftGroup, type Noted, noteOf, type Remark } from '../../config/import/draft.ts';
import { harmless, wrap } from '../output.ts';

const columns = 100;

export function renderDraft(draft: Draft, source: string): string {
  const document = new Document<Node>(new YAMLMap());
  const add = entries(document);
  document.commentBefore = comment([
    `Made by \`battito import ${draft.service} ${source}\`. /etc/battito/battito.yaml, the same on both nodes.`,
    'Behind each value stands the line it comes from; a line that has no equal is a comment.',
  ]);
  const root = document.contents as YAMLMap;
  add(root, 'cluster', draft.cluster);
  const nodes = add(root, 'nodes', {}) as YAMLMap;
  for (const { value, note } of draft.nodes) {
    add(nodes, value.name, { value: { address: value.address }, note });
  }
  addHeartbeat(draft, root, add);
  if (draft.ping.length > 0) {
    const connectivity = add(root, 'connectivity', {}) as YAMLMap;
    addList(connectivity, 'ping', draft.ping, add);
  }
  if (draft.mail.length > 0) {
    const channels = add(add(root, 'notify', {}) as YAMLMap, 'channels', {}) as YAMLMap;
    addList(add(channels, 'mail', {}) as YAMLMap, 'mail', draft.mail, add);
  }
  if (draft.watchdog !== null) add(root, 'watchdog', draft.watchdog);
  const groups = add(root, 'groups', {}) as YAMLMap;
  for (const group of draft.groups) addGroup(groups, group, add);
  return document.toString({ lineWidth: 0 });
}

type Add = ReturnType<typeof entries>;

/** Adds a key with its value; a mapping or a list with a note is written in one line. */
function entries(document: Document<Node>) {
  return (map: YAMLMap, key: string, value: unknown, before: readonly string[] = []): Node => {
    const noted = isNoted(value) ? value : { value, note: null };
    const node = document.createNode(noted.value, { flow: isNoted(value) }) as Node;
    if (isMap(node) && !isNoted(value)) node.flow = false;
    if (noted.note !== null) node.comment = ` ${clean(noted.note)}`;
    const pair = document.createPair(key, node);
    if (before.length > 0) (pair.key as unknown as Scalar).commentBefore = comment(before);
    map.items.push(pair);
    return pair.value as unknown as Node;
  };
}

function isNoted(value: unknown): value is Noted<unknown> {
  return typeof value === 'object' && value !== null && 'note' in value;
}

function addHeartbeat(draft: Draft, root: YAMLMap, add: Add): void {
  const heartbeat = add(root, 'heartbeat', {}, remarkLines(draft.remarks)) as YAMLMap;
  for (const [name, timing] of Object.entries(draft.timings)) add(heartbeat, name, timing);
  if (draft.port !== null) add(heartbeat, 'port', draft.port);
  addList(heartbeat, 'links', draft.links, add);
}

function addGroup(groups: YAMLMap, group: DraftGroup, add: Add): void {
  const map = add(groups, group.name, {}, remarkLines(group.remarks)) as YAMLMap;
  add(map, 'preferred', group.preferred);
  add(map, 'failback', group.failback);
  if (group.failbackDelay !== null) add(map, 'failback-delay', group.failbackDelay);
  for (const key of ['addresses', 'drbd', 'filesystems', 'guests'] as const) {
    if (group[key].length > 0) addList(map, key, group[key], add);
  }
}

function addList(map: YAMLMap, key: string, items: readonly Noted<unknown>[], add: Add): void {
  const list = add(map, key, []) as YAMLSeq;
  list.flow = false;
  for (const item of items) {
    const holder = new YAMLMap();
    list.items.push(add(holder, key, item));
  }
}

function remarkLines(remarks: readonly Remark[]): string[] {
  return remarks.map(({ place, text, why }) => `${noteOf(place)}: ${text} -- ${why}`);
}

/** Each line wrapped, the rest of it indented. */
function comment(lines: readonly string[]): string {
  return lines
    .flatMap((line) =>
      wrap(clean(line), columns).map((part, index) => (index === 0 ? ` ${part}` : `   ${part}`)),
    )
    .join('\n');
}

/** What others wrote may hold anything but must not end a comment. */
const clean = (text: string) => harmless(text.replaceAll(/[\s\ufeff]+/g, ' '));
