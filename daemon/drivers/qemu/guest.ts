// What a guest is seen to be: its process by /proc, its state by QMP, and whether it was us who stopped it.
// Guarantees: `down` only when no process of it is left; a monitor that does not answer is `unknown`.

import { readFile, rm, writeFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import type { QemuGuestConfig } from '../../config/config.ts';
import type { ResourceStatus } from '../driver.ts';
import type { GuestPaths } from './command.ts';
import type { GuestMonitor } from './monitor.ts';
import { findGuestProcess, type GuestProcess, processState, waitForState } from './process.ts';
import { QmpError } from './qmp.ts';

/** Everything an operation on one guest needs. */
export interface Guest {
  readonly config: QemuGuestConfig;
  readonly paths: GuestPaths;
  /** The unit that systemd makes for its QEMU; null: systemd does not run, and QEMU is where the daemon is. */
  readonly unit: string | null;
  readonly monitor: GuestMonitor;
  readonly logger: Logger;
  /** The process last seen. While it ends its command line is already empty, so it is remembered. */
  known: GuestProcess | undefined;
}

const answerTimeoutMs = 2000;
/** From the end of QMP to the end of the process, as long as no storage hangs. */
const exitGraceMs = 1000;

export async function findGuest(
  guest: Guest,
  options: { readonly scan: boolean } = { scan: true },
): Promise<GuestProcess | undefined> {
  const found = await findGuestProcess(guest.paths.pidFile, options);
  if (found !== undefined) guest.known = found;
  else if (guest.known !== undefined && (await processState(guest.known)) === 'gone') guest.known = undefined;
  return guest.known;
}

/** Rejects only when `signal` aborts. */
export async function lookAtGuest(
  guest: Guest,
  options: { readonly scan: boolean; readonly signal?: AbortSignal },
): Promise<ResourceStatus> {
  const { signal } = options;
  signal?.throwIfAborted();
  const process = await findGuest(guest, options);
  if (process === undefined) return { kind: 'down' };
  if ((await processState(process)) === 'stopped') {
    if (await wasFrozenByUs(guest, process)) return { kind: 'paused' };
    return {
      kind: 'unknown',
      message: `QEMU (pid ${process.pid}) was stopped by a signal that was not ours`,
    };
  }
  try {
    const call = { timeoutMs: answerTimeoutMs, ...(signal === undefined ? {} : { signal }) };
    return statusOf(await guest.monitor.runState(call));
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof QmpError)) throw error;
    if (await endsAfter(error, process, signal)) return { kind: 'down' };
    return {
      kind: 'unknown',
      message: `QEMU (pid ${process.pid}) lives, its monitor does not: ${error.message}`,
    };
  }
}

/** A monitor that has just gone is most often the first that is seen of a QEMU's end: its process follows. */
export function endsAfter(error: QmpError, process: GuestProcess, signal?: AbortSignal): Promise<boolean> {
  const ending = error.code === 'qmp-closed' || error.code === 'qmp-unreachable';
  return waitForState(process, 'gone', ending ? exitGraceMs : 0, signal);
}

/** RunState as in QEMU's qapi/run-state.json. */
export function statusOf(runState: string): ResourceStatus {
  if (runState === 'running') return { kind: 'up' };
  if (runState === 'paused' || runState === 'prelaunch') return { kind: 'paused' };
  return { kind: 'unknown', message: `QEMU reports the guest as ${runState}` };
}

/** In these states no processor runs, and none will before a `cont`. */
export function isHalted(runState: string): boolean {
  return ['paused', 'prelaunch', 'io-error', 'internal-error', 'guest-panicked', 'shutdown'].includes(
    runState,
  );
}

/** Written before the signal: a mark without a stopped process means nothing, the reverse would be a riddle. */
export async function markFrozen(guest: Guest, process: GuestProcess): Promise<void> {
  await writeFile(guest.paths.frozenFile, `${process.pid} ${process.startTicks}\n`, { mode: 0o600 });
}

export async function unmarkFrozen(guest: Guest): Promise<void> {
  await rm(guest.paths.frozenFile, { force: true });
}

/** Removes what a QEMU that is gone has left. */
export async function removeTraces(guest: Guest): Promise<void> {
  const { monitor, operatorMonitor, pidFile, frozenFile } = guest.paths;
  guest.monitor.close();
  guest.known = undefined;
  await Promise.all([monitor, operatorMonitor, pidFile, frozenFile].map((file) => rm(file, { force: true })));
}

async function wasFrozenByUs(guest: Guest, process: GuestProcess): Promise<boolean> {
  try {
    const mark = await readFile(guest.paths.frozenFile, 'utf8');
    return mark.trim() === `${process.pid} ${process.startTicks}`;
  } catch {
    return false;
  }
}
