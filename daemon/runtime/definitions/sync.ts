// Keeps the definitions of both nodes together: either tells the other that something is new, and fetches what it lacks,
// at once and every half minute. Guarantees: what the peer sends is judged before it is stored, guest by guest; a peer
// that is away, or of a version without this, costs one warning and no work of anybody's.

import type { Logger } from 'pino';
import * as z from 'zod';
import { monotonicMs } from '../clock.ts';
import type { ChannelRequest } from '../peer-channel/client.ts';
import type { ChannelRoutes, PeerAnswer } from '../peer-channel/server.ts';
import { uuidPattern } from './content.ts';
import { versionSchema } from './files.ts';
import { type DefinitionRecord, headsOf, historyMax, versionOf } from './merge.ts';
import type { DefinitionStore } from './store.ts';

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const entrySchema = z.object({
  uuid: z.string().regex(uuidPattern),
  heads: z.array(digest).max(100),
  local: digest.nullable(),
});
const indexSchema = z.object({ guests: z.array(entrySchema).max(5000) });
/** Without texts; `kept` says of which there is one. */
const detailSchema = entrySchema.extend({
  versions: z.array(versionSchema.extend({ xml: z.null(), kept: z.boolean() })).max(1000),
});
const answerSchema = z.object({ version: versionSchema });

type Entry = z.infer<typeof entrySchema>;
type Version = z.infer<typeof versionSchema>;

export interface SyncOptions {
  readonly store: DefinitionStore;
  readonly request: ChannelRequest;
  /** Is the peer heard? While it is not, nobody is asked. */
  readonly isPeerAlive: () => boolean;
  readonly logger: Logger;
  readonly intervalMs?: number;
  /** After a failure. */
  readonly retryMs?: number;
}

export interface DefinitionsSync {
  /** When the nodes last compared, monotonic; null: never. And what went wrong since. */
  state(): { readonly comparedAtMs: number | null; readonly problem: string | null };
  /** A comparison that began after this call. @returns what went wrong; null: nothing */
  compareNow(): Promise<string | null>;
  close(): Promise<void>;
}

/** As many failures in a row are told, once: a daemon that is being restarted is none. */
const failuresTold = 3;

