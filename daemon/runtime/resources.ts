// The drivers of the groups' resources, the operations on them, and what is seen of them.
// Guarantees: one outcome for every operation, at its deadline at the latest; what is seen while an operation runs,
// or was looked at before it ended, is not reported.

import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { Effect, ResourceAction } from '../core/events.ts';
import { createAddressDriver } from '../drivers/address/address.ts';
import type { Outcome, ResourceDriver, ResourceStatus } from '../drivers/driver.ts';
import type { NetworkMonitor } from '../drivers/network.ts';
import { createQemuDriver } from '../drivers/qemu/qemu.ts';
import type { Untimed } from './loop.ts';
import { addressId, guestId } from './policy.ts';

type StartOperation = Extract<Effect, { readonly kind: 'start-operation' }>;

export interface Resources {
  begin(operation: StartOperation): void;
  cancel(operation: number): void;
  /** Looks at everything and reports it. */
  observeAll(): void;
  driver(group: string, resource: string): ResourceDriver | undefined;
  close(): Promise<void>;
}

export interface ResourcesOptions {
  readonly config: Config;
  readonly network: NetworkMonitor;
  readonly runDir: string;
  readonly logger: Logger;
  readonly post: (event: Untimed) => void;
}

const observeTimeoutMs = 5000;
/** How long a driver may take to end after it was told to, before its outcome is called unknown. */
const graceMs = 1000;

interface Entry {
  readonly group: string;
  readonly id: string;
  readonly driver: ResourceDriver;
  /** Counts operations begun and ended; an observation that spans a change is out of date. */
  epoch: number;
  running: boolean;
}

export function createResources(options: ResourcesOptions): Resources {
  const { post, logger } = options;
  const entries: Entry[] = [];
  const aborts = new Map<number, AbortController>();

  const report = (group: string, resource: string, status: ResourceStatus) => {
    const entry = entries.find((other) => other.group === group && other.id === resource);
    if (entry?.running === true) return;
    post({ kind: 'resource-observed', group, resource, status });
  };

  for (const group of options.config.groups) {
    const add = (id: string, create: (onStatus: (status: ResourceStatus) => void) => ResourceDriver) => {
      const driver = create((status) => report(group.name, id, status));
      entries.push({ group: group.name, id, driver, epoch: 0, running: false });
    };
    for (const address of group.addresses) {
      add(addressId(address), (onStatus) =>
        createAddressDriver(address, { network: options.network, logger, onStatus }),
      );
    }
    for (const guest of group.guests) {
      add(guestId(guest), (onStatus) =>
        createQemuDriver(guest, { group: group.name, runDir: options.runDir, logger, onStatus }),
      );
    }
  }

  const observe = async (entry: Entry) => {
    const { epoch } = entry;
    const status = await entry.driver
      .observe(AbortSignal.timeout(observeTimeoutMs))
      .catch((): ResourceStatus => ({ kind: 'unknown', message: 'it could not be looked at in time' }));
    if (entry.epoch === epoch) report(entry.group, entry.id, status);
  };

  const perform = async (entry: Entry, { operation, action, deadlineMs }: StartOperation) => {
    const abort = new AbortController();
    aborts.set(operation, abort);
    entry.epoch += 1;
    entry.running = true;
    let timer: NodeJS.Timeout | undefined;
    const overdue = new Promise<Outcome>((resolve) => {
      timer = setTimeout(() => abort.abort(`it did not end within ${deadlineMs} ms`), deadlineMs);
      const giveUp = () => {
        clearTimeout(timer);
        timer = setTimeout(() => resolve({ kind: 'unknown', message: String(abort.signal.reason) }), graceMs);
      };
      abort.signal.addEventListener('abort', giveUp, { once: true });
    });
    const outcome = await Promise.race([
      carryOut(entry.driver, action, abort.signal).catch((error: unknown): Outcome => {
        logger.error({ err: error, resource: entry.id, action }, 'a driver threw');
        return { kind: 'unknown', message: String(error) };
      }),
      overdue,
    ]);
    clearTimeout(timer);
    aborts.delete(operation);
    entry.epoch += 1;
    entry.running = false;
    post({ kind: 'operation-finished', operation, outcome });
    if (outcome.kind !== 'done') await observe(entry);
  };

  return {
    begin(operation) {
      const entry = entries.find(({ group, id }) => group === operation.group && id === operation.resource);
      if (entry === undefined) throw new Error(`no driver for ${operation.group} ${operation.resource}`);
      void perform(entry, operation);
    },
    cancel: (operation) => aborts.get(operation)?.abort('it was cancelled'),
    observeAll() {
      for (const entry of entries) if (!entry.running) void observe(entry);
    },
    driver: (group, resource) =>
      entries.find((entry) => entry.group === group && entry.id === resource)?.driver,
    async close() {
      for (const abort of aborts.values()) abort.abort('the daemon ends');
      await Promise.all(entries.map(({ driver }) => driver.close()));
    },
  };
}

/** Addresses and guests know nothing of what is done to a mirrored disk. */
async function carryOut(
  driver: ResourceDriver,
  action: ResourceAction,
  signal: AbortSignal,
): Promise<Outcome> {
  if (action === 'outdate' || action === 'connect' || action === 'discard') {
    throw new Error(`${action} is for storage only`);
  }
  return driver.perform(action, signal);
}
