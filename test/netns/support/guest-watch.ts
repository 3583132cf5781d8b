// Watches one guest on both hosts through QEMU's own monitor, apart from the daemons, and says whether two copies
// ever ran at once.

import { guestPaths } from '../../../daemon/drivers/qemu/command.ts';
import { connectQmp, type QmpClient } from '../../../daemon/drivers/qemu/qmp.ts';
import { monotonicMs } from '../../support.ts';
import { type HostName, hostNames } from './hosts.ts';
import type { TestNetwork } from './network.ts';

export interface GuestWatch {
  /** Moments (CLOCK_MONOTONIC, milliseconds) at which both copies ran. */
  readonly overlaps: readonly number[];
  /** Looks at which at least one copy was seen running; a watch that saw nothing proves nothing. */
  sightings(): number;
  stop(): Promise<void>;
}

const queryTimeoutMs = 2000;

/**
 * Asks the first host, the second, and the first again: if all three say `running`, two copies ran at the time of
 * the second question.
 */
export function watchGuest(network: TestNetwork, guest: string): GuestWatch {
  const overlaps: number[] = [];
  const clients = new Map<HostName, QmpClient>();
  let sightings = 0;
  let stopped = false;

  const isRunning = async (host: HostName): Promise<boolean> => {
    try {
      let client = clients.get(host);
      if (client === undefined) {
        const { operatorMonitor } = guestPaths(network.hosts[host].runDir, guest);
        client = await connectQmp(operatorMonitor, { timeoutMs: queryTimeoutMs });
        clients.set(host, client);
      }
      const answer = (await client.execute('query-status', {}, { timeoutMs: queryTimeoutMs })) as {
        status?: string;
      };
      if (answer.status === 'running') sightings += 1;
      return answer.status === 'running';
    } catch {
      clients.get(host)?.close();
      clients.delete(host);
      return false; // No QEMU there, or one that ended while it was asked.
    }
  };

  const [first, second] = hostNames as readonly [HostName, HostName];
  const looking = (async () => {
    while (!stopped) {
      if ((await isRunning(first)) && (await isRunning(second))) {
        const at = monotonicMs();
        if (await isRunning(first)) overlaps.push(at);
      } else {
        await isRunning(second);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (const client of clients.values()) client.close();
  })();

  return {
    overlaps,
    sightings: () => sightings,
    async stop() {
      stopped = true;
      await looking;
    },
  };
}
