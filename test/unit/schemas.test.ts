// The schemas that are shipped: made from what is in the daemon now, sound, and what a real control server takes and
// answers is as they say.

import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import type { Note, OperatorRequest, RequestAnswer, Status } from '../../daemon/control/api.ts';
import type { GuestsSource, GuestVersion } from '../../daemon/control/guests.ts';
import { type ControlSource, startControlServer } from '../../daemon/control/server.ts';
import { BattitoError } from '../../daemon/errors.ts';
import { renderMetrics } from '../../daemon/metrics/metrics.ts';
import { renderSchemas } from '../../scripts/schemas.ts';
import { apiDocument, faultsIn, faultsInApi } from '../schemas.ts';
import { temporaryDirectory } from '../support.ts';
import { entry, group, groupAtPeer, link, resource, status } from './fixtures/cli/statuses.ts';
import { metricsSource, troubled } from './support/metrics.ts';

test('the files in config/ are up to date: npm run schema writes them', (t) => {
  for (const [name, text] of Object.entries(renderSchemas())) {
    t.is(readFileSync(new URL(`../../config/${name}`, import.meta.url), 'utf8'), text, name);
  }
});

test('the description of the control API is sound OpenAPI', async (t) => {
  const { valid, errors } = await new Validator().validate({ ...structuredClone(apiDocument) });
  t.true(valid, JSON.stringify(errors));
});

test('a status is as its schema says, in good days and in bad ones', (t) => {
  const statuses: readonly Status[] = [
    status(),
    troubled,
    status({ groups: [groupAtPeer(), group({ peer: null })], links: [link('eth1', { ageMs: null })] }),
    status({ groups: [group({ resources: [resource('guest:a', { status: 'incoming' })] })] }),
  ];
  for (const each of statuses) t.deepEqual(faultsIn('status', each), []);
  const entries = [entry('it is so'), entry('it took long', { tookMs: 4000, group: null, next: 'look' })];
  t.deepEqual(faultsIn('history', entries), []);
});

test('what is missing, too much, or of another kind is refused', (t) => {
  const { tier: _, ...untiered } = status();
  t.regex(faultsIn('status', untiered).join(), /must have required property 'tier'/);
  t.regex(faultsIn('status', { ...status(), colour: 'red' }).join(), /must NOT have additional properties/);
  t.regex(faultsIn('status', { ...status(), tier: 'best' }).join(), /\/tier must be equal to one of/);
  const self = { ...status().self, address: 'here' };
  t.regex(faultsIn('status', { ...status(), self }).join(), /\/self\/address must match format "ipv4"/);
  t.regex(faultsIn('history', [{ ...entry('x'), code: 'No Code' }]).join(), /\/0\/code must match pattern/);
  t.regex(faultsIn('history', [{ ...entry('x'), time: 'yesterday' }]).join(), /\/0\/time must match format/);
});

// ---- a real control server ----

const version: GuestVersion = {
  ...{ id: 'a', sha256: null, parents: [], counter: 1, node: 'primary', takenAt: '2026-03-01T03:00:00.000Z' },
  ...{ name: 'mail', group: 'office', inUse: true, definedOn: ['primary'] },
};
const guests: GuestsSource = {
  list: () => ({
    ...{ self: 'primary', peer: 'secondary', comparedMs: 12, problem: null, damaged: [] },
    guests: [
      {
        ...{ name: 'mail', uuid: 'u', group: 'office', state: 'same' },
        sides: [
          { node: 'primary', libvirt: 'in-use', stored: true },
          { node: 'secondary', libvirt: 'none', stored: null },
        ],
        inUse: { id: 'a', node: 'primary', takenAt: version.takenAt },
      },
    ],
  }),
  texts: (uuid) => (uuid === 'u' ? { name: 'mail', same: false, self: '<domain/>', peer: null } : null),
  history: (uuid) => (uuid === 'u' ? [version] : null),
  async keep(uuid) {
    if (uuid !== 'u') throw new BattitoError('no-such-definition', 'there is none', { next: 'look' });
    return 'kept';
  },
};

const refusedGroup = 'refused';

