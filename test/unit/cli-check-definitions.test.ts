// What `battito check` says of the definitions that both nodes keep, and how it reads those of this one: of the daemon,
// and without it of the state directory, which it leaves as it is.

import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import { checkAgreement, noDefinitions, readDefinitions } from '../../daemon/cli/check/definitions.ts';
import type { ControlClient } from '../../daemon/cli/client.ts';
import { controlClient } from '../../daemon/cli/client.ts';
import type { GuestDefinition, GuestDefinitions } from '../../daemon/control/guests.ts';
import { openDefinitionFiles } from '../../daemon/runtime/definitions/files.ts';
import { createDefinitionStore } from '../../daemon/runtime/definitions/store.ts';
import { temporaryDirectory } from '../support.ts';
import { serve } from './fixtures/cli/server.ts';
import { configOf } from './support/check-host.ts';
import { domain, uuidOf } from './support/definitions.ts';

const noDaemon = (t: ExecutionContext): ControlClient =>
  controlClient(join(temporaryDirectory(t), 'control.sock'));

function guest(name: string, state: GuestDefinition['state']): GuestDefinition {
  const sides = [
    { node: 'primary', libvirt: 'in-use', stored: true },
    { node: 'secondary', libvirt: 'none', stored: true },
  ] as const;
  const inUse = { id: 'a'.repeat(64), node: 'primary', takenAt: '2026-03-01T03:12:44.081Z' };
  return { name, uuid: uuidOf(name), group: 'office', state, sides, inUse };
}

const compared: GuestDefinitions = {
  self: 'primary',
  peer: 'secondary',
  comparedMs: 1000,
  problem: null,
  guests: [guest('mail', 'same')],
  damaged: [],
};

const told = (changes: Partial<GuestDefinitions>) =>
  checkAgreement({ ...noDefinitions, told: { ...compared, ...changes } }, configOf('guests: [mail]')).map(
    ({ level, message, mend }) => `${level}: ${message} | ${mend}`,
  );

test('definitions that are the same are one line, and no guests none', (t) => {
  t.deepEqual(told({}), ['ok: both nodes have the same definitions of 1 guest | null']);
  t.deepEqual(told({ guests: [] }), []);
  t.deepEqual(checkAgreement(noDefinitions, configOf('guests: [mail]')), []);
});

test('definitions that differ are told, each with what decides it', (t) => {
  const guests = [guest('web', 'conflict'), guest("pa's", 'name-taken'), guest('dns', 'not-yet')];
  t.deepEqual(told({ guests }), [
    'problem: web was edited on both nodes: which definition is meant a person decides | battito guests diff web; battito guests keep web --from primary|secondary',
    "problem: pa's is the name of two guests, each node made its own | virsh domrename 'pa'\\''s' NEW-NAME   # or virsh undefine, on the node of the one that is not wanted",
    "warning: secondary does not have primary's definition of dns yet | battito guests diff dns",
  ]);
});

test('nodes that were not compared are told with the port that has to be let through, once', (t) => {
  const guests = [guest('dns', 'not-yet')];
  t.deepEqual(told({ guests, problem: 'connect ETIMEDOUT 192.168.1.3:694' }), [
    'warning: not compared with secondary: connect ETIMEDOUT 192.168.1.3:694 | nc -zvw 3 192.168.1.3 694   # no connection? let TCP 694 through between the two hosts, beside UDP; see also: battito status',
  ]);
  t.deepEqual(told({ guests, comparedMs: null }), [
    'warning: not compared with secondary since the daemon was started: what one node defines the other may not know | battito status   # is secondary heard? then let TCP 694 through between the two hosts, beside UDP: nc -zvw 3 192.168.1.3 694',
  ]);
});

test('a damaged definition is told', (t) => {
  t.deepEqual(told({ damaged: ['/var/lib/battito/definitions/x.json.damaged'] }), [
    'warning: a stored definition was damaged and is put aside: /var/lib/battito/definitions/x.json.damaged | battito guests   # where secondary still has it nothing is lost; then: rm /var/lib/battito/definitions/x.json.damaged',
  ]);
});

async function storeIn(stateDir: string) {
  const logger = pino({ level: 'silent' });
  const files = await openDefinitionFiles(join(stateDir, 'definitions'), logger);
  const names = { self: 'secondary', peer: 'primary', activeNode: () => null };
  return createDefinitionStore({ files, ...names, logger });
}

test('without a daemon the files of the store tell the definitions in use, and stay as they are', async (t) => {
  const stateDir = temporaryDirectory(t);
  const store = await storeIn(stateDir);
  await store.changed('mail', domain('mail', 512), 'office');
  await store.changed('mail', domain('mail', 1024), 'office');
  await store.changed('web', domain('web', 512), 'shop');
  await store.changed('gone', domain('gone', 512), 'office');
  await store.removed('gone');
  await store.flush();
  const directory = join(stateDir, 'definitions');
  writeFileSync(join(directory, 'broken.json'), '{');
  writeFileSync(join(directory, 'half.new'), '{');
  const sight = () => readdirSync(directory).map((file) => [file, statSync(join(directory, file)).mtimeMs]);
  const before = sight();
  const { stored, told: said, unreadable } = await readDefinitions(noDaemon(t), stateDir);
  t.deepEqual(
    stored.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    [
      { name: 'mail', uuid: uuidOf('mail'), group: 'office', xml: domain('mail', 1024) },
      { name: 'web', uuid: uuidOf('web'), group: 'shop', xml: domain('web', 512) },
    ],
  );
  t.deepEqual([said, unreadable], [null, null]);
  t.deepEqual(sight(), before);
});

test('a store that is not there holds nothing; one that cannot be read is told', async (t) => {
  const stateDir = temporaryDirectory(t);
  t.deepEqual(await readDefinitions(noDaemon(t), stateDir), noDefinitions);
  mkdirSync(join(stateDir, 'state'));
  writeFileSync(join(stateDir, 'state', 'definitions'), '');
  const known = await readDefinitions(noDaemon(t), join(stateDir, 'state'));
  t.regex(known.unreadable ?? '', /ENOTDIR/);
  const [finding] = checkAgreement(known, configOf('guests: [mail]'));
  t.is(finding?.mend, 'sudo battito check');
});

test('a definition that is not among the files is asked of the daemon', async (t) => {
  const xml = domain('mail', 512);
  const socketPath = await serve(t, (request, response) => {
    const isText = request.url === `/v1/guests/texts?uuid=${uuidOf('mail')}`;
    const texts = { name: 'mail', same: true, self: xml, peer: null };
    response.end(JSON.stringify(isText ? texts : compared));
  });
  t.deepEqual(await readDefinitions(controlClient(socketPath), temporaryDirectory(t)), {
    stored: [{ name: 'mail', uuid: uuidOf('mail'), group: 'office', xml }],
    told: compared,
    unreadable: null,
  });
});
