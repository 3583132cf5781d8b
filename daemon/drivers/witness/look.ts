// What every endpoint says for itself. Endpoints that are not members of one cluster would lend one lease each: they have
// different records, or one of them none, and that shows here.

import type { WitnessConfig } from '../../config/config.ts';
import { type EtcdClient, troubleOf } from './etcd-client.ts';
import type { Ask, Snapshot, Store } from './etcd-store.ts';
import { failureOf, silent } from './etcd-words.ts';
import type { Trouble, WitnessSight } from './witness.ts';

export interface Looking {
  readonly config: WitnessConfig;
  readonly client: EtcdClient;
  readonly store: Store;
  readonly signal: AbortSignal;
  /** Makes the record where there is none. */
  readonly begin: (found: Snapshot) => Promise<Snapshot>;
}

type Answer =
  | { readonly url: string; readonly ask: Ask; readonly now: Snapshot }
  | { readonly url: string; readonly trouble: Trouble };

export async function lookEverywhere(
  looking: Looking,
): Promise<{ readonly sight: Omit<WitnessSight, 'askedAt'>; readonly contradiction: Trouble | null }> {
  const { config, store, signal, begin } = looking;
  const nothing = { holder: null, leftMs: null, away: [] };
  let answers = await askAll(looking);
  let first = answers.find((answer) => 'now' in answer);
  try {
    if (first?.now.record === null) await begin(first.now);
    // Made meanwhile by whoever else has looked; a contradiction is one only when it stays.
    if (first?.now.record === null || !agree(answers)) answers = await askAll(looking);
  } catch (error) {
    return { sight: { ...nothing, trouble: troubleOf(error, config) }, contradiction: null };
  }
  first = answers.find((answer) => 'now' in answer);
  const away = answers.flatMap((answer) => ('trouble' in answer ? [answer.trouble] : []));
  if (first === undefined) {
    const messages = [...new Set(away.map(({ message }) => message))];
    const trouble = { message: messages.join('; '), next: away[0]?.next ?? 'battito check' };
    return { sight: { ...nothing, trouble }, contradiction: null };
  }
  if (!agree(answers)) {
    const contradiction = {
      message: `${config.endpoints.join(', ')} are not one etcd: each has a record of its own, and would lend a lease of its own`,
      next: 'let witness.endpoints be the members of one cluster of etcd: etcdctl member list',
    };
    return { sight: { ...nothing, away, trouble: contradiction }, contradiction };
  }
  const { now, ask } = first;
  const holder = now.holder === '' ? null : now.holder;
  const leftMs = holder === null ? null : await leaseLeft(store, ask, now.holderLease, signal);
  return { sight: { holder, leftMs, trouble: null, away }, contradiction: null };
}

async function askAll({ config, client, store, signal }: Looking): Promise<readonly Answer[]> {
  return Promise.all(
    config.endpoints.map(async (url): Promise<Answer> => {
      const ask: Ask = (path, body) => client.askAt(url, path, body, signal);
      try {
        return { url, ask, now: await store.read(ask) };
      } catch (error) {
        const { what, advice } = signal.aborted ? silent() : failureOf(error, url);
        return { url, trouble: { message: `${url}: ${what}`, next: advice } };
      }
    }),
  );
}

function agree(answers: readonly Answer[]): boolean {
  const born = answers.flatMap((answer) => ('now' in answer ? [answer.now.record?.born ?? null] : []));
  return new Set(born).size <= 1;
}

async function leaseLeft(store: Store, ask: Ask, lease: string, signal: AbortSignal): Promise<number | null> {
  try {
    return await store.leftMs(ask, lease);
  } catch (error) {
    if (signal.aborted) return null;
    failureOf(error, '');
    return null;
  }
}
