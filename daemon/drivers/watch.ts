// Keeps looking at one guest and tells when it is seen in another state than before.

import type { ResourceStatus } from './driver.ts';

export interface Watch {
  /** Looks soon; at once when no look is under way. */
  look(): void;
  /** Tells `status` if it is news; `seenIn` is the epoch that the look began in. */
  report(status: ResourceStatus, seenIn: number): void;
  epoch(): number;
  /** From now on it is looked by itself. Idempotent. */
  start(): void;
  /** An operation begins. */
  pause(): void;
  /** An operation has ended. */
  resume(): void;
  stop(): Promise<void>;
}

/** The rest after a look, as a multiple of the look, and its bound. */
const restPerLook = 20;
const restMsMax = 30_000;

/**
 * Looks when asked to and every `reconcileMs`, give or take a half, one look at a time, and reports changes. Where a look that tells something
 * takes long there is a longer rest after it, so that looking makes no slow host slower. While an operation is under way
 * nothing is looked at: what is seen half-way would be noise. What was seen before an operation is not reported after it.
 */
export function createWatch(
  onStatus: (status: ResourceStatus) => void,
  reconcileMs: number,
  see: (lastKnown: ResourceStatus['kind'] | undefined, signal: AbortSignal) => Promise<ResourceStatus>,
): Watch {
  const stopping = new AbortController();
  const { signal } = stopping;
  let timer: NodeJS.Timeout | undefined;
  let isStarted = false;
  let last: ResourceStatus | undefined;
  let looking: Promise<void> | undefined;
  let again = false;
  let [operationsUnderWay, epoch] = [0, 0];

  function report(status: ResourceStatus, seenIn: number): void {
    if (signal.aborted || operationsUnderWay > 0 || seenIn !== epoch || isSame(status, last)) return;
    last = status;
    onStatus(status);
  }

  function rest(tookMs: number): void {
    clearTimeout(timer);
    if (signal.aborted) return;
    const restMs = Math.max(reconcileMs, Math.min(restMsMax, tookMs * restPerLook));
    timer = setTimeout(look, untilBeat(reconcileMs, restMs));
    timer.unref();
  }

  async function lookUntilQuiet(): Promise<void> {
    let lookedMs = 0;
    while (again && !signal.aborted && operationsUnderWay === 0) {
      again = false;
      const seenIn = epoch;
      const beganAtMs = performance.now();
      const status = await see(last?.kind, signal).catch(
        (error: unknown): ResourceStatus => ({ kind: 'unknown', message: String(error) }),
      );
      report(status, seenIn);
      lookedMs = status.kind === 'unknown' ? 0 : performance.now() - beganAtMs;
    }
    looking = undefined;
    rest(lookedMs);
    if (again && !signal.aborted && operationsUnderWay === 0) look();
  }

  function look(): void {
    again = true;
    if (looking !== undefined || signal.aborted || operationsUnderWay > 0 || !isStarted) return;
    looking = lookUntilQuiet();
  }

  return {
    look,
    report,
    epoch: () => epoch,
    start(): void {
      if (isStarted || signal.aborted) return;
      isStarted = true;
      rest(0);
    },
    pause(): void {
      operationsUnderWay += 1;
      epoch += 1;
    },
    resume(): void {
      operationsUnderWay -= 1;
      look();
    },
    async stop(): Promise<void> {
      stopping.abort();
      clearTimeout(timer);
      await looking;
    },
  };
}

/**
 * For `restMs`, give or take a half: to a beat that is the same one for all guests, so that one question can answer for
 * them. Longer rests have fewer beats, each of which is one of the shorter ones as well.
 */
function untilBeat(reconcileMs: number, restMs: number): number {
  const beatMs = reconcileMs * 2 ** Math.ceil(Math.log2(restMs / reconcileMs));
  const nowMs = performance.now();
  return Math.round((nowMs + beatMs) / beatMs) * beatMs - nowMs;
}

function isSame(one: ResourceStatus, other: ResourceStatus | undefined): boolean {
  if (one.kind === 'unknown' && other?.kind === 'unknown') return one.message === other.message;
  return one.kind === other?.kind;
}
