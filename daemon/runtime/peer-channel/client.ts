// The calling end of the channel: one connection for one question. Guarantees: never throws or rejects for what the
// network or the peer does; ends within its deadlines; whoever answers has proven to hold the shared key, since a
// certificate, however good, is refused.

import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { connect, type TLSSocket } from 'node:tls';
import type { ChannelKey } from './keys.ts';
import { bodyBytesMax, type ChannelAddress, nameOf, tlsOptions, tunnelProtocol } from './tls.ts';

/**
 * `no-address`: it is not known where the peer is; `unreachable`: nobody accepts a connection there; `key-refused`: who
 * answers does not have our key; `timed-out` and `broken`: it answered the call and then not the question; `aborted`: by
 * our own signal.
 */
export type ChannelFailure =
  | 'no-address'
  | 'unreachable'
  | 'key-refused'
  | 'timed-out'
  | 'broken'
  | 'aborted';

/** `body` is what the JSON said; nothing about its shape is known. */
export type ChannelResult =
  | { readonly kind: 'answered'; readonly status: number; readonly body: unknown }
  | { readonly kind: 'failed'; readonly reason: ChannelFailure; readonly message: string };

export interface ChannelClientOptions {
  /** In the order in which they are tried; what answered last comes first. */
  readonly addresses: () => readonly ChannelAddress[];
  /** The newest first; the next one is offered when one is refused. */
  readonly keys: () => readonly ChannelKey[];
  /** For a connection, with its handshake. */
  readonly connectMs: number;
  /** For question and answer, once connected. */
  readonly answerMs: number;
}

export type ChannelRequest = (
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
) => Promise<ChannelResult>;

type Dialled = { readonly kind: 'connected'; readonly socket: TLSSocket } | FailedCall;
type FailedCall = Extract<ChannelResult, { kind: 'failed' }>;

const failed = (reason: ChannelFailure, message: string): FailedCall => ({ kind: 'failed', reason, message });

export type ChannelTunnel = (
  path: string,
  signal: AbortSignal,
) => Promise<{ readonly kind: 'open'; readonly stream: Duplex } | FailedCall>;

export interface ChannelClient {
  readonly request: ChannelRequest;
  /** Bytes both ways from then on, until one end ends it; `signal` is for the opening. */
  readonly tunnel: ChannelTunnel;
}

export function createChannelClient(options: ChannelClientOptions): ChannelClient {
  let lastGood = '';

  const dial = async (signal: AbortSignal | undefined): Promise<Dialled> => {
    const known = options.addresses();
    const ordered = [...known].sort(
      (a, b) => Number(nameOf(b) === lastGood) - Number(nameOf(a) === lastGood),
    );
    const failures: FailedCall[] = [];
    for (const address of ordered) {
      for (const key of options.keys()) {
        const dialled = await dialOnce(address, key, options.connectMs, signal);
        if (dialled.kind === 'connected') {
          lastGood = nameOf(address);
          return dialled;
        }
        failures.push(dialled);
        if (dialled.reason !== 'key-refused') break; // Another key opens no door that is not there.
      }
      if (signal?.aborted) break;
    }
    if (failures.length === 0) return failed('no-address', 'no address of the peer is known');
    // Somebody without the key tells more than nobody.
    const telling =
      failures.find(({ reason }) => reason === 'aborted') ??
      failures.find(({ reason }) => reason === 'key-refused') ??
      failures[0];
    return telling ?? failed('unreachable', '');
  };

  const tunnel: ChannelTunnel = async (path, signal) => {
    const dialled = await dial(signal);
    if (dialled.kind === 'failed') return dialled;
    return await upgrade(
      dialled.socket,
      path,
      AbortSignal.any([signal, AbortSignal.timeout(options.answerMs)]),
    );
  };

  const request: ChannelRequest = async (method, path, body, signal) => {
    if (signal?.aborted) return failed('aborted', 'given up');
    const dialled = await dial(signal);
    if (dialled.kind === 'failed') return dialled;
    try {
      return await ask(dialled.socket, { method, path, body }, options.answerMs, signal);
    } finally {
      dialled.socket.destroy();
    }
  };
  return { request, tunnel };
}

