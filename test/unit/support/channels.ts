// Two ends of the channel between the nodes, on loopback, and what a stranger may do to one.

import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { ExecutionContext } from 'ava';
import { pino } from 'pino';
import { createKeyRing } from '../../../daemon/config/key-file.ts';
import { channelKeys } from '../../../daemon/runtime/peer-channel/keys.ts';
import {
  type ChannelLimits,
  createPeerChannel,
  type PeerChannel,
} from '../../../daemon/runtime/peer-channel/peer-channel.ts';
import type { ChannelRoutes } from '../../../daemon/runtime/peer-channel/server.ts';
import { type ChannelAddress, tlsOptions } from '../../../daemon/runtime/peer-channel/tls.ts';
import { waitFor } from '../../support.ts';

export const oldSecret = Buffer.alloc(32, 1);
export const newSecret = Buffer.alloc(32, 2);
export const ringOf = (...secrets: readonly Buffer[]) => createKeyRing(secrets, 'peer-channel');

export interface End {
  readonly channel: PeerChannel;
  /** What was logged, oldest first. */
  readonly log: readonly Record<string, unknown>[];
  secrets: readonly Buffer[];
  /** Where it believes the peer to be; undefined: where the other end listens. */
  peerAddresses: readonly ChannelAddress[] | undefined;
}

export interface EndOptions {
  readonly cluster?: string;
  readonly secrets?: readonly Buffer[];
  readonly routes?: ChannelRoutes;
  readonly limits?: Partial<ChannelLimits>;
  readonly own?: ChannelAddress;
}

export const echoRoutes: ChannelRoutes = {
  'POST /echo': ({ body }) => ({ status: 200, body: { heard: body } }),
};

/** Closed when the test ends. */
export function openEnd(t: ExecutionContext, self: string, peer: string, options: EndOptions = {}): End {
  const log: Record<string, unknown>[] = [];
  const logger = pino({ level: 'info' }, { write: (line) => void log.push(JSON.parse(line)) });
  const end: { -readonly [Key in keyof End]: End[Key] } = {
    log,
    secrets: options.secrets ?? [oldSecret],
    peerAddresses: [],
    channel: createPeerChannel({
      cluster: options.cluster ?? 'office',
      self,
      peer,
      ring: () => ringOf(...end.secrets),
      ownAddresses: () => [options.own ?? { address: '127.0.0.1', port: 0 }],
      peerAddresses: () => end.peerAddresses ?? [],
      routes: options.routes ?? echoRoutes,
      logger,
      limits: { recheckMs: 20, ...options.limits },
    }),
  };
  t.teardown(() => end.channel.close());
  return end;
}

export async function listening({ channel }: End): Promise<ChannelAddress> {
  return waitFor('the channel listens', () => channel.listening()[0]);
}

/** `primary` calls `secondary`, and the other way round. */
export async function openPair(
  t: ExecutionContext,
  options: { readonly primary?: EndOptions; readonly secondary?: EndOptions } = {},
): Promise<{ readonly primary: End; readonly secondary: End }> {
  const primary = openEnd(t, 'primary', 'secondary', options.primary);
  const secondary = openEnd(t, 'secondary', 'primary', options.secondary);
  primary.peerAddresses = [await listening(secondary)];
  secondary.peerAddresses = [await listening(primary)];
  return { primary, secondary };
}

/** A connection without a word said. */
export async function plainConnection(t: ExecutionContext, address: ChannelAddress): Promise<Socket> {
  const socket = connectTcp({ host: address.address, port: address.port });
  socket.on('error', () => {});
  socket.resume();
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** A connection that has proven to be the primary's, without a question. */
export async function provenConnection(t: ExecutionContext, address: ChannelAddress): Promise<TLSSocket> {
  const [key] = channelKeys(ringOf(oldSecret), {
    cluster: 'office',
    caller: 'primary',
    answerer: 'secondary',
  });
  if (key === undefined) throw new Error('no key');
  const socket = connectTls({
    ...tlsOptions,
    host: address.address,
    port: address.port,
    pskCallback: () => ({ identity: key.identity, psk: key.secret }),
  });
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

export const ended = (socket: Socket) =>
  new Promise<void>((resolve) => {
    if (socket.destroyed) resolve();
    else socket.once('close', () => resolve());
  });
