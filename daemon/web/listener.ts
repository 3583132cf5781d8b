// The socket of the page: plain HTTP on this host alone, TLS for others, with limits on all that a stranger can hold.
// Guarantees: whatever is wrong (a port in use, an address that is not here, a bad certificate) is kept as a trouble and
// tried again; nothing of it is thrown at the daemon.

import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import { createSecureContext } from 'node:tls';
import type { Logger } from 'pino';
import type { WebConfig } from '../config/config.ts';
import { readPrivateFile } from '../config/private-file.ts';
import { BattitoError } from '../errors.ts';

export interface Trouble {
  readonly message: string;
  readonly next: string;
}

export interface Listener {
  /** Null: it listens, or is about to. */
  trouble(): Trouble | null;
  /** Reads the certificate again; a bad one leaves the old one in force. */
  refresh(): void;
  close(): Promise<void>;
}

export interface ListenerOptions {
  readonly config: WebConfig;
  /** Of this node, for a configuration that names none. */
  readonly address: string;
  readonly handle: RequestListener;
  readonly logger: Logger;
  readonly retryMs?: number;
}

const limits = {
  headersTimeout: 5000,
  requestTimeout: 10_000,
  keepAliveTimeout: 5000,
  connectionsCheckingInterval: 2000,
  maxHeaderSize: 8192,
} as const;
const connectionsMax = 64;
const requestsPerSocketMax = 1000;

export function openListener(options: ListenerOptions): Listener {
  const { config, handle, logger, retryMs = 10_000 } = options;
  const address = config.address ?? options.address;
  const where = `${address.includes(':') ? `[${address}]` : address}:${config.port}`;
  let trouble: Trouble | null = null;
  let server: Server | TlsServer | null = null;
  let timer: NodeJS.Timeout | null = null;
  let isClosed = false;

  const fail = (message: string, next: string) => {
    if (trouble?.message !== message) logger.warn({ where, next }, `the web page: ${message}`);
    trouble = { message, next };
  };

  const later = () => {
    if (!isClosed) timer = setTimeout(listen, retryMs).unref();
  };

  function listen() {
    let made: Server | TlsServer;
    try {
      made =
        config.tls === null
          ? createServer(limits, handle)
          : createTlsServer({ ...limits, ...certificateOf(config.tls) }, handle);
    } catch (error) {
      fail(...wordsOf(error, config.tls));
      return later();
    }
    made.maxConnections = connectionsMax;
    made.maxRequestsPerSocket = requestsPerSocketMax;
    made.on('error', (error: NodeJS.ErrnoException) => {
      fail(
        `${where} cannot be listened on (${error.code ?? error.message})`,
        nextAfter(error.code, config.port),
      );
      made.close();
      server = null;
      later();
    });
    made.on('clientError', (_, socket) => socket.destroy());
    made.listen(config.port, address, () => {
      trouble = null;
      logger.info({ where, tls: config.tls !== null }, 'the web page is there');
    });
    server = made;
  }

  listen();
  return {
    trouble: () => trouble,
    refresh() {
      if (config.tls === null || server === null || !('setSecureContext' in server)) return;
      try {
        server.setSecureContext(certificateOf(config.tls));
        trouble = null;
        logger.info({ where }, 'the certificate of the web page was read again');
      } catch (error) {
        const [message, next] = wordsOf(error, config.tls);
        fail(`the old certificate stays: ${message}`, next);
      }
    },
    close() {
      isClosed = true;
      if (timer !== null) clearTimeout(timer);
      const open = server;
      if (open === null || !open.listening) return Promise.resolve();
      return new Promise((resolve) => {
        open.close(() => resolve());
        open.closeAllConnections();
      });
    },
  };
}

/** @throws whatever is wrong with the files, or that they do not belong together */
function certificateOf({ certificateFile, keyFile }: NonNullable<WebConfig['tls']>) {
  const cert = readFileSync(certificateFile, 'utf8');
  const other = 'correct web.tls.key';
  const { text: key } = readPrivateFile(keyFile, {
    ...{ code: 'web-key', what: 'key', missing: 'correct web.tls.key, or make the file', other },
  });
  createSecureContext({ cert, key });
  return { cert, key, minVersion: 'TLSv1.2' as const };
}

/** Null: they are a certificate with its key. */
export function certificateTrouble(tls: NonNullable<WebConfig['tls']>): Trouble | null {
  try {
    certificateOf(tls);
    return null;
  } catch (error) {
    const [message, next] = wordsOf(error, tls);
    return { message, next };
  }
}

function wordsOf(error: unknown, tls: WebConfig['tls']): [message: string, next: string] {
  if (error instanceof BattitoError) return [error.message, error.next ?? 'correct web.tls'];
  const { code, message, path } = error as NodeJS.ErrnoException;
  const next = 'correct web.tls; then: systemctl reload battito';
  if (path !== undefined) return [`${path} cannot be read (${code})`, next];
  return [`${tls?.certificateFile} and ${tls?.keyFile} are no certificate with its key (${message})`, next];
}

function nextAfter(code: string | undefined, port: number): string {
  if (code === 'EADDRINUSE')
    return `ss -ltnp 'sport = :${port}' says who has it; it is tried again by itself`;
  if (code === 'EADDRNOTAVAIL')
    return 'correct web.listen: this host does not have the address; it is tried again by itself';
  return 'correct web.listen; it is tried again by itself';
}
