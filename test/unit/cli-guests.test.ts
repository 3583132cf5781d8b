// `battito guests` against the control API of this program, with the definitions of two nodes as a daemon tells them.

import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import type { Status } from '../../daemon/control/api.ts';
import type {
  GuestDefinition,
  GuestDefinitions,
  GuestSide,
  GuestTexts,
} from '../../daemon/control/guests.ts';
import { type ControlSource, startControlServer } from '../../daemon/control/server.ts';
import { BattitoError } from '../../daemon/errors.ts';
import { newMask } from '../../daemon/runtime/definitions/view.ts';
import { temporaryDirectory } from '../support.ts';
import { serve } from './fixtures/cli/server.ts';
import { group, resource, status } from './fixtures/cli/statuses.ts';
import { run } from './fixtures/cli/terminal.ts';
import { domain, uuidOf } from './support/definitions.ts';

const takenAt = '2026-03-01T03:12:44.081Z';

function guest(
  name: string,
  state: GuestDefinition['state'] = 'same',
  peer: Partial<GuestSide> = {},
): GuestDefinition {
  return {
    name,
    uuid: uuidOf(name),
    group: 'office',
    state,
    sides: [
      { node: 'primary', libvirt: 'in-use', stored: true },
      { node: 'secondary', libvirt: 'none', stored: true, ...peer },
    ],
    inUse: { id: 'a'.repeat(64), node: 'primary', takenAt },
  };
}

interface Script {
  readonly guests?: readonly GuestDefinition[];
  readonly texts?: Readonly<Record<string, Omit<GuestTexts, 'name'>>>;
  readonly changes?: Partial<GuestDefinitions>;
  readonly statusChanges?: Partial<Status>;
}

/** Answers `battito guests ...` by the script. */
async function daemon(t: ExecutionContext, { guests = [], texts = {}, changes, statusChanges }: Script) {
  const kept: string[] = [];
  const definitions = { self: 'primary', peer: 'secondary', comparedMs: 2500, problem: null, damaged: [] };
  const nameOf = (uuid: string) => guests.find((one) => one.uuid === uuid)?.name ?? '';
  const source = {
    ready: Promise.resolve(),
    status: () => status({ groups: [group({ resources: [resource('guest:mail')] })], ...statusChanges }),
    guests: () => ({
      list: () => ({ ...definitions, guests, ...changes }),
      texts: (uuid: string) => {
        const found = texts[nameOf(uuid)];
        return found === undefined ? null : { name: nameOf(uuid), ...found };
      },
      history: (uuid: string) =>
        nameOf(uuid) === ''
          ? null
          : [
              {
                ...{ id: 'b'.repeat(64), sha256: 'c'.repeat(64), parents: ['d', 'e'], counter: 3 },
                ...{ node: 'secondary', takenAt, name: nameOf(uuid), group: 'office', inUse: true },
                definedOn: ['primary'],
              },
              {
                ...{ id: 'd'.repeat(64), sha256: null, parents: [], counter: 1, node: 'primary', takenAt },
                ...{ name: nameOf(uuid), group: 'office', inUse: false, definedOn: [] },
              },
            ],
      keep: async (uuid: string, node: string) => {
        if (nameOf(uuid) === 'web')
          throw new BattitoError('no-such-definition', 'nothing there', { next: 'look' });
        kept.push(`${nameOf(uuid)} ${node}`);
        return 'it is kept';
      },
    }),
  } as unknown as ControlSource;
  const socketPath = join(temporaryDirectory(t), 'control.sock');
  const server = await startControlServer(socketPath, source, pino({ level: 'silent' }));
  t.teardown(() => server.close());
  return { kept, battito: (...words: string[]) => run(['--socket', socketPath, 'guests', ...words]) };
}

test('The list: every guest, where it runs, and what each node has of it', async (t) => {
  const guests = [guest('erp', 'not-yet', { stored: false }), guest('files', 'same', { libvirt: 'other' })];
  const { battito } = await daemon(t, { guests });
  const { exitCode, stdout } = await battito();
  t.is(exitCode, 3);
  t.deepEqual(stdout.trimEnd().split('\n'), [
    'GUEST  GROUP   RUNS ON  primary  secondary  DEFINITION',
    'erp    office  primary  defined  missing    secondary does not have what primary has',
    'files  office  primary  defined  older      the same on both nodes',
    'mail   office  primary  -        -          by the configuration',
  ]);
  const { stdout: json } = await battito('--json');
  const listed = JSON.parse(json) as { readonly guests: readonly Record<string, unknown>[] };
  t.like(listed.guests[0], { name: 'erp', runsOn: 'primary', definition: { state: 'not-yet' } });
  t.like(listed.guests[2], { name: 'mail', definition: null });
});

