// What the runtime does with one resource, whatever its driver: a mirrored disk tells more than whether it is up, and
// knows actions that the others do not.

import type { GuestAction, ResourceAction, StorageAction, StorageStatus } from '../core/events.ts';
import type { DrbdDriver } from '../drivers/drbd/drbd.ts';
import type { Trouble } from '../drivers/drbd/types.ts';
import type { Outcome, ResourceDriver, ResourceStatus } from '../drivers/driver.ts';
import { createDiskWatch } from './storage/disk-watch.ts';

export type Seen =
  | { readonly kind: 'status'; readonly status: ResourceStatus }
  | { readonly kind: 'storage'; readonly storage: StorageStatus };

export interface Driven {
  observe(signal: AbortSignal): Promise<Seen>;
  perform(action: ResourceAction, forced: boolean, signal: AbortSignal): Promise<Outcome>;
  /** `save` and `migrate`: of a guest that can. */
  commands(action: 'start' | 'stop' | 'save' | 'migrate'): readonly string[];
  close(): Promise<void>;
}

const guestActions: ReadonlySet<ResourceAction> = new Set([
  'save',
  'migrate',
  'reject',
] satisfies GuestAction[]);
const storageActions: ReadonlySet<ResourceAction> = new Set([
  'outdate',
  'connect',
  'discard',
  'allow-two',
  'forbid-two',
] satisfies StorageAction[]);

const isGuestAction = (action: ResourceAction): action is GuestAction => guestActions.has(action);
const isStorageAction = (action: ResourceAction): action is StorageAction => storageActions.has(action);

/** Addresses, file systems and guests. */
export function plainly(driver: ResourceDriver): Driven {
  return {
    observe: async (signal) => ({ kind: 'status', status: await driver.observe(signal) }),
    async perform(action, _forced, signal) {
      if (isStorageAction(action)) throw new Error(`${action} is for storage only`);
      if (!isGuestAction(action)) return driver.perform(action, signal);
      const special = driver[action]?.bind(driver);
      if (special === undefined) throw new Error(`it knows no ${action}`);
      return special(signal);
    },
    commands: (action) =>
      action === 'save' || action === 'migrate'
        ? (driver.guestCommands?.(action) ?? [])
        : driver.commands(action),
    close: () => driver.close(),
  };
}

/** A device that DRBD does not have up here is certainly not in use here; of its data that says nothing. */
const notThere: StorageStatus = {
  role: 'secondary',
  disk: 'unknown',
  connection: 'unknown',
  peerRole: 'unknown',
  peerDisk: 'unknown',
  suspended: 'no',
  resync: null,
};
const absences: ReadonlySet<string> = new Set([
  'drbd-resource-not-up',
  'drbd-module-not-loaded',
  'drbd-module-not-loadable',
]);

function storageSeen(storage: StorageStatus, trouble: Trouble | null): StorageStatus {
  return trouble !== null && absences.has(trouble.code) ? notThere : storage;
}

export interface MirrorListeners {
  readonly onStorage: (storage: StorageStatus) => void;
  /** What is wrong with the disk under it, while it is in use; null: it answers again. */
  readonly onDiskTrouble: (trouble: string | null) => void;
}

/** The device has to be closed for these; a freeze only ends the reading, and waits for nothing. */
const letsGo: ReadonlySet<ResourceAction> = new Set(['stop', 'destroy']);

export function mirrored(driver: DrbdDriver, { onStorage, onDiskTrouble }: MirrorListeners): Driven {
  const watch = createDiskWatch({ onTrouble: onDiskTrouble });
  let acting = 0;
  const follow = () => {
    const { role, suspended } = driver.status();
    const isInUse = role === 'primary' && suspended === 'no' && acting === 0;
    const minors = driver.detail()?.minors ?? [];
    watch.follow(isInUse ? minors.map((minor) => `/dev/drbd${minor}`) : []);
  };
  driver.onStorage((storage, trouble) => {
    follow();
    onStorage(storageSeen(storage, trouble));
  });
  return {
    async observe(signal) {
      const storage = await driver.observe(signal);
      return { kind: 'storage', storage: storageSeen(storage, driver.trouble()) };
    },
    async perform(action, forced, signal) {
      if (isGuestAction(action)) throw new Error(`${action} is for guests only`);
      if (action === 'freeze') void watch.letGo();
      if (!letsGo.has(action)) return await driver.perform(action, forced, signal);
      acting += 1;
      try {
        await watch.letGo();
        return await driver.perform(action, forced, signal);
      } finally {
        acting -= 1;
        follow();
      }
    },
    commands: (action) => (action === 'save' || action === 'migrate' ? [] : driver.commands(action, false)),
    async close() {
      acting += 1; // Nothing is followed any more.
      await watch.letGo();
      await driver.close();
    },
  };
}
