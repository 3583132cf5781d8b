// Several groups that prefer different nodes, floating addresses of both families, and the other kinds of links:
// what moves together moves alone.

import { readFile, writeFile } from 'node:fs/promises';
import test from 'ava';
import type { GroupView } from '../../daemon/control/api.ts';
import { waitFor } from '../support.ts';
import { floatingAddress, type HostName, hostNames } from './support/hosts.ts';
import { type GuestName, guests, type Office, useOffice } from './support/office.ts';

const address6 = 'fd00:1::10';
const secondAddress = '192.168.1.10';

interface TestGroup {
  readonly name: string;
  readonly preferred: HostName;
  readonly guest: GuestName;
  readonly addresses: readonly string[];
}

const work: TestGroup = {
  name: 'work',
  preferred: 'primary',
  guest: 'mail',
  addresses: [floatingAddress],
};
const shop: TestGroup = {
  name: 'shop',
  preferred: 'secondary',
  guest: 'web',
  addresses: [secondAddress, address6],
};
const both = [work, shop];

const otherOf = (host: HostName): HostName => (host === 'primary' ? 'secondary' : 'primary');

/** The `groups:` part, with the guests as the office writes them. */
function groupsText(office: Office): string {
  return both
    .map(({ name, preferred, guest, addresses }) => {
      const list = addresses.map((address) => `${address}/${address.includes(':') ? 64 : 24} dev eth0`);
      return `  ${name}:
    preferred: ${preferred}
    addresses: ["${list.join('", "')}"]
    guests:
${office.guestText(guest, guests.indexOf(guest))}`;
    })
    .join('');
}

async function useTwoGroups(t: Parameters<typeof useOffice>[0]): Promise<Office> {
  const office = await useOffice(t, { idle: true });
  await writeFile(office.configFile, office.configText({ groups: groupsText(office) }));
  await office.startDaemons();
  return office;
}

const viewOf = async (office: Office, host: HostName, { name }: TestGroup): Promise<GroupView> => {
  const view = (await office.status(host)).groups.find((group) => group.name === name);
  if (view === undefined) throw new Error(`${host} has no group ${name}`);
  return view;
};

/** Each group is where it should be, and nowhere else, with all that belongs to it. */
async function settled(office: Office, where: readonly (readonly [TestGroup, HostName])[]): Promise<void> {
  for (const [group, host] of where) {
    const { name, guest, addresses } = group;
    await office.waitForPhase(host, 'active', name);
    await waitFor(`every part of ${name} is up on ${host}`, async () =>
      (await viewOf(office, host, group)).resources.every(({ status }) => status === 'up'),
    );
    await office.counts(guest);
    await waitFor(`the addresses of ${name} are on ${host} alone`, async () => {
      const held = await Promise.all(addresses.map((address) => office.network.addressHolders(address)));
      return held.every((holders) => holders.length === 1 && holders[0] === host);
    });
    const elsewhere = await office.guestPid(otherOf(host), guest);
    if (elsewhere !== null) throw new Error(`${guest} runs on ${otherOf(host)}, too`);
  }
}

/** The client reaches it: over IPv4 and IPv6. */
async function reachable(office: Office, addresses: readonly string[]): Promise<void> {
  for (const address of addresses) {
    const argv = ['ping', '-n', '-c', '1', '-W', '1', address];
    await waitFor(`${address} answers the client`, async () => {
      const result = await office.network.run('client', argv);
      if (result.exitCode !== 0) throw new Error(`${result.stdout}${result.stderr}`);
      return true;
    });
  }
}

const identityOf = async (office: Office, host: HostName, group: TestGroup) => {
  const { generation, phase } = await viewOf(office, host, group);
  return {
    generation,
    phase,
    pid: await office.guestPid(host, group.guest),
    starts: office.starts(group.guest),
  };
};

test('two groups run on the node that each prefers; the survivor of a power loss runs both; each moves alone', async (t) => {
  const office = await useTwoGroups(t);
  const all = both.flatMap(({ addresses }) => addresses);
  const watches = await Promise.all(all.map((address) => office.network.watchAddress(address)));
  await settled(office, [
    [work, 'primary'],
    [shop, 'secondary'],
  ]);
  await reachable(office, all);
  await waitFor('all is well', async () => (await office.battito('primary', 'status')).exitCode === 0);
  t.is((await viewOf(office, 'primary', shop)).runsOn, 'secondary');

  const workBefore = await identityOf(office, 'primary', work);
  await office.network.powerLoss('secondary');
  await settled(office, [
    [work, 'primary'],
    [shop, 'primary'],
  ]);
  await reachable(office, all);
  t.deepEqual(await identityOf(office, 'primary', work), workBefore, 'the other group did not notice');

  const bothBefore = [await identityOf(office, 'primary', work), await identityOf(office, 'primary', shop)];
  await office.network.powerOn('secondary');
  await office.startDaemon('secondary');
  for (const { name } of both) await office.waitForPhase('secondary', 'stopped', name);
  await office.waitForVerdict('primary', 'alive');
  await settled(office, [
    [work, 'primary'],
    [shop, 'primary'],
  ]);
  t.deepEqual(
    [await identityOf(office, 'primary', work), await identityOf(office, 'primary', shop)],
    bothBefore,
    'with manual failback nothing moves by itself',
  );

  const given = await office.battito('primary', 'handover', 'shop');
  t.is(given.exitCode, 0, given.stderr);
  t.regex(given.stdout, /secondary runs shop now/);
  await settled(office, [
    [work, 'primary'],
    [shop, 'secondary'],
  ]);
  await reachable(office, all);
  t.deepEqual(await identityOf(office, 'primary', work), workBefore, 'the group that was not named stays');

  const taken = await office.battito('secondary', 'takeover', 'work');
  t.is(taken.exitCode, 0, taken.stderr);
  await settled(office, [
    [work, 'secondary'],
    [shop, 'secondary'],
  ]);
  const crossed = await office.battito('secondary', 'handover', 'work');
  t.is(crossed.exitCode, 0, crossed.stderr);
  await settled(office, [
    [work, 'primary'],
    [shop, 'secondary'],
  ]);
  for (const watch of watches) t.deepEqual(await watch.overlaps(), []);
});

