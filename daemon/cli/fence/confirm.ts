// The word of a person that the peer has no power: what it asserts, the name typed for it, and who said so.

import { usageError } from '../arguments.ts';
import type { Arguments, Command, Context } from '../command.ts';
import { flag } from '../command.ts';
import { confirm } from '../drbd/accept-data.ts';
import { judgeRunningHere } from '../running-here.ts';
import { runMove } from '../wait.ts';
import { whoTyped } from '../who.ts';

export async function confirmPeerOff(
  context: Context,
  args: Arguments,
  command: Command,
  node: string | undefined,
): Promise<number> {
  const status = await context.client.status();
  const { name: peer } = status.peer;
  const force = flag(args, 'although-it-answers');
  const words = ['battito fence confirm', peer, ...(force ? ['--although-it-answers'] : [])].join(' ');
  if (node === undefined) throw usageError('confirm needs the name of the node that is off', command, words);
  if (node !== peer) throw usageError(`"${node}" is not the other node; that is ${peer}`, command, words);
  const assertion = `You say that ${node} has no power. If ${node} is still running, every guest will run twice and its disks will be damaged.`;
  await confirm(context, args, assertion, node);
  return runMove(context, args, command, {
    requests: [{ kind: 'confirm-peer-off', force, node }],
    judge: (now) => judgeRunningHere(now, status.groups),
    said: `${words} (${whoTyped()})`,
  });
}
