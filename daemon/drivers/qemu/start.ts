// Brings a guest up: QEMU started detached and halted, its tap put on the bridge, then let run.
// Guarantees: never a second QEMU for a guest; until `cont` nothing of the guest has run, so a failure before it is
// cleaned up and leaves nothing; after `cont` a doubt is `unknown` and is left for the next look.

import { mkdir } from 'node:fs/promises';
import { type CommandResult, describeFailure, runCommand } from '../command.ts';
import type { Outcome } from '../driver.ts';
import { buildQemuArgv, buildTapArgv } from './command.ts';
import { endsAfter, findGuest, type Guest, removeTraces } from './guest.ts';
import { type GuestProcess, scanGuestProcesses, signalGuest, waitForState } from './process.ts';
import { QmpError } from './qmp.ts';
import { runInUnit } from './unit.ts';

const ipTimeoutMs = 5000;
const answerTimeoutMs = 2000;
const killTimeoutMs = 5000;
/** systemd answers in some hundredths of a second; a guest does not stay down because it does not. */
const unitTimeoutMs = 5000;

export async function startGuest(guest: Guest, signal: AbortSignal): Promise<Outcome> {
  const existing = await findGuest(guest);
  if (existing !== undefined) {
    const outcome = await judgeExisting(guest, existing, signal);
    if (outcome !== 'replace') return outcome;
    guest.logger.warn({ pid: existing.pid }, 'the QEMU of an earlier start is replaced');
    if (!(await killGuest(guest))) return stillThere(guest);
  }
  await removeTraces(guest);
  const missing = await checkBridge(guest, signal);
  if (missing !== undefined) return missing;
  await mkdir(guest.paths.directory, { recursive: true, mode: 0o700 });
  const own = AbortSignal.timeout(guest.config.startTimeoutMs);
  const deadline = AbortSignal.any([signal, own]);
  const outcome = await launch(guest, buildQemuArgv(guest.config, guest.paths), signal, deadline);
  if (guest.config.accel !== 'auto' || outcome.kind !== 'failed' || outcome.code !== 'qemu-refused')
    return outcome;
  // There are hosts whose KVM opens, so that QEMU takes it, and then breaks it: slow is better than down.
  guest.logger.warn({ message: outcome.message }, 'QEMU refused; trying once more without KVM');
  const argv = buildQemuArgv({ ...guest.config, accel: 'tcg' }, guest.paths);
  return await launch(guest, argv, signal, deadline);
}

/** SIGKILL for every process of the guest. False: one is still there, or cannot be told to be gone. */
export async function killGuest(guest: Guest): Promise<boolean> {
  const processes = [...(await scanGuestProcesses(guest.paths.pidFile))];
  if (guest.known !== undefined) processes.push(guest.known);
  for (const one of processes) await signalGuest(one, guest.paths.pidFile, 'SIGKILL');
  const gone = await Promise.all(processes.map((one) => waitForState(one, 'gone', killTimeoutMs)));
  if (gone.includes(false)) return false;
  await removeTraces(guest);
  return true;
}

export function stillThere(guest: Guest): Outcome {
  return { kind: 'unknown', message: `guest ${guest.config.name}: QEMU was killed but is not gone` };
}

/** Puts the guest's tap on its bridge; harmless when it is there. */
export async function attachTap(guest: Guest, signal: AbortSignal): Promise<Outcome> {
  const argv = buildTapArgv(guest.config, guest.paths);
  if (argv === undefined) return { kind: 'done' };
  const result = await runCommand(argv, { timeoutMs: ipTimeoutMs, signal });
  if (result.exitCode === 0) return { kind: 'done' };
  return { kind: 'failed', code: 'tap-failed', message: describeFailure(argv, result) };
}

/** Lets the processors run and makes sure that they do. */
export async function continueGuest(guest: Guest, signal: AbortSignal): Promise<Outcome> {
  try {
    await guest.monitor.execute('cont', { timeoutMs: answerTimeoutMs, signal });
    const runState = await guest.monitor.runState({ timeoutMs: answerTimeoutMs, signal });
    if (runState === 'running') return { kind: 'done' };
    const message = `guest ${guest.config.name}: continued, but QEMU reports ${runState}`;
    return { kind: 'failed', code: 'guest-not-running', message };
  } catch (error) {
    if (!(error instanceof QmpError)) throw error;
    const message = `guest ${guest.config.name}: ${error.message}`;
    if (error.code === 'qmp-refused') return { kind: 'failed', code: 'guest-not-running', message };
    return { kind: 'unknown', message };
  }
}

/**
 * A QEMU that has not run yet has no memory to lose, but it read its disk's tables when it was started, and they
 * may have changed since: it is replaced. So is one that ends while it is asked. One that is paused holds a memory that
 * may be older than its disk, or the only copy of it: whether to resume or to destroy it is not for a start to decide.
 */
