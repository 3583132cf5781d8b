// `battito check` of the other node, by its own daemon: asked for over the channel, run there in a process of its own.
// Guarantees: one at a time on a node, however many ask, and it ends by its deadline; whatever the peer does, the one who
// asked gets an answer within a bound. It decides nothing.

import type { Logger } from 'pino';
import * as z from 'zod';
import { type PeerChecked, type Readiness, readinessSchema } from '../control/schedule.ts';
import { describeFailure, runCommand } from '../drivers/command.ts';
import type { ChannelRequest } from './peer-channel/client.ts';
import type { PeerChannel } from './peer-channel/peer-channel.ts';
import type { ChannelRoutes } from './peer-channel/server.ts';

export interface PeerChecksOptions {
  readonly channel: Pick<PeerChannel, 'request' | 'serve'>;
  /** `battito` with the options that name this daemon. */
  readonly command: readonly string[];
  /** Name of the other node. */
  readonly peer: string;
  /** The peer has checked both nodes. */
  readonly onReadiness: (readiness: Readiness) => void;
  readonly logger: Logger;
  /** Runs a command to its end; a test gives its own. */
  readonly run?: typeof runCommand;
  readonly withinMs?: number;
}

export interface PeerChecks {
  /** Never rejects. */
  ask(): Promise<PeerChecked>;
  /** Nobody waits for it, or minds. */
  tellReadiness(readiness: Readiness): void;
  close(): Promise<void>;
}

/** Every tool and device of a check has a deadline of its own; all together stay below this. */
const withinMsDefault = 150_000;
/** The channel's connections live for seconds: whoever waits asks again and again. */
const waitsMs = 5000;

const begunSchema = z.object({ run: z.int() });
const runSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('running') }),
  z.object({ kind: z.literal('ended'), report: z.unknown() }),
  z.object({ kind: z.literal('failed'), message: z.string().max(4000) }),
]);
type Run = z.output<typeof runSchema>;

export function createPeerChecks(options: PeerChecksOptions): PeerChecks {
  const { channel, peer, logger, withinMs = withinMsDefault } = options;
  const closing = new AbortController();
  const own = createOwnChecks(options, closing.signal, withinMs);
  channel.serve({ routes: { ...own.routes, ...readinessRoute(options.onReadiness) }, tunnels: {} });
  return {
    async ask() {
      const deadline = AbortSignal.any([closing.signal, AbortSignal.timeout(withinMs)]);
      try {
        return { kind: 'checked', node: peer, report: await askPeer(channel.request, deadline) };
      } catch (error) {
        if (error instanceof NotChecked) return { kind: 'not-checked', node: peer, ...error.words(peer) };
        logger.error({ err: error }, 'the check of the peer failed');
        return { kind: 'not-checked', node: peer, why: String(error), next: `on ${peer}: battito check` };
      }
    },
    tellReadiness(readiness) {
      void channel.request('POST', '/v1/readiness', readiness, closing.signal);
    },
    async close() {
      closing.abort();
      await own.settled();
    },
  };
}

/** The answering end. */
function createOwnChecks(options: PeerChecksOptions, closing: AbortSignal, withinMs: number) {
  const { command, run = runCommand } = options;
  let count = 0;
  let latest: Run = { kind: 'running' };
  let running: Promise<void> | null = null;

  const begin = async () => {
    latest = { kind: 'running' };
    const argv = [...command, 'check', '--json', '--this-node'];
    const result = await run(argv, { timeoutMs: withinMs, signal: closing });
    const report = parsed(result.stdout);
    latest =
      report === undefined
        ? { kind: 'failed', message: describeFailure(['battito', 'check', '--this-node'], result) }
        : { kind: 'ended', report };
  };

  const routes: ChannelRoutes = {
    'POST /v1/checks': () => {
      if (running === null) {
        count += 1;
        running = begin().finally(() => {
          running = null;
        });
      }
      return { status: 202, body: { run: count } };
    },
    'GET /v1/checks': async ({ query, signal }) => {
      if (query.get('run') !== String(count)) return { status: 404, body: { error: 'no such check' } };
      const asked = count;
      if (running !== null) await Promise.race([running, waited(signal)]);
      const body: Run = asked === count ? latest : { kind: 'failed', message: 'another one has begun' };
      return { status: 200, body };
    },
  };
  return { routes, settled: async () => running };
}

const waited = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    const over = AbortSignal.any([signal, AbortSignal.timeout(waitsMs)]);
    over.addEventListener('abort', () => resolve(), { once: true });
    if (over.aborted) resolve();
  });

/** What a command with --json has printed; undefined: nothing of the kind. */
function parsed(stdout: string): unknown {
  try {
    return JSON.parse(stdout);
  } catch {
    return undefined;
  }
}

function readinessRoute(onReadiness: (readiness: Readiness) => void): ChannelRoutes {
  return {
    'POST /v1/readiness': ({ body }) => {
      const read = readinessSchema.safeParse(body);
      if (!read.success) return { status: 400, body: { error: 'not understood' } };
      onReadiness(read.data);
      return { status: 200, body: {} };
    },
  };
}

async function askPeer(request: ChannelRequest, deadline: AbortSignal): Promise<unknown> {
  const { run } = await ask(request, 'POST', '/v1/checks', begunSchema, deadline);
  for (;;) {
    const answer = await ask(request, 'GET', `/v1/checks?run=${run}`, runSchema, deadline);
    if (answer.kind === 'ended') return answer.report;
    if (answer.kind === 'failed') throw new NotChecked('failed', `its check failed: ${answer.message}`);
  }
}

async function ask<T>(
  request: ChannelRequest,
  method: string,
  path: string,
  schema: z.ZodType<T>,
  deadline: AbortSignal,
): Promise<T> {
  const result = await request(method, path, undefined, deadline);
  if (result.kind === 'failed') {
    if (deadline.aborted) throw new NotChecked('slow', 'its check did not end in time');
    throw new NotChecked(result.reason === 'key-refused' ? 'key' : 'away', result.message);
  }
  if (result.status === 404) throw new NotChecked('older', 'its daemon cannot check for another node');
  const read = schema.safeParse(result.body);
  if (result.status < 300 && read.success) return read.data;
  throw new NotChecked(
    'failed',
    `it answered ${method} ${path} with status ${result.status} and nothing of use`,
  );
}

class NotChecked extends Error {
  readonly reason: 'away' | 'key' | 'older' | 'slow' | 'failed';
  constructor(reason: NotChecked['reason'], message: string) {
    super(message);
    this.reason = reason;
  }

  words(peer: string): { readonly why: string; readonly next: string } {
    const next: Readonly<Record<NotChecked['reason'], string>> = {
      away: `on ${peer}: systemctl start battito   # it runs? then let the TCP port of the heartbeat links through`,
      key: 'copy the key file from one node to the other, then on both: systemctl reload battito',
      older: 'install the same version on both nodes',
      slow: `on ${peer}: battito check`,
      failed: `on ${peer}: battito check`,
    };
    return { why: this.message, next: next[this.reason] };
  }
}
