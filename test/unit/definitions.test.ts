// The guests' definitions of two nodes: what is on the disk after a cut, what comes over the channel, and what a person
// sees. Real files, real sockets on loopback.

import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import { createDefinitions, type Definitions } from '../../daemon/runtime/definitions/definitions.ts';
import { openDefinitionFiles, versionSchema } from '../../daemon/runtime/definitions/files.ts';
import { createDefinitionStore } from '../../daemon/runtime/definitions/store.ts';
import type { ChannelAddress } from '../../daemon/runtime/peer-channel/tls.ts';
import { temporaryDirectory, waitFor } from '../support.ts';
import { oldSecret, ringOf } from './support/channels.ts';
import { domain, uuidOf } from './support/definitions.ts';

const config = {
  cluster: 'office',
  heartbeat: { keyFile: '', keepaliveMs: 0, warntimeMs: 0, deadtimeMs: 0, initdeadMs: 0, links: [] },
};
const nodes = {
  primary: { name: 'primary', address: '192.168.1.2' },
  secondary: { name: 'secondary', address: '192.168.1.3' },
};
type Host = keyof typeof nodes;
const otherOf = (host: Host): Host => (host === 'primary' ? 'secondary' : 'primary');

interface Node {
  readonly definitions: Definitions;
  readonly stateDir: string;
  readonly log: readonly Record<string, unknown>[];
  active: Host | null;
  isPeerAlive: boolean;
  peerAddresses: readonly ChannelAddress[];
}

interface NodeOptions {
  readonly stateDir?: string;
  /** How often the nodes compare what they have without being told that there is news. */
  readonly intervalMs?: number;
}

async function openNode(
  t: ExecutionContext,
  host: Host,
  { stateDir = temporaryDirectory(t), intervalMs = 100 }: NodeOptions = {},
): Promise<Node> {
  const log: Record<string, unknown>[] = [];
  const node: { -readonly [Key in keyof Node]: Node[Key] } = {
    stateDir,
    log,
    active: 'primary',
    isPeerAlive: true,
    peerAddresses: [],
    definitions: await createDefinitions({
      config,
      self: nodes[host],
      peer: nodes[otherOf(host)],
      ring: () => ringOf(oldSecret),
      stateDir,
      activeNode: () => node.active,
      isPeerAlive: () => node.isPeerAlive && node.peerAddresses.length > 0,
      logger: pino({ level: 'info' }, { write: (line) => void log.push(JSON.parse(line)) }),
      addresses: {
        learn: () => true,
        own: () => [{ address: '127.0.0.1', port: 0 }],
        peer: () => node.peerAddresses,
      },
      intervalMs,
      retryMs: 20,
    }),
  };
  t.teardown(() => node.definitions.close());
  return node;
}

const addressOf = ({ definitions }: Node) =>
  waitFor('the channel listens', () => definitions.channel.listening()[0]);

async function meet(one: Node, other: Node): Promise<void> {
  one.peerAddresses = [await addressOf(other)];
  other.peerAddresses = [await addressOf(one)];
}

async function openPair(t: ExecutionContext, options: NodeOptions = {}) {
  const [primary, secondary] = [
    await openNode(t, 'primary', options),
    await openNode(t, 'secondary', options),
  ];
  await meet(primary, secondary);
  return { primary, secondary };
}

const inUse = ({ definitions }: Node, name: string) => {
  const [record] = definitions.named(name);
  return record === undefined ? undefined : (definitions.inUse(record)?.xml ?? undefined);
};
const seen = (node: Node, name: string) =>
  node.definitions.source.list().guests.find((guest) => guest.name === name);
const states = (node: Node) =>
  node.definitions.source.list().guests.map(({ name, state }) => `${name} ${state}`);
const files = (node: Node) => readdirSync(join(node.stateDir, 'definitions')).sort();

test('What is defined on one node comes to the other, with its secrets, and both say that it is there', async (t) => {
  const { primary, secondary } = await openPair(t);
  const xml = domain('mail', 1024);
  t.deepEqual(await primary.definitions.changed('mail', xml, 'office'), { kind: 'taken' });
  await waitFor('it is there', () => inUse(secondary, 'mail') === xml);
  t.true(xml.includes('hunter2'));
  for (const node of [primary, secondary]) {
    await waitFor('both know', () => states(node)[0] === 'mail same');
  }
  t.deepEqual(seen(secondary, 'mail')?.sides, [
    { node: 'secondary', libvirt: 'none', stored: true },
    { node: 'primary', libvirt: 'in-use', stored: true },
  ]);
  const next = domain('mail', 2048);
  await primary.definitions.changed('mail', next, 'office');
  await waitFor('the next one too', () => inUse(secondary, 'mail') === next);
  const uuid = uuidOf('mail');
  await waitFor('the history, too', () => secondary.definitions.source.history(uuid)?.length === 2);
  t.deepEqual(
    secondary.definitions.source
      .history(uuid)
      ?.map((version) => [version.node, version.inUse, version.definedOn]),
    [
      ['primary', true, ['primary']],
      ['primary', false, []],
    ],
  );
});

