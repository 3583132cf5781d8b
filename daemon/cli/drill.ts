// `battito drill`: proves without harm that what is needed in an emergency would work. The result is kept in the history.

import { devicesOf, readTimeoutMs } from '../drivers/fence/fence.ts';
import { BattitoError, exitCodes } from '../errors.ts';
import { usageError } from './arguments.ts';
import type { Command, Context } from './command.ts';
import { flag, jsonOption } from './command.ts';
import { levelsOf, readFencing, record } from './fence-devices.ts';
import { powerText, switchOn } from './fence-power.ts';
import { printJson } from './output.ts';
import { formatTook } from './time.ts';

export const drillCommand: Command = {
  name: 'drill',
  summary: 'prove without harm that fencing would work',
  usage: ['drill fence [--json]'],
  description: [
    'Asks each device that can switch the other node off for its status, tells it to switch on what is on already, and reads it again. That proves the way to the device, the password, and that it may switch: all that it would need to switch the node off. Run it on both nodes, as each has the devices of the other. It needs no daemon; with one, the result is kept in the history.',
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

async function drillDevices(
  here: Parameters<typeof levelsOf>[0],
  signal: AbortSignal,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const device of devicesOf(levelsOf(here, here.peer))) {
    const beganAtMs = performance.now();
    const before = await device.status({ timeoutMs: readTimeoutMs, signal });
    // What is off stays off: a drill does not start a host.
    const off = `it says that ${here.peer} is off: a drill proves something only while it is on`;
    const failure =
      before.kind === 'on' ? await switchOn(device, signal) : before.kind === 'off' ? off : powerText(before);
    results.push({ device: device.name, tookMs: Math.round(performance.now() - beganAtMs), failure });
  }
  return results;
}
