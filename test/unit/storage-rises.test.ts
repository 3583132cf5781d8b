// Storage that comes into use is told of, once each time; and with it guests whose storage could not be seen before.

import test from 'ava';
import { pino } from 'pino';
import { initialState } from '../../daemon/core/state.ts';
import { createLibvirt } from '../../daemon/drivers/libvirt/connection.ts';
import type { Definitions } from '../../daemon/runtime/definitions/definitions.ts';
import { createGuests } from '../../daemon/runtime/guests/guests.ts';
import type { Resources } from '../../daemon/runtime/resources.ts';
import { createStorageRises } from '../../daemon/runtime/storage/storage-rises.ts';
import { configOf, domainXml, fakeLibvirt } from './support/check-host.ts';
import { until, useFakeVirsh } from './support/fake-libvirt.ts';

useFakeVirsh();

test('a rise is told once, and again after a fall', (t) => {
  const rises = createStorageRises();
  const told: string[] = [];
  rises.seen('drbd:r0', true);
  rises.listen(() => told.push('rise'));
  rises.seen('drbd:r0', true);
  t.deepEqual(told, []);
  rises.seen('filesystem:/srv', true);
  rises.seen('filesystem:/srv', true);
  rises.seen('drbd:r0', false);
  t.deepEqual(told, ['rise']);
  rises.seen('drbd:r0', true);
  t.deepEqual(told, ['rise', 'rise']);
});

test('a domain whose device is seen only later is taken as soon as storage comes up', async (t) => {
  const disk =
    "<disk type='block' device='disk'><driver name='qemu' type='raw'/><source dev='/dev/drbd7'/><target dev='vda'/></disk>";
  const uri = await fakeLibvirt(t, { domains: { mail: { xml: domainXml('mail', { devices: disk }) } } });
  const logger = pino({ level: 'silent' });
  const libvirt = createLibvirt({ uri, logger });
  const taken: string[] = [];
  let asked = 0;
  const definitions: Partial<Definitions> = {
    changed: async (name, _xml, group) => {
      taken.push(`${name} of ${group}`);
      return { kind: 'taken' };
    },
    named: () => {
      asked += 1;
      return [];
    },
    records: () => [],
    onChange: () => {},
    channel: { serve: () => {} } as Partial<Definitions['channel']> as Definitions['channel'],
  };
  let devices: readonly string[] = [];
  const rises = createStorageRises();
  const resources: Partial<Resources> = { devicesOf: () => devices, onStorageUp: rises.listen };
  const guests = await createGuests({
    ...{ config: configOf('drbd: [r0], guests: all', uri), node: 'primary', software: '1', logger },
    definitions: definitions as Definitions,
    lookEveryMs: 3_600_000,
  });
  const ledger = { groups: [], peer: null, standby: false, left: false, maintenanceUntil: null };
  const state = initialState({ at: 0, policy: guests.policy(), incarnation: 1, ledger });
  const tended = guests.tend({
    ...{ libvirt, resources: resources as Resources, state: () => state, post: () => {} },
  });
  t.teardown(async () => {
    await tended.close();
    await libvirt.close();
  });
  await until('nobody takes it', () => asked > 0);
  t.deepEqual(taken, []);
  devices = ['/dev/drbd7'];
  rises.seen('drbd:r0', true);
  await until('it is taken', () => taken.length > 0);
  t.deepEqual([...new Set(taken)], ['mail of office']);
});