test('What is new is told at once, and not when the nodes compare what they have', async (t) => {
  const { primary, secondary } = await openPair(t, { intervalMs: 3_600_000 });
  for (const node of [primary, secondary])
    await waitFor('they have compared', () => node.definitions.source.list().comparedMs !== null);
  for (const [index, [node, other]] of [
    [primary, secondary],
    [secondary, primary],
    [primary, secondary],
  ].entries() as ArrayIterator<[number, [Node, Node]]>) {
    const xml = domain('mail', 1024 * (index + 1));
    await node.definitions.changed('mail', xml, 'office');
    await waitFor(`version ${index + 1} is there`, () => {
      const [record] = other.definitions.named('mail');
      return record?.versions.some((version) => version.xml === xml) === true;
    });
  }
  t.is(secondary.definitions.named('mail').length, 1);
});

test('On the disk: for root only, whole after a cut, with the plain text beside it', async (t) => {
  const node = await openNode(t, 'primary');
  await node.definitions.changed('mail', domain('mail', 1024), 'office');
  await node.definitions.changed('web', domain('web', 1024), 'office');
  await node.definitions.changed('mail', domain('mail', 2048), 'office');
  const directory = join(node.stateDir, 'definitions');
  const names = [`${uuidOf('mail')}.json`, `${uuidOf('web')}.json`, 'mail.xml', 'web.xml'].sort();
  t.deepEqual(files(node), names);
  t.is(statSync(directory).mode & 0o777, 0o700);
  for (const name of names) t.is(statSync(join(directory, name)).mode & 0o777, 0o600);
  t.is(readFileSync(join(directory, 'mail.xml'), 'utf8'), domain('mail', 2048));
  await node.definitions.close();

  // Cut in the middle of a write; and a disk that has lost a block.
  const leftover = join(directory, `${uuidOf('mail')}.json.77.new`);
  writeFileSync(leftover, '{"format":1,"uu');
  const web = join(directory, `${uuidOf('web')}.json`);
  writeFileSync(web, readFileSync(web, 'utf8').replace('1024</memory>', '9999</memory>'));
  const again = await openNode(t, 'primary', { stateDir: node.stateDir });
  t.is(inUse(again, 'mail'), domain('mail', 2048));
  t.is(again.definitions.source.history(uuidOf('mail'))?.length, 2);
  t.deepEqual(again.definitions.named('web'), []);
  t.deepEqual(again.definitions.source.list().damaged, [`${web}.damaged`]);
  t.true(again.log.some(({ level, file }) => level === 50 && file === `${web}.damaged`));
  t.false(files(again).some((name) => name.endsWith('.new')));
});

test('What was lost on one node comes back from the other', async (t) => {
  const { primary, secondary } = await openPair(t);
  await primary.definitions.changed('mail', domain('mail', 1024), 'office');
  await waitFor('it is there', () => inUse(secondary, 'mail'));
  await primary.definitions.close();
  rmSync(join(primary.stateDir, 'definitions'), { recursive: true });
  const again = await openNode(t, 'primary', { stateDir: primary.stateDir });
  await meet(again, secondary);
  await waitFor('it is back', () => inUse(again, 'mail') === domain('mail', 1024));
  await again.definitions.changed('mail', domain('mail', 1024), 'office');
  t.deepEqual(states(again), ['mail same']);
});