export function startDefinitionsSync(options: SyncOptions): DefinitionsSync & { wake(): void } {
  const { store, request, isPeerAlive, logger, intervalMs = 30_000, retryMs = 5000 } = options;
  const closing = new AbortController();
  let comparedAtMs: number | null = null;
  let problem: string | null = null;
  let failures = 0;
  let isTold = false;
  let isNews = true;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | null = null;
  let isWanted = false;
  let isIdle = false;
  const refusedTold = new Set<string>();

  const ask = async <T>(path: string, schema: z.ZodType<T>): Promise<T> => {
    const result = await request('GET', path, undefined, closing.signal);
    if (result.kind === 'failed') throw new Problem(result.message);
    if (result.status === 404) throw new Problem(`the peer's daemon does not know ${path}`, 404);
    const parsed = schema.safeParse(result.body);
    if (result.status === 200 && parsed.success) return parsed.data;
    throw new Problem(`the peer answered GET ${path} with status ${result.status} and nothing of use`);
  };

  const fetchVersion = async (
    uuid: string,
    { id, kept, ...version }: Version & { readonly kept: boolean },
  ) => {
    const known = store.record(uuid);
    const isHere = known !== undefined && versionOf(known, id)?.xml != null;
    if (!kept || isHere) return { id, ...version };
    try {
      return (await ask(`/v1/definitions/version?uuid=${uuid}&id=${id}`, answerSchema)).version;
    } catch (error) {
      if (error instanceof Problem && error.status === 404) return { id, ...version }; // Too old by now.
      throw error;
    }
  };

  const fetchGuest = async ({ uuid }: Entry) => {
    const detail = await ask(`/v1/definitions/guest?uuid=${uuid}`, detailSchema);
    const newest = detail.versions
      .toSorted((a, b) => b.counter - a.counter)
      .filter(({ id }, index) => index < historyMax || detail.heads.includes(id))
      .map(({ id }) => id);
    const versions: Version[] = [];
    for (const version of detail.versions) {
      const { kept, ...meta } = version;
      versions.push(newest.includes(version.id) ? await fetchVersion(uuid, version) : meta);
    }
    const why = await store.take(uuid, { ...detail, versions });
    if (why !== null && !refusedTold.has(uuid))
      logger.warn({ uuid, why }, "a definition of the peer's is not taken");
    if (why === null) refusedTold.delete(uuid);
    else refusedTold.add(uuid);
  };

  const compare = async () => {
    if (isNews) {
      isNews = false;
      // Of no consequence when it fails: the peer asks by itself before long.
      await request('POST', '/v1/definitions/changed', {}, closing.signal);
    }
    const { guests } = await ask('/v1/definitions', indexSchema);
    for (const entry of guests) {
      if (!isKnown(store.record(entry.uuid), entry)) await fetchGuest(entry);
    }
    const told = new Set(guests.map(({ uuid }) => uuid));
    for (const { uuid, peerHeads } of store.records()) {
      if (!told.has(uuid) && peerHeads?.length !== 0)
        await store.take(uuid, { versions: [], local: null, heads: [] });
    }
  };

  const attempt = async () => {
    isIdle = false;
    try {
      await store.flush();
      if (!isPeerAlive()) return;
      await compare();
      if (isTold) logger.info('the definitions of both nodes are compared again');
      [comparedAtMs, problem, failures, isTold] = [monotonicMs(), null, 0, false];
      isIdle = true;
    } catch (error) {
      if (closing.signal.aborted) return;
      if (!(error instanceof Problem)) logger.error({ err: error }, 'the definitions could not be compared');
      problem = error instanceof Error ? error.message : String(error);
      failures += 1;
      if (failures < failuresTold || isTold) return;
      isTold = true;
      logger.warn(
        {
          why: problem,
          next: 'install the same version on both nodes; let the TCP port of the heartbeat links through',
        },
        `guests' definitions are not compared with the peer: ${problem}`,
      );
    }
  };

  const wake = () => {
    isWanted = true;
    if (running !== null || closing.signal.aborted) return;
    clearTimeout(timer);
    running = (async () => {
      while (isWanted && !closing.signal.aborted) {
        isWanted = false;
        await attempt();
      }
      running = null;
      if (!closing.signal.aborted) timer = setTimeout(wake, isIdle ? intervalMs : retryMs);
    })();
  };

  store.onChange(() => {
    isNews = true;
    wake();
  });
  const first = setImmediate(wake); // Not now: what the caller answers by may not be there yet.

  return {
    wake,
    state: () => ({ comparedAtMs, problem }),
    async compareNow() {
      if (!isPeerAlive()) return 'the peer is not heard';
      problem = null;
      wake();
      await running;
      return problem;
    },
    async close() {
      closing.abort();
      clearTimeout(timer);
      clearImmediate(first);
      await running;
      await store.flush();
    },
  };
}

class Problem extends Error {
  readonly status: number | undefined;
  constructor(message: string, status?: number) {
    super(message);
    this.status = status;
  }
}

function isKnown(record: DefinitionRecord | undefined, { heads, local }: Entry): boolean {
  if (record === undefined || record.peerLocal !== local) return false;
  const { peerHeads } = record;
  return (
    peerHeads !== null &&
    peerHeads.length === heads.length &&
    heads.every((head) => peerHeads.includes(head) && versionOf(record, head) !== undefined)
  );
}

const entryOf = (record: DefinitionRecord): Entry => ({
  uuid: record.uuid,
  heads: headsOf(record).map(({ id }) => id),
  local: record.local,
});

/** What the peer may ask; `onHint`: it has something new. */
export function definitionRoutes(store: DefinitionStore, onHint: () => void): ChannelRoutes {
  const notFound: PeerAnswer = { status: 404, body: { error: 'no such definition' } };
  return {
    'GET /v1/definitions': () => ({ status: 200, body: { guests: store.records().map(entryOf) } }),
    'GET /v1/definitions/guest': ({ query }) => {
      const record = store.record(query.get('uuid') ?? '');
      if (record === undefined) return notFound;
      const versions = record.versions.map((version) => ({
        ...version,
        xml: null,
        kept: version.xml !== null,
      }));
      return { status: 200, body: { ...entryOf(record), versions } };
    },
    'GET /v1/definitions/version': ({ query }) => {
      const record = store.record(query.get('uuid') ?? '');
      const version = record === undefined ? undefined : versionOf(record, query.get('id'));
      return version?.xml == null ? notFound : { status: 200, body: { version } };
    },
    'POST /v1/definitions/changed': () => {
      onHint();
      return { status: 202, body: {} };
    },
  };
}
