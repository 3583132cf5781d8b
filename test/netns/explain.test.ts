// `battito explain` foretells, from two real daemons with real guests, what then really happens.

import test from 'ava';
import type { WhatIfReport } from '../../daemon/whatif/report.ts';
import { faultsIn } from '../schemas.ts';
import { waitFor } from '../support.ts';
import { floatingAddress, type HostName } from './support/hosts.ts';
import { guests, type Office, useOffice } from './support/office.ts';

async function explain(office: Office, host: HostName, ...words: readonly string[]): Promise<WhatIfReport> {
  const { exitCode, stdout, stderr } = await office.battito(host, 'explain', ...words, '--json');
  if (exitCode !== 0) throw new Error(`explain ended with ${exitCode}: ${stderr}`);
  const report = JSON.parse(stdout) as WhatIfReport;
  const faults = faultsIn('explain', report);
  if (faults.length > 0) throw new Error(faults.join('; '));
  if (report.basis.differences.length > 0) throw new Error(report.basis.differences.join('; '));
  return report;
}

/** What was brought up on the host since `count` notes, and what the core did to the group, in order. */
async function since(office: Office, host: HostName, count: number) {
  const notes = (await office.history(host)).slice(count);
  const started = notes
    .filter(({ code, message }) => code === 'operation-done' && message.startsWith('start '))
    .map(({ message }) => message.replace('start ', ''));
  const steps = notes.filter(({ group, code }) => group === 'office' && !code.startsWith('operation-'));
  return { started, steps: steps.map(({ code }) => code) };
}

test('what is foretold of a loss of power is what happens: the owner, the order, and the steps', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  const fromPrimary = await explain(office, 'primary', 'self-power');
  const fromSecondary = await explain(office, 'secondary', 'peer-power');
  for (const { scenarios } of [fromPrimary, fromSecondary]) {
    t.deepEqual(
      scenarios.map(({ id, ending, otherEndings }) => [id, ending.groups[0]?.to, otherEndings.length]),
      [['power primary', 'secondary', 0]],
    );
  }
  const [foretold] = fromSecondary.scenarios;
  const [group] = foretold?.ending.groups ?? [];
  const steps = (foretold?.timeline ?? [])
    .filter(
      ({ node, group: of, code }) =>
        node === 'secondary' && of === 'office' && !code.startsWith('operation-'),
    )
    .map(({ code }) => code);

  const before = (await office.history('secondary')).length;
  const startedOnce = fromPrimary.basis.durations.filter(({ from }) => from === 'recorded');
  t.deepEqual(
    startedOnce.map(({ resource }) => resource).toSorted(),
    [`address:${floatingAddress}/24`, ...guests.map((guest) => `guest:${guest}`)],
    'it knows how long the starts took here',
  );
  await office.network.powerLoss('primary');
  await office.waitForPhase('secondary', 'active');
  for (const guest of guests) await office.counts(guest);

  const happened = await since(office, 'secondary', before);
  t.deepEqual(happened.steps, steps);
  t.is(happened.started[0], group?.order[0], 'the address comes first');
  t.deepEqual(happened.started.toSorted(), [...(group?.order ?? [])].toSorted());
  t.deepEqual(await office.network.addressHolders(floatingAddress), [group?.to]);

  const after = await explain(office, 'secondary');
  t.is(after.now.summary, 'office is on secondary; primary is gone');
});

test('what is foretold of a standby peer is what happens: nobody takes over, and the next step ends it', async (t) => {
  const office = await useOffice(t);
  await office.settled('primary');
  t.is((await office.battito('secondary', 'standby', 'on')).exitCode, 0);
  await waitFor('primary knows of the standby', async () => (await office.status('primary')).peer.standby);
  const [foretold] = (await explain(office, 'primary', 'self-power')).scenarios;
  const [group] = foretold?.ending.groups ?? [];
  t.is(group?.fate, 'lost');
  t.is(group?.hindrances[0]?.next, 'on secondary: battito standby off');

  await office.network.powerLoss('primary');
  await office.waitForVerdict('secondary', 'dead');
  t.is(await office.phase('secondary'), 'stopped');
  t.is((await office.battito('secondary', 'standby', 'off')).exitCode, 0);
  await office.waitForPhase('secondary', 'active');
});
