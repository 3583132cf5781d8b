// Power, by hand: read, switched on, switched off. The devices are asked from here, so a dead daemon is no obstacle.

import type { Status } from '../../control/api.ts';
import type { FenceDevice, PowerState } from '../../drivers/fence/device.ts';
import { type DeviceReading, devicesOf, readDevices, readTimeoutMs } from '../../drivers/fence/fence.ts';
import { powerOff } from '../../drivers/fence/power-off.ts';
import { BattitoError, exitCodes } from '../../errors.ts';
import { usageError } from '../arguments.ts';
import type { Arguments, Command, Context } from '../command.ts';
import { flag } from '../command.ts';
import { assertCanConfirm, confirm } from '../confirm.ts';
import { printJson } from '../output.ts';
import { formatTook } from '../time.ts';
import { checkNode, type FencingHere, levelsOf, readFencing, record } from './devices.ts';

/** Of a node, said of what needs a person's word. */
export const powerCut = 'its power is cut';

export async function showPower(
  context: Context,
  args: Arguments,
  command: Command,
  node: string | undefined,
): Promise<number> {
  const here = await readFencing(context);
  const nodes = node === undefined ? here.nodes : [checkNode(node, here.nodes, 'status', command)];
  const rows = await context.interruptible(async (signal) => {
    const found: ({ readonly node: string } & DeviceReading)[] = [];
    for (const name of nodes) {
      const readings = await readDevices(devicesOf(levelsOf(here, name)), signal);
      found.push(...readings.map((reading) => ({ node: name, ...reading })));
    }
    return found;
  });
  if (flag(args, 'json')) {
    printJson(context.output, {
      devices: rows.map(({ node: of, device, state, tookMs }) => ({
        ...{ node: of, device, power: state.kind, tookMs: Math.round(tookMs) },
        message: state.kind === 'unknown' ? state.message : null,
      })),
    });
  } else {
    const widths = [rows.map((row) => row.node), rows.map((row) => row.device)].map((column) =>
      Math.max(...column.map(({ length }) => length)),
    );
    for (const { node: of, device, state, tookMs } of rows) {
      const names = `${of.padEnd(widths[0] ?? 0)}  ${device.padEnd(widths[1] ?? 0)}`;
      context.output.line(`${names}  ${powerText(state)}  (${formatTook(Math.round(tookMs))})`);
    }
  }
  return rows.every(({ state }) => state.kind !== 'unknown') ? exitCodes.ok : exitCodes.failed;
}

export function powerText(state: PowerState): string {
  return state.kind === 'unknown' ? `unknown: ${state.message}` : state.kind;
}

/** All of its devices, those that were last in line first: a BMC without power answers nothing. */
export async function turnOn(
  context: Context,
  args: Arguments,
  command: Command,
  name: string | undefined,
): Promise<number> {
  const here = await readFencing(context);
  const node = checkNode(name, here.nodes, 'on', command);
  const failures = await context.interruptible((signal) => powerOn(here, node, signal));
  if (failures.length === 0) return told(context, args, 'fence-on', `${node} is switched on`);
  const message = `${node} is not switched on by every device: ${failures.join('; ')}`;
  await record(context, { code: 'fence-on', severity: 'warning', message });
  throw new BattitoError('not-powered-on', message, {
    next: `mend the device, or press the power button of ${node}; then: battito fence status ${node}`,
  });
}

/** By all of its devices. @returns those that do not read on, each with why */
export async function powerOn(here: FencingHere, node: string, signal: AbortSignal): Promise<string[]> {
  const failed: string[] = [];
  for (const device of devicesOf(levelsOf(here, node)).toReversed()) {
    const failure = await switchOn(device, signal);
    if (failure !== null) failed.push(`${device.name}: ${failure}`);
  }
  return failed;
}

/** Null: it reads on. */
async function switchOn(device: FenceDevice, signal: AbortSignal): Promise<string | null> {
  const patience = { timeoutMs: readTimeoutMs, signal };
  const refusal = await device.turn('on', patience);
  const state = await device.status(patience);
  if (state.kind === 'on') return null;
  if (refusal !== null) return refusal;
  return state.kind === 'off' ? 'it says that it has done so, but its status says off' : state.message;
}

export async function turnOff(
  context: Context,
  args: Arguments,
  command: Command,
  name: string | undefined,
): Promise<number> {
  const here = await readFencing(context);
  const node = checkNode(name, here.nodes, 'off', command);
  await checkMayBeCut(context, args, command, here, node);
  const options = { node, deadlineMs: here.fencing.timeoutMs };
  const outcome = await context.interruptible((signal) =>
    powerOff(levelsOf(here, node), { ...options, signal }),
  );
  if (outcome.kind === 'done')
    return told(context, args, 'fence-off', `${node} is switched off, and reads off`);
  const message = `${node} is not proven off: ${outcome.message}`;
  await record(context, { code: 'fence-off', severity: 'alarm', message });
  const next = `pull the plug of ${node}; when you have seen that it has no power: battito fence confirm ${node}`;
  throw new BattitoError(outcome.code, message, { next });
}

async function checkMayBeCut(
  context: Context,
  args: Arguments,
  command: Command,
  { self, peer }: FencingHere,
  node: string,
): Promise<void> {
  if (node === self) {
    const message = `${self} is this node: it does not cut its own power`;
    throw usageError(message, command, `battito fence off ${peer}`);
  }
  const status = await statusIfAny(context);
  const isHeard = status !== null && ['alive', 'late'].includes(status.verdict.kind);
  if (isHeard && !flag(args, 'although-it-runs')) {
    const held = status.groups.filter(({ runsOn }) => runsOn === node).map((group) => group.name);
    const what = held.length === 0 ? 'nothing' : held.join(', ');
    throw new BattitoError('power-not-cut', `${node} is alive and runs ${what}: its power is not cut`, {
      next:
        held.length === 0
          ? `shut it down in order: on ${node}: systemctl poweroff; or add --although-it-runs`
          : `battito takeover brings it here in order; or, if ${node} does not obey, add --although-it-runs`,
    });
  }
  const words = `battito fence off ${node}`;
  assertCanConfirm(context, args, command, { name: node, deed: powerCut, words });
  const known = status === null ? `No daemon answers here, so nobody knows what ${node} runs. ` : '';
  const assertion = `${known}The power of ${node} is cut at once: whatever runs there ends as in a power failure.`;
  await confirm(context, args, assertion, node);
}

/** Null: nobody to ask. */
async function statusIfAny({ client }: Context): Promise<Status | null> {
  try {
    return await client.status();
  } catch (error) {
    if (!(error instanceof BattitoError)) throw error;
    return null;
  }
}

async function told(
  context: Context,
  args: Arguments,
  code: 'fence-on' | 'fence-off',
  message: string,
): Promise<number> {
  const unrecorded = await record(context, { code, severity: 'warning', message });
  if (flag(args, 'json')) printJson(context.output, { done: true, message });
  else context.output.line(message);
  if (unrecorded !== null && !flag(args, 'json')) context.output.problem(unrecorded);
  return exitCodes.ok;
}
