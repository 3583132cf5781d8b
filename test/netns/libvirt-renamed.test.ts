// A guest that was given another name, or was made anew, on the other node, while the libvirt here still has what it was.

import test from 'ava';
import { definedBy } from '../guest/configs.ts';
import { createLibvirtHost } from './support/libvirt-host.ts';
import { done } from './support/qemu-host.ts';

test.serial('one that was renamed on the other node is renamed here, and starts', async (t) => {
  const host = await createLibvirtHost(t);
  const { name } = host.config;
  host.define(host.xml.replace(`<name>${name}<`, '<name>old name<'));
  const daemon = host.createDaemon({ definitions: definedBy(host.xml.replace('<vcpu>1<', '<vcpu>2<')) });
  t.deepEqual(await daemon.perform('start'), done);
  t.is(host.virsh('list', '--all', '--name'), name);
  t.regex(host.virsh('dumpxml', name, '--inactive'), /<vcpu[^>]*>2</);
});

test.serial('while it runs here under its old name nothing is started, and it runs on', async (t) => {
  const host = await createLibvirtHost(t);
  host.define(host.xml.replace(`<name>${host.config.name}<`, '<name>old<'));
  host.virsh('start', 'old');
  const daemon = host.createDaemon({ definitions: definedBy(host.xml) });
  const outcome = await daemon.perform('start');
  t.like(outcome, { kind: 'failed', code: 'libvirt-refused' });
  t.regex('message' in outcome ? outcome.message : '', /has the guest as old.*active domain/);
  t.is(host.virsh('list', '--all', '--name'), 'old');
  t.is(host.virsh('domstate', 'old'), 'running');
});

test.serial(
  'one that was removed there and made anew takes the place of the old one; else that stays',
  async (t) => {
    const host = await createLibvirtHost(t);
    const { name } = host.config;
    const old = host.xml.replace('<uuid>7', '<uuid>8');
    const [, uuid = ''] = /<uuid>(.*)<\/uuid>/.exec(host.xml) ?? [];
    const [, oldUuid = ''] = /<uuid>(.*)<\/uuid>/.exec(old) ?? [];
    host.define(old);
    host.virsh('autostart', name);
    const unsure = await host.createDaemon({ definitions: definedBy(host.xml) }).perform('start');
    t.like(unsure, { kind: 'failed', code: 'libvirt-refused' });
    t.is(host.virsh('domuuid', name), oldUuid);
    const definitions = { ...definedBy(host.xml), isRemoved: (one: string) => one === oldUuid };
    host.virsh('start', name);
    await host.createDaemon({ definitions }).perform('start');
    t.is(host.virsh('list', '--persistent', '--name'), name, 'one that runs keeps its definition');
    t.is(host.virsh('domuuid', name), oldUuid);
    host.virsh('destroy', name);
    t.deepEqual(await host.createDaemon({ definitions }).perform('start'), done);
    t.is(host.virsh('domuuid', name), uuid);
  },
);
