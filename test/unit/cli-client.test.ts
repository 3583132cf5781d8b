// The client against real unix sockets: whatever may be at the other end, the operator is told what to do.

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { controlClient } from '../../daemon/cli/client.ts';
import { BattitoError, exitCodes } from '../../daemon/errors.ts';
import { temporaryDirectory } from '../support.ts';
import { scriptedDaemon, serve } from './fixtures/cli/server.ts';
import { status } from './fixtures/cli/statuses.ts';
import { run } from './fixtures/cli/terminal.ts';

async function failure(t: ExecutionContext, promise: Promise<unknown>): Promise<BattitoError> {
  const error = await t.throwsAsync(promise, { instanceOf: BattitoError });
  if (error === undefined) throw new Error('it did not fail');
  return error;
}

test('An answer is given as it came', async (t) => {
  const { socketPath } = await scriptedDaemon(t, { statuses: [status()] });
  t.deepEqual(await controlClient(socketPath).status(), status());
});

test('A missing socket means that no daemon runs', async (t) => {
  const socketPath = join(temporaryDirectory(t), 'none.sock');
  const error = await failure(t, controlClient(socketPath).status());
  t.is(error.code, 'daemon-not-running');
  t.is(error.exitCode, exitCodes.unavailable);
  t.is(error.message, `no daemon answers at ${socketPath}`);
  t.is(error.next, 'start it: systemctl start battito (or `battito daemon`)');
});

test('A file that nobody listens on means that no daemon runs', async (t) => {
  const socketPath = join(temporaryDirectory(t), 'dead.sock');
  writeFileSync(socketPath, '');
  const error = await failure(t, controlClient(socketPath).status());
  t.is(error.code, 'daemon-not-running');
  t.is(error.exitCode, exitCodes.unavailable);
});

test('A daemon that does not answer is given up after the deadline', async (t) => {
  const socketPath = await serve(t, () => {}); // Takes the question and says nothing.
  const error = await failure(t, controlClient(socketPath, { deadlineMs: 50 }).status());
  t.is(error.code, 'daemon-slow');
  t.is(error.exitCode, exitCodes.timedOut);
  t.true(error.next?.includes('systemctl status battito'));
});

test('A daemon that stops in the middle of its answer is given up after the deadline', async (t) => {
  const socketPath = await serve(t, (_request, response) => {
    response.writeHead(200, { 'content-length': 1000 });
    response.write('{"cluster":');
  });
  const error = await failure(t, controlClient(socketPath, { deadlineMs: 50 }).status());
  t.is(error.code, 'daemon-slow');
});

test('A daemon that dies while it is asked is reported as gone', async (t) => {
  const socketPath = await serve(t, (request) => request.socket.destroy());
  const error = await failure(t, controlClient(socketPath).status());
  t.is(error.code, 'daemon-not-running');
  t.true(error.message.includes('went away'));
});

test('An answer that is not JSON is not taken for one', async (t) => {
  const socketPath = await serve(t, (_request, response) => void response.end('<html>'));
  const error = await failure(t, controlClient(socketPath).status());
  t.is(error.code, 'daemon-answer-invalid');
  t.is(error.exitCode, exitCodes.failed);
  t.true(error.message.includes('not JSON: "<html>"'));
});

test('JSON that is not a status is not taken for one', async (t) => {
  for (const body of ['null', '[]', '{}', '{"groups":[]}']) {
    const socketPath = await serve(t, (_request, response) => void response.end(body));
    const error = await failure(t, controlClient(socketPath).status());
    t.is(error.code, 'daemon-answer-invalid', body);
  }
});

test('Something that does not speak HTTP is not taken for a daemon', async (t) => {
  const socketPath = join(temporaryDirectory(t), 'other.sock');
  const server = createServer((socket) => void socket.on('error', () => {}).end('SSH-2.0-other\r\n')).listen(
    socketPath,
  );
  t.teardown(() => void server.close());
  await once(server, 'listening');
  const error = await failure(t, controlClient(socketPath).status());
  t.is(error.code, 'daemon-answer-invalid');
});

test("A refusal carries the daemon's words and its advice, exit code 1", async (t) => {
  const { socketPath } = await scriptedDaemon(t, {
    statuses: [status()],
    answer: () => ({
      kind: 'refused',
      code: 'standby',
      message: 'primary is in standby',
      next: 'run `battito standby off` first',
    }),
  });
  const { exitCode, stderr } = await run(['retry', '--socket', socketPath]);
  t.is(stderr, 'battito: primary is in standby\nnext: run `battito standby off` first\n');
  t.is(exitCode, exitCodes.failed);
  const json = await run(['retry', '--json', '--socket', socketPath]);
  t.deepEqual(JSON.parse(json.stdout), {
    error: { code: 'standby', message: 'primary is in standby', next: 'run `battito standby off` first' },
  });
});

test('An error of the API is passed on with its code', async (t) => {
  const socketPath = await serve(t, (_request, response) => {
    response.writeHead(404);
    response.end(JSON.stringify({ error: { code: 'not-found', message: 'no such thing', next: null } }));
  });
  const error = await failure(t, controlClient(socketPath).history(5));
  t.is(error.code, 'not-found');
  t.is(error.message, 'no such thing');
  t.is(error.next, undefined);
});

test('A status without a daemon says so on stderr with exit code 69, and as JSON on stdout', async (t) => {
  const socketPath = join(temporaryDirectory(t), 'none.sock');
  const plain = await run(['status', '--socket', socketPath]);
  t.is(plain.exitCode, exitCodes.unavailable);
  t.is(plain.stdout, '');
  t.true(plain.stderr.startsWith(`battito: no daemon answers at ${socketPath}\nnext: start it:`));
  const json = await run(['status', '--json', '--socket', socketPath]);
  t.is(json.exitCode, exitCodes.unavailable);
  t.is(JSON.parse(json.stdout).error.code, 'daemon-not-running');
});
