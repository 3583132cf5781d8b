// The file that node_exporter's textfile collector reads: the same text as /metrics, written anew every few seconds.
// Guarantees: who reads it sees a whole one; one write at a time, so that a disk that hangs holds one helper thread and no
// more; what goes wrong is said in `battito status`, once in the log, and harms nothing else. It is removed when the
// daemon ends in order; one that was killed leaves it, with the time at which it was made.

import { constants, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { MetricsConfig } from '../config/config.ts';
import type { Attention } from '../control/api.ts';
import { item } from '../control/attention-item.ts';

export interface Textfile {
  attention(): readonly Attention[];
  configure(config: MetricsConfig | null): void;
  close(): Promise<void>;
}

export interface TextfileOptions {
  readonly config: MetricsConfig | null;
  readonly render: () => Promise<string>;
  readonly logger: Logger;
}

/** node_exporter is another user. */
const mode = 0o644;
/** A write that takes longer is said to hang. */
const hangsAfterMs = 30_000;
/** An orderly end waits this long for a disk. */
const closeWithinMs = 2000;

export function createTextfile({ config, render, logger }: TextfileOptions): Textfile {
  let current = config;
  let timer: NodeJS.Timeout | undefined;
  let failure: string | null = null;
  let writing: { readonly sinceMs: number; readonly done: Promise<void> } | null = null;
  /** The file that was written last; null: none is there. */
  let written: string | null = null;

  const write = async (path: string) => {
    try {
      await replaceFile(path, await render());
      written = path;
      if (failure !== null) logger.info({ path }, 'the metrics are written again');
      failure = null;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (failure === null) logger.warn({ err: error, path }, 'the metrics cannot be written');
      failure = why;
    }
  };
  const look = () => {
    if (current === null || writing !== null) return;
    const done = write(current.textfile).finally(() => {
      writing = null;
    });
    writing = { sinceMs: performance.now(), done };
  };
  const remove = async () => {
    if (written === null) return;
    await unlink(written).catch(() => {}); // Somebody else has removed it.
    written = null;
  };
  const start = () => {
    clearInterval(timer);
    if (current === null) return;
    timer = setInterval(look, current.intervalMs);
    timer.unref();
    look();
  };
  start();

  return {
    attention() {
      if (current === null) return [];
      const path = current.textfile;
      const hangs = writing !== null && performance.now() - writing.sinceMs > hangsAfterMs;
      const why = hangs ? 'its disk does not answer' : failure;
      if (why === null) return [];
      const next = `make ${dirname(path)} (apt-get install prometheus-node-exporter does), make room on its disk, or name another file under metrics.textfile`;
      return [
        item('warning', 'metrics-not-written', `the metrics cannot be written to ${path}: ${why}`, next),
      ];
    },
    configure(next) {
      if (next?.textfile === current?.textfile && next?.intervalMs === current?.intervalMs) return;
      const isMoved = next?.textfile !== current?.textfile;
      current = next;
      failure = null;
      if (isMoved) void (writing?.done ?? Promise.resolve()).then(remove).then(start);
      else start();
    },
    async close() {
      clearInterval(timer);
      current = null;
      const ending = new AbortController();
      const patience = sleep(closeWithinMs, undefined, { signal: ending.signal }).catch(() => {});
      await Promise.race([(writing?.done ?? Promise.resolve()).then(remove), patience]);
      ending.abort();
    },
  };
}

/**
 * Not durable: after a power cut the next daemon writes another one. The directory may belong to another user, so nothing
 * that lies there is followed or written into.
 */
async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`; // Not *.prom: it is not read.
  await unlink(temporary).catch(() => {}); // What a daemon that was killed has left.
  const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants;
  const file = await open(temporary, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, mode);
  try {
    await file.chmod(mode); // Whatever the umask.
    await file.writeFile(text);
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}
