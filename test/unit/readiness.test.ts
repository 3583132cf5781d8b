// One question whether a guest is of use: real connections on loopback; names, pings and agents that are scripted.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import type { Readiness } from '../../daemon/config/config.ts';
import {
  createReadinessProbe,
  type ReadinessProbeOptions,
} from '../../daemon/drivers/readiness/readiness.ts';
import { temporaryDirectory, waitFor } from '../support.ts';

const timeoutMs = 60_000;
const never = new AbortController().signal;

function probe(readiness: Readiness, options: Partial<ReadinessProbeOptions> = {}) {
  return createReadinessProbe(readiness, { guest: 'mail', logger: pino({ level: 'silent' }), ...options });
}

const tcp = (host: string, port: number): Readiness => ({ kind: 'tcp', host, port, timeoutMs });

/** A service on loopback, the addresses of whose clients are kept. */
async function service(t: ExecutionContext, host = '127.0.0.1') {
  const ended: Promise<unknown>[] = [];
  const server = createServer((socket) => void ended.push(once(socket.resume(), 'close')));
  server.listen(0, host);
  await once(server, 'listening');
  const close = () => new Promise((resolve) => server.close(resolve));
  t.teardown(close);
  return { port: (server.address() as AddressInfo).port, ended, close };
}

/** Puts a command in front of all others that are called so; its argument lines go to a file. */
function script(t: ExecutionContext, name: string, body: string) {
  const directory = temporaryDirectory(t);
  const { PATH } = process.env;
  const log = join(directory, 'log');
  writeFileSync(join(directory, name), `#!/bin/sh\necho "$*" >>'${log}'\n${body}\n`);
  chmodSync(join(directory, name), 0o755);
  process.env['PATH'] = `${directory}:${PATH}`;
  t.teardown(() => {
    process.env['PATH'] = PATH;
  });
  return { calls: () => (existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n') : []) };
}

test('a guest of which nothing is asked is ready at once', async (t) => {
  t.deepEqual(await probe({ kind: 'none' }).isReady(never), { ready: true, why: 'nothing is asked of it' });
});

test('a port that accepts is ready, and the connection is closed again', async (t) => {
  const { port, ended } = await service(t);
  const answer = await probe(tcp('127.0.0.1', port)).isReady(never);
  t.deepEqual(answer, { ready: true, why: `127.0.0.1 port ${port} accepts connections` });
  await waitFor('the connection came', () => ended.length === 1);
  await t.notThrowsAsync(Promise.all(ended));
});

test('a port that nobody listens on is not ready, and why is said', async (t) => {
  const { port, close } = await service(t);
  await close();
  const answer = await probe(tcp('127.0.0.1', port)).isReady(never);
  t.deepEqual(answer, { ready: false, why: `127.0.0.1 port ${port}: connection refused` });
});

test.serial('a name is looked up for each question, and any of its addresses will do', async (t) => {
  const { port } = await service(t, '127.0.0.2');
  const getent = script(
    t,
    'getent',
    `printf '%s STREAM mail\\n' 127.0.0.3 127.0.0.2; echo '127.0.0.2 DGRAM'`,
  );
  const asked = probe(tcp('mail.office', port));
  const ready = { ready: true, why: `mail.office port ${port} accepts connections` };
  t.deepEqual(await asked.isReady(never), ready);
  t.deepEqual(await asked.isReady(never), ready);
  t.deepEqual(getent.calls(), ['ahosts mail.office', 'ahosts mail.office']);
});

test.serial('of a name whose addresses all refuse, one refusal is told', async (t) => {
  const { port, close } = await service(t);
  await close();
  script(t, 'getent', `printf '%s STREAM mail\\n' 127.0.0.3 127.0.0.2`);
  const answer = await probe(tcp('mail.office', port)).isReady(never);
  t.deepEqual(answer, { ready: false, why: `mail.office port ${port}: connection refused` });
});

test('the names of the host are known', async (t) => {
  const { port } = await service(t);
  t.true((await probe(tcp('localhost', port)).isReady(never)).ready);
});

test.serial('a name without an address is not ready', async (t) => {
  script(t, 'getent', 'exit 2');
  const answer = await probe(tcp('mail.office', 25)).isReady(never);
  t.deepEqual(answer, { ready: false, why: 'the name mail.office has no address' });
});

test.serial('a resolver that hangs is left at the deadline', async (t) => {
  script(t, 'getent', 'exec sleep 600');
  const answer = await probe(tcp('mail.office', 25)).isReady(never);
  t.deepEqual(answer, { ready: false, why: 'the name mail.office could not be looked up within 2 s' });
});

test.serial('a question that is aborted ends, and is no answer', async (t) => {
  const hanging = script(t, 'ping', 'exec sleep 600');
  const asked = probe({ kind: 'ping', address: '192.168.1.20', timeoutMs });
  const abort = new AbortController();
  const answer = asked.isReady(abort.signal);
  await waitFor('it was asked', () => hanging.calls().length === 1);
  abort.abort();
  t.deepEqual(await answer, { ready: false, why: 'it is asked no more' });
  t.deepEqual(await asked.isReady(abort.signal), { ready: false, why: 'it is asked no more' });
  t.is(hanging.calls().length, 1);
});

const reply = '64 bytes from 192.168.1.20: icmp_seq=1 ttl=64 time=0.141 ms';
for (const [title, body, ready, why] of [
  ['an answer', `echo '${reply}'`, true, '192.168.1.20 answers ping'],
  ['silence', 'exit 1', false, '192.168.1.20 does not answer ping'],
  [
    'an unreachable address',
    "echo 'From 192.168.1.2 icmp_seq=1 Destination Host Unreachable'; exit 1",
    false,
    '192.168.1.20 does not answer ping',
  ],
  [
    'a ping that cannot ask',
    "echo 'ping: socket: Operation not permitted' >&2; exit 2",
    false,
    'ping -4 -n -c 1 -W 2 192.168.1.20: exit 2: ping: socket: Operation not permitted',
  ],
] as const) {
  test.serial(`ping: ${title}`, async (t) => {
    script(t, 'ping', body);
    const answer = await probe({ kind: 'ping', address: '192.168.1.20', timeoutMs }).isReady(never);
    t.deepEqual(answer, { ready, why });
  });
}

test('the agent answers for its guest, or not, or cannot be asked', async (t) => {
  const answers: Array<() => Promise<boolean>> = [
    async () => true,
    async () => false,
    () => Promise.reject(new Error('libvirt does not answer')),
  ];
  const asked = probe({ kind: 'agent', timeoutMs }, { agent: () => answers.shift()?.() ?? t.fail() });
  t.deepEqual(await asked.isReady(never), { ready: true, why: 'its guest agent answers' });
  t.deepEqual(await asked.isReady(never), { ready: false, why: 'its guest agent does not answer' });
  t.deepEqual(await asked.isReady(never), {
    ready: false,
    why: 'its guest agent could not be asked: libvirt does not answer',
  });
});

test('an agent is told when nobody waits for it any more', async (t) => {
  const abort = new AbortController();
  const agent = async (signal: AbortSignal) => {
    abort.abort();
    await (signal.aborted || once(signal, 'abort'));
    return true;
  };
  const answer = await probe({ kind: 'agent', timeoutMs }, { agent }).isReady(abort.signal);
  t.deepEqual(answer, { ready: false, why: 'it is asked no more' });
});

test('without an agent it is said what to configure instead', async (t) => {
  const { ready, why } = await probe({ kind: 'agent', timeoutMs }).isReady(never);
  t.false(ready);
  t.regex(why, /no guest agent .*tcp or ping/);
});

test('the printed lines wait until it is ready, and no longer than configured', async (t) => {
  const run = (lines: readonly string[]) =>
    lines.map((line) =>
      execFileSync('sh', ['-e', '-c', `${line}; echo over`], { encoding: 'utf8', stdio: 'pipe' }),
    );
  const { port, close } = await service(t);
  t.deepEqual(run(probe(tcp('127.0.0.1', port)).commands()), ['over\n']);
  await close();
  const [line = ''] = probe({ kind: 'tcp', host: '127.0.0.1', port, timeoutMs: 1000 }).commands();
  t.throws(() => run([line.replace(' || true', '')]), undefined, 'it is not ready');
  t.deepEqual(probe({ kind: 'ping', address: 'fd00::1', timeoutMs: 1500 }).commands(), [
    `timeout 2 sh -c 'until ping -6 -n -c 1 -W 2 fd00::1; do sleep 1; done' || true`,
  ]);
  const agentCommand = 'virsh guestinfo mail';
  t.deepEqual(probe({ kind: 'agent', timeoutMs }, { agentCommand }).commands(), [
    `timeout 60 sh -c 'until virsh guestinfo mail; do sleep 1; done' || true`,
  ]);
  t.deepEqual(probe({ kind: 'none' }).commands(), []);
});