test('of two groups a graceful stop moves only those of the node that stops', async (t) => {
  const office = await useTwoGroups(t);
  await settled(office, [
    [work, 'primary'],
    [shop, 'secondary'],
  ]);
  const before = await identityOf(office, 'secondary', shop);
  office.daemon('primary').signal('SIGTERM');
  t.is((await office.daemon('primary').exited).exitCode, 0);
  await settled(office, [
    [work, 'secondary'],
    [shop, 'secondary'],
  ]);
  t.deepEqual(await identityOf(office, 'secondary', shop), before);
  t.is((await office.status('secondary')).verdict.kind, 'departed');

  await office.startDaemon('primary');
  for (const host of hostNames) await office.waitForVerdict(host, 'alive');
  t.is((await office.battito('primary', 'takeover', 'work')).exitCode, 0);
  await settled(office, [
    [work, 'primary'],
    [shop, 'secondary'],
  ]);
  t.deepEqual(await identityOf(office, 'secondary', shop), before);
});

test('of two nodes with a group each, the one that is cut off freezes its own, and both groups end up with the other', async (t) => {
  const office = await useTwoGroups(t);
  await settled(office, [
    [work, 'primary'],
    [shop, 'secondary'],
  ]);
  const before = await identityOf(office, 'primary', work);
  await office.network.cutEverything('secondary');
  await settled(office, [[work, 'primary']]);
  await office.waitForPhase('primary', 'active', 'shop');
  t.is(await office.phase('secondary', 'shop'), 'frozen');
  t.is(await office.phase('secondary', 'work'), 'blocked');
  await office.network.mendEverything('secondary');
  for (const { name } of both) await office.waitForPhase('secondary', 'stopped', name);
  await settled(office, [
    [work, 'primary'],
    [shop, 'primary'],
  ]);
  t.deepEqual(await identityOf(office, 'primary', work), before);
});

const otherLinks = [
  {
    kind: 'multicast',
    links: ['{ interface: eth1, mode: multicast }', '{ interface: eth0, mode: multicast, group: 239.1.2.3 }'],
  },
  {
    kind: 'unicast',
    links: ['{ interface: eth1, mode: unicast, addresses: { primary: 10.0.0.1, secondary: 10.0.0.2 } }'],
  },
];

for (const { kind, links } of otherLinks) {
  test(`with nothing but ${kind} links the nodes hear each other, take over, and hand over`, async (t) => {
    const office = await useOffice(t, { idle: true });
    const text = (await readFile(office.configFile, 'utf8')).replace(
      /( {4}- \{ interface.*\n)+/,
      links.map((link) => `    - ${link}\n`).join(''),
    );
    await writeFile(office.configFile, text);
    await office.startDaemons();
    await office.settled('primary');
    const { links: views } = await office.status('primary');
    t.is(views.length, links.length);
    for (const { name } of views) t.regex(name, new RegExp(kind));
    await waitFor('every link is heard at both ends', async () =>
      (await office.status('primary')).links.every(({ fresh, heardByPeer }) => fresh && heardByPeer === true),
    );
    await office.network.cut('secondary', 'heartbeat'); // Heartbeats over the LAN go on, if there are any.
    if (kind === 'multicast') {
      await waitFor(
        'the silent link is reported',
        async () => (await office.status('primary')).links[0]?.fresh === false,
      );
      t.is((await office.status('primary')).verdict.kind, 'alive');
    } else {
      await office.waitForVerdict('secondary', 'unresponsive');
      t.is(await office.guestPid('secondary', 'mail'), null, 'the LAN still shows a living node');
    }
    await office.network.mend('secondary', 'heartbeat');
    await office.settled('primary');

    await office.network.powerLoss('primary');
    await office.waitForPhase('secondary', 'active');
    for (const guest of guests) await office.counts(guest);
    await office.network.powerOn('primary');
    await office.startDaemon('primary');
    await office.settled('secondary');
    t.is((await office.battito('secondary', 'handover')).exitCode, 0);
    await office.settled('primary');
  });
}
