// The drivers of the groups' resources, the operations on them, and what is seen of them.
// Guarantees: one outcome for every operation, at its deadline at the latest; what is seen while an operation runs,
// or was looked at before it ended, is not reported.

import type { Logger } from 'pino';
import type { Config, GroupConfig, GuestConfig } from '../config/config.ts';
import type { StorageNotes } from '../control/storage.ts';
import type { Effect, StorageStatus } from '../core/events.ts';
import { bringsUp } from '../core/resource.ts';
import { createAddressDriver } from '../drivers/address/address.ts';
import { createIpBatch, type IpBatch } from '../drivers/address/ip-batch.ts';
import type { Neighbours } from '../drivers/address/neighbours.ts';
import { createDrbdDriver, type DrbdDriver } from '../drivers/drbd/drbd.ts';
import { checkMirrored } from '../drivers/drbd/kernel.ts';
import { createDrbdMonitor, type DrbdMonitor } from '../drivers/drbd/monitor.ts';
import type { Outcome, ResourceDriver, ResourceStatus } from '../drivers/driver.ts';
import { createFilesystemDriver } from '../drivers/filesystem/filesystem.ts';
import { createMountMonitor, type MountMonitor } from '../drivers/filesystem/mounts.ts';
import type { Libvirt } from '../drivers/libvirt/connection.ts';
import type { LibvirtDriver } from '../drivers/libvirt/libvirt.ts';
import type { NetworkMonitor } from '../drivers/network.ts';
import type { ReadinessProbe } from '../drivers/readiness/readiness.ts';
import { type Driven, mirrored, plainly, type Seen } from './driven.ts';
import {
  createGuestDriver,
  createGuestProbe,
  type GuestDriver,
  type GuestDriverOptions,
} from './guests/guest-drivers.ts';
import type { GuestsByGroup } from './guests/known-guests.ts';
import { createPassages, type PassagesOptions } from './guests/passages.ts';
import { createReadinessWatch } from './guests/readiness-watch.ts';
import type { Untimed } from './loop.ts';
import { addressId, drbdId, filesystemId, guestId } from './policy.ts';
import { createStorageRises } from './storage/storage-rises.ts';

type StartOperation = Extract<Effect, { readonly kind: 'start-operation' }>;

export interface Resources {
  begin(operation: StartOperation): void;
  cancel(operation: number): void;
  /** Looks at everything and reports it. */
  observeAll(): void;
  /** Those that are new get their driver; what is returned has them looked at. */
  addGuests(known: GuestsByGroup): () => void;
  /** Guests that the core does not know any more are left to themselves. */
  forgetGuests(isKnown: (group: string, resource: string) => boolean): void;
  /** Every name of the group's block devices. */
  devicesOf(group: string): readonly string[];
  /** Does DRBD tell all of them now? */
  devicesAreKnown(group: string): boolean;
  /** From now on: storage of a group has come into use here. */
  onStorageUp(listener: () => void): void;
  /** What a guest that is up answered last when it was asked whether it is ready; null: it was not. */
  readinessOf(resource: string): string | null;
  driver(group: string, resource: string): Driven | undefined;
  /** What the drivers of mirrored disks know beyond what the core sees. */
  storage(): StorageNotes;
  /** By the id of a guest whose QEMU is seen: since when that runs, milliseconds. */
  guestsUpForMs(): ReadonlyMap<string, number>;
  close(): Promise<void>;
}

export interface ResourcesOptions {
  readonly config: Config;
  readonly network: NetworkMonitor;
  readonly neighbours: Neighbours;
  readonly runDir: string;
  /** The name of the other node. */
  readonly peer: string;
  readonly guests: GuestsByGroup;
  /** Null: no guest is a domain. */
  readonly libvirt: Libvirt | null;
  readonly definitions: GuestDriverOptions['definitions'] & { readonly channel: PassagesOptions['channel'] };
  readonly logger: Logger;
  readonly post: (event: Untimed) => void;
}

const observeTimeoutMs = 15_000;
/** After a look that did not end in time: a daemon that has just started decides nothing before it has seen everything. */
const observeAgainMs = 2000;
/** To load DRBD's module and bring a resource up. */
const bringUpTimeoutMs = 30_000;
/** How long a driver may take to end after it was told to, before its outcome is called unknown. */
const graceMs = 1000;

const isFilesystem = (id: string) => id.startsWith('filesystem:');

