// `battito standby`: this node hands everything over and takes nothing until it is told to again.

import type { GroupView, Status } from '../control/api.ts';
import { usageError } from './arguments.ts';
import type { Command } from './command.ts';
import { flag, jsonOption } from './command.ts';
import { dryRunOption, printPlan } from './dry-run.ts';
import { isHeldHere } from './groups.ts';
import { guestsFrom, guestsOption } from './guests/option.ts';
import { dryRunRemark, judgeGivenAway } from './handover.ts';
import { limitFrom } from './limit.ts';
import { checkWaitOptions, type Judgement, runMove, waitExitCodes, waitOptions } from './wait.ts';

export const standbyCommand: Command = {
  name: 'standby',
  summary: 'hand everything over and take nothing, until told otherwise',
  usage: [
    'standby [on] [--for DURATION] [--no-wait | --timeout DURATION]',
    'standby [on] --guests live|save|shutdown ...',
    'standby off',
    'standby on --dry-run',
  ],
  description: [
    'A node in standby runs no group and takes none over, not even when the other node dies; it stays so over restarts, until `standby off`, or with --for until that time is up. For work on this host. It is refused, and nothing stops, when the other node could not run what runs here.',
    '`standby off` lets this node run groups again; it does not bring any back by itself unless their failback is automatic.',
  ],
  options: {
    for: {
      type: 'string',
      value: 'DURATION',
      help: 'how long, such as 30m or 2h, 7 days at most; default: until `standby off`',
    },
    guests: guestsOption,
    'dry-run': dryRunOption,
    ...waitOptions,
    json: jsonOption,
  },
  examples: [
    { command: 'battito standby', meaning: 'before this host is switched off or rebuilt' },
    { command: 'battito standby on --for 2h', meaning: 'it ends by itself, should it be forgotten' },
    { command: 'battito standby off', meaning: 'afterwards' },
  ],
  exitCodes: waitExitCodes,
  positionalsMax: 1,
  async run(context, args) {
    const [word = 'on'] = args.positionals;
    if (word !== 'on' && word !== 'off') {
      throw usageError(`standby is "on" or "off", not "${word}"`, standbyCommand);
    }
    checkWaitOptions(args, standbyCommand);
    const by = guestsFrom(args, standbyCommand);
    const forMs = limitFrom(args, standbyCommand);
    if (word === 'off' && forMs !== undefined) throw usageError('standby off takes no --for', standbyCommand);
    if (word === 'off' && by.guests !== undefined)
      throw usageError('standby off hands nothing over: it does not go with --guests', standbyCommand);
    const status = await context.client.status();
    const held = word === 'on' ? status.groups.filter(isHeldHere) : [];
    if (flag(args, 'dry-run'))
      return printPlan(context, args, { action: 'stop', groups: held, ...by }, dryRunRemark(status, held));
    return runMove(context, args, standbyCommand, {
      requests: [{ kind: 'standby', on: word === 'on', ...by, ...(forMs === undefined ? {} : { forMs }) }],
      judge: (now) => (word === 'on' ? judgeOn(now, held) : judgeOff(now)),
    });
  },
};

function judgeOn(status: Status, held: readonly GroupView[]): Judgement {
  const { self } = status;
  if (!self.standby) return { kind: 'pending', waitingFor: `${self.name} is not yet in standby` };
  if (held.length === 0) return { kind: 'done', message: `${self.name} is in standby`, attention: null };
  const judgement = judgeGivenAway(status, held);
  if (judgement.kind !== 'done') return judgement;
  return { ...judgement, message: `${self.name} is in standby, ${judgement.message}` };
}

function judgeOff({ self }: Status): Judgement {
  if (self.standby) return { kind: 'pending', waitingFor: `${self.name} is still in standby` };
  return { kind: 'done', message: `${self.name} may run groups again`, attention: null };
}
