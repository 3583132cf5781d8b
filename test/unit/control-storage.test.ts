// What status and refusals say of mirrored disks: which one, in what state, how far a resync is, and what to do.

import test from 'ava';
import { attentionOf } from '../../daemon/control/attention.ts';
import { attentionOfStorage } from '../../daemon/control/attention-storage.ts';
import type { StorageNote } from '../../daemon/control/storage.ts';
import { disksInTheWay, withDisks } from '../../daemon/control/storage.ts';
import { statusOf } from '../../daemon/control/view.ts';
import type { Trouble } from '../../daemon/drivers/drbd/types.ts';
import { disk, protectedPolicy } from '../sim/example.ts';
import { group, resource, status } from './fixtures/cli/statuses.ts';
import { apart, mirrored, oneCore } from './support/one-core.ts';
import { frozenAndHeardAgain } from './support/situations.ts';

const well = { ...mirrored, disk: 'up-to-date', peerDisk: 'up-to-date' } as const;
const stale = {
  ...well,
  disk: 'inconsistent',
  connection: 'connected',
  resync: { direction: 'target', percent: 12 },
} as const;
const measured = { direction: 'target', percent: 12.4, leftKib: 3_565_158, leftS: 300 } as const;
const toolsMissing: Trouble = {
  code: 'drbd-utils-missing',
  what: 'drbdadm and drbdsetup are not installed',
  next: 'apt-get install drbd-utils',
};

const state = oneCore({ policy: protectedPolicy('secondary', { disk: true }) }).state();
const said = (storage: object | null, note?: Partial<StorageNote>) =>
  attentionOfStorage(
    { ...state, verdict: { ...state.verdict, kind: 'alive' } as never },
    { id: 'drbd:r0', storage, splitTold: false, diskTrouble: null } as never,
    note && { trouble: null, resync: null, changedKib: null, standsAlone: 'no', ...note },
  ).map(({ severity, code, message, next }) => `${severity} ${code}: ${message} => ${next}`);

test('a mirror that is whole is not spoken of', (t) => {
  t.deepEqual(said(well), []);
  t.deepEqual(said(null), []);
  t.deepEqual(said(null, { trouble: { ...toolsMissing, code: 'drbd-not-read-yet' } }), []);
});

test('a resync is told with the direction, the percent, what is left and for how long', (t) => {
  t.deepEqual(said(stale, { resync: measured }), [
    'warning resync: drbd:r0 is being copied to secondary, 12 %, 3.4 GiB left at 12 MiB/s, about 5 min; until then nothing protects it => wait; `battito status` shows how far it is',
  ]);
  t.regex(said(stale)[0] ?? '', /copied to secondary, 12 %; until then/);
});

test('a disk that has failed, while DRBD does not go on with the older copy of the peer, says what a person does', (t) => {
  const lost = { ...well, disk: 'diskless', role: 'primary', connection: 'standalone' } as const;
  t.deepEqual(said(lost), [
    'alarm storage-standalone: drbd:r0 has no disk on secondary any more, and is not connected to the copy on primary, which may lack what was written last => mend the disk of secondary; or, if what only that one has may be lost: `systemctl stop battito` on secondary, then `battito takeover --accept-data office` on primary',
  ]);
  for (const other of [{ disk: 'up-to-date' }, { role: 'secondary' }, { connection: 'connected' }])
    t.notRegex(said({ ...lost, ...other }).join(), /no disk/);
});

test('a disk of which neither copy is whole is told, with both ways out', (t) => {
  t.deepEqual(said({ ...well, disk: 'diskless', peerDisk: 'inconsistent' }), [
    'alarm no-whole-copy: neither copy of drbd:r0 is whole: diskless on secondary, inconsistent on primary => mend the disk that had the whole copy, then `drbdadm attach r0` there; if it is lost, `drbdadm primary --force r0` on one node makes its copy count as it is: restore r0 from a backup then',
  ]);
  for (const whole of ['up-to-date', 'outdated', 'consistent'] as const)
    t.notRegex(said({ ...well, disk: whole, peerDisk: 'inconsistent' }).join(), /no-whole-copy/);
  t.notRegex(said({ ...apart, disk: 'diskless', peerDisk: 'unknown' }).join(), /no-whole-copy/);
});

test('what keeps a resource from being seen is said with what mends it', (t) => {
  t.deepEqual(said({ ...well, connection: 'unknown' }, { trouble: toolsMissing }), [
    'alarm storage-not-seen: drbd:r0: drbdadm and drbdsetup are not installed => apt-get install drbd-utils',
  ]);
});

test('a frozen group says what it waits for: its peer, or the witness when the peer is heard', (t) => {
  const node = frozenAndHeardAgain();
  const said = () => attentionOf(node.state()).find(({ code }) => code === 'frozen');
  t.like(said(), {
    severity: 'alarm',
    message:
      'office is frozen: addresses released, guests paused, until the witness says whether secondary has written since',
    next: 'mend the witness; or give up what was written here and run on secondary: battito takeover office',
  });
  node.go(9000, { peer: null });
  t.regex(said()?.message ?? '', /until secondary is heard$/);
});

