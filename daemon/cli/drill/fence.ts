// `battito drill fence`: asks every device that can switch the other node off, without harm.

import type { FenceDevice } from '../../drivers/fence/device.ts';
import { type Share, sharesOf } from '../../drivers/fence/shares.ts';
import { BattitoError, exitCodes } from '../../errors.ts';
import type { Context } from '../command.ts';
import { type FencingHere, levelsOf, readFencing, record } from '../fence/devices.ts';
import { powerText } from '../fence/power.ts';
import { printJson } from '../output.ts';
import { formatTook } from '../time.ts';

interface Result {
  readonly device: string;
  readonly tookMs: number;
  /** Null: it would do. */
  readonly failure: string | null;
}

export async function drillFence(context: Context, json: boolean): Promise<number> {
  const here = await readFencing(context);
  const { peer } = here;
  const results = await context.interruptible((signal) => drillDevices(here, signal));
  const failed = results.filter(({ failure }) => failure !== null);
  const each = results.map(({ device, tookMs, failure }) =>
    failure === null ? `${device} would do (${formatTook(tookMs)})` : `${device}: ${failure}`,
  );
  const message = `drill: ${failed.length === 0 ? `${peer} can be switched off from here` : `${peer} could not be switched off by every device`}: ${each.join('; ')}`;
  const severity = failed.length === 0 ? 'info' : 'warning';
  const unrecorded = await record(context, { code: 'fence-drill', severity, message });
  if (json) {
    printJson(context.output, { node: peer, done: failed.length === 0, devices: results });
    return failed.length === 0 ? exitCodes.ok : exitCodes.failed;
  }
  for (const line of each) context.output.line(line);
  if (unrecorded !== null) context.output.problem(unrecorded);
  if (failed.length > 0) {
    throw new BattitoError('drill-failed', `${peer} could not be switched off by every device`, {
      next: 'battito check says what is wrong with the options, or the timeout; mend it and run the drill again',
    });
  }
  context.output.line(`${peer} can be switched off from here; now the same on ${peer}`);
  return exitCodes.ok;
}

async function drillDevices(here: FencingHere, signal: AbortSignal): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const [device, share] of sharesOf(levelsOf(here, here.peer), here.fencing.timeoutMs)) {
    const beganAtMs = performance.now();
    const failure = await drillDevice(device, here.peer, share, signal);
    results.push({ device: device.name, tookMs: Math.round(performance.now() - beganAtMs), failure });
  }
  return results;
}

/** Each call has the time that it would have in earnest. */
async function drillDevice(
  device: FenceDevice,
  node: string,
  { tellingMs, readingMs }: Share,
  signal: AbortSignal,
): Promise<string | null> {
  const before = await device.status({ timeoutMs: readingMs, signal });
  // What is off stays off: a drill starts no host.
  if (before.kind === 'off')
    return `it says that ${node} is off: a drill proves something only while it is on`;
  if (before.kind === 'unknown') return powerText(before);
  const refusal = await device.turn('on', { timeoutMs: tellingMs, signal });
  if (refusal !== null) return refusal;
  const after = await device.status({ timeoutMs: readingMs, signal });
  return after.kind === 'on' ? null : `its power is ${powerText(after)} after it was told to be on`;
}
