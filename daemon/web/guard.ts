// Who may ask at all: the names under which this host may be called, and pages of this host only. A page elsewhere, and a
// name that somebody points at this address (DNS rebinding), get nothing. Pure.

import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';

export interface Refusal {
  readonly status: number;
  readonly message: string;
}

export interface Asked {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly isEncrypted: boolean;
}

/** On every answer. */
export const securityHeaders: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  // Not no-referrer, with which browsers would send a form's Origin as null.
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'x-robots-tag': 'noindex',
  'cache-control': 'no-store',
};

/** `names`: lower case. An address is nobody's name, so it cannot be pointed elsewhere. */
export function refusalOf({ method, headers, isEncrypted }: Asked, names: readonly string[]): Refusal | null {
  const host = headers.host ?? '';
  const [, bracketed, plain] = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]+))(?::[0-9]{1,5})?$/i.exec(host) ?? [];
  const name = (bracketed ?? plain ?? '').toLowerCase().replace(/\.$/, '');
  const isKnown = isIP(name) !== 0 || name === 'localhost' || names.includes(name);
  if (!isKnown) return { status: 421, message: `this host is not called ${host}: web.names has its names` };
  const isChange = method !== 'GET' && method !== 'HEAD';
  const { origin, 'sec-fetch-site': site, 'sec-fetch-mode': mode } = headers;
  const own = `${isEncrypted ? 'https' : 'http'}://${host}`.toLowerCase();
  const isForeign = origin !== undefined ? origin.toLowerCase() !== own : isChange;
  // A link from elsewhere may lead here; nothing else may be asked from there.
  const isFetchedElsewhere = site !== undefined && !['same-origin', 'none'].includes(site);
  const isLink = mode === 'navigate' && !isChange;
  if (isForeign || (isFetchedElsewhere && !isLink))
    return { status: 403, message: 'asked from a page of another origin' };
  return null;
}
