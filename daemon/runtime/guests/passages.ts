// The way of guests between the two nodes while they run: a tunnel from libvirt here to libvirt there, through the channel
// between the daemons, and the word that a guest has ended here and may run there. So no libvirt listens on the network,
// and whoever has not the shared key reaches none.
// Guarantees: a tunnel is for one guest, which is marked as incoming before libvirt there hears of it.

import { access, mkdir, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import path from 'node:path';
import type { Logger } from 'pino';
import * as z from 'zod';
import type { LibvirtDriver } from '../../drivers/libvirt/libvirt.ts';
import type { Passage } from '../../drivers/libvirt/migrate.ts';
import type { PeerChannel } from '../peer-channel/peer-channel.ts';
import { join } from '../peer-channel/tls.ts';

const tunnelPath = '/v1/guests/way';
const letGoPath = '/v1/guests/let-go';
const expectTimeoutMs = 10_000;
const letGoTimeoutMs = 8000;

/** The drivers of the guests that may come, by name. */
type Receivers = (name: string) => Pick<LibvirtDriver, 'expectArrival' | 'letGo'> | undefined;

export interface PassagesOptions {
  readonly channel: Pick<PeerChannel, 'request' | 'tunnel' | 'serve'>;
  /** Its name. */
  readonly peer: string;
  readonly libvirtUri: string;
  readonly runDir: string;
  readonly receivers: Receivers;
  readonly logger: Logger;
}

const wireName = z.object({ guest: z.string() });

/** Serves the peer from now on; makes the passage of a guest of this node. */
export function createPassages(options: PassagesOptions): (guest: string) => Passage {
  const { channel, receivers, logger } = options;
  channel.serve({
    routes: {
      [`POST ${letGoPath}`]: async ({ body }) => {
        const { data } = wireName.safeParse(body);
        const driver = data === undefined ? undefined : receivers(data.guest);
        if (driver === undefined) return { status: 404, body: { error: 'no such guest comes in here' } };
        const outcome = await driver.letGo(AbortSignal.timeout(letGoTimeoutMs));
        if (outcome.kind === 'done') return { status: 200, body: {} };
        return { status: 409, body: { error: outcome.message } };
      },
    },
    tunnels: {
      [tunnelPath]: async (query) => {
        const name = query.get('guest') ?? '';
        const expected = await receivers(name)?.expectArrival(AbortSignal.timeout(expectTimeoutMs));
        if (expected !== true) return null;
        const end = await connected(await libvirtSocket(options.libvirtUri));
        if (end !== null) logger.info({ guest: name }, 'the peer begins to move a guest to this node');
        return end;
      },
    },
  });
  return (guest) => ({
    peer: options.peer,
    open: (signal) => openWay(guest, options, signal),
    async letGo(signal) {
      const answer = await channel.request('POST', letGoPath, { guest }, signal);
      if (answer.kind === 'failed') return answer.message;
      return answer.status === 200 ? null : JSON.stringify(answer.body);
    },
  });
}

/** libvirt here connects to a socket of ours; each such connection is a tunnel to libvirt there. */
async function openWay(
  guest: string,
  { channel, runDir, logger }: PassagesOptions,
  signal: AbortSignal,
): ReturnType<Passage['open']> {
  const directory = path.join(path.resolve(runDir), 'ways');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = path.join(directory, `${guest}.sock`);
  await rm(file, { force: true });
  const closing = new AbortController();
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => open.delete(socket));
    void channel.tunnel(`${tunnelPath}?guest=${encodeURIComponent(guest)}`, closing.signal).then((tunnel) => {
      if (tunnel.kind === 'open') return join(socket, tunnel.stream);
      logger.warn({ guest, reason: tunnel.message }, 'there is no way to libvirt on the peer');
      socket.destroy();
    });
  });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(file, resolve);
    });
  } catch (error) {
    return `its socket cannot be opened: ${String(error)}`;
  }
  signal.throwIfAborted();
  return {
    uri: `qemu+unix:///system?socket=${file}`,
    async close() {
      closing.abort();
      for (const socket of open) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function libvirtSocket(uri: string): Promise<string> {
  const given = new URL(uri).searchParams.get('socket');
  if (given !== null) return given;
  const [monolith, modular] = ['/run/libvirt/libvirt-sock', '/run/libvirt/virtqemud-sock'];
  return await access(monolith).then(
    () => monolith,
    () => modular,
  );
}

function connected(file: string): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect(file);
    socket.once('connect', () => resolve(socket));
    socket.once('error', () => resolve(null));
  });
}
