// What the other node says of guests that could be moved to it while they run, and what is asked of it.

import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import { createLibvirt } from '../../daemon/drivers/libvirt/connection.ts';
import { wantedOf, whyUnfit } from '../../daemon/drivers/libvirt/fitness.ts';
import { createFitness } from '../../daemon/runtime/guests/fitness.ts';
import { waitFor } from '../support.ts';
import { openPair } from './support/channels.ts';
import { domainXml, type FakeHost, fakeLibvirt } from './support/check-host.ts';
import { uuidOf } from './support/definitions.ts';
import { useFakeVirsh } from './support/fake-libvirt.ts';

useFakeVirsh();

const logger = pino({ level: 'silent' });

async function libvirtOf(t: ExecutionContext, host: FakeHost) {
  const libvirt = createLibvirt({ uri: await fakeLibvirt(t, host), logger });
  t.teardown(() => libvirt.close());
  return libvirt;
}

const nic = (type: string, key: string, name: string) =>
  `<interface type='${type}'><source ${key}='${name}'/></interface>`;
const cpu = "<cpu mode='custom' match='exact' check='full'><model>Skylake-Server</model></cpu>";
const plain = (xml: string) => ({ xml, processor: null });
const capable = '<domainCapabilities/>';

const cases: readonly (readonly [string, Parameters<typeof domainXml>[1], FakeHost, string | null])[] = [
  [
    'nothing',
    { cpu, devices: nic('bridge', 'bridge', 'br0') },
    { files: ['/sys/class/net/br0/bridge'] },
    null,
  ],
  ['its bridge', { devices: nic('bridge', 'bridge', 'br1') }, {}, 'no bridge br1'],
  ['its interface', { devices: nic('direct', 'dev', 'eth5') }, {}, 'no interface eth5'],
  ['its network', { devices: nic('network', 'network', 'lab') }, { networks: ['default'] }, 'no network lab'],
  [
    'its network, which is off,',
    { devices: nic('network', 'network', 'lab') },
    { networks: ['-lab'] },
    'the network lab is not active',
  ],
  [
    'its processor',
    { cpu },
    { lacksCpu: true },
    'its processor is no Skylake-Server with all that the guest was given',
  ],
  [
    'its machine type',
    { machine: 'pc-q35-9.9' },
    { capabilities: "error: the machine 'pc-q35-9.9' is not supported by emulator '/usr/bin/qemu'" },
    "the machine 'pc-q35-9.9' is not supported by emulator '/usr/bin/qemu'",
  ],
];

for (const [title, parts, host, said] of cases) {
  test(`a host that lacks ${title} says so`, async (t) => {
    const libvirt = await libvirtOf(t, { capabilities: capable, ...host });
    const exists = (file: string) => host.files?.includes(file) === true;
    t.is(await whyUnfit(libvirt, plain(domainXml('mail', parts)), exists, AbortSignal.timeout(60_000)), said);
  });
}

test('of a guest that was given the processor of its host, that one is compared', async (t) => {
  const processor = '<cpu><model>Skylake-Server</model></cpu>';
  const here = await libvirtOf(t, { processor });
  const soon = () => AbortSignal.timeout(60_000);
  const own = domainXml('mail', { type: 'kvm', cpu: "<cpu mode='host-passthrough'/>" });
  const wanted = await wantedOf(here, own, soon());
  t.deepEqual(wanted, { xml: own, processor });
  const unfit = async (host: FakeHost) =>
    whyUnfit(await libvirtOf(t, { capabilities: capable, ...host }), wanted, () => false, soon());
  t.is(await unfit({}), null);
  t.regex((await unfit({ lacksCpu: true })) ?? '', /^its processor cannot .*host-passthrough/);
  t.is(await unfit({ down: true, lacksCpu: false }), null);
  const named = domainXml('mail', { type: 'kvm', cpu });
  t.deepEqual(await wantedOf(here, named, soon()), plain(named), 'libvirt compares what it names');
});

test('what libvirt does not tell is no reason against it', async (t) => {
  const libvirt = await libvirtOf(t, { down: true });
  t.is(await whyUnfit(libvirt, plain(domainXml('mail')), () => false, AbortSignal.timeout(60_000)), null);
});

test('the other node is asked about what runs here; its word is kept, and taken back when it has what was missing', async (t) => {
  const { primary, secondary } = await openPair(t);
  const xml = domainXml('mail', { devices: nic('bridge', 'bridge', 'br1') });
  const here = await libvirtOf(t, { domains: { mail: { xml } } });
  const there = await libvirtOf(t, { capabilities: capable });
  const files: string[] = [];
  let changes = 0;
  const common = { isPeerAlive: () => true, logger, exists: (file: string) => files.includes(file) };
  const answering = createFitness({
    ...{ ...common, channel: secondary.channel, libvirt: there, peer: 'primary' },
    guests: () => [],
    onChange: () => t.fail('nothing was asked'),
  });
  const run = here.run;
  const asking = createFitness({
    ...{ ...common, channel: primary.channel, peer: 'secondary' },
    // The scripted virsh knows domains by their UUIDs.
    libvirt: { ...here, run: (_, call) => run(['dumpxml', `--domain=${uuidOf('mail')}`], call) },
    guests: () => ['mail'],
    onChange: () => {
      changes += 1;
    },
  });
  t.teardown(async () => {
    await Promise.all([answering.close(), asking.close()]);
  });
  const now = { olderThanMs: 0, patienceMs: 60_000 };
  await asking.ask(now);
  t.deepEqual([...asking.unfit()], [['mail', 'secondary has not what it needs: no bridge br1']]);
  t.is(changes, 1);
  files.push('/sys/class/net/br1/bridge');
  await asking.ask({ ...now, olderThanMs: 600_000 });
  t.is(asking.unfit().size, 1, 'what was told lately is not asked again');
  await waitFor('its answer is old', async () => {
    await asking.ask(now);
    return asking.unfit().size === 0;
  });
  t.is(changes, 2);
});

test('a peer that gives no answer has said nothing against it', async (t) => {
  const xml = domainXml('mail', { devices: nic('bridge', 'bridge', 'br1') });
  const here = await libvirtOf(t, { domains: { mail: { xml } } });
  for (const status of [404, 500]) {
    const fitness = createFitness({
      channel: { request: async () => ({ kind: 'answered', status, body: {} }), serve: () => {} },
      libvirt: { ...here, run: async () => ({ kind: 'done', stdout: xml }) },
      peer: 'secondary',
      guests: () => ['mail'],
      isPeerAlive: () => true,
      onChange: () => t.fail('nothing is known'),
      logger,
    });
    await fitness.ask({ olderThanMs: 0, patienceMs: 60_000 });
    t.is(fitness.unfit().size, 0);
    await fitness.close();
  }
});
