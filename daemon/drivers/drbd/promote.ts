// Promotes a resource.
// Guarantees: refuses data that are not known to be good, unless forced; a resource that was not connected looks for
// its peer again afterwards, however the promotion ended, so that a peer that comes back is resynced.
// DRBD may call its fence-peer handler meanwhile, which asks this very daemon: nothing here may block, and only the
// caller's signal ends the wait.

import type { Outcome } from '../driver.ts';
import { nextForData, stateText } from './failure.ts';
import {
  aborted,
  carryOut,
  type DrbdContext,
  done,
  drbdadm,
  noneUnderWay,
  refusal,
  seen,
  shown,
} from './tool.ts';
import { type DrbdView, troubleText } from './types.ts';

/** After an abort: a command that gives the peer its way back, and takes no time. */
const reconnectTimeoutMs = 2000;

export function promoteWords(forced: boolean): readonly string[] {
  return forced ? ['primary', '--force'] : ['primary'];
}

export async function promote(context: DrbdContext, forced: boolean, signal: AbortSignal): Promise<Outcome> {
  const { logger, resource } = context;
  if (!(await noneUnderWay(context, 'primary', signal))) return aborted(context, 'an earlier promotion');
  const view = await seen(context, signal);
  if (signal.aborted) return aborted(context, 'the promotion');
  if (view.trouble !== null) {
    return { kind: 'failed', code: view.trouble.code, message: troubleText(view.trouble) };
  }
  if (view.storage.role === 'primary') return done;
  const objection = forced ? null : await dataRefusal(context, view, signal);
  if (objection !== null) return objection;
  if (forced) logger.warn({ disk: view.storage.disk }, 'promoted by force: an operator accepts these data');

  const isAlone = view.storage.connection !== 'connected';
  if (isAlone && view.storage.connection !== 'standalone') {
    // The session of a dead peer may be half open; DRBD would wait for it.
    const left = await carryOut(context, ['disconnect'], signal, ['already-standalone']);
    // Where it cannot be left, the promotion itself finds out whether the peer is there.
    if (left.kind === 'failed') logger.warn({ reason: left.message }, 'the peer could not be left');
    if (left.kind === 'unknown') {
      await reconnect(context);
      return left;
    }
  }
  try {
    const result = await drbdadm(context, promoteWords(forced), signal);
    if (result.exitCode !== 0) return await refusal(context, result, signal);
  } finally {
    if (isAlone) await reconnect(context);
  }
  await shown(context, ({ storage }) => storage.role === 'primary', signal);
  logger.info({ resource, forced }, 'promoted');
  return done;
}

async function dataRefusal(
  { resource, monitor }: DrbdContext,
  view: DrbdView,
  signal: AbortSignal,
): Promise<Outcome | null> {
  const { disk, connection, peerDisk } = view.storage;
  if (disk === 'up-to-date' || disk === 'consistent') return null;
  // Its disk has failed, and DRBD reads the peer's, which it knows to be good.
  if (disk === 'diskless' && connection === 'connected' && peerDisk === 'up-to-date') return null;
  const progress = await monitor.progress(resource, signal);
  const message = `${resource}: not promoted, ${stateText(view, progress)}; ${nextForData(resource, view, progress)}`;
  return { kind: 'failed', code: 'drbd-need-up-to-date', message };
}

/** Not within the caller's signal: the peer's way back matters most when things went wrong. */
export async function reconnect(context: DrbdContext): Promise<void> {
  const { resource, logger, debts } = context;
  const outcome = await seekPeer(context, ['connect'], AbortSignal.timeout(reconnectTimeoutMs));
  debts.connect = outcome.kind !== 'done';
  if (outcome.kind === 'done') return;
  const next = `drbdadm connect ${resource}   # it is tried again, too`;
  logger.error({ reason: outcome.message, next }, 'DRBD does not look for its peer again');
}

/** What a refusal means is seen by looking: somebody else may have connected it meanwhile. */
export async function seekPeer(
  context: DrbdContext,
  words: readonly string[],
  signal: AbortSignal,
): Promise<Outcome> {
  const outcome = await carryOut(context, words, signal);
  if (outcome.kind !== 'failed') return outcome;
  const { storage, trouble } = await seen(context, signal);
  const looksForIt = trouble === null && ['connecting', 'connected'].includes(storage.connection);
  return looksForIt ? done : outcome;
}
