// Storage that comes into use is told of, once each time; and with it guests whose storage could not be seen before.

import test from 'ava';
import { pino } from 'pino';
import { createLibvirt } from '../../daemon/drivers/libvirt/connection.ts';
import { watchDomains } from '../../daemon/runtime/domains.ts';
import { createStorageRises } from '../../daemon/runtime/storage-rises.ts';
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

test('a domain whose device is seen only later is taken as soon as all are looked at', async (t) => {
  const disk =
    "<disk type='block' device='disk'><driver name='qemu' type='raw'/><source dev='/dev/drbd7'/><target dev='vda'/></disk>";
  const uri = await fakeLibvirt(t, { domains: { mail: { xml: domainXml('mail', { devices: disk }) } } });
  const logger = pino({ level: 'silent' });
  const libvirt = createLibvirt({ uri, logger });
  const taken: string[] = [];
  let devices: readonly string[] = [];
  let asked = 0;
  const domains = watchDomains({
    config: configOf('drbd: [r0], guests: all', uri),
    libvirt,
    definitions: {
      changed: async (name, _xml, group) => {
        taken.push(`${name} of ${group}`);
        return { kind: 'taken' };
      },
      removed: async () => {},
      absent: async () => {},
      named: () => {
        asked += 1;
        return [];
      },
      inUse: () => null,
    },
    devicesOf: () => devices,
    runsHere: () => true,
    logger,
    everyMs: 3_600_000,
  });
  t.teardown(async () => {
    await domains.close();
    await libvirt.close();
  });
  await until('nobody takes it', () => asked > 0);
  t.deepEqual(taken, []);
  devices = ['/dev/drbd7'];
  domains.lookAtAll();
  await until('it is taken', () => taken.length > 0);
  t.deepEqual([...new Set(taken)], ['mail of office']);
});
