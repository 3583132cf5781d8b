// Reads `drbdsetup events2`, of the 8.4 kernel with drbd-utils 9 and of DRBD 9. Pure.
// Guarantees: no line throws; unknown objects and keys are passed over; the same dump gives the same state.
// Sources: drbdsetup(8); drbd-utils, user/v84/drbdsetup.c print_notifications() and user/v9/drbdsetup_events2.c.

export type Change = 'exists' | 'create' | 'change' | 'destroy';
export type Keys = Readonly<Record<string, string>>;

export type DrbdEvent =
  | { readonly kind: 'object'; readonly change: Change; readonly object: string; readonly keys: Keys }
  | { readonly kind: 'renamed'; readonly from: string; readonly to: string }
  /** DRBD calls one of its handlers, or has got its exit code. */
  | {
      readonly kind: 'helper';
      readonly resource: string;
      readonly name: string;
      readonly status: number | null;
    }
  | { readonly kind: 'dump-complete' }
  /** `- skipped N`: events were lost on the way (8.4); only a new dump tells the state. */
  | { readonly kind: 'gap' }
  | { readonly kind: 'other' };

const timestamp = /^\d{4}-\d\d-\d\dT\S+\s+/;
const changes: ReadonlySet<string> = new Set(['exists', 'create', 'change', 'destroy']);

/** One line, with or without `--timestamps`. */
export function parseEventLine(line: string): DrbdEvent {
  const words = line.trim().replace(timestamp, '').split(/\s+/);
  const [action = '', object = ''] = words;
  if (action === '-' && object === 'skipped') return { kind: 'gap' };
  if (action === 'exists' && object === '-') return { kind: 'dump-complete' };
  const keys = readKeys(words.slice(2));
  const name = keys['name'];
  if (name === undefined) return { kind: 'other' };
  if (changes.has(action)) return { kind: 'object', change: action as Change, object, keys };
  const to = keys['new_name'];
  if (action === 'rename' && object === 'resource' && to !== undefined) {
    return { kind: 'renamed', from: name, to };
  }
  const helper = keys['helper'];
  if ((action === 'call' || action === 'response') && helper !== undefined) {
    const status = Number.parseInt(keys['status'] ?? '', 10);
    return { kind: 'helper', resource: name, name: helper, status: Number.isNaN(status) ? null : status };
  }
  return { kind: 'other' };
}

function readKeys(words: readonly string[]): Keys {
  const keys: Record<string, string> = Object.create(null);
  for (const word of words) {
    const colon = word.indexOf(':');
    // The other side's addresses hold colons themselves: only the first one parts key and value.
    if (colon > 0) keys[word.slice(0, colon)] = word.slice(colon + 1);
  }
  return keys;
}

/** The keys of one object as last said; what was never said is missing. */
export interface PeerObject {
  readonly keys: Keys;
  readonly volumes: ReadonlyMap<string, Keys>;
}

export interface ResourceObject {
  readonly keys: Keys;
  readonly volumes: ReadonlyMap<string, Keys>;
  /** By peer-node-id: 8.4 says 0 always, and leaves conn-name out once the connection is given up. */
  readonly peers: ReadonlyMap<string, PeerObject>;
  /** DRBD found that the copies have parted, and gave the connection up, since they were last connected. */
  readonly splitBrain: boolean;
}

export interface DrbdState {
  /** The dump has come to its end: what is not there does not exist. */
  readonly complete: boolean;
  readonly resources: ReadonlyMap<string, ResourceObject>;
}

export const emptyState: DrbdState = { complete: false, resources: new Map() };

const noKeys: Keys = Object.freeze(Object.create(null));
const freshPeer: PeerObject = { keys: noKeys, volumes: new Map() };
const freshResource: ResourceObject = {
  keys: noKeys,
  volumes: new Map(),
  peers: new Map(),
  splitBrain: false,
};

export function applyEvent(state: DrbdState, event: DrbdEvent): DrbdState {
  switch (event.kind) {
    case 'dump-complete':
      return { ...state, complete: true };
    case 'object':
      return applyObject(state, event.change, event.object, event.keys);
    case 'renamed': {
      const resource = state.resources.get(event.from);
      if (resource === undefined) return state;
      const resources = without(state.resources, event.from);
      return { ...state, resources: withEntry(resources, event.to, resource) };
    }
    case 'helper': {
      // Called when nothing in the configuration resolves it: the connection is given up (drbd_receiver.c).
      const resource = state.resources.get(event.resource);
      if (resource === undefined || event.name !== 'split-brain') return state;
      return withResource(state, event.resource, { ...resource, splitBrain: true });
    }
    case 'gap':
    case 'other':
      return state;
  }
}

