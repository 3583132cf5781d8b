// Questions to a cluster of etcd, at whichever endpoint answers first. A user's token is asked for when there is none and
// when etcd has forgotten it. An endpoint where a question failed is begun anew before the next one: files read again,
// connection made again. The others go on as they are.
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

/** An endpoint, opened with the files as they were then. */
interface Place {
  readonly endpoint: Endpoint;
  readonly login: Credentials['login'];
}

/** @throws BattitoError when its files cannot be read */
export function createEtcdClient(config: WitnessConfig, nowMs: () => number): EtcdClient {
  const openPlace = (url: string, credentials: Credentials): Place => ({
    endpoint: openEndpoint(url, credentials),
    login: credentials.login,
  });
  const found = readCredentials(config);
  const places = new Map(config.endpoints.map((url) => [url, openPlace(url, found)]));
  /** Where a question has failed since the place was opened. */
  const stale = new Set<string>();
  let token: string | null = null;
  let preferred = config.endpoints[0] ?? '';

  const placeAt = (url: string): Place => {
    const known = places.get(url);
    if (known === undefined) throw new Error(`no endpoint ${url}`);
    if (!stale.has(url)) return known;
    const place = openPlace(url, readCredentials(config));
    known.endpoint.retire();
    places.set(url, place);
    stale.delete(url);
    return place;
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

  const logIn = async ({ endpoint, login }: Place, signal: AbortSignal): Promise<string | null> => {
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

  const askPlace = async (place: Place, path: string, body: unknown, signal: AbortSignal) => {
    const { endpoint } = place;
    token = token ?? (await logIn(place, signal));
    const used = token;
    try {
      return await post(endpoint, path, body, used, signal);
    } catch (error) {
      if (used === null || !(error instanceof EtcdError) || error.code !== 'etcd-token') throw error;
      if (token === used) token = await logIn(place, signal);
      return await post(endpoint, path, body, token, signal);
    }
  };

  const askAt = async (url: string, path: string, body: unknown, signal: AbortSignal): Promise<unknown> => {
    let place: Place | undefined;
    try {
      place = placeAt(url);
      return await askPlace(place, path, body, signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (place === places.get(url)) stale.add(url);
      throw failureOf(error, url);
    }
  };

  const ask = async (path: string, body: unknown, { until, signal }: Limit) => {
    const inOrder = config.endpoints.toSorted((a, b) => Number(b === preferred) - Number(a === preferred));
    // A single one is asked a second time, by a connection of its own: the kept one may have died without a word.
    const urls = inOrder.length === 1 ? [...inOrder, ...inOrder] : inOrder;
    const errors = new Map<string, EtcdError>();
    const attempts = urls.map((url) => async (attempt: AbortSignal) => {
      try {
        const answer = await askAt(url, path, body, attempt);
        preferred = url;
        return answer;
      } catch (error) {
        if (error instanceof EtcdError) errors.set(url, error);
        throw error;
      }
    });
    const leftMs = Math.max(0, Math.ceil(until - nowMs()));
    const deadline = AbortSignal.timeout(leftMs);
    try {
      return await staggered(attempts, leftMs / (urls.length + 1), AbortSignal.any([signal, deadline]));
    } catch {
      if (signal.aborted) throw signal.reason;
      // Also what did not answer at all: a kept connection may be dead.
      for (const url of config.endpoints) stale.add(url);
      token = null;
      throw inAll(config.endpoints.map((url) => ({ url, error: errors.get(url) ?? silent() })));
    }
  };

  return {
    ask,
    askAt,
    close() {
      for (const { endpoint } of places.values()) endpoint.close();
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