async function useServer(t: ExecutionContext): Promise<{ socketPath: string; notes: Note[] }> {
  const notes: Note[] = [];
  const source: ControlSource = {
    ready: Promise.resolve(),
    status: () => troubled,
    state: () => ({ verdict: { kind: 'alive' } }) as never,
    history: (limit) => [entry('one'), entry('two', { group: null })].slice(-limit),
    plan: async () => [
      {
        group: 'office',
        resource: 'guest:mail',
        action: 'start',
        remarks: [],
        needs: ['drbd:r0'],
        commands: ['true'],
      },
    ],
    request: async (wish): Promise<RequestAnswer> =>
      'groups' in wish && wish.groups.includes(refusedGroup)
        ? { kind: 'refused', code: 'maintenance', message: 'not now', next: 'wait' }
        : { kind: 'accepted', message: 'as you wish' },
    note: (note) => notes.push(note),
    outdating: async (name) => (name === 'r0' ? 'fenced' : null),
    metrics: async (accept) => renderMetrics(metricsSource(), accept),
    guests: () => guests,
    schedule: () => ({
      run: (task) =>
        task === 'verify'
          ? { kind: 'begun', at: version.takenAt }
          : { kind: 'refused', message: 'not now', next: 'wait' },
      checkPeer: async () => ({ kind: 'checked', node: 'secondary', report: { findings: [] } }),
      keepReadiness: () => {},
    }),
  };
  const socketPath = join(temporaryDirectory(t), 'control.sock');
  const server = await startControlServer(socketPath, source, pino({ level: 'silent' }));
  t.teardown(() => server.close());
  return { socketPath, notes };
}

interface Answer {
  readonly code: string;
  readonly type: string;
  readonly text: string;
}

function ask(
  socketPath: string,
  method: string,
  path: string,
  { body, accept }: { body?: unknown; accept?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = accept === undefined ? {} : { accept };
    const call = request({ socketPath, method, path, headers, timeout: 20_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () =>
        resolve({
          code: String(response.statusCode),
          type: response.headers['content-type']?.split(';')[0] ?? '',
          text,
        }),
      );
    });
    call.on('timeout', () => call.destroy(new Error('no answer'))).on('error', reject);
    call.end(body === undefined || typeof body === 'string' ? body : JSON.stringify(body));
  });
}

/** Every documented answer once: what is asked, and the status that comes of it. */
const exchanges: readonly (readonly [code: string, method: string, path: string, body?: unknown])[] = [
  ['200', 'GET', '/v1/status'],
  ['200', 'GET', '/v1/history?limit=1'],
  ['200', 'GET', '/v1/metrics'],
  ['200', 'GET', '/v1/state'],
  ['200', 'GET', '/v1/plan?action=stop&guests=save'],
  ['200', 'POST', '/v1/requests', { kind: 'takeover', groups: [] }],
  ['409', 'POST', '/v1/requests', { kind: 'takeover', groups: [refusedGroup] }],
  ['400', 'POST', '/v1/requests', { kind: 'dance' }],
  ['413', 'POST', '/v1/requests', `"${'x'.repeat(70_000)}"`],
  ['200', 'POST', '/v1/notes', { code: 'fence-on', severity: 'info', message: 'on', tookMs: 3 }],
  ['400', 'POST', '/v1/notes', { code: 'other', severity: 'info', message: 'on' }],
  ['413', 'POST', '/v1/notes', 'x'.repeat(70_000)],
  ['200', 'POST', '/v1/outdatings', { resource: 'r0' }],
  ['404', 'POST', '/v1/outdatings', { resource: 'r9' }],
  ['400', 'POST', '/v1/outdatings', 'no JSON'],
  ['413', 'POST', '/v1/outdatings', 'x'.repeat(70_000)],
  ['200', 'POST', '/v1/schedule/run', { task: 'verify' }],
  ['409', 'POST', '/v1/schedule/run', { task: 'prune' }],
  ['400', 'POST', '/v1/schedule/run', { task: 'dance' }],
  ['413', 'POST', '/v1/schedule/run', 'x'.repeat(70_000)],
  ['200', 'POST', '/v1/checks/peer', {}],
  ['400', 'POST', '/v1/checks/peer', 'no JSON'],
  ['413', 'POST', '/v1/checks/peer', 'x'.repeat(70_000)],
  ['200', 'POST', '/v1/readiness', troubled.readiness],
  ['400', 'POST', '/v1/readiness', { score: 4 }],
  ['413', 'POST', '/v1/readiness', 'x'.repeat(70_000)],
  ['200', 'GET', '/v1/guests'],
  ['200', 'GET', '/v1/guests/texts?uuid=u'],
  ['404', 'GET', '/v1/guests/texts?uuid=v'],
  ['200', 'GET', '/v1/guests/history?uuid=u'],
  ['404', 'GET', '/v1/guests/history?uuid=v'],
  ['200', 'POST', '/v1/guests/keep', { uuid: 'u', node: 'primary' }],
  ['409', 'POST', '/v1/guests/keep', { uuid: 'v', node: 'primary' }],
  ['400', 'POST', '/v1/guests/keep', { uuid: 1 }],
  ['413', 'POST', '/v1/guests/keep', 'x'.repeat(70_000)],
];

