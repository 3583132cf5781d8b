// `battito check` against a real libvirtd: what it says keeps a guest from being started is what libvirt itself says.

import test from 'ava';
import { noDefinitions, type StoredDefinition } from '../../daemon/cli/check/definitions.ts';
import { checkDomains } from '../../daemon/cli/check/domains.ts';
import { configOf } from '../unit/support/check-host.ts';
import { createLibvirtHost, type LibvirtHost } from './support/libvirt-host.ts';

/** What is told of the host's one guest, on a group whose file system is the directory of its disk. */
async function toldOf(
  { uri, directory }: LibvirtHost,
  guests: string,
  stored: readonly StoredDefinition[] = [],
) {
  const group = `filesystems: [{ device: /dev/vg0/guests, mount: ${directory} }], guests: ${guests}`;
  const definitions = { ...noDefinitions, stored };
  const { findings } = await checkDomains(configOf(group, uri), 'primary', definitions, {
    isMounted: () => true,
    factsOf: async () => null,
  });
  return findings.map(({ level, message, mend }) => ({ level, message, mend: mend ?? '' }));
}

test.serial(
  'a guest that libvirt would start is one line, also after its autostart was taken away',
  async (t) => {
    const host = await createLibvirtHost(t);
    const { name } = host.config;
    host.define();
    const well = { level: 'ok', message: `${name}: its disks are on the storage of office`, mend: '' };
    const told = async () => (await toldOf(host, 'all')).slice(1);
    t.deepEqual(await told(), [well]);
    host.virsh('autostart', name);
    const [, autostart, ...more] = await told();
    t.is(autostart?.level, 'problem');
    t.deepEqual(more, []);
    // As it is to be typed.
    t.regex(autostart?.mend ?? '', new RegExp(` autostart --disable ${name}$`));
    host.virsh('autostart', '--disable', name);
    t.deepEqual(await told(), [well]);
  },
);

test.serial(
  'networks, processors and machine types that libvirt refuses at a start are found before',
  async (t) => {
    const host = await createLibvirtHost(t);
    const { name } = host.config;
    const cpu = "<cpu mode='custom' match='exact' check='full'><model>Dhyana</model></cpu>";
    const card = "<interface type='network'><source network='lost'/></interface>";
    const xml = host.xml.replace('</devices>', `${card}</devices>`);
    host.define(xml.replace('<devices>', `${cpu}<devices>`));
    const messages = (await toldOf(host, `[${name}]`)).slice(2).map(({ message }) => message);
    t.is(messages[0], `libvirt has no network lost here: ${name} cannot start`);
    const refusal = t.throws(() => host.virsh('start', name));
    t.regex(refusal?.message ?? '', /Network not found|CPU is incompatible/);
    const isRefused = messages.some((message) => message.includes("this host's processor is no Dhyana"));
    host.define(host.xml.replace('<devices>', `${cpu}<devices>`));
    if (isRefused) t.throws(() => host.virsh('start', name), { message: /CPU/ });
    else t.notThrows(() => host.virsh('start', name));

    const other = host.xml
      .replace(/machine='[^']*'/, "machine='pc-q35-99.2'")
      .replace(`<name>${name}<`, '<name>other<');
    const uuid = '11111111-1111-4111-8111-111111111111';
    const sent = {
      name: 'other',
      uuid,
      group: 'office',
      xml: other.replace(/<uuid>.*<\/uuid>/, `<uuid>${uuid}</uuid>`),
    };
    const told = await toldOf(host, '[other]', [sent]);
    t.true(
      told.some(({ message }) =>
        /^machine type pc-q35-99\.2: .*not supported.*: other cannot start/.test(message),
      ),
    );
    t.throws(() => host.define(sent.xml), { message: /pc-q35-99\.2|machine/ });
  },
);

test.serial('a libvirtd that is stopped, or dead, is told so', async (t) => {
  const host = await createLibvirtHost(t);
  host.define();
  const first = async () => (await toldOf(host, `[${host.config.name}]`))[0]?.message ?? '';
  host.signalLibvirtd('SIGSTOP');
  t.regex(await first(), /does not answer: .* hangs/);
  host.signalLibvirtd('SIGCONT');
  await host.killLibvirtd();
  t.regex(await first(), /^nobody answers for /);
});
