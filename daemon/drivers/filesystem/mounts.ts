// The one source of truth about what is mounted. `findmnt --poll` only says that something happened; what is true is
// always read again from the kernel. A filesystem that the kernel makes read-only after an error announces nothing,
// so it is also read every `rereadMs`. Reading touches no filesystem, so one whose disk hangs does not hang us.

import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { keepRunning } from '../line-process.ts';
import { oneAtATime } from '../one-at-a-time.ts';
import { type Mount, parseMountinfo } from './mountinfo.ts';

/** `undefined`: not known, because nothing was read yet or the last reading failed. */
export type MountSnapshot = readonly Mount[] | undefined;

export interface MountMonitor {
  /** The last reading. */
  current(): MountSnapshot;
  /** Resolves after a reading that began after this call. Never rejects. */
  refresh(): Promise<void>;
  /**
   * Calls `listener` after every reading from now on, also where nothing differs: of a filesystem that is no longer
   * mounted here, but still run by the kernel, the end is not seen in the mounts. The result ends that.
   */
  subscribe(listener: () => void): () => void;
  /** Stops the child and all timers. */
  close(): Promise<void>;
}

export interface MountMonitorOptions {
  readonly logger: Logger;
  readonly rereadMs?: number;
}

/**
 * The daemon's own view. Where a service has a view of its own, what is mounted in the host's arrives here too, as long
 * as it was made a slave of the host's (systemd's PrivateMounts=).
 */
const mountinfoFile = '/proc/self/mountinfo';
/**
 * It ends when nothing has happened for so long, and is started again. One whose daemon was killed would notice only at
 * the next change, which on a server may never come, and keep that daemon's view of the mounts alive.
 */
const quietMs = 60_000;
const pollArgv = ['findmnt', '--poll', '--timeout', String(quietMs)];
const rereadMsDefault = 2000;
const debounceMs = 20;
/** After a new child had time to begin to listen. */
const soonMs = 250;

/** Starts watching at once; the first reading is on its way when this returns. One is enough for all filesystems. */
export function createMountMonitor({
  logger,
  rereadMs = rereadMsDefault,
}: MountMonitorOptions): MountMonitor {
  const listeners = new Set<() => void>();
  let snapshot: MountSnapshot;
  let text = '';
  let failing = false;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  async function read(): Promise<void> {
    let next: string;
    try {
      next = await readFile(mountinfoFile, 'utf8');
    } catch (error) {
      return fail(String(error));
    }
    if (closed) return;
    if (next === text && snapshot !== undefined) return publish(snapshot);
    const parsed = parseMountinfo(next);
    if (parsed.kind === 'unparseable') return fail(parsed.message);
    if (failing) logger.info('the mounts can be read again');
    failing = false;
    text = next;
    publish(parsed.mounts);
  }

  function fail(reason: string): void {
    if (closed) return;
    if (!failing) logger.warn({ reason }, 'the mounts cannot be read');
    failing = true;
    publish(undefined);
  }

  function publish(next: MountSnapshot): void {
    snapshot = next;
    for (const listener of [...listeners]) listener();
  }

  const readings = oneAtATime(async () => {
    if (!closed) await read();
  });
  const { refresh } = readings;

  function readIn(delayMs: number): void {
    timer ??= setTimeout(() => {
      timer = undefined;
      void refresh();
    }, delayMs);
  }

  const watcher = keepRunning(pollArgv, {
    name: 'findmnt',
    logger,
    onLine: () => readIn(debounceMs),
    onStart: () => readIn(soonMs),
    endsAfterMs: quietMs,
  });
  const rereadTimer = setInterval(() => void refresh(), rereadMs);
  void refresh();

  return {
    current: () => snapshot,
    refresh,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      closed = true;
      listeners.clear();
      clearInterval(rereadTimer);
      clearTimeout(timer);
      await Promise.all([watcher.close(), readings.settled()]);
    },
  };
}
