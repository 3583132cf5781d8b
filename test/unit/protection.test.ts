// Whether the work would go on if its node were lost: one answer for each reason, and none where all is well.

import test from 'ava';
import type { Status } from '../../daemon/control/api.ts';
import { lacksOf } from '../../daemon/control/protection.ts';
import type { StorageStatus } from '../../daemon/core/events.ts';
import { explanationOf } from '../../daemon/why/explanations.ts';
import { group, resource, status } from './fixtures/cli/statuses.ts';

const well: StorageStatus = {
  role: 'primary',
  disk: 'up-to-date',
  connection: 'connected',
  peerRole: 'secondary',
  peerDisk: 'up-to-date',
  suspended: 'no',
  resync: null,
};
const disk = (changes: Partial<StorageStatus>) =>
  group({ resources: [resource('drbd:r0', { kind: 'drbd', storage: { ...well, ...changes } })] });
const { self, peer, verdict } = status();

const cases: Readonly<Record<string, readonly [Partial<Status>, readonly string[]]>> = {
  'all is well': [{ groups: [disk({})] }, []],
  'the peer is dead': [{ verdict: { ...verdict, kind: 'dead' } }, ['peer-dead']],
  'the peer is fenced': [{ verdict: { ...verdict, kind: 'fenced' } }, ['peer-fenced']],
  'the peer said goodbye': [{ verdict: { ...verdict, kind: 'departed' } }, ['peer-departed']],
  'the peer does not respond': [{ verdict: { ...verdict, kind: 'unresponsive' } }, ['peer-unresponsive']],
  'the peer was never heard': [{ verdict: { ...verdict, kind: 'listening' } }, ['peer-listening']],
  'this node is cut off': [{ verdict: { ...verdict, kind: 'isolated' } }, ['isolated']],
  'the peer is a little late': [{ verdict: { ...verdict, kind: 'late' } }, []],
  'this node is in maintenance': [{ self: { ...self, maintenanceMs: 5 } }, ['maintenance']],
  'the peer is in maintenance': [{ peer: { ...peer, maintenanceMs: 5 } }, ['peer-maintenance']],
  'this node is in standby': [{ self: { ...self, standby: true } }, ['standby']],
  'the peer is in standby': [{ peer: { ...peer, standby: true } }, ['peer-standby']],
  'a dead peer was in standby': [
    { peer: { ...peer, standby: true }, verdict: { ...verdict, kind: 'dead' } },
    ['peer-dead'],
  ],
  'the peer has no LAN': [{ peer: { ...peer, lan: false } }, ['peer-no-lan']],
  'the mirror is not connected': [{ groups: [disk({ connection: 'connecting' })] }, ['unmirrored']],
  'the copies are apart': [{ groups: [disk({ connection: 'standalone' })] }, ['storage-standalone']],
  'the mirror is being copied': [
    { groups: [disk({ peerDisk: 'inconsistent', resync: { direction: 'source', percent: 12 } })] },
    ['resync'],
  ],
  'the copy of the peer is old': [{ groups: [disk({ peerDisk: 'outdated' })] }, ['unmirrored']],
  'the group runs nowhere': [{ groups: [group({ phase: 'blocked', runsOn: null })] }, ['nobody-runs-it']],
  'the peer would not take the group': [
    {
      groups: [
        group({
          peer: { ...(group().peer as NonNullable<ReturnType<typeof group>['peer']>), willing: false },
        }),
      ],
    },
    ['peer-unwilling'],
  ],
  'nothing could prove the peer off': [{ tierLacks: 'fencing: no answer' }, ['block']],
};

for (const [title, [changes, codes]] of Object.entries(cases)) {
  test(`${title}: ${codes.join(', ') || 'protected'}`, (t) => {
    const lacks = lacksOf(status(changes));
    t.deepEqual(
      lacks.map(({ code }) => code),
      codes,
    );
    for (const { code, message } of lacks) {
      t.not(explanationOf(code), undefined, code);
      t.regex(message, /^[a-z]/);
    }
  });
}
