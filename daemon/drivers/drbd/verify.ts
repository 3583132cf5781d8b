// DRBD's online verify: both copies of a resource are read and compared, block by block, while they are in use. Blocks
// that differ are marked in the bitmap, and copied only when a person has DRBD do so.
// Guarantees: never rejects; it ends when the comparison has ended, or `signal` is aborted: then DRBD is told to stop it,
// which parts no connection and costs no data. Sources: drbdsetup(8), verify; for 8.4 and 9 alike.

import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { describeFailure } from '../command.ts';
import { type DrbdState, replicates } from './events2.ts';
import { readDrbdKernel, toolsMissing } from './kernel.ts';
import { readDrbdOptions } from './options.ts';
import { outOfSyncOfJson, outOfSyncOfProc } from './out-of-sync.ts';
import { runTool } from './run.ts';
import { detailOf } from './status.ts';
import { createEventStream } from './stream.ts';
import type { Trouble } from './types.ts';

export type VerifyEnd =
  | {
      readonly kind: 'verified';
      /** What differs, KiB, all volumes together. */
      readonly outOfSyncKib: number;
      /** What makes both copies the same again, on the node that is primary. */
      readonly mend: string;
    }
  /** By `signal`. */
  | { readonly kind: 'stopped' }
  /** DRBD gave it up, or could not begin. */
  | { readonly kind: 'failed'; readonly trouble: Trouble };

export interface VerifyOptions {
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /** For tests; /proc/drbd when left out. */
  readonly procFile?: string;
}

const toolMs = 20_000;
/** Blocks on their way are still compared when it is told to stop. */
const stopsWithinMs = 30_000;

export async function verifyResource(resource: string, options: VerifyOptions): Promise<VerifyEnd> {
  const { signal, logger, procFile } = options;
  const soon = () => AbortSignal.any([signal, AbortSignal.timeout(toolMs)]);
  const reading = await readDrbdOptions(resource, soon(), procFile);
  if (signal.aborted) return { kind: 'stopped' };
  if (reading.kind === 'failed') return { kind: 'failed', trouble: reading.trouble };
  const { verifyAlg } = reading.live ?? reading.configured;
  if (verifyAlg === null) return { kind: 'failed', trouble: noVerifyAlg(resource) };

  const follow = followVerify(resource, logger);
  try {
    if (!(await follow.readable(soon()))) {
      return signal.aborted ? { kind: 'stopped' } : { kind: 'failed', trouble: notSeen(resource) };
    }
    // From the beginning: DRBD would go on where the last one was stopped. drbdadm of 8.4 takes such options before the word.
    const argv = ['drbdadm', '--', '--start=0', 'verify', resource];
    follow.begins();
    const begun = await runTool(argv, AbortSignal.timeout(toolMs));
    if (begun.exitCode !== 0) return { kind: 'failed', trouble: notBegun(resource, argv, begun) };
    follow.begun();
    const end = await follow.ended(signal);
    if (end === 'aborted') {
      await runTool(['drbdadm', '--', '--stop=0', 'verify', resource], AbortSignal.timeout(toolMs));
      await follow.ended(AbortSignal.timeout(stopsWithinMs));
      return { kind: 'stopped' };
    }
    if (end === 'lost') return { kind: 'failed', trouble: lostPeer(resource) };
    return await countOf(resource, follow.minors(), procFile);
  } finally {
    await follow.close();
  }
}

/** Is one under way on this resource? */
function isVerifying(state: DrbdState, resource: string): boolean {
  return volumesOf(state, resource).some(({ replication }) => /^Verify[ST]$/.test(replication ?? ''));
}

const volumesOf = (state: DrbdState, resource: string) =>
  [...(state.resources.get(resource)?.peers.values() ?? [])].flatMap(({ volumes }) => [...volumes.values()]);

