// May a resource be primary on both nodes: only while a guest moves from one to the other as it runs.
// Guarantees: allowed only where a connection that is lost holds back all IO (resource-and-stonith), since two primaries
// that go on without each other part for good. Must not: promote, or decide when the time has come.

import { runCommand } from '../command.ts';
import type { Outcome } from '../driver.ts';
import { parseConfigText } from './config-text.ts';
import { type DrbdOptions, optionsOf } from './options.ts';
import { aborted, carryOut, type DrbdContext, done, noneUnderWay } from './tool.ts';

const showTimeoutMs = 5000;

const allowing = '--allow-two-primaries=yes';

export function twoPrimariesWords(allowed: boolean): readonly string[] {
  return ['net-options', '--protocol=C', allowed ? allowing : '--allow-two-primaries=no'];
}

export async function allowTwo(context: DrbdContext, signal: AbortSignal): Promise<Outcome> {
  const options = await liveOptions(context.resource, signal);
  if (options === null) {
    const message = `${context.resource}: how it is set up cannot be told: drbdsetup show ${context.resource}`;
    return { kind: 'failed', code: 'drbd-not-readable', message };
  }
  const { protocol, fencing } = options;
  if (protocol !== 'C' || fencing !== 'resource-and-stonith') {
    const message = `${context.resource}: a live migration needs protocol C and fencing resource-and-stonith, not ${protocol} and ${fencing}; battito check says what to set`;
    return { kind: 'failed', code: 'drbd-not-for-two', message };
  }
  return await carryOut(context, twoPrimariesWords(true), signal);
}

/**
 * DRBD refuses it as long as both are primary. Where it is not allowed, nothing of its options is touched; of a resource that
 * stands alone DRBD 8.4 has forgotten what was set, and looks for its peer again as its files say.
 */
export async function forbidTwo(context: DrbdContext, signal: AbortSignal): Promise<Outcome> {
  if (!(await noneUnderWay(context, allowing, signal)))
    return aborted(context, 'an earlier command that allows two primaries');
  if ((await allowsTwo(context.resource, signal)) === false) return done;
  return await carryOut(context, twoPrimariesWords(false), signal, ['already-standalone', 'not-up']);
}

/** What is left on, by a daemon that died in the midst of it. Null: it cannot be told. */
export async function allowsTwo(resource: string, signal: AbortSignal): Promise<boolean | null> {
  const options = await liveOptions(resource, signal);
  return options === null ? null : options.allowTwoPrimaries;
}

async function liveOptions(resource: string, signal: AbortSignal): Promise<DrbdOptions | null> {
  const argv = ['drbdsetup', 'show', resource];
  const { exitCode, stdout } = await runCommand(argv, { timeoutMs: showTimeoutMs, signal });
  return exitCode === 0 ? optionsOf(parseConfigText(stdout)) : null;
}
