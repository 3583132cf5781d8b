// The QMP client against a scripted server on a real unix socket.

import { createServer, type Socket } from 'node:net';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { connectQmp, QmpError, type QmpErrorCode, type QmpEvent } from '../../daemon/drivers/qemu/qmp.ts';
import { temporaryDirectory } from '../support.ts';

const greeting =
  '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}, "capabilities": ["oob"]}}\r\n';
const call = { timeoutMs: 20_000 };
const shortCall = { timeoutMs: 50 };

interface Request {
  readonly execute: string;
  readonly arguments: unknown;
  readonly id: number;
}

interface Script {
  readonly onConnect?: (socket: Socket) => void;
  readonly onRequest?: (request: Request, socket: Socket) => void;
}

const greet = (socket: Socket) => socket.write(greeting);
const reply = (socket: Socket, id: number, value: unknown = {}) =>
  socket.write(`${JSON.stringify({ return: value, id })}\r\n`);

/** Greets, answers the negotiation itself and hands everything else to `onRequest`. */
function qemuThat(onRequest: NonNullable<Script['onRequest']>): Script {
  return {
    onConnect: greet,
    onRequest: (request, socket) =>
      request.execute === 'qmp_capabilities' ? reply(socket, request.id) : onRequest(request, socket),
  };
}

