// Asks the other node whether it could take the guests that run here while they run, before one of them is to go; and
// answers the same. Guarantees: an answer that does not come is none against it. Must not: move or start anything.

import { existsSync } from 'node:fs';
import type { Logger } from 'pino';
import * as z from 'zod';
import type { Libvirt } from '../../drivers/libvirt/connection.ts';
import { wantedOf, whyUnfit } from '../../drivers/libvirt/fitness.ts';
import { domainOption } from '../../drivers/libvirt/virsh.ts';
import { monotonicMs } from '../clock.ts';
import type { PeerChannel } from '../peer-channel/peer-channel.ts';

const path = '/v1/guests/fitness';
const answerTimeoutMs = 8000;
const dumpTimeoutMs = 5000;
const atOnce = 4;

export interface FitnessOptions {
  readonly channel: Pick<PeerChannel, 'request' | 'serve'>;
  readonly libvirt: Libvirt;
  readonly peer: string;
  /** Names of those that run here and have devices of their own. */
  readonly guests: () => readonly string[];
  readonly isPeerAlive: () => boolean;
  /** Something else is known than before. */
  readonly onChange: () => void;
  readonly logger: Logger;
  /** For tests; existsSync when left out. */
  readonly exists?: (path: string) => boolean;
}

export interface Fitness {
  /** By name: why the other node could not take it while it runs, as it said last. */
  unfit(): ReadonlyMap<string, string>;
  /** Asks about those whose answer is older. Never rejects; what does not come in time is told when it comes. */
  ask(options: { readonly olderThanMs: number; readonly patienceMs: number }): Promise<void>;
  close(): Promise<void>;
}

/** `processor` came later. */
const question = z.object({ xml: z.string(), processor: z.string().nullable().default(null) });
const reply = z.object({ unfit: z.string().nullable() });

export function createFitness(options: FitnessOptions): Fitness {
  const { channel, libvirt, peer, guests, isPeerAlive, onChange, logger, exists = existsSync } = options;
  const closing = new AbortController();
  const answers = new Map<string, { readonly atMs: number; readonly why: string | null }>();
  let asking: Promise<void> | null = null;

  channel.serve({
    routes: {
      [`POST ${path}`]: async ({ body }) => {
        const { data } = question.safeParse(body);
        if (data === undefined) return { status: 400, body: { error: 'no definition' } };
        const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(answerTimeoutMs)]);
        return { status: 200, body: { unfit: await whyUnfit(libvirt, data, exists, signal) } };
      },
    },
    tunnels: {},
  });

  /** Undefined: nobody knows. */
  const askAbout = async (name: string): Promise<string | null | undefined> => {
    const words = ['dumpxml', '--migratable', domainOption(name)];
    const dumped = await libvirt.run(words, { timeoutMs: dumpTimeoutMs, signal: closing.signal });
    if (dumped.kind === 'failed') return undefined;
    const wanted = await wantedOf(libvirt, dumped.stdout, closing.signal);
    const answer = await channel.request('POST', path, wanted, closing.signal);
    const parsed = reply.safeParse(answer.kind === 'failed' ? null : answer.body);
    if (answer.kind === 'failed' || answer.status !== 200 || !parsed.success) return undefined;
    return parsed.data.unfit;
  };

  const askAll = async (olderThanMs: number) => {
    const names = guests();
    for (const name of answers.keys()) if (!names.includes(name)) answers.delete(name);
    const isOld = (name: string) => monotonicMs() - (answers.get(name)?.atMs ?? -Infinity) > olderThanMs;
    const left = isPeerAlive() ? names.filter(isOld) : [];
    const askNext = async (): Promise<void> => {
      const name = left.shift();
      if (name === undefined || closing.signal.aborted) return;
      const why = await askAbout(name);
      const before = answers.get(name)?.why ?? null;
      if (why === undefined) answers.delete(name);
      else
        answers.set(name, {
          atMs: monotonicMs(),
          why: why === null ? null : `${peer} has not what it needs: ${why}`,
        });
      const now = answers.get(name)?.why ?? null;
      if (now !== before) {
        if (now !== null) logger.warn({ guest: name }, `it could not be moved while it runs: ${now}`);
        onChange();
      }
      return askNext();
    };
    await Promise.all(Array.from({ length: atOnce }, askNext));
  };

  return {
    unfit: () =>
      new Map([...answers].flatMap(([name, { why }]) => (why === null ? [] : [[name, why] as const]))),
    async ask({ olderThanMs, patienceMs }) {
      asking ??= askAll(olderThanMs)
        .catch((error: unknown) => {
          if (!closing.signal.aborted)
            logger.error({ err: error }, 'the peer could not be asked about guests');
        })
        .finally(() => {
          asking = null;
        });
      const timer = Promise.withResolvers<void>();
      const timeout = setTimeout(timer.resolve, patienceMs);
      await Promise.race([asking, timer.promise]);
      clearTimeout(timeout);
    },
    async close() {
      closing.abort();
      await asking;
    },
  };
}
