// `battito handover`: gives groups to the other node, in order. Also judges the same for `standby`.

import type { GroupView, Status } from '../control/api.ts';
import type { Command } from './command.ts';
import { flag, jsonOption } from './command.ts';
import { dryRunOption, printPlan } from './dry-run.ts';
import {
  chooseGroups,
  givenUpThere,
  isHeldHere,
  listNames,
  nothingToDo,
  preferredOption,
  sameGroups,
  withPreferred,
} from './groups.ts';
import { guestsFrom, guestsOption } from './guests/option.ts';
import { checkWaitOptions, type Judgement, runMove, waitExitCodes, waitOptions } from './wait.ts';

export const handoverCommand: Command = {
  name: 'handover',
  summary: 'give groups to the other node, in order',
  usage: [
    'handover [GROUP...] [--no-wait | --timeout DURATION]',
    'handover [GROUP...] --guests live|save|shutdown ...',
    'handover --preferred here|there ...',
    'handover [GROUP...] --dry-run',
  ],
  description: [
    'Stops the named groups, or all that run here, and lets the other node start them; waits until they run there. It is refused, and nothing stops, when the other node could not run them.',
    'Each guest goes as its `handover` is configured, or as --guests says for this once: live, while it runs; save, with its memory; shutdown. A guest that cannot go that way goes by the next of these, and it is said which and why.',
  ],
  options: {
    guests: guestsOption,
    preferred: preferredOption,
    'dry-run': dryRunOption,
    ...waitOptions,
    json: jsonOption,
  },
  examples: [
    { command: 'battito handover', meaning: 'everything goes to the other node' },
    {
      command: 'battito handover mail --timeout 5m',
      meaning: 'the group mail; its guests take long to stop',
    },
    { command: 'battito handover --guests live', meaning: 'without an interruption, where guests allow it' },
  ],
  exitCodes: waitExitCodes,
  positionalsMax: Number.POSITIVE_INFINITY,
  async run(context, given) {
    checkWaitOptions(given, handoverCommand);
    const by = guestsFrom(given, handoverCommand);
    const { client } = context;
    const status = await client.status();
    const args = withPreferred(given, status, handoverCommand);
    if (typeof args === 'string') return nothingToDo(context, given, args);
    const groups = chooseGroups(status, args.positionals, handoverCommand).filter(isHeldHere);
    if (flag(args, 'dry-run'))
      return printPlan(context, args, { action: 'stop', groups, ...by }, dryRunRemark(status, groups));
    if (groups.length === 0) {
      const message = await client.request({ kind: 'handover', groups: args.positionals, ...by });
      return nothingToDo(context, args, message);
    }
    return runMove(context, args, handoverCommand, {
      requests: [{ kind: 'handover', groups: args.positionals, ...by }],
      judge: (now) => judgeGivenAway(now, groups),
      groups: groups.map(({ name }) => name),
    });
  },
};

/** What comes after the commands on this node. */
export function dryRunRemark({ peer }: Status, groups: readonly GroupView[]): readonly string[] {
  if (groups.length === 0) return [];
  const names = groups.map(({ name }) => name).join(' ');
  return [`then ${peer.name} starts it; for its commands run there: battito takeover ${names} --dry-run`];
}

/** Done when the groups are stopped here and active at the peer. */
export function judgeGivenAway(status: Status, given: readonly GroupView[]): Judgement {
  const groups = sameGroups(status, given);
  const { self, peer, verdict } = status;
  const undone = groups.find(({ undone, phase }) => undone !== null && phase !== 'stopping');
  if (undone !== undefined) {
    const message = `the handover of ${undone.name} was undone, ${self.name} runs it: ${undone.undone}`;
    return { kind: 'stuck', message, next: `put that right, then: battito handover ${undone.name}` };
  }
  const missing = groups.filter((group) => group.phase !== 'stopped' || group.peer?.phase !== 'active');
  if (missing.length === 0) {
    const message = `${peer.name} runs ${listNames(groups)} now`;
    return { kind: 'done', message, attention: givenUpThere(status, groups) };
  }
  const waitingFor = missing
    .map((group) => {
      const there = group.peer === null ? 'unknown' : group.peer.phase;
      return `${group.name} is ${group.phase} on ${self.name} and ${there} on ${peer.name}`;
    })
    .join(', ');
  const peerIsThere = verdict.kind === 'alive' || verdict.kind === 'late';
  if (peerIsThere) return { kind: 'pending', waitingFor };
  const next = status.attention[0]?.next ?? 'look with `battito status`';
  return { kind: 'stuck', message: `${peer.name} is ${verdict.kind}: ${waitingFor}`, next };
}
