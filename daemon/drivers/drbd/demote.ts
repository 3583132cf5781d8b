// Demotes a resource: in order, or at once with what DRBD holds back thrown away.
// Guarantees: `done` only when it is seen as secondary, or as not there, and no promotion is under way any more; held
// open, it names who holds it; IO that is held back is never let through to a disk or a peer.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Outcome } from '../driver.ts';
import { refusalOf } from './failure.ts';
import { describeHolders, holdersOf } from './holders.ts';
import { readDrbdKernel } from './kernel.ts';
import {
  aborted,
  becomes,
  carryOut,
  type DrbdContext,
  done,
  drbdadm,
  noneUnderWay,
  refusal,
  seen,
  shown,
} from './tool.ts';
import type { DrbdView } from './types.ts';

/** udev, multipath, LVM and guests on their way out let go within seconds. */
const pauseMsMin = 250;
const pauseMsMax = 2000;
const patienceMs = 10_000;
const detachTimeoutMs = 3000;
const disconnectTimeoutMs = 3000;

export async function demote(context: DrbdContext, signal: AbortSignal): Promise<Outcome> {
  const start = await readyToDemote(context, signal);
  if (start.kind === 'over') return start.outcome;
  return await demoteWithPatience(context, ['secondary'], start.view, signal);
}

type Ready =
  | { readonly kind: 'over'; readonly outcome: Outcome }
  /** Or may be. */
  | { readonly kind: 'primary'; readonly view: DrbdView };

/** What is not primary is down; so is what does not exist. */
async function readyToDemote(context: DrbdContext, signal: AbortSignal): Promise<Ready> {
  const over = (outcome: Outcome): Ready => ({ kind: 'over', outcome });
  if (!(await noneUnderWay(context, 'primary', signal))) {
    return over(aborted(context, "an earlier promotion, which waits for DRBD's fence-peer handler,"));
  }
  const view = await context.monitor.look(context.resource, signal);
  if (signal.aborted) return over(aborted(context, 'the demotion'));
  if (view.trouble !== null) {
    if (view.trouble.code === 'drbd-resource-not-up') return over(done);
    if ((await readDrbdKernel(context.procFile)).kind === 'not-loaded') return over(done); // No module, no device.
    // What the stream last said proves nothing; a demotion that succeeds does.
    context.logger.warn({ reason: view.trouble.what }, 'demoted without a look at it');
    return { kind: 'primary', view: context.monitor.current(context.resource) };
  }
  return view.storage.role === 'secondary' ? over(done) : { kind: 'primary', view };
}

async function demoteWithPatience(
  context: DrbdContext,
  words: readonly string[],
  view: DrbdView,
  signal: AbortSignal,
): Promise<Outcome> {
  const deadline = performance.now() + patienceMs;
  let who = '';
  for (let pauseMs = pauseMsMin; ; pauseMs = Math.min(2 * pauseMs, pauseMsMax)) {
    const result = await drbdadm(context, words, signal);
    if (result.exitCode === 0) break;
    const isHeld = result.exitCode !== null && refusalOf(result) === 'held-open';
    if (result.exitCode === null && who !== '') return heldAtTheEnd(context, who);
    if (!isHeld) return await refusal(context, result, signal);
    const leftMs = deadline - performance.now();
    // Looked for while there is time: the caller's deadline may be shorter than our patience.
    if (pauseMs > pauseMsMin || leftMs <= 0) who = await nameHolders(context, view);
    if (leftMs <= 0) return heldOpen(context, who);
    await sleep(Math.min(pauseMs, leftMs), undefined, { signal }).catch(() => {});
    if (signal.aborted) return heldAtTheEnd(context, who === '' ? await nameHolders(context, view) : who);
  }
  await shown(context, ({ storage }) => storage.role === 'secondary', signal);
  context.logger.info('demoted');
  return done;
}

async function nameHolders({ deviceOf }: DrbdContext, { detail }: DrbdView): Promise<string> {
  const minors = detail?.minors ?? [];
  const found = await Promise.all(minors.map((minor) => holdersOf({ device: deviceOf(minor) })));
  return describeHolders(found.flat());
}

function heldOpen({ resource }: DrbdContext, who: string): Outcome {
  const message = `${resource}: the device is held open by ${who}; close it, then: battito retry`;
  return { kind: 'failed', code: 'drbd-held-open', message };
}

function heldAtTheEnd({ resource }: DrbdContext, who: string): Outcome {
  return {
    kind: 'unknown',
    message: `${resource}: it was still held open when the time was over, by ${who}`,
  };
}

