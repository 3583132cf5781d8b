// Asks every guest that is up whether it is of use, until it says so.
// Guarantees: `onReady` once for each time that a guest comes up; one question at a time for each guest; nothing is
// told of a guest that is not up any more. Must not: judge how long readiness may take.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { ResourceStatus } from '../../drivers/driver.ts';
import type { ReadinessProbe } from '../../drivers/readiness/readiness.ts';

export interface ReadinessWatch {
  /** What a resource is seen to be; of one without a probe nothing follows. */
  seen(group: string, resource: string, status: ResourceStatus): void;
  /** The last answer of a guest that is up; null: it is not up, was not asked yet, or has no probe. */
  lastWhy(resource: string): string | null;
  /** Resolves when nothing is being asked any more. */
  close(): Promise<void>;
}

export interface ReadinessWatchOptions {
  /** By the id of the resource. Looked into whenever a guest comes up, so that guests may be added. */
  readonly probes: ReadonlyMap<string, ReadinessProbe>;
  /** From the beginning of one question to the next; one that takes longer is waited for. */
  readonly everyMs?: number;
  readonly onReady: (group: string, resource: string) => void;
  readonly logger: Logger;
}

interface Guest {
  readonly group: string;
  readonly resource: string;
  readonly probe: ReadinessProbe;
  readonly forgotten: AbortController;
  why: string | null;
}

export function createReadinessWatch(options: ReadinessWatchOptions): ReadinessWatch {
  const { probes, everyMs = 1000, onReady, logger } = options;
  const guests = new Map<string, Guest>();
  const asking = new Map<string, Promise<void>>();
  let closed = false;

  async function askOnce({ probe, resource, forgotten: { signal } }: Guest) {
    return await probe.isReady(signal).catch((error: unknown) => {
      if (!signal.aborted) logger.error({ err: error, resource }, 'a readiness probe threw');
      return { ready: false, why: String(error) };
    });
  }

  async function askUntilReady(guest: Guest): Promise<void> {
    const { group, resource, forgotten } = guest;
    const { signal } = forgotten;
    while (!signal.aborted) {
      const pause = sleep(everyMs, undefined, { signal }).catch(() => {});
      const { ready, why } = await askOnce(guest);
      if (signal.aborted) return;
      if (why !== guest.why)
        logger.debug({ group, resource, ready, why }, 'asked whether the guest is ready');
      guest.why = why;
      if (ready) {
        forgotten.abort(); // Ends the pause. The guest itself stays known, so that it is not asked again.
        onReady(group, resource);
        return;
      }
      await pause;
    }
  }

  function begin(guest: Guest): void {
    guests.set(guest.resource, guest);
    // One that was forgotten may still be ending its last question.
    const before = asking.get(guest.resource) ?? Promise.resolve();
    const run = before.then(() => askUntilReady(guest));
    asking.set(guest.resource, run);
    void run.finally(() => {
      if (asking.get(guest.resource) === run) asking.delete(guest.resource);
    });
  }

  function forget(resource: string): void {
    guests.get(resource)?.forgotten.abort();
    guests.delete(resource);
  }

  return {
    seen(group, resource, status) {
      if (closed) return;
      if (status.kind !== 'up') return forget(resource);
      const probe = probes.get(resource);
      if (probe === undefined || guests.has(resource)) return;
      begin({ group, resource, probe, forgotten: new AbortController(), why: null });
    },
    lastWhy: (resource) => guests.get(resource)?.why ?? null,
    async close() {
      closed = true;
      for (const resource of [...guests.keys()]) forget(resource);
      await Promise.all(asking.values());
    },
  };
}
