// `--dry-run`: the commands that a move would run, as a shell would take them. Nothing is asked of the daemon
// but to tell them.

import type { GroupView, Plan } from '../control/api.ts';
import type { HandoverMode } from '../core/policy.ts';
import { exitCodes } from '../errors.ts';
import type { Arguments, Context } from './command.ts';
import { flag } from './command.ts';
import { harmless, type Output, printJson } from './output.ts';

export const dryRunOption = {
  type: 'boolean',
  help: 'change nothing; print the commands that would run on this node',
} as const;

/** `remarks` are comments below the commands. */
export async function printPlan(
  { client, output }: Context,
  args: Arguments,
  move: {
    readonly action: 'start' | 'stop';
    readonly groups: readonly GroupView[];
    readonly guests?: HandoverMode;
  },
  remarks: readonly string[] = [],
): Promise<number> {
  const plans: Plan[] = [];
  for (const { name } of move.groups) plans.push(...(await client.plan(move.action, name, move.guests)));
  if (flag(args, 'json')) {
    printJson(output, plans);
    return exitCodes.ok;
  }
  printPlans(output, plans);
  for (const remark of remarks) output.line(harmless(`# ${remark}`));
  return exitCodes.ok;
}

export function printPlans(output: Output, plans: readonly Plan[]): void {
  for (const { group, resource, action, remarks: why, needs, commands } of plans) {
    const after = needs.length === 0 ? '' : `, after ${needs.join(', ')}`;
    output.line(harmless(`# ${group}: ${action} ${resource}${after}`));
    for (const remark of why) output.line(harmless(`# ${remark}`));
    for (const command of commands) output.line(harmless(command));
  }
  if (plans.length === 0) output.line('# nothing to do on this node');
}
