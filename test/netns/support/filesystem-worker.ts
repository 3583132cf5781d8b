// Runs inside a mount namespace as a child of the tests: one filesystem driver, which does what it is told over IPC.
// Ends when that channel closes, and its mounts with it.

import { pino } from 'pino';
import type { BasicAction, ResourceDriver } from '../../../daemon/drivers/driver.ts';
import {
  createFilesystemDriver,
  type FilesystemConfig,
} from '../../../daemon/drivers/filesystem/filesystem.ts';
import { createMountMonitor, type MountMonitor } from '../../../daemon/drivers/filesystem/mounts.ts';
import { tellTest } from './tell-test.ts';

export type Request =
  | { readonly kind: 'create'; readonly config: FilesystemConfig; readonly rereadMs: number }
  | { readonly kind: 'perform'; readonly action: BasicAction; readonly deadlineMs: number }
  | { readonly kind: 'observe' }
  /** The longest time, in milliseconds, for which the event loop stood still. */
  | { readonly kind: 'stall' }
  | { readonly kind: 'close' };

const tickMs = 20;
let mounts: MountMonitor | undefined;
let driver: ResourceDriver | undefined;
let stalledMs = 0;
let ticked = performance.now();
setInterval(() => {
  stalledMs = Math.max(stalledMs, performance.now() - ticked - tickMs);
  ticked = performance.now();
}, tickMs);

async function handle(request: Request): Promise<unknown> {
  switch (request.kind) {
    case 'create': {
      const logger = pino({ level: 'silent' });
      mounts = createMountMonitor({ logger, rereadMs: request.rereadMs });
      const onStatus = (status: unknown) => tellTest({ status });
      driver = createFilesystemDriver(request.config, { mounts, logger, onStatus });
      return undefined;
    }
    case 'perform':
      return await driver?.perform(request.action, AbortSignal.timeout(request.deadlineMs));
    case 'observe':
      return await driver?.observe(AbortSignal.timeout(5000));
    case 'stall':
      return stalledMs;
    case 'close':
      await driver?.close();
      await mounts?.close();
      return undefined;
    default: {
      const unknown: never = request;
      throw new Error(`unexpected ${JSON.stringify(unknown)}`);
    }
  }
}

process.on('message', ({ id, request }: { readonly id: number; readonly request: Request }) => {
  void handle(request).then((value) => tellTest({ reply: id, value }));
});
// What runs for the driver would keep the namespace, and so the mounts.
process.on('disconnect', () => void handle({ kind: 'close' }).finally(() => process.exit(0)));
