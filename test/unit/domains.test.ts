// What the watch of the domains makes of one that libvirt no longer has: removed by somebody, or only not here; and that
// such a guest is defined again from the store when it is to be started.

import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import { createLibvirt, type Libvirt } from '../../daemon/drivers/libvirt/connection.ts';
import { openDefinitionFiles } from '../../daemon/runtime/definitions/files.ts';
import { createDefinitionStore } from '../../daemon/runtime/definitions/store.ts';
import { watchDomains } from '../../daemon/runtime/guests/domains.ts';
import { createGuestDriver } from '../../daemon/runtime/guests/guest-drivers.ts';
import { temporaryDirectory, waitFor } from '../support.ts';
import { configOf } from './support/check-host.ts';
import { domain, uuidOf } from './support/definitions.ts';
import { createFake, patienceMs, useFakeVirsh } from './support/fake-libvirt.ts';

useFakeVirsh();

const logger = pino({ level: 'silent' });

async function openStore(stateDir: string) {
  const files = await openDefinitionFiles(join(stateDir, 'definitions'), logger);
  return createDefinitionStore({
    files,
    self: 'secondary',
    peer: 'primary',
    activeNode: () => 'primary',
    logger,
  });
}

type Store = Awaited<ReturnType<typeof openStore>>;

/** A libvirt that has these domains, and how it is told that it has others; `xmlOf`: what it says of one. */
function scripted(
  first: readonly string[] | null,
  xmlOf = (name: string) => domain(name, 1024),
  liveOf = xmlOf,
) {
  let names = first;
  let tell: Parameters<Libvirt['subscribe']>[1] = () => {};
  let lists = 0;
  const libvirt: Pick<Libvirt, 'list' | 'dumpXml' | 'look' | 'subscribe'> = {
    list: async () => {
      lists += 1;
      if (names === null) return { kind: 'failed', code: 'libvirt-silent', message: 'no answer' };
      const listed = names.map((name) => ({ name, uuid: uuidOf(name), autostart: false, persistent: true }));
      return { kind: 'done', domains: listed };
    },
    dumpXml: async (name) => ({ kind: 'done', stdout: xmlOf(name), stderr: '' }),
    look: async ([what, name = '']) =>
      what === 'dumpxml'
        ? { kind: 'done', stdout: liveOf(name.replace('--domain=', '')), stderr: '' }
        : { kind: 'failed', code: 'libvirt-refused', message: 'no such pool' },
    subscribe: (_name, listener) => {
      tell = listener;
      return () => {};
    },
  };
  return {
    libvirt: libvirt as Libvirt,
    lists: () => lists,
    has(now: readonly string[] | null) {
      names = now;
      tell(null);
    },
  };
}

function watch(
  t: ExecutionContext,
  definitions: Store,
  libvirt: Libvirt,
  runsHere: boolean,
  guests = '[mail]',
  areDevicesKnown = true,
) {
  const config = configOf(
    `filesystems: [{ device: /dev/vg0/guests, mount: /srv/guests }], guests: ${guests}`,
  );
  const domains = watchDomains({
    config,
    libvirt,
    definitions,
    devicesOf: () => [],
    devicesAreKnown: () => areDevicesKnown,
    runsHere: () => runsHere,
    logger,
    everyMs: 3_600_000,
  });
  t.teardown(() => domains.close());
  return domains;
}

const isHere = (store: Store, name: string) => store.namesHere().includes(name);

for (const [runsHere, remains] of [
  [true, 0],
  [false, 1],
] as const) {
  test(`a domain that goes while the group runs ${runsHere ? 'here is a guest that was removed' : 'elsewhere is only not here'}`, async (t) => {
    const store = await openStore(temporaryDirectory(t));
    const { libvirt, has } = scripted(['mail']);
    watch(t, store, libvirt, runsHere);
    await waitFor('it is stored', () => isHere(store, 'mail'));
    has([]);
    await waitFor('it is gone', () => !isHere(store, 'mail'));
    t.is(store.named('mail').length, remains);
  });
}

