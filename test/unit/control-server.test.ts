// The control API as a command meets it: what a person said goes into the history with the request.

import { once } from 'node:events';
import { request } from 'node:http';
import { join } from 'node:path';
import test from 'ava';
import { pino } from 'pino';
import { controlClient } from '../../daemon/cli/client.ts';
import type { Note, OperatorRequest } from '../../daemon/control/api.ts';
import { type ControlSource, startControlServer } from '../../daemon/control/server.ts';
import { temporaryDirectory } from '../support.ts';
import { status } from './fixtures/cli/statuses.ts';

test('what the person typed is noted before the request is answered; a request without it stays without a note', async (t) => {
  const done: (OperatorRequest | Note)[] = [];
  const source = {
    ready: Promise.resolve(),
    status: () => status(),
    request: async (wish: OperatorRequest) => {
      done.push(wish);
      return { kind: 'accepted', message: 'as you wish' } as const;
    },
    note: (note: Note) => {
      done.push(note);
    },
  } as unknown as ControlSource;
  const socketPath = join(temporaryDirectory(t), 'control.sock');
  const server = await startControlServer(socketPath, source, pino({ level: 'silent' }));
  t.teardown(() => server.close());
  const client = controlClient(socketPath);
  const wish = { kind: 'accept-data', groups: ['office'] } as const;
  t.is(await client.request(wish, 'battito takeover --force=r0'), 'as you wish');
  const [note, request] = done;
  t.like(note, {
    code: 'operator-said',
    message: 'operator: accept-data was asked for by: battito takeover --force=r0',
  });
  t.deepEqual(request, wish);
  await client.request(wish);
  const given = { kind: 'handover', groups: [], guests: 'save' } as const;
  await client.request(given);
  t.deepEqual(done.slice(2), [wish, given]);
  await t.throwsAsync(client.request({ ...given, guests: 'warm' } as never), { code: 'not-understood' });
});

test('a question of DRBD that nobody waits for any more is forgotten', async (t) => {
  const { promise: asked, resolve: ask } = Promise.withResolvers<AbortSignal>();
  const outdating = (_resource: string, gone: AbortSignal) => {
    ask(gone);
    return new Promise<null>(() => {});
  };
  const source = { ready: Promise.resolve(), outdating } as unknown as ControlSource;
  const socketPath = join(temporaryDirectory(t), 'control.sock');
  const server = await startControlServer(socketPath, source, pino({ level: 'silent' }));
  t.teardown(() => server.close());
  const question = request({ socketPath, method: 'POST', path: '/v1/outdatings' });
  question.once('error', () => {});
  question.end(JSON.stringify({ resource: 'r0' }));
  const gone = await asked;
  t.false(gone.aborted);
  question.destroy();
  await once(gone, 'abort');
  t.true(gone.aborted);
});
