// The word of a person that the peer has no power: what it asserts, the name typed for it, and who said so. Its devices are
// asked first, as far as they answer: the person may have looked at another host.

import { devicesOf, readDevices } from '../../drivers/fence/fence.ts';
import { BattitoError, exitCodes } from '../../errors.ts';
import { usageError } from '../arguments.ts';
import type { Arguments, Command, Context } from '../command.ts';
import { flag } from '../command.ts';
import { assertCanConfirm, confirm } from '../confirm.ts';
import { judgeRunningHere } from '../running-here.ts';
import { runMove } from '../wait.ts';
import { whoTyped } from '../who.ts';
import { levelsOf, readFencing } from './devices.ts';

/** A device that has died with its host keeps nobody waiting for longer, all of them together. */
const readingMsMax = 10_000;

export async function confirmPeerOff(
  context: Context,
  args: Arguments,
  command: Command,
  node: string | undefined,
): Promise<number> {
  const status = await context.client.status();
  const { name: peer } = status.peer;
  const force = flag(args, 'although-it-answers');
  const although = ['although-it-answers', 'although-it-reads-on'].filter((name) => flag(args, name));
  const words = ['battito fence confirm', peer, ...although.map((name) => `--${name}`)].join(' ');
  if (node === undefined) throw usageError('confirm needs the name of the node that is off', command, words);
  if (node !== peer) throw usageError(`"${node}" is not the other node; that is ${peer}`, command, words);
  assertCanConfirm(context, args, command, { name: node, deed: 'it is taken to be off', words });
  if (!flag(args, 'although-it-reads-on')) await assertNoneReadsOn(context, node);
  const assertion = `You say that ${node} has no power. If ${node} is still running, every guest will run twice and its disks will be damaged.`;
  await confirm(context, args, assertion, node);
  return runMove(context, args, command, {
    requests: [{ kind: 'confirm-peer-off', force, node }],
    judge: (now) => judgeRunningHere(now, status.groups),
    said: `${words} (${whoTyped()})`,
  });
}

/** @throws BattitoError `refused` */
async function assertNoneReadsOn(context: Context, node: string): Promise<void> {
  const devices = await devicesIfAny(context, node);
  const readings = await context.interruptible((signal) =>
    readDevices(devices, AbortSignal.any([signal, AbortSignal.timeout(readingMsMax)])),
  );
  const contrary = readings.filter(({ state }) => state.kind === 'on').map(({ device }) => device);
  if (contrary.length === 0) return;
  const message = `${contrary.join(' and ')} ${contrary.length === 1 ? 'says' : 'say'} that ${node} is on: it is not taken to be off`;
  throw new BattitoError('refused', message, {
    exitCode: exitCodes.failed,
    next: `see that it is ${node} that you looked at, and pull its plug; if the device is wrong, add --although-it-reads-on`,
  });
}

/** None where there is no configuration to go by: what counts is the person's word. */
async function devicesIfAny(context: Context, node: string) {
  try {
    return devicesOf(levelsOf(await readFencing(context), node));
  } catch (error) {
    if (!(error instanceof BattitoError)) throw error;
    return [];
  }
}
