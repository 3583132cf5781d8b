// Gives a QEMU a unit of its own under systemd: a transient scope, made by systemd-run(1), which then becomes QEMU.
// Guarantees: a command that is aborted before it has become QEMU never does; whether it ran is told apart from
// whether systemd was willing, and a systemd that does not answer is not waited for.

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CommandResult, describeFailure, runCommand } from '../command.ts';
import type { GuestPaths } from './command.ts';

/** Is systemd the init of this host? As sd_booted(3) tells. */
export function systemdRuns(): boolean {
  return existsSync('/run/systemd/system');
}

/** Of the service, whose run directory this is; another daemon on the host has other guests, perhaps of this name. */
const serviceDirectory = '/run/battito/guests';

export function guestUnit(guestName: string, { directory, pidFile }: GuestPaths): string {
  if (directory === serviceDirectory) return `battito-guest-${guestName}.scope`;
  const unique = createHash('sha256').update(pidFile).digest('hex').slice(0, 6);
  return `battito-guest-${guestName}-${unique}.scope`;
}

/**
 * `argv` in a scope. Units stop in the reverse of the order in which they start: so at the host's shutdown the daemon
 * goes first, which hands the guests over; then what is left of them; then what their disks are on.
 */
export function buildUnitArgv(unit: string, guestName: string, argv: readonly string[]): readonly string[] {
  return [
    ...['systemd-run', '--scope', '--collect', `--unit=${unit}`, '--slice=machine.slice'],
    `--description=Guest ${guestName} of Battito`,
    '--property=Before=battito.service',
    '--property=After=local-fs.target remote-fs.target drbd.service drbd.target',
    '--',
    ...argv,
  ];
}

/** `refused`: there is no unit, and the command was not run, or was killed while it was not known to run. */
export type UnitRun =
  | { readonly kind: 'ran'; readonly result: CommandResult }
  | { readonly kind: 'refused'; readonly reason: string };

export interface UnitRunOptions {
  readonly unit: string;
  readonly guestName: string;
  /** Milliseconds for the command, and in them for systemd to begin it. */
  readonly timeoutMs: number;
  readonly unitTimeoutMs: number;
  readonly signal: AbortSignal;
}

/** A unit of the same name whose last process has just ended is gone a moment later. */
const againMs = 100;

/** Never rejects. */
export async function runInUnit(argv: readonly string[], options: UnitRunOptions): Promise<UnitRun> {
  // From version 254 on systemd-run may put variables in the place of such words.
  if (argv.some((word) => word.includes('$')))
    return { kind: 'refused', reason: 'there is a $ in its options' };
  const deadline = performance.now() + options.unitTimeoutMs;
  for (;;) {
    const run = await runOnce(argv, options, Math.max(0, deadline - performance.now()));
    const isTaken = run.kind === 'refused' && /was already loaded|already exists/.test(run.reason);
    if (!isTaken || performance.now() + againMs > deadline || options.signal.aborted) return run;
    await sleep(againMs);
  }
}

async function runOnce(
  argv: readonly string[],
  { unit, guestName, timeoutMs, signal }: UnitRunOptions,
  unitTimeoutMs: number,
): Promise<UnitRun> {
  const stuck = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const inUnit = buildUnitArgv(unit, guestName, argv);
  const result = await runCommand(inUnit, {
    timeoutMs,
    signal: AbortSignal.any([signal, stuck.signal]),
    onSpawn(pid) {
      timer = setTimeout(() => {
        void hasBecome(pid, argv[0] ?? '').then((itHas) => itHas || stuck.abort());
      }, unitTimeoutMs);
    },
  });
  clearTimeout(timer);
  if (stuck.signal.aborted) return { kind: 'refused', reason: `systemd made no ${unit} in time` };
  if (result.exitCode === 0 || result.timedOut || signal.aborted) return { kind: 'ran', result };
  // What was begun is told of before anything that it says itself.
  if (/^Running (scope )?as unit/m.test(result.stderr)) return { kind: 'ran', result };
  return { kind: 'refused', reason: describeFailure(inUnit.slice(0, 1), result) };
}

/** systemd-run makes the unit and then executes the command in its own place. */
async function hasBecome(pid: number, command: string): Promise<boolean> {
  const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return words === '' || basename(words.split('\0')[0] ?? '') === basename(command);
}
