// What a real libvirtd has of its domains is known soon after each change, whether it tells of it or not.

import test from 'ava';
import { pino } from 'pino';
import { createLibvirt } from '../../daemon/drivers/libvirt/connection.ts';
import { watchDomains } from '../../daemon/runtime/guests/domains.ts';
import { configOf } from '../unit/support/check-host.ts';
import { createLibvirtHost } from './support/libvirt-host.ts';
import { until } from './support/qemu-host.ts';

test.serial(
  'a definition is taken when it is made, changed as a whole or in a part, and when it is gone',
  async (t) => {
    const host = await createLibvirtHost(t);
    const { name } = host.config;
    const logger = pino({ level: 'silent' });
    const definitionDirectory = `/proc/${host.libvirtdPid()}/root/etc/libvirt/qemu`;
    const libvirt = createLibvirt({ uri: host.uri, logger, definitionDirectory });
    const taken: string[] = [];
    const gone: string[] = [];
    const domains = watchDomains({
      config: configOf(
        `filesystems: [{ device: /dev/vg0/guests, mount: ${host.directory} }], guests: [all]`,
        host.uri,
      ),
      libvirt,
      definitions: {
        changed: async (domain, xml) => {
          taken.push(`${domain} ${/<vcpu[^>]*>\d+/.exec(xml)?.[0]}`);
          return { kind: 'taken' };
        },
        removed: async (domain) => void gone.push(domain),
        absent: async (domain) => void gone.push(domain),
        named: () => [],
        namesHere: () => [],
        inUse: () => null,
      },
      devicesOf: () => [],
      devicesAreKnown: () => true,
      runsHere: () => true,
      logger,
      everyMs: 3_600_000,
    });
    t.teardown(async () => {
      await domains.close();
      await libvirt.close();
    });
    const last = (text: string) => () =>
      taken.at(-1)?.startsWith(name) === true && taken.at(-1)?.includes(text) === true;

    // Before the stream of events is there nothing is told of; what is there then is looked at.
    host.define();
    await until('it is made', last('>1'));
    host.define(host.xml.replace('<vcpu>1<', '<vcpu>2<'));
    await until('it is defined anew', last('>2'));
    host.virsh('setvcpus', name, '3', '--maximum', '--config');
    await until('a part of it is changed', last('>3'));
    // Of what has not changed nothing is read again.
    const other = host.xml.replace(`<name>${name}<`, '<name>other<').replace(/<uuid>.*<\/uuid>/, '');
    host.define(other.replace('<vcpu>1<', '<vcpu>4<'));
    await until('another is made', () => taken.includes("other <vcpu placement='static'>4"));
    const before = taken.filter((line) => line.startsWith(name)).length;
    host.virsh('setvcpus', 'other', '5', '--maximum', '--config');
    await until('the other is changed', () => taken.at(-1)?.includes('>5') === true);
    t.is(taken.filter((line) => line.startsWith(name)).length, before);
    host.virsh('undefine', name);
    await until('it is gone', () => gone.includes(name));
  },
);