interface Entry {
  readonly group: string;
  readonly id: string;
  readonly driver: Driven;
  /** Counts operations begun and ended; an observation that spans a change is out of date. */
  epoch: number;
  running: boolean;
}

export function createResources(options: ResourcesOptions): Resources {
  const { post, logger } = options;
  const entries: Entry[] = [];
  const aborts = new Map<number, AbortController>();
  let closed = false;

  /** What DRBD shows is told also while an operation runs: a promotion may wait for what follows from it. */
  const report = (group: string, resource: string, seen: Seen) => {
    if (seen.kind === 'storage') {
      rises.seen(resource, seen.storage.role === 'primary');
      post({ kind: 'storage-observed', group, resource, storage: seen.storage });
      return;
    }
    const entry = entries.find((other) => other.group === group && other.id === resource);
    if (entry?.running === true) return;
    post({ kind: 'resource-observed', group, resource, status: seen.status });
    readiness.seen(group, resource, seen.status);
    if (isFilesystem(resource)) rises.seen(resource, seen.status.kind === 'up');
  };

  const rises = createStorageRises();
  let drbdMonitor: DrbdMonitor | undefined;
  let mountMonitor: MountMonitor | undefined;
  let ipBatch: IpBatch | undefined;
  const devices: DrbdDriver[] = [];
  const devicesOfGroup = new Map<string, readonly DrbdDriver[]>();
  const guests = new Map<string, GuestDriver>();
  const probes = new Map<string, ReadinessProbe>();
  const readiness = createReadinessWatch({
    probes,
    onReady: (group, resource) => post({ kind: 'guest-answered', group, resource }),
    logger,
  });
  const add = (group: string, id: string, driver: Driven): Entry => {
    const entry = { group, id, driver, epoch: 0, running: false };
    entries.push(entry);
    return entry;
  };
  const addGuest = (group: GroupConfig, guest: GuestConfig): Entry => {
    const id = guestId(guest);
    const onStatus = (status: ResourceStatus) => report(group.name, id, { kind: 'status', status });
    const common = { group, runDir, libvirt, definitions, logger, onStatus };
    const driver = createGuestDriver(guest, { ...common, passage: passages?.(guest.name) ?? null });
    const probe = createGuestProbe(guest, { libvirt, logger });
    if (probe !== null) probes.set(id, probe);
    guests.set(id, driver);
    return add(group.name, id, plainly(driver));
  };
  const { libvirt, runDir, definitions, peer } = options;
  const receivers = (name: string) => {
    const driver = guests.get(guestId({ name }));
    return driver !== undefined && 'letGo' in driver ? (driver as LibvirtDriver) : undefined;
  };
  const passages =
    libvirt === null
      ? null
      : createPassages({
          ...{ channel: definitions.channel, peer, libvirtUri: libvirt.uri, runDir, receivers, logger },
        });
  /** What kept a device from coming up, as last said: it is tried every few seconds, and said when it changes. */
  const hindrances = new Map<DrbdDriver, string | undefined>();

  for (const group of options.config.groups) {
    const addPlain = (id: string, create: (onStatus: (status: ResourceStatus) => void) => ResourceDriver) =>
      add(group.name, id, plainly(create((status) => report(group.name, id, { kind: 'status', status }))));
    for (const address of group.addresses) {
      ipBatch ??= createIpBatch({ logger });
      const { network, neighbours } = options;
      const common = { network, batch: ipBatch, neighbours, logger };
      addPlain(addressId(address), (onStatus) => createAddressDriver(address, { ...common, onStatus }));
    }
    for (const name of group.drbd) {
      drbdMonitor ??= createDrbdMonitor({ logger });
      const device = createDrbdDriver(name, { monitor: drbdMonitor, logger });
      const resource = drbdId(name);
      const onDiskTrouble = (trouble: string | null) =>
        post({ kind: 'disk-probed', group: group.name, resource, trouble });
      const onStorage = (storage: StorageStatus) =>
        report(group.name, resource, { kind: 'storage', storage });
      add(group.name, resource, mirrored(device, { onStorage, onDiskTrouble }));
      devices.push(device);
      devicesOfGroup.set(group.name, [...(devicesOfGroup.get(group.name) ?? []), device]);
    }
    for (const filesystem of group.filesystems) {
      mountMonitor ??= createMountMonitor({ logger });
      const mounts = mountMonitor;
      void checkMirrored(filesystem.device, group.drbd).then((trouble) => {
        if (trouble !== null)
          logger.error({ group: group.name, mount: filesystem.mount, next: trouble.next }, trouble.what);
      });
      addPlain(filesystemId(filesystem), (onStatus) =>
        createFilesystemDriver(filesystem, { mounts, logger, onStatus }),
      );
    }
    for (const { config } of options.guests.get(group.name) ?? []) addGuest(group, config);
  }

  /** A resource that is not up comes up as soon as it can; what stands in the way is said, and tried again later. */
  const bringUp = async (device: DrbdDriver) => {
    const outcome = await device.ensureUp(AbortSignal.timeout(bringUpTimeoutMs));
    const said = outcome.kind === 'done' ? undefined : outcome.message;
    if (said !== undefined && hindrances.get(device) !== said)
      logger.error({ resource: device.resource, outcome }, `DRBD: ${said}`);
    hindrances.set(device, said);
  };

  const observe = async (entry: Entry) => {
    const { epoch } = entry;
    const status = { kind: 'unknown', message: 'it could not be looked at in time' } as const;
    let isLate = false;
    const seen = await entry.driver.observe(AbortSignal.timeout(observeTimeoutMs)).catch((): Seen => {
      isLate = true;
      return { kind: 'status', status };
    });
    if (entry.epoch === epoch) report(entry.group, entry.id, seen);
    if (!isLate || closed) return;
    logger.warn({ group: entry.group, resource: entry.id }, 'it could not be looked at in time');
    setTimeout(() => {
      if (!closed && !entry.running) void observe(entry);
    }, observeAgainMs).unref();
  };

  const perform = async (entry: Entry, { operation, action, forced, deadlineMs }: StartOperation) => {
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
      entry.driver.perform(action, forced, abort.signal).catch((error: unknown): Outcome => {
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
    if (outcome.kind === 'done' && bringsUp(action)) readiness.seen(entry.group, entry.id, { kind: 'up' });
    if (outcome.kind === 'done' && isFilesystem(entry.id)) rises.seen(entry.id, bringsUp(action));
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
      for (const device of devices) if (device.trouble() !== null) void bringUp(device);
      for (const entry of entries) if (!entry.running) void observe(entry);
    },
    addGuests(known) {
      const added = options.config.groups.flatMap((group) =>
        (known.get(group.name) ?? [])
          .filter(({ config }) => !guests.has(guestId(config)))
          .map(({ config }) => addGuest(group, config)),
      );
      return () => {
        for (const entry of added) void observe(entry);
      };
    },
    forgetGuests(isKnown) {
      for (const entry of entries.filter(({ group, id }) => guests.has(id) && !isKnown(group, id))) {
        entries.splice(entries.indexOf(entry), 1);
        guests.delete(entry.id);
        probes.delete(entry.id);
        readiness.seen(entry.group, entry.id, { kind: 'down' });
        void entry.driver.close();
      }
    },
    devicesOf: (group) =>
      (devicesOfGroup.get(group) ?? []).flatMap((device) => {
        const minors = device.detail()?.minors ?? [];
        const volumes = minors.length === 0 ? [0] : minors.map((_, volume) => volume);
        return [
          ...minors.map((minor) => `/dev/drbd${minor}`),
          ...volumes.map((volume) => `/dev/drbd/by-res/${device.resource}/${volume}`),
        ];
      }),
    devicesAreKnown: (group) =>
      (devicesOfGroup.get(group) ?? []).every((device) => (device.detail()?.minors ?? []).length > 0),
    onStorageUp: (listener) => rises.listen(listener),
    readinessOf: (resource) => readiness.lastWhy(resource),
    driver: (group, resource) =>
      entries.find((entry) => entry.group === group && entry.id === resource)?.driver,
    storage: () =>
      new Map(
        devices.map((device) => [
          drbdId(device.resource),
          {
            trouble: device.trouble(),
            resync: device.resync(),
            changedKib: device.changedKib(),
            standsAlone: device.detail()?.standsAlone ?? 'no',
          },
        ]),
      ),
    guestsUpForMs: () =>
      new Map(
        [...guests].flatMap(([id, driver]): [string, number][] => {
          const upForMs = driver.upForMs();
          return upForMs === null ? [] : [[id, upForMs]];
        }),
      ),
    async close() {
      closed = true;
      for (const abort of aborts.values()) abort.abort('the daemon ends');
      await readiness.close();
      await Promise.all(entries.map(({ driver }) => driver.close()));
      await Promise.all([drbdMonitor, mountMonitor, ipBatch].map((one) => one?.close()));
    },
  };
}