function upgrade(socket: TLSSocket, path: string, signal: AbortSignal): ReturnType<ChannelTunnel> {
  return new Promise((resolve) => {
    const end = (message: string) => {
      socket.destroy();
      resolve(failed('broken', message));
    };
    const request = httpRequest({
      createConnection: () => socket,
      path,
      signal,
      headers: { host: 'battito', connection: 'Upgrade', upgrade: tunnelProtocol },
    });
    request.once('upgrade', (_response, stream: Duplex, head) => {
      if (head.length > 0) stream.unshift(head);
      resolve({ kind: 'open', stream });
    });
    request.once('response', ({ statusCode }) => end(`the peer opens no tunnel (${statusCode})`));
    request.on('error', ({ message }) => end(message));
    request.end();
  });
}

function dialOnce(
  address: ChannelAddress,
  key: ChannelKey,
  connectMs: number,
  signal: AbortSignal | undefined,
): Promise<Dialled> {
  return new Promise((resolve) => {
    let isTcp = false;
    const where = nameOf(address);
    const socket = connect({
      ...tlsOptions,
      host: address.address,
      port: address.port,
      pskCallback: () => ({ identity: key.identity, psk: key.secret }),
      // Asked only about a certificate, and there is none where the shared key is what was agreed on.
      checkServerIdentity: () => new Error('it shows a certificate instead of the shared key'),
    });
    const end = (dialled: Dialled) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', aborted);
      if (dialled.kind === 'failed') socket.destroy();
      resolve(dialled);
    };
    const aborted = () => end(failed('aborted', 'given up'));
    const timer = setTimeout(() => {
      const waiting = isTcp ? 'takes the connection and says nothing' : 'does not answer';
      end(failed('unreachable', `${where} ${waiting}`));
    }, connectMs);
    signal?.addEventListener('abort', aborted);
    socket.once('connect', () => {
      isTcp = true;
    });
    // Stays: an error after the deadline must not be nobody's.
    socket.on('error', (error: NodeJS.ErrnoException) => end(dialFailure(where, isTcp, error)));
    socket.once('secureConnect', () => end({ kind: 'connected', socket }));
  });
}

function dialFailure(where: string, isTcp: boolean, error: NodeJS.ErrnoException): FailedCall {
  const { code = '', message } = error;
  const isOver = ['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'].includes(code);
  if (!isTcp || isOver) return failed('unreachable', `${where}: ${code || message}`);
  return failed('key-refused', `${where} does not accept the shared key (${code || message})`);
}

interface Question {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

function ask(
  socket: TLSSocket,
  { method, path, body }: Question,
  answerMs: number,
  signal: AbortSignal | undefined,
): Promise<ChannelResult> {
  const payload = body === undefined ? '' : JSON.stringify(body);
  if (Buffer.byteLength(payload) > bodyBytesMax) {
    return Promise.resolve(failed('broken', `a question of more than ${bodyBytesMax} bytes is not sent`));
  }
  return new Promise((resolve) => {
    const deadline = AbortSignal.timeout(answerMs);
    const either = signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
    const fail = (error: unknown) => {
      if (signal?.aborted) return resolve(failed('aborted', 'given up'));
      if (deadline.aborted) return resolve(failed('timed-out', `no answer within ${answerMs / 1000} s`));
      resolve(failed('broken', error instanceof Error ? error.message : String(error)));
    };
    const request = httpRequest(
      {
        createConnection: () => socket,
        method,
        path,
        signal: either,
        headers: {
          host: 'battito',
          connection: 'close',
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(payload),
        },
      },
      (response) => {
        readAnswer(response).then(resolve, fail);
      },
    );
    request.on('error', fail);
    request.end(payload);
  });
}

async function readAnswer(response: IncomingMessage): Promise<ChannelResult> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > bodyBytesMax) return failed('broken', `an answer of more than ${bodyBytesMax} bytes`);
    parts.push(part);
  }
  const text = Buffer.concat(parts).toString('utf8');
  try {
    return { kind: 'answered', status: response.statusCode ?? 0, body: JSON.parse(text) as unknown };
  } catch {
    return failed('broken', `an answer that is not JSON: ${JSON.stringify(text.slice(0, 60))}`);
  }
}
