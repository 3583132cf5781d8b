// The reader of `drbdsetup events2`, and what it makes of a resource for the core.

import { readFileSync } from 'node:fs';
import test from 'ava';
import fc from 'fast-check';
import type { StorageStatus as CoreStorage, GuestAction, ResourceAction } from '../../daemon/core/events.ts';
import { applyEvent, type DrbdState, emptyState, parseEventLine } from '../../daemon/drivers/drbd/events2.ts';
import { detailOf, storageOf } from '../../daemon/drivers/drbd/status.ts';
import type { DrbdAction, StorageStatus } from '../../daemon/drivers/drbd/types.ts';

const fixture = (name: string) =>
  readFileSync(new URL(`fixtures/drbd/${name}`, import.meta.url), 'utf8').split('\n');

const read = (lines: readonly string[], from: DrbdState = emptyState) =>
  lines.reduce((state, line) => applyEvent(state, parseEventLine(line)), from);

const storage = (lines: readonly string[], name = 'r0') => {
  const found = read(lines).resources.get(name);
  return found === undefined ? undefined : storageOf(found);
};
const detail = (lines: readonly string[], name = 'r0') => {
  const found = read(lines).resources.get(name);
  return found === undefined ? undefined : detailOf(found);
};

test("the drivers' words are the core's", (t) => {
  const toCore = (value: StorageStatus): CoreStorage => value;
  const fromCore = (value: CoreStorage): StorageStatus => value;
  const action = (value: Exclude<ResourceAction, GuestAction>): DrbdAction => value;
  const actionBack = (value: DrbdAction): ResourceAction => value;
  t.truthy([toCore, fromCore, action, actionBack]); // The compiler has judged.
});

test('8.4, recorded: a primary that resyncs its peer', (t) => {
  const lines = fixture('events2-8.4.txt');
  t.true(read(lines).complete);
  t.deepEqual(storage(lines), {
    role: 'primary',
    disk: 'up-to-date',
    connection: 'connected',
    peerRole: 'secondary',
    peerDisk: 'inconsistent',
    suspended: 'no',
    resync: { direction: 'source', percent: 0 },
  });
  t.deepEqual(detail(lines), {
    minors: [0],
    disks: ['UpToDate'],
    suspendedBy: [],
    quorum: null,
    failsIo: false,
    standsAlone: 'no',
  });
});

test('8.4: a refused handshake is a split brain, and stands alone when its connection is destroyed', (t) => {
  const lines = fixture('events2-8.4-standalone.txt');
  const end = lines.indexOf('exists -') + 1;
  t.is(storage(lines.slice(0, end))?.connection, 'connecting');
  // Connected at the level of the connection, while its volume has not got through the handshake.
  t.is(storage(lines.slice(0, end + 2))?.connection, 'connecting');
  t.like(storage(lines), {
    role: 'secondary',
    disk: 'up-to-date',
    connection: 'standalone',
    peerDisk: 'unknown',
  });
  t.is(detail(lines)?.standsAlone, 'split-brain');
  const mended = [
    'create connection name:r0 peer-node-id:0 conn-name:peer connection:Connecting role:Unknown',
    'change connection name:r0 peer-node-id:0 conn-name:peer connection:Connected role:Primary',
    'create peer-device name:r0 peer-node-id:0 conn-name:peer volume:0 replication:Established peer-disk:UpToDate',
  ];
  t.like(storage([...lines, ...mended]), { connection: 'connected', peerRole: 'primary' });
  t.is(detail([...lines, ...mended])?.standsAlone, 'no');
});

test('8.4: a dump shows a connection that stands alone without its name; nobody saw why', (t) => {
  const lines = [
    'exists resource name:r0 role:Secondary suspended:no',
    'exists connection name:r0 peer-node-id:0 connection:StandAlone role:Unknown',
    'exists device name:r0 volume:0 minor:0 disk:Outdated',
    'exists peer-device name:r0 peer-node-id:0 volume:0 replication:StandAlone peer-disk:DUnknown',
    'exists -',
  ];
  t.like(storage(lines), { disk: 'outdated', connection: 'standalone', peerRole: 'unknown' });
  t.is(detail(lines)?.standsAlone, 'unexplained');
});

