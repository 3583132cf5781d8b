// A real guest goes from one real libvirtd to another while it runs, its disk on a file that both see, through the channel
// between two daemons; and what is left where that goes wrong.

import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import { readHostProcessor } from '../../daemon/drivers/libvirt/capabilities.ts';
import { createLibvirt } from '../../daemon/drivers/libvirt/connection.ts';
import { whyUnfit } from '../../daemon/drivers/libvirt/fitness.ts';
import type { Passage } from '../../daemon/drivers/libvirt/migrate.ts';
import { createPassages } from '../../daemon/runtime/guests/passages.ts';
import { buildPolicy } from '../../daemon/runtime/policy.ts';
import { openEnd } from '../unit/support/channels.ts';
import { configOf } from '../unit/support/check-host.ts';
import { mirrored, oneCore } from '../unit/support/one-core.ts';
import { ofPrimary } from '../unit/support/situations.ts';
import { countsOn, createLibvirtHost, type LibvirtHost } from './support/libvirt-host.ts';
import { patienceMs, until } from './support/qemu-host.ts';

const logger = pino({ level: 'silent' });
const soon = () => AbortSignal.timeout(patienceMs);

type Daemon = ReturnType<LibvirtHost['createDaemon']>;

/** Two hosts of one guest, which runs on the first; what the first one's driver goes through may be changed. */
async function twoHosts(t: ExecutionContext, change: (passage: Passage) => Passage = (passage) => passage) {
  const giver = await createLibvirtHost(t);
  const taker = await createLibvirtHost(t, {}, giver);
  const { name } = giver.config;
  const receiving: { daemon?: Daemon } = {};
  const ends = { primary: openEnd(t, 'primary', 'secondary'), secondary: openEnd(t, 'secondary', 'primary') };
  const passageOf = (node: keyof typeof ends, host: LibvirtHost) => {
    const { channel } = ends[node];
    const receivers = () => receiving.daemon;
    const runDir = path.join(host.directory, 'run');
    return createPassages({ channel, peer: 'secondary', libvirtUri: host.uri, runDir, receivers, logger })(
      name,
    );
  };
  // A file that only this machine has, is not what libvirt takes for shared.
  const passage = change({ ...passageOf('primary', giver), flags: ['--unsafe'] });
  passageOf('secondary', taker);
  const giving = giver.createDaemon({ passage, local: false });
  receiving.daemon = taker.createDaemon({ local: false });
  const taking = receiving.daemon;
  await until('the channel listens', () => ends.secondary.channel.listening().length > 0);
  ends.primary.peerAddresses = ends.secondary.channel.listening();
  giver.define();
  taker.define();
  t.deepEqual(await giving.perform('start'), { kind: 'done' });
  await countsOn(giver);
  return { giver, taker, giving, taking, name };
}

/** Every count once, in order: nobody ran beside it, and nothing was begun again. */
async function countsGoOn(t: ExecutionContext, host: LibvirtHost) {
  const counts = (await host.lines()).flatMap((line) => /^count (\d+)$/.exec(line)?.[1] ?? []).map(Number);
  t.deepEqual(
    counts,
    counts.map((_, index) => (counts[0] ?? 0) + index),
  );
}

test.serial('a guest goes on at the other host where it stood, and is gone here', async (t) => {
  const { giver, taker, giving, taking } = await twoHosts(t);
  t.deepEqual(await giving.migrate(soon()), { kind: 'done' });
  t.is((await giving.observe()).kind, 'down');
  t.is((await taking.observe()).kind, 'up');
  t.is(taker.virsh('domstate', taker.config.name), 'running');
  await countsOn(giver);
  await countsGoOn(t, giver);
  t.deepEqual(
    taking.statuses.filter((kind) => kind === 'paused'),
    [],
    'never taken for one that was paused',
  );
  t.deepEqual(await taking.reject(soon()), { kind: 'done' });
  t.is((await taking.observe()).kind, 'up', 'what was let go of is not rejected');
  t.deepEqual(await taking.perform('freeze'), { kind: 'done' });
  t.is((await taking.observe()).kind, 'paused', 'and what is paused later is paused');
});

test.serial('what was not let go of stands still, and is ended', async (t) => {
  const lost: Passage['letGo'] = async () => 'the cable was cut';
  const { giver, giving, taking } = await twoHosts(t, (passage) => ({ ...passage, letGo: lost }));
  const outcome = await giving.migrate(soon());
  t.is(outcome.kind, 'unknown');
  t.is((await giving.observe()).kind, 'down');
  t.is((await taking.observe()).kind, 'incoming');
  const before = await giver.lines();
  t.deepEqual(await taking.reject(soon()), { kind: 'done' });
  t.is((await taking.observe()).kind, 'down');
  t.deepEqual(await giver.lines(), before, 'it has not run');
  t.is((await taking.letGo(soon())).kind, 'failed', 'and comes too late');
  t.deepEqual(await taking.perform('start'), { kind: 'done' });
});

