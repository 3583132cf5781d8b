// The channel between the two daemons, over real sockets on loopback: who gets in, and what no stranger, no slow peer
// and no broken one can do.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { duplexPair } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer as createTlsServer, setDefaultCACertificates } from 'node:tls';
import test from 'ava';
import { pino } from 'pino';
import { createAdmission } from '../../daemon/runtime/peer-channel/admission.ts';
import { bodyBytesMax, join } from '../../daemon/runtime/peer-channel/tls.ts';
import { waitFor } from '../support.ts';
import {
  ended,
  listening,
  newSecret,
  oldSecret,
  openEnd,
  openPair,
  plainConnection,
  provenConnection,
} from './support/channels.ts';

const answered = { kind: 'answered', status: 200, body: { heard: 'hello' } } as const;
const failure = { kind: 'failed' } as const;

test('Either node asks, the other one answers', async (t) => {
  const { primary, secondary } = await openPair(t);
  t.deepEqual(await primary.channel.request('POST', '/echo', 'hello'), answered);
  t.deepEqual(await secondary.channel.request('POST', '/echo', 'hello'), answered);
  t.is(primary.channel.refused() + secondary.channel.refused(), 0);
});

test('What is said is under keys of its own, that the shared key does not give back', async (t) => {
  const { secondary } = await openPair(t);
  const socket = await provenConnection(t, await listening(secondary));
  t.is(socket.getProtocol(), 'TLSv1.3');
  const exchange = socket.getEphemeralKeyInfo();
  t.truthy(exchange !== null && 'name' in exchange ? exchange.name : null);
  t.deepEqual(socket.getPeerCertificate(), {});
});

test('What is not there is said, and a route that fails harms nobody', async (t) => {
  const routes = {
    'GET /broken': () => {
      throw new Error('a fault of this route');
    },
    'GET /long': () => ({ status: 200, body: 'x'.repeat(bodyBytesMax) }),
  };
  const { primary, secondary } = await openPair(t, { secondary: { routes } });
  t.like(await primary.channel.request('GET', '/toString'), { kind: 'answered', status: 404 });
  t.like(await primary.channel.request('GET', '/broken'), { kind: 'answered', status: 500 });
  t.like(await primary.channel.request('GET', '/long'), { kind: 'answered', status: 500 });
  t.true(secondary.log.some(({ msg }) => msg === 'a question of the peer could not be answered'));
});

test('Another key is refused, counted, and told once', async (t) => {
  const { primary, secondary } = await openPair(t, { primary: { secrets: [newSecret] } });
  for (let attempt = 0; attempt < 3; attempt++) {
    t.like(await primary.channel.request('POST', '/echo', 'hello'), { ...failure, reason: 'key-refused' });
  }
  await waitFor('all are counted', () => secondary.channel.refused() === 3);
  t.is(secondary.log.filter(({ msg }) => String(msg).includes('was refused')).length, 1);
  primary.secrets = [oldSecret];
  t.deepEqual(await primary.channel.request('POST', '/echo', 'hello'), answered);
});

test('While keys are changed, at every step of it, the nodes understand each other', async (t) => {
  const { primary, secondary } = await openPair(t);
  const steps = [
    [[oldSecret, newSecret], [oldSecret]],
    [
      [oldSecret, newSecret],
      [oldSecret, newSecret],
    ],
    [
      [newSecret, oldSecret],
      [oldSecret, newSecret],
    ],
    [[newSecret], [newSecret, oldSecret]],
    [[newSecret], [newSecret]],
    [[newSecret, oldSecret], [oldSecret]], // The peer was forgotten: the old one still opens.
  ];
  for (const [ours = [], theirs = []] of steps) {
    primary.secrets = ours;
    secondary.secrets = theirs;
    t.deepEqual(await primary.channel.request('POST', '/echo', 'hello'), answered);
    t.deepEqual(await secondary.channel.request('POST', '/echo', 'hello'), answered);
  }
});

test('Nobody is taken for the peer who is of another cluster, or ourselves', async (t) => {
  const { primary, secondary } = await openPair(t, { secondary: { cluster: 'another' } });
  t.like(await primary.channel.request('POST', '/echo', 'hello'), { ...failure, reason: 'key-refused' });
  primary.peerAddresses = [await listening(primary)];
  t.like(await primary.channel.request('POST', '/echo', 'hello'), { ...failure, reason: 'key-refused' });
  t.true(primary.channel.refused() > 0 && secondary.channel.refused() > 0);
});