test('All well is exit code 0; trouble with the peer and with files is told', async (t) => {
  const { battito } = await daemon(t, { guests: [guest('mail')] });
  t.is((await battito()).exitCode, 0);
  const changes = { problem: 'ECONNREFUSED', comparedMs: null, damaged: ['/x/y.json.damaged'] };
  const troubled = await daemon(t, { guests: [guest('mail')], changes });
  const { exitCode, stdout } = await troubled.battito();
  t.is(exitCode, 3);
  t.regex(stdout, /^! not compared with secondary now: ECONNREFUSED \(secondary was not asked/m);
  t.regex(stdout, /^! .* put aside: \/x\/y\.json\.damaged$/m);
});

test('A conflict is told with what to do', async (t) => {
  const { battito } = await daemon(t, { guests: [guest('mail', 'conflict'), guest('web', 'name-taken')] });
  const { exitCode, stdout } = await battito();
  t.is(exitCode, 3);
  t.regex(stdout, /edited on both nodes; in use: primary's of 2026-/);
  t.regex(
    stdout,
    /^next: battito guests diff mail; then battito guests keep mail --from primary\|secondary$/m,
  );
  t.regex(stdout, /^! web is the name of two guests/m);
});

test('The difference: none is exit code 0 and no line, some is 1 and a patch that patch(1) would take', async (t) => {
  const [one, two] = [domain('mail', 1), domain('mail', 2)];
  const texts = {
    mail: { same: false, self: one, peer: two },
    web: { same: true, self: one, peer: one.replaceAll("'", '"') },
    new: { same: false, self: one, peer: null },
  };
  const { battito } = await daemon(t, { guests: [guest('mail'), guest('web'), guest('new')], texts });
  const same = await battito('diff', 'web');
  t.deepEqual([same.exitCode, same.stdout], [0, '']);
  const differing = await battito('diff', 'mail');
  t.is(differing.exitCode, 1);
  t.deepEqual(differing.stdout.split('\n').slice(0, 3), [
    '--- primary/mail.xml',
    '+++ secondary/mail.xml',
    '@@ -1,7 +1,7 @@',
  ]);
  t.regex(differing.stdout, /^- {2}<memory unit='MiB'>1<\/memory>\n\+ {2}<memory unit='MiB'>2<\/memory>$/m);
  t.regex((await battito('diff', 'new')).stdout, /^\+\+\+ \/dev\/null$/m);
  const all = await battito('diff', '--json');
  t.is(all.exitCode, 1);
  const compared = JSON.parse(all.stdout) as readonly { readonly name: string; readonly diff: string }[];
  t.deepEqual(
    compared.map(({ name, diff }) => [name, diff === '']),
    [
      ['mail', false],
      ['web', true],
      ['new', false],
    ],
  );
});

test('The history names each version, what is in use, and what a person decided', async (t) => {
  const { battito } = await daemon(t, { guests: [guest('mail')] });
  const { exitCode, stdout } = await battito('history', 'mail');
  t.is(exitCode, 0);
  const [header, newest, oldest] = stdout.split('\n');
  t.regex(header ?? '', /^TAKEN +ON +SHA256 +GROUP$/);
  t.regex(newest ?? '', /secondary +c{12} +office +in use, defined on primary, decided by a person$/);
  t.regex(oldest ?? '', /primary +removed +office$/);
});

test('What is kept, and what cannot be', async (t) => {
  const { battito, kept } = await daemon(t, { guests: [guest('mail'), guest('web')] });
  const { exitCode, stdout } = await battito('keep', 'mail', '--from', 'secondary');
  t.deepEqual([exitCode, stdout, kept], [0, 'it is kept\n', ['mail secondary']]);
  const refused = await battito('keep', 'web', '--from', 'primary');
  t.deepEqual([refused.exitCode, refused.stderr], [1, 'battito: nothing there\nnext: look\n']);
  t.deepEqual(kept, ['mail secondary']);
});

for (const [words, code, message, next] of [
  ['keep', 64, /needs the name of a guest/, /guests --help/],
  ['keep mail', 64, /--from NODE/, /guests --help/],
  ['keep mail --from primari', 64, /no node "primari"; .* primary and secondary/, /keep mail --from primary/],
  ['keep mial --from primary', 64, /"mial"/, /did you mean "mail"\?/],
  ['keep twin --from primary', 1, /two guests are named twin/, /by its UUID/],
  ['diff zzzzzz', 64, /"zzzzzz"/, /the guests are: mail, twin, twin/],
  ['diff mail --from primary', 64, /--from belongs to keep/, /guests --help/],
  ['history', 64, /needs the name of a guest/, /guests --help/],
  ['hystory mail', 64, /no "guests hystory"/, /did you mean `battito guests history mail`/],
] as const) {
  test(`battito guests ${words}: one clear error`, async (t) => {
    const twin = { ...guest('twin'), uuid: uuidOf('other') };
    const { battito, kept } = await daemon(t, { guests: [guest('mail'), guest('twin'), twin] });
    const { exitCode, stderr } = await battito(...words.split(' '));
    const [first = '', second = '', ...rest] = stderr.trimEnd().split('\n');
    t.is(exitCode, code);
    t.regex(first, message);
    t.regex(second, next);
    t.deepEqual([rest, kept], [[], []]);
  });
}

test('A daemon that an upgrade has not restarted yet is told from one that fails', async (t) => {
  const socketPath = await serve(t, (_request, response) => {
    response.writeHead(404, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify({ error: { code: 'not-found', message: 'no GET /v1/guests here', next: null } }),
    );
  });
  const { exitCode, stderr } = await run(['--socket', socketPath, 'guests']);
  t.is(exitCode, 1);
  t.regex(stderr, /has no GET \/v1\/guests here\nnext: the daemon may be older than the command: /);
});

test('Passwords are hidden, and whether two are the same is still seen', (t) => {
  const hide = newMask();
  t.is(hide(`<a passwd='x'/><b passwd="y"/>`), `<a passwd='(hidden 1)'/><b passwd="(hidden 2)"/>`);
  t.is(hide(`<a passwd="y" passwdValidTo='2010'/>`), `<a passwd="(hidden 2)" passwdValidTo='2010'/>`);
});