test('9: two volumes, of which the worst one counts; a resync with its percents; a rename; a split brain', (t) => {
  const lines = fixture('events2-9.txt');
  const end = lines.findIndex((line) => line.endsWith('exists -')) + 1;
  t.deepEqual(storage(lines.slice(0, end), 'drbd1'), {
    role: 'secondary',
    disk: 'inconsistent',
    connection: 'connected',
    peerRole: 'primary',
    peerDisk: 'up-to-date',
    suspended: 'no',
    resync: { direction: 'target', percent: 41 },
  });
  const synced = storage(lines.slice(0, end + 5), 'drbd1');
  t.like(synced, { disk: 'up-to-date', connection: 'connected', resync: null });
  t.is(storage(lines, 'drbd1'), undefined);
  t.deepEqual(storage(lines, 'office'), {
    role: 'secondary',
    disk: 'up-to-date',
    connection: 'standalone',
    peerRole: 'unknown',
    peerDisk: 'unknown',
    suspended: 'fencing',
    resync: null,
  });
  t.deepEqual(detail(lines, 'office'), {
    minors: [1, 2],
    disks: ['UpToDate', 'UpToDate'],
    suspendedBy: ['fencing', 'quorum'],
    quorum: true,
    failsIo: false,
    standsAlone: 'split-brain',
  });
});

const base = [
  'exists resource name:r0 role:Primary suspended:no',
  'exists connection name:r0 peer-node-id:0 conn-name:peer connection:Connected role:Secondary',
  'exists device name:r0 volume:0 minor:0 disk:UpToDate',
  'exists peer-device name:r0 peer-node-id:0 conn-name:peer volume:0 replication:Established peer-disk:UpToDate',
  'exists -',
];

const connectionNames = {
  StandAlone: 'standalone',
  Disconnecting: 'connecting',
  Unconnected: 'connecting',
  Timeout: 'connecting',
  BrokenPipe: 'connecting',
  NetworkFailure: 'connecting',
  ProtocolError: 'connecting',
  WFConnection: 'connecting',
  Connecting: 'connecting',
  WFReportParams: 'connecting',
  TearDown: 'connecting',
  Connected: 'connected',
  Teleporting: 'unknown',
} as const;

for (const [name, connection] of Object.entries(connectionNames)) {
  test(`a connection in ${name} is ${connection}`, (t) => {
    t.is(
      storage([...base, `change connection name:r0 peer-node-id:0 connection:${name}`])?.connection,
      connection,
    );
  });
}

const diskNames = {
  UpToDate: 'up-to-date',
  Consistent: 'consistent',
  Outdated: 'outdated',
  Inconsistent: 'inconsistent',
  Diskless: 'diskless',
  Failed: 'diskless',
  Detaching: 'diskless',
  Attaching: 'unknown',
  Negotiating: 'unknown',
  DUnknown: 'unknown',
  Molten: 'unknown',
} as const;

for (const [name, disk] of Object.entries(diskNames)) {
  test(`a disk in ${name} is ${disk}`, (t) => {
    t.is(storage([...base, `change device name:r0 volume:0 minor:0 disk:${name}`])?.disk, disk);
  });
}

const suspensions = {
  no: 'no',
  user: 'user',
  yes: 'user',
  fencing: 'fencing',
  'user,fencing': 'user',
  'no-data,fencing': 'fencing',
  'no-data': 'no',
  quorum: 'no',
  boredom: 'no',
} as const;

for (const [said, suspended] of Object.entries(suspensions)) {
  test(`IO suspended by ${said} is held back by ${suspended}`, (t) => {
    t.is(storage([...base, `change resource name:r0 suspended:${said}`])?.suspended, suspended);
  });
}

test('Ahead and Behind, where writes do not reach the peer, are not connected to their mirror', (t) => {
  for (const replication of ['Ahead', 'Behind', 'Off', 'Reversed']) {
    const lines = [...base, `change peer-device name:r0 peer-node-id:0 volume:0 replication:${replication}`];
    t.is(storage(lines)?.connection, 'connecting', replication);
  }
});

test('an old resync leaves no percents to a new one', (t) => {
  const peerDevice = 'change peer-device name:r0 peer-node-id:0 volume:0';
  const lines = [
    ...base,
    `${peerDevice} replication:SyncSource done:60.00`,
    `${peerDevice} done:80.50`,
    `${peerDevice} replication:Established`,
  ];
  t.deepEqual(storage(lines.slice(0, -1))?.resync, { direction: 'source', percent: 80 });
  t.is(storage(lines)?.resync, null);
  t.is(storage([...lines, `${peerDevice} replication:SyncSource`])?.resync?.percent, 0);
});

