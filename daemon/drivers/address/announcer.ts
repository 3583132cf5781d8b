// Tells the neighbours again and again where a floating address lives, and notices another host that claims it too (IPv4, by
// `arping -D`; no conflict check for IPv6). What the raw socket cannot send is sent by commands. Never blocks its caller, never
// tells of an address that is not here, and never changes the address itself.

import type { Logger } from 'pino';
import type { AddressConfig } from '../../config/config.ts';
import { type ArpReply, arpingAnnouncements, arpingDuplicates, parseArpingLine } from '../arping.ts';
import { atMost } from '../at-most.ts';
import { type CommandResult, describeFailure, runCommand } from '../command.ts';
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
  /** False: the address is not on the interface, as far as anyone knows. */
  isHere(): boolean;
  /** Our own MAC addresses: a second card on the same segment answers for the whole host. */
  ownMacs(): ReadonlySet<string>;
  onConflict(conflict: AddressConflict): void;
}

export interface AddressAnnouncer {
  /** Announces in a burst that begins at once, checks for a conflict, then refreshes until `stop()`. */
  start(): void;
  /** Ends everything that runs. */
  stop(): void;
  /** Between `start()` and `stop()`. */
  isAnnouncing(): boolean;
  /** As `stop()`, and resolves when no child of this process is left. */
  close(): Promise<void>;
}

/** By family. The last one of IPv6 is for neighbours whose own addresses were tentative until then. */
const burstOffsetsMs = { 4: [0, 300, 1000, 1300], 6: [0, 300, 1000, 2500] } as const;
/** The neighbours are told first. */
const conflictCheckOffsetMs = 50;
const commandTimeoutMs = 4000;
/** Who stood still for so long may have lost the address meanwhile: whoever judges that has the first word, for so long. */
const standstillMs = 500;
const settlingMs = 1000;
/** Of all addresses together: hundreds of processes at once would keep the daemon from its heartbeats. */
const inTurn = atMost(16);

/** How the neighbours were told last. */
type Way = 'socket' | 'commands' | 'none';

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
  let session: AbortController | undefined; // From start() to stop(); present while announcing.
  let commanding: AbortSignal | undefined; // Of the session that commands are announcing for.
  let way: Way = 'socket';
  let isArpingMissing = false;

  function track(work: Promise<unknown>): void {
    running.add(work);
    void work.finally(() => running.delete(work));
  }

  /** Each is said once; the refreshes go on trying. `reason`: why the way before did not serve. */
  function goBy(next: Way, reason?: string): void {
    if (next === way) return;
    way = next;
    if (next === 'none')
      logger.warn({ reason }, `neighbours are not told at once where ${address.address} is`);
    else if (next === 'commands') logger.info({ reason }, 'the address is announced by commands');
    else logger.info('the address is announced by the raw socket again');
  }

  function announce(signal: AbortSignal): void {
    if (!options.isHere()) return;
    const reason = options.neighbours.tell(address);
    if (reason === null) goBy('socket');
    // arping sends twice, a second apart: a telling in between adds nothing.
    else if (commanding !== signal) track(announceByCommands(reason, signal));
  }

  async function announceByCommands(reason: string, signal: AbortSignal): Promise<void> {
    commanding = signal;
    const isWanted = () => !signal.aborted && options.isHere();
    const failures = await Promise.all(
      announcements(address).map((argv) =>
        inTurn(async () => {
          if (!isWanted()) return null;
          const result = await runCommand(argv, { timeoutMs: commandTimeoutMs, signal });
          return result.exitCode === 0 ? null : describeFailure(argv, result);
        }),
      ),
    );
    if (commanding === signal) commanding = undefined;
    if (!isWanted()) return;
    const failure = failures.find((one) => one !== null);
    if (failure === undefined) goBy('commands', reason);
    else goBy('none', `${reason}; ${failure}`);
  }

  function later(offsetMs: number, act: () => void): void {
    const dueAt = performance.now() + offsetMs;
    const timer = setTimeout(() => {
      timers.delete(timer);
      if (performance.now() - dueAt < standstillMs) act();
      else later(settlingMs, act);
    }, offsetMs);
    timers.add(timer);
  }

  /** At once, unless what it is for has ended by its turn. */
  function soon(signal: AbortSignal, work: () => Promise<void>): void {
    track(inTurn(async () => (signal.aborted ? undefined : await work())));
  }

  function burst(signal: AbortSignal): void {
    for (const offsetMs of burstOffsetsMs[address.family]) {
      if (offsetMs === 0) announce(signal);
      else later(offsetMs, () => announce(signal));
    }
  }

  async function checkForConflict(signal: AbortSignal): Promise<void> {
    const argv = arpingDuplicates(address.address, address.interface);
    const result = await runCommand(argv, { timeoutMs: commandTimeoutMs, signal });
    // One that is no longer here may well be another host's.
    if (signal.aborted || !options.isHere()) return;
    const ours = options.ownMacs();
    const replies = result.stdout.split('\n').map(parseArpingLine);
    const other = replies.find((reply): reply is ArpReply => reply !== undefined && !ours.has(reply.mac));
    if (other === undefined) {
      // Exit 1 is "somebody answered": that was ourselves.
      if (result.exitCode !== 0 && result.exitCode !== 1) tellUnchecked(argv, result);
      return;
    }
    logger.warn({ mac: other.mac }, `another host on ${address.interface} has ${address.address} as well`);
    burst(signal);
    options.onConflict({ mac: other.mac });
  }

  /** A missing arping is said once, since nothing else says it: the announcements do without. */
  function tellUnchecked(argv: readonly string[], result: CommandResult): void {
    const fields = { reason: describeFailure(argv, result) };
    if (result.startError !== 'ENOENT') logger.debug(fields, 'could not check who else has the address');
    else if (!isArpingMissing) {
      isArpingMissing = true;
      const what = `another host that has ${address.address} as well is not noticed`;
      logger.warn({ code: 'command-missing', ...fields }, `${what}; apt-get install iputils-arping`);
    }
  }

  function round(signal: AbortSignal): void {
    burst(signal);
    if (address.family === 4)
      later(conflictCheckOffsetMs, () => soon(signal, () => checkForConflict(signal)));
  }

  function stop(): void {
    session?.abort();
    session = undefined;
    for (const timer of timers) clearTimeout(timer);
    timers.clear();
  }

  return {
    start() {
      stop();
      session = new AbortController();
      const { signal } = session;
      const refresh = () => {
        // Where there are very many, a round may wait for the one before.
        if (running.size === 0) round(signal);
        later(refreshMs, refresh);
      };
      round(signal);
      later(refreshMs, refresh);
    },
    stop,
    isAnnouncing: () => session !== undefined,
    async close() {
      stop();
      await Promise.all(running);
    },
  };
}