test('Edited on both while they were apart: both kept, told, the active one in use until somebody decides', async (t) => {
  const { primary, secondary } = await openPair(t);
  await primary.definitions.changed('mail', domain('mail', 1), 'office');
  await waitFor('it is there', () => inUse(secondary, 'mail'));
  const [record] = secondary.definitions.named('mail');
  t.true(await secondary.definitions.adopt(record?.uuid ?? '', async ({ xml }) => xml));
  for (const node of [primary, secondary]) node.isPeerAlive = false;
  await primary.definitions.changed('mail', domain('mail', 2), 'office');
  await secondary.definitions.changed('mail', domain('mail', 3), 'office');
  for (const node of [primary, secondary]) node.isPeerAlive = true;
  for (const node of [primary, secondary]) {
    await waitFor('the conflict is seen', () => states(node)[0] === 'mail conflict');
    t.is(inUse(node, 'mail'), domain('mail', 2));
  }
  const texts = await waitFor('both texts are known', () => {
    const both = primary.definitions.source.texts(uuidOf('mail'));
    return both?.self && both.peer ? both : null;
  });
  t.deepEqual(
    [texts.self, texts.peer].map((text) => text?.match(/'MiB'>(\d)/)?.[1]),
    ['2', '3'],
  );
  t.notRegex(`${texts.self}${texts.peer}`, /hunter2/);

  // The active node dies; what it had stays in use.
  for (const node of [primary, secondary]) node.active = 'secondary';
  t.is(inUse(secondary, 'mail'), domain('mail', 2));

  t.regex(await primary.definitions.source.keep(uuidOf('mail'), 'secondary'), /made on secondary/);
  for (const node of [primary, secondary]) {
    await waitFor('it is decided', () => states(node)[0] === 'mail same');
    t.is(inUse(node, 'mail'), domain('mail', 3));
  }
  t.regex(await primary.definitions.source.keep(uuidOf('mail'), 'secondary'), /nothing to decide/);
  const error = await t.throwsAsync(primary.definitions.source.keep(uuidOf('mail'), 'tertiary'));
  t.is((error as { readonly code?: string } | undefined)?.code, 'no-such-definition');
});

test('What libvirt makes of a definition that it is given is no edit on two sides', async (t) => {
  const { primary, secondary } = await openPair(t);
  await primary.definitions.changed('mail', domain('mail', 1), 'office');
  await waitFor('it is there', () => inUse(secondary, 'mail'));
  const filled = domain('mail', 1, { more: '<video/>' });
  const readAtMs = Number(process.hrtime.bigint()) / 1e6;
  const adopted = secondary.definitions.adopt(uuidOf('mail'), async () => filled);
  // The event of libvirt comes in the middle of it, and one more with what was read before.
  await Promise.all([
    adopted,
    secondary.definitions.changed('mail', filled, 'office'),
    secondary.definitions.changed('mail', domain('mail', 7), 'office', readAtMs),
  ]);
  await waitFor('the primary has it', () => inUse(primary, 'mail') === filled);
  t.is(inUse(secondary, 'mail'), filled);
  t.is(secondary.definitions.source.history(uuidOf('mail'))?.length, 2);
  t.false(await secondary.definitions.adopt(uuidOf('mail'), async () => null));
  t.false(await secondary.definitions.adopt(uuidOf('web'), async ({ xml }) => xml));
});

test('A guest that is removed, and one made anew under its name', async (t) => {
  const { primary, secondary } = await openPair(t);
  await primary.definitions.changed('mail', domain('mail', 1), 'office');
  await primary.definitions.changed('web', domain('web', 1), 'office');
  await waitFor('they are there', () => inUse(secondary, 'mail') && inUse(secondary, 'web'));
  await primary.definitions.removed('web');
  const anew = domain('mail', 1, { uuid: uuidOf('another') });
  await primary.definitions.changed('mail', anew, 'office');
  await waitFor(
    'it is known',
    () => states(secondary).join() === 'mail same' && inUse(secondary, 'mail') === anew,
  );
  const plain = join(secondary.stateDir, 'definitions', 'mail.xml');
  await waitFor('the plain texts are those', () => {
    return !files(secondary).includes('web.xml') && readFileSync(plain, 'utf8') === anew;
  });
  t.is(secondary.definitions.source.history(uuidOf('web'))?.[0]?.sha256, null);

  await secondary.definitions.changed('mail', domain('mail', 1, { uuid: uuidOf('third') }), 'office');
  await waitFor(
    'two of one name are seen',
    () => states(primary).join() === 'mail name-taken,mail name-taken',
  );
  t.pass();
});

test('What is no definition is refused, and named', async (t) => {
  const node = await openNode(t, 'primary');
  for (const [xml, why] of [
    ['<domain><name>mail', /line 1, column 1/],
    [domain('web', 1), /it is the definition of web/],
    [domain('mail', 1, { more: 'x'.repeat(400_000) }), /longer than/],
  ] as const) {
    const result = await node.definitions.changed('mail', xml, 'office');
    t.regex(result.kind === 'refused' ? result.why : '', why);
  }
  t.deepEqual(files(node), []);
  t.is(node.log.filter(({ level }) => level === 40).length, 3);
});

/** Nobody listens there, since tcpmux (RFC 1078) is long gone. */
const nobodysPort = 1;