test('a group that is held back by its data names its disks and their state', (t) => {
  const node = oneCore({
    self: 'secondary',
    policy: protectedPolicy('secondary', { disk: true }),
    record: { generation: 3, owner: 'primary' },
  });
  node.see(1, 'down');
  node.show(1, { ...apart, disk: 'outdated' });
  node.go(6500, { peer: null });
  const [first] = attentionOf(node.state()).filter(({ code }) => code.startsWith('blocked-'));
  const name = disk.replace('drbd:', '');
  t.true(first?.message.includes(`(${name}: its disk is Outdated, not connected (`), first?.message);
});

test('where the configurations differ, what a reload takes is said, and what goes over to all else', (t) => {
  const node = oneCore();
  node.go(1000, { says: { configDigest: 'another' } });
  const { next } = attentionOf(node.state()).find(({ code }) => code === 'config-differs') ?? {};
  t.regex(
    next ?? '',
    /systemctl reload battito, which takes timings, key, preferred and failback; for all else: /,
  );
  t.regex(
    next ?? '',
    /battito maintenance on --for 10m; systemctl restart battito; battito maintenance off$/,
  );
});

test('of a copy without its mirror the status has since when it is written to alone, and what its peer lacks', (t) => {
  const node = oneCore({ self: 'secondary', policy: protectedPolicy('secondary', { disk: true }) });
  const guests = [{ name: 'mail', status: 'up', upForMs: 9000 }] as const;
  const said = { group: 'office', disks: [], guests };
  const shown = () =>
    statusOf({
      config: { cluster: 'office', nodes: [] } as never,
      state: node.state(),
      counters: [],
      nowMs: node.state().now + 500,
      storage: new Map([
        [disk, { trouble: null, resync: null, changedKib: 20, standsAlone: 'split-brain' as const }],
      ]),
      guestsUpForMs: new Map([['guest:mail', 7000]]),
      standbyLeftMs: null,
      gaps: { days: 0, links: [], silences: { count: 0, longestMs: 0 }, stalls: { count: 0, longestMs: 0 } },
      lateness: { count: 0, usualMs: 0, longestMs: 0 },
      peerRemarks: { remarks: [said], atMs: node.state().now - 1500 },
      readinessOf: () => null,
      witness: null,
      definitions: { self: 'secondary', peer: 'primary', guests: [] },
      safeguards: [],
      schedule: [],
      readiness: null,
    }).groups[0];
  const mirror = () => shown()?.resources.find(({ id }) => id === disk)?.apart;
  node.show(1, mirrored);
  t.is(mirror(), null);
  node.show(1, { ...apart, connection: 'standalone' });
  t.deepEqual(mirror(), {
    standsAlone: 'split-brain',
    aloneForMs: null,
    aloneLonger: false,
    changedKib: 20,
  });
  node.show(1, { ...apart, role: 'primary' });
  t.like(mirror(), { aloneForMs: 500, aloneLonger: false, changedKib: 20 });
  t.is(shown()?.discarding, false);
  const ups = shown()?.resources.map(({ id, upForMs }) => [id, upForMs]) ?? [];
  t.deepEqual(Object.fromEntries(ups)[disk], null);
  t.deepEqual(
    shown()?.peerRemarks,
    { ageMs: 2000, disks: [], guests },
    'and what the peer remarked, with its age',
  );
});

const view = (changes: object) => resource('drbd:r0', { kind: 'drbd', storage: well, ...changes });

test('a refusal names the disks that are not up to date on both sides, and no others', (t) => {
  const groups = (...resources: ReturnType<typeof view>[]) => [group({ resources })];
  t.is(disksInTheWay(groups(view({}))), '');
  t.is(disksInTheWay(groups(resource('guest:mail'))), '');
  t.is(
    disksInTheWay(groups(view({ storage: stale, resync: measured }))),
    "r0: its disk is Inconsistent, the peer's is UpToDate, connected, resync at 12 %, 3.4 GiB left at 12 MiB/s, about 5 min",
  );
  t.regex(
    disksInTheWay(groups(view({ storage: { ...well, peerDisk: 'outdated' } }))),
    /^r0: its disk is UpToDate, the peer's is Outdated/,
  );
  t.is(disksInTheWay(groups(view({ trouble: toolsMissing }))), 'r0: drbdadm and drbdsetup are not installed');
});

test('only refusals about moves and data are explained so, and only for the groups that were meant', (t) => {
  const look = () => status({ groups: [group({ resources: [view({ storage: stale })] })] });
  const refused = { kind: 'refused', code: 'peer-unwilling', message: 'no', next: 'wait' } as const;
  const asked = (wish: Parameters<typeof withDisks>[1]) => withDisks(refused, wish, look);
  t.like(asked({ kind: 'takeover', groups: [] }), {
    message: "no (r0: its disk is Inconsistent, the peer's is UpToDate, connected, resync at 12 %)",
    next: 'wait',
  });
  t.is(asked({ kind: 'takeover', groups: ['other'] }), refused);
  t.is(asked({ kind: 'standby', on: true }), refused);
  const accepted = { kind: 'accepted', message: 'yes' } as const;
  t.is(withDisks(accepted, { kind: 'takeover', groups: [] }, look), accepted);
});
