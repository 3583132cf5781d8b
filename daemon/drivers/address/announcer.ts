// Tells the neighbours again and again where a floating address lives, and notices another host that claims it too (IPv4, by
// `arping -D`; no conflict check for IPv6). Never blocks its caller and never changes the address itself.

import type { Logger } from 'pino';
import type { AddressConfig } from '../../config/config.ts';
import { type ArpReply, arpingAnnouncements, arpingDuplicates, parseArpingLine } from '../arping.ts';
import { atMost } from '../at-most.ts';
import { describeFailure, runCommand } from '../command.ts';
import type { Neighbours } from './neighbours.ts';

export interface AddressConflict {
  /** The other host's MAC address, lower case; absent where it was not shown. */
  readonly mac?: string;
}

export interface AnnouncerOptions {
  readonly address: AddressConfig;
  readonly refreshMs: number;
  readonly neighbours: Pick<Neighbours, 'tell'>;
  readonly logger: Logger;
  /** Our own MAC addresses: a second card on the same segment answers for the whole host. */
  ownMacs(): ReadonlySet<string>;
  onConflict(conflict: AddressConflict): void;
}

export interface AddressAnnouncer {
  /** Announces in a burst that begins at once, checks for a conflict, then refreshes until `stop()`. */
  start(): void;
  /** Ends everything that runs. */
  stop(): void;
  /** As `stop()`, and resolves when no child of this process is left. */
  close(): Promise<void>;
}

/** By family. The last one of IPv6 is for neighbours whose own addresses were tentative until then. */
const burstOffsetsMs = { 4: [0, 300, 1000, 1300], 6: [0, 300, 1000, 2500] } as const;
/** The neighbours are told first. */
const conflictCheckOffsetMs = 50;
const commandTimeoutMs = 4000;
/** Of all addresses together: hundreds of processes at once would keep the daemon from its heartbeats. */
const inTurn = atMost(16);

/** The same by commands, as a person would type them. */
export function announcements({
  address,
  family,
  interface: name,
}: AddressConfig): readonly (readonly string[])[] {
  if (family === 4) return arpingAnnouncements(address, name);
  // Sent to ff02::1 with the override flag and our MAC address, which makes neighbours replace what they knew.
  return [['ndptool', '-t', 'na', '-U', '-i', name, '-T', address, 'send']];
}

export function createAddressAnnouncer(options: AnnouncerOptions): AddressAnnouncer {
  const { address, refreshMs, logger } = options;
  const running = new Set<Promise<unknown>>();
  const timers = new Set<NodeJS.Timeout>();
  let refreshTimer: NodeJS.Timeout | undefined;
  let session: AbortController | undefined; // From start() to stop(); present while announcing.
  let failing = false;

  function track(work: Promise<unknown>): void {
    running.add(work);
    void work.finally(() => running.delete(work));
  }

  function announce(): void {
    const reason = options.neighbours.tell(address);
    if (reason === null) {
      if (failing) logger.info('the address is announced again');
      failing = false;
      return;
    }
    if (failing) return; // Said once; the refreshes go on trying.
    failing = true;
    logger.warn({ reason }, `neighbours are not told at once where ${address.address} is`);
  }

  function later(offsetMs: number, act: () => void): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      act();
    }, offsetMs);
    timers.add(timer);
  }

  /** At once, unless what it is for has ended by its turn. */
  function soon(signal: AbortSignal, work: () => Promise<void>): void {
    track(inTurn(async () => (signal.aborted ? undefined : await work())));
  }

  function burst(): void {
    for (const offsetMs of burstOffsetsMs[address.family]) {
      if (offsetMs === 0) announce();
      else later(offsetMs, announce);
    }
  }

  async function checkForConflict(signal: AbortSignal): Promise<void> {
    const argv = arpingDuplicates(address.address, address.interface);
    const result = await runCommand(argv, { timeoutMs: commandTimeoutMs, signal });
    if (signal.aborted) return;
    const ours = options.ownMacs();
    const replies = result.stdout.split('\n').map(parseArpingLine);
    const other = replies.find((reply): reply is ArpReply => reply !== undefined && !ours.has(reply.mac));
    if (other === undefined) {
      // Exit 1 is "somebody answered": that was ourselves. The announcements report a missing arping.
      if (result.exitCode !== 0 && result.exitCode !== 1) {
        logger.debug({ reason: describeFailure(argv, result) }, 'could not check who else has the address');
      }
      return;
    }
    logger.warn({ mac: other.mac }, `another host on ${address.interface} has ${address.address} as well`);
    burst();
    options.onConflict({ mac: other.mac });
  }

  function round(signal: AbortSignal): void {
    burst();
    if (address.family === 4)
      later(conflictCheckOffsetMs, () => soon(signal, () => checkForConflict(signal)));
  }

  function stop(): void {
    session?.abort();
    session = undefined;
    clearInterval(refreshTimer);
    for (const timer of timers) clearTimeout(timer);
    timers.clear();
  }

  return {
    start() {
      stop();
      session = new AbortController();
      const { signal } = session;
      round(signal);
      // Where there are very many, a round may wait for the one before.
      refreshTimer = setInterval(() => running.size === 0 && round(signal), refreshMs);
    },
    stop,
    async close() {
      stop();
      await Promise.all(running);
    },
  };
}
