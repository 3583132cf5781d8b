// The watchdog of the configuration, and what is told of it: that it has reset this host, that it cannot be fed.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../config/config.ts';
import { readWatchdog } from '../../drivers/watchdog/view.ts';
import { createWatchdog, type Watchdog } from '../../drivers/watchdog/watchdog.ts';
import type { CodedNote } from '../../why/explanations.ts';
import { monotonicMs } from '../clock.ts';

export interface HostWatchdogOptions {
  readonly config: Config;
  /** Its content does not outlive the boot. */
  readonly runDir: string;
  readonly tell: (note: CodedNote) => void;
  /** Tests have another one than `/`. */
  readonly root?: string;
}

/** Null: the configuration has none. */
export async function createHostWatchdog(options: HostWatchdogOptions): Promise<Watchdog | null> {
  const { config, tell, root = '/' } = options;
  if (config.watchdog === null) return null;
  await tellOfReset(options);
  return createWatchdog({
    config: config.watchdog,
    nowMs: monotonicMs,
    root,
    onTrouble: (message) =>
      tell({
        ...{ severity: 'alarm', code: 'watchdog-trouble', group: null, tookMs: null },
        message: `${message}; this host will be reset`,
        next: 'dmesg | tail   # what its driver says; battito check once the host is back',
      }),
  });
}

/** The device remembers it for the whole boot; it is told by the first daemon of it. */
async function tellOfReset({ config, runDir, tell, root }: HostWatchdogOptions): Promise<void> {
  const device = config.watchdog?.device ?? '';
  if (readWatchdog(device, root)?.hasReset !== true) return;
  const isFirst = await mkdir(runDir, { recursive: true })
    .then(() => writeFile(join(runDir, 'watchdog-reset-told'), '', { flag: 'wx', mode: 0o600 }))
    .then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code !== 'EEXIST',
    );
  if (!isFirst) return;
  tell({
    ...{ severity: 'warning', code: 'watchdog-has-reset', group: null, tookMs: null },
    message: 'this host was reset by its watchdog before this boot',
    next: 'battito incident   # what this node saw until then',
  });
}
