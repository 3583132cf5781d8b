// What goes wrong with an endpoint of etcd, said with what a person may do. The sentences stay the same while the trouble
// does, since each new one is noted. They hold no secret: neither password, nor token, nor what was sent.

import type { WitnessConfig } from '../../config/config.ts';
import { BattitoError } from '../../errors.ts';

/** What the client itself must tell apart. */
export type EtcdCode = 'etcd-token' | 'etcd-lease-gone' | 'etcd-no-auth' | 'etcd-failed';

export class EtcdError extends BattitoError {
  override readonly code: EtcdCode;
  readonly what: string;
  readonly advice: string;

  constructor(code: EtcdCode, what: string, advice: string, cause?: unknown) {
    super(code, what, { next: advice, ...(cause === undefined ? {} : { cause }) });
    this.code = code;
    this.what = what;
    this.advice = advice;
  }
}

const running = 'see there: systemctl status etcd';
const reach = 'see that it is on, and that cables and firewalls let this node reach it';

const systemErrors: Readonly<Record<string, readonly [what: string, advice: string]>> = {
  ECONNREFUSED: ['connection refused', running],
  ECONNRESET: ['connection reset', running],
  EPIPE: ['connection reset', running],
  EHOSTUNREACH: ['no route to the host', reach],
  ENETUNREACH: ['the network is unreachable', reach],
  ETIMEDOUT: ['no answer', reach],
};

const untrusted = [
  'its certificate is not signed by the authority in witness.ca',
  'give the authority that etcd has: its --trusted-ca-file or the one that signed its --cert-file',
] as const;
const tlsErrors: Readonly<Record<string, readonly [what: string, advice: string]>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_GET_ISSUER_CERT: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  CERT_SIGNATURE_FAILURE: untrusted,
  CERT_HAS_EXPIRED: [
    'its certificate has expired by the clock of this node',
    'see `date` here; else give etcd a new certificate',
  ],
  CERT_NOT_YET_VALID: ['its certificate is not valid yet by the clock of this node', 'see `date` here'],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    'its certificate is not for this address',
    'give etcd a certificate with the address among its subjectAltNames',
  ],
};

const etcdErrors: readonly (readonly [pattern: RegExp, what: string, advice: string])[] = [
  [
    /permission denied/,
    'the user may not read and write there',
    'etcdctl role grant-permission ROLE readwrite --prefix=true PREFIX',
  ],
  [
    /invalid user ID or password/,
    'wrong user or password',
    'etcdctl user passwd USER; the password goes into witness.password-file on both nodes',
  ],
  [/user name is empty/, 'it wants a user', 'give witness.user and witness.password-file'],
  [
    /database space exceeded/,
    'its database is full',
    'run it with --auto-compaction-retention=1h; then etcdctl compact, defrag and alarm disarm',
  ],
  [
    /no leader|leader changed|request timed out|server stopped|raft: |not capable/,
    'it has no leader: most members of etcd are away',
    'see on each of them: systemctl status etcd',
  ],
  [
    /CommonName of client/,
    'beside a user it takes no certificate with a common name',
    'make witness.certificate with a subject without CN, such as /O=battito',
  ],
  [
    /bad certificate|certificate required|connection error/,
    'its gateway cannot speak with itself',
    "etcd's own certificate must be for clients too (extendedKeyUsage clientAuth), and be signed by its --trusted-ca-file",
  ],
  [/HTTP request to an HTTPS server/, 'it wants TLS', 'give the endpoint with https://'],
];

/** Of an answer that is not 200. */
export function refusalOf(status: number, text: string, config: WitnessConfig): EtcdError {
  const plain = saidIn(text);
  // Without a user the gateway asks in the name of etcd's own certificate, which may do nothing.
  const said = config.login === null ? plain.replace('permission denied', 'user name is empty') : plain;
  if (status === 401 || /invalid auth token|revision of auth store is old/.test(said)) {
    return new EtcdError('etcd-token', 'it does not take the token that it gave', running);
  }
  if (/lease not found/.test(said)) return new EtcdError('etcd-lease-gone', 'the lease is over', running);
  if (/authentication is not enabled/.test(said)) {
    return new EtcdError('etcd-no-auth', 'it knows no users', 'etcdctl auth enable');
  }
  for (const [pattern, what, advice] of etcdErrors) {
    if (pattern.test(said)) return new EtcdError('etcd-failed', what, inContext(advice, config));
  }
  if (status === 404) {
    return new EtcdError(
      'etcd-failed',
      'it has no JSON gateway for etcd 3.4 or later',
      'see that it is etcd, with --enable-grpc-gateway=true',
    );
  }
  return new EtcdError('etcd-failed', `it says ${status}: ${said.slice(0, 200)}`, running);
}

/** Of a request without a whole answer. */
export function failureOf(error: unknown, endpoint: string): EtcdError {
  if (error instanceof EtcdError) return error;
  // A file of ours.
  if (error instanceof BattitoError)
    return new EtcdError('etcd-failed', error.message, error.next ?? 'battito check', error);
  if (error instanceof DOMException) return silent(); // Its time was over.
  const { code = '', message } =
    error instanceof Error ? (error as NodeJS.ErrnoException) : { message: String(error) };
  if (code === 'ECONNRESET' && endpoint.startsWith('http:')) {
    const advice = `if it has TLS, give the endpoint with https://; else ${running}`;
    return new EtcdError('etcd-failed', 'connection reset', advice, error);
  }
  const known = systemErrors[code] ?? tlsErrors[code];
  if (known !== undefined) return new EtcdError('etcd-failed', known[0], known[1], error);
  if (/alert|handshake failure/i.test(message) && /certificate|handshake|unknown ca/i.test(message)) {
    const advice = 'give witness.certificate and witness.key, signed by its --trusted-ca-file';
    return new EtcdError('etcd-failed', 'it does not take the certificate of this node', advice, error);
  }
  if (/wrong version number|packet length too long/.test(message)) {
    return new EtcdError('etcd-failed', 'it speaks no TLS', `is it http:// and not ${endpoint}?`, error);
  }
  return new EtcdError('etcd-failed', message, reach, error);
}

export const silent = () => new EtcdError('etcd-failed', 'no answer in time', reach);

export function inContext(advice: string, { login, prefix }: WitnessConfig): string {
  return advice.replace('USER', login?.user ?? 'USER').replace('PREFIX', `${prefix}/`);
}

function saidIn(text: string): string {
  try {
    const body = JSON.parse(text) as { readonly message?: unknown; readonly error?: unknown };
    return String(body.message ?? body.error ?? text);
  } catch {
    return text;
  }
}
