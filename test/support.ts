// Helpers that every kind of test may use. No network, no processes.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { namePrefix, removeLeftoverDirectories } from './leftovers.ts';

/** CLOCK_MONOTONIC in milliseconds: comparable between processes on one machine. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export interface WaitOptions {
  readonly timeoutMs?: number;
  readonly intervalMs?: number;
}

/** What `waitFor` throws; `lastValue` is what the last look returned, or the error that it threw. */
export class WaitTimeoutError extends Error {
  override readonly name = 'WaitTimeoutError';
  readonly code = 'WAIT_TIMEOUT';
  readonly lastValue: unknown;

  constructor(description: string, timeoutMs: number, lastValue: unknown) {
    const shown = lastValue instanceof Error ? lastValue.message : JSON.stringify(lastValue);
    super(`waited ${timeoutMs} ms in vain until ${description}; last seen: ${shown}`, {
      ...(lastValue instanceof Error ? { cause: lastValue } : {}),
    });
    this.lastValue = lastValue;
  }
}

/**
 * Looks again and again until `look` returns something truthy, and returns that. A look that throws counts
 * as "not yet". To have an unfinished state shown in the error, let `look` throw an error that says it.
 *
 * @throws WaitTimeoutError after `timeoutMs`.
 */
export async function waitFor<T>(
  description: string,
  look: () => T | Promise<T>,
  { timeoutMs = 60_000, intervalMs = 50 }: WaitOptions = {},
): Promise<Exclude<T, false | 0 | '' | null | undefined>> {
  const deadline = monotonicMs() + timeoutMs;
  for (;;) {
    let seen: unknown;
    try {
      const value = await look();
      if (value) return value as Exclude<T, false | 0 | '' | null | undefined>;
      seen = value;
    } catch (error) {
      seen = error;
    }
    if (monotonicMs() >= deadline) throw new WaitTimeoutError(description, timeoutMs, seen);
    await sleep(intervalMs);
  }
}

let leftoversAreRemoved = false;

/** A new, empty directory in `parent`; whoever calls it removes it. What killed test runs left in /tmp is removed, too. */
export function makeTemporaryDirectory(parent = tmpdir()): string {
  if (!leftoversAreRemoved) removeLeftoverDirectories();
  leftoversAreRemoved = true;
  return mkdtempSync(join(parent, namePrefix()));
}

/** The same for one ava test: removed with all that is in it when the test ends, however it ends. */
export function temporaryDirectory(t: { teardown(fn: () => void): void }, parent = tmpdir()): string {
  const directory = makeTemporaryDirectory(parent);
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/**
 * Keeps the event loop alive until `work` has ended. In the daemon other things do; in a test, timers that are unref'ed
 * and the deadlines of AbortSignal would let the process end before it.
 */
export async function keepingAlive<T>(work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => {}, 60_000);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

/** Of one that is seen from here; also one that is dead and not waited for yet. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