test.serial('A certificate, even one that this host trusts, is no key', async (t) => {
  const fixture = (name: string) =>
    readFileSync(new URL(`fixtures/channel/${name}`, import.meta.url), 'utf8');
  const cert = fixture('certificate.pem');
  setDefaultCACertificates([cert]);
  const server = createTlsServer({ cert, key: fixture('certificate-key.pem') }, () => t.fail('it spoke'));
  t.teardown(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const primary = openEnd(t, 'primary', 'secondary');
  const { port } = server.address() as { readonly port: number };
  primary.peerAddresses = [{ address: '127.0.0.1', port }];
  const result = await primary.channel.request('POST', '/echo', 'hello');
  t.like(result, { ...failure, reason: 'key-refused' });
  t.true(result.kind === 'failed' && result.message.includes('a certificate instead of the shared key'));
});

test('Where nobody is known, and where nobody listens, is an answer', async (t) => {
  const { primary, secondary } = await openPair(t);
  const place = await listening(secondary);
  primary.peerAddresses = [];
  t.like(await primary.channel.request('GET', '/echo'), { ...failure, reason: 'no-address' });
  primary.peerAddresses = [place];
  await secondary.channel.close();
  t.like(await primary.channel.request('GET', '/echo'), { ...failure, reason: 'unreachable' });
});

test('The addresses are tried in order', async (t) => {
  const { primary, secondary } = await openPair(t);
  const [gone, mute] = [openEnd(t, 'secondary', 'primary'), createServer()];
  const dead = await listening(gone);
  await gone.channel.close();
  mute.listen(0, '127.0.0.1');
  t.teardown(() => mute.close());
  await once(mute, 'listening');
  const { port } = mute.address() as { readonly port: number };
  let calls = 0;
  mute.on('connection', (socket) => {
    calls += 1;
    socket.on('error', () => {}).destroy();
  });
  primary.peerAddresses = [dead, { address: '127.0.0.1', port }, await listening(secondary)];
  t.deepEqual(await primary.channel.request('POST', '/echo', 'hello'), answered);
  t.is(calls, 1);
  t.deepEqual(await primary.channel.request('POST', '/echo', 'hello'), answered);
  t.is(calls, 1, 'what answered last is asked first');
});

test('Garbage closes its own connection and nothing else', async (t) => {
  const { primary, secondary } = await openPair(t);
  const place = await listening(secondary);
  const record = Buffer.concat([Buffer.from([0x16, 3, 1, 2, 0]), randomBytes(512)]);
  for (const bytes of ['GET / HTTP/1.1\r\n\r\n', randomBytes(4096), record, Buffer.alloc(100_000)]) {
    const socket = await plainConnection(t, place);
    socket.write(bytes);
    await ended(socket);
  }
  const gone = await plainConnection(t, place);
  gone.destroy();
  await waitFor('all are counted', () => secondary.channel.refused() === 4);
  t.deepEqual(await primary.channel.request('POST', '/echo', 'hello'), answered);
  t.is(secondary.channel.refused(), 4, 'the peer, which is at that address, may go away');
});

test('Garbage from one who has the key, too', async (t) => {
  const { primary, secondary } = await openPair(t);
  const socket = await provenConnection(t, await listening(secondary));
  socket.write(randomBytes(4096));
  await ended(socket);
  const endless = await provenConnection(t, await listening(secondary));
  endless.write(`GET /${'x'.repeat(100_000)}`);
  await ended(endless);
  t.deepEqual(await primary.channel.request('POST', '/echo', 'hello'), answered);
});

test('Who says nothing in the handshake is not waited for', async (t) => {
  const { secondary } = await openPair(t, { secondary: { limits: { handshakeMs: 100 } } });
  await ended(await plainConnection(t, await listening(secondary)));
  await waitFor('it is counted', () => secondary.channel.refused() === 1);
  t.pass();
});

test('Who says nothing, or not all, after the handshake is not waited for', async (t) => {
  const { secondary } = await openPair(t, { secondary: { limits: { answerMs: 200, connectMs: 0 } } });
  const place = await listening(secondary);
  await ended(await provenConnection(t, place));
  const drip = await provenConnection(t, place);
  drip.write('POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{');
  await ended(drip);
  t.is(secondary.channel.refused(), 0);
});

test('A body that is too long is not sent, and not taken', async (t) => {
  const { primary, secondary } = await openPair(t);
  const long = 'x'.repeat(bodyBytesMax);
  t.like(await primary.channel.request('POST', '/echo', long), { ...failure, reason: 'broken' });
  const socket = await provenConnection(t, await listening(secondary));
  socket.write(`POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: ${2 * bodyBytesMax}\r\n\r\n${long}${long}`);
  const [first] = (await once(socket, 'data')) as [Buffer];
  t.regex(first.toString('latin1'), /^HTTP\/1\.1 413 /);
  t.deepEqual(await primary.channel.request('POST', '/echo', 'hello'), answered);
});

test('No more connections at once than are allowed', async (t) => {
  const { primary, secondary } = await openPair(t, { secondary: { limits: { connectionsMax: 2 } } });
  const place = await listening(secondary);
  const [first] = [await provenConnection(t, place), await provenConnection(t, place)];
  t.like(await primary.channel.request('POST', '/echo', 'hello'), failure);
  first.destroy();
  await waitFor(
    'there is room again',
    async () => (await primary.channel.request('POST', '/echo', 'hello')).kind === 'answered',
  );
  t.pass();
});

test('A peer that never answers is not waited for', async (t) => {
  const routes = { 'GET /never': () => new Promise<never>(() => {}) };
  const limits = { answerMs: 200 };
  const { primary } = await openPair(t, { secondary: { routes }, primary: { limits } });
  t.like(await primary.channel.request('GET', '/never'), { ...failure, reason: 'timed-out' });
});

test('A tunnel lives on when the time for an answer is over', async (t) => {
  const limits = { answerMs: 300, connectMs: 300 };
  const { primary, secondary } = await openPair(t, { secondary: { limits }, primary: { limits } });
  const [near, far] = duplexPair();
  far.pipe(far);
  secondary.channel.serve({ routes: {}, tunnels: { '/echo': async () => near } });
  const tunnel = await primary.channel.tunnel('/echo', new AbortController().signal);
  if (tunnel.kind !== 'open') throw new Error(tunnel.message);
  const { stream } = tunnel;
  await sleep(2 * (limits.answerMs + limits.connectMs));
  stream.write('still there');
  const [heard] = await once(stream, 'data');
  t.is(String(heard), 'still there');
  stream.destroy();
});

test('Who has gone before a tunnel is open leaves nothing open behind', async (t) => {
  for (const goneFirst of [true, false]) {
    const [caller] = duplexPair();
    const [here] = duplexPair();
    caller.destroy();
    await once(caller, 'close');
    join(...(goneFirst ? ([caller, here] as const) : ([here, caller] as const)));
    if (!here.closed) await once(here, 'close');
    t.true(here.destroyed);
  }
});

test('A peer that vanishes while it answers is an answer', async (t) => {
  const asked = Promise.withResolvers<void>();
  const routes = {
    'GET /never': () => {
      asked.resolve();
      return new Promise<never>(() => {});
    },
  };
  const { primary, secondary } = await openPair(t, { secondary: { routes } });
  const pending = primary.channel.request('GET', '/never');
  await asked.promise;
  await secondary.channel.close();
  t.like(await pending, { ...failure, reason: 'broken' });
});

test('Who asks may give up, and is told so; who answers learns of it', async (t) => {
  const [asked, left] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const routes = {
    'GET /never': ({ signal }: { readonly signal: AbortSignal }) => {
      signal.addEventListener('abort', () => left.resolve());
      asked.resolve();
      return new Promise<never>(() => {});
    },
  };
  const { primary } = await openPair(t, { secondary: { routes } });
  const controller = new AbortController();
  const pending = primary.channel.request('GET', '/never', undefined, controller.signal);
  await asked.promise;
  controller.abort();
  t.like(await pending, { ...failure, reason: 'aborted' });
  await left.promise;
});

test('A port that somebody else has is told once, tried again, and taken when it is free', async (t) => {
  const other = createServer();
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as { readonly port: number };
  const end = openEnd(t, 'primary', 'secondary', { own: { address: '127.0.0.1', port } });
  await waitFor('it is told', () => end.log.length > 0);
  await new Promise<void>((resolve) => other.close(() => resolve()));
  t.is((await listening(end)).port, port);
  t.deepEqual(
    end.log.map(({ level, code }) => ({ level, code })),
    [
      { level: 40, code: 'EADDRINUSE' },
      { level: 30, code: undefined },
    ],
  );
});

test('An address fails so often a minute and no oftener, and costs others nothing', (t) => {
  let nowMs = 0;
  const admission = createAdmission({
    limits: { strangersMax: 2, pendingMax: 2, failuresMax: 3 },
    isPeer: (address) => address === 'peer',
    logger: pino({ level: 'silent' }),
    now: () => nowMs,
  });
  for (let attempt = 0; attempt < 3; attempt++) {
    t.is(admission.admit('a'), null);
    admission.failed('a', 'no key');
  }
  t.is(admission.admit('a'), 'too many failed attempts');
  t.deepEqual([admission.admit('b'), admission.admit('c')], [null, null]);
  t.is(admission.admit('d'), 'too many attempts of strangers at once');
  t.deepEqual([admission.admit('peer'), admission.admit('peer')], [null, null]);
  t.is(admission.admit('peer'), 'too many attempts at once');
  admission.settled('peer');
  t.is(admission.admit('peer'), null);
  nowMs = 60_000;
  admission.failed('b', 'slow');
  t.is(admission.admit('a'), null);
  t.is(admission.refused(), 7);
});

test('Attempts that are given up count against a stranger, and not against the peer, which may only be slow', (t) => {
  const admission = createAdmission({
    limits: { strangersMax: 2, pendingMax: 2, failuresMax: 3 },
    isPeer: (address) => address === 'peer',
    logger: pino({ level: 'silent' }),
  });
  for (const address of ['peer', 'a']) {
    for (let attempt = 0; attempt < 3; attempt++) {
      t.is(admission.admit(address), null);
      admission.gaveUp(address);
    }
  }
  t.is(admission.admit('peer'), null);
  t.is(admission.admit('a'), 'too many failed attempts');
  t.is(admission.refused(), 4, 'three of the stranger, and the one that was not listened to');
});
