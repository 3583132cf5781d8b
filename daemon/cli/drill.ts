// `battito drill`: proves without harm that what is needed in an emergency would work. The result is kept in the history.

import type { FenceDevice } from '../drivers/fence/device.ts';
import { devicesOf, readTimeoutMs } from '../drivers/fence/fence.ts';
import { BattitoError, exitCodes } from '../errors.ts';
import { usageError } from './arguments.ts';
import type { Command, Context } from './command.ts';
import { flag, jsonOption } from './command.ts';
import { type FencingHere, levelsOf, readFencing, record } from './fence-devices.ts';
import { powerText } from './fence-power.ts';
import { printJson } from './output.ts';
import { formatTook } from './time.ts';

export const drillCommand: Command = {
  name: 'drill',
  summary: 'prove without harm that fencing would work',
  usage: ['drill fence [--json]'],
  description: [
    'Asks each device that can switch the other node off for its status, tells it to switch on what is on already, and reads it again. That proves the way to the device and the password. Most agents leave alone what is on already: whether the user may switch is proven by them only when the node is really switched off. Run it on both nodes, as each has the devices of the other. It needs no daemon; with one, the result is kept in the history.',
  ],
  options: { json: jsonOption },
  examples: [{ command: 'battito drill fence', meaning: 'could this node switch the other one off?' }],
  exitCodes: {
    0: 'each device would do',
    1: 'at least one would not; the message says why',
    78: 'the configuration is wrong, or names no fencing device',
  },
  positionalsMax: 1,
  async run(context, args) {
    const [what] = args.positionals;
    if (what !== 'fence') {
      const message =
        what === undefined ? 'say which drill: fence' : `there is no drill "${what}"; expected fence`;
      throw usageError(message, drillCommand, 'battito drill fence');
    }
    return drillFence(context, flag(args, 'json'));
  },
};

interface Result {
  readonly device: string;
  readonly tookMs: number;
  /** Null: it would do. */
  readonly failure: string | null;
}

async function drillFence(context: Context, json: boolean): Promise<number> {
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
      next: 'battito check says what is wrong with the options; mend it and run the drill again',
    });
  }
  context.output.line(`${peer} can be switched off from here; now the same on ${peer}`);
  return exitCodes.ok;
}

async function drillDevices(here: FencingHere, signal: AbortSignal): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const device of devicesOf(levelsOf(here, here.peer))) {
    const beganAtMs = performance.now();
    const failure = await drillDevice(device, here.peer, signal);
    results.push({ device: device.name, tookMs: Math.round(performance.now() - beganAtMs), failure });
  }
  return results;
}

async function drillDevice(device: FenceDevice, node: string, signal: AbortSignal): Promise<string | null> {
  const patience = { timeoutMs: readTimeoutMs, signal };
  const before = await device.status(patience);
  // What is off stays off: a drill starts no host.
  if (before.kind === 'off')
    return `it says that ${node} is off: a drill proves something only while it is on`;
  if (before.kind === 'unknown') return powerText(before);
  const refusal = await device.turn('on', patience);
  if (refusal !== null) return refusal;
  const after = await device.status(patience);
  return after.kind === 'on' ? null : `its power is ${powerText(after)} after it was told to be on`;
}
