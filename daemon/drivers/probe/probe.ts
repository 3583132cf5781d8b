// Asks again and again whether an address answers, by ICMP or ARP, at a pace that can be changed at any time.
// Guarantees: an answer is never invented; what could not be asked is `failed`, never `unanswered`.

import type { Logger } from 'pino';
import { type ArpTarget, startArpRounds } from './arp.ts';
import { startPing } from './ping.ts';
import type { ProbeResult, ProbeRun } from './run.ts';

export type { ProbeResult } from './run.ts';

export type ProbeTarget = { readonly kind: 'icmp'; readonly address: string } | ArpTarget;

export interface ProbeOptions {
  readonly target: ProbeTarget;
  readonly onResult: (result: ProbeResult) => void;
  readonly logger: Logger;
}

export interface Probe {
  /** Milliseconds between requests (10 at least), the first at once; `null` stops asking. No results of an older pace follow. */
  setPace(intervalMs: number | null): void;
  close(): Promise<void>;
}

const intervalMsMin = 10;

export function createProbe({ target, onResult, logger }: ProbeOptions): Probe {
  let pace: number | null = null;
  let run: ProbeRun | undefined;
  let failing = false;
  const stopping = new Set<Promise<void>>();

  function report(result: ProbeResult): void {
    if (result.kind === 'failed' && !failing) {
      logger.warn({ target, reason: result.message }, 'cannot ask whether the address answers');
    } else if (result.kind !== 'failed' && failing) {
      logger.info({ target }, 'can ask again whether the address answers');
    }
    failing = result.kind === 'failed';
    onResult(result);
  }

  function stopRun(): void {
    if (run === undefined) return;
    const gone = run.stop();
    stopping.add(gone);
    void gone.finally(() => stopping.delete(gone));
    run = undefined;
  }

  return {
    setPace(intervalMs) {
      if (intervalMs !== null && !(intervalMs >= intervalMsMin)) {
        throw new RangeError(`a pace of ${intervalMs} ms`);
      }
      if (intervalMs === pace) return;
      pace = intervalMs;
      stopRun();
      if (intervalMs === null) return;
      run =
        target.kind === 'icmp'
          ? startPing(target.address, intervalMs, report)
          : startArpRounds(target, intervalMs, report);
    },
    async close() {
      pace = null;
      stopRun();
      await Promise.all(stopping);
    },
  };
}
