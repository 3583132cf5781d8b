// What events2 said of a resource, in the core's words. Pure.
// Of several volumes the worst wins: they are promoted and demoted together, so one bad volume is a bad resource.
// Of several peers (DRBD 9) too. What is not said, or in a word that is not known, is unknown, the worst of all.

import { type Keys, type ResourceObject, replicates } from './events2.ts';
import type { Disk, DrbdDetail, StorageStatus } from './types.ts';

const disks: Readonly<Record<string, Disk>> = {
  UpToDate: 'up-to-date',
  Consistent: 'consistent',
  Outdated: 'outdated',
  Inconsistent: 'inconsistent',
  Diskless: 'diskless',
  // On their way to Diskless; nothing can be read from them.
  Failed: 'diskless',
  Detaching: 'diskless',
  // Attaching, Negotiating: on their way up, nobody knows to what. DUnknown: the peer's, not connected.
};

/** From the worst to the best. */
const diskRanks: readonly Disk[] = [
  'unknown',
  'diskless',
  'inconsistent',
  'outdated',
  'consistent',
  'up-to-date',
];

type Connection = StorageStatus['connection'];

const connections: Readonly<Record<string, Connection>> = {
  StandAlone: 'standalone',
  // On their way to StandAlone, or back to looking for the peer by itself.
  Disconnecting: 'connecting',
  Unconnected: 'connecting',
  Timeout: 'connecting',
  BrokenPipe: 'connecting',
  NetworkFailure: 'connecting',
  ProtocolError: 'connecting',
  TearDown: 'connecting',
  WFConnection: 'connecting', // 8.4
  Connecting: 'connecting', // 9, and what drbd-utils 9 makes of WFConnection
  WFReportParams: 'connecting', // 8.4: the handshake is not through
  Connected: 'connected',
};

const connectionRanks: readonly Connection[] = ['unknown', 'standalone', 'connecting', 'connected'];

const sources: ReadonlySet<string> = new Set(['SyncSource', 'PausedSyncS', 'StartingSyncS', 'WFBitMapS']);
const targets: ReadonlySet<string> = new Set([
  'SyncTarget',
  'PausedSyncT',
  'StartingSyncT',
  'WFBitMapT',
  'WFSyncUUID',
]);

export function storageOf(resource: ResourceObject): StorageStatus {
  const peers = [...resource.peers.values()];
  const peerVolumes = peers.flatMap(({ volumes }) => [...volumes.values()]);
  return {
    role: roleOf(resource.keys['role']),
    disk: worst(
      diskRanks,
      [...resource.volumes.values()].map(({ disk }) => diskOf(disk)),
    ),
    connection: connectionOf(resource),
    peerRole: peerRoleOf(peers.map(({ keys }) => roleOf(keys['role']))),
    peerDisk: worst(
      diskRanks,
      peerVolumes.map((keys) => diskOf(keys['peer-disk'])),
    ),
    suspended: suspendedOf(suspensions(resource)),
    resync: resyncOf(peerVolumes),
  };
}

export function detailOf(resource: ResourceObject): DrbdDetail {
  const volumes = [...resource.volumes.entries()].sort(([one], [other]) => Number(one) - Number(other));
  const quora = volumes.flatMap(([, { quorum }]) => (quorum === undefined ? [] : [quorum === 'yes']));
  return {
    minors: volumes.map(([, { minor }]) => Number(minor)).filter(Number.isInteger),
    disks: volumes.map(([, { disk }]) => disk ?? 'unknown'),
    suspendedBy: suspensions(resource),
    quorum: quora.length === 0 ? null : quora.every(Boolean),
    failsIo: resource.keys['force-io-failures'] === 'yes',
    standsAlone: standsAlone(resource),
  };
}

const diskOf = (name: string | undefined): Disk => disks[name ?? ''] ?? 'unknown';

function roleOf(name: string | undefined): StorageStatus['role'] {
  if (name === 'Primary') return 'primary';
  return name === 'Secondary' ? 'secondary' : 'unknown';
}

/** One peer that is primary is what matters. */
function peerRoleOf(roles: readonly StorageStatus['role'][]): StorageStatus['role'] {
  if (roles.includes('primary')) return 'primary';
  return roles.length > 0 && roles.every((role) => role === 'secondary') ? 'secondary' : 'unknown';
}

/**
 * 8.4 forgets a connection that stands alone, and its events say that it was destroyed (drbd_state.c
 * w_after_conn_state_ch()): no connection is one that stands alone.
 */
function connectionOf({ peers }: ResourceObject): Connection {
  if (peers.size === 0) return 'standalone';
  const each = [...peers.values()].map(({ keys, volumes }): Connection => {
    const connection = connections[keys['connection'] ?? ''] ?? 'unknown';
    if (connection !== 'connected') return connection;
    // Also Ahead and Behind, where writes do not go to the peer, are not connected to their mirror.
    return [...volumes.values()].every((volume) => replicates(volume['replication']))
      ? 'connected'
      : 'connecting';
  });
  return worst(connectionRanks, each);
}

/** `suspended:no`, `yes` (before there were reasons), or reasons with commas between them. */
function suspensions({ keys }: ResourceObject): readonly string[] {
  const said = keys['suspended'] ?? 'no';
  return said === 'no' ? [] : said.split(',').map((reason) => (reason === 'yes' ? 'user' : reason));
}

/**
 * Where several hold it back: `user`. Held back for want of data or of quorum is `no` here: nobody can let that go
 * on by a command, and the disk's state, or the detail, says what is wrong.
 */
function suspendedOf(reasons: readonly string[]): StorageStatus['suspended'] {
  if (reasons.includes('user')) return 'user';
  return reasons.includes('fencing') ? 'fencing' : 'no';
}

function resyncOf(peerVolumes: readonly Keys[]): StorageStatus['resync'] {
  const under = (names: ReadonlySet<string>) =>
    peerVolumes.filter((keys) => names.has(keys['replication'] ?? ''));
  const asTarget = under(targets);
  const running = asTarget.length > 0 ? asTarget : under(sources);
  if (running.length === 0) return null;
  const percents = running.map((keys) => wholePercent(Number.parseFloat(keys['done'] ?? '0')));
  return { direction: asTarget.length > 0 ? 'target' : 'source', percent: Math.min(...percents) };
}

/** 100 is what a resync that runs has not reached. */
export function wholePercent(percent: number): number {
  return Number.isFinite(percent) ? Math.max(0, Math.min(99, Math.floor(percent))) : 0;
}

function standsAlone(resource: ResourceObject): DrbdDetail['standsAlone'] {
  if (connectionOf(resource) !== 'standalone') return 'no';
  const said = [...resource.peers.values()].map(({ keys }) => keys['sync-state']);
  if (resource.splitBrain || said.includes('SplitBrain')) return 'split-brain';
  return said.includes('Unrelated') ? 'unrelated' : 'unexplained';
}

function worst<T>(ranks: readonly [T, ...T[]] | readonly T[], values: readonly T[]): T {
  const indices = values.map((value) => ranks.indexOf(value));
  return ranks[indices.length === 0 ? 0 : Math.min(...indices)] as T;
}
