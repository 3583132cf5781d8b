// Goes through all that a lease needs, at every endpoint, with a key of its own: the real lease is not touched. What is
// written at one endpoint is read at the next, so that endpoints that are not of one cluster are found out.

import { randomBytes, X509Certificate } from 'node:crypto';
import { connect } from 'node:tls';
import * as z from 'zod';
import type { WitnessConfig } from '../../config/config.ts';
import { addressOfEndpoint } from '../../config/witness.ts';
import { createEtcdClient, type EtcdClient, troubleOf } from './etcd-client.ts';
import { createStore, encoded, parsed } from './etcd-store.ts';
import { EtcdError } from './etcd-words.ts';
import { type Credentials, readCredentials } from './files.ts';
import type { Trouble } from './witness.ts';

export interface EndpointTrial {
  readonly url: string;
  /** Why no lease can be had there; null: it can. */
  readonly trouble: Trouble | null;
  /** Milliseconds for the whole way. */
  readonly tookMs: number;
  readonly version: string;
  readonly databaseBytes: number;
  /** Of its certificate; null: it has none, or did not show it. */
  readonly validUntil: Date | null;
}

export interface WitnessTrial {
  readonly endpoints: readonly EndpointTrial[];
  /** Of the certificate of this node; null: it has none. */
  readonly validUntil: Date | null;
  /** A user is given, and etcd serves also whoever gives none. */
  readonly servesAnybody: boolean;
}

export interface TrialOptions {
  readonly config: WitnessConfig;
  readonly cluster: string;
  readonly self: string;
  readonly nowMs: () => number;
  readonly deadlineMs: number;
}

const trialTtlMs = 5000;

const status = z.object({ version: z.string().default('?'), dbSize: z.string().default('0') });
const range = z.object({ kvs: z.array(z.object({ value: z.string().default('') })).default([]) });

/** @throws BattitoError when its files cannot be read */
export async function tryWitness(options: TrialOptions): Promise<WitnessTrial> {
  const { config, nowMs, deadlineMs } = options;
  const credentials = readCredentials(config);
  const client = createEtcdClient(config, nowMs);
  const signal = AbortSignal.timeout(Math.ceil(deadlineMs));
  try {
    return {
      endpoints: await Promise.all(
        config.endpoints.map((url, index) => tryEndpoint(options, client, credentials, url, index, signal)),
      ),
      validUntil:
        credentials.certificate === null ? null : new X509Certificate(credentials.certificate).validToDate,
      servesAnybody: config.login !== null && (await isServed(options, signal)),
    };
  } finally {
    client.close();
  }
}

async function tryEndpoint(
  { config, cluster, self, nowMs }: TrialOptions,
  client: EtcdClient,
  credentials: Credentials,
  url: string,
  index: number,
  signal: AbortSignal,
): Promise<EndpointTrial> {
  const begunAt = nowMs();
  const next = config.endpoints[(index + 1) % config.endpoints.length] ?? url;
  const key = encoded(`${config.prefix}/${cluster}/check/${self}/${index}`);
  const value = randomBytes(12).toString('base64');
  const store = createStore(`${config.prefix}/${cluster}`);
  const ask = (path: string, body: unknown) => client.askAt(url, path, body, signal);
  const seen = { version: '?', databaseBytes: 0 };
  try {
    const { version, dbSize } = parsed(status, await ask('/v3/maintenance/status', {}));
    Object.assign(seen, { version, databaseBytes: Number(dbSize) });
    await store.read(ask);
    const lease = await store.grant(ask, trialTtlMs);
    await ask('/v3/kv/txn', { success: [{ request_put: { key, value, lease } }] });
    const found = await readAt(client, next, key, signal);
    await store.revoke(ask, lease);
    if (found !== null && found !== value) {
      const what = `what is written at ${url} is not at ${next}: they are not of one etcd, and would lend a lease each`;
      throw new EtcdError('etcd-failed', what, 'give the members of one cluster: etcdctl member list');
    }
    const validUntil = await shownCertificate(url, credentials, signal);
    return { url, trouble: null, tookMs: nowMs() - begunAt, ...seen, validUntil };
  } catch (error) {
    return { url, trouble: troubleOf(error, config), tookMs: nowMs() - begunAt, ...seen, validUntil: null };
  }
}

/** Null: that endpoint has a trouble of its own. */
async function readAt(
  client: EtcdClient,
  url: string,
  key: string,
  signal: AbortSignal,
): Promise<string | null> {
  try {
    return parsed(range, await client.askAt(url, '/v3/kv/range', { key }, signal)).kvs[0]?.value ?? '';
  } catch {
    return null;
  }
}

async function isServed({ config, cluster, nowMs }: TrialOptions, signal: AbortSignal): Promise<boolean> {
  const stranger = createEtcdClient({ ...config, login: null }, nowMs);
  try {
    const key = encoded(`${config.prefix}/${cluster}/record`);
    await stranger.ask('/v3/kv/range', { key }, { until: nowMs() + trialTtlMs, signal });
    return true;
  } catch {
    return false;
  } finally {
    stranger.close();
  }
}

/** Until when the certificate is valid that the endpoint shows. */
function shownCertificate(
  url: string,
  { ca, certificate, key }: Credentials,
  signal: AbortSignal,
): Promise<Date | null> {
  if (!url.startsWith('https:')) return Promise.resolve(null);
  return new Promise((resolve) => {
    const socket = connect({
      host: addressOfEndpoint(url),
      port: Number(new URL(url).port || 443),
      ...(ca === null ? {} : { ca }),
      ...(certificate === null || key === null ? {} : { cert: certificate, key }),
    });
    const end = (until: Date | null) => {
      socket.destroy();
      resolve(until);
    };
    signal.addEventListener('abort', () => end(null), { once: true });
    socket.once('error', () => end(null));
    socket.once('secureConnect', () => end(socket.getPeerX509Certificate()?.validToDate ?? null));
  });
}
