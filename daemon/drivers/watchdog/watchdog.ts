// The watchdog of this host: armed, fed and disarmed when it is told to be, and at no other time.
// Guarantees: armed only with the very time that was asked for, and only a device that can be stopped in order and that
// does not stop because its process was killed. No timer feeds it. Whoever ends without disarming it leaves it running.
// Everything is done at once on the thread that decides, since a helper thread may hang with a disk; so a feed that comes
// soon after another is left out, which can only make the reset earlier.

import type { WatchdogConfig } from '../../config/config.ts';
import type { Outcome } from '../driver.ts';
import { loadOpener, type OpenWatchdog, type WatchdogDevice } from './device.ts';
import { describeUsers, readWatchdog, watchdogBits, watchdogUsers } from './view.ts';

export interface Watchdog {
  /** By the kernel, without its being opened. */
  isRunning(): boolean;
  /** Never rejects. */
  arm(): Promise<Outcome>;
  pet(): void;
  disarm(): void;
  /** Leaves it as it is: a daemon that ends without having disarmed it wants to be reset. */
  close(): Promise<void>;
}

export interface WatchdogOptions {
  readonly config: WatchdogConfig;
  readonly nowMs: () => number;
  /** It runs, and could not be fed or stopped: this host will be reset. */
  readonly onTrouble: (message: string) => void;
  /** Tests have a device, and files of the kernel, of their own. */
  readonly open?: OpenWatchdog;
  readonly root?: string;
}

/** Fed at most this often, milliseconds, and this many times in its time: some devices take long to write to. */
const feedEveryMsMax = 1000;
const feedsPerTimeout = 4;

export function createWatchdog(options: WatchdogOptions): Watchdog {
  const { config, nowMs, onTrouble, root = '/' } = options;
  const { device: path, timeoutMs } = config;
  const feedEveryMs = Math.min(feedEveryMsMax, timeoutMs / feedsPerTimeout);
  let device: WatchdogDevice | null = null;
  let fedAt = -Infinity;
  let isStarving = false;

  /** Stops and lets go of it. @returns why it could not be stopped; null: it was */
  const stop = (running: WatchdogDevice): string | null => {
    let why: string | null = null;
    try {
      running.allowStop();
    } catch (error) {
      why = text(error);
    }
    running.close();
    const goesOn = why === null && readWatchdog(path, root)?.isActive === true;
    return goesOn ? 'the kernel says that it still runs' : why;
  };

  const failed = (message: string): Outcome => ({ kind: 'failed', code: 'watchdog-not-armed', message });

  return {
    isRunning: () => readWatchdog(path, root)?.isActive === true,
    async arm() {
      if (device !== null) return { kind: 'done' };
      if (readWatchdog(path, root)?.isForEver === true) {
        return failed(
          `${path} cannot be stopped once it runs, so a clean stop would reset this host: load its driver with nowayout=0`,
        );
      }
      let opened: WatchdogDevice;
      try {
        const open = options.open ?? (await loadOpener());
        opened = open(path);
      } catch (error) {
        return failed(whyNotOpened(error, path, root));
      }
      const known = opened.options();
      if (known === null) {
        opened.close(); // Whatever it is, nothing is written to it.
        return failed(`${path} is no watchdog: it does not answer as one`);
      }
      const refusal = unfitness(opened, known, config);
      if (refusal !== null) {
        const goesOn = stop(opened);
        return failed(
          goesOn === null ? refusal : `${refusal}; and now it runs and cannot be stopped: ${goesOn}`,
        );
      }
      device = opened;
      fedAt = nowMs();
      isStarving = false;
      return { kind: 'done' };
    },
    pet() {
      if (device === null || nowMs() - fedAt < feedEveryMs) return;
      try {
        device.feed();
        fedAt = nowMs();
        isStarving = false;
      } catch (error) {
        if (!isStarving) onTrouble(`${path} cannot be fed: ${text(error)}`);
        isStarving = true;
      }
    },
    disarm() {
      if (device === null) return;
      const why = stop(device);
      device = null;
      if (why !== null) onTrouble(`${path} could not be stopped: ${why}`);
    },
    async close() {},
  };
}

/** Sets its time. @returns why it does not serve; null: it does */
function unfitness(
  device: WatchdogDevice,
  known: number,
  { device: path, timeoutMs }: WatchdogConfig,
): string | null {
  if ((known & watchdogBits.magicClose) === 0)
    return `${path} stops when its process is killed (it knows no magic close), so it protects nothing`;
  if ((known & watchdogBits.setTimeout) === 0) return `the time of ${path} cannot be set`;
  const wantedS = timeoutMs / 1000;
  const setS = device.setTimeout(wantedS);
  const readS = device.timeout();
  if (setS === wantedS && readS === wantedS) return null;
  const foundS = readS ?? setS;
  if (setS === null || foundS === null) return `${path} does not take ${wantedS} s for its time`;
  return `${path} has made ${foundS} s of ${wantedS} s: give \`watchdog: { timeout: ${foundS}s }\` on both nodes, or another device`;
}

function whyNotOpened(error: unknown, path: string, root: string): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
      return `there is no ${path}: no driver is loaded`;
    case 'ENXIO':
    case 'ENODEV':
      return `there is nothing behind ${path}: its driver is not loaded`;
    case 'EBUSY':
      return `${path} is in use: ${describeUsers(watchdogUsers(path, root))}`;
    default:
      return `${path} cannot be opened: ${text(error)}`;
  }
}

const text = (error: unknown) => (error instanceof Error ? error.message : String(error));
