// What libvirt can give a domain: as recorded from libvirt 9.0, and as the installed one says it of its test driver.

import test from 'ava';
import { pino } from 'pino';
import {
  compareProcessor,
  listOf,
  parseCapabilities,
  readCapabilities,
  readPool,
} from '../../daemon/drivers/libvirt/capabilities.ts';
import { createLibvirt } from '../../daemon/drivers/libvirt/connection.ts';
import { parseDomain } from '../../daemon/drivers/libvirt/domain.ts';
import { domainXml } from './support/check-host.ts';

const recorded = `<domainCapabilities>
  <path>/usr/bin/qemu-system-x86_64</path>
  <domain>kvm</domain>
  <machine>pc-q35-7.2</machine>
  <os supported='yes'>
    <enum name='firmware'><value>efi</value></enum>
    <loader supported='yes'><enum name='type'><value>rom</value><value>pflash</value></enum></loader>
  </os>
  <cpu>
    <mode name='host-passthrough' supported='yes'/>
    <mode name='host-model' supported='yes'><model fallback='forbid'>EPYC</model></mode>
    <mode name='custom' supported='yes'>
      <model usable='no' vendor='Intel'>Skylake-Server</model>
      <model usable='yes' vendor='unknown'>pentium3</model>
      <model usable='unknown' vendor='unknown'>486</model>
    </mode>
  </cpu>
</domainCapabilities>`;

test('processor models and firmware are read from what libvirt says', (t) => {
  t.deepEqual(parseCapabilities(recorded), {
    kind: 'supported',
    capabilities: {
      models: new Map([
        ['Skylake-Server', false],
        ['pentium3', true],
        ['486', null],
      ]),
      firmware: ['efi'],
    },
  });
  const old = parseCapabilities('<domainCapabilities/>');
  t.deepEqual(old, { kind: 'supported', capabilities: { models: new Map(), firmware: null } });
  t.is(parseCapabilities('no such thing').kind, 'unknown');
});

test('networks and pools of the installed libvirt are listed, and what it cannot tell is unknown', async (t) => {
  const signal = AbortSignal.timeout(60_000);
  const libvirt = createLibvirt({ uri: 'test:///default', logger: pino({ level: 'silent' }) });
  t.teardown(() => libvirt.close());
  t.deepEqual(await listOf(libvirt, 'net', signal), {
    kind: 'done',
    all: [{ name: 'default', active: true, autostart: false }],
  });
  t.deepEqual(await listOf(libvirt, 'pool', signal), {
    kind: 'done',
    all: [{ name: 'default-pool', active: true, autostart: false }],
  });
  t.deepEqual(await readPool(libvirt, 'default-pool', signal), { type: 'dir', target: '/default-pool' });
  t.is(await readPool(libvirt, 'lost', signal), null);
  const cpu = "<cpu mode='custom' match='exact' check='partial'><model>Skylake-Server</model></cpu>";
  const xml = domainXml('mail', { cpu });
  t.is((await readCapabilities(libvirt, parseDomain(xml), signal)).kind, 'unknown');
  t.is(await compareProcessor(libvirt, parseDomain(xml), xml, signal), 'unknown');
});
