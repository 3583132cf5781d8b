// The two keys of a pair in etcd, read and changed in one transaction each: the record, which stays, and the holder,
// which hangs on a lease of etcd and goes with it. etcd alone judges when that is; no clock of a node has a part in it.

import * as z from 'zod';
import type { EtcdClient, Limit } from './etcd-client.ts';
import { EtcdError } from './etcd-words.ts';
import { formatRecord, parseRecord, type WitnessRecord } from './record.ts';

/** `revision`: of the key's last change, 0 when it does not exist: what a compare-and-swap compares. */
export interface Snapshot {
  /** null: there is none. */
  readonly record: WitnessRecord | null;
  readonly recordRevision: string;
  /** As it stands there; empty when there is none. */
  readonly recordText: string;
  /** The node that has the lease; empty: nobody, since the record is new; null: nobody. */
  readonly holder: string | null;
  readonly holderRevision: string;
  readonly holderLease: string;
}

export interface Change {
  /** Null: it stays as it is. */
  readonly record: WitnessRecord | null;
  readonly holder: string;
  readonly lease: string;
}

const keyValue = z.object({
  value: z.string().default(''),
  mod_revision: z.string(),
  lease: z.string().default('0'),
});
const transaction = z.object({
  header: z.object({ revision: z.string() }),
  succeeded: z.boolean().default(false),
  responses: z
    .array(z.object({ response_range: z.object({ kvs: z.array(keyValue).default([]) }).optional() }))
    .default([]),
});
const granted = z.object({ ID: z.string(), TTL: z.string() });
const timeToLive = z.object({ TTL: z.string().default('0') });

export const encoded = (text: string) => Buffer.from(text).toString('base64');
const decoded = (text: string) => Buffer.from(text, 'base64').toString('utf8');

/** What a kind of etcd is asked through: any endpoint, or a certain one. */
export type Ask = (path: string, body: unknown) => Promise<unknown>;

export const asking =
  (client: EtcdClient, limit: Limit): Ask =>
  (path, body) =>
    client.ask(path, body, limit);

export function createStore(base: string) {
  const recordKey = encoded(`${base}/record`);
  const holderKey = encoded(`${base}/holder`);
  const look = [{ request_range: { key: recordKey } }, { request_range: { key: holderKey } }];

  const snapshotIn = (responses: z.output<typeof transaction>['responses']): Snapshot => {
    const [record, holder] = responses.map((response) => response.response_range?.kvs[0]);
    const recordText = record === undefined ? '' : decoded(record.value);
    const parsed = record === undefined ? null : parseRecord(recordText);
    if (record !== undefined && parsed === null) {
      const advice = `give another witness.prefix; or, if it is nobody else's: etcdctl del ${base}/record`;
      throw new EtcdError(
        'etcd-failed',
        `what it has under ${base}/record is no record of this program`,
        advice,
      );
    }
    return {
      record: parsed,
      recordRevision: record?.mod_revision ?? '0',
      recordText,
      holder: holder === undefined ? null : decoded(holder.value),
      holderRevision: holder?.mod_revision ?? '0',
      holderLease: holder?.lease ?? '0',
    };
  };

  return {
    /** Linearizable: it shows every change that was answered before it was asked. */
    async read(ask: Ask): Promise<Snapshot> {
      const { responses } = parsed(transaction, await ask('/v3/kv/txn', { success: look }));
      return snapshotIn(responses);
    },
    /** A lease of etcd of at least this long, from after now. */
    async grant(ask: Ask, ttlMs: number): Promise<string> {
      // The number is etcd's choice: a late copy of this question cannot bring back a lease that was revoked.
      return parsed(granted, await ask('/v3/lease/grant', { TTL: String(Math.ceil(ttlMs / 1000)) })).ID;
    },
    /** All of it, if nothing has changed since `seen`; else nothing. @returns the snapshot after it */
    async swap(
      ask: Ask,
      seen: Snapshot,
      { record, holder, lease }: Change,
    ): Promise<{ readonly done: boolean; readonly now: Snapshot }> {
      const equal = (key: string, revision: string) => ({
        key,
        target: 'MOD',
        result: 'EQUAL',
        mod_revision: revision,
      });
      const text = record === null ? seen.recordText : formatRecord(record);
      const put = { key: holderKey, value: encoded(holder), lease };
      const answer = parsed(
        transaction,
        await ask('/v3/kv/txn', {
          compare: [
            equal(recordKey, seen.recordRevision),
            equal(holderKey, seen.holderRevision),
            // An etcd that has lost its data counts revisions anew, and may have come to the same ones.
            ...(seen.record === null
              ? []
              : [{ key: recordKey, target: 'VALUE', result: 'EQUAL', value: encoded(seen.recordText) }]),
          ],
          success: [
            { request_put: put },
            ...(record === null ? [] : [{ request_put: { key: recordKey, value: encoded(text) } }]),
          ],
          failure: look,
        }),
      );
      if (!answer.succeeded) return { done: false, now: snapshotIn(answer.responses) };
      const { revision } = answer.header;
      const now = {
        record: record ?? seen.record,
        recordRevision: record === null ? seen.recordRevision : revision,
        recordText: text,
        holder,
        holderRevision: revision,
        holderLease: lease,
      };
      return { done: true, now };
    },
    /** The key that hangs on it goes with it, and what names it later has no effect. */
    async revoke(ask: Ask, lease: string): Promise<void> {
      await ask('/v3/lease/revoke', { ID: lease });
    },
    /** Milliseconds, in whole seconds; null: it is over. */
    async leftMs(ask: Ask, lease: string): Promise<number | null> {
      const seconds = Number(parsed(timeToLive, await ask('/v3/lease/timetolive', { ID: lease })).TTL);
      return seconds < 0 ? null : seconds * 1000;
    },
  };
}

export type Store = ReturnType<typeof createStore>;

/** What cannot be understood is a failure of the endpoint, never an answer. */
export function parsed<S extends z.ZodType>(schema: S, answer: unknown): z.output<S> {
  const result = schema.safeParse(answer);
  if (result.success) return result.data;
  throw new EtcdError('etcd-failed', 'its answer is not one of etcd 3.4 or later', 'see that it is etcd');
}