function followVerify(resource: string, logger: Logger) {
  let latest: DrbdState | null = null;
  let wasSeen = false;
  /** It was asked for, and DRBD has taken it. */
  let isAsked = false;
  let hasBegun = false;
  let wasLost = false;
  const waiting = new Set<() => void>();
  const stream = createEventStream({
    logger,
    onState(state) {
      // After a gap a verify may have begun and ended unseen: what a new dump says counts.
      if (latest === null && hasBegun) wasSeen = true;
      latest = state;
      if (isVerifying(state, resource)) wasSeen = true;
      if (isAsked && !isConnected(state)) wasLost = true;
      for (const look of [...waiting]) look();
    },
    onLost() {
      latest = null;
    },
  });
  const isConnected = (state: DrbdState) => {
    const volumes = volumesOf(state, resource);
    return volumes.length > 0 && volumes.every(({ replication }) => replicates(replication));
  };
  /** Resolves with what `look` gives, undefined when `signal` is aborted before. */
  const until = <T>(look: () => T | undefined, signal: AbortSignal) =>
    new Promise<T | undefined>((resolve) => {
      const end = (found: T | undefined) => {
        waiting.delete(check);
        signal.removeEventListener('abort', aborted);
        resolve(found);
      };
      const check = () => {
        const found = look();
        if (found !== undefined) end(found);
      };
      const aborted = () => end(undefined);
      waiting.add(check);
      signal.addEventListener('abort', aborted, { once: true });
      if (signal.aborted) aborted();
      else check();
    });
  return {
    /** The stream has been read, and the resource is in it and connected. */
    readable: async (signal: AbortSignal) =>
      (await until(() => (latest !== null && isConnected(latest) ? true : undefined), signal)) === true,
    begins: () => {
      isAsked = true;
    },
    begun: () => {
      hasBegun = true;
    },
    ended: async (signal: AbortSignal): Promise<'through' | 'lost' | 'aborted'> =>
      (await until(() => {
        if (wasLost) return 'lost' as const;
        const isOver = latest !== null && wasSeen && !isVerifying(latest, resource);
        return isOver ? ('through' as const) : undefined;
      }, signal)) ?? 'aborted',
    minors: () => {
      const found = latest?.resources.get(resource);
      return found === undefined ? [] : detailOf(found).minors;
    },
    close: () => stream.close(),
  };
}

async function countOf(
  resource: string,
  minors: readonly number[],
  procFile: string | undefined,
): Promise<VerifyEnd> {
  const kernel = await readDrbdKernel(procFile);
  const isNine = kernel.kind === 'loaded' && kernel.generation === '9';
  const status = ['drbdsetup', 'status', '--json', resource];
  const outOfSyncKib = isNine
    ? outOfSyncOfJson((await runTool(status, AbortSignal.timeout(toolMs))).stdout, resource)
    : outOfSyncOfProc(await readFile(procFile ?? '/proc/drbd', 'utf8').catch(() => ''), minors);
  if (outOfSyncKib === null) return { kind: 'failed', trouble: notCounted(resource) };
  const mend = isNine
    ? `drbdadm invalidate-remote --reset-bitmap=no ${resource}`
    : `drbdadm disconnect ${resource} && drbdadm connect ${resource}`;
  return { kind: 'verified', outOfSyncKib, mend };
}

export function noVerifyAlg(resource: string): Trouble {
  return {
    code: 'drbd-no-verify-alg',
    what: `${resource} has no verify-alg, so that nobody compares its two copies`,
    next: `set \`net { verify-alg crc32c; }\` in /etc/drbd.d/${resource}.res on both nodes, then: drbdadm adjust ${resource}`,
  };
}

const notSeen = (resource: string): Trouble => ({
  code: 'drbd-not-connected',
  what: `${resource} is not seen connected to its mirror`,
  next: 'battito status',
});

const lostPeer = (resource: string): Trouble => ({
  code: 'drbd-verify-cut',
  what: `the verify of ${resource} ended before its end: the connection to the mirror was lost`,
  next: 'battito status   # when both copies are in step again: battito schedule run verify',
});

const notCounted = (resource: string): Trouble => ({
  code: 'drbd-verify-unread',
  what: `${resource} was compared, but how much differs cannot be read`,
  next: `drbdsetup status --statistics ${resource}   # out-of-sync is to be 0; with DRBD 8.4: cat /proc/drbd   # oos:0`,
});

function notBegun(
  resource: string,
  argv: readonly string[],
  result: Parameters<typeof describeFailure>[1],
): Trouble {
  if (result.startError === 'ENOENT') return toolsMissing;
  return {
    code: 'drbd-verify-refused',
    what: `the verify of ${resource} could not begin: ${describeFailure(argv, result)}`,
    next: argv.join(' '),
  };
}
