// The way of a guest from libvirt on one node to libvirt on the other, through the channel between the daemons.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import type { Outcome } from '../../daemon/drivers/driver.ts';
import { createPassages } from '../../daemon/runtime/guests/passages.ts';
import { temporaryDirectory } from '../support.ts';
import { openPair } from './support/channels.ts';

const logger = pino({ level: 'silent' });
const soon = () => AbortSignal.timeout(20_000);

/** The secondary's libvirt says everything back in capitals; mail may come. */
async function aWay(t: ExecutionContext, letGo: Outcome = { kind: 'done' }) {
  const directory = temporaryDirectory(t);
  const { primary, secondary } = await openPair(t);
  const file = path.join(directory, 'libvirt-sock');
  const callers: Socket[] = [];
  const libvirt = createServer((socket) => {
    callers.push(socket);
    socket.on('data', (data) => socket.write(data.toString().toUpperCase()));
    socket.on('error', () => {});
  });
  libvirt.listen(file);
  await once(libvirt, 'listening');
  t.teardown(() => libvirt.close());
  const deeds: string[] = [];
  const driver = {
    expectArrival: async () => {
      deeds.push('expected');
      return deeds.length < 3;
    },
    letGo: async () => {
      deeds.push('let go');
      return letGo;
    },
  };
  const options = {
    peer: 'secondary',
    libvirtUri: `qemu+unix:///system?socket=${file}`,
    runDir: directory,
    logger,
  };
  const receivers = (name: string) => (name === 'mail' ? driver : undefined);
  createPassages({ ...options, channel: secondary.channel, receivers });
  const passageOf = createPassages({ ...options, channel: primary.channel, receivers: () => undefined });
  return { passageOf, deeds, callers };
}

async function opened(passage: ReturnType<Awaited<ReturnType<typeof aWay>>['passageOf']>) {
  const way = await passage.open(soon());
  if (typeof way === 'string') throw new Error(way);
  const socket = connect(new URL(way.uri).searchParams.get('socket') ?? '');
  socket.on('error', () => {});
  return { way, socket };
}

test('libvirt here talks to libvirt there, which was told before that the guest comes', async (t) => {
  const { passageOf, deeds, callers } = await aWay(t);
  const { way, socket } = await opened(passageOf('mail'));
  socket.write('are you there');
  const [heard] = await once(socket, 'data');
  t.is(String(heard), 'ARE YOU THERE');
  t.deepEqual(deeds, ['expected']);
  const [caller] = callers;
  if (caller === undefined) throw new Error('nobody called');
  const gone = [once(caller, 'close'), once(socket, 'close')];
  await way.close();
  await t.notThrowsAsync(Promise.all(gone), 'the end of the way is the end of both');
});

test('a guest that is not known there, or does not come now, has no way', async (t) => {
  const { passageOf, deeds, callers } = await aWay(t);
  for (const name of ['web', 'mail']) {
    if (name === 'mail') deeds.push('it runs', 'there');
    const { way, socket } = await opened(passageOf(name));
    await once(socket, 'close');
    await way.close();
  }
  t.is(callers.length, 0, 'libvirt there has heard nothing');
});

test('the word that it may run there comes back with what became of it', async (t) => {
  const { passageOf, deeds } = await aWay(t);
  t.is(await passageOf('mail').letGo(soon()), null);
  t.deepEqual(deeds, ['let go']);
  t.regex((await passageOf('web').letGo(soon())) ?? '', /no such guest/);
  const failing = await aWay(t, { kind: 'failed', code: 'no-arrival', message: 'nothing of it has come' });
  t.regex((await failing.passageOf('mail').letGo(soon())) ?? '', /nothing of it has come/);
});
