// drbdadm for one resource: runs it, tries again where DRBD says that its state is just changing, and knows of
// promotions that still hang in the kernel. Nothing here decides what should be done.

import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { CommandResult } from '../command.ts';
import type { Outcome } from '../driver.ts';
import { explainRefusal, refusalOf } from './failure.ts';
import type { DrbdMonitor } from './monitor.ts';
import { runTool } from './run.ts';
import type { DrbdView, Trouble } from './types.ts';

/** What the actions of one resource work with. */
export interface DrbdContext {
  readonly resource: string;
  readonly monitor: DrbdMonitor;
  readonly logger: Logger;
  readonly procFile: string;
  /** The path of a volume's device. */
  readonly deviceOf: (minor: number) => string;
  /** What this driver took away and has not given back yet. */
  readonly debts: { attach: boolean; connect: boolean };
  /** It is being brought up, or looks for its peer: what it shows before is worth nothing. */
  rising: boolean;
  /** Why the module could not be loaded when that was tried last; null: it could, or was not tried. */
  unloadable: Trouble | null;
}

export const done: Outcome = { kind: 'done' };

const transientPauseMs = 250;
const transientTriesMax = 6;
const progressTimeoutMs = 1000;
const showTimeoutMs = 500;

/** `drbdadm WORDS RESOURCE`. */
export async function drbdadm(
  { resource, logger }: DrbdContext,
  words: readonly string[],
  signal: AbortSignal,
): Promise<CommandResult & { readonly argv: readonly string[] }> {
  const argv = drbdadmArgv(resource, words);
  for (let tries = 1; ; tries += 1) {
    const result = await runTool(argv, signal);
    logger.debug({ argv, exitCode: result.exitCode, stderr: result.stderr.trim() }, 'drbdadm');
    const isTransient = result.exitCode !== 0 && refusalOf(result) === 'transient';
    if (!isTransient || tries === transientTriesMax || signal.aborted) return { ...result, argv };
    await sleep(transientPauseMs, undefined, { signal }).catch(() => {}); // The next try tells of the abort.
  }
}

export function drbdadmArgv(resource: string, words: readonly string[]): readonly string[] {
  return ['drbdadm', ...words, resource];
}

/** Runs it and tells how it ended; `fine`: refusals that mean that there was nothing to do. */
export async function carryOut(
  context: DrbdContext,
  words: readonly string[],
  signal: AbortSignal,
  fine: readonly string[] = [],
): Promise<Outcome> {
  const result = await drbdadm(context, words, signal);
  if (result.exitCode === 0) return done;
  if (result.exitCode !== null && fine.includes(refusalOf(result))) return done;
  return await refusal(context, result, signal);
}

export async function refusal(
  context: DrbdContext,
  result: CommandResult & { readonly argv: readonly string[] },
  signal: AbortSignal,
): Promise<Outcome> {
  const { resource, monitor } = context;
  const view = signal.aborted ? monitor.current(resource) : await seen(context, signal);
  const progress = await monitor.progress(resource, AbortSignal.timeout(progressTimeoutMs));
  return explainRefusal({ resource, argv: result.argv, result, view, progress });
}

/** A look of its own; where that does not say anything, what the stream has. */
export async function seen({ resource, monitor }: DrbdContext, signal: AbortSignal): Promise<DrbdView> {
  const view = await monitor.look(resource, signal);
  const isBlind = view.trouble !== null && view.trouble.code !== 'drbd-resource-not-up';
  return isBlind ? monitor.current(resource) : view;
}

/** Until the stream shows it too, so that nobody sees the state of before after `done`. */
export async function shown(
  { resource, monitor }: DrbdContext,
  isSo: (view: DrbdView) => boolean,
  signal: AbortSignal,
): Promise<void> {
  await monitor.waitFor(resource, isSo, { timeoutMs: showTimeoutMs, signal });
}

/** Looks again and again. False: not so within `timeoutMs`, or aborted. */
export async function becomes(
  context: DrbdContext,
  isSo: (view: DrbdView) => boolean,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (!signal.aborted) {
    const view = await context.monitor.look(context.resource, signal);
    if (view.trouble === null && isSo(view)) return true;
    if (performance.now() >= deadline) return false;
    await sleep(100, undefined, { signal }).catch(() => {});
  }
  return false;
}

const tools: ReadonlySet<string> = new Set(['drbdadm', 'drbdadm-84', 'drbdsetup', 'drbdsetup-84']);

/**
 * Does a process carry out this command on the resource right now? Whoever started it: this daemon, that gave it up, an
 * earlier one, a person. While the kernel runs the fence-peer handler for a promotion, it cannot be killed.
 */
async function isUnderWay({ resource, monitor }: DrbdContext, word: string): Promise<boolean> {
  const minors = monitor.current(resource).detail?.minors ?? [];
  const names = new Set([resource, ...minors.flatMap((minor) => [`${minor}`, `/dev/drbd${minor}`])]);
  const pids = (await readdir('/proc').catch((): string[] => [])).filter((entry) => /^\d+$/.test(entry));
  const found = await Promise.all(
    pids.map(async (pid) => {
      // Never the command line of just any process: reading that waits for one that hangs in a page fault.
      const name = (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim();
      if (!tools.has(name)) return false;
      const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
      return words.includes(word) && words.some((one) => names.has(one));
    }),
  );
  return found.includes(true);
}

/**
 * What an earlier command with this word does may come as long as it has not ended, so what undoes it waits for that.
 * False: aborted before the last of them had ended.
 */
export async function noneUnderWay(
  context: DrbdContext,
  word: string,
  signal: AbortSignal,
): Promise<boolean> {
  for (;;) {
    if (!(await isUnderWay(context, word))) return true;
    if (signal.aborted) return false;
    await sleep(100, undefined, { signal }).catch(() => {});
  }
}

export function aborted({ resource }: DrbdContext, what: string): Outcome {
  return { kind: 'unknown', message: `${resource}: ${what} did not end in time` };
}
