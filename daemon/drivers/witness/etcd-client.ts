// Questions to a cluster of etcd, at whichever endpoint answers first. A user's token is asked for when there is none and
// when etcd has forgotten it. After a failure everything is begun anew: files read again, connections made again.
// A question may reach etcd more than once, and late: only such may be asked as bear that (etcd.ts).

import type { WitnessConfig } from '../../config/config.ts';
import { BattitoError } from '../../errors.ts';
import { type Endpoint, openEndpoint } from './endpoint.ts';
import { EtcdError, failureOf, inContext, refusalOf, silent } from './etcd-words.ts';
import { type Credentials, readCredentials } from './files.ts';
import { staggered } from './staggered.ts';
import type { Trouble } from './witness.ts';

/** A moment by `nowMs`, and what ends it earlier. */
export interface Limit {
  readonly until: number;
  readonly signal: AbortSignal;
}

export interface EtcdClient {
  /** At any endpoint. Rejects with a `Trouble` of all of them as BattitoError, or with the reason of the signal. */
  ask(path: string, body: unknown, limit: Limit): Promise<unknown>;
  /** At one. */
  askAt(url: string, path: string, body: unknown, signal: AbortSignal): Promise<unknown>;
  close(): void;
}

/** @throws BattitoError when its files cannot be read */
export function createEtcdClient(config: WitnessConfig, nowMs: () => number): EtcdClient {
  let credentials: Credentials = readCredentials(config);
  let endpoints = open();
  let isStale = false;
  let token: string | null = null;
  let preferred = config.endpoints[0] ?? '';

  function open(): readonly Endpoint[] {
    return config.endpoints.map((url) => openEndpoint(url, credentials));
  }

  const refresh = () => {
    if (!isStale) return;
    credentials = readCredentials(config);
    for (const endpoint of endpoints) endpoint.retire();
    endpoints = open();
    isStale = false;
  };

  const post = async (
    endpoint: Endpoint,
    path: string,
    body: unknown,
    given: string | null,
    signal: AbortSignal,
  ) => {
    const { status, text } = await endpoint.post(path, body, given, signal);
    if (status !== 200) throw refusalOf(status, text, config);
    try {
      return JSON.parse(text) as unknown;
    } catch {
      throw new EtcdError('etcd-failed', 'what it answers is no JSON', 'see that it is etcd');
    }
  };

  const logIn = async (endpoint: Endpoint, signal: AbortSignal): Promise<string | null> => {
    const { login } = credentials;
    if (login === null) return null;
    const asked = { name: login.user, password: login.password };
    try {
      const answer = await post(endpoint, '/v3/auth/authenticate', asked, null, signal);
      return String((answer as { readonly token?: unknown }).token ?? '') || null;
    } catch (error) {
      // Whoever knows no users asks for none.
      if (error instanceof EtcdError && error.code === 'etcd-no-auth') return null;
      throw error;
    }
  };

  const askOne = async (
    endpoint: Endpoint,
    path: string,
    body: unknown,
    signal: AbortSignal,
  ): Promise<unknown> => {
    try {
      token = token ?? (await logIn(endpoint, signal));
      const used = token;
      try {
        return await post(endpoint, path, body, used, signal);
      } catch (error) {
        if (used === null || !(error instanceof EtcdError) || error.code !== 'etcd-token') throw error;
        if (token === used) token = await logIn(endpoint, signal);
        return await post(endpoint, path, body, token, signal);
      }
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw failureOf(error, endpoint.url);
    }
  };

  const ask = async (path: string, body: unknown, { until, signal }: Limit) => {
    refresh();
    const inOrder = endpoints.toSorted((a, b) => Number(b.url === preferred) - Number(a.url === preferred));
    // A single one is asked a second time, by a connection of its own: the kept one may have died without a word.
    const places = inOrder.length === 1 ? [...inOrder, ...inOrder] : inOrder;
    const errors = new Map<string, EtcdError>();
    const attempts = places.map((endpoint) => async (attempt: AbortSignal) => {
      try {
        const answer = await askOne(endpoint, path, body, attempt);
        preferred = endpoint.url;
        return answer;
      } catch (error) {
        if (error instanceof EtcdError) errors.set(endpoint.url, error);
        throw error;
      }
    });
    const leftMs = Math.max(0, Math.ceil(until - nowMs()));
    const deadline = AbortSignal.timeout(leftMs);
    try {
      return await staggered(attempts, leftMs / (places.length + 1), AbortSignal.any([signal, deadline]));
    } catch {
      if (signal.aborted) throw signal.reason;
      isStale = true;
      token = null;
      throw inAll(config.endpoints.map((url) => ({ url, error: errors.get(url) ?? silent() })));
    }
  };

  return {
    ask,
    async askAt(url, path, body, signal) {
      refresh();
      const endpoint = endpoints.find((other) => other.url === url);
      if (endpoint === undefined) throw new Error(`no endpoint ${url}`);
      return askOne(endpoint, path, body, signal);
    },
    close() {
      for (const endpoint of endpoints) endpoint.close();
    },
  };
}

/** One error of all endpoints: what they have in common is said once. */
function inAll(failed: readonly { readonly url: string; readonly error: EtcdError }[]): BattitoError {
  const whats = [...new Set(failed.map(({ error }) => error.what))];
  const message = whats
    .map((what) => {
      const urls = failed.filter(({ error }) => error.what === what).map(({ url }) => url);
      return `${urls.join(', ')}: ${what}`;
    })
    .join('; ');
  const first = failed[0]?.error;
  const code = failed.every(({ error }) => error.code === first?.code)
    ? (first?.code ?? 'etcd-failed')
    : 'etcd-failed';
  return new BattitoError(code, message, first === undefined ? {} : { next: first.advice });
}

/** Of whatever a question was rejected with. */
export function troubleOf(error: unknown, config: WitnessConfig): Trouble {
  const known = error instanceof BattitoError ? error : failureOf(error, config.endpoints.join(', '));
  return { message: known.message, next: inContext(known.next ?? 'battito check', config) };
}
