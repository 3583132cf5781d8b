// Takes a guest down, in order or at once; freezes and resumes it.
// Guarantees: `done` for stop and destroy only when the process is gone; freezing works with a silent monitor too.

import type { Outcome } from '../driver.ts';
import { findGuest, type Guest, isHalted, markFrozen, removeTraces, unmarkFrozen } from './guest.ts';
import { type GuestProcess, processState, signalGuest, waitForState } from './process.ts';
import { QmpError } from './qmp.ts';
import { attachTap, continueGuest, killGuest, stillThere } from './start.ts';

const answerTimeoutMs = 2000;
/** A guest that is still booting drops the press of a button; so it is pressed again. */
const pressAgainMs = 3000;
const quitAnswerMs = 500;
const quitTimeoutMs = 2000;
/** A QEMU that waits for its storage answers late or never; freezing must not wait for storage. */
const freezeAnswerMs = 500;
const freezeTimeoutMs = 2000;

/** ACPI power button, then quit at `shutdownTimeoutMs`, then SIGKILL. */
export async function stopGuest(guest: Guest, signal: AbortSignal): Promise<Outcome> {
  const process = await findGuest(guest);
  if (process === undefined) return await finished(guest);
  const deadline = performance.now() + guest.config.shutdownTimeoutMs;
  if (!(await canReact(guest, process, signal))) return await destroyGuest(guest, signal);
  for (;;) {
    const leftMs = deadline - performance.now();
    if (leftMs <= 0) break;
    await tryExecute(guest, 'system_powerdown', Math.min(leftMs, answerTimeoutMs), signal);
    const waitMs = Math.min(pressAgainMs, Math.max(0, deadline - performance.now()));
    if (await waitForState(process, 'gone', waitMs, signal)) return await finished(guest);
  }
  const afterMs = guest.config.shutdownTimeoutMs;
  guest.logger.warn({ afterMs }, 'the guest did not shut down in time; it is switched off');
  return await destroyGuest(guest, signal);
}

/**
 * A running guest is quit, so that QEMU closes its image. A halted one is killed: the other node may have changed
 * the disk since, and QEMU must not write to it any more. So is one whose monitor does not answer.
 */
export async function destroyGuest(guest: Guest, signal: AbortSignal): Promise<Outcome> {
  const process = await findGuest(guest);
  if (process === undefined) return await finished(guest);
  if ((await processState(process)) === 'alive') {
    const runState = await tryRunState(guest, quitAnswerMs, signal);
    const quits = runState !== undefined && !isHalted(runState);
    if (quits && (await tryExecute(guest, 'quit', quitAnswerMs, signal))) {
      if (await waitForState(process, 'gone', quitTimeoutMs, signal)) return await finished(guest);
    }
  }
  signal.throwIfAborted();
  return (await killGuest(guest)) ? { kind: 'done' } : stillThere(guest);
}

/** QMP `stop`; when the monitor does not answer, SIGSTOP, which no process can miss. */
export async function freezeGuest(guest: Guest, signal: AbortSignal): Promise<Outcome> {
  const process = await findGuest(guest);
  if (process === undefined) return { kind: 'done' };
  if ((await processState(process)) !== 'stopped' && (await stopByMonitor(guest, signal)))
    return { kind: 'done' };
  if ((await processState(process)) === 'gone') return { kind: 'done' };
  guest.logger.warn({ pid: process.pid }, 'the monitor does not answer; the guest is frozen by SIGSTOP');
  await markFrozen(guest, process);
  await signalGuest(process, guest.paths.pidFile, 'SIGSTOP');
  if (await waitForState(process, 'stopped', freezeTimeoutMs, signal)) return { kind: 'done' };
  if ((await processState(process)) === 'gone') return { kind: 'done' };
  return {
    kind: 'unknown',
    message: `guest ${guest.config.name}: SIGSTOP was sent but has not come to effect`,
  };
}

export async function resumeGuest(guest: Guest, signal: AbortSignal): Promise<Outcome> {
  const process = await findGuest(guest);
  if (process === undefined) {
    const message = `guest ${guest.config.name}: there is no process to resume`;
    return { kind: 'failed', code: 'guest-not-there', message };
  }
  if ((await processState(process)) === 'stopped') {
    await signalGuest(process, guest.paths.pidFile, 'SIGCONT');
    await unmarkFrozen(guest);
  }
  if ((await tryRunState(guest, answerTimeoutMs, signal)) === 'prelaunch') {
    const tap = await attachTap(guest, signal);
    if (tap.kind !== 'done') return tap;
  }
  return await continueGuest(guest, signal);
}

async function stopByMonitor(guest: Guest, signal: AbortSignal): Promise<boolean> {
  if (!(await tryExecute(guest, 'stop', freezeAnswerMs, signal))) return false;
  const runState = await tryRunState(guest, freezeAnswerMs, signal);
  return runState !== undefined && isHalted(runState);
}

/** Whether the guest can still do something about a request: its process runs, and it is not halted. */
async function canReact(guest: Guest, process: GuestProcess, signal: AbortSignal): Promise<boolean> {
  if ((await processState(process)) !== 'alive') return false;
  const runState = await tryRunState(guest, answerTimeoutMs, signal);
  return runState === undefined || !isHalted(runState);
}

async function tryRunState(
  guest: Guest,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    return await guest.monitor.runState({ timeoutMs, signal });
  } catch (error) {
    return ignoreSilence(guest, error, signal);
  }
}

/** False when QEMU did not do it. */
async function tryExecute(
  guest: Guest,
  command: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await guest.monitor.execute(command, { timeoutMs, signal });
    return true;
  } catch (error) {
    ignoreSilence(guest, error, signal);
    return false;
  }
}

/** What QEMU does not do when asked is done by other means; an abort is not ignored. */
function ignoreSilence(guest: Guest, error: unknown, signal: AbortSignal): undefined {
  signal.throwIfAborted();
  if (!(error instanceof QmpError)) throw error;
  guest.logger.debug({ code: error.code }, error.message);
}

async function finished(guest: Guest): Promise<Outcome> {
  await removeTraces(guest);
  return { kind: 'done' };
}