for (const runsHere of [true, false]) {
  test(`a domain that went while no daemon ran is not here, and no guest was removed for it, the group running ${runsHere ? 'here' : 'elsewhere'}`, async (t) => {
    const stateDir = temporaryDirectory(t);
    const before = await openStore(stateDir);
    await before.changed('mail', domain('mail', 1024), 'office');
    await before.changed('web', domain('web', 1024), 'office');
    await before.flush();
    const store = await openStore(stateDir);
    t.deepEqual([...store.namesHere()].sort(), ['mail', 'web']);
    const { libvirt } = scripted(['web']);
    watch(t, store, libvirt, runsHere);
    await waitFor('it is known not to be here', () => !isHere(store, 'mail'));
    t.true(isHere(store, 'web'));
    t.is(store.named('mail').length, 1);
  });
}

/** As it is after its image was moved: with disks of these sources. */
const movedTo = (name: string, sources: readonly string[]) =>
  domain(name, 1024).replace(
    /<disk type='file'[\s\S]*?<\/disk>/,
    sources
      .map((source, index) => `<disk ${source}<target dev='vd${'ab'[index]}' bus='virtio'/></disk>`)
      .join(''),
  );
const raw = (path: string) =>
  `type='file' device='disk'><driver name='qemu' type='raw'/><source file='${path}'/>`;
const inPool = "type='volume' device='disk'><source pool='none' volume='mail'/>";

const groupsOf = (store: Store, name: string) =>
  store.named(name).map((record) => store.inUse(record)?.group);

for (const [what, sources, runsHere, group] of [
  ['elsewhere', [raw('/var/lib/libvirt/images/mail.img')], true, ''],
  [
    'elsewhere, the group running on the other node',
    [raw('/var/lib/libvirt/images/mail.img')],
    false,
    'office',
  ],
  [
    'in part elsewhere',
    [raw('/var/lib/libvirt/images/mail.img'), raw('/srv/guests/mail.img')],
    true,
    'office',
  ],
  ['where nobody can tell', [inPool], true, 'office'],
  ['no more', [], true, ''],
] as const) {
  test(`of \`guests: all\`, a guest whose disks are ${what} is ${group === '' ? 'let go, and not removed' : 'kept'}`, async (t) => {
    let xml = domain('mail', 1024).replace("type='qcow2'", "type='raw'");
    const store = await openStore(temporaryDirectory(t));
    const { libvirt, lists, has } = scripted(['mail'], () => xml);
    const domains = watch(t, store, libvirt, runsHere, 'all');
    await waitFor('it is taken', () => groupsOf(store, 'mail')[0] === 'office');
    xml = movedTo('mail', sources);
    has(['mail']);
    await waitFor('its definition is read again', () => lists() > 1);
    if (group === '' || runsHere)
      await waitFor('what became of it is stored', () => store.named('mail')[0]?.versions.length === 2);
    await domains.close();
    t.deepEqual(groupsOf(store, 'mail'), [group]);
    t.true(isHere(store, 'mail'));
  });
}

for (const [why, areDevicesKnown] of [
  ['while it runs with its disks where they were', true],
  ['while DRBD does not tell its devices', false],
] as const) {
  test(`a guest whose definition names disks elsewhere is kept ${why}`, async (t) => {
    const kept = domain('mail', 1024).replace("type='qcow2'", "type='raw'");
    let xml = kept;
    const store = await openStore(temporaryDirectory(t));
    const { libvirt, has } = scripted(
      ['mail'],
      () => xml,
      () => (areDevicesKnown ? kept : xml),
    );
    const domains = watch(t, store, libvirt, true, 'all', areDevicesKnown);
    await waitFor('it is taken', () => groupsOf(store, 'mail')[0] === 'office');
    xml = movedTo('mail', [raw('/var/lib/libvirt/images/mail.img')]);
    has(['mail']);
    await waitFor('its definition is stored', () => store.named('mail')[0]?.versions.length === 2);
    await domains.close();
    t.deepEqual(groupsOf(store, 'mail'), ['office']);
  });
}

