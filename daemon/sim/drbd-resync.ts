// A resync: one copy becomes what the other is, block by block; until it is through, the target's is neither.
// Facts from drbd_worker.c drbd_start_resync(), drbd_resync_finished() (8.4).

import { beginResync, endResync } from './drbd-generations.ts';
import { flush, isLive, type Mirror } from './drbd-mirror.ts';
import type { Replica, Resync } from './drbd-replica.ts';

export interface ResyncKind {
  readonly full: boolean;
  /** The operator gave the target's own writes up (--discard-my-data, or --force on the source). */
  readonly isWanted: boolean;
}

/** Both sides have the same session. */
export function startResync(mirror: Mirror, source: Replica, target: Replica, kind: ResyncKind): void {
  const { clock, resyncMs } = mirror.options;
  beginResync(source.generations, target.generations, mirror.freshGeneration());
  source.exposed = source.generations.current;
  target.exposed = target.generations.current;
  source.disk = 'up-to-date';
  target.disk = 'inconsistent';
  source.peerDisk = 'inconsistent';
  target.peerDisk = 'up-to-date';
  if (!kind.isWanted) target.overwritten += target.onlyAcknowledged;
  target.only = 0;
  target.onlyAcknowledged = 0;
  const resync: Resync = {
    source,
    target,
    session: source.session,
    startedAtMs: clock.now(),
    durationMs: Math.max(kind.full ? 4 * resyncMs : resyncMs, mirror.resyncLeftMs),
    running: true,
    stalled: false,
  };
  source.resync = resync;
  target.resync = resync;
  finishLater(mirror, resync, resync.durationMs);
}

function finishLater(mirror: Mirror, resync: Resync, delayMs: number): void {
  mirror.options.clock.later(delayMs, () => {
    if (!resync.running) return;
    if (isLive(mirror, resync.source)) finish(mirror, resync);
    else resync.stalled = true;
    flush(mirror);
  });
}

function finish(mirror: Mirror, { source, target }: Resync): void {
  if (source.resync !== null) source.resync.running = false;
  endResync(source.generations, target.generations);
  mirror.resyncLeftMs = 0;
  for (const self of [source, target]) {
    self.resync = null;
    self.disk = 'up-to-date';
    self.peerDisk = 'up-to-date';
    self.crashedPrimary = false;
    self.exposed = self.generations.current;
    self.only = 0;
    self.onlyAcknowledged = 0;
  }
}

/** The link works again before anybody noticed that it did not. */
export function continueResync(mirror: Mirror, self: Replica): void {
  const { resync } = self;
  if (resync === null || !resync.stalled) return;
  resync.stalled = false;
  finishLater(mirror, resync, 1);
}

export function abortResync(mirror: Mirror, self: Replica): void {
  const { resync } = self;
  if (resync === null) return;
  self.resync = null;
  if (!resync.running) return;
  resync.running = false;
  const doneMs = mirror.options.clock.now() - resync.startedAtMs;
  mirror.resyncLeftMs = Math.max(1, resync.durationMs - doneMs);
}