async function serve(t: ExecutionContext, script: Script, backlog?: number): Promise<string> {
  const directory = temporaryDirectory(t);
  const file = path.join(directory, 'qmp');
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    let held = '';
    socket.on('data', (chunk) => {
      held += chunk.toString();
      const lines = held.split('\n');
      held = lines.pop() ?? '';
      for (const line of lines) script.onRequest?.(JSON.parse(line), socket);
    });
    script.onConnect?.(socket);
  });
  await new Promise<void>((resolve) => server.listen({ path: file, backlog }, resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return file;
}

async function rejectsWith(
  t: ExecutionContext,
  promise: Promise<unknown>,
  code: QmpErrorCode,
): Promise<string> {
  const error = await t.throwsAsync(promise, { instanceOf: QmpError });
  t.is(error.code, code);
  return error.message;
}

test('a command is answered with what QEMU returned', async (t) => {
  const file = await serve(
    t,
    qemuThat(({ id, execute, arguments: args }, socket) => reply(socket, id, { execute, args })),
  );
  const client = await connectQmp(file, call);
  t.deepEqual(await client.execute('query-status', { deep: true }, call), {
    execute: 'query-status',
    args: { deep: true },
  });
  client.close();
});

test('answers that come in another order reach the commands that they belong to', async (t) => {
  const held: Request[] = [];
  const file = await serve(
    t,
    qemuThat((request, socket) => {
      held.push(request);
      if (held.length === 3) for (const { id, execute } of held.reverse()) reply(socket, id, execute);
    }),
  );
  const client = await connectQmp(file, call);
  const answers = ['one', 'two', 'three'].map((name) => client.execute(name, {}, call));
  t.deepEqual(await Promise.all(answers), ['one', 'two', 'three']);
  client.close();
});

test('events before and amid the answers are handed on and disturb nothing, however they are cut', async (t) => {
  const events: QmpEvent[] = [];
  const stop = '{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "STOP"}\r\n';
  const file = await serve(t, {
    onConnect: (socket) => socket.write(`${greeting}${stop}`),
    onRequest: ({ id }, socket) => {
      const text = `{"event": "SHUTDOWN", "data": {"guest": true, "reason": "é"}}\r\n{"return": 7, "id": ${id}}\r\n`;
      for (const byte of Buffer.from(text)) socket.write(Buffer.of(byte));
    },
  });
  const client = await connectQmp(file, { ...call, onEvent: (event) => events.push(event) });
  t.is(await client.execute('quit', {}, call), 7);
  t.deepEqual(events.slice(0, 2), [
    { name: 'STOP', data: {} },
    { name: 'SHUTDOWN', data: { guest: true, reason: 'é' } },
  ]);
  client.close();
});

test('an error answer rejects with the text of QEMU', async (t) => {
  const file = await serve(
    t,
    qemuThat(({ id }, socket) =>
      socket.write(`{"error": {"class": "GenericError", "desc": "disk is locked"}, "id": ${id}}\r\n`),
    ),
  );
  const client = await connectQmp(file, call);
  t.is(await rejectsWith(t, client.execute('cont', {}, call), 'qmp-refused'), 'disk is locked');
  client.close();
});

test('a server that never greets is silent', async (t) => {
  const file = await serve(t, {});
  await rejectsWith(t, connectQmp(file, shortCall), 'qmp-silent');
});

test('a server that never answers the negotiation is silent', async (t) => {
  const file = await serve(t, { onConnect: greet });
  await rejectsWith(t, connectQmp(file, shortCall), 'qmp-silent');
});

test('a command without an answer ends at its deadline, and its late answer is dropped', async (t) => {
  let late: (() => void) | undefined;
  const file = await serve(
    t,
    qemuThat(({ id, execute }, socket) => {
      if (execute === 'slow') late = () => reply(socket, id, 'late');
      else {
        late?.();
        reply(socket, id, 'in time');
      }
    }),
  );
  const client = await connectQmp(file, call);
  await rejectsWith(t, client.execute('slow', {}, shortCall), 'qmp-silent');
  t.is(await client.execute('quick', {}, call), 'in time');
  client.close();
});

test('an aborted signal ends the waiting, before and after the command was sent', async (t) => {
  const controller = new AbortController();
  const file = await serve(
    t,
    qemuThat(() => controller.abort()),
  );
  const client = await connectQmp(file, call);
  const waiting = client.execute('query-status', {}, { ...call, signal: controller.signal });
  await rejectsWith(t, waiting, 'qmp-aborted');
  const another = client.execute('query-status', {}, { ...call, signal: controller.signal });
  await rejectsWith(t, another, 'qmp-aborted');
  client.close();
});

for (const [what, text] of [
  ['text', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ['JSON that is no object', '[1, 2]\r\n'],
  ['an answer to a question never asked', '{"return": {}, "id": 99}\r\n'],
] as const) {
  test(`${what} in place of QMP ends the connection at once`, async (t) => {
    const file = await serve(t, { onConnect: (socket) => socket.write(text) });
    await rejectsWith(t, connectQmp(file, call), 'qmp-garbled');
  });
}

test('garbage in the middle fails everything that waits, and says so once', async (t) => {
  const reasons: string[] = [];
  const file = await serve(
    t,
    qemuThat((request, socket) => {
      if (request.execute === 'second') socket.write('}{\r\n}{\r\n');
    }),
  );
  const client = await connectQmp(file, { ...call, onClose: ({ code }) => reasons.push(code) });
  await Promise.all([
    rejectsWith(t, client.execute('first', {}, call), 'qmp-garbled'),
    rejectsWith(t, client.execute('second', {}, call), 'qmp-garbled'),
  ]);
  await rejectsWith(t, client.execute('third', {}, call), 'qmp-garbled');
  t.deepEqual(reasons, ['qmp-garbled']);
});

test('a line that outgrows the bound ends the connection', async (t) => {
  const file = await serve(
    t,
    qemuThat((_request, socket) => {
      for (let block = 0; block < 8; block += 1) socket.write('x'.repeat(4096));
    }),
  );
  const client = await connectQmp(file, { ...call, maxLineBytes: 10_000 });
  const message = await rejectsWith(t, client.execute('query-status', {}, call), 'qmp-garbled');
  t.regex(message, /more than 10000 bytes/);
});

test('a connection that ends fails what waits and what comes after', async (t) => {
  const file = await serve(
    t,
    qemuThat((_request, socket) => socket.end()),
  );
  const closed = Promise.withResolvers<QmpError>();
  const client = await connectQmp(file, { ...call, onClose: closed.resolve });
  await rejectsWith(t, client.execute('quit', {}, call), 'qmp-closed');
  t.is((await closed.promise).code, 'qmp-closed');
  await rejectsWith(t, client.execute('quit', {}, call), 'qmp-closed');
});

test('a client for whom there is no place in the queue waits for one', async (t) => {
  const file = await serve(
    t,
    qemuThat(({ id }, socket) => reply(socket, id, 'here')),
    1,
  );
  const clients = await Promise.all(Array.from({ length: 12 }, () => connectQmp(file, call)));
  for (const client of clients) {
    t.is(await client.execute('query-status', {}, call), 'here');
    client.close();
  }
});

test('a client that finds no place in the queue in time says so, and does not take QEMU for gone', async (t) => {
  const file = await serve(t, {}, 1);
  const taken = Array.from({ length: 12 }, () => rejectsWith(t, connectQmp(file, shortCall), 'qmp-silent'));
  await Promise.all(taken);
});

test('nobody listening is told from silence', async (t) => {
  const directory = temporaryDirectory(t);
  await rejectsWith(t, connectQmp(path.join(directory, 'none'), call), 'qmp-unreachable');
});
