// The part `web` of the configuration: where the web page is, who may act on it, and with which certificate.
// Every `error` here says what is EXPECTED. Rules between keys live in web-rules.ts.

import { isIP, isIPv4 } from 'node:net';
import * as z from 'zod';
import type { WebConfig } from './config.ts';
import { absolutePath, mapping, parsed, text } from './schema-parts.ts';

export const defaultWebListen = '127.0.0.1:8694';
const listenPattern = /^(?:node|\[[0-9A-Fa-f:.]{2,45}\]|[0-9.]{7,15}):[0-9]{1,5}$/;
const expectedListen = `an address and a TCP port such as ${defaultWebListen} or [::1]:8694, or node:8694 for the node's own address`;

export interface WebListen {
  /** Null: the node's own. */
  readonly address: string | null;
  readonly port: number;
}

export function parseWebListen(given: string): WebListen | undefined {
  const [, host = '', digits = ''] = /^(.*):([0-9]+)$/.exec(given) ?? [];
  const port = Number(digits);
  if (!listenPattern.test(given) || port < 1 || port > 65_535) return undefined;
  if (host === 'node') return { address: null, port };
  const address = host.replaceAll(/[[\]]/g, '');
  return isIP(address) === 0 || isIPv4(address) === host.startsWith('[') ? undefined : { address, port };
}

/** Whether only this host reaches it. */
export function isLoopback(address: string | null): boolean {
  return address === '::1' || (address !== null && isIPv4(address) && address.startsWith('127.'));
}

export const web = mapping({
  listen: parsed(expectedListen, listenPattern, parseWebListen)
    .prefault(defaultWebListen)
    .describe(
      "Where the page is: an address and a TCP port; node:8694 is each node's own address, 0.0.0.0:8694 every one of it. Others than this host reach it only with tls.",
    ),
  names: z
    .array(text('a name such as battito.example.org', /^(?=.{1,253}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i), {
      error: 'a list of names',
    })
    .max(20, { error: 'a list of at most 20 names' })
    .default([])
    .describe(
      'Names under which browsers may ask for the page, besides addresses, localhost and the names of the nodes.',
    ),
  'token-file': absolutePath
    .optional()
    .describe(
      'File (mode 0600) with a line name=token for each person who may act on the page; a token has 22 characters or more. Default: no tokens; without htpasswd too, the page is for reading.',
    ),
  htpasswd: absolutePath
    .optional()
    .describe(
      'File (mode 0600) with a line name:hash for each person who may act with a password, as htpasswd -B of apache2-utils writes it: bcrypt, of a cost of at most 14. Beside token-file, or instead of it.',
    ),
  tls: mapping({
    certificate: absolutePath.describe('File (PEM) with the certificate, those that signed it after it.'),
    key: absolutePath.describe('File (PEM, mode 0600) with its key.'),
  })
    .optional()
    .describe('Certificate of the page; read again by systemctl reload battito. Default: no TLS.'),
});

/** What the file says, as the rest of the program sees it. */
export function toWeb(file: z.output<typeof web> | undefined): WebConfig | null {
  if (file === undefined) return null;
  const { listen, names, tls } = file;
  return {
    ...listen,
    names: names.map((name) => name.toLowerCase()),
    tokenFile: file['token-file'] ?? null,
    htpasswdFile: file.htpasswd ?? null,
    tls: tls === undefined ? null : { certificateFile: tls.certificate, keyFile: tls.key },
  };
}
