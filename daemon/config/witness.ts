// The witness as the rest of the program sees it, and the small language of its endpoints.

import { isIP } from 'node:net';
import type * as z from 'zod';
import type { WitnessConfig } from './config.ts';
import type { witness } from './schema-witness.ts';
import { canonicalHostAddress } from './values.ts';

export const endpointPattern = /^https?:\/\/(?:[0-9.]{7,15}|\[[0-9A-Fa-f:.]{2,45}\]):[0-9]{1,5}$/;

/** `https://192.168.1.9:2379` or `https://[fd00::9]:2379`, in the form in which texts compare. */
export function parseEndpoint(text: string): string | undefined {
  const found = /^(https?):\/\/\[?([^\]]*?)\]?:([0-9]+)$/.exec(text);
  const [, scheme = '', host = '', portText = ''] = found ?? [];
  const address = canonicalHostAddress(host);
  const port = Number(portText);
  if (!endpointPattern.test(text) || address === undefined || port < 1 || port > 65_535) return undefined;
  return `${scheme}://${isIP(address) === 6 ? `[${address}]` : address}:${port}`;
}

/** The address in an endpoint as `parseEndpoint` returns it. */
export function addressOfEndpoint(endpoint: string): string {
  return new URL(endpoint).hostname.replaceAll(/[[\]]/g, '');
}

export function toWitness(file: z.output<typeof witness>): WitnessConfig {
  const { kind, endpoints, ca, certificate, key, user, ttl, prefix } = file;
  const passwordFile = file['password-file'];
  return {
    kind,
    endpoints,
    caFile: ca ?? null,
    clientCertificate:
      certificate === undefined || key === undefined ? null : { certificateFile: certificate, keyFile: key },
    login: user === undefined || passwordFile === undefined ? null : { user, passwordFile },
    ttlMs: ttl,
    prefix,
  };
}