async function judgeExisting(
  guest: Guest,
  existing: GuestProcess,
  signal: AbortSignal,
): Promise<Outcome | 'replace'> {
  const { name } = guest.config;
  try {
    const runState = await guest.monitor.runState({ timeoutMs: answerTimeoutMs, signal });
    if (runState === 'running') return { kind: 'done' };
    if (runState === 'prelaunch') return 'replace';
    const message = `guest ${name} is there but ${runState} (pid ${existing.pid}): resume or destroy it first`;
    return { kind: 'failed', code: 'guest-not-running', message };
  } catch (error) {
    if (!(error instanceof QmpError)) throw error;
    if (await endsAfter(error, existing)) return 'replace';
    const message = `guest ${name} may be running (pid ${existing.pid}), its monitor does not answer: ${error.message}`;
    return { kind: 'unknown', message };
  }
}

async function checkBridge(guest: Guest, signal: AbortSignal): Promise<Outcome | undefined> {
  const bridge = guest.config.network?.bridge;
  if (bridge === undefined) return undefined;
  const argv = ['ip', '-json', '-details', 'link', 'show', 'dev', bridge];
  const result = await runCommand(argv, { timeoutMs: ipTimeoutMs, signal });
  if (signal.aborted) return { kind: 'unknown', message: `${argv.join(' ')}: aborted` };
  if (result.exitCode === 0 && /"info_kind":\s*"bridge"/.test(result.stdout)) return undefined;
  const why = result.exitCode === 0 ? `${bridge} is not a bridge` : describeFailure(argv, result);
  return { kind: 'failed', code: 'bridge-missing', message: `guest ${guest.config.name}: ${why}` };
}

async function launch(
  guest: Guest,
  argv: readonly string[],
  signal: AbortSignal,
  deadline: AbortSignal,
): Promise<Outcome> {
  const result = await runQemu(guest, argv, deadline);
  if (result === undefined) return stillThere(guest);
  let failure: Outcome | undefined;
  if (result.exitCode !== 0) failure = describeLaunchFailure(guest, result);
  if (failure === undefined) {
    const tap = await attachTap(guest, deadline);
    if (tap.kind !== 'done') failure = tap;
  }
  if (failure === undefined && !deadline.aborted) {
    guest.known = await findGuest(guest);
    const outcome = await continueGuest(guest, deadline);
    if (outcome.kind !== 'failed') return outcome;
    failure = outcome;
  }
  if (!(await killGuest(guest))) return stillThere(guest);
  const { name } = guest.config;
  if (signal.aborted) return { kind: 'unknown', message: `guest ${name}: start aborted and cleaned up` };
  if (failure !== undefined && !deadline.aborted) return failure;
  const message = `guest ${name}: not started within ${guest.config.startTimeoutMs} ms`;
  return { kind: 'failed', code: 'start-timed-out', message };
}

/**
 * In a unit of its own; where systemd makes none, where the daemon is, as on a host without systemd. Undefined: of the
 * first attempt a process is left that cannot be killed.
 */
async function runQemu(
  guest: Guest,
  argv: readonly string[],
  deadline: AbortSignal,
): Promise<CommandResult | undefined> {
  const { config, unit } = guest;
  const options = { timeoutMs: config.startTimeoutMs, signal: deadline };
  if (unit === null) return await runCommand(argv, options);
  const half = config.startTimeoutMs / 2;
  const unitOptions = {
    ...options,
    unit,
    guestName: config.name,
    unitTimeoutMs: Math.min(unitTimeoutMs, half),
  };
  const run = await runInUnit(argv, unitOptions);
  if (run.kind === 'ran') return run.result;
  guest.logger.warn({ unit, reason: run.reason }, 'the guest gets no unit of its own; it is started without');
  return (await killGuest(guest)) ? await runCommand(argv, options) : undefined;
}

function describeLaunchFailure(guest: Guest, result: CommandResult): Outcome {
  const { name } = guest.config;
  if (result.startError === 'ENOENT') {
    const message = `guest ${name}: qemu-system-x86_64 is not installed`;
    return { kind: 'failed', code: 'qemu-missing', message };
  }
  // QEMU says `PROGRAM: -OPTION ARGUMENT: what`, after warnings and sometimes before an advice.
  const lines = result.stderr
    .split('\n')
    .filter((line) => line.trim() !== '' && !/: warning: |^Running (scope )?as unit/.test(line))
    .map((line) => line.replace(/^qemu-system-\S+: (-\S+ .*?: )?/, ''));
  const said = lines.slice(0, 3).join('; ') || `QEMU ended with ${result.exitCode ?? 'a signal'}`;
  const code = /Failed to get .* lock/.test(said) ? 'disk-locked' : 'qemu-refused';
  return { kind: 'failed', code, message: `guest ${name}: ${said}` };
}