test.serial('called off on its way, it runs on here, and nothing is left there', async (t) => {
  const { giver, giving, taking, name } = await twoHosts(t, slow);
  const abort = new AbortController();
  const moving = giving.migrate(abort.signal);
  await until('it comes in', async () => (await taking.observe()).kind === 'incoming');
  abort.abort();
  const outcome = await moving;
  t.not(outcome.kind, 'done');
  await until('it runs here', async () => (await giving.observe()).kind === 'up');
  await until('nothing is there', async () => (await taking.observe()).kind === 'down');
  t.is(giver.virsh('domstate', name), 'running');
  await countsOn(giver);
  await countsGoOn(t, giver);
});

test.serial('killed where it comes in, it runs on here', async (t) => {
  const { giver, taker, giving, taking, name } = await twoHosts(t, slow);
  const moving = giving.migrate(soon());
  await until('it comes in', async () => (await taking.observe()).kind === 'incoming');
  taker.virsh('destroy', name);
  const outcome = await moving;
  t.is(outcome.kind, 'failed');
  t.is((await giving.observe()).kind, 'up');
  await until('nothing is there', async () => (await taking.observe()).kind === 'down');
  await countsOn(giver);
  await countsGoOn(t, giver);
});

test.serial(
  'where the operator wants it, a guest that is to be shut down is moved; the other host was asked',
  async (t) => {
    const { giver, taker, giving, taking, name } = await twoHosts(t);
    const there = createLibvirt({ uri: taker.uri, logger });
    t.teardown(() => there.close());
    const xml = giver.virsh('dumpxml', '--migratable', name);
    const asks = (text: string, processor: string | null = null) =>
      whyUnfit(there, { xml: text, processor }, () => false, soon());
    t.is(await asks(xml), null);
    const needy = xml.replace(
      '</devices>',
      "<interface type='bridge'><source bridge='br77'/></interface></devices>",
    );
    t.is(await asks(needy), 'no bridge br77');
    const newer = xml.replace(/machine='[^']*'/, "machine='pc-q35-99.0'");
    t.regex((await asks(newer)) ?? '', /pc-q35-99\.0/);
    const ofBoth = await readHostProcessor(there, soon());
    t.regex(ofBoth ?? '', /<model>/);
    t.is(await asks(xml, ofBoth), null);
    const foreign = '<cpu><arch>ppc64</arch><model>POWER9</model></cpu>';
    t.regex((await asks(xml, foreign)) ?? '', /^its processor cannot .*host-passthrough/);
    const config = configOf('drbd: [r0], guests: [{ name: mail, handover: shutdown }]');
    const [mail] = config.groups[0]?.guests ?? [];
    if (mail === undefined) throw new Error('no guest is configured');
    const known = { config: mail, memoryMiB: 64, disks: { kind: 'own', resources: ['r0'] } } as const;
    const sights = { guests: new Map([['office', [known]]]), guestMemoryMiB: null, cores: 2 };
    const policy = buildPolicy(config, 'primary', '1', sights);
    const node = oneCore({ policy, record: ofPrimary });
    node.see(1, 'up');
    node.show(1, { ...mirrored, role: 'primary' });
    node.go(1500, { peer: ofPrimary });
    node.go(2000, { peer: ofPrimary, prompt: false });
    node.request(2000, { kind: 'handover', groups: [], guests: 'live' });
    node.hear(2010, { ...ofPrimary, claim: { id: 1, reason: 'offered' } });
    node.go(2100, { peer: { ...ofPrimary, claim: { id: 1, reason: 'offered' } } });
    node.finish(2110, 'drbd:r0');
    const held = { holdsAddresses: true, holdsRest: true } as const;
    const starting = { generation: 4, owner: 'secondary', writer: 'primary', phase: 'starting' } as const;
    node.go(2115, { peer: { ...starting, ...held } });
    node.show(2120, { peerRole: 'primary' });
    node.go(2200);
    const [action] = node.askedOf('guest:mail');
    t.is(action, 'migrate');
    t.deepEqual(await giving.migrate(soon()), { kind: 'done' });
    t.is((await giving.observe()).kind, 'down');
    t.is((await taking.observe()).kind, 'up');
    t.is(taker.virsh('domstate', taker.config.name), 'running');
    await countsOn(giver);
    await countsGoOn(t, giver);
  },
);

/** So that there is time for things to go wrong. */
const slow = (passage: Passage): Passage => ({ ...passage, flags: ['--unsafe', '--bandwidth', '1'] });
