// The answering end of the channel: HTTP/1.1 in TLS with the shared key. Guarantees: no byte of a request is read before
// the caller has proven to hold the key; nothing that a caller sends or leaves out ends the daemon or stays for longer
// than a deadline; what is refused is counted.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import type { Logger } from 'pino';
import type { Admission } from './admission.ts';
import type { ChannelKey } from './keys.ts';
import { bodyBytesMax, join, tlsOptions, tunnelProtocol } from './tls.ts';

/** A question of the peer: its JSON, of whatever shape. `signal` is aborted when nobody waits any more. */
export interface PeerQuestion {
  readonly query: URLSearchParams;
  /** Undefined: there was none. */
  readonly body: unknown;
  readonly signal: AbortSignal;
}

/** `body` is sent as JSON. */
export interface PeerAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** By method and path, e.g. `GET /v1/definitions`. */
export type ChannelRoutes = Readonly<
  Record<string, (question: PeerQuestion) => PeerAnswer | Promise<PeerAnswer>>
>;

/** What a caller is connected to, byte for byte, for as long as both want; null: not now. By path. */
export type ChannelTunnels = Readonly<Record<string, (query: URLSearchParams) => Promise<Duplex | null>>>;

export interface ChannelServerOptions {
  /** Those that a caller may have. */
  readonly keys: () => readonly ChannelKey[];
  readonly routes: ChannelRoutes;
  readonly tunnels: ChannelTunnels;
  readonly admission: Admission;
  readonly logger: Logger;
  readonly connectionsMax: number;
  readonly handshakeMs: number;
  /** A connection's whole life after its handshake. */
  readonly connectionMs: number;
}

export interface ChannelServer {
  take(socket: Socket): void;
  close(): void;
}

const headerBytesMax = 8 * 1024;

/** One try to open a connection. */
interface Attempt {
  isProven: boolean;
  /** What was wrong with it; null: nothing yet. */
  why: string | null;
}

export function createChannelServer(options: ChannelServerOptions): ChannelServer {
  const { admission, logger, connectionsMax, handshakeMs, connectionMs } = options;
  const attempts = new Map<string, Attempt>();
  const open = new Set<Socket>();
  const proven = new WeakSet<TLSSocket>();
  const lifetimes = new WeakMap<Duplex, NodeJS.Timeout>();
  let connections = 0;

  const http = createServer({ maxHeaderSize: headerBytesMax, keepAlive: false }, (request, response) => {
    answer(request, response, options).catch((error: unknown) => {
      if (request.socket.destroyed) return;
      logger.error({ err: error, url: request.url }, 'a question of the peer could not be answered');
      send(response, { status: 500, body: { error: 'internal' } });
    });
  });
  http.on('clientError', (_error, socket) => socket.destroy());
  http.on('upgrade', (request, socket, head) => {
    lifetimes.get(socket)?.close(); // A guest takes as long as it takes; the ends of the tunnel end it.
    openTunnel(request, socket, head, options.tunnels).catch((error: unknown) => {
      logger.warn({ err: error, url: request.url }, 'a tunnel for the peer could not be opened');
      socket.destroy();
    });
  });

  const tls = createTlsServer({
    ...tlsOptions,
    handshakeTimeout: handshakeMs,
    pskCallback(socket, identity) {
      const key = options.keys().find((candidate) => candidate.identity === identity);
      if (key === undefined) return null;
      proven.add(socket);
      return key.secret;
    },
  });
  tls.on('secureConnection', (socket) => {
    open.add(socket);
    socket.on('error', () => socket.destroy());
    const attempt = attempts.get(remoteOf(socket));
    // By a key of ours, and in no other way, whatever the library may come to offer.
    if (attempt === undefined || !proven.has(socket)) {
      socket.destroy();
      return;
    }
    attempt.isProven = true;
    admission.settled(socket.remoteAddress ?? '');
    if (connections >= connectionsMax) {
      logger.warn({ connections }, 'the peer has too many connections on the channel; one more is refused');
      socket.destroy();
      return;
    }
    connections += 1;
    const timer = setTimeout(() => socket.destroy(), connectionMs);
    lifetimes.set(socket, timer);
    socket.once('close', () => {
      open.delete(socket);
      connections -= 1;
      clearTimeout(timer);
    });
    http.emit('connection', socket);
  });
  tls.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
    const attempt = attempts.get(remoteOf(socket));
    if (attempt !== undefined && error.code !== 'ECONNRESET') attempt.why = error.code ?? error.message;
    socket.destroy();
  });
  tls.on('error', (error) => logger.warn({ err: error }, 'the channel between the nodes had a failure'));

  return {
    take(socket) {
      const address = socket.remoteAddress ?? '';
      socket.on('error', () => socket.destroy());
      if (admission.admit(address) !== null) {
        socket.destroy();
        return;
      }
      const name = remoteOf(socket);
      const attempt: Attempt = { isProven: false, why: null };
      attempts.set(name, attempt);
      open.add(socket);
      socket.once('close', () => {
        open.delete(socket);
        attempts.delete(name);
        if (attempt.isProven) return;
        if (attempt.why === null) admission.gaveUp(address);
        else admission.failed(address, attempt.why);
      });
      tls.emit('connection', socket);
    },
    close() {
      for (const socket of open) socket.destroy();
    },
  };
}

const remoteOf = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`;

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { routes }: ChannelServerOptions,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://peer');
  const name = `${request.method} ${url.pathname}`;
  const route = Object.hasOwn(routes, name) ? routes[name] : undefined;
  if (route === undefined) return send(response, { status: 404, body: { error: `no ${name} here` } });
  const text = await readBody(request);
  if (text === null) return send(response, { status: 413, body: { error: 'too large' } });
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  let body: unknown;
  try {
    body = text === '' ? undefined : JSON.parse(text);
  } catch {
    return send(response, { status: 400, body: { error: 'not JSON' } });
  }
  send(response, await route({ query: url.searchParams, body, signal: gone.signal }));
}

async function openTunnel(
  { url }: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  tunnels: ChannelTunnels,
): Promise<void> {
  const { pathname, searchParams } = new URL(url ?? '/', 'http://peer');
  const open = Object.hasOwn(tunnels, pathname) ? tunnels[pathname] : undefined;
  const end = open === undefined ? null : await open(searchParams);
  if (end === null) {
    socket.end(
      `HTTP/1.1 ${open === undefined ? '404 Not Found' : '409 Conflict'}\r\nConnection: close\r\n\r\n`,
    );
    return;
  }
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${tunnelProtocol}\r\n\r\n`,
  );
  if (head.length > 0) end.write(head);
  join(socket, end);
}

/** Null: too long. */
async function readBody(request: IncomingMessage): Promise<string | null> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > bodyBytesMax) return null;
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function send(response: ServerResponse, { status, body }: PeerAnswer): void {
  if (response.headersSent || response.destroyed) return;
  const text = JSON.stringify(body ?? null);
  const bytes = Buffer.byteLength(text);
  if (bytes > bodyBytesMax) {
    send(response, { status: 500, body: { error: `an answer of ${bytes} bytes` } });
    return;
  }
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': bytes,
    connection: 'close',
  });
  response.end(text);
}