test('an older definition that a node still has when it takes the group over is no guest whose disks were moved away', async (t) => {
  const older = movedTo('mail', [raw('/srv/before/mail.img')]);
  const newer = movedTo('mail', [raw('/srv/guests/mail.img')]);
  const files = await openDefinitionFiles(join(temporaryDirectory(t), 'definitions'), logger);
  const names = { self: 'secondary', peer: 'primary' };
  const store = createDefinitionStore({ files, ...names, activeNode: () => 'secondary', logger });
  await store.changed('mail', older, 'office');
  const peer = await openStore(temporaryDirectory(t));
  await peer.changed('mail', older, 'office');
  await peer.changed('mail', newer, 'office');
  const { versions = [], local = null } = peer.record(uuidOf('mail')) ?? {};
  const told = versions.map((version) => ({ ...version, parents: [...version.parents] }));
  t.is(await store.take(uuidOf('mail'), { versions: told, local, heads: [local ?? ''] }), null);
  t.is(store.named('mail').length, 1);
  const { libvirt, lists, has } = scripted(['mail'], () => older);
  const domains = watch(t, store, libvirt, true, 'all');
  await waitFor('it has looked', () => lists() > 0);
  has(['mail']);
  await waitFor('it has looked again', () => lists() > 1);
  await domains.close();
  t.deepEqual(groupsOf(store, 'mail'), ['office']);
  t.is(store.record(uuidOf('mail'))?.versions.length, 2);
});

test('a guest that was let go is let alone, also by a daemon that is started later, and is taken again once its disks are back', async (t) => {
  let xml = movedTo('mail', [raw('/var/lib/libvirt/images/mail.img')]);
  const store = await openStore(temporaryDirectory(t));
  await store.changed('mail', domain('mail', 1024), 'office');
  const { libvirt, lists, has } = scripted(['mail'], () => xml);
  watch(t, store, libvirt, true, 'all');
  await waitFor('it is let go', () => groupsOf(store, 'mail')[0] === '');
  xml = xml.replace('1024', '2048');
  const looked = lists();
  has(['mail']);
  await waitFor('it is looked at again', () => lists() > looked);
  has(['mail']);
  await waitFor('that look is over', () => lists() > looked + 1);
  t.deepEqual(groupsOf(store, 'mail'), [''], 'its definition stays as it was');
  t.is(store.named('mail')[0]?.versions.length, 2);
  xml = domain('mail', 2048).replace("type='qcow2'", "type='raw'");
  has(['mail']);
  await waitFor('it is taken again', () => groupsOf(store, 'mail')[0] === 'office');
});

test('a libvirt that does not answer says nothing of what it has', async (t) => {
  const store = await openStore(temporaryDirectory(t));
  await store.changed('mail', domain('mail', 1024), 'office');
  const { libvirt, lists, has } = scripted(null);
  const domains = watch(t, store, libvirt, true);
  await waitFor('it was asked', () => lists() > 0);
  has(null);
  await waitFor('and again', () => lists() > 1);
  await domains.close();
  t.true(isHere(store, 'mail'));
});

test('a guest that is on record here, and of which libvirt knows nothing, is defined before it is started', async (t) => {
  const fake = await createFake(t);
  const { name } = fake;
  const store = await openStore(temporaryDirectory(t));
  const xml = domain(name, 1024);
  await store.changed(name, xml, 'office');
  await fake.write('xml', xml);
  const uri = `fake://${fake.directory}`;
  const [group] = configOf(
    `filesystems: [{ device: /dev/vg0/guests, mount: /srv/guests }], guests: [${name}]`,
    uri,
  ).groups;
  const [guest] = group?.guests ?? [];
  if (group === undefined || guest === undefined) throw new Error('there is no guest');
  const libvirt = createLibvirt({ uri, logger });
  const driver = createGuestDriver(guest, {
    group: { ...group, filesystems: [] },
    runDir: fake.file('run'),
    libvirt,
    definitions: store,
    passage: null,
    logger,
    onStatus: () => {},
  });
  t.teardown(async () => {
    await driver.close();
    await libvirt.close();
  });
  const start = () => driver.perform('start', AbortSignal.timeout(patienceMs));
  t.deepEqual(await start(), { kind: 'done' });
  const done = (await fake.deeds()).map((line) => line.split(' ')[0]);
  t.deepEqual(
    done.filter((deed) => deed === 'define' || deed === 'start'),
    ['define', 'start'],
  );
  t.is(store.named(name).length, 1);
});