test('what is destroyed is gone; events that were lost are told apart', (t) => {
  t.is(storage([...base, 'destroy resource name:r0']), undefined);
  t.is(storage([...base, 'destroy device name:r0 volume:0 minor:0'])?.disk, 'unknown');
  t.deepEqual(parseEventLine('- skipped 3'), { kind: 'gap' });
});

test('no line throws, whatever is in it, nor makes anything of other resources', (t) => {
  const words = fc.constantFrom(
    ...['exists', 'change', 'destroy', 'create', 'rename', 'call', 'response', '-', 'resource', 'device'],
    ...[
      'connection',
      'peer-device',
      'path',
      'helper',
      'name:r1',
      'name:__proto__',
      'volume:0',
      'role:',
      ':x',
    ],
    ...['suspended:user,,', 'connection:Connected', 'new_name:r2', 'helper:split-brain', 'status:x', 'a:b:c'],
  );
  const line = fc.oneof(
    fc.string({ maxLength: 120 }),
    fc.array(fc.oneof(words, fc.string({ maxLength: 12 })), { maxLength: 8 }).map((list) => list.join(' ')),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 20 }), (lines) => {
      const state = read(lines, read(base));
      for (const resource of state.resources.values()) {
        storageOf(resource);
        detailOf(resource);
      }
      const isOurs = lines.some((text) => text.includes('r0'));
      if (!isOurs) t.deepEqual(state.resources.get('r0'), read(base).resources.get('r0'));
    }),
    { numRuns: 500 },
  );
  t.pass();
});

// A world of resources whose changes are told as DRBD does: with what identifies an object and what is new.
interface World {
  readonly role: string;
  readonly suspended: string;
  readonly connection: string;
  readonly peerRole: string;
  readonly disks: readonly string[];
  readonly replication: readonly string[];
  readonly peerDisks: readonly string[];
}

const someDisk = fc.constantFrom(...Object.keys(diskNames));
const world: fc.Arbitrary<World> = fc.record({
  role: fc.constantFrom('Primary', 'Secondary', 'Unknown'),
  suspended: fc.constantFrom(...Object.keys(suspensions)),
  connection: fc.constantFrom(...Object.keys(connectionNames)),
  peerRole: fc.constantFrom('Primary', 'Secondary', 'Unknown'),
  disks: fc.tuple(someDisk, someDisk),
  replication: fc.tuple(
    ...[0, 1].map(() => fc.constantFrom('Off', 'Established', 'SyncTarget', 'SyncSource')),
  ),
  peerDisks: fc.tuple(someDisk, someDisk),
});

function tell(now: World, before: World | null): readonly string[] {
  const action = before === null ? 'exists' : 'change';
  const said = (key: string, value: string, old: string | undefined) =>
    value === old ? '' : ` ${key}:${value}`;
  const peer = 'peer-node-id:0 conn-name:peer';
  const lines = [
    `${action} resource name:r0${said('role', now.role, before?.role)}${said('suspended', now.suspended, before?.suspended)}`,
    `${action} connection name:r0 ${peer}${said('connection', now.connection, before?.connection)}${said('role', now.peerRole, before?.peerRole)}`,
    ...now.disks.map(
      (disk, volume) =>
        `${action} device name:r0 volume:${volume} minor:${volume}${said('disk', disk, before?.disks[volume])}`,
    ),
    ...now.disks.map(
      (_, volume) =>
        `${action} peer-device name:r0 ${peer} volume:${volume}` +
        said('replication', now.replication[volume] ?? '', before?.replication[volume]) +
        said('peer-disk', now.peerDisks[volume] ?? '', before?.peerDisks[volume]),
    ),
  ];
  return before === null ? [...lines, 'exists -'] : lines;
}

test('a stream that is started again shows in its dump what the changes had told', (t) => {
  fc.assert(
    fc.property(fc.array(world, { minLength: 1, maxLength: 12 }), (worlds) => {
      const lines = worlds.flatMap((now, index) => tell(now, worlds[index - 1] ?? null));
      const last = worlds[worlds.length - 1];
      if (last === undefined) return;
      t.deepEqual(read(lines), read(tell(last, null)));
    }),
    { numRuns: 300 },
  );
});
