// What two real daemons remark to each other of a mirror that neither of them sees connected: beside their decisions,
// for a person who looks at either of them.

import test from 'ava';
import type { Status } from '../../daemon/control/api.ts';
import { waitFor } from '../support.ts';
import type { HostName } from './support/hosts.ts';
import { type Office, useOffice } from './support/office.ts';

const diskName = 'r0-of-the-test';

const officeOn = (address: string) => `  office:
    preferred: primary
    addresses: [${address}/24 dev eth0]
    drbd: [${diskName}]
`;

async function remarksAt(office: Office, host: HostName) {
  return waitFor(`${host} knows what its peer remarks`, async () => {
    const [group] = (await office.status(host)).groups;
    return group?.peerRemarks ?? false;
  });
}

const silentMs = (status: Status) => status.verdict.silentMs ?? 0;

test('each node shows what the other one sees of its copy; of a silent one what it said last, as old as that is', async (t) => {
  const office = await useOffice(t, { groups: officeOn('192.168.1.1') });
  for (const host of ['primary', 'secondary'] as const) {
    const { ageMs, disks, guests } = await remarksAt(office, host);
    t.true(ageMs < 2000, `${ageMs} ms`);
    t.like(disks, { length: 1 });
    t.like(disks[0], { resource: diskName, role: 'unknown', connection: 'unknown', aloneForMs: null });
    t.deepEqual(guests, []);
  }
  await office.network.powerLoss('secondary');
  await office.waitForVerdict('primary', 'dead');
  const status = await office.status('primary');
  const { ageMs = 0, disks } = status.groups[0]?.peerRemarks ?? {};
  t.true(Math.abs(ageMs - silentMs(status)) < 100, `${ageMs} ms, silent for ${silentMs(status)} ms`);
  t.is(disks?.[0]?.resource, diskName);
});
