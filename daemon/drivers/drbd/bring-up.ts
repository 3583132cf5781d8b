// Brings a resource up at the daemon's start: the module loaded, `drbdadm up` where it is not up, a forgotten
// allow-two-primaries put back.
// Must not: adjust (it may cut a running connection), promote, or make metadata.

import type { Outcome } from '../driver.ts';
import { loadDrbdModule } from './kernel.ts';
import { aborted, carryOut, type DrbdContext, done, seen } from './tool.ts';
import { allowsTwo, forbidTwo } from './two-primaries.ts';
import { type DrbdView, troubleText } from './types.ts';

/** Only with its peer does DRBD know what the data here are worth; a peer that is there is found in this time. */
const seekingMs = 5000;

export async function ensureUp(context: DrbdContext, signal: AbortSignal): Promise<Outcome> {
  context.rising = true;
  try {
    return await bringUp(context, signal);
  } finally {
    context.rising = false;
  }
}

async function bringUp(context: DrbdContext, signal: AbortSignal): Promise<Outcome> {
  const { monitor, logger, resource } = context;
  const missing = await loadDrbdModule(signal, context.procFile);
  if (signal.aborted) return aborted(context, 'loading the module');
  context.unloadable = missing;
  if (missing !== null) return { kind: 'failed', code: missing.code, message: troubleText(missing) };
  monitor.nudge();
  const { trouble } = await seen(context, signal);
  if (trouble?.code === 'drbd-resource-not-up') {
    const up = await carryOut(context, ['up'], signal);
    if (up.kind !== 'done') return up;
    logger.info('brought up');
  } else if (trouble !== null) {
    if (signal.aborted) return aborted(context, 'the look at it');
    return { kind: 'failed', code: trouble.code, message: troubleText(trouble) };
  }
  const isSettled = ({ storage }: DrbdView) =>
    storage.role === 'primary' || storage.connection === 'connected';
  await monitor.waitFor(resource, isSettled, { timeoutMs: seekingMs, signal });
  const { storage, detail } = await seen(context, signal);
  if (storage.disk === 'diskless') {
    const next = `mend the disk under it, then: drbdadm attach ${resource}`;
    logger.error({ disks: detail?.disks, next }, 'it is up, but has no local disk');
  }
  // Where both are primary, a guest is on its way; then the daemon has it put back at the end of that.
  const areBoth = storage.role === 'primary' && storage.peerRole === 'primary';
  if (areBoth || (await allowsTwo(resource, signal)) !== true) return done;
  logger.warn('allow-two-primaries was left on, by a live migration that broke off; it is put back to no');
  return await forbidTwo(context, signal);
}