/**
 * At once. Nothing held back: as in order. Otherwise that IO is made to fail: with DRBD 8.4 the local disk is taken
 * away by force and the connection cut, and only when both are seen to be gone IO goes on, which then has nowhere to
 * go ("effectively a multi-stage forced down", drbd_nl.c drbd_adm_resume_io()). Whoever hung on it gets errors and
 * lets go. The kernel wants the resource torn down before it is attached again; that leaves it as after a crash:
 * no generation of its own, and the blocks in doubt resynced from the peer.
 */
export async function throwAway(context: DrbdContext, signal: AbortSignal): Promise<Outcome> {
  const start = await readyToDemote(context, signal);
  if (start.kind === 'over') {
    if (start.outcome.kind === 'done') await bringBack(context, signal);
    return start.outcome;
  }
  const { view } = start;
  const isHeldBack = (view.detail?.suspendedBy.length ?? 0) > 0;
  const kernel = await readDrbdKernel(context.procFile);
  const isNine = kernel.kind === 'loaded' && kernel.generation === '9';
  if (isHeldBack) context.logger.warn({ by: view.detail?.suspendedBy }, 'held-back IO is thrown away');
  if (isHeldBack && !isNine) {
    const failed = await failHeldBack(context, view, signal);
    if (failed !== null) return failed;
  }
  const words = isHeldBack && isNine ? ['secondary', '--force'] : ['secondary'];
  const outcome = await demoteWithPatience(context, words, view, signal);
  if (outcome.kind === 'done') await bringBack(context, signal);
  return outcome;
}

/**
 * Diskless, every volume: one that is Failed still has its disk as long as IO is under way there, and IO that goes on then
 * writes a generation to it (drbd_int.h get_ldev_if_state(): Failed is more than Attaching).
 */
function isGone({ detail }: DrbdView): boolean {
  return detail !== null && detail.disks.length > 0 && detail.disks.every((disk) => disk === 'Diskless');
}

/** Null: all held-back IO has failed. */
async function failHeldBack(
  context: DrbdContext,
  view: DrbdView,
  signal: AbortSignal,
): Promise<Outcome | null> {
  const { resource } = context;
  // First the disk: connected or not, no new generation can be written to it from here on.
  if (!isGone(view)) {
    context.debts.attach = true;
    const detached = await carryOut(context, ['detach', '--force'], signal, ['diskless']);
    if (detached.kind !== 'done') return detached;
  }
  if (!(await becomes(context, isGone, detachTimeoutMs, signal))) {
    if (signal.aborted) return aborted(context, 'taking its disk away');
    const message = `${resource}: its disk does not let go of its IO, so what is held back stays held back; look at the disk`;
    return { kind: 'failed', code: 'drbd-disk-hangs', message };
  }
  // By force: asked politely, a primary marks its peer's copy as outdated, and the peer is to take over.
  const cut = await carryOut(context, ['disconnect', '--force'], signal, ['already-standalone']);
  if (cut.kind !== 'done') return cut;
  const isAlone = (seenNow: DrbdView) => seenNow.storage.connection === 'standalone' && isGone(seenNow);
  if (!(await becomes(context, isAlone, disconnectTimeoutMs, signal))) {
    if (signal.aborted) return aborted(context, 'cutting its connection');
    const message = `${resource}: it does not let go of its peer, so what is held back stays held back; drbdadm disconnect --force ${resource}`;
    return { kind: 'failed', code: 'drbd-not-disconnected', message };
  }
  const resumed = await carryOut(context, ['resume-io'], signal);
  return resumed.kind === 'done' ? null : resumed;
}

/**
 * A demoted resource whose disk was taken away here gets it back; not one whose disk has failed. That it is demoted is
 * what counts for the caller, so what goes wrong here, or does not end in the caller's time, is said in the log and tried
 * again every few seconds: nobody asks for another destroy.
 */
export async function bringBack(context: DrbdContext, signal: AbortSignal): Promise<void> {
  if (!context.debts.attach) return;
  const { storage, trouble } = await seen(context, signal);
  if (trouble?.code !== 'drbd-resource-not-up') {
    if (storage.role !== 'secondary') return complain(context, 'it is not seen as secondary');
    const down = await carryOut(context, ['down'], signal, ['not-up']);
    if (down.kind !== 'done') return complain(context, down.message);
  }
  const up = await carryOut(context, ['up'], signal);
  if (up.kind !== 'done') return complain(context, up.message);
  context.debts.attach = false;
  context.logger.info('attached again after its IO was thrown away');
}

function complain({ logger, resource }: DrbdContext, reason: string): void {
  const next = `drbdadm down ${resource} && drbdadm up ${resource}`;
  logger.error({ reason, next }, 'the disk was not attached again');
}