test('A peer without this is told of once, and found when it comes', async (t) => {
  const primary = await openNode(t, 'primary');
  // Not a port that has just become free, which anybody may be given.
  primary.peerAddresses = [{ address: '127.0.0.1', port: nobodysPort }];
  const warnings = () =>
    primary.log.filter(({ msg }) => String(msg).startsWith("guests' definitions are not"));
  await waitFor('it is told', () => warnings().length > 0);
  t.regex(primary.definitions.source.list().problem ?? '', /ECONNREFUSED/);
  const secondary = await openNode(t, 'secondary');
  await meet(primary, secondary);
  await primary.definitions.changed('mail', domain('mail', 1), 'office');
  await waitFor('it is there', () => inUse(secondary, 'mail'));
  await waitFor('all is well', () => primary.definitions.source.list().problem === null);
  t.is(warnings().length, 1);
});

test('A disk that takes nothing costs a warning; what it lacks is written when it can be', async (t) => {
  const node = await openNode(t, 'primary');
  const directory = join(node.stateDir, 'definitions');
  rmSync(directory, { recursive: true });
  await node.definitions.changed('mail', domain('mail', 1), 'office');
  t.is(inUse(node, 'mail'), domain('mail', 1));
  t.true(node.log.some(({ level, msg }) => level === 50 && String(msg).includes('kept in memory')));
  await import('node:fs/promises').then(({ mkdir }) => mkdir(directory, { mode: 0o700 }));
  await waitFor('it is written', () => files(node).includes(`${uuidOf('mail')}.json`));
  t.pass();
});

test('Of what the peer sends nothing is taken that does not fit together', async (t) => {
  const primary = await openNode(t, 'primary');
  await primary.definitions.changed('mail', domain('mail', 1), 'office');
  const directory = join(primary.stateDir, 'definitions');
  const good = JSON.parse(readFileSync(join(directory, `${uuidOf('mail')}.json`), 'utf8')).versions[0];
  const log: Record<string, unknown>[] = [];
  const logger = pino({ level: 'info' }, { write: (line) => void log.push(JSON.parse(line)) });
  const stateDir = temporaryDirectory(t);
  const files = await openDefinitionFiles(stateDir, logger);
  const names = { self: 'secondary', peer: 'primary', activeNode: () => null };
  const store = createDefinitionStore({ files, ...names, logger });
  const take = (uuid: string, version: unknown, heads = [good.id]) => {
    const parsed = versionSchema.safeParse(version);
    if (!parsed.success) return Promise.resolve(String(parsed.error.issues[0]?.path));
    return store.take(uuid, { versions: [parsed.data], local: null, heads });
  };
  const uuid = uuidOf('mail');
  t.regex((await take(uuid, { ...good, xml: domain('mail', 2) })) ?? '', /not the one that was stored/);
  t.regex((await take(uuid, { ...good, group: 'web' })) ?? '', /is not what its name says/);
  t.regex((await take(uuidOf('web'), good)) ?? '', /is not what its name says/);
  t.regex((await take(uuid, { ...good, name: 'web' })) ?? '', /is the definition of mail/);
  t.is(await take(uuid, { ...good, name: '../../etc/cron.d/x' }), 'name');
  t.is(await take(uuid, { ...good, counter: 2 ** 53 }), 'counter');
  t.regex((await take(uuid, good, ['0'.repeat(64)])) ?? '', /newest version is not with it/);
  t.deepEqual([store.records(), readdirSync(stateDir)], [[], []]);
  t.is(await take(uuid, good), null);
  t.is(store.named('mail').length, 1);
});

test('one that is adopted under another name is not removed when libvirt no longer has the old one', async (t) => {
  const [primary, secondary] = [await openNode(t, 'primary'), await openNode(t, 'secondary')];
  await meet(primary, secondary);
  await primary.definitions.changed('mail', domain('mail', 1), 'office');
  const uuid = uuidOf('mail');
  const there = await waitFor('it is there', () => secondary.definitions.named('mail')[0]);
  await secondary.definitions.adopt(there.uuid, async ({ xml }) => xml);
  await primary.definitions.changed('post', domain('post', 1, { uuid }), 'office');
  await waitFor('its new name is there', () => secondary.definitions.named('post')[0]);
  const renamed = Promise.withResolvers<void>();
  const adopting = secondary.definitions.adopt(uuid, async ({ xml }) => {
    await renamed.promise;
    return xml;
  });
  const removing = secondary.definitions.removed('mail');
  renamed.resolve();
  t.true(await adopting);
  await removing;
  t.deepEqual(secondary.definitions.namesHere(), ['post']);
  t.is(secondary.definitions.named('post').length, 1);
});
