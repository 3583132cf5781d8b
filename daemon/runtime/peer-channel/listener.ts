// Listens on the node's own addresses of the links, as they come and go. Guarantee: an address that is not there yet, or
// a port that somebody else has, is told once and tried again, less and less often; it ends nothing.

import { createServer, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import { monotonicMs } from '../clock.ts';
import { type ChannelAddress, nameOf } from './tls.ts';

export interface ListenerOptions {
  /** Asked again and again: where to listen now. */
  readonly addresses: () => readonly ChannelAddress[];
  readonly onSocket: (socket: Socket) => void;
  readonly logger: Logger;
  readonly recheckMs: number;
}

export interface Listener {
  /** Where it listens, as far as it has come. */
  listening(): readonly ChannelAddress[];
  close(): Promise<void>;
}

interface Place {
  readonly wanted: ChannelAddress;
  server: Server | null;
  bound: ChannelAddress | null;
  failures: number;
  retryAtMs: number;
}

const retryMsMax = 60_000;

/** Begins in the next turn of the loop. */
export function listenToPeer({ addresses, onSocket, logger, recheckMs }: ListenerOptions): Listener {
  const places = new Map<string, Place>();
  let isClosed = false;

  const failed = (place: Place, error: NodeJS.ErrnoException) => {
    place.server?.close();
    place.server = null;
    place.bound = null;
    place.failures += 1;
    const waitMs = Math.min(retryMsMax, recheckMs * 2 ** (place.failures - 1));
    place.retryAtMs = monotonicMs() + waitMs;
    if (place.failures > 1 || isClosed) return;
    const name = nameOf(place.wanted);
    logger.warn(
      {
        address: name,
        code: error.code,
        next: `see what is there: ss -ltnp 'sport = :${place.wanted.port}'`,
      },
      `the channel between the nodes cannot listen on ${name} (${error.code ?? error.message}); it is tried again`,
    );
  };

  const open = (place: Place) => {
    const server = createServer({ pauseOnConnect: false }, onSocket);
    place.server = server;
    server.on('error', (error) => {
      if (place.server === server) failed(place, error);
    });
    server.listen({ host: place.wanted.address, port: place.wanted.port, exclusive: true }, () => {
      const bound = server.address();
      if (place.server !== server || bound === null || typeof bound === 'string') return;
      place.bound = { address: bound.address, port: bound.port };
      if (place.failures > 0) logger.info({ address: nameOf(place.wanted) }, 'the channel listens again');
      place.failures = 0;
    });
  };

  const look = () => {
    if (isClosed) return;
    const wanted = new Map(addresses().map((address) => [nameOf(address), address]));
    for (const [name, place] of places) {
      if (wanted.has(name)) continue;
      place.server?.close();
      places.delete(name);
    }
    for (const [name, address] of wanted) {
      const place = places.get(name) ?? {
        wanted: address,
        server: null,
        bound: null,
        failures: 0,
        retryAtMs: 0,
      };
      places.set(name, place);
      if (place.server === null && monotonicMs() >= place.retryAtMs) open(place);
    }
  };

  const timer = setInterval(look, recheckMs);
  const first = setImmediate(look);
  return {
    listening: () => [...places.values()].flatMap(({ bound }) => (bound === null ? [] : [bound])),
    async close() {
      isClosed = true;
      clearInterval(timer);
      clearImmediate(first);
      await Promise.all(
        [...places.values()].map(
          ({ server }) =>
            new Promise<void>((resolve) => {
              if (server === null) resolve();
              else server.close(() => resolve());
            }),
        ),
      );
    },
  };
}
