// The control API as an OpenAPI document: its paths by hand, its shapes from the types in the daemon.

export type ApiSchemas = Readonly<Record<string, object>>;

const severe = 'Only root gets in: the socket has mode 0600.';

const ref = (type: string) => ({ $ref: `#/components/schemas/${type}` });
const listOf = (type: string) => ({ type: 'array', items: ref(type) });
const json = (schema: object) => ({ 'application/json': { schema } });
const ok = (description: string, schema: object) => ({ description, content: json(schema) });
const problem = (description: string) => ok(description, ref('ApiError'));
const body = (schema: object) => ({ required: true, content: json(schema) });
const record = (properties: Readonly<Record<string, object>>) => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});
const text = { type: 'string' };
const inQuery = (name: string, required: boolean, schema: object, description: string) => ({
  ...{ name, in: 'query', required, schema, description },
});

const notUnderstood = {
  '400': problem('The request is not JSON, or not as it should be.'),
  '413': problem('The request is larger than 64 KiB.'),
};
const noGuest = { '404': problem('There is no guest with this UUID.') };
const uuid = inQuery('uuid', true, text, 'UUID of the guest.');

export function describeApi(version: string, schemas: ApiSchemas): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Battito control API',
      version,
      description: `JSON over HTTP on the unix socket /run/battito/control.sock: curl --unix-socket /run/battito/control.sock http://battito/v1/status. ${severe} A path that is not here is answered with 404, another method with 405, both with an ApiError.`,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: 'http://battito', description: 'Any name will do on the socket.' }],
    paths: {
      '/v1/status': {
        get: {
          operationId: 'getStatus',
          summary: 'What this node sees, as `battito status --json` prints it',
          responses: { '200': ok('The status.', ref('Status')) },
        },
      },
      '/v1/history': {
        get: {
          operationId: 'getHistory',
          summary: 'What happened, oldest first, as `battito history --json` prints it',
          parameters: [
            inQuery(
              'limit',
              false,
              { type: 'integer', minimum: 1, default: 100 },
              'How many, the newest ones.',
            ),
          ],
          responses: { '200': ok('The notes.', listOf('HistoryEntry')) },
        },
      },
      '/v1/metrics': {
        get: {
          operationId: 'getMetrics',
          summary: 'What is measured, for Prometheus',
          responses: {
            '200': {
              description: 'Text format 0.0.4, or OpenMetrics 1.0 by the header Accept.',
              content: { 'text/plain': { schema: text }, 'application/openmetrics-text': { schema: text } },
            },
          },
        },
      },
      '/v1/state': {
        get: {
          operationId: 'getState',
          summary: 'All that the core remembers, for `battito explain`; it may be another one in any version',
          responses: { '200': ok('The state.', { type: 'object' }) },
        },
      },
      '/v1/plan': {
        get: {
          operationId: 'getPlan',
          summary: 'The commands that a start or a stop would run, for --dry-run',
          parameters: [
            inQuery('action', false, { enum: ['start', 'stop'], default: 'start' }, 'What would be done.'),
            inQuery('group', false, text, 'Only this group.'),
            inQuery('guests', false, ref('HandoverMode'), 'How guests would go; absent: as configured.'),
          ],
          responses: { '200': ok('In the order in which they would begin.', listOf('Plan')) },
        },
      },
      '/v1/requests': {
        post: {
          operationId: 'request',
          summary: 'What an operator wishes',
          parameters: [
            {
              ...{ name: 'battito-said', in: 'header', required: false, schema: text },
              description: 'What the person typed, URI-encoded, for the history.',
            },
          ],
          requestBody: body(ref('OperatorRequest')),
          responses: {
            '200': ok('Accepted: it is under way.', ref('RequestAnswer')),
            '409': ok('Refused, with what the operator can do.', ref('RequestAnswer')),
            ...notUnderstood,
          },
        },
      },
      '/v1/notes': {
        post: {
          operationId: 'addNote',
          summary: 'What a command did without the daemon, for the history',
          requestBody: body(ref('CommandNote')),
          responses: { '200': ok('It is noted.', record({})), ...notUnderstood },
        },
      },
      '/v1/outdatings': {
        post: {
          operationId: 'outdatePeer',
          summary:
            "DRBD's fence-peer handler asks; the answer comes when something is proven, however long that takes",
          requestBody: body(record({ resource: text })),
          responses: {
            '200': ok(
              'What is proven of the peer.',
              record({ answer: { enum: ['outdated', 'fenced', 'unreachable', 'primary'] } }),
            ),
            '404': problem('No group has this resource.'),
            ...notUnderstood,
          },
        },
      },
      '/v1/schedule/run': {
        post: {
          operationId: 'runTask',
          summary: 'What is done at times is done now',
          requestBody: body(record({ task: ref('TaskName') })),
          responses: {
            '200': ok('It has begun.', ref('RunTaskAnswer')),
            '409': ok('Refused, with what to do.', ref('RunTaskAnswer')),
            ...notUnderstood,
          },
        },
      },
      '/v1/checks/peer': {
        post: {
          operationId: 'checkPeer',
          summary: 'The daemon of the peer checks its own node',
          requestBody: body(record({})),
          responses: {
            '200': ok('What it found, or why it could not.', ref('PeerChecked')),
            ...notUnderstood,
          },
        },
      },
      '/v1/readiness': {
        post: {
          operationId: 'keepReadiness',
          summary: 'What `battito check` has found of both nodes is kept, and told to the peer',
          requestBody: body(ref('Readiness')),
          responses: { '200': ok('It is kept.', record({})), ...notUnderstood },
        },
      },
      '/v1/guests': {
        get: {
          operationId: 'getGuests',
          summary: 'The guests, and whether both nodes have the same definitions of them',
          responses: { '200': ok('The guests.', ref('GuestDefinitions')) },
        },
      },
      '/v1/guests/texts': {
        get: {
          operationId: 'getGuestTexts',
          summary: 'What each node would start, without passwords',
          parameters: [uuid],
          responses: { '200': ok('The definitions.', ref('GuestTexts')), ...noGuest },
        },
      },
      '/v1/guests/history': {
        get: {
          operationId: 'getGuestHistory',
          summary: 'The versions of a definition, newest first',
          parameters: [uuid],
          responses: { '200': ok('The versions.', listOf('GuestVersion')), ...noGuest },
        },
      },
      '/v1/guests/keep': {
        post: {
          operationId: 'keepGuest',
          summary: 'What one node would start is kept, for both',
          requestBody: body(record({ uuid: text, node: text })),
          responses: {
            '200': ok('What was kept, in words.', record({ message: text })),
            '409': problem('There is nothing to keep.'),
            ...notUnderstood,
          },
        },
      },
    },
    components: { schemas },
  };
}