/** A new dump does not say why a resource stands alone: that is kept from before, until the copies are connected. */
export function rememberWhy(state: DrbdState, before: DrbdState): DrbdState {
  let next = state;
  for (const [name, resource] of state.resources) {
    const isConnected = [...resource.peers.values()].some(({ volumes }) =>
      [...volumes.values()].some(({ replication }) => replicates(replication)),
    );
    if (resource.splitBrain || isConnected || before.resources.get(name)?.splitBrain !== true) continue;
    next = withResource(next, name, { ...resource, splitBrain: true });
  }
  return next;
}

function applyObject(state: DrbdState, change: Change, object: string, keys: Keys): DrbdState {
  const name = keys['name'] ?? '';
  if (object === 'resource' && change === 'destroy') {
    return { ...state, resources: without(state.resources, name) };
  }
  const known = state.resources.get(name);
  if (known === undefined && change === 'destroy') return state;
  const resource = known ?? freshResource;
  switch (object) {
    case 'resource':
      return withResource(state, name, { ...resource, keys: { ...resource.keys, ...keys } });
    case 'device':
      return withResource(state, name, { ...resource, volumes: changed(resource.volumes, change, keys) });
    case 'connection':
      return withResource(state, name, changeConnection(resource, change, keys));
    case 'peer-device':
      return withResource(state, name, changePeerDevice(resource, change, keys));
    default:
      return state; // Paths, and what later versions may bring.
  }
}

const peerOf = (keys: Keys): string => keys['peer-node-id'] ?? '0';

function changeConnection(resource: ResourceObject, change: Change, keys: Keys): ResourceObject {
  const id = peerOf(keys);
  if (change === 'destroy') return { ...resource, peers: without(resource.peers, id) };
  const peer = resource.peers.get(id) ?? freshPeer;
  const { 'sync-state': _, ...kept } = peer.keys; // Said with each word about the connection, or over.
  const merged = { ...(keys['connection'] === undefined ? peer.keys : kept), ...keys };
  return { ...resource, peers: withEntry(resource.peers, id, { ...peer, keys: merged }) };
}

function changePeerDevice(resource: ResourceObject, change: Change, keys: Keys): ResourceObject {
  const id = peerOf(keys);
  const known = resource.peers.get(id);
  if (known === undefined && change === 'destroy') return resource;
  const peer = known ?? freshPeer;
  const volumes = changed(peer.volumes, change, keys);
  const splitBrain = resource.splitBrain && !replicates(keys['replication']);
  return { ...resource, splitBrain, peers: withEntry(resource.peers, id, { ...peer, volumes }) };
}

function changed(volumes: ReadonlyMap<string, Keys>, change: Change, keys: Keys): ReadonlyMap<string, Keys> {
  const id = keys['volume'] ?? '0';
  if (change === 'destroy') return without(volumes, id);
  const merged = { ...volumes.get(id), ...keys };
  // Only said while a resync runs; an old one must not outlive it.
  if (keys['replication'] !== undefined && keys['done'] === undefined) delete merged['done'];
  return withEntry(volumes, id, merged);
}

/** The handshake is through: 8.4 calls a connection Connected before, and its volumes Off. */
export function replicates(replication: string | undefined): boolean {
  return replication !== undefined && replicating.has(replication);
}

const replicating: ReadonlySet<string> = new Set([
  'Established',
  'Connected', // 8.4's own name of it, should a later tool not translate.
  'StartingSyncS',
  'StartingSyncT',
  'WFBitMapS',
  'WFBitMapT',
  'WFSyncUUID',
  'SyncSource',
  'SyncTarget',
  'VerifyS',
  'VerifyT',
  'PausedSyncS',
  'PausedSyncT',
]);

function withResource(state: DrbdState, name: string, resource: ResourceObject): DrbdState {
  return { ...state, resources: withEntry(state.resources, name, resource) };
}

function withEntry<V>(map: ReadonlyMap<string, V>, key: string, value: V): ReadonlyMap<string, V> {
  return new Map(map).set(key, value);
}

function without<V>(map: ReadonlyMap<string, V>, key: string): ReadonlyMap<string, V> {
  const rest = new Map(map);
  rest.delete(key);
  return rest;
}
