// Tells the neighbours where a floating address lives now, and notices another host that claims it too.
// IPv4: gratuitous ARP and `arping -D`. IPv6: unsolicited neighbour advertisements (RFC 4861, 7.2.6) by ndptool;
// no conflict check there. Never blocks its caller and never changes the address itself.

import type { Logger } from 'pino';
import type { AddressConfig } from '../../config/config.ts';
import {
  type ArpReply,
  arpingAnnouncements,
  arpingDuplicates,
  arpingUpdate,
  parseArpingLine,
} from '../arping.ts';
import { atMost } from '../at-most.ts';
import { describeFailure, runCommand } from '../command.ts';
import type { Starter } from './starter.ts';

export interface AddressConflict {
  /** The other host's MAC address, lower case; absent where it was not shown. */
  readonly mac?: string;
}

export interface AnnouncerOptions {
  readonly address: AddressConfig;
  readonly refreshMs: number;
  /** The fast way for the very first one. */
  readonly starter: Starter;
  readonly logger: Logger;
  /** Our own MAC addresses: a second card on the same segment answers for the whole host. */
  ownMacs(): ReadonlySet<string>;
  onConflict(conflict: AddressConflict): void;
}

export interface AddressAnnouncer {
  /** Announces in a burst that begins at once, checks for a conflict, then refreshes until `stop()`. */
  start(): void;
  /** Ends everything that runs, but for an arping that the shell has started, which sends no more. */
  stop(): void;
  /** As `stop()`, and resolves when no child of this process is left. */
  close(): Promise<void>;
}

/** arping sends two a second apart, so these make 0, 0.3, 1 and 1.3 s. */
const burstOffsetsMs4 = [0, 300] as const;
/** The last one is for an interface whose link-local source address was tentative until then. */
const burstOffsetsMs6 = [0, 300, 1000, 2500] as const;
/** The neighbours are told first. */
const conflictCheckOffsetMs = 50;
const commandTimeoutMs = 4000;
/** Of all addresses together: hundreds of processes at once would keep the daemon from its heartbeats. */
const inTurn = atMost(16);

/** The commands of one round of announcements. */
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

  async function announceOnce(argv: readonly string[], signal: AbortSignal): Promise<void> {
    const result = await runCommand(argv, { timeoutMs: commandTimeoutMs, signal });
    if (signal.aborted) return;
    if (result.exitCode === 0) {
      if (failing) logger.info('the address is announced again');
      failing = false;
      return;
    }
    if (failing) return; // Said once; the refreshes go on trying.
    failing = true;
    const missing = result.startError === 'ENOENT';
    const hint = address.family === 4 ? 'iputils-arping' : 'libndp-tools';
    logger.warn(
      { reason: describeFailure(argv, result) },
      missing
        ? `neighbours are not told at once where ${address.address} is: ${argv[0]} is missing; apt-get install ${hint}`
        : `${address.address} could not be announced`,
    );
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

  function announceAll(argvs: readonly (readonly string[])[], signal: AbortSignal): void {
    for (const argv of argvs) soon(signal, () => announceOnce(argv, signal));
  }

  /**
   * To start a process holds everything else up for milliseconds: one goes out at once, by a shell, the round after that.
   * What a shell has forked cannot be called off, so only arping is left to it, which first asks the kernel for the address.
   */
  function announceNow(signal: AbortSignal): void {
    const [first, ...others] = announcements(address);
    const quick = address.family === 4 ? arpingUpdate(address.address, address.interface) : null;
    const isStarted = quick !== null && options.starter.start(quick, signal);
    if (!isStarted && first !== undefined) track(announceOnce(first, signal));
    later(0, () => announceAll(isStarted || first === undefined ? announcements(address) : others, signal));
  }

  function burst(signal: AbortSignal): void {
    for (const offsetMs of address.family === 4 ? burstOffsetsMs4 : burstOffsetsMs6) {
      if (offsetMs === 0) announceNow(signal);
      else later(offsetMs, () => announceAll(announcements(address), signal));
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
    burst(signal);
    options.onConflict({ mac: other.mac });
  }

  function round(signal: AbortSignal): void {
    burst(signal);
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
