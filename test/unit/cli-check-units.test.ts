// What `battito check` says of the units of systemd: Battito is to start at boot, and DRBD is not to start beside it.

import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { askSystemctl, checkUnits } from '../../daemon/cli/check/units.ts';
import { temporaryDirectory } from '../support.ts';
import { configOf, officeStorage } from './support/check-host.ts';

async function told(states: Readonly<Record<string, string>>, group = 'drbd: [r0]') {
  const findings = await checkUnits(configOf(group), async (unit) => states[unit] ?? null);
  return findings.map(({ level, message, mend }) => `${level}: ${message} | ${mend}`);
}

const drbd =
  'warning: drbd.service is enabled: it brings resources up at boot, and takes them down, beside Battito | systemctl disable drbd';

test('a node that starts Battito, and DRBD not by itself, is one line', async (t) => {
  t.deepEqual(await told({ 'battito.service': 'enabled', 'drbd.service': 'disabled' }), [
    'ok: battito.service is enabled | null',
  ]);
});

test('a desktop that nothing keeps from sending the host to sleep', async (t) => {
  const own = { 'battito.service': 'enabled', 'drbd.service': 'disabled' };
  const may = async (states: Readonly<Record<string, string>>, group?: string) =>
    (await told({ ...own, ...states }, group)).slice(1);
  const desktop = { 'display-manager.service': 'enabled', 'sleep.target': 'static' };
  const warning =
    'warning: this host has a desktop, and nothing keeps it from going to sleep: the other node then takes over from it, or stands alone | systemctl mask sleep.target suspend.target hibernate.target hybrid-sleep.target';
  t.deepEqual(await may(desktop), [warning]);
  t.deepEqual(await may(desktop, officeStorage), [warning], 'without DRBD, too');
  t.deepEqual(await may({ ...desktop, 'sleep.target': 'masked' }), []);
  t.deepEqual(await may({ ...desktop, 'display-manager.service': 'not-found' }), []);
  t.deepEqual(await may({ ...desktop, 'display-manager.service': 'disabled' }), []);
});

test('without systemd nothing is said', async (t) => {
  t.deepEqual(await told({}), []);
});

for (const [state, expected] of [
  [
    'disabled',
    'warning: battito.service is disabled: the daemon does not start when this node boots | systemctl enable battito',
  ],
  [
    'masked',
    'warning: battito.service is masked: the daemon does not start when this node boots | systemctl unmask battito && systemctl enable battito',
  ],
  [
    'not-found',
    'warning: systemd has no battito.service: nothing starts the daemon when this node boots | install the package, then: systemctl enable --now battito',
  ],
] as const) {
  test(`battito.service is ${state}`, async (t) => {
    t.deepEqual(await told({ 'battito.service': state, 'drbd.service': 'masked' }), [expected]);
  });
}

test('DRBD that starts at boot is told of where a group has a resource', async (t) => {
  const states = { 'battito.service': 'enabled', 'drbd.service': 'enabled' };
  t.is((await told(states))[1], drbd);
  t.is((await told(states, 'failback: manual')).length, 1);
  t.is((await told(states, 'failback: manual }, other: { preferred: primary, drbd: [r0]')).length, 2);
});

test.serial('systemctl is asked, and one that is not there or says nothing is no answer', async (t) => {
  const directory = temporaryDirectory(t);
  const { PATH } = process.env;
  t.teardown(() => {
    process.env['PATH'] = PATH;
    delete process.env['said'];
  });
  const script = join(directory, 'systemctl');
  writeFileSync(
    script,
    '#!/bin/sh\n[ "$*" = "is-enabled battito.service" ] || { echo "$said" >&2; exit 1; }\necho disabled; exit 1\n',
  );
  chmodSync(script, 0o755);
  process.env['PATH'] = `${directory}:${PATH}`;
  t.is(await askSystemctl('battito.service'), 'disabled');
  t.is(await askSystemctl('other.service'), null);
  process.env['said'] = 'Failed to get unit file state for other.service: No such file or directory';
  t.is(await askSystemctl('other.service'), 'not-found');
  process.env['PATH'] = '/nonexistent';
  t.is(await askSystemctl('battito.service'), null);
});