test('a real control server answers every documented question as the description says', async (t) => {
  const { socketPath } = await useServer(t);
  const seen = new Set<string>();
  for (const [code, method, target, body] of exchanges) {
    const path = target.split('?')[0] ?? '';
    const verb = method.toLowerCase();
    const what = `${method} ${target} ${code}`;
    if (body !== undefined && typeof body !== 'string') {
      const place = ['paths', path, verb, 'requestBody', 'content', 'application/json', 'schema'];
      t.is(faultsInApi(place, body).length === 0, code !== '400', what);
    }
    const answer = await ask(socketPath, method, target, { body });
    t.is(answer.code, code, `${what}: ${answer.text}`);
    const place = ['paths', path, verb, 'responses', code, 'content', answer.type, 'schema'];
    const value = answer.type === 'application/json' ? JSON.parse(answer.text) : answer.text;
    t.deepEqual(faultsInApi(place, value), [], what);
    seen.add(`${method} ${path} ${code}`);
  }
  const documented = Object.entries(apiDocument.paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([verb, { responses }]) =>
      Object.keys(responses).map((code) => `${verb.toUpperCase()} ${path} ${code}`),
    ),
  );
  t.deepEqual([...seen].toSorted(), documented.toSorted());
});

test('what is not described is refused as the description says', async (t) => {
  const { socketPath } = await useServer(t);
  for (const [code, method, path] of [
    ['404', 'GET', '/v1/nothing'],
    ['404', 'GET', '/'],
    ...Object.entries(apiDocument.paths).flatMap(([known, methods]) =>
      ['GET', 'POST', 'DELETE']
        .filter((verb) => !(verb.toLowerCase() in methods))
        .map((verb) => ['405', verb, known] as const),
    ),
  ] as const) {
    const answer = await ask(socketPath, method, path);
    t.is(answer.code, code, `${method} ${path}`);
    t.deepEqual(faultsInApi(['components', 'schemas', 'ApiError'], JSON.parse(answer.text)), []);
  }
});

test('the server takes every request that the description has, and no other', async (t) => {
  const { socketPath } = await useServer(t);
  const wishes: readonly OperatorRequest[] = [
    { kind: 'takeover', groups: ['office'] },
    { kind: 'accept-data', groups: [] },
    { kind: 'discard-data', groups: [] },
    { kind: 'confirm-peer-off', node: 'secondary', force: true },
    { kind: 'handover', groups: [], guests: 'live' },
    { kind: 'standby', on: true, guests: 'save' },
    { kind: 'standby', on: false },
    { kind: 'maintenance', durationMs: 60_000 },
    { kind: 'retry', groups: ['office'] },
  ];
  const described = (apiDocument.components.schemas['OperatorRequest'] as { anyOf: object[] }).anyOf.length;
  t.is(new Set(wishes.map(({ kind }) => kind)).size, described);
  const place = ['components', 'schemas', 'OperatorRequest'];
  for (const wish of wishes) {
    t.deepEqual(faultsInApi(place, wish), []);
    t.is((await ask(socketPath, 'POST', '/v1/requests', { body: wish })).code, '200', wish.kind);
    for (const wrong of [{ ...wish, more: 1 }, { kind: wish.kind }]) {
      t.not(faultsInApi(place, wrong).length, 0, JSON.stringify(wrong));
      t.is(
        (await ask(socketPath, 'POST', '/v1/requests', { body: wrong })).code,
        '400',
        JSON.stringify(wrong),
      );
    }
  }
});

test('Prometheus gets what it asks for from the control socket too', async (t) => {
  const { socketPath } = await useServer(t);
  const plain = await ask(socketPath, 'GET', '/v1/metrics');
  t.is(plain.type, 'text/plain');
  t.is(plain.text, renderMetrics(metricsSource()).body);
  const open = await ask(socketPath, 'GET', '/v1/metrics', { accept: 'application/openmetrics-text' });
  t.is(open.type, 'application/openmetrics-text');
  t.true(open.text.endsWith('# EOF\n'));
});
