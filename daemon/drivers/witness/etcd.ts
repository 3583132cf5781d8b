// The lease of a pair in etcd v3. Guarantees: the record changes by compare-and-swap alone, and whoever is told `held`
// has it, as etcd counts, for at least the lease's time from after the question; a request that lost its answer can
// prolong what is this node's, and never what was released.

import { BattitoError } from '../../errors.ts';
import type { LeaseAnswer, LoneMarks } from '../driver.ts';
import { createEtcdClient, type Limit, troubleOf } from './etcd-client.ts';
import { asking, createStore, type Snapshot } from './etcd-store.ts';
import { lookEverywhere } from './look.ts';
import { aloneOf, lentTo, newRecord, type WitnessRecord } from './record.ts';
import type { Trouble, Witness, WitnessOptions, WitnessSight } from './witness.ts';

/** Lost races in one request; each means that somebody else was served. */
const roundsMax = 5;
const releaseMsMax = 2000;
/** More requests than that are not without an answer while their leases last. */
const pendingMax = 12;

/** @throws BattitoError when its files cannot be read */
export function createEtcdWitness({ config, cluster, self, peer, nowMs }: WitnessOptions): Witness {
  const { ttlMs } = config;
  const base = `${config.prefix}/${cluster}`;
  const client = createEtcdClient(config, nowMs);
  const store = createStore(base);
  const closed = new AbortController();
  /** Leases of etcd that requests of ours name which may have an effect yet. */
  let granted = new Set<string>();
  let seen: Snapshot | null = null;
  let request = new AbortController();
  let releasing: Promise<unknown> = Promise.resolve();
  let sight: WitnessSight = { askedAt: null, holder: null, leftMs: null, trouble: null, away: [] };
  /** The endpoints contradict each other: none of them is believed. */
  let contradiction: Trouble | null = null;

  const failed = (what: string, advice: string) => new BattitoError('witness', what, { next: advice });

  /** Not lent for one lease's time: whoever had it by a record that was lost still counts on it for that long. */
  const begin = async (limit: Limit, found: Snapshot): Promise<Snapshot> => {
    const lease = await store.grant(asking(client, limit), ttlMs);
    const change = { record: newRecord(), holder: '', lease };
    return (await store.swap(asking(client, limit), found, change)).now;
  };

  const assertLendable = ({ holder }: Snapshot) => {
    if (holder === '') {
      throw failed(
        `it has no record of ${cluster} from before: it is new, or has lost its data, and lends nothing for ${ttlMs / 1000} s`,
        'wait; if it is not new, see why etcd has lost its data',
      );
    }
    if (holder !== null && holder !== self && holder !== peer) {
      throw failed(
        `the lease of ${cluster} is held by ${holder}, which is neither ${self} nor ${peer}`,
        'give each of two clusters with one name its own witness.prefix',
      );
    }
  };

  const acquire = async (marks: LoneMarks, limit: Limit): Promise<LeaseAnswer> => {
    if (contradiction !== null) throw failed(contradiction.message, contradiction.next);
    const ask = asking(client, limit);
    // What was ours a moment ago is likely to be so still, and the swap sees to it; what was another's is looked at.
    let now = seen !== null && seen.holder === self ? seen : await store.read(ask);
    let lease: string | null = null;
    for (let round = 0; round < roundsMax; round++) {
      const { record, holder } = now;
      if (record === null) {
        now = await begin(limit, now);
        continue;
      }
      assertLendable(now);
      if (holder === peer) {
        seen = now;
        granted = new Set();
        return { kind: 'refused', holder, term: record.term, peerAlone: aloneOf(record, peer) };
      }
      // Another copy of this very request got through, and lost its answer.
      if (lease !== null && now.holderLease === lease) return held(record, lease, now);
      if (lease === null) {
        lease = await store.grant(ask, ttlMs);
        granted = new Set([...granted, lease].slice(-pendingMax));
      }
      const lent = lentTo(record, self, marks);
      // Where it is taken anew the record is written in any case: an older request that comes late finds another one.
      const written = holder === self && lent === record ? null : lent;
      const swapped = await store.swap(ask, now, { record: written, holder: self, lease });
      now = swapped.now;
      if (swapped.done) return held(lent, lease, now);
    }
    throw failed('it is asked by others all the time', `etcdctl get --prefix ${base}`);
  };

  const held = (record: WitnessRecord, lease: string, now: Snapshot): LeaseAnswer => {
    seen = now;
    // Requests before this one compare with what is no more, so their leases carry nothing.
    granted = new Set([lease]);
    return { kind: 'held', term: record.term, peerAlone: aloneOf(record, peer) };
  };

  return {
    async request(marks, deadlineMs) {
      request.abort(new Error('another request has come'));
      request = new AbortController();
      const own = request;
      const askedAt = nowMs();
      try {
        const signal = AbortSignal.any([own.signal, closed.signal]);
        const answer = await acquire(marks, { until: askedAt + deadlineMs, signal });
        if (own.signal.aborted) throw own.signal.reason;
        const holder = answer.kind === 'held' ? self : answer.kind === 'refused' ? answer.holder : null;
        const leftMs = answer.kind === 'held' ? ttlMs : null;
        sight = { ...sight, askedAt, holder, leftMs, trouble: null };
        return answer;
      } catch (error) {
        if (own.signal.aborted || closed.signal.aborted)
          return { kind: 'unreachable', message: 'no longer wanted' };
        seen = null;
        const trouble = troubleOf(error, config);
        sight = { ...sight, trouble };
        return { kind: 'unreachable', message: `${trouble.message} (${trouble.next})` };
      }
    },

    release() {
      request.abort(new Error('released'));
      seen = null;
      sight = { ...sight, holder: sight.holder === self ? null : sight.holder, leftMs: null };
      const leases = [...granted];
      granted = new Set();
      const limit = { until: nowMs() + Math.min(ttlMs / 3, releaseMsMax), signal: closed.signal };
      const revoke = async (lease: string) => {
        try {
          await store.revoke(asking(client, limit), lease);
        } catch {
          // It is over, or ends by itself.
        }
      };
      releasing = Promise.all([releasing, ...leases.map(revoke)]);
    },

    async look(deadlineMs) {
      const askedAt = nowMs();
      const signal = AbortSignal.any([AbortSignal.timeout(Math.ceil(deadlineMs)), closed.signal]);
      const limit = { until: askedAt + deadlineMs, signal };
      const found = await lookEverywhere({
        config,
        client,
        store,
        signal,
        begin: (now) => begin(limit, now),
      });
      if (closed.signal.aborted) return;
      contradiction = found.contradiction;
      sight = { ...found.sight, askedAt: found.sight.trouble === null ? askedAt : sight.askedAt };
    },

    sight: () => sight,

    async close() {
      await releasing;
      closed.abort();
      client.close();
    },
  };
}
