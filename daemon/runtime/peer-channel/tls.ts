// What both ends of the channel between the daemons agree on: TLS 1.3 with the shared key and nothing else.
//
// TLS 1.3 always adds an ephemeral exchange to the key here (OpenSSL offers psk_ke only when told to), so what was
// recorded stays secret when the key is stolen later. The suites are those with SHA-256, which is the hash that OpenSSL
// gives a key without one of its own (RFC 8446, 4.2.11).

import { constants } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { SecureContextOptions } from 'node:tls';

export const tlsOptions = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ciphers: 'TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256',
  // No session outlives its key: a ticket would open the door to one who had the old key only.
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const satisfies SecureContextOptions;

/** Where one end listens. IPv4. */
export interface ChannelAddress {
  readonly address: string;
  /** TCP. */
  readonly port: number;
}

export const nameOf = ({ address, port }: ChannelAddress) => `${address}:${port}`;

/** The longest body in either direction, bytes. */
export const bodyBytesMax = 1024 * 1024;

/** The word of HTTP's upgrade to a tunnel. */
export const tunnelProtocol = 'battito-tunnel';

/** Whatever one end says the other one hears, and the end of either is the end of both. */
export function join(one: Duplex, other: Duplex): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.pipe(to);
    from.on('error', () => from.destroy());
    from.once('close', () => to.destroy());
    if (from.closed) to.destroy(); // It has gone while the other one was being opened.
  }
}
