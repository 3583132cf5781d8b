// Takes a filesystem down, with patience for what lets go of it late; then says who does not.
// Guarantees: `done` only when the kernel runs it no more, so that what is under it can be handed over.
//
// Both stop and destroy unmount, and nothing else, since nothing else is honest. `umount -l` takes the name away and
// leaves the filesystem running, with writes to come, where neither we nor a person can see it. `umount -f` does nothing
// to a filesystem on a disk. Killing whoever holds it would be the end of a backup or of a person's shell, and is for a
// person to decide; guests, whose end was decided, are destroyed before. What destroy has is less patience.

import { setTimeout as sleep } from 'node:timers/promises';
import { describeHolders, holdersOf } from '../drbd/holders.ts';
import type { Outcome } from '../driver.ts';
import type { Filesystem } from './filesystem.ts';
import { mountArgv } from './start.ts';

export interface Patience {
  readonly totalMs: number;
  readonly pauseMsMin: number;
  readonly pauseMsMax: number;
  /**
   * Where our own mount could be taken away, but somebody else's view of the mounts holds on to the filesystem: put ours
   * back. A handover that is blocked by this is undone, and then finds its filesystem where it was.
   */
  readonly putsBack: boolean;
}

/** udev, a monitoring agent, a guest on its way out: most let go within seconds. */
export const patienceOfStop: Patience = {
  totalMs: 10_000,
  pauseMsMin: 250,
  pauseMsMax: 2000,
  putsBack: true,
};
/** Short of the core's deadline for destroying, so that the holders are still named. */
export const patienceOfDestroy: Patience = {
  totalMs: 3000,
  pauseMsMin: 100,
  pauseMsMax: 500,
  putsBack: false,
};

/** One attempt: over, or why it was in vain and whether it is worth another one. */
type Attempt =
  | { readonly kind: 'over'; readonly outcome: Outcome }
  | { readonly kind: 'in-vain'; readonly code: string; readonly message: string; readonly held: boolean };

export async function stopFilesystem(
  filesystem: Filesystem,
  signal: AbortSignal,
  patience: Patience,
): Promise<Outcome> {
  const deadline = performance.now() + patience.totalMs;
  const progress = { tookAway: false };
  for (let pauseMs = patience.pauseMsMin; ; pauseMs = Math.min(2 * pauseMs, patience.pauseMsMax)) {
    const attempt = await unmount(filesystem, signal, progress);
    if (attempt.kind === 'over') return attempt.outcome;
    const leftMs = deadline - performance.now();
    if (leftMs <= 0) {
      const outcome = await giveUp(filesystem, attempt, patience);
      const putsBack = patience.putsBack && progress.tookAway && attempt.code === 'filesystem-still-run';
      return putsBack ? await putBack(filesystem, outcome, signal) : outcome;
    }
    await sleep(Math.min(pauseMs, leftMs), undefined, { signal });
  }
}

async function unmount(
  filesystem: Filesystem,
  signal: AbortSignal,
  progress: { tookAway: boolean },
): Promise<Attempt> {
  const { config, runner } = filesystem;
  for (;;) {
    // A mount under way could still bring it up, an unmounting one still writes.
    const hanging = runner.hanging();
    if (hanging !== undefined) return inVain('command-hangs', hanging);
    const finding = await filesystem.look();
    if (finding.kind === 'unmounted') return { kind: 'over', outcome: { kind: 'done' } };
    if (finding.kind === 'unreadable')
      return { kind: 'over', outcome: { kind: 'unknown', message: finding.message } };
    if (finding.kind === 'wrong') {
      // What others mounted, or mounted elsewhere, is theirs to take away.
      if (finding.code === 'filesystem-still-run') return inVain(finding.code, finding.message, true);
      if (finding.code !== 'filesystem-read-only') return inVain(finding.code, finding.message);
    }
    const argv = unmountArgv(config.mount);
    const result = await runner.run(argv, signal);
    if (result.kind === 'cut-off')
      return { kind: 'over', outcome: { kind: 'unknown', message: result.message } };
    if (result.kind === 'broken') {
      const code = result.missing ? 'command-missing' : 'umount-failed';
      return { kind: 'over', outcome: { kind: 'failed', code, message: result.message } };
    }
    if (result.exitCode !== 0) {
      const isBusy = /target is busy/.test(result.said);
      const message = `${argv.join(' ')}: exit ${result.exitCode}: ${result.said}`;
      return inVain(isBusy ? 'filesystem-busy' : 'umount-failed', message, isBusy);
    }
    progress.tookAway = true; // Looked at again: it may have been mounted twice.
  }
}

export function unmountArgv(mount: string): readonly string[] {
  return ['umount', mount];
}

function inVain(code: string, message: string, held = false): Attempt {
  return { kind: 'in-vain', code, message, held };
}

async function giveUp(
  { config, findTarget }: Filesystem,
  { code, message, held }: Extract<Attempt, { readonly kind: 'in-vain' }>,
  { totalMs }: Patience,
): Promise<Outcome> {
  const lead = `${config.mount} could not be unmounted within ${totalMs / 1000} s`;
  if (code === 'command-hangs') return { kind: 'unknown', message: `${lead}: ${message}` };
  if (!held) return { kind: 'failed', code, message: `${lead}: ${message}` };
  const { mountPoint: mount } = await findTarget();
  const who = describeHolders(await holdersOf({ device: config.device, mount }));
  return { kind: 'failed', code, message: `${lead}: held open by ${who}` };
}

async function putBack(
  { config, runner }: Filesystem,
  outcome: Outcome,
  signal: AbortSignal,
): Promise<Outcome> {
  if (outcome.kind !== 'failed') return outcome;
  const result = await runner.run(mountArgv(config), signal);
  const isBack = result.kind === 'ended' && result.exitCode === 0;
  const why = result.kind === 'ended' ? result.said : result.message;
  const after = isBack ? 'it was mounted here again' : `it could not be mounted here again: ${why}`;
  return { ...outcome, message: `${outcome.message}; ${after}` };
}
